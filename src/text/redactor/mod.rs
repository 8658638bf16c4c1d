//! Takes the user's own passwords out of whatever a device sent. A device that was given a login knows it, and may put it
//! into a name, a reason, an address: whoever passes the report on would pass the password on.
//!
//! A password is found as it was typed, in whatever case; with any of its characters percent-encoded, escaped by a
//! backslash or written as an entity of XML; with letters of full width, of ornament or with accents; in hexadecimal digits
//! and in Base64, alone and together with the user name; in the further forms that the caller names; as what Digest makes of
//! it, for each realm that was heard ([`Redactor::learn_realm`]); and as the beginning of itself where a text was cut.
//!
//! How much is taken for it depends on how telling it is:
//! - eight characters and more that are not digits alone: wherever they stand,
//! - four and more: as a word, nothing alphanumeric before or after it,
//! - fewer, and words that stand in every other report anyway (`camera`, `Hikvision`, `main`, the user's own name): only
//!   where a login stands: `key=value`, `key: value`, `user:password@`, after the user's name. Taken out of everywhere
//!   they would hide the report, and the gaps would tell what they are.

mod digests;
mod view;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::steps;
use digests::{Digests, hex};
use view::{LONGEST_ESCAPE, Unit, and_deeper, decoded, insides, plain, units, views};

/// What stands for a secret.
pub const HIDDEN: &str = "***";

/// From so many characters on, a password is taken out as a word wherever it stands.
const WORD_FROM: usize = 4;

/// From so many characters on, also within a word.
const PART_FROM: usize = 8;

/// So many characters before a secret decide whether it stands where a login does.
const CONTEXT: usize = 80;

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
    /// By the first character: lists of logins may be long.
    secrets: HashMap<char, Vec<Secret>>,
    users: Vec<Vec<char>>,
    keys: HashSet<String>,
    digests: Digests,
}

struct Secret {
    chars: Vec<char>,
    telling: Telling,
}

/// Where a secret is taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Telling {
    /// Where a login stands.
    InPlace,
    /// As a word.
    Word,
    /// Wherever it stands.
    Anywhere,
}

/// It holds passwords.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} logins)", self.0.users.len())
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
        let mut known = Known { keys, digests, ..Known::default() };
        let mut seen = BTreeSet::new();
        for login in &logins {
            for (form, telling) in forms(login, &words) {
                let chars = plain(&units(&form));
                // A password of asterisks is hidden by what stands for it.
                let shows = chars.iter().any(|c| *c != '*');
                if let Some(&first) = chars.first().filter(|_| shows && seen.insert((chars.clone(), telling))) {
                    known.secrets.entry(first).or_default().push(Secret { chars, telling });
                }
            }
            known.users.push(plain(&units(login.user)));
        }
        known.users.retain(|user| !user.is_empty());
        known.users.sort();
        known.users.dedup();
        Redactor(Arc::new(known))
    }

    /// Takes note of a realm that a device named in a challenge: of the passwords, what Digest makes of them for it is taken
    /// out from now on, in the clones too. Some ten thousand are remembered.
    pub fn learn_realm(&self, realm: &str) {
        self.0.digests.learn(realm);
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
        if !self.0.secrets.is_empty() {
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
        let found = apart(views(text).iter().flat_map(|view| self.0.digests.find(view)).collect());
        if found.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(without(text, &found)) }
    }

    /// The value of what is called `name`, as [`Redactor::redact`] leaves it where both stand together.
    pub fn redact_value<'t>(&self, name: &str, value: &'t str) -> Cow<'t, str> {
        if self.0.secrets.is_empty() {
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

    /// Where passwords stand in a text, in bytes: in order, none touching another.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        if self.0.secrets.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for view in views(text) {
            for (at, unit) in view.iter().enumerate() {
                let secrets = self.0.secrets.get(&unit.c).into_iter().flatten();
                found.extend(secrets.filter_map(|secret| self.find_at(text, &view, at, secret)));
            }
            found.extend(self.find_in_escapes(text, &view));
            found.extend(self.0.digests.find(&view));
        }
        apart(found)
    }

    /// Secrets whose first character was taken for a part of an escape: in `%AaA%20b` the sign of percent may stand before
    /// the secret `AaA b`. What follows it is read from that character on.
    fn find_in_escapes(&self, text: &str, view: &[Unit]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for (within, decode) in insides(view) {
            let Some(unit) = view.get(within) else { continue };
            for secret in self.0.secrets.get(&unit.c).into_iter().flatten() {
                let end = view.len().min(within + secret.chars.len() * LONGEST_ESCAPE);
                let Some(rest) = view.get(within..end).and_then(|rest| decoded(rest, decode)) else { continue };
                let from = within.saturating_sub(CONTEXT);
                let before = view.get(from..within).unwrap_or_default();
                for rest in and_deeper(rest) {
                    found.extend(self.find_at(text, &[before, &rest].concat(), before.len(), secret));
                }
            }
        }
        found
    }

    /// The bytes of a secret that begins here.
    fn find_at(&self, text: &str, view: &[Unit], at: usize, secret: &Secret) -> Option<Range<usize>> {
        let rest = view.get(at..)?;
        let same = rest.iter().zip(&secret.chars).take_while(|(unit, c)| unit.is(**c)).count();
        let is_whole = same == secret.chars.len();
        if !is_whole && !is_cut(rest, same, secret.telling) {
            return None;
        }
        let end = at + same;
        let is_meant = match secret.telling {
            Telling::Anywhere => true,
            Telling::Word => is_bounded(view, at, end, !is_whole),
            Telling::InPlace => is_bounded(view, at, end, false) && self.is_in_place(view, at, end),
        };
        let found = rest.get(..same).filter(|_| is_meant)?;
        let span = found.first()?.from..found.last()?.to;
        (!is_in_address(text, &span)).then_some(span)
    }

    /// Whether what stands there would be a login, whatever it is.
    fn is_in_place(&self, view: &[Unit], at: usize, end: usize) -> bool {
        let before = view.get(..at).unwrap_or_default();
        let after = view.get(end).map(|unit| unit.c);
        let last = before.last().map(|unit| unit.c);
        (last == Some(':') && after == Some('@'))
            || self.is_value(before, after)
            || self.0.users.iter().any(|user| follows_user(before, user))
    }

    /// Whether a whole value stands between: a name and `=` or `:` before it, a sign that ends it after it.
    fn is_value(&self, before: &[Unit], after: Option<char>) -> bool {
        let text: String = before.iter().rev().take(CONTEXT).map(|unit| unit.c).collect();
        let quoted = text.trim_start_matches(['"', '\'']);
        let sign = quoted.trim_start_matches(' ');
        // After `key: ` everything up to the end of the line is the value, after `key=` a word.
        let is_line = sign.starts_with(':') && sign.len() < quoted.len() && quoted.len() == text.len();
        let ends = if is_line { "\n,;\"')]}>…" } else { " \n&;,\"'/#@)]>}?|_%\\*…" };
        let Some(name) = sign.strip_prefix(['=', ':']) else { return false };
        let name = name.trim_start_matches([' ', '"', '\'']);
        let name: String = name.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
        let name: String = name.chars().rev().collect();
        // The last field of `user=a_password=b`, and `key` of `a.key`.
        let last = name.rsplit(['_', '.']).next().unwrap_or_default();
        after.is_none_or(|c| ends.contains(c))
            && last.chars().next().is_some_and(char::is_alphabetic)
            && ![last, name.as_str()].iter().any(|name| self.0.keys.contains(*name))
    }
}

/// How a login may be written, and where each form is taken for it.
fn forms(login: &Login<'_>, common: &HashSet<String>) -> Vec<(String, Telling)> {
    let password = login.password.trim();
    let telling = |text: &str| {
        let long = text.chars().count();
        match common.contains(&text.to_lowercase()) || long < WORD_FROM {
            true => Telling::InPlace,
            false if long < PART_FROM || text.bytes().all(|b| b.is_ascii_digit()) => Telling::Word,
            false => Telling::Anywhere,
        }
    };
    let mut forms = Vec::new();
    if !password.is_empty() {
        forms.push((password.to_owned(), telling(password)));
        forms.push((password.replace(' ', "+"), telling(password)));
    }
    if !password.is_ascii() {
        // Sent back in Latin-1, or read as such.
        let latin: String = password.chars().map(|c| if c.is_ascii() { c } else { '\u{fffd}' }).collect();
        forms.push((latin, telling(password)));
        forms.push((password.bytes().map(char::from).collect(), telling(password)));
    }
    if !password.is_empty() {
        let both = format!("{}:{}", login.user, login.password);
        for (bytes, telling) in [(both.as_str(), Telling::Word), (login.password, telling(password))] {
            for form in [STANDARD_NO_PAD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)] {
                let is_long = telling != Telling::InPlace && form.len() >= PART_FROM;
                forms.push((form, if is_long { Telling::Anywhere } else { telling }));
            }
        }
        let digits = hex(login.password.as_bytes());
        let is_long = telling(password) != Telling::Anywhere && digits.len() >= PART_FROM;
        forms.push((digits, if is_long { Telling::Word } else { telling(password) }));
        forms.extend(login.digests.iter().map(|digest| (digest.clone(), Telling::Word)));
    }
    forms
}

/// Whether a text was cut within a secret, of which it still holds `same` characters.
fn is_cut(rest: &[Unit], same: usize, telling: Telling) -> bool {
    telling != Telling::InPlace && same >= WORD_FROM && rest.get(same).is_some_and(|unit| unit.c == '…')
}

/// Whether nothing alphanumeric goes on before or after it where it is alphanumeric itself.
fn is_bounded(view: &[Unit], at: usize, end: usize, is_cut: bool) -> bool {
    let is_letter = |at: Option<usize>| at.and_then(|at| view.get(at)).is_some_and(|unit| unit.c.is_alphanumeric());
    let goes_on = |inner: usize, outer: Option<usize>| is_letter(Some(inner)) && is_letter(outer);
    !goes_on(at, at.checked_sub(1)) && (is_cut || !goes_on(end - 1, Some(end)))
}

/// Whether the user's name and one sign between stand before: `/viewer/1`, `viewer:1`.
fn follows_user(before: &[Unit], user: &[char]) -> bool {
    let Some((sign, before)) = before.split_last() else { return false };
    let from = before.len().checked_sub(user.len());
    let Some((rest, name)) = from.map(|from| before.split_at(from)) else { return false };
    ":/=&;,|-_".contains(sign.c)
        && name.iter().map(|unit| unit.c).eq(user.iter().copied())
        && !rest.last().is_some_and(|unit| unit.c.is_alphanumeric())
}

/// Whether this is only a part of a network address or its port. These are no word of a device: the address is the one that
/// was asked.
fn is_in_address(text: &str, span: &Range<usize>) -> bool {
    /// More characters than an address with brackets and port has.
    const LONGEST: usize = 64;
    let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']');
    let before = text.get(..span.start).unwrap_or_default().bytes().rev();
    let after = text.get(span.end..).unwrap_or_default().bytes();
    let from = span.start - before.take(LONGEST).take_while(|byte| is_part((*byte).into())).count();
    let to = span.end + after.take(LONGEST).take_while(|byte| is_part((*byte).into())).count();
    steps::look_at(to - from);
    let whole = text.get(from..to).unwrap_or_default().trim_matches('.').trim_end_matches(':');
    whole.len() > span.len()
        && (whole.parse::<SocketAddr>().is_ok()
            || whole.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok())
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
