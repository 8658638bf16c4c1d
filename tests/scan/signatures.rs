//! A file of signatures that a user adds: a maker nobody else knows, what tells it, and where it puts its streams.

use std::path::PathBuf;
use std::sync::Arc;

use camscan::identify::signature::Signatures;
use camscan::model::{Kind, ProbeOptions, StreamStatus};
use camscan::scan::Scan;
use camscan::scan::session::Session;
use camscan::testkit::net::FakeNet;
use tokio_util::sync::CancellationToken;

use super::servers::Camera;
use super::{Outcome, clock, plan, run};

const PACK: &str = "\
- field: rtsp_server
  regex: '^Quuxcam/(?<firmware>[0-9.]+)'
  vendor: Quux
  kind: camera
  weight: 0.8
  examples: [{text: Quuxcam/4.2, firmware: '4.2'}]
- vendor: quux
  rtsp:
    - {path: '/quux/{n}/{s}.view', streams: [hi, lo], confidence: high}
";

fn camera() -> Camera {
    Camera { server: "Quuxcam/4.2".to_owned(), path: "quux/1/hi.view".to_owned(), ..Camera::new("192.0.2.10") }
}

async fn scan_with(pack: &str, camera: Camera, probe: impl FnOnce(&mut ProbeOptions)) -> (Outcome, FakeNet) {
    let net = FakeNet::subnet();
    camera.on(&net);
    let signatures = Signatures::builtin().with_files(&[(PathBuf::from("quux.yaml"), pack.to_owned())]).unwrap();
    let session = Session::new(Arc::new(net.clone()), Arc::new(signatures), clock, 512);
    let mut plan = plan();
    probe(&mut plan.probe);
    let scan = Scan { session, plan: Arc::new(plan), known: Vec::new(), cancel: CancellationToken::new() };
    (run(scan).await, net)
}

#[tokio::test(start_paused = true)]
async fn a_file_of_one_adds_a_maker_with_its_paths() {
    let (outcome, _) = scan_with(PACK, camera(), |_| {}).await;
    let device = outcome.device("192.0.2.10");
    assert_eq!((device.kind, device.vendor.as_deref()), (Kind::Camera, Some("Quux")));
    assert_eq!(device.firmware.as_deref(), Some("4.2"));
    let streams: Vec<_> = device.streams.iter().map(|s| (s.url.as_str(), s.status)).collect();
    assert_eq!(streams, [("rtsp://192.0.2.10:554/quux/1/hi.view", StreamStatus::Streaming)]);

    // Without the file neither is known, and the path is not asked.
    let (outcome, net) = scan_with("[]", camera(), |_| {}).await;
    let device = outcome.device("192.0.2.10");
    assert_eq!((device.vendor.as_deref(), device.streams.as_slice()), (None, &[][..]));
    assert!(net.asked().iter().all(|asked| !asked.target().contains("quux")));
}

#[tokio::test(start_paused = true)]
async fn another_makers_camera_is_not_asked_for_them() {
    let other = Camera { server: "Hipcam RealServer/V1.0".to_owned(), ..camera() };
    let (outcome, net) = scan_with(PACK, other, |_| {}).await;
    assert!(outcome.device("192.0.2.10").streams.is_empty());
    assert!(net.asked().iter().all(|asked| !asked.target().contains("quux")));
}

#[tokio::test(start_paused = true)]
async fn the_usual_limit_of_paths_holds() {
    let many: String = (0..40).map(|n| format!("    - /quux/{n}\n")).collect();
    let pack = PACK.replace("    - {path: '/quux/{n}/{s}.view', streams: [hi, lo], confidence: high}\n", &many);
    let (_, net) = scan_with(&pack, camera(), |probe| probe.max_candidates = 10).await;
    let described = net.asked().iter().filter(|asked| asked.method() == "DESCRIBE").count();
    let of_pack = net.asked().iter().filter(|a| a.method() == "DESCRIBE" && a.target().contains("/quux/")).count();
    // The limit, and few more for what a wrong path is answered.
    assert!((6..=10).contains(&of_pack) && described <= 14, "{of_pack} of {described}");
}
