//! The lines below the table: devices counted by status, and the next thing to do.

use super::TableOptions;
use super::paint::{width, wrap};
use crate::export::site;
use crate::export::words::{self, Standing, Tone};
use crate::model::{Report, ScanStatus};
use crate::text::{self, counted};

/// The summary, the scan's warnings and, where something can be done, a hint.
pub fn lines(report: &Report, options: &TableOptions) -> Vec<String> {
    let paint = options.paint();
    let mut lines = found(report, options);
    lines.extend(wrap(&scanned(report), options.columns()).iter().map(|line| paint.dim(line)));
    if let Some(coverage) = &report.scan.coverage {
        let covered = text::clean_to(&format!("coverage: {}", site::coverage(coverage)), 2048);
        lines.extend(wrap(&covered, options.columns()).iter().map(|line| paint.dim(line)));
    }
    for warning in &report.warnings {
        // The hint that may follow was for whoever started the scan.
        let sentence = warning.lines().next().unwrap_or_default();
        let warning = format!("warning: {}", text::clean_to(sentence, 1024));
        lines.extend(wrap(&warning, options.columns()).iter().map(|line| paint.tone(Tone::Attention, line)));
    }
    for hint in hint(report).into_iter().chain(site::hints(report).iter().map(|hint| text::clean_to(hint, 1024))) {
        lines.extend(wrap(&format!("hint: {hint}"), options.columns()).iter().map(|line| paint.tone(Tone::Fair, line)));
    }
    lines
}

/// `9 devices: 4 streaming, 2 need a login`, in as many lines as it takes.
fn found(report: &Report, options: &TableOptions) -> Vec<String> {
    let paint = options.paint();
    if report.devices.is_empty() {
        return vec![paint.bold("No cameras found")];
    }
    let counted = format!("{}:", counted(report.devices.len(), "device", "devices"));
    let mut lines = Vec::new();
    let (mut line, mut used) = (paint.bold(&counted), width(&counted));
    let parts = words::standings(report);
    for (i, &(standing, n)) in parts.iter().enumerate() {
        let words = format!("{n} {}", standing.of_many(n));
        let comma = if i + 1 < parts.len() { "," } else { "" };
        if used + 1 + width(&words) + comma.len() > options.columns() {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        line.push(' ');
        line.push_str(&paint.tone(standing.words().1, &words));
        line.push_str(comma);
        used += 1 + width(&words) + comma.len();
    }
    lines.push(line);
    lines
}

/// `31 of 254 addresses answered in 12 s`.
fn scanned(report: &Report) -> String {
    let scan = &report.scan;
    let addresses = counted(scan.addresses, "address", "addresses");
    let ended = match scan.status {
        ScanStatus::Complete => "",
        ScanStatus::Interrupted => "; interrupted, so there may be more",
    };
    format!("{} of {addresses} answered in {}{ended}", scan.hosts_up, words::duration(scan.duration_ms))
}

fn hint(report: &Report) -> Option<String> {
    if report.devices.is_empty() {
        return Some(nothing_found(report));
    }
    let needed = words::count(report, Standing::LoginNeeded);
    let refused = words::count(report, Standing::LoginRefused);
    let silent = words::count(report, Standing::NoFrames);
    if needed > 0 {
        let who = counted(needed, "device needs a login", "devices need a login");
        Some(format!("{who}: camscan scan {} --credential USER:PASS", targets(report)))
    } else if refused > 0 {
        let who = counted(refused, "device", "devices");
        Some(format!(
            "{who} refused the given login; check it before you try again, since cameras lock the account after a few failures"
        ))
    } else if silent > 0 && report.devices.len() == silent {
        let first = report.devices.first().map(|d| d.ip.to_string()).unwrap_or_default();
        Some(format!("no stream delivered frames; examine one in depth: camscan probe {first}"))
    } else {
        None
    }
}

fn nothing_found(report: &Report) -> String {
    match (report.scan.status, report.scan.hosts_up) {
        (ScanStatus::Interrupted, _) => "the scan was stopped early; run it again".to_owned(),
        (_, 0) => {
            "nothing answered: check that this machine is on the cameras' network and that no firewall or VPN is \
                   in the way, or name their network: camscan scan 192.168.1.0/24"
                .to_owned()
        }
        (_, up) => format!(
            "no video was found on the {} that answered: --all lists them, --ports checks other ports",
            if up == 1 { "host".to_owned() } else { format!("{up} hosts") }
        ),
    }
}

/// The targets as they can be typed again; `…` when they are many or would mean something else to a shell.
fn targets(report: &Report) -> String {
    let targets = &report.scan.targets;
    let plain = |t: &String| {
        !t.is_empty()
            && t != "-"
            && t.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '/' | '-' | '%' | '_'))
    };
    if targets.len() <= 3 && targets.iter().all(plain) { targets.join(" ") } else { "…".to_owned() }
}
