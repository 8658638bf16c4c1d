//! The half hour of a technician in one go, with a place that was scanned yesterday, real cameras of which one is switched off,
//! and a receiver of messages, all of it behind nginx below a path.

use std::net::IpAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use camscan::history::memory::Vantage;
use camscan::model::{Device, MacAddr, Report};
use camscan::store::{Cause, Open, Store};
use camscan::testkit::place;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::half_hour::saved;
use super::proxy::{Handing, Proxy};
use super::{Browser, Program, on_a_runtime};
use crate::notify::Running;
use crate::ns::{Host, need};
use crate::trial::Skip;
use crate::{Lab, PYTHON, cameras, script};

const GATE: &str = "10.77.0.10";
const RECEIVER: &str = "10.77.0.20";

/// A camera that listens.
fn camera(lab: &mut Lab, last: u8) -> (Running, Host) {
    let host = lab.lan.host(&format!("10.77.0.{last}"), &format!("44:19:b6:00:00:{last:02x}"));
    let server = script("gst_server.py");
    let camera = Running::start(&host, PYTHON, &[&server, "0.0.0.0", "554", "/stream1", cameras::SMALL]);
    for _ in 0..1200 {
        if host.listens_tcp(554) {
            return (camera, host);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("camera {last} does not listen");
}

/// Such a camera as it was found yesterday.
fn yesterday(last: u8) -> Device {
    let mut device = place::device(usize::from(last));
    device.ip = IpAddr::from([10, 77, 0, last]);
    device.addresses = vec![device.ip];
    device.mac = Some(MacAddr([0x44, 0x19, 0xb6, 0, 0, last]));
    device.id = format!("mac:{}", device.mac.unwrap());
    device.streams.truncate(1);
    for stream in &mut device.streams {
        stream.url = format!("rtsp://{}:554/stream1", device.ip);
    }
    device
}

/// What a scan of yesterday leaves behind, before anybody has an account.
fn remember(store: &Path, devices: Vec<Device>) {
    let store = Store::open(store, Open::Create).unwrap();
    let at = Timestamp::now() - SignedDuration::from_hours(24);
    let mut report: Report = place::report(devices, at);
    report.scan.targets = vec!["10.77.0.8/29".to_owned()];
    report.scan.asked = vec!["10.77.0.9-10.77.0.14".to_owned()];
    (report.scan.addresses, report.scan.coverage) = (6, None);
    store.learn(&report, Cause::Schedule, Vantage::CLEAR, &()).unwrap();
}

/// The card of a device.
fn card(ip: &str) -> String {
    format!("Array.from(document.querySelectorAll('.card')).find(card => card.textContent.includes('{ip}'))")
}

/// Set-up code, account, first scan from the page, cameras that appear while it runs; one is switched off: not answering at its
/// first miss, offline by the rule, told by a message; a note and a tag; the two exports; what is different since yesterday.
pub fn a_visit_goes_from_the_code_to_what_changed_since_yesterday() -> Result<(), Skip> {
    need(&[PYTHON, "ffmpeg"])?;
    let mut lab = Lab::new();
    let receiver = Running::role(&lab.lan.host(RECEIVER, "02:00:00:00:00:20"), "receivers");
    receiver.until("ready");
    let gate = camera(&mut lab, 10);
    let _others = [camera(&mut lab, 11), camera(&mut lab, 12)];
    // Whoever takes connections and says nothing has a scan last.
    let slow = lab.lan.host("10.77.0.14", "02:00:00:00:00:14");
    let slow = Running::role(&slow, "silent 10.77.0.14");
    slow.until("ready");
    let store = lab.path("s.sqlite");
    remember(Path::new(&store), vec![yesterday(10), yesterday(12)]);

    let done = on_a_runtime(async {
        let socket = lab.path("serve.sock");
        let proxy = Proxy::to(Path::new(&socket), Handing::Whole).await;
        let root = proxy.root.as_str();
        let config = lab.write(
            "camscan.yaml",
            format!(
                "targets: [10.77.0.8/29]\nports: [554]\nevery: 72h\ncheck_every: 30s\nlive_port: none\ndns: false\n\
                 notify:\n  channels:\n    desk: {{type: webhook, url: 'http://{RECEIVER}:8080/desk'}}\n  \
                 rules: [{{severity: [problem], wait: 1s}}]\n"
            ),
        );
        let listen = format!("unix:{socket}");
        let arguments = ["--config", &config, "serve", "--store", &store, "--listen", &listen];
        let behind = ["--public-url", root, "--trusted-proxy", "unix"];
        let mut serving = lab.command(true, &[&arguments[..], &behind[..]].concat());
        let log = std::fs::File::create(lab.path("log")).unwrap();
        let _serving = Program(serving.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let code = saved(&lab.path("s.sqlite.setup-code").into()).await;
        for _ in 0..600 {
            if Path::new(&socket).exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }

        // The code, the account, and what is known from yesterday.
        let browser = Browser::start().await;
        let files = tempfile::tempdir().unwrap();
        browser.save_to(files.path()).await;
        browser.make_account(root, code.trim()).await;
        browser.until("return document.querySelectorAll('.card').length === 2").await;
        assert_eq!(browser.run("return document.querySelector('[data-scan]')").await, Value::Null, "none is due");

        // The first scan, and a camera that appears while it runs.
        browser.press("#scan form button").await;
        let appears = "return document.querySelector('#scan progress') !== null
            && document.querySelector('.found .card')?.textContent.includes('10.77.0.11') === true";
        browser.until(appears).await;
        // From here on nothing loads the page again.
        browser.run("window.stayed = true").await;
        browser.until_at_last("return document.querySelector('[data-scan]') === null").await;
        browser
            .until("return document.querySelectorAll('.card').length === 3 && !document.querySelector('.found')")
            .await;
        browser.until_at_last("return document.querySelectorAll('.still:not(.stale) > img').length === 3").await;

        // One is switched off.
        let off = gate.1.run("ip", &["link", "set", "eth0", "down"]);
        assert!(off.status.success(), "{}", String::from_utf8_lossy(&off.stderr));
        let its = card(GATE);
        browser.until_at_last(&format!("return {its}.querySelector('.still.stale > img') !== null")).await;
        let word = format!("return {its}.querySelector('.line .badge').textContent");
        let first = browser.run(&word).await.to_string();
        assert!(first.contains("not answering"), "at its first miss: {first}");
        let filter = browser.run(&format!("return getComputedStyle({its}.querySelector('.still > img')).filter")).await;
        assert!(filter.to_string().contains("grayscale(1)"), "{filter}");
        browser
            .until_at_last(&format!(
                "return {its}.querySelector('.line .badge.bad')?.textContent.includes('offline') === true"
            ))
            .await;
        let stamp = browser.run(&format!("return {its}.querySelector('.stamp').textContent")).await.to_string();
        assert!(stamp.contains("offline") && stamp.contains("since"), "{stamp}");
        let counted = "return document.querySelector(\".chips a[href*='state=offline'] b\")?.textContent === '1'";
        browser.until(counted).await;
        assert_eq!(browser.run("return window.stayed").await, json!(true), "the page was loaded again");

        // The message arrives, and the page says so.
        let told = receiver.until("device.offline").pop().unwrap();
        assert!(told.contains("\"/desk\"") && told.contains(GATE), "{told}");
        browser.press("details.menu > summary").await;
        browser.press("details.menu a[href$=notifications]").await;
        let delivered = "return Array.from(document.querySelectorAll('tbody tr')).some(row => row.textContent.includes('desk') && row.textContent.includes('delivered'))";
        browser.until(delivered).await;
        browser.press(".nav a[href$=events]").await;
        browser.until("return document.querySelector('.timeline')?.innerText.includes('misses in') === true").await;

        // A note and a tag, by which it is found.
        browser.press(".timeline a[href*='devices/']").await;
        browser
            .until(&format!("return document.querySelector('#live')?.textContent.includes('{GATE}') === true"))
            .await;
        browser.write("#note input[name=name]", "Front gate").await;
        browser.write("#note input[name=tags]", "entrance").await;
        browser.write("#note textarea[name=text]", "power supply is in the porter's lodge").await;
        browser.press("#note button.first").await;
        browser.until("return document.querySelector('h1')?.textContent === 'Front gate'").await;
        browser.open(&format!("{root}?tag=entrance")).await;
        browser.until("return document.querySelectorAll('.card').length === 1").await;

        // What there is, to take away.
        browser.press(".brand").await;
        browser.until("return document.querySelectorAll('.card').length === 3").await;
        browser.run("document.querySelectorAll('.pick').forEach(box => box.click())").await;
        browser.press("button[value=export]").await;
        let csv = saved(&files.path().join("camscan-csv.csv")).await;
        assert!(csv.contains("Front gate") && csv.contains("entrance") && csv.contains("10.77.0.11"), "{csv}");
        browser.run("document.querySelector('select[name=format]').value = 'frigate'").await;
        browser.press("button[value=export]").await;
        let frigate = saved(&files.path().join("camscan-frigate.yml")).await;
        assert!(frigate.contains("rtsp://10.77.0.11:554/stream1") && frigate.contains("10.77.0.12"), "{frigate}");

        // And what is different since yesterday.
        browser.press(".nav a[href$=scans]").await;
        browser.press("#live form .more button").await;
        browser.until("return location.pathname.endsWith('/diff')").await;
        browser.run("const from = document.querySelector('select[name=from]'); from.value = 'yesterday'; from.dispatchEvent(new Event('change', {bubbles: true}))").await;
        browser.until("return location.search.includes('from=yesterday')").await;
        browser.run("const to = document.querySelector('select[name=to]'); to.value = 'now'; to.dispatchEvent(new Event('change', {bubbles: true}))").await;
        browser.until("return location.search.includes('to=now')").await;
        let rows = "return Array.from(document.querySelectorAll('main section')).slice(0, 2).map(section => Array.from(section.querySelectorAll('tbody th'), row => row.textContent))";
        assert_eq!(browser.run(rows).await, json!([["10.77.0.11"], [GATE]]), "added, and gone");
        browser.page.quit().await.unwrap();
    });
    drop(lab);
    done
}
