//! What is known, for all readers: one copy, which they share until something changes.
//!
//! A reader looks at the stamp that each write leaves ([`known`](super::known)), by a connection of its own: where it is the one
//! it has seen, nothing is read and nothing is copied; where this process wrote, what changed is taken over; where another one
//! did, all is read anew. No reader waits for a writer, whose transaction lasts.

use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use super::known::{News, Queue, Stamp, stamp};
use super::{lock, rows};
use crate::history::memory::Memory;

/// What is known, and what was written since it was looked at.
#[derive(Default)]
pub(super) struct Shared {
    held: Mutex<Held>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Held {
    /// Opened for the first reader.
    connection: Option<Connection>,
    /// None: nothing was read yet.
    known: Option<(Stamp, Arc<Memory>)>,
    /// How often all was read.
    readings: usize,
}

impl Shared {
    /// Something is about to be committed. To be called within its transaction.
    pub fn announce(&self, news: News) {
        lock(&self.queue).add(news);
    }

    /// Brings a reader's copy up to date. Of several readers at once one does the work, and the others get what came of it.
    pub fn refresh<E>(
        &self,
        own: &mut Arc<Memory>,
        connect: impl FnOnce() -> Result<Connection, E>,
        failed: impl Fn(rusqlite::Error) -> E,
    ) -> Result<(), E> {
        let mut held = lock(&self.held);
        let connection = match held.connection.take() {
            Some(connection) => connection,
            None => connect()?,
        };
        let done = held.refresh(&connection, &self.queue, own);
        held.connection = Some(connection);
        done.map_err(failed)
    }

    /// Closes the connection.
    pub fn close(&self) {
        lock(&self.held).connection = None;
    }

    /// How often all was read.
    #[cfg(test)]
    pub fn readings(&self) -> usize {
        lock(&self.held).readings
    }
}

impl Held {
    fn refresh(
        &mut self,
        connection: &Connection,
        queue: &Mutex<Queue>,
        own: &mut Arc<Memory>,
    ) -> rusqlite::Result<()> {
        let transaction = connection.unchecked_transaction()?;
        let (now, news) = {
            // Nothing is announced between the look at the store and that at the queue.
            let mut queue = lock(queue);
            let now = stamp(&transaction)?;
            match &self.known {
                Some((then, memory)) if *then == now => {
                    *own = memory.clone();
                    return Ok(());
                }
                Some((then, _)) => (now, queue.take(*then, now)),
                None => (now, queue.take(now, now)),
            }
        };
        let memory = match (self.known.take(), news) {
            (Some((_, mut memory)), Some(news)) => {
                // Where no reader still has what was known, it is changed in its place.
                *own = Arc::default();
                let all = Arc::make_mut(&mut memory);
                news.into_iter().for_each(|news| news.take_over(all));
                memory
            }
            _ => {
                self.readings += 1;
                Arc::new(rows::load(&transaction)?.0)
            }
        };
        *own = memory.clone();
        self.known = Some((now, memory));
        Ok(())
    }
}
