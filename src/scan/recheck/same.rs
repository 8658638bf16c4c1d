//! What was found of a device now, held against what was known of it. Pure.

use crate::history::stable::is_measured;
use crate::history::stream_key::keyed;
use crate::identify;
use crate::model::{Device, Evidence, EvidenceSource, Fact, FindingKind, HostRecord, Service, Stream};

/// Whether what was said of a device is what was said of it then.
pub(super) fn says_nothing_new(evidence: &[Evidence], known: &Device) -> bool {
    let names_device = |e: &&Evidence| {
        let is_of_itself = !matches!(
            e.source,
            EvidenceSource::Dns | EvidenceSource::Oui | EvidenceSource::Port | EvidenceSource::Stream
        );
        is_of_itself && e.fact != Fact::Kind
    };
    let is_known =
        |e: &Evidence| known.evidence.iter().any(|k| (k.fact, k.source, &k.value) == (e.fact, e.source, &e.value));
    // As a report words it.
    identify::weigh(evidence).ranked.iter().filter(names_device).all(is_known)
}

/// Whether a finding is of no service, or of one that was known. What is announced of it may be worded otherwise.
pub(super) fn is_known_service(known: &Device, kind: &FindingKind) -> bool {
    let (service, is_announced) = match kind {
        FindingKind::Service(service) => (service, false),
        FindingKind::Announced(service) => (service, true),
        _ => return true,
    };
    let key = (service.port, service.protocol, service.transport);
    let same = known.services.iter().find(|known| (known.port, known.protocol, known.transport) == key);
    same.is_some_and(|then| is_announced || is_same_service(then, service))
}

/// Whether a service demands the same login and calls itself the same, as far as it was asked.
pub(super) fn is_same_service(then: &Service, now: &Service) -> bool {
    let is_same_login = match (&then.auth, &now.auth) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(then), Some(now)) => then.is_empty() == now.is_empty() && now.iter().all(|scheme| then.contains(scheme)),
    };
    let is_same = |then: &Option<String>, now: &Option<String>| now.is_none() || then == now;
    is_same_login && is_same(&then.server, &now.server) && is_same(&then.realm, &now.realm)
}

/// The streams with what was measured now, where they are those that were known, and no others.
pub(super) fn same_streams(known: &Device, now: &HostRecord) -> Option<Vec<Stream>> {
    let (then, now) = (keyed(&known.streams), keyed(now.streams()));
    if then.len() != now.len() {
        return None;
    }
    then.iter().map(|(key, then)| now.get(key).filter(|now| is_same(then, now)).map(|now| renewed(then, now))).collect()
}

pub(super) fn is_same(then: &Stream, now: &Stream) -> bool {
    let picture = |stream: &Stream| {
        let video = stream.video.clone().unwrap_or_default();
        (video.codec, video.width, video.height, video.profile, video.level)
    };
    let sound =
        |stream: &Stream| stream.audio.as_ref().map(|audio| (audio.codec, audio.sample_rate_hz, audio.channels));
    let failed = |stream: &Stream| stream.error.as_ref().map(|error| error.kind);
    (then.status, then.open, then.transport, then.multicast) == (now.status, now.open, now.transport, now.multicast)
        && then.video.is_some() == now.video.is_some()
        && picture(then) == picture(now)
        && sound(then) == sound(now)
        && then.parameter_sets == now.parameter_sets
        && then.back_channel == now.back_channel
        && failed(then) == failed(now)
}

/// What is known of a stream, with what was measured now.
pub(super) fn renewed(then: &Stream, now: &Stream) -> Stream {
    let mut stream = then.clone();
    stream.url.clone_from(&now.url);
    if let (Some(video), Some(now)) = (&mut stream.video, &now.video) {
        (video.measured_fps, video.measured_kbps) = (now.measured_fps, now.measured_kbps);
        video.keyframe_interval_s = now.keyframe_interval_s;
    }
    if let (Some(audio), Some(now)) = (&mut stream.audio, &now.audio) {
        (audio.measured_kbps, audio.measured_packets) = (now.measured_kbps, now.measured_packets);
    }
    stream.ladder.clone_from(&now.ladder);
    stream.error.clone_from(&now.error);
    stream.warnings.retain(|warning| !is_measured(warning));
    for warning in &now.warnings {
        if !stream.warnings.contains(warning) {
            stream.warnings.push(warning.clone());
        }
    }
    stream
}
