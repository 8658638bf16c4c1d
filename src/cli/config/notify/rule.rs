//! One rule: which events go to which channels, and when.

use std::time::Duration;

use ipnetwork::IpNetwork;
use jiff::civil::{Time, Weekday};

use super::entry::Entry;
use crate::cli::config::values;
use crate::model::memory::{EventKind, Severity};
use crate::model::notify::{Hours, Rule, USUAL_REPEAT, USUAL_WAIT};
use crate::model::problem::Problem;
use crate::text::{clean, nearest};

/// The longest time the first event of a group waits for others.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// The shortest time after which a problem is told again.
const SHORTEST_REPEAT: Duration = Duration::from_secs(5 * 60);

const KEYS: [&str; 10] =
    ["events", "severity", "tags", "sites", "subnets", "hours", "channels", "wait", "repeat", "digest"];

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

pub(super) fn read(entry: &Entry<'_>, channels: &[&str]) -> Result<Rule, Problem> {
    entry.only(&KEYS, &[])?;
    let usual = Rule::default();
    let events: Vec<EventKind> = entry.each("events", events)?.concat();
    let severity = entry.each("severity", |text| values::one_of::<Severity>(text, "severity"))?;
    let is_open = entry.value("events").is_none() && entry.value("severity").is_none();
    Ok(Rule {
        events: if is_open { usual.events } else { events },
        severity: if is_open { usual.severity } else { severity },
        tags: entry.list("tags")?,
        sites: sites(entry)?,
        subnets: entry.each("subnets", network)?,
        hours: entry.each("hours", hours)?,
        channels: entry.each("channels", |name| channel(name, channels))?,
        wait: wait(entry)?,
        repeat: repeat(entry)?,
        digest: entry.each("digest", |text| Ok(time(text)?.0))?,
    })
}

/// A kind of event, or all that begin alike: `device.*`, `*`.
fn events(text: &str) -> Result<Vec<EventKind>, Problem> {
    let all = || EventKind::ALL.into_iter();
    let found: Vec<EventKind> = match text.strip_suffix('*') {
        Some(beginning) => all().filter(|kind| kind.as_str().starts_with(beginning)).collect(),
        None => EventKind::from_name(text).into_iter().collect(),
    };
    if found.is_empty() {
        let names: Vec<&str> = all().map(EventKind::as_str).collect();
        return Err(Problem::new(format!("there is no event `{}`", clean(text)))
            .did_you_mean(text, names.iter().copied())
            .hint(format!("write a group such as device.*, or {}", names.join(", "))));
    }
    Ok(found)
}

/// Sites may hold commas and blanks: without a list there is one.
fn sites(entry: &Entry<'_>) -> Result<Vec<String>, Problem> {
    match entry.value("sites").is_some_and(|value| value.is_sequence()) {
        true => entry.list("sites"),
        false => Ok(entry.text("sites")?.into_iter().collect()),
    }
}

fn network(text: &str) -> Result<IpNetwork, Problem> {
    crate::cli::config::credentials::network(text)
}

fn channel(name: &str, channels: &[&str]) -> Result<String, Problem> {
    match channels.contains(&name) {
        true => Ok(name.to_owned()),
        false => {
            let problem = Problem::new(format!("there is no channel `{}`", clean(name)));
            Err(match nearest(name, channels.iter().copied()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint("name one that stands under `channels:`"),
            })
        }
    }
}

fn wait(entry: &Entry<'_>) -> Result<Duration, Problem> {
    let Some(text) = entry.text("wait")? else { return Ok(USUAL_WAIT) };
    let wait = values::duration_or_zero(&text).map_err(|problem| problem.at("wait"))?;
    match wait <= LONGEST_WAIT {
        true => Ok(wait),
        false => Err(Problem::new("at most 1h is possible").at("wait").hint("`digest:` collects for longer")),
    }
}

fn repeat(entry: &Entry<'_>) -> Result<Option<Duration>, Problem> {
    let Some(text) = entry.text("repeat")? else { return Ok(Some(USUAL_REPEAT)) };
    if text == "never" {
        return Ok(None);
    }
    let repeat = values::duration_or_zero(&text).map_err(|problem| problem.at("repeat"))?;
    if repeat.is_zero() {
        return Ok(None);
    }
    match repeat >= SHORTEST_REPEAT {
        true => Ok(Some(repeat)),
        false => Err(Problem::new("at least 5m is possible, or 0 for never").at("repeat")),
    }
}

/// `mon-fri 08:00-18:00`, `sat,sun 00:00-24:00` or, for every day, `22:00-06:00`.
fn hours(text: &str) -> Result<Hours, Problem> {
    let wrong = || {
        Problem::new(format!("`{}` is no stretch of time", clean(text)))
            .hint("write mon-fri 08:00-18:00, or 22:00-06:00 for every day; several make a list")
    };
    let (days, times) = match text.trim().rsplit_once(' ') {
        Some((days, times)) => (days_of(days).ok_or_else(wrong)?, times),
        None => (DAYS.map(|(_, day)| day).to_vec(), text.trim()),
    };
    let (from, to) = times.split_once('-').ok_or_else(wrong)?;
    let ((from, is_end), (to, _)) = (time(from).map_err(|_| wrong())?, time(to).map_err(|_| wrong())?);
    if is_end {
        return Err(wrong());
    }
    Ok(Hours { days, from, to })
}

/// `mon`: a day as it is written in a rule.
pub(super) fn short(day: Weekday) -> &'static str {
    DAYS.iter().find(|(_, of)| *of == day).map_or("", |(name, _)| name)
}

/// `mon-fri`, `sat`; several with blanks between them.
fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let day = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        DAYS.iter().find(|(of, _)| *of == name).map(|(_, day)| *day)
    };
    let mut days = Vec::new();
    for part in text.split([',', ' ']).filter(|part| !part.is_empty()) {
        match part.split_once('-') {
            None => days.push(day(part)?),
            Some((first, last)) => {
                let (mut at, last) = (day(first)?, day(last)?);
                days.push(at);
                while at != last {
                    at = at.next();
                    days.push(at);
                }
            }
        }
    }
    (!days.is_empty()).then_some(days)
}

/// A time of day, and whether it is the end of the day, `24:00`.
fn time(text: &str) -> Result<(Time, bool), Problem> {
    let wrong = || Problem::new(format!("`{}` is no time of day", clean(text))).hint("write 08:00, in quotes");
    if text.trim() == "24:00" {
        return Ok((Time::midnight(), true));
    }
    let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
    let number = |part: &str| part.parse::<i8>().ok().filter(|_| part.len() == 2);
    let (Some(hour), Some(minute)) = (number(hour), number(minute)) else { return Err(wrong()) };
    Time::new(hour, minute, 0, 0).map(|time| (time, false)).map_err(|_| wrong())
}
