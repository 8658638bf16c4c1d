//! `camscan diff`: what changed from one report to another.

use std::io::Write;

use super::export::read_report;
use crate::cli::args::{DiffArgs, DiffFormat};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::history::diff::{self, Change, DeviceSummary, Diff};
use crate::model::StreamStatus;
use crate::model::names::{Named, names};
use crate::model::problem::Problem;
use crate::text::clean;

names! {
    /// A condition of `camscan diff --fail-on`.
    pub enum Condition {
        /// A device is in the later report alone.
        New = "new",
        /// A device is in the earlier report alone.
        Gone = "gone",
        /// A device is reached at another address.
        Moved = "moved",
        /// Anything about a device of both reports changed.
        Changed = "changed",
        /// A stream that delivered frames does so no longer.
        Broken = "broken",
        /// A service or stream demands a login no longer.
        Open = "open",
    }
}

/// Compares the reports and prints what changed.
///
/// # Errors
/// When a report cannot be read, or a condition is none.
pub fn run(args: &DiffArgs, ui: &Ui, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let conditions = conditions(&args.diff_fail_on)?;
    let (before, after) = (read_report(&args.before)?, read_report(&args.after)?);
    let diff = diff::compare(&before, &after);
    match args.format {
        DiffFormat::Text => write!(out, "{}", text(&diff))?,
        DiffFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&diff)?)?,
    }
    let met: Vec<&str> =
        conditions.into_iter().filter(|condition| holds(*condition, &diff)).map(Condition::as_str).collect();
    for condition in &met {
        ui.warning(format!("--fail-on: {condition}"));
    }
    Ok(if met.is_empty() { Exit::Success } else { Exit::Condition })
}

fn conditions(names: &[String]) -> Result<Vec<Condition>, Problem> {
    let read = |name: &String| {
        Condition::from_name(name).ok_or_else(|| {
            let known: Vec<&str> = Condition::TABLE.iter().map(|(name, _)| *name).collect();
            Problem::new(format!("`{}` is no condition", clean(name))).at("--fail-on").hint(known.join(", "))
        })
    };
    names.iter().map(read).collect()
}

fn holds(condition: Condition, diff: &Diff) -> bool {
    let any = |test: fn(&Change) -> bool| diff.changed.iter().flat_map(|device| &device.changes).any(test);
    match condition {
        Condition::New => !diff.added.is_empty(),
        Condition::Gone => !diff.gone.is_empty(),
        Condition::Moved => diff.moved().next().is_some(),
        Condition::Changed => !diff.changed.is_empty(),
        Condition::Broken => any(|change| match change {
            Change::StreamStatus { before, after, .. } => {
                *before == StreamStatus::Streaming && *after != StreamStatus::Streaming
            }
            Change::StreamGone { status, .. } => *status == StreamStatus::Streaming,
            _ => false,
        }),
        Condition::Open => {
            any(|change| matches!(change, Change::ServiceOpenWithoutLogin(_) | Change::StreamOpenWithoutLogin { .. }))
        }
    }
}

/// The changes as lines: `+` new, `-` gone, `~` changed, and below that each change.
fn text(diff: &Diff) -> String {
    if diff.is_empty() {
        return "nothing changed\n".to_owned();
    }
    let mut lines: Vec<String> = diff.added.iter().map(|device| format!("+ {} is new", name(device))).collect();
    lines.extend(diff.gone.iter().map(|device| format!("- {} is gone", name(device))));
    for device in &diff.changed {
        lines.push(format!("~ {}", name(&device.after)));
        lines.extend(device.changes.iter().map(|change| format!("    {change}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Address, maker and model.
fn name(device: &DeviceSummary) -> String {
    let made = [&device.vendor, &device.model].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
    let what = if made.is_empty() { device.kind.as_str() } else { made.as_str() };
    format!("{}  {what}", device.ip)
}
