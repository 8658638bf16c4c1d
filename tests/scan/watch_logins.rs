//! Watching cameras that take their login in the address, of which nothing is written down.

use camscan::history::memory::{Memory, StreamState};
use camscan::model::Credential;
use camscan::testkit::net::FakeNet;
use camscan::watch::Order;

use super::servers::{Camera, rtsp, talking};
use super::watch::{Place, job};

const IP: &str = "192.0.2.10";
const PASSWORD: &str = "tiefer-brunnen-7";

/// A camera of which the stream is at an address with the login in it.
fn camera(net: &FakeNet) {
    let sdp = Camera::new(IP).sdp();
    let server = "Server: H264DVR 1.0\r\n";
    talking(net, &format!("{IP}:554"), move |asked| {
        let is_right = asked.target().contains(&format!("user=admin&password={PASSWORD}&channel=1"));
        match asked.method() {
            "OPTIONS" => rtsp(asked, "200 OK", &format!("{server}Public: DESCRIBE, SETUP, PLAY\r\n"), ""),
            "DESCRIBE" if is_right => {
                rtsp(asked, "200 OK", &format!("{server}Content-Type: application/sdp\r\n"), &sdp)
            }
            _ => {
                let challenge = "WWW-Authenticate: Unknown realm=\"x\"\r\n";
                rtsp(asked, "401 Unauthorized", &format!("{server}{challenge}"), "")
            }
        }
    });
}

fn streams(memory: &Memory) -> Vec<(String, StreamState, u64)> {
    let all = memory.roots().flat_map(|known| known.streams.values());
    all.map(|stream| (stream.stream.url.clone(), stream.health.state, stream.health.checks)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_address_without_its_login_is_asked_for_no_more() {
    let mut job = job(&[]);
    job.plan.probe.credentials = vec![Credential { allow_in_path: true, ..Credential::new("admin", PASSWORD) }];
    let place = Place::with_camera(job, camera).await;
    assert!(place.net.asked_of(IP).iter().any(|asked| asked.target().contains(PASSWORD)), "a scan asks with the login");
    let before = streams(&place.store.memory().unwrap());
    let key = {
        let memory = place.store.memory().unwrap();
        let known = memory.roots().next().unwrap();
        (known.uid.clone(), known.streams.keys().next().unwrap().clone())
    };
    assert!(before.iter().all(|(url, ..)| url.contains("***")), "{before:?}");
    let _ = (place.told(), place.news());
    place.pass(60).await;
    // Nor where a user wants it to be checked now.
    place.orders.send(Order::Check(key.0, key.1)).await.unwrap();
    place.pass(10).await;
    assert!(place.news().iter().all(|news| !news.starts_with("checked")));
    assert_eq!(streams(&place.store.memory().unwrap()), before);
    // Nor by a scan, which knows what earlier ones found.
    place.pass(360).await;
    let hidden = place.net.asked_of(IP).iter().filter(|asked| asked.text.contains("***")).count();
    assert_eq!(hidden, 0, "requests hold what stands for a login");
    assert_eq!(place.told(), [""; 0]);
    place.end().await;
}
