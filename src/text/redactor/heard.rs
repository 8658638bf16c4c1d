//! What the process has heard and sent that makes secrets of passwords. A log line is written at once: what makes a secret of a
//! password has to be known before anything of the answer is spoken of that names it. Clients take note of it as soon as the
//! head of an answer is read, and all redactors know it from then on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// The longest realm, nonce or proof, in bytes; those of devices have some dozens.
pub(super) const LONGEST: usize = 512;
/// The most realms that are remembered, and the most of what was sent; what was heard first is forgotten first.
const MOST: usize = 4096;

/// What secrets of passwords are made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// A realm, as it was sent.
    Realm(Vec<u8>),
    /// An answer to a challenge.
    Session(Session),
    /// What was sent in place of a password.
    Proof(Vec<u8>),
}

/// An answer to a challenge of Digest, but for the password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// The user.
    pub user: Vec<u8>,
    /// The realm.
    pub realm: Vec<u8>,
    /// The device's nonce.
    pub nonce: Vec<u8>,
    /// Our own.
    pub cnonce: Vec<u8>,
}

/// With their numbers.
type Numbered = VecDeque<(u64, Heard)>;

/// What was sent is new with each request, and drives no realm out.
static REALMS: RwLock<Numbered> = RwLock::new(VecDeque::new());
static SENT: RwLock<Numbered> = RwLock::new(VecDeque::new());
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Takes note of a realm that a device named.
pub fn hear_realm(realm: &[u8]) {
    let is_same = |heard: &Heard| matches!(heard, Heard::Realm(known) if known == realm);
    let is_known = || read(&REALMS).iter().any(|(_, heard)| is_same(heard));
    if realm.len() <= LONGEST && !is_known() {
        hear(&REALMS, Heard::Realm(realm.to_vec()));
    }
}

/// Takes note of an answer to a challenge, before it is sent.
pub fn hear_session(session: Session) {
    let parts = [&session.user, &session.realm, &session.nonce, &session.cnonce];
    if parts.iter().all(|part| part.len() <= LONGEST) {
        hear(&SENT, Heard::Session(session));
    }
}

/// Takes note of what goes in place of a password, before it is sent.
pub fn hear_proof(proof: &[u8]) {
    if proof.len() <= LONGEST {
        hear(&SENT, Heard::Proof(proof.to_vec()));
    }
}

fn hear(all: &RwLock<Numbered>, heard: Heard) {
    let mut all = all.write().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= MOST {
        all.pop_front();
    }
    // The lock is still held: what the number is of is found by the time it is seen.
    let number = COUNT.fetch_add(1, Ordering::AcqRel) + 1;
    all.push_back((number, heard));
}

fn read(all: &RwLock<Numbered>) -> RwLockReadGuard<'_, Numbered> {
    all.read().unwrap_or_else(PoisonError::into_inner)
}

/// How much was heard so far.
pub(super) fn count() -> u64 {
    COUNT.load(Ordering::Acquire)
}

/// Gives what was heard after the first `from`, as far as it is remembered.
pub(super) fn since(from: u64, mut each: impl FnMut(&Heard)) {
    for all in [&REALMS, &SENT] {
        let all = read(all);
        let fresh = all.iter().rev().take_while(|(number, _)| *number > from).count();
        all.iter().skip(all.len() - fresh).for_each(|(_, heard)| each(heard));
    }
}
