//! A text character by character: case, blanks, accents and hidden characters aside.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// One character of a text, and where it begins and ends in what it is taken from: bytes, or places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    pub c: char,
    pub from: usize,
    pub to: usize,
}

/// The characters of a text as it stands, case, blanks and hidden characters aside.
pub(super) fn units(text: &str) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::with_capacity(text.len());
    let mut letters = Vec::new();
    for (from, c) in text.char_indices() {
        let to = from + c.len_utf8();
        folded(c, &mut letters);
        for c in letters.drain(..) {
            match units.last_mut() {
                Some(last) if is_blank(c) && is_blank(last.c) => last.c = last.c.min(c),
                _ => units.push(Unit { c, from, to }),
            }
        }
    }
    units
}

/// Adds the letters that a character is read as; none where it is hidden.
pub(super) fn folded(c: char, out: &mut Vec<char>) {
    if matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}') {
        out.push('\n');
    } else if c.is_whitespace() {
        out.push(' ');
    } else if c.is_ascii() {
        out.extend(Some(c).filter(|c| !c.is_control()).map(|c| c.to_ascii_lowercase()));
    } else if !crate::text::is_hidden(c) {
        out.extend(letters(c));
    }
}

/// Whether it is a blank or the end of a line: a line may have been broken at any blank.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\n')
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

/// The characters alone.
pub(super) fn plain(units: &[Unit]) -> Vec<char> {
    units.iter().map(|unit| unit.c).collect()
}
