//! Evidence in, identity out: vendor, model, kind, confidence. Pure; no socket, no clock.

pub mod oui;
pub mod ports;
pub mod signature;
pub mod stream_url;
pub mod vendor;

use crate::model::{Evidence, Fact, Kind};

/// What the evidence amounts to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The evidence, the decisive word of each fact first.
    pub ranked: Vec<Evidence>,
    /// What the device is.
    pub kind: Kind,
    /// How sure that is, 0..1.
    pub confidence: f64,
}

impl Verdict {
    /// The value that won for a fact.
    pub fn winner(&self, fact: Fact) -> Option<&str> {
        self.ranked.iter().find(|e| e.fact == fact).map(|e| e.value.as_str())
    }
}

/// Weighs evidence against evidence.
pub fn weigh(evidence: &[Evidence]) -> Verdict {
    let mut ranked = evidence.to_vec();
    ranked.sort_by(|a, b| a.fact.cmp(&b.fact).then(b.weight.total_cmp(&a.weight)));
    let kind = ranked.iter().find(|e| e.fact == Fact::Kind).and_then(|e| Kind::from_name(&e.value));
    let confidence = ranked.iter().find(|e| e.fact == Fact::Kind).map_or(0.0, |e| e.weight);
    Verdict { kind: kind.unwrap_or(Kind::Other), confidence, ranked }
}
