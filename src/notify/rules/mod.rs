//! Which events go into which message: match, group, limit. Pure.

use std::collections::BTreeSet;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use sha2::{Digest as _, Sha256};

use super::group::Group;
use super::open::ends;
use super::retry::after;
use crate::model::memory::{Delivery, DeliveryState, Event, Route, Routed, Severity, Stored};
use crate::model::notify::{Hours, Notifications, Rule};

/// Messages a channel gets in an hour; what comes beyond them waits for one message of its own. Problems have room for so many
/// more, and their ends for so many more again.
pub const MOST_PER_HOUR: usize = 20;

/// Messages that may wait for a channel; of the oldest that nobody has tried yet, one is made.
pub const MOST_WAITING: usize = 1_000;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Decides which messages tell which events.
#[derive(Debug, Clone)]
pub struct Rules {
    rules: Vec<Rule>,
    channels: Vec<String>,
    zone: TimeZone,
}

impl Rules {
    /// The rules of a configuration; hours and digests are meant in `zone`. Without any rule the default one holds.
    pub fn new(notifications: &Notifications, zone: TimeZone) -> Rules {
        let mut rules = notifications.rules.clone();
        if rules.is_empty() {
            rules.push(Rule::default());
        }
        Rules { rules, channels: notifications.channels.iter().map(|channel| channel.name.clone()).collect(), zone }
    }

    /// Reminders of problems that last: messages about those of `problems` that are to be told again and have not been since.
    ///
    /// `problems` are the events that began them, as [`still_open`](super::still_open) finds them; leave out those that a user
    /// has acknowledged or muted. `sent` holds at least the messages made in the last 24 hours, or in the longest `repeat` of
    /// the rules. Call it every few minutes.
    pub fn remind(&self, problems: &[(i64, Event)], sent: &[Delivery], now: Timestamp) -> Vec<Delivery> {
        let mut outgoing = Outgoing::new(&[], now);
        for (number, event) in problems {
            for (index, rule, channel) in self.receivers(event, now) {
                let Some(repeat) = rule.repeat.and_then(|repeat| SignedDuration::try_from(repeat).ok()) else {
                    continue;
                };
                let Some(turn) = last_turn(event.at, repeat, now) else { continue };
                let is_told = sent.iter().any(|delivery| {
                    delivery.channel == channel
                        && delivery.created_at >= turn
                        && matches!(Group::parse(&delivery.group), Group::Reminder(..))
                        && delivery.events.contains(number)
                });
                if !is_told {
                    outgoing.add(channel, &Group::Reminder(index, site(event)), *number, now);
                }
            }
        }
        outgoing.routed.new
    }

    /// The channels an event is meant for, each with the first rule that sends it there.
    fn receivers(&self, event: &Event, now: Timestamp) -> Vec<(usize, &Rule, &str)> {
        if event.muted_by.is_some() {
            return Vec::new();
        }
        let mut told = BTreeSet::new();
        let mut receivers = Vec::new();
        for (index, rule) in self.rules.iter().enumerate().filter(|(_, rule)| self.holds(rule, event, now)) {
            let named = |name: &str| rule.channels.is_empty() || rule.channels.iter().any(|channel| channel == name);
            for channel in self.channels.iter().filter(|channel| named(channel)) {
                // A channel that takes nothing is not told that it takes nothing.
                let is_its_own = event.data.channel.as_ref() == Some(channel);
                if !is_its_own && told.insert(channel) {
                    receivers.push((index, rule, channel.as_str()));
                }
            }
        }
        receivers
    }

    fn holds(&self, rule: &Rule, event: &Event, now: Timestamp) -> bool {
        let device = event.data.device.as_ref();
        let mut kinds = [Some(event.kind), event.kind.stands_for()].into_iter().flatten();
        let is_meant = kinds.any(|kind| rule.events.contains(&kind)) || rule.severity.contains(&event.severity);
        let has_tag = |tag: &String| device.is_some_and(|device| device.tags.contains(tag));
        let is_at = |site: &String| device.is_some_and(|device| device.site.as_ref() == Some(site));
        let is_in = |network: &ipnetwork::IpNetwork| {
            device.is_some_and(|device| network.contains(device.ip))
                || event.network.is_some_and(|about| about.prefix() >= network.prefix() && network.contains(about.ip()))
        };
        // Whoever was told of a problem is told of its end, also after hours.
        let is_time = |hours: &Hours| {
            let began = event.data.since.filter(|_| event.severity == Severity::Recovery);
            [Some(now), began].into_iter().flatten().any(|at| hours_hold(hours, &at.to_zoned(self.zone.clone())))
        };
        is_meant
            && (rule.tags.is_empty() || rule.tags.iter().any(has_tag))
            && (rule.sites.is_empty() || rule.sites.iter().any(is_at))
            && (rule.subnets.is_empty() || rule.subnets.iter().any(is_in))
            && (rule.hours.is_empty() || rule.hours.iter().any(is_time))
    }
}

impl Route for Rules {
    fn route(&self, events: &[(i64, Event)], open: &[Delivery], now: Timestamp, stored: &Stored<'_>) -> Routed {
        let mut outgoing = Outgoing::new(open, now);
        for (number, event) in events {
            for (index, rule, channel) in self.receivers(event, now) {
                let (group, due_at) = match next_of(&rule.digest, now, &self.zone) {
                    Some(due_at) => (Group::Digest(index, site(event)), due_at),
                    None => {
                        let wait = SignedDuration::try_from(rule.wait).unwrap_or(HOUR);
                        (Group::News(index, site(event)), after(now, wait))
                    }
                };
                // What is held back and over is told in one place.
                match outgoing.held_beginning(channel, event, stored) {
                    Some(held) => outgoing.add(channel, &held, *number, due_at),
                    None => outgoing.add_limited(channel, &group, event.severity, *number, due_at),
                }
            }
        }
        self.channels.iter().for_each(|channel| outgoing.bound(channel));
        outgoing.routed
    }
}

/// The messages as they are and as they become.
struct Outgoing<'o> {
    open: &'o [Delivery],
    now: Timestamp,
    routed: Routed,
}

impl<'o> Outgoing<'o> {
    fn new(open: &'o [Delivery], now: Timestamp) -> Self {
        Outgoing { open, now, routed: Routed::default() }
    }

    /// The summary that waits with the problem that `end` ends.
    fn held_beginning(&self, channel: &str, end: &Event, stored: &Stored<'_>) -> Option<Group> {
        let began = |numbers: &[i64]| stored(numbers).iter().any(|(_, event)| ends(event, end));
        let holds_it = |group: &Group| {
            let name = group.to_string();
            let new = self.routed.new.iter().find(|d| d.channel == channel && d.group == name);
            let number = self.waiting_of(channel, &name);
            let waiting = self.open.iter().filter(|delivery| Some(delivery.number) == number);
            let added = self.routed.added.iter().filter(|(to, _)| Some(*to) == number).map(|(_, events)| events);
            waiting.chain(new).map(|delivery| &delivery.events).chain(added).any(|events| began(events))
        };
        let may_end = end.severity == Severity::Recovery;
        [Group::MoreProblems, Group::More].into_iter().filter(|_| may_end).find(holds_it)
    }

    /// Adds an event, within what a channel gets in an hour.
    fn add_limited(&mut self, channel: &str, group: &Group, severity: Severity, event: i64, due_at: Timestamp) {
        // What is collected for a time of day is one message already.
        if self.takes_more(channel, group) || matches!(group, Group::Digest(..)) {
            return self.add(channel, group, event, due_at);
        }
        let summary = match severity {
            Severity::Info | Severity::Warning => Group::More,
            Severity::Problem | Severity::Recovery => Group::MoreProblems,
        };
        match self.hour_is_full(channel, room(severity)) {
            Some(free_at) => self.add(channel, &summary, event, free_at.max(due_at)),
            None => self.add(channel, group, event, due_at),
        }
    }

    /// Adds an event to a message of its group that nobody has tried yet, or makes one.
    fn add(&mut self, channel: &str, group: &Group, event: i64, due_at: Timestamp) {
        let name = group.to_string();
        if let Some(delivery) = self.routed.new.iter_mut().find(|d| d.channel == channel && d.group == name) {
            return delivery.events.push(event);
        }
        if let Some(number) = self.waiting_of(channel, &name) {
            return match self.routed.added.iter_mut().find(|(to, _)| *to == number) {
                Some((_, events)) => events.push(event),
                None => self.routed.added.push((number, vec![event])),
            };
        }
        self.routed.new.push(Delivery {
            number: 0,
            id: id(channel, &name, event, self.now),
            channel: channel.to_owned(),
            group: name,
            events: vec![event],
            body: None,
            created_at: self.now,
            due_at,
            tries: 0,
            state: DeliveryState::Waiting,
            error: None,
        });
    }

    fn takes_more(&self, channel: &str, group: &Group) -> bool {
        let name = group.to_string();
        self.routed.new.iter().any(|d| d.channel == channel && d.group == name)
            || self.waiting_of(channel, &name).is_some()
    }

    /// A stored message of the group to which events can be added.
    fn waiting_of(&self, channel: &str, group: &str) -> Option<i64> {
        let is_it = |d: &&Delivery| d.channel == channel && d.group == group && d.takes_more() && !self.is_dropped(d);
        self.open.iter().find(is_it).map(|delivery| delivery.number)
    }

    fn is_dropped(&self, delivery: &Delivery) -> bool {
        self.routed.dropped.contains(&delivery.number)
    }

    /// When the channel may get another message, where it has had `room` messages in an hour.
    fn hour_is_full(&self, channel: &str, room: usize) -> Option<Timestamp> {
        let counts = |d: &&Delivery| {
            d.channel == channel && d.state != DeliveryState::Dropped && self.now.duration_since(d.created_at) < HOUR
        };
        let mut made: Vec<Timestamp> =
            self.open.iter().chain(&self.routed.new).filter(counts).map(|delivery| delivery.created_at).collect();
        made.sort_unstable();
        let oldest = made.len().checked_sub(room)?;
        made.get(oldest).map(|at| after(*at, HOUR))
    }

    /// Makes one message of the oldest where too many wait for a channel.
    fn bound(&mut self, channel: &str) {
        let waits = |d: &&Delivery| d.channel == channel && d.state == DeliveryState::Waiting;
        let waiting = self.open.iter().filter(waits).filter(|d| !self.is_dropped(d)).count()
            + self.routed.new.iter().filter(waits).count();
        if waiting <= MOST_WAITING {
            return;
        }
        // The message that is made of them may be one more.
        let excess = waiting - MOST_WAITING + usize::from(!self.takes_more(channel, &Group::More));
        let mut events = Vec::new();
        let oldest = self
            .open
            .iter()
            .filter(waits)
            .filter(|d| d.takes_more() && Group::parse(&d.group) != Group::More)
            .take(excess);
        for delivery in oldest.collect::<Vec<_>>() {
            events.extend(&delivery.events);
            if let Some(at) = self.routed.added.iter().position(|(to, _)| *to == delivery.number) {
                events.extend(self.routed.added.remove(at).1);
            }
            self.routed.dropped.push(delivery.number);
        }
        events.sort_unstable();
        for event in events {
            self.add(channel, &Group::More, event, self.now);
        }
    }
}

/// How many messages of an hour leave room for one about such an event. Each step counts the summary of what lies below it, so
/// that nothing of less weight takes the room of a problem, and no problem that of an end.
fn room(severity: Severity) -> usize {
    let summary = 1;
    match severity {
        Severity::Info | Severity::Warning => MOST_PER_HOUR,
        Severity::Problem => 2 * MOST_PER_HOUR + summary,
        Severity::Recovery => 3 * MOST_PER_HOUR + 2 * summary,
    }
}

/// What a receiver recognises the message by.
fn id(channel: &str, group: &str, event: i64, now: Timestamp) -> String {
    let digest = Sha256::digest(format!("{channel}\n{group}\n{event}\n{}", now.as_nanosecond()));
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("msg_{hex}")
}

fn site(event: &Event) -> String {
    event.data.device.as_ref().and_then(|device| device.site.clone()).unwrap_or_default()
}

/// The last of the times `since` + n × `repeat` that have come, n from 1 on.
fn last_turn(since: Timestamp, repeat: SignedDuration, now: Timestamp) -> Option<Timestamp> {
    let (passed, repeat) = (now.duration_since(since).as_secs(), repeat.as_secs());
    let turns = passed.checked_div(repeat).filter(|turns| *turns >= 1)?;
    Some(after(since, SignedDuration::from_secs(turns.saturating_mul(repeat))))
}

/// The next of these times of day; none where there is none.
fn next_of(times: &[Time], now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let here = now.to_zoned(zone.clone());
    let days = [here.date(), here.date().checked_add(1.day()).ok()?];
    let all = days.into_iter().flat_map(|day| times.iter().map(move |time| day.to_datetime(*time)));
    all.filter_map(|at| at.to_zoned(zone.clone()).ok()).map(|at| at.timestamp()).filter(|at| *at > now).min()
}

/// Whether a point in time lies in a stretch.
fn hours_hold(hours: &Hours, at: &Zoned) -> bool {
    let (day, time) = (at.weekday(), at.time());
    let is_day = |day| hours.days.contains(&day);
    match hours.from < hours.to {
        true => is_day(day) && hours.from <= time && time < hours.to,
        false => is_day(day) && time >= hours.from || is_day(day.previous()) && time < hours.to,
    }
}

#[cfg(test)]
mod tests;
