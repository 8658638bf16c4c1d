//! Which device is looked at when, between scans, and which of its streams is played then.
//!
//! Time is cut into rounds of [`CheckPlan::every`]. Each device has its own place in a round, by its id, so that the checks of
//! many devices spread evenly, stay where they are when the program starts anew, and need nothing to be remembered.

use std::collections::{BTreeMap, BTreeSet};

use ipnetwork::IpNetwork;
use jiff::{SignedDuration, Timestamp};

use crate::history::memory::{DeviceState, Known, KnownStream, Memory, Rule, StreamState, service_of};
use crate::model::memory::{Expect, Uid};
use crate::model::{Kind, Protocol, StreamStatus};

/// How streams are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckPlan {
    /// How often each device is looked at.
    every: SignedDuration,
}

/// Paths of a media server that are played in a round: each of them may be a camera of its own.
const PATHS: usize = 8;
/// So many other streams of a port are played beside one that fails: whether it is the port. As many are while it is.
const PORT_WITNESSES: usize = 4;

/// A full picture is played once in so many rounds; in the others the smallest of the same channel is.
const MAIN_EACH: i64 = 6;
/// A device that missed is asked again so many seconds after the first miss. The last one leaves it three minutes to start.
const AGAIN: [i64; 4] = [20, 40, 80, 180];
/// From then on it is asked after twice as long each time, a multiple of this; one that is back is asked once more after it.
const FIRST_AGAIN: SignedDuration = SignedDuration::from_secs(20);
/// No longer than this.
const LONGEST_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// So many other devices of its network are asked when one does not answer, …
const WITNESSES: usize = 4;
/// … all of them where so many are missing, …
const MANY: usize = 3;
/// … after this.
const WITNESSES_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// A device that is due, and what is to be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The device.
    pub uid: Uid,
    /// The keys of the streams to play, one after the other; none: it is only asked whether it is there.
    pub streams: Vec<String>,
}

impl CheckPlan {
    /// The shortest round.
    pub const SHORTEST: SignedDuration = SignedDuration::from_secs(30);

    /// Rounds of this length, [`CheckPlan::SHORTEST`] at least.
    pub fn every(every: SignedDuration) -> Self {
        CheckPlan { every: every.max(Self::SHORTEST) }
    }

    /// The round that `at` is in for a device; rounds are counted from 1970.
    pub fn round(&self, uid: &Uid, at: Timestamp) -> i64 {
        (at.as_second() - self.offset(uid)).div_euclid(self.seconds())
    }

    /// When that round begins.
    pub fn begins(&self, uid: &Uid, round: i64) -> Timestamp {
        let second = round.saturating_mul(self.seconds()).saturating_add(self.offset(uid));
        Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
    }

    /// What is to be done with a device in a round; none where it is left alone.
    pub fn due(&self, known: &Known, round: i64) -> Option<Due> {
        let is_left_alone = known.archived_at.is_some()
            || known.merged_into.is_some()
            || known.device.reach.is_some()
            || known.replaced_by.is_some() && Rule::ReplacedLeft.holds()
            || known.note.expect == Expect::Ignore;
        if is_left_alone {
            return None;
        }
        // One that misses has times of its own, which leave it long enough to start: see `again`.
        if known.health.misses > 0 && known.health.state != DeviceState::Offline {
            return None;
        }
        // One that does not answer is only asked; one that refused a login is not shown it again by itself.
        let plays = known.health.state == DeviceState::Online
            && known.health.misses == 0
            && !(known.login_rests() && Rule::LoginRests.holds());
        let streams = if plays { streams(known, round) } else { Vec::new() };
        Some(Due { uid: known.uid.clone(), streams })
    }

    fn seconds(&self) -> i64 {
        self.every.as_secs().max(1)
    }

    /// The second of a round at which a device has its place: the last digits of its id, which are random.
    fn offset(&self, uid: &Uid) -> i64 {
        let digits = uid.as_str().bytes().rev().take(12);
        let number = digits.fold(0i64, |sum, digit| sum.wrapping_mul(31).wrapping_add(i64::from(digit)));
        number.rem_euclid(self.seconds())
    }
}

/// When a device that missed, or came back, is asked again; none where there is no need.
pub fn again(known: &Known) -> Option<Timestamp> {
    let health = &known.health;
    // Of one that was replaced, whoever answers at its address is the other one: it is left to scans.
    let is_elsewhere = known.device.reach.is_some() || known.replaced_by.is_some() && Rule::ReplacedLeft.holds();
    if known.archived_at.is_some() || known.merged_into.is_some() || is_elsewhere {
        return None;
    }
    match (health.state, health.misses, health.first_miss, health.first_hit) {
        // It answered once: one more answer settles that it is back.
        (DeviceState::Offline | DeviceState::Unknown, 0, _, Some(hit)) if health.hits == 1 => {
            hit.checked_add(FIRST_AGAIN).ok()
        }
        (_, misses, Some(first), _) if misses > 0 => {
            let last = health.missed_at.unwrap_or(first);
            let asked = first.duration_until(last).as_secs();
            if let Some(after) = AGAIN.into_iter().find(|after| *after > asked) {
                return first.checked_add(SignedDuration::from_secs(after)).ok();
            }
            let doubled = FIRST_AGAIN.checked_mul(1 << misses.saturating_sub(2).min(8)).unwrap_or(LONGEST_AGAIN);
            last.checked_add(doubled.min(LONGEST_AGAIN)).ok()
        }
        _ => None,
    }
}

/// The devices that are to be asked by `now`: those that missed or came back, those a stream of which could not be connected
/// to, and the witnesses of what is missing.
pub fn due_again(memory: &Memory, now: Timestamp) -> Vec<Uid> {
    // Almost all answer, almost always: only the others are looked at closely.
    let ails = |known: &&Known| {
        let health = &known.health;
        health.misses > 0 || health.hits == 1 || health.doubted_at.is_some()
    };
    let ailing = memory.devices.values().filter(ails).filter(|known| known.merged_into.is_none());
    let ailing: Vec<&Known> = ailing.collect();
    let is_due = |known: &&&Known| {
        again(known).is_some_and(|due| due <= now) || known.health.doubted_at.is_some_and(|doubted| doubted <= now)
    };
    let witnesses = witnesses(memory, &ailing).into_iter().filter(|(_, due)| *due <= now);
    let due: BTreeSet<&Uid> =
        ailing.iter().filter(is_due).map(|known| &known.uid).chain(witnesses.map(|(uid, _)| uid)).collect();
    due.into_iter().cloned().collect()
}

/// Who is asked because another device does not answer, and when: some others of its network, and the recorder that it is
/// connected to. So it is known whether it is the device, the recorder or the network before anything is sent.
fn witnesses<'m>(memory: &'m Memory, ailing: &[&'m Known]) -> BTreeMap<&'m Uid, Timestamp> {
    let answered = |known: &&Known| {
        known.health.state == DeviceState::Online && known.health.misses == 0 && known.merged_into.is_none()
    };
    let asked_at = |since: Timestamp| since.checked_add(WITNESSES_AFTER).unwrap_or(since);
    let mut asked = BTreeMap::new();
    if !Rule::Witnesses.holds() {
        return asked;
    }
    let mut missing: BTreeMap<IpNetwork, (Timestamp, usize)> = BTreeMap::new();
    for known in ailing.iter().filter(|known| known.is_listed()) {
        let Some(since) = known.health.missing_since().filter(|_| known.health.state != DeviceState::Offline) else {
            continue;
        };
        if let Some(network) = memory.network_of(known.device.ip) {
            let (latest, count) = missing.entry(network).or_insert((since, 0));
            *latest = since.max(*latest);
            *count += 1;
        }
        let parents = known.parents.iter().filter_map(|uid| memory.devices.get(uid)).filter(answered);
        for parent in parents.filter(|parent| parent.seen.last < since) {
            asked.insert(&parent.uid, asked_at(since));
        }
    }
    if missing.is_empty() {
        return asked;
    }
    let mut others: BTreeMap<IpNetwork, Vec<&Known>> = BTreeMap::new();
    for known in memory.devices.values().filter(|known| known.is_listed()).filter(answered) {
        if let Some(network) = memory.network_of(known.device.ip).filter(|network| missing.contains_key(network)) {
            others.entry(network).or_default().push(known);
        }
    }
    for (network, others) in others {
        let Some((since, count)) = missing.get(&network) else { continue };
        // Where it looks like the network, all are asked: then it is said of how many devices.
        let most = if *count < MANY { WITNESSES } else { usize::MAX };
        // Ids are random, so that the first are as good as any.
        let chosen = others.into_iter().take(most).filter(|known| known.seen.last < *since);
        asked.extend(chosen.map(|known| (&known.uid, asked_at(*since))));
    }
    asked
}

/// The streams of a device that are played in a round: of each channel one, the smallest, or the largest each sixth time; of a
/// media server some of its paths by turns; and those that do not work, so that it is seen when they do. Where one fails,
/// others of its port are played; where none of a port plays, some of them by turns.
fn streams(known: &Known, round: i64) -> Vec<String> {
    let is_listed = |stream: &KnownStream| known.device.camera_of(&stream.stream).is_none();
    let is_retried = known.login.is_some();
    let mut all: Vec<(&String, &KnownStream)> =
        known.streams.iter().filter(|(_, stream)| is_played(stream, is_retried) && is_listed(stream)).collect();
    // Those of a channel stay in the order of their keys.
    all.sort_by_key(|(_, stream)| stream.stream.channel);
    let channels = all.chunk_by(|(_, a), (_, b)| a.stream.channel == b.stream.channel);
    let mut keys: Vec<&String> = port_witnesses(known);
    channels.for_each(|streams| of_channel(known, streams, round, &mut keys));
    sort_once(&mut keys);
    if let Some(trouble) = &known.service {
        let (down, others): (Vec<&String>, Vec<&String>) =
            keys.into_iter().partition(|key| service_of(key) == trouble.service);
        // One that plays again is played once more, which settles it.
        let plays = |key: &&&String| known.streams.get(**key).is_some_and(|stream| stream.health.good > 0);
        let again = down.iter().filter(plays).take(PORT_WITNESSES).chain(by_turns(&down, PORT_WITNESSES, round));
        keys = others.into_iter().chain(again.copied()).collect();
        sort_once(&mut keys);
    }
    keys.into_iter().cloned().collect()
}

/// The streams of a channel that are played in a round; they come in the order of their keys.
fn of_channel<'k>(known: &Known, all: &[(&'k String, &KnownStream)], round: i64, keys: &mut Vec<&'k String>) {
    // An address where nothing was ever seen is left to scans, where there is one that worked.
    let has_worked = all.iter().any(|(_, stream)| stream.last_ok.is_some());
    let streams = || all.iter().filter(|(_, stream)| !has_worked || stream.last_ok.is_some());
    keys.extend(streams().filter(|(_, stream)| is_ailing(stream)).map(|(key, _)| *key));
    let protocol = streams().map(|(_, stream)| rank(stream.stream.protocol)).min();
    let streams = streams().filter(|(_, stream)| Some(rank(stream.stream.protocol)) == protocol);
    if known.device.kind == Kind::MediaServer && all.first().is_some_and(|(_, stream)| stream.stream.channel.is_none())
    {
        let paths: Vec<&String> = streams.map(|(key, _)| *key).collect();
        keys.extend(by_turns(&paths, PATHS, round).copied());
        return;
    }
    let size = |(key, stream): &&(&'k String, &KnownStream)| (area(stream), *key);
    let chosen = if round.rem_euclid(MAIN_EACH) == 0 { streams.max_by_key(size) } else { streams.min_by_key(size) };
    keys.extend(chosen.map(|(key, _)| *key));
}

/// Puts keys into order, each once.
fn sort_once(keys: &mut Vec<&String>) {
    keys.sort_unstable();
    keys.dedup();
}

/// So many of them, others in the next round.
fn by_turns<T>(all: &[T], most: usize, round: i64) -> impl Iterator<Item = &T> {
    let turns = i64::try_from(all.len().div_ceil(most)).unwrap_or(1).max(1);
    let turn = usize::try_from(round.rem_euclid(turns)).unwrap_or_default();
    all.iter().skip(turn.saturating_mul(most)).take(most)
}

/// Others of a port where a stream fails and none has played since.
fn port_witnesses(known: &Known) -> Vec<&String> {
    let mut failing: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for (key, stream) in &known.streams {
        if let Some(first) = stream.health.first_bad.filter(|_| stream.health.bad > 0) {
            let since = failing.entry(service_of(key)).or_insert(first);
            *since = first.max(*since);
        }
    }
    let witnesses = failing.into_iter().flat_map(|(service, since)| {
        let of_port = known.streams.iter().filter(move |(key, _)| service_of(key) == service);
        let of_port: Vec<_> =
            of_port.filter(|(_, stream)| stream.last_ok.is_some() && is_played(stream, false)).collect();
        let has_played = of_port.iter().any(|(_, stream)| stream.last_ok >= Some(since));
        let others = of_port.into_iter().filter(move |(_, stream)| !has_played && stream.health.bad == 0);
        others.map(|(key, _)| key).take(PORT_WITNESSES)
    });
    witnesses.collect()
}

/// Whether a stream can be played at all: it is there, its address is known as a whole, and no login is missing, or that is to
/// be tried again.
fn is_played(stream: &KnownStream, is_retried: bool) -> bool {
    let is_locked = stream.health.state == StreamState::Locked || stream.stream.status == StreamStatus::AuthRequired;
    stream.gone_at.is_none() && stream.stream.is_whole() && (!is_locked || is_retried)
}

fn is_ailing(stream: &KnownStream) -> bool {
    use StreamState::{Broken, Busy, Degraded, Unknown};
    matches!(stream.health.state, Broken | Degraded | Busy | Unknown) || stream.health.bad > 0
}

/// Of one picture by several protocols the cheapest to play is: RTSP names its frames' times and ends when it is told to.
fn rank(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Rtsp => 0,
        Protocol::Rtsps => 1,
        _ => 2,
    }
}

fn area(stream: &KnownStream) -> u64 {
    let size = stream.stream.video.as_ref().and_then(|video| Some((video.width?, video.height?)));
    size.map_or(0, |(width, height)| u64::from(width) * u64::from(height))
}

#[cfg(test)]
mod tests;
