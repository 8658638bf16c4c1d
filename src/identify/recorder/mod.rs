//! Which channel of a recorder shows which camera of the report. Pure: the devices of a report in, the same devices with
//! `channels[].camera` and `shown_by` filled.
//!
//! What the recorder lists comes first: a MAC address or serial number goes with the camera wherever it is, an address
//! counts only where nothing known of the device there contradicts it. Where the recorder lists nothing, an address, MAC
//! address or serial number in the URL, the profile or the name of the channel's stream is looked up. What fits several
//! devices equally names none, and a note states why. Equal parameter sets are a hint and no more: cameras of one model with
//! the same settings have the same.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use crate::model::device::is_serial;
use crate::model::{Channel, Device, Kind, MacAddr, MatchedBy, ShownBy, Stream, StreamStatus};
use crate::text::steps;

/// As much of a serial number as all its notations have: some devices state it with the model before it, others without.
const TAIL: usize = 9;
/// The shortest serial number that is looked for within other text.
const LEAST_IN_TEXT: usize = 8;
/// So many devices with the same are compared with a channel: what more have identifies none of them.
const MOST_ALIKE: usize = 64;
/// Devices named in a note at most.
const MOST_NAMED: usize = 4;

/// Names the cameras behind the channels of recorders. Does the same again when it is run again, and the same whatever the
/// order of the devices.
pub fn fold(devices: &mut [Device]) {
    devices.iter_mut().for_each(unfold);
    devices.iter_mut().filter(|d| d.kind == Kind::Recorder).for_each(list_streamed);
    let index = Index::of(devices);
    let recorders = devices.iter().enumerate().filter(|(_, d)| !d.channels.is_empty());
    let found: Vec<(usize, Vec<Outcome>)> = recorders
        .map(|(at, recorder)| (at, recorder.channels.iter().map(|c| index.camera(devices, at, recorder, c)).collect()))
        .collect();
    for (at, outcomes) in found {
        for (channel, outcome) in outcomes.into_iter().enumerate() {
            apply(devices, at, channel, outcome);
        }
    }
    // As the recorders stand in the report.
    devices.iter_mut().for_each(|device| device.shown_by.sort_by_key(|shown| (shown.ip, shown.channel)));
}

/// Takes back what was concluded before.
fn unfold(device: &mut Device) {
    device.shown_by.clear();
    for channel in &mut device.channels {
        (channel.camera, channel.matched_by, channel.possible_camera, channel.note) = (None, None, None, None);
    }
}

/// Lists the channels a recorder has streams of.
fn list_streamed(recorder: &mut Device) {
    let streamed: BTreeSet<u32> = recorder.streams.iter().filter_map(channel_of).collect();
    for number in streamed {
        if !recorder.channels.iter().any(|channel| channel.number == number) {
            recorder.channels.push(Channel::new(number));
        }
    }
    recorder.channels.sort_by_key(|channel| channel.number);
}

fn channel_of(stream: &Stream) -> Option<u32> {
    stream.channel.filter(|_| stream.status != StreamStatus::NotFound)
}

/// What is concluded about one channel.
enum Outcome {
    /// Nothing.
    Unknown,
    /// It shows this device.
    Shows(usize, MatchedBy),
    /// It may show this device.
    MayShow(usize),
    /// No device is named, for this reason.
    Unclear(String),
}

fn apply(devices: &mut [Device], recorder: usize, channel: usize, outcome: Outcome) {
    let camera = match &outcome {
        Outcome::Shows(camera, _) | Outcome::MayShow(camera) => devices.get(*camera).map(|camera| camera.id.clone()),
        _ => None,
    };
    let Some(of) = devices.get_mut(recorder) else { return };
    let (id, ip) = (of.id.clone(), of.ip);
    let Some(listed) = of.channels.get_mut(channel) else { return };
    let number = listed.number;
    match outcome {
        Outcome::Unknown => {}
        Outcome::MayShow(_) => listed.possible_camera = camera,
        Outcome::Unclear(why) => listed.note = Some(why),
        Outcome::Shows(at, by) => {
            (listed.camera, listed.matched_by) = (camera, Some(by));
            if let Some(camera) = devices.get_mut(at) {
                camera.shown_by.push(ShownBy { recorder: id, ip, channel: number });
            }
        }
    }
}

/// The devices by what they are recognised by. Those that list cameras are not among them: what is behind their channels
/// is. A camera with several lenses has channels as well, and lists nothing.
#[derive(Default)]
struct Index {
    by_mac: HashMap<MacAddr, Vec<usize>>,
    by_serial: HashMap<String, Vec<usize>>,
    by_address: HashMap<IpAddr, Vec<usize>>,
    by_sets: HashMap<String, Vec<usize>>,
}

/// Whether a device is the camera that a recorder lists, by each of the facts; none where one of the two is not known.
struct Agreement {
    mac: Option<bool>,
    serial: Option<bool>,
    address: bool,
}

impl Agreement {
    fn of(channel: &Channel, device: &Device) -> Agreement {
        let serials = channel.serial.as_deref().zip(device.serial.as_deref());
        Agreement {
            mac: channel.mac.zip(device.mac).map(|(a, b)| a == b),
            serial: serials.filter(|(a, b)| is_serial(a) && is_serial(b)).map(|(a, b)| is_same_serial(a, b)),
            address: usable(channel).is_some_and(|ip| device.addresses.contains(&ip)),
        }
    }

    /// A camera on a cable and on the air has two MAC addresses, but one serial number.
    fn contradicts(&self) -> bool {
        self.serial == Some(false) || (self.mac == Some(false) && self.serial != Some(true))
    }

    fn is_lasting(&self) -> bool {
        self.mac == Some(true) || self.serial == Some(true)
    }

    fn by(&self) -> MatchedBy {
        match self {
            Agreement { mac: Some(true), .. } => MatchedBy::Mac,
            Agreement { serial: Some(true), .. } => MatchedBy::Serial,
            _ => MatchedBy::Address,
        }
    }
}

impl Index {
    fn of(devices: &[Device]) -> Index {
        let mut index = Index::default();
        for (at, device) in
            devices.iter().enumerate().filter(|(_, device)| !device.channels.iter().any(Channel::lists_camera))
        {
            if let Some(mac) = device.mac {
                list(index.by_mac.entry(mac).or_default(), at);
            }
            if let Some(serial) = device.serial.as_deref().filter(|serial| is_serial(serial)) {
                list(index.by_serial.entry(tail(serial)).or_default(), at);
            }
            let addresses: BTreeSet<IpAddr> = device.addresses.iter().copied().chain([device.ip]).collect();
            for ip in addresses {
                list(index.by_address.entry(ip).or_default(), at);
            }
            for sets in device.streams.iter().filter_map(|stream| stream.parameter_sets.clone()) {
                list(index.by_sets.entry(sets).or_default(), at);
            }
        }
        index
    }

    /// The camera behind a channel of the recorder at this place of the list.
    fn camera(&self, devices: &[Device], at: usize, recorder: &Device, channel: &Channel) -> Outcome {
        match self.listed(devices, at, channel) {
            Outcome::Unknown => match self.in_streams(devices, at, recorder, channel) {
                Outcome::Unknown => self.by_parameter_sets(devices, at, recorder, channel),
                outcome => outcome,
            },
            outcome => outcome,
        }
    }

    /// By the parameter sets of its streams, where one device and no other channel of the recorder has the same.
    fn by_parameter_sets(&self, devices: &[Device], at: usize, recorder: &Device, channel: &Channel) -> Outcome {
        let has_number = |stream: &&Stream| channel_of(stream) == Some(channel.number);
        let (own, others): (Vec<&Stream>, Vec<&Stream>) = recorder.streams.iter().partition(has_number);
        let is_own = |sets: &&String| !others.iter().any(|other| other.parameter_sets.as_ref() == Some(*sets));
        let sets = own.iter().filter_map(|stream| stream.parameter_sets.as_ref()).filter(is_own);
        let found: BTreeSet<usize> = sets.filter_map(|sets| self.by_sets.get(sets)).flatten().copied().collect();
        let is_other = |other: &usize| {
            steps::look_at(1);
            *other != at && devices.get(*other).is_some_and(|device| can_be(channel, device))
        };
        let found: Vec<usize> = found.into_iter().filter(is_other).collect();
        match found.as_slice() {
            [only] => Outcome::MayShow(*only),
            _ => Outcome::Unknown,
        }
    }

    /// By what the recorder lists.
    fn listed(&self, devices: &[Device], recorder: usize, channel: &Channel) -> Outcome {
        let by_mac = channel.mac.and_then(|mac| self.by_mac.get(&mac));
        let serial = channel.serial.as_deref().filter(|serial| is_serial(serial));
        let by_serial = serial.and_then(|serial| self.by_serial.get(&tail(serial)));
        let by_address = usable(channel).and_then(|ip| self.by_address.get(&ip));
        let all: BTreeSet<usize> = [by_mac, by_serial, by_address].into_iter().flatten().flatten().copied().collect();
        let known = all.into_iter().filter(|at| *at != recorder).filter_map(|at| {
            steps::look_at(1);
            let agreement = Agreement::of(channel, devices.get(at)?);
            // Serial numbers that merely end alike are no reason to look at a device.
            (agreement.is_lasting() || agreement.address).then_some((at, agreement))
        });
        let (fitting, against): (Vec<_>, Vec<_>) = known.partition(|(_, agreement)| !agreement.contradicts());
        let rank = |agreement: &Agreement| (agreement.is_lasting(), agreement.address);
        let best = fitting.iter().map(|(_, agreement)| rank(agreement)).max();
        let best: Vec<&(usize, Agreement)> = fitting.iter().filter(|(_, a)| Some(rank(a)) == best).collect();
        match (best.as_slice(), against.as_slice()) {
            ([(at, agreement)], _) => Outcome::Shows(*at, agreement.by()),
            ([], []) => Outcome::Unknown,
            ([], against) => Outcome::Unclear(contradicted(devices, against)),
            (several, _) => {
                let places = several.iter().map(|(at, _)| *at);
                Outcome::Unclear(format!("what the recorder lists fits {}", named(devices, places)))
            }
        }
    }

    /// By what stands in the addresses and names of its streams.
    fn in_streams(&self, devices: &[Device], at: usize, recorder: &Device, channel: &Channel) -> Outcome {
        let streams = recorder.streams.iter().filter(|stream| channel_of(stream) == Some(channel.number));
        let texts = streams
            .flat_map(|stream| {
                [Some(target(&stream.url)), stream.profile_name.as_deref(), stream.profile_token.as_deref()]
            })
            .chain([channel.name.as_deref()])
            .flatten();
        let mut found: BTreeSet<usize> = texts.flat_map(|text| self.named_in(devices, text)).collect();
        found.remove(&at);
        steps::look_at(found.len());
        found.retain(|&at| devices.get(at).is_some_and(|device| can_be(channel, device)));
        let found: Vec<usize> = found.into_iter().collect();
        match found.as_slice() {
            [] => Outcome::Unknown,
            [camera] => Outcome::Shows(*camera, MatchedBy::Stream),
            several => {
                Outcome::Unclear(format!("its streams and names fit {}", named(devices, several.iter().copied())))
            }
        }
    }

    /// The devices whose address, MAC address or serial number stands in a text.
    fn named_in(&self, devices: &[Device], text: &str) -> BTreeSet<usize> {
        let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
        let words = |keep: fn(char) -> bool| text.split(move |c: char| !keep(c)).filter(|word| !word.is_empty());
        let addresses = words(|c| c.is_ascii_digit() || c == '.').filter_map(|word| word.parse::<Ipv4Addr>().ok());
        let by_address = addresses.filter_map(|ip| self.by_address.get(&IpAddr::V4(ip)));
        let macs = words(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '-')).flat_map(macs);
        let by_mac = macs.filter_map(|mac| self.by_mac.get(&mac));
        let serials = words(char::is_alphanumeric).chain(words(|c| c.is_alphanumeric() || c == '-'));
        let serials = serials.filter(|word| word.len() >= LEAST_IN_TEXT && is_serial(word));
        let by_serial = serials.flat_map(|word| {
            let same = move |at: &&usize| {
                steps::look_at(1);
                devices.get(**at).and_then(|d| d.serial.as_deref()).is_some_and(|serial| is_same_serial(word, serial))
            };
            self.by_serial.get(&tail(word)).into_iter().flatten().filter(same)
        });
        by_address.flatten().chain(by_mac.flatten()).chain(by_serial).copied().collect()
    }
}

/// Adds a device to those that have the same, each once.
fn list(alike: &mut Vec<usize>, at: usize) {
    if alike.len() < MOST_ALIKE && alike.last() != Some(&at) {
        alike.push(at);
    }
}

/// Whether a device can be the camera behind a channel whose list does not name it.
fn can_be(channel: &Channel, device: &Device) -> bool {
    device.kind != Kind::Recorder && !Agreement::of(channel, device).contradicts()
}

/// The address a recorder lists, unless it stands for none or for the recorder itself.
fn usable(channel: &Channel) -> Option<IpAddr> {
    channel.address.filter(|ip| !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast())
}

/// Path and query of a URL: its host is the recorder.
fn target(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    rest.find(['/', '?']).and_then(|start| rest.get(start..)).unwrap_or_default()
}

/// The MAC addresses in a word of hexadecimal digits, colons and dashes: twelve digits, or six pairs.
fn macs(word: &str) -> Vec<MacAddr> {
    let parts: Vec<&str> = word.split([':', '-']).collect();
    let whole = parts.iter().filter(|part| part.len() == 12).filter_map(|part| part.parse().ok());
    let pairs = parts.windows(6).filter(|six| six.iter().all(|part| part.len() == 2));
    whole.chain(pairs.filter_map(|six| six.concat().parse().ok())).collect()
}

/// The end of a serial number, in lower case.
fn tail(serial: &str) -> String {
    let from = serial.char_indices().rev().nth(TAIL - 1).map_or(0, |(at, _)| at);
    serial.get(from..).unwrap_or(serial).to_lowercase()
}

/// Whether two notations are of one serial number: some put the model before it.
fn is_same_serial(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    short == long || (short.chars().count() >= TAIL && long.ends_with(short.as_str()))
}

/// Why the device at the address that a recorder lists is not the camera it lists.
fn contradicted(devices: &[Device], against: &[(usize, Agreement)]) -> String {
    let differs = |(at, agreement): &(usize, Agreement)| {
        let what = if agreement.serial == Some(false) { "serial number" } else { "MAC address" };
        devices.get(*at).map(|device| format!("{} has another {what} than the recorder lists", device.ip))
    };
    let mut said: Vec<String> = against.iter().filter_map(differs).collect();
    said.sort();
    said.truncate(MOST_NAMED);
    said.join("; ")
}

/// `2 devices: 10.0.0.4, 10.0.0.9`.
fn named(devices: &[Device], places: impl Iterator<Item = usize>) -> String {
    let addresses: BTreeSet<IpAddr> = places.filter_map(|at| devices.get(at)).map(|device| device.ip).collect();
    let shown: Vec<String> = addresses.iter().take(MOST_NAMED).map(IpAddr::to_string).collect();
    let more = if addresses.len() > MOST_NAMED { ", …" } else { "" };
    format!("{} devices: {}{more}", addresses.len(), shown.join(", "))
}

#[cfg(test)]
mod tests;
