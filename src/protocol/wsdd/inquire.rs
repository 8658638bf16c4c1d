//! Asks one host by unicast: multicast does not cross a router, and some networks filter it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use tokio::time::{Instant, timeout_at};

use super::{facts, wire};
use crate::model::{ErrorKind, Protocol};
use crate::net::error::kind_of;
use crate::net::{Datagram, UdpBind};
use crate::probe::{HostContext, HostProbe};
use crate::protocol::ask;

/// What is asked and how long an answer is awaited; after the last the host is taken not to speak WS-Discovery here.
const TRIES: [(wire::Wanted, Duration); 3] = [
    (wire::Wanted::Transmitter, Duration::from_millis(200)),
    (wire::Wanted::Any, Duration::from_millis(350)),
    (wire::Wanted::Device, Duration::from_millis(600)),
];

/// WS-Discovery by unicast.
pub struct UnicastProbe;

impl HostProbe for UnicastProbe {
    fn name(&self) -> &'static str {
        "onvif"
    }

    fn run<'a>(&'a self, host: &'a HostContext) -> BoxFuture<'a, ()> {
        async move {
            if host.services().iter().any(|s| s.protocol == Protocol::Onvif) {
                return;
            }
            match ask(host).await {
                Ok(matches) => {
                    for m in facts::of_sender(matches, host.ip) {
                        facts::of_match(&m, host.ip).say(host).await;
                    }
                }
                Err(error) => tracing::debug!(ip = %host.ip, %error, "unicast probe not sent"),
            }
        }
        .boxed()
    }
}

async fn ask(host: &HostContext) -> std::io::Result<Vec<wire::Match>> {
    let any: IpAddr = if host.ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = host.net.udp(&UdpBind::any_port(any))?;
    let to = SocketAddr::new(host.ip, wire::PORT);
    for (wanted, wait) in TRIES {
        if host.is_over() {
            break;
        }
        host.dialer.pace().turn(1).await;
        socket.send_to(wire::probe(wanted, &ask::uuid(fastrand::u128(..))).as_bytes(), to).await?;
        match answer(&*socket, host.ip, host.deadline.min(Instant::now() + wait)).await {
            Heard::Matches(matches) => return Ok(matches),
            Heard::Nothing => {}
            Heard::NobodyThere => break,
        }
    }
    Ok(Vec::new())
}

enum Heard {
    Matches(Vec<wire::Match>),
    Nothing,
    NobodyThere,
}

/// Awaits an answer from the host, whatever its port.
async fn answer(socket: &dyn Datagram, host: IpAddr, until: Instant) -> Heard {
    let mut buffer = vec![0; 65_535];
    let mut others = 0;
    while let Ok(received) = timeout_at(until, socket.recv_from(&mut buffer)).await {
        match received {
            Ok((length, from)) if from.ip().to_canonical() == host => {
                let matches = wire::parse(buffer.get(..length).unwrap_or_default());
                if !matches.is_empty() {
                    return Heard::Matches(matches);
                }
            }
            Ok(_) => {}
            // An ICMP answer: nobody listens on the port, or the host is not there.
            Err(error) if matches!(kind_of(&error), ErrorKind::Refused | ErrorKind::Unreachable) => {
                return Heard::NobodyThere;
            }
            Err(_) => return Heard::Nothing,
        }
        others += 1;
        if others > 64 {
            break;
        }
    }
    Heard::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FindingKind, Method};
    use crate::net::fake_udp::FakeUdp;
    use crate::protocol::ask::testing::inquire;

    const MATCH: &[u8] = b"<ProbeMatch><Types>dn:NetworkVideoTransmitter</Types><XAddrs>http://10.0.0.1:2020/onvif/device_service</XAddrs></ProbeMatch>";

    #[tokio::test(start_paused = true)]
    async fn an_answer_from_any_port_of_the_host_ends_it() {
        let net = FakeUdp::new(vec![], |sent| {
            let first = String::from_utf8_lossy(&sent.data).contains("NetworkVideoTransmitter");
            let other = (Duration::from_millis(1), "192.0.2.6:3702".parse().unwrap(), Ok(MATCH.to_vec()));
            let junk = (Duration::from_millis(2), "192.0.2.5:3702".parse().unwrap(), Ok(b"lollipop".to_vec()));
            let answer = (Duration::from_millis(10), "192.0.2.5:41000".parse().unwrap(), Ok(MATCH.to_vec()));
            if first { vec![other, junk] } else { vec![answer] }
        });
        let start = Instant::now();
        let findings = inquire(&net, "192.0.2.5", &UnicastProbe).await;
        assert_eq!(net.sent().len(), 2);
        assert_eq!(start.elapsed(), Duration::from_millis(210));
        assert!(findings.iter().any(|f| f.kind == FindingKind::Seen(Method::Onvif)));
        assert!(findings.iter().any(|f| matches!(&f.kind, FindingKind::Service(s)
            if s.url.as_deref() == Some("http://192.0.2.5:2020/onvif/device_service"))));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_costs_little_and_a_closed_port_less() {
        let silent = FakeUdp::new(vec![], |_| vec![]);
        let start = Instant::now();
        assert_eq!(inquire(&silent, "192.0.2.5", &UnicastProbe).await, []);
        assert_eq!(silent.sent().len(), 3);
        assert!(start.elapsed() <= Duration::from_millis(1200));

        let closed = FakeUdp::new(vec![], |sent| {
            vec![(Duration::from_millis(1), sent.to, Err(std::io::ErrorKind::ConnectionRefused.into()))]
        });
        assert_eq!(inquire(&closed, "192.0.2.5", &UnicastProbe).await, []);
        assert_eq!(closed.sent().len(), 1);
    }
}
