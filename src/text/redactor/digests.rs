//! What is made of a password and is as good as it: what Digest makes of it wherever the realm is the same (RFC 7616 §3.4.2),
//! what Windows keeps of it, and what was sent in its place. A device that knows the password can compute all of them for
//! every realm it names, and write them in hexadecimal digits or in Base64.

use crate::text::hex;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md4::Md4;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512_256};

use super::super::steps;
use super::heard::{self, Heard, Session};
use super::readings::Readings;

/// The most of them that are known: a device names as many realms as it likes.
pub(super) const MOST: usize = 1 << 16;
/// The most that is known of what was sent.
const MOST_SENT: usize = 1 << 13;
/// How long they are in hexadecimal digits and in Base64: of 16, of 20 and of 32 bytes.
const LONG: [usize; 6] = [22, 27, 32, 40, 43, 64];
/// The longest of them.
const LONGEST: usize = 64;

/// Those of some logins.
pub(super) struct Digests {
    /// Users and passwords.
    logins: Vec<(String, String)>,
    known: RwLock<Known>,
    marks: Marks,
}

#[derive(Default)]
struct Known {
    realms: HashSet<Vec<u8>>,
    /// The marks of their writings.
    marks: HashSet<u64>,
    /// Those of what is sent, which is new with each request: the oldest are forgotten.
    sent: VecDeque<u64>,
    /// What was heard by the process up to here is known.
    heard: u64,
}

impl Known {
    /// Takes note of the marks of something that is sent.
    fn send(&mut self, marks: impl IntoIterator<Item = u64>) {
        for mark in marks {
            if self.marks.insert(mark) {
                self.sent.push_back(mark);
            }
            if self.sent.len() > MOST_SENT {
                let oldest = self.sent.pop_front();
                oldest.into_iter().for_each(|mark| _ = self.marks.remove(&mark));
            }
        }
    }
}

impl Default for Digests {
    fn default() -> Self {
        Digests::of(Vec::new())
    }
}

impl Digests {
    /// These, and those of further logins.
    pub(super) fn and(self, logins: impl IntoIterator<Item = (String, String)>) -> Digests {
        let further = logins.into_iter().filter(|(_, password)| !password.is_empty());
        Digests::of(self.logins.into_iter().chain(further).collect())
    }

    /// Of no login.
    pub(super) fn is_empty(&self) -> bool {
        self.logins.is_empty()
    }

    /// Of these logins: of the passwords alone as yet.
    pub(super) fn of(logins: Vec<(String, String)>) -> Digests {
        let digests = Digests { logins, known: RwLock::default(), marks: Marks::new() };
        let mut known = Known::default();
        for (_, password) in &digests.logins {
            let utf16: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
            digests.put(&mut known, &Md5::digest(password));
            digests.put(&mut known, &Sha1::digest(password));
            digests.put(&mut known, &Sha256::digest(password));
            // The hash of NTLM ([MS-NLMP] 3.3.1).
            digests.put(&mut known, &Md4::digest(utf16));
        }
        Digests { known: RwLock::new(known), ..digests }
    }

    /// Takes note of a realm. One beyond the bound is not remembered.
    pub(super) fn learn(&self, realm: &[u8]) {
        if self.logins.is_empty() || realm.len() > heard::LONGEST {
            return;
        }
        if self.known.read().unwrap_or_else(PoisonError::into_inner).realms.contains(realm) {
            return;
        }
        self.learn_in(&mut self.known.write().unwrap_or_else(PoisonError::into_inner), realm);
    }

    fn learn_in(&self, known: &mut Known, realm: &[u8]) {
        // Each digest in two writings.
        if known.marks.len() - known.sent.len() + 6 * self.logins.len() > MOST || !known.realms.insert(realm.to_vec()) {
            return;
        }
        for (user, password) in &self.logins {
            let secret = [user.as_bytes(), realm, password.as_bytes()].join(&b':');
            self.put(known, &Md5::digest(&secret));
            self.put(known, &Sha256::digest(&secret));
            self.put(known, &Sha512_256::digest(&secret));
        }
    }

    /// Takes note of the secrets of a session, which are made with the nonces of both sides (RFC 7616 §3.4.2), and of the proof
    /// that was sent in it.
    pub(super) fn learn_session(&self, session: &Session) {
        if !self.logins.is_empty() {
            self.learn_session_in(&mut self.known.write().unwrap_or_else(PoisonError::into_inner), session);
        }
    }

    fn learn_session_in(&self, known: &mut Known, session: &Session) {
        for (user, password) in self.logins.iter().filter(|(user, _)| user.as_bytes() == session.user) {
            let secret = [user.as_bytes(), &session.realm, password.as_bytes()].join(&b':');
            let of = |secret: String| [secret.as_bytes(), &session.nonce, &session.cnonce].join(&b':');
            let made = [
                Md5::digest(of(hex(&Md5::digest(&secret)))).to_vec(),
                Sha256::digest(of(hex(&Sha256::digest(&secret)))).to_vec(),
                Sha512_256::digest(of(hex(&Sha512_256::digest(&secret)))).to_vec(),
            ];
            made.iter().for_each(|digest| known.send(self.writings(digest)));
        }
    }

    /// Takes note of what was sent in place of a password: passwords can be tried against it at leisure.
    pub(super) fn learn_proof(&self, proof: &[u8]) {
        if !self.logins.is_empty() {
            let mark = self.marks.of(&String::from_utf8_lossy(proof));
            self.known.write().unwrap_or_else(PoisonError::into_inner).send(mark);
        }
    }

    /// Takes note of what the process heard since.
    fn catch_up(&self) {
        let until = heard::count();
        if self.logins.is_empty() || self.known.read().unwrap_or_else(PoisonError::into_inner).heard == until {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let from = known.heard;
        heard::since(from, |heard| match heard {
            Heard::Realm(realm) => self.learn_in(&mut known, realm),
            Heard::Session(session) => self.learn_session_in(&mut known, session),
            Heard::Proof(proof) => known.send(self.marks.of(&String::from_utf8_lossy(proof))),
        });
        known.heard = until;
    }

    /// Takes note of a digest in each of its writings.
    fn put(&self, known: &mut Known, digest: &[u8]) {
        known.marks.extend(self.writings(digest));
    }

    /// The marks of a digest in each of its writings.
    fn writings(&self, digest: &[u8]) -> impl Iterator<Item = u64> + use<> {
        [hex(digest), STANDARD_NO_PAD.encode(digest)].map(|text| self.marks.of(&text)).into_iter().flatten()
    }

    /// Where they stand, in bytes.
    pub(super) fn find(&self, readings: &Readings) -> Vec<Range<usize>> {
        self.catch_up();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        if known.marks.is_empty() {
            return found;
        }
        for view in readings.views() {
            let mut run = self.marks.run();
            for (at, unit) in view.iter().enumerate() {
                for long in run.take(unit.c, &self.marks, &known.marks).into_iter().flatten() {
                    let first = view.get(at + 1 - long).and_then(|unit| readings.units.get(unit.from));
                    let last = readings.units.get(unit.to - 1);
                    found.extend(first.zip(last).map(|(first, last)| first.from..last.to));
                }
            }
        }
        found
    }

    /// How many are known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).marks.len()
    }
}

/// Each writing of a digest has a mark, a number that a text's characters give one after the other: the value of a polynomial
/// at a place that no device knows, so that none can make up a text that is looked at for long.
struct Marks {
    base: u64,
    /// The base to the power of each length.
    powers: [u64; LONG.len()],
}

/// A prime number for which remainders are cheap, and chance finds the mark of another text hardly ever.
const PRIME: u64 = (1 << 61) - 1;

impl Marks {
    fn new() -> Marks {
        let base = RandomState::new().hash_one(0) % (PRIME - 256) + 256;
        let powers = LONG.map(|long| (0..long).fold(1, |power, _| times(power, base)));
        Marks { base, powers }
    }

    /// The mark of a text, if it is as long as a digest.
    fn of(&self, text: &str) -> Option<u64> {
        let text = text.trim_end_matches('=');
        let is_long = LONG.contains(&text.chars().count());
        let mark = |mark, c: char| (times(mark, self.base) + number(c.to_ascii_lowercase()).unwrap_or(0)) % PRIME;
        is_long.then(|| text.chars().fold(0, mark))
    }

    fn run(&self) -> Run {
        Run { marks: [0; LONGEST + 1], long: 0 }
    }
}

/// Characters in a row of which digests are written.
struct Run {
    /// The marks of the beginnings of the run, the last ones.
    marks: [u64; LONGEST + 1],
    long: usize,
}

impl Run {
    /// Takes one more character. How long the digests are that end with it.
    fn take(&mut self, c: char, marks: &Marks, known: &HashSet<u64>) -> [Option<usize>; LONG.len()] {
        let slot = |long: usize| long % (LONGEST + 1);
        let Some(number) = number(c) else {
            *self = marks.run();
            return [None; LONG.len()];
        };
        steps::look_at(LONG.len());
        let before = self.marks.get(slot(self.long)).copied().unwrap_or(0);
        let all = (times(before, marks.base) + number) % PRIME;
        self.long += 1;
        self.marks.get_mut(slot(self.long)).into_iter().for_each(|mark| *mark = all);
        let mut powers = marks.powers.iter();
        LONG.map(|long| {
            let power = powers.next().copied().unwrap_or(0);
            let from = self.long.checked_sub(long)?;
            let before = self.marks.get(slot(from)).copied().unwrap_or(0);
            let mark = (all + PRIME - times(before, power)) % PRIME;
            known.contains(&mark).then_some(long)
        })
    }
}

/// The number of a character of hexadecimal digits or of Base64 (RFC 4648 §4, §5), whose letters are folded; else none.
fn number(c: char) -> Option<u64> {
    match c {
        'a'..='z' | '0'..='9' => Some(u64::from(c)),
        '+' | '-' => Some(u64::from('+')),
        '/' | '_' => Some(u64::from('/')),
        _ => None,
    }
}

fn times(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b) % u128::from(PRIME);
    u64::try_from(product).unwrap_or(0)
}
