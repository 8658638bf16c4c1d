//! What holds for a device holds at all of its addresses, and whatever becomes of the store: counted as the device counts.

use std::sync::Arc;

use camscan::identify::signature::Signatures;
use camscan::model::{Finding, FindingKind, Method, ScanEvent, ScanPlan};
use camscan::scan::Scan;
use camscan::scan::session::Session;
use camscan::store::{Open, Store};
use camscan::testkit::net::{FakeNet, Kernel, Lan, RawFrames};
use tokio_util::sync::CancellationToken;

use super::budget::{MAC, Place, Sight, WRONG, look, plan_of};
use super::servers::Camera;

const V6: &str = "fe80::62";

/// A network on which nothing but the kernel shows whose an address is.
fn link() -> FakeNet {
    let net = FakeNet::subnet();
    net.links.speak_v6();
    net.links.neighbour([(V6.parse().unwrap(), MAC)]);
    net
}

fn logins_of(net: &FakeNet) -> usize {
    net.asked().iter().filter(|asked| asked.has_login()).count()
}

#[tokio::test(start_paused = true)]
async fn a_camera_by_ipv4_and_ipv6_refuses_no_more_where_the_kernel_alone_knows_its_card() {
    let net = link();
    net.links.mac("192.0.2.10", MAC);
    let camera = Sight::at(&["192.0.2.10", V6]).stating(&[]);
    let report = look(&net, &camera, plan_of(&camera, &WRONG)).await;
    assert_eq!(logins_of(&net), 2);
    assert_eq!(report.devices.len(), 1, "it is one device, too");
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_moves_is_counted_by_its_card_without_arp() {
    let place = Place::on(link());
    for ip in ["192.0.2.2", "192.0.2.3", "192.0.2.4"] {
        place.net.links.mac(ip, MAC);
        place.scan(&Sight::at(&[ip]).stating(&[]), &WRONG).await;
        place.net.host_down(ip);
    }
    assert_eq!(place.logins_seen(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_card_that_is_found_after_the_logins_were_refused_counts_them() {
    let place = Place::new();
    // The kernel shows nothing, and ARP is answered when the camera was inspected long ago.
    let lan = Lan { raw: RawFrames::ArpOnly, kernel: Kernel::Absent, lost: 2, ..Lan::default() };
    place.net.links.set_lan(lan);
    for ip in ["192.0.2.2", "192.0.2.3"] {
        place.net.links.mac(ip, MAC);
        let camera = Sight::at(&[ip]).stating(&[]);
        Camera { login: Some(camera.login.to_owned()), ..Camera::new(ip) }.on(&place.net);
        let store = Store::open(&place.file(), Open::Create).unwrap();
        let plan = ScanPlan { login_book: Some(store.login_book(false)), ..plan_of(&camera, &WRONG) };
        let session = Session::new(Arc::new(place.net.clone()), Signatures::builtin(), super::clock, 512);
        let mut known = vec![Finding::new(ip.parse().unwrap(), FindingKind::Seen(Method::Tcp))];
        if ip == "192.0.2.3" {
            known.insert(0, Finding::new(ip.parse().unwrap(), FindingKind::Mac(MAC)));
        }
        let plan = Arc::new(ScanPlan { methods: vec![Method::Arp], ..plan });
        let scan = Scan { session, plan, known, cancel: CancellationToken::new() };
        let report = scan.run(|_: &ScanEvent| {}).await;
        assert_eq!(report.devices[0].mac, Some(MAC), "{ip}");
        place.net.host_down(ip);
    }
    assert_eq!(place.logins_seen(), 2);
}
