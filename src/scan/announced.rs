//! How much of what is announced a scan keeps. A device on the link can announce without end, and under any address: what is
//! kept of one address, and of all of them, has a bound, and what is left out is counted.

use std::collections::HashMap;
use std::mem::size_of;
use std::net::IpAddr;

use super::left_out::LeftOut;
use crate::model::finding::StreamHint;
use crate::model::{Channel, Evidence, Finding, FindingKind, HostRecord, Service, StageError, Stream, TargetSet};

/// Bytes that are kept of one address.
const OF_ONE: usize = 64 << 10;
/// … of all of them …
const OF_ALL: usize = 16 << 20;
/// … and, of these, of addresses in other subnets than those that are scanned: they cost nothing to make up.
const OF_OTHER_SUBNETS: usize = 4 << 20;
/// What was announced so far, in bytes.
#[derive(Debug, Default)]
pub(super) struct Announced {
    of_one: HashMap<IpAddr, Kept>,
    of_targets: Kept,
    of_other_subnets: Kept,
    left_out: LeftOut,
}

/// Bytes that are kept. What leads to a device, its identities, addresses and services, has one half of each room, and what is
/// stated in words the other, so that neither displaces the other.
#[derive(Debug, Default, Clone, Copy)]
struct Kept {
    leads: usize,
    words: usize,
}

impl Kept {
    fn part(&mut self, of: Part) -> &mut usize {
        match of {
            Part::Leads => &mut self.leads,
            Part::Words => &mut self.words,
        }
    }
}

/// The halves of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What leads to a device.
    Leads,
    /// What is stated of it.
    Words,
}

impl Announced {
    /// Whether there is room for a finding that was announced; takes it.
    pub fn admit(&mut self, finding: &mut Finding, targets: &TargetSet) -> bool {
        let Some((part, bytes)) = cost(&mut finding.kind) else { return true };
        let of_one = self.of_one.get(&finding.ip).copied().unwrap_or_default().part(part).saturating_add(bytes);
        let is_admitted = of_one <= OF_ONE / 2 && self.take(finding.ip, targets, part, bytes);
        match is_admitted {
            true => *self.of_one.entry(finding.ip).or_default().part(part) = of_one,
            false => self.left_out.note(finding.ip),
        }
        is_admitted
    }

    /// Whether there is room for what a further one of the devices at an address tells; takes it.
    pub fn admit_claimant(&mut self, ip: IpAddr, targets: &TargetSet) -> bool {
        let is_admitted = self.take(ip, targets, Part::Leads, size_of::<HostRecord>());
        if !is_admitted {
            self.left_out.note(ip);
        }
        is_admitted
    }

    /// Takes room of all.
    fn take(&mut self, ip: IpAddr, targets: &TargetSet, part: Part, bytes: usize) -> bool {
        let (all, most) = match targets.contains(ip) {
            true => (&mut self.of_targets, OF_ALL - OF_OTHER_SUBNETS),
            false => (&mut self.of_other_subnets, OF_OTHER_SUBNETS),
        };
        let all = all.part(part);
        let is_room = all.saturating_add(bytes) <= most / 2;
        if is_room {
            *all += bytes;
        }
        is_room
    }

    /// What is to be said of what was left out, if anything was.
    pub fn warning(&self) -> Option<String> {
        let left_out = self.left_out.in_words("announcement was", "announcements were")?;
        Some(format!(
            "more was announced than is kept: {left_out}; of one address {} KiB are kept, of all {} MiB, and {} MiB of those \
             in other subnets\nhint: exclude what announces without end (--exclude)",
            OF_ONE >> 10,
            OF_ALL >> 20,
            OF_OTHER_SUBNETS >> 20,
        ))
    }
}

/// Which part of the room a finding takes, and how many bytes of it; none of what is kept once for each address.
pub(super) fn cost(kind: &mut FindingKind) -> Option<(Part, usize)> {
    let (part, own) = match kind {
        FindingKind::EndpointId(_) => (Part::Leads, size_of::<String>()),
        FindingKind::Address(_) => (Part::Leads, size_of::<IpAddr>()),
        FindingKind::Refuses(_) => (Part::Leads, size_of::<u16>()),
        FindingKind::Service(_) | FindingKind::Announced(_) => (Part::Leads, size_of::<Service>()),
        FindingKind::StreamHint(hint) => (Part::Leads, size_of::<StreamHint>() + texts_of(hint)),
        FindingKind::Stream(_) => (Part::Leads, size_of::<Stream>()),
        FindingKind::Channel(_) => (Part::Leads, size_of::<Channel>()),
        FindingKind::Evidence(_) => (Part::Words, size_of::<Evidence>()),
        FindingKind::Error(_) => (Part::Words, size_of::<StageError>()),
        FindingKind::Seen(_)
        | FindingKind::Mac(_)
        | FindingKind::StatedMac(_)
        | FindingKind::Network(_)
        | FindingKind::Activation(_)
        | FindingKind::HeardOn(_)
        | FindingKind::Clock(_)
        | FindingKind::CertificateEnd(_)
        | FindingKind::AnalysedAt(_)
        | FindingKind::LoginAttempts(_)
        | FindingKind::OffersDigest
        | FindingKind::Done => return None,
    };
    let mut texts = 0;
    kind.texts(&mut |_, text| texts += text.len());
    Some((part, own + texts))
}

/// The texts of a hint, which reach no report.
fn texts_of(hint: &StreamHint) -> usize {
    let further = [&hint.profile_name, &hint.profile_token, &hint.snapshot_url];
    hint.url.len() + further.into_iter().flatten().map(String::len).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EvidenceSource, Fact, Protocol, Transport};

    fn targets() -> TargetSet {
        let range = ([10, 0, 0, 0].into(), [10, 255, 255, 255].into());
        TargetSet::new(Vec::new(), [range], [], &[])
    }

    fn said(ip: impl Into<IpAddr>, n: usize) -> Finding {
        let evidence = Evidence::new(Fact::Name, format!("{n:0>200}"), EvidenceSource::Mdns, 0.3);
        Finding::new(ip.into(), FindingKind::Evidence(evidence))
    }

    fn service(ip: impl Into<IpAddr>, port: u16) -> Finding {
        Finding::new(ip.into(), FindingKind::Announced(Service::new(Protocol::Rtsp, Transport::Tcp, port)))
    }

    /// How many bytes of texts such findings hold that are admitted.
    fn admitted(announced: &mut Announced, findings: impl Iterator<Item = Finding>) -> usize {
        let targets = targets();
        findings.map(|mut finding| announced.admit(&mut finding, &targets)).filter(|is| *is).count() * 200
    }

    fn spread(network: u8, n: usize) -> [u8; 4] {
        [network, 7, (n >> 8) as u8, n as u8]
    }

    #[test]
    fn words_do_not_displace_what_leads_to_a_device() {
        let mut announced = Announced::default();
        let all = admitted(&mut announced, (0..10_000).map(|n| said([10, 0, 0, 1], n)));
        assert!((1..=OF_ONE / 2).contains(&all), "{all} bytes");
        assert!(announced.admit(&mut service([10, 0, 0, 1], 554), &targets()));
        assert!(announced.admit(&mut said([10, 0, 0, 2], 1), &targets()));
        let services = (0..u16::MAX).filter(|port| announced.admit(&mut service([10, 0, 0, 3], *port), &targets()));
        assert!((1..512).contains(&services.count()));
        assert!(announced.admit(&mut said([10, 0, 0, 3], 1), &targets()));
    }

    #[test]
    fn what_is_made_up_in_other_subnets_displaces_nothing_of_the_targets() {
        let mut announced = Announced::default();
        let flood = |network| (0..40_000).map(move |n| said(spread(network, n), n));
        let outside = admitted(&mut announced, flood(172));
        assert!((1..=OF_OTHER_SUBNETS / 2).contains(&outside), "{outside} bytes");
        let inside = admitted(&mut announced, flood(10));
        assert!((outside + 1..=(OF_ALL - OF_OTHER_SUBNETS) / 2).contains(&inside), "{inside} bytes");
        // What stands for an address is kept with what is kept of it.
        assert!(announced.of_one.len() < 80_000, "{} addresses", announced.of_one.len());
        assert!(announced.admit(&mut service([10, 0, 0, 1], 554), &targets()));
        let claimants = (0..100_000).filter(|n| announced.admit_claimant(spread(10, *n).into(), &targets())).count();
        assert!((1000..20_000).contains(&claimants), "{claimants}");
        assert!(announced.admit(&mut Finding::new([10, 0, 0, 1].into(), FindingKind::Done), &targets()));
    }

    #[test]
    fn what_is_left_out_is_said_with_its_number() {
        let mut announced = Announced::default();
        assert_eq!(announced.warning(), None);
        let all = 10_000 - admitted(&mut announced, (0..10_000).map(|n| said([10, 0, 0, 1], n))) / 200;
        let warning = announced.warning().unwrap();
        assert!(warning.contains(&format!("{all} announcements were left out, of 10.0.0.1;")), "{warning}");
        for last in 2..9 {
            admitted(&mut announced, (0..200).map(|n| said([10, 0, 0, last], n)));
        }
        let warning = announced.warning().unwrap();
        assert!(warning.contains("of 10.0.0.1, 10.0.0.2, 10.0.0.3 and others;"), "{warning}");
    }
}
