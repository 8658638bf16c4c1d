//! What a device refuses is counted over processes, also over those that are killed: at the device.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::env::TestEnv;

/// A camera that refuses every login, or leaves it unanswered.
struct Refusing {
    port: u16,
    logins: Arc<AtomicUsize>,
}

impl Refusing {
    fn start(answers: bool) -> Refusing {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let logins = Arc::new(AtomicUsize::new(0));
        let counted = logins.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = counted.clone();
                std::thread::spawn(move || talk(stream, &counted, answers));
            }
        });
        Refusing { port, logins }
    }

    fn seen(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }

    fn scan(&self, env: &TestEnv) -> Child {
        self.run(env, "scan 127.0.0.1 --methods tcp --store=s.sqlite")
    }

    fn run(&self, env: &TestEnv, what: &str) -> Child {
        let line = format!("{what} --ports {} -c a:1 -c b:2 -c c:3 --ffprobe never -q -f json", self.port);
        let mut command = env.command(&line.split(' ').collect::<Vec<_>>());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

fn talk(mut stream: TcpStream, counted: &AtomicUsize, answers: bool) {
    let mut buffer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let Ok(n @ 1..) = stream.read(&mut chunk) else { return };
        buffer.extend(&chunk[..n]);
        while let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let request = String::from_utf8_lossy(&buffer.drain(..end + 4).collect::<Vec<_>>()).into_owned();
            if !request.contains(" RTSP/1.0") {
                return;
            }
            let has_login = request.contains("\r\nAuthorization:");
            counted.fetch_add(usize::from(has_login), Ordering::SeqCst);
            if has_login && !answers {
                continue;
            }
            let cseq = request.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("1");
            let challenge = "WWW-Authenticate: Digest realm=\"cam\", nonce=\"8a7b\"\r\n";
            let answer = match request.starts_with("OPTIONS") {
                true => format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nPublic: OPTIONS, DESCRIBE\r\n\r\n"),
                false => format!("RTSP/1.0 401 Unauthorized\r\nCSeq: {cseq}\r\n{challenge}\r\n"),
            };
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

#[test]
fn processes_that_scan_at_once_share_what_a_device_may_refuse() {
    let env = TestEnv::new();
    let device = Refusing::start(true);
    let all: Vec<Child> = (0..4).map(|_| device.scan(&env)).collect();
    for mut child in all {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(device.seen(), 2);
}

#[test]
fn a_process_that_is_killed_leaves_its_logins_counted() {
    let env = TestEnv::new();
    let device = Refusing::start(false);
    for n in 1..=4 {
        let before = device.seen();
        let mut child = device.scan(&env);
        let end = Instant::now() + Duration::from_secs(60);
        // Until it has sent a login, or has ended because it may send none.
        while device.seen() == before && child.try_wait().unwrap().is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        // SIGKILL: nothing of it runs any more.
        let _ = child.kill();
        child.wait().unwrap();
        assert!(device.seen() <= 2, "{} logins after {n} processes", device.seen());
    }
    assert_eq!(device.seen(), 2);
}

#[test]
fn a_look_at_one_device_counts_in_the_store_of_the_configuration() {
    let env = TestEnv::new();
    let (store, device) = (env.path("s.sqlite"), Refusing::start(true));
    for _ in 0..3 {
        let config = env.write("c.yaml", format!("store: {}\n", store.display()));
        let look = format!("probe 127.0.0.1 --config {}", config.display());
        assert!(device.run(&env, &look).wait().unwrap().success());
    }
    assert_eq!(device.seen(), 2);
    assert!(device.scan(&env).wait().unwrap().success());
    assert_eq!(device.seen(), 2, "a scan counts with it");
    // Without a store each look counts for itself.
    assert!(device.run(&env, "probe 127.0.0.1").wait().unwrap().success());
    assert_eq!(device.seen(), 4);
}
