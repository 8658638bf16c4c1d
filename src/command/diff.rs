//! `camscan diff`: what changed from one report, or scan that is remembered, to another.

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
use crate::store::{ScanName, Store};
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
    let diff = compare(before, after)?;
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
    /// All that a scan found.
    Scan(Box<Report>),
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
        (Side::Scan(before), Side::Scan(after)) => {
            diff::compare(&crate::store::without_notes(*before), &crate::store::without_notes(*after))
        }
        (Side::Scan(before), Side::Device(after, uids)) => diff::compare_devices(&in_scan(*before, &uids)?, &after),
        (Side::Device(before, uids), Side::Scan(after)) => diff::compare_devices(&before, &in_scan(*after, &uids)?),
        (Side::Device(before, _), Side::Device(after, _)) => diff::compare_devices(&before, &after),
    })
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
            return Ok(Side::Scan(Box::new(read_report(named, self.ui)?)));
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
        && let Some(report) = name.report(store).map_err(failed)?
    {
        return Ok(Side::Scan(Box::new(report)));
    }
    let memory = store.memory().map_err(failed)?;
    let Some(known) = memory.find(text) else {
        return Err(Problem::new(format!("neither a scan nor a device is remembered as `{}`", clean(text)))
            .hint("name a scan by its number, last, previous, yesterday or a date such as 2026-03-01")
            .hint("name a device by its id, address, MAC address or name, or a report by its file")
            .into());
    };
    Ok(Side::Device(Box::new(known.device.clone()), memory.ids_of(&known.uid)))
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
