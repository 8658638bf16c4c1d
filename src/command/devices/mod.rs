//! `camscan devices`: what is remembered of devices, and what users say about them.

mod change;
mod show;

use std::io::Write;

use jiff::Timestamp;

use super::output::Outputs;
use super::remembered::{open_to_read, shown};
use crate::cli::args::{DevicesArgs, DevicesCommand};
use crate::cli::config::settings::{OutputFormat, Settings};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::export::table::{self, paint};
use crate::history::memory::{Known, report_of};
use crate::text::{clean, counted};

/// Lists the devices, or does what is asked with one of them.
///
/// # Errors
/// When the store cannot be read or written, or there is no such device.
pub fn run(args: &DevicesArgs, settings: &Settings, ui: &Ui, out: &mut dyn Write) -> anyhow::Result<Exit> {
    match &args.action {
        None => list(args, settings, ui, out)?,
        Some(DevicesCommand::Show { id, format }) => show::run(id, *format, settings, out)?,
        Some(action) => change::run(action, settings, out)?,
    }
    Ok(Exit::Success)
}

fn list(args: &DevicesArgs, settings: &Settings, ui: &Ui, out: &mut dyn Write) -> anyhow::Result<()> {
    let is_table = settings.output.stdout == Some(OutputFormat::Builtin(&table::FORMAT));
    let mut output = settings.output.clone();
    if is_table {
        output.stdout = None;
    }
    let outputs = Outputs::check(&output)?;
    let memory = open_to_read(settings)?.memory().map_err(super::remembered::failed)?;
    let is_wanted = |known: &&Known| {
        (args.archived || known.archived_at.is_none())
            && args.tags.iter().all(|tag| known.note.tags.contains(tag))
            && args.site.as_ref().is_none_or(|site| known.note.site.as_ref() == Some(site))
    };
    let mut all: Vec<&Known> = memory.roots().filter(is_wanted).collect();
    all.sort_by_key(|known| (known.device.ip, known.uid.clone()));
    outputs.write(&report_of(all.iter().copied()), false, &|_| None, ui)?;
    if is_table {
        write!(out, "{}", text(&all, Timestamp::now()))?;
    }
    Ok(())
}

const HEADINGS: [&str; 7] = ["STATE", "ID", "NAME", "ADDRESS", "MAKER", "MODEL", "LAST SEEN"];

/// The list for people. Every column is as wide as it needs: the ids are to be copied whole.
fn text(all: &[&Known], now: Timestamp) -> String {
    if all.is_empty() {
        return "no devices\n".to_owned();
    }
    let row = |known: &&Known| -> [String; 7] {
        let text = |text: &Option<String>| text.as_deref().map(clean).unwrap_or_default();
        let state = match known.archived_at {
            Some(_) => "archived".to_owned(),
            None if known.replaced_by.is_some() => "replaced".to_owned(),
            None => known.health.state.to_string(),
        };
        [
            state,
            known.uid.to_string(),
            text(&known.note.name.clone().or_else(|| known.device.name.clone())),
            known.device.ip.to_string(),
            text(&known.device.vendor),
            text(&known.device.model),
            format!("{} ({})", shown(known.seen.last), ago(known.seen.last, now)),
        ]
    };
    let rows: Vec<[String; 7]> = std::iter::once(HEADINGS.map(str::to_owned)).chain(all.iter().map(row)).collect();
    let mut lines = columns(&rows);
    lines.push_str(&format!("\n{}\n", counted(all.len(), "device", "devices")));
    lines
}

/// Rows with their columns one below the other.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| paint::width(cell)).max();
    let widths: Vec<usize> = (0..N).map(|column| widest(column).unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths);
        let cells =
            cells.map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(paint::width(cell)))));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// How long ago, in the largest unit: `3 min ago`.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_until(now).as_secs();
    match seconds {
        ..60 => "now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}
