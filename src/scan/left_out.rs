//! What a scan left out since there was no room for it: how much, and of which addresses.

use std::net::IpAddr;

/// Addresses that are named.
const MOST_NAMED: usize = 3;

/// Findings that were left out.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    count: u64,
    /// The first addresses that something was left out of: those that are named, and one more.
    first: Vec<IpAddr>,
}

impl LeftOut {
    /// Notes a finding of an address.
    pub fn note(&mut self, ip: IpAddr) {
        self.count = self.count.saturating_add(1);
        if self.first.len() <= MOST_NAMED && !self.first.contains(&ip) {
            self.first.push(ip);
        }
    }

    /// `2 findings were left out, of 192.0.2.1`; none where nothing was.
    pub fn in_words(&self, one: &str, several: &str) -> Option<String> {
        let named: Vec<String> = self.first.iter().take(MOST_NAMED).map(IpAddr::to_string).collect();
        let others = if self.first.len() > MOST_NAMED { " and others" } else { "" };
        let counted = crate::text::counted(self.count, one, several);
        (self.count > 0).then(|| format!("{counted} left out, of {}{others}", named.join(", ")))
    }
}
