//! What a script says must be sent, and what became of it. None of it is read from camscan's rules: kinds are those of its
//! documentation, times are the script's own.

use std::collections::BTreeMap;
use std::fmt;

/// An event that must be sent once.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The happening it is of.
    pub of: &'static str,
    pub kind: &'static str,
    /// The camera, network or channel it is about; empty where it is about none.
    pub subject: String,
    /// When it must arrive, in seconds of the script.
    pub from: f64,
    pub until: f64,
}

/// An event that arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrived {
    /// In seconds of the script.
    pub at: f64,
    pub kind: String,
    pub subject: String,
    /// Why camscan sent it.
    pub why: String,
}

impl fmt::Display for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} s: {} {}: {}", self.at, self.kind, self.subject, self.why)
    }
}

/// What became of all that had to be sent by one channel.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Sent once within their time.
    pub sent: usize,
    pub missed: Vec<String>,
    /// Sent once, at another time.
    pub untimely: Vec<String>,
    /// Sent and not expected, or sent once more.
    pub invented: Vec<String>,
}

impl Verdict {
    pub fn of(expected: &[Expected], arrived: &[Arrived]) -> Verdict {
        let mut left: BTreeMap<(&str, &str), Vec<&Arrived>> = BTreeMap::new();
        for event in arrived {
            left.entry((&event.kind, &event.subject)).or_default().push(event);
        }
        left.values_mut().for_each(|events| events.sort_by(|a, b| b.at.total_cmp(&a.at)));
        let mut expected: Vec<&Expected> = expected.iter().collect();
        expected.sort_by(|a, b| a.from.total_cmp(&b.from));
        let mut verdict = Verdict::default();
        for Expected { of, kind, subject, from, until } in expected {
            let line = format!("{of}: {kind} {subject} between {from:.0} and {until:.0} s");
            match left.get_mut(&(*kind, subject.as_str())).and_then(Vec::pop) {
                None => verdict.missed.push(line),
                Some(event) if (*from..=*until).contains(&event.at) => verdict.sent += 1,
                Some(event) => verdict.untimely.push(format!("{line}, and it was {event}")),
            }
        }
        verdict.invented = left.values().flatten().map(ToString::to_string).collect();
        verdict
    }

    pub fn is_well(&self) -> bool {
        self.missed.is_empty() && self.untimely.is_empty() && self.invented.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { sent, missed, untimely, invented } = self;
        let counts = [missed, untimely, invented].map(Vec::len);
        write!(f, "{sent} sent, {} missed, {} untimely, {} invented", counts[0], counts[1], counts[2])?;
        for (what, lines) in [("missed", missed), ("untimely", untimely), ("invented", invented)] {
            lines.iter().try_for_each(|line| write!(f, "\n    {what}: {line}"))?;
        }
        Ok(())
    }
}
