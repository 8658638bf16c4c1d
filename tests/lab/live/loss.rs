//! A viewer on a bad network, and one that is killed.

use std::time::Duration;

use super::place::{Camera, Server, freezes, h264, must, now, until};
use crate::Lab;
use crate::ns::need;
use crate::trial::Skip;

/// What is dropped, of a hundred, and for how long that is watched.
const RATES: [(u32, Duration); 3] =
    [(0, Duration::from_secs(5)), (2, Duration::from_secs(20)), (5, Duration::from_secs(30))];
/// The goal is one a minute. None is what is measured, and a busy machine may add some that only one viewer has.
const MOST_FREEZES: usize = 3;

/// Of what is sent to one viewer a part is lost on the way: it sees on, and the other one notices nothing. What the kernel sends
/// in one piece falls together here, mostly a whole picture. Killed without a word, they leave nothing behind, and the camera's
/// session ends.
pub fn a_bad_network_and_a_sudden_end_are_one_viewers_own() -> Result<(), Skip> {
    need(&["python3", "nft"])?;
    let python = crate::aiortc()?;
    let mut lab = Lab::new();
    // Some 200 packets a second: of a quiet picture hardly any would be lost.
    let busy = h264("640x480").replace("pattern=ball", "pattern=snow").replace("bitrate=800", "bitrate=2000");
    let camera = Camera::new(&mut lab, "10.77.0.10", "44:47:cc:00:00:10", &busy);
    let (bad, good) = (lab.lan.host("10.77.0.2", "02:00:00:00:00:02"), lab.lan.host("10.77.0.3", "02:00:00:00:00:03"));
    let server = Server::start(&lab, &camera)?;
    let mut viewers = [server.viewer(&bad, "10.77.0.2", &python), server.viewer(&good, "10.77.0.3", &python)];
    viewers.iter().for_each(|viewer| println!("{}", viewer.sees_after(0.0).line));
    must(&bad, "nft", &["add table inet lab"]);
    let mut alone = 0;
    for (percent, watched) in RATES {
        must(&bad, "nft", &["add chain inet lab in { type filter hook input priority 0; }"]);
        let rule = format!("add rule inet lab in udp sport 8001 numgen random mod 100 < {percent} counter drop");
        must(&bad, "nft", &[&rule]);
        viewers.iter().for_each(|viewer| drop(viewer.times()));
        std::thread::sleep(watched);
        let [with_it, beside] = viewers.each_ref().map(|viewer| {
            let mut times = viewer.times();
            times.push(viewer.sees_after(now()).at);
            times
        });
        for (who, times) in [("with it", &with_it), ("beside", &beside)] {
            let (all, longest) = (freezes(times), times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max));
            println!(
                "{percent} % lost, {who}: {} pictures in {} s, {} freezes, {longest:.2} s at most",
                times.len(),
                watched.as_secs(),
                all.len()
            );
        }
        // Those that both have at once are the machine's.
        let beside = freezes(&beside);
        let is_its_own = |freeze: &&(f64, f64)| !beside.iter().any(|other| other.0 < freeze.1 && freeze.0 < other.1);
        alone += freezes(&with_it).iter().filter(is_its_own).count();
        let dropped = String::from_utf8(bad.run("nft", &["list table inet lab"]).stdout).unwrap();
        let count = dropped.split("counter packets ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        println!("{percent} % lost: {count} packets were dropped");
        assert_eq!(percent == 0, count == "0", "{dropped}");
        must(&bad, "nft", &["flush chain inet lab in"]);
    }
    assert!(alone <= MOST_FREEZES, "the picture stood {alone} times with the one who loses packets alone");
    let facts = &server.list()[0];
    assert_eq!(facts["viewers"].as_array().map(Vec::len), Some(2), "{facts}");
    println!("the server's own account of them: {}", facts["viewers"]);
    assert!(facts["viewers"].as_array().unwrap().iter().any(|one| one["nacks"].as_u64() > Some(0)), "none was resent");
    // By a signal that none of them can answer.
    viewers.iter_mut().for_each(|viewer| viewer.running.child.kill().unwrap());
    until("nobody is left", || server.list()[0]["viewers"] == serde_json::json!([]));
    until("the camera is left alone", || server.list()[0]["state"] == "idle");
    Ok(())
}
