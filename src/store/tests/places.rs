//! The book of logins: what counts, for how long, and for which process.

use super::*;
use crate::model::login_place::{Outcome, Place, PlaceId, SentLogin};
use crate::model::{Credential, DeviceTraits, LoginBook, Protocol};
use std::sync::Arc;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 3600 * hours).unwrap()
}

fn device(n: u8) -> DeviceTraits {
    DeviceTraits::at([10, 0, 0, n].into())
}

fn taken(book: &Arc<dyn LoginBook>, device: &DeviceTraits, is_trusted: bool, now: Timestamp) -> PlaceId {
    match book.take(device, 2, is_trusted, None, now).unwrap() {
        Place::Taken(place) => place,
        other => panic!("{other:?}"),
    }
}

/// As if the process that wrote all that is written by now had been killed.
fn kill_all(store: &Store) {
    // No process has this number.
    store.write(|transaction| transaction.execute("UPDATE opens SET pid = 0", []).map(drop)).unwrap();
}

#[test]
fn a_place_counts_until_it_is_settled_and_a_refusal_for_a_day() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let book = store.login_book(false);
    let take = |n, hours| book.take(&device(n), 2, false, None, at(hours)).unwrap();
    let (first, second) = (taken(&book, &device(1), false, at(0)), taken(&book, &device(1), false, at(0)));
    assert_eq!(take(1, 0), Place::Busy);
    assert!(matches!(take(2, 0), Place::Taken(_)), "another device");
    book.end(first, Outcome::Refused).unwrap();
    book.end(second, Outcome::Unused).unwrap();
    let third = taken(&book, &device(1), false, at(1));
    book.end(third, Outcome::Refused).unwrap();
    // Whichever is written last.
    book.end(third, Outcome::Works).unwrap();
    book.end(third, Outcome::Unused).unwrap();
    assert_eq!(take(1, 23), Place::Spent);
    assert!(matches!(take(1, 24), Place::Taken(_)), "the first is a day old");
    assert_eq!(take(1, 24), Place::Busy);
}

#[test]
fn a_killed_process_leaves_what_it_tried_and_not_what_works() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let book = store.login_book(true);
    taken(&book, &device(1), false, at(0));
    taken(&book, &device(1), false, at(0));
    taken(&book, &device(2), true, at(0));
    let proved = taken(&book, &device(2), false, at(0));
    book.end(proved, Outcome::Works).unwrap();
    kill_all(&store);
    let next = folder.store().login_book(false);
    assert_eq!(next.take(&device(1), 2, true, None, at(1)).unwrap(), Place::Spent);
    taken(&next, &device(2), true, at(1));
    taken(&next, &device(2), true, at(1));
}

#[test]
fn a_place_that_works_is_kept_and_written_anew_when_it_is_used_later() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let book = store.login_book(true);
    let place = taken(&book, &device(1), true, at(0));
    book.give_back(place, &device(1)).unwrap();
    let before = store.write_times();
    for _ in 0..5 {
        assert_eq!(taken(&book, &device(1), true, at(0)), place);
        book.give_back(place, &device(1)).unwrap();
    }
    assert_eq!(store.write_times(), before, "nothing was written");
    let renewed = taken(&book, &device(1), true, at(1));
    assert_eq!(renewed, place);
    assert_ne!(store.write_times(), before);
    // Another login takes its place, and does not stand in it.
    book.give_back(renewed, &device(1)).unwrap();
    let tried = taken(&book, &device(1), false, at(1));
    kill_all(&store);
    assert!(matches!(book.take(&device(1), 1, false, None, at(1)), Ok(Place::Spent)), "{tried:?}");
}

#[test]
fn a_place_that_is_kept_gives_way_to_another_program_and_what_it_refuses_then_counts() {
    let folder = StoreFolder::new();
    let (watching, scanning) = (folder.store(), folder.store());
    let (keeper, other) = (watching.login_book(true), scanning.login_book(false));
    let minutes = |minutes| at(0) + SignedDuration::from_mins(minutes);
    let kept = taken(&keeper, &device(1), true, minutes(0));
    keeper.give_back(kept, &device(1)).unwrap();
    let first = taken(&other, &device(1), false, minutes(0));
    let take = |now| other.take(&device(1), 2, false, None, now).unwrap();
    assert_eq!(take(minutes(0)), Place::Busy, "it was used a moment ago");
    other.end(first, Outcome::Refused).unwrap();
    let Place::Taken(second) = take(minutes(2)) else { panic!() };
    assert!(!keeper.renew(kept, minutes(2)).unwrap(), "it has given way");
    assert_eq!(keeper.take(&device(1), 2, true, None, minutes(2)).unwrap(), Place::Busy);
    other.end(second, Outcome::Unused).unwrap();
    let again = taken(&keeper, &device(1), true, minutes(2));
    assert!(keeper.renew(again, minutes(9)).unwrap());
    assert_eq!(other.take(&device(1), 2, false, None, minutes(9)).unwrap(), Place::Busy, "it is used");
}

#[test]
fn a_refusal_that_cannot_be_written_counts_until_it_can_be() {
    let folder = StoreFolder::new();
    let (store, others) = (folder.store(), folder.store());
    let (book, other) = (store.login_book(true), others.login_book(false));
    let place = taken(&book, &device(1), true, at(0));
    let is_full = |full: bool| {
        let writer = lock(store.inner.writer.as_ref().unwrap());
        writer.connection.pragma_update(None, "query_only", full).unwrap();
    };
    is_full(true);
    book.note_refused(Some(place), &device(1), None, at(0)).unwrap_err();
    let take = |n, is_trusted| book.take(&device(n), 2, is_trusted, None, at(0));
    assert_eq!(take(1, true), Ok(Place::Spent));
    take(1, false).unwrap_err();
    take(2, true).unwrap_err();
    assert_eq!(store.refusals(at(0)).unwrap().len(), 1);
    is_full(false);
    // It is written with the next place.
    taken(&book, &device(2), true, at(0));
    taken(&other, &device(1), false, at(0));
    assert_eq!(other.take(&device(1), 2, false, None, at(0)), Ok(Place::Busy));
    assert_eq!(others.refusals(at(0)).unwrap().len(), 1);
}

#[test]
fn what_got_no_answer_counts_until_the_same_login_is_taken() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let book = store.login_book(false);
    let sent = |protocol, password| SentLogin { protocol, credential: Credential::new("admin", password) };
    let login = sent(Protocol::Rtsp, "right");
    let count = || store.refusals(at(1)).unwrap().len();
    let unanswered = |login: &SentLogin| {
        let place = taken(&book, &device(1), true, at(0));
        book.note_refused(Some(place), &device(1), Some(login), at(0)).unwrap();
    };
    unanswered(&login);
    book.note_refused(None, &device(1), None, at(0)).unwrap();
    for other in [sent(Protocol::Onvif, "right"), sent(Protocol::Rtsp, "wrong")] {
        book.note_taken(&device(1), &other, at(1)).unwrap();
    }
    book.note_taken(&device(2), &login, at(1)).unwrap();
    assert_eq!(count(), 2, "another protocol, another password, another device");
    // Another program, which has the same store, was answered.
    let next = Store::open(store.file(), Open::Create).unwrap();
    next.login_book(false).note_taken(&device(1), &login, at(1)).unwrap();
    assert_eq!(count(), 1, "what was refused goes on counting");
    unanswered(&login);
    assert_eq!(book.take(&device(1), 2, true, None, at(2)), Ok(Place::Spent));
}

#[test]
fn what_becomes_known_of_a_device_counts_for_what_was_written_before() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let book = store.login_book(false);
    let mac = "44:19:b6:00:00:01".parse().ok();
    let place = taken(&book, &device(1), false, at(0));
    book.end(place, Outcome::Refused).unwrap();
    let elsewhere = DeviceTraits { link_mac: mac, ..device(2) };
    let take = |most| book.take(&elsewhere, most, false, None, at(0)).unwrap();
    assert!(matches!(take(1), Place::Taken(other) if book.end(other, Outcome::Unused).is_ok()));
    book.identify(&[place], &DeviceTraits { link_mac: mac, ..device(1) }).unwrap();
    assert_eq!(take(1), Place::Spent);
}

#[test]
fn refusals_are_counted_and_forgotten_by_device() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let uids = learn(&store, &report(0)).value.devices;
    let memory = store.memory().unwrap();
    let known = [&memory.devices[&uids[0]], &memory.devices[&uids[1]]];
    let book = store.login_book(false);
    book.note_refused(None, &DeviceTraits::of(&known[0].device), None, at(0)).unwrap();
    let moved = DeviceTraits { address: [10, 99, 0, 1].into(), ..DeviceTraits::of(&known[0].device) };
    book.note_refused(None, &moved, None, at(0)).unwrap();
    assert_eq!(store.refused(&known, at(0)).unwrap(), [2, 0]);
    assert_eq!(store.known_host(known[0], None, at(0)).unwrap().refusals_left, Some(0));
    assert_eq!(store.forget_refusals(known[1], at(0)).unwrap(), 0);
    assert_eq!(store.forget_refusals(known[0], at(0)).unwrap(), 2);
    assert_eq!(store.refused(&known, at(0)).unwrap(), [0, 0]);
}

#[test]
fn what_one_device_behind_a_router_refused_counts_for_no_other_one() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let mut scanned = report(0);
    scanned.devices.truncate(1);
    let (mut first, router) = (scanned.devices[0].clone(), "02:00:5e:00:00:01".parse().ok());
    (first.mac, first.link_mac, first.serial, first.endpoint) = (router, router, None, None);
    let address = |n: u8| std::net::IpAddr::from([10, 9, 0, n]);
    scanned.devices = (1..4u8)
        .map(|n| {
            let (id, ip) = (format!("ip:{}", address(n)), address(n));
            crate::model::Device { id, ip, addresses: vec![ip], ..first.clone() }
        })
        .collect();
    let uids = learn(&store, &scanned).value.devices;
    let memory = store.memory().unwrap();
    let known: Vec<_> = uids.iter().map(|uid| &memory.devices[uid]).collect();
    let book = store.login_book(false);
    for _ in 0..2 {
        book.note_refused(None, &DeviceTraits::of(&known[0].device), None, at(0)).unwrap();
    }
    assert_eq!(store.refused(&known, at(0)).unwrap(), [2, 0, 0]);
}

#[test]
fn what_was_refused_before_an_upgrade_counts_after_it() {
    let folder = StoreFolder::new();
    let steps = schema::steps();
    let store = Store::open_with(&folder.file(), Open::Create, &steps[..4]).unwrap();
    let uid = learn(&store, &report(0)).value.devices[0].clone();
    let refused = [at(0), at(1)];
    store
        .write(|transaction| {
            let row = rows::row_of(transaction, &uid)?;
            let put = "INSERT INTO logins (device, login, refused_at) VALUES (?1, x'00', ?2)";
            transaction.execute(put, (row, codec::json(&refused)?)).map(drop)
        })
        .unwrap();
    drop(store);
    let store = folder.store();
    let memory = store.memory().unwrap();
    assert_eq!(store.refused(&[&memory.devices[&uid]], at(2)).unwrap(), [2]);
    assert_eq!(store.refused(&[&memory.devices[&uid]], at(24)).unwrap(), [1], "the first is a day old");
}

#[test]
fn what_is_kept_with_a_time_that_has_not_come_is_of_now_once_the_clock_is_set_right() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let (ahead, right) = (report(40 * 24), report(0));
    store.learn(&ahead, Cause::User, Vantage::CLEAR, &ToTest).unwrap();
    let book = store.login_book(false);
    let (then, now) = (ahead.scan.finished_at, right.scan.finished_at);
    for _ in 0..2 {
        let place = taken(&book, &device(1), false, then);
        book.end(place, Outcome::Refused).unwrap();
    }
    store.learn(&right, Cause::User, Vantage::CLEAR, &()).unwrap();
    let waiting = store.outbox(&OutboxFilter::default()).unwrap();
    let has_come = |one: &Delivery| one.created_at <= now && one.due_at <= now;
    assert!(!waiting.is_empty() && waiting.iter().all(has_come), "{waiting:?}");
    let take = |hours| book.take(&device(1), 2, false, None, now + SignedDuration::from_hours(hours)).unwrap();
    assert_eq!(take(23), Place::Spent);
    assert!(matches!(take(25), Place::Taken(_)), "a refusal counts for a day, and not for forty");
}
