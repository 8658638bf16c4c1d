//! Refused logins, counted as the camera counts them: over RTSP, HTTP and ONVIF together.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use camscan::model::{Credential, KnownHost, ProbeOptions, ScanPlan, StreamStatus};
use camscan::testkit::net::{Asked, FakeNet, Reply};
use camscan::testkit::plan::credentials;
use proptest::prelude::*;

use super::servers::{Camera, http, pages, rtsp, talking};
use super::{Outcome, look_at, plan, scan};

const FAULT: &str = "<Envelope><Body><Fault><Code><Subcode><Value>ter:NotAuthorized</Value></Subcode></Code>\
                     <Reason><Text>Sender not authorized</Text></Reason></Fault></Body></Envelope>";

/// A camera that refuses every login it has not got, over all it speaks.
async fn scan_locked(net: &FakeNet, logins: &[(&str, &str)], limit: u32) -> Outcome {
    Camera { login: Some("admin:right".to_owned()), ..Camera::new("192.0.2.10") }.on(net);
    for port in [80, 8080] {
        pages(net, &format!("192.0.2.10:{port}"), |asked| match asked.method() {
            "POST" => http("400 Bad Request", "Content-Type: application/soap+xml\r\n", FAULT),
            _ => http("401 Unauthorized", "WWW-Authenticate: Basic realm=\"IP Camera\"\r\n", ""),
        });
    }
    let probe = ProbeOptions { credentials: credentials(logins), max_login_failures: limit, ..plan().probe };
    scan(net, ScanPlan { probe, ..plan() }).await
}

#[tokio::test(start_paused = true)]
async fn refusals_never_pass_the_limit_over_all_protocols_together() {
    let wrong = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")];
    for limit in 0..4 {
        let net = FakeNet::subnet();
        let outcome = scan_locked(&net, &wrong, limit).await;
        let given = net.asked_of("192.0.2.10").iter().filter(|a| a.has_login()).count();
        assert_eq!(given, limit as usize);
        let attempts = outcome.device("192.0.2.10").login_attempts;
        assert_eq!(attempts.map_or(0, |a| a.counted()), limit);
    }
}

#[tokio::test(start_paused = true)]
async fn the_right_login_opens_the_stream_and_stands_nowhere_in_the_report() {
    let net = FakeNet::subnet();
    let outcome = scan_locked(&net, &[("admin", "right")], 4).await;
    let camera = outcome.device("192.0.2.10");
    assert!(camera.streams.iter().any(|s| s.status == StreamStatus::Streaming), "{:?}", camera.streams);
    assert!(!serde_json::to_string(&outcome.report).unwrap().contains("admin:right"));
}

/// A camera whose password is changed while it is looked at, and that closes the connection on the old one.
#[tokio::test(start_paused = true)]
async fn a_login_that_was_taken_and_is_then_refused_by_closing_the_connection_is_sent_twice_more() {
    const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"cam\", nonce=\"n\"\r\n";
    const SDP: &str =
        "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n";
    let net = FakeNet::subnet();
    let taken = Arc::new(Mutex::new(false));
    net.answer("192.0.2.10:554", move |asked| {
        let say = |status, headers: &str, body| Reply::Bytes(rtsp(asked, status, headers, body).unwrap());
        match asked.method() {
            "OPTIONS" if !asked.has_login() => say("200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n", ""),
            _ if !asked.has_login() => say("401 Unauthorized", CHALLENGE, ""),
            _ if !std::mem::replace(&mut *taken.lock().unwrap(), true) => {
                say("200 OK", "Content-Type: application/sdp\r\n", SDP)
            }
            _ => Reply::Last(Vec::new()),
        }
    });
    let probe = ProbeOptions { credentials: credentials(&[("admin", "right")]), max_login_failures: 2, ..plan().probe };
    let outcome = scan(&net, ScanPlan { probe, ..plan() }).await;
    let given = net.asked_of("192.0.2.10").iter().filter(|a| a.has_login()).count();
    assert_eq!(given, 3, "one that was taken, and two that were not");
    assert_eq!(outcome.device("192.0.2.10").login_attempts.unwrap().unclear, 2);
}

#[tokio::test(start_paused = true)]
async fn without_logins_none_is_tried() {
    let net = FakeNet::subnet();
    let outcome = scan_locked(&net, &[], 2).await;
    assert!(!net.asked().iter().any(camscan::testkit::net::Asked::has_login));
    let statuses: Vec<StreamStatus> = outcome.device("192.0.2.10").streams.iter().map(|s| s.status).collect();
    assert_eq!(statuses, [StreamStatus::AuthRequired], "{:#?}", outcome.device("192.0.2.10").streams);
}

#[tokio::test(start_paused = true)]
async fn the_login_that_worked_before_is_tried_first() {
    let net = FakeNet::subnet();
    let known =
        KnownHost { login: Some(Credential::new("admin", "right")), refusals_left: None, ..KnownHost::default() };
    let outcome = scan_known(&net, &[("a", "1"), ("b", "2"), ("admin", "right")], known).await;
    let camera = outcome.device("192.0.2.10");
    assert!(camera.streams.iter().any(|s| s.status == StreamStatus::Streaming), "{:?}", camera.streams);
    let rtsp: Vec<Asked> = net.asked_of("192.0.2.10").into_iter().filter(|a| a.text.contains("RTSP/")).collect();
    assert_eq!(user(&rtsp.iter().find(|a| a.has_login()).unwrap().text), user("Authorization: Basic YWRtaW46cmlnaHQ="));
}

#[tokio::test(start_paused = true)]
async fn a_device_whose_refusals_are_used_up_sees_no_login_and_the_report_says_why() {
    for left in [0, 1, 9] {
        let net = FakeNet::subnet();
        let known = KnownHost { login: None, refusals_left: Some(left), ..KnownHost::default() };
        let outcome = scan_known(&net, &[("a", "1"), ("b", "2"), ("c", "3")], known).await;
        let given = net.asked_of("192.0.2.10").iter().filter(|a| a.has_login()).count();
        assert_eq!(given, left.min(2) as usize);
        let text = serde_json::to_string(&outcome.device("192.0.2.10").streams).unwrap();
        assert_eq!(text.contains("camscan devices login retry"), left == 0, "{text}");
    }
}

/// Scans a camera with Basic alone of which an earlier scan left something.
async fn scan_known(net: &FakeNet, logins: &[(&str, &str)], known: KnownHost) -> Outcome {
    Camera { login: Some("admin:right".to_owned()), ..Camera::new("192.0.2.10") }.on(net);
    let probe = ProbeOptions { credentials: credentials(logins), ..plan().probe };
    let known_hosts = Arc::new([("192.0.2.10".parse().unwrap(), known)].into());
    scan(net, ScanPlan { probe, known_hosts, ..plan() }).await
}

/// What a device makes of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Refused,
    /// Nothing came: it may have been refused, and the device may have counted it.
    Silence,
    Closed,
    /// An answer that is neither success nor refusal.
    Status(u16),
    /// Success without anything in it.
    Empty,
    /// Refused, and called a nonce too old.
    Stale,
}

/// What a device says to whoever brings none.
#[derive(Debug, Clone, Copy)]
enum Greeting {
    Open,
    Basic,
    Digest,
    Both,
}

#[derive(Debug, Default)]
struct Tried {
    logins: usize,
    /// Which logins have been accepted over which protocol: what is unclear after that refuses nothing.
    accepted: HashSet<(&'static str, String)>,
    /// Which have found nothing where nothing else was said of them.
    looked_at: HashSet<String>,
    counted: u32,
    talk: Vec<String>,
}

/// Serves RTSP, HTTP and ONVIF alike; each login meets the next verdict, and all after them are refused.
struct Moody {
    verdicts: Vec<Verdict>,
    greetings: Vec<Greeting>,
    tried: Mutex<Tried>,
}

impl Moody {
    /// The bytes of the answer; none when the connection is closed instead.
    fn answer(&self, text: &str) -> Option<Vec<u8>> {
        let mut tried = self.tried.lock().unwrap();
        let has_login = text.to_ascii_lowercase().contains("\nauthorization:") || text.contains("UsernameToken");
        let line = text.lines().next().unwrap_or_default();
        if !has_login {
            let greeting = self.greetings[tried.talk.len() % self.greetings.len()];
            tried.talk.push(format!("{line}: {greeting:?}"));
            return Some(greet(text, greeting));
        }
        let verdict = self.verdicts.get(tried.logins).copied().unwrap_or(Verdict::Refused);
        tried.logins += 1;
        let protocol = match text.split(' ').next() {
            _ if text.contains("RTSP/1.0") => "rtsp",
            Some("POST") => "onvif",
            _ => "http",
        };
        let login = (protocol, user(text));
        let is_known = tried.accepted.contains(&login);
        let is_looked_at = matches!(verdict, Verdict::Status(404))
            || matches!(verdict, Verdict::Status(454..=461)) && protocol == "rtsp";
        tried.counted += u32::from(!is_known && !is_looked_at && verdict != Verdict::Accepted);
        if verdict == Verdict::Accepted {
            tried.looked_at.remove(&login.1);
            tried.accepted.insert(login);
        } else if is_looked_at && !is_known {
            tried.looked_at.insert(login.1);
        }
        tried.talk.push(format!("{line} with a login: {verdict:?}"));
        match verdict {
            Verdict::Accepted => Some(greet(text, Greeting::Open)),
            Verdict::Refused => Some(greet(text, Greeting::Both)),
            Verdict::Silence => Some(Vec::new()),
            Verdict::Closed => None,
            Verdict::Status(status) => Some(say(text, &format!("{status} No"), "", "")),
            Verdict::Empty => Some(say(text, "200 OK", "", "")),
            Verdict::Stale => {
                let challenge = "WWW-Authenticate: Digest realm=\"IP Camera\", nonce=\"9a\", stale=true\r\n";
                Some(say(text, "401 Unauthorized", challenge, ""))
            }
        }
    }
}

/// Whose login a request carries, however it is written: the digit behind `user`.
fn user(text: &str) -> String {
    let basic = text.lines().find_map(|line| line.split_once(": Basic "));
    let decoded = basic.and_then(|(_, login)| BASE64_STANDARD.decode(login.trim()).ok());
    let text = decoded.map_or_else(|| text.to_owned(), |login| String::from_utf8_lossy(&login).into_owned());
    let at = text.find("user").unwrap_or_default();
    text[at..].chars().skip_while(|c| !c.is_ascii_digit()).take(1).collect()
}

fn greet(text: &str, greeting: Greeting) -> Vec<u8> {
    const BASIC: &str = "WWW-Authenticate: Basic realm=\"IP Camera\"\r\n";
    const DIGEST: &str = "WWW-Authenticate: Digest realm=\"IP Camera\", nonce=\"8a7b\", qop=\"auth\"\r\n";
    let challenge = match greeting {
        Greeting::Open => return welcome(text),
        Greeting::Basic => BASIC.to_owned(),
        Greeting::Digest => DIGEST.to_owned(),
        Greeting::Both => format!("{DIGEST}{BASIC}"),
    };
    match text.split(' ').next() {
        Some("OPTIONS") => welcome(text),
        Some("POST") => http("400 Bad Request", "Content-Type: application/soap+xml\r\n", FAULT),
        _ => say(text, "401 Unauthorized", &challenge, ""),
    }
}

fn welcome(text: &str) -> Vec<u8> {
    let session = "Session: 7\r\n";
    match text.split(' ').next().unwrap_or_default() {
        "OPTIONS" => say(text, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
        "DESCRIBE" => say(text, "200 OK", "Content-Type: application/sdp\r\n", &Camera::new("192.0.2.10").sdp()),
        "SETUP" => {
            let transport = text.lines().find(|line| line.starts_with("Transport:")).unwrap_or_default();
            say(text, "200 OK", &format!("{transport}\r\n{session}"), "")
        }
        "PLAY" | "TEARDOWN" | "GET_PARAMETER" => say(text, "200 OK", session, ""),
        "POST" => {
            let body = "<Envelope><Body><GetDeviceInformationResponse><Manufacturer>Acme</Manufacturer>\
                        </GetDeviceInformationResponse></Body></Envelope>";
            http("200 OK", "Content-Type: application/soap+xml\r\n", body)
        }
        _ => say(text, "200 OK", "Content-Type: text/html\r\n", "<title>Network Camera</title>"),
    }
}

fn say(text: &str, status: &str, headers: &str, body: &str) -> Vec<u8> {
    let cseq = text.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("1");
    let length = body.len();
    let head = match text.contains("RTSP/1.0") {
        true => format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{headers}Content-Length: {length}\r\n\r\n"),
        false => format!("HTTP/1.1 {status}\r\nServer: App-webs/\r\n{headers}Content-Length: {length}\r\n\r\n"),
    };
    (head + body).into_bytes()
}

fn verdicts() -> impl Strategy<Value = Vec<Verdict>> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Accepted),
        3 => Just(Verdict::Refused),
        1 => Just(Verdict::Silence),
        1 => Just(Verdict::Closed),
        1 => Just(Verdict::Empty),
        1 => Just(Verdict::Stale),
        3 => prop::sample::select(vec![302u16, 400, 403, 404, 405, 406, 454, 455, 461, 500, 503]).prop_map(Verdict::Status),
    ];
    prop::collection::vec(verdict, 0..12)
}

proptest! {
    /// Whatever a device says, in whatever order, over RTSP, HTTP and ONVIF together: it has no more than so many refused
    /// logins to count.
    #[test]
    fn a_device_never_counts_more_refusals_than_allowed(
        limit in 0u32..4,
        logins in 0usize..4,
        verdicts in verdicts(),
        greetings in prop::collection::vec(
            prop::sample::select(vec![Greeting::Open, Greeting::Basic, Greeting::Digest, Greeting::Both]), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let device = Arc::new(Moody { verdicts, greetings, tried: Mutex::default() });
        let credentials: Vec<Credential> = (0..logins).map(|n| Credential::new(format!("user{n}"), "secret")).collect();
        let probe = ProbeOptions { credentials, max_login_failures: limit, ..plan().probe };
        let outcome = runtime.block_on(async {
            let net = FakeNet::subnet();
            for port in [554, 80, 8080] {
                let device = device.clone();
                talking(&net, &format!("192.0.2.10:{port}"), move |asked| device.answer(&asked.text));
            }
            look_at(&net, ScanPlan { probe, ..plan() }, &["192.0.2.10".to_owned()]).await
        });
        let tried = device.tried.lock().unwrap();
        prop_assert!(tried.counted <= limit, "{} of {limit}:\n{}", tried.counted, tried.talk.join("\n"));
        prop_assert!(tried.looked_at.len() <= 1, "{:?}:\n{}", tried.looked_at, tried.talk.join("\n"));
        prop_assert!(logins > 0 || tried.logins == 0);
        // What the report says of it is no less.
        let said = outcome.device("192.0.2.10").login_attempts.map_or(0, |attempts| attempts.counted());
        prop_assert!(said >= tried.counted && said <= limit, "{said} of {}:\n{}", tried.counted, tried.talk.join("\n"));
    }
}
