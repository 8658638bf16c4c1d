//! A device that was analysed not long ago: its open ports are looked at and its streams are proved again, and where all is
//! as it was, nothing else is asked.
//!
//! What is found meanwhile is held back until that is decided. If anything is different, it is thrown away and the device
//! is analysed from the beginning; only its logins and what was learnt of its ports stay.

mod same;

use std::collections::BTreeSet;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::inspect::{self, ask_all, caught, guarded, name_of, ports_of, probes};
use super::slot::Slot;
use crate::identify;
use crate::model::finding::StreamHint;
use crate::model::{
    Device, ErrorKind, Evidence, EvidenceSource, Fact, FindingKind, HostRecord, KnownDevice, PortList, ProbeOptions,
    Protocol, Service, Stage, StageError, Stream, StreamSource, StreamStatus, Transport, Verify, WarningKind,
};
use crate::probe::{Inspection, Phase};
use crate::protocol::onvif;
use crate::protocol::tcp::ports::open_ports;
use same::{is_known_service, same_streams, says_nothing_new};

/// Findings that are held back; a device of which more is found is analysed anew.
const MOST_FINDINGS: usize = 4096;
/// Why a device is analysed anew that may be another one.
const UNRECOGNISABLE: &str = "nothing tells it from another one";

/// Inspects a host as [`inspect::inspect`] does, and asks it who it is before that where a login waits for the answer. Of a device that is `known` and has not changed only the streams are proved.
pub(super) async fn inspect(
    host: Inspection,
    known: Option<&KnownDevice>,
    own_ports: &[u16],
    resolve_name: bool,
    slot: &mut Slot,
) {
    if host.record.awaits_endpoint() {
        ask_endpoint(&host).await;
    }
    let known = known.filter(|known| !host.options.ports.is_empty() && is_worthwhile(&known.device, &host.options));
    let Some(known) = known else { return inspect::inspect(host, own_ports, resolve_name, slot).await };
    let began = Instant::now();
    let name = async {
        if resolve_name {
            guarded(&host, Stage::Dns, name_of(&host)).await;
        }
    };
    let ports = ports_of(&host, own_ports);
    let recheck = async { tokio::join!(recheck(&host, known, &ports, resolve_name, slot), name).0 };
    let outcome = caught(&host, Stage::Host, recheck).await;
    let seconds = began.elapsed().as_secs_f64();
    match outcome {
        Some(Ok(())) => {
            tracing::debug!(ip = %host.peer.ip, seconds, "as it was when it was analysed");
            return host.emit_login_attempts().await;
        }
        Some(Err(what)) => tracing::debug!(ip = %host.peer.ip, seconds, what, "not as it was: analysed in full"),
        None => {}
    }
    // What it took to see that is no time of the host's.
    let host = host.until(host.peer.deadline + began.elapsed());
    inspect::inspect(host, own_ports, false, slot).await;
}

/// Asks a host by UDP who it is, before all else: a check asks for one stream, and nothing of it would lead to the endpoint.
/// What else the host says to it is left to those who ask for that.
async fn ask_endpoint(host: &Inspection) {
    let (sender, mut findings) = mpsc::channel(64);
    let question = host.afresh(sender);
    let left_out = async { while findings.recv().await.is_some() {} };
    tokio::select! {
        () = ask_all(&question, Phase::Inquiry) => {}
        () = left_out => {}
    }
    if let Some(endpoint) = question.record.endpoint_id() {
        host.emit(FindingKind::EndpointId(endpoint)).await;
    }
    // By what stands in its own record, not in that of the question.
    host.record.offer_logins();
}

/// Whether a device can be recognised by its streams, and all about it was well: it has streams, each was proved, and nothing
/// was odd that may be over by now.
fn is_worthwhile(device: &Device, options: &ProbeOptions) -> bool {
    let proved = match options.verify {
        Verify::None => return false,
        Verify::Describe => StreamStatus::Described,
        Verify::Frames => StreamStatus::Streaming,
    };
    // Without any login to offer, a demand for one is all there is to prove.
    let has_no_login = options.credentials.is_empty() && device.login_attempts.is_none();
    let is_proved = |stream: &Stream| {
        stream.status == proved
            || (stream.status == StreamStatus::AuthRequired && has_no_login && stream.open != Some(true))
    };
    let stays = |error: &StageError| {
        error.stage != Stage::Ports && matches!(error.kind, ErrorKind::Protocol | ErrorKind::NotFound)
    };
    !device.streams.is_empty()
        && device.streams.iter().all(|stream| is_proved(stream) && stream.is_whole())
        && device.reach.is_none()
        && device.errors.iter().all(stays)
        && device.warnings.iter().all(|warning| is_judged_anew(warning.kind))
        // Pictures and answers word by word are not remembered.
        && options.snapshots.is_none()
        && !options.in_depth
}

/// Whether a warning rests on nothing that has to be asked for again: every scan compares its devices.
fn is_judged_anew(kind: WarningKind) -> bool {
    matches!(kind, WarningKind::DynamicAddress | WarningKind::DuplicateSerial | WarningKind::DuplicateEndpoint)
}

/// Whether something tells it from another device of the same kind at the same address, or nothing ever did: its network
/// card, else an identity that no other device states.
fn is_recognisable(host: &Inspection, device: &Device) -> bool {
    let is_doubled = device.warnings.iter().any(|warning| warning.kind == WarningKind::DuplicateEndpoint);
    let has_own_identity = device.endpoint.is_some() && !is_doubled;
    host.record.link_mac().is_some() || has_own_identity || (device.mac.is_none() && device.serial.is_none())
}

/// Whether what tells it from another device may still come: a host of the link can answer before its network card is known.
fn may_be_recognised(host: &Inspection, device: &Device, slot: &Slot) -> bool {
    let is_neighbour = host.peer.dialer.neighbour_table().is_neighbour(host.peer.ip);
    is_recognisable(host, device) || (device.mac.is_some() && is_neighbour && slot.is_early())
}

/// Waits for that in nobody's slot. Without the right to ask by ARP, what the kernel learnt of its neighbours is read when
/// everybody has been asked.
async fn await_recognition(host: &Inspection, device: &Device, slot: &mut Slot) {
    if is_recognisable(host, device) || !may_be_recognised(host, device, slot) {
        return;
    }
    slot.release();
    let known = async {
        while !is_recognisable(host, device) {
            host.record.news().await;
        }
    };
    tokio::select! {
        () = known => {}
        () = slot.all_found() => {}
        () = host.peer.cancel.cancelled() => return,
    }
    slot.take().await;
}

/// Looks at the ports and proves the streams of a device. Where all is as it was, all that is known of it is emitted, with
/// what was measured now; otherwise nothing is, and the error names what is different.
async fn recheck(
    host: &Inspection,
    known: &KnownDevice,
    ports: &PortList,
    names_are_asked: bool,
    slot: &mut Slot,
) -> Result<(), &'static str> {
    let device = &known.device;
    is_still(host, device)?;
    let has_same_ports = has_same_ports(host, device, ports).await;
    let unlike = match (has_same_ports, may_be_recognised(host, device, slot)) {
        (false, _) => Some("the open ports"),
        (true, false) => Some(UNRECOGNISABLE),
        (true, true) => None,
    };
    if let Some(unlike) = unlike {
        host.peer.dialer.close_kept(host.peer.ip);
        return Err(unlike);
    }
    let found = prove(host, device).await;
    host.peer.dialer.close_kept(host.peer.ip);
    await_recognition(host, device, slot).await;
    match compared(host, device, &found) {
        Ok(streams) => {
            let seen = found.into_iter().filter(|kind| matches!(kind, FindingKind::Seen(_)));
            for kind in seen {
                host.emit(kind).await;
            }
            emit(host, known, streams, names_are_asked).await;
            Ok(())
        }
        Err(what) => {
            // Logins that were offered for what was remembered are offered for what is found.
            host.record.offer_logins();
            if host.peer.is_over() {
                // No time is left to find it once more.
                for kind in found {
                    host.emit(kind).await;
                }
            }
            Err(what)
        }
    }
}

/// The streams with what was measured now, where nothing that was found is different; else what is.
fn compared(host: &Inspection, device: &Device, found: &[FindingKind]) -> Result<Vec<Stream>, &'static str> {
    let mut now = HostRecord::new();
    found.iter().for_each(|kind| now.learn(kind.clone()));
    if found.len() >= MOST_FINDINGS {
        return Err("more than can be compared");
    }
    is_still(host, device)?;
    if !is_recognisable(host, device) {
        return Err(UNRECOGNISABLE);
    }
    says_the_same(device, &now, host)?;
    if !found.iter().all(|kind| is_known_service(device, kind)) {
        return Err("a service");
    }
    same_streams(device, &now).ok_or("the streams")
}

/// Whether all that has been heard of a device so far, by the link and by discovery, is what was known.
fn is_still(host: &Inspection, known: &Device) -> Result<(), &'static str> {
    let record = &host.record;
    let is_known = |service: &Service| {
        let key = (service.port, service.protocol, service.transport);
        known.services.iter().any(|known| (known.port, known.protocol, known.transport) == key)
    };
    let same = [
        ("the network card", record.link_mac().is_none_or(|mac| known.mac == Some(mac))),
        ("its identity", record.endpoint_id().is_none_or(|endpoint| known.endpoint == Some(endpoint))),
        ("whether it was set up", record.activation().is_none_or(|activation| known.activation == Some(activation))),
        ("what it announces", record.services().iter().all(is_known)),
        ("what it states of itself", says_nothing_new(&record.evidence(), known)),
    ];
    same.into_iter().find(|(_, is_same)| !is_same).map_or(Ok(()), |(what, _)| Err(what))
}

/// Asks the ports, and whether those that are open are those that were.
async fn has_same_ports(host: &Inspection, known: &Device, ports: &PortList) -> bool {
    let then: BTreeSet<u16> = known.services.iter().filter(|s| s.transport == Transport::Tcp).map(|s| s.port).collect();
    let asked: PortList = then.iter().copied().chain(ports.iter()).collect();
    let (sender, mut told) = mpsc::channel(64);
    let take = async {
        while let Some(port) = told.recv().await {
            host.peer.history.note_open(port);
        }
    };
    let (outcomes, ()) = tokio::join!(open_ports(host, &asked, sender), take);
    let open: BTreeSet<u16> = outcomes.open.iter().copied().collect();
    !outcomes.takes_any_port && then.is_subset(&open) && are_known(known, &open)
}

/// Whether each open port speaks something that is known, or is one that makers keep to themselves and was open then.
fn are_known(known: &Device, open: &BTreeSet<u16>) -> bool {
    let is_of_port = |e: &&Evidence| e.source == EvidenceSource::Port;
    let then: BTreeSet<&str> = known.evidence.iter().filter(is_of_port).filter_map(|e| e.detail.as_deref()).collect();
    let mut now = BTreeSet::new();
    for port in open {
        let here = known.services.iter().filter(|s| s.transport == Transport::Tcp && s.port == *port);
        let spoken: Vec<_> = here.map(|service| service.protocol).collect();
        let evidence = identify::ports::evidence(*port, &spoken);
        if spoken.is_empty() && evidence.is_empty() {
            return false;
        }
        now.extend(evidence.into_iter().filter_map(|e| e.detail));
    }
    then.into_iter().eq(now.iter().map(String::as_str))
}

/// What the analysis of streams has to know: what the device is, and where its streams are.
fn remember(look: &Inspection, known: &Device) {
    for kind in facts(known) {
        look.record.learn(&kind);
    }
    for stream in &known.streams {
        let is_declared = stream.sources.contains(&StreamSource::Onvif);
        let hint = StreamHint {
            channel: stream.channel,
            profile_name: stream.profile_name.clone(),
            profile_token: stream.profile_token.clone(),
            video: stream.video.clone().filter(|_| is_declared).map(|video| crate::model::Video {
                measured_fps: None,
                measured_kbps: None,
                keyframe_interval_s: None,
                ..video
            }),
            audio: stream.audio.clone().filter(|_| is_declared).map(|audio| crate::model::Audio {
                measured_kbps: None,
                measured_packets: None,
                ..audio
            }),
            is_asked_for: true,
            ..StreamHint::new(stream.url.clone())
        };
        look.record.learn(&FindingKind::StreamHint(hint));
    }
}

/// The ONVIF service of a device that stated its firmware there without any login.
fn tells_firmware(known: &Device) -> Option<&Service> {
    let is_told = known.evidence.iter().any(|e| e.fact == Fact::Firmware && e.source == EvidenceSource::Onvif);
    let is_open = |service: &&Service| {
        service.protocol == Protocol::Onvif
            && service.transport == Transport::Tcp
            && service.auth.as_ref().is_some_and(Vec::is_empty)
    };
    known.services.iter().find(is_open).filter(|_| is_told)
}

/// Proves the streams, and asks the device who it is where it needs no login to answer: by UDP, a few datagrams, and over ONVIF
/// for its firmware. What all of them find.
async fn prove(host: &Inspection, known: &Device) -> Vec<FindingKind> {
    let (sender, mut findings) = mpsc::channel(64);
    // What is remembered would keep it from being asked.
    let (look, question) = (host.afresh(sender.clone()), host.afresh(sender));
    remember(&look, known);
    let identity = async {
        if let Some(service) = tells_firmware(known) {
            // In a box: what an inspection holds stands on one stack.
            guarded(&question, Stage::Onvif, Box::pin(onvif::analyze::ask_identity(&question, service))).await;
        }
    };
    let streams = async {
        for probe in probes(&look, Phase::Walk) {
            if look.peer.is_over() {
                break;
            }
            guarded(&look, probe.stage, (probe.run)(&look)).await;
        }
    };
    let mut found = Vec::new();
    let mut all = std::pin::pin!(async { tokio::join!(ask_all(&question, Phase::Inquiry), identity, streams) });
    loop {
        tokio::select! {
            biased;
            Some(finding) = findings.recv() => found.push(finding.kind),
            _ = &mut all => break,
        }
        found.truncate(MOST_FINDINGS);
    }
    while let Ok(finding) = findings.try_recv() {
        found.push(finding.kind);
    }
    found
}

/// Whether what was found beside the streams was known.
fn says_the_same(known: &Device, now: &HostRecord, host: &Inspection) -> Result<(), &'static str> {
    let is_same_identity = now.endpoint_id().is_none_or(|now| known.endpoint.as_deref() == Some(now));
    let is_identified = match (host.record.link_mac(), &known.endpoint) {
        (Some(mac), _) => known.mac == Some(mac),
        (None, Some(_)) => now.endpoint_id().is_some(),
        (None, None) => true,
    };
    let same = [
        ("its identity", is_same_identity && is_identified),
        ("an error", now.errors().iter().all(|error| known.errors.contains(error))),
        ("whether it was set up", now.activation().is_none_or(|activation| known.activation == Some(activation))),
        ("what it states of itself", says_nothing_new(now.evidence(), known)),
    ];
    same.into_iter().find(|(_, is_same)| !is_same).map_or(Ok(()), |(what, _)| Err(what))
}

/// What is known of a device and was not asked again. What the registry concludes by itself is left out.
fn facts(known: &Device) -> impl Iterator<Item = FindingKind> + '_ {
    let is_concluded = |e: &Evidence| matches!(e.source, EvidenceSource::Stream | EvidenceSource::Oui);
    let evidence = known.evidence.iter().filter(move |e| !is_concluded(e)).cloned().map(FindingKind::Evidence);
    evidence.chain(known.services.iter().cloned().map(FindingKind::Service))
}

/// Emits what is known of a device, and what its streams showed now.
async fn emit(host: &Inspection, known: &KnownDevice, streams: Vec<Stream>, names_are_asked: bool) {
    let device = &known.device;
    let is_asked_anew = |kind: &FindingKind| matches!(kind, FindingKind::Evidence(e) if names_are_asked && e.source == EvidenceSource::Dns);
    let stated = device.mac.filter(|_| host.record.link_mac().is_none());
    let single = [
        stated.map(FindingKind::StatedMac),
        device.endpoint.clone().map(FindingKind::EndpointId),
        device.network.map(FindingKind::Network),
        device.activation.map(FindingKind::Activation),
        device.certificate_ends.map(FindingKind::CertificateEnd),
        Some(FindingKind::AnalysedAt(known.analysed_at)),
        device.offers_digest.then_some(FindingKind::OffersDigest),
    ];
    let channels = device.channels.iter().cloned().map(|channel| FindingKind::Channel(Box::new(channel)));
    let errors = device.errors.iter().cloned().map(FindingKind::Error);
    let streams = streams.into_iter().map(|stream| FindingKind::Stream(Box::new(stream)));
    let facts = facts(device).filter(|kind| !is_asked_anew(kind));
    for kind in facts.chain(single.into_iter().flatten()).chain(channels).chain(errors).chain(streams) {
        host.emit(kind).await;
    }
}

#[cfg(test)]
mod tests;
