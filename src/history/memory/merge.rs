//! Two devices that turn out to be one, and what was taken for one by mistake. Nothing is lost: a merged device keeps what it
//! is recognised by, so that splitting it off again leaves both as they were.

use jiff::Timestamp;

use super::Memory;
use crate::model::memory::Uid;

/// Why two devices cannot be merged or split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is no such device.
    #[error("there is no device {0}")]
    Unknown(Uid),
    /// Both are the same device.
    #[error("{0} cannot be merged with itself")]
    Same(Uid),
    /// One of them was merged before.
    #[error("{0} was merged into {1} before")]
    Merged(Uid, Uid),
    /// It was not merged.
    #[error("{0} was not merged into another device")]
    NotMerged(Uid),
}

impl Memory {
    /// Two devices are one, `into`. What `other` is recognised by identifies `into` from now on. [`Memory::split`] undoes it.
    ///
    /// # Errors
    /// See [`MergeError`].
    pub fn merge(&mut self, into: &Uid, other: &Uid) -> Result<(), MergeError> {
        if into == other {
            return Err(MergeError::Same(into.clone()));
        }
        for uid in [into, other] {
            let known = self.devices.get(uid).ok_or_else(|| MergeError::Unknown(uid.clone()))?;
            if let Some(before) = &known.merged_into {
                return Err(MergeError::Merged(uid.clone(), before.clone()));
            }
        }
        self.set_merged(other, Some(into.clone()));
        Ok(())
    }

    /// A device that was merged into another one is one of its own again.
    ///
    /// # Errors
    /// [`MergeError::Unknown`] and [`MergeError::NotMerged`].
    pub fn split(&mut self, other: &Uid) -> Result<(), MergeError> {
        let known = self.devices.get(other).ok_or_else(|| MergeError::Unknown(other.clone()))?;
        if known.merged_into.is_none() {
            return Err(MergeError::NotMerged(other.clone()));
        }
        self.set_merged(other, None);
        Ok(())
    }

    fn set_merged(&mut self, uid: &Uid, into: Option<Uid>) {
        self.touched.extend([Some(uid.clone()), into.clone()].into_iter().flatten());
        if let Some(known) = self.devices.get_mut(uid) {
            self.touched.extend(known.merged_into.clone());
            known.merged_into = into;
        }
    }

    /// The end of a user's mute of one device, or its beginning.
    pub fn mute_until(&mut self, uid: &Uid, until: Option<Timestamp>, why: Option<String>) -> bool {
        let uid = self.root(uid);
        let Some(known) = self.devices.get_mut(&uid) else { return false };
        (known.note.muted_until, known.note.muted_why) = (until, why);
        self.touched.insert(uid);
        true
    }
}
