//! What a full scan teaches.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnetwork::IpNetwork;
use jiff::Timestamp;

use super::changes::{certificate_stage, merged};
use super::forget::is_only_heard;
use super::health::{DeviceHealth, DeviceState};
use super::key::keys_of;
use super::known::{Analysis, Known, KnownCertificates, KnownStream, Seen};
use super::network::FEWEST;
use super::proof::is_on_its_word;
use super::scope::Scope;
use super::stream::ways_tried;
use super::streams::Look;
use super::who::{self, Index, Match};
use super::{Learnt, Memory, Round, Rule, Sight, Vantage};
use crate::history::stream_key::keyed;
use crate::model::memory::{Event, EventKind, Note, Remark, Uid};
use crate::model::{Device, Kind, Report, ScanStatus, Stage, Stream, StreamStatus, Warning};
use crate::text::steps;

/// A stream that so many scans in a row did not find is gone.
const ABSENT: u32 = 2;

impl Memory {
    /// A full scan. `mint` gives ids for new devices (random ones come from the store).
    pub fn learn(&mut self, round: &Round<'_>, mint: &mut dyn FnMut() -> Uid) -> Learnt {
        let Round { report, at, sight } = *round;
        let is_step = self.begin(at);
        let is_first = self.devices.is_empty();
        let scope = Scope::of(report);
        let found = who::recognise(&Index::of(&self.devices), &mut self.shared, &report.devices);
        // New devices are named in an order that does not depend on the report's.
        let mut order: Vec<(usize, &Device)> = report.devices.iter().enumerate().collect();
        order.sort_by_key(|(_, device)| (device.ip, &device.id, device.mac));
        let mut events = Vec::new();
        let mut devices: BTreeMap<usize, Uid> = BTreeMap::new();
        let (mut room, mut left_out) = (self.room(), 0);
        for &(n, device) in &order {
            let uid = match found.get(n).and_then(Option::as_ref) {
                Some(known) => known.uid.clone(),
                None if is_only_heard(device) => self.add(device, mint(), at),
                None if room == 0 => {
                    left_out += 1;
                    mint()
                }
                None => {
                    room -= 1;
                    self.add(device, mint(), at)
                }
            };
            devices.insert(n, uid);
        }
        let same = self.later_ids(&found, &report.devices);
        steps::look_at(same.len());
        let same = same.iter().map(|(before, now)| (before.as_str(), *now)).collect();
        for &(n, device) in &order {
            if let Some(Some(known)) = found.get(n) {
                self.see(known, device, &same, at, &mut events);
            }
        }
        self.thin_out(at);
        self.bound_shared(&report.devices);
        self.note_parents(&report.devices, &devices);
        let seen: BTreeSet<&Uid> = devices.values().collect();
        self.note_networks(&scope.links, &seen);
        self.find_networks(at, &mut events);
        let missing = self.missing(&scope, &seen, at);
        let new: Vec<(&Uid, &Device)> = order
            .iter()
            .filter(|(n, _)| found.get(*n).is_none_or(Option::is_none))
            .filter_map(|(n, device)| Some((devices.get(n)?, *device)))
            .filter(|(uid, _)| self.devices.contains_key(*uid))
            .collect();
        if is_first && Rule::FirstScan.holds() {
            events.extend(first_scan(new.len(), at));
        } else {
            new.iter().for_each(|(uid, device)| self.announce_new(uid, device, &missing, at, &mut events));
        }
        self.count_misses(&missing, &seen, (sight, is_step), at, &mut events);
        self.settle(at, &mut events);
        Learnt { events, devices: devices.into_values().collect(), left_out }
    }

    /// Notes which devices a scan analysed in full, and of which it confirmed that nothing had changed: `devices` are those
    /// of its report, in order. To be called after [`Memory::learn`]. A scan that was interrupted analysed nothing in full.
    pub fn note_analyses(&mut self, report: &Report, devices: &[Uid], way: &str) {
        let (began, ended) = (report.scan.started_at, report.scan.finished_at);
        let is_complete = report.scan.status == ScanStatus::Complete;
        for (uid, device) in devices.iter().zip(&report.devices) {
            let Some(known) = self.devices.get_mut(uid) else { continue };
            if known.device.ip != device.ip || known.scanned_at != Some(ended) {
                continue;
            }
            let before = known.analysis.take();
            known.analysis = match device.analysed_at {
                Some(at) => before.filter(|before| before.at == at).map(|b| Analysis { confirmed_at: ended, ..b }),
                None => is_complete.then(|| Analysis { at: began, confirmed_at: ended, way: way.to_owned() }),
            };
            self.touched.insert(uid.clone());
        }
    }

    /// A device that was never seen before.
    fn add(&mut self, device: &Device, uid: Uid, at: Timestamp) -> Uid {
        let keys = keys_of(device).into_iter().filter(|key| !self.shared.contains(key));
        let keys: BTreeMap<_, _> = keys.map(|key| (key, Seen { first: at, last: at })).collect();
        let streams = keyed(&device.streams);
        let mut known = Known {
            uid: uid.clone(),
            device: device.clone(),
            by_address_only: keys.is_empty(),
            keys,
            seen: Seen { first: at, last: at },
            address_since: at,
            health: DeviceHealth::online(at),
            login: None,
            service: None,
            protected_at: None,
            offered_digest: false,
            took_tls_alone: false,
            certificates: Some(KnownCertificates::of(
                device,
                device.link_mac.filter(|mac| self.has_own_card(&uid, *mac)),
            )),
            on_its_word_at: None,
            answered: !is_only_heard(device),
            has_login: false,
            streams: streams.into_iter().map(|(key, stream)| (key, KnownStream::new(stream, at))).collect(),
            note: Note::default(),
            parents: BTreeSet::new(),
            replaced_by: None,
            warned: device.warnings.iter().map(|warning| (warning.kind, at)).collect(),
            certificate: None,
            scanned_at: Some(at),
            analysis: None,
            archived_at: None,
            merged_into: None,
        };
        known.certificate = certificate_stage(&known, at);
        self.devices.insert(uid.clone(), known);
        self.touched.insert(uid.clone());
        uid
    }

    /// The identity in this report of each device that was known, by the one it had before.
    fn later_ids<'r>(&self, matches: &[Option<Match>], found: &'r [Device]) -> HashMap<String, &'r str> {
        let pairs = matches.iter().zip(found).filter_map(|(known, device)| Some((known.as_ref()?, device)));
        let first = pairs.filter(|(known, _)| !known.is_further);
        first
            .filter_map(|(m, device)| Some((self.devices.get(&m.uid)?.device.id.clone(), device.id.as_str())))
            .collect()
    }

    /// A device that is known was found again.
    fn see(&mut self, m: &Match, found: &Device, same: &HashMap<&str, &str>, at: Timestamp, events: &mut Vec<Event>) {
        let uid = &m.uid;
        self.adopt_keys(m, found, at);
        if m.is_further {
            return;
        }
        let is_same_scan = self.devices.get(uid).is_some_and(|k| k.scanned_at.is_some_and(|last| last >= at));
        self.hit(uid, at, true, events);
        self.device_changes(uid, found, same, at, events);
        self.see_streams(uid, found, is_same_scan, at, events);
        let own_card = found.link_mac.filter(|mac| self.has_own_card(uid, *mac));
        let is_guarded = self.is_guarded(uid);
        let Some(known) = self.devices.get_mut(uid) else { return };
        let mut device = merged(&known.device, found);
        // What is remembered of a stream is more than one look at it.
        let streams = keyed(&found.streams).into_keys().filter_map(|key| known.streams.get(&key));
        device.streams = streams.map(|known| known.stream.clone()).collect();
        if known.device.ip != device.ip {
            known.address_since = at;
        }
        known.note_proofs(found, own_card, is_guarded);
        if is_on_its_word(&known.device, found) {
            known.on_its_word_at = Some(at);
        }
        known.answered |= !is_only_heard(found);
        known.device = device;
        known.scanned_at = Some(at);
    }

    fn adopt_keys(&mut self, m: &Match, found: &Device, at: Timestamp) {
        let Some(known) = self.devices.get_mut(&m.uid) else { return };
        let is_named_alike = known.device.name.is_some() && known.device.name == found.name;
        let is_same_model = known.device.model.is_some() && known.device.model == found.model;
        let is_sure =
            !Rule::SureKeys.holds() || !m.by_address_only || known.keys.is_empty() || is_named_alike && is_same_model;
        known.by_address_only = m.by_address_only;
        if !is_sure {
            return;
        }
        for key in keys_of(found).into_iter().filter(|key| !self.shared.contains(key)) {
            known.keys.entry(key).or_insert(Seen { first: at, last: at }).last = at;
        }
        known.bound_keys();
    }

    fn see_streams(&mut self, uid: &Uid, found: &Device, is_same_scan: bool, at: Timestamp, events: &mut Vec<Event>) {
        let now = keyed(&found.streams);
        for (key, stream) in &now {
            let Some(known) = self.devices.get_mut(uid) else { return };
            let has_streams = !known.streams.is_empty();
            let is_back = match known.streams.get_mut(key) {
                None if has_streams && !is_stream(stream) && Rule::GuessedPath.holds() => continue,
                None => {
                    known.streams.insert(key.clone(), KnownStream::new(stream, at));
                    events.push(self.about_part(uid, key, EventKind::StreamNew, at));
                    continue;
                }
                Some(known) => known.is_back(at),
            };
            if is_back {
                let mut event = self.about_part(uid, key, EventKind::StreamNew, at);
                event.data.say_why(Remark::ThereAgain);
                // That it was broken was told, and so is its repair.
                event.muted_by = event.muted_by.or_else(|| self.told_broken(uid, key));
                events.push(event);
            }
            let look = Look { key, stream, busy: false, ways: ways_tried(stream), at };
            self.look(uid, &look, events);
        }
        let Some(known) = self.devices.get_mut(uid) else { return };
        if is_same_scan || !was_looked_at(found) && Rule::LookedFor.holds() {
            known.bound_streams(&now);
            return;
        }
        let mut gone = Vec::new();
        for (key, stream) in known.streams.iter_mut().filter(|(key, _)| !now.contains_key(*key)) {
            stream.absent = stream.absent.saturating_add(1);
            if (stream.absent >= ABSENT || !Rule::Absent.holds()) && stream.gone_at.is_none() {
                stream.gone_at = Some(at);
                gone.push(key.clone());
            }
        }
        for key in gone {
            let mut event = self.about_part(uid, &key, EventKind::StreamGone, at);
            event.data.say_why(Remark::NotFound { scans: ABSENT });
            event.muted_by = event.muted_by.or_else(|| self.told_broken(uid, &key));
            events.push(event);
        }
        self.devices.get_mut(uid).into_iter().for_each(|known| known.bound_streams(&now));
    }

    /// Which recorder shows which camera: a camera keeps its recorders while they are not in the report.
    fn note_parents(&mut self, found: &[Device], uids: &BTreeMap<usize, Uid>) {
        let uid_of = |n| uids.get(&n).filter(|uid| self.devices.contains_key(*uid));
        let by_id: HashMap<&str, &Uid> =
            found.iter().enumerate().filter_map(|(n, device)| Some((device.id.as_str(), uid_of(n)?))).collect();
        let here: BTreeSet<&Uid> = uids.values().collect();
        for (n, device) in found.iter().enumerate() {
            let Some(known) = uids.get(&n).and_then(|uid| self.devices.get(uid)) else { continue };
            let shown = device.shown_by.iter().filter_map(|shown| by_id.get(shown.recorder.as_str()));
            let shown = shown.map(|uid| (*uid).clone()).filter(|uid| *uid != known.uid).collect();
            let kept = known.parents.iter().filter(|parent| !here.contains(parent)).cloned().collect();
            let parents = self.parents_of(shown, kept);
            let uid = known.uid.clone();
            self.devices.get_mut(&uid).into_iter().for_each(|known| known.parents.clone_from(&parents));
        }
    }

    /// The devices that the scan asked for and did not find, recorders first.
    fn missing(&self, scope: &Scope, seen: &BTreeSet<&Uid>, at: Timestamp) -> Vec<Uid> {
        let is_missing =
            |known: &&Known| !seen.contains(&known.uid) && known.seen.last < at && scope.would_find(&known.device);
        let mut missing: Vec<&Known> = self.listed().filter(is_missing).collect();
        missing.sort_by_key(|known| (!known.parents.is_empty(), known.device.ip, &known.uid));
        missing.into_iter().map(|known| known.uid.clone()).collect()
    }

    /// Counts the misses of a scan, network by network, as far as each could be seen.
    fn count_misses(
        &mut self,
        missing: &[Uid],
        seen: &BTreeSet<&Uid>,
        (sight, is_step): (&Sight, bool),
        at: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let mut by_network: BTreeMap<Option<IpNetwork>, Vec<&Uid>> = BTreeMap::new();
        for uid in missing {
            let Some(known) = self.devices.get(uid) else { continue };
            by_network.entry(self.network_of(known.device.ip)).or_default().push(uid);
        }
        let answering = self.answering(seen);
        for (network, missing) in by_network {
            match sight.of(network) {
                Vantage::Blind if Rule::Blind.holds() => missing.into_iter().for_each(|uid| self.lose_sight(uid, at)),
                _ if is_step => {}
                // A scan asks no gateway: whether it is the network is decided by the questions that follow.
                Vantage::Silent(_) if Rule::Silent.holds() => missing.into_iter().for_each(|uid| {
                    self.miss(uid, at);
                }),
                sight => {
                    let around = sight.around();
                    let lost: Vec<&Uid> = missing.iter().copied().filter(|uid| self.miss(uid, at).is_some()).collect();
                    let is_fresh = |known: &&Known| known.health.state != DeviceState::Offline;
                    let fresh: Vec<&Known> =
                        missing.iter().filter_map(|uid| self.devices.get(*uid)).filter(is_fresh).collect();
                    let answering = answering.get(&network).copied().unwrap_or_default();
                    let is_lost = self.are_too_many(&fresh, answering, FEWEST);
                    match network.filter(|network| is_lost && self.unreachable_since(*network).is_none()) {
                        Some(network) => self.network_lost(network, around, at, events),
                        None => lost.into_iter().for_each(|uid| self.lose(uid, at, events)),
                    }
                }
            }
        }
    }

    /// How many devices of each network a scan saw, without what this machine itself serves.
    fn answering(&self, seen: &BTreeSet<&Uid>) -> BTreeMap<Option<IpNetwork>, usize> {
        let mut answering = BTreeMap::new();
        for known in seen.iter().filter_map(|uid| self.devices.get(*uid)) {
            let network = self.network_of(known.device.ip);
            let is_own = network.and_then(|network| self.own_address(network)) == Some(known.device.ip);
            *answering.entry(network).or_default() += usize::from(!is_own);
        }
        answering
    }

    /// A device that was never seen before, perhaps in the place of another one.
    fn announce_new(&mut self, uid: &Uid, device: &Device, missing: &[Uid], at: Timestamp, events: &mut Vec<Event>) {
        // Whatever it is called. The address of what is no camera goes to the next device that asks for one.
        let is_replaced = |known: &&Known| {
            let before = &known.device;
            before.ip == device.ip
                && before.kind == device.kind
                && (device.kind != Kind::Other || before.name == device.name)
                && known.replaced_by.is_none()
                && Rule::Replaced.holds()
        };
        let old =
            missing.iter().filter_map(|uid| self.devices.get(uid)).find(is_replaced).map(|known| known.uid.clone());
        let kind = if old.is_some() { EventKind::DeviceReplaced } else { EventKind::DeviceNew };
        let mut event = self.about(uid, kind, at);
        event.data.last_seen = None;
        let open = device.streams.iter().filter(|stream| stream.open == Some(true)).count();
        let streams = u64::try_from(device.streams.len()).unwrap_or(u64::MAX);
        let open = u64::try_from(open).unwrap_or(u64::MAX);
        event.data.say_changed((streams > 0).then_some(Remark::Streams { count: streams, open }));
        let odd = |warning: &Warning| Remark::Odd { kind: warning.kind, message: warning.message.clone() };
        event.data.say_changed(device.warnings.iter().map(odd));
        if let Some(known) = old.as_ref().and_then(|old| self.devices.get(old)) {
            let before = super::tell::card(known);
            let name = before.name.clone().or(before.model);
            event.data.before = Some(name.clone().unwrap_or_else(|| before.ip.to_string()));
            event.data.say_why(Remark::InPlaceOf { ip: device.ip, name });
        }
        event.data.other.clone_from(&old);
        event.muted_by =
            self.devices.get(uid).and_then(|known| self.muted_by(known, super::mute::Subject::device(known), kind, at));
        events.push(event);
        if let Some(known) = old.and_then(|old| self.devices.get_mut(&old)) {
            known.replaced_by = Some(uid.clone());
            self.touched.insert(known.uid.clone());
            // Whoever answers at its address from now on is the other one.
            if known.health.state != DeviceState::Offline {
                let old = known.uid.clone();
                self.lose(&old, at, events);
            }
        }
    }
}

/// Whether a stream was seen or is named by its device. A path that was guessed, and brought nothing, is listed where a port has
/// no other one, to say why.
fn is_stream(stream: &Stream) -> bool {
    let is_seen = !matches!(stream.status, StreamStatus::NotFound | StreamStatus::Error);
    is_seen || stream.profile_token.is_some() || !stream.sources.is_empty()
}

/// Whether the streams of a device were all looked for: nothing that is needed to find them failed.
fn was_looked_at(found: &Device) -> bool {
    let failed = found.errors.iter().any(|error| {
        let needed = matches!(error.stage, Stage::Host | Stage::Ports | Stage::Tcp | Stage::Rtsp | Stage::Onvif);
        needed || error.kind.is_of_login()
    });
    // What lies behind a login that is missing or refused cannot be seen, and may well be there.
    let locked = found.streams.iter().any(|stream| stream.status == StreamStatus::AuthRequired);
    // A scan that only proves what an earlier one listed lists what that one left out no more than it did.
    !failed && !locked && found.reach.is_none() && found.analysed_at.is_none()
}

/// A first scan is one piece of news, not one a device.
fn first_scan(count: usize, at: Timestamp) -> Option<Event> {
    let count = u64::try_from(count).ok().filter(|count| *count > 0)?;
    let mut event = Event::new(EventKind::ScanFinished, at);
    event.data.count = Some(count);
    event.data.say_why(Remark::Learnt { count });
    Some(event)
}
