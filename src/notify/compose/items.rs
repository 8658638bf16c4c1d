//! The things a message tells: events, and problems that ended before anybody was told.

use super::Style;
use crate::model::memory::{Event, Severity};
use crate::notify::open::ends;
use crate::notify::wording::{about, headline, state, stretch};

/// One thing that a message tells.
pub(super) enum Item<'e> {
    /// An event.
    Event(&'e Event),
    /// A problem that is over: how it began, how it ended, and how often in all.
    Over {
        /// Its first beginning.
        began: &'e Event,
        /// Its last end.
        ended: &'e Event,
        /// How often.
        times: usize,
    },
}

impl<'e> Item<'e> {
    /// The things that events amount to, in the order in which they began.
    pub fn of(events: &'e [(i64, Event)]) -> Vec<Item<'e>> {
        let mut items: Vec<Item<'e>> = Vec::new();
        for (_, event) in events {
            let of_it = |item: &Item<'_>| matches!(item, Item::Event(began) if ends(began, event));
            let Some(at) = items.iter().rposition(of_it) else {
                items.push(Item::Event(event));
                continue;
            };
            let began = items.remove(at).began();
            // The same happened before and ended as well: it is counted.
            let again = items.iter_mut().find_map(|item| match item {
                Item::Over { began: first, ended, times } if first.kind == began.kind && ends(first, event) => {
                    Some((ended, times))
                }
                _ => None,
            });
            match again {
                Some((ended, times)) => (*ended, *times) = (event, *times + 1),
                None => items.insert(at.min(items.len()), Item::Over { began, ended: event, times: 1 }),
            }
        }
        items
    }

    /// The event that began it.
    pub fn began(&self) -> &'e Event {
        match self {
            Item::Event(event) => event,
            Item::Over { began, .. } => began,
        }
    }

    /// The last event of it.
    pub fn last(&self) -> &'e Event {
        match self {
            Item::Event(event) => event,
            Item::Over { ended, .. } => ended,
        }
    }

    /// How often it was, where it is over.
    pub fn times(&self) -> Option<usize> {
        match self {
            Item::Event(_) => None,
            Item::Over { times, .. } => Some(*times),
        }
    }

    /// How much it matters now.
    pub fn severity(&self) -> Severity {
        match self {
            Item::Event(event) => event.severity,
            Item::Over { .. } => Severity::Info,
        }
    }

    /// What it is called in a count.
    pub fn name(&self) -> String {
        match self {
            Item::Event(event) => headline(event.kind).to_lowercase(),
            Item::Over { began, .. } => format!("was {}", state(began.kind)),
        }
    }

    /// What it was and when: `Dome North (10.0.5.21) was offline 14:02–14:16`.
    pub fn past(&self, style: &Style, with_day: bool) -> String {
        let (began, ended) = (self.began(), self.last());
        let times = self.times().filter(|times| *times > 1).map(|times| format!("{times} times ")).unwrap_or_default();
        let since = began.data.since.unwrap_or(began.at);
        format!("{} was {} {times}{}", about(began), state(began.kind), stretch(since, ended.at, &style.zone, with_day))
    }
}
