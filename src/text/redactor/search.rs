//! Where secrets stand in a text: all its readings are gone along once, from place to place.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::super::steps;
use super::forms::{Telling, WORD_FROM};
use super::readings::{Readings, Way};
use super::secrets::{Beginning, Secrets};
use super::view::Unit;

/// The longest name of a value, with the signs behind it.
const CONTEXT: usize = 80;

/// After `key: ` everything up to the end of the line is the value, after `key=` a word.
const ENDS_LINE: &str = "\n,;\"')]}>…";
const ENDS_WORD: &str = " \n&;,\"'/#@)]>}?|_%\\*…";
/// Between the user's name and the password: `/viewer/1`, `viewer:1`.
const AFTER_USER: &str = ":/=&;,|-_";

/// What stands before a place, in any reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Before {
    /// Nothing, or what is neither letter nor digit.
    edge: bool,
    /// A colon.
    colon: bool,
    /// The name of a user.
    user: bool,
    /// The name of a user and a sign.
    after_user: bool,
    /// `key=`, and whatever may stand between it and its value.
    word: bool,
    /// `key: `.
    line: bool,
}

/// A secret that may have begun.
#[derive(Debug, Clone, Copy)]
struct Begun {
    at: Beginning,
    /// The place where it began.
    from: usize,
    /// What stands before that.
    before: Before,
    /// Whether no word goes on with it.
    is_bounded: bool,
}

/// Where secrets stand in a text, in bytes.
pub(super) fn find(text: &str, readings: &Readings, secrets: &Secrets, keys: &HashSet<String>) -> Vec<Range<usize>> {
    let places = readings.units.len() + 1;
    let mut search = Search {
        readings,
        secrets,
        before: vec![Before::default(); places],
        begun: vec![Vec::new(); places],
        found: Vec::new(),
        addresses: Addresses { text, last: None },
    };
    search.mark_values(keys);
    let mut ways = readings.ways();
    for at in 0..places {
        search.pass(at, ways.from(at));
    }
    search.found
}

struct Search<'t> {
    readings: &'t Readings,
    secrets: &'t Secrets,
    before: Vec<Before>,
    /// By the place they have come to.
    begun: Vec<Vec<Begun>>,
    found: Vec<Range<usize>>,
    addresses: Addresses<'t>,
}

impl<'t> Search<'t> {
    /// Marks where values begin.
    fn mark_values(&mut self, keys: &HashSet<String>) {
        if let Some(first) = self.before.first_mut() {
            first.edge = true;
        }
        for view in self.readings.views() {
            let mut value = Value::None;
            for (number, unit) in view.iter().enumerate() {
                if let Some(before) = self.before.get_mut(unit.from) {
                    before.line |= value == Value::Line;
                    before.word |= !matches!(value, Value::None | Value::Line);
                }
                value = value.then(unit.c, || is_named(view.get(..number).unwrap_or_default(), keys));
            }
        }
    }

    /// Looks at what ends at a place, and goes on from there.
    fn pass(&mut self, at: usize, ways: impl Iterator<Item = Way<'t>> + Clone) {
        let all = self.begun.get_mut(at).map(std::mem::take).unwrap_or_default();
        steps::look_at(1 + all.len());
        all.iter().for_each(|begun| self.end(begun, at, ways.clone()));
        let before = self.before.get(at).copied().unwrap_or_default();
        for way in ways {
            steps::look_at(1 + all.len());
            if let Some(next) = self.before.get_mut(way.to) {
                next.pass(before, way.letters.last().copied());
            }
            all.iter().for_each(|begun| self.go_on(*begun, way.letters, way.to));
            if let Some((&first, rest)) = way.letters.split_first()
                && let Some(beginning) = self.secrets.begin(first)
            {
                let is_bounded = before.edge || !first.is_alphanumeric();
                self.go_on(Begun { at: beginning, from: at, before, is_bounded }, rest, way.to);
            }
        }
    }

    fn go_on(&mut self, mut begun: Begun, letters: &[char], to: usize) {
        for &c in letters {
            let Some(next) = self.secrets.go_on(begun.at, c) else { return };
            begun.at = next;
        }
        if !begun.is_bounded && self.secrets.most(begun.at) != Some(Telling::Anywhere) {
            return;
        }
        let Some(there) = self.begun.get_mut(to) else { return };
        let is_same = |other: &&mut Begun| {
            (other.at, other.before, other.is_bounded) == (begun.at, begun.before, begun.is_bounded)
        };
        match there.iter_mut().find(is_same) {
            Some(other) => other.from = other.from.min(begun.from),
            None => there.push(begun),
        }
    }

    /// Whether only a blank is left of a line.
    fn is_blank_end(&self, way: Way<'_>) -> bool {
        let next = self.readings.units.get(way.to).map(|unit| unit.c);
        way.letters == [' '] && matches!(next, None | Some('\n'))
    }

    /// Takes what has come to a place for a secret, if it is one that stands where such are meant.
    fn end(&mut self, begun: &Begun, at: usize, ways: impl Iterator<Item = Way<'t>> + Clone) {
        let (long, last) = self.secrets.length(begun.at);
        if self.secrets.is_user(begun.at)
            && begun.is_bounded
            && let Some(before) = self.before.get_mut(at)
        {
            before.user = true;
        }
        let mut after = ways.clone().filter_map(|way| way.letters.first().copied());
        let is_end = ways.clone().next().is_none();
        let is_bounded =
            || begun.is_bounded && (is_end || !last.is_alphanumeric() || after.clone().any(|c| !c.is_alphanumeric()));
        let is_one_of = |ends: &str| is_end || after.clone().any(|c| ends.contains(c));
        let before = begun.before;
        let is_meant = match self.secrets.whole(begun.at) {
            Some(Telling::Anywhere) => true,
            Some(Telling::Word) => is_bounded(),
            Some(Telling::InPlace) => {
                let ends_line = || is_one_of(ENDS_LINE) || ways.clone().any(|way| self.is_blank_end(way));
                let is_value = before.word && is_one_of(ENDS_WORD) || before.line && ends_line();
                let is_in_url = before.colon && !is_end && is_one_of("@");
                is_bounded() && (is_value || is_in_url || before.after_user)
            }
            None => false,
        };
        let is_cut = long >= WORD_FROM && self.secrets.most(begun.at) >= Some(Telling::Word);
        let is_meant = is_meant || is_cut && after.any(|c| c == '…');
        if !is_meant {
            return;
        }
        let units = &self.readings.units;
        let first = units.get(begun.from).map(|unit| unit.from);
        let last = at.checked_sub(1).and_then(|last| units.get(last)).map(|unit| unit.to);
        if let Some((from, to)) = first.zip(last)
            && !self.addresses.has(&(from..to))
        {
            self.found.push(from..to);
        }
    }
}

impl Before {
    /// Takes note of a way from a place with `before` to this one, and of what is read on it last.
    fn pass(&mut self, before: Before, read: Option<char>) {
        match read {
            Some(c) => {
                self.edge |= !c.is_alphanumeric();
                self.colon |= c == ':';
                self.after_user |= before.user && AFTER_USER.contains(c);
            }
            // What is hidden stands between nothing.
            None => {
                self.edge |= before.edge;
                self.colon |= before.colon;
                self.user |= before.user;
                self.after_user |= before.after_user;
                self.word |= before.word;
                self.line |= before.line;
            }
        }
    }
}

/// How far a name, the sign after it and what may stand between it and the value have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    /// `key=`; `key:` if so.
    Sign(bool),
    /// `key= `.
    Blank,
    /// `key: `.
    Line,
    /// `key="`.
    Quoted,
}

impl Value {
    fn then(self, c: char, is_named: impl Fn() -> bool) -> Value {
        match (c, self) {
            ('=' | ':', _) if is_named() => Value::Sign(c == ':'),
            (' ', Value::Sign(true) | Value::Line) => Value::Line,
            (' ', Value::Sign(false) | Value::Blank) => Value::Blank,
            ('"' | '\'', Value::Sign(_) | Value::Blank | Value::Line | Value::Quoted) => Value::Quoted,
            _ => Value::None,
        }
    }
}

/// Whether a text ends in the name of a value that may be a login.
fn is_named(before: &[Unit], keys: &HashSet<String>) -> bool {
    let mut behind =
        before.iter().rev().take(CONTEXT).map(|unit| unit.c).skip_while(|c| " \"'".contains(*c)).peekable();
    let is_part = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut name: Vec<char> = std::iter::from_fn(|| behind.next_if(is_part)).collect();
    steps::look_at(1 + name.len());
    name.reverse();
    let name = String::from_iter(name);
    // The last field of `user=a_password=b`, and `key` of `a.key`.
    let last = name.rsplit(['_', '.']).next().unwrap_or_default();
    last.chars().next().is_some_and(char::is_alphabetic)
        && ![last, name.as_str()].iter().any(|name| keys.contains(*name))
}

/// Network addresses with their ports. What is only a part of one is no word of a device: the address is the one that was asked.
struct Addresses<'t> {
    text: &'t str,
    /// The run of characters of addresses that was looked at last, and whether it is one.
    last: Option<(Range<usize>, bool)>,
}

impl Addresses<'_> {
    /// Whether these bytes are a part of one.
    fn has(&mut self, span: &Range<usize>) -> bool {
        /// More characters than an address with brackets and port has.
        const LONGEST: usize = 64;
        let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'[' | b']');
        let bytes = self.text.as_bytes();
        let within = bytes.get(span.clone()).unwrap_or_default();
        let same = within.iter().take(LONGEST).take_while(|byte| is_part(byte)).count();
        steps::look_at(1 + same);
        if same < within.len() {
            return false;
        }
        let known = self.last.as_ref().filter(|(run, _)| run.start <= span.start && span.end <= run.end);
        let (run, is_address) = match known {
            Some(known) => known.clone(),
            None => {
                let before = bytes.get(..span.start).unwrap_or_default().iter().rev();
                let after = bytes.get(span.end..).unwrap_or_default().iter();
                let from = span.start - before.take_while(|byte| is_part(byte)).count();
                let to = span.end + after.take_while(|byte| is_part(byte)).count();
                steps::look_at(to - from);
                let whole = trimmed(self.text.get(from..to).unwrap_or_default());
                let is_address = whole.len() <= LONGEST
                    && (whole.parse::<SocketAddr>().is_ok()
                        || whole.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok());
                self.last.insert((from..to, is_address)).clone()
            }
        };
        is_address && trimmed(self.text.get(run).unwrap_or_default()).len() > span.len()
    }
}

/// A run of the characters of addresses without those of the sentence around it.
fn trimmed(run: &str) -> &str {
    run.trim_matches('.').trim_end_matches(':')
}
