//! The page's player in Debian's Chromium, and a camera for each way in which a stream is shown.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::place::{LONG, h264};
use crate::browser::{Browser, Program, answers, free_port, on_a_runtime};
use crate::ns::need;
use crate::trial::Skip;
use crate::{PYTHON, script};

const PORT: &str = "8554";
const RAW: &str =
    "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=640,height=480,framerate=25/1";
const JPEGS: &str = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=640,height=480,framerate=10/1 \
    ! jpegenc ! rtpjpegpay name=pay0 pt=26";

/// What the player shows, and how much of it so far.
pub(super) const SHOWN: &str = "
    const tile = document.querySelector('.tile'), video = tile?.querySelector('video');
    const image = tile?.querySelector('.screen img:not([data-still])');
    window.pictures ??= new Set();
    if (image?.naturalWidth) window.pictures.add(image.src);
    const quality = video?.getVideoPlaybackQuality();
    return {
        state: tile?.dataset.state, why: tile?.querySelector('.why')?.textContent,
        mode: video ? (video.src ? 'mse' : 'webrtc') : image ? 'jpeg' : 'none',
        frames: video ? quality.totalVideoFrames - quality.droppedVideoFrames : window.pictures.size,
        time: video ? video.currentTime : window.pictures.size,
        width: video ? video.videoWidth : image?.naturalWidth,
        heard: video?.webkitAudioDecodedByteCount ?? 0,
    }";

/// A camera by GStreamer on an address of the loopback.
pub(super) fn camera(address: &str, pipeline: &str) -> Program {
    let mut server = Command::new(PYTHON);
    server.arg(script("gst_server.py")).args([address, PORT, "/live", pipeline]).stdin(Stdio::piped());
    let server = Program(server.spawn().unwrap());
    let end = Instant::now() + LONG;
    while !listens(address) {
        assert!(Instant::now() < end, "{address} does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

fn listens(address: &str) -> bool {
    let sockets = Command::new("ss").args(["-Hltn"]).output().unwrap();
    String::from_utf8_lossy(&sockets.stdout).contains(&format!("{address}:{PORT} "))
}

/// The program with these cameras in its store.
pub(super) struct Served {
    url: String,
    _serving: Program,
    _folder: TempDir,
}

impl Served {
    pub(super) async fn start(addresses: &[&str]) -> Served {
        let folder = tempfile::tempdir().unwrap();
        let camscan = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_camscan"));
            command.args(arguments).current_dir(folder.path()).env("HOME", folder.path());
            command.stdin(Stdio::piped()).stdout(Stdio::null());
            command
        };
        let options = ["-p", PORT, "--methods", "tcp", "--no-dns", "--no-progress", "--store=s.sqlite"];
        let scanned = camscan(&[&["scan"], addresses, &options[..]].concat()).status().unwrap();
        assert!(scanned.success());
        let mut adding = camscan(&["serve", "user", "add", "anna", "--store", "s.sqlite"]).spawn().unwrap();
        let password = "Zwei-Geheimnisse-2\n".repeat(2);
        std::io::Write::write_all(&mut adding.stdin.take().unwrap(), password.as_bytes()).unwrap();
        assert!(adding.wait().unwrap().success());
        let (listen, live_port) = (format!("127.0.0.1:{}", free_port()), free_port().to_string());
        let options = ["--no-watch", "--anonymous", "viewer", "--store", "s.sqlite", "--live-port", &live_port];
        let serving = camscan(&[&["serve", "--listen", &listen], &options[..]].concat()).stderr(Stdio::null()).spawn();
        let serving = Program(serving.unwrap());
        let end = Instant::now() + LONG;
        while !answers(listen.as_str()).await {
            assert!(Instant::now() < end, "nothing is served");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Served { url: format!("http://{listen}"), _serving: serving, _folder: folder }
    }
}

/// Waits until the player has shown pictures in this mode, and more of them later.
pub(super) async fn is_shown(browser: &Browser, what: &str, mode: &str) -> Value {
    let (end, mut before) = (Instant::now() + LONG, None);
    loop {
        let now = browser.run(SHOWN).await;
        assert!(Instant::now() < end, "{what}: not by {mode}: {now}");
        let is_there = now["mode"] == mode && now["state"] == "playing" && now["width"].as_u64() > Some(0);
        let (frames, time) = (now["frames"].as_u64(), now["time"].as_f64());
        match before {
            Some((first, at)) if is_there && frames > first && time > at => return now,
            None if is_there && frames > Some(0) => before = Some((frames, time)),
            Some(_) if !is_there => before = None,
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Presses the button on the page of a device, as somebody does.
pub(super) async fn connect(browser: &Browser, served: &Served, address: &str) {
    browser.open(&format!("{}/devices/{address}", served.url)).await;
    press_connect(browser).await;
}

/// The same on the page that is open.
pub(super) async fn press_connect(browser: &Browser) {
    browser.wait("html.script").await;
    browser.wait("[data-connect]").await.click().await.unwrap();
}

/// Each codec goes the way that suits it, and its pictures go on.
pub fn every_codec_is_shown_in_chromium() -> Result<(), Skip> {
    need(&["/usr/bin/chromium", "/usr/bin/chromedriver", "ffmpeg"])?;
    let plain = h264("640x480");
    let reordered = format!(
        "{RAW} ! x264enc speed-preset=ultrafast bframes=2 b-adapt=false rc-lookahead=5 sync-lookahead=0 sliced-threads=true \
         key-int-max=50 bitrate=800 ! video/x-h264,profile=main ! rtph264pay name=pay0 pt=96 config-interval=-1"
    );
    let sound = |form: &str| format!("{plain} audiotestsrc is-live=true ! audio/x-raw,{form}");
    let aac = sound("rate=16000,channels=1 ! avenc_aac bitrate=24000 ! rtpmp4gpay name=pay1 pt=97");
    let pcmu = sound("rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1");
    let opus = sound("rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=97");
    let h265 = format!(
        "{RAW} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=500 ! video/x-h265,profile=main \
         ! rtph265pay name=pay0 pt=96 config-interval=-1"
    );
    let vp8 = format!("{RAW} ! vp8enc deadline=1 keyframe-max-dist=50 ! rtpvp8pay name=pay0 pt=96");
    let vp9 = format!("{RAW} ! vp9enc deadline=1 cpu-used=8 keyframe-max-dist=50 ! rtpvp9pay name=pay0 pt=96");
    let all = [
        ("127.77.0.10", "H.264", &plain, "webrtc"),
        ("127.77.0.11", "H.264 with B-frames", &reordered, "mse"),
        ("127.77.0.12", "H.264 and AAC", &aac, "mse"),
        ("127.77.0.13", "H.264 and G.711", &pcmu, "webrtc"),
        ("127.77.0.14", "H.264 and Opus", &opus, "webrtc"),
        // No decoder for it without hardware: its key frames are shown.
        ("127.77.0.15", "H.265", &h265, "jpeg"),
        ("127.77.0.16", "MJPEG", &JPEGS.to_owned(), "jpeg"),
        ("127.77.0.17", "VP8", &vp8, "webrtc"),
        ("127.77.0.18", "VP9", &vp9, "webrtc"),
    ];
    on_a_runtime(async {
        let _cameras = all.map(|(address, _, pipeline, _)| camera(address, pipeline));
        let served = Served::start(&all.map(|(address, ..)| address)).await;
        let browser = Browser::start().await;
        for (address, what, _, mode) in all {
            connect(&browser, &served, address).await;
            let shown = is_shown(&browser, what, mode).await;
            println!("{what}: {shown}");
            if what.contains("AAC") {
                browser.until("return document.querySelector('.tile video').webkitAudioDecodedByteCount > 0").await;
            }
        }
        browser.page.quit().await.unwrap();
    })
}

/// The page is not touched: what cannot be shown any more in one way is shown in another.
pub fn a_camera_that_comes_back_with_another_codec_is_shown_by_the_same_page() -> Result<(), Skip> {
    const ADDRESS: &str = "127.77.0.20";
    need(&["/usr/bin/chromium", "/usr/bin/chromedriver"])?;
    on_a_runtime(async {
        let mut running = camera(ADDRESS, &h264("640x480"));
        let served = Served::start(&[ADDRESS]).await;
        let browser = Browser::start().await;
        connect(&browser, &served, ADDRESS).await;
        println!("at first: {}", is_shown(&browser, "H.264", "webrtc").await);
        for (what, pipeline, mode) in [("JPEG", JPEGS.to_owned(), "jpeg"), ("larger H.264", h264("960x540"), "webrtc")]
        {
            drop(running);
            browser.until("return document.querySelector('.tile').dataset.state === 'away'").await;
            running = camera(ADDRESS, &pipeline);
            let back = Instant::now();
            let shown = is_shown(&browser, what, mode).await;
            println!("{what}: {shown}, {:.1} s after the camera listened", back.elapsed().as_secs_f64());
            assert_eq!(shown["width"], if what == "JPEG" { 640 } else { 960 });
        }
        browser.page.quit().await.unwrap();
    })
}
