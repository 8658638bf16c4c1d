//! What a camera sees of the scanner, counted at the camera: how many connections at once, which sessions are taken down,
//! how many logins it had to refuse; and where passwords must not stand.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::prelude::*;
use serde_json::Value;

use crate::ns::{Host, need};
use crate::trial::Skip;
use crate::{Lab, PASSWORD, PYTHON, Said, cameras, device, script};

/// A camera of RTSP, HTTP and ONVIF behind a relay that counts.
pub struct Watched {
    pub address: &'static str,
    log: String,
}

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

/// The ports of the camera, and the server behind each.
const PORTS: [&str; 8] =
    ["554=1554", "8554=1554", "80=1080", "81=1080", "8080=1080", "8000=1080", "8899=1080", "88=1080"];

impl Watched {
    pub fn start(lab: &mut Lab, address: &'static str, login: Option<&str>, pipeline: &str) -> Watched {
        let host = lab.lan.host(address, &format!("44:19:b6:00:01:{}", address.rsplit('.').next().unwrap()));
        let login: Vec<String> = login.map(|login| vec!["--digest".to_owned(), login.to_owned()]).unwrap_or_default();
        let mut arguments = vec![script("gst_server.py"), "127.0.0.1".into(), "1554".into()];
        arguments.extend(login.iter().cloned());
        arguments.extend(["--log".into(), lab.path(&format!("sessions-{address}.log"))]);
        arguments.extend(["/Streaming/Channels/101".into(), pipeline.into()]);
        serve(lab, &host, arguments, |h| h.listens_tcp(1554));
        let uri = "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' xmlns:trt='http://www.onvif.org/ver10/media/wsdl' \
             xmlns:tt='http://www.onvif.org/ver10/schema'><s:Body><trt:GetURIResponse><trt:MediaUri><tt:Uri>{}</tt:Uri>\
             </trt:MediaUri></trt:GetURIResponse></s:Body></s:Envelope>";
        let answer = |lab: &Lab, operation: &str, url: String| {
            let text = uri.replace("URI", operation).replace("{}", &url);
            format!("Get{operation}={}", lab.write(&format!("{operation}-{address}.xml"), text))
        };
        let mut arguments = vec![script("onvif_server.py"), "127.0.0.1".into(), "1080".into()];
        arguments.extend([
            format!("probe={RECORDED}/onvif/probe_no_scopes.xml"),
            format!("GetDeviceInformation={RECORDED}/onvif/info_bom.xml"),
            format!("page={RECORDED}/media/camera_640x480_1.jpg"),
            format!("GetProfiles={}", lab.write("profiles.xml", crate::onvif::PROFILES)),
            answer(lab, "StreamUri", format!("rtsp://{address}/Streaming/Channels/101")),
            answer(lab, "SnapshotUri", format!("http://{address}/snapshot.jpg")),
        ]);
        arguments.extend(login.last().map(|login| format!("login={login}")));
        serve(lab, &host, arguments, |h| h.listens_tcp(1080));
        Watched::relay(lab, &host, address, &PORTS)
    }

    /// Counts what comes to these ports of a host, each with the one behind it: `80=1080`.
    pub fn relay(lab: &Lab, host: &Host, address: &'static str, ports: &[&str]) -> Watched {
        let log = lab.path(&format!("relay-{address}.log"));
        let mut arguments = vec![script("relay.py"), log.clone(), address.to_owned()];
        arguments.extend(ports.iter().map(|port| (*port).to_owned()));
        let last: u16 = ports.last().unwrap().split('=').next().unwrap().parse().unwrap();
        serve(lab, host, arguments, move |h| h.listens_tcp(last));
        Watched { address, log }
    }

    /// What the relay has written down.
    pub fn events(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn forget(&self) {
        // The relay appends: what it writes next stands at the beginning again.
        std::fs::OpenOptions::new().write(true).truncate(true).open(&self.log).unwrap();
    }
}

fn serve(lab: &Lab, host: &Host, arguments: Vec<String>, ready: impl Fn(&Host) -> bool + 'static) {
    lab.lan.serve(host, PYTHON, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), ready);
}

/// The most connections that were open at once.
fn most_open(events: &[Value]) -> u64 {
    events.iter().filter(|e| e["what"] == "opened").filter_map(|e| e["open"].as_u64()).max().unwrap_or(0)
}

/// How many logins were shown and refused.
fn refused(events: &[Value]) -> usize {
    events.iter().filter(|e| e["refused"] == true).count()
}

fn count(events: &[Value], method: &str, status: u64) -> usize {
    events.iter().filter(|e| e["method"] == method && e["status"] == status).count()
}

const SLOW: [&str; 6] = ["--timeout", "20s", "--frame-timeout", "20s", "--host-timeout", "2m"];

pub fn connections_at_once_sessions_and_logins_are_bounded() -> Result<(), Skip> {
    need(&[PYTHON, "setpriv", "ffmpeg"])?;
    let mut lab = Lab::new();
    let login = format!("admin:{PASSWORD}");
    let open = Watched::start(&mut lab, "10.77.0.20", None, cameras::SMALL);
    let locked = Watched::start(&mut lab, "10.77.0.21", Some(&login), cameras::SMALL);
    let closed = Watched::start(&mut lab, "10.77.0.22", Some("someone:else"), cameras::SMALL);
    let cameras = [&open, &locked, &closed];
    lab.lan.wait();
    let logins = lab.write("logins.txt", format!("viewer:wrong-{PASSWORD}\n{login}\nguest:third-{PASSWORD}\n"));
    for (as_root, per_host, limit) in [(true, 4, 2), (false, 1, 2), (true, 2, 1), (false, 4, 0)] {
        let shots = lab.path(&format!("shots-{per_host}-{limit}"));
        std::fs::create_dir(&shots).unwrap();
        std::process::Command::new("chmod").args(["777", &shots]).status().unwrap();
        let (per_host_text, limit_text) = (per_host.to_string(), limit.to_string());
        let mut arguments = vec!["scan", "10.77.0.20-22", "-f", "json", "-vv", "--credentials-file", &logins];
        arguments.extend(["--per-host", &per_host_text, "--max-login-failures", &limit_text, "--snapshots", &shots]);
        arguments.extend(SLOW);
        let said = Said::of(lab.command(as_root, &arguments).env("CAMSCAN_LOG", "trace").output().unwrap());
        let report = said.json(0);
        let run = format!("per host {per_host}, refused logins {limit}");
        for camera in cameras {
            let found =
                device(&report, camera.address).unwrap_or_else(|| panic!("{run}: {} is missing", camera.address));
            let events = camera.events();
            let most = most_open(&events);
            assert!((1..=per_host).contains(&most), "{run}: {}: {most} at once: {events:#?}", camera.address);
            let played = count(&events, "PLAY", 200);
            assert_eq!(played, count(&events, "TEARDOWN", 200), "{run}: {}: {events:#?}", camera.address);
            let is_let_in = camera.address == open.address || camera.address == locked.address && limit == 2;
            assert_eq!(played > 0, is_let_in, "{run}: {}: {found:#}\n{events:#?}", camera.address);
            let shown = refused(&events);
            assert!(shown <= limit, "{run}: {} refused {shown} logins: {events:#?}", camera.address);
            let told = found["login_attempts"]["refused"].as_u64().unwrap_or(0);
            assert_eq!(told, shown as u64, "{run}: {}: {found:#}\n{events:#?}", camera.address);
            let status = if is_let_in { "streaming" } else { "auth_required" };
            // What is locked cannot be known for the same on two ports.
            let streams = found["streams"].as_array().unwrap();
            let is_right = |s: &Value| s["status"] == status && s["open"] == (camera.address == open.address);
            assert!(!streams.is_empty() && streams.iter().all(is_right), "{run}: {}: {found:#}", camera.address);
            let picture = found["streams"][0]["snapshot"].as_str();
            assert_eq!(picture.is_some(), is_let_in, "{run}: {}: {found:#}", camera.address);
            camera.forget();
        }
        tells_no_password(&[("report", &said.report), ("log", &said.log)]);
        let names = std::fs::read_dir(&shots).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        assert!(names.into_iter().all(|name| name.starts_with("10.77.0.2") && name.ends_with(".jpg")), "{run}");
    }
    interrupted(&lab, cameras);
    Ok(())
}

/// Ctrl-C in the middle of playing: what was begun is taken down, and the report is written.
fn interrupted(lab: &Lab, cameras: [&Watched; 3]) {
    let shots = lab.path("shots-interrupted");
    let report = lab.path("interrupted.json");
    let mut arguments =
        vec!["scan", "10.77.0.20-22", "-o", &report, "-q", "--measure-time", "30s", "--snapshots", &shots];
    arguments.extend(SLOW);
    let command = lab.command(true, &arguments);
    // Whoever starts the tests in the background has them ignore Ctrl-C, and all that they start.
    let mut scan = std::process::Command::new("env");
    scan.arg("--default-signal=INT").arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    scan.env("HOME", "/nonexistent")
        .env("CAMSCAN_CREDENTIAL", format!("admin:{PASSWORD}"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut scan = scan.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while cameras[..2].iter().any(|camera| count(&camera.events(), "PLAY", 200) == 0) {
        assert!(Instant::now() < deadline, "nothing was played");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Frames are on their way by then.
    std::thread::sleep(Duration::from_millis(300));
    assert!(std::process::Command::new("kill").args(["-INT", &scan.id().to_string()]).status().unwrap().success());
    let mut log = String::new();
    scan.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(scan.wait().unwrap().code(), Some(130), "{log}");
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["scan"]["status"], "interrupted");
    for camera in &cameras[..2] {
        let deadline = Instant::now() + Duration::from_secs(10);
        // What the scanner sent last is on its way through the relay.
        while camera.events().iter().filter(|e| e["what"] == "closed").count()
            < camera.events().iter().filter(|e| e["what"] == "opened").count()
        {
            assert!(Instant::now() < deadline, "connections are open: {:#?}", camera.events());
            std::thread::sleep(Duration::from_millis(20));
        }
        let events = camera.events();
        assert_eq!(count(&events, "PLAY", 200), count(&events, "TEARDOWN", 200), "{}: {events:#?}", camera.address);
        assert!(device(&report, camera.address).is_some(), "{report:#}");
    }
    let left: Vec<_> = std::fs::read_dir(&shots).unwrap().map(|e| e.unwrap()).collect();
    assert!(left.iter().all(|e| e.metadata().unwrap().len() > 0), "{left:?}");
    assert!(left.iter().all(|e| e.path().extension().is_some_and(|e| e == "jpg")), "{left:?}");
}

/// Without root every port is found by a connection, which the camera takes for its client.
pub fn a_camera_with_room_for_one_connection_streams_to_who_scans_without_root() -> Result<(), Skip> {
    need(&[PYTHON, "setpriv"])?;
    let mut lab = Lab::new();
    let cameras = [("10.77.0.20", "one=closes"), ("10.77.0.21", "one=refuses")];
    for (address, one) in cameras {
        let host = lab.lan.host(address, &format!("44:19:b6:00:01:{}", address.rsplit('.').next().unwrap()));
        let path = "/Streaming/Channels/101";
        let arguments = [&script("gst_server.py"), "127.0.0.1", "1554", path, cameras::SMALL];
        serve(&lab, &host, arguments.map(str::to_owned).to_vec(), |h| h.listens_tcp(1554));
        let arguments = [&script("relay.py"), &lab.path(&format!("relay-{address}.log")), address, "554=1554", one];
        serve(&lab, &host, arguments.map(str::to_owned).to_vec(), |h| h.listens_tcp(554));
    }
    lab.lan.wait();
    for methods in ["tcp", "arp", "tcp", "arp"] {
        let mut arguments = vec!["scan", "10.77.0.20-21", "-f", "json", "-p", "554,80", "--methods", methods];
        arguments.extend(SLOW);
        // Until the cameras have noticed that the scan before is over.
        std::thread::sleep(Duration::from_millis(500));
        let said = Said::of(lab.command(false, &arguments).output().unwrap());
        let report = said.json(0);
        for (address, one) in cameras {
            let found = device(&report, address).unwrap_or_else(|| panic!("{one}: {address} is missing"));
            assert_eq!(found["streams"][0]["status"], "streaming", "{one}, {methods}: {found:#}");
        }
    }
    Ok(())
}

/// Neither in clear nor in the forms passwords travel in.
fn tells_no_password(texts: &[(&str, &str)]) {
    for word in [PASSWORD.to_owned(), BASE64_STANDARD.encode(format!("admin:{PASSWORD}"))] {
        for (name, text) in texts {
            assert!(!text.contains(&word), "a password stands in the {name}: {}", around(text, &word));
        }
    }
}

fn around(text: &str, word: &str) -> String {
    let line = text.lines().find(|line| line.contains(word)).unwrap_or_default();
    line.chars().take(400).collect()
}

pub fn passwords_of_the_configuration_stand_nowhere() -> Result<(), Skip> {
    need(&[PYTHON])?;
    let mut lab = Lab::new();
    let login = format!("admin:{PASSWORD}");
    let camera = Watched::start(&mut lab, "10.77.0.25", Some(&login), cameras::SMALL);
    lab.lan.wait();
    let file = lab.write("password", format!("file-{PASSWORD}\n"));
    let configuration = lab.write(
        "camscan.yaml",
        format!(
            "credentials:\n  - user: other\n    password_file: {file}\n    network: 10.77.0.25/32\n  \
             - user: admin\n    password: {PASSWORD}\nsnapshots: {}\n",
            lab.path("shots")
        ),
    );
    let outputs =
        ["json", "jsonl", "csv", "yaml", "xml", "html", "xlsx", "m3u", "txt"].map(|e| lab.path(&format!("out.{e}")));
    for format in ["text", "json"] {
        let mut arguments = vec!["scan", "10.77.0.25", "--config", &configuration, "-vv", "--log-format", format];
        arguments.extend(SLOW);
        arguments.extend(outputs.iter().flat_map(|path| ["-o", path]));
        let said = Said::of(lab.command(true, &arguments).env("CAMSCAN_LOG", "trace").output().unwrap());
        assert_eq!(said.status, Some(0), "{}", said.log);
        tells_no_password(&[("table", &said.report), ("log", &said.log)]);
        let report: Value = serde_json::from_slice(&std::fs::read(&outputs[0]).unwrap()).unwrap();
        assert_eq!(device(&report, camera.address).unwrap()["streams"][0]["status"], "streaming", "{report:#}");
        for path in &outputs {
            tells_no_password(&[(path, &readable(Path::new(path)))]);
        }
        let pictures: Vec<_> = std::fs::read_dir(lab.path("shots")).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(pictures.len(), 1, "{pictures:?}");
        for picture in pictures {
            tells_no_password(&[("picture", &readable(&picture)), ("picture's name", picture.to_str().unwrap())]);
        }
    }
    Ok(())
}

/// A file as text; a spreadsheet's parts one after the other.
fn readable(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let Ok(mut archive) = zip::ZipArchive::new(std::io::Cursor::new(&bytes)) else {
        return String::from_utf8_lossy(&bytes).into_owned();
    };
    let mut text = String::new();
    for n in 0..archive.len() {
        archive.by_index(n).unwrap().read_to_string(&mut text).unwrap();
    }
    text
}
