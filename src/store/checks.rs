//! Checks of streams, added up by the hour and by the day: a row for each would be gigabytes in a few years.

use jiff::Timestamp;
use rusqlite::{Row, Transaction, params};

use super::{Store, StoreError, rows};
use crate::model::memory::Uid;
use crate::model::names::names;

names! {
    /// How a check of a stream ended.
    pub enum CheckOutcome {
        /// Frames arrived.
        Ok = "ok",
        /// All places for viewers were taken, which says nothing about the stream.
        Busy = "busy",
        /// None arrived.
        Bad = "bad",
    }
}

/// Over how long checks are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// An hour.
    Hour,
    /// A day, UTC.
    Day,
}

impl Slot {
    /// Both.
    pub const ALL: [Slot; 2] = [Slot::Hour, Slot::Day];

    /// Its length in seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Slot::Hour => 3_600,
            Slot::Day => 86_400,
        }
    }

    /// The slot a time is in, counted from 1970.
    pub(super) fn of(self, at: Timestamp) -> i64 {
        at.as_second().div_euclid(self.seconds())
    }
}

/// A check of a stream. What was not measured is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// The device.
    pub device: Uid,
    /// The stream's key.
    pub stream: String,
    /// When.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: CheckOutcome,
    /// Frames a second.
    pub fps: Option<f64>,
    /// kbit/s.
    pub kbps: Option<u32>,
    /// Milliseconds to the first frame.
    pub first_frame_ms: Option<u32>,
}

/// Checks of a stream, added up over an hour or a day.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rollup {
    /// When the hour or day began.
    pub at: Timestamp,
    /// How many checks there were.
    pub checks: u32,
    /// How many brought frames.
    pub ok: u32,
    /// How many found all places for viewers taken.
    pub busy: u32,
    /// How many brought none.
    pub bad: u32,
    /// The lowest frame rate.
    pub fps_min: Option<f64>,
    /// The mean frame rate of those that brought frames.
    pub fps: Option<f64>,
    /// The highest kbit/s.
    pub kbps_max: Option<u32>,
    /// The mean kbit/s of those that brought frames.
    pub kbps: Option<u32>,
    /// The longest time to the first frame, in milliseconds.
    pub first_frame_ms_max: Option<u32>,
    /// The mean time to the first frame, in milliseconds.
    pub first_frame_ms: Option<u32>,
}

/// So many checks of one outcome, as they are added to a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    pub(super) n: i64,
    pub(super) outcome: CheckOutcome,
    pub(super) fps: Option<f64>,
    pub(super) kbps: Option<u32>,
    pub(super) first_ms: Option<u32>,
}

impl Store {
    /// Adds checks to their hours and days. Those of streams that are not known are left out.
    ///
    /// # Errors
    /// When they cannot be stored; then none is.
    pub fn record_checks(&self, checks: &[Check]) -> Result<(), StoreError> {
        self.write(|transaction| insert(transaction, checks))
    }

    /// What the checks of a stream add up to from `since` on, in order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn rollups(&self, device: &Uid, stream: &str, slot: Slot, since: Timestamp) -> Result<Vec<Rollup>, StoreError> {
        self.read(|connection| {
            let Some(row) = stream_of(connection, device, stream)? else { return Ok(Vec::new()) };
            let mut all = connection.prepare(
                "SELECT slot, n, ok, busy, bad, fps_min, fps_sum, kbps_max, kbps_sum, first_ms_max, first_ms_sum \
                 FROM rollups WHERE seconds = ?1 AND stream = ?2 AND slot >= ?3 ORDER BY slot",
            )?;
            let rows = all.query_map([slot.seconds(), row, slot.of(since)], |row| rollup(row, slot))?;
            rows.collect()
        })
    }
}

/// Adds checks to their hours and days.
pub(super) fn insert(transaction: &Transaction<'_>, checks: &[Check]) -> rusqlite::Result<()> {
    for check in checks {
        let Some(stream) = stream_of(transaction, &check.device, &check.stream)? else { continue };
        let tally =
            Tally { n: 1, outcome: check.outcome, fps: check.fps, kbps: check.kbps, first_ms: check.first_frame_ms };
        for slot in Slot::ALL {
            add(transaction, stream, slot, slot.of(check.at), tally)?;
        }
    }
    Ok(())
}

fn rollup(row: &Row<'_>, slot: Slot) -> rusqlite::Result<Rollup> {
    let count = |index: usize| row.get::<_, i64>(index).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let ok = count(2)?;
    let mean = |index: usize| -> rusqlite::Result<Option<u32>> {
        let sum: i64 = row.get(index)?;
        Ok((ok > 0).then(|| u32::try_from(sum / i64::from(ok)).unwrap_or(u32::MAX)))
    };
    Ok(Rollup {
        at: super::codec::time(row.get::<_, i64>(0)?.saturating_mul(slot.seconds()).saturating_mul(1000))?,
        checks: count(1)?,
        ok,
        busy: count(3)?,
        bad: count(4)?,
        fps_min: row.get::<_, Option<i64>>(5)?.map(hundredths),
        fps: mean(6)?.map(|fps| hundredths(i64::from(fps))),
        kbps_max: row.get(7)?,
        kbps: mean(8)?,
        first_frame_ms_max: row.get(9)?,
        first_frame_ms: mean(10)?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "frame rates are small")]
fn hundredths(n: i64) -> f64 {
    n as f64 / 100.0
}

/// The row of a stream.
pub(super) fn stream_of(
    connection: &rusqlite::Connection,
    device: &Uid,
    stream: &str,
) -> rusqlite::Result<Option<i64>> {
    use rusqlite::OptionalExtension as _;
    let Some(device) = rows::row_of(connection, device)? else { return Ok(None) };
    let find = "SELECT id FROM streams WHERE device = ?1 AND key = ?2";
    connection.prepare_cached(find)?.query_row((device, stream), |row| row.get(0)).optional()
}

/// Adds `tally.n` checks to a slot.
#[expect(clippy::cast_possible_truncation, reason = "frame rates are small")]
pub(super) fn add(
    transaction: &Transaction<'_>,
    stream: i64,
    slot: Slot,
    at: i64,
    tally: Tally,
) -> rusqlite::Result<()> {
    let put = "INSERT INTO rollups (stream, seconds, slot, n, ok, busy, bad, fps_min, fps_sum, kbps_max, kbps_sum, \
               first_ms_max, first_ms_sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
               ON CONFLICT (stream, seconds, slot) DO UPDATE SET n = n + excluded.n, ok = ok + excluded.ok, \
               busy = busy + excluded.busy, bad = bad + excluded.bad, \
               fps_min = min(coalesce(fps_min, excluded.fps_min), coalesce(excluded.fps_min, fps_min)), \
               fps_sum = fps_sum + excluded.fps_sum, \
               kbps_max = max(coalesce(kbps_max, excluded.kbps_max), coalesce(excluded.kbps_max, kbps_max)), \
               kbps_sum = kbps_sum + excluded.kbps_sum, \
               first_ms_max = max(coalesce(first_ms_max, excluded.first_ms_max), \
               coalesce(excluded.first_ms_max, first_ms_max)), \
               first_ms_sum = first_ms_sum + excluded.first_ms_sum";
    let of = |outcome| if tally.outcome == outcome { tally.n } else { 0 };
    // Means are of the checks that brought frames.
    let is_ok = tally.outcome == CheckOutcome::Ok;
    let fps = tally.fps.filter(|fps| is_ok && fps.is_finite()).map(|fps| (fps * 100.0).round() as i64);
    let (kbps, first_ms) = (tally.kbps.filter(|_| is_ok), tally.first_ms.filter(|_| is_ok));
    let sum = |one: Option<i64>| one.unwrap_or(0).saturating_mul(tally.n);
    transaction
        .prepare_cached(put)?
        .execute(params![
            stream,
            slot.seconds(),
            at,
            tally.n,
            of(CheckOutcome::Ok),
            of(CheckOutcome::Busy),
            of(CheckOutcome::Bad),
            fps,
            sum(fps),
            kbps,
            sum(kbps.map(i64::from)),
            first_ms,
            sum(first_ms.map(i64::from)),
        ])
        .map(drop)
}
