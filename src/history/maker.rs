//! Maker and model over two looks at a device: what is known better stays.
//!
//! Behind a password, or with its services down, a device shows no more than the prefix of its MAC address, which names
//! whoever made its network card. That replaces nothing that the device itself stated before, and what it states after such a
//! guess is no change of the device either.

use crate::identify::{self, vendor};
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
    let evidence = joined(&before.evidence, &now.evidence);
    let verdict = identify::weigh(&evidence);
    // Without evidence, as in reports that others wrote, what was seen last is what is known.
    let decided = |now: &Option<String>, before: &Option<String>, winner: Option<&str>| match (now, before) {
        (Some(now), Some(before)) if now != before => Some(winner.unwrap_or(now).to_owned()),
        (now, before) => now.as_ref().or(before.as_ref()).cloned(),
    };
    let vendor = decided(&now.vendor, &before.vendor, verdict.reported_vendor());
    // A model and a firmware of one maker are none of another's.
    let is_of_same = is_one_maker(vendor.as_deref(), before.vendor.as_deref());
    let kept = |value: &Option<String>| value.clone().filter(|_| is_of_same);
    let model = decided(&now.model, &kept(&before.model), verdict.winner(Fact::Model));
    let firmware = now.firmware.clone().or_else(|| kept(&before.firmware));
    let is_joined = evidence.len() > now.evidence.len();
    Made { vendor, model, firmware, evidence: if is_joined { verdict.ranked } else { evidence } }
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

/// The evidence of the later look, and that of the earlier one about maker and model by sources that said nothing now.
fn joined(before: &[Evidence], now: &[Evidence]) -> Vec<Evidence> {
    let is_kept = |said: &&Evidence| {
        matches!(said.fact, Fact::Vendor | Fact::Model)
            && !now.iter().any(|other| (other.fact, other.source) == (said.fact, said.source))
    };
    now.iter().chain(before.iter().filter(is_kept)).cloned().collect()
}

/// Whether both names mean one maker, or one sells the other's devices. What is not known may be any.
fn is_one_maker(a: Option<&str>, b: Option<&str>) -> bool {
    let Some((a, b)) = a.zip(b) else { return true };
    let maker = |name: &str| vendor::maker_behind(name).unwrap_or_else(|| vendor::unify(name)).to_lowercase();
    maker(a) == maker(b)
}
