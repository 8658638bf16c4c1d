//! The words on a site as a whole: what a scan covered, and what to do about devices that are not reached or not set up.

use crate::model::coverage::{Coverage, MethodOutcome};
use crate::model::{Activation, NetworkSettings, Report, Warning, WarningKind};
use crate::text::counted;

/// What to do about devices that are not reached or not set up: how many there are, and the ways, each once.
pub fn hints(report: &Report) -> Vec<String> {
    /// Subnets whose way is shown; the others stand with their devices.
    const MOST: usize = 3;
    let of = |kind: WarningKind| -> Vec<&Warning> {
        report.devices.iter().flat_map(|device| &device.warnings).filter(|warning| warning.kind == kind).collect()
    };
    let (far, new) = (of(WarningKind::OtherSubnet), of(WarningKind::NotActivated));
    let mut ways: Vec<&str> = far.iter().filter_map(|warning| warning.hint.as_deref()).collect();
    ways.sort_unstable();
    ways.dedup();
    let mut hints = Vec::new();
    for (n, way) in ways.into_iter().take(MOST).enumerate() {
        hints.push(match n {
            0 => {
                let who = counted(far.len(), "device is in another subnet", "devices are in other subnets");
                format!("{who}; {way}")
            }
            _ => format!("and {way}"),
        });
    }
    if let Some(way) = new.iter().find_map(|warning| warning.hint.as_deref()) {
        let who = counted(new.len(), "device is not set up yet", "devices are not set up yet");
        let first = if new.len() == 1 { "" } else { "the first: " };
        hints.push(format!("{who}; {first}{way}"));
    }
    hints
}

/// What a scan covered, in one line: `eth0 (10.0.5.7/24) · 254 addresses asked, 31 answered · answered: arp 31, onvif 4 ·
/// silent: mdns · could not run: icmp`, and what may have been hidden.
pub fn coverage(coverage: &Coverage) -> String {
    let links = coverage.interfaces.iter().filter(|link| link.used);
    let links: Vec<String> = links.map(|link| format!("{} ({})", link.name, link.networks.join(", "))).collect();
    let named = |outcome: MethodOutcome| -> Vec<String> {
        let of = coverage.methods.iter().filter(|method| method.outcome == outcome);
        of.map(|method| match outcome {
            MethodOutcome::Answered => format!("{} {}", method.method, method.answered),
            _ => method.method.to_string(),
        })
        .collect()
    };
    let listed =
        |title: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{title}: {}", names.join(", ")));
    let (asked, answered) = (coverage.addresses_asked, coverage.addresses_answered);
    let parts = [
        Some(if links.is_empty() { "no link".to_owned() } else { links.join(", ") }),
        Some(format!("{} asked, {answered} answered", counted(asked, "address", "addresses"))),
        listed("answered", named(MethodOutcome::Answered)),
        listed("silent", named(MethodOutcome::Silent)),
        listed("could not run", named(MethodOutcome::Failed)),
    ];
    parts.into_iter().flatten().chain(coverage.notes.iter().cloned()).collect::<Vec<_>>().join(" · ")
}

/// How a device says its network is set up: `mask 255.255.255.0 · gateway 192.168.1.1 · DHCP`.
pub fn network(settings: &NetworkSettings) -> String {
    let facts = [
        settings.netmask.map(|mask| format!("mask {mask}")),
        settings.gateway.map(|gateway| format!("gateway {gateway}")),
        settings.dhcp.map(|dhcp| if dhcp { "DHCP".to_owned() } else { "static address".to_owned() }),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Whether a device was ever set up.
pub fn activation(activation: Activation) -> &'static str {
    match activation {
        Activation::NotActivated => "not activated",
        Activation::FactoryDefault => "factory default",
        Activation::Activated => "activated",
    }
}
