//! The configuration file: YAML, one key a setting. Everything wrong with it is said with file, line, column and what
//! was expected; no value of a login is ever shown.

mod logins;
mod reader;

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::credentials;
use super::environment::Environment;
use super::keys::{self, CREDENTIALS, Setting, Shape};
use super::layer::{GivenLogins, Layer, Origin, split};
use super::notify::{self, GivenNotifications, NOTIFY};
use super::plugins::{self, ExporterPlugin, PLUGINS};
use crate::model::problem::Problem;
use crate::tool::read;
use logins::Logins;
use reader::{Name, Optional, Reader, Text};

/// The most bytes a configuration file or a file of logins may have.
const FILE_CAP: u64 = 1 << 20;

/// The configuration file that holds: the one named by flag or variable, else the first of the usual places that is
/// there. None when there is none.
///
/// # Errors
/// When one was named that does not exist.
pub fn find(flag: Option<&Path>, environment: &Environment) -> Result<Option<PathBuf>, Problem> {
    let named = flag
        .map(|path| ("--config", path.to_owned()))
        .or_else(|| environment.get("CAMSCAN_CONFIG").map(|path| ("CAMSCAN_CONFIG", path.into())));
    match named {
        Some((place, path)) if !path.exists() => {
            Err(Problem::new(format!("there is no file {}", path.display())).at(place))
        }
        Some((_, path)) => Ok(Some(path)),
        None => Ok(environment.config_places.iter().find(|path| path.is_file()).cloned()),
    }
}

/// What a configuration file gives. Relative paths of password files count from its folder.
///
/// # Errors
/// When it cannot be read, is no YAML, or holds an unknown key or a bad value.
pub fn read(path: &Path, environment: &Environment) -> Result<Layer, Problem> {
    parse(&read::text(path, FILE_CAP)?, path, environment)
}

/// As [`read`], for text that has been read already.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str, path: &Path, environment: &Environment) -> Result<Layer, Problem> {
    let reader = Reader::new(path, environment);
    reader.run(text, Document(&reader))?;
    Ok(reader.layer.take())
}

/// The logins of a file: YAML entries as under `credentials:` when its name ends in `.yaml` or `.yml`, else `USER:PASS`
/// line by line.
///
/// # Errors
/// When it cannot be read or holds what is no login.
pub fn read_logins(path: &Path, environment: &Environment) -> Result<GivenLogins, Problem> {
    let text = read::text(path, FILE_CAP)?;
    let origin = Origin::File(path.to_owned());
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml")) {
        let logins = credentials::lines(&text, &path.display().to_string())?;
        return Ok(GivenLogins { in_clear: !logins.is_empty(), logins, origin });
    }
    let reader = Reader::new(path, environment);
    reader.expected.set("a list of logins, each with `user:` and `password:`");
    let logins = reader.run(&text, Optional(Logins(&reader)))?.unwrap_or_default();
    Ok(GivenLogins { logins, in_clear: reader.in_clear.get(), origin })
}

/// Says so when other users of the machine can read a file that holds passwords.
pub fn readable_by_others(path: &Path) -> Option<Problem> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.permissions().mode();
        if mode & 0o004 != 0 {
            let shown = path.display();
            return Some(
                Problem::new(format!("{shown} holds passwords and can be read by every user of this machine"))
                    .hint(format!("chmod 600 '{shown}'")),
            );
        }
    }
    None
}

/// The document: nothing, or a mapping of keys.
struct Document<'a, 'r>(&'r Reader<'a>);

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.expected.get())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        let origin = || Origin::File(reader.path.to_owned());
        let known = || keys::ALL.iter().map(|key| key.name()).chain([CREDENTIALS, PLUGINS, NOTIFY]);
        let mut seen = HashSet::new();
        while let Some(name) =
            map.next_key_seed(Name { reader, known: &known().collect::<Vec<_>>(), is_login: false, seen: &mut seen })?
        {
            match keys::find(&name) {
                None if name == PLUGINS => {
                    reader.key.set(Some(PLUGINS));
                    reader.expected.set("`exporters:` with a name and a command for each");
                    reader.layer.borrow_mut().exporters = map.next_value_seed(Plugins(reader))?;
                }
                None if name == NOTIFY => {
                    reader.key.set(Some(NOTIFY));
                    reader.expected.set("`public_url:`, `channels:` and `rules:`");
                    reader.layer.borrow_mut().notifications = map.next_value_seed(Notify(reader))?;
                }
                None => {
                    reader.key.set(Some(CREDENTIALS));
                    reader.expected.set("a list of logins, each with `user:` and `password:`");
                    if let Some(logins) = map.next_value_seed(Optional(Logins(reader)))? {
                        reader.layer.borrow_mut().logins =
                            Some(GivenLogins { logins, in_clear: reader.in_clear.get(), origin: origin() });
                    }
                }
                Some(key) => {
                    reader.key.set(Some(key.name()));
                    reader.expected.set(if key.shape() == Shape::One { "one value" } else { "a list or one value" });
                    if let Some(values) = map.next_value_seed(Optional(Values { reader, key }))? {
                        reader.layer.borrow_mut().set(key.name(), values, origin());
                    }
                }
            }
            reader.key.set(None);
            reader.expected.set("lines of `key: value`");
        }
        Ok(())
    }
}

/// What stands under `plugins:`.
struct Plugins<'a, 'r>(&'r Reader<'a>);

impl<'de> DeserializeSeed<'de> for Plugins<'_, '_> {
    type Value = Vec<ExporterPlugin>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let value = serde_yaml::Value::deserialize(deserializer)?;
        plugins::read(&value).map_err(|problem| self.0.fail(problem))
    }
}

/// What stands under `notify:`.
struct Notify<'a, 'r>(&'r Reader<'a>);

impl<'de> DeserializeSeed<'de> for Notify<'_, '_> {
    type Value = Option<GivenNotifications>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let value = serde_yaml::Value::deserialize(deserializer)?;
        notify::read(&value, self.0.path, self.0.environment).map_err(|problem| self.0.fail(problem))
    }
}

/// The values of a key, each checked where it stands.
struct Values<'a, 'r> {
    reader: &'r Reader<'a>,
    key: &'static dyn Setting,
}

impl Values<'_, '_> {
    fn check(&self, text: &str) -> Result<(), Problem> {
        self.key.check(text).map_err(|problem| problem.at(self.key.name()))
    }

    fn pieces<E: serde::de::Error>(&self, text: &str) -> Result<Vec<String>, E> {
        let pieces = match self.key.shape() {
            Shape::List => split(text, |c| c == ','),
            _ => vec![text.to_owned()],
        };
        pieces.iter().try_for_each(|piece| self.check(piece)).map_err(|problem| self.reader.fail(problem))?;
        Ok(pieces)
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_, '_> {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<String>, D::Error> {
        match self.key.shape() {
            // Asked for as text, a number keeps its digits as they were written.
            Shape::One => deserializer.deserialize_str(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Values<'_, '_> {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reader.expected.get())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<String>, E> {
        self.pieces(text)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Vec<String>, E> {
        self.pieces(&number.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Vec<String>, E> {
        self.pieces(&number.to_string())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Vec<String>, E> {
        self.pieces(&value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Vec<String>, E> {
        let problem = Problem::new("this reads as a number with a fraction").at(self.key.name());
        Err(self.reader.fail(problem.hint("put it in quotes")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
        let mut values = Vec::new();
        self.reader.expected.set("one value");
        while let Some(text) = list.next_element_seed(Text(self.reader, &|text| self.check(text)))? {
            values.push(text);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests;
