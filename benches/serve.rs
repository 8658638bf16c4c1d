//! The API under load: how many requests a second one client gets answered, and how many fifty do, by a server of the same process
//! that knows 200 devices; and what the process holds before, right after and a minute after (`--kept`: where nothing gives the
//! system back what is free).
//!
//! ```sh
//! cargo bench --bench serve -- [--seconds 5] [--wait 60] [--kept]
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark on the loopback; its clients are no part of the program"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use camscan::identify::signature::Signatures;
use camscan::model::listen::ListenOn;
use camscan::net::RealNet;
use camscan::scan::session::Session;
use camscan::serve::app::{App, Options};
use camscan::serve::auth::Access;
use camscan::serve::limits::Slots;
use camscan::serve::listen::Listener;
use camscan::store::{Open, Store};
use camscan::testkit::place;
use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const DEVICES: usize = 200;
const PATHS: [&str; 6] =
    ["/api/v1/me", "/api/v1/summary", "/api/v1/devices?limit=1", "/api/v1/devices?limit=500", "/metrics", "/"];

fn argument(name: &str, usual: u64) -> u64 {
    let mut all = std::env::args().skip_while(|argument| argument != name);
    all.nth(1).and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// What the process holds, in MiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 10
}

/// A server that shows everybody what a viewer sees.
async fn serve(folder: &tempfile::TempDir) -> (SocketAddr, Arc<App>) {
    let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
    place::remember(&store, DEVICES, Timestamp::now()).unwrap();
    let session = Session::new(RealNet::new(), Signatures::builtin(), Timestamp::now, 16);
    let mut access = Access::default();
    access.anonymous = true;
    let options = Options { access, ..Options::default() };
    let app = App::with(store, session, None, options);
    let listener = Listener::bind(&ListenOn::Tcp((Ipv4Addr::LOCALHOST, 0).into())).await.unwrap();
    let ListenOn::Tcp(address) = listener.place else { unreachable!("it was bound by TCP") };
    let router = camscan::serve::router(&app);
    tokio::spawn(listener.serve(app.clone(), router, None, Slots::new(1024, 64)));
    (address, app)
}

/// Asks again and again on one connection: how many answers came.
async fn ask(address: SocketAddr, path: &str, until: Instant) -> u64 {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let (mut line, mut body, mut answers) = (String::new(), Vec::new(), 0);
    while Instant::now() < until {
        stream.get_mut().write_all(request.as_bytes()).await.unwrap();
        let mut length = 0;
        for number in 0.. {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            assert!(number > 0 || line.contains(" 200 "), "{path}: {line}");
            let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().unwrap();
            }
            if line.trim_end().is_empty() {
                break;
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body).await.unwrap();
        answers += 1;
    }
    answers
}

/// Answers a second that so many clients get.
async fn rate(address: SocketAddr, path: &'static str, clients: usize, time: Duration) -> f64 {
    let until = Instant::now() + time;
    let all: Vec<_> = (0..clients).map(|_| tokio::spawn(ask(address, path, until))).collect();
    let mut answers = 0;
    for one in all {
        answers += one.await.unwrap();
    }
    answers as f64 / time.as_secs_f64()
}

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let (time, wait) = (Duration::from_secs(argument("--seconds", 3)), argument("--wait", 60));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (address, app) = serve(&folder).await;
        if !std::env::args().any(|argument| argument == "--kept") {
            tokio::spawn(camscan::net::memory::give_back());
        }
        for path in PATHS {
            rate(address, path, 1, Duration::from_millis(300)).await;
        }
        let before = memory();
        for path in PATHS {
            let (one, fifty) = (rate(address, path, 1, time).await, rate(address, path, 50, time).await);
            println!("{path:<28} {one:>8.0}/s by one client, {fifty:>8.0}/s by fifty: {:.2}", fifty / one);
        }
        let after = memory();
        tokio::time::sleep(Duration::from_secs(wait)).await;
        println!("{before} MiB before, {after} MiB right after, {} MiB {wait} s later", memory());
        app.stop.cancel();
    });
}
