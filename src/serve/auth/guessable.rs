//! How much of a password is more than what is guessed first: words that many take, rows of keys, repetitions and years.
//! Pure.

/// Words that many passwords are made of, and what this program and its devices are called. Blanks and lines are between.
const WORDS: &str = include_str!("common_words.txt");
/// Keys beside each other, and letters and digits in their order; read backwards as well.
const ROWS: &[&str] = &[
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "йцукенгшщзхъ",
    "фывапролджэ",
    "ячсмитьбю",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
];
/// Characters in a row, or one after the other the same, that count as one.
const RUN: usize = 3;

/// How many parts a password has: a common word, one of `own`, a run, a repetition or a year is one, as any other character
/// is. Letters of either case are the same, and digits that stand for letters are those.
pub fn parts(password: &str, own: &[&str]) -> usize {
    let text: Vec<char> = password.to_lowercase().chars().collect();
    let words: Vec<Vec<char>> =
        WORDS.split_whitespace().chain(own.iter().copied()).map(|word| folded(&word.to_lowercase())).collect();
    let folded_text: Vec<char> = text.iter().copied().map(fold).collect();
    let (mut at, mut parts) = (0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let spelled = folded_text.get(at..).unwrap_or_default();
        let word = words.iter().filter(|word| word.len() >= RUN && spelled.starts_with(word)).map(Vec::len).max();
        let before = text.get(..at).unwrap_or_default();
        let known = [word.unwrap_or_default(), run(rest), same(rest), year(rest), again(before, rest)];
        at += known.into_iter().max().unwrap_or_default().max(1);
        parts += 1;
    }
    parts
}

/// A letter by what often stands for it.
fn fold(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' | 'l' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        c => c,
    }
}

fn folded(word: &str) -> Vec<char> {
    word.chars().map(fold).collect()
}

/// How many characters follow each other in a row, forwards or backwards; 0 where they are few.
fn run(text: &[char]) -> usize {
    let longest = ROWS.iter().map(|row| {
        let row: Vec<char> = row.chars().collect();
        let back: Vec<char> = row.iter().rev().copied().collect();
        along(text, &row).max(along(text, &back))
    });
    longest.max().filter(|length| *length >= RUN).unwrap_or_default()
}

fn along(text: &[char], row: &[char]) -> usize {
    let starts = (0..row.len()).filter_map(|start| row.get(start..));
    starts.map(|row| text.iter().zip(row).take_while(|(a, b)| a == b).count()).max().unwrap_or_default()
}

/// How often the first character comes at once; 0 where that is seldom.
fn same(text: &[char]) -> usize {
    let count = text.iter().take_while(|c| text.first() == Some(*c)).count();
    if count >= RUN { count } else { 0 }
}

/// Four digits that are a year of the last and the next decades.
fn year(text: &[char]) -> usize {
    let digits: String = text.iter().take(4).collect();
    let is_year = digits.len() == 4 && digits.parse().is_ok_and(|year: u32| (1940..2050).contains(&year));
    if is_year { 4 } else { 0 }
}

/// How much of the text stands before it already, at its very end: `abcabc`.
fn again(before: &[char], text: &[char]) -> usize {
    let lengths = (1..=before.len().min(text.len())).rev();
    let is_again = |length: &usize| {
        let start = before.len().saturating_sub(*length);
        before.get(start..) == text.get(..*length)
    };
    lengths.into_iter().find(is_again).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guessed_first_has_few_parts() {
        for (password, most) in [
            ("1234567890", 1),
            ("0987654321", 1),
            ("qwertyuiop", 1),
            ("password123", 2),
            ("P@ssw0rd123!", 3),
            ("camscan1234", 2),
            ("aaaaaaaaab", 2),
            ("1q2w3e4r5t", 1),
            ("1qaz2wsx3edc", 1),
            ("iloveyou2024", 2),
            ("Summer2024!", 3),
            ("annaanna12", 4),
            ("abxabxabxabx", 5),
            ("йцукенгшщз", 1),
        ] {
            assert!(parts(password, &["anna"]) <= most, "{password}: {}", parts(password, &["anna"]));
        }
        for password in ["correct horse", "battery staple", "Zwei-Geheimnisse-2", "длинный пароль", "k3Vt9qLmXz"]
        {
            assert!(parts(password, &["anna"]) >= 8, "{password}: {}", parts(password, &["anna"]));
        }
    }

    #[test]
    fn any_text_has_as_many_parts_as_characters_at_most() {
        let mut chance = fastrand::Rng::with_seed(5);
        for _ in 0..200 {
            let text: String = (0..chance.usize(0..40)).map(|_| chance.char(..)).collect();
            assert!(parts(&text, &["", "ß", "İ"]) <= text.to_lowercase().chars().count());
        }
        assert_eq!(parts("", &[]), 0);
    }
}
