//! How many logins a device may still refuse, over scans, checks and restarts.

use jiff::Timestamp;

use crate::history::memory::Known;
use crate::model::memory::Uid;
use crate::model::{Device, KnownHost};
use crate::scan::session::Session;
use crate::store::{Store, StoreError};

/// What is known about a device's logins before it is asked.
pub(super) fn known_host(
    known: &Known,
    session: &Session,
    store: &Store,
    now: Timestamp,
) -> Result<KnownHost, StoreError> {
    store.known_host(known, session.login_of(&known.device), now)
}

/// Notes which login worked at a device, and how many were refused.
pub(super) fn note(
    uid: &Uid,
    device: &Device,
    refused: u32,
    session: &Session,
    store: &Store,
    at: Timestamp,
) -> Result<(), StoreError> {
    store.note_logins(uid, session.login_of(device).as_ref(), refused, at)
}
