//! `camscan diff`: what changed from one report, or scan that is remembered, to another.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::export::read_report;
use super::remembered::{failed, open_to_read};
use crate::cli::args::{DiffArgs, DiffFormat};
use crate::cli::config::settings::Settings;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::history::diff::{self, DeviceSummary, Diff, judge};
use crate::model::memory::Uid;
use crate::model::names::{Named, names};
use crate::model::problem::Problem;
use crate::model::{Device, Report};
use crate::store::{ScanName, Store, without_notes};
use crate::text::clean;

names! {
    /// A condition of `camscan diff --fail-on`.
    pub enum Condition {
        /// A device is in the later report alone.
        New = "new",
        /// A device is in the earlier report alone.
        Gone = "gone",
        /// The same.
        Offline = "offline",
        /// A device is reached at another address.
        Moved = "moved",
        /// Another device is at the address of one that is gone.
        Replaced = "replaced",
        /// Anything about a device of both reports changed.
        Changed = "changed",
        /// A stream that delivered frames does so no longer.
        Broken = "broken",
        /// A stream that delivered no frames does.
        Repaired = "repaired",
        /// A service or stream demands a login no longer.
        Open = "open",
        /// A service or stream that demanded none demands a login.
        Protected = "protected",
    }
}

/// Compares the reports and prints what changed.
///
/// # Errors
/// When a report cannot be read, there is no such scan, or a condition is none.
pub fn run(args: &DiffArgs, settings: &Settings, ui: &Ui, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let conditions = conditions(&args.diff_fail_on)?;
    let mut sides = Sides { settings, ui, store: None };
    let before = sides.read(&args.before)?;
    let after = sides.read(args.after.as_deref().unwrap_or(Path::new("last")))?;
    let mut diff = compare(before, after)?;
    if let Some(store) = &sides.store {
        let memory = store.memory().map_err(failed)?;
        diff.rename(|device| memory.devices.get(device.uid.as_ref()?)?.name().map(str::to_owned));
    }
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

/// One side of a comparison.
enum Side {
    /// All that a scan found which the store remembers.
    Scan(Box<Report>),
    /// A report of a file: its ids are those of the store that it was made with, which may be another one.
    Report(Box<Report>),
    /// One device as it is known now, with the ids it has had.
    Device(Box<Device>, Vec<Uid>),
}

fn compare(before: Side, after: Side) -> Result<Diff, Problem> {
    let in_scan = |report: Report, uids: &[Uid]| {
        let is_it = |device: &Device| device.uid.as_ref().is_some_and(|uid| uids.contains(uid));
        let missing =
            || Problem::new("the scan did not find the device").hint("`camscan history` shows when it was seen");
        report.devices.into_iter().find(|device| is_it(device)).ok_or_else(missing)
    };
    Ok(match (before, after) {
        (Side::Scan(before), Side::Scan(after)) => diff::compare(&before, &after),
        (Side::Scan(before) | Side::Report(before), Side::Scan(after) | Side::Report(after)) => {
            reports(*before, *after)
        }
        (Side::Scan(before) | Side::Report(before), Side::Device(after, uids)) => {
            diff::compare_devices(&in_scan(*before, &uids)?, &after)
        }
        (Side::Device(before, uids), Side::Scan(after) | Side::Report(after)) => {
            diff::compare_devices(&before, &in_scan(*after, &uids)?)
        }
        (Side::Device(before, _), Side::Device(after, _)) => diff::compare_devices(&before, &after),
    })
}

/// Compares reports of which one at least comes from a file: names and ids of a store change nothing, and the names are shown.
fn reports(before: Report, after: Report) -> Diff {
    let names: HashMap<String, String> = [&before, &after]
        .into_iter()
        .flat_map(|report| &report.devices)
        .filter_map(|device| Some((device.id.clone(), device.name.clone()?)))
        .collect();
    let mut diff = diff::compare(&without_notes(before), &without_notes(after));
    diff.rename(|device| names.get(&device.id).cloned());
    diff
}

/// Where the two sides come from. The store is opened only when one of them is in it.
struct Sides<'s> {
    settings: &'s Settings,
    ui: &'s Ui,
    store: Option<Store>,
}

impl Sides<'_> {
    /// The report of a file, a scan that is remembered, or a device. A file of that name comes first.
    fn read(&mut self, named: &Path) -> anyhow::Result<Side> {
        let text = named.to_string_lossy();
        let is_report =
            named.exists() || text == "-" || named.extension().is_some_and(|e| READ.iter().any(|r| e == *r));
        if is_report {
            return Ok(Side::Report(Box::new(read_report(named, self.ui)?)));
        }
        let store = match self.store.take() {
            Some(store) => store,
            None => open_to_read(self.settings)?,
        };
        let side = side(&store, &text)?;
        self.store = Some(store);
        Ok(side)
    }
}

/// Extensions of report files: one that is missing is no device.
const READ: [&str; 5] = ["json", "jsonl", "ndjson", "yaml", "yml"];

fn side(store: &Store, text: &str) -> anyhow::Result<Side> {
    let now = Timestamp::now().to_zoned(TimeZone::system());
    if let Some(name) = ScanName::read(text, &now)
        && let Some(mut report) = name.report(store).map_err(failed)?
    {
        store.memory().map_err(failed)?.follow(&mut report);
        return Ok(Side::Scan(Box::new(report)));
    }
    let memory = store.memory().map_err(failed)?;
    let Some(known) = memory.find(text) else {
        return Err(Problem::new(format!("neither a scan nor a device is remembered as `{}`", clean(text)))
            .hint("name a scan by its number, last, previous, yesterday or a date such as 2026-03-01")
            .hint("name a device by its id, address, MAC address or name, or a report by its file")
            .into());
    };
    let device = Device { uid: Some(known.uid.clone()), ..known.device.clone() };
    Ok(Side::Device(Box::new(device), memory.ids_of(&known.uid)))
}

fn conditions(names: &[String]) -> Result<Vec<Condition>, Problem> {
    let read = |name: &String| {
        Condition::from_name(name).ok_or_else(|| {
            let known: Vec<&str> = Condition::TABLE.iter().map(|(name, _)| *name).collect();
            Problem::new(format!("`{}` is no condition", clean(name)))
                .at("--fail-on")
                .did_you_mean(name, known.iter().copied())
                .hint(known.join(", "))
        })
    };
    names.iter().map(read).collect()
}

fn holds(condition: Condition, diff: &Diff) -> bool {
    match condition {
        Condition::New => !diff.added.is_empty(),
        Condition::Gone | Condition::Offline => !diff.gone.is_empty(),
        Condition::Moved => diff.moved().next().is_some(),
        Condition::Replaced => judge::replaced(diff).next().is_some(),
        Condition::Changed => !diff.changed.is_empty(),
        Condition::Broken => judge::changed(diff, judge::is_break).next().is_some(),
        Condition::Repaired => judge::changed(diff, judge::is_repair).next().is_some(),
        Condition::Open => judge::changed(diff, judge::is_opening).next().is_some(),
        Condition::Protected => judge::changed(diff, judge::is_protection).next().is_some(),
    }
}

/// The changes as lines: `+` new, `-` gone, `~` changed, and below that each change.
fn text(diff: &Diff) -> String {
    if diff.is_empty() {
        return "nothing changed\n".to_owned();
    }
    let in_place_of = |new: &DeviceSummary| judge::exchanges(diff).find(|(_, other)| *other == new).map(|(old, _)| old);
    let is_replaced = |old: &DeviceSummary| judge::exchanges(diff).any(|(other, _)| other == old);
    let mut lines: Vec<String> = Vec::new();
    for new in &diff.added {
        let place = in_place_of(new).map_or(String::new(), |old| format!(", in the place of {}", called(old)));
        lines.push(format!("+ {} is new{place}", name(new)));
    }
    for old in &diff.gone {
        lines.push(format!("- {} {}", name(old), if is_replaced(old) { "was replaced" } else { "is gone" }));
    }
    for device in &diff.changed {
        lines.push(format!("~ {}", name(&device.after)));
        lines.extend(device.changes.iter().map(|change| format!("    {change}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Address, name, maker and model.
fn name(device: &DeviceSummary) -> String {
    format!("{}  {}", device.ip, called(device))
}

/// Name, maker and model: `Gate (Axis M1065)`.
fn called(device: &DeviceSummary) -> String {
    let made = [&device.vendor, &device.model].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
    let what = if made.is_empty() { device.kind.as_str() } else { made.as_str() };
    match device.name.as_deref().map(clean).filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} ({what})"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::memory::tests::{camera, report, uid};

    fn known(n: u8, device: Device, name: &str) -> Device {
        Device { uid: Some(uid(n)), name: Some(name.to_owned()), ..device }
    }

    #[test]
    fn devices_are_called_as_users_call_them_and_an_exchange_is_one() {
        let before = report(vec![known(1, camera(1, 1), "cam-1"), known(2, camera(2, 2), "cam-2")]);
        // Whatever it says of itself, the store has found that it is another one.
        let other = Device { mac: None, serial: None, endpoint: None, ..camera(1, 1) };
        let moved = Device { firmware: Some("2.0".to_owned()), ..camera(2, 2) };
        let after = report(vec![known(3, other, "cam-3"), known(2, moved, "cam-2")]);
        let mut diff = diff::compare(&before, &after);
        diff.rename(|device| (device.uid == Some(uid(2))).then(|| "Gate".to_owned()));
        assert_eq!(
            text(&diff),
            "+ 192.0.2.1  cam-3 (Axis M1065) is new, in the place of cam-1 (Axis M1065)\n\
             - 192.0.2.1  cam-1 (Axis M1065) was replaced\n\
             ~ 192.0.2.2  Gate (Axis M1065)\n    firmware: not known → 2.0\n"
        );
    }

    #[test]
    fn reports_of_files_are_called_by_the_names_in_them_and_recognised_by_what_devices_state() {
        let before = report(vec![known(1, camera(1, 1), "Gate")]);
        let after = report(vec![known(9, Device { firmware: Some("2.0".to_owned()), ..camera(1, 1) }, "Gate")]);
        assert_eq!(text(&reports(before, after)), "~ 192.0.2.1  Gate (Axis M1065)\n    firmware: not known → 2.0\n");
    }
}
