//! What is muted.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Sight, fingerprint};
use crate::history::memory::{Known, Mute, MuteScope};

/// A mute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MuteView {
    /// What it is ended by.
    pub id: String,
    /// What is muted.
    pub scope: MuteScope,
    /// From when on.
    pub began: Timestamp,
    /// Until when; absent: until somebody ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether it holds now.
    pub on: bool,
    /// How many devices it covers.
    pub devices: u64,
}

/// The id of a mute: that of its scope, of which there is one.
pub fn mute_id(scope: &MuteScope) -> String {
    format!("m_{}", fingerprint(scope))
}

impl Sight {
    /// A mute.
    pub fn mute(&self, mute: &Mute) -> MuteView {
        let covered = self.memory.roots().filter(|known| known.archived_at.is_none() && mute.covers(known)).count();
        MuteView {
            id: mute_id(&mute.scope),
            scope: mute.scope.clone(),
            began: mute.began,
            ends: mute.ended,
            why: mute.why.clone(),
            by: mute.by.clone(),
            on: mute.is_on(self.now),
            devices: covered as u64,
        }
    }

    /// All mutes that have not ended.
    pub fn mutes(&self) -> Vec<MuteView> {
        let lasts = |mute: &&Mute| mute.ended.is_none_or(|ended| self.now < ended);
        self.memory.mutes.iter().filter(lasts).map(|mute| self.mute(mute)).collect()
    }
}

/// The mutes that cover a device now; one in its note, as earlier versions wrote it, is among them.
pub fn mutes_of(sight: &Sight, known: &Known) -> Vec<MuteView> {
    let covers = |mute: &&Mute| mute.is_on(sight.now) && mute.covers(known);
    let mut all: Vec<MuteView> = sight.memory.mutes.iter().filter(covers).map(|mute| sight.mute(mute)).collect();
    if let Some(until) = known.note.muted_until.filter(|until| sight.now < *until) {
        let scope = MuteScope::Device(known.uid.clone());
        let why = known.note.muted_why.clone();
        let began = Timestamp::UNIX_EPOCH;
        all.push(sight.mute(&Mute { scope, began, ended: Some(until), why, by: None }));
    }
    all
}
