//! Takes logins out of addresses, wherever they stand in a text.

use std::net::Ipv6Addr;

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
        // Xiongmai parts its fields by '_' or '&'; a value ends there or at the end of the segment.
        let stop = tail.find(['&', '/', ';', '#']).unwrap_or(tail.len());
        let value = tail.get(..stop).unwrap_or_default();
        let stop = value
            .match_indices('_')
            .map(|(i, _)| i)
            .find(|&i| {
                value.get(i + 1..).is_some_and(|after| {
                    ["password=", "channel=", "stream=", "onvif="].iter().any(|k| after.starts_with(k))
                })
            })
            .unwrap_or(stop);
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
    let plain = text.find('=').map(|at| (at, at + 1));
    let encoded = text.match_indices("%3").map(|(at, _)| at);
    let encoded = encoded.filter(|at| text.get(at + 2..at + 3).is_some_and(|c| c.eq_ignore_ascii_case("d"))).min();
    plain.into_iter().chain(encoded.map(|at| (at, at + 3))).min()
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
