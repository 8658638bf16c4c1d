//! What one source gives, and how sources lie over each other: flag over environment over file over default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::model::Credential;

use super::environment::Environment;
use super::keys::{self, Key, Setting, Shape};
use super::notify::GivenNotifications;
use super::plugins::ExporterPlugin;
use crate::model::problem::Problem;
use crate::text::nearest;

/// Where a value comes from, the weakest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody gave it.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag or the command line's arguments.
    Flag(String),
}

impl Origin {
    /// Its strength; values of the same strength were given side by side.
    pub fn rank(&self) -> u8 {
        match self {
            Origin::Default => 0,
            Origin::File(_) => 1,
            Origin::Environment(_) => 2,
            Origin::Flag(_) => 3,
        }
    }

    /// How a value of `key` from here is called in a message.
    pub fn place(&self, key: &str) -> String {
        match self {
            Origin::Default => key.to_owned(),
            Origin::File(path) => format!("{}: {key}", path.display()),
            Origin::Environment(name) | Origin::Flag(name) => name.clone(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Environment(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// The values given for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// As written, lists taken apart.
    pub values: Vec<String>,
    /// What set it.
    pub origin: Origin,
}

/// The logins one source gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenLogins {
    /// In the order they are tried.
    pub logins: Vec<Credential>,
    /// Whether a password stands among them in clear.
    pub in_clear: bool,
    /// What set it.
    pub origin: Origin,
}

/// What one source gives, or several of them laid over each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    given: BTreeMap<&'static str, Given>,
    /// The logins it gives; `credentials_file` is a key of its own.
    pub logins: Option<GivenLogins>,
    /// Exporters of the user's own; a configuration file alone gives some.
    pub exporters: Vec<ExporterPlugin>,
    /// Who is told about events; a configuration file alone gives it.
    pub notifications: Option<GivenNotifications>,
}

impl Layer {
    /// What holds when nothing is given.
    pub fn defaults() -> Layer {
        let mut layer = Layer::default();
        for key in keys::ALL {
            layer.set(key.name(), key.defaults(), Origin::Default);
        }
        layer
    }

    /// What the environment gives.
    pub fn environment(environment: &Environment) -> Layer {
        let mut layer = Layer::default();
        for key in keys::ALL {
            let variable = key.variable();
            let Some(text) = environment.get(&variable) else { continue };
            let values = match key.shape() {
                Shape::One => vec![text.to_owned()],
                Shape::List => split(text, |c| c == ',' || c.is_whitespace()),
                Shape::Paths => split(text, |c| c == ','),
            };
            layer.set(key.name(), values, Origin::Environment(variable));
        }
        layer
    }

    /// Gives a key its values.
    pub fn set(&mut self, name: &'static str, values: Vec<String>, origin: Origin) {
        self.given.insert(name, Given { values, origin });
    }

    /// This layer, and where it gives nothing, `lower`.
    #[must_use]
    pub fn over(self, lower: Layer) -> Layer {
        let mut given = lower.given;
        given.extend(self.given);
        let mut exporters = self.exporters;
        exporters.extend(lower.exporters);
        let notifications = self.notifications.or(lower.notifications);
        Layer { given, logins: self.logins.or(lower.logins), exporters, notifications }
    }

    /// What is given for a key.
    pub fn given(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }

    /// Who gave a key's value.
    pub fn origin(&self, name: &str) -> Origin {
        self.given(name).map_or(Origin::Default, |given| given.origin.clone())
    }

    /// The value of a key that takes one.
    ///
    /// # Errors
    /// When it cannot be read; says who gave it.
    pub fn one<T>(&self, key: &Key<T>) -> Result<T, Problem> {
        let text = self.given(key.name).and_then(|given| given.values.first().cloned());
        (key.read)(&text.unwrap_or_else(key.default))
            .map_err(|problem| problem.at(self.origin(key.name).place(key.name)))
    }

    /// The values of a key that takes several.
    ///
    /// # Errors
    /// When one cannot be read; says who gave it.
    pub fn list<T>(&self, key: &Key<T>) -> Result<Vec<T>, Problem> {
        let place = |problem: Problem| problem.at(self.origin(key.name).place(key.name));
        let values = self.given(key.name).map_or_else(|| key.defaults(), |given| given.values.clone());
        values.iter().map(|text| (key.read)(text).map_err(place)).collect()
    }
}

/// The pieces of a list, trimmed, without empty ones.
pub fn split(text: &str, at: impl Fn(char) -> bool) -> Vec<String> {
    text.split(at).map(str::trim).filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
}

/// Variables that are no keys.
const FURTHER: [&str; 4] = ["CAMSCAN_CONFIG", "CAMSCAN_LOG", "CAMSCAN_CREDENTIAL", "CAMSCAN_CREDENTIALS"];

/// `CAMSCAN_` variables that have no effect and are nearly spelled like one that has, with that one.
pub fn misspelt(environment: &Environment) -> Vec<(&str, String)> {
    let known: Vec<String> = keys::ALL.iter().map(|key| key.variable()).chain(FURTHER.map(str::to_owned)).collect();
    environment
        .own_names()
        .filter(|name| !known.iter().any(|k| k == name))
        .filter_map(|name| {
            let near = nearest(name.get(8..)?, known.iter().filter_map(|k| k.get(8..)))?;
            Some((name, format!("CAMSCAN_{near}")))
        })
        .collect()
}
