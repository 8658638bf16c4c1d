//! Takes the user's own passwords out of whatever a device sent. A device that was given a login knows it, and may put it
//! into a name, a reason, an address: whoever passes the report on would pass the password on.
//!
//! A password is found as it was typed, in whatever case; with any of its characters percent-encoded, escaped by a
//! backslash or written as an entity of XML; with letters of full width, of ornament or with accents; in hexadecimal digits
//! and in Base64, alone and together with the user name; in the further forms that the caller names; as what Digest makes of
//! it, for each realm that was heard ([`heard`], [`Redactor::learn_realm`]), and what Windows keeps of it; and as the beginning of itself where a text was cut.
//!
//! How much is taken for it depends on how telling it is:
//! - eight characters and more that are not digits alone: wherever they stand,
//! - four and more: as a word, nothing alphanumeric before or after it,
//! - fewer, and words that stand in every other report anyway (`camera`, `Hikvision`, `main`, the user's own name): only
//!   where a login stands: `key=value`, `key: value`, `user:password@`, after the user's name. Taken out of everywhere
//!   they would hide the report, and the gaps would tell what they are.

mod digests;
mod forms;
pub mod heard;
mod readings;
mod search;
mod secrets;
mod view;

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use digests::Digests;
use forms::forms;
use heard::Session;
use readings::Readings;
use secrets::Secrets;
use view::{plain, units};

/// What stands for a secret.
pub const HIDDEN: &str = "***";

/// How often a text is gone through again: what was taken out may leave a word that stood against it.
const MOST_ROUNDS: usize = 4;

/// Names of values that are never a login, though a short password may equal them.
const PLAIN_KEYS: [&str; 12] = [
    "content-length",
    "cseq",
    "framerate",
    "length",
    "level",
    "packetization-mode",
    "port",
    "rtpmap",
    "seq",
    "status",
    "timeout",
    "version",
];

/// One login that must not be seen.
#[derive(Clone)]
pub struct Login<'l> {
    /// The user name, which may be seen.
    pub user: &'l str,
    /// The password.
    pub password: &'l str,
    /// What else goes on the wire in its place: digests that are as good as the password.
    pub digests: Vec<String>,
}

/// Words that are no secret even when somebody has chosen one for a password.
#[derive(Debug, Clone, Default)]
pub struct CommonWords {
    /// Words that stand in reports of whatever device, in lower case.
    pub words: HashSet<String>,
    /// Names of values that are never a login, in lower case.
    pub keys: HashSet<String>,
}

/// Takes passwords out of texts. Clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor(Arc<Known>);

#[derive(Default)]
struct Known {
    secrets: Secrets,
    logins: usize,
    keys: HashSet<String>,
    digests: Digests,
}

/// It holds passwords.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} logins)", self.0.logins)
    }
}

impl Redactor {
    /// One that knows these logins.
    pub fn new<'l>(logins: impl IntoIterator<Item = Login<'l>>, common: CommonWords) -> Self {
        let logins: Vec<Login<'_>> = logins.into_iter().collect();
        let CommonWords { mut words, mut keys } = common;
        words.extend(logins.iter().map(|login| login.user.to_lowercase()));
        keys.extend(PLAIN_KEYS.map(str::to_owned));
        let given = logins.iter().filter(|login| !login.password.is_empty());
        let digests = Digests::of(given.map(|login| (login.user.to_owned(), login.password.to_owned())).collect());
        let mut known = Known { keys, digests, logins: logins.len(), ..Known::default() };
        for login in &logins {
            for (form, telling) in forms(login, &words) {
                let chars = plain(&units(&form));
                // A password of asterisks is hidden by what stands for it.
                if chars.iter().any(|c| *c != '*') {
                    known.secrets.add(&chars, telling);
                }
            }
            known.secrets.add_user(&plain(&units(login.user)));
        }
        Redactor(Arc::new(known))
    }

    /// The same, which of these logins knows what is made of their passwords with realms and nonces, and nothing else: words that
    /// stand in other texts as well.
    pub fn with_digests_of(mut self, logins: impl IntoIterator<Item = (String, String)>) -> Self {
        if let Some(known) = Arc::get_mut(&mut self.0) {
            let digests = std::mem::take(&mut known.digests);
            known.digests = digests.and(logins);
        }
        self
    }

    /// Takes note of a realm that a device named in a challenge: of the passwords, what Digest makes of them for it is taken
    /// out from now on, in the clones too. Some ten thousand are remembered.
    pub fn learn_realm(&self, realm: &str) {
        self.0.digests.learn(realm.as_bytes());
    }

    /// The same of a realm as it was sent, in whatever encoding.
    pub fn learn_sent_realm(&self, realm: &[u8]) {
        self.0.digests.learn(realm);
    }

    /// Takes note of an answer to a challenge: the secrets of its session are taken out from now on.
    pub fn learn_session(&self, session: &Session) {
        self.0.digests.learn_session(session);
    }

    /// Takes note of what was sent in place of a password, in hexadecimal digits or in Base64.
    pub fn learn_proof(&self, proof: &[u8]) {
        self.0.digests.learn_proof(proof);
    }

    /// Takes note of the realms in a text, where they stand as in a challenge: `realm="…"`.
    pub fn learn_from(&self, text: &str) {
        for (at, name) in text.match_indices("ealm=") {
            let value = text.get(at + name.len()..).unwrap_or_default().trim_start_matches('\\');
            let realm = value.strip_prefix('"').and_then(|rest| rest.split_once('"'));
            realm.into_iter().for_each(|(realm, _)| self.learn_realm(realm.trim_end_matches('\\')));
        }
    }

    /// Whether a password stands in the text.
    pub fn finds_in(&self, text: &str) -> bool {
        !self.find(text).is_empty()
    }

    /// The text with `***` in place of every password.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.knows_nothing() {
            self.learn_from(text);
        }
        let mut shown = Cow::Borrowed(text);
        for _ in 0..MOST_ROUNDS {
            let found = self.find(&shown);
            if found.is_empty() {
                break;
            }
            shown = Cow::Owned(without(&shown, &found));
        }
        shown
    }

    /// The text with `***` in place of what Digest makes of the passwords, for the realms that were heard since it was
    /// [redacted](Redactor::redact); of our own words nothing can be taken for that.
    pub fn redact_digests<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = apart(self.0.digests.find(&Readings::of(text)));
        if found.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(without(text, &found)) }
    }

    /// The value of what is called `name`, as [`Redactor::redact`] leaves it where both stand together.
    pub fn redact_value<'t>(&self, name: &str, value: &'t str) -> Cow<'t, str> {
        if self.knows_nothing() {
            return Cow::Borrowed(value);
        }
        // The name may be anything; here it only says that a value follows.
        let key = if self.0.keys.contains(&name.to_lowercase()) { "timeout: " } else { "value: " };
        let both = format!("{key}{value}");
        match self.redact(&both) {
            Cow::Borrowed(_) => Cow::Borrowed(value),
            Cow::Owned(shown) => Cow::Owned(shown.strip_prefix(key).unwrap_or(HIDDEN).to_owned()),
        }
    }

    fn knows_nothing(&self) -> bool {
        self.0.secrets.is_empty() && self.0.digests.is_empty()
    }

    /// Where passwords stand in a text, in bytes: in order, none touching another.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        if self.knows_nothing() {
            return Vec::new();
        }
        let readings = Readings::of(text);
        let mut found = search::find(text, &readings, &self.0.secrets, &self.0.keys);
        found.extend(self.0.digests.find(&readings));
        apart(found)
    }
}

/// Ranges in order, none touching another.
fn apart(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

fn without(text: &str, found: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in found {
        out.push_str(text.get(at..range.start).unwrap_or_default());
        out.push_str(HIDDEN);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
