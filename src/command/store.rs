//! `camscan store`: the care of the file that devices are remembered in.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::export::read_report;
use super::remembered::{failed, open, open_or_create, open_to_read, place, shown};
use crate::cli::args::{StoreArgs, StoreCommand};
use crate::cli::config::settings::Settings;
use crate::cli::exit::{Exit, JobFailed};
use crate::cli::ui::Ui;
use crate::history::memory::Vantage;
use crate::model::Report;
use crate::model::problem::Problem;
use crate::store::{Cause, Store, without_notes};
use crate::text::counted;

/// Does what is asked with the store.
///
/// # Errors
/// When it cannot be read or written, or is damaged.
pub fn run(args: &StoreArgs, settings: &Settings, ui: &Ui, out: &mut dyn Write) -> anyhow::Result<Exit> {
    match &args.action {
        StoreCommand::Backup { to } => {
            open_to_read(settings)?.backup(to).map_err(failed)?;
            writeln!(out, "wrote {}", to.display())?;
        }
        StoreCommand::Check => check(settings, out)?,
        StoreCommand::Prune(_) => {
            let pruned = open(settings)?.prune(&settings.keep, Timestamp::now()).map_err(failed)?;
            writeln!(
                out,
                "removed {} events and states, {} scans, {} hours and days of checks, {} messages",
                pruned.events, pruned.scans, pruned.rollups, pruned.outbox
            )?;
        }
        StoreCommand::Salvage { to } => salvage(&place(settings)?, to, ui, out)?,
        StoreCommand::Import { reports } => import(reports, settings, ui, out)?,
    }
    Ok(Exit::Success)
}

fn check(settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = open_to_read(settings)?;
    let found = store.check().map_err(failed)?;
    let [devices, scans, events] = found.counts;
    let file = store.file().display();
    let devices = counted(devices, "device", "devices");
    let (scans, events) = (counted(scans, "scan", "scans"), counted(events, "event", "events"));
    writeln!(out, "{file}: {devices}, {scans}, {events}")?;
    writeln!(
        out,
        "{}, of which {} are free; log {}",
        size(found.bytes),
        size(found.free_bytes),
        size(found.log_bytes)
    )?;
    if found.faults.is_empty() {
        writeln!(out, "no damage found")?;
        return Ok(());
    }
    for fault in &found.faults {
        writeln!(out, "damaged: {}", crate::text::clean(fault))?;
    }
    let problem = Problem::new(format!("the store {file} is damaged"))
        .hint(format!("copy what can be read into a new one: camscan store salvage NEW.sqlite --store '{file}'"));
    Err(JobFailed(problem).into())
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        ..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn salvage(damaged: &Path, to: &Path, ui: &Ui, out: &mut dyn Write) -> anyhow::Result<()> {
    let salvaged = Store::salvage(damaged, to).map_err(failed)?;
    for (table, rows) in &salvaged.copied {
        writeln!(out, "{table}: {rows}")?;
    }
    if !salvaged.torn.is_empty() {
        ui.warning(format!("not all could be read of {}", salvaged.torn.join(", ")));
    }
    if !salvaged.left_out.is_empty() {
        let all = salvaged.left_out.iter().map(|(table, rows)| format!("{table}: {rows}"));
        let all = all.collect::<Vec<_>>().join(", ");
        ui.warning(format!("left out, since what they belong to could not be read: {all}"));
    }
    writeln!(out, "wrote {}", to.display())?;
    Ok(())
}

/// Remembers the scans of reports, in the order of their times.
fn import(files: &[PathBuf], settings: &Settings, ui: &Ui, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut reports: Vec<(&Path, Report)> = Vec::new();
    for file in files {
        let mut report = without_notes(read_report(file, ui)?);
        // What a file says of the link is no proof of whose a device is.
        report.devices.iter_mut().for_each(|device| device.link_mac = None);
        reports.push((file, report));
    }
    reports.sort_by_key(|(_, report)| report.scan.finished_at);
    let store = open_or_create(&place(settings)?, settings.usual_store.as_deref())?;
    let mut last = store.scans(1).map_err(failed)?.first().map(|scan| scan.ended_at);
    let mut imported = 0;
    for (file, report) in reports {
        let at = report.scan.finished_at;
        // What is known now would be changed back to what was.
        if let Some(last) = last.filter(|last| at.as_millisecond() <= last.as_millisecond()) {
            let hint = "hint: import older reports first, into a new store: --store NEW.sqlite";
            ui.warning(format!(
                "{} was left out: the store already holds a scan of {}, and this one is of {}\n{hint}",
                file.display(),
                shown(last),
                shown(at)
            ));
            continue;
        }
        let learnt = store.learn(&report, Cause::Import, Vantage::CLEAR, &()).map_err(failed)?;
        writeln!(
            out,
            "{}: scan of {}, {} devices, {} events",
            file.display(),
            shown(at),
            report.devices.len(),
            learnt.events.len()
        )?;
        last = Some(at);
        imported += 1;
    }
    writeln!(out, "imported {imported} of {} reports", files.len())?;
    Ok(())
}
