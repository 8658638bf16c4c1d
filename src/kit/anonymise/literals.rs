//! The values that are replaced wherever they stand, in the order of their bytes: which of them begin at a place of a text is
//! seen by going along it once, however many there are.

use std::cmp::Reverse;

use super::Literal;
use crate::text::steps;

/// Values, looked up by what they begin with.
#[derive(Debug)]
pub(super) struct Literals {
    /// By their bytes; of one value that stands for several, what was added first comes last.
    sorted: Vec<Literal>,
    /// Whether a value begins with a byte.
    begins: [bool; 256],
}

impl Literals {
    /// Of these values.
    pub(super) fn of(literals: &[Literal]) -> Self {
        let mut numbered: Vec<(usize, &Literal)> = literals.iter().enumerate().collect();
        numbered.sort_by_key(|(number, literal)| (literal.original.as_bytes(), Reverse(*number)));
        let mut begins = [false; 256];
        for byte in literals.iter().filter_map(|literal| literal.original.as_bytes().first()) {
            if let Some(is_begun) = begins.get_mut(usize::from(*byte)) {
                *is_begun = true;
            }
        }
        Literals { sorted: numbered.into_iter().map(|(_, literal)| literal.clone()).collect(), begins }
    }

    /// The values that a text begins with, the longest first; of one value what was added first.
    pub(super) fn at(&self, text: &[u8]) -> impl Iterator<Item = &Literal> {
        let mut found: Vec<&Literal> = Vec::new();
        let mut left = match text.first().and_then(|byte| self.begins.get(usize::from(*byte))) {
            Some(true) => self.sorted.as_slice(),
            _ => &[],
        };
        for (number, byte) in text.iter().enumerate() {
            let byte_of = |literal: &Literal| literal.original.as_bytes().get(number).copied();
            let from = left.partition_point(|literal| byte_of(literal) < Some(*byte));
            let to = left.partition_point(|literal| byte_of(literal) <= Some(*byte));
            left = left.get(from..to).unwrap_or_default();
            steps::look_at(1);
            // A value stands before those that go on from it.
            let whole = left.partition_point(|literal| literal.original.len() == number + 1);
            found.extend(left.get(..whole).unwrap_or_default());
            left = left.get(whole..).unwrap_or_default();
            if left.is_empty() {
                break;
            }
        }
        found.into_iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::format::Private;

    fn literal(original: &str, substitute: &str) -> Literal {
        Literal {
            kind: Private::Name,
            original: original.to_owned(),
            substitute: substitute.to_owned(),
            is_word: false,
        }
    }

    #[test]
    fn the_values_at_a_place_are_found_longest_first() {
        let literals: Vec<Literal> =
            [("ab", "1"), ("abcd", "2"), ("abc", "3"), ("abc", "4"), ("b", "5"), ("abd", "6"), ("äb", "7")]
                .map(|(original, substitute)| literal(original, substitute))
                .to_vec();
        let literals = Literals::of(&literals);
        for (text, expected) in [
            ("abcde", &["2", "3", "4", "1"][..]),
            ("abc", &["3", "4", "1"]),
            ("abd", &["6", "1"]),
            ("a", &[]),
            ("bb", &["5"]),
            ("äb", &["7"]),
            ("", &[]),
            ("xab", &[]),
        ] {
            let found: Vec<&str> = literals.at(text.as_bytes()).map(|literal| literal.substitute.as_str()).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
