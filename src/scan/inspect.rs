//! One host, from its open ports to its streams. Nothing a device does, and no defect in one protocol ends more than
//! that step.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::slot::Slot;
use crate::identify::{self, signature::Field};
use crate::model::{
    ErrorKind, Evidence, EvidenceSource, Fact, FindingKind, PortList, Protocol, Service, Stage, Transport,
};
use crate::probe::{Detection, Detector, Inspection, Phase, Probe};
use crate::protocol::tcp::ports::open_ports;

/// What is reported of a step that panicked.
const INTERNAL_ERROR: &str = "internal error in this step (please report it); the rest of the scan is unaffected";
/// How long after its beginning an inspection that is otherwise done, in a scan that is, waits for a name or a STUN server.
const ASIDES_AT_LEAST: Duration = Duration::from_millis(700);
/// How long a host that nothing is known of may take to answer, while others are still being looked for.
const LATE_ANSWER: Duration = Duration::from_secs(4);

/// Looks at one host until all is known or its time is over, then returns. `own_ports` were given with the target
/// itself and are looked at first. Without any port only the host's name is asked for: that it is up was the question.
/// Where only answers are waited for, `slot` is left to others.
pub(super) async fn inspect(host: Inspection, own_ports: &[u16], resolve_name: bool, slot: &mut Slot) {
    // Every step is guarded by itself; this is for what lies between them.
    caught(&host, Stage::Host, look_at(&host, own_ports, resolve_name, slot)).await;
    host.emit_login_attempts().await;
}

async fn look_at(host: &Inspection, own_ports: &[u16], resolve_name: bool, slot: &mut Slot) {
    let name = async {
        if resolve_name {
            guarded(host, Stage::Dns, name_of(host)).await;
        }
    };
    if host.options.ports.is_empty() && own_ports.is_empty() {
        name.await;
        return;
    }
    let ports = ports_of(host, own_ports);
    let began = Instant::now();
    let asides = Box::pin(async { tokio::join!(name, ask_all(host, Phase::Aside)) });
    // DNS may be slow to say that it knows nothing, and no step needs the name.
    let main = Box::pin(look_at_all(host, &ports, slot));
    let left = match select(main, asides).await {
        Either::Left(((), asides)) => Some(asides),
        Either::Right((_, main)) => {
            main.await;
            None
        }
    };
    if let Some(asides) = left {
        slot.release();
        let enough = async {
            sleep_until(began + ASIDES_AT_LEAST).await;
            slot.all_found().await;
        };
        tokio::select! { _ = asides => {}, () = enough => {} }
    }
    tracing::debug!(ip = %host.peer.ip, open = ?host.peer.history.open_ports(), seconds = began.elapsed().as_secs_f64(), "all asked");
}

/// Ports and questions by UDP side by side, then the streams; and once more what was announced late.
async fn look_at_all(host: &Inspection, ports: &PortList, slot: &mut Slot) {
    let mut asking = Box::pin(ask_all(host, Phase::Inquiry));
    let mut looking = Box::pin(look_at_all_ports(host, ports));
    let mut later = Duration::ZERO;
    tokio::select! {
        () = &mut asking => looking.await,
        () = &mut looking => {
            // Silence by UDP is waited for by nobody else.
            slot.release();
            asking.await;
            later = take_again(slot).await;
        }
    }
    let host = &host.until(host.peer.deadline + later);
    analyse(host).await;
    await_late_answers(host, ports, slot).await;
    leave_out_refused(host, ports).await;
    if !host.peer.cancel.is_cancelled() && host.peer.time_left().is_zero() {
        let seconds = host.options.host_timeout.as_secs_f64();
        let message =
            format!("the host's time of {seconds} s was over before all was looked at; raise it with --host-timeout");
        host.error(Stage::Host, ErrorKind::Timeout, message).await;
    }
}

/// What is announced on a port that refuses is not there. Ports that were named last are asked for it.
async fn leave_out_refused(host: &Inspection, ports: &PortList) {
    let unasked: PortList = {
        let (open, refused) = (host.peer.history.open_ports(), host.peer.history.refused_ports());
        let is_asked = |port: &u16| ports.contains(*port) || open.contains(port) || refused.contains(port);
        announced(host).into_iter().filter(|port| !is_asked(port)).collect()
    };
    if !unasked.is_empty() && !host.peer.is_over() {
        caught(host, Stage::Ports, look_at_ports(host, &unasked)).await;
    }
    let refused = host.peer.history.refused_ports();
    for service in
        host.record.services().into_iter().filter(|s| s.transport == Transport::Tcp && refused.contains(&s.port))
    {
        let at = SocketAddr::new(host.peer.ip, service.port);
        let message = format!("{at}: announced as {}, and refuses connections", service.protocol);
        host.error(Stage::Ports, ErrorKind::Refused, message).await;
        host.emit(FindingKind::Refuses(service.port)).await;
    }
}

/// Takes the slot again; how long that took, which is no time of the host's.
async fn take_again(slot: &mut Slot) -> Duration {
    let left = Instant::now();
    slot.take().await;
    left.elapsed()
}

/// A host that gives no sign of being a camera or of being none may only be slow to answer. While others are looked for it
/// costs nothing to ask it once more and hear what comes.
async fn await_late_answers(host: &Inspection, ports: &PortList, slot: &mut Slot) {
    let is_known = host.record.is_like_a_camera() || host.record.is_clearly_no_camera();
    if is_known || !slot.is_early() || host.peer.is_over() {
        return;
    }
    let before = leads(host);
    let until = host.peer.deadline.min(Instant::now() + LATE_ANSWER);
    slot.release();
    host.peer.history.be_unhurried();
    let answers = async {
        ask_all(host, Phase::Inquiry).await;
        while leads(host) == before {
            host.record.news().await;
        }
    };
    tokio::select! {
        () = answers => {}
        () = slot.all_found() => {}
        () = sleep_until(until) => {}
        () = host.peer.cancel.cancelled() => return,
    }
    if leads(host) == before {
        return;
    }
    let later = take_again(slot).await;
    let host = &host.until(host.peer.deadline + later);
    let late: PortList = announced(host).into_iter().filter(|p| !ports.contains(*p)).collect();
    if !late.is_empty() && !host.peer.is_over() {
        caught(host, Stage::Ports, look_at_ports(host, &late)).await;
    }
    analyse(host).await;
}

/// What leads to streams besides open ports: services that announced themselves.
fn leads(host: &Inspection) -> usize {
    host.record
        .services()
        .iter()
        .filter(|s| matches!(s.protocol, Protocol::Onvif | Protocol::Upnp | Protocol::Rtsp))
        .count()
}

/// The ports, and then those that announced themselves while the others were looked at.
async fn look_at_all_ports(host: &Inspection, ports: &PortList) {
    // Its parts keep to the host's time by themselves, and what they found by then is said.
    caught(host, Stage::Ports, look_at_ports(host, ports)).await;
    let late: PortList = announced(host).into_iter().filter(|p| !ports.contains(*p)).collect();
    if !late.is_empty() {
        caught(host, Stage::Ports, look_at_ports(host, &late)).await;
    }
}

async fn analyse(host: &Inspection) {
    for probe in probes(host, Phase::Name).chain(probes(host, Phase::Walk)) {
        if host.peer.is_over() {
            break;
        }
        guarded(host, probe.stage, (probe.run)(host)).await;
    }
}

pub(super) fn ports_of(host: &Inspection, own: &[u16]) -> PortList {
    own.iter().copied().chain(announced(host)).chain(host.options.ports.iter().copied()).collect()
}

/// The ports where streams or pages are by discovery, on the plan's list or not. None where the plan wants no ports
/// looked at but the target's own.
fn announced(host: &Inspection) -> Vec<u16> {
    /// A host that announces more is not believed.
    const MOST: usize = 16;
    if host.options.ports.is_empty() {
        return Vec::new();
    }
    let is_read = |s: &Service| {
        let spoken = [Protocol::Rtsp, Protocol::Rtsps, Protocol::Http, Protocol::Https, Protocol::Onvif];
        s.transport == Transport::Tcp && spoken.contains(&s.protocol)
    };
    let mut ports: Vec<u16> = host.record.services().iter().filter(|s| is_read(s)).map(|s| s.port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports.truncate(MOST);
    ports
}

/// The probes of a phase, in the order of the protocols.
pub(super) fn probes(host: &Inspection, phase: Phase) -> impl Iterator<Item = &Probe> {
    host.protocols.iter().flat_map(|rows| rows.probes).filter(move |probe| probe.phase == phase)
}

/// Runs the probes of a phase side by side.
pub(super) async fn ask_all(host: &Inspection, phase: Phase) {
    futures::future::join_all(probes(host, phase).map(|probe| guarded(host, probe.stage, (probe.run)(host)))).await;
}

/// Every port that turns out open is handed to the detectors at once, while the others are still asked. Ports where RTSP
/// is expected stand in one line and the rest in another, so that one silent port cannot hold up everything, and yet a
/// camera that serves one client sees one client.
async fn look_at_ports(host: &Inspection, ports: &PortList) {
    let (found, mut open) = mpsc::channel(64);
    let (rtsp_line, rtsp_ports) = mpsc::unbounded_channel();
    let (other_line, other_ports) = mpsc::unbounded_channel();
    let sort = async move {
        while let Some(port) = open.recv().await {
            host.peer.history.note_open(port);
            let expects_rtsp = [Protocol::Rtsp, Protocol::Rtsps].iter().any(|&p| identify::ports::expects(port, p));
            let line = if expects_rtsp { &rtsp_line } else { &other_line };
            // The receiver lives as long as this future.
            let _ = line.send(port);
        }
    };
    let (outcomes, (), (), ()) = tokio::join!(
        open_ports(host, ports, found),
        sort,
        detect_in_turn(host, rtsp_ports),
        detect_in_turn(host, other_ports)
    );
    host.peer.dialer.close_kept(host.peer.ip);
    outcomes.refused.iter().for_each(|port| host.peer.history.note_refused(*port));
    if outcomes.takes_any_port {
        let message = format!("takes connections on any port: {} of {} asked", outcomes.open.len(), outcomes.asked());
        host.error(Stage::Ports, ErrorKind::Device, message).await;
        return;
    }
    // What is announced there is not, and is walked by no protocol.
    for port in host.peer.history.open_ports().into_iter().filter(|port| host.peer.history.greets_otherwise(*port)) {
        host.emit(FindingKind::Refuses(port)).await;
    }
    let services = host.record.services();
    for port in host.peer.history.open_ports() {
        let here = services.iter().filter(|s| s.transport == Transport::Tcp && s.port == port);
        let spoken: Vec<Protocol> = here.map(|s| s.protocol).collect();
        for evidence in identify::ports::evidence(port, &spoken) {
            host.emit(FindingKind::Evidence(evidence)).await;
        }
    }
}

async fn detect_in_turn(host: &Inspection, mut ports: mpsc::UnboundedReceiver<u16>) {
    /// Ports of a host that are asked again. One that sends everybody away on more of them does so for good.
    const MOST: usize = 4;
    let mut shut = Vec::new();
    let mut in_vain = Duration::ZERO;
    while let Some(port) = ports.recv().await {
        if host.peer.is_over() {
            continue;
        }
        let began = Instant::now();
        let outcome = within_patience(host, in_vain, detect(host, port, shut.len() < MOST)).await;
        if outcome != Outcome::Understood {
            in_vain += began.elapsed();
        }
        if outcome == Outcome::GivenUp {
            let message =
                format!("{}: nothing came of it; not waited for any longer", SocketAddr::new(host.peer.ip, port));
            host.peer.doubt(port, Stage::Ports, ErrorKind::Timeout, &message);
        }
        if outcome == Outcome::Shut && shut.len() < MOST {
            shut.push(port);
        } else {
            host.settle_port(port, outcome == Outcome::Understood, outcome.heard()).await;
        }
    }
    // A device that serves one client at a time may not have noticed that the one before is gone.
    for port in shut {
        host.peer.history.note_shut(port);
        let outcome = if host.peer.is_over() { Outcome::Shut } else { detect(host, port, false).await };
        host.settle_port(port, outcome == Outcome::Understood, outcome.heard()).await;
    }
}

/// What came of asking a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Understood,
    /// Every connection was refused or closed without a word.
    Shut,
    /// It was silent, or nothing that it sent was understood: the most meaningful of what came.
    Unknown(Option<Detection>),
    /// It was silent for too long.
    GivenUp,
}

impl Outcome {
    /// What came that explains best why nothing was understood.
    fn heard(self) -> Option<Detection> {
        match self {
            Outcome::Understood => None,
            Outcome::Shut => Some(Detection::Closed),
            Outcome::Unknown(heard) => heard,
            Outcome::GivenUp => Some(Detection::Silence),
        }
    }
}

/// How long the ports of a host are waited for altogether: as long as one request may take and then some while nothing was
/// heard at all, twice as long while something was, and for all its time once anything was understood or had announced
/// itself. `None` is all its time.
fn patience(host: &Inspection) -> Option<Duration> {
    /// Connecting, and what else is no waiting for an answer.
    const BESIDES: Duration = Duration::from_secs(1);
    let one = host.options.request_timeout;
    match (host.record.services().is_empty(), host.peer.history.has_spoken_at_all()) {
        (false, _) => None,
        (true, true) => Some(one * 2 + BESIDES),
        (true, false) => Some(one + BESIDES),
    }
}

/// Asks a port for as long as the host is worth it, which can grow meanwhile. `spent` went into others in vain.
async fn within_patience(host: &Inspection, spent: Duration, asking: impl Future<Output = Outcome>) -> Outcome {
    let began = Instant::now();
    let mut asking = std::pin::pin!(asking);
    loop {
        let end = patience(host).map(|most| began + most.saturating_sub(spent));
        let Some(end) = end else { return asking.await };
        tokio::select! {
            biased;
            outcome = &mut asking => return outcome,
            () = sleep_until(end) => {}
        }
        if patience(host).is_some_and(|most| began + most.saturating_sub(spent) <= Instant::now()) {
            return Outcome::GivenUp;
        }
    }
}

/// Asks the detectors of a port, those that expect it first, until one has been understood. Those that expect the port
/// are asked in any case: Foscam speaks HTTP and RTSP on one. With `comes_back`, a port that closes without a word on who
/// should be at home there is left at that: who comes next may find room, and take an RTSP server for a web server.
async fn detect(host: &Inspection, port: u16, comes_back: bool) -> Outcome {
    let mut order: Vec<Detector> = host.protocols.iter().filter_map(|rows| rows.detector).collect();
    order.sort_by_key(|d| !(d.expects)(port));
    let mut understood = false;
    let (mut unanswered, mut last) = (0, None);
    let mut closed = false;
    for detector in order {
        if host.peer.is_over() || (understood && !(detector.expects)(port)) || unanswered >= 2 {
            break;
        }
        if host.peer.history.greets_otherwise(port) {
            break;
        }
        let heard = guarded(host, detector.stage, (detector.detect)(host, port)).await;
        tracing::debug!(ip = %host.peer.ip, port, detector = %detector.stage, ?heard, "port asked");
        // An answer in whatever protocol means more than that another question got none.
        last = heard.filter(|h| matches!(h, Detection::Garbage | Detection::Other(_))).or(last).or(heard);
        match heard {
            Some(Detection::Spoken | Detection::SpokenOverTls) => understood = true,
            Some(Detection::Silence) => unanswered += 1,
            Some(Detection::Closed) if comes_back && !host.peer.history.has_spoken(port) => return Outcome::Shut,
            Some(Detection::Closed) => closed = true,
            Some(Detection::Other(_) | Detection::Garbage) | None => {}
        }
    }
    match understood {
        true => Outcome::Understood,
        false if closed && unanswered == 0 && !host.peer.history.has_spoken(port) => Outcome::Shut,
        false => Outcome::Unknown(last),
    }
}

/// The name DNS has for the address. Never asked for loopback addresses, which no server knows.
pub(super) async fn name_of(host: &Inspection) {
    if host.peer.ip.is_loopback() {
        return;
    }
    let limit = Duration::from_secs(2).min(host.peer.time_left());
    if let Ok(Ok(Some(name))) = timeout(limit, host.peer.net().reverse(host.peer.ip)).await
        && let Some(name) = crate::text::clean_some(name.trim_end_matches('.'))
    {
        host.match_signatures(Field::Hostname, &name).await;
        host.emit(FindingKind::Evidence(Evidence::new(Fact::Hostname, name, EvidenceSource::Dns, 0.9))).await;
    }
}

/// Runs one step within the host's time; a panic in it becomes that step's error.
pub(super) async fn guarded<T>(host: &Inspection, stage: Stage, step: impl Future<Output = T>) -> Option<T> {
    caught(host, stage, timeout(host.peer.time_left(), step)).await?.ok()
}

/// Runs one step; a panic in it becomes that step's error.
pub(super) async fn caught<T>(host: &Inspection, stage: Stage, step: impl Future<Output = T>) -> Option<T> {
    let outcome = AssertUnwindSafe(step).catch_unwind().await;
    if outcome.is_err() {
        host.error(stage, ErrorKind::Local, INTERNAL_ERROR).await;
    }
    outcome.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::model::{ProbeOptions, StreamStatus};
    use crate::protocol::PROTOCOLS;
    use crate::testkit::net::{FakeNet, Reply};

    const SDP: &str = "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\n";

    /// A slot in a scan that looks for nobody else.
    fn slot() -> Slot {
        let all_found = CancellationToken::new();
        all_found.cancel();
        Slot::new([192, 0, 2, 10].into(), Arc::new(Semaphore::new(1)), None, all_found)
    }

    fn service(protocol: Protocol, port: u16) -> FindingKind {
        FindingKind::Service(Service::new(protocol, Transport::Tcp, port))
    }

    #[test]
    fn announced_ports_come_before_the_plans() {
        let options = ProbeOptions { ports: vec![80, 554], ..ProbeOptions::default() };
        let (mut host, _said) = Inspection::for_test(FakeNet::new(), "192.0.2.10", options);
        for kind in [service(Protocol::Rtsp, 49_554), service(Protocol::Http, 80), service(Protocol::Sadp, 37_020)] {
            host.record.learn(&kind);
        }
        assert_eq!(ports_of(&host, &[8554]).as_slice(), [8554, 80, 49_554, 554]);
        let only_own = ProbeOptions { ports: Vec::new(), ..ProbeOptions::default() };
        host.options = only_own.into();
        assert_eq!(ports_of(&host, &[8554]).as_slice(), [8554]);
    }

    /// RTSP is expected on 8080, and a web server is there; on 554 nothing is.
    #[tokio::test(start_paused = true)]
    async fn a_port_that_speaks_something_else_leaves_no_error() {
        let net = FakeNet::new();
        net.answer("192.0.2.10:8080", |asked| match asked.text.lines().next() {
            Some(line) if line.contains("HTTP/") => Reply::Last(b"HTTP/1.0 200 OK\r\n\r\n<title>x</title>".to_vec()),
            _ => Reply::Last(Vec::new()),
        });
        net.serve("192.0.2.10:554", |_, _| async {});
        let options = ProbeOptions { ports: vec![554, 8080], ..ProbeOptions::default() };
        let (mut host, mut said) = Inspection::for_test(net, "192.0.2.10", options);
        host.protocols = PROTOCOLS.into();
        inspect(host, &[], false, &mut slot()).await;
        let mut errors = Vec::new();
        while let Ok(finding) = said.try_recv() {
            if let FindingKind::Error(error) = finding.kind {
                errors.push(error.message);
            }
        }
        assert!(errors.iter().any(|e| e.contains(":554/")), "{errors:?}");
        assert!(!errors.iter().any(|e| e.contains("8080")), "{errors:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_announced_while_the_others_are_looked_at_is_looked_at_too() {
        let net = FakeNet::new();
        net.answer("192.0.2.10:49554", |asked| {
            let cseq = asked.header("CSeq").unwrap_or_default();
            let body = if asked.method() == "DESCRIBE" { SDP } else { "" };
            Reply::text(format!(
                "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nPublic: DESCRIBE\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ))
        });
        let options =
            ProbeOptions { ports: vec![81], verify: crate::model::Verify::Describe, ..ProbeOptions::default() };
        let (mut host, mut said) = Inspection::for_test(net.clone(), "192.0.2.10", options);
        host.protocols = PROTOCOLS.into();
        let record = host.record.clone();
        net.serve("192.0.2.10:81", move |_, _| {
            record.learn(&service(Protocol::Rtsp, 49_554));
            async {}
        });
        inspect(host, &[], false, &mut slot()).await;
        let streams = crate::probe::testing::streams(&mut said);
        assert!(
            streams.iter().any(|s| s.status == StreamStatus::Described && s.url.contains(":49554/")),
            "{streams:?}"
        );
    }
}
