//! `camscan serve` among real cameras, each on a host of its own, and viewers by aiortc on others.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ns::{Host, need};
use crate::trial::Skip;
use crate::{Lab, PYTHON, notify, script};
use notify::Running;

const SERVER: &str = "10.77.0.1";
/// Nothing here takes so long, unless it never comes.
pub const LONG: Duration = Duration::from_secs(60);

/// A camera's picture of so many pixels, a key frame every two seconds. The numbers of its packets and its clock wrap soon after
/// it begins: nobody is to notice.
pub fn h264(size: &str) -> String {
    let (width, height) = size.split_once('x').unwrap();
    format!(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width={width},height={height},framerate=25/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=50 bitrate=800 \
         ! rtph264pay name=pay0 pt=96 config-interval=-1 timestamp-offset=4294067296 seqnum-offset=65400"
    )
}

/// A camera that can be switched off.
pub struct Camera {
    pub host: Host,
    address: &'static str,
    server: Option<Running>,
}

impl Camera {
    pub fn new(lab: &mut Lab, address: &'static str, mac: &str, pipeline: &str) -> Camera {
        let mut camera = Camera { host: lab.lan.host(address, mac), address, server: None };
        camera.start(pipeline);
        camera
    }

    /// Begins to serve; returns when it listens.
    pub fn start(&mut self, pipeline: &str) {
        let script = script("gst_server.py");
        let arguments = [script.as_str(), self.address, "554", "/live", pipeline];
        self.server = Some(Running::start(&self.host, PYTHON, &arguments));
        until("the camera listens", || self.host.listens_tcp(554));
    }

    /// It is gone, with its connections.
    pub fn kill(&mut self) {
        self.server = None;
        until("nobody listens", || !self.host.listens_tcp(554));
    }
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < end, "never so: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub fn must(host: &Host, program: &str, arguments: &[&str]) {
    let done = host.run(program, arguments);
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Seconds since the epoch, as the viewers write them.
pub fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// What serves, and the first stream it knows.
pub struct Server {
    pub stream: String,
    scanner: Host,
    _serving: Running,
}

impl Server {
    /// Scans the camera into a store, and serves it to everybody on the network.
    pub fn start(lab: &Lab, camera: &Camera) -> Result<Server, Skip> {
        need(&["nft"])?;
        let store = lab.path("store.sqlite");
        let kept = format!("--store={store}");
        let only = ["-p", "554", "--methods", "tcp", "--no-dns", "-f", "json"];
        lab.camscan(true, &[&["scan", camera.address, kept.as_str()], &only[..]].concat()).json(0);
        let mut adding = lab
            .command(true, &["serve", "user", "add", "anna", "--store", &store])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let password = "Zwei-Geheimnisse-2\n";
        std::io::Write::write_all(&mut adding.stdin.take().unwrap(), password.repeat(2).as_bytes()).unwrap();
        assert!(adding.wait().unwrap().success());
        let listen = format!("{SERVER}:8000");
        let serve = ["serve", "--no-watch", "--anonymous", "viewer", "--store", &store, "--listen", &listen];
        let serving = Running::of(lab.command(true, &serve));
        let mut server = Server { stream: String::new(), scanner: lab.scanner.clone(), _serving: serving };
        until("it serves", || server.scanner.listens_tcp(8000));
        until("the stream is known", || {
            let id = server.list()[0]["id"].as_str().map(str::to_owned);
            server.stream = id.unwrap_or_default();
            !server.stream.is_empty()
        });
        Ok(server)
    }

    /// Where its pages are.
    pub fn url(&self) -> String {
        format!("http://{SERVER}:8000")
    }

    /// `GET /api/v1/live`.
    pub fn list(&self) -> Value {
        let ask = "import sys, urllib.request as web; print(web.urlopen(sys.argv[1]).read().decode())";
        let said = self.scanner.run(PYTHON, &["-c", ask, &format!("{}/api/v1/live", self.url())]);
        serde_json::from_slice(&said.stdout).unwrap_or_default()
    }

    /// A viewer on a host of its own.
    pub fn viewer(&self, host: &Host, address: &str, python: &str) -> Viewer {
        let script = script("aiortc_viewer.py");
        let url = format!("{}/api/v1/streams/{}/whep", self.url(), self.stream);
        Viewer { running: Running::start(host, python, &[&script, address, &url]) }
    }
}

/// One that writes a line for each picture.
pub struct Viewer {
    pub running: Running,
}

/// A picture that was decoded.
pub struct Seen {
    pub at: f64,
    pub size: String,
    pub line: String,
}

impl Viewer {
    /// The next picture that was decoded after that time.
    pub fn sees_after(&self, time: f64) -> Seen {
        let end = Instant::now() + LONG;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.running.lines.recv_timeout(left).expect("a picture");
            let words: Vec<&str> = line.split(' ').collect();
            let at: f64 = words[0].parse().unwrap();
            assert!(!["closed", "failed", "ended"].contains(&words[1]), "{line}");
            if words[1] == "picture" && at > time {
                return Seen { at, size: words[3].to_owned(), line };
            }
        }
    }

    /// The times of the pictures that were decoded since this was last asked.
    pub fn times(&self) -> Vec<f64> {
        let time = |line: String| line.contains(" picture ").then(|| line.split(' ').next()?.parse().ok())?;
        self.running.lines.try_iter().filter_map(time).collect()
    }
}

/// When the picture stood still for longer than half a second.
pub fn freezes(times: &[f64]) -> Vec<(f64, f64)> {
    times.windows(2).map(|pair| (pair[0], pair[1])).filter(|(before, after)| after - before > 0.5).collect()
}
