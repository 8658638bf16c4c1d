//! What is the same is not written again, and whatever is not the same is.

use super::*;
use crate::history::memory::StreamCheck;
use crate::model::StreamStatus;

/// What this process knows is what another one reads.
fn is_as_stored(folder: &StoreFolder, store: &Store, step: &str) {
    let other = Store::open(&folder.file(), Open::ReadOnly).unwrap();
    assert_eq!(other.memory().unwrap(), store.memory().unwrap(), "{step}");
}

/// The document of a device, and when it was last seen.
fn row(store: &Store, uid: &Uid) -> (Vec<u8>, i64) {
    let find = "SELECT body, last_seen FROM devices WHERE public = ?1";
    store.read(|c| c.query_row(find, [uid.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))).unwrap()
}

/// Changes a device as a user does.
fn change(store: &Store, uid: &Uid, with: impl Fn(&mut crate::history::memory::Known)) {
    let change = |memory: &mut Memory| {
        with(memory.devices.get_mut(uid).unwrap());
        memory.touched.insert(uid.clone());
        ((), Vec::new())
    };
    store.update(change, &()).unwrap();
}

#[test]
fn what_is_known_is_what_is_stored_after_every_change() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let uids = learn(&store, &report(0)).value.devices;
    is_as_stored(&folder, &store, "learnt");
    let memory = store.memory().unwrap();
    let (uid, key, stream) = memory
        .devices
        .iter()
        .find_map(|(uid, known)| {
            known.streams.iter().next().map(|(key, s)| (uid.clone(), key.clone(), s.stream.clone()))
        })
        .unwrap();
    let began = report(0).scan.finished_at;
    let check = |minutes: i64, status: StreamStatus| {
        let at = began + SignedDuration::from_mins(minutes);
        let stream = crate::model::Stream { status, error: None, ..stream.clone() };
        let check = StreamCheck {
            uid: uid.clone(),
            key: key.clone(),
            at,
            stream,
            busy: false,
            ways_tried: 1,
            offers_digest: false,
        };
        store.update(|memory| ((), memory.checked(&check)), &()).unwrap();
    };
    check(5, StreamStatus::Streaming);
    is_as_stored(&folder, &store, "checked");
    let (body, seen) = row(&store, &uid);
    check(10, StreamStatus::Streaming);
    is_as_stored(&folder, &store, "checked again");
    let (again, later) = row(&store, &uid);
    assert_eq!(again, body, "that it was seen again is no other document");
    assert_eq!(later - seen, 5 * 60 * 1000);
    for minutes in [15, 20, 25] {
        check(minutes, StreamStatus::NoData);
        is_as_stored(&folder, &store, "without frames");
    }
    change(&store, &uid, |known| known.note.name = Some("Gate".to_owned()));
    is_as_stored(&folder, &store, "named");
    change(&store, &uid, |known| known.note = crate::model::memory::Note::default());
    is_as_stored(&folder, &store, "named no more");
    change(&store, &uid, |known| {
        known.device.ip = [192, 0, 2, 200].into();
        known.address_since = began + SignedDuration::from_mins(26);
    });
    is_as_stored(&folder, &store, "moved");
    change(&store, &uid, |known| drop(known.keys.pop_first()));
    is_as_stored(&folder, &store, "known by less");
    // A stream that goes and comes is written again as it was.
    let kept = store.memory().unwrap().devices[&uid].streams.clone();
    change(&store, &uid, |known| known.streams.clear());
    is_as_stored(&folder, &store, "without streams");
    change(&store, &uid, |known| known.streams.clone_from(&kept));
    is_as_stored(&folder, &store, "with its streams again");
    let other = uids.iter().find(|other| **other != uid).unwrap();
    store.update(|memory| (memory.merge(&uid, other).unwrap(), Vec::new()), &()).unwrap();
    is_as_stored(&folder, &store, "merged");
    store.update(|memory| (memory.split(other).unwrap(), Vec::new()), &()).unwrap();
    is_as_stored(&folder, &store, "split");
    // What fails half-way is not taken for written.
    let failed = store.change(|transaction, known| {
        known.memory.devices.get_mut(&uid).unwrap().note.name = Some("Lost".to_owned());
        known.memory.touched.insert(uid.clone());
        rows::save(transaction, known)?;
        Err::<(), _>(rusqlite::Error::InvalidQuery)
    });
    assert!(failed.is_err());
    is_as_stored(&folder, &store, "failed");
    change(&store, &uid, |known| known.note.name = Some("Lost".to_owned()));
    is_as_stored(&folder, &store, "named after all");
    learn(&store, &report(3));
    is_as_stored(&folder, &store, "scanned again");
    let spans =
        "SELECT count(*) FROM spans WHERE ended IS NULL AND device = (SELECT id FROM devices WHERE public = ?1)";
    let open: i64 = store.read(|c| c.query_row(spans, [uid.as_str()], |row| row.get(0))).unwrap();
    assert_eq!(open, 1 + kept.len() as i64, "the device and each of its streams is in one state");
}
