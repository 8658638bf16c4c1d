//! What users say about devices: names, merges, mutes, acknowledgements; and that they are to be forgotten.

use std::collections::BTreeSet;
use std::io::Write;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::cli::args::{DevicesCommand, LoginCommand};
use crate::cli::config::settings::Settings;
use crate::command::remembered::{failed, find, open, shown};
use crate::history::memory::{EditError, Memory, Mute, MuteScope, NoteEdit, word};
use crate::model::memory::{Expect, Note, Uid};
use crate::model::moment::{length, moment};
use crate::model::problem::Problem;
use crate::store::accounts::Actor;
use crate::store::{Forgotten, Store};
use crate::text::{clean, counted};
use crate::watch::pictures;

/// Does what is asked, and tells what was done.
pub(super) fn run(action: &DevicesCommand, settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = open(settings)?;
    let done = match action {
        DevicesCommand::Show { .. } => return Ok(()),
        DevicesCommand::Name { id, name, site, tags, note } => {
            annotate(&store, id, &words(name.as_deref(), site.as_deref(), tags, note.as_deref())?)?
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
            let expect = Expect::from_name(what).or(Some(Expect::Always));
            annotate(&store, id, &NoteEdit { expect, ..NoteEdit::default() })?
        }
        DevicesCommand::Forget { ids, heard } => forget(&store, ids, *heard)?,
        DevicesCommand::Login(LoginCommand::Confirm { id }) => confirm(&store, id)?,
        DevicesCommand::Login(LoginCommand::Retry { id }) => retry(&store, id, Timestamp::now())?,
    };
    writeln!(out, "{done}")?;
    Ok(())
}

/// Changes what is known, if the decision is taken.
fn change<R>(store: &Store, decide: impl FnOnce(&mut Memory) -> Result<R, Problem>) -> anyhow::Result<R> {
    Ok(store.edit(&Actor::command_line(), Timestamp::now(), decide).map_err(failed)??)
}

/// What is to be written about a device.
fn words(name: Option<&str>, site: Option<&str>, tags: &[String], note: Option<&str>) -> Result<NoteEdit, Problem> {
    if name.is_none() && site.is_none() && tags.is_empty() && note.is_none() {
        return Err(Problem::new("nothing is given to be written about the device")
            .hint("write a name, --site, --tag or --note"));
    }
    let text = |text: Option<&str>| text.map(word);
    Ok(NoteEdit {
        name: text(name),
        site: text(site),
        tags: (!tags.is_empty()).then(|| tags.to_vec()),
        text: text(note),
        expect: None,
    })
}

fn annotate(store: &Store, id: &str, edit: &NoteEdit) -> anyhow::Result<String> {
    change(store, |memory| {
        let uid = find(memory, id)?.uid.clone();
        memory.annotate(&uid, edit).map_err(refused)?;
        Ok(about(memory, &uid))
    })
}

/// Why something is not done, and what to do instead.
fn refused(error: EditError) -> Problem {
    let problem = Problem::new(error.to_string());
    match error {
        EditError::NameTaken(_) => problem.hint("give each device a name of its own"),
        EditError::TagWithComma(_) => problem.hint("repeat --tag for each"),
        _ => problem,
    }
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
                format!("tag {} ({})", clean(tag), counted(known(&|note| note.tags.contains(tag)), "device", "devices"))
            }
            MuteScope::Site(site) => {
                format!(
                    "site {} ({})",
                    clean(site),
                    counted(known(&|note| note.site.as_ref() == Some(site)), "device", "devices")
                )
            }
            MuteScope::Device(uid) => about(memory, uid),
            MuteScope::Network(network) => network.to_string(),
        };
        memory.mute(Mute { scope, began: now, ended, why, by: None }).map_err(refused)?;
        Ok(match ended {
            Some(end) => format!("muted until {}: {what}", shown(end)),
            None => format!("muted until `camscan devices unmute`: {what}"),
        })
    })
}

fn unmute(store: &Store, target: &Target<'_>) -> anyhow::Result<String> {
    change(store, |memory| {
        let scope = target.scope(memory)?;
        Ok(if memory.unmute(&scope) { "messages are sent again" } else { "it was not muted" }.to_owned())
    })
}

fn acknowledge(store: &Store, id: &str, now: Timestamp) -> anyhow::Result<String> {
    change(store, |memory| {
        let uid = find(memory, id)?.uid.clone();
        memory.acknowledge_all(&uid, now);
        Ok(format!("acknowledged: {}", about(memory, &uid)))
    })
}

/// Forgets devices, all or none; a line for each.
fn forget(store: &Store, ids: &[String], heard: bool) -> anyhow::Result<String> {
    let mut lines = BTreeSet::new();
    let choose = |memory: &mut Memory| {
        if heard {
            return Ok(memory.forget_only_heard());
        }
        let uids = ids.iter().map(|id| Ok(find(memory, id)?.uid.clone()));
        let uids: BTreeSet<Uid> = uids.collect::<Result<_, Problem>>()?;
        for uid in &uids {
            let merged = memory.ids_of(uid).into_iter().filter(|other| other != uid);
            let merged: String = merged.map(|other| format!(", with {other} that was merged into it")).collect();
            lines.insert(format!("forgotten: {}{merged}", about(memory, uid)));
        }
        Ok(uids.iter().flat_map(|uid| memory.forget(uid)).collect())
    };
    let forgotten = store.forget(&Actor::command_line(), Timestamp::now(), choose).map_err(failed)?;
    let Forgotten { devices, pictures } = forgotten.map_err(|problem: Problem| problem)?;
    pictures::remove(&pictures::folder_of(store), &pictures);
    if heard {
        return Ok(format!(
            "forgotten: {}",
            counted(devices.len(), "device that was only heard", "devices that were only heard")
        ));
    }
    Ok(lines.into_iter().collect::<Vec<_>>().join("\n"))
}

#[cfg(not(feature = "serve"))]
fn confirm(_: &Store, _: &str) -> anyhow::Result<String> {
    Err(crate::command::left_out("serve"))
}

#[cfg(feature = "serve")]
fn confirm(store: &Store, id: &str) -> anyhow::Result<String> {
    use crate::serve::auth::{ConfirmError, SeenAt, Vault};

    let memory = store.memory().map_err(failed)?;
    let known = find(&memory, id)?;
    let (root, seen) = (known.uid.clone(), SeenAt::of(&known.device));
    // The key of the service is handed to the service alone; beside the store lies the other one.
    let vault = Vault::new(store.file(), None, Box::new(|_| {}));
    let confirmed = match vault.confirm(store, &root, Some(&seen), &Actor::command_line(), Timestamp::now()) {
        Err(ConfirmError::Store(error)) => return Err(failed(error)),
        other => other?,
    };
    let about = about(&memory, &root);
    Ok(match confirmed {
        0 => format!("{about}: no login was given for it on the page"),
        n => format!("{about}: {} sent to it at {seen} from now on", counted(n, "login is", "logins are")),
    })
}

fn retry(store: &Store, id: &str, now: Timestamp) -> anyhow::Result<String> {
    let memory = store.memory().map_err(failed)?;
    let root = find(&memory, id)?.uid.clone();
    let mut forgotten = 0;
    for known in memory.ids_of(&root).iter().filter_map(|uid| memory.devices.get(uid)) {
        forgotten += store.forget_refusals(known, now).map_err(failed)?;
    }
    let rested = store.update(|memory| (memory.retry_login(&root), Vec::new()), &()).map_err(failed)?.value;
    Ok(match forgotten {
        0 if rested => format!("{}: the login is tried again", about(&memory, &root)),
        0 => format!("{}: no login was refused in the last 24 hours", about(&memory, &root)),
        n => format!("{}: {n} refused logins are forgotten; they are tried again", about(&memory, &root)),
    })
}
