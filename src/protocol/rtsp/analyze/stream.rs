//! The stream that a path stands for, by what asking it gave and what was announced of it.

use super::{Asked, Look};
use crate::model::{ErrorKind, LadderStep, Protocol, Stream, StreamError, StreamSource, StreamStatus, Video};
use crate::probe::HostContext;
use crate::protocol::rtsp::client::describe::Described;
use crate::protocol::rtsp::error::RtspError;
use crate::protocol::rtsp::sdp::Session;
use crate::protocol::rtsp::url::RtspUrl;
use crate::protocol::rtsp::walk::{Found, Nature};

/// The stream a found path stands for, as far as asking told.
pub(in crate::protocol::rtsp) fn of_found(
    host: &HostContext,
    (port, tls): (u16, bool),
    found: &Found<Look>,
    asked: Option<&Asked>,
    nature: Nature,
) -> Stream {
    let protocol = if tls { Protocol::Rtsps } else { Protocol::Rtsp };
    let mut stream = Stream::new(RtspUrl::new(host.ip, port, tls, &found.path).shown(), protocol);
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
    if nature == Nature::LoginForAny {
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
    let Some(media) = session.video() else {
        stream.status = StreamStatus::NotFound;
        stream.error = Some(StreamError {
            kind: ErrorKind::Protocol,
            message: "the device's answer describes no video".to_owned(),
        });
        return;
    };
    stream.status = StreamStatus::Described;
    stream.sources.push(StreamSource::Sdp);
    let declared = stream.video.take();
    stream.video = media.video.clone().map(|seen| merge_declared(seen, declared, &mut stream.warnings));
    stream.audio = session.audio().and_then(|a| a.audio.clone()).or(stream.audio.take());
    stream.back_channel = session.has_back_channel().then_some(true);
}

/// What the parameter sets say stands; what only ONVIF declares fills the gaps.
fn merge_declared(mut seen: Video, declared: Option<Video>, warnings: &mut Vec<String>) -> Video {
    let Some(declared) = declared else { return seen };
    let sizes = (seen.width.zip(seen.height), declared.width.zip(declared.height));
    if let (Some((w, h)), Some((dw, dh))) = sizes
        && (w, h) != (dw, dh)
        && seen.size_source.is_none()
    {
        warnings.push(format!("ONVIF declares {dw}x{dh}, the stream says {w}x{h}"));
    }
    if sizes.0.is_none() {
        (seen.width, seen.height) = (declared.width, declared.height);
        seen.size_source = sizes.1.map(|_| "onvif".to_owned());
    }
    seen.codec = seen.codec.or(declared.codec);
    seen.profile = seen.profile.or(declared.profile);
    if seen.fps.is_none() {
        (seen.fps, seen.fps_source) = (declared.fps, declared.fps.map(|_| "onvif".to_owned()));
    }
    seen.bitrate_kbps = seen.bitrate_kbps.or(declared.bitrate_kbps);
    seen
}

fn failed(host: &HostContext, stream: &mut Stream, error: &RtspError) {
    stream.status = match error.kind {
        ErrorKind::AuthRequired | ErrorKind::AuthRefused | ErrorKind::Locked => StreamStatus::AuthRequired,
        ErrorKind::NotFound => StreamStatus::NotFound,
        _ => StreamStatus::Error,
    };
    if stream.status == StreamStatus::AuthRequired {
        stream.open = Some(false);
    }
    let message = match host.logins.stopped() {
        Some(why) if stream.status == StreamStatus::AuthRequired => format!("{} ({why})", error.message),
        _ => error.message.clone(),
    };
    if stream.ladder.last().is_none_or(|last| last.ok) {
        stream.ladder.push(LadderStep { step: error.step, ok: false, ms: 0.0 });
    }
    stream.error = Some(StreamError { kind: error.kind, message });
}
