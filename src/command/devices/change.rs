//! What users say about devices: names, merges, mutes, acknowledgements.

use std::io::Write;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::cli::args::{DevicesCommand, LoginCommand};
use crate::cli::config::settings::Settings;
use crate::command::remembered::{failed, find, length, members, moment, open, shown};
use crate::history::memory::{Memory, Mute, MuteScope};
use crate::model::memory::{Expect, Note, Uid};
use crate::model::problem::Problem;
use crate::store::Store;
use crate::text::{clean, clean_to};

/// The longest name, site, tag and note, in characters.
const LONGEST: usize = 200;

/// Does what is asked, and tells what was done.
pub(super) fn run(action: &DevicesCommand, settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = open(settings)?;
    let done = match action {
        DevicesCommand::Show { .. } => return Ok(()),
        DevicesCommand::Name { id, name, site, tags, note } => {
            let words = Words::read(name.as_deref(), site.as_deref(), tags, note.as_deref())?;
            annotate(&store, id, |of| words.apply(of))?
        }
        DevicesCommand::Merge { into, other } => merge(&store, into, other)?,
        DevicesCommand::Split { other } => split(&store, other)?,
        DevicesCommand::Mute { id, tag, site, until, duration, why } => {
            let now = Timestamp::now().to_zoned(TimeZone::system());
            let ended = end_of_mute(until.as_deref(), duration.as_deref(), &now)?;
            let why = why.as_deref().and_then(word);
            mute(&store, &Target::of(id, tag, site), ended, why, now.timestamp())?
        }
        DevicesCommand::Unmute { id, tag, site } => unmute(&store, &Target::of(id, tag, site))?,
        DevicesCommand::Ack { id } => acknowledge(&store, id, Timestamp::now())?,
        DevicesCommand::Expect { id, what } => {
            let expect = Expect::from_name(what).unwrap_or(Expect::Always);
            annotate(&store, id, |note| note.expect = expect)?
        }
        DevicesCommand::Login(LoginCommand::Retry { id }) => retry(&store, id)?,
    };
    writeln!(out, "{done}")?;
    Ok(())
}

/// Changes what is known, if the decision is taken.
fn change<R>(store: &Store, decide: impl FnOnce(&mut Memory) -> Result<R, Problem>) -> anyhow::Result<R> {
    let updated = store.update(|memory| (decide(memory), Vec::new()), &()).map_err(failed)?;
    Ok(updated.value?)
}

/// A text of a user: trimmed, in one line; none when nothing is left.
fn word(text: &str) -> Option<String> {
    let text = clean_to(text.trim(), LONGEST);
    (!text.is_empty()).then_some(text)
}

/// What is to be written about a device; the outer none leaves it as it is.
struct Words {
    name: Option<Option<String>>,
    site: Option<Option<String>>,
    tags: Option<Vec<String>>,
    text: Option<Option<String>>,
}

impl Words {
    fn read(name: Option<&str>, site: Option<&str>, tags: &[String], note: Option<&str>) -> Result<Words, Problem> {
        if name.is_none() && site.is_none() && tags.is_empty() && note.is_none() {
            return Err(Problem::new("nothing is given to be written about the device")
                .hint("write a name, --site, --tag or --note"));
        }
        if let Some(tag) = tags.iter().find(|tag| tag.contains(',')) {
            return Err(Problem::new(format!("a tag holds no commas: `{}`", clean(tag))).hint("repeat --tag for each"));
        }
        // An id or address as a name would be taken for the device that has it.
        if let Some(name) = name
            && (Uid::parse(name).is_some() || name.trim().parse::<std::net::IpAddr>().is_ok())
        {
            return Err(Problem::new("a name must not be an id or an address"));
        }
        let mut words: Vec<String> = tags.iter().filter_map(|tag| word(tag)).collect();
        words.sort();
        words.dedup();
        Ok(Words {
            name: name.map(word),
            site: site.map(word),
            tags: (!tags.is_empty()).then_some(words),
            text: note.map(word),
        })
    }

    fn apply(&self, note: &mut Note) {
        if let Some(name) = &self.name {
            note.name.clone_from(name);
        }
        if let Some(site) = &self.site {
            note.site.clone_from(site);
        }
        if let Some(tags) = &self.tags {
            note.tags.clone_from(tags);
        }
        if let Some(text) = &self.text {
            note.text.clone_from(text);
        }
    }
}

fn annotate(store: &Store, id: &str, write: impl FnOnce(&mut Note)) -> anyhow::Result<String> {
    change(store, |memory| {
        let uid = find(memory, id)?.uid.clone();
        let known = memory.devices.get_mut(&uid).ok_or_else(|| Problem::new("the device is gone"))?;
        let mut note = known.note.clone();
        write(&mut note);
        let others: Vec<Uid> = memory
            .roots()
            .filter(|other| other.uid != uid && note.name.is_some() && other.note.name == note.name)
            .map(|other| other.uid.clone())
            .collect();
        if let Some(other) = others.first() {
            return Err(
                Problem::new(format!("{other} has that name already")).hint("give each device a name of its own")
            );
        }
        let Some(known) = memory.devices.get_mut(&uid) else { return Err(Problem::new("the device is gone")) };
        known.note = note;
        memory.touched.insert(uid.clone());
        Ok(about(memory, &uid))
    })
}

/// A device and what is written about it, in one line.
fn about(memory: &Memory, uid: &Uid) -> String {
    let Some(known) = memory.devices.get(uid) else { return uid.to_string() };
    let note = &known.note;
    let mut line = format!("{uid} ({})", known.device.ip);
    if let Some(name) = &note.name {
        line.push_str(&format!(": {}", clean(name)));
    }
    if let Some(site) = &note.site {
        line.push_str(&format!(", site {}", clean(site)));
    }
    if !note.tags.is_empty() {
        line.push_str(&format!(", tags {}", clean(&note.tags.join(" "))));
    }
    if note.expect != Expect::Always {
        line.push_str(&format!(", expected {}", note.expect));
    }
    line
}

fn merge(store: &Store, into: &str, other: &str) -> anyhow::Result<String> {
    change(store, |memory| {
        let into = find(memory, into)?.uid.clone();
        let other = find(memory, other)?.uid.clone();
        memory.merge(&into, &other).map_err(|error| Problem::new(error.to_string()))?;
        Ok(format!("{other} is part of {into} now; undo it with: camscan devices split {other}"))
    })
}

fn split(store: &Store, other: &str) -> anyhow::Result<String> {
    change(store, |memory| {
        // A search finds the device that it was merged into.
        let uid = match Uid::parse(other) {
            Some(uid) => uid,
            None => find(memory, other)?.uid.clone(),
        };
        memory.split(&uid).map_err(|error| Problem::new(error.to_string()))?;
        Ok(format!("{uid} is a device of its own again"))
    })
}

/// Which devices are muted.
enum Target<'a> {
    Device(&'a str),
    Tag(&'a str),
    Site(&'a str),
}

impl<'a> Target<'a> {
    fn of(id: &'a Option<String>, tag: &'a Option<String>, site: &'a Option<String>) -> Target<'a> {
        match (tag, site) {
            (Some(tag), _) => Target::Tag(tag),
            (None, Some(site)) => Target::Site(site),
            (None, None) => Target::Device(id.as_deref().unwrap_or_default()),
        }
    }

    fn scope(&self, memory: &Memory) -> Result<MuteScope, Problem> {
        Ok(match self {
            Target::Device(id) => MuteScope::Device(find(memory, id)?.uid.clone()),
            Target::Tag(tag) => MuteScope::Tag((*tag).to_owned()),
            Target::Site(site) => MuteScope::Site((*site).to_owned()),
        })
    }
}

fn end_of_mute(until: Option<&str>, duration: Option<&str>, now: &Zoned) -> Result<Option<Timestamp>, Problem> {
    let end = match (until, duration) {
        (_, Some(text)) => {
            let end = now.timestamp().checked_add(length(text)?);
            Some(end.map_err(|_| Problem::new("the time is too far away").at("--for"))?)
        }
        (Some(text), None) => Some(moment(text, now)?),
        (None, None) => None,
    };
    match end {
        Some(end) if end <= now.timestamp() => {
            Err(Problem::new(format!("{} is over", shown(end))).at("--until").hint("write a later time, or --for 2h"))
        }
        end => Ok(end),
    }
}

fn mute(
    store: &Store,
    target: &Target<'_>,
    ended: Option<Timestamp>,
    why: Option<String>,
    now: Timestamp,
) -> anyhow::Result<String> {
    change(store, |memory| {
        let scope = target.scope(memory)?;
        let known = |of: &dyn Fn(&Note) -> bool| memory.roots().filter(|known| of(&known.note)).count();
        let what = match &scope {
            MuteScope::Tag(tag) => {
                format!("tag {} ({} devices)", clean(tag), known(&|note| note.tags.contains(tag)))
            }
            MuteScope::Site(site) => {
                format!("site {} ({} devices)", clean(site), known(&|note| note.site.as_ref() == Some(site)))
            }
            MuteScope::Device(uid) => about(memory, uid),
            MuteScope::Network(network) => network.to_string(),
        };
        memory.mutes.retain(|mute| mute.scope != scope);
        memory.mutes.push(Mute { scope, began: now, ended, why, by: None });
        Ok(match ended {
            Some(end) => format!("muted until {}: {what}", shown(end)),
            None => format!("muted until `camscan devices unmute`: {what}"),
        })
    })
}

fn unmute(store: &Store, target: &Target<'_>) -> anyhow::Result<String> {
    change(store, |memory| {
        let scope = target.scope(memory)?;
        let before = memory.mutes.len();
        memory.mutes.retain(|mute| mute.scope != scope);
        let mut ended = before != memory.mutes.len();
        if let MuteScope::Device(uid) = &scope
            && memory.devices.get(uid).is_some_and(|known| known.note.muted_until.is_some())
        {
            memory.mute_until(uid, None, None);
            ended = true;
        }
        Ok(if ended { "messages are sent again" } else { "it was not muted" }.to_owned())
    })
}

fn acknowledge(store: &Store, id: &str, now: Timestamp) -> anyhow::Result<String> {
    change(store, |memory| {
        let known = find(memory, id)?;
        let uid = known.uid.clone();
        let streams: Vec<String> = known.streams.keys().cloned().collect();
        memory.acknowledge(&uid, None, now);
        for stream in streams {
            memory.acknowledge(&uid, Some(&stream), now);
        }
        Ok(format!("acknowledged: {}", about(memory, &uid)))
    })
}

fn retry(store: &Store, id: &str) -> anyhow::Result<String> {
    let memory = store.memory().map_err(failed)?;
    let root = find(&memory, id)?.uid.clone();
    let mut forgotten = 0;
    for uid in members(&memory, &root) {
        forgotten += store.forget_refusals(&uid).map_err(failed)?;
    }
    let rested = store.update(|memory| (memory.retry_login(&root), Vec::new()), &()).map_err(failed)?.value;
    Ok(match forgotten {
        0 if rested => format!("{}: the login is tried again", about(&memory, &root)),
        0 => format!("{}: no login was refused in the last 24 hours", about(&memory, &root)),
        n => format!("{}: {n} refused logins are forgotten; they are tried again", about(&memory, &root)),
    })
}
