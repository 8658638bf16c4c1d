//! What a technician does with the page on a first visit, with the real program and with cameras that stream.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::{Browser, Program, answers, free_port, on_a_runtime};
use crate::ns::need;
use crate::trial::Skip;
use crate::{PYTHON, cameras, script};

/// The password of the account, and that of a camera.
const ACCOUNT: &str = "Zwei-Geheimnisse-2";
const CAMERA: &str = "korrekt-pferd-42";
/// Where cameras of these tests listen on this machine.
const PORT: u16 = 8554;

/// `camscan serve` on this machine, for the networks of its loopback.
struct Served {
    url: String,
    folder: TempDir,
    _serving: Program,
}

impl Served {
    async fn start(configuration: &str) -> Served {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let listen = format!("127.0.0.1:{port}");
        let text = format!("ports: [{PORT}]\nlive_port: none\ncheck_every: 30s\ndns: false\n{configuration}");
        std::fs::write(folder.path().join("camscan.yaml"), text).unwrap();
        let serving = Command::new(env!("CARGO_BIN_EXE_camscan"))
            .args(["--config", "camscan.yaml", "serve", "--store", "s.sqlite", "--listen", &listen])
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn();
        let served = Served { url: format!("http://{listen}/"), _serving: Program(serving.unwrap()), folder };
        for _ in 0..600 {
            if answers(listen.as_str()).await {
                return served;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it does not serve: {}", served.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// From the set-up code to the first page.
    async fn enter(&self, browser: &Browser) {
        let code = std::fs::read_to_string(self.folder.path().join("s.sqlite.setup-code")).unwrap();
        browser.make_account(&self.url, code.trim()).await;
    }
}

impl Browser {
    /// Makes the first account by its code, and comes to the first page.
    pub(super) async fn make_account(&self, root: &str, code: &str) {
        let base = root.splitn(4, '/').nth(3).unwrap_or_default();
        self.open(root).await;
        self.until(&format!("return location.pathname === '/{base}setup'")).await;
        self.write("main input[name=code]", code).await;
        self.write("main input[name=name]", "anna").await;
        self.write("main input[name=password]", ACCOUNT).await;
        self.press("main button").await;
        let first_page = format!("return location.pathname === '/{base}' && document.querySelector('#scan') !== null");
        self.until(&first_page).await;
    }

    pub(super) async fn write(&self, css: &str, text: &str) {
        let field = self.wait(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks what can be clicked, in the middle of the screen, where nothing that sticks to its edges covers it.
    pub(super) async fn press(&self, css: &str) {
        // What is clicked may be replaced at this moment by what is newer.
        for _ in 0..20 {
            let element = self.wait(css).await;
            let middle = "arguments[0].scrollIntoView({block: 'center'})";
            let here = vec![element.to_json().unwrap()];
            if self.page.execute(middle, here).await.is_ok() && element.click().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("cannot be clicked: {css}");
    }

    /// Waits for what takes several checks of a camera.
    pub(super) async fn until_at_last(&self, script: &str) {
        for _ in 0..2400 {
            if self.run(script).await == json!(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.until(script).await;
    }

    /// Has files that the page offers written into a folder.
    pub(super) async fn save_to(&self, folder: &Path) {
        let wanted = json!({"behavior": "allow", "downloadPath": folder});
        self.page.cdp().send_raw("Browser.setDownloadBehavior", wanted).await.unwrap();
    }
}

/// A camera on this machine.
async fn camera(address: &str, login: Option<&str>) -> Program {
    let port = PORT.to_string();
    let mut command = Command::new(PYTHON);
    command.args([&script("gst_server.py"), address, &port]);
    if let Some(login) = login {
        command.args(["--digest", login]);
    }
    command.args(["/stream1", cameras::SMALL]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let camera = Program(command.spawn().unwrap());
    for _ in 0..600 {
        if answers((address, PORT)).await {
            return camera;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody listens at {address}");
}

/// Whoever connects is let in and told nothing: a scan has to wait for it.
fn silent(address: &str) -> TcpListener {
    TcpListener::bind((address, PORT)).unwrap()
}

/// From the set-up code to the log-out.
pub fn a_technician_is_done_in_half_an_hour() -> Result<(), Skip> {
    need(&[PYTHON, "ffmpeg"])?;
    on_a_runtime(async {
        let served = Served::start("targets: [127.77.1.8/29]\n").await;
        let browser = Browser::start().await;
        browser.save_to(served.folder.path()).await;
        served.enter(&browser).await;

        // Nobody is there yet, and the page says so by itself when the scan is over.
        let nothing =
            "return !document.querySelector('[data-scan]') && document.querySelector('#live .reasons li')?.textContent === '127.77.1.8/29'
            && document.querySelector('#live h2').textContent === 'Nothing was found'";
        browser.until(nothing).await;

        let _waiting = silent("127.77.1.14");
        let _open = camera("127.77.1.10", None).await;
        let _locked = camera("127.77.1.11", Some(&format!("admin:{CAMERA}"))).await;
        browser.write("#live input[name=targets]", "127.77.1.8/29").await;
        browser.press("#live form[action$=scans] button.first").await;
        browser.until("return document.querySelector('#scan progress') !== null").await;
        browser.run("window.stayed = true").await;
        browser.until("return Number(document.querySelector('#scan progress')?.value) > 0").await;
        browser.until("return document.querySelectorAll('.card').length === 2").await;
        browser.until("return document.querySelector('[data-scan]') === null").await;
        assert_eq!(browser.run("return window.stayed").await, json!(true), "the page was loaded again");

        // A name for one.
        browser.open(&format!("{}devices/127.77.1.10", served.url)).await;
        browser.write("#note input[name=name]", "Front gate").await;
        browser.press("#note button.first").await;
        browser.until("return document.querySelector('h1')?.textContent === 'Front gate'").await;

        // A login for the other.
        browser.open(&format!("{}devices/127.77.1.11", served.url)).await;
        browser.press("#live .banner a.button").await;
        browser.until("return location.pathname === '/logins' && location.hash === '#add'").await;
        browser.write("#add input[name=user]", "admin").await;
        browser.write("#add input[name=password]", CAMERA).await;
        browser.press("#add button.first").await;
        let given = "return Array.from(document.querySelectorAll('tbody tr')).some(row => row.querySelector('form[action$=remove]') && row.textContent.includes('127.77.1.11'))";
        browser.until(given).await;
        browser.open(&format!("{}devices/127.77.1.11", served.url)).await;
        browser.press("#live .head button.first").await;
        browser.until("return document.querySelector('#live .streams h3 .badge.good') !== null").await;
        browser.open(&format!("{}logins", served.url)).await;
        let page = browser.run("return document.documentElement.outerHTML").await.to_string();
        assert!(page.contains("127.77.1.11") && !page.contains(CAMERA), "{page}");

        // Silence for one, which is then found by that.
        browser.open(&format!("{}devices/127.77.1.10", served.url)).await;
        browser.press("#mute form[action$=mute] button").await;
        browser.until("return document.querySelector('#mute .badge')?.textContent.includes('muted')").await;
        browser.open(&served.url).await;
        browser.press(".chips a[href*='is=muted']").await;
        browser.until("return document.querySelectorAll('.card').length === 1").await;
        let name = browser.wait(".card h3").await.text().await.unwrap();
        assert_eq!(name, "Front gate");

        // All of it as a table to take away.
        browser.open(&served.url).await;
        browser.run("document.querySelectorAll('.pick').forEach(box => box.click())").await;
        browser.press("button[value=export]").await;
        let csv = saved(&served.folder.path().join("camscan-csv.csv")).await;
        assert!(csv.contains("127.77.1.10") && csv.contains("127.77.1.11") && csv.contains("Front gate"), "{csv}");
        assert!(!csv.contains(CAMERA), "{csv}");

        // And as a configuration, with the login by its place alone.
        browser.run("document.querySelector('select[name=format]').value = 'frigate'").await;
        browser.press("button[value=export]").await;
        let frigate = saved(&served.folder.path().join("camscan-frigate.yml")).await;
        assert!(frigate.contains("127.77.1.10") && frigate.contains("127.77.1.11"), "{frigate}");
        assert!(!frigate.contains(CAMERA), "{frigate}");

        // What the second scan found and the first one did not.
        browser.open(&format!("{}scans", served.url)).await;
        browser.press("#live form .more button").await;
        browser.until("return location.pathname === '/diff'").await;
        let added = "return Array.from(document.querySelectorAll('main tbody th'), row => row.textContent)";
        assert_eq!(browser.run(added).await, json!(["127.77.1.10", "127.77.1.11"]));

        browser.press("details.menu > summary").await;
        browser.press("form[action$=logout] button").await;
        browser.until("return location.pathname === '/login'").await;
        browser.open(&format!("{}admin", served.url)).await;
        browser.until("return location.pathname === '/login'").await;
        assert!(!served.log().contains(CAMERA), "{}", served.log());
        browser.page.quit().await.unwrap();
    })
}

/// The content of a file, once the browser has written it.
pub(super) async fn saved(file: &PathBuf) -> String {
    for _ in 0..600 {
        match std::fs::read_to_string(file) {
            Ok(text) if !text.is_empty() => return text,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("nothing was saved to {}", file.display());
}

/// A scan that would take long is stopped on the page.
pub fn a_scan_is_started_and_stopped() -> Result<(), Skip> {
    on_a_runtime(async {
        let _waiting: Vec<TcpListener> = (9..14).map(|last| silent(&format!("127.77.2.{last}"))).collect();
        let slow = "targets: [127.77.2.1]\ntimeout: 60s\nhost_timeout: 5m\nretries: 0\n";
        let served = Served::start(&format!("{slow}every: 24h\n")).await;
        let browser = Browser::start().await;
        served.enter(&browser).await;
        browser.until("return document.querySelector('[data-scan]') === null").await;
        browser.open(&format!("{}scans", served.url)).await;
        // What is not allowed is said, and nothing begins.
        browser.write("main input[name=targets]", "127.77.2.8/29").await;
        browser.press("main form[action$=scans] button.first").await;
        browser.until("return document.querySelector('main input[name=targets]') === null").await;
        let said = browser.wait("main").await.text().await.unwrap();
        assert!(said.contains("127.77.2.8"), "{said}");
        browser.page.quit().await.unwrap();
        drop(served);

        let served = Served::start(&format!(
            "targets: [127.77.2.1, 127.77.2.8/29]\nexclude: []\n{}every: 24h\n",
            &slow[slow.find('\n').unwrap() + 1..]
        ))
        .await;
        let browser = Browser::start().await;
        served.enter(&browser).await;
        browser.open(&format!("{}scans", served.url)).await;
        // The first scan of all, which the program began by itself, can be stopped like any other.
        browser.until("return document.querySelector('.scan progress') !== null").await;
        browser.press(".scan button.danger").await;
        let stopped = "return document.querySelector('.scan') === null
            && Array.from(document.querySelectorAll('tbody tr')).filter(row => row.textContent.includes('stopped')).length";
        browser.until(&format!("return (() => {{ {stopped} }})() === 1")).await;
        browser.write("main input[name=targets]", "127.77.2.9, 127.77.2.10").await;
        browser.press("main form[action$=scans] button.first").await;
        browser.until("return document.querySelector('.scan progress') !== null").await;
        browser.press(".scan button.danger").await;
        browser.until(&format!("return (() => {{ {stopped} }})() === 2")).await;
        browser.page.quit().await.unwrap();
    })
}
