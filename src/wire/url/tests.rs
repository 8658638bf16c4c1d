use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10));

fn read(text: &str) -> AnnouncedUrl {
    AnnouncedUrl::read_lenient(text, Scheme::Http).unwrap_or_else(|| panic!("{text}"))
}

fn rtsp(text: &str) -> HostUrl {
    read(text).url
}

#[test]
fn port_and_path_are_kept_and_the_host_is_the_one_that_answered() {
    for (announced, at_host, host, fault) in [
        ("rtsp://192.0.2.10:554/a?b=c&d", "rtsp://192.0.2.10:554/a?b=c&d", "192.0.2.10", None),
        ("rtsp://192.0.2.10:554", "rtsp://192.0.2.10:554", "192.0.2.10", None),
        ("rtsp://192.0.2.10?b", "rtsp://192.0.2.10?b", "192.0.2.10", None),
        ("rtspu://192.0.2.10/a", "rtsp://192.0.2.10/a", "192.0.2.10", None),
        ("rtspt://192.0.2.10/a#b", "rtsp://192.0.2.10/a#b", "192.0.2.10", None),
        ("rtmps://192.0.2.10/live/x", "rtmps://192.0.2.10/live/x", "192.0.2.10", None),
        // Case, blanks and line breaks of pretty printing.
        ("  RTSP://192.0.2.10/a\n ", "rtsp://192.0.2.10/a", "192.0.2.10", None),
        ("http://192.0.2.10/\n   snap.cgi", "http://192.0.2.10/snap.cgi", "192.0.2.10", None),
        ("http://192.0.2.10 /snap 1.cgi", "http://192.0.2.10/snap%201.cgi", "192.0.2.10", None),
        ("\"rtsp://192.0.2.10/a\"", "rtsp://192.0.2.10/a", "192.0.2.10", None),
        ("<rtsp://192.0.2.10/a>", "rtsp://192.0.2.10/a", "192.0.2.10", None),
        // Other hosts, those that mean none in particular, and none.
        ("rtsp://0.0.0.0:8554/live", "rtsp://192.0.2.10:8554/live", "0.0.0.0", None),
        ("http://10.0.0.1/onvif/device_service", "http://192.0.2.10/onvif/device_service", "10.0.0.1", None),
        ("http://192.168.001.064:81/x", "http://192.0.2.10:81/x", "192.168.1.64", None),
        ("http://:8899/a", "http://192.0.2.10:8899/a", "", None),
        ("http:///a", "http://192.0.2.10/a", "", None),
        ("http://0.0.0.0:/a", "http://192.0.2.10/a", "0.0.0.0", None),
        ("/onvif/media", "http://192.0.2.10/onvif/media", "", None),
        ("192.0.2.10:8554/a/", "http://192.0.2.10:8554/a/", "192.0.2.10", None),
        // The scheme twice.
        ("rtsp://rtsp://192.0.2.10/s", "rtsp://192.0.2.10/s", "192.0.2.10", None),
        ("http://RTSP://rtsp://192.0.2.10/s", "rtsp://192.0.2.10/s", "192.0.2.10", None),
        ("http://192.0.2.10/?to=rtsp://h/", "http://192.0.2.10/?to=rtsp://h/", "192.0.2.10", None),
        // Logins.
        ("rtsp://admin:p@ss@192.0.2.10/s", "rtsp://192.0.2.10/s", "192.0.2.10", None),
        ("http://user:pa/ss@h/a", "http://192.0.2.10/a", "h", None),
        (" http://user:pw@h:81/a\u{1b}[31m ", "http://192.0.2.10:81/a", "h", None),
        ("rtsp://[2001:db8::1]/a@b", "rtsp://192.0.2.10/a@b", "2001:db8::1", None),
        // HTTP has no empty path and no fragment.
        ("http://h?x=1", "http://192.0.2.10/?x=1", "h", None),
        ("http://[fe80::1]:8000", "http://192.0.2.10:8000/", "fe80::1", None),
        ("http://192.0.2.10/snap?", "http://192.0.2.10/snap?", "192.0.2.10", None),
        ("http://h/d?token=abc", "http://192.0.2.10/d?token=abc", "h", None),
        // IPv6 with brackets, without, with a zone.
        ("rtsp://[fe80::1]:554/s", "rtsp://192.0.2.10:554/s", "fe80::1", None),
        ("HTTPS://[fe80::1%eth0]/x?y=1#z", "https://192.0.2.10/x?y=1", "fe80::1", None),
        ("http://[fe80::1%25eth0]:81/", "http://192.0.2.10:81/", "fe80::1", None),
        ("rtsp://[::ffff:192.0.2.10]/y", "rtsp://192.0.2.10/y", "::ffff:192.0.2.10", None),
        ("rtsp://fe80::1/s", "rtsp://192.0.2.10/s", "fe80::1", Some(Fault::Brackets)),
        ("rtsp://::ffff:192.0.2.10/s", "rtsp://192.0.2.10/s", "::ffff:192.0.2.10", Some(Fault::Brackets)),
        ("rtsp://::ffff:192.0.2.10:554/s", "rtsp://192.0.2.10:554/s", "::ffff:192.0.2.10", Some(Fault::Brackets)),
        // Hosts and ports that are none.
        ("http://cam.local:0/x", "http://192.0.2.10/x", "cam.local", Some(Fault::Port)),
        ("rtsp://192.0.2.10:99999/y", "rtsp://192.0.2.10/y", "192.0.2.10", Some(Fault::Port)),
        ("rtsp://192.0.2.10:+554/y", "rtsp://192.0.2.10/y", "192.0.2.10", Some(Fault::Port)),
        ("rtsp://*****/video=1", "rtsp://192.0.2.10/video=1", "*****", Some(Fault::Host)),
        ("http://[::1", "http://192.0.2.10/", "::1", Some(Fault::Host)),
        ("http://[", "http://192.0.2.10/", "", Some(Fault::Host)),
        ("http://[::1]x/", "http://192.0.2.10/", "::1", Some(Fault::Host)),
        ("http://a b:c/d", "http://192.0.2.10/d", "ab", Some(Fault::Port)),
    ] {
        let found = read(announced);
        assert_eq!(found.url.at(HOST), at_host, "{announced}");
        assert_eq!((found.host_shown().as_str(), found.fault), (host, fault), "{announced}");
    }
    for none in [
        "",
        "rtsp:",
        "ftp://192.0.2.10/",
        "javascript://x",
        "javascript:alert(1)",
        "live/main",
        "http//h",
        "cam.lan:554/a",
        "file:///etc/passwd",
        "*",
        "://192.0.2.10/",
    ] {
        assert_eq!(AnnouncedUrl::read_lenient(none, Scheme::Http), None, "{none}");
    }
    let long = format!("http://192.0.2.10/{}", "x".repeat(MAX_TARGET));
    assert_eq!(AnnouncedUrl::read_lenient(&long, Scheme::Http), None);
}

#[test]
fn a_host_is_recognised_by_address_and_name() {
    let on = |text: &str| read(text).is_on(HOST, "cam.example.org");
    for same in ["http://192.0.2.10/", "http://[::ffff:192.0.2.10]/", "http://CAM.example.org/", "http:///", "/x"] {
        assert!(on(same), "{same}");
    }
    for other in ["http://192.0.2.11/", "http://cam/", "http://[::1]/", "http://127.0.0.1/"] {
        assert!(!on(other), "{other}");
    }
    for itself in ["http://127.0.0.1/", "http://[::]/", "http://169.254.3.4/", "http://localhost/", "http://[::1]/"] {
        assert!(read(itself).is_on_itself(), "{itself}");
    }
    for other in ["http://192.0.2.10/", "http://[fe80::1]/", "http://cam/", "/x"] {
        assert!(!read(other).is_on_itself(), "{other}");
    }
    assert!(read("http://[fe80::1%eth0]/").is_on("fe80::1".parse().unwrap(), "x"));
}

#[test]
fn ports_that_are_not_written_are_the_schemes() {
    for (text, port, tls) in [
        ("rtsp://h/", 554, false),
        ("rtsps://h/", 322, true),
        ("rtmp://h/", 1935, false),
        ("rtmps://h/", 443, true),
        ("http://h/", 80, false),
        ("https://h:8443/", 8443, true),
        ("ws://h/", 80, false),
        ("wss://h/", 443, true),
    ] {
        assert_eq!(rtsp(text).endpoint(), Endpoint { port, tls }, "{text}");
    }
    for scheme in [Scheme::Rtsp, Scheme::Rtsps, Scheme::Rtmp, Scheme::Rtmps, Scheme::Http, Scheme::Https] {
        assert_eq!(Scheme::of(scheme.protocol()), Some(scheme));
        assert_eq!(scheme.as_str().parse(), Ok(scheme));
    }
    assert_eq!(rtsp("https://h/a").outside_tunnel().at("h"), "rtsps://h/a");
    assert_eq!(rtsp("http://h:80/a").outside_tunnel().at("h"), "rtsp://h/a");
    assert_eq!(rtsp("rtsp://h:8554/a").outside_tunnel().at("h"), "rtsp://h:8554/a");
    assert_eq!(rtsp("https://h/a").with_port().at("2001:db8::1"), "https://[2001:db8::1]:443/a");
}

#[test]
fn passwords_in_paths_go_on_the_wire_and_nowhere_else() {
    let xiongmai = rtsp("rtsp://a:b@192.0.2.10/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp?real_stream");
    assert!(xiongmai.at(HOST).contains("tlJwpbo6") && !xiongmai.at(HOST).contains("a:b"));
    assert!(!format!("{xiongmai:?}{}", xiongmai.shown(HOST)).contains("tlJwpbo6"));
    assert_eq!(rtsp("http://h/d?token=abc").with_port().shown(HOST), "http://192.0.2.10:80/d?token=***");
}

#[test]
fn a_login_that_is_shown_can_be_taken_out_again() {
    let url = "rtsp://192.0.2.1:554/a?b=1";
    let shown = with_login(url, "admin", "p@ss:w/rd");
    assert_eq!(shown, "rtsp://admin:p%40ss%3Aw%2Frd@192.0.2.1:554/a?b=1");
    assert_eq!(text::strip_userinfo(&shown), url);
}

#[test]
fn controls_are_joined_as_players_do() {
    let asked = rtsp("rtsp://192.0.2.10:8554/a?b=c");
    for (control, joined, by_rfc3986) in [
        (Some("trackID=1"), "rtsp://192.0.2.10:8554/a?b=c/trackID=1", Some("rtsp://192.0.2.10:8554/trackID=1")),
        (Some("/x/track1"), "rtsp://192.0.2.10:8554/a?b=c//x/track1", Some("rtsp://192.0.2.10:8554/x/track1")),
        (Some("?t=1"), "rtsp://192.0.2.10:8554/a?b=c/?t=1", Some("rtsp://192.0.2.10:8554/a?t=1")),
        (Some("*"), "rtsp://192.0.2.10:8554/a?b=c", None),
        (Some(" "), "rtsp://192.0.2.10:8554/a?b=c", None),
        (None, "rtsp://192.0.2.10:8554/a?b=c", None),
        (Some("rtsp://*****/video=1"), "rtsp://192.0.2.10:8554/video=1", None),
        (Some("rtsp:///video=1"), "rtsp://192.0.2.10:8554/video=1", None),
        (Some("rtsp://::ffff:192.0.2.10/video=1"), "rtsp://192.0.2.10:8554/video=1", None),
        (Some("rtsp://198.51.100.9:99999/v"), "rtsp://192.0.2.10:8554/v", None),
        (Some("http://198.51.100.9/v"), "rtsp://192.0.2.10:8554/v", None),
        (Some("rtsp://198.51.100.9:5/v?x"), "rtsp://192.0.2.10:5/v?x", None),
        (Some("rtsp://rtsp://198.51.100.9/v"), "rtsp://192.0.2.10/v", None),
        (Some("a b\r\nX: y"), "rtsp://192.0.2.10:8554/a?b=c/a%20bX:%20y", Some("rtsp://192.0.2.10:8554/a%20bX:%20y")),
    ] {
        assert_eq!(asked.join_control(control).at(HOST), joined, "{control:?}");
        assert_eq!(asked.join_control_rfc3986(control).map(|u| u.at(HOST)).as_deref(), by_rfc3986, "{control:?}");
    }
    let folder = rtsp("rtsp://192.0.2.10/a/");
    assert_eq!(folder.join_control(Some("t")).at(HOST), "rtsp://192.0.2.10/a/t");
    assert_eq!(folder.join_control_rfc3986(Some("t")), None);
}

#[test]
fn references_are_joined_by_rfc_3986() {
    let page = AnnouncedUrl::unnamed(Endpoint::plain(8080).http("/doc/index.asp?x=1"));
    for (reference, joined, host) in [
        ("/login.asp", "http://192.0.2.10:8080/login.asp", ""),
        ("login.asp?a=b#top", "http://192.0.2.10:8080/doc/login.asp?a=b", ""),
        ("./a/../b.htm", "http://192.0.2.10:8080/doc/b.htm", ""),
        ("../../../c", "http://192.0.2.10:8080/c", ""),
        ("..", "http://192.0.2.10:8080/", ""),
        ("a/.", "http://192.0.2.10:8080/doc/a/", ""),
        ("?y", "http://192.0.2.10:8080/doc/index.asp?y", ""),
        ("#top", "http://192.0.2.10:8080/doc/index.asp?x=1", ""),
        ("", "http://192.0.2.10:8080/doc/index.asp?x=1", ""),
        ("\\web\\a.htm?b=\\", "http://192.0.2.10:8080/web/a.htm?b=\\", ""),
        ("https://192.0.2.7/", "https://192.0.2.10/", "192.0.2.7"),
        ("https://cam.example.org:8443/x", "https://192.0.2.10:8443/x", "cam.example.org"),
        ("//192.0.2.7:81/x?", "http://192.0.2.10:81/x?", "192.0.2.7"),
        ("http://admin:pw@10.0.0.50:88/", "http://192.0.2.10:88/", "10.0.0.50"),
        ("http://:80/a", "http://192.0.2.10:80/a", ""),
        ("http:///a", "http://192.0.2.10/a", ""),
        ("snap.cgi?to=http://h/", "http://192.0.2.10:8080/doc/snap.cgi?to=http://h/", ""),
    ] {
        let found = page.join_rfc3986(reference).unwrap_or_else(|| panic!("{reference}"));
        assert_eq!((found.url.at(HOST).as_str(), found.host_shown().as_str()), (joined, host), "{reference}");
    }
    for off in ["javascript:alert(1)", "ftp://192.0.2.7/", "mailto:a@b"] {
        assert_eq!(page.join_rfc3986(off), None, "{off}");
    }
    // What is relative to another host's address is there, too.
    let elsewhere = page.join_rfc3986("http://cdn.example/live/").and_then(|cdn| cdn.join_rfc3986("1.m4s")).unwrap();
    assert_eq!(
        (elsewhere.url.at(HOST).as_str(), elsewhere.host_shown().as_str()),
        ("http://192.0.2.10/live/1.m4s", "cdn.example")
    );
}

/// What the captures say of a control whose base is the address asked, or an absolute one.
#[test]
fn recorded_controls_lead_where_expected() {
    let all: Value = serde_json::from_str(include_str!("../../../tests/data/expected.json")).unwrap();
    let mut checked = 0;
    for (path, want) in all["files"].as_object().unwrap() {
        let answer = || std::fs::read(format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let Some(asked) = want["request_url"].as_str().map(rtsp) else { continue };
        let Some(wanted) = want["control_url"].as_str().filter(|_| want["control_url_rfc3986"].is_null()) else {
            continue;
        };
        let text = String::from_utf8_lossy(&answer()).replace('\r', "\n");
        let base = text.lines().find_map(|l| l.strip_prefix("Content-Base:").or(l.strip_prefix("Content-Location:")));
        let base = base.and_then(|b| AnnouncedUrl::read_lenient(b, Scheme::Rtsp)).map_or(asked, |b| b.url);
        let of_media = text.lines().skip_while(|l| !l.starts_with("m="));
        let control = of_media.filter_map(|l| l.strip_prefix("a=control:")).next().map(|c| c.trim_end_matches('\0'));
        assert_eq!(base.join_control(control).at(HOST), wanted, "{path}");
        checked += 1;
    }
    assert!(checked >= 5, "{checked}");
}

fn odd_url() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "rtsp",
        "http",
        "https",
        "RTSPS",
        "rtmp",
        "://",
        "//",
        ":",
        "/",
        "?",
        "#",
        "@",
        "[",
        "]",
        "%",
        "%eth0",
        "::1",
        "fe80::1",
        "192.0.2.10",
        "010.1.1.1",
        "cam.lan",
        "0",
        "554",
        "99999",
        " ",
        "\r\n",
        "\u{1b}[31m",
        "\"",
        "<",
        ">",
        "..",
        ".",
        "\\",
        "a=b&password=x",
        "ä",
        "\u{2028}",
        "\u{85}",
        "\0",
        "user:p@ss@",
        "*",
    ]);
    prop_oneof![3 => prop::collection::vec(parts, 0..12).prop_map(|p| p.concat()), 1 => any::<String>()]
}

proptest! {
    #[test]
    fn what_is_read_is_sendable_and_read_back(text in odd_url(), ip in any::<IpAddr>()) {
        if let Some(found) = AnnouncedUrl::read_lenient(&text, Scheme::Rtsp) {
            let at_host = found.url.at(ip);
            prop_assert!(!at_host.contains(|c: char| c.is_control() || c.is_whitespace()), "{at_host:?}");
            let again = AnnouncedUrl::read_lenient(&at_host, Scheme::Http);
            prop_assert_eq!(again, Some(AnnouncedUrl { host: Host::Address(ip), url: found.url, fault: None }), "{}", at_host);
        }
    }

    #[test]
    fn what_is_made_is_read_back(target in "(/[!-~]{0,30})?", port in 1u16.., tls in any::<bool>(), http in any::<bool>()) {
        let made = match http {
            true => Endpoint { port, tls }.http(&target),
            false => Endpoint { port, tls }.rtsp(&target),
        };
        prop_assert_eq!(AnnouncedUrl::read_lenient(&made.at(HOST), Scheme::Ws).map(|u| u.url), Some(made));
    }

    #[test]
    fn what_is_joined_can_be_sent(base in odd_url(), reference in odd_url()) {
        let base = AnnouncedUrl::read_lenient(&base, Scheme::Rtsp)
            .unwrap_or_else(|| AnnouncedUrl::unnamed(Endpoint::plain(80).http("/a/b?c")));
        let by_rfc = base.join_rfc3986(&reference).map(|u| u.url);
        let others = [Some(base.url.join_control(Some(&reference))), base.url.join_control_rfc3986(Some(&reference))];
        for joined in others.into_iter().flatten().chain(by_rfc) {
            prop_assert!(!joined.at(HOST).contains(|c: char| c.is_control() || c.is_whitespace()), "{}", joined.at(HOST));
        }
    }
}
