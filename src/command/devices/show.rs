//! `camscan devices show`: everything that is remembered about one device.

use std::io::Write;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{ago, columns};
use crate::cli::args::DiffFormat;
use crate::cli::config::settings::Settings;
use crate::command::remembered::{failed, find, open_to_read, shown};
use crate::export::words;
use crate::history::memory::{Known, Memory};
use crate::text::clean;

pub(super) fn run(id: &str, format: DiffFormat, settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = open_to_read(settings)?;
    let memory = store.memory().map_err(failed)?;
    let known = find(&memory, id)?;
    let now = Timestamp::now();
    let addresses = store.addresses(&known.uid).map_err(failed)?;
    if format == DiffFormat::Json {
        let month = now.checked_sub(SignedDuration::from_hours(30 * 24)).unwrap_or(Timestamp::MIN);
        let spans = store.spans(&known.uid, month).map_err(failed)?;
        let keys: Vec<_> = known.keys.iter().map(|(key, seen)| json!({ "key": key, "seen": seen })).collect();
        let streams: serde_json::Map<_, _> =
            known.streams.iter().map(|(key, stream)| (key.clone(), json!(stream))).collect();
        let addresses: Vec<_> =
            addresses.iter().map(|(ip, began, ended)| json!({ "ip": ip, "began": began, "ended": ended })).collect();
        let whole = json!({
            "device": known.as_listed(), "health": known.health, "note": known.note, "keys": keys, "streams": streams,
            "addresses": addresses, "members": memory.ids_of(&known.uid), "spans": spans,
            "archived_at": known.archived_at,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&whole)?)?;
        return Ok(());
    }
    write!(out, "{}", facts(known, &memory, now))?;
    let mut places = vec![["Addresses".to_owned(), "from".to_owned(), "until".to_owned()]];
    places.extend(
        addresses
            .into_iter()
            .map(|(ip, began, ended)| [format!("  {ip}"), shown(began), ended.map_or_else(|| "now".to_owned(), shown)]),
    );
    write!(out, "\n{}", columns(&places))?;
    let mut keys = vec![["Recognised by".to_owned(), String::new(), "last seen with it".to_owned()]];
    keys.extend(known.keys.iter().map(|(key, seen)| {
        let shared = if memory.shared.contains(key) { " (others have it too)" } else { "" };
        [format!("  {}", key.kind), format!("{}{shared}", clean(&key.value)), shown(seen.last)]
    }));
    write!(out, "\n{}", columns(&keys))?;
    let mut streams = vec![["Streams".to_owned(), "state".to_owned(), "since".to_owned()]];
    streams.extend(known.streams.values().map(|stream| {
        let state = match stream.gone_at {
            Some(_) => "gone".to_owned(),
            None => stream.health.state.to_string(),
        };
        [format!("  {}", clean(&stream.stream.url)), state, shown(stream.gone_at.unwrap_or(stream.health.since))]
    }));
    write!(out, "\n{}", columns(&streams))?;
    Ok(())
}

fn facts(known: &Known, memory: &Memory, now: Timestamp) -> String {
    let (device, note) = (&known.device, &known.note);
    let text = |text: &Option<String>| text.as_deref().map(clean);
    let mac = device.mac.map(|mac| mac.to_string());
    let merged: Vec<String> =
        memory.ids_of(&known.uid).into_iter().filter(|uid| *uid != known.uid).map(|uid| uid.to_string()).collect();
    let mutes = memory.mutes.iter().filter(|mute| mute.covers(known) && mute.ended.is_none_or(|end| now < end));
    let mutes: Vec<String> = mutes
        .map(|mute| {
            let why = mute.why.as_deref().map(|why| format!(" ({})", clean(why))).unwrap_or_default();
            mute.ended.map_or_else(|| "until unmuted".to_owned(), |end| format!("until {}", shown(end))) + &why
        })
        .collect();
    let rows = [
        ("ID", Some(known.uid.to_string())),
        ("Name", text(&note.name).or_else(|| text(&device.name))),
        ("Site", text(&note.site)),
        ("Tags", Some(clean(&note.tags.join(" "))).filter(|tags| !tags.is_empty())),
        ("Note", text(&note.text)),
        ("Kind", Some(words::kind(device.kind).to_owned())),
        ("Maker", text(&device.vendor)),
        ("Model", text(&device.model)),
        ("Firmware", text(&device.firmware)),
        ("Serial number", text(&device.serial)),
        ("Address", Some(device.ip.to_string())),
        ("MAC address", mac),
        ("State", Some(format!("{} since {}", known.health.state, shown(known.health.since)))),
        ("Expected", Some(note.expect.to_string())),
        ("Muted", Some(mutes.join("; ")).filter(|text| !text.is_empty())),
        ("First seen", Some(shown(known.seen.first))),
        ("Last seen", Some(format!("{} ({})", shown(known.seen.last), ago(known.seen.last, now)))),
        ("Archived", known.archived_at.map(shown)),
        ("Merged with it", Some(merged.join(" ")).filter(|text| !text.is_empty())),
    ];
    let rows: Vec<[String; 2]> = rows.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).collect();
    columns(&rows)
}
