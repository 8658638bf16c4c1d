//! How many logins a device may still refuse, over scans, checks and restarts.

use jiff::Timestamp;

use crate::history::memory::Known;
use crate::model::memory::Uid;
use crate::model::{Credential, Device, KnownHost};
use crate::scan::session::Session;
use crate::store::{Store, StoreError};

/// Refused logins in 24 hours, over everything that this process and others before it did.
const MOST_REFUSED_A_DAY: u32 = 2;

/// All of a device's refusals are counted in one place, whichever login it was: the device counts them so.
fn any_login() -> Credential {
    Credential::new("", "")
}

/// What is known about a device's logins before it is asked.
pub(super) fn known_host(
    known: &Known,
    session: &Session,
    store: &Store,
    now: Timestamp,
) -> Result<KnownHost, StoreError> {
    let record = store.login(&known.uid, store.login_hash(&any_login())?, now)?;
    let refused = u32::try_from(record.refused_at.len()).unwrap_or(u32::MAX);
    let left = if known.login_rests() { 0 } else { MOST_REFUSED_A_DAY.saturating_sub(refused) };
    Ok(KnownHost { login: session.login_of(&known.device), refusals_left: Some(left) })
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
    if let Some(login) = session.login_of(device) {
        store.record_login(uid, store.login_hash(&login)?, at, true)?;
    }
    for _ in 0..refused {
        store.record_login(uid, store.login_hash(&any_login())?, at, false)?;
    }
    Ok(())
}
