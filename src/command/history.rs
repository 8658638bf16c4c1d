//! `camscan history`: what happened.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::devices::columns;
use super::remembered::{failed, find, open_to_read, shown};
use crate::cli::args::{HistoryArgs, HistoryFormat};
use crate::cli::config::settings::Settings;
use crate::cli::exit::Exit;
use crate::model::memory::{Event, EventKind, Uid};
use crate::model::moment::moment;
use crate::model::problem::Problem;
use crate::store::{EventFilter, Span, StoredEvent};
use crate::text::clean;

/// Shows events, and the states of a device if one is named.
///
/// # Errors
/// When the store cannot be read, or there is no such device.
pub fn run(args: &HistoryArgs, settings: &Settings, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let now = Timestamp::now().to_zoned(TimeZone::system());
    let since = moment(&args.since, &now).map_err(|problem| problem.at("--since"))?;
    let until = args.until.as_deref().map(|text| moment(text, &now).map_err(|problem| problem.at("--until")));
    let kinds = kinds(&args.events)?;
    let store = open_to_read(settings)?;
    let memory = store.memory().map_err(failed)?;
    let device = args.id.as_deref().map(|id| find(&memory, id)).transpose()?.map(|known| known.uid.clone());
    let devices = device.as_ref().map(|uid| memory.ids_of(uid)).unwrap_or_default();
    let mut spans: Vec<(Uid, Span)> = Vec::new();
    for uid in &devices {
        let of_device = store.spans(uid, since).map_err(failed)?;
        spans.extend(of_device.into_iter().map(|span| (uid.clone(), span)));
    }
    let filter = EventFilter { since: Some(since), until: until.transpose()?, devices, kinds, ..Default::default() };
    let events = store.events(&filter).map_err(failed)?;
    match args.format {
        HistoryFormat::Text => text(&events, &spans, out)?,
        HistoryFormat::Json => json(&events, &spans, out)?,
        HistoryFormat::Csv => csv(&events, out)?,
    }
    Ok(Exit::Success)
}

/// The kinds of these names; `stream.*` stands for all that begin with it.
fn kinds(names: &[String]) -> Result<Vec<EventKind>, Problem> {
    let mut kinds = Vec::new();
    for name in names {
        let begins = name.strip_suffix('*');
        let of_name: Vec<EventKind> = EventKind::ALL
            .into_iter()
            .filter(|kind| begins.map_or(kind.as_str() == name, |begins| kind.as_str().starts_with(begins)))
            .collect();
        if of_name.is_empty() {
            let all = EventKind::ALL.map(EventKind::as_str);
            return Err(Problem::new(format!("there is no event `{}`", clean(name)))
                .at("--event")
                .did_you_mean(name, all)
                .hint(format!("the events are {}", all.join(", "))));
        }
        kinds.extend(of_name);
    }
    Ok(kinds)
}

fn text(events: &[StoredEvent], spans: &[(Uid, Span)], out: &mut dyn Write) -> anyhow::Result<()> {
    if !spans.is_empty() {
        let mut rows = vec![["FROM", "UNTIL", "STATE", "OF"].map(str::to_owned)];
        rows.extend(spans.iter().map(|(_, span)| {
            [
                shown(span.began),
                span.ended.map_or_else(|| "now".to_owned(), shown),
                span.state.clone(),
                span.stream.as_deref().map_or_else(|| "the device".to_owned(), clean),
            ]
        }));
        writeln!(out, "{}", columns(&rows))?;
    }
    if events.is_empty() {
        writeln!(out, "no events")?;
        return Ok(());
    }
    let mut rows = vec![["TIME", "EVENT", "DEVICE", ""].map(str::to_owned)];
    rows.extend(events.iter().map(|stored| {
        let event = &stored.event;
        [shown(event.at), event.kind.to_string(), device(event), details(event).join("; ")]
    }));
    write!(out, "{}", columns(&rows))?;
    Ok(())
}

/// The device of an event: its name, or maker and model, and its address.
fn device(event: &Event) -> String {
    let Some(card) = &event.data.device else {
        return event.network.map(|network| network.to_string()).unwrap_or_default();
    };
    let made: Vec<&str> = [&card.vendor, &card.model].into_iter().flatten().map(String::as_str).collect();
    let name = card.name.clone().unwrap_or_else(|| made.join(" "));
    if name.is_empty() { card.ip.to_string() } else { format!("{} ({})", clean(&name), card.ip) }
}

/// What is known about it, in the order it is read.
fn details(event: &Event) -> Vec<String> {
    let data = &event.data;
    let mut all: Vec<String> = Vec::new();
    all.extend(data.stream.as_ref().map(|stream| clean(&stream.url)));
    all.extend(data.service.as_ref().map(|service| service.key.clone()));
    all.extend(data.changes.iter().map(|change| clean(change)));
    if data.changes.is_empty() {
        all.extend(match (&data.before, &data.after) {
            (Some(before), Some(after)) => Some(format!("{} → {}", clean(before), clean(after))),
            (Some(one), None) | (None, Some(one)) => Some(clean(one)),
            (None, None) => None,
        });
    }
    all.extend(data.reason.as_deref().map(clean));
    all.extend(data.failure.as_deref().map(clean));
    all.extend(data.count.filter(|_| data.reason.is_none()).map(|count| count.to_string()));
    all.extend(event.muted_by.map(|by| format!("not sent ({by})")));
    all
}

/// An event with its number.
#[derive(Serialize)]
struct Numbered<'a> {
    number: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scan: Option<i64>,
    #[serde(flatten)]
    event: &'a Event,
}

fn json(events: &[StoredEvent], spans: &[(Uid, Span)], out: &mut dyn Write) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Of<'a> {
        device: &'a Uid,
        #[serde(flatten)]
        span: &'a Span,
    }
    #[derive(Serialize)]
    struct Whole<'a> {
        events: Vec<Numbered<'a>>,
        spans: Vec<Of<'a>>,
    }
    let whole = Whole {
        events: events.iter().map(|e| Numbered { number: e.number, scan: e.scan, event: &e.event }).collect(),
        spans: spans.iter().map(|(device, span)| Of { device, span }).collect(),
    };
    writeln!(out, "{}", serde_json::to_string_pretty(&whole)?)?;
    Ok(())
}

fn csv(events: &[StoredEvent], out: &mut dyn Write) -> anyhow::Result<()> {
    let mut rows = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    rows.write_record([
        "number",
        "timestamp",
        "type",
        "severity",
        "device",
        "ip",
        "name",
        "site",
        "stream",
        "muted_by",
        "details",
    ])?;
    for stored in events {
        let event = &stored.event;
        let card = event.data.device.as_ref();
        let text = |text: Option<&String>| text.map(|text| safe(&clean(text))).unwrap_or_default();
        rows.write_record([
            stored.number.to_string(),
            event.at.to_string(),
            event.kind.to_string(),
            event.severity.to_string(),
            event.device.as_ref().map(ToString::to_string).unwrap_or_default(),
            card.map(|card| card.ip.to_string()).unwrap_or_default(),
            text(card.and_then(|card| card.name.as_ref())),
            text(card.and_then(|card| card.site.as_ref())),
            text(event.data.stream.as_ref().map(|stream| &stream.url)),
            event.muted_by.map(|by| by.to_string()).unwrap_or_default(),
            safe(&details(event).join("; ")),
        ])?;
    }
    rows.flush()?;
    Ok(())
}

/// A text that no spreadsheet takes for a formula.
fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() }
}
