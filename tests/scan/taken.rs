//! A login that was taken once draws no refusals that are not counted, whatever it is answered with later. Everything is
//! counted at the server.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use camscan::model::{ProbeOptions, ScanPlan};
use camscan::testkit::net::{Asked, FakeNet};

use super::promises::{IP, counted, logins, scan_with, users};
use super::servers::{Camera, http, pages, rtsp, talking};
use super::{look_at, plan};

const RTSP_PORT: &str = "192.0.2.10:554";
const PUBLIC: &str = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n";
const SOAP: &str = "Content-Type: application/soap+xml\r\n";

/// A challenge with a nonce that is new each time.
fn digest(more: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let nonce = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("WWW-Authenticate: Digest realm=\"IP Camera\", nonce=\"t{nonce}\", qop=\"auth\"{more}\r\n")
}

fn envelope(body: &str) -> Vec<u8> {
    http("200 OK", SOAP, &format!("<Envelope><Body>{body}</Body></Envelope>"))
}

fn time() -> Vec<u8> {
    envelope(
        "<GetSystemDateAndTimeResponse><SystemDateAndTime><UTCDateTime><Time><Hour>1</Hour><Minute>2</Minute><Second>3\
         </Second></Time><Date><Year>2027</Year><Month>1</Month><Day>15</Day></Date></UTCDateTime></SystemDateAndTime>\
         </GetSystemDateAndTimeResponse>",
    )
}

fn information() -> Vec<u8> {
    envelope("<GetDeviceInformationResponse><Manufacturer>ACME</Manufacturer></GetDeviceInformationResponse>")
}

/// The call of a request.
fn call(asked: &Asked) -> String {
    let body = asked.text.split("<Body>").nth(1).or_else(|| asked.text.split("Body>").nth(1)).unwrap_or_default();
    body.split(['>', '/', ' ']).next().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_taken_login_does_not_open_is_not_made_again() {
    for (name, by_digest, answer) in [
        ("403", true, http("403 Forbidden", "", "")),
        ("403 with a page", true, http("403 Forbidden", "Content-Type: text/html\r\n", "<html>no</html>")),
        ("an empty 200", true, http("200 OK", SOAP, "")),
        ("403 to a token", false, http("403 Forbidden", SOAP, "")),
        ("an empty 200 to a token", false, http("200 OK", SOAP, "")),
    ] {
        let net = FakeNet::subnet();
        pages(&net, &format!("{IP}:80"), move |asked| {
            let says = |call: &str| asked.text.contains(call);
            let has_login = asked.has_login() || says("UsernameToken");
            match asked.method() {
                "POST" if says("GetSystemDateAndTime") => time(),
                "POST" if has_login && says("GetDeviceInformation") => information(),
                "POST" if has_login => answer.clone(),
                "POST" if by_digest => http("401 Unauthorized", &digest(""), ""),
                "POST" => http(
                    "400 Bad Request",
                    SOAP,
                    "<Envelope><Body><Fault><Code><Subcode><Value>ter:NotAuthorized</Value></Subcode></Code></Fault></Body>\
                     </Envelope>",
                ),
                _ => {
                    http("200 OK", "Server: App-webs/\r\nContent-Type: text/html\r\n", "<title>Network Camera</title>")
                }
            }
        });
        scan_with(&net, users(1)).await;
        let mut calls: HashMap<String, usize> = HashMap::new();
        let with_login = |a: &&Asked| a.has_login() || a.text.contains("UsernameToken");
        net.asked_of(IP).iter().filter(with_login).for_each(|asked| *calls.entry(call(asked)).or_default() += 1);
        assert!(calls.len() > 1, "{name}: {calls:?}");
        // Once with the login as it is, and once renewed; for each port it was found at.
        assert!(calls.values().all(|count| *count <= 4), "{name}: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_port_demands_a_login_before_it_gets_one() {
    let net = FakeNet::subnet();
    for port in [80, 8080] {
        pages(&net, &format!("{IP}:{port}"), move |asked| {
            let says = |call: &str| asked.text.contains(call);
            match asked.method() {
                "POST" if says("GetSystemDateAndTime") => time(),
                "POST" if !asked.has_login() => {
                    http("401 Unauthorized", "WWW-Authenticate: Basic realm=\"camera\"\r\n", "")
                }
                "POST" if says("GetServices") || says("GetCapabilities") => envelope(&format!(
                    "<GetServicesResponse><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace>\
                     <XAddr>http://{IP}:8080/onvif/media</XAddr></Service></GetServicesResponse>"
                )),
                "POST" => information(),
                _ => {
                    http("200 OK", "Server: App-webs/\r\nContent-Type: text/html\r\n", "<title>Network Camera</title>")
                }
            }
        });
    }
    scan_with(&net, users(1)).await;
    let asked = net.asked_of(IP);
    let media: Vec<&Asked> = asked.iter().filter(|a| a.target().contains("/onvif/media")).collect();
    assert!(media.iter().any(|asked| asked.has_login()));
    assert!(!media[0].has_login(), "{}", media[0].text);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_too_old_each_time_is_refused_no_more_than_the_limit() {
    for (name, after) in
        [("404", "404 Not Found"), ("403", "403 Forbidden"), ("500", "500 Internal Server Error"), ("200", "200 OK")]
    {
        let net = FakeNet::subnet();
        let (logins_seen, refused) = (AtomicU32::new(0), std::sync::Arc::new(AtomicU32::new(0)));
        let count = refused.clone();
        talking(&net, RTSP_PORT, move |asked| match asked.method() {
            "OPTIONS" => rtsp(asked, "200 OK", PUBLIC, ""),
            _ if !asked.has_login() => rtsp(asked, "401 Unauthorized", &digest(""), ""),
            _ => match logins_seen.fetch_add(1, Ordering::Relaxed) {
                0 => rtsp(asked, "200 OK", "Content-Type: application/sdp\r\n", &Camera::new(IP).sdp()),
                nth if nth % 2 == 1 => {
                    count.fetch_add(1, Ordering::Relaxed);
                    rtsp(asked, "401 Unauthorized", &digest(", stale=true"), "")
                }
                _ => rtsp(asked, after, "", ""),
            },
        });
        let outcome = scan_with(&net, users(1)).await;
        let refused = refused.load(Ordering::Relaxed);
        assert!((1..=2).contains(&refused), "{name}: {refused} refused");
        assert!(counted(outcome.device(IP)) >= refused, "{name}: {:?}", outcome.device(IP).login_attempts);
    }
}

/// A packet of a stream within the connection (RFC 2326 §10.12): a slice that shows nothing.
fn packet(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    vec![b'$', 0, 0, 16, 0x80, 96, high, low, 0, 0, 0, 0, 1, 2, 3, 4, 0x41, 0x9a, 0, 0]
}

/// The answers to signs of life come two signs late, and are refusals.
#[tokio::test(start_paused = true)]
async fn late_refusals_of_signs_of_life_are_no_more_than_the_limit() {
    let net = FakeNet::subnet();
    let (signs, refused) = (Mutex::new(Vec::<(u32, bool)>::new()), std::sync::Arc::new(AtomicU32::new(0)));
    let count = refused.clone();
    talking(&net, RTSP_PORT, move |asked| {
        let number: u32 = asked.header("CSeq").unwrap().parse().unwrap();
        match asked.method() {
            "OPTIONS" => rtsp(asked, "200 OK", PUBLIC, ""),
            "GET_PARAMETER" => {
                let mut signs = signs.lock().unwrap();
                signs.push((number, asked.has_login()));
                let mut sent = packet(signs.len() as u16);
                if let Some((late, has_login)) = signs.len().checked_sub(3).map(|nth| signs[nth]) {
                    count.fetch_add(u32::from(has_login), Ordering::Relaxed);
                    sent.extend(format!("RTSP/1.0 401 Unauthorized\r\nCSeq: {late}\r\n{}\r\n", digest("")).bytes());
                }
                Some(sent)
            }
            _ if !asked.has_login() => rtsp(asked, "401 Unauthorized", &digest(""), ""),
            "DESCRIBE" => {
                // Those of a session that is over are answered no more.
                signs.lock().unwrap().clear();
                rtsp(asked, "200 OK", "Content-Type: application/sdp\r\n", &Camera::new(IP).sdp())
            }
            "SETUP" => {
                let transport = asked.header("Transport").unwrap_or_default();
                rtsp(asked, "200 OK", &format!("Transport: {transport}\r\nSession: 7;timeout=4\r\n"), "")
            }
            "PLAY" => rtsp(asked, "200 OK", "Session: 7\r\n", "").map(|played| [played, packet(0)].concat()),
            _ => rtsp(asked, "200 OK", "Session: 7\r\n", ""),
        }
    });
    let long = Duration::from_secs(40);
    let usual = ProbeOptions { measure_time: long, frame_timeout: long, host_timeout: 10 * long, ..plan().probe };
    let probe = ProbeOptions { credentials: users(1), ..usual };
    let outcome = look_at(&net, ScanPlan { probe, ..plan() }, &[IP.to_owned()]).await;
    let signs = net.asked().iter().filter(|asked| asked.method() == "GET_PARAMETER").count();
    let refused = refused.load(Ordering::Relaxed);
    assert!(signs > 5 && !logins(&net).is_empty(), "{signs}");
    assert!((1..=2).contains(&refused), "{refused} refused of {signs} signs");
    assert!(counted(outcome.device(IP)) >= refused, "{:?}", outcome.device(IP).login_attempts);
}
