//! Reads YAML value by value: the first problem is kept with its place, and nothing of a login is shown.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, Visitor};

use crate::cli::config::environment::Environment;
use crate::cli::config::layer::Layer;
use crate::model::problem::Problem;
use crate::text::{nearest, nesting};

/// What is under way while a file is read. The first problem is kept here whole; serde's error only carries its place.
pub(super) struct Reader<'a> {
    pub path: &'a Path,
    pub environment: &'a Environment,
    pub layer: RefCell<Layer>,
    problem: RefCell<Option<Problem>>,
    /// What should stand where reading is.
    pub expected: Cell<&'static str>,
    /// The key whose value is being read.
    pub key: Cell<Option<&'static str>>,
    /// Whether a password stood in the file itself.
    pub in_clear: Cell<bool>,
}

impl<'a> Reader<'a> {
    pub fn new(path: &'a Path, environment: &'a Environment) -> Self {
        let expected = Cell::new("lines of `key: value`");
        let (layer, problem, key, in_clear) = Default::default();
        Reader { path, environment, layer, problem, expected, key, in_clear }
    }

    pub fn run<'de, S: DeserializeSeed<'de>>(&self, text: &'de str, seed: S) -> Result<S::Value, Problem> {
        if let Some(line) = nesting::too_deep(text) {
            let problem = Problem::new(format!("this is not valid YAML: {}", nesting::TOO_DEEP));
            return Err(problem.at(format!("{}:{line}", self.path.display())));
        }
        // The first pass finds what is no YAML at all: its errors show nothing of the text.
        serde_yaml::from_str::<IgnoredAny>(text).map_err(|error| {
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            self.placed(&error, Problem::new(format!("this is not valid YAML: {said}")))
        })?;
        seed.deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| {
            let problem = self.problem.take();
            let problem = problem.unwrap_or_else(|| {
                let problem = Problem::new(format!("expected {}", self.expected.get()));
                self.key.get().map_or(problem.clone(), |key| problem.at(key))
            });
            self.placed(&error, problem)
        })
    }

    fn placed(&self, error: &serde_yaml::Error, problem: Problem) -> Problem {
        match error.location() {
            Some(at) => problem.at(format!("{}:{}:{}", self.path.display(), at.line(), at.column())),
            None => problem.at(self.path.display()),
        }
    }

    /// Keeps the problem; what is returned only stops serde, which adds the place.
    pub fn fail<E: serde::de::Error>(&self, problem: Problem) -> E {
        self.problem.borrow_mut().get_or_insert(problem);
        E::custom("")
    }
}

/// A key: known, and not seen before.
pub(super) struct Name<'a, 'r> {
    pub reader: &'r Reader<'a>,
    pub known: &'r [&'static str],
    /// Whether it is a key of a login: what looks like none may be a password.
    pub is_login: bool,
    pub seen: &'r mut HashSet<String>,
}

impl<'de> DeserializeSeed<'de> for Name<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<String, E> {
        // Only what looks like a key is shown; in a login it must also be nearly one: it may be the password.
        let plain = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let near = nearest(name, self.known.iter().copied()).is_some();
        let shown = if plain && (near || !self.is_login) { format!(" `{name}`") } else { String::new() };
        if !self.known.contains(&name) {
            let problem = Problem::new(format!("unknown key{shown}"));
            let problem = problem.did_you_mean(name, self.known.iter().copied());
            let all = if self.is_login {
                format!("keys of a login are {}", self.known.join(", "))
            } else {
                "all keys are listed in config.example.yaml and by `camscan config show`".to_owned()
            };
            return Err(self.reader.fail(problem.hint(all)));
        }
        if !self.seen.insert(name.to_owned()) {
            return Err(self.reader.fail(Problem::new(format!("the key{shown} is given twice"))));
        }
        Ok(name.to_owned())
    }
}

/// What a seed reads, or none for an empty value or `~`.
pub(super) struct Optional<S>(pub S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Optional<S> {
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Optional<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}

/// A text as it was written, checked where it stands.
pub(super) struct Text<'a, 'r>(pub &'r Reader<'a>, pub &'r dyn Fn(&str) -> Result<(), Problem>);

impl<'de> DeserializeSeed<'de> for Text<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text<'_, '_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        (self.1)(text).map_err(|problem| self.0.fail(problem))?;
        Ok(text.to_owned())
    }
}
