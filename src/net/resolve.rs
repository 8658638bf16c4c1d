//! Names and addresses: the hosts file, then DNS as the system is set up, cached and bounded.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use tokio::time::{Instant, timeout};

/// The longest one question may take, all name servers and repeats together.
const LONGEST: Duration = Duration::from_secs(2);
/// After so many questions in a row without any answer the servers are left alone for a while.
const PATIENCE: u32 = 3;
/// How long they are left alone.
const LEFT_ALONE: Duration = Duration::from_secs(30);

/// Asks the hosts file and DNS.
#[derive(Default)]
pub(super) struct Resolver {
    // Set up at the first question: most scans ask none.
    dns: OnceLock<Result<Dns, String>>,
    silence: Mutex<Silence>,
}

/// The system's resolver; on a system without name servers it knows the hosts file only.
struct Dns {
    resolver: TokioResolver,
    without_servers: Option<String>,
}

/// How often in a row nothing came.
#[derive(Default)]
struct Silence {
    in_a_row: u32,
    last: Option<Instant>,
}

impl Resolver {
    /// The addresses of a name, IPv4 first.
    pub(super) async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(ip) = name.parse::<IpAddr>() {
            return Ok(vec![ip]);
        }
        let plain = name.trim_end_matches('.').to_ascii_lowercase();
        // RFC 6761 §6.3: never asked of a server.
        if plain == "localhost" || plain.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let dns = self.dns()?;
        let found = self.bounded(dns, &plain, dns.resolver.lookup_ip(plain.as_str())).await?;
        let mut addresses: Vec<IpAddr> = found.into_iter().flat_map(|l| l.iter().collect::<Vec<_>>()).collect();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("no address is known for '{plain}'")));
        }
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.dedup();
        Ok(addresses)
    }

    /// The name of an address; none when it has none or can have none that a name server knows.
    pub(super) async fn name(&self, ip: IpAddr) -> io::Result<Option<String>> {
        if !is_worth_asking(ip) {
            return Ok(None);
        }
        let dns = self.dns()?;
        let found = self.bounded(dns, &ip.to_string(), dns.resolver.reverse_lookup(ip)).await?;
        let name = found.and_then(|lookup| {
            lookup.answers().iter().find_map(|record| match &record.data {
                RData::PTR(name) => Some(name.0.to_utf8()),
                _ => None,
            })
        });
        let name = name.map(|n| crate::text::clean(n.trim_end_matches('.')));
        Ok(name.filter(|n| !n.is_empty()))
    }

    /// Waits for an answer within the bound; `Ok(None)` when the servers say that there is none.
    async fn bounded<T>(
        &self,
        dns: &Dns,
        what: &str,
        question: impl Future<Output = Result<T, NetError>>,
    ) -> io::Result<Option<T>> {
        if self.lock().is_dead() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the DNS servers do not answer"));
        }
        match timeout(LONGEST, question).await {
            Ok(Ok(found)) => {
                *self.lock() = Silence::default();
                Ok(Some(found))
            }
            Ok(Err(_)) if dns.without_servers.is_some() => {
                Err(io::Error::new(io::ErrorKind::NotFound, dns.without_servers.clone().unwrap_or_default()))
            }
            Ok(Err(error)) if error.is_no_records_found() => {
                *self.lock() = Silence::default();
                Ok(None)
            }
            Ok(Err(error)) => {
                if matches!(error, NetError::Timeout | NetError::Io(_) | NetError::NoConnections) {
                    self.lock().count();
                }
                Err(io::Error::other(crate::text::clean(&format!("DNS cannot say what '{what}' is: {error}"))))
            }
            Err(_) => {
                self.lock().count();
                Err(io::Error::new(io::ErrorKind::TimedOut, format!("no DNS server answered for '{what}'")))
            }
        }
    }

    fn dns(&self) -> io::Result<&Dns> {
        self.dns.get_or_init(set_up).as_ref().map_err(|e| io::Error::new(io::ErrorKind::NotFound, e.clone()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Silence {
    fn is_dead(&self) -> bool {
        self.in_a_row >= PATIENCE && self.last.is_some_and(|last| last.elapsed() < LEFT_ALONE)
    }

    fn count(&mut self) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.last = Some(Instant::now());
    }
}

/// Whether a name server can know the name of `ip`.
fn is_worth_asking(ip: IpAddr) -> bool {
    let ordinary = !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast());
    ordinary
        && match ip {
            IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_broadcast(),
            IpAddr::V6(v6) => !v6.is_unicast_link_local() && v6.to_ipv4_mapped().is_none_or(|v4| !v4.is_loopback()),
        }
}

fn set_up() -> Result<Dns, String> {
    let (mut builder, without_servers) = match TokioResolver::builder_tokio() {
        Ok(builder) => (builder, None),
        Err(error) => {
            let nobody = ResolverConfig::from_name_servers(Vec::new());
            let builder = TokioResolver::builder_with_config(nobody, TokioRuntimeProvider::default());
            (builder, Some(no_servers(&error.to_string())))
        }
    };
    let options = builder.options_mut();
    options.timeout = Duration::from_millis(900);
    options.attempts = 2;
    options.cache_size = 8192;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // A name that does not exist may exist when a long run asks again.
    options.negative_max_ttl = Some(Duration::from_secs(300));
    let resolver = builder.build().map_err(|error| no_servers(&error.to_string()))?;
    Ok(Dns { resolver, without_servers })
}

fn no_servers(why: &str) -> String {
    format!(
        "no DNS server can be asked: {}\nhint: name one in /etc/resolv.conf, or give addresses instead of names",
        crate::text::clean(why)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_and_addresses_are_never_asked_for() {
        let resolver = Resolver::default();
        let both = vec![IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        for name in ["localhost", "LOCALHOST.", "camera.localhost"] {
            assert_eq!(resolver.addresses(name).await.unwrap(), both, "{name}");
        }
        assert_eq!(resolver.addresses("192.0.2.9").await.unwrap(), [IpAddr::from([192, 0, 2, 9])]);
        assert!(resolver.dns.get().is_none());
    }

    #[tokio::test]
    async fn addresses_no_server_can_know_are_not_asked_about() {
        let resolver = Resolver::default();
        for ip in
            ["127.0.0.1", "127.8.9.1", "::1", "fe80::1", "169.254.1.1", "224.0.0.1", "::ffff:127.0.0.1", "0.0.0.0"]
        {
            assert_eq!(resolver.name(ip.parse().unwrap()).await.unwrap(), None, "{ip}");
        }
        assert!(resolver.dns.get().is_none());
        assert!(is_worth_asking("192.0.2.9".parse().unwrap()));
        assert!(is_worth_asking("2001:db8::9".parse().unwrap()));
    }

    /// A resolver over one server on loopback.
    fn with_server(port: u16) -> Dns {
        let mut server = hickory_resolver::config::NameServerConfig::udp(Ipv4Addr::LOCALHOST.into());
        server.connections.iter_mut().for_each(|c| c.port = port);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build().unwrap();
        Dns { resolver, without_servers: None }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_server_costs_two_seconds_a_question_and_then_nothing() {
        #[expect(clippy::disallowed_methods, reason = "this is a server, and it never leaves loopback")]
        let silent = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let resolver = Resolver::default();
        assert!(resolver.dns.set(Ok(with_server(silent.local_addr().unwrap().port()))).is_ok());
        let ip = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..PATIENCE {
            let asked = Instant::now();
            assert!(resolver.name(ip).await.is_err());
            assert!(asked.elapsed() <= LONGEST);
        }
        let asked = Instant::now();
        assert!(resolver.name(ip).await.is_err());
        assert_eq!(asked.elapsed(), Duration::ZERO);
        // It may be back later.
        tokio::time::advance(LEFT_ALONE).await;
        assert!(!resolver.lock().is_dead());
    }

    /// Answers the question for the name of `192.0.2.N` by the `N`th record of type and data, at most `questions` of them.
    fn serve(records: Vec<(u16, Vec<u8>)>, questions: usize) -> u16 {
        #[expect(clippy::disallowed_methods, reason = "this is a server, and it never leaves loopback")]
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let port = socket.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            for _ in 0..questions {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { return };
                // `N.2.0.192.in-addr.arpa`, its type and its class; what may follow are options.
                let end = 12 + buffer[12..length].iter().position(|b| *b == 0).unwrap() + 5;
                let number = std::str::from_utf8(&buffer[13..13 + usize::from(buffer[12])]).unwrap();
                let (kind, data) = &records[number.parse::<usize>().unwrap()];
                let head = [&buffer[..2], &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]].concat();
                let of_record = [&[0xc0, 12][..], &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 60]].concat();
                let size = (data.len() as u16).to_be_bytes();
                let answer = [&head[..], &buffer[12..end], &of_record, &size, data].concat();
                socket.send_to(&answer, from).unwrap();
            }
        });
        port
    }

    fn labels(labels: &[&[u8]]) -> Vec<u8> {
        let all = labels.iter().flat_map(|l| std::iter::once(l.len() as u8).chain(l.iter().copied()));
        all.chain([0]).collect()
    }

    #[tokio::test]
    async fn whatever_a_server_answers_is_a_clean_name_or_none() {
        const PTR: u16 = 12;
        // Where the data of the answer begins: after its head, the question and the record's own head.
        let own_place = 12 + (3 + 2 + 2 + 4 + 8 + 5 + 4) + 12;
        let records = vec![
            (PTR, labels(&[b"camera-1", b"example"])),
            (PTR, labels(&[b"a\x1b[2J\x07b", b"example"])),
            (PTR, labels(&["\u{202e}gpj\u{2066}".as_bytes(), b"example"])),
            (PTR, labels(&[&[0x9b, 0xff, 0xfe], b"example"])),
            (PTR, labels(&[b"a\0b", b"c.d\\e", b" ", b"\r\n"])),
            (PTR, labels(&[b"xn--80ak6aa92e", b"xn--", b"xn--a-\xff", b"XN--99999999999"])),
            (PTR, labels(&[&[b'a'; 63], &[b'b'; 63], &[b'c'; 63], &[b'd'; 61]])),
            (PTR, labels(&[&[b'a'; 63], &[b'b'; 63], &[b'c'; 63], &[b'd'; 63], &[b'e'; 63]])),
            (PTR, [&[64][..], &[b'a'; 64], &[0]].concat()),
            (PTR, vec![0xc0, own_place]),
            (PTR, vec![0xff, 0xff]),
            (PTR, vec![1, b'a', 0xc0, own_place]),
            (PTR, labels(&[])),
            (PTR, Vec::new()),
            (PTR, labels(&[b"=1+1|'/c calc'!A1"])),
            (5, vec![0xc0, 12]),
            (16, vec![0xff; 200]),
            (1, vec![192, 0, 2, 1]),
        ];
        let count = records.len();
        let resolver = Resolver::default();
        assert!(resolver.dns.set(Ok(with_server(serve(records, 200)))).is_ok());
        for number in 0..count {
            // What ends as a failure may make the servers be left alone for a while.
            *resolver.lock() = Silence::default();
            let name = resolver.name(IpAddr::from([192, 0, 2, number as u8])).await;
            if number == 0 {
                assert_eq!(name.as_ref().unwrap().as_deref(), Some("camera-1.example"));
            }
            let said = match name {
                Ok(name) => name.unwrap_or_default(),
                Err(error) => error.to_string(),
            };
            assert_eq!(said, crate::text::clean(&said), "answer {number}");
            assert!(said.len() <= 1100, "answer {number}: {} bytes", said.len());
        }
    }

    #[tokio::test]
    async fn a_system_without_servers_says_so() {
        let nobody = ResolverConfig::from_name_servers(Vec::new());
        let builder = TokioResolver::builder_with_config(nobody, TokioRuntimeProvider::default());
        let dns = Dns { resolver: builder.build().unwrap(), without_servers: Some(no_servers("file not found")) };
        let resolver = Resolver::default();
        assert!(resolver.dns.set(Ok(dns)).is_ok());
        let error = resolver.addresses("camera.example").await.unwrap_err();
        assert!(error.to_string().contains("hint: name one in /etc/resolv.conf"), "{error}");
    }
}
