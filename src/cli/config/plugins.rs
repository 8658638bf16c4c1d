//! Exporters of the user's own: programs that take the report on standard input and write a format of theirs.
//!
//! ```yaml
//! plugins:
//!   exporters:
//!     netbox: [python3, /etc/camscan/netbox_csv.py]
//!     ansible: {command: [sh, /etc/camscan/ansible.sh], timeout: 30s, passwords: true}
//! ```

use std::time::Duration;

use serde_yaml::Value;

use super::values::duration;
use crate::export::FORMATS;
use crate::model::problem::Problem;
use crate::text::clean;

/// The key of the configuration file.
pub const PLUGINS: &str = "plugins";

/// How long an exporter may take when nothing is said.
const USUAL_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest name.
const MAX_NAME: usize = 32;

/// An exporter that is a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExporterPlugin {
    /// The format's name, `[a-z][a-z0-9_-]*`, none of the program's own.
    pub name: String,
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How long it may take before it is ended.
    pub timeout: Duration,
    /// Whether the logins that are known stand in the addresses it gets.
    pub passwords: bool,
}

/// Reads what stands under [`PLUGINS`].
///
/// # Errors
/// What is wrong, with the name of the exporter.
pub fn read(value: &Value) -> Result<Vec<ExporterPlugin>, Problem> {
    let expected = || Problem::new("expected `exporters:` with a name and a command for each").at(PLUGINS);
    if value.is_null() {
        return Ok(Vec::new());
    }
    let mut exporters = Vec::new();
    for (kind, plugins) in value.as_mapping().ok_or_else(expected)? {
        if kind.as_str() != Some("exporters") {
            let kind = clean(kind.as_str().unwrap_or_default());
            return Err(Problem::new(format!("there is no kind of plugin `{kind}`"))
                .at(PLUGINS)
                .hint("write `exporters:`"));
        }
        if plugins.is_null() {
            continue;
        }
        for (name, entry) in plugins.as_mapping().ok_or_else(expected)? {
            let name = name.as_str().ok_or_else(expected)?;
            let plugin = exporter(name, entry).map_err(|problem| problem.at(format!("{PLUGINS}: {}", clean(name))))?;
            exporters.push(plugin);
        }
    }
    Ok(exporters)
}

fn exporter(name: &str, entry: &Value) -> Result<ExporterPlugin, Problem> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_name) || name.len() > MAX_NAME {
        return Err(Problem::new("the name of a format is a word of lower-case letters, digits, `_` and `-`"));
    }
    if name == "auto" || FORMATS.by_name(name).is_ok() {
        return Err(Problem::new(format!("`{name}` is a format that camscan has")).hint("choose another name"));
    }
    let command = |value: &Value| {
        let words: Option<Vec<String>> = value.as_sequence().map(|words| words.iter().map_while(word).collect());
        let is_whole = |words: &Vec<String>| value.as_sequence().is_some_and(|all| all.len() == words.len());
        words.filter(|words| is_whole(words) && words.first().is_some_and(|program| !program.is_empty())).ok_or_else(
            || {
                Problem::new("a command is a list: the program, then its arguments")
                    .hint("write [python3, /path/to/exporter.py]; no shell is involved")
            },
        )
    };
    let (mut words, mut timeout, mut passwords) = (None, USUAL_TIMEOUT, false);
    match entry.as_mapping() {
        None => words = Some(command(entry)?),
        Some(fields) => {
            for (field, value) in fields {
                match field.as_str().unwrap_or_default() {
                    "command" => words = Some(command(value)?),
                    "timeout" => timeout = duration(value.as_str().unwrap_or_default())?,
                    "passwords" => {
                        passwords = value.as_bool().ok_or_else(|| Problem::new("`passwords` is true or false"))?;
                    }
                    other => {
                        return Err(Problem::new(format!("there is no key `{}`", clean(other)))
                            .hint("there are command, timeout and passwords"));
                    }
                }
            }
        }
    }
    let mut words = words.ok_or_else(|| Problem::new("`command` is missing"))?.into_iter();
    let program = words.next().unwrap_or_default();
    Ok(ExporterPlugin { name: name.to_owned(), program, arguments: words.collect(), timeout, passwords })
}

/// An argument as text; numbers and truths are taken as they are written.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<ExporterPlugin>, String> {
        read(&serde_yaml::from_str(text).unwrap()).map_err(|problem| problem.to_string().replace("\nhint: ", " / "))
    }

    #[test]
    fn a_list_is_a_command_and_a_mapping_says_more() {
        let read =
            of("exporters: {netbox: [python3, n.py, 8], b: {command: [sh], timeout: 5s, passwords: true}}").unwrap();
        let [netbox, b] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!((netbox.name.as_str(), netbox.program.as_str()), ("netbox", "python3"));
        assert_eq!(
            (netbox.arguments.join(" ").as_str(), netbox.timeout, netbox.passwords),
            ("n.py 8", USUAL_TIMEOUT, false)
        );
        assert_eq!((b.arguments.len(), b.timeout, b.passwords), (0, Duration::from_secs(5), true));
        assert_eq!((of("~").unwrap().len(), of("exporters:").unwrap().len()), (0, 0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = [
            "exporters: {json: [x]}",
            "exporters: {Bad: [x]}",
            "exporters: {mine: x --all}",
            "exporters: {mine: []}",
            "exporters: {mine: {timeout: 5s}}",
            "exporters: {mine: {command: [x], shell: true}}",
            "exporters: {mine: {command: [x], timeout: soon}}",
            "importers: {}",
            "[]",
        ]
        .map(|text| of(text).unwrap_err());
        insta::assert_snapshot!(said.join("\n"), @r#"
            plugins: json: `json` is a format that camscan has / choose another name
            plugins: Bad: the name of a format is a word of lower-case letters, digits, `_` and `-`
            plugins: mine: a command is a list: the program, then its arguments / write [python3, /path/to/exporter.py]; no shell is involved
            plugins: mine: a command is a list: the program, then its arguments / write [python3, /path/to/exporter.py]; no shell is involved
            plugins: mine: `command` is missing
            plugins: mine: there is no key `shell` / there are command, timeout and passwords
            plugins: mine: `soon` is not a duration / write a number and its unit, such as 500ms, 2s, 1m30s or 1h
            plugins: there is no kind of plugin `importers` / write `exporters:`
            plugins: expected `exporters:` with a name and a command for each
        "#);
    }
}
