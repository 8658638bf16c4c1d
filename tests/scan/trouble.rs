//! Watching while the store is in trouble, on a network in memory.

use std::fs;

use camscan::store::{EventFilter, Open, Store};

use super::watch::{Place, job};

/// What another process finds in the store.
fn kinds(place: &Place) -> Vec<&'static str> {
    let store = Store::open(place.store.file(), Open::Existing).unwrap();
    let events = store.events(&EventFilter::default()).unwrap();
    assert_eq!(store.memory().unwrap(), place.store.memory().unwrap());
    events.iter().map(|stored| stored.event.kind.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_file_is_removed_is_told_of_within_a_minute_and_loses_nothing() {
    let place = Place::with(&[10, 11, 12], job(&[])).await;
    assert_eq!(place.told(), ["scan.finished"]);
    fs::remove_file(place.store.file()).unwrap();
    place.pass(1).await;
    assert_eq!(place.told(), ["store.failing"]);
    place.pass(30).await;
    assert_eq!(place.told(), ["store.recovered"]);
    place.net.host_down("192.0.2.10");
    place.pass(30).await;
    assert_eq!(place.told(), ["device.offline"]);
    let known = kinds(&place);
    assert_eq!(known.first(), Some(&"scan.finished"), "what was stored before");
    for kind in ["store.failing", "store.recovered", "device.offline"] {
        assert_eq!(known.iter().filter(|known| **known == kind).count(), 1, "{kind}: {known:?}");
    }
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn another_store_in_its_place_is_told_of_once_and_left_as_it_is() {
    let place = Place::with(&[10, 11, 12], job(&[])).await;
    place.told();
    let other = place.store.file().with_file_name("other.sqlite");
    drop(Store::open(&other, Open::Create).unwrap());
    let bytes = fs::read(&other).unwrap();
    fs::rename(&other, place.store.file()).unwrap();
    place.pass(1).await;
    assert_eq!(place.told(), ["store.failing"]);
    place.net.host_down("192.0.2.10");
    place.pass(60).await;
    assert_eq!(place.told(), ["device.offline"]);
    assert_eq!(fs::read(place.store.file()).unwrap(), bytes);
    fs::remove_file(place.store.file()).unwrap();
    place.pass(2).await;
    assert_eq!(place.told(), ["store.recovered"]);
    assert!(kinds(&place).contains(&"device.offline"));
    place.end().await;
}
