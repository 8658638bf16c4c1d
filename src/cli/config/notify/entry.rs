//! The fields of a channel or a rule.

use std::cell::Cell;
use std::path::Path;

use serde_yaml::{Mapping, Value};

use crate::cli::config::environment::Environment;
use crate::model::Secret;
use crate::model::problem::Problem;
use crate::text::nearest;
use crate::tool::read;

/// The most bytes a file with one secret may have.
const SECRET_CAP: u64 = 4096;

/// Where secrets are looked for.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub environment: &'a Environment,
    /// The folder of the configuration file.
    pub folder: &'a Path,
    /// Whether a secret stood in the file itself.
    pub in_clear: &'a Cell<bool>,
}

/// A mapping of the configuration file.
pub(super) struct Entry<'a> {
    fields: &'a Mapping,
    context: Context<'a>,
}

impl<'a> Entry<'a> {
    /// The mapping, or an error that names what is expected.
    pub fn of(value: &'a Value, context: Context<'a>, expected: &str) -> Result<Self, Problem> {
        let fields = value.as_mapping().ok_or_else(|| Problem::new(format!("expected {expected}")))?;
        Ok(Entry { fields, context })
    }

    /// Refuses keys that are neither in `plain` nor in `secret`, which may end in `_env` or `_file` as well.
    pub fn only(&self, plain: &[&str], secret: &[&str]) -> Result<(), Problem> {
        let further = secret.iter().flat_map(|key| [format!("{key}_env"), format!("{key}_file")]);
        let known: Vec<String> = plain.iter().chain(secret).map(|key| (*key).to_owned()).chain(further).collect();
        let names = || known.iter().map(String::as_str);
        for key in self.fields.keys() {
            let key = key.as_str().unwrap_or_default();
            if !known.iter().any(|name| name == key) {
                // What is far from every key may be a secret that was put at the wrong place.
                let shown = nearest(key, names()).map(|_| format!(" `{key}`")).unwrap_or_default();
                let problem = Problem::new(format!("unknown key{shown}")).did_you_mean(key, names());
                return Err(problem.hint(format!("there are {}", known.join(", "))));
            }
        }
        Ok(())
    }

    /// What stands at a key; none where that is nothing.
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    /// The text at a key; numbers and truths are taken as they are written.
    pub fn text(&self, key: &str) -> Result<Option<String>, Problem> {
        self.value(key).map(|value| word(value).ok_or_else(|| Problem::new("expected one value").at(key))).transpose()
    }

    /// The same where there has to be one.
    pub fn need(&self, key: &str) -> Result<String, Problem> {
        let text = self.text(key)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Problem::new(format!("`{key}:` is missing")))
    }

    /// The texts at a key: a list, or one with commas between them.
    pub fn list(&self, key: &str) -> Result<Vec<String>, Problem> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        let wrong = || Problem::new("expected a list").at(key);
        match value {
            Value::Sequence(values) => values.iter().map(|value| word(value).ok_or_else(wrong)).collect(),
            value => {
                let text = word(value).ok_or_else(wrong)?;
                Ok(text.split(',').map(str::trim).filter(|piece| !piece.is_empty()).map(str::to_owned).collect())
            }
        }
    }

    /// Each text of a list as `read` reads it.
    pub fn each<T>(&self, key: &str, read: impl Fn(&str) -> Result<T, Problem>) -> Result<Vec<T>, Problem> {
        let list = self.list(key)?;
        list.iter().map(|text| read(text).map_err(|problem| problem.at(key))).collect()
    }

    /// A secret: at the key itself, in the variable named at `KEY_env`, or in the file named at `KEY_file`.
    pub fn secret(&self, key: &str) -> Result<Option<Secret>, Problem> {
        let [clear, variable, file] = ["", "_env", "_file"].map(|ending| format!("{key}{ending}"));
        let given = [self.text(&clear)?, self.text(&variable)?, self.text(&file)?];
        let secret = match given {
            [None, None, None] => return Ok(None),
            [Some(text), None, None] => {
                self.context.in_clear.set(true);
                text
            }
            [None, Some(name), None] => self.of_variable(&name).map_err(|problem| problem.at(&variable))?,
            [None, None, Some(path)] => self.of_file(&path).map_err(|problem| problem.at(&file))?,
            _ => return Err(Problem::new(format!("give one of {clear}, {variable} and {file}"))),
        };
        if secret.is_empty() || secret.chars().any(char::is_control) {
            return Err(Problem::new("it is empty or holds a control character").at(key));
        }
        Ok(Some(Secret::new(secret)))
    }

    /// The same where there has to be one.
    pub fn need_secret(&self, key: &str) -> Result<Secret, Problem> {
        self.secret(key)?.ok_or_else(|| {
            Problem::new(format!("`{key}:` is missing")).hint(format!("give one of {key}, {key}_env and {key}_file"))
        })
    }

    fn of_variable(&self, name: &str) -> Result<String, Problem> {
        self.context.environment.text(name)?.map(str::to_owned).ok_or_else(|| {
            // What stands here may be the secret itself, put at the wrong key.
            Problem::new("there is no such environment variable, or it is empty")
                .hint("name the variable that holds the secret")
        })
    }

    fn of_file(&self, path: &str) -> Result<String, Problem> {
        // The path stays unsaid, for the same reason.
        let text = read::text(&self.context.folder.join(path), SECRET_CAP).map_err(|_| {
            Problem::new(format!("the file cannot be read, is larger than {SECRET_CAP} bytes or is not text"))
                .hint("name a file that holds the secret alone; relative paths count from this file's folder")
        })?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// A text as it is written.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
