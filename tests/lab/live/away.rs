//! Cameras that go and come back under a viewer who does nothing.

use super::place::{Camera, Server, h264, must, now, until};
use crate::Lab;
use crate::ns::need;
use crate::trial::Skip;

/// A camera is rebooted, unplugged so that no connection is ended, and given another size of picture: the same session shows
/// it again each time.
pub fn a_camera_that_was_away_is_seen_again_by_who_waits() -> Result<(), Skip> {
    need(&["python3"])?;
    let python = crate::aiortc()?;
    let mut lab = Lab::new();
    let small = h264("640x480");
    let mut camera = Camera::new(&mut lab, "10.77.0.10", "44:47:cc:00:00:10", &small);
    let host = lab.lan.host("10.77.0.2", "02:00:00:00:00:02");
    let server = Server::start(&lab, &camera)?;
    let viewer = server.viewer(&host, "10.77.0.2", &python);
    let first = viewer.sees_after(0.0);
    assert_eq!(first.size, "640x480");
    println!("{}", first.line);
    // The last picture of before is decoded when the next one begins.
    let seen = |back: f64| viewer.sees_after(viewer.sees_after(back).at);
    let is = |state: &str| server.list()[0]["state"] == state;

    camera.kill();
    until("the reboot is noticed", || is("away"));
    camera.start(&small);
    let back = now();
    println!("rebooted: seen {:.2} s after it listened", seen(back).at - back);

    must(&camera.host, "ip", &["link", "set", "eth0", "down"]);
    until("the missing cable is noticed", || is("away"));
    let gone = now();
    // What was on its way has been shown by then.
    std::thread::sleep(std::time::Duration::from_secs(2));
    must(&camera.host, "ip", &["link", "set", "eth0", "up"]);
    let back = now();
    let time = seen(back).at - back;
    println!("unplugged for {:.1} s and more: seen {time:.2} s after the link was up", back - gone);

    camera.kill();
    until("the change is noticed", || is("away"));
    camera.start(&h264("960x540"));
    let back = now();
    let seen = seen(back);
    println!("another size: seen {:.2} s after it listened", seen.at - back);
    assert_eq!(seen.size, "960x540");

    let status = &server.list()[0];
    assert_eq!((&status["state"], &status["source"]["reconnects"]), (&"live".into(), &3.into()), "{status}");
    assert_eq!(status["viewers"].as_array().map(Vec::len), Some(1));
    Ok(())
}
