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
    let (store, mut memory) = (folder.store(), Arc::default());
    // Brings it up to date: how often all was read by now, and where it lies.
    let mut refreshed = |store: &Store| {
        store.refresh(&mut memory).unwrap();
        assert_eq!(memory, Store::open(&folder.file(), Open::ReadOnly).unwrap().memory().unwrap());
        (store.inner.known.readings(), Arc::as_ptr(&memory))
    };
    let empty = refreshed(&store);
    let uids = learn(&store, &report(0)).value.devices;
    let learnt = refreshed(&store);
    assert_eq!(learnt, empty, "only what changed is copied");
    name(&store, &uids[0], "Gate");
    name(&store, &uids[1], "Yard");
    store.update(|memory| ((), memory.pass(Timestamp::MAX - SignedDuration::from_hours(9))), &()).unwrap();
    assert_eq!(refreshed(&store), learnt);
    let merged = |memory: &mut Memory| (memory.merge(&uids[0], &uids[1]).unwrap(), Vec::new());
    store.update(merged, &()).unwrap();
    assert_eq!(refreshed(&store), learnt);
    // Another process writes: all is read anew, once.
    let other = Store::open(&folder.file(), Open::Existing).unwrap();
    name(&other, &uids[0], "Door");
    assert_eq!(refreshed(&store).0, 2);
    name(&store, &uids[0], "Gate again");
    assert_eq!(refreshed(&store).0, 2);
    // And where both do.
    name(&store, &uids[1], "Yard again");
    name(&other, &uids[0], "Door again");
    name(&store, &uids[1], "Yard once more");
    assert_eq!(refreshed(&store).0, 3);
    // What fails half-way is not known.
    let failed = store.change(|_, known| {
        known.memory.devices.clear();
        Err::<(), _>(rusqlite::Error::InvalidQuery)
    });
    assert!(failed.is_err());
    assert_eq!(refreshed(&store).0, 3);
    name(&store, &uids[1], "Yard at last");
    assert_eq!(refreshed(&store).0, 3);
    let known = memory.find(uids[0].as_str()).unwrap();
    assert_eq!(known.note.name.as_deref(), Some("Door again"));
    assert!(store.write_times().counts.iter().sum::<u64>() >= 5);
}
