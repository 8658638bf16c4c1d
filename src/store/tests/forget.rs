//! A device that is forgotten leaves nothing behind but what happened.

use super::*;
use crate::history::memory::tests::camera;
use crate::model::login_place::SentLogin;
use crate::model::{DeviceTraits, Protocol};
use crate::store::accounts::Actor;

const DEVICE_TABLES: [&str; 8] =
    ["devices", "device_keys", "addresses", "presence", "streams", "spans", "notes", "logins"];

fn forget(store: &Store, uid: &Uid) -> Forgotten {
    let forget = |memory: &mut Memory| Ok::<_, ()>(memory.forget(uid));
    store.forget(&Actor::command_line(), Timestamp::now(), forget).unwrap().unwrap()
}

fn count(store: &Store, table: &str) -> i64 {
    store.read(|c| c.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))).unwrap()
}

/// A store that knows two cameras, the first of which has all that a device can have.
fn two_cameras(folder: &StoreFolder) -> (Store, Vec<Uid>) {
    let store = folder.store();
    let mut seen = crate::history::memory::tests::report(vec![camera(1, 1), camera(2, 2)]);
    seen.scan.finished_at = "2026-03-01T10:00:00Z".parse().unwrap();
    let uids = store.learn(&seen, Cause::User, Vantage::CLEAR, &ToTest).unwrap().value.devices;
    let uid = &uids[0];
    let write = |memory: &mut Memory| {
        memory.devices.get_mut(uid).unwrap().note.name = Some("Gate".to_owned());
        memory.touched.insert(uid.clone());
        let about = Event { device: Some(uid.clone()), ..Event::new(EventKind::DeviceChanged, seen.scan.finished_at) };
        ((), vec![about])
    };
    store.update(write, &ToTest).unwrap();
    let login = Credential::new("operator", "correct horse battery");
    store.note_login(uid, &login, seen.scan.finished_at).unwrap();
    let scope = SealedScope { device: Some(uid.clone()), ..SealedScope::default() };
    store.add_sealed_login("operator", b"sealed", &scope, &Actor::command_line(), Timestamp::now()).unwrap().unwrap();
    (store, uids)
}

#[test]
fn no_row_of_a_device_that_is_forgotten_stays_but_what_happened() {
    let folder = StoreFolder::new();
    let (store, uids) = two_cameras(&folder);
    let events = store.events(&EventFilter::default()).unwrap();
    assert!(DEVICE_TABLES.iter().all(|table| count(&store, table) > 0));
    assert_eq!(forget(&store, &uids[0]).devices, uids[..1]);
    let row = store.read(|c| rows::row_of(c, &uids[1])).unwrap().unwrap();
    for table in DEVICE_TABLES {
        let column = if table == "devices" { "id" } else { "device" };
        let others: i64 = store
            .read(|c| {
                let select = format!("SELECT count(*) FROM {table} WHERE {column} <> ?1");
                c.query_row(&select, [row], |row| row.get(0))
            })
            .unwrap();
        assert_eq!(others, 0, "{table}");
    }
    assert_eq!(store.sealed_logins().unwrap(), [], "its login goes with it");
    assert_eq!(count(&store, "docs"), 2, "what the other one was found as, and the scan");
    assert_eq!(store.events(&EventFilter::default()).unwrap(), events, "what happened stays");
    let message = store.outbox(&OutboxFilter::default()).unwrap().remove(0);
    assert!(!store.events_of(&message).unwrap().is_empty(), "a message about it can still be read");
    assert_eq!(store.check().unwrap().faults, [""; 0]);
    assert_eq!(forget(&store, &uids[0]), Forgotten::default(), "there is nothing more to forget");
}

#[test]
fn who_keeps_what_is_known_up_to_date_forgets_as_well_and_writes_nothing_back() {
    let folder = StoreFolder::new();
    let (store, uids) = two_cameras(&folder);
    let other = Store::open(&folder.file(), Open::Existing).unwrap();
    let [mut own, mut theirs] = [store.memory().unwrap(), other.memory().unwrap()];
    forget(&other, &uids[0]);
    other.refresh(&mut theirs).unwrap();
    assert_eq!((theirs.devices.len(), other.inner.known.readings()), (1, 1), "what changed is taken over");
    // A question and a check of the device were under way.
    let now = "2026-03-01T11:00:00Z".parse().unwrap();
    store.update(|memory| ((), memory.answered(&uids[0], now, true, Vantage::CLEAR)), &()).unwrap();
    store.note_login(&uids[0], &Credential::new("operator", "correct horse battery"), now).unwrap();
    for (store, memory) in [(&store, &mut own), (&other, &mut theirs)] {
        store.refresh(memory).unwrap();
        assert_eq!(memory.devices.keys().collect::<Vec<_>>(), [&uids[1]]);
    }
    assert_eq!(own, Store::open(&folder.file(), Open::ReadOnly).unwrap().memory().unwrap());
    assert_eq!((count(&store, "devices"), count(&store, "logins")), (1, 0));
}

#[test]
fn a_device_that_a_login_was_given_for_does_not_go_by_itself() {
    let folder = StoreFolder::new();
    let (store, uids) = two_cameras(&folder);
    let has_login = |store: &Store| store.memory().unwrap().devices[&uids[0]].has_login;
    assert!(has_login(&store) && has_login(&Store::open(&folder.file(), Open::ReadOnly).unwrap()));
    let id = store.sealed_logins().unwrap()[0].id;
    store.remove_sealed_login(id, &Actor::command_line(), Timestamp::now()).unwrap().unwrap();
    assert!(!has_login(&store));
}

#[test]
fn what_fails_half_way_forgets_nothing() {
    let folder = StoreFolder::new();
    let (store, uids) = two_cameras(&folder);
    let before = store.memory().unwrap();
    let failed = store.change(|transaction, known| {
        known.memory.forget(&uids[0]);
        rows::save(transaction, known)?;
        Err::<(), _>(rusqlite::Error::InvalidQuery)
    });
    assert!(failed.is_err());
    assert_eq!(store.memory().unwrap(), before);
    let refused = store.forget(&Actor::command_line(), Timestamp::now(), |_| Err::<Vec<Uid>, _>("no"));
    assert_eq!(refused.unwrap(), Err("no"));
    forget(&store, &uids[0]);
    assert_eq!(store.memory().unwrap().devices.len(), 1);
}

#[test]
fn no_login_of_a_device_that_is_forgotten_can_be_recognised() {
    let folder = StoreFolder::new();
    let (store, uids) = two_cameras(&folder);
    let device = DeviceTraits::of(&store.memory().unwrap().devices[&uids[0]].device);
    let login = SentLogin { protocol: Protocol::Rtsp, credential: Credential::new("operator", "secret") };
    store.login_book(false).note_refused(None, &device, Some(&login), Timestamp::now()).unwrap();
    let marked = "(SELECT 1 FROM login_places WHERE unanswered IS NOT NULL)";
    assert_eq!(count(&store, marked), 1);
    forget(&store, &uids[0]);
    assert_eq!((count(&store, marked), count(&store, "login_places")), (0, 1), "it still counts");
}
