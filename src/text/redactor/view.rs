//! A text as it may be meant: without the escapes that whoever passed it on has put into it, each character with the bytes
//! it is written with.

use std::ops::Range;

use icu_normalizer::DecomposingNormalizerBorrowed;

/// Ways of writing a text that may be laid over each other: an address in a JSON text is two.
const MOST_DECODINGS: usize = 2;

/// One character of a text as it may be meant, and the bytes it is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    pub c: char,
    pub from: usize,
    pub to: usize,
}

/// The characters of a text as it stands, case, blanks and hidden characters aside.
pub(super) fn units(text: &str) -> Vec<Unit> {
    fold(text.char_indices().map(|(at, c)| Unit { c, from: at, to: at + c.len_utf8() }))
}

fn fold(units: impl Iterator<Item = Unit>) -> Vec<Unit> {
    let mut folded: Vec<Unit> = Vec::new();
    for unit in units {
        let ends_line = matches!(unit.c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        if ends_line || unit.c.is_whitespace() {
            let c = if ends_line { '\n' } else { ' ' };
            match folded.last_mut() {
                Some(last) if last.is(' ') => last.c = last.c.min(c),
                _ => folded.push(Unit { c, ..unit }),
            }
        } else if unit.c.is_ascii() {
            folded.extend(Some(unit.c).filter(|c| !c.is_control()).map(|c| Unit { c: c.to_ascii_lowercase(), ..unit }));
        } else if !crate::text::is_hidden(unit.c) {
            folded.extend(letters(unit.c).map(|c| Unit { c, ..unit }));
        }
    }
    folded
}

/// The letters that a character is read as: those of full width, of ornament and with accents as the plain ones (the
/// decomposition NFKD of Unicode §3.11 without its accents), in lower case.
fn letters(c: char) -> impl Iterator<Item = char> {
    let as_it_is = match c {
        'ß' | 'ẞ' => ['s', 's'].as_slice(),
        // Where a text was cut.
        '…' => &['…'],
        _ => &[],
    };
    let other = Some(c).filter(|_| as_it_is.is_empty()).and_then(|c| c.to_lowercase().next());
    let plain = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(other.into_iter());
    let plain = plain.filter(|c| !is_accent(*c)).flat_map(|c| c.to_lowercase().next());
    as_it_is.iter().copied().chain(plain)
}

/// The blocks of marks that are laid over letters (Unicode §7.9); those of other scripts are letters of their own.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

impl Unit {
    /// Whether it stands for `c`; a line may have been broken at any blank.
    pub fn is(self, c: char) -> bool {
        self.c == c || (c == ' ' && self.c == '\n')
    }
}

pub(super) fn plain(units: &[Unit]) -> Vec<char> {
    units.iter().map(|unit| unit.c).collect()
}

/// The text as it stands and as it is when its escapes are resolved, in every order.
pub(super) fn views(text: &str) -> Vec<Vec<Unit>> {
    let mut views = vec![units(text)];
    let mut from = 0;
    for _ in 0..MOST_DECODINGS {
        let until = views.len();
        for at in from..until {
            for decode in DECODES {
                let Some(decoded) = views.get(at).and_then(|view| decoded(view, decode)) else { continue };
                if !views.contains(&decoded) {
                    views.push(decoded);
                }
            }
        }
        from = until;
    }
    views
}

/// The view, and what it is with one more kind of escape resolved.
pub(super) fn and_deeper(view: Vec<Unit>) -> Vec<Vec<Unit>> {
    let deeper: Vec<_> = DECODES.iter().filter_map(|decode| decoded(&view, *decode)).collect();
    [view].into_iter().chain(deeper).collect()
}

/// More characters no escape is written with; longer names of entities are none.
pub(super) const LONGEST_ESCAPE: usize = 12;

const DECODES: [Decode; 3] = [percent, backslash, entity];

/// Every place within an escape, with what reads such escapes. An entity is whole at its `;` alone, so none begins by chance.
pub(super) fn insides(view: &[Unit]) -> Vec<(usize, Decode)> {
    let mut insides = Vec::new();
    for at in 0..view.len() {
        for decode in [percent as Decode, backslash] {
            let long = view.get(at..).and_then(decode).map_or(0, |(long, _)| long);
            insides.extend((1..long).map(|within| (at + within, decode)));
        }
    }
    insides
}

/// What the escape at the beginning of `units` stands for: how many of them, and the bytes or the character.
pub(super) type Decode = fn(&[Unit]) -> Option<(usize, Meant)>;

pub(super) enum Meant {
    Byte(u8),
    Char(char),
}

/// The view with one kind of escape resolved; none where there is none.
pub(super) fn decoded(view: &[Unit], decode: Decode) -> Option<Vec<Unit>> {
    let mut out: Vec<Unit> = Vec::with_capacity(view.len());
    let mut bytes: Vec<(u8, Unit)> = Vec::new();
    let mut at = 0;
    let mut any = false;
    while let Some(unit) = view.get(at) {
        let escape = view.get(at..).and_then(decode);
        any |= escape.is_some();
        let (long, meant) = escape.unwrap_or((1, Meant::Char(unit.c)));
        let to = view.get(at + long - 1).map_or(unit.to, |last| last.to);
        let whole = Unit { to, ..*unit };
        match meant {
            Meant::Byte(byte) => bytes.push((byte, whole)),
            Meant::Char(c) => {
                flush(&mut bytes, &mut out);
                out.push(Unit { c, ..whole });
            }
        }
        at += long;
    }
    flush(&mut bytes, &mut out);
    any.then(|| fold(out.into_iter()))
}

/// The characters that bytes stand for: UTF-8, else Latin-1.
fn flush(bytes: &mut Vec<(u8, Unit)>, out: &mut Vec<Unit>) {
    let plain: Vec<u8> = bytes.iter().map(|(byte, _)| *byte).collect();
    let mut written = bytes.drain(..).map(|(_, unit)| unit);
    let mut push = |c: char, long: usize| {
        let first = written.next();
        let last = (1..long).filter_map(|_| written.next()).last();
        if let Some(first) = first {
            out.push(Unit { c, from: first.from, to: last.unwrap_or(first).to });
        }
    };
    for chunk in plain.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push(c, c.len_utf8()));
        chunk.invalid().iter().for_each(|&byte| push(char::from(byte), 1));
    }
}

fn hex(units: &[Unit], range: Range<usize>) -> Option<u32> {
    units.get(range)?.iter().try_fold(0u32, |sum, unit| Some(sum.checked_mul(16)? + unit.c.to_digit(16)?))
}

/// `%41` (RFC 3986, section 2.1).
fn percent(units: &[Unit]) -> Option<(usize, Meant)> {
    (units.first()?.c == '%').then(|| hex(units, 1..3)).flatten().map(|byte| (3, Meant::Byte(byte as u8)))
}

/// `\"`, `\u0041`, `\u{41}`, `\x41`: JSON (RFC 8259, section 7), JavaScript and Rust.
fn backslash(units: &[Unit]) -> Option<(usize, Meant)> {
    if units.first()?.c != '\\' {
        return None;
    }
    let of = |code: u32, long: usize| Some((long, Meant::Char(char::from_u32(code)?)));
    match units.get(1)?.c {
        c @ ('"' | '\'' | '\\' | '/') => Some((2, Meant::Char(c))),
        'n' | 'r' => Some((2, Meant::Char('\n'))),
        't' => Some((2, Meant::Char(' '))),
        'x' => of(hex(units, 2..4)?, 4),
        'u' if units.get(2)?.c == '{' => {
            let long = units.iter().skip(3).take(7).position(|unit| unit.c == '}')?;
            of(hex(units, 3..3 + long)?, long + 4)
        }
        'u' => of(hex(units, 2..6)?, 6),
        _ => None,
    }
}

/// `&amp;`, `&#65;`, `&#x41;` (XML 1.0, sections 4.1 and 4.6).
fn entity(units: &[Unit]) -> Option<(usize, Meant)> {
    if units.first()?.c != '&' {
        return None;
    }
    let long = units.iter().take(LONGEST_ESCAPE).position(|unit| unit.c == ';')?;
    let name: String = units.get(1..long)?.iter().map(|unit| unit.c).collect();
    let c = match (name.as_str(), name.strip_prefix("#x"), name.strip_prefix('#')) {
        ("amp", ..) => '&',
        ("lt", ..) => '<',
        ("gt", ..) => '>',
        ("quot", ..) => '"',
        ("apos", ..) => '\'',
        (_, Some(code), _) => char::from_u32(u32::from_str_radix(code, 16).ok()?)?,
        (_, _, Some(code)) => char::from_u32(code.parse().ok()?)?,
        _ => return None,
    };
    Some((long + 1, Meant::Char(c)))
}
