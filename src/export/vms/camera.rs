//! Devices as a video system knows them: one camera per channel, with a name that is safe everywhere, a main and a sub
//! stream told apart by their measured size, and the streams that cannot be used with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::export::address::AskedNames;
use crate::export::configuration::section::Existing;
use crate::export::configuration::text::line;
use crate::export::words;
use crate::model::{AuthScheme, Device, Protocol, Report, Stream, StreamStatus, Transport, VideoCodec};
use crate::text;

/// The longest name, in characters.
const MAX_NAME: usize = 32;

/// A camera, or one channel of a recorder.
#[derive(Debug, Clone)]
pub struct Camera<'r> {
    /// `[a-z][a-z0-9_]*`, at most 32 characters, unique in the report.
    pub name: String,
    /// What people call it, on one line.
    pub label: String,
    /// The device it belongs to.
    pub device: &'r Device,
    /// The recorder's channel, where the device has several.
    pub channel: Option<u32>,
    /// The largest stream that delivered frames.
    pub main: &'r Stream,
    /// The smallest other one.
    pub sub: Option<&'r Stream>,
    /// Every other stream, and why it is not used.
    pub left_out: Vec<LeftOut<'r>>,
}

/// A stream that is not used.
#[derive(Debug, Clone)]
pub struct LeftOut<'r> {
    /// The stream.
    pub stream: &'r Stream,
    /// Why, for a comment.
    pub reason: String,
}

/// What a report holds for video systems.
#[derive(Debug, Clone, Default)]
pub struct Cameras<'r> {
    /// Those with a stream that can be used, in the order of the report.
    pub usable: Vec<Camera<'r>>,
    /// Devices without one: the device and the reason of each stream, or of the device itself.
    pub unusable: Vec<(&'r Device, Vec<LeftOut<'r>>)>,
}

impl<'r> Cameras<'r> {
    /// The cameras of a report. `refusal` says why a consumer cannot use a stream that works by itself.
    pub fn of(report: &'r Report, refusal: &dyn Fn(&Device, &Stream) -> Option<String>) -> Cameras<'r> {
        Cameras::named(report, refusal, Names::default())
    }

    /// The same with names that differ from those already in use.
    pub fn named(
        report: &'r Report,
        refusal: &dyn Fn(&Device, &Stream) -> Option<String>,
        mut names: Names,
    ) -> Cameras<'r> {
        let mut cameras = Cameras::default();
        let asked = AskedNames::of(report);
        let mut once =
            Once::of(report, &|device, stream| unfit(device, stream, &asked).or_else(|| refusal(device, stream)));
        for device in &report.devices {
            let channels: BTreeSet<Option<u32>> = device.streams.iter().map(|s| s.channel).collect();
            let has_channels = channels.iter().filter(|c| c.is_some_and(|c| c > 1)).count() > 0;
            let channels: BTreeSet<u32> =
                if has_channels { channels.into_iter().map(|c| c.unwrap_or(1)).collect() } else { BTreeSet::from([1]) };
            let mut refused = Vec::new();
            let mut found = false;
            for channel in channels {
                let of_channel = device.streams.iter().filter(|s| !has_channels || s.channel.unwrap_or(1) == channel);
                let (mut usable, mut left_out) = sort(of_channel, &mut |stream| {
                    let unfit = unfit(device, stream, &asked);
                    unfit.or_else(|| refusal(device, stream)).or_else(|| once.elsewhere(device, stream))
                });
                let Some(main) = usable.pop() else {
                    refused.append(&mut left_out);
                    continue;
                };
                let sub = (!usable.is_empty()).then(|| usable.remove(0));
                left_out.extend(usable.into_iter().map(|s| left(s, "neither the largest nor the smallest stream")));
                let channel = has_channels.then_some(channel);
                let name = names.unique(&name_of(device, channel));
                cameras.usable.push(Camera {
                    name,
                    label: label(device, channel),
                    device,
                    channel,
                    main,
                    sub,
                    left_out,
                });
                found = true;
            }
            match (found, cameras.usable.last_mut()) {
                (true, Some(last)) => last.left_out.append(&mut refused),
                _ => cameras.unusable.push((device, refused)),
            }
        }
        cameras
    }
}

impl<'r> Cameras<'r> {
    /// Takes those out that a configuration holds already, and returns how many they were.
    pub fn take_known(&mut self, existing: &Existing) -> usize {
        let before = self.usable.len();
        self.usable.retain(|camera| {
            let streams = camera.streams();
            !existing.has(camera.device, camera.channel.is_some(), streams.iter().map(|(_, stream)| *stream))
        });
        before - self.usable.len()
    }

    /// What people call them, with their addresses.
    pub fn labels(&self) -> Vec<String> {
        self.usable.iter().map(|camera| format!("{} ({})", camera.label, camera.device.ip)).collect()
    }
}

impl<'r> Camera<'r> {
    /// The streams with their names: the camera's own for the main stream, `NAME_sub` for the other.
    pub fn streams(&self) -> Vec<(String, &'r Stream)> {
        let sub = self.sub.map(|sub| (format!("{}_sub", self.name), sub));
        std::iter::once((self.name.clone(), self.main)).chain(sub).collect()
    }
}

/// Where each camera is used that recorders show as well: directly where that works, else by the first recorder.
struct Once<'r> {
    direct: BTreeSet<&'r str>,
    by_recorder: BTreeMap<&'r str, (&'r str, Option<u32>)>,
}

impl<'r> Once<'r> {
    /// `refusal` says why a stream cannot be used.
    fn of(report: &'r Report, refusal: &dyn Fn(&Device, &Stream) -> Option<String>) -> Self {
        let works = |device: &&Device| device.own_streams().any(|stream| refusal(device, stream).is_none());
        let direct = report.devices.iter().filter(works).map(|device| device.id.as_str());
        Once { direct: direct.collect(), by_recorder: BTreeMap::new() }
    }

    /// Why a recorder's stream is not used, where its camera is used otherwise.
    fn elsewhere(&mut self, device: &'r Device, stream: &'r Stream) -> Option<String> {
        let camera = device.camera_of(stream)?;
        let here = (device.id.as_str(), stream.channel);
        if self.direct.contains(camera) {
            return Some(format!("this is {camera}, which is used directly"));
        }
        let used = *self.by_recorder.entry(camera).or_insert(here);
        (used != here).then(|| format!("this is {camera}, which is used through {}", used.0))
    }
}

/// What can be used, smallest first, and the rest with the reasons. Only streams of one protocol are used: the same
/// picture by another one is no sub stream.
fn sort<'r>(
    streams: impl Iterator<Item = &'r Stream>,
    refusal: &mut dyn FnMut(&'r Stream) -> Option<String>,
) -> (Vec<&'r Stream>, Vec<LeftOut<'r>>) {
    let (mut usable, mut left_out) = (Vec::new(), Vec::new());
    for stream in streams {
        match refusal(stream) {
            None => usable.push(stream),
            Some(reason) => left_out.push(LeftOut { stream, reason }),
        }
    }
    usable.sort_by_key(|s| (std::cmp::Reverse(preference(s.protocol)), pixels(s), kbps(s)));
    let Some(best) = usable.last().map(|s| preference(s.protocol)) else { return (usable, left_out) };
    let used = usable.last().map_or(Protocol::Other, |s| s.protocol);
    usable.retain(|s| {
        let is_used = preference(s.protocol) == best;
        if !is_used {
            left_out.push(left(s, &format!("the camera is used over {used}")));
        }
        is_used
    });
    (usable, left_out)
}

fn left<'r>(stream: &'r Stream, reason: &str) -> LeftOut<'r> {
    LeftOut { stream, reason: reason.to_owned() }
}

/// Why a stream can be used by nobody.
fn unfit(device: &Device, stream: &Stream, asked: &AskedNames) -> Option<String> {
    if let Err(foreign) = asked.address(device, &stream.url) {
        return Some(foreign.to_string());
    }
    if !stream.is_whole() {
        return Some("its address holds a password that is not known here".to_owned());
    }
    match stream.status {
        StreamStatus::Streaming if stream.video.is_none() => Some("sound alone".to_owned()),
        StreamStatus::Streaming => None,
        StreamStatus::Described => Some("described only; scan with --verify frames".to_owned()),
        _ => Some(match &stream.error {
            Some(error) => format!("{}: {}", words::status(stream).0, line(&error.message)),
            None => words::status(stream).0.to_owned(),
        }),
    }
}

/// Which protocol is used where a camera offers several; the lowest wins.
fn preference(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Rtsp => 0,
        Protocol::Rtsps => 1,
        Protocol::Rtmp | Protocol::Rtmps => 2,
        Protocol::Mjpeg => 3,
        Protocol::Hls => 4,
        _ => 5,
    }
}

/// Pixels of a picture; 0 where the size is not known.
pub fn pixels(stream: &Stream) -> u64 {
    size(stream).map_or(0, |(width, height)| u64::from(width) * u64::from(height))
}

/// Width and height, where known.
pub fn size(stream: &Stream) -> Option<(u32, u32)> {
    let video = stream.video.as_ref()?;
    video.width.zip(video.height)
}

fn kbps(stream: &Stream) -> u32 {
    stream.video.as_ref().and_then(|v| v.measured_kbps.or(v.bitrate_kbps)).unwrap_or(0)
}

/// The codec of the picture, where known.
pub fn codec(stream: &Stream) -> Option<VideoCodec> {
    stream.video.as_ref()?.codec
}

/// Whether sound was heard, or declared where it was not counted.
pub fn has_sound(stream: &Stream) -> bool {
    stream.audio.as_ref().is_some_and(|a| a.measured_packets != Some(0))
}

/// Whether the stream came over UDP alone.
pub fn is_udp_only(stream: &Stream) -> bool {
    matches!(stream.protocol, Protocol::Rtsp) && stream.transport == Transport::Udp
}

/// Whether the device demanded a login for the stream.
pub fn needs_login(stream: &Stream) -> bool {
    stream.open == Some(false)
}

/// The port of a service of the device that speaks `protocol`, the lowest.
pub fn port_of(device: &Device, protocol: Protocol) -> Option<u16> {
    device.services.iter().filter(|s| s.protocol == protocol && s.transport == Transport::Tcp).map(|s| s.port).min()
}

/// The login schemes that the device's RTSP services offer.
pub fn schemes(device: &Device) -> Vec<AuthScheme> {
    let rtsp = device.services.iter().filter(|s| matches!(s.protocol, Protocol::Rtsp | Protocol::Rtsps));
    rtsp.flat_map(|s| s.auth.clone().unwrap_or_default()).collect()
}

fn label(device: &Device, channel: Option<u32>) -> String {
    let name = device.name.as_deref().or(device.hostname.as_deref()).map(line).filter(|n| !n.is_empty());
    let name = name.or_else(|| words::device_name(device)).map_or_else(|| device.ip.to_string(), |n| line(&n));
    match channel {
        Some(channel) => format!("{name} channel {channel}"),
        None => name,
    }
}

/// The name by the operator's own word, else the host name, else maker and address.
fn name_of(device: &Device, channel: Option<u32>) -> String {
    let own = device.name.as_deref().map(slug).filter(|s| is_name(s));
    let host = || device.hostname.as_deref().and_then(|h| h.split('.').next()).map(slug).filter(|s| is_name(s));
    let base = own.or_else(host).unwrap_or_else(|| {
        let maker = device.vendor.as_deref().map(slug).filter(|s| is_name(s)).unwrap_or_else(|| "camera".to_owned());
        format!("{}_{}", cut(&maker, 20), tail(device.ip))
    });
    match channel {
        Some(channel) => format!("{}_ch{channel}", cut(&base, MAX_NAME - 6)),
        None => cut(&base, MAX_NAME).to_owned(),
    }
}

/// Lower case, everything but letters and digits as one `_`.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text::clean(text).chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    cut(slug.trim_end_matches('_'), MAX_NAME).to_owned()
}

/// Words that a consumer keeps for itself: Frigate's own view, MediaMTX's path for all others, YAML's truths.
const TAKEN: [&str; 10] = ["birdseye", "all", "all_others", "on", "off", "yes", "no", "null", "true", "false"];

fn is_name(slug: &str) -> bool {
    slug.starts_with(|c: char| c.is_ascii_lowercase()) && !TAKEN.contains(&slug)
}

fn cut(name: &str, most: usize) -> &str {
    name.get(..most.min(name.len())).unwrap_or(name).trim_end_matches('_')
}

/// The last two parts of an address, which tell the hosts of a site apart.
fn tail(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => {
            let [.., c, d] = v4.octets();
            format!("{c}_{d}")
        }
        IpAddr::V6(v6) => {
            let [.., g, h] = v6.segments();
            format!("{g:x}_{h:x}")
        }
    }
}

/// Names that are in use.
pub struct Names {
    taken: BTreeSet<String>,
    /// What of a name has to differ.
    key: fn(&str) -> String,
}

impl Default for Names {
    fn default() -> Self {
        Names { taken: BTreeSet::new(), key: str::to_owned }
    }
}

impl Names {
    /// Names of which `key` has to differ, and those of a configuration in use.
    pub fn new(existing: &Existing, key: fn(&str) -> String) -> Names {
        Names { taken: existing.names.iter().map(|name| key(name)).collect(), key }
    }

    /// The name, with a number where it or that of its sub stream is taken.
    fn unique(&mut self, name: &str) -> String {
        let numbered = |n: u32| format!("{}_{n}", cut(name, MAX_NAME - 6));
        let keys = |n: &str| [(self.key)(n), (self.key)(&format!("{n}_sub"))];
        let is_free = |n: &String| keys(n).iter().all(|key| !self.taken.contains(key));
        let free = std::iter::once(name.to_owned()).chain((2..).map(numbered)).find(is_free);
        let free = free.unwrap_or_else(|| name.to_owned());
        self.taken.extend(keys(&free));
        free
    }
}
