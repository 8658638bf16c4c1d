//! Each rule switched off in turn: whether the site, or a test that is named, notices.

use super::{Eyes, Outcome, Size, run};
use crate::history::memory::Rule;

/// The rules that the site does not need, and the test of `history::memory` that does.
pub const NOTICED_ELSEWHERE: [(Rule, &str); 0] = [];

/// The seeds that are tried for a rule, one after the other, until one notices.
const SEEDS: u64 = 6;

/// The site without a rule: that of the first seed that notices, or the last one.
pub fn without(rule: Rule, size: Size) -> (Size, Outcome) {
    let eyes = if rule == Rule::SetBack { Eyes::ClockSet } else { Eyes::Usual };
    let mut seen = (size, Outcome::default());
    for seed in 1..=SEEDS {
        let size = Size { seed, eyes, without: Some(rule), ..size };
        seen = (size, run(size));
        if !seen.1.is_right() {
            break;
        }
    }
    seen
}

/// How many lines each list of an outcome has.
pub fn counts(outcome: &Outcome) -> [(&'static str, usize); 4] {
    [
        ("wrong merges", outcome.merges.len()),
        ("splits", outcome.splits.len()),
        ("false alarms", outcome.false_alarms.len()),
        ("missed", outcome.missed.len()),
    ]
}

/// Whether a rule is noticed by the site.
pub fn is_of_the_site(rule: Rule) -> bool {
    !NOTICED_ELSEWHERE.iter().any(|(other, _)| *other == rule)
}
