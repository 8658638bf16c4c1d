//! Maker and model over two looks at a device: what is known better stays.
//!
//! Behind a password, or with its services down, a device shows no more than the prefix of its MAC address, which names
//! the maker of its network card. That replaces nothing that the device itself stated before, and what it states after such a
//! guess is no change of the device either.

use crate::model::{Device, Evidence, Fact};

/// What is known of the maker and the model after two looks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Made {
    pub vendor: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    /// All that speaks for it: that of the later look, and what of the earlier one stands beside it.
    pub evidence: Vec<Evidence>,
}

/// What is known after a look at a device, where this was known before: each source's last word counts.
pub(super) fn known(before: &Device, now: &Device) -> Made {
    let kept = kept(&before.evidence, &now.evidence);
    // Without evidence, as in reports that others wrote, what was seen last is what is known.
    let better = |fact, then: &Option<String>, value: &Option<String>| match (then, value) {
        (Some(then), Some(value)) if weight(&kept, fact, then) > weight(&now.evidence, fact, value) => {
            Some(then.clone())
        }
        (then, value) => value.as_ref().or(then.as_ref()).cloned(),
    };
    let vendor = better(Fact::Vendor, &before.vendor, &now.vendor);
    // A model and a firmware of one maker are none of another's.
    let is_of_same = is_one_maker(vendor.as_deref(), before.vendor.as_deref());
    let of_same = |value: &Option<String>| value.clone().filter(|_| is_of_same);
    let model = better(Fact::Model, &of_same(&before.model), &now.model);
    let firmware = now.firmware.clone().or_else(|| of_same(&before.firmware));
    let mut evidence = now.evidence.clone();
    if !kept.is_empty() {
        evidence.extend(kept);
        evidence.sort_by(|a, b| a.fact.cmp(&b.fact).then_with(|| a.cmp_rank(b)));
    }
    Made { vendor, model, firmware, evidence }
}

/// Whether a fact was one thing and is another: both looks know it equally well. What is known better in one of them is no
/// change of the device.
pub(super) fn is_other(fact: Fact, before: &Device, after: &Device) -> bool {
    let of = |device: &Device| match fact {
        Fact::Vendor => device.vendor.clone(),
        _ => device.model.clone(),
    };
    let after_both = |first: &Device, last: &Device| {
        let made = known(first, last);
        if fact == Fact::Vendor { made.vendor } else { made.model }
    };
    match (of(before), of(after)) {
        (Some(a), Some(b)) if a != b => {
            after_both(before, after).as_ref() == Some(&b) && after_both(after, before).as_ref() == Some(&a)
        }
        _ => false,
    }
}

/// The evidence of an earlier look about maker and model, by sources that said nothing now.
fn kept(before: &[Evidence], now: &[Evidence]) -> Vec<Evidence> {
    let is_kept = |said: &&Evidence| {
        matches!(said.fact, Fact::Vendor | Fact::Model)
            && !now.iter().any(|other| (other.fact, other.source) == (said.fact, said.source))
    };
    before.iter().filter(is_kept).cloned().collect()
}

/// The most that one of them is worth which says that a fact is this.
fn weight(evidence: &[Evidence], fact: Fact, value: &str) -> f64 {
    let says = |said: &&Evidence| said.fact == fact && bare(&said.value).eq_ignore_ascii_case(bare(value));
    evidence.iter().filter(says).map(|said| said.weight).fold(0.0, f64::max)
}

/// Whether both names mean one maker. What is not known may be any.
fn is_one_maker(a: Option<&str>, b: Option<&str>) -> bool {
    a.zip(b).is_none_or(|(a, b)| bare(a).eq_ignore_ascii_case(bare(b)))
}

/// A maker's name without what leaves it open whether another brand sells the device.
fn bare(name: &str) -> &str {
    name.strip_suffix(" or OEM").unwrap_or(name)
}
