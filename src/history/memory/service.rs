//! A port of a device and its streams: when none of them plays any more, what serves them is down. That is one failure, however
//! many streams it has.

use jiff::Timestamp;

use super::health::{ServiceTrouble, StreamState};
use super::known::{Known, KnownStream};
use super::mute::Subject;
use super::stream::is_unconnected;
use super::tell::{failure, seconds};
use super::{Memory, Rule, who};
use crate::model::memory::{Event, EventKind, MutedBy, Remark, ServiceCard, Uid};

/// A port with fewer streams is not reported by itself: its stream is.
const FEWEST: usize = 2;
/// Where the port takes connections, it counts as down when as many of its streams fail, or all where it has fewer.
const WITNESSES: usize = 3;

/// Protocol and port of a stream, by its key: `rtsp:8554` of `rtsp:8554/door`.
pub fn service_of(key: &str) -> &str {
    key.find(['/', '?', '#']).and_then(|end| key.get(..end)).unwrap_or(key)
}

impl KnownStream {
    /// Whether it is one of those that a port has to play: it did, and is there.
    fn is_served(&self) -> bool {
        self.last_ok.is_some() && self.gone_at.is_none() && self.health.state != StreamState::Locked
    }

    /// Since when its checks fail, where that was not sent.
    fn fails_since(&self) -> Option<Timestamp> {
        self.health.first_bad.filter(|_| self.health.bad > 0 && !self.health.is_told_broken())
    }

    /// No stream of its port plays: it counts as broken before its own turn comes.
    fn goes_with_port(&mut self, since: Timestamp) {
        let health = &mut self.health;
        if health.state != StreamState::Broken {
            (health.state, health.since, health.problem_at) = (StreamState::Broken, since, Some(since));
            (health.good, health.muted) = (0, Some(MutedBy::Service));
        }
    }

    /// Its state is to be found out again: the port that it went with is back.
    fn judge_anew(&mut self, since: Timestamp, at: Timestamp) {
        let health = &mut self.health;
        health.begin_round();
        (health.state, health.since, health.problem_at, health.muted) = (StreamState::Unknown, at, None, None);
        // It has not played since then.
        health.first_bad = Some(since);
    }
}

impl Known {
    /// The streams of the port of this one that have to play.
    fn served_with(&self, key: &str) -> impl Iterator<Item = (&String, &KnownStream)> {
        let service = service_of(key);
        self.streams.iter().filter(move |(other, stream)| service_of(other) == service && stream.is_served())
    }

    /// Whether a stream that broke went with its whole port: since when, and with how many.
    fn lost_service(&self, key: &str) -> Option<(Timestamp, usize)> {
        let stream = self.streams.get(key)?;
        let broke = stream.health.problem_at?;
        let failing = self.served_with(key).filter_map(|(_, stream)| stream.fails_since());
        let (failing, since) = failing.fold((0, broke), |(count, since), first| (count + 1, since.min(first)));
        let all = self.served_with(key).count();
        let plays = self.served_with(key).any(|(_, stream)| stream.last_ok >= Some(broke));
        let is_enough = is_unconnected(&stream.stream) || failing >= all.min(WITNESSES);
        (all >= FEWEST && is_enough && !plays).then_some((since, all))
    }

    /// Whether a problem of a stream is kept and not sent: its port is down, or another port of the device went down before.
    pub(super) fn waits_for_service(&self, key: &str) -> bool {
        let Some(trouble) = &self.service else { return false };
        let begins = |stream: &KnownStream| stream.health.problem_at.or(stream.health.first_bad);
        let went_after = || self.streams.get(key).and_then(begins).is_some_and(|begins| begins >= trouble.since);
        service_of(key) == trouble.service || went_after()
    }
}

impl Memory {
    /// A stream broke: perhaps its whole port did.
    pub(super) fn find_service_lost(&mut self, uid: &Uid, key: &str, at: Timestamp, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get_mut(uid).filter(|known| known.service.is_none() && Rule::Port.holds())
        else {
            return;
        };
        let Some((since, all)) = known.lost_service(key) else { return };
        let (service, streams) = (service_of(key).to_owned(), u64::try_from(all).unwrap_or(u64::MAX));
        let others = known.streams.iter_mut().filter(|(other, _)| *other != key && service_of(other) == service);
        others.filter(|(_, stream)| stream.is_served()).for_each(|(_, stream)| stream.goes_with_port(since));
        known.service = Some(ServiceTrouble { service, since, streams, sent: false, acked: None });
        self.announce_service(uid, key, at, true, events);
    }

    /// A stream plays: its port does.
    pub(super) fn find_service_back(&mut self, uid: &Uid, key: &str, at: Timestamp, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get_mut(uid) else { return };
        let Some(trouble) = known.service.take_if(|trouble| trouble.service == service_of(key)) else { return };
        // What else went with it is looked at before anything is said of it.
        let went_along = |stream: &KnownStream| {
            let health = &stream.health;
            health.state.problem().is_some() && health.told.is_none() && stream.gone_at.is_none()
        };
        for (_, stream) in known.streams.iter_mut().filter(|(other, stream)| *other != key && went_along(stream)) {
            let since = stream.health.problem_at.unwrap_or(trouble.since);
            stream.judge_anew(since, at);
        }
        let mut event = self.about_service(uid, &trouble, key, EventKind::ServiceRepaired, at);
        if !trouble.sent {
            event.muted_by = event.muted_by.or(Some(MutedBy::User));
        }
        let seconds = seconds(trouble.since, at);
        event.data.say_why(Remark::StreamsPlay { service: trouble.service, seconds });
        events.push(event);
        self.touched.insert(uid.clone());
    }

    /// Makes the event of a port that is down; see [`Memory::announce_device`].
    fn announce_service(&mut self, uid: &Uid, key: &str, at: Timestamp, is_new: bool, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get(uid) else { return };
        let Some(trouble) = known.service.clone().filter(|trouble| !trouble.sent) else { return };
        let mut event = self.about_service(uid, &trouble, key, EventKind::ServiceBroken, at);
        let sent = event.muted_by.is_none();
        if !sent && !is_new {
            return;
        }
        let ServiceTrouble { service, streams, .. } = trouble;
        event.data.say_why(Remark::NoStreamPlays { service, streams });
        event.data.say_failure(known.streams.get(key).and_then(|stream| failure(&stream.stream)));
        events.push(event);
        self.touched.insert(uid.clone());
        if let Some(trouble) = self.devices.get_mut(uid).and_then(|known| known.service.as_mut()) {
            trouble.sent = sent;
        }
    }

    /// The same of one that was muted when it went down.
    pub(super) fn settle_service(&mut self, uid: &Uid, at: Timestamp, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get(uid) else { return };
        let Some(trouble) = known.service.as_ref().filter(|trouble| !trouble.sent) else { return };
        let is_broken = |stream: &KnownStream| stream.health.state == StreamState::Broken;
        let mut streams = known.streams.iter();
        let broken = streams.find(|(key, stream)| service_of(key) == trouble.service && is_broken(stream));
        if let Some(key) = broken.map(|(key, _)| key.clone()) {
            self.announce_service(uid, &key, at, false, events);
        }
    }

    /// An event about a port, muted or not. It comes and goes as `key` does, a stream of it.
    fn about_service(&self, uid: &Uid, trouble: &ServiceTrouble, key: &str, kind: EventKind, at: Timestamp) -> Event {
        let mut event = self.about(uid, kind, at);
        event.data.service = Some(ServiceCard { key: trouble.service.clone(), streams: trouble.streams });
        event.data.since = Some(trouble.since);
        event.data.count = Some(trouble.streams);
        let known = self.devices.get(uid);
        event.muted_by = known.zip(known.and_then(|known| known.streams.get(key))).and_then(|(known, stream)| {
            let subject = Subject { flaps: &stream.health.flaps, acked: trouble.acked, is_part: true };
            self.muted_by(known, subject, kind, at)
        });
        event
    }

    /// A user knows that no stream of a port plays. Whether that is so.
    pub(super) fn acknowledge_service(&mut self, uid: &Uid, service: &str, at: Timestamp) -> bool {
        let uid = who::root(&self.devices, uid).clone();
        let trouble = self.devices.get_mut(&uid).and_then(|known| known.service.as_mut());
        let Some(trouble) = trouble.filter(|trouble| trouble.service == service) else { return false };
        trouble.acked = Some(at);
        self.touched.insert(uid);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_begins_with_its_service() {
        for (key, service) in [
            ("rtsp:8554/door", "rtsp:8554"),
            ("rtsp:554/1#2", "rtsp:554"),
            ("rtsp:#2", "rtsp:"),
            ("http:80?stream=1", "http:80"),
            ("rtsp:554", "rtsp:554"),
        ] {
            assert_eq!(service_of(key), service);
        }
    }
}
