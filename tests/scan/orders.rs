//! What somebody wants of a process that watches: scans, their end, a look at one device, a check of one stream.

use camscan::model::TargetSpec;
use camscan::model::memory::Uid;
use camscan::store::Cause;
use camscan::testkit::clock;
use camscan::watch::{Order, ScanOrder};

use super::watch::{Place, job};

async fn order(place: &Place, order: Order) {
    place.orders.send(order).await.unwrap();
}

fn scan(id: u64, targets: &[&str], device: Option<Uid>) -> Order {
    let targets: Vec<TargetSpec> = targets.iter().map(|target| target.parse().unwrap()).collect();
    Order::Scan(ScanOrder { id, targets, device, cause: Cause::User, at: clock::now() })
}

/// What was told of scans since this was asked last; checks go on beside them.
fn scan_news(place: &Place) -> Vec<String> {
    place.news().into_iter().filter(|line| !line.starts_with("checked")).collect()
}

fn uid_of(place: &Place, ip: &str) -> Uid {
    place.store.memory().unwrap().find(ip).unwrap().uid.clone()
}

#[tokio::test(start_paused = true)]
async fn scans_that_are_wanted_are_made_one_after_the_other_and_kept() {
    let place = Place::with(&[10, 11], job(&[])).await;
    place.news();
    order(&place, scan(1, &["192.0.2.10"], None)).await;
    order(&place, scan(2, &[], None)).await;
    place.pass(3).await;
    assert_eq!(scan_news(&place), ["begun 1", "ended 1: complete, 1, kept", "begun 2", "ended 2: complete, 2, kept"]);
    let scans = place.store.scans(9).unwrap();
    assert_eq!(scans.iter().map(|scan| scan.cause).collect::<Vec<_>>(), [Cause::User, Cause::User, Cause::Schedule]);
    // Who was not asked for is not missed.
    assert_eq!(place.told(), ["scan.finished"]);
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_is_ended_keeps_what_it_found_and_one_that_waits_is_taken_back() {
    // A check that is under way would have the scan wait.
    let place = Place::with(&[10], camscan::watch::Job { checks: None, ..job(&[]) }).await;
    place.news();
    order(&place, scan(1, &["192.0.2.0/24"], None)).await;
    order(&place, scan(2, &["192.0.2.0/24"], None)).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    order(&place, Order::EndScan(2)).await;
    order(&place, Order::EndScan(1)).await;
    place.pass(1).await;
    let news = place.news();
    assert!(news.contains(&"ended 2: Dropped".to_owned()), "{news:?}");
    assert!(news.iter().any(|line| line.starts_with("ended 1: interrupted") && line.ends_with("kept")), "{news:?}");
    assert!(!news.contains(&"begun 2".to_owned()), "{news:?}");
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_look_at_one_device_is_no_scan_that_others_are_compared_with() {
    let place = Place::with(&[10, 11], job(&[])).await;
    let (before, uid) = (place.store.scans(9).unwrap(), uid_of(&place, "192.0.2.10"));
    place.news();
    order(&place, scan(5, &["192.0.2.10"], Some(uid))).await;
    place.pass(1).await;
    assert_eq!(scan_news(&place), ["begun 5", "ended 5: complete, 1, not kept"]);
    assert_eq!(place.store.scans(9).unwrap(), before);
    assert_eq!(place.store.memory().unwrap().roots().count(), 2);
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_played_when_somebody_wants_it() {
    let place = Place::with(&[10], camscan::watch::Job { checks: None, ..job(&[]) }).await;
    let uid = uid_of(&place, "192.0.2.10");
    let key = place.store.memory().unwrap().devices[&uid].streams.keys().next().unwrap().clone();
    place.pass(20).await;
    place.news();
    order(&place, Order::Check(uid.clone(), key.clone())).await;
    order(&place, Order::Check(uid, "rtsp:554/none".to_owned())).await;
    place.pass(1).await;
    assert_eq!(place.news(), [format!("checked {key}")]);
    place.end().await;
}
