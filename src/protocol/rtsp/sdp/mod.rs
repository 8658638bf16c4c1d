//! Session descriptions (SDP, RFC 4566) as cameras send them, down to exact parameters of picture and sound.
//!
//! A description is never refused for one line: [`lines`] mends it, `sdp-types` parses it, and what is said here is read
//! from it. Parameter sets are the truth for size, profile and frame rate; attributes are hints and are labelled so.

mod attributes;
pub mod codec;
mod format;
pub mod lines;

use crate::media::hundredths;
use crate::model::{Audio, FpsSource, SizeSource, Video, VideoCodec};
use crate::text::{clean_some, clean_to};
use attributes::{direction, fmtp, framerate, multicast, sizes, value};
use codec::Fmtp;
use format::Format;

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
    pub sizes: Vec<(SizeSource, u32, u32)>,
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

#[cfg(test)]
thread_local! {
    /// How many descriptions the test that runs in this thread has parsed.
    pub(super) static PARSED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Session {
    /// Reads a description; `None` when it has neither a `v=` nor an `m=` line and so is none.
    pub fn parse(bytes: &[u8]) -> Option<Session> {
        #[cfg(test)]
        PARSED.set(PARSED.get() + 1);
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

    /// The sound of a stream that has no picture. None of a tuner's, whose sound belongs to its television.
    pub fn sound_alone(&self) -> Option<&Media> {
        let is_heard = |m: &Media| m.direction != Some(Direction::Inactive) && m.audio.is_some();
        self.audio().filter(|audio| self.video().is_none() && !self.is_tuner() && is_heard(audio))
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
    /// Units of the RTP timestamps a second: 90,000 where the description names none that can be.
    pub fn timestamp_rate(&self) -> u32 {
        self.clock_rate.filter(|&rate| rate >= 1000).unwrap_or(90_000)
    }

    fn read(described: &sdp_types::Media, all: &[sdp_types::Media], warnings: &mut Vec<String>) -> Media {
        let own = &described.attributes;
        let kind = kind(&described.media);
        let format = Format::choose(described, &kind);
        let fmtp = format.payload_type.map(|pt| fmtp(pt, described, all)).unwrap_or_default();
        let encoding = format.encoding.or_else(|| codec::encoding_of(&fmtp).map(str::to_owned));
        if let (Some(number @ (0 | 8)), Some(named)) = (format.payload_type, &encoding)
            && let Some((stated, ..)) = codec::static_payload_type(number)
            && codec::audio_codec(stated) != codec::audio_codec(named)
        {
            let named = clean_to(named, 32);
            warnings.push(format!("payload type {number} is {stated} by its number and {named} by its name"));
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

    /// Whether its packets are encrypted (SRTP, RFC 3711).
    pub fn is_encrypted(&self) -> bool {
        self.protocol.to_ascii_uppercase().contains("RTP/SAVP")
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
                video.fps_source = Some(FpsSource::Sdp);
            }
            (Some(fps), Some(stated)) if (fps - stated).abs() > 0.02 * fps => {
                warnings.push(format!(
                    "the SDP says {} fps, the parameter sets {}",
                    hundredths(stated),
                    hundredths(fps)
                ));
            }
            _ => {}
        }
        let Some(&(source, width, height)) = self.sizes.first() else { return };
        let Some(known) = video.width.zip(video.height) else {
            if self.sizes.iter().all(|&(_, w, h)| (w, h) == (width, height)) {
                (video.width, video.height) = (Some(width), Some(height));
                video.size_source = Some(source);
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

fn kind(media: &str) -> MediaKind {
    match media.split('/').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "video" | "image" => MediaKind::Video,
        "audio" => MediaKind::Audio,
        "application" => MediaKind::Application,
        _ => MediaKind::Other(clean_to(media, 32)),
    }
}

#[cfg(test)]
mod tests;
