//! A year of a simulated site of 200 cameras, as it is remembered; see [`camscan::testkit::year`].
//!
//! `cargo run --profile profiling --example year [CAMERAS DAYS CHECK_EVERY_SECONDS SEED]` prints what came of it, and fails where
//! anything of it is wrong.
#![expect(clippy::print_stdout, reason = "its report")]

use std::process::ExitCode;
use std::time::Instant;

use camscan::testkit::year::{self, Size};

fn main() -> ExitCode {
    let arguments: Vec<i64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let argument = |n: usize, default: i64| arguments.get(n).copied().unwrap_or(default);
    let size = Size {
        cameras: usize::try_from(argument(0, 200)).unwrap_or(200),
        days: argument(1, 365),
        check_every: argument(2, 300),
        seed: argument(3, 1).unsigned_abs(),
    };
    let began = Instant::now();
    let outcome = year::run(size);
    println!("{size:?}\n{} scans, {} checks in {:.1?}", outcome.scans, outcome.checks, began.elapsed());
    println!("sent: {:?}\nkept: {:?}", outcome.sent, outcome.muted);
    for (name, wrong) in [
        ("wrong merges", &outcome.merges),
        ("splits", &outcome.splits),
        ("false alarms", &outcome.false_alarms),
        ("missed", &outcome.missed),
    ] {
        println!("{name}: {}", wrong.len());
        wrong.iter().take(20).for_each(|line| println!("  {line}"));
    }
    if outcome.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
