//! Takes logins out of addresses, wherever they stand in a text.

use std::net::Ipv6Addr;

use super::steps;

/// A URL without user name and password, and without the values of query or path parts that hold them
/// (`user=`, `password=`, `pwd=`, `usr=` …, as Xiongmai and Reolink put them). Keeps everything else to the letter.
pub fn redact_url(url: &str) -> String {
    redact_parameters(&strip_userinfo(url))
}

/// A text with any number of addresses in it, each as [`redact_url`] leaves it.
pub fn redact_urls(text: &str) -> String {
    let mut pieces = text.split("://");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(&strip_userinfo(&format!("://{piece}")));
    }
    redact_parameters(&out)
}

/// A URL without user name and password.
pub fn strip_userinfo(url: &str) -> String {
    let Some(start) = url.find("://").map(|i| i + 3) else { return url.to_owned() };
    let rest = url.get(start..).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let mut authority_end = end;
    // A password may itself hold '/' or '?': an '@' after them still belongs to the userinfo when a host follows it.
    if rest.get(..end).is_some_and(|a| !a.contains('@') && a.contains(':'))
        && let Some(at) = rest.find('@')
        && rest.get(..at).is_some_and(|u| !u.contains(' ') && port_is_not_a_number(u))
    {
        authority_end = at + 1;
    }
    match rest.get(..authority_end).and_then(|a| a.rfind('@')) {
        Some(at) => {
            format!("{}{}", url.get(..start).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default())
        }
        None => url.to_owned(),
    }
}

fn port_is_not_a_number(authority: &str) -> bool {
    // The colons of an IPv6 address in its brackets are no login's; a password may hold any other character.
    let (authority, ends) = match after_ipv6(authority) {
        Some(after) => (after, ['/', '?', '#'].as_slice()),
        None => (authority, ['/', '?'].as_slice()),
    };
    let authority = authority.split(ends).next().unwrap_or_default();
    let port = authority.split_once(':').map(|(_, port)| port);
    port.is_some_and(|port| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()))
}

/// What follows an IPv6 address in its brackets.
fn after_ipv6(authority: &str) -> Option<&str> {
    let (host, after) = authority.strip_prefix('[')?.split_once(']')?;
    host.split('%').next()?.parse::<Ipv6Addr>().is_ok().then_some(after)
}

const SECRET_KEYS: [&str; 24] = [
    "user",
    "username",
    "usr",
    "login",
    "password",
    "passwd",
    "passcode",
    "passphrase",
    "pass",
    "pwd",
    "psw",
    "pswd",
    "userpassword",
    "userpasswd",
    "userpass",
    "userpwd",
    "credential",
    "credentials",
    "secret",
    "token",
    "auth",
    "loginuse",
    "loginpas",
    "session",
];

fn redact_parameters(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((key, value)) = equals(rest) {
        let (head, tail) = rest.split_at(value);
        out.push_str(head);
        let key = head.get(..key).unwrap_or_default();
        let key = key.rsplit(['&', '?', '/', ';', '_', ',', ' ', '"', '#']).next().unwrap_or_default();
        let secret = SECRET_KEYS.iter().any(|k| key.eq_ignore_ascii_case(k));
        if !secret {
            rest = tail;
            continue;
        }
        let stop = tail.match_indices(['&', '/', ';', '#', '_']).find(|(at, sign)| ends_value(tail, *at, sign));
        let stop = stop.map_or(tail.len(), |(at, _)| at);
        steps::look_at(stop);
        if stop > 0 {
            out.push_str("***");
        }
        rest = tail.get(stop..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Where the next key ends and where its value begins: at `=`, also percent-encoded.
fn equals(text: &str) -> Option<(usize, usize)> {
    let next = text.match_indices(['=', '%']).find_map(|(at, sign)| match sign {
        "=" => Some((at, at + 1)),
        _ => text.get(at..at + 3).filter(|code| code.eq_ignore_ascii_case("%3d")).map(|_| (at, at + 3)),
    });
    steps::look_at(next.map_or(text.len(), |(at, _)| at));
    next
}

/// Whether a value ends at a sign of `text`. Xiongmai parts its fields by `_`, which may stand in a value as well.
fn ends_value(text: &str, at: usize, sign: &str) -> bool {
    let is_field =
        |after: &str| ["password=", "channel=", "stream=", "onvif="].iter().any(|key| after.starts_with(key));
    sign != "_" || text.get(at + 1..).is_some_and(is_field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn userinfo_and_named_secrets_leave_a_url() {
        for (sent, shown) in [
            ("rtsp://admin:s3cret@192.0.2.1:554/a", "rtsp://192.0.2.1:554/a"),
            ("rtsp://admin:p@ss@192.0.2.1/a", "rtsp://192.0.2.1/a"),
            ("rtsp://admin:p/w@192.0.2.1/a", "rtsp://192.0.2.1/a"),
            ("rtsp://192.0.2.1:554/a@b", "rtsp://192.0.2.1:554/a@b"),
            ("rtsp://[2001:db8::1]/a@b", "rtsp://[2001:db8::1]/a@b"),
            ("rtsp://[2001:db8::1]:8554/a@b", "rtsp://[2001:db8::1]:8554/a@b"),
            ("rtsp://admin:p/w@[2001:db8::1]/a@b", "rtsp://[2001:db8::1]/a@b"),
            (
                "rtsp://192.0.2.1/user=admin_password=tl_J_channel=1_stream=0.sdp?real_stream",
                "rtsp://192.0.2.1/user=***_password=***_channel=1_stream=0.sdp?real_stream",
            ),
            (
                "http://h/cgi?cmd=Snap&user=admin&password=x&channel=0",
                "http://h/cgi?cmd=Snap&user=***&password=***&channel=0",
            ),
            ("http://h/a?psw=x&login=viewer:x&passcode=x&c=1", "http://h/a?psw=***&login=***&passcode=***&c=1"),
            ("http://h/a?userpassword=x#password=x", "http://h/a?userpassword=***#password=***"),
            ("http://h/a?PASSWORD%3Dx%3D%C3", "http://h/a?PASSWORD%3D***"),
            ("rtsp://h/cam/realmonitor?channel=1&subtype=0", "rtsp://h/cam/realmonitor?channel=1&subtype=0"),
        ] {
            assert_eq!(redact_url(sent), shown);
        }
    }

    #[test]
    fn a_hostile_text_is_read_in_a_few_passes() {
        for unit in ["=", "%3", "%3D", "%", "user=", "user=a_password=", "user=_", "://", "a://b:c@", "&", "pwd%3d_"] {
            let long = unit.repeat((16 << 10) / unit.len());
            for text in [format!("rtsp://{long}"), format!("rtsp://a/?user={long}"), format!("{long}=")] {
                let looks = [redact_url, redact_urls].map(|read| steps::seen_by(|| read(&text)) / text.len());
                assert!(looks.iter().all(|looks| *looks <= 4), "{looks:?} looks at each byte of {unit:?} repeated");
            }
        }
    }

    #[test]
    fn every_address_of_a_text_is_without_its_password() {
        for (sent, shown) in [
            ("url=rtsp://a:b@h/1;seq=1,url=rtsp://c:d@h/2", "url=rtsp://h/1;seq=1,url=rtsp://h/2"),
            ("rtsp://rtsp://a:p@ss@192.0.2.1/x", "rtsp://rtsp://192.0.2.1/x"),
            ("Wed, 21 Nov 2026 08:00:00 GMT", "Wed, 21 Nov 2026 08:00:00 GMT"),
            ("a=b; token=77, x", "a=b; token=***"),
            ("me@example.org", "me@example.org"),
        ] {
            assert_eq!(redact_urls(sent), shown);
        }
    }
}
