//! What the README promises about logins, held against servers that do not play fair. Everything is counted at the server.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};

use camscan::model::secret::CredentialScope;
use camscan::model::{Credential, Device, MacAddr, ProbeOptions, ScanPlan, StreamStatus};
use camscan::testkit::net::{Asked, FakeNet};

use super::servers::{Camera, http, pages, rtsp, talking};
use super::{Outcome, look_at, plan, scan};

pub(super) const IP: &str = "192.0.2.10";
const RTSP_PORT: &str = "192.0.2.10:554";
pub(super) const PASSWORD: &str = "tiefer-brunnen-7";
const PUBLIC: &str = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n";
const BASIC: &str = "WWW-Authenticate: Basic realm=\"IP Camera\"\r\n";

/// A Digest challenge with a nonce nobody has seen.
fn digest() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let nonce = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("WWW-Authenticate: Digest realm=\"IP Camera\", nonce=\"n{nonce}\", qop=\"auth\"\r\n")
}

pub(super) fn users(count: usize) -> Vec<Credential> {
    (0..count).map(|n| Credential::new(format!("user{n}"), PASSWORD)).collect()
}

pub(super) async fn scan_with(net: &FakeNet, credentials: Vec<Credential>) -> Outcome {
    let probe = ProbeOptions { credentials, ..plan().probe };
    look_at(net, ScanPlan { probe, ..plan() }, &[IP.to_owned()]).await
}

/// The requests that carried a login, in whichever way.
pub(super) fn logins(net: &FakeNet) -> Vec<Asked> {
    let in_path = |a: &Asked| a.target().contains("user=") || a.target().contains(PASSWORD);
    net.asked_of(IP).into_iter().filter(|a| a.has_login() || in_path(a)).collect()
}

/// Whose logins they were.
fn whose(asked: &[Asked]) -> HashSet<String> {
    let name = |a: &Asked| {
        let at = a.text.find("username=\"").map_or(0, |at| at + 10);
        a.text[at..].chars().take_while(|c| *c != '"').collect()
    };
    asked.iter().map(name).collect()
}

pub(super) fn counted(device: &Device) -> u32 {
    device.login_attempts.map_or(0, |attempts| attempts.counted())
}

/// An RTSP port that demands a Digest login for everything but OPTIONS, and answers one by `verdict`.
fn rtsp_door(net: &FakeNet, verdict: impl Fn(&Asked) -> Option<Vec<u8>> + Send + Sync + 'static) {
    talking(net, RTSP_PORT, move |asked| match asked.method() {
        "OPTIONS" => rtsp(asked, "200 OK", PUBLIC, ""),
        _ if asked.has_login() => verdict(asked),
        _ => rtsp(asked, "401 Unauthorized", &digest(), ""),
    });
}

#[tokio::test(start_paused = true)]
async fn an_rtsp_login_is_never_sent_past_the_limit_whatever_it_is_answered_with() {
    for status in [
        "500 Internal Server Error",
        "400 Bad Request",
        "405 Method Not Allowed",
        "403 Forbidden",
        "200 OK",
        "302 Found",
        "503 Service Unavailable",
        "451 No",
        "406 No",
        "999 No",
    ] {
        for count in [1, 5] {
            let net = FakeNet::subnet();
            rtsp_door(&net, move |asked| rtsp(asked, status, "Location: /elsewhere\r\n", ""));
            let outcome = scan_with(&net, users(count)).await;
            let sent = logins(&net).len();
            assert!((1..=2).contains(&sent), "{status}, {count} logins: {sent} sent");
            assert_eq!(counted(outcome.device(IP)), sent as u32, "{status}, {count} logins");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_finds_nothing_is_followed_by_no_second_one() {
    for status in ["404 Not Found", "454 Session Not Found", "461 Unsupported Transport"] {
        let net = FakeNet::subnet();
        rtsp_door(&net, move |asked| rtsp(asked, status, "", ""));
        scan_with(&net, users(5)).await;
        let sent = logins(&net);
        assert!(sent.len() > 5, "{status}: every path is worth asking");
        assert_eq!(whose(&sent).len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_http_login_is_never_sent_past_the_limit_whatever_it_is_answered_with() {
    for status in ["500 Internal Server Error", "400 Bad Request", "302 Found", "403 Forbidden", "401 Unauthorized"] {
        for (count, stale) in [(1, ""), (5, ""), (5, ", stale=true")] {
            let net = FakeNet::subnet();
            for port in [80, 8080] {
                pages(&net, &format!("{IP}:{port}"), move |asked| {
                    let challenge = digest().replace("\r\n", &format!("{stale}\r\nServer: uc-httpd 1.0.0\r\n"));
                    match asked.has_login() {
                        true => http(status, &format!("{challenge}Location: /elsewhere\r\n"), "<html>no</html>"),
                        false => http("401 Unauthorized", &challenge, ""),
                    }
                });
            }
            let outcome = scan_with(&net, users(count)).await;
            let sent = logins(&net).len();
            assert!(sent <= 2, "{status}{stale}, {count} logins: {sent} sent");
            assert_eq!(counted(outcome.device(IP)), sent as u32, "{status}{stale}, {count} logins");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_onvif_login_is_never_sent_past_the_limit_whatever_it_is_answered_with() {
    let fault = |code: &str, reason: &str| {
        format!(
            "<Envelope><Body><Fault><Code><Subcode><Value>ter:{code}</Value></Subcode></Code>\
             <Reason><Text>{reason}</Text></Reason></Fault></Body></Envelope>"
        )
    };
    let soap = "Content-Type: application/soap+xml\r\n";
    let clock = fault("NotAuthorized", "Wsse authorized time check failed.");
    let answers = [
        http("200 OK", soap, ""),
        http("400 Bad Request", soap, &clock),
        http("401 Unauthorized", &digest().replace("\r\n", ", stale=true\r\n"), &clock),
        http("500 Internal Server Error", soap, &fault("Receiver", "no")),
        http("500 Internal Server Error", soap, &fault("ActionNotSupported", "no")),
        http("200 OK", "Content-Type: text/html\r\n", "<html>hello</html>"),
        http("302 Found", "Location: /elsewhere\r\n", ""),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        for count in [1, 8] {
            let net = FakeNet::subnet();
            let (answer, demand) = (answer.clone(), fault("NotAuthorized", "Sender not authorized"));
            pages(&net, &format!("{IP}:80"), move |asked| match asked.method() {
                "POST" if asked.text.contains("GetSystemDateAndTime") => {
                    let time = "<Envelope><Body><GetSystemDateAndTimeResponse><SystemDateAndTime><UTCDateTime><Time><Hour>1\
                                </Hour><Minute>2</Minute><Second>3</Second></Time><Date><Year>2027</Year><Month>1</Month>\
                                <Day>15</Day></Date></UTCDateTime></SystemDateAndTime></GetSystemDateAndTimeResponse>\
                                </Body></Envelope>";
                    http("200 OK", soap, time)
                }
                "POST" if asked.has_login() => answer.clone(),
                "POST" => http("400 Bad Request", soap, &demand),
                _ => {
                    http("200 OK", "Server: App-webs/\r\nContent-Type: text/html\r\n", "<title>Network Camera</title>")
                }
            });
            let outcome = scan_with(&net, users(count)).await;
            let sent = logins(&net).len();
            assert!((1..=2).contains(&sent), "answer {number}, {count} logins: {sent} sent");
            assert_eq!(counted(outcome.device(IP)), sent as u32, "answer {number}, {count} logins");
        }
    }
}

/// A camera of one stream at every path that takes every login, until `refuses` says no.
fn turncoat(net: &FakeNet, refuses: impl Fn(&Asked, u32) -> bool + Send + Sync + 'static) {
    let logins = AtomicU32::new(0);
    talking(net, RTSP_PORT, move |asked| {
        let number = if asked.has_login() { logins.fetch_add(1, Ordering::Relaxed) } else { 0 };
        match asked.method() {
            "OPTIONS" => rtsp(asked, "200 OK", PUBLIC, ""),
            _ if !asked.has_login() || refuses(asked, number) => rtsp(asked, "401 Unauthorized", &digest(), ""),
            "DESCRIBE" => rtsp(asked, "200 OK", "Content-Type: application/sdp\r\n", &Camera::new(IP).sdp()),
            "SETUP" => {
                let transport = asked.header("Transport").unwrap_or_default();
                rtsp(asked, "200 OK", &format!("Transport: {transport}\r\nSession: 7;timeout=4\r\n"), "")
            }
            _ => rtsp(asked, "200 OK", "Session: 7\r\n", ""),
        }
    });
}

#[tokio::test(start_paused = true)]
async fn refused_signs_of_life_and_farewells_count() {
    let net = FakeNet::subnet();
    let refuses = |asked: &Asked| matches!(asked.method(), "GET_PARAMETER" | "TEARDOWN");
    turncoat(&net, move |asked, _| refuses(asked));
    let outcome = scan_with(&net, users(1)).await;
    let refused = logins(&net).iter().filter(|a| refuses(a)).count();
    assert!((1..=2).contains(&refused), "{refused}");
    assert_eq!(outcome.device(IP).login_attempts.unwrap().refused, refused as u32);
    // The session is taken down all the same, as far as the device lets us.
    assert!(net.asked().iter().any(|a| a.method() == "TEARDOWN"));
}

#[tokio::test(start_paused = true)]
async fn a_login_refused_after_it_was_taken_counts_each_time() {
    for taken in [1, 2, 3] {
        let net = FakeNet::subnet();
        turncoat(&net, move |_, number| number >= taken);
        let outcome = scan_with(&net, users(3)).await;
        let refused = logins(&net).len() - taken as usize;
        assert!((1..=2).contains(&refused), "taken {taken} times, refused {refused}");
        assert_eq!(counted(outcome.device(IP)), refused as u32);
    }
    // Looked at once, refused from then on: no second login follows.
    let net = FakeNet::subnet();
    let first = AtomicU32::new(0);
    rtsp_door(&net, move |asked| match first.fetch_add(1, Ordering::Relaxed) {
        0 => rtsp(asked, "404 Not Found", "", ""),
        _ => rtsp(asked, "401 Unauthorized", &digest(), ""),
    });
    scan_with(&net, users(3)).await;
    assert!(logins(&net).len() <= 3 && whose(&logins(&net)).len() == 1);
}

/// Answers no path, and calls itself by a name of Xiongmai's.
fn xiongmai(net: &FakeNet, challenge: Option<&'static str>) {
    let server = "Server: H264DVR 1.0\r\n";
    talking(net, RTSP_PORT, move |asked| match (asked.method(), challenge) {
        ("OPTIONS", _) => rtsp(asked, "200 OK", &format!("{PUBLIC}{server}"), ""),
        _ if asked.target().contains(&format!("user=user0&password={PASSWORD}&channel=1&stream=0")) => {
            rtsp(asked, "200 OK", "Content-Type: application/sdp\r\n", &Camera::new(IP).sdp())
        }
        (_, Some("digest")) => rtsp(asked, "401 Unauthorized", &format!("{}{server}", digest()), ""),
        (_, Some(challenge)) => rtsp(asked, "401 Unauthorized", &format!("{challenge}{server}"), ""),
        _ => rtsp(asked, "404 Not Found", server, ""),
    });
    pages(net, &format!("{IP}:80"), |_| {
        http("200 OK", "Server: uc-httpd 1.0.0\r\n", "<title>NETSurveillance WEB</title>")
    });
}

#[tokio::test(start_paused = true)]
async fn a_makers_name_alone_draws_no_password_into_an_address() {
    let in_path = |net: &FakeNet| net.asked_of(IP).iter().filter(|a| a.target().contains(PASSWORD)).count();
    for challenge in [None, Some("digest")] {
        let net = FakeNet::subnet();
        xiongmai(&net, challenge);
        let outcome = scan_with(&net, users(2)).await;
        assert_eq!(in_path(&net), 0, "{challenge:?}");
        let said = &outcome.device(IP).errors;
        assert!(said.iter().any(|e| e.message.contains("login_in_path")), "{challenge:?}: {said:?}");
        assert!(!net.asked().iter().any(|a| a.text.contains(PASSWORD)), "{challenge:?}");
    }
    // Demanded, and nothing better offered: the maker's own way.
    let net = FakeNet::subnet();
    xiongmai(&net, Some("WWW-Authenticate: Unknown realm=\"x\"\r\n"));
    scan_with(&net, users(1)).await;
    assert!(in_path(&net) > 0);
    // The user says so.
    for challenge in [None, Some("digest")] {
        let net = FakeNet::subnet();
        xiongmai(&net, challenge);
        let allowed = Credential { allow_in_path: true, ..users(1).remove(0) };
        let outcome = scan_with(&net, vec![allowed]).await;
        assert!(in_path(&net) > 0, "{challenge:?}");
        assert!(!serde_json::to_string(&outcome.report).unwrap().contains(PASSWORD));
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_bound_to_a_maker_or_an_address_goes_by_the_link_and_not_by_the_devices_word() {
    let bound = |trust_announced| {
        let scope = |vendor: Option<&str>, mac: Option<&str>| CredentialScope {
            network: None,
            vendor: vendor.map(str::to_owned),
            mac_prefix: mac.map(str::to_owned),
            endpoint: None,
            trust_announced,
        };
        [scope(Some("Hikvision"), None), scope(None, Some("4419b6"))]
            .map(|scope| Credential { scope, ..Credential::new("viewer", PASSWORD) })
    };
    let device = |net: &FakeNet| {
        Camera { login: Some("someone:else".to_owned()), ..Camera::new(IP) }.on(net);
        pages(net, &format!("{IP}:80"), |asked| match asked.method() {
            "POST" if asked.text.contains("GetNetworkInterfaces") => http(
                "200 OK",
                "Content-Type: application/soap+xml\r\n",
                "<Envelope><Body><GetNetworkInterfacesResponse><NetworkInterfaces token=\"eth0\"><Enabled>true</Enabled>\
                 <Info><Name>eth0</Name><HwAddress>44:19:b6:00:00:01</HwAddress></Info></NetworkInterfaces>\
                 </GetNetworkInterfacesResponse></Body></Envelope>",
            ),
            "POST" => http(
                "200 OK",
                "Content-Type: application/soap+xml\r\n",
                "<Envelope><Body><GetDeviceInformationResponse><Manufacturer>HIKVISION</Manufacturer>\
                 <SystemDateAndTime/></GetDeviceInformationResponse></Body></Envelope>",
            ),
            _ => http("200 OK", "Server: App-webs/\r\n", "<title>Hikvision</title>"),
        });
    };
    for credential in bound(false) {
        let net = FakeNet::subnet();
        device(&net);
        scan_with(&net, vec![credential.clone()]).await;
        assert_eq!(logins(&net).len(), 0, "by its word alone: {:?}", credential.scope);
        // The link shows another maker's card: it is not believed either.
        let outcome = scan(
            &net,
            ScanPlan { probe: ProbeOptions { credentials: vec![credential.clone()], ..plan().probe }, ..plan() },
        )
        .await;
        assert_eq!(logins(&net).len(), 0, "against the link: {:?}", credential.scope);
        assert_eq!(outcome.device(IP).mac, Some(MacAddr([0x02, 0, 0x5e, 0, 2, 10])));
    }
    for credential in bound(true) {
        let net = FakeNet::subnet();
        device(&net);
        scan_with(&net, vec![credential.clone()]).await;
        assert!(!logins(&net).is_empty(), "trusted: {:?}", credential.scope);
    }
    for credential in bound(false) {
        let net = FakeNet::subnet();
        device(&net);
        net.links.mac(IP, MacAddr([0x44, 0x19, 0xb6, 0, 0, 1]));
        scan(
            &net,
            ScanPlan { probe: ProbeOptions { credentials: vec![credential.clone()], ..plan().probe }, ..plan() },
        )
        .await;
        assert!(!logins(&net).is_empty(), "as the link shows: {:?}", credential.scope);
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_offered_digest_gets_no_password_in_plain_text() {
    let in_clear = |net: &FakeNet| {
        net.asked_of(IP).iter().filter(|a| a.header("Authorization").is_some_and(|v| v.starts_with("Basic "))).count()
    };
    // Digest first, its answer refused by Basic only.
    let net = FakeNet::subnet();
    rtsp_door(&net, |asked| rtsp(asked, "401 Unauthorized", BASIC, ""));
    scan_with(&net, users(5)).await;
    assert_eq!(in_clear(&net), 0);
    // Digest over RTSP, Basic over HTTP and ONVIF.
    let net = FakeNet::subnet();
    turncoat(&net, |_, _| false);
    for port in [80, 8080] {
        pages(&net, &format!("{IP}:{port}"), |_| {
            http("401 Unauthorized", &format!("Server: App-webs/\r\n{BASIC}"), "")
        });
    }
    let outcome = scan_with(&net, users(1)).await;
    let before_digest = net.asked().iter().position(|a| a.of.port() == 554 && a.method() == "DESCRIBE");
    let basic = net.asked().iter().position(|a| a.header("Authorization").is_some_and(|v| v.starts_with("Basic ")));
    assert!(basic.is_none_or(|at| at < before_digest.unwrap()), "{:?}", outcome.device(IP).errors);
}

#[tokio::test(start_paused = true)]
async fn the_right_login_finds_the_stream_at_a_late_path() {
    let candidates = camscan::identify::stream_url::StreamUrls::builtin().rtsp(None);
    for nth in [8, 12] {
        let path = candidates[nth].path.clone();
        let net = FakeNet::subnet();
        let right = path.clone();
        talking(&net, RTSP_PORT, move |asked| {
            let is_there = asked.target().contains(&right);
            match asked.method() {
                "OPTIONS" => rtsp(asked, "200 OK", PUBLIC, ""),
                _ if !asked.has_login() => rtsp(asked, "401 Unauthorized", &digest(), ""),
                _ if !asked.text.contains("user0") => rtsp(asked, "401 Unauthorized", &digest(), ""),
                _ if !is_there => rtsp(asked, "404 Not Found", "", ""),
                "DESCRIBE" => rtsp(asked, "200 OK", "Content-Type: application/sdp\r\n", &Camera::new(IP).sdp()),
                "SETUP" => {
                    let transport = asked.header("Transport").unwrap_or_default();
                    rtsp(asked, "200 OK", &format!("Transport: {transport}\r\nSession: 7\r\n"), "")
                }
                _ => rtsp(asked, "200 OK", "Session: 7\r\n", ""),
            }
        });
        let outcome = scan_with(&net, users(1)).await;
        let streams = &outcome.device(IP).streams;
        assert!(
            streams.iter().any(|s| s.url.contains(&path) && s.status == StreamStatus::NoData),
            "{path}: {streams:?}"
        );
        assert_eq!(counted(outcome.device(IP)), 0);
    }
}
