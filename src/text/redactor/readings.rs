//! The ways in which a text may be meant: each character as it stands, or as a part of an escape that was put into it on its
//! way. An escape may be written with characters that are escaped themselves, as an address in a JSON text is.
//!
//! A text has places, one before each of its characters and one behind the last. A reading of it is a path from place to
//! place; which of them a device meant cannot be known, so that all are gone along. From a place there lead a few ways at
//! most, so that a text is read in a few steps a character, whatever stands in it.

use super::super::steps;
use super::view::{Unit, folded, units};

/// The most characters in the name or the number of an entity; longer ones are none.
const LONGEST_NAME: usize = 10;
/// The most digits between braces.
const LONGEST_NUMBER: usize = 6;

/// All readings of a text.
pub(super) struct Readings {
    /// What the text is, character by character.
    pub units: Vec<Unit>,
    /// The escapes, in the order of the places where they begin.
    escapes: Vec<Escape>,
    /// What they stand for.
    letters: Vec<char>,
}

/// A way that passes an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Escape {
    from: usize,
    to: usize,
    /// Where its letters are among all letters. What is hidden has none.
    letters: (usize, usize),
    is_nested: bool,
}

/// A way from a place: what is read, and the place that it leads to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'r> {
    pub letters: &'r [char],
    pub to: usize,
}

impl Readings {
    /// Those of a text.
    pub fn of(text: &str) -> Readings {
        let units = units(text);
        steps::look_at(units.len());
        let (mut escapes, mut letters) = (Vec::new(), Vec::new());
        if units.iter().any(|unit| is_sign(unit.c)) {
            let found = Found::of(&units);
            (0..units.len()).for_each(|at| found.put(at, &mut escapes, &mut letters));
        }
        Readings { units, escapes, letters }
    }

    /// From each place in order: the ways that lead from it, itself not counted among them.
    pub fn ways(&self) -> Ways<'_> {
        Ways { readings: self, next: 0 }
    }

    /// The text with none, one or two kinds of escapes resolved, each unit from place to place. Fewer where there are none.
    pub fn views(&self) -> Vec<Vec<Unit>> {
        let plain = self.units.iter().zip(0..).map(|(unit, at)| Unit { c: unit.c, from: at, to: at + 1 }).collect();
        let mut views = vec![plain];
        if !self.escapes.is_empty() {
            views.push(self.view(false));
        }
        if self.escapes.iter().any(|escape| escape.is_nested) {
            views.push(self.view(true));
        }
        steps::look_at(views.iter().map(Vec::len).sum());
        views
    }

    fn view(&self, nested: bool) -> Vec<Unit> {
        let mut view = Vec::with_capacity(self.units.len());
        let (mut at, mut next) = (0, 0);
        while let Some(unit) = self.units.get(at) {
            let rest = self.escapes.get(next..).unwrap_or_default();
            let passed = rest.iter().take_while(|escape| escape.from < at).count();
            let here = rest.iter().skip(passed).take_while(|escape| escape.from == at);
            let longest = here.filter(|escape| nested || !escape.is_nested).max_by_key(|escape| escape.to);
            let to = longest.map_or(at + 1, |escape| escape.to);
            match longest {
                Some(escape) => view.extend(self.letters_of(escape).iter().map(|&c| Unit { c, from: at, to })),
                None => view.push(Unit { c: unit.c, from: at, to }),
            }
            next += passed;
            at = to;
        }
        view
    }

    fn letters_of(&self, escape: &Escape) -> &[char] {
        self.letters.get(escape.letters.0..escape.letters.1).unwrap_or_default()
    }
}

/// See [`Readings::ways`].
pub(super) struct Ways<'r> {
    readings: &'r Readings,
    next: usize,
}

impl<'r> Ways<'r> {
    /// Those that lead from a place, which lies behind the one asked for before.
    pub fn from(&mut self, at: usize) -> impl Iterator<Item = Way<'r>> + Clone + use<'r> {
        let readings = self.readings;
        let rest = readings.escapes.get(self.next..).unwrap_or_default();
        let passed = rest.iter().take_while(|escape| escape.from < at).count();
        self.next += passed;
        let here = rest.get(passed..).unwrap_or_default().iter().take_while(move |escape| escape.from == at);
        let escapes = here.map(|escape| Way { letters: readings.letters_of(escape), to: escape.to });
        let plain = readings.units.get(at).map(|unit| Way { letters: std::slice::from_ref(&unit.c), to: at + 1 });
        plain.into_iter().chain(escapes)
    }
}

fn is_sign(c: char) -> bool {
    matches!(c, '%' | '\\' | '&')
}

/// What an escape stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meant {
    Byte(u8),
    Char(char),
}

/// What an escape stands for, and the place behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Resolved {
    meant: Meant,
    to: usize,
}

/// The escapes of a text, by the places where they begin.
struct Found<'u> {
    units: &'u [Unit],
    plain: Vec<Option<Resolved>>,
    /// The one character that a plain one stands for, and the place behind it.
    chars: Vec<Option<(char, usize)>>,
    /// Those written with escaped characters.
    nested: Vec<Vec<Resolved>>,
}

impl<'u> Found<'u> {
    fn of(units: &'u [Unit]) -> Found<'u> {
        let none = || vec![None; units.len()];
        let mut found = Found { units, plain: none(), chars: vec![None; units.len()], nested: Vec::new() };
        for at in 0..units.len() {
            let sign = found.unit(at).filter(|c| is_sign(*c));
            let resolved = sign.and_then(|sign| found.resolve(sign, at + 1).into_iter().flatten().next());
            if let Some(slot) = found.plain.get_mut(at) {
                *slot = resolved;
            }
        }
        let chars = (0..units.len()).map(|at| found.char_at(at)).collect();
        found.chars = chars;
        found.nested = (0..units.len()).map(|at| found.nested_at(at)).collect();
        found
    }

    fn unit(&self, at: usize) -> Option<char> {
        steps::look_at(1);
        self.units.get(at).map(|unit| unit.c)
    }

    /// The character at a place and the place behind it, where it is wanted: as it stands, or else what an escape stands for.
    fn read(&self, at: usize, is_wanted: impl Fn(char) -> bool) -> Option<(char, usize)> {
        let plain = self.unit(at).filter(|c| is_wanted(*c)).map(|c| (c, at + 1));
        plain.or_else(|| self.chars.get(at).copied().flatten().filter(|(c, _)| is_wanted(*c)))
    }

    fn digits(&self, at: usize, most: usize) -> Option<(u32, usize)> {
        (0..most).try_fold((0u32, at), |(sum, at), _| {
            let (digit, to) = self.read(at, |c| c.is_ascii_hexdigit())?;
            Some((sum.checked_mul(16)? + digit.to_digit(16)?, to))
        })
    }

    /// The single character of a plain escape.
    fn char_at(&self, at: usize) -> Option<(char, usize)> {
        let resolved = self.plain.get(at).copied().flatten()?;
        let (c, to) = match resolved.meant {
            Meant::Char(c) => (c, resolved.to),
            Meant::Byte(byte) => self.joined(byte, resolved.to).unwrap_or((char::from(byte), resolved.to)),
        };
        let mut letters = Vec::new();
        folded(c, &mut letters);
        (letters.len() == 1).then(|| letters.first().map(|c| (*c, to))).flatten()
    }

    /// The character of several bytes in UTF-8 that begins with this one.
    fn joined(&self, first: u8, mut at: usize) -> Option<(char, usize)> {
        let long = match first {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return None,
        };
        let mut bytes = [first, 0, 0, 0];
        for slot in bytes.get_mut(1..long)? {
            steps::look_at(1);
            let plain = self.plain.get(at).copied().flatten();
            let all = plain.into_iter().chain(self.nested.get(at).into_iter().flatten().copied());
            let mut further = all.filter_map(|resolved| match resolved.meant {
                Meant::Byte(byte @ 0x80..=0xbf) => Some((byte, resolved.to)),
                _ => None,
            });
            (*slot, at) = further.next()?;
        }
        let c = std::str::from_utf8(bytes.get(..long)?).ok()?.chars().next()?;
        Some((c, at))
    }

    fn nested_at(&self, at: usize) -> Vec<Resolved> {
        let mut found = Vec::new();
        let plain = self.plain.get(at).copied().flatten();
        let sign = self.unit(at).filter(|c| is_sign(*c)).map(|sign| (sign, at + 1));
        let escaped = self.chars.get(at).copied().flatten().filter(|(c, _)| is_sign(*c));
        for (sign, behind) in sign.into_iter().chain(escaped) {
            for resolved in self.resolve(sign, behind).into_iter().flatten() {
                if Some(resolved) != plain && !found.contains(&resolved) {
                    found.push(resolved);
                }
            }
        }
        found
    }

    /// What the escape stands for whose sign stands before a place.
    fn resolve(&self, sign: char, at: usize) -> [Option<Resolved>; 2] {
        match sign {
            // RFC 3986, section 2.1.
            '%' => {
                let byte = self.digits(at, 2).and_then(|(byte, to)| Some((u8::try_from(byte).ok()?, to)));
                [byte.map(|(byte, to)| Resolved { meant: Meant::Byte(byte), to }), None]
            }
            '&' => [self.entity(at), None],
            // What follows may be a sign itself, and then either.
            _ => {
                let escaped = self.chars.get(at).copied().flatten();
                let plain = self.unit(at).map(|c| (c, at + 1));
                [escaped, plain].map(|next| next.and_then(|(c, to)| self.backslash(c, to)))
            }
        }
    }

    /// `\"`, `\u0041`, `\u{41}`, `\x41`: JSON (RFC 8259, section 7), JavaScript and Rust.
    fn backslash(&self, kind: char, at: usize) -> Option<Resolved> {
        let of = |code: u32, to: usize| Some(Resolved { meant: Meant::Char(char::from_u32(code)?), to });
        let (code, to) = match kind {
            '"' | '\'' | '\\' | '/' => (u32::from(kind), at),
            'n' | 'r' => (u32::from('\n'), at),
            't' => (u32::from(' '), at),
            'x' => self.digits(at, 2)?,
            'u' => match self.read(at, |c| c == '{') {
                Some((_, from)) => self.braced(from)?,
                None => self.utf16(at)?,
            },
            _ => return None,
        };
        of(code, to)
    }

    fn braced(&self, from: usize) -> Option<(u32, usize)> {
        let (mut code, mut at) = (0u32, from);
        for number in 0..=LONGEST_NUMBER {
            let (c, to) = self.read(at, |c| c.is_ascii_hexdigit() || c == '}')?;
            match c.to_digit(16) {
                Some(digit) => code = code.checked_mul(16)? + digit,
                None => return (number > 0).then_some((code, to)),
            }
            at = to;
        }
        None
    }

    /// Four digits, or twice four for what is beyond them (RFC 8259, section 7).
    fn utf16(&self, at: usize) -> Option<(u32, usize)> {
        let (first, at) = self.digits(at, 4)?;
        if !(0xd800..0xdc00).contains(&first) {
            return Some((first, at));
        }
        let (_, at) = self.read(at, |c| c == '\\')?;
        let (_, at) = self.read(at, |c| c == 'u')?;
        let (second, at) = self.digits(at, 4)?;
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        Some((0x1_0000 + ((first - 0xd800) << 10) + low, at))
    }

    /// `&amp;`, `&#65;`, `&#x41;` (XML 1.0, sections 4.1 and 4.6).
    fn entity(&self, from: usize) -> Option<Resolved> {
        let (mut name, mut at) = (String::new(), from);
        for _ in 0..=LONGEST_NAME {
            let (c, to) = self.read(at, |c| c.is_ascii_alphanumeric() || matches!(c, '#' | ';'))?;
            at = to;
            if c != ';' {
                name.push(c);
                continue;
            }
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
            return Some(Resolved { meant: Meant::Char(c), to });
        }
        None
    }

    /// Puts the escapes that begin at a place to the others.
    fn put(&self, at: usize, escapes: &mut Vec<Escape>, letters: &mut Vec<char>) {
        let plain = self.plain.get(at).copied().flatten().map(|resolved| (resolved, false));
        let nested = self.nested.get(at).into_iter().flatten().map(|resolved| (*resolved, true));
        for (resolved, is_nested) in plain.into_iter().chain(nested) {
            let (one, several) = match resolved.meant {
                Meant::Char(c) => (c, None),
                // Bytes that are UTF-8 may have been meant as Latin-1 all the same.
                Meant::Byte(byte) => (char::from(byte), self.joined(byte, resolved.to)),
            };
            for (c, to) in [Some((one, resolved.to)), several].into_iter().flatten() {
                let first = letters.len();
                folded(c, letters);
                escapes.push(Escape { from: at, to, letters: (first, letters.len()), is_nested });
            }
        }
    }
}
