//! The stream that a path stands for, by what asking it gave and what was announced of it.

use std::time::Duration;

use super::asker::{Asked, StreamKey};
use super::client::describe::Described;
use super::error::RtspError;
use super::sdp::Session;
use super::url::RtspUrl;
use super::walk::{Found, Nature};
use crate::media::fingerprint::fingerprint;
use crate::media::merge::{self, Declarer};
use crate::model::{
    Audio, AudioCodec, ErrorKind, LadderStep, Protocol, Stream, StreamError, StreamSource, StreamStatus, Video,
};
use crate::probe::Inspection;
use crate::wire::url::Endpoint;

/// The stream a found path stands for, as far as its answers show.
pub(super) fn of_found(
    host: &Inspection,
    at: Endpoint,
    found: &Found<StreamKey>,
    asked: Option<&Asked>,
    nature: Nature,
) -> Stream {
    let protocol = if at.tls { Protocol::Rtsps } else { Protocol::Rtsp };
    let mut stream = Stream::new(RtspUrl::new(host.peer.ip, at, &found.path).shown(), protocol);
    stream.channel = found.channel;
    if let Some(hint) = &found.hint {
        stream.channel = stream.channel.or(hint.channel);
        stream.profile_name.clone_from(&hint.profile_name);
        stream.profile_token.clone_from(&hint.profile_token);
        stream.video.clone_from(&hint.video);
        stream.audio.clone_from(&hint.audio);
        if hint.profile_token.is_some() {
            stream.sources.push(StreamSource::Onvif);
        }
    }
    if let Some(asked) = asked {
        stream.ladder.clone_from(&asked.ladder);
        stream.answers.clone_from(&asked.answers);
        stream.sdp.clone_from(&asked.sdp);
    }
    match asked.map(|a| &a.outcome) {
        Some(Ok((answer, session))) => described(&mut stream, answer, session),
        Some(Err(error)) => failed(host, &mut stream, error),
        None => {}
    }
    if nature == Nature::AnyPath {
        stream.warnings.push("the device describes any path, so the path proves nothing".to_owned());
    }
    if nature == Nature::LoginForAny && found.path == "/" {
        stream.warnings.push("the device demands a login for any path, so no path is known yet".to_owned());
    }
    if !found.also_at.is_empty() {
        stream.warnings.push(format!("the same stream is also at {}", found.also_at.join(", ")));
    }
    stream
}

fn described(stream: &mut Stream, described: &Described, session: &Session) {
    stream.url = described.url.shown();
    stream.open = Some(described.open);
    stream.warnings.extend(described.warnings.iter().chain(&session.warnings).cloned());
    if session.video().or(session.sound_alone()).is_none() {
        stream.status = StreamStatus::NotFound;
        stream.error = Some(StreamError {
            kind: ErrorKind::Protocol,
            message: "the device's answer describes neither picture nor sound".to_owned(),
        });
        return;
    }
    stream.status = StreamStatus::Described;
    stream.sources.push(StreamSource::Sdp);
    let (picture, sound) =
        (session.video().and_then(|m| m.video.clone()), session.audio().and_then(|m| m.audio.clone()));
    let (declared, declared_sound) = (stream.video.take(), stream.audio.take());
    if picture.is_none() && declared.is_some() {
        stream.warnings.push("ONVIF declares a picture, and what the device describes is sound alone".to_owned());
    }
    stream.video = picture.map(|seen| merge_declared(seen, declared, &mut stream.warnings));
    stream.audio = merge_declared_sound(sound, declared_sound.as_ref(), &mut stream.warnings);
    stream.parameter_sets = session.video().and_then(|media| fingerprint(&media.parameter_sets));
    stream.back_channel = session.has_back_channel().then_some(true);
}

/// What the parameter sets say stands; what only ONVIF declares fills the gaps. A size that the description merely hints at
/// contradicts nothing.
fn merge_declared(seen: Video, declared: Option<Video>, warnings: &mut Vec<String>) -> Video {
    let Some(declared) = declared else { return seen };
    if seen.size_source.is_none() {
        let wrong = merge::contradictions(Declarer::Onvif, &declared, &Video { codec: None, ..seen.clone() });
        warnings.extend(wrong.iter().map(ToString::to_string));
    }
    merge::over(declared, seen)
}

/// The description stands. What ONVIF declares beside it may be switched off for this stream: it is said, not taken over.
fn merge_declared_sound(seen: Option<Audio>, declared: Option<&Audio>, warnings: &mut Vec<String>) -> Option<Audio> {
    let codec = declared.and_then(|d| d.codec).map_or("unknown", AudioCodec::as_str);
    match (&seen, declared) {
        (None, Some(_)) => warnings.push(format!("ONVIF declares sound ({codec}), the stream has none")),
        (Some(Audio { codec: Some(seen), .. }), Some(Audio { codec: Some(declared), .. })) if seen != declared => {
            warnings.push(format!("ONVIF declares {codec} sound, the stream has {}", seen.as_str()));
        }
        _ => {}
    }
    seen
}

fn failed(host: &Inspection, stream: &mut Stream, error: &RtspError) {
    stream.status = match error.kind {
        kind if kind.is_of_login() => StreamStatus::AuthRequired,
        ErrorKind::NotFound => StreamStatus::NotFound,
        _ => StreamStatus::Error,
    };
    if stream.status == StreamStatus::AuthRequired {
        stream.open = Some(false);
    }
    let message = match host.peer.logins.why_stopped() {
        Some(why) if stream.status == StreamStatus::AuthRequired && !error.message.contains(&why) => {
            format!("{} ({why})", error.message)
        }
        _ => error.message.clone(),
    };
    if stream.ladder.last().is_none_or(|last| last.ok) {
        stream.ladder.push(LadderStep::new(error.step, false, Duration::ZERO));
    }
    stream.error = Some(StreamError { kind: error.kind, message });
}
