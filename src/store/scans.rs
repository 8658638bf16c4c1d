//! Scans, and which devices each of them found, so that any two of them can be compared.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::codec::{fingerprint, json, ms, pack_text, time, unpack};
use super::{Store, StoreError, Updated, events, outbox, rows};
use crate::history::memory::{Learnt, Memory, Round, Sight};
use crate::history::stable::stable;
use crate::model::memory::{Route, Uid};
use crate::model::names::names;
use crate::model::report::SCHEMA;
use crate::model::{Device, Fact, Report, ScanInfo, ScanStatus};

names! {
    /// What made a scan begin.
    pub enum Cause {
        /// Somebody started it.
        User = "user",
        /// It was due.
        Schedule = "schedule",
        /// It was made earlier, and its report was imported.
        Import = "import",
    }
}

/// A scan in short.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanRow {
    /// Its number.
    pub number: i64,
    /// What made it begin.
    pub cause: Cause,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Whether it came to its end.
    pub status: ScanStatus,
    /// How many devices it found.
    pub found: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How many addresses its targets hold.
    pub addresses: u64,
    /// How many of these answered.
    pub hosts_up: u64,
}

impl Store {
    /// Remembers a scan by a machine that could see so much: what is known after it, and what it found. `report` is as the scan made it, see [`without_notes`].
    ///
    /// # Errors
    /// When it cannot be stored; then nothing of it is.
    pub fn learn(
        &self,
        report: &Report,
        cause: Cause,
        sight: impl Into<Sight>,
        route: &dyn Route,
    ) -> Result<Updated<Learnt>, StoreError> {
        Ok(self.learn_scan(report, Some(cause), &sight.into(), route)?.0)
    }

    /// The same, with the number of the scan. Without a cause only what is known is changed: a look at one device is no scan
    /// that others are compared with.
    ///
    /// # Errors
    /// When it cannot be stored; then nothing of it is.
    pub fn learn_scan(
        &self,
        report: &Report,
        cause: Option<Cause>,
        sight: &Sight,
        route: &dyn Route,
    ) -> Result<(Updated<Learnt>, Option<i64>), StoreError> {
        self.change(|transaction, cache| {
            let mut failed = None;
            let mut mint = || match random(transaction) {
                Ok(uid) => uid,
                Err(error) => {
                    failed = Some(error);
                    Uid::of([0; 10])
                }
            };
            let round = Round { report, at: report.scan.finished_at, sight };
            let learnt = cache.memory.learn(&round, &mut mint);
            if let Some(error) = failed {
                return Err(error);
            }
            rows::save(transaction, cache)?;
            let scan = cause.map(|cause| insert(transaction, report, cause)).transpose()?;
            if let Some(scan) = scan {
                insert_presence(transaction, scan, report, &learnt.devices)?;
            }
            let events = events::insert(transaction, learnt.events.clone(), scan)?;
            outbox::route(transaction, &events, route)?;
            Ok((Updated { value: learnt, events }, scan))
        })
    }

    /// The scans, the latest first, at most `limit`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn scans(&self, limit: usize) -> Result<Vec<ScanRow>, StoreError> {
        self.read(|connection| {
            let mut all = connection.prepare(&format!("SELECT {SHORT} FROM scans ORDER BY id DESC LIMIT ?1"))?;
            all.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], short)?.collect()
        })
    }

    /// Scans with a lesser number than `before`, the latest first, at most `limit`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn scans_before(&self, before: i64, limit: usize) -> Result<Vec<ScanRow>, StoreError> {
        self.read(|connection| {
            let select = format!("SELECT {SHORT} FROM scans WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
            let mut all = connection.prepare(&select)?;
            all.query_map((before, i64::try_from(limit).unwrap_or(i64::MAX)), short)?.collect()
        })
    }

    /// One scan, with what it was: its targets, what it asked, what the user should know.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn scan(&self, number: i64) -> Result<Option<(ScanRow, ScanInfo, Vec<String>)>, StoreError> {
        self.read(|connection| {
            let find =
                format!("SELECT {SHORT}, (SELECT body FROM docs WHERE docs.id = scans.info) FROM scans WHERE id = ?1");
            let whole = |row: &Row<'_>| {
                let Kept { info, warnings } = unpack(row.get_ref(9)?.as_blob()?)?;
                Ok((short(row)?, info, warnings))
            };
            connection.query_row(&find, [number], whole).optional()
        })
    }

    /// How many scans are kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn scan_count(&self) -> Result<u64, StoreError> {
        self.read(|connection| {
            connection
                .query_row("SELECT count(*) FROM scans", [], |row| row.get::<_, i64>(0))
                .map(|n| n.try_into().unwrap_or_default())
        })
    }

    /// The last scan that had ended at a time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn scan_before(&self, at: Timestamp) -> Result<Option<ScanRow>, StoreError> {
        self.read(|connection| {
            let find =
                format!("SELECT {SHORT} FROM scans WHERE ended_at <= ?1 ORDER BY ended_at DESC, id DESC LIMIT 1");
            connection.query_row(&find, [ms(at)], short).optional()
        })
    }

    /// The report of a scan, as far as it is kept: without what is measured anew each time. Devices carry their ids, and
    /// none of the user's notes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn report(&self, scan: i64) -> Result<Option<Report>, StoreError> {
        self.read(|connection| report(connection, scan))
    }
}

const SHORT: &str = "id, cause, started_at, ended_at, status, found, duration_ms, addresses, hosts_up";

fn short(row: &Row<'_>) -> rusqlite::Result<ScanRow> {
    let count = |index: usize| row.get::<_, i64>(index).map(|n| n.try_into().unwrap_or_default());
    Ok(ScanRow {
        number: row.get(0)?,
        cause: super::codec::named(row.get_ref(1)?.as_str()?)?,
        started_at: time(row.get(2)?)?,
        ended_at: time(row.get(3)?)?,
        status: super::codec::named(row.get_ref(4)?.as_str()?)?,
        found: count(5)?,
        duration_ms: count(6)?,
        addresses: count(7)?,
        hosts_up: count(8)?,
    })
}

/// An id that nobody can guess; the database's numbers come from the system's.
fn random(connection: &Connection) -> rusqlite::Result<Uid> {
    connection.query_row("SELECT randomblob(10)", [], |row| row.get(0)).map(Uid::of)
}

/// What of a scan is the same for many: the times and counts stand in columns.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    info: ScanInfo,
    warnings: Vec<String>,
}

fn insert(transaction: &Transaction<'_>, report: &Report, cause: Cause) -> rusqlite::Result<i64> {
    let scan = &report.scan;
    let info = ScanInfo {
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        duration_ms: 0,
        hosts_up: 0,
        ..scan.clone()
    };
    let info = insert_doc(transaction, &json(&Kept { info, warnings: report.warnings.clone() })?)?;
    let put = "INSERT INTO scans (cause, started_at, ended_at, duration_ms, status, addresses, hosts_up, found, info) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    transaction.execute(
        put,
        params![
            cause.as_str(),
            ms(scan.started_at),
            ms(scan.finished_at),
            number(scan.duration_ms),
            scan.status.as_str(),
            number(scan.addresses),
            number(scan.hosts_up),
            number(report.devices.len() as u64),
            info,
        ],
    )?;
    Ok(transaction.last_insert_rowid())
}

/// The row of a document, which is stored once.
fn insert_doc(transaction: &Transaction<'_>, text: &str) -> rusqlite::Result<i64> {
    let hash = fingerprint(text);
    let find = "SELECT id FROM docs WHERE hash = ?1";
    if let Some(row) = transaction.query_row(find, [&hash], |row| row.get(0)).optional()? {
        return Ok(row);
    }
    let body = pack_text(text)?;
    transaction.execute("INSERT INTO docs (hash, body) VALUES (?1, ?2)", (&hash, &body))?;
    Ok(transaction.last_insert_rowid())
}

/// A device that is as the scan before found it makes that row longer; any other gets one.
fn insert_presence(transaction: &Transaction<'_>, scan: i64, report: &Report, uids: &[Uid]) -> rusqlite::Result<()> {
    let before: Option<i64> =
        transaction.query_row("SELECT max(id) FROM scans WHERE id < ?1", [scan], |row| row.get(0))?;
    let mut longer = transaction.prepare(
        "UPDATE presence SET last_scan = ?1 WHERE device = ?2 AND part = ?3 AND last_scan = ?4 AND doc = ?5",
    )?;
    let mut put = transaction
        .prepare("INSERT INTO presence (device, first_scan, part, last_scan, doc) VALUES (?1, ?2, ?3, ?2, ?4)")?;
    let mut parts: BTreeMap<i64, i64> = BTreeMap::new();
    for (device, uid) in report.devices.iter().zip(uids) {
        let Some(row) = rows::row_of(transaction, uid)? else { continue };
        let part = parts.entry(row).and_modify(|part| *part += 1).or_insert(0);
        let doc = insert_doc(transaction, &json(&stable(device))?)?;
        let is_longer = match before {
            Some(before) => longer.execute(params![scan, row, *part, before, doc])? > 0,
            None => false,
        };
        if !is_longer {
            put.execute(params![row, scan, *part, doc])?;
        }
    }
    Ok(())
}

fn report(connection: &Connection, scan: i64) -> rusqlite::Result<Option<Report>> {
    let find = "SELECT s.started_at, s.ended_at, s.duration_ms, s.hosts_up, d.body \
                FROM scans s JOIN docs d ON d.id = s.info WHERE s.id = ?1";
    let of_scan = |row: &Row<'_>| {
        let Kept { info, warnings } = unpack(row.get_ref(4)?.as_blob()?)?;
        let unsigned = |n: i64| u64::try_from(n).unwrap_or_default();
        let info = ScanInfo {
            started_at: time(row.get(0)?)?,
            finished_at: time(row.get(1)?)?,
            duration_ms: unsigned(row.get(2)?),
            hosts_up: unsigned(row.get(3)?),
            ..info
        };
        Ok((info, warnings))
    };
    let Some((info, warnings)) = connection.query_row(find, [scan], of_scan).optional()? else { return Ok(None) };
    let mut all = connection.prepare(
        "SELECT v.public, v.first_seen, d.body FROM presence p JOIN devices v ON v.id = p.device \
         JOIN docs d ON d.id = p.doc WHERE p.last_scan >= ?1 AND p.first_scan <= ?1",
    )?;
    let mut rows = all.query([scan])?;
    let mut devices: Vec<Device> = Vec::new();
    while let Some(row) = rows.next()? {
        let device: Device = unpack(row.get_ref(2)?.as_blob()?)?;
        let first_seen = time(row.get(1)?)?.min(info.finished_at);
        let uid = Uid::parse(row.get_ref(0)?.as_str()?);
        devices.push(Device { uid, first_seen, last_seen: info.finished_at, ..device });
    }
    devices.sort_by(|a, b| (a.ip, &a.id).cmp(&(b.ip, &b.id)));
    Ok(Some(Report { schema: SCHEMA.to_owned(), scan: info, devices, warnings }))
}

/// Adds to a report what is known of its devices: their ids, the user's names, sites and tags, and when they were first
/// seen. `uids` are by position, as [`Learnt::devices`].
pub fn decorate(report: &mut Report, memory: &Memory, uids: &[Uid]) {
    for (device, uid) in report.devices.iter_mut().zip(uids) {
        let Some(known) = memory.devices.get(uid) else { continue };
        device.uid = Some(uid.clone());
        device.name = known.note.name.clone().or(device.name.take());
        device.site.clone_from(&known.note.site);
        device.tags.clone_from(&known.note.tags);
        device.first_seen = device.first_seen.min(known.seen.first);
    }
}

/// A report as the scan made it, without what [`decorate`] added.
#[must_use]
pub fn without_notes(mut report: Report) -> Report {
    for device in report.devices.iter_mut().filter(|device| device.uid.is_some()) {
        let own = device.evidence.iter().find(|evidence| evidence.fact == Fact::Name);
        device.name = own.map(|evidence| evidence.value.clone());
        (device.uid, device.site) = (None, None);
        device.tags.clear();
    }
    report
}
