//! The pages in a real browser: Debian's Chromium by its own driver.

mod half_hour;
mod looks;
mod proxy;
mod undo;
mod visit;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use camscan::identify::signature::Signatures;
use camscan::model::access::Role;
use camscan::scan::session::Session;
use camscan::serve::App;
use camscan::serve::app::Options;
use camscan::serve::auth::Caller;
use camscan::store::{Open, Store};
use camscan::testkit::net::FakeNet;
use camscan::testkit::place;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::prelude::*;

pub use half_hour::{a_scan_is_started_and_stopped, a_technician_is_done_in_half_an_hour};
pub use looks::every_page_holds_at_every_width_in_both_colours_and_languages;
pub use undo::a_merge_and_a_split_are_taken_back;
pub use visit::a_visit_goes_from_the_code_to_what_changed_since_yesterday;

use proxy::{Handing, NGINX, Proxy};

use crate::ns::skip;
use crate::trial::Skip;

const CHROMIUM: &str = "/usr/bin/chromium";
const DRIVER: &str = "/usr/bin/chromedriver";
/// What a device may call itself.
const HOSTILE: &str = "<script>document.title='owned'</script>\"'><img src=x onerror=\"document.title='owned'\">";

/// A program that is ended with the test.
pub struct Program(pub Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whether somebody listens there.
#[expect(clippy::disallowed_methods, reason = "a server on this machine's loopback")]
pub async fn answers(place: impl tokio::net::ToSocketAddrs) -> bool {
    tokio::net::TcpStream::connect(place).await.is_ok()
}

/// A browser with a profile of its own.
pub struct Browser {
    pub page: WebDriver,
    _driver: Program,
    _profile: TempDir,
}

impl Browser {
    pub async fn start() -> Browser {
        // The client that speaks to the driver asks for one, though it speaks plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = free_port();
        let quiet = || Stdio::null();
        let driver =
            Command::new(DRIVER).arg(format!("--port={port}")).stdout(quiet()).stderr(quiet()).spawn().unwrap();
        let driver = Program(driver);
        let profile = tempfile::tempdir().unwrap();
        let mut wanted = DesiredCapabilities::chrome();
        let user_data = format!("--user-data-dir={}", profile.path().display());
        let mut flags = vec![
            "--headless=new",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1400,1000",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--lang=en",
            &user_data,
        ];
        if rustix::process::geteuid().is_root() {
            flags.push("--no-sandbox");
        }
        flags.into_iter().for_each(|flag| wanted.add_arg(flag).unwrap());
        wanted.set_binary(CHROMIUM).unwrap();
        let address = format!("http://127.0.0.1:{port}");
        let mut page = WebDriver::new(&address, wanted.clone()).await;
        // The driver needs a moment to listen.
        for _ in 0..100 {
            if page.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            page = WebDriver::new(&address, wanted.clone()).await;
        }
        let page = page.unwrap();
        Browser { page, _driver: driver, _profile: profile }
    }

    pub async fn open(&self, url: &str) {
        self.page.goto(url).await.unwrap();
    }

    pub async fn run(&self, script: &str) -> Value {
        self.page.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    /// A screen of so many CSS pixels.
    async fn size(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.page.cdp().send_raw("Emulation.setDeviceMetricsOverride", metrics).await.unwrap();
    }

    async fn scheme(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.page.cdp().send_raw("Emulation.setEmulatedMedia", features).await.unwrap();
    }

    /// Waits until there is such an element.
    pub async fn wait(&self, css: &str) -> WebElement {
        self.page.query(By::Css(css)).first().await.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// Waits until a script says `true`.
    pub async fn until(&self, script: &str) {
        for _ in 0..1200 {
            if self.run(script).await == Value::Bool(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let page = self.run("return location + '\\n' + document.body.innerText").await;
        panic!("never so: {script}\n{}", page.as_str().unwrap_or_default());
    }
}

/// A place that is served.
struct Site {
    url: String,
    proxy: Proxy,
    _folder: TempDir,
    _wanted: tokio::sync::mpsc::Receiver<camscan::watch::Order>,
}

impl Site {
    /// Serves what `fill` puts into a store, to an administrator: straight, and behind nginx over a socket in the file system.
    async fn serve(fill: impl FnOnce(&Store)) -> Site {
        Site::with(Options::default(), fill).await
    }

    async fn with(options: Options, fill: impl FnOnce(&Store)) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        fill(&store);
        let session = Session::new(Arc::new(FakeNet::new()), Signatures::builtin(), Timestamp::now, 16);
        // Scans can be wanted of it, as of one that watches; none is made.
        let (orders, _wanted) = tokio::sync::mpsc::channel(8);
        let app = App::with(store, session, Some(orders), options);
        let scopes = Role::Admin.scopes().to_vec();
        let caller = Caller { account: Some(1), name: "anna".to_owned(), scopes, ..Caller::default() };
        let router = camscan::serve::router(&app).layer(axum::Extension(caller));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let socket = folder.path().join("serve.sock");
        let unix = tokio::net::UnixListener::bind(&socket).unwrap();
        tokio::spawn(axum::serve(listener, router.clone()).into_future());
        tokio::spawn(axum::serve(unix, router).into_future());
        Site { url, proxy: Proxy::to(&socket, Handing::Below).await, _folder: folder, _wanted }
    }

    async fn of(count: usize) -> Site {
        Site::serve(|store| drop(place::remember(store, count, Timestamp::now()).unwrap())).await
    }

    /// A test in a browser of its own for each way to the first page.
    async fn each_way(&self, test: impl AsyncFn(&str, &Browser)) {
        for root in [&self.url, &self.proxy.root] {
            let browser = Browser::start().await;
            test(root, &browser).await;
            browser.page.quit().await.unwrap();
        }
    }
}

const PAGES: [&str; 11] = [
    "",
    "?view=table&group=site",
    "events",
    "scans",
    "diff?from=1&to=now",
    "map",
    "wall",
    "notifications",
    "logins",
    "admin",
    "devices/192.168.10.10",
];

/// What of a page the browser complains about, or came from elsewhere.
const COMPLAINTS: &str = "return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
    .filter(e => !e.name.startsWith(location.origin) && !e.name.startsWith('blob:') || e.responseStatus >= 400 && !e.name.includes('/api/'))
    .map(e => e.name + ' ' + e.responseStatus).concat(window.refused || [])";

/// Text whose contrast is less than WCAG 2.1 AA asks for.
const CONTRAST: &str = r"
    const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return c.startsWith('color(') ? [m[0]*255, m[1]*255, m[2]*255, m[3] ?? 1] : [m[0], m[1], m[2], m[3] ?? 1]; };
    const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
    const light = c => { const f = c.slice(0, 3).map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
    const bed = e => { const all = []; for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); all.push(c); if (c[3] === 1) break; } return all.reverse().reduce((b, c) => over(c, b), [255, 255, 255, 1]); };
    const bad = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const e = walk.currentNode.parentElement;
        if (!walk.currentNode.nodeValue.trim() || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || e.closest('.spoken, script, template, noscript, option, :disabled')) continue;
        const s = getComputedStyle(e), size = parseFloat(s.fontSize), large = size >= 24 || size >= 18.66 && s.fontWeight >= 700;
        const b = bed(e), f = over(parse(s.color), b), [x, y] = [light(f), light(b)].sort((p, q) => q - p);
        const ratio = (x + 0.05) / (y + 0.05);
        if (ratio < (large ? 3 : 4.5)) bad.push(ratio.toFixed(2) + ' ' + walk.currentNode.nodeValue.trim().slice(0, 40) + ' ' + e.className);
    }
    return bad;";

/// Controls that say nothing to a screen reader, or are too small for a finger.
const CONTROLS: &str = r"
    const named = e => e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length && e.labels[0].textContent.trim() || e.title;
    return Array.from(document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary'))
        .filter(e => e.checkVisibility()).flatMap(e => {
            const box = (e.closest('label.picker, label.tick') || e).getBoundingClientRect();
            const isSmall = e.matches('button, .button, select, input, summary') && Math.round(box.height) < 44;
            return named(e) ? (isSmall ? ['small ' + e.outerHTML.slice(0, 80) + ' ' + box.height] : []) : ['unnamed ' + e.outerHTML.slice(0, 80)];
        });";

fn need() -> Result<(), Skip> {
    match [CHROMIUM, DRIVER, NGINX].iter().find(|program| !Path::new(program).exists()) {
        Some(program) => skip(&format!("{program} is not installed")),
        None => Ok(()),
    }
}

pub fn on_a_runtime(test: impl Future<Output = ()>) -> Result<(), Skip> {
    need()?;
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
    Ok(())
}

/// Nothing is refused by the content security policy, nothing comes from elsewhere, every text can be read in both colours,
/// every control has a name and room for a finger, and nothing is wider than the narrowest screen.
pub fn every_page_can_be_read_and_used() -> Result<(), Skip> {
    on_a_runtime(async {
        let site = Site::of(24).await;
        site.each_way(async |root, browser| {
        let watch = "window.refused = []; addEventListener('securitypolicyviolation', e => refused.push(e.violatedDirective + ' ' + e.blockedURI));
            addEventListener('error', e => refused.push(String(e.message)));";
        browser.page.cdp().send_raw("Page.addScriptToEvaluateOnNewDocument", json!({"source": watch})).await.unwrap();
        let none = json!([]);
        for path in PAGES {
            for (width, scheme) in [(1400, "light"), (1400, "dark"), (320, "light")] {
                browser.size(width, 800).await;
                browser.scheme(scheme).await;
                browser.open(&format!("{root}{path}")).await;
                browser.wait("html.script").await;
                let at = format!("{path} at {width} px, {scheme}");
                assert_eq!(browser.run(COMPLAINTS).await, none, "{at}");
                assert_eq!(browser.run(CONTRAST).await, none, "{at}");
                assert_eq!(browser.run(CONTROLS).await, none, "{at}");
                let wider = "return Math.max(0, document.documentElement.scrollWidth - innerWidth)";
                assert_eq!(browser.run(wider).await, json!(0), "{at}");
            }
        }
        }).await;
    })
}

/// Search, selection of many, a tag for them, and the way back.
pub fn devices_are_found_selected_and_tagged() -> Result<(), Skip> {
    on_a_runtime(async {
        let site = Site::of(24).await;
        site.each_way(async |root, browser| {
            browser.size(1400, 900).await;
            browser.open(root).await;
            let search = browser.wait("input[type=search]").await;
            search.send_keys("gate").await.unwrap();
            browser
                .until("return document.querySelectorAll('.card').length === 2 && location.search === '?q=gate'")
                .await;
            browser.run("document.querySelectorAll('.pick').forEach(box => box.click())").await;
            browser.until("return document.getElementById('picked').textContent === '2 selected'").await;
            browser.wait("input[name=tag]").await.send_keys("entrance").await.unwrap();
            browser.wait("button[value=tag]").await.click().await.unwrap();
            browser
                .until("return location.search === '?q=gate' && document.querySelectorAll('.card').length === 2")
                .await;
            browser.open(&format!("{root}?tag=entrance&view=table")).await;
            browser.until("return document.querySelectorAll('tbody tr').length === 2").await;
            // And the same without a mouse: the first key leads to the content.
            browser.page.action_chain().send_keys(Key::Tab).perform().await.unwrap();
            assert_eq!(browser.run("return document.activeElement.className").await, json!("skip"));
        })
        .await;
    })
}

/// Of a thousand devices all can be reached by scrolling.
pub fn a_thousand_devices_scroll() -> Result<(), Skip> {
    on_a_runtime(async {
        let site = Site::of(1000).await;
        site.each_way(async |root, browser| {
            browser.size(1400, 900).await;
            browser.open(root).await;
            let all = "scrollTo(0, document.documentElement.scrollHeight);
            return new Set(Array.from(document.querySelectorAll('.card'), card => card.dataset.id)).size === 1000";
            browser.until(all).await;
            let took = "return Math.round(performance.getEntriesByType('navigation')[0].responseEnd)";
            println!("the first page of 1,000 devices came from {root} in {} ms", browser.run(took).await);
        })
        .await;
    })
}

/// What a device calls itself is text.
pub fn hostile_names_are_text() -> Result<(), Skip> {
    on_a_runtime(async {
        let site = Site::serve(|store| {
            let mut device = place::device(0);
            (device.vendor, device.model, device.name) = (None, Some(HOSTILE.to_owned()), Some(HOSTILE.to_owned()));
            let report = place::report(vec![device], Timestamp::now());
            let clear = camscan::history::memory::Vantage::CLEAR;
            store.learn(&report, camscan::store::Cause::User, clear, &()).map(drop).unwrap();
        });
        let site = site.await;
        site.each_way(async |root, browser| {
            for path in PAGES {
                browser.open(&format!("{root}{path}")).await;
                browser.wait("html.script").await;
                assert_eq!(browser.run("return document.title === 'owned'").await, json!(false), "{path}");
                assert_eq!(
                    browser.run("return document.querySelectorAll('img[src=x]').length").await,
                    json!(0),
                    "{path}"
                );
            }
            browser.open(root).await;
            let name = browser.wait(".card h3").await.text().await.unwrap();
            assert!(name.starts_with("<script>"), "{name}");
        })
        .await;
    })
}

/// Language and colours are kept, and the menu needs no mouse.
pub fn language_and_colours_are_kept() -> Result<(), Skip> {
    on_a_runtime(async {
        let site = Site::of(3).await;
        site.each_way(async |root, browser| {
            browser.open(&format!("{root}events?severity=problem")).await;
            for (button, is) in [
                ("language\"][value=\"ru", "document.documentElement.lang === 'ru'"),
                ("theme\"][value=\"dark", "document.documentElement.dataset.theme === 'dark'"),
            ] {
                let menu = browser.wait("details.menu > summary").await;
                menu.send_keys(Key::Enter + "").await.unwrap();
                browser.wait(&format!("button[name=\"{button}\"]")).await.click().await.unwrap();
                browser.until(&format!("return {is} && location.search === '?severity=problem'")).await;
            }
            browser.open(root).await;
            assert_eq!(
                browser.run("return document.documentElement.lang + document.documentElement.dataset.theme").await,
                json!("rudark")
            );
        })
        .await;
    })
}

/// Behind nginx, nothing on a page leads out of the path it stands below.
pub fn pages_stand_below_a_path_of_a_proxy() -> Result<(), Skip> {
    on_a_runtime(async {
        let (site, browser) = (Site::of(24).await, Browser::start().await);
        let root = &site.proxy.root;
        for path in PAGES {
            browser.open(&format!("{root}{path}")).await;
            browser.wait("html.script").await;
            assert_eq!(browser.run(COMPLAINTS).await, json!([]), "{path}");
            let outside = format!(
                "return Array.from(document.querySelectorAll('a[href], form, img, link, script[src]'), e => e.href || e.action || e.src)
                    .filter(to => !to.startsWith('{root}') && !to.endsWith('#main'))"
            );
            assert_eq!(browser.run(&outside).await, json!([]), "{path}");
        }
        browser.open(&format!("{root}devices/192.168.10.10")).await;
        let site_field = browser.wait("#note input[name=site]").await;
        site_field.clear().await.unwrap();
        site_field.send_keys("Roof").await.unwrap();
        browser.wait("#note button.first").await.click().await.unwrap();
        browser.until("return document.querySelector('#note input[name=site]').value === 'Roof' && location.pathname.startsWith('/cameras/devices/')").await;
        browser.page.quit().await.unwrap();
    })
}

/// The code, the first account, the way out, a wrong password and the right one: straight, and behind nginx below a path.
pub fn the_first_account_is_made_and_logs_in() -> Result<(), Skip> {
    on_a_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let _serving = serve(folder.path(), &["--listen", &listen]).await;
        make_the_first_account(folder.path(), &format!("http://{listen}/"), "").await;

        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("serve.sock");
        let proxy = Proxy::to(&socket, Handing::Whole).await;
        let listen = format!("unix:{}", socket.display());
        let behind = ["--listen", &listen, "--public-url", &proxy.root, "--trusted-proxy", "unix"];
        let _serving = serve(folder.path(), &behind).await;
        make_the_first_account(folder.path(), &proxy.root, "/cameras").await;
    })
}

/// The program itself, with an empty store in a folder, as soon as it has said its code.
async fn serve(folder: &Path, arguments: &[&str]) -> Program {
    let serving = Command::new(env!("CARGO_BIN_EXE_camscan"))
        .args(["serve", "--no-watch", "--store", "s.sqlite"])
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join("log")).unwrap())
        .spawn();
    let serving = Program(serving.unwrap());
    for _ in 0..600 {
        if std::fs::read_to_string(folder.join("log")).is_ok_and(|log| log.contains("serving")) {
            return serving;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it does not serve: {}", std::fs::read_to_string(folder.join("log")).unwrap_or_default());
}

async fn make_the_first_account(folder: &Path, root: &str, base: &str) {
    const PASSWORD: &str = "Zwei-Geheimnisse-2";
    let code = std::fs::read_to_string(folder.join("s.sqlite.setup-code")).unwrap();
    let browser = Browser::start().await;
    browser.open(&format!("{root}events")).await;
    browser.until(&format!("return location.pathname === '{base}/setup'")).await;
    let write = async |name: &str, text: &str| {
        browser.wait(&format!("main input[name={name}]")).await.send_keys(text).await.unwrap();
    };
    write("code", code.trim()).await;
    write("name", "anna").await;
    write("password", PASSWORD).await;
    browser.wait("main button").await.click().await.unwrap();
    let first_page = format!("return location.pathname === '{base}/' && document.querySelector('#scan') !== null");
    browser.until(&first_page).await;
    assert_eq!(browser.run("return document.cookie.includes('session')").await, json!(false));
    browser.wait("details.menu > summary").await.click().await.unwrap();
    browser.wait("form[action$=logout] button").await.click().await.unwrap();
    browser.until(&format!("return location.pathname === '{base}/login'")).await;
    write("name", "anna").await;
    write("password", "falsch-und-lang").await;
    browser.wait("main button").await.click().await.unwrap();
    browser.until(&format!("return location.pathname === '{base}/login' && location.search !== ''")).await;
    write("name", "anna").await;
    write("password", PASSWORD).await;
    browser.wait("main button").await.click().await.unwrap();
    browser.until(&first_page).await;
    browser.page.quit().await.unwrap();
}

/// A player that has tried every way says why there is no picture, in the language of the page.
pub fn a_player_says_why_it_shows_nothing() -> Result<(), Skip> {
    /// A server that offers one way, and sends nothing by it.
    const PLAY: &str = r"
        const folder = Array.from(document.scripts, script => script.src).find(src => src.includes('/assets/')).replace(/[^/]*$/, '');
        const offered = JSON.stringify({
            type: 'mode', ways: [{ stream: 's_1', mode: 'mjpeg', sound: false }],
            refused: [{ mode: 'webrtc', reason: 'this browser plays no H265 by WebRTC' }],
        });
        window.said = {};
        window.WebSocket = class {
            static OPEN = 1;
            readyState = 1;
            constructor() { setTimeout(() => this.onmessage({ data: offered })); }
            send() {}
            close() {}
        };
        import(folder + 'live.js').then(({ Player }) => {
            for (const language of ['en', 'ru']) {
                const onState = (state, reason) => { said[language] = [state, reason]; };
                const screen = document.createElement('div');
                new Player({ root: document.baseURI, stream: 's_1', screen, language, onState }).start();
            }
        });";
    on_a_runtime(async {
        let site = Site::of(1).await;
        let browser = Browser::start().await;
        browser.open(&site.url).await;
        browser.wait("html.script").await;
        browser.run(PLAY).await;
        browser.until("return said.en?.[0] === 'failed' && said.ru?.[0] === 'failed'").await;
        let expected = json!({
            "en": ["failed", "no picture came; webrtc: this browser plays no H265 by WebRTC"],
            "ru": ["failed", "изображение не пришло; webrtc: этот браузер не воспроизводит H265 по WebRTC"],
        });
        assert_eq!(browser.run("return said").await, expected);
        browser.page.quit().await.unwrap();
    })
}
