//! Evidence in, identity out: vendor, model, kind, confidence. Pure; no socket, no clock.
//!
//! Every source is trusted up to a bound ([`trust`]); within it counts the weight of each piece of evidence. A source counts
//! once for a value, by its strongest evidence. Sources that agree strengthen each other as independent
//! witnesses do: together they are wrong only if each of them is. The order of the evidence never matters.

mod kind;
pub mod oui;
pub mod ports;
pub mod recorder;
mod redaction;
pub mod signature;
pub mod site;
pub mod stream_url;
pub mod vendor;

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{Evidence, EvidenceSource, Fact, Kind};

pub use redaction::redactor;

/// Nothing is ever quite certain.
const CERTAIN: f64 = 0.99;

/// The most that evidence of a source counts for, 0..1: what the device states of itself when asked, before what it
/// announces, before what its firmware happens to show, before what its place on the network suggests.
pub fn trust(source: EvidenceSource) -> f64 {
    match source {
        EvidenceSource::Onvif | EvidenceSource::Stream => 0.95,
        EvidenceSource::Beacon => 0.9,
        EvidenceSource::Upnp | EvidenceSource::MediaServer => 0.85,
        EvidenceSource::Wsdd | EvidenceSource::Certificate => 0.8,
        EvidenceSource::Mdns | EvidenceSource::Realm => 0.75,
        EvidenceSource::RtspServer | EvidenceSource::Favicon => 0.7,
        EvidenceSource::HttpServer | EvidenceSource::Sdp => 0.65,
        EvidenceSource::HttpPage | EvidenceSource::StreamPath | EvidenceSource::Model | EvidenceSource::Dns => 0.6,
        EvidenceSource::Oui => 0.5,
        EvidenceSource::Port => 0.3,
    }
}

/// What a piece of evidence counts for: its weight, bounded by the trust in its source.
fn counts(evidence: &Evidence) -> f64 {
    let weight = if evidence.weight.is_finite() { evidence.weight.max(0.0) } else { 0.0 };
    weight.min(trust(evidence.source))
}

/// The evidence for one value: the strongest weight of each source.
#[derive(Debug, Clone, Default, PartialEq)]
struct Weights(BTreeMap<EvidenceSource, f64>);

impl Weights {
    fn of(source: EvidenceSource, weight: f64) -> Self {
        Weights(BTreeMap::from([(source, weight)]))
    }

    fn add(&mut self, source: EvidenceSource, weight: f64) {
        let strongest = self.0.entry(source).or_default();
        *strongest = strongest.max(weight);
    }

    fn add_all(&mut self, others: &Weights) {
        others.0.iter().for_each(|(&source, &weight)| self.add(source, weight));
    }

    /// The strongest single weight.
    fn strongest(&self) -> f64 {
        self.0.values().copied().fold(0.0, f64::max)
    }

    /// All together: the doubt that is left is that each of them is wrong by itself.
    fn total(&self) -> f64 {
        (1.0 - self.0.values().map(|w| 1.0 - w).product::<f64>()).min(CERTAIN)
    }
}

/// What the evidence amounts to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The evidence, the decisive piece for each fact first. Vendors stand under the name they are reported by.
    pub ranked: Vec<Evidence>,
    /// What the device is.
    pub kind: Kind,
    /// How sure that is, 0..1.
    pub confidence: f64,
    /// What was decided for each fact there is evidence for, and against what.
    pub decisions: Vec<Decision>,
}

/// What was decided for one fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Which fact.
    pub fact: Fact,
    /// The value that won.
    pub value: String,
    /// How sure it is, 0..1.
    pub confidence: f64,
    /// Its sources and how much each counts, the strongest first.
    pub sources: Vec<(EvidenceSource, f64)>,
    /// The values that lost and what each weighs, the heaviest first.
    pub losers: Vec<(String, f64)>,
}

impl fmt::Display for Decision {
    /// `vendor: Hikvision 0.98 (onvif 0.95, realm 0.70) against Dahua 0.30`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: Vec<String>| items.join(", ");
        write!(f, "{}: {} {:.2}", self.fact.as_str(), self.value, self.confidence)?;
        if !self.sources.is_empty() {
            write!(
                f,
                " ({})",
                list(self.sources.iter().map(|(s, w)| format!("{} {w:.2}", source_name(*s))).collect())
            )?;
        }
        if !self.losers.is_empty() {
            write!(f, " against {}", list(self.losers.iter().map(|(v, w)| format!("{v} {w:.2}")).collect()))?;
        }
        Ok(())
    }
}

/// A source's name as it stands in the report.
fn source_name(source: EvidenceSource) -> String {
    serde_yaml::to_value(source).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Verdict {
    /// The value that won for a fact.
    pub fn winner(&self, fact: Fact) -> Option<&str> {
        self.decision(fact).map(|d| d.value.as_str())
    }

    /// What was decided for a fact.
    pub fn decision(&self, fact: Fact) -> Option<&Decision> {
        self.decisions.iter().find(|d| d.fact == fact)
    }

    /// The vendor whose paths and logins fit: `Dahua` also where it is `Dahua or OEM`.
    pub fn vendor(&self) -> Option<&str> {
        self.winner(Fact::Vendor).map(vendor::bare)
    }

    /// The vendor as it is reported. Port numbers are used by everybody: they alone name the maker only of what films, and
    /// only where the number is hardly used by others.
    pub fn reported_vendor(&self) -> Option<&str> {
        /// The weight of a number that others use as well.
        const SHARED: f64 = 0.2;
        let decision = self.decision(Fact::Vendor)?;
        let by_port_alone = decision.sources.iter().all(|(source, _)| *source == EvidenceSource::Port);
        let films = !matches!(self.kind, Kind::Other | Kind::MediaServer);
        (!by_port_alone || (films && decision.confidence >= SHARED)).then_some(decision.value.as_str())
    }

    /// For each fact, in one line: the winner, its sources, and what lost.
    pub fn explain(&self) -> Vec<String> {
        self.decisions.iter().map(Decision::to_string).collect()
    }
}

/// That a device streams several channels makes it a recorder rather than a camera; a camera may have several lenses.
pub fn channels(distinct: usize) -> Option<Evidence> {
    let weight = match distinct {
        0 | 1 => return None,
        2 | 3 => 0.4,
        _ => 0.6,
    };
    let evidence = Evidence::new(Fact::Kind, Kind::Recorder.as_str(), EvidenceSource::Stream, weight);
    Some(evidence.with_detail(format!("{distinct} channels")))
}

/// Weighs evidence against evidence.
pub fn weigh(evidence: &[Evidence]) -> Verdict {
    let said = |fact| evidence.iter().filter(move |e| e.fact == fact);
    let vendor = decide_vendor(said(Fact::Vendor));
    let vendor_name = vendor.as_ref().map(|d| vendor::bare(&d.value).to_owned());
    let model = decide(Fact::Model, said(Fact::Model), |value| model_key(value, vendor_name.as_deref()));
    let plain = [Fact::Firmware, Fact::Serial, Fact::Hostname, Fact::Name]
        .map(|fact| decide(fact, said(fact), |value| value.to_lowercase()));
    let kind = kind::decide(said(Fact::Kind));
    let (decided, confidence) = (kind.kind, kind.confidence);

    let mut decisions: Vec<Decision> = [vendor, model, kind.decision].into_iter().chain(plain).flatten().collect();
    decisions.sort_by_key(|d| d.fact);
    let ranked = rank(evidence, &decisions);
    Verdict { ranked, kind: decided, confidence, decisions }
}

/// By fact; the evidence for the winner first, the strongest at the head.
fn rank(evidence: &[Evidence], decisions: &[Decision]) -> Vec<Evidence> {
    let mut ranked: Vec<(bool, Evidence)> = evidence
        .iter()
        .map(|e| {
            let mut e = e.clone();
            if e.fact == Fact::Vendor {
                e.value = vendor_name(&e.value);
            }
            let won = decisions.iter().any(|d| d.fact == e.fact && d.value == e.value);
            (!won, e)
        })
        .collect();
    ranked.sort_by(|(a_lost, a), (b_lost, b)| {
        let key = |e: &Evidence| (e.value.clone(), e.source, e.detail.clone());
        (a.fact, a_lost)
            .cmp(&(b.fact, b_lost))
            .then_with(|| counts(b).total_cmp(&counts(a)))
            .then_with(|| key(a).cmp(&key(b)))
            .then_with(|| b.weight.total_cmp(&a.weight))
    });
    ranked.into_iter().map(|(_, e)| e).collect()
}

/// The report's name for a stated vendor, with its `or OEM` where it has one.
fn vendor_name(stated: &str) -> String {
    let (bare, name) = (vendor::bare(stated), vendor::unify(stated));
    if bare.len() == stated.trim().len() { name.to_owned() } else { format!("{name} or OEM") }
}

/// One candidate for a fact.
#[derive(Debug, Clone, Default)]
struct Claim {
    weights: Weights,
    /// The spelling of the strongest evidence, and its weight.
    spelling: (f64, String),
}

impl Claim {
    fn add(&mut self, evidence: &Evidence, weight: f64, spelling: &str) {
        self.weights.add(evidence.source, weight);
        let (best, known) = &self.spelling;
        // Of equals the one that sorts first, so that the order of the evidence does not matter.
        if known.is_empty() || weight > *best || (weight == *best && spelling < known.as_str()) {
            self.spelling = (weight, spelling.to_owned());
        }
    }
}

/// Claims by key; the heaviest wins, of equals the one that sorts first.
fn settle(fact: Fact, claims: BTreeMap<String, Claim>) -> Option<Decision> {
    let mut all: Vec<(f64, Claim)> = claims.into_values().map(|c| (c.weights.total(), c)).collect();
    all.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.spelling.1.cmp(&y.spelling.1)));
    let mut all = all.into_iter();
    let (confidence, winner) = all.next()?;
    Some(Decision {
        fact,
        value: winner.spelling.1,
        confidence,
        sources: sources(&winner.weights),
        losers: all.map(|(weight, claim)| (claim.spelling.1, weight)).collect(),
    })
}

fn sources(weights: &Weights) -> Vec<(EvidenceSource, f64)> {
    let mut sources: Vec<(EvidenceSource, f64)> = weights.0.iter().map(|(&s, &w)| (s, w)).collect();
    sources.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    sources
}

/// Values with one key are one value. Placeholders (`Camera`, `IPC`) hardly count.
fn decide<'a>(fact: Fact, said: impl Iterator<Item = &'a Evidence>, key: impl Fn(&str) -> String) -> Option<Decision> {
    let mut claims: BTreeMap<String, Claim> = BTreeMap::new();
    for evidence in said.filter(|e| !e.value.trim().is_empty()) {
        let empty = fact == Fact::Model && vendor::says_nothing(&evidence.value);
        let weight = counts(evidence) * if empty { 0.1 } else { 1.0 };
        claims.entry(key(evidence.value.trim())).or_default().add(evidence, weight, evidence.value.trim());
    }
    settle(fact, claims)
}

/// A model without its vendor's name: `AXIS M1014` and `M1014` are one.
fn model_key(model: &str, vendor: Option<&str>) -> String {
    let lower = model.to_lowercase();
    let bare = vendor.and_then(|v| lower.strip_prefix(&v.to_lowercase())).unwrap_or(&lower);
    let key: String = bare.chars().filter(|c| c.is_alphanumeric()).collect();
    if key.is_empty() { lower } else { key }
}

/// The vendor. Evidence for a maker's devices under whatever brand (`Dahua or OEM`) also counts for its brands; and where a
/// brand is stated, evidence for the maker behind it does not count against it, unless it is much stronger.
fn decide_vendor<'a>(said: impl Iterator<Item = &'a Evidence>) -> Option<Decision> {
    /// A brand stated at this share of its maker's strongest evidence is the brand.
    const BRAND: f64 = 0.7;
    let (mut stated, mut or_oem): (BTreeMap<String, Claim>, BTreeMap<String, Claim>) = Default::default();
    for evidence in said.filter(|e| !vendor::says_nothing(&e.value)) {
        let name = vendor_name(&evidence.value);
        let bare = vendor::bare(&name);
        let claims = if bare.len() == name.len() { &mut stated } else { &mut or_oem };
        claims.entry(bare.to_lowercase()).or_default().add(evidence, counts(evidence), &name);
    }
    // A maker stated plainly takes the evidence that leaves the brand open; so does the brand of a maker.
    let brands: Vec<(String, String)> = stated
        .iter()
        .filter_map(|(key, claim)| {
            let maker = vendor::maker_behind(&claim.spelling.1)?.to_lowercase();
            let plain = stated.get(&maker).map_or(0.0, |m| m.weights.strongest());
            (claim.weights.strongest() >= plain * BRAND).then(|| (key.clone(), maker))
        })
        .collect();
    let mut covered = Vec::new();
    for (brand, maker) in brands {
        let weights: Vec<Weights> =
            [&stated, &or_oem].iter().filter_map(|c| c.get(&maker)).map(|c| c.weights.clone()).collect();
        if let Some(claim) = stated.get_mut(&brand) {
            weights.iter().for_each(|w| claim.weights.add_all(w));
        }
        covered.push(maker);
    }
    for (maker, open) in or_oem {
        match stated.get_mut(&maker) {
            Some(plain) => plain.weights.add_all(&open.weights),
            None if covered.contains(&maker) => {}
            None => {
                stated.insert(maker, open);
            }
        }
    }
    let lost: Vec<(String, Claim)> = covered.iter().filter_map(|maker| stated.remove_entry(maker.as_str())).collect();
    let mut decision = settle(Fact::Vendor, stated)?;
    decision.losers.extend(lost.into_iter().map(|(_, claim)| (claim.spelling.1, claim.weights.total())));
    decision.losers.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Some(decision)
}

#[cfg(test)]
mod tests;
