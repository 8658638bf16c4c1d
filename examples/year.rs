//! A year of a simulated site of 200 cameras, as it is remembered; see [`camscan::testkit::year`].
//!
//! `cargo run --profile profiling --example year [CAMERAS DAYS CHECK_EVERY_SECONDS SEED [EYES [RULE]]]` prints what came of it, and
//! fails where anything of it is wrong. EYES is who looks: `usual`, `later`, `elsewhere` or `clock`; RULE does not hold.
//!
//! `… --example year rules [CAMERAS DAYS CHECK_EVERY_SECONDS]` switches each rule off in turn, prints which list noticed that, and
//! fails where none did.
#![expect(clippy::print_stdout, reason = "its report")]

use std::process::ExitCode;
use std::time::Instant;

use camscan::history::memory::Rule;
use camscan::testkit::year::{self, Eyes, Outcome, Size, rules};

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_of_rules = arguments.first().is_some_and(|first| first == "rules");
    if is_of_rules {
        arguments.remove(0);
    }
    let number = |n: usize, usual: i64| arguments.get(n).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let size = Size {
        cameras: usize::try_from(number(0, 200)).unwrap_or(200),
        days: number(1, 365),
        check_every: number(2, 300),
        seed: number(3, 1).unsigned_abs(),
        eyes: match arguments.get(4).map(String::as_str) {
            Some("later") => Eyes::Later,
            Some("elsewhere") => Eyes::Elsewhere,
            Some("clock") => Eyes::ClockSet,
            _ => Eyes::Usual,
        },
        until_wrong: false,
        without: arguments.get(5).and_then(|name| Rule::from_name(name)),
    };
    if is_of_rules { each_rule(size) } else { whole(size) }
}

fn whole(size: Size) -> ExitCode {
    let began = Instant::now();
    let outcome = year::run(size);
    println!("{size:?}\n{} scans, {} checks in {:.1?}", outcome.scans, outcome.checks, began.elapsed());
    println!("sent: {:?}\nkept: {:?}", outcome.sent, outcome.muted);
    let Outcome { merges, splits, false_alarms, missed, .. } = &outcome;
    for ((name, count), wrong) in rules::counts(&outcome).into_iter().zip([merges, splits, false_alarms, missed]) {
        println!("{name}: {count}");
        wrong.iter().take(20).for_each(|line| println!("  {line}"));
    }
    if outcome.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn each_rule(size: Size) -> ExitCode {
    let mut is_all_noticed = true;
    for rule in Rule::ALL {
        if let Some((_, test)) = rules::NOTICED_ELSEWHERE.iter().find(|(other, _)| *other == rule) {
            println!("{rule:<18} {test}");
            continue;
        }
        let (Size { seed, .. }, outcome) = rules::without(rule, size);
        let noticed = rules::counts(&outcome).into_iter().filter(|(_, count)| *count > 0);
        let noticed: Vec<String> = noticed.map(|(name, count)| format!("{name} {count}")).collect();
        is_all_noticed &= !noticed.is_empty();
        let noticed = if noticed.is_empty() { "nothing".to_owned() } else { noticed.join(", ") };
        println!("{rule:<18} seed {seed}: {noticed}");
    }
    if is_all_noticed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
