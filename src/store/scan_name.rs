//! Scans as people name them.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _, Zoned};

use super::{Store, StoreError};
use crate::model::Report;
use crate::model::moment::moment;

/// A scan as it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanName {
    /// So many before the last one.
    Back(usize),
    /// The one of this number.
    Number(i64),
    /// The last one before a time.
    Before(Timestamp),
}

impl ScanName {
    /// The scan of this text: `last`, `previous`, `yesterday`, a number, a date, or a time.
    pub fn read(text: &str, now: &Zoned) -> Option<ScanName> {
        let start = |zoned: &Zoned| zoned.start_of_day().ok().map(|day| ScanName::Before(day.timestamp()));
        match text {
            "last" => return Some(ScanName::Back(0)),
            "previous" => return Some(ScanName::Back(1)),
            "yesterday" => return start(now),
            _ => {}
        }
        if let Ok(number) = text.parse::<i64>() {
            return Some(ScanName::Number(number));
        }
        if let Ok(date) = text.parse::<Date>()
            && text.len() == "2026-03-01".len()
        {
            return start(&date.checked_add(1.day()).ok()?.to_zoned(now.time_zone().clone()).ok()?);
        }
        moment(text, now).ok().map(ScanName::Before)
    }

    /// The number of the scan; none where there is no such scan.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn number(&self, store: &Store) -> Result<Option<i64>, StoreError> {
        Ok(match self {
            ScanName::Number(number) => Some(*number),
            ScanName::Back(back) => store.scans(back + 1)?.get(*back).map(|scan| scan.number),
            ScanName::Before(at) => store.scan_before(*at)?.map(|scan| scan.number),
        })
    }

    /// Its report.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn report(&self, store: &Store) -> Result<Option<Report>, StoreError> {
        self.number(store)?.map_or(Ok(None), |number| store.report(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_are_named_as_people_name_them() {
        let now: Zoned = "2026-03-10T15:30:00+01:00[Europe/Berlin]".parse().unwrap();
        let before = |text: &str| ScanName::Before(text.parse().unwrap());
        for (text, wanted) in [
            ("last", Some(ScanName::Back(0))),
            ("previous", Some(ScanName::Back(1))),
            ("17", Some(ScanName::Number(17))),
            ("yesterday", Some(before("2026-03-09T23:00:00Z"))),
            ("2026-03-01", Some(before("2026-03-01T23:00:00Z"))),
            ("2026-03-01T18:00", Some(before("2026-03-01T17:00:00Z"))),
            ("2d", Some(before("2026-03-08T14:30:00Z"))),
            ("report.json", None),
        ] {
            assert_eq!(ScanName::read(text, &now), wanted, "{text}");
        }
    }
}
