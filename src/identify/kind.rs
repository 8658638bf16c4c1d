//! What a device is. A camera needs positive evidence; what is known to be something else is that, unless there is evidence
//! that it films.

use super::{CERTAIN, Decision, Weights, counts, sources};
use crate::model::{Evidence, EvidenceSource, Fact, Kind};

/// Evidence that weighs less in total decides nothing: a maker's private port alone, a host called `cam1`.
const LEAST: f64 = 0.35;
/// The same for evidence of a program that serves streams: cameras are built on GStreamer too.
const LEAST_FOR_SOFTWARE: f64 = 0.3;

/// The kinds that film, or record what does.
const FILMING: [Kind; 4] = [Kind::Camera, Kind::Recorder, Kind::Encoder, Kind::Intercom];
/// Those of them that need evidence of their own; the others are cameras.
const SPECIAL: [Kind; 3] = [Kind::Recorder, Kind::Encoder, Kind::Intercom];

/// What was decided.
pub(super) struct KindDecision {
    pub(super) kind: Kind,
    pub(super) confidence: f64,
    /// None without any evidence.
    pub(super) decision: Option<Decision>,
}

/// The evidence for each kind.
struct KindWeights(Vec<(Kind, Weights)>);

impl KindWeights {
    fn new<'a>(evidence: impl Iterator<Item = &'a Evidence>) -> Self {
        let mut by_kind = KindWeights(Vec::new());
        for item in evidence {
            let Some(kind) = Kind::from_name(&item.value) else { continue };
            let at = by_kind.0.iter().position(|(k, _)| *k == kind).unwrap_or_else(|| {
                by_kind.0.push((kind, Weights::default()));
                by_kind.0.len() - 1
            });
            if let Some((_, weights)) = by_kind.0.get_mut(at) {
                weights.add(item.source, counts(item));
            }
        }
        by_kind.0.sort_by_key(|(kind, _)| *kind);
        by_kind
    }

    fn of(&self, kind: Kind) -> Weights {
        self.0.iter().find(|(k, _)| *k == kind).map(|(_, weights)| weights.clone()).unwrap_or_default()
    }

    /// All evidence that it films, whatever it is called.
    fn filming(&self) -> Weights {
        let mut all = Weights::default();
        FILMING.iter().for_each(|&kind| all.add_all(&self.of(kind)));
        all
    }
}

/// The rules, in this order:
/// 1. a media server, when the evidence for a program that serves streams (MediaMTX, Wowza) outweighs all evidence for a
///    device except its streams, unless nothing streams and there is more evidence for something else;
/// 2. something else (a printer, AirPlay, a NAS), when the evidence for that does; a media server if it streams all the same;
/// 3. with enough evidence for a device that films, a recorder, encoder or intercom if there is evidence for that, else a
///    camera;
/// 4. otherwise something else.
pub(super) fn decide<'a>(evidence: impl Iterator<Item = &'a Evidence>) -> KindDecision {
    let by_kind = KindWeights::new(evidence);
    let (software, other, filming) = (by_kind.of(Kind::MediaServer), by_kind.of(Kind::Other), by_kind.filming());
    let mut device = filming.clone();
    let streams = device.0.remove(&EvidenceSource::Stream);
    let (for_device, for_software, for_other) = (device.total(), software.total(), other.total());
    // Evidence for a device lowers the confidence that it is something else.
    let doubted = |weight: f64| weight * (1.0 - for_device / 2.0);

    // Audio servers are built on GStreamer too: clear evidence that there is no picture wins.
    let is_outweighed = for_other >= LEAST && for_other > for_software && streams.is_none();
    let (kind, weights, confidence) =
        if for_software >= LEAST_FOR_SOFTWARE && for_software > for_device && !is_outweighed {
            let mut weights = software;
            streams.into_iter().for_each(|weight| weights.add(EvidenceSource::Stream, weight));
            let weight = weights.total();
            (Kind::MediaServer, weights, doubted(weight))
        } else if for_other >= LEAST && for_other >= for_device {
            match streams {
                Some(weight) => (Kind::MediaServer, Weights::of(EvidenceSource::Stream, weight), doubted(weight)),
                None => (Kind::Other, other, doubted(for_other)),
            }
        } else if filming.total() >= LEAST {
            // Evidence against it counts only as far as the streams are the only evidence for it.
            let sure = filming.total() * (1.0 - for_other.max(for_software) * (1.0 - for_device));
            match special(&by_kind) {
                Some((kind, weights)) => (kind, weights.clone(), sure * (0.5 + weights.total() / 2.0)),
                None => (Kind::Camera, filming, sure),
            }
        } else {
            (Kind::Other, other, for_other)
        };
    let confidence = confidence.min(CERTAIN);
    KindDecision { kind, confidence, decision: explain(kind, confidence, &weights, &by_kind) }
}

/// The special kind with enough evidence, unless the model's name is as strong evidence for a camera.
fn special(by_kind: &KindWeights) -> Option<(Kind, Weights)> {
    let model = |weights: &Weights| weights.0.get(&EvidenceSource::Model).copied().unwrap_or(0.0);
    let camera = model(&by_kind.of(Kind::Camera));
    SPECIAL
        .iter()
        .map(|&kind| (kind, by_kind.of(kind)))
        .filter(|(_, weights)| weights.total() >= LEAST && (weights.total() > camera || model(weights) > camera))
        .max_by(|(a, x), (b, y)| model(x).total_cmp(&model(y)).then(x.total().total_cmp(&y.total())).then(b.cmp(a)))
}

fn explain(kind: Kind, confidence: f64, weights: &Weights, by_kind: &KindWeights) -> Option<Decision> {
    if by_kind.0.is_empty() {
        return None;
    }
    let mut losers: Vec<(String, f64)> = by_kind
        .0
        .iter()
        .filter(|(k, _)| *k != kind)
        .map(|(k, weights)| (k.as_str().to_owned(), weights.total()))
        .collect();
    losers.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let value = kind.as_str().to_owned();
    Some(Decision { fact: Fact::Kind, value, confidence, sources: sources(weights), losers })
}
