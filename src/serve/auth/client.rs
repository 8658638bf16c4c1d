//! Where a request comes from, through proxies that are trusted. Pure.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use crate::model::listen::TrustedProxy;

/// Who is at the other end of a connection. Put into each request by the listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its address; none for a socket in the file system.
    pub address: Option<IpAddr>,
    /// The address of this machine that it came to; none for a socket in the file system.
    pub local: Option<IpAddr>,
    /// Its user, as the system says (SO_PEERCRED); for a socket in the file system alone.
    pub uid: Option<u32>,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

/// Whoever a request is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Its address; none for a socket in the file system.
    pub address: Option<IpAddr>,
    /// Whether it uses https.
    pub https: bool,
    /// Whether a proxy says that it speaks for somebody else.
    pub is_forwarded: bool,
    /// Whether whoever is connected is a trusted proxy.
    pub by_proxy: bool,
}

/// Proxies that one request may have passed.
const MOST_PROXIES: usize = 16;

impl Client {
    /// Of a request by `peer`: the rightmost address of X-Forwarded-For that is no trusted proxy.
    pub fn of(peer: &Peer, headers: &HeaderMap, trusted: &[TrustedProxy]) -> Client {
        let is_trusted = |address: Option<IpAddr>| trusted.iter().any(|proxy| proxy.is(address));
        let said = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];
        let is_forwarded = said.iter().any(|name| headers.contains_key(*name));
        let peer_address = peer.address.map(|address| address.to_canonical());
        let mut client = Client { address: peer_address, https: peer.tls, is_forwarded, by_proxy: false };
        if !is_trusted(peer_address) {
            return client;
        }
        client.by_proxy = true;
        let https = headers.get_all("x-forwarded-proto").iter().next_back().and_then(|value| value.to_str().ok());
        client.https |= https.and_then(|value| value.rsplit(',').next()).is_some_and(|value| value.trim() == "https");
        let values: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or("?")).collect();
        let hops = values.iter().rev().flat_map(|value| value.rsplit(','));
        for hop in hops.take(MOST_PROXIES) {
            let Some(address) = address_of(hop.trim()) else { break };
            client.address = Some(address);
            if !is_trusted(Some(address)) {
                break;
            }
        }
        client
    }

    /// As it stands in a log.
    pub fn shown(&self) -> String {
        self.address.map_or_else(|| "unix".to_owned(), |address| address.to_string())
    }
}

/// An address, with or without port or brackets.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: Option<&str>, headers: &[(&'static str, &str)], trusted: &[&str]) -> Client {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, value.parse().unwrap());
        }
        let peer = Peer { address: peer.map(|peer| peer.parse().unwrap()), local: None, uid: None, tls: false };
        let trusted: Vec<_> = trusted.iter().map(|text| TrustedProxy::parse(text).unwrap()).collect();
        Client::of(&peer, &all, &trusted)
    }

    #[test]
    fn the_rightmost_that_is_not_trusted_counts() {
        let xff = "x-forwarded-for";
        for (peer, headers, trusted, address) in [
            (Some("127.0.0.1"), vec![(xff, "192.0.2.9")], vec![], "127.0.0.1"),
            (Some("127.0.0.1"), vec![(xff, "6.6.6.6, 192.0.2.9")], vec!["127.0.0.1"], "192.0.2.9"),
            (Some("::ffff:127.0.0.1"), vec![(xff, "192.0.2.9:1234")], vec!["127.0.0.0/8"], "192.0.2.9"),
            (
                Some("127.0.0.1"),
                vec![(xff, "6.6.6.6, 192.0.2.9, 10.0.0.2")],
                vec!["127.0.0.1", "10.0.0.0/8"],
                "192.0.2.9",
            ),
            (Some("127.0.0.1"), vec![(xff, "6.6.6.6"), (xff, "192.0.2.9")], vec!["127.0.0.1"], "192.0.2.9"),
            (Some("127.0.0.1"), vec![(xff, "6.6.6.6, unknown")], vec!["127.0.0.1"], "127.0.0.1"),
            (Some("127.0.0.1"), vec![(xff, "[2001:db8::1]:80")], vec!["127.0.0.1"], "2001:db8::1"),
            (Some("127.0.0.1"), vec![(xff, "10.0.0.1")], vec!["127.0.0.1", "10.0.0.0/8"], "10.0.0.1"),
            (None, vec![(xff, "192.0.2.9")], vec!["unix"], "192.0.2.9"),
            (None, vec![(xff, "192.0.2.9")], vec![], "unix"),
        ] {
            assert_eq!(client(peer, &headers, &trusted).shown(), address, "{headers:?} {trusted:?}");
        }
    }

    #[test]
    fn https_is_believed_of_a_trusted_proxy_alone() {
        let https = |trusted: &[&str]| client(Some("127.0.0.1"), &[("x-forwarded-proto", "https")], trusted).https;
        assert!(https(&["127.0.0.1"]) && !https(&[]));
        assert!(client(None, &[("via", "1.1 nginx")], &[]).is_forwarded);
        assert!(!client(None, &[], &[]).is_forwarded);
    }
}
