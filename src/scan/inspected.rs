//! How much of what inspections find a scan keeps until its end. Each list of a host is bounded, and so is what is kept of one
//! host and of all: every address of a network may lead to one machine that states as much as it can.

use std::collections::HashMap;
use std::net::IpAddr;

use super::announced::cost;
use super::left_out::LeftOut;
use crate::model::Finding;

/// Bytes that are kept of one host: a recorder with hundreds of streams has some three mebibytes.
const OF_ONE: usize = 16 << 20;
/// … and of all: a camera has some ten kibibytes.
const OF_ALL: usize = 512 << 20;

/// What was found so far, in bytes.
#[derive(Debug, Default)]
pub(super) struct Inspected {
    of_one: HashMap<IpAddr, usize>,
    all: usize,
    left_out: LeftOut,
}

impl Inspected {
    /// Whether there is room for a finding of an inspection; takes it.
    pub fn admit(&mut self, finding: &mut Finding) -> bool {
        let Some((_, bytes)) = cost(&mut finding.kind) else { return true };
        let of_one = self.of_one.get(&finding.ip).copied().unwrap_or_default().saturating_add(bytes);
        let all = self.all.saturating_add(bytes);
        let is_admitted = of_one <= OF_ONE && all <= OF_ALL;
        match is_admitted {
            true => {
                self.of_one.insert(finding.ip, of_one);
                self.all = all;
            }
            false => self.left_out.note(finding.ip),
        }
        is_admitted
    }

    /// What is to be said of what was left out, if anything was.
    pub fn warning(&self) -> Option<String> {
        let left_out = self.left_out.in_words("finding was", "findings were")?;
        Some(format!(
            "more was found than is kept: {left_out}; of one host {} MiB are kept, and of all {} MiB\nhint: scan the network \
             in parts, and exclude hosts that state more than they can have (--exclude)",
            OF_ONE >> 20,
            OF_ALL >> 20,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FindingKind, Protocol, Stream};

    /// A stream that is described by a hundred kibibytes.
    fn stream(n: usize) -> FindingKind {
        let stream = Stream { sdp: Some("x".repeat(100 << 10)), ..Stream::new(format!("rtsp://{n}/"), Protocol::Rtsp) };
        FindingKind::Stream(Box::new(stream))
    }

    #[test]
    fn what_inspections_find_is_kept_within_a_bound_and_said() {
        let mut inspected = Inspected::default();
        let mut of_host = |host: u8, count: usize| {
            let findings = (0..count).map(|n| Finding::new([10, 0, 0, host].into(), stream(n)));
            findings.map(|mut finding| inspected.admit(&mut finding)).filter(|is_admitted| *is_admitted).count()
                * (100 << 10)
        };
        let one = of_host(1, 400);
        assert!((1..=OF_ONE).contains(&one), "{one} bytes");
        let others: usize = (2..60).map(|host| of_host(host, 150)).sum();
        assert!((OF_ALL / 2..=OF_ALL).contains(&(one + others)), "{others} bytes");
        assert!(inspected.admit(&mut Finding::new([10, 0, 0, 99].into(), FindingKind::Done)));
        let warning = inspected.warning().unwrap();
        assert!(warning.contains("left out, of 10.0.0.1, 10.0.0.") && warning.contains(" and others;"), "{warning}");
    }
}
