//! Events and messages in memory, as the store keeps them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::model::memory::{Delivery, DeliveryState, Event, Outbox, OutboxError, Route};

/// Events and messages in memory.
#[derive(Default)]
pub struct MemoryOutbox(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    events: Vec<(i64, Event)>,
    deliveries: Vec<Delivery>,
}

impl MemoryOutbox {
    /// Stores events and the messages that `route` makes of them; returns the events' numbers.
    pub fn tell(&self, events: Vec<Event>, route: &dyn Route, now: Timestamp) -> Vec<i64> {
        let mut kept = self.kept();
        let first = kept.events.len() + 1;
        let events: Vec<(i64, Event)> =
            events.into_iter().enumerate().map(|(nth, event)| (number(first + nth), event)).collect();
        kept.events.extend(events.iter().cloned());
        let hour = SignedDuration::from_hours(1);
        let counts = |d: &&Delivery| d.state == DeliveryState::Waiting || now.duration_since(d.created_at) <= hour;
        let open: Vec<Delivery> = kept.deliveries.iter().filter(counts).cloned().collect();
        let stored = |numbers: &[i64]| {
            let all = numbers.iter().filter_map(|number| kept.events.iter().find(|(of, _)| of == number));
            all.cloned().collect::<Vec<(i64, Event)>>()
        };
        let routed = route.route(&events, &open, now, &stored);
        for (to, added) in routed.added {
            if let Some(delivery) = kept.deliveries.iter_mut().find(|d| d.number == to) {
                assert!(delivery.takes_more(), "nothing is added to what is being delivered");
                delivery.events.extend(added);
            }
        }
        for gone in routed.dropped {
            if let Some(delivery) = kept.deliveries.iter_mut().find(|d| d.number == gone) {
                assert!(delivery.takes_more(), "nothing is dropped that is being delivered");
                delivery.state = DeliveryState::Dropped;
            }
        }
        kept.add(routed.new);
        events.iter().map(|(number, _)| *number).collect()
    }

    /// Stores messages.
    pub fn add(&self, deliveries: Vec<Delivery>) {
        self.kept().add(deliveries);
    }

    /// Every message there ever was.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.kept().deliveries.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn add(&mut self, deliveries: Vec<Delivery>) {
        for mut delivery in deliveries {
            delivery.number = number(self.deliveries.len() + 1);
            self.deliveries.push(delivery);
        }
    }

    fn waiting<'k>(&'k self, channel: &'k str) -> impl Iterator<Item = &'k Delivery> {
        self.deliveries.iter().filter(move |d| d.channel == channel && d.state == DeliveryState::Waiting)
    }
}

fn number(nth: usize) -> i64 {
    i64::try_from(nth).unwrap_or(i64::MAX)
}

impl Outbox for MemoryOutbox {
    fn due(&self, channel: &str, now: Timestamp, limit: usize) -> Result<Vec<Delivery>, OutboxError> {
        let mut due: Vec<Delivery> = self.kept().waiting(channel).filter(|d| d.due_at <= now).cloned().collect();
        due.sort_by_key(|delivery| (delivery.due_at, delivery.number));
        due.truncate(limit);
        Ok(due)
    }

    fn next_due(&self, channel: &str) -> Result<Option<Timestamp>, OutboxError> {
        Ok(self.kept().waiting(channel).map(|delivery| delivery.due_at).min())
    }

    fn settle(&self, settled: &Delivery) -> Result<(), OutboxError> {
        let mut kept = self.kept();
        let delivery = kept.deliveries.iter_mut().find(|d| d.number == settled.number);
        let delivery = delivery.ok_or_else(|| OutboxError("there is no such message".to_owned()))?;
        *delivery = Delivery { events: std::mem::take(&mut delivery.events), ..settled.clone() };
        Ok(())
    }

    fn events_of(&self, delivery: &Delivery) -> Result<Vec<(i64, Event)>, OutboxError> {
        let kept = self.kept();
        let stored = kept.deliveries.iter().find(|d| d.number == delivery.number);
        let numbers = stored.map(|delivery| delivery.events.clone()).unwrap_or_default();
        Ok(numbers.iter().filter_map(|number| kept.events.iter().find(|(of, _)| of == number).cloned()).collect())
    }
}
