//! What writes change of what is known: each leaves a stamp in the store, and here what it changed.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use crate::history::memory::{Known, Memory};
use crate::model::memory::Uid;

/// The row of the stamp in `meta`.
const STAMP: &str = "stamp";

/// Names a state of what is known. It is random: what a write that failed had left here fits no later state.
pub(super) type Stamp = i64;

/// What a write changed.
#[derive(Debug)]
pub(super) struct News {
    /// The state that it found.
    from: Stamp,
    /// The state that it left.
    to: Stamp,
    /// The devices that were changed; none where one was forgotten.
    devices: BTreeMap<Uid, Option<Known>>,
    /// All that belongs to no single device.
    rest: Memory,
}

/// The state that the store is in; 0 where nothing was written yet.
pub(super) fn stamp(connection: &Connection) -> rusqlite::Result<Stamp> {
    let find = "SELECT value FROM meta WHERE name = ?1";
    let bytes: Option<[u8; 8]> = connection.prepare_cached(find)?.query_row([STAMP], |row| row.get(0)).optional()?;
    Ok(bytes.map_or(0, Stamp::from_le_bytes))
}

impl News {
    /// These devices and all that belongs to none were changed: another state begins.
    pub fn write(
        transaction: &Transaction<'_>,
        from: Stamp,
        devices: BTreeMap<Uid, Option<Known>>,
        rest: Memory,
    ) -> rusqlite::Result<News> {
        let to = fastrand::i64(..);
        let put = "INSERT INTO meta (name, value) VALUES (?1, ?2) \
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        transaction.prepare_cached(put)?.execute((STAMP, to.to_le_bytes()))?;
        Ok(News { from, to, devices, rest })
    }

    /// The state that it left.
    pub fn stamp(&self) -> Stamp {
        self.to
    }

    /// Brings what was known before it up to date.
    pub fn take_over(self, memory: &mut Memory) {
        let mut devices = std::mem::take(&mut memory.devices);
        for (uid, known) in self.devices {
            match known {
                Some(known) => devices.insert(uid, known),
                None => devices.remove(&uid),
            };
        }
        *memory = Memory { devices, ..self.rest };
    }
}

/// What was written since the last reader: never more than each device once, and the last write.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// What is in the store.
    written: Option<News>,
    /// The last write, which the store may not have yet, and may never have.
    last: Option<News>,
}

impl Queue {
    /// Adds a write that is about to be committed.
    pub fn add(&mut self, news: News) {
        // A write that the next one builds on is in the store.
        if let Some(last) = self.last.take().filter(|last| last.to == news.from) {
            self.written = Some(match self.written.take() {
                Some(mut all) if all.to == last.from => {
                    all.devices.extend(last.devices);
                    News { from: all.from, devices: all.devices, ..last }
                }
                _ => last,
            });
        }
        self.last = Some(news);
    }

    /// What leads from one state to another. None where another process wrote in between.
    pub fn take(&mut self, from: Stamp, to: Stamp) -> Option<Vec<News>> {
        let last = self.last.take_if(|last| last.to == to);
        let all: Vec<News> = self.written.take().into_iter().chain(last).collect();
        let end = all.iter().try_fold(from, |at, news| (news.from == at).then_some(news.to));
        (end == Some(to)).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(from: Stamp, to: Stamp) -> News {
        News { from, to, devices: BTreeMap::new(), rest: Memory::default() }
    }

    fn led(queue: &mut Queue, from: Stamp, to: Stamp) -> Option<usize> {
        queue.take(from, to).map(|all| all.len())
    }

    #[test]
    fn writes_that_build_on_each_other_lead_from_one_state_to_the_next() {
        let mut queue = Queue::default();
        (1..5).for_each(|n| queue.add(news(n, n + 1)));
        assert_eq!(led(&mut queue, 1, 5), Some(2), "those that are in the store are joined");
        assert_eq!(led(&mut queue, 1, 5), None);
        queue.add(news(5, 6));
        queue.add(news(6, 7));
        assert_eq!(led(&mut queue, 5, 6), Some(1), "the last one is not committed yet");
        assert_eq!(led(&mut queue, 6, 7), Some(1));
    }

    #[test]
    fn what_failed_or_was_written_by_another_process_leads_nowhere() {
        let mut queue = Queue::default();
        queue.add(news(1, 2));
        queue.add(news(1, 3));
        assert_eq!(led(&mut queue, 1, 3), Some(1), "the first one was never in the store");
        queue.add(news(3, 4));
        queue.add(news(9, 10));
        assert_eq!(led(&mut queue, 3, 10), None, "another process wrote between 4 and 9");
        queue.add(news(11, 12));
        assert_eq!(led(&mut queue, 10, 12), None);
    }
}
