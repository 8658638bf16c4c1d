//! `camscan doctor`: what is wrong with this installation, and what to do about it. Sends nothing to any network.

mod memory;
mod system;

use std::io::Write;

use crate::cli::config::settings::Settings;
use crate::cli::exit::Exit;
use crate::model::names::names;

names! {
    /// How something is.
    pub enum Level {
        /// As it should be.
        Ok = "ok",
        /// It works, with less.
        Note = "note",
        /// It does not work.
        Problem = "problem",
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was looked at: `raw frames`.
    pub about: &'static str,
    /// How it is.
    pub level: Level,
    /// What was found, in one sentence.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Found {
    fn ok(about: &'static str, text: impl Into<String>) -> Self {
        Found { about, level: Level::Ok, text: text.into(), hint: None }
    }

    fn note(about: &'static str, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Found { about, level: Level::Note, text: text.into(), hint: Some(hint.into()) }
    }

    fn problem(about: &'static str, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Found { about, level: Level::Problem, text: text.into(), hint: Some(hint.into()) }
    }
}

/// Looks at everything and prints what was found; exit code 1 where something does not work.
///
/// # Errors
/// When the result cannot be printed.
pub async fn run(settings: &Settings, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let mut all = system::look(settings).await;
    all.extend(memory::look(settings));
    write!(out, "{}", text(&all))?;
    let works = all.iter().all(|found| found.level != Level::Problem);
    Ok(if works { Exit::Success } else { Exit::Failure })
}

/// A line for each, with what to do below it.
fn text(all: &[Found]) -> String {
    let width = all.iter().map(|found| found.about.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for found in all {
        lines.push(format!("{:7}  {:width$}  {}", found.level, found.about, found.text));
        if let Some(hint) = &found.hint {
            lines.push(format!("{:7}  {:width$}  hint: {hint}", "", ""));
        }
    }
    let problems = all.iter().filter(|found| found.level == Level::Problem).count();
    lines.push(match problems {
        0 => "no problems found".to_owned(),
        1 => "1 problem found".to_owned(),
        many => format!("{many} problems found"),
    });
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_below_what_is_wrong() {
        let all =
            [Found::ok("clock", "set by the network"), Found::problem("raw frames", "not permitted", "run as root")];
        let expected = "ok       clock       set by the network\n\
                        problem  raw frames  not permitted\n                     hint: run as root\n1 problem found\n";
        assert_eq!(text(&all), expected);
        assert!(text(&all[..1]).ends_with("no problems found\n"));
    }
}
