//! What Digest makes of a password. It is as good as the password wherever the realm is the same (RFC 7616 §3.4.2), and a
//! device that knows the password can compute it for every realm it names.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};

use super::view::Unit;

/// The most of them that are known: a device names as many realms as it likes.
pub(super) const MOST: usize = 1 << 16;
/// The longest realm, in bytes; those of devices have some dozens.
const LONGEST_REALM: usize = 512;

/// Those of some logins.
#[derive(Default)]
pub(super) struct Digests {
    /// Users and passwords.
    logins: Vec<(String, String)>,
    heard: RwLock<Heard>,
}

#[derive(Default)]
struct Heard {
    realms: HashSet<String>,
    /// In hexadecimal digits, lower case.
    digests: HashSet<String>,
}

impl Digests {
    /// Of these logins: of the passwords alone as yet.
    pub(super) fn of(logins: Vec<(String, String)>) -> Digests {
        let alone = |(_, password): &(String, String)| [hex(&Md5::digest(password)), hex(&Sha256::digest(password))];
        let digests = logins.iter().flat_map(alone).collect();
        Digests { heard: RwLock::new(Heard { realms: HashSet::new(), digests }), logins }
    }

    /// Takes note of a realm. One beyond the bound is not remembered.
    pub(super) fn learn(&self, realm: &str) {
        let is_known =
            |heard: &Heard| heard.realms.contains(realm) || heard.digests.len() + 3 * self.logins.len() > MOST;
        if self.logins.is_empty() || realm.len() > LONGEST_REALM {
            return;
        }
        if is_known(&self.heard.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut heard = self.heard.write().unwrap_or_else(PoisonError::into_inner);
        heard.realms.insert(realm.to_owned());
        for (user, password) in &self.logins {
            let secret = format!("{user}:{realm}:{password}");
            let of_all = [hex(&Md5::digest(&secret)), hex(&Sha256::digest(&secret)), hex(&Sha512_256::digest(&secret))];
            heard.digests.extend(of_all);
        }
    }

    /// Where they stand as words, in bytes.
    pub(super) fn find(&self, view: &[Unit]) -> Vec<Range<usize>> {
        let heard = self.heard.read().unwrap_or_else(PoisonError::into_inner);
        let words = view.split(|unit| !unit.c.is_alphanumeric()).filter(|word| matches!(word.len(), 32 | 64));
        let known = words.filter(|word| heard.digests.contains(&word.iter().map(|unit| unit.c).collect::<String>()));
        known.filter_map(|word| Some(word.first()?.from..word.last()?.to)).collect()
    }

    /// How many are known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heard.read().unwrap_or_else(PoisonError::into_inner).digests.len()
    }
}

/// Hexadecimal digits, lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
