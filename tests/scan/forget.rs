//! A device that a user forgets while it is watched.

use camscan::store::accounts::Actor;
use camscan::store::{Open, Store};
use camscan::testkit::clock;
use camscan::watch::Order;

use super::watch::{Place, job};

#[tokio::test(start_paused = true)]
async fn a_device_that_is_forgotten_while_it_is_watched_is_asked_nothing_until_a_scan_finds_it_anew() {
    let place = Place::with(&[10, 11, 12], job(&[])).await;
    place.pass(30).await;
    let uid = place.store.memory().unwrap().find("192.0.2.10").unwrap().uid.clone();
    // By another process, in the middle of checks.
    let other = Store::open(place.store.file(), Open::Existing).unwrap();
    let forgotten = other.forget(&Actor::command_line(), clock::now(), |memory| Ok::<_, ()>(memory.forget(&uid)));
    assert_eq!(forgotten.unwrap().unwrap().devices, std::slice::from_ref(&uid));
    place.pass(2).await;
    place.told();
    let asked = place.net.asked_of("192.0.2.10").len();
    place.pass(60).await;
    assert_eq!(place.net.asked_of("192.0.2.10").len(), asked, "it is still asked");
    let memory = Store::open(place.store.file(), Open::ReadOnly).unwrap().memory().unwrap();
    assert!(memory.find("192.0.2.10").is_none() && memory.devices.len() == 2, "it was written back");
    assert_eq!(place.told(), [""; 0]);
    place.orders.send(Order::ScanNow).await.unwrap();
    place.pass(10).await;
    assert_eq!(place.told(), ["device.new"]);
    let memory = place.store.memory().unwrap();
    assert_ne!(memory.find("192.0.2.10").unwrap().uid, uid);
    assert_eq!(place.store.check().unwrap().faults, [""; 0]);
    place.end().await;
}
