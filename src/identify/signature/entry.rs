//! A signature as it is written, checked against its own examples.

use std::collections::BTreeMap;

use regex::{Captures, Regex, RegexBuilder};
use serde::Deserialize;

use super::{Field, LONGEST_VALUE};
use crate::identify::vendor;
use crate::model::Kind;
use crate::text;

pub(super) fn take(captures: &Captures<'_>, name: &str) -> Option<String> {
    let value = text::clean_to(captures.name(name)?.as_str(), LONGEST_VALUE);
    Some(value).filter(|v| !v.is_empty())
}

pub(super) fn compile(regex: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(regex).case_insensitive(true).size_limit(4 << 20).build()
}

/// What a text that a device sends reveals of it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Signature"))]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Where the text is read.
    pub field: Field,
    /// The expression it matches, case-insensitive, in the syntax of https://docs.rs/regex. What its groups vendor, model,
    /// firmware, serial and hostname match is taken for that fact.
    pub regex: String,
    /// The maker of every device that matches.
    pub vendor: Option<String>,
    /// The model of every device that matches.
    pub model: Option<String>,
    /// The kind of every device that matches.
    pub kind: Option<Kind>,
    /// The weight of vendor, model and the groups.
    #[serde(default = "half")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub weight: f64,
    /// The weight of the kind; by default that of the others.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    kind_weight: Option<f64>,
    /// Where the fact comes from; for readers of the file.
    #[serde(rename = "source")]
    _source: Option<String>,
    /// Texts that must match.
    #[serde(default)]
    pub examples: Vec<Example>,
    /// Texts that must not match.
    #[serde(default)]
    not: Vec<String>,
}

fn half() -> f64 {
    0.5
}

/// A text that must match, and what must be taken out of it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(super) enum Example {
    /// The text.
    Text(String),
    /// `text`, and beside it by the group's name what must be taken out of it.
    Full(BTreeMap<String, String>),
}

impl Example {
    fn text(&self) -> &str {
        match self {
            Example::Text(text) => text,
            Example::Full(full) => full.get("text").map_or("", String::as_str),
        }
    }

    fn taken(&self) -> impl Iterator<Item = (&String, &String)> {
        let full = match self {
            Example::Text(_) => None,
            Example::Full(full) => Some(full),
        };
        full.into_iter().flatten().filter(|(name, _)| *name != "text")
    }
}

impl Entry {
    /// The weight of what it states of the kind.
    pub fn kind_weight(&self) -> f64 {
        self.kind_weight.unwrap_or(self.weight)
    }

    /// What is wrong with it, and what is expected.
    pub fn check(&self) -> Result<(), (String, &'static str)> {
        const GROUPS: [&str; 5] = ["vendor", "model", "firmware", "serial", "hostname"];
        let regex = compile(&self.regex)
            .map_err(|e| (format!("bad regular expression: {e}"), "the syntax of https://docs.rs/regex is expected"))?;
        if let Some(group) = regex.capture_names().flatten().find(|name| !GROUPS.contains(name)) {
            let what = format!("unknown group '{group}'");
            return Err((what, "a group is named vendor, model, firmware, serial or hostname"));
        }
        let takes = regex.capture_names().flatten().next().is_some();
        if !takes && self.vendor.is_none() && self.model.is_none() && self.kind.is_none() {
            return Err(("states nothing".into(), "at least one of vendor, model, kind or a named group is expected"));
        }
        if ![self.weight, self.kind_weight()].iter().all(|w| (0.0..=1.0).contains(w)) {
            return Err(("bad weight".into(), "weights lie between 0 and 1"));
        }
        for example in &self.examples {
            let text = example.text();
            let captures = regex.captures(text).ok_or_else(|| {
                (format!("the example '{text}' does not match '{}'", self.regex), "an example matches its regex")
            })?;
            for (name, expected) in example.taken() {
                let got = take(&captures, name);
                let got = got.as_deref().map(|v| if name == "vendor" { vendor::unify(v) } else { v });
                if got != Some(expected) {
                    let what = format!("the example '{text}' gives {name} '{}'", got.unwrap_or_default());
                    return Err((format!("{what}, not '{expected}'"), "an example gives what stands beside it"));
                }
            }
        }
        match self.not.iter().find(|text| regex.is_match(text)) {
            Some(text) => Err((format!("'{text}' matches '{}'", self.regex), "a text under 'not' does not match")),
            None => Ok(()),
        }
    }
}

/// The files that come with the program.
pub(super) const BUILTIN: [(&str, &str); 10] = [
    ("announce.yaml", include_str!("../data/signatures/announce.yaml")),
    ("certificate.yaml", include_str!("../data/signatures/certificate.yaml")),
    ("favicon.yaml", include_str!("../data/signatures/favicon.yaml")),
    ("http.yaml", include_str!("../data/signatures/http.yaml")),
    ("media_server.yaml", include_str!("../data/signatures/media_server.yaml")),
    ("model.yaml", include_str!("../data/signatures/model.yaml")),
    ("not_cameras.yaml", include_str!("../data/signatures/not_cameras.yaml")),
    ("realm.yaml", include_str!("../data/signatures/realm.yaml")),
    ("rtsp.yaml", include_str!("../data/signatures/rtsp.yaml")),
    ("stream_path.yaml", include_str!("../data/signatures/stream_path.yaml")),
];

/// Their signatures, unchecked: a test checks them.
pub(super) fn read_builtin() -> Result<Vec<Entry>, serde_yaml::Error> {
    let mut entries = Vec::new();
    for (_, text) in BUILTIN {
        entries.extend(serde_yaml::from_str::<Vec<Entry>>(text)?);
    }
    Ok(entries)
}
