//! An address in the parts that some consumers take one by one.

use crate::wire::url::Scheme;

/// Host, port and path of an address without a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'u> {
    /// An IPv6 address with its brackets.
    pub host: &'u str,
    /// The scheme's own where the address names none.
    pub port: u16,
    /// With query, as it stands there; may be empty.
    pub path: &'u str,
}

impl<'u> Parts<'u> {
    pub(super) fn of(url: &'u str) -> Parts<'u> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("rtsp", url));
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let from = authority.rfind(']').map_or(0, |end| end + 1);
        let colon = authority.get(from..).and_then(|behind| behind.rfind(':')).map(|at| from + at);
        let (host, written) = colon.map_or((authority, ""), |at| authority.split_at(at));
        let written = written.strip_prefix(':').and_then(|port| port.parse().ok());
        let port = written.or_else(|| scheme.parse::<Scheme>().ok().map(Scheme::default_port)).unwrap_or(554);
        Parts { host, port, path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_apart_whatever_is_missing() {
        for (url, host, port, path) in [
            ("rtsp://10.0.5.20:8554/main?c=1", "10.0.5.20", 8554, "/main?c=1"),
            ("rtsp://10.0.5.20", "10.0.5.20", 554, ""),
            ("rtsps://10.0.5.20/a:b", "10.0.5.20", 322, "/a:b"),
            ("http://cam?x=http://y/z", "cam", 80, "?x=http://y/z"),
            ("rtsp://[fd00::77:20]/main", "[fd00::77:20]", 554, "/main"),
            ("rtsp://[fd00::77:20]:555", "[fd00::77:20]", 555, ""),
        ] {
            assert_eq!(Parts::of(url), Parts { host, port, path }, "{url}");
        }
    }
}
