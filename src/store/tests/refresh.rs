//! Somebody who keeps what is known up to date has what the store has, whoever changed it.

use super::*;

fn name(store: &Store, uid: &Uid, name: &str) {
    let change = |memory: &mut Memory| {
        memory.devices.get_mut(uid).unwrap().note.name = Some(name.to_owned());
        memory.touched.insert(uid.clone());
        ((), Vec::new())
    };
    store.update(change, &()).unwrap();
}

#[test]
fn what_is_refreshed_is_what_is_known() {
    let folder = StoreFolder::new();
    let (store, mut memory, mut as_of) = (folder.store(), Memory::default(), AsOf::default());
    let mut refreshed = |store: &Store| {
        store.refresh(&mut memory, &mut as_of).unwrap();
        assert_eq!(memory, store.memory().unwrap());
        as_of
    };
    let empty = refreshed(&store);
    let uids = learn(&store, &report(0)).value.devices;
    let learnt = refreshed(&store);
    assert_eq!(learnt.reading, empty.reading, "only what changed is copied");
    name(&store, &uids[0], "Gate");
    name(&store, &uids[1], "Yard");
    assert_eq!(refreshed(&store).changes, learnt.changes + 2);
    store.update(|memory| ((), memory.pass(Timestamp::MAX - SignedDuration::from_hours(9))), &()).unwrap();
    refreshed(&store);
    let merged = |memory: &mut Memory| (memory.merge(&uids[0], &uids[1]).unwrap(), Vec::new());
    store.update(merged, &()).unwrap();
    refreshed(&store);
    // Another process writes: all is read anew.
    let other = Store::open(&folder.file(), Open::Existing).unwrap();
    name(&other, &uids[0], "Door");
    assert_ne!(refreshed(&store).reading, learnt.reading);
    name(&store, &uids[0], "Gate again");
    refreshed(&store);
    // What fails half-way is not known.
    let failed = store.change(|_, known| {
        known.memory.devices.clear();
        Err::<(), _>(rusqlite::Error::InvalidQuery)
    });
    assert!(failed.is_err());
    refreshed(&store);
    assert_eq!(memory.find(uids[0].as_str()).unwrap().note.name.as_deref(), Some("Gate again"));
    assert!(store.write_times().counts.iter().sum::<u64>() >= 5);
}
