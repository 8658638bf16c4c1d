//! What a stream is known by, from scan to scan.

use std::collections::BTreeMap;

use crate::model::Stream;

/// What a stream is known by: protocol, port and path, without login and host, so that it stays what it is when the device
/// moves.
pub fn stream_key(stream: &Stream) -> String {
    let rest = stream.url.split_once("://").map_or(stream.url.as_str(), |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    // The colons of an IPv6 address stand in brackets.
    let port = host.rsplit(']').next().and_then(|after| after.rsplit_once(':')).map_or("", |(_, port)| port);
    format!("{}:{port}{target}", stream.protocol)
}

/// The streams of a device by their keys. Several with one key are told apart by their order: `rtsp:554/1#2`.
pub fn keyed(streams: &[Stream]) -> BTreeMap<String, &Stream> {
    let mut all = BTreeMap::new();
    for stream in streams {
        let key = stream_key(stream);
        let mut own = key.clone();
        let mut n = 2;
        while all.contains_key(&own) {
            own = format!("{key}#{n}");
            n += 1;
        }
        all.insert(own, stream);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;

    #[test]
    fn a_key_holds_neither_login_nor_host() {
        let key = |url: &str| stream_key(&Stream::new(url, Protocol::Rtsp));
        assert_eq!(key("rtsp://admin:pw@192.0.2.1:554/1?x=2"), "rtsp:554/1?x=2");
        assert_eq!(key("rtsp://[fe80::1]/1"), "rtsp:/1");
        assert_eq!(key("rtsp://[fe80::1]:8554/1"), "rtsp:8554/1");
        assert_eq!(key("rtsp://192.0.2.1"), "rtsp:");
    }

    #[test]
    fn streams_of_one_key_are_told_apart_by_their_order() {
        let all = ["rtsp://192.0.2.1/1", "rtsp://192.0.2.2/1"].map(|url| Stream::new(url, Protocol::Rtsp));
        let keys: Vec<String> = keyed(&all).into_keys().collect();
        assert_eq!(keys, ["rtsp:/1", "rtsp:/1#2"]);
    }
}
