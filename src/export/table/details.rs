//! What stands under a device's lines: URLs where there is no room for a column, and with `-v` the reasons.

use super::TableOptions;
use super::columns::{Column, GAP, Layout};
use super::paint::{Paint, width, wrap};
use crate::export::row::Row;
use crate::export::site;
use crate::export::words::{self, Addresses, Tone};
use crate::model::{Answer, Channel, Device, Header, LadderStep, Service, Stream};
use crate::text;

/// Blanks before a detail.
const INDENT: usize = 4;
/// The width of a detail's label.
const LABEL: usize = 10;
/// The room a cell that wraps in place must have.
const LEAST: usize = 20;

/// The URL of a row's stream on lines of its own, below the device's name where it fits there.
pub fn url(row: Row<'_>, layout: &Layout, options: &TableOptions) -> Vec<String> {
    let Some(stream) = row.stream else { return Vec::new() };
    let url = text::strip_userinfo(&text::clean(&stream.url));
    let address = layout.columns.iter().find(|(c, _)| *c == Column::Address).map_or(0, |(_, w)| w + GAP);
    let indent = if address + width(&url) <= options.columns() { address } else { INDENT };
    let paint = options.paint();
    wrap(&url, options.columns() - indent).iter().map(|l| format!("{:indent$}{}", "", paint.dim(l))).collect()
}

/// How a stream's proof went, and what is odd about it.
pub fn of_stream(row: Row<'_>, options: &TableOptions) -> Vec<String> {
    let Some(stream) = row.stream else { return Vec::new() };
    let mut details = Details::new(options);
    details.add("video", Tone::Plain, &stream.video.as_ref().map(words::video_in_full).unwrap_or_default());
    details.add("audio", Tone::Plain, &stream.audio.as_ref().map(words::audio_in_full).unwrap_or_default());
    details.add("proof", Tone::Quiet, &ladder(stream));
    if let Some(error) = &stream.error {
        details.add("error", Tone::Bad, &format!("{}: {}", error.kind, error.message));
    }
    for warning in &stream.warnings {
        details.add("warning", Tone::Attention, warning);
    }
    if let Some(snapshot) = &stream.snapshot {
        details.add("snapshot", Tone::Plain, snapshot);
    }
    details.answers(&stream.answers);
    for line in stream.sdp.iter().flat_map(|sdp| sdp.lines()) {
        details.add("SDP", Tone::Plain, line);
    }
    details.lines
}

fn ladder(stream: &Stream) -> String {
    let step = |s: &LadderStep| {
        let way = s.way.map(|way| format!(" ({})", way.in_words())).unwrap_or_default();
        format!("{}{}{way} {:.1} ms", if s.ok { "" } else { "✗ " }, s.step, s.ms)
    };
    stream.ladder.iter().map(step).collect::<Vec<_>>().join(" → ")
}

/// What stands under a device's last line: which recorder shows it or which cameras it shows, with `-v` what is known of
/// it, with `--explain` what decided.
pub fn under_device(device: &Device, addresses: &Addresses<'_>, options: &TableOptions) -> Vec<String> {
    let mut details = Details::new(options);
    for line in [words::also(device), addresses.cameras(device)].into_iter().flatten() {
        details.sentence(&line);
    }
    if options.verbosity > 0 {
        of_device(device, addresses, &mut details);
    }
    for line in options.explain.map(|explain| explain(device)).unwrap_or_default() {
        details.add("reason", Tone::Plain, &line);
    }
    if options.has_details() {
        details.lines.push(String::new());
    }
    details.lines
}

/// What is known of a device, and by whose word.
fn of_device(device: &Device, addresses: &Addresses<'_>, details: &mut Details) {
    details.add("about", Tone::Plain, &about(device));
    details.table("channels", &device.channels.iter().map(|c| channel(c, addresses)).collect::<Vec<_>>());
    for warning in &device.warnings {
        details.add("warning", Tone::Attention, &format!("{}: {}", warning.kind, warning.message));
        details.add("hint", Tone::Fair, warning.hint.as_deref().unwrap_or_default());
    }
    details.table("services", &device.services.iter().map(service).collect::<Vec<_>>());
    for service in &device.services {
        details.answers(&service.answers);
    }
    let evidence = device.evidence.iter().map(|e| {
        let source = format!("{} {:.2}", e.source, e.weight);
        vec![e.fact.as_str().to_owned(), e.value.clone(), source, e.detail.clone().unwrap_or_default()]
    });
    details.table("evidence", &evidence.collect::<Vec<_>>());
    if let Some(logins) = device.login_attempts {
        details.add("logins", Tone::Plain, &logins.to_string());
    }
    for error in &device.errors {
        details.add("error", Tone::Bad, &format!("{}: {}: {}", error.stage, error.kind, error.message));
    }
}

fn about(device: &Device) -> String {
    let others: Vec<String> = device.addresses.iter().filter(|a| **a != device.ip).map(|a| a.to_string()).collect();
    [
        ("firmware", device.firmware.clone()),
        ("serial", device.serial.clone()),
        ("MAC", device.mac.map(|m| m.to_string())),
        ("host name", device.hostname.clone()),
        ("also at", Some(others.join(", ")).filter(|o| !o.is_empty())),
        ("", device.activation.map(|activation| site::activation(activation).to_owned())),
        ("network", device.network.as_ref().map(site::network)),
        ("heard on", device.heard_on.clone()),
        ("found by", Some(words::methods(&device.discovered_by)).filter(|d| !d.is_empty())),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|v| format!("{name} {v}").trim().to_owned()))
    .collect::<Vec<_>>()
    .join(" · ")
}

/// Number, name, what the recorder lists of the camera, and which device that is.
fn channel(channel: &Channel, addresses: &Addresses<'_>) -> Vec<String> {
    let name = channel.name.clone().unwrap_or_default();
    vec![channel.number.to_string(), name, words::listed_camera(channel), addresses.camera(channel).unwrap_or_default()]
}

fn service(service: &Service) -> Vec<String> {
    let auth = match service.auth.as_deref() {
        None => String::new(),
        Some([]) => "open".to_owned(),
        Some(schemes) => schemes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", "),
    };
    let said = [&service.title, &service.server, &service.realm, &service.certificate];
    let said = said.into_iter().flatten().chain(&service.notes).cloned().collect::<Vec<_>>().join(" · ");
    let port = format!("{}/{}", service.port, service.transport.as_str());
    vec![port, service.protocol.to_string(), auth, said]
}

/// Lines of detail under a label that stands only before the first of its kind.
struct Details {
    lines: Vec<String>,
    label: &'static str,
    columns: usize,
    paint: Paint,
}

impl Details {
    fn new(options: &TableOptions) -> Self {
        Details { lines: Vec::new(), label: "", columns: options.columns(), paint: options.paint() }
    }

    fn add(&mut self, label: &'static str, tone: Tone, text: &str) {
        let text = text::clean_to(text, 4096);
        if !text.is_empty() {
            let lines = wrap(&text, self.columns - INDENT - LABEL);
            self.push(label, lines.iter().map(|line| self.paint.tone(tone, line)).collect());
        }
    }

    /// A line without a label.
    fn sentence(&mut self, text: &str) {
        let lines = wrap(&text::clean_to(text, 4096), self.columns - INDENT);
        self.lines.extend(lines.iter().map(|line| format!("{:INDENT$}{}", "", self.paint.dim(line))));
    }

    /// What was asked, and every header of the answer below it.
    fn answers(&mut self, answers: &[Answer]) {
        for answer in answers {
            // Each says that it is one.
            self.label = "";
            self.add("answer", Tone::Quiet, &format!("{} → {}", answer.request, answer.status));
            let value = |header: &Header| match header.withheld {
                true => "(withheld)".to_owned(),
                false => header.value.clone().unwrap_or_default(),
            };
            let rows: Vec<_> = answer.headers.iter().map(|h| vec![h.name.clone(), value(h)]).collect();
            self.table("answer", &rows);
        }
    }

    /// Rows whose cells stand below each other; the last cell wraps in place.
    fn table(&mut self, label: &'static str, rows: &[Vec<String>]) {
        let cleaned = |cell: &String| text::clean_to(cell, 4096);
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cleaned).collect()).collect();
        let cells = rows.iter().map(Vec::len).max().unwrap_or(0);
        let column = |i: usize| rows.iter().filter_map(|row| row.get(i)).map(|c| width(c)).max().unwrap_or(0);
        let widths: Vec<usize> = (0..cells).map(column).collect();
        let room = self.columns - INDENT - LABEL;
        for row in &rows {
            let Some((last, before)) = row.split_last() else { continue };
            let mut line = String::new();
            for (cell, column) in before.iter().zip(&widths).filter(|(_, w)| **w > 0) {
                line.push_str(cell);
                line.push_str(&" ".repeat(column.saturating_sub(width(cell)) + GAP));
            }
            let hang = width(&line);
            let lines = if hang + LEAST <= room {
                let mut lines = wrap(last, room - hang).into_iter();
                line.push_str(&lines.next().unwrap_or_default());
                std::iter::once(line).chain(lines.map(|l| format!("{:hang$}{l}", ""))).collect()
            } else {
                wrap(&text::clean_to(&format!("{line}{last}"), 4096), room)
            };
            self.push(label, lines);
        }
    }

    fn push(&mut self, label: &'static str, lines: Vec<String>) {
        for line in lines {
            let shown = if label == self.label { "" } else { label };
            self.label = label;
            let before = self.paint.dim(&format!("{shown:LABEL$}"));
            self.lines.push(format!("{:INDENT$}{before}{}", "", line.trim_end()));
        }
    }
}
