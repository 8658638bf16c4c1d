//! Times and lengths of time as people write them.

use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned};

use super::problem::Problem;
use crate::text::clean;

/// So long as `30m`, `12h`, `7d`, `2w` or `1y`.
///
/// # Errors
/// When it is none of these.
pub fn length(text: &str) -> Result<SignedDuration, Problem> {
    const UNITS: [(&str, i64); 6] =
        [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800), ("y", 31_536_000)];
    let read = UNITS.into_iter().find_map(|(unit, seconds)| {
        let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
        SignedDuration::from_secs(i64::from(number).checked_mul(seconds)?).into()
    });
    read.filter(|length| length.is_positive()).ok_or_else(|| {
        Problem::new(format!("`{}` is not a length of time", clean(text)))
            .hint("write a number and its unit, such as 30m, 12h, 7d or 2w")
    })
}

/// A time: so long ago, `today`, `yesterday`, a date, a date and time, or a time of today.
///
/// # Errors
/// When it is none of these.
pub fn moment(text: &str, now: &Zoned) -> Result<Timestamp, Problem> {
    if let Ok(length) = length(text) {
        return Ok(now.timestamp().checked_sub(length).unwrap_or(Timestamp::MIN));
    }
    let zone = now.time_zone().clone();
    let wrong = || {
        Problem::new(format!("`{}` is not a time", clean(text)))
            .hint("write 7d, yesterday, 2026-03-01, 2026-03-01T18:00 or 18:00")
    };
    let day = |zoned: jiff::Zoned| zoned.start_of_day().map(|day| day.timestamp()).map_err(|_| wrong());
    match text {
        "now" => return Ok(now.timestamp()),
        "today" => return day(now.clone()),
        "yesterday" => return day(now.checked_sub(1.day()).map_err(|_| wrong())?),
        _ => {}
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = match (text.parse::<DateTime>(), text.parse::<Time>()) {
        (Ok(local), _) => local,
        (_, Ok(time)) => now.date().to_datetime(time),
        _ => return Err(wrong()),
    };
    local.to_zoned(zone).map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Zoned = "2026-03-10T15:30:00+01:00[Europe/Berlin]".parse().unwrap();
        for (text, at) in [
            ("2h", "2026-03-10T12:30:00Z"),
            ("7d", "2026-03-03T14:30:00Z"),
            ("now", "2026-03-10T14:30:00Z"),
            ("today", "2026-03-09T23:00:00Z"),
            ("yesterday", "2026-03-08T23:00:00Z"),
            ("2026-03-01", "2026-02-28T23:00:00Z"),
            ("2026-03-01T18:00", "2026-03-01T17:00:00Z"),
            ("2026-03-01 18:00", "2026-03-01T17:00:00Z"),
            ("2026-03-01T18:00:00Z", "2026-03-01T18:00:00Z"),
            ("18:00", "2026-03-10T17:00:00Z"),
        ] {
            assert_eq!(moment(text, &now).unwrap().to_string(), at, "{text}");
        }
        for text in ["", "soon", "0h", "7", "2026-02-30", "25:00", "-1d"] {
            assert!(moment(text, &now).is_err(), "{text}");
        }
    }
}
