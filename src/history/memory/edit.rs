//! What users do with what is known: notes, mutes, acknowledgements, the archive. Each is decided here, and stored by whoever
//! asks.

use jiff::Timestamp;

use super::{Memory, Mute, MuteScope};
use crate::model::memory::{Expect, Note, Uid};
use crate::text::clean_to;

/// The longest name, site, tag and note, in characters.
pub const LONGEST: usize = 200;
/// The most tags of a device.
const MOST_TAGS: usize = 50;
/// The most mutes there are at once.
const MOST_MUTES: usize = 1_000;

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There is no such device.
    #[error("there is no device {0}")]
    Unknown(Uid),
    /// Another device is called so.
    #[error("{0} has that name already")]
    NameTaken(Uid),
    /// An id or address as a name would be taken for the device that has it.
    #[error("a name must not be an id or an address")]
    NameIsAddress,
    /// A tag with a comma would be two.
    #[error("a tag holds no commas: `{0}`")]
    TagWithComma(String),
    /// Nobody can oversee so many.
    #[error("a device has at most {MOST_TAGS} tags")]
    TooManyTags,
    /// Nobody can oversee so many.
    #[error("there are {MOST_MUTES} mutes already")]
    TooManyMutes,
}

/// What is to be written about a device; the outer none leaves a part as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoteEdit {
    /// Its name.
    pub name: Option<Option<String>>,
    /// Where it is.
    pub site: Option<Option<String>>,
    /// Its tags, all of them.
    pub tags: Option<Vec<String>>,
    /// Anything else.
    pub text: Option<Option<String>>,
    /// How long it may be silent.
    pub expect: Option<Expect>,
}

/// A text of a user: trimmed, in one line; none when nothing is left.
pub fn word(text: &str) -> Option<String> {
    let text = clean_to(text.trim(), LONGEST);
    (!text.is_empty()).then_some(text)
}

impl NoteEdit {
    /// The note after it.
    ///
    /// # Errors
    /// When a name or tag is none.
    pub fn apply(&self, note: &Note) -> Result<Note, EditError> {
        let mut note = note.clone();
        let text = |text: &Option<String>| text.as_deref().and_then(word);
        if let Some(name) = &self.name {
            note.name = text(name);
            let is_taken_for_one =
                |name: &str| Uid::parse(name).is_some() || name.trim().parse::<std::net::IpAddr>().is_ok();
            if note.name.as_deref().is_some_and(is_taken_for_one) {
                return Err(EditError::NameIsAddress);
            }
        }
        if let Some(site) = &self.site {
            note.site = text(site);
        }
        if let Some(tags) = &self.tags {
            if let Some(tag) = tags.iter().find(|tag| tag.contains(',')) {
                return Err(EditError::TagWithComma(clean_to(tag, LONGEST)));
            }
            note.tags = tags.iter().filter_map(|tag| word(tag)).collect();
            note.tags.sort();
            note.tags.dedup();
            if note.tags.len() > MOST_TAGS {
                return Err(EditError::TooManyTags);
            }
        }
        if let Some(about) = &self.text {
            note.text = text(about);
        }
        note.expect = self.expect.unwrap_or(note.expect);
        Ok(note)
    }
}

impl Memory {
    /// Writes about a device. A name is that of one device alone.
    ///
    /// # Errors
    /// See [`EditError`]; then nothing is written.
    pub fn annotate(&mut self, uid: &Uid, edit: &NoteEdit) -> Result<(), EditError> {
        let uid = self.root(uid);
        let known = self.devices.get(&uid).ok_or_else(|| EditError::Unknown(uid.clone()))?;
        let note = edit.apply(&known.note)?;
        if note == known.note {
            return Ok(());
        }
        let has_name = |other: &&super::Known| other.uid != uid && note.name.is_some() && other.note.name == note.name;
        if let Some(other) = self.roots().find(has_name) {
            return Err(EditError::NameTaken(other.uid.clone()));
        }
        if let Some(known) = self.devices.get_mut(&uid) {
            known.note = note;
            self.touched.insert(uid);
        }
        Ok(())
    }

    /// Nothing is sent about what the mute covers while it lasts; it takes the place of an earlier one of the same.
    ///
    /// # Errors
    /// When there are too many.
    pub fn mute(&mut self, mute: Mute) -> Result<(), EditError> {
        self.mutes.retain(|other| other.scope != mute.scope);
        if self.mutes.len() >= MOST_MUTES {
            return Err(EditError::TooManyMutes);
        }
        self.mutes.push(mute);
        Ok(())
    }

    /// Ends a mute. Whether there was one.
    pub fn unmute(&mut self, scope: &MuteScope) -> bool {
        let before = self.mutes.len();
        self.mutes.retain(|mute| mute.scope != *scope);
        let mut is_ended = before != self.mutes.len();
        if let MuteScope::Device(uid) = scope
            && self.devices.get(uid).is_some_and(|known| known.note.muted_until.is_some())
        {
            is_ended |= self.mute_until(&uid.clone(), None, None);
        }
        is_ended
    }

    /// A user knows of every problem of a device and its streams. Whether there is such a device.
    pub fn acknowledge_all(&mut self, uid: &Uid, at: Timestamp) -> bool {
        let uid = self.root(uid);
        let Some(known) = self.devices.get(&uid) else { return false };
        let service = known.service.iter().map(|trouble| &trouble.service);
        let parts: Vec<String> = known.streams.keys().chain(service).cloned().collect();
        self.acknowledge(&uid, None, at);
        for part in parts {
            self.acknowledge(&uid, Some(&part), at);
        }
        true
    }

    /// A user wants a device to be listed no longer, or again. It is listed again, too, when it is seen. Whether there is
    /// such a device.
    pub fn set_archived(&mut self, uid: &Uid, archived_at: Option<Timestamp>) -> bool {
        let uid = self.root(uid);
        let Some(known) = self.devices.get_mut(&uid) else { return false };
        known.archived_at = archived_at;
        self.touched.insert(uid);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::memory::tests::{Site, camera};

    #[test]
    fn a_name_is_that_of_one_device_and_no_address() {
        let mut site = Site::default();
        site.scan(0, vec![camera(1, 1), camera(2, 2)]);
        let uids: Vec<Uid> = site.memory.devices.keys().cloned().collect();
        let name = |name: &str| NoteEdit { name: Some(Some(name.to_owned())), ..NoteEdit::default() };
        assert_eq!(site.memory.annotate(&uids[0], &name("Gate")), Ok(()));
        assert_eq!(site.memory.annotate(&uids[1], &name("Gate")), Err(EditError::NameTaken(uids[0].clone())));
        assert_eq!(site.memory.annotate(&uids[1], &name(" 192.0.2.7 ")), Err(EditError::NameIsAddress));
        assert_eq!(site.memory.annotate(&uids[1], &name(uids[0].as_str())), Err(EditError::NameIsAddress));
        assert_eq!(site.memory.devices[&uids[1]].note, Note::default());
        let tags =
            NoteEdit { tags: Some(vec!["b".into(), " a ".into(), "b".into(), " ".into()]), ..NoteEdit::default() };
        site.memory.annotate(&uids[1], &tags).unwrap();
        assert_eq!(site.memory.devices[&uids[1]].note.tags, ["a", "b"]);
        let none = NoteEdit { name: Some(None), ..NoteEdit::default() };
        site.memory.annotate(&uids[0], &none).unwrap();
        assert_eq!(site.memory.devices[&uids[0]].note.name, None);
    }

    #[test]
    fn a_mute_takes_the_place_of_the_one_before() {
        let mut memory = Memory::default();
        let mute = |ended| Mute {
            scope: MuteScope::Tag("x".into()),
            began: Timestamp::UNIX_EPOCH,
            ended,
            why: None,
            by: None,
        };
        memory.mute(mute(None)).unwrap();
        memory.mute(mute(Some(Timestamp::MAX))).unwrap();
        assert_eq!(memory.mutes, [mute(Some(Timestamp::MAX))]);
        assert!(memory.unmute(&MuteScope::Tag("x".into())));
        assert!(!memory.unmute(&MuteScope::Tag("x".into())));
    }
}
