//! From a command line to what was typed: keys in the help, keys that were set, and errors without passwords.

use std::ffi::OsString;

use clap::error::ContextValue;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches};

use super::{Cli, Typed};
use crate::cli::config::keys::{self, Setting};

/// The command line's definition; the help of every option names its key, variable and default.
pub fn command() -> clap::Command {
    with_keys(Cli::command())
}

fn with_keys(command: clap::Command) -> clap::Command {
    let command = command.mut_subcommands(with_keys);
    // What `watch` explains is not explained in short twice.
    let is_serve = command.get_name() == "serve";
    command.mut_args(|arg| {
        let is_of_scans = !matches!(arg.get_help_heading(), None | Some("Server" | "Schedule" | "Logins"));
        let arg = if is_serve && is_of_scans { arg.hide_short_help(true) } else { arg };
        match keys::find(arg.get_id().as_str()) {
            Some(key) => name_key(arg, key),
            None => arg,
        }
    })
}

fn name_key(arg: Arg, key: &dyn Setting) -> Arg {
    let default = key.defaults().join(",");
    let short = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let long = arg.get_long_help().map_or_else(|| short.clone(), ToString::to_string);
    let takes_value = arg.get_action().takes_values();
    let said = if default.is_empty() { String::new() } else { format!(", default: {default}") };
    let arg = arg.long_help(format!("{long}\n\n[key: {}, variable: {}{said}]", key.name(), key.variable()));
    // The long help names every default, the short one those that say something and are short themselves.
    match default.as_str() {
        "" | "none" => arg,
        default if !takes_value || default.len() > 12 => arg,
        default => arg.help(format!("{short} [default: {default}]")),
    }
}

/// `-vv`; more of them mean the same.
const MOST_VERBOSE: u8 = 2;

/// Reads a command line.
///
/// # Errors
/// A clap error, which `--help` and `--version` are too; see `exit::of_clap`.
pub fn parse(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(arguments).map_err(without_passwords)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(without_passwords)?;
    cli.typed = typed(&command, &matches);
    Ok(cli)
}

/// The keys that were set, by the command's own arguments and the subcommand's.
fn typed(command: &clap::Command, matches: &ArgMatches) -> Vec<Typed> {
    let given = |arg: &&Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let of_key = |arg: &Arg| {
        let id = arg.get_id().as_str();
        let values = match arg.get_action() {
            ArgAction::Count => vec![matches.get_count(id).min(MOST_VERBOSE).to_string()],
            ArgAction::SetTrue => vec![(!arg.get_long().is_some_and(|long| long.starts_with("no-"))).to_string()],
            _ => matches.get_raw(id)?.map(|value| value.to_string_lossy().into_owned()).collect(),
        };
        Some(Typed { key: keys::find(id)?.name(), flag: flag(arg), values })
    };
    let mut all: Vec<Typed> = command.get_arguments().filter(given).filter_map(of_key).collect();
    if let Some((name, matches)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        all.extend(typed(command, matches));
    }
    all
}

/// What an argument is called in a message.
fn flag(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.get_value_names().unwrap_or_default().join(" "),
    }
}

/// The same error; a URL in it, put where none belongs, has lost its password.
fn without_passwords(mut error: clap::Error) -> clap::Error {
    let redacted: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) if text.contains("://") => Some((kind, crate::text::redact_url(text))),
            _ => None,
        })
        .collect();
    for (kind, text) in redacted {
        error.insert(kind, ContextValue::String(text));
    }
    error
}
