//! A scan while it runs, and what it came to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::Watch;
use super::news::{News, ScanOrder};
use super::pictures::{self, Taken};
use crate::history::memory::Sight;
use crate::model::Report;
use crate::model::memory::Uid;
use crate::store::StoreError;

/// A scan that could not be made is tried again after this.
pub(super) const AFTER_FAILURE: SignedDuration = SignedDuration::from_mins(5);

/// The scan that runs.
pub(super) struct Running {
    pub(super) order: ScanOrder,
    pub(super) cancel: CancellationToken,
}

/// What a scan found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) report: Report,
    /// By the position of the device.
    pub(super) pictures: Vec<(usize, Taken)>,
    /// The hosts that answered.
    pub(super) hosts: BTreeSet<IpAddr>,
    /// What this machine could see meanwhile.
    pub(super) sight: Sight,
}

/// Notes a picture, and tells of it.
pub(super) fn note_picture(watch: &Watch, uid: &Uid, taken: &Taken, at: Timestamp) -> Result<(), StoreError> {
    let Some(folder) = &watch.pictures else { return Ok(()) };
    // A user may have forgotten the device meanwhile, or there was no room for it.
    if !watch.store.memory()?.devices.contains_key(uid) {
        return Ok(());
    }
    pictures::note(&watch.store, folder, uid, taken, at)?;
    watch.follower.news(&News::Picture(uid, &taken.key));
    Ok(())
}
