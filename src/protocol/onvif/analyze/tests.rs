use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::model::{AuthScheme, ProbeOptions, VideoCodec};
use crate::probe::testing::kinds;
use crate::testkit::net::{Asked, FakeNet, Log, Reply};
use crate::testkit::plan::credentials;
use crate::wire::xml;

const IP: &str = "192.0.2.10";

fn soap(body: &str) -> Vec<u8> {
    http("200 OK", "", &format!("<s:Envelope xmlns:s=\"x\"><s:Body>{body}</s:Body></s:Envelope>"))
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A fault, with the status devices send it by: anything but 401.
fn fault(subcode: &str, reason: &str) -> Vec<u8> {
    let fault = format!(
        "<e:Envelope><e:Body><e:Fault><e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value>ter:{subcode}</e:Value>\
         </e:Subcode></e:Code><e:Reason><e:Text>{reason}</e:Text></e:Reason></e:Fault></e:Body></e:Envelope>"
    );
    http("400 Bad Request", "", &fault)
}

fn time(at: Timestamp) -> Vec<u8> {
    let utc = at.to_zoned(jiff::tz::TimeZone::UTC);
    soap(&format!(
        "<R><SystemDateAndTime><UTCDateTime><Time><Hour>{}</Hour><Minute>{}</Minute><Second>{}</Second></Time><Date>\
         <Year>{}</Year><Month>{}</Month><Day>{}</Day></Date></UTCDateTime></SystemDateAndTime></R>",
        utc.hour(),
        utc.minute(),
        utc.second(),
        utc.year(),
        utc.month(),
        utc.day()
    ))
}

/// The call of a request, its user and the moment of its token.
struct Seen {
    call: String,
    namespace: String,
    user: Option<String>,
    created: Option<Timestamp>,
    token: Option<String>,
}

fn seen(asked: &Asked) -> Seen {
    let document = xml::read(asked.text.split("\r\n\r\n").nth(1).unwrap_or_default().as_bytes());
    let call = document.find("Body").and_then(|b| b.children.first()).cloned().unwrap_or_default();
    Seen {
        namespace: call.attribute("xmlns").unwrap_or_default().to_owned(),
        token: call.find_text("ProfileToken").map(str::to_owned),
        call: call.name,
        user: document.find_text("Username").map(str::to_owned),
        created: document.find_text("Created").map(|t| t.parse().unwrap()),
    }
}

/// What a camera answers to those it lets in.
fn answer(seen: &Seen) -> Vec<u8> {
    let media2 = seen.namespace.contains("ver20");
    match (seen.call.as_str(), media2) {
        ("GetSystemDateAndTime", _) => time(Timestamp::now()),
        ("GetDeviceInformation", _) => soap(
            "<R><Manufacturer>HIKVISION</Manufacturer><Model>DS-2CD2042WD-I</Model>\
             <FirmwareVersion>V5.4.5</FirmwareVersion><SerialNumber>S1</SerialNumber></R>",
        ),
        ("GetServices", _) => soap(
            "<R><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://192.168.1.64/media</XAddr>\
             </Service><Service><Namespace>http://www.onvif.org/ver20/media/wsdl</Namespace>\
             <XAddr>http://192.0.2.10:80/media2</XAddr></Service></R>",
        ),
        ("GetScopes", _) => {
            soap("<R><Scopes><ScopeItem>onvif://www.onvif.org/type/NetworkVideoTransmitter</ScopeItem></Scopes></R>")
        }
        ("GetNetworkInterfaces", _) => {
            soap("<R><NetworkInterfaces><Info><HwAddress>44:19:b6:00:00:01</HwAddress></Info></NetworkInterfaces></R>")
        }
        ("GetHostname", _) => soap("<R><HostnameInformation><Name>gate</Name></HostnameInformation></R>"),
        // Tokens and names only, as Hikvision's.
        ("GetProfiles", true) => soap(
            "<R><Profiles token='p1'><Name>Main</Name></Profiles><Profiles token='p2'><Name>Sub</Name></Profiles>\
             <Profiles token='p3'><Name>Bare</Name></Profiles></R>",
        ),
        ("GetProfiles", false) => {
            let one = |token: &str, width: u32| {
                format!(
                    "<Profiles token='{token}'><VideoSourceConfiguration><SourceToken>v</SourceToken>\
                     </VideoSourceConfiguration><VideoEncoderConfiguration><Encoding>H264</Encoding><Resolution><Width>\
                     {width}</Width><Height>100</Height></Resolution></VideoEncoderConfiguration></Profiles>"
                )
            };
            soap(&format!("<R>{}{}{}</R>", one("p1", 1920), one("p2", 640), one("p4", 320)))
        }
        ("GetStreamUri", media2) => match (seen.token.as_deref().unwrap(), media2) {
            ("p4", true) => fault("Action", "Configuration not complete"),
            ("p2", _) => fault("IncompleteConfiguration", ""),
            (token, _) => soap(&format!("<R><Uri>rtsp://u:pw@10.0.0.5:554/{token}?a&amp;b</Uri></R>")),
        },
        ("GetSnapshotUri", _) => soap("<R><MediaUri><Uri> http://127.0.0.1/snap.jpg? </Uri></MediaUri></R>"),
        _ => fault("ActionNotSupported", "no such call"),
    }
}

fn camera(net: &FakeNet, at: &str, reply: impl Fn(&Asked, &Seen) -> Vec<u8> + Send + Sync + 'static) -> Log {
    net.answer(at, move |asked| Reply::Last(reply(asked, &seen(asked))))
}

/// Runs the analysis against a host of which these services are known.
async fn analyse(net: &FakeNet, known: &[Service], logins: &[(&str, &str)]) -> (Inspection, Vec<FindingKind>) {
    let options = ProbeOptions { credentials: credentials(logins), ..ProbeOptions::default() };
    let (host, mut said) = Inspection::for_test(net.clone(), IP, options);
    known.iter().for_each(|service| host.record.learn(&FindingKind::Service(service.clone())));
    run(&host).await;
    (host, kinds(&mut said))
}

fn web(port: u16) -> Service {
    Service::new(Protocol::Http, Transport::Tcp, port)
}

fn announced(port: u16) -> Service {
    let mut service = Service::new(Protocol::Onvif, Transport::Tcp, port);
    service.url = Some(format!("http://192.168.1.64:{port}/onvif/device_service"));
    service
}

fn hints(said: &[FindingKind]) -> Vec<&StreamHint> {
    said.iter().filter_map(|k| if let FindingKind::StreamHint(h) = k { Some(h) } else { None }).collect()
}

fn service(said: &[FindingKind]) -> Option<&Service> {
    said.iter().filter_map(|k| if let FindingKind::Service(s) = k { Some(s) } else { None }).next_back()
}

fn fact(said: &[FindingKind], fact: Fact) -> Option<&str> {
    said.iter().find_map(|k| match k {
        FindingKind::Evidence(e) if e.fact == fact && e.source == EvidenceSource::Onvif => Some(e.value.as_str()),
        _ => None,
    })
}

fn errors(said: &[FindingKind]) -> Vec<ErrorKind> {
    said.iter().filter_map(|k| if let FindingKind::Error(e) = k { Some(e.kind) } else { None }).collect()
}

#[tokio::test(start_paused = true)]
async fn an_open_camera_tells_everything() {
    let net = FakeNet::new();
    let log = camera(&net, "192.0.2.10:80", |_, seen| answer(seen));
    let (_, said) = analyse(&net, &[web(80)], &[("admin", "pw")]).await;
    let found = service(&said).unwrap();
    assert_eq!((found.protocol, found.auth.clone()), (Protocol::Onvif, Some(vec![])));
    assert_eq!(found.url.as_deref(), Some("http://192.0.2.10:80/onvif/device_service"));
    assert!(found.notes[0].contains("192.168.1.64, 10.0.0.5, 127.0.0.1"), "{:?}", found.notes);
    assert_eq!(fact(&said, Fact::Vendor), Some("Hikvision"));
    assert_eq!(fact(&said, Fact::Model), Some("DS-2CD2042WD-I"));
    assert_eq!(fact(&said, Fact::Firmware), Some("V5.4.5"));
    assert_eq!(fact(&said, Fact::Hostname), Some("gate"));
    assert_eq!(fact(&said, Fact::Kind), Some("camera"));
    assert!(said.contains(&FindingKind::StatedMac("44:19:b6:00:00:01".parse().unwrap())));
    // p1 from both versions, p2 without stream, p3 without encoder, p4 of the older version only.
    let hints = hints(&said);
    let urls: Vec<&str> = hints.iter().map(|h| h.url.as_str()).collect();
    assert_eq!(urls, ["rtsp://192.0.2.10:554/p1?a&b", "rtsp://192.0.2.10:554/p4?a&b"]);
    let main = hints[0];
    assert_eq!((main.profile_name.as_deref(), main.profile_token.as_deref()), (Some("Main"), Some("p1")));
    assert_eq!(main.channel, Some(1));
    assert_eq!(main.snapshot_url.as_deref(), Some("http://192.0.2.10/snap.jpg?"));
    let video = main.video.as_ref().unwrap();
    assert_eq!((video.codec, video.width), (Some(VideoCodec::H264), Some(1920)));
    assert!(log.all().iter().all(|a| seen(a).user.is_none()));
    assert!(log.all()[0].header("Content-Type").unwrap().contains("action=\"http://www.onvif.org/ver10/device/wsdl/"));
    assert_eq!(errors(&said), []);
}

#[tokio::test(start_paused = true)]
async fn one_that_answers_nothing_of_itself_does_not_say_that_it_needs_no_login() {
    for status in ["423 Locked", "503 Service Unavailable"] {
        let net = FakeNet::new();
        camera(&net, "192.0.2.10:80", move |_, seen| match seen.call.as_str() {
            "GetSystemDateAndTime" | "GetServices" => answer(seen),
            _ => http(status, "", ""),
        });
        let (_, said) = analyse(&net, &[web(80)], &[("admin", "pw")]).await;
        assert_eq!(service(&said).unwrap().auth, None, "{status}");
    }
}

/// How far the device's clock is ahead is measured, and a token is dated, by the clock of the inspection: where the device
/// tells its time, to the second by that; where it does not, by ours.
#[tokio::test(start_paused = true)]
async fn tokens_are_dated_by_the_clock_of_the_inspection() {
    const OURS: &str = "2001-02-03T04:05:06Z";
    const THEIRS: &str = "2040-07-08T09:10:11Z";
    for (told, dated) in [(Some(THEIRS), THEIRS), (None, OURS)] {
        let net = FakeNet::new();
        let log = camera(&net, "192.0.2.10:80", move |_, seen| match (seen.call.as_str(), told) {
            ("GetSystemDateAndTime", Some(told)) => time(told.parse().unwrap()),
            ("GetSystemDateAndTime", None) => fault("ActionNotSupported", "no such call"),
            _ if seen.created.is_none() => fault("NotAuthorized", "Sender not authorized"),
            _ => answer(seen),
        });
        let options = ProbeOptions { credentials: credentials(&[("admin", "pw")]), ..ProbeOptions::default() };
        let (mut host, mut said) = Inspection::for_test(net, IP, options);
        host.peer.clock = || OURS.parse().unwrap();
        host.record.learn(&FindingKind::Service(announced(80)));
        run(&host).await;
        assert_eq!(fact(&kinds(&mut said), Fact::Model), Some("DS-2CD2042WD-I"), "{told:?}");
        let dates: Vec<Timestamp> = log.all().iter().filter_map(|asked| seen(asked).created).collect();
        assert!(!dates.is_empty());
        assert!(dates.iter().all(|date| *date == dated.parse().unwrap()), "{told:?}: {dates:?}");
    }
}

/// Lets in by token, made within five seconds of a clock six hours behind.
#[tokio::test(start_paused = true)]
async fn tokens_are_made_by_the_devices_clock() {
    let net = FakeNet::new();
    let behind = SignedDuration::from_hours(6);
    let log = camera(&net, "192.0.2.10:8899", move |_, seen| match (seen.call.as_str(), seen.created) {
        ("GetSystemDateAndTime", None) => time(Timestamp::now() - behind),
        ("GetSystemDateAndTime", _) => fault("NotAuthorized", "not with a token"),
        (_, None) => fault("NotAuthorized", "Sender not authorized"),
        (_, Some(created)) if (Timestamp::now() - behind).duration_since(created).abs().as_secs() < 5 => answer(seen),
        _ => fault("NotAuthorized", "Wsse authorized time check failed."),
    });
    let (host, said) = analyse(&net, &[announced(8899)], &[("admin", "pw")]).await;
    assert_eq!(host.peer.logins.attempts().unwrap().refused, 0);
    assert_eq!(service(&said).unwrap().auth, Some(vec![AuthScheme::Wsse]));
    assert_eq!(fact(&said, Fact::Model), Some("DS-2CD2042WD-I"));
    // One refusal showed that a login is demanded; everything after it was signed.
    let unsigned = log.all().iter().filter(|a| seen(a).user.is_none()).count();
    assert_eq!(unsigned, 2);
}

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";

#[tokio::test(start_paused = true)]
async fn http_digest_is_answered_even_where_the_clock_demands_it() {
    for token_gets_empty in [false, true] {
        let net = FakeNet::new();
        let log = camera(&net, "192.0.2.10:80", move |asked, seen| {
            match asked.header("Authorization").is_some_and(|a| a.starts_with("Digest ")) {
                true => answer(seen),
                false if token_gets_empty && seen.user.is_some() => http("200 OK", "", ""),
                false => http("401 Unauthorized", CHALLENGE, ""),
            }
        });
        let (host, said) = analyse(&net, &[announced(80)], &[("admin", "pw")]).await;
        assert_eq!(service(&said).unwrap().auth, Some(vec![AuthScheme::Digest]));
        assert_eq!(fact(&said, Fact::Serial), Some("S1"));
        assert_eq!(host.peer.logins.attempts().unwrap().refused, 0);
        // The nonce is kept: one challenge for the time, one for the first call.
        let bare = log.all().iter().filter(|a| a.header("Authorization").is_none()).count();
        assert_eq!(bare, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_answered_with_a_challenge_falls_back_once() {
    let net = FakeNet::new();
    camera(&net, "192.0.2.10:80", move |asked, seen| match (seen.call.as_str(), asked.header("Authorization")) {
        ("GetSystemDateAndTime", _) | (_, Some(_)) => answer(seen),
        _ if seen.user.is_some() => http("401 Unauthorized", CHALLENGE, ""),
        _ => fault("NotAuthorized", ""),
    });
    let (_, said) = analyse(&net, &[announced(80)], &[("admin", "pw")]).await;
    assert_eq!(fact(&said, Fact::Serial), Some("S1"));
    assert_eq!(service(&said).unwrap().auth, Some(vec![AuthScheme::Wsse, AuthScheme::Digest]));
}

#[tokio::test(start_paused = true)]
async fn wrong_logins_stop_at_the_limit_and_at_a_lock() {
    for (reason, subcode, tries, kind) in [
        ("Invalid username or password! You still have 22 attempt(s).", "NotAuthorized", 2, ErrorKind::LoginRests),
        ("Account Is Locked", "OperationProhibited", 1, ErrorKind::Locked),
    ] {
        let net = FakeNet::new();
        let log = camera(&net, "192.0.2.10:80", move |_, seen| match (seen.call.as_str(), &seen.user) {
            ("GetSystemDateAndTime", None) => answer(seen),
            (_, None) => fault("NotAuthorized", ""),
            _ => fault(subcode, reason),
        });
        let logins = [("a", "1"), ("b", "2"), ("c", "3")];
        let (_, said) = analyse(&net, &[announced(80)], &logins).await;
        assert_eq!(log.all().iter().filter(|a| seen(a).user.is_some()).count(), tries);
        assert_eq!(errors(&said), [kind]);
        assert!(hints(&said).is_empty());
        assert_eq!(service(&said).unwrap().auth, Some(vec![AuthScheme::Wsse]));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_login_what_is_open_is_read_and_the_demand_is_said() {
    let net = FakeNet::new();
    camera(&net, "192.0.2.10:80", |_, seen| match seen.call.as_str() {
        "GetSystemDateAndTime" | "GetServices" | "GetHostname" => answer(seen),
        _ => fault("NotAuthorized", "Sender not Authorized"),
    });
    let (host, said) = analyse(&net, &[web(80)], &[]).await;
    assert_eq!(fact(&said, Fact::Hostname), Some("gate"));
    assert_eq!(errors(&said), [ErrorKind::AuthRequired]);
    assert_eq!(host.peer.logins.attempts(), None);
}

#[tokio::test(start_paused = true)]
async fn a_web_server_is_asked_once_and_not_logged_in_to() {
    for reply in [
        http("200 OK", "Content-Type: text/html\r\n", "<html><body>hello</body></html>"),
        http("404 Not Found", "", ""),
        http("401 Unauthorized", CHALLENGE, ""),
    ] {
        let net = FakeNet::new();
        let log = camera(&net, "192.0.2.10:8080", move |_, _| reply.clone());
        let (host, said) = analyse(&net, &[web(8080)], &[("admin", "pw")]).await;
        assert_eq!((log.all().len(), said.len()), (1, 0));
        assert_eq!(host.peer.logins.attempts(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn other_dialects_are_tried() {
    for dialect in ["action=", "soap/envelope/"] {
        let net = FakeNet::new();
        camera(&net, "192.0.2.10:80", move |asked, seen| match dialect {
            // Does not bear the action.
            "action=" if asked.text.contains("action=") => http("500 Internal Server Error", "", ""),
            // Knows SOAP 1.1 only.
            "soap/envelope/" if !asked.text.contains("schemas.xmlsoap.org") => http("400 Bad Request", "", "what?"),
            _ => answer(seen),
        });
        let (_, said) = analyse(&net, &[web(80)], &[]).await;
        assert_eq!(fact(&said, Fact::Serial), Some("S1"), "{dialect}");
    }
}

/// Behind NAT, or by a mistake of its firmware, a device names a port that is not there.
#[tokio::test(start_paused = true)]
async fn a_media_port_that_is_not_there_is_replaced() {
    let net = FakeNet::new();
    camera(&net, "192.0.2.10:8080", |_, seen| match seen.call.as_str() {
        "GetSnapshotUri" => fault("ActionNotSupported", ""),
        _ => answer(seen),
    });
    let (_, said) = analyse(&net, &[web(8080)], &[]).await;
    assert_eq!(hints(&said).len(), 2);
    assert_eq!(hints(&said)[0].snapshot_url, None);
}

/// A device of which each version of the media service knows a profile of its own.
#[tokio::test(start_paused = true)]
async fn profiles_known_to_one_version_only_are_asked_there() {
    let net = FakeNet::new();
    let profile = |token: &str, two: bool| {
        let encoder = "<Encoding>H264</Encoding>";
        let encoder = match two {
            true => format!("<Configurations><VideoEncoder>{encoder}</VideoEncoder></Configurations>"),
            false => format!("<VideoEncoderConfiguration>{encoder}</VideoEncoderConfiguration>"),
        };
        format!("<Profiles token='{token}'>{encoder}</Profiles>")
    };
    let log = camera(&net, "192.0.2.10:80", move |_, seen| {
        let two = seen.namespace.contains("ver20");
        match (seen.call.as_str(), seen.token.as_deref()) {
            ("GetProfiles", _) if two => soap(&format!("<R>{}{}</R>", profile("both", true), profile("new", true))),
            ("GetProfiles", _) => soap(&format!("<R>{}{}</R>", profile("both", false), profile("old", false))),
            ("GetStreamUri", Some("new")) if !two => fault("NoProfile", ""),
            ("GetStreamUri", Some("old")) if two => fault("NoProfile", ""),
            ("GetStreamUri", Some(token)) => soap(&format!("<R><Uri>rtsp://192.0.2.10/{token}</Uri></R>")),
            ("GetSnapshotUri", _) => fault("ActionNotSupported", ""),
            _ => answer(seen),
        }
    });
    let (_, said) = analyse(&net, &[announced(80)], &[]).await;
    let urls: Vec<&str> = hints(&said).iter().map(|h| h.url.as_str()).collect();
    assert_eq!(urls, ["rtsp://192.0.2.10/both", "rtsp://192.0.2.10/new", "rtsp://192.0.2.10/old"]);
    let asked = |call: &str| log.all().iter().filter(|a| seen(a).call == call).count();
    assert_eq!(asked("GetStreamUri"), 3, "each where it is listed, and nowhere else");
    // Two profiles have no picture of their own; the third is not asked.
    assert_eq!(asked("GetSnapshotUri"), 3);
}

/// Devices that know one name of a transport only; what they have inside HTTP is asked outside of it.
#[tokio::test(start_paused = true)]
async fn other_transports_are_asked_for_until_one_is_known() {
    for (known, uri, url) in [
        ("<Protocol>RtspUnicast</Protocol>", "rtsp://192.0.2.10:554/{}", "rtsp://192.0.2.10:554/"),
        ("<Protocol>RtspOverHttp</Protocol>", "http://192.0.2.10:80/{}", "rtsp://192.0.2.10/"),
    ] {
        let net = FakeNet::new();
        let log = camera(&net, "192.0.2.10:80", move |asked, seen| match (seen.call.as_str(), &seen.token) {
            ("GetServices", _) => soap(
                "<R><Service><Namespace>http://www.onvif.org/ver20/media/wsdl</Namespace><XAddr>/media2</XAddr></Service></R>",
            ),
            ("GetCapabilities", _) => fault("ActionNotSupported", ""),
            ("GetStreamUri", Some(token)) if asked.text.contains(known) => {
                soap(&format!("<R><Uri>{}</Uri></R>", uri.replace("{}", token)))
            }
            ("GetStreamUri", _) => fault("InvalidArgVal", "unknown protocol"),
            _ => answer(seen),
        });
        let (_, said) = analyse(&net, &[announced(80)], &[]).await;
        let urls: Vec<String> = hints(&said).iter().map(|h| h.url.clone()).collect();
        assert_eq!(urls, ["p1", "p2", "p3"].map(|token| format!("{url}{token}")));
        // The second and third profile are asked for by what the first was given for.
        let asked = log.all().iter().filter(|a| seen(a).call == "GetStreamUri").count();
        assert_eq!(asked, if known.contains("Unicast") { 4 } else { 5 });
    }
}

/// Tells its local time, two hours ahead, for UTC, and goes by the right time all the same.
#[tokio::test(start_paused = true)]
async fn a_clock_that_tells_local_time_for_utc_is_seen_through() {
    let net = FakeNet::new();
    camera(&net, "192.0.2.10:80", |_, seen| match (seen.call.as_str(), seen.created) {
        ("GetSystemDateAndTime", _) => time(Timestamp::now() + SignedDuration::from_hours(2)),
        (_, None) => fault("NotAuthorized", "Sender not authorized"),
        (_, Some(created)) if Timestamp::now().duration_since(created).abs().as_secs() < 300 => answer(seen),
        _ => fault("NotAuthorized", "Wsse authorized time check failed."),
    });
    let (host, said) = analyse(&net, &[announced(80)], &[("admin", "pw")]).await;
    assert_eq!(fact(&said, Fact::Model), Some("DS-2CD2042WD-I"));
    assert_eq!(host.peer.logins.attempts().unwrap().refused, 1, "the device may have counted it");
}

/// Does not tell the time at all, or not without a login: then the date of its answers is its clock.
#[tokio::test(start_paused = true)]
async fn without_its_word_the_date_of_its_answers_is_the_clock() {
    let behind = SignedDuration::from_hours(6);
    let date = move || {
        let there = (Timestamp::now() - behind).to_zoned(jiff::tz::TimeZone::UTC);
        format!("Date: {}\r\n", jiff::fmt::rfc2822::to_string(&there).unwrap())
    };
    for (subcode, reason) in [("ActionNotSupported", "no such call"), ("NotAuthorized", "Sender not authorized")] {
        let net = FakeNet::new();
        camera(&net, "192.0.2.10:80", move |_, seen| {
            let answered = match (seen.call.as_str(), seen.created) {
                ("GetSystemDateAndTime", _) => fault(subcode, reason),
                (_, None) => fault("NotAuthorized", "Sender not authorized"),
                (_, Some(at)) if (Timestamp::now() - behind).duration_since(at).abs().as_secs() < 5 => answer(seen),
                _ => fault("NotAuthorized", "Sender not authorized"),
            };
            let dated = String::from_utf8(answered).unwrap().replacen(
                "Content-Length",
                &format!("{}Content-Length", date()),
                1,
            );
            dated.into_bytes()
        });
        let (host, said) = analyse(&net, &[announced(80)], &[("admin", "pw")]).await;
        assert_eq!(fact(&said, Fact::Model), Some("DS-2CD2042WD-I"), "{subcode}");
        assert_eq!(host.peer.logins.attempts().unwrap().refused, 0, "{subcode}");
    }
}

/// What `probe` shows of the service: one answer of each address and status, and none of what a scan sees.
#[tokio::test(start_paused = true)]
async fn answers_are_kept_where_a_device_is_looked_at_in_depth() {
    let net = FakeNet::new();
    camera(&net, "192.0.2.10:80", |_, seen| answer(seen));
    for in_depth in [true, false] {
        let options = ProbeOptions { in_depth, ..ProbeOptions::default() };
        let (host, mut said) = Inspection::for_test(net.clone(), IP, options);
        host.record.learn(&FindingKind::Service(web(80)));
        run(&host).await;
        let mut kept = Vec::new();
        while let Ok(finding) = said.try_recv() {
            if let FindingKind::Service(service) = finding.kind {
                kept = service.answers;
            }
        }
        let device = kept.iter().filter(|a| a.request.starts_with("POST ") && a.status == "HTTP/1.1 200").count();
        assert_eq!(device > 0, in_depth);
        assert!(kept.len() < 6, "{kept:?}");
    }
}
