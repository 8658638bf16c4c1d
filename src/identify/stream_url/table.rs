//! The tables of stream addresses: the makers' templates, and the servers whose streams have names.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::template::{Purpose, Template};
use super::written::{PathEntry, VendorPaths};
use crate::identify::vendor;

/// What is kept of a user, a password or a name as it is.
pub(super) const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// What is kept of a stream's name as it is: it may have parts.
const KEPT_IN_NAME: &AsciiSet = &KEPT.remove(b'/');

/// A server whose streams have names of their own, which its API lists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// Its name.
    pub server: String,
    /// Where it lists the names.
    pub list: NamedPath,
    /// Where a stream of a name is.
    #[serde(flatten)]
    pub(super) paths: BTreeMap<Purpose, NamedPath>,
}

impl Named {
    /// Where a stream of a name is for that purpose; none where it has none.
    pub fn path(&self, purpose: Purpose) -> Option<&NamedPath> {
        self.paths.get(&purpose)
    }
}

/// A path that holds a stream's name, on a port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedPath {
    pub(super) path: String,
    /// The port it is usually at.
    pub port: u16,
}

impl NamedPath {
    /// The path for a stream's name, percent-encoded.
    pub fn path(&self, name: &str) -> String {
        fill_name(&self.path, name)
    }
}

/// `{name}` is the whole name, `{last}` what stands behind its last slash: some servers keep applications apart.
pub(super) fn fill_name(template: &str, name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let encode = |text: &str| utf8_percent_encode(text, KEPT_IN_NAME).to_string();
    template.replace("{name}", &encode(name)).replace("{last}", &encode(last))
}

/// Where servers put a stream of a name, and the names people give.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OfName {
    /// The names, the commonest first.
    pub common: Vec<String>,
    #[serde(flatten)]
    templates: BTreeMap<Purpose, Vec<String>>,
}

impl OfName {
    /// The templates for a purpose.
    pub fn templates(&self, purpose: Purpose) -> &[String] {
        self.templates.get(&purpose).map_or(&[], Vec::as_slice)
    }

    /// All templates.
    pub fn all_templates(&self) -> impl Iterator<Item = &String> {
        self.templates.values().flatten()
    }
}

/// Where makers put their streams, and the common places: those that come with the program, and those a user adds.
#[derive(Debug, Clone, Default)]
pub struct StreamUrls {
    pub(super) templates: Vec<Template>,
}

/// The templates, and the servers whose streams have names.
pub(super) struct Table {
    pub urls: StreamUrls,
    pub servers: Vec<Named>,
    pub of_name: OfName,
}

/// What comes with the program.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(read().unwrap_or_default()));

pub(super) fn read() -> Result<File, serde_yaml::Error> {
    serde_yaml::from_str(include_str!("../data/stream_urls.yaml"))
}

impl Table {
    fn new(file: File) -> Self {
        let mut templates: Vec<Template> = file.vendors.into_iter().flat_map(VendorPaths::into_templates).collect();
        for (purpose, entries) in file.generic {
            templates.extend(entries.into_iter().map(|entry| entry.into_template(None, purpose, false)));
        }
        Table { urls: StreamUrls { templates }, servers: file.servers, of_name: file.of_name }
    }
}

impl StreamUrls {
    /// Those that come with the program.
    pub fn builtin() -> &'static Self {
        &TABLE.urls
    }

    /// These and more makers' paths, which come before those of the same confidence that are there.
    pub fn with(&self, added: Vec<VendorPaths>) -> Self {
        let mut templates: Vec<Template> = added.into_iter().flat_map(VendorPaths::into_templates).collect();
        templates.extend_from_slice(&self.templates);
        StreamUrls { templates }
    }

    /// How many templates there are.
    pub fn len(&self) -> usize {
        self.templates.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// The templates of a vendor, or the common ones; the surest first.
    pub(super) fn of(
        &self,
        vendor: Option<&str>,
        purpose: Purpose,
        with_login: bool,
    ) -> impl Iterator<Item = (usize, &Template)> {
        let is_of = |template: &Template| match (template.vendor.as_deref(), vendor) {
            (Some(own), Some(vendor)) => own.eq_ignore_ascii_case(vendor),
            (own, vendor) => own == vendor,
        };
        let mut fitting: Vec<(usize, &Template)> = self
            .templates
            .iter()
            .enumerate()
            .filter(|(_, t)| is_of(t) && t.purpose == purpose && t.with_login == with_login)
            .collect();
        fitting.sort_by_key(|(_, t)| t.confidence);
        fitting.into_iter()
    }

    /// The templates of a vendor, and of the maker whose devices it sells; the surest first, its own before the maker's.
    pub(super) fn of_vendor<'a>(
        &'a self,
        vendor: &str,
        purpose: Purpose,
        with_login: bool,
    ) -> impl Iterator<Item = (usize, &'a Template)> {
        let names = [Some(vendor::unify(vendor)), vendor::maker_behind(vendor)];
        let mut fitting: Vec<_> =
            names.into_iter().flatten().flat_map(|name| self.of(Some(name), purpose, with_login)).collect();
        fitting.sort_by_key(|(_, t)| t.confidence);
        fitting.into_iter()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub vendors: Vec<VendorPaths>,
    generic: BTreeMap<Purpose, Vec<PathEntry>>,
    servers: Vec<Named>,
    of_name: OfName,
}
