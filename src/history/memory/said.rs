//! What users said about devices, and in which words a change of it is written down: who reads the audit log wants to know
//! what was changed, whichever way it was.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Known, Memory, Mute, MuteScope, Traces};
use crate::model::memory::{Detail, MuteOf, Note, NotePart, Uid};

/// A change that somebody made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// What was done: `device.note`.
    pub action: &'static str,
    /// With what: the id of a device, or what is muted.
    pub subject: String,
    /// What was changed.
    pub detail: Detail,
}

/// Everything that users said, at one moment.
#[derive(Debug, Clone)]
pub struct Said {
    devices: BTreeMap<Uid, OfDevice>,
    mutes: Vec<Mute>,
}

#[derive(Debug, Clone, PartialEq)]
struct OfDevice {
    note: Note,
    archived_at: Option<Timestamp>,
    merged_into: Option<Uid>,
    /// When somebody last said to know of a problem of it.
    acked_at: Option<Timestamp>,
}

impl OfDevice {
    fn of(known: &Known) -> Self {
        let streams = known.streams.values().filter_map(|stream| stream.health.acked);
        OfDevice {
            note: known.note.clone(),
            archived_at: known.archived_at,
            merged_into: known.merged_into.clone(),
            acked_at: streams
                .chain(known.health.acked)
                .chain(known.service.as_ref().and_then(|service| service.acked))
                .max(),
        }
    }

    fn changes(&self, uid: &Uid, now: &OfDevice, put: &mut impl FnMut(&'static str, String, Detail)) {
        let parts = changed(&self.note, &now.note);
        if !parts.is_empty() {
            put("device.note", uid.to_string(), Detail::Noted { parts });
        }
        if self.archived_at.is_some() != now.archived_at.is_some() {
            let action = if now.archived_at.is_some() { "device.archive" } else { "device.unarchive" };
            put(action, uid.to_string(), Detail::Nothing);
        }
        match (&self.merged_into, &now.merged_into) {
            (before, after) if before == after => {}
            (_, Some(into)) => put("device.merge", uid.to_string(), Detail::MergedInto { device: into.clone() }),
            (Some(from), None) => put("device.split", uid.to_string(), Detail::SplitOff { device: from.clone() }),
            (None, None) => {}
        }
        if now.acked_at.is_some() && self.acked_at != now.acked_at {
            put("device.ack", uid.to_string(), Detail::Nothing);
        }
        if self.note.muted_until.is_some() && now.note.muted_until.is_none() {
            put("mute.end", uid.to_string(), Detail::Unmuted { of: MuteOf::Device });
        }
    }
}

impl Said {
    /// What users have said so far.
    pub fn of(memory: &Memory) -> Said {
        let devices = memory.devices.iter().map(|(uid, known)| (uid.clone(), OfDevice::of(known))).collect();
        Said { devices, mutes: memory.mutes.clone() }
    }

    /// What they have said since, of the devices that were touched.
    pub fn changes(&self, memory: &Memory) -> Vec<Edited> {
        let mut all = Vec::new();
        let mut put = |action, subject, detail| all.push(Edited { action, subject, detail });
        let (heard, others): (Vec<_>, Vec<_>) = memory.forgotten.iter().partition(|(_, traces)| **traces == Traces::Go);
        match heard[..] {
            [_, _, ..] => {
                let count = heard.len().try_into().unwrap_or(u64::MAX);
                put("device.forget", "heard".to_owned(), Detail::OnlyHeard { count });
            }
            _ => heard.iter().for_each(|(uid, _)| put("device.forget", uid.to_string(), Detail::Nothing)),
        }
        others.iter().for_each(|(uid, _)| put("device.forget", uid.to_string(), Detail::Nothing));
        for uid in &memory.touched {
            if let (Some(before), Some(known)) = (self.devices.get(uid), memory.devices.get(uid)) {
                before.changes(uid, &OfDevice::of(known), &mut put);
            }
        }
        for mute in memory.mutes.iter().filter(|mute| !self.mutes.contains(mute)) {
            let detail = Detail::Muted { of: of(&mute.scope), until: mute.ended, why: mute.why.clone() };
            put("mute.add", scope(&mute.scope), detail);
        }
        let is_gone = |mute: &&Mute| !memory.mutes.iter().any(|other| other.scope == mute.scope);
        for mute in self.mutes.iter().filter(is_gone) {
            put("mute.end", scope(&mute.scope), Detail::Unmuted { of: of(&mute.scope) });
        }
        all
    }
}

fn of(scope: &MuteScope) -> MuteOf {
    match scope {
        MuteScope::Device(_) => MuteOf::Device,
        MuteScope::Site(_) => MuteOf::Site,
        MuteScope::Tag(_) => MuteOf::Tag,
        MuteScope::Network(_) => MuteOf::Network,
    }
}

fn scope(scope: &MuteScope) -> String {
    match scope {
        MuteScope::Device(uid) => uid.to_string(),
        MuteScope::Site(site) => format!("site {site}"),
        MuteScope::Tag(tag) => format!("tag {tag}"),
        MuteScope::Network(network) => format!("network {network}"),
    }
}

fn changed(before: &Note, now: &Note) -> Vec<NotePart> {
    let mut parts = Vec::new();
    if before.name != now.name {
        parts.push(NotePart::Name { before: before.name.clone(), after: now.name.clone() });
    }
    if before.site != now.site {
        parts.push(NotePart::Site { before: before.site.clone(), after: now.site.clone() });
    }
    if before.tags != now.tags {
        parts.push(NotePart::Tags { before: before.tags.clone(), after: now.tags.clone() });
    }
    if before.expect != now.expect {
        parts.push(NotePart::Expected { before: before.expect, after: now.expect });
    }
    if before.text != now.text {
        parts.push(NotePart::Text);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::memory::NoteEdit;
    use crate::history::memory::tests::{Site, camera};

    #[test]
    fn every_kind_of_change_is_a_line() {
        let mut site = Site::default();
        site.scan(0, vec![camera(1, 1), camera(2, 2)]);
        let memory = &mut site.memory;
        let uids: Vec<Uid> = memory.devices.keys().cloned().collect();
        let (one, other) = (uids[0].clone(), uids[1].clone());
        let at: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let mut said = |change: &dyn Fn(&mut Memory)| {
            memory.touched.clear();
            let before = Said::of(memory);
            change(memory);
            let lines = before.changes(memory);
            lines.into_iter().map(|edited| format!("{} {} {}", edited.action, edited.subject, edited.detail)).collect()
        };
        let edit = NoteEdit {
            name: Some(Some("Gate".to_owned())),
            tags: Some(vec!["b".to_owned(), "a".to_owned()]),
            text: Some(Some("the key is at the porter's".to_owned())),
            ..NoteEdit::default()
        };
        let lines: Vec<String> = said(&|memory| memory.annotate(&one, &edit).unwrap());
        assert_eq!(lines, [format!("device.note {one} name: none -> Gate; tags: none -> a, b; text")]);
        assert_eq!(said(&|memory| memory.annotate(&one, &edit).unwrap()), Vec::<String>::new());
        let mute = |scope| Mute { scope, began: at, ended: None, why: Some("cable".to_owned()), by: None };
        let lines: Vec<String> = said(&|memory| memory.mute(mute(MuteScope::Tag("a".to_owned()))).unwrap());
        assert_eq!(lines, ["mute.add tag a until it is ended; cable"]);
        let lines: Vec<String> = said(&|memory| {
            memory.unmute(&MuteScope::Tag("a".to_owned()));
        });
        assert_eq!(lines, ["mute.end tag a "]);
        let lines: Vec<String> = said(&|memory| {
            memory.acknowledge_all(&other, at);
        });
        assert_eq!(lines, [format!("device.ack {other} ")]);
        let lines: Vec<String> = said(&|memory| {
            memory.set_archived(&other, Some(at));
        });
        assert_eq!(lines, [format!("device.archive {other} ")]);
        let lines: Vec<String> = said(&|memory| {
            memory.set_archived(&other, None);
        });
        assert_eq!(lines, [format!("device.unarchive {other} ")]);
        let lines: Vec<String> = said(&|memory| memory.merge(&one, &other).unwrap());
        assert_eq!(lines, [format!("device.merge {other} into {one}")]);
        let lines: Vec<String> = said(&|memory| memory.split(&other).unwrap());
        assert_eq!(lines, [format!("device.split {other} from {one}")]);
    }
}
