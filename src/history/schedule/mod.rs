//! When something is due. Pure: times in, times out; chance comes as a number.

pub mod checks;

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub use checks::{CheckPlan, Due};

/// The shortest time between two scans of everything.
pub const SHORTEST: SignedDuration = SignedDuration::from_mins(1);

/// When all is scanned. Two are equal where they name the same times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    times: Times,
    /// Each time is put off by up to this, so that many installations do not begin at once.
    jitter: SignedDuration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Times {
    /// Again so long after the last one began.
    Every(SignedDuration),
    /// At the times of a pattern, by the clock on the wall of a place.
    Cron { pattern: Box<Cron>, zone: TimeZone },
}

/// Why a pattern is none, and what to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It has fewer fields, or more.
    #[error("expected five fields: minute, hour, day, month, day of the week (`30 3 * * *` is 3:30 each night)")]
    NotFiveFields,
    /// A field holds what is none of its values.
    #[error("write minute 0-59, hour 0-23, day 1-31, month 1-12 or JAN-DEC, day of the week 0-7 or SUN-SAT, or `*`")]
    UnknownValue,
    /// No day is of that kind, as 30 February.
    #[error("this time never comes")]
    Never,
}

impl Schedule {
    /// Again and again after this time; one shorter than [`SHORTEST`] is made that long.
    pub fn every(interval: SignedDuration) -> Self {
        Schedule { times: Times::Every(interval.max(SHORTEST)), jitter: SignedDuration::ZERO }
    }

    /// At the times of a pattern of five fields, as cron reads it (`30 3 * * MON-FRI`), by the clock of `zone`. A time that
    /// an hour put forward leaves out falls on the hour that follows; one that comes twice is taken once.
    ///
    /// # Errors
    /// When it is no such pattern, or never comes.
    pub fn cron(pattern: &str, zone: TimeZone) -> Result<Self, PatternError> {
        if pattern.split_whitespace().count() != 5 {
            return Err(PatternError::NotFiveFields);
        }
        let parsed: Cron = pattern.parse().map_err(|_| PatternError::UnknownValue)?;
        let schedule =
            Schedule { times: Times::Cron { pattern: Box::new(parsed), zone }, jitter: SignedDuration::ZERO };
        match schedule.of_pattern(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(PatternError::Never),
        }
    }

    /// The same, each time put off by up to `jitter`.
    #[must_use]
    pub fn with_jitter(self, jitter: SignedDuration) -> Self {
        Schedule { jitter: jitter.max(SignedDuration::ZERO), ..self }
    }

    /// The first time after `after`. `chance` of 0 to 1 says how much of the jitter is taken.
    pub fn next(&self, after: Timestamp, chance: f64) -> Timestamp {
        let next = match &self.times {
            Times::Every(interval) => after.saturating_add(*interval).unwrap_or(Timestamp::MAX),
            Times::Cron { .. } => self.of_pattern(after).unwrap_or(Timestamp::MAX),
        };
        let late = self.jitter.as_secs_f64() * chance.clamp(0.0, 1.0);
        next.saturating_add(SignedDuration::from_secs_f64(late)).unwrap_or(Timestamp::MAX)
    }

    fn of_pattern(&self, after: Timestamp) -> Option<Timestamp> {
        let Times::Cron { pattern, zone } = &self.times else { return None };
        let next = pattern.find_next_occurrence(&after.to_zoned(zone.clone()), false).ok()?;
        Some(next.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn an_interval_counts_from_the_last_time() {
        let schedule = Schedule::every(SignedDuration::from_hours(6));
        assert_eq!(schedule.next(at("2026-03-01T10:00:00Z"), 0.9), at("2026-03-01T16:00:00Z"));
        let short = Schedule::every(SignedDuration::from_secs(1));
        assert_eq!(short.next(at("2026-03-01T10:00:00Z"), 0.0), at("2026-03-01T10:01:00Z"));
    }

    #[test]
    fn schedules_of_the_same_times_are_equal() {
        let hours = |n| Schedule::every(SignedDuration::from_hours(n));
        let night = |pattern, place| Schedule::cron(pattern, zone(place)).unwrap();
        let all = [
            hours(6),
            hours(7),
            hours(6).with_jitter(SignedDuration::from_mins(1)),
            night("30 3 * * *", "Europe/Berlin"),
            night("30 3 * * *", "Asia/Tokyo"),
            night("31 3 * * *", "Europe/Berlin"),
        ];
        for (n, one) in all.iter().enumerate() {
            for (m, other) in all.iter().enumerate() {
                assert_eq!(one == other, n == m, "{n} {m}");
            }
        }
        // However it is written.
        assert_eq!(night("0 8 * * MON-FRI", "UTC"), night("0 8 * * 1-5", "UTC"));
        assert_eq!(hours(1), Schedule::every(SignedDuration::from_mins(60)));
    }

    #[test]
    fn jitter_puts_a_time_off_and_never_forward() {
        let schedule = Schedule::every(SignedDuration::from_hours(1)).with_jitter(SignedDuration::from_mins(10));
        for (chance, expected) in [(0.0, "11:00:00"), (0.5, "11:05:00"), (1.0, "11:10:00"), (7.0, "11:10:00")] {
            let expected = at(&format!("2026-03-01T{expected}Z"));
            assert_eq!(schedule.next(at("2026-03-01T10:00:00Z"), chance), expected);
        }
    }

    #[test]
    fn a_pattern_is_read_by_the_clock_of_its_place() {
        let schedule = Schedule::cron("30 3 * * *", zone("Europe/Berlin")).unwrap();
        let table = [
            ("2026-01-10T00:00:00Z", "2026-01-10T02:30:00Z"),
            ("2026-01-10T02:30:00Z", "2026-01-11T02:30:00Z"),
            ("2026-07-10T00:00:00Z", "2026-07-10T01:30:00Z"),
        ];
        for (after, expected) in table {
            assert_eq!(schedule.next(at(after), 0.0), at(expected), "{after}");
        }
        let weekdays = Schedule::cron("0 8 * * MON-FRI", TimeZone::UTC).unwrap();
        // A Friday evening.
        assert_eq!(weekdays.next(at("2026-11-20T18:00:00Z"), 0.0), at("2026-11-23T08:00:00Z"));
    }

    /// In Berlin the clock goes from 2:00 to 3:00 on 29 March 2026, and from 3:00 back to 2:00 on 25 October.
    #[test]
    fn a_night_with_another_hour_has_one_scan() {
        let schedule = Schedule::cron("30 2 * * *", zone("Europe/Berlin")).unwrap();
        for (day, next_day) in [("2026-03-28T12:00:00Z", "2026-03-29"), ("2026-10-24T12:00:00Z", "2026-10-25")] {
            let first = schedule.next(at(day), 0.0);
            assert!(first.to_string().starts_with(next_day), "{first}");
            let second = schedule.next(first, 0.0);
            assert!(second.duration_since(first) >= SignedDuration::from_hours(22), "{first} {second}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_a_sentence() {
        for (text, expected) in [
            ("", PatternError::NotFiveFields),
            ("* * *", PatternError::NotFiveFields),
            ("* * * * * *", PatternError::NotFiveFields),
            ("61 * * * *", PatternError::UnknownValue),
            ("a b c d e", PatternError::UnknownValue),
            ("0 0 30 2 *", PatternError::Never),
        ] {
            assert_eq!(Schedule::cron(text, TimeZone::UTC).unwrap_err(), expected, "{text}");
        }
    }
}
