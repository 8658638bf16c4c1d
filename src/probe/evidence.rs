//! What an answer says about its sender, gathered by pure code and then emitted in one go.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::identify::signature::Field;
use crate::identify::vendor;
use crate::model::{Evidence, EvidenceSource, Fact, FindingKind, Kind, MacAddr};
use crate::probe::{DiscoveryContext, Inspection};
use crate::text;

/// Findings remembered; what comes after that many is emitted again whenever it is repeated.
const REMEMBERED: usize = 262_144;

/// What is to be emitted, and what is to be looked up in the signatures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Findings about the sender.
    pub findings: Vec<FindingKind>,
    /// Texts for the signatures, cleaned.
    pub observed: Vec<(Field, String)>,
}

impl Facts {
    /// Adds a source's word on a fact, with the field it was read in; cleaned, and left out when it tells nothing.
    pub fn word(&mut self, fact: Fact, value: Option<&str>, source: EvidenceSource, weight: f64, read_in: &str) {
        if let Some(value) = value.map(text::clean).filter(|v| !vendor::says_nothing(v)) {
            let detail = format!("{read_in}: {value}");
            self.findings.push(FindingKind::Evidence(Evidence::new(fact, value, source, weight).with_detail(detail)));
        }
    }

    /// Adds a source's word on the kind of device.
    pub fn kind(&mut self, kind: Kind, source: EvidenceSource, weight: f64, detail: &str) {
        let evidence = Evidence::new(Fact::Kind, kind.as_str(), source, weight);
        self.findings.push(FindingKind::Evidence(match text::clean_some(detail) {
            Some(detail) => evidence.with_detail(detail),
            None => evidence,
        }));
    }

    /// Adds the MAC address the device states, if a station can have it.
    pub fn mac(&mut self, mac: Option<MacAddr>) {
        self.findings.extend(mac.filter(|m| m.is_station()).map(FindingKind::StatedMac));
    }

    /// Adds a text to be looked up in the signatures; cleaned.
    pub fn add_text(&mut self, field: Field, text: Option<&str>) {
        self.observed.extend(text.and_then(text::clean_some).map(|t| (field, t)));
    }

    /// Emits everything about the host under inspection.
    pub async fn emit(self, host: &Inspection) {
        for finding in self.findings {
            host.emit(finding).await;
        }
        for (field, text) in self.observed {
            host.match_signatures(field, &text).await;
        }
    }

    /// The MAC address that tells the sender apart from others at its address: the one it states.
    pub fn claimant(&self) -> Option<MacAddr> {
        self.findings.iter().find_map(|f| if let FindingKind::StatedMac(mac) = f { Some(*mac) } else { None })
    }

    /// The value of the first word on a fact.
    pub fn value(&self, fact: Fact) -> Option<&str> {
        self.findings.iter().find_map(|f| match f {
            FindingKind::Evidence(e) if e.fact == fact => Some(e.value.as_str()),
            _ => None,
        })
    }
}

/// Emits what is found of hosts, each finding once: questions are repeated, and so are answers.
pub struct FindingDedup<'a> {
    context: &'a DiscoveryContext,
    emitted: Mutex<HashSet<u64>>,
}

impl<'a> FindingDedup<'a> {
    /// Nothing is emitted yet.
    pub fn new(context: &'a DiscoveryContext) -> Self {
        FindingDedup { context, emitted: Mutex::default() }
    }

    /// Emits what of the facts is new of `ip`.
    pub async fn emit(&self, ip: IpAddr, facts: Facts) {
        self.emit_from(ip, None, facts).await;
    }

    /// The same where the link showed the MAC address that the answer came from.
    pub async fn emit_from(&self, ip: IpAddr, link: Option<MacAddr>, mut facts: Facts) {
        let claimant = facts.claimant().or(link);
        facts.findings.extend(link.map(FindingKind::Mac));
        for finding in facts.findings {
            // It holds numbers with fractions, which cannot be hashed by themselves.
            let text = serde_json::to_string(&finding).unwrap_or_default();
            if self.is_new(&(ip, claimant, text)) {
                self.context.emit_by(ip, claimant, finding).await;
            }
        }
        for (field, text) in facts.observed {
            if self.is_new(&(ip, claimant, field, &text)) {
                self.context.match_signatures(ip, claimant, field, &text).await;
            }
        }
    }

    fn is_new(&self, what: &impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let mut emitted = self.emitted.lock().unwrap_or_else(PoisonError::into_inner);
        if emitted.len() >= REMEMBERED {
            return !emitted.contains(&hasher.finish());
        }
        emitted.insert(hasher.finish())
    }
}
