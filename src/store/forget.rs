//! Devices that are forgotten by the word of a user.

use jiff::Timestamp;
use rusqlite::Connection;

use super::accounts::{Actor, audit_note};
use super::{Store, StoreError, pictures, place_rows, rows};
use crate::history::memory::{Memory, Said, StreamId};
use crate::model::memory::Uid;

/// What was forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// The devices, those that were merged into others included.
    pub devices: Vec<Uid>,
    /// The names of files of pictures that no stream needs any more.
    pub pictures: Vec<String>,
}

impl Store {
    /// Forgets the devices that `choose` has the memory forget, by the word of a user: what is remembered of them, what
    /// users wrote about them and the logins that were given for them. What they refused still counts.
    ///
    /// # Errors
    /// When it cannot be stored; then nothing is forgotten.
    pub fn forget<E>(
        &self,
        actor: &Actor,
        at: Timestamp,
        choose: impl FnOnce(&mut Memory) -> Result<Vec<Uid>, E>,
    ) -> Result<Result<Forgotten, E>, StoreError> {
        self.change(|transaction, cache| {
            let said = Said::of(&cache.memory);
            let devices = match choose(&mut cache.memory) {
                Ok(devices) => devices,
                Err(why) => return Ok(Err(why)),
            };
            for edited in said.changes(&cache.memory) {
                audit_note(transaction, at, actor, edited.action, &edited.subject, &edited.detail)?;
            }
            let streams = streams_of(transaction, &devices)?;
            let pictures = pictures::forget(transaction, &streams)?;
            rows::save(transaction, cache)?;
            place_rows::forget_logins(transaction)?;
            Ok(Ok(Forgotten { devices, pictures }))
        })
    }
}

fn streams_of(connection: &Connection, devices: &[Uid]) -> rusqlite::Result<Vec<StreamId>> {
    let find = "SELECT s.key FROM streams s JOIN devices d ON d.id = s.device WHERE d.public = ?1";
    let mut find = connection.prepare(find)?;
    let mut all = Vec::new();
    for device in devices {
        let keys = find.query_map([device.as_str()], |row| row.get::<_, String>(0))?;
        for key in keys {
            all.push(StreamId::of(device, &key?));
        }
    }
    Ok(all)
}
