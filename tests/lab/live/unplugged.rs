//! The page in Chromium while its camera has no network: on a host beside the camera's, so that the cable can be pulled.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::page::{SHOWN, press_connect};
use super::place::{Camera, LONG, Server, h264, must, now};
use crate::Lab;
use crate::browser::{Browser, on_a_runtime};
use crate::notify::Running;
use crate::ns::need;
use crate::trial::Skip;

const CAMERA: &str = "10.77.0.10";
/// How soon the picture is to be back, with what a busy machine may add: 3 s are the goal, and what it took is printed.
const BACK_WITHIN: f64 = 5.0;

/// Plays a role of the test; none when there is no such role.
pub fn play(role: &[&str]) -> Option<()> {
    let ["look", url] = *role else { return None };
    let is_over = Arc::new(AtomicBool::new(false));
    let told = is_over.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::SeqCst);
    });
    let looks = async {
        let browser = Browser::start().await;
        browser.open(url).await;
        press_connect(&browser).await;
        while !is_over.load(Ordering::SeqCst) {
            let mut shown = browser.run(SHOWN).await;
            shown["at"] = json!(now());
            println!("{shown}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        browser.page.quit().await.unwrap();
    };
    assert!(on_a_runtime(looks).is_ok());
    Some(())
}

/// What the page says next that fits.
fn until(page: &Running, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let (end, mut last) = (std::time::Instant::now() + LONG, String::new());
    loop {
        let left = end.saturating_duration_since(std::time::Instant::now());
        let line = page.lines.recv_timeout(left).unwrap_or_else(|_| panic!("never so: {what}; {last}"));
        let shown: Value = serde_json::from_str(&line).unwrap_or_default();
        if fits(&shown) {
            return shown;
        }
        last = line;
    }
}

/// A cable is pulled, so that no connection ends, and put in again: the page says so meanwhile, and shows the camera again
/// without being touched, in either way in which it plays video.
pub fn the_page_says_that_a_camera_is_unplugged_and_shows_it_again() -> Result<(), Skip> {
    need(&["/usr/bin/chromium", "/usr/bin/chromedriver", "python3"])?;
    let plain = h264("640x480");
    let aac = "audiotestsrc is-live=true ! audio/x-raw,rate=16000,channels=1 ! avenc_aac bitrate=24000 \
               ! rtpmp4gpay name=pay1 pt=97";
    for (mode, pipeline) in [("webrtc", plain.clone()), ("mse", format!("{plain} {aac}"))] {
        let mut lab = Lab::new();
        let camera = Camera::new(&mut lab, CAMERA, "44:47:cc:00:00:10", &pipeline);
        let host = lab.lan.host("10.77.0.2", "02:00:00:00:00:02");
        let server = Server::start(&lab, &camera)?;
        let page = Running::role(&host, &format!("look {}/devices/{CAMERA}", server.url()));
        let plays = |shown: &Value, more_than: u64| {
            shown["mode"] == mode && shown["state"] == "playing" && shown["frames"].as_u64() > Some(more_than)
        };
        let first = until(&page, "it plays", |shown| plays(shown, 20));
        println!("{mode}: {first}");
        must(&camera.host, "ip", &["link", "set", "eth0", "down"]);
        let pulled = now();
        let away = until(&page, "the reason", |shown| shown["state"] == "away");
        assert!(away["why"].as_str().is_some_and(|why| !why.is_empty()), "{away}");
        println!("{mode}: {:.1} s later: {away}", away["at"].as_f64().unwrap() - pulled);
        // What was on its way has been shown by then.
        std::thread::sleep(Duration::from_secs(3));
        must(&camera.host, "ip", &["link", "set", "eth0", "up"]);
        let back = now();
        let still = until(&page, "a look after that", |shown| shown["at"].as_f64() > Some(back));
        let frames = still["frames"].as_u64().unwrap();
        let seen = until(&page, "it plays again", |shown| plays(shown, frames));
        let took = seen["at"].as_f64().unwrap() - back;
        println!("{mode}: seen {took:.2} s after the link was up: {seen}");
        assert!(took < BACK_WITHIN, "{mode}: {took:.2} s");
        // And it goes on, at the pace of the camera.
        until(&page, "it goes on", |shown| plays(shown, frames + 75));
        page.end();
    }
    Ok(())
}
