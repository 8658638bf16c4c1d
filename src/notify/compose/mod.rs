//! What a message says. Pure: the same events give the same message.

mod items;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use self::items::Item;
use super::group::Group;
use super::open::Subject;
use super::wording::{about, advice, headline, lasting, plain, stretch, time};
use crate::model::memory::{Delivery, Event, EventKind, Severity};
use crate::text::clean_to;

/// The longest title, in characters.
pub const TITLE: usize = 80;
/// The longest text, in characters. Every service takes as much.
pub const TEXT: usize = 2_000;
/// Lines of a message about several events.
const LINES: usize = 10;
/// Changes named of one device.
const CHANGES: usize = 10;
/// The longest line about one of several events.
const LINE: usize = 160;
/// The room for how many more there are.
const REST: usize = 24;
/// What the events of a message take at most, in bytes of JSON.
const EVENTS: usize = 10_000;

/// How messages are written.
#[derive(Debug, Clone)]
pub struct Style {
    /// Where the pages of this camscan are reached, without a slash at the end.
    pub public_url: Option<String>,
    /// The time zone of the times in texts.
    pub zone: TimeZone,
}

/// A message, as every channel can show it. It is stored as it is, so that each try sends the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// What receivers recognise it by: [`Delivery::id`].
    pub id: String,
    /// When what it tells happened: the last of its events.
    pub at: Timestamp,
    /// How much it matters: the gravest of its events.
    pub severity: Severity,
    /// One line, at most [`TITLE`] characters.
    pub title: String,
    /// Plain lines, at most [`TEXT`] characters in all.
    pub text: String,
    /// The page about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What messages about the same problem have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// What happened, where it is one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<EventKind>,
    /// The device, where all is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The events with their numbers (`number`), as many as fit.
    pub events: Vec<Value>,
    /// How many events are not among them.
    pub left_out: usize,
}

/// The message that tells the events of a delivery. A problem that is over already becomes one line: what it was and when.
pub fn compose(delivery: &Delivery, events: &[(i64, Event)], style: &Style) -> Message {
    let group = Group::parse(&delivery.group);
    let items = Item::of(events);
    let (title, lines) = match items.as_slice() {
        [] => (format!("{} events that are no longer stored", delivery.events.len()), Vec::new()),
        [item] => one(item, &group, delivery, style),
        _ => several(&items, &group, delivery, style),
    };
    let mut text = String::new();
    for line in lines {
        if text.chars().count() + line.chars().count() < TEXT {
            text = if text.is_empty() { line } else { format!("{text}\n{line}") };
        }
    }
    let device = same(events.iter().map(|(_, event)| event.device.as_ref().map(ToString::to_string))).flatten();
    let (shown, left_out) = as_json(events);
    Message {
        id: delivery.id.clone(),
        at: events.iter().map(|(_, event)| event.at).max().unwrap_or(delivery.created_at),
        severity: items.iter().map(Item::severity).max_by_key(|severity| weight(*severity)).unwrap_or(Severity::Info),
        title: clean_to(&title, TITLE - 1),
        text,
        link: style.public_url.as_ref().map(|url| match &device {
            Some(device) => format!("{url}/devices/{device}"),
            None => format!("{url}/events"),
        }),
        thread: same(items.iter().map(|item| Some(thread(item.began())))).flatten(),
        kind: same(events.iter().map(|(_, event)| Some(event.kind))).flatten(),
        device,
        events: shown,
        left_out,
    }
}

/// The message that shows a user that a channel works.
pub fn test_message(id: &str, now: Timestamp) -> Message {
    Message {
        id: id.to_owned(),
        at: now,
        severity: Severity::Info,
        title: "Test message of camscan".to_owned(),
        text: "This channel works. Nothing has happened: the message was sent by `camscan notify test`.".to_owned(),
        link: None,
        thread: None,
        kind: None,
        device: None,
        events: Vec::new(),
        left_out: 0,
    }
}

/// Title and lines about one thing.
fn one(item: &Item<'_>, group: &Group, delivery: &Delivery, style: &Style) -> (String, Vec<String>) {
    let (began, event) = (item.began(), item.last());
    let name = about(event);
    let title = match item.times() {
        // Over before anybody could be told.
        Some(_) => item.past(style, false),
        None if matches!(group, Group::Reminder(..)) => format!("Still {}: {name}", lower(headline(event.kind))),
        None if name.is_empty() => headline(event.kind).to_owned(),
        None => format!("{}: {name}", headline(event.kind)),
    };
    let mut lines = vec![when(item, group, delivery, style)];
    let data = &began.data;
    let told = [&event.data.reason, &data.reason, &event.data.failure, &data.failure].into_iter().flatten();
    for sentence in told.map(|sentence| plain(sentence)) {
        if !lines.contains(&sentence) {
            lines.push(sentence);
        }
    }
    lines.extend(event.data.changes.iter().take(CHANGES).map(|change| plain(change)));
    let unnamed = event.data.changes.len().saturating_sub(CHANGES);
    lines.extend((unnamed > 0).then(|| format!("and {unnamed} more changes")));
    if event.data.changes.is_empty()
        && let (Some(before), Some(after)) = (&event.data.before, &event.data.after)
    {
        lines.push(format!("{} → {}", plain(before), plain(after)));
    }
    lines.extend(event.data.count.filter(|_| event.data.reason.is_none()).map(|count| format!("{count} in all")));
    lines.push(card(event));
    lines.extend(event.data.stream.as_ref().map(|stream| plain(&stream.url)));
    let is_over = item.times().is_some() || event.severity == Severity::Recovery;
    lines.extend(advice(event.kind).filter(|_| !is_over).map(|advice| format!("Try: {advice}")));
    lines.retain(|line| !line.is_empty());
    (title, lines)
}

/// Title and lines about several things.
fn several(items: &[Item<'_>], group: &Group, delivery: &Delivery, style: &Style) -> (String, Vec<String>) {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for item in items {
        let name = item.name();
        match counts.iter_mut().find(|(of, _)| *of == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} × {name}")).collect();
    let intro = match group {
        Group::Reminder(..) => "Not over: ",
        Group::Digest(..) => "Digest: ",
        Group::More | Group::MoreProblems => "Summary: ",
        Group::News(..) => "",
    };
    let site =
        same(items.iter().map(|item| item.last().data.device.as_ref().and_then(|device| device.site.as_deref())));
    let site = site.flatten().map(|site| format!(" · {}", clean_to(&plain(site), 24))).unwrap_or_default();
    let room = (TITLE - 1).saturating_sub(site.chars().count());
    let title = clean_to(&format!("{intro}{}", counts.join(", ")), room.saturating_sub(1)) + &site;
    let is_reminder = matches!(group, Group::Reminder(..));
    // What was held back is told once, so each thing by its name as long as there is room.
    let most = if group.is_summary() { items.len() } else { LINES };
    let (mut lines, mut room) = (Vec::new(), TEXT - REST);
    for item in items.iter().take(most) {
        let line = match item.times() {
            Some(_) => item.past(style, true),
            None => now(item.last(), is_reminder.then_some(delivery.created_at), style),
        };
        let line = clean_to(&line, LINE);
        let Some(left) = room.checked_sub(line.chars().count() + 1) else { break };
        room = left;
        lines.push(line);
    }
    let more = items.len().saturating_sub(lines.len());
    lines.extend((more > 0).then(|| format!("and {more} more")));
    (title, lines)
}

/// One of several things: since when, or how long `until` then, and why.
fn now(event: &Event, until: Option<Timestamp>, style: &Style) -> String {
    let (at, since) = (time(event.at, &style.zone), event.data.since);
    let when = match (until, event.severity, since) {
        (Some(until), ..) => format!("for {}", lasting(until.duration_since(since.unwrap_or(event.at)))),
        (None, Severity::Recovery, Some(since)) => format!("{at}, after {}", lasting(event.at.duration_since(since))),
        (None, Severity::Problem | Severity::Warning, Some(since)) => format!("since {}", time(since, &style.zone)),
        _ => at,
    };
    let why = event.data.reason.as_ref().or(event.data.failure.as_ref()).map(|why| format!(": {}", plain(why)));
    format!("{}: {}, {when}{}", headline(event.kind), about(event), why.unwrap_or_default())
}

/// Since when, how long, and when the device was last seen.
fn when(item: &Item<'_>, group: &Group, delivery: &Delivery, style: &Style) -> String {
    let event = item.last();
    let since = event.data.since.unwrap_or(event.at);
    let seen = event.data.last_seen.map(|seen| format!(", last seen {}", time(seen, &style.zone)));
    match (item.times(), event.severity) {
        (Some(_), _) => {
            let since = item.began().data.since.unwrap_or(item.began().at);
            let stretch = stretch(since, event.at, &style.zone, true);
            format!("{stretch}: over before this could be sent, after {}", lasting(event.at.duration_since(since)))
        }
        (None, Severity::Recovery) if event.data.since.is_some() => {
            format!("Back after {}, at {}", lasting(event.at.duration_since(since)), time(event.at, &style.zone))
        }
        (None, Severity::Problem) | (None, Severity::Warning) => {
            let lasts = matches!(group, Group::Reminder(..))
                .then(|| format!(", for {}", lasting(delivery.created_at.duration_since(since))));
            format!("Since {}{}{}", time(since, &style.zone), lasts.unwrap_or_default(), seen.unwrap_or_default())
        }
        _ => time(event.at, &style.zone),
    }
}

/// What a device is: maker, model, MAC address, site.
fn card(event: &Event) -> String {
    let Some(device) = &event.data.device else { return String::new() };
    let make =
        [&device.vendor, &device.model].into_iter().flatten().map(|text| plain(text)).collect::<Vec<_>>().join(" ");
    let mac = device.mac.map(|mac| mac.to_string());
    let site = device.site.as_deref().map(plain);
    [Some(make), mac, site].into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// What messages about one problem have in common: its kind, its device and when it began.
fn thread(event: &Event) -> String {
    let kind = event.kind.ended_by().unwrap_or(event.kind);
    let since = event.data.since.map(|since| since.as_second()).unwrap_or_default();
    let digest = Sha256::digest(thread_text(kind, &super::open::subject(event), since));
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("problem_{hex}")
}

/// What stands for a problem in the names of threads, the same in every version: each part of what it is about on a line of
/// its own, with its length; what it is not about is `-`.
fn thread_text(kind: EventKind, subject: &Subject, since: i64) -> String {
    let (device, stream, network, channel) = subject;
    let part = |text: &Option<String>| match text {
        Some(text) => format!("{} {text}\n", text.len()),
        None => "-\n".to_owned(),
    };
    format!("{kind}\n{}{}{}{}{since}", part(device), part(stream), part(network), part(channel))
}

/// The events as JSON, with every string cleaned, as many as fit; and how many do not.
fn as_json(events: &[(i64, Event)]) -> (Vec<Value>, usize) {
    let (mut shown, mut size) = (Vec::new(), 0usize);
    for (number, event) in events {
        let mut value = serde_json::to_value(event).unwrap_or_default();
        cleaned(&mut value);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("number".to_owned(), (*number).into());
        }
        size += value.to_string().len();
        if size > EVENTS {
            break;
        }
        shown.push(value);
    }
    let left_out = events.len() - shown.len();
    (shown, left_out)
}

fn cleaned(value: &mut Value) {
    match value {
        Value::String(text) => *text = plain(text),
        Value::Array(values) => values.iter_mut().for_each(cleaned),
        Value::Object(fields) => fields.values_mut().for_each(cleaned),
        _ => {}
    }
}

/// The value of all, where they have one.
fn same<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn weight(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Recovery => 1,
        Severity::Warning => 2,
        Severity::Problem => 3,
    }
}

#[cfg(test)]
mod tests;
