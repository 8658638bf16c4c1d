//! Each rule switched off in turn: whether the site, or a test that is named, notices.

use super::{Eyes, Outcome, Size, run};
use crate::history::memory::Rule;

/// The rules that the site seldom needs or never, and the test of `history::memory::tests` that does.
pub const NOTICED_ELSEWHERE: [(Rule, &str); 13] = [
    (Rule::Lent, "rules::what_another_device_is_known_by_is_not_taken_on"),
    (Rule::TwoAgree, "identity::devices_keep_their_ids"),
    (Rule::SerialOfModel, "rules::a_serial_number_alone_identifies_no_device_of_another_model"),
    (Rule::Crowd, "rules::a_device_with_more_addresses_than_any_has_is_recognised_by_nothing"),
    (Rule::SureKeys, "rules::a_device_that_only_its_address_tells_takes_on_no_identity"),
    (Rule::Misses, "two_scans_that_miss_a_device_are_not_enough"),
    (Rule::EachOther, "of_two_recorders_that_show_each_other_one_is_told_of"),
    (Rule::PartOfAway, "rules::nothing_is_sent_of_the_login_of_a_device_that_is_away"),
    (Rule::Ways, "rules::one_way_of_playing_needs_twice_as_many_checks"),
    (Rule::RateUnseen, "rate::a_look_that_saw_no_rate_says_nothing_of_it"),
    (Rule::GuessedPath, "once::a_path_that_was_guessed_and_brought_nothing_is_no_new_stream"),
    (Rule::RetryWaits, "login::a_login_is_tried_again_although_a_scan_that_began_before_sent_none"),
    (Rule::MissingShields, "rules::nothing_is_held_against_the_streams_of_a_device_that_is_missing"),
];

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
