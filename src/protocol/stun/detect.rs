//! Asks for STUN over UDP, TCP and TLS; where it is spoken, whether TURN is, and whether that demands a login.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::wire::{self, Answer, Method, PORT, PORT_TLS, Transaction};
use crate::model::{AuthScheme, ErrorKind, FindingKind, Protocol, Service, Stage, Transport};
use crate::net::{Connection, Datagram, UdpBind};
use crate::probe::{Detection, Detector, Inspection, Peer, Phase, Probe};
use crate::protocol::http::message::host_name;
use crate::text;
use crate::wire::url::Endpoint;

/// How long an answer is awaited, try by try.
const TRIES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(400)];
/// Bytes of one answer at most.
const MAX_ANSWER: usize = 4096;

/// STUN over UDP, asked of every host.
pub const PROBE: Probe = Probe { stage: Stage::Stun, phase: Phase::Aside, run: |host| Box::pin(run(host)) };

async fn run(host: &Inspection) {
    let any: IpAddr = if host.peer.ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    match host.peer.net().udp(&UdpBind { receives_refusals: true, ..UdpBind::any_port(any) }) {
        Ok(socket) => ask(host, &mut Way::Udp(&*socket), Transport::Udp, Endpoint::plain(PORT)).await,
        Err(error) => {
            tracing::debug!(ip = %host.peer.ip, %error, "stun not asked");
            None
        }
    };
}

/// STUN over TCP and TLS, on its own ports.
pub const DETECTOR: Detector =
    Detector { stage: Stage::Stun, expects: is_expected, detect: |host, port| Box::pin(detect(host, port)) };

fn is_expected(port: u16) -> bool {
    matches!(port, PORT | PORT_TLS)
}

async fn detect(host: &Inspection, port: u16) -> Detection {
    if !is_expected(port) {
        return Detection::Garbage;
    }
    let at = Endpoint { port, tls: port == PORT_TLS };
    match host.peer.connect_to(at).await {
        Ok(connection) => {
            let heard = ask(host, &mut Way::Tcp(Box::new(connection)), Transport::Tcp, at).await;
            let spoken = if at.tls { Detection::SpokenOverTls } else { Detection::Spoken };
            heard.map_or(Detection::Silence, |()| spoken)
        }
        Err(error) if error.kind() == ErrorKind::Timeout => Detection::Silence,
        Err(_) => Detection::Closed,
    }
}

/// How messages travel.
enum Way<'a> {
    Udp(&'a dyn Datagram),
    Tcp(Box<Connection>),
}

/// Asks for the binding, then for a relay; says what speaks.
async fn ask(host: &Inspection, way: &mut Way<'_>, transport: Transport, at: Endpoint) -> Option<()> {
    let binding = way.exchange(&host.peer, at.port, Method::Binding).await?;
    let service = |protocol: Protocol, answer: &Answer| {
        let mut service = Service::new(protocol, transport, at.port);
        let over = if transport == Transport::Tcp { "?transport=tcp" } else { "" };
        service.url =
            Some(format!("{protocol}{}:{}:{}{over}", if at.tls { "s" } else { "" }, host_name(&host.peer), at.port));
        service.server = answer.software.as_deref().or(binding.software.as_deref()).and_then(text::clean_some);
        service
    };
    let mut stun = service(Protocol::Stun, &binding);
    if let Some(mapped) = binding.mapped {
        stun.notes.push(format!("sees this machine at {mapped}"));
    }
    stun.auth = if binding.error == Some(401) { Some(vec![AuthScheme::Other]) } else { Some(Vec::new()) };
    host.emit(FindingKind::Service(stun)).await;
    let relay = way.exchange(&host.peer, at.port, Method::Allocate).await?;
    if relay.error.is_none() {
        // What was given unasked for use is given back at once.
        let _ = way.exchange(&host.peer, at.port, Method::Release).await;
    }
    let demands_login = matches!(relay.error, Some(401 | 403 | 438)) || relay.realm.is_some();
    // 400, 405 and 420: a STUN server that knows nothing of relays.
    if demands_login || matches!(relay.error, None | Some(437 | 440..=443 | 486 | 508)) {
        let mut turn = service(Protocol::Turn, &relay);
        turn.auth = Some(if demands_login { vec![AuthScheme::Other] } else { Vec::new() });
        turn.realm = relay.realm.as_deref().and_then(text::clean_some);
        if relay.error.is_none() {
            turn.notes.push("relays for anybody: no login is demanded".to_owned());
        }
        host.emit(FindingKind::Service(turn)).await;
    }
    Some(())
}

impl Way<'_> {
    async fn exchange(&mut self, peer: &Peer, port: u16, method: Method) -> Option<Answer> {
        let transaction: Transaction = std::array::from_fn(|_| fastrand::u8(..));
        let request = wire::request(method, &transaction);
        match self {
            Way::Udp(socket) => {
                let to = SocketAddr::new(peer.ip, port);
                for (number, wait) in TRIES.into_iter().enumerate() {
                    if peer.is_over() {
                        return None;
                    }
                    peer.dialer.pace().turn(1).await;
                    socket.send_to(&request, to).await.ok()?;
                    let wait = peer.patience(wait, number, TRIES.len());
                    let until = peer.deadline.min(Instant::now() + wait);
                    match receive(*socket, peer.ip, until, |bytes| wire::parse(bytes, method, &transaction)).await {
                        Some(outcome) => return outcome,
                        None => continue,
                    }
                }
                None
            }
            Way::Tcp(connection) => {
                let until = peer.request_deadline();
                timeout_at(until, connection.write_all(&request)).await.ok()?.ok()?;
                timeout_at(until, connection.flush()).await.ok()?.ok()?;
                let mut bytes = Vec::with_capacity(512);
                while wire::length(&bytes).is_none_or(|whole| bytes.len() < whole) {
                    // What is no STUN message after eight bytes never will be.
                    let hopeless = bytes.len() >= 8 && wire::length(&bytes).is_none();
                    if hopeless || bytes.len() > MAX_ANSWER {
                        return None;
                    }
                    if timeout_at(until, connection.read_buf(&mut bytes)).await.ok()?.ok()? == 0 {
                        return None;
                    }
                }
                wire::parse(&bytes, method, &transaction)
            }
        }
    }
}

/// Awaits an answer of the host: none in time is `None`, that nobody listens is `Some(None)`.
async fn receive(
    socket: &dyn Datagram,
    host: IpAddr,
    until: Instant,
    read: impl Fn(&[u8]) -> Option<Answer>,
) -> Option<Option<Answer>> {
    let mut buffer = vec![0; MAX_ANSWER];
    for _ in 0..64 {
        match timeout_at(until, socket.recv_from(&mut buffer)).await {
            Ok(Ok((length, from))) if from.ip().to_canonical() == host => {
                if let Some(answer) = read(buffer.get(..length).unwrap_or_default()) {
                    return Some(Some(answer));
                }
            }
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return Some(None),
            Err(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::wire::testing::answer;
    use super::*;
    use crate::model::{Finding, ProbeOptions};
    use crate::probe::udp_query::testing::inquire;
    use crate::testkit::net::FakeNet;

    fn services(findings: impl IntoIterator<Item = Finding>) -> Vec<Service> {
        let services = findings.into_iter().map(|f| f.kind);
        services.filter_map(|kind| if let FindingKind::Service(s) = kind { Some(s) } else { None }).collect()
    }

    /// Answers as coturn does without a login.
    fn coturn(request: &[u8]) -> Vec<u8> {
        match request[1] {
            1 => answer(
                request,
                0x101,
                &[(0x20, &[0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]), (0x8022, b"Coturn-4.6.1")],
            ),
            _ => answer(
                request,
                0x113,
                &[(9, b"\0\0\x04\x01"), (0x14, b"example.org"), (0x15, b"abc"), (0x8022, b"Coturn")],
            ),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_demands_a_login_over_udp() {
        let net =
            FakeNet::of_datagrams(vec![], |sent| vec![(Duration::from_millis(9), sent.to, Ok(coturn(&sent.data)))]);
        let said = services(inquire(&net, "192.0.2.5", PROBE).await);
        let [stun, turn] = &said[..] else { panic!("{said:#?}") };
        assert_eq!((stun.protocol, stun.port, stun.transport), (Protocol::Stun, 3478, Transport::Udp));
        assert_eq!((stun.server.as_deref(), stun.auth.as_deref()), (Some("Coturn-4.6.1"), Some(&[][..])));
        assert_eq!(stun.notes, ["sees this machine at 192.0.2.1:32853"]);
        assert_eq!((turn.protocol, turn.realm.as_deref()), (Protocol::Turn, Some("example.org")));
        assert_eq!(turn.auth.as_deref(), Some(&[AuthScheme::Other][..]));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_costs_two_datagrams_and_little_time_and_a_closed_port_less() {
        let net = FakeNet::of_datagrams(vec![], |_| vec![]);
        let start = Instant::now();
        assert_eq!(inquire(&net, "192.0.2.5", PROBE).await, []);
        assert_eq!(net.datagrams.sent().len(), 2);
        assert!(start.elapsed() <= Duration::from_millis(600));
        let closed = FakeNet::of_datagrams(vec![], |sent| {
            vec![(Duration::from_millis(1), sent.to, Err(std::io::ErrorKind::ConnectionRefused.into()))]
        });
        assert_eq!(inquire(&closed, "192.0.2.5", PROBE).await, []);
        assert_eq!(closed.datagrams.sent().len(), 1);
        let junk = FakeNet::of_datagrams(vec![], |sent| {
            vec![(Duration::from_millis(1), sent.to, Ok(b"HTTP/1.1 400".to_vec()))]
        });
        assert_eq!(inquire(&junk, "192.0.2.5", PROBE).await, []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_inside_tls_demands_a_login() {
        let net = FakeNet::new();
        net.serve("192.0.2.10:5349", |_, stream| async move {
            let Some(mut stream) = crate::net::tls::testing::accept(stream).await else { return };
            let mut request = Vec::new();
            while matches!(stream.read_buf(&mut request).await, Ok(1..)) {
                while let Some(whole) = wire::length(&request).filter(|&l| request.len() >= l) {
                    let one: Vec<u8> = request.drain(..whole).collect();
                    let _ = stream.write_all(&coturn(&one)).await;
                    let _ = stream.flush().await;
                }
            }
        });
        let (host, mut said) = Inspection::for_test(net, "192.0.2.10", ProbeOptions::default());
        assert_eq!(detect(&host, 5349).await, Detection::SpokenOverTls);
        let said = services(std::iter::from_fn(|| said.try_recv().ok()));
        let [stun, turn] = &said[..] else { panic!("{said:#?}") };
        assert_eq!(stun.url.as_deref(), Some("stuns:192.0.2.10:5349?transport=tcp"));
        assert_eq!(turn.url.as_deref(), Some("turns:192.0.2.10:5349?transport=tcp"));
        assert_eq!(
            (turn.realm.as_deref(), turn.auth.as_deref()),
            (Some("example.org"), Some(&[AuthScheme::Other][..]))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_relay_over_tcp_is_given_back() {
        let net = FakeNet::new();
        let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = asked.clone();
        net.serve("192.0.2.10:3478", move |_, mut stream| {
            let log = log.clone();
            async move {
                let mut request = Vec::new();
                while matches!(stream.read_buf(&mut request).await, Ok(1..)) {
                    while let Some(whole) = wire::length(&request).filter(|&l| request.len() >= l) {
                        let one: Vec<u8> = request.drain(..whole).collect();
                        log.lock().unwrap().push(one[1]);
                        let reply = answer(&one, 0x100 | u16::from(one[1]), &[]);
                        // In two pieces.
                        let _ = stream.write_all(&reply[..5]).await;
                        let _ = stream.write_all(&reply[5..]).await;
                    }
                }
            }
        });
        let (host, mut said) = Inspection::for_test(net, "192.0.2.10", ProbeOptions::default());
        assert_eq!(detect(&host, 3478).await, Detection::Spoken);
        let said = services(std::iter::from_fn(|| said.try_recv().ok()));
        assert_eq!(said.iter().map(|s| s.protocol).collect::<Vec<_>>(), [Protocol::Stun, Protocol::Turn]);
        assert_eq!(*asked.lock().unwrap(), [1, 3, 4]);
        assert_eq!(detect(&host, 80).await, Detection::Garbage, "never asked elsewhere");
    }
}
