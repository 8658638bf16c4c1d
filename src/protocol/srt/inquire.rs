//! Asks a host's usual port for SRT.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::wire::{self, PORT};
use crate::model::{FindingKind, Protocol, Service, Stage, Transport};
use crate::net::{Datagram, UdpBind};
use crate::probe::{Inspection, Phase, Probe};
use crate::protocol::http::message::host_name;

/// How long an answer is awaited, try by try.
const TRIES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(400)];
/// Packets looked at in one try.
const MOST_PACKETS: usize = 16;

/// SRT over UDP, asked of hosts whose port for it is among those to be looked at.
pub const PROBE: Probe = Probe { stage: Stage::Srt, phase: Phase::Aside, run: |host| Box::pin(run(host)) };

async fn run(host: &Inspection) {
    if host.options.ports.contains(&PORT) && speaks(host).await == Some(true) {
        let mut service = Service::new(Protocol::Srt, Transport::Udp, PORT);
        service.url = Some(format!("srt://{}:{PORT}", host_name(&host.peer)));
        host.emit(FindingKind::Service(service)).await;
    }
}

/// Whether a listener answers; none when it cannot be asked.
async fn speaks(host: &Inspection) -> Option<bool> {
    let any: IpAddr = if host.peer.ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = host.peer.net().udp(&UdpBind { receives_refusals: true, ..UdpBind::any_port(any) }).ok()?;
    let number = fastrand::u32(1..0x4000_0000);
    let packet = wire::induction(number, fastrand::u32(..));
    for wait in TRIES {
        if host.peer.is_over() {
            break;
        }
        host.peer.dialer.pace().turn(1).await;
        socket.send_to(&packet, SocketAddr::new(host.peer.ip, PORT)).await.ok()?;
        let until = host.peer.deadline.min(Instant::now() + wait);
        if let Some(answered) = receive(&*socket, host.peer.ip, number, until).await {
            return Some(answered);
        }
    }
    Some(false)
}

/// Awaits a listener's answer; that nobody listens is an answer, too.
async fn receive(socket: &dyn Datagram, host: IpAddr, number: u32, until: Instant) -> Option<bool> {
    let mut buffer = vec![0; 2048];
    for _ in 0..MOST_PACKETS {
        match timeout_at(until, socket.recv_from(&mut buffer)).await {
            Ok(Ok((length, from))) => {
                let bytes = buffer.get(..length).unwrap_or_default();
                if from.ip().to_canonical() == host && wire::is_answer(bytes, number) {
                    return Some(true);
                }
            }
            // Nobody listens there.
            Ok(Err(_)) => return Some(false),
            Err(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProbeOptions;
    use crate::testkit::net::{FakeNet, Sent};

    /// A listener as draft-sharabayko-srt §4.3.1.1 has it.
    fn listener(sent: &Sent) -> Vec<u8> {
        let mut answer = sent.data.clone();
        let caller: [u8; 4] = answer[40..44].try_into().unwrap();
        answer[12..16].copy_from_slice(&caller);
        answer[16..20].copy_from_slice(&5u32.to_be_bytes());
        answer[22..24].copy_from_slice(&0x4a17u16.to_be_bytes());
        answer[44..48].copy_from_slice(&[1, 2, 3, 4]);
        answer
    }

    async fn services(net: FakeNet, ports: &[u16]) -> Vec<String> {
        let options = ProbeOptions { ports: ports.to_vec(), ..ProbeOptions::default() };
        let (host, _said) = Inspection::for_test(net, "192.0.2.5", options);
        run(&host).await;
        host.record.services().into_iter().filter_map(|s| s.url).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_is_known_by_its_answer_and_sent_nothing_more() {
        let net = FakeNet::of_datagrams(vec![], |sent| vec![(Duration::from_millis(9), sent.to, Ok(listener(sent)))]);
        assert_eq!(services(net.clone(), &[554, 8890]).await, ["srt://192.0.2.5:8890"]);
        assert_eq!(net.datagrams.sent().iter().map(|s| s.to.port()).collect::<Vec<_>>(), [8890]);
        let net = FakeNet::of_datagrams(vec![], |_| vec![]);
        assert_eq!(services(net.clone(), &[554]).await, [""; 0]);
        assert_eq!(net.datagrams.sent(), [], "asked only where its port is to be looked at");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_listener_costs_little() {
        let echo =
            FakeNet::of_datagrams(vec![], |sent| vec![(Duration::from_millis(1), sent.to, Ok(sent.data.clone()))]);
        assert_eq!(services(echo, &[8890]).await, [""; 0]);
        let closed = FakeNet::of_datagrams(vec![], |sent| {
            vec![(Duration::from_millis(1), sent.to, Err(std::io::ErrorKind::ConnectionRefused.into()))]
        });
        assert_eq!(services(closed.clone(), &[8890]).await, [""; 0]);
        assert_eq!(closed.datagrams.sent().len(), 1);
        let silent = FakeNet::of_datagrams(vec![], |_| vec![]);
        let began = Instant::now();
        assert_eq!(services(silent.clone(), &[8890]).await, [""; 0]);
        assert!(silent.datagrams.sent().len() == 2 && began.elapsed() <= Duration::from_millis(600));
    }
}
