//! How single values are written: durations, counts, ports, switches.

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use crate::model::names::Named;
use crate::model::target::RAW_PRINT_PORTS;
use crate::text::clean;

use crate::model::problem::Problem;

/// The longest time that can be given: 30 days.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A time such as `500ms`, `2s`, `1m30s` or `1h`; more than zero, at most 30 days.
///
/// # Errors
/// When it is none.
pub fn duration(text: &str) -> Result<Duration, Problem> {
    let wrong = || {
        Problem::new(format!("`{}` is not a duration", clean(text)))
            .hint("write a number and its unit, such as 500ms, 2s, 1m30s or 1h")
    };
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !text.is_empty() {
        return Err(Problem::new(format!("`{}` is a duration without a unit", clean(text)))
            .hint(format!("write {0}s for seconds, {0}ms for milliseconds or {0}m for minutes", clean(text))));
    }
    let read: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    let duration = Duration::try_from(read).map_err(|_| wrong())?;
    if duration < Duration::from_millis(1) {
        return Err(Problem::new(format!("`{}` is too short", clean(text))).hint("write at least 1ms"));
    }
    if duration > LONGEST {
        return Err(Problem::new(format!("`{}` is too long", clean(text))).hint("write at most 720h (30 days)"));
    }
    // Finer than this no clock of ours measures.
    Ok(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
}

/// The same where no time at all says something: also `0`, with or without a unit.
///
/// # Errors
/// When it is neither.
pub fn duration_or_zero(text: &str) -> Result<Duration, Problem> {
    let is_zero = text == "0" || text.parse::<jiff::SignedDuration>().is_ok_and(|read| read.is_zero());
    if is_zero { Ok(Duration::ZERO) } else { duration(text) }
}

/// A duration as [`duration_or_zero`] reads it, in the largest unit that says it exactly.
pub fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms == 0 {
        return "0s".to_owned();
    }
    match (ms % 1000, ms / 1000 % 60, ms / 60_000 % 60) {
        (0, 0, 0) => format!("{}h", ms / 3_600_000),
        (0, 0, _) => format!("{}m", ms / 60_000),
        (0, _, _) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}

/// How long something is kept: `12h`, `14d`, `8w`, `2y` (of 365 days), or none for `forever`.
///
/// # Errors
/// When it is none of these, or no time at all.
pub fn age(text: &str) -> Result<Option<SignedDuration>, Problem> {
    if text == "forever" {
        return Ok(None);
    }
    let wrong = || {
        Problem::new(format!("`{}` is not a time something is kept", clean(text)))
            .hint("write a number and its unit, such as 12h, 14d, 8w or 2y, or forever")
    };
    let (number, hours) = [("h", 1), ("d", 24), ("w", 24 * 7), ("y", 24 * 365)]
        .into_iter()
        .find_map(|(unit, hours)| Some((text.strip_suffix(unit)?, hours)))
        .ok_or_else(wrong)?;
    match number.parse::<u16>() {
        Ok(number) if number > 0 => Ok(Some(SignedDuration::from_hours(i64::from(number) * hours))),
        _ => Err(wrong()),
    }
}

/// A whole number from `MIN` to `MAX`.
///
/// # Errors
/// When it is none.
pub fn number<const MIN: u32, const MAX: u32>(text: &str) -> Result<u32, Problem> {
    match text.parse::<u32>() {
        Ok(n) if (MIN..=MAX).contains(&n) => Ok(n),
        _ => {
            let problem = Problem::new(format!("`{}` is not a whole number from {MIN} to {MAX}", clean(text)));
            Err(if text == "0" { problem.hint("with 0 nothing would ever run") } else { problem })
        }
    }
}

/// A whole number from 1 to 10,000,000, or `max`, which is [`u32::MAX`].
///
/// # Errors
/// When it is neither.
pub fn rate(text: &str) -> Result<u32, Problem> {
    if text == "max" {
        return Ok(u32::MAX);
    }
    number::<1, 10_000_000>(text).map_err(|problem| problem.hint("`max` sets no limit, `none` keeps the default"))
}

/// As [`number`], for what counts things in memory.
///
/// # Errors
/// When it is none.
pub fn count<const MIN: u32, const MAX: u32>(text: &str) -> Result<usize, Problem> {
    number::<MIN, MAX>(text).map(|n| n as usize)
}

/// `none`, or what `read` reads.
///
/// # Errors
/// Those of `read`.
pub fn optional<T>(text: &str, read: impl Fn(&str) -> Result<T, Problem>) -> Result<Option<T>, Problem> {
    if text == "none" { Ok(None) } else { read(text).map(Some) }
}

/// `true` or `false`, also `yes`, `no`, `on`, `off`, `1`, `0`.
///
/// # Errors
/// When it is none of them.
pub fn switch(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(Problem::new(format!("`{}` is neither true nor false", clean(text))).hint("write true or false")),
    }
}

/// A path, not empty.
///
/// # Errors
/// When it is empty.
pub fn path(text: &str) -> Result<PathBuf, Problem> {
    if text.is_empty() { Err(Problem::new("the path is empty")) } else { Ok(PathBuf::from(text)) }
}

/// One of several names, in whatever case.
///
/// # Errors
/// When it is none of them; says the nearest.
pub fn one_of<T: Named>(text: &str, what: &str) -> Result<T, Problem> {
    let all = || T::TABLE.iter().map(|(name, _)| *name);
    T::TABLE.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| *value).ok_or_else(|| {
        Problem::new(format!("`{}` is not a {what}", clean(text)))
            .did_you_mean(text, all())
            .hint(format!("choose one of {}", all().collect::<Vec<_>>().join(", ")))
    })
}

/// Ports as they are written: `554`, `8000-8100`, or a set's name.
///
/// # Errors
/// When it is none, or names a port that is never contacted.
pub fn ports(text: &str) -> Result<Vec<u16>, Problem> {
    if let Some(set) = port_set(text) {
        return Ok(set);
    }
    let wrong = || {
        Problem::new(format!("`{}` is not a port, port range or port set", clean(text)))
            .did_you_mean(text, PORT_SETS)
            .hint("write a port (554), a range (8000-8100) or a set: core, wide, all, none")
    };
    let port = |text: &str| {
        let text = text.trim();
        text.parse::<u16>().ok().filter(|&p| p > 0 && text.bytes().all(|b| b.is_ascii_digit())).ok_or_else(wrong)
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    if last < first {
        return Err(
            Problem::new(format!("`{}` ends before it begins", clean(text))).hint(format!("write {last}-{first}"))
        );
    }
    let (from, to) = (*RAW_PRINT_PORTS.start(), *RAW_PRINT_PORTS.end());
    if first <= to && last >= from {
        return Err(raw_print(text, first, last));
    }
    Ok((first..=last).collect())
}

fn raw_print(text: &str, first: u16, last: u16) -> Problem {
    let (from, to) = (*RAW_PRINT_PORTS.start(), *RAW_PRINT_PORTS.end());
    let problem = Problem::new(format!(
        "`{}` includes ports {from} to {to}, which are never contacted because printers print whatever they receive there",
        clean(text)
    ));
    let piece = |a: u16, b: u16| if a == b { a.to_string() } else { format!("{a}-{b}") };
    let below = (first < from).then(|| piece(first, from - 1));
    let above = (last > to).then(|| piece(to + 1, last));
    match [below, above].into_iter().flatten().collect::<Vec<_>>() {
        rest if rest.is_empty() => problem,
        rest => problem.hint(format!("write {}", rest.join(","))),
    }
}

const PORT_SETS: [&str; 4] = ["core", "wide", "all", "none"];

fn port_set(name: &str) -> Option<Vec<u16>> {
    match name {
        "core" => Some(crate::identify::ports::core()),
        "wide" => Some(crate::identify::ports::defaults()),
        "none" => Some(Vec::new()),
        "all" => Some((1..=u16::MAX).filter(|p| !RAW_PRINT_PORTS.contains(p)).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verify;
    use proptest::prelude::*;

    fn said<T: std::fmt::Debug>(read: impl Fn(&str) -> Result<T, Problem>, texts: &[&str]) -> String {
        texts.iter().map(|t| read(t).unwrap_err().to_string().replace("\nhint: ", " / ") + "\n").collect()
    }

    #[test]
    fn wrong_values_are_explained() {
        insta::assert_snapshot!(said(duration, &["5", "0.5", "", "5 parsecs", "-2s", "0s", "900us", "721h"]), @r#"
            `5` is a duration without a unit / write 5s for seconds, 5ms for milliseconds or 5m for minutes
            `0.5` is a duration without a unit / write 0.5s for seconds, 0.5ms for milliseconds or 0.5m for minutes
            `` is not a duration / write a number and its unit, such as 500ms, 2s, 1m30s or 1h
            `5 parsecs` is not a duration / write a number and its unit, such as 500ms, 2s, 1m30s or 1h
            `-2s` is not a duration / write a number and its unit, such as 500ms, 2s, 1m30s or 1h
            `0s` is too short / write at least 1ms
            `900us` is too short / write at least 1ms
            `721h` is too long / write at most 720h (30 days)
        "#);
        insta::assert_snapshot!(said(number::<1, 64>, &["0", "65", "-1", "many", "1.5"]), @r#"
            `0` is not a whole number from 1 to 64 / with 0 nothing would ever run
            `65` is not a whole number from 1 to 64
            `-1` is not a whole number from 1 to 64
            `many` is not a whole number from 1 to 64
            `1.5` is not a whole number from 1 to 64
        "#);
        insta::assert_snapshot!(said(switch, &["maybe", ""]), @r#"
            `maybe` is neither true nor false / write true or false
            `` is neither true nor false / write true or false
        "#);
        insta::assert_snapshot!(said(
            ports,
            &["", "0", "70000", "wid", "9-8", "9100", "9101-9107", "9000-9200", "1-65535", "+80", "80-"]
        ), @r#"
            `` is not a port, port range or port set / write a port (554), a range (8000-8100) or a set: core, wide, all, none
            `0` is not a port, port range or port set / write a port (554), a range (8000-8100) or a set: core, wide, all, none
            `70000` is not a port, port range or port set / write a port (554), a range (8000-8100) or a set: core, wide, all, none
            `wid` is not a port, port range or port set / did you mean `wide`? / write a port (554), a range (8000-8100) or a set: core, wide, all, none
            `9-8` ends before it begins / write 8-9
            `9100` includes ports 9100 to 9107, which are never contacted because printers print whatever they receive there
            `9101-9107` includes ports 9100 to 9107, which are never contacted because printers print whatever they receive there
            `9000-9200` includes ports 9100 to 9107, which are never contacted because printers print whatever they receive there / write 9000-9099,9108-9200
            `1-65535` includes ports 9100 to 9107, which are never contacted because printers print whatever they receive there / write 1-9099,9108-65535
            `+80` is not a port, port range or port set / write a port (554), a range (8000-8100) or a set: core, wide, all, none
            `80-` is not a port, port range or port set / write a port (554), a range (8000-8100) or a set: core, wide, all, none
        "#);
        insta::assert_snapshot!(said(|t| one_of::<Verify>(t, "level"), &["frame", "x"]), @r#"
            `frame` is not a level / did you mean `frames`? / choose one of none, describe, frames
            `x` is not a level / choose one of none, describe, frames
        "#);
    }

    #[test]
    fn durations_are_read() {
        for (text, ms) in
            [("500ms", 500), ("2s", 2000), ("1m30s", 90_000), ("1h", 3_600_000), ("1.5s", 1500), ("2 min", 120_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn all_ports_but_those_that_print() {
        let all = ports("all").unwrap();
        assert_eq!(all.len(), 65_535 - 8);
        assert!(!all.contains(&9100) && !all.contains(&9107) && all.contains(&9108));
        assert_eq!(ports("8000-8002"), Ok(vec![8000, 8001, 8002]));
        assert_eq!(ports("wide").unwrap().first(), Some(&554));
    }

    proptest! {
        #[test]
        fn a_duration_shown_is_read_again(ms in 1u64..=LONGEST.as_millis() as u64) {
            let exact = Duration::from_millis(ms);
            prop_assert_eq!(duration(&show_duration(exact)), Ok(exact));
            let coarse = Duration::from_secs(60 * (ms % 43_200).max(1));
            prop_assert_eq!(duration(&show_duration(coarse)), Ok(coarse));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}|[0-9.smh-]{0,12}") {
            let _ = duration(&text);
            if let Ok(read) = ports(&text) {
                prop_assert!(!read.contains(&0));
                prop_assert!(read.iter().all(|p| !RAW_PRINT_PORTS.contains(p)));
            }
        }

        #[test]
        fn ports_in_a_range_are_all_there(first in 1u16..9100, more in 0u16..200) {
            let last = first.saturating_add(more).min(9099);
            let read = ports(&format!("{first}-{last}")).unwrap();
            prop_assert_eq!(read.first(), Some(&first));
            prop_assert_eq!(read.last(), Some(&last));
            prop_assert_eq!(read.len(), usize::from(last - first) + 1);
        }
    }
}
