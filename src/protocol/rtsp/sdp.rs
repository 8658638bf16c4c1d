//! Session descriptions (SDP, RFC 4566) as cameras send them, down to exact parameters of picture and sound.
//!
//! A description is never refused for one line: [`lines`] mends it, `sdp-types` parses it, and what is said here is read
//! from it. Parameter sets are the truth for size, profile and frame rate; attributes are hints and are labelled so.

pub mod codec;
pub mod lines;

use crate::model::{Audio, Video, VideoCodec};
use crate::text::{clean_some, clean_to};
use codec::Fmtp;

/// A session: who describes it and the media it has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session {
    /// `s=`, cleaned.
    pub name: Option<String>,
    /// `i=`, cleaned.
    pub information: Option<String>,
    /// The user name of `o=` unless it is `-`, cleaned; some makers sign there.
    pub origin: Option<String>,
    /// `a=tool`, cleaned.
    pub tool: Option<String>,
    /// The session's `a=control`, raw: it may hold a password.
    pub control: Option<String>,
    /// The media, in their order.
    pub medias: Vec<Media>,
    /// Contradictions and what was left out, for the operator.
    pub warnings: Vec<String>,
}

/// What a media carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Video,
    /// Sound.
    Audio,
    /// Data, as ONVIF metadata.
    Application,
    /// What a maker calls otherwise, cleaned.
    Other(String),
}

/// `a=sendonly` and its kin. Cameras do not agree whose view it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the attributes' own names")]
pub enum Direction {
    Sendonly,
    Recvonly,
    Sendrecv,
    Inactive,
}

/// What is said of a media besides its codec's own parameters; none of it is more than a hint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hints {
    /// `a=framerate` or `a=x-framerate`, frames per second.
    pub framerate: Option<f64>,
    /// Sizes in pixels, by the attribute that gives them.
    pub sizes: Vec<(&'static str, u32, u32)>,
    /// `b=AS`, kbit/s: a ceiling, never a bit rate.
    pub bandwidth_kbps: Option<u64>,
}

/// One media of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// What it carries.
    pub kind: MediaKind,
    /// The port of `m=`; cameras write 0.
    pub port: u16,
    /// The transport of `m=`, as `RTP/AVP`, cleaned.
    pub protocol: String,
    /// The payload type; none when the format is no number.
    pub payload_type: Option<u8>,
    /// The encoding by `rtpmap`, the static table or its parameters, cleaned.
    pub encoding: Option<String>,
    /// RTP clock rate, Hz.
    pub clock_rate: Option<u32>,
    /// Channels by `rtpmap`.
    pub channels: Option<u16>,
    /// The format's parameters.
    pub fmtp: Fmtp,
    /// `a=control`, raw: it may hold a password.
    pub control: Option<String>,
    /// Its direction, its own or the session's.
    pub direction: Option<Direction>,
    /// The address of `c=` when it is a multicast group.
    pub multicast: Option<std::net::IpAddr>,
    /// The picture, of a video.
    pub video: Option<Video>,
    /// The sound, of an audio.
    pub audio: Option<Audio>,
    /// Parameter sets out of `fmtp`: NAL units without start codes, or an MPEG-4 configuration.
    pub parameter_sets: Vec<Vec<u8>>,
    /// Hints.
    pub hints: Hints,
    /// Whether it is sound the camera takes rather than gives (ONVIF Streaming §5.3).
    pub is_back_channel: bool,
}

impl Session {
    /// Reads a description; `None` when it has neither a `v=` nor an `m=` line and so is none.
    pub fn parse(bytes: &[u8]) -> Option<Session> {
        let clean = lines::clean(bytes);
        if !clean.is_sdp {
            return None;
        }
        let mut session = Session { warnings: clean.warnings, ..Session::default() };
        match sdp_types::Session::parse(clean.text.as_bytes()) {
            Ok(parsed) => session.read(&parsed),
            Err(error) => {
                session.warnings.push(format!("the SDP could not be read: {}", clean_to(&error.to_string(), 120)))
            }
        }
        Some(session)
    }

    fn read(&mut self, parsed: &sdp_types::Session) {
        let own = &parsed.attributes;
        self.name = clean_some(&parsed.session_name);
        self.information = parsed.session_description.as_deref().and_then(clean_some);
        self.origin = parsed.origin.username.as_deref().and_then(clean_some);
        self.tool = value(own, "tool").and_then(clean_some);
        self.control = value(own, "control").map(str::to_owned);
        let group = parsed.connection.as_ref().and_then(multicast);
        for described in &parsed.medias {
            let mut media = Media::read(described, &parsed.medias, &mut self.warnings);
            media.direction = media.direction.or_else(|| direction(own));
            media.multicast = media.multicast.or(group);
            media.hints.framerate = media.hints.framerate.or_else(|| framerate(own));
            self.medias.push(media);
        }
        self.move_stray_framerate();
        self.tell_back_channels();
        for media in &mut self.medias {
            media.settle(&mut self.warnings);
        }
    }

    /// A frame rate in an audio media belongs to the one video without.
    fn move_stray_framerate(&mut self) {
        let stray = self.medias.iter().filter(|m| m.kind == MediaKind::Audio).find_map(|m| m.hints.framerate);
        let mut videos = self.medias.iter_mut().filter(|m| m.kind == MediaKind::Video);
        if let (Some(video), None) = (videos.next(), videos.next()) {
            video.hints.framerate = video.hints.framerate.or(stray);
        }
    }

    /// Sound marked `sendonly` is what we may send; unless the camera marks its own video so, and means itself.
    fn tell_back_channels(&mut self) {
        let own_view =
            self.medias.iter().any(|m| m.kind == MediaKind::Video && m.direction == Some(Direction::Sendonly));
        for media in self.medias.iter_mut().filter(|m| m.kind == MediaKind::Audio) {
            media.is_back_channel = media.direction == Some(Direction::Sendonly) && !own_view;
        }
    }

    /// Whether it is a tuner's: its transport streams are television (SAT>IP §3.5.7), which no camera films.
    fn is_tuner(&self) -> bool {
        self.name.as_deref().is_some_and(|name| name.starts_with("SatIPServer:"))
    }

    /// The picture: the first video whose codec is known, else the first. None of a tuner's, and none that is inactive
    /// (RFC 8866 §6.7.4).
    pub fn video(&self) -> Option<&Media> {
        if self.is_tuner() {
            return None;
        }
        let is_sent = |m: &&Media| m.kind == MediaKind::Video && m.direction != Some(Direction::Inactive);
        let mut videos = self.medias.iter().filter(is_sent);
        let first = videos.clone().next();
        videos.find(|m| m.video.as_ref().is_some_and(|v| v.codec.is_some())).or(first)
    }

    /// The sound the camera gives: the first that is no back channel.
    pub fn audio(&self) -> Option<&Media> {
        self.medias.iter().find(|m| m.kind == MediaKind::Audio && !m.is_back_channel)
    }

    /// Whether the camera takes sound.
    pub fn has_back_channel(&self) -> bool {
        self.medias.iter().any(|m| m.is_back_channel)
    }
}

impl Media {
    fn read(described: &sdp_types::Media, all: &[sdp_types::Media], warnings: &mut Vec<String>) -> Media {
        let own = &described.attributes;
        let kind = kind(&described.media);
        let format = Format::choose(described, &kind);
        let fmtp = format.payload_type.map(|pt| fmtp(pt, described, all)).unwrap_or_default();
        let encoding = format.encoding.or_else(|| codec::encoding_of(&fmtp).map(str::to_owned));
        if let (Some((stated, ..)), Some(named)) = (format.payload_type.and_then(codec::static_payload_type), &encoding)
            && matches!(format.payload_type, Some(0 | 8))
            && codec::audio_codec(stated) != codec::audio_codec(named)
        {
            warnings.push(format!("payload type {} is {stated} by its number and {named} by its name", described.fmt));
        }
        Media {
            kind,
            port: described.port,
            protocol: clean_to(&described.proto, 32),
            payload_type: format.payload_type,
            encoding,
            clock_rate: format.clock_rate,
            channels: format.channels,
            fmtp,
            control: value(own, "control").filter(|c| !c.is_empty()).map(str::to_owned),
            direction: direction(own),
            multicast: described.connections.iter().find_map(multicast),
            video: None,
            audio: None,
            parameter_sets: Vec::new(),
            hints: Hints {
                framerate: framerate(own),
                sizes: sizes(own),
                bandwidth_kbps: described.bandwidths.iter().find(|b| b.bwtype == "AS").map(|b| b.bandwidth),
            },
            is_back_channel: false,
        }
    }

    /// Works out picture or sound from what was read.
    fn settle(&mut self, warnings: &mut Vec<String>) {
        let encoding = self.encoding.clone().unwrap_or_default();
        match self.kind {
            MediaKind::Video => {
                let mut video = match codec::video_codec(&encoding) {
                    Some(codec) => {
                        self.parameter_sets = codec::parameter_sets(codec, &self.fmtp);
                        codec::video(codec, &self.fmtp, &self.parameter_sets)
                    }
                    None => Video::default(),
                };
                self.hints.apply(&mut video, warnings);
                self.video = Some(video);
            }
            MediaKind::Audio => {
                self.audio = Some(codec::audio(&encoding, self.clock_rate, self.channels, &self.fmtp));
            }
            MediaKind::Application | MediaKind::Other(_) => {}
        }
    }

    /// The video codec, when it is known.
    pub fn video_codec(&self) -> Option<VideoCodec> {
        self.video.as_ref().and_then(|video| video.codec)
    }
}

impl Hints {
    /// Fills what the parameter sets left open, and says where they are contradicted. Hints that contradict each other
    /// leave the size unknown.
    fn apply(&self, video: &mut Video, warnings: &mut Vec<String>) {
        match (video.fps, self.framerate) {
            (None, Some(stated)) => {
                video.fps = Some(stated);
                video.fps_source = Some("sdp".to_owned());
            }
            (Some(fps), Some(stated)) if (fps - stated).abs() > 0.02 * fps => {
                warnings.push(format!("the SDP says {} fps, the parameter sets {}", rounded(stated), rounded(fps)));
            }
            _ => {}
        }
        let Some(&(source, width, height)) = self.sizes.first() else { return };
        let Some(known) = video.width.zip(video.height) else {
            if self.sizes.iter().all(|&(_, w, h)| (w, h) == (width, height)) {
                (video.width, video.height) = (Some(width), Some(height));
                video.size_source = Some(source.to_owned());
            } else {
                let sizes: Vec<String> = self.sizes.iter().map(|(name, w, h)| format!("{name} {w}x{h}")).collect();
                warnings.push(format!("the SDP contradicts itself about the size: {}", sizes.join(", ")));
            }
            return;
        };
        if let Some((source, w, h)) = self.sizes.iter().find(|&&(_, w, h)| (w, h) != known) {
            warnings.push(format!("{source} says {w}x{h}, the parameter sets {}x{}", known.0, known.1));
        }
    }
}

/// The format of a media that is looked at, as `rtpmap` or the static table name it.
#[derive(Default)]
struct Format {
    payload_type: Option<u8>,
    encoding: Option<String>,
    clock_rate: Option<u32>,
    channels: Option<u16>,
}

impl Format {
    /// The first format whose codec is known, else the first. A dynamic payload type nobody maps takes the only map there
    /// is: some cameras write another number.
    fn choose(described: &sdp_types::Media, kind: &MediaKind) -> Format {
        let numbers = described.fmt.split_whitespace().filter_map(|f| f.parse::<u8>().ok()).filter(|&pt| pt < 128);
        let maps: Vec<Format> = values(&described.attributes, "rtpmap").filter_map(Format::parse).take(256).collect();
        let known = |format: &Format| {
            let encoding = format.encoding.as_deref().unwrap_or_default();
            match kind {
                MediaKind::Video => codec::video_codec(encoding).is_some(),
                MediaKind::Audio => codec::audio_codec(encoding).is_some(),
                _ => true,
            }
        };
        let mut first = None;
        for payload_type in numbers.take(128) {
            let format = Format::of(payload_type, &maps);
            if known(&format) {
                return format;
            }
            first = first.or(Some(format));
        }
        let only = <[Format; 1]>::try_from(maps).ok().map(|[only]| only).filter(|only| known(only));
        match (first, only) {
            (Some(first), Some(only)) if first.encoding.is_none() => {
                Format { payload_type: first.payload_type, ..only }
            }
            (Some(first), _) => first,
            (None, Some(only)) if matches!(kind, MediaKind::Video | MediaKind::Audio) => only,
            (None, _) => Format::default(),
        }
    }

    /// The first map of a payload type, else its static meaning.
    fn of(payload_type: u8, maps: &[Format]) -> Format {
        let fixed = codec::static_payload_type(payload_type);
        match maps.iter().find(|map| map.payload_type == Some(payload_type)) {
            Some(map) => Format {
                payload_type: Some(payload_type),
                encoding: map.encoding.clone(),
                clock_rate: map.clock_rate.or(fixed.map(|(_, rate, _)| rate)),
                channels: map.channels,
            },
            None => Format {
                payload_type: Some(payload_type),
                encoding: fixed.map(|(name, ..)| name.to_owned()),
                clock_rate: fixed.map(|(_, rate, _)| rate),
                channels: fixed.and_then(|(.., channels)| channels),
            },
        }
    }

    /// `96 H264/90000`, `97 MPEG4-GENERIC/16000/1`.
    fn parse(map: &str) -> Option<Format> {
        let (number, rest) = map.trim().split_once(char::is_whitespace)?;
        let mut fields = rest.trim().split('/').map(str::trim);
        let encoding = fields.next().and_then(clean_some);
        Some(Format {
            payload_type: Some(number.parse().ok().filter(|&pt: &u8| pt < 128)?),
            encoding,
            clock_rate: fields.next().and_then(|rate| rate.parse().ok()).filter(|&rate| rate > 0),
            channels: fields.next().and_then(|count| count.parse().ok()).filter(|count| (1..=64).contains(count)),
        })
    }
}

fn kind(media: &str) -> MediaKind {
    match media.split('/').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "video" | "image" => MediaKind::Video,
        "audio" => MediaKind::Audio,
        "application" => MediaKind::Application,
        _ => MediaKind::Other(clean_to(media, 32)),
    }
}

fn values<'a>(attributes: &'a [sdp_types::Attribute], name: &'a str) -> impl Iterator<Item = &'a str> {
    attributes
        .iter()
        .filter(move |a| a.attribute.trim().eq_ignore_ascii_case(name))
        .filter_map(|a| a.value.as_deref().map(str::trim))
}

fn value<'a>(attributes: &'a [sdp_types::Attribute], name: &'a str) -> Option<&'a str> {
    values(attributes, name).next()
}

fn direction(attributes: &[sdp_types::Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|a| match a.attribute.trim().to_ascii_lowercase().as_str() {
        "sendonly" => Some(Direction::Sendonly),
        "recvonly" => Some(Direction::Recvonly),
        "sendrecv" => Some(Direction::Sendrecv),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    })
}

fn multicast(connection: &sdp_types::Connection) -> Option<std::net::IpAddr> {
    connection.connection_address.split('/').next()?.parse().ok().filter(std::net::IpAddr::is_multicast)
}

/// The parameters of a payload type: the media's own, else those that strayed into a media of another payload type.
fn fmtp(payload_type: u8, own: &sdp_types::Media, all: &[sdp_types::Media]) -> Fmtp {
    let claims =
        |media: &sdp_types::Media| media.fmt.split_whitespace().any(|format| format.parse() == Ok(payload_type));
    std::iter::once(own)
        .chain(all.iter().filter(|media| !claims(media)))
        .flat_map(|media| values(&media.attributes, "fmtp"))
        .find_map(|line| {
            let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
            let (number, parameters) = line.split_at(digits);
            (number.parse() == Ok(payload_type)).then(|| Fmtp::parse(parameters))
        })
        .unwrap_or_default()
}

/// The first frame rate that is one: `25`, `12.500000`, `30000/1001`; not `0S`.
fn framerate(attributes: &[sdp_types::Attribute]) -> Option<f64> {
    values(attributes, "framerate").chain(values(attributes, "x-framerate")).find_map(|value| {
        let value = value.split_whitespace().next()?;
        let (number, divisor) = value.split_once('/').unwrap_or((value, "1"));
        let rate = number.parse::<f64>().ok()? / divisor.parse::<f64>().ok()?;
        Some(rate).filter(|rate| (0.01..=1000.0).contains(rate))
    })
}

/// The sizes attributes give: `x-dimensions:1280,720`, `framesize:96 1280-720`, `cliprect:top,left,bottom,right`,
/// `Width:integer;1280` with `Height`.
fn sizes(attributes: &[sdp_types::Attribute]) -> Vec<(&'static str, u32, u32)> {
    let first = |name| value(attributes, name).map(numbers).unwrap_or_default();
    let mut found = Vec::new();
    if let [width, height, ..] = *first("x-dimensions") {
        found.push(("x-dimensions", width, height));
    }
    if let [_, width, height] = *first("framesize") {
        found.push(("framesize", width, height));
    }
    if let [top, left, bottom, right] = *first("cliprect") {
        found.push(("cliprect", right.saturating_sub(left), bottom.saturating_sub(top)));
    }
    if let ([width], [height]) = (first("width").as_slice(), first("height").as_slice()) {
        found.push(("width", *width, *height));
    }
    found.retain(|&(_, w, h)| crate::media::plausible_size(w, h));
    found
}

/// The whole numbers in a text.
fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).take(8).collect()
}

/// A rate as people write it: `25`, `12.5`, `29.97`.
pub(super) fn rounded(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
