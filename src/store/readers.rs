//! The connections that read: a few are kept for the next question, each where the store lies.

use rusqlite::Connection;

use super::seat::Seat;
use super::{Store, StoreError, lock, open};

/// Readers that are kept for the next question.
const MOST_READERS: usize = 4;

impl Store {
    /// Reads, with everything as it was at one moment.
    pub(super) fn read<R>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, StoreError> {
        self.with_reader(|connection| {
            let transaction = connection.unchecked_transaction().map_err(|error| self.error(&error))?;
            work(&transaction).map_err(|error| self.error(&error))
        })
    }

    pub(super) fn with_reader<R>(
        &self,
        work: impl FnOnce(&Connection) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let idle = lock(&self.inner.readers).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => self.reader()?,
        };
        let (seat, connection) = reader;
        let done = work(&connection);
        let now = lock(&self.inner.seat);
        let mut readers = lock(&self.inner.readers);
        if readers.len() < MOST_READERS && now.0 == seat {
            readers.push((seat, connection));
        }
        done
    }

    /// A connection that reads, and the number of the seat that it reads.
    pub(super) fn reader(&self) -> Result<(u64, Connection), StoreError> {
        let (number, seat) = lock(&self.inner.seat).clone();
        let reader = match &seat {
            Seat::Memory(name) => open::reader_in_memory(name).map_err(|error| self.error(&error))?,
            // Another file may have got the name meanwhile, and nothing of it is read.
            Seat::File(own) if !own.is_named() => return Err(StoreError::Moved(self.inner.file.clone())),
            Seat::File(own) => open::reader(&own.path, self.inner.writer.is_some())?,
        };
        Ok((number, reader))
    }
}
