//! `camscan apply`: the cameras of a report, added to the configuration of a video system that is there already.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::export::{read_report, the_login_for};
use crate::cli::args::ApplyArgs;
use crate::cli::config::settings::Settings;
use crate::cli::exit::{Exit, JobFailed};
use crate::cli::ui::Ui;
use crate::export::configuration::login::{Syntax, Variables};
use crate::export::configuration::merge::{self, Insertion, Merged};
use crate::export::configuration::section::Existing;
use crate::export::configuration::{Additions, Extend};
use crate::export::format::Format;
use crate::export::{FORMATS, Logins};
use crate::model::Device;
use crate::model::problem::{Problem, io_reason};
use crate::text::counted;
use crate::tool::file::OutputFile;

/// The largest configuration that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// Lines of the file shown around what is added.
const CONTEXT: usize = 3;

/// Shows what would be added to the file, and adds it where `--write` is given.
///
/// # Errors
/// When the report or the file cannot be read, or the file is none that entries can be added to; it is as it was then.
pub fn run(args: &ApplyArgs, settings: &Settings, ui: &Ui) -> anyhow::Result<Exit> {
    let report = read_report(&args.report, ui)?;
    let old = read(&args.file)?;
    let (format, extend) = system(args, &old)?;
    let at_file = |problem: merge::MergeError| {
        Problem::new(problem.to_string()).at(format!("{} is left as it is", args.file.display()))
    };
    let document = merge::read(&old).map_err(at_file)?;
    let existing = Existing::of(&document, extend.sections);
    let login_of = |device: &Device| the_login_for(device, &settings.plan.probe.credentials);
    let logins = Logins { of: &login_of, shown: settings.output.show_secrets };
    let additions = extend.of(&report, &logins, &existing);
    let Additions { sections, added, known, variables } = &additions;
    if added.is_empty() {
        ui.note(format!("nothing to add to {}: {known} of the report's cameras are in it", args.file.display()));
        return Ok(Exit::Success);
    }
    let merged = merge::merge(&old, sections).map_err(at_file)?;
    show(&args.file, &old, &merged)?;
    let summary = format!("{} ({known} are there already)", count(added.len(), format));
    if !args.write {
        ui.note(format!("would add {summary}; nothing was written: --write does it"));
        return Ok(Exit::Success);
    }
    write(args, &old, &merged, variables, ui)?;
    for camera in added {
        ui.note(format!("added {camera}"));
    }
    Ok(Exit::Success)
}

fn count(cameras: usize, format: Format) -> String {
    format!("{} to the configuration of {format}", counted(cameras, "camera", "cameras"))
}

fn read(path: &Path) -> Result<String, Problem> {
    Ok(crate::tool::read::text(path, MAX_FILE)?)
}

/// The system whose configuration it is: the one that is named, else by the key that only its files have.
fn system(args: &ApplyArgs, old: &str) -> Result<(Format, Extend), Problem> {
    let all = || FORMATS.iter().filter_map(|format| Some((format, format.configuration()?.extend?)));
    let names = all().map(|(format, _)| format.name).collect::<Vec<_>>().join(", ");
    if let Some(name) = &args.system {
        return all().find(|(format, _)| format.name == name).ok_or_else(|| {
            Problem::new(format!("cameras cannot be added to a configuration of `{name}`"))
                .hint(format!("there are {names}"))
        });
    }
    let document = merge::read(old).unwrap_or_default();
    let mut marked = all().filter(|(_, extend)| document.get(extend.mark).is_some());
    match (marked.next(), marked.next()) {
        (Some(system), None) => Ok(system),
        _ => Err(Problem::new(format!("{} does not show which system it is for", args.file.display()))
            .hint(format!("name it: --for with one of {names}"))),
    }
}

/// What changes, as `diff -u` shows it.
fn show(path: &Path, old: &str, merged: &Merged) -> anyhow::Result<()> {
    let mut text = format!("--- {0}\n+++ {0}\n", path.display());
    let lines: Vec<&str> = old.lines().collect();
    let mut shift = 0;
    for insertion in &merged.insertions {
        text.push_str(&hunk(&lines, insertion, shift));
        shift += insertion.lines.len();
    }
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn hunk(old: &[&str], insertion: &Insertion, shift: usize) -> String {
    let from = insertion.before.saturating_sub(CONTEXT);
    let to = (insertion.before + CONTEXT).min(old.len());
    let added = insertion.lines.len();
    let mut text = format!("@@ -{},{} +{},{} @@\n", from + 1, to - from, from + 1 + shift, to - from + added);
    for (at, line) in old.iter().enumerate().take(insertion.before).skip(from) {
        if insertion.opens && at + 1 == insertion.before {
            text.push_str(&format!("-{line}\n+{}\n", line.replacen(" {}", "", 1)));
        } else {
            text.push_str(&format!(" {line}\n"));
        }
    }
    insertion.lines.iter().for_each(|line| text.push_str(&format!("+{line}\n")));
    old.iter().take(to).skip(insertion.before).for_each(|line| text.push_str(&format!(" {line}\n")));
    text
}

/// Keeps the old file under another name, then replaces it.
fn write(args: &ApplyArgs, old: &str, merged: &Merged, variables: &Variables, ui: &Ui) -> anyhow::Result<()> {
    let output = OutputFile::check(&args.file).map_err(Problem::from)?;
    let backup = backup(&args.file)?;
    // Somebody may have changed it while we read the report; what they wrote is not ours to replace.
    if read(&args.file)? != old {
        return Err(JobFailed(
            Problem::new(format!("{} was changed meanwhile, so it is left as it is", args.file.display()))
                .hint("run it again"),
        )
        .into());
    }
    output.commit(merged.text.as_bytes()).map_err(|error| JobFailed(error.into()))?;
    ui.note(format!("wrote {}; the file as it was is {}", args.file.display(), backup.display()));
    if let Some(path) = &args.env_file {
        let old = if path.exists() { read(path)? } else { String::new() };
        let file = OutputFile::check(path).map_err(Problem::from)?.private();
        file.commit(variables.added_to(&old, Syntax::of(path)).as_bytes()).map_err(|error| JobFailed(error.into()))?;
        ui.note(format!("wrote {}", path.display()));
    } else if !variables.is_empty() {
        let names: Vec<&str> = variables.iter().map(|variable| variable.name.as_str()).collect();
        ui.note(format!("set these variables for it (--env-file writes them): {}", names.join(", ")));
    }
    Ok(())
}

/// Copies a file beside itself, with its mode, under a name that is not taken.
fn backup(path: &Path) -> Result<PathBuf, Problem> {
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{time}.bak"));
    let backup = PathBuf::from(name);
    let refused = |error: std::io::Error| {
        Problem::new(format!("{} cannot be written: {}", backup.display(), io_reason(&error)))
            .hint("without a copy of the old file nothing is changed")
    };
    if backup.exists() {
        return Err(refused(std::io::ErrorKind::AlreadyExists.into()));
    }
    fs::copy(path, &backup).map_err(refused)?;
    Ok(backup)
}
