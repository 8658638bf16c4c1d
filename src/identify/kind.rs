//! What a device is. A camera needs positive evidence; what is known to be something else is that, unless something says
//! that it films.

use super::{CERTAIN, Decision, Words, counts, sources};
use crate::model::{Evidence, EvidenceSource, Fact, Kind};

/// Words that weigh less together say nothing: a maker's private port alone, a host called `cam1`.
const LEAST: f64 = 0.35;
/// Words for a program that serves streams that weigh less say nothing: cameras are built on GStreamer too.
const LEAST_FOR_SOFTWARE: f64 = 0.3;

/// The kinds that film, or record what does.
const FILMING: [Kind; 4] = [Kind::Camera, Kind::Recorder, Kind::Encoder, Kind::Intercom];
/// Those of them that must be said to be so; the others are cameras.
const SPECIAL: [Kind; 3] = [Kind::Recorder, Kind::Encoder, Kind::Intercom];

/// What was decided.
pub(super) struct KindDecision {
    pub(super) kind: Kind,
    pub(super) confidence: f64,
    /// None when nothing was said.
    pub(super) decision: Option<Decision>,
}

/// All words on the kind.
struct Detection(Vec<(Kind, Words)>);

impl Detection {
    fn new<'a>(said: impl Iterator<Item = &'a Evidence>) -> Self {
        let mut heard = Detection(Vec::new());
        for evidence in said {
            let Some(kind) = Kind::from_name(&evidence.value) else { continue };
            let at = heard.0.iter().position(|(k, _)| *k == kind).unwrap_or_else(|| {
                heard.0.push((kind, Words::default()));
                heard.0.len() - 1
            });
            if let Some((_, words)) = heard.0.get_mut(at) {
                words.hear(evidence.source, counts(evidence));
            }
        }
        heard.0.sort_by_key(|(kind, _)| *kind);
        heard
    }

    fn of(&self, kind: Kind) -> Words {
        self.0.iter().find(|(k, _)| *k == kind).map(|(_, words)| words.clone()).unwrap_or_default()
    }

    /// Everything that says it films, whatever it is called.
    fn filming(&self) -> Words {
        let mut all = Words::default();
        FILMING.iter().for_each(|&kind| all.join(&self.of(kind)));
        all
    }
}

/// The rules, in this order:
/// 1. words for a program that serves streams (MediaMTX, Wowza) outweigh all that speaks for a device except its streams:
///    a media server, unless nothing streams and more speaks for something else;
/// 2. so do words for something else (a printer, AirPlay, a NAS): that, or a media server if it streams all the same;
/// 3. enough speaks for a device that films: a recorder, encoder or intercom if that is said, else a camera;
/// 4. else something else.
pub(super) fn decide<'a>(said: impl Iterator<Item = &'a Evidence>) -> KindDecision {
    let heard = Detection::new(said);
    let (software, other, filming) = (heard.of(Kind::MediaServer), heard.of(Kind::Other), heard.filming());
    let mut device = filming.clone();
    let streams = device.0.remove(&EvidenceSource::Stream);
    let (for_device, for_software, for_other) = (device.weight(), software.weight(), other.weight());
    // What speaks for a device takes a share of the doubt it raises.
    let doubted = |weight: f64| weight * (1.0 - for_device / 2.0);

    // A server of sound is built on GStreamer, too: what says clearly that there is no picture holds.
    let is_outweighed = for_other >= LEAST && for_other > for_software && streams.is_none();
    let (kind, words, confidence) = if for_software >= LEAST_FOR_SOFTWARE && for_software > for_device && !is_outweighed
    {
        let mut words = software;
        streams.into_iter().for_each(|weight| words.hear(EvidenceSource::Stream, weight));
        let weight = words.weight();
        (Kind::MediaServer, words, doubted(weight))
    } else if for_other >= LEAST && for_other >= for_device {
        match streams {
            Some(weight) => (Kind::MediaServer, Words::of(EvidenceSource::Stream, weight), doubted(weight)),
            None => (Kind::Other, other, doubted(for_other)),
        }
    } else if filming.weight() >= LEAST {
        // What speaks against it counts only as far as nothing but the streams speaks for it.
        let sure = filming.weight() * (1.0 - for_other.max(for_software) * (1.0 - for_device));
        match special(&heard) {
            Some((kind, words)) => (kind, words.clone(), sure * (0.5 + words.weight() / 2.0)),
            None => (Kind::Camera, filming, sure),
        }
    } else {
        (Kind::Other, other, for_other)
    };
    let confidence = confidence.min(CERTAIN);
    KindDecision { kind, confidence, decision: explain(kind, confidence, &words, &heard) }
}

/// The special kind that is said, if it is said clearly enough and the model's name does not say camera as clearly.
fn special(heard: &Detection) -> Option<(Kind, Words)> {
    let model = |words: &Words| words.0.get(&EvidenceSource::Model).copied().unwrap_or(0.0);
    let camera = model(&heard.of(Kind::Camera));
    SPECIAL
        .iter()
        .map(|&kind| (kind, heard.of(kind)))
        .filter(|(_, words)| words.weight() >= LEAST && (words.weight() > camera || model(words) > camera))
        .max_by(|(a, x), (b, y)| model(x).total_cmp(&model(y)).then(x.weight().total_cmp(&y.weight())).then(b.cmp(a)))
}

fn explain(kind: Kind, confidence: f64, words: &Words, heard: &Detection) -> Option<Decision> {
    if heard.0.is_empty() {
        return None;
    }
    let mut losers: Vec<(String, f64)> =
        heard.0.iter().filter(|(k, _)| *k != kind).map(|(k, words)| (k.as_str().to_owned(), words.weight())).collect();
    losers.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let value = kind.as_str().to_owned();
    Some(Decision { fact: Fact::Kind, value, confidence, sources: sources(words), losers })
}
