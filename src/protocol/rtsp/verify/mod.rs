//! Plays a stream just long enough to prove that frames arrive and to measure them, and always takes the session down.

pub(super) mod ways;

use std::time::Duration;

use super::client::Client;
use super::play::Ended;
use crate::media::merge::{self, Declarer};
use crate::media::picture::Picture;
use crate::model::options::Ffprobe;
use crate::model::{ErrorKind, LadderStep, Step, Stream, StreamSource, StreamStatus, Video, Way};
use crate::probe::Inspection;
use crate::probe::memory::Kept;
use crate::protocol::proof::{Proof, Stop};
use crate::tool::ffprobe;
use ways::Played;

/// A server may need this long to take down what it served us before; until then it says that it is busy.
const BUSY_PAUSE: Duration = Duration::from_millis(1500);

/// The stream with what playing it showed, and its last whole picture. `client` is the one that walked the paths: a
/// camera that serves one client sees one client.
pub async fn verify(
    host: &Inspection,
    client: &mut Client,
    path: &str,
    mut stream: Stream,
) -> (Stream, Option<Kept<Picture>>) {
    client.transcript.take();
    let mut outcome = ways::play(host, client, path).await;
    if matches!(&outcome, Err(error) if error.kind == ErrorKind::Busy) && host.peer.time_left() > BUSY_PAUSE {
        tokio::select! {
            () = tokio::time::sleep(BUSY_PAUSE) => outcome = ways::play(host, client, path).await,
            () = host.peer.cancel.cancelled() => {}
        }
    }
    stream.answers.extend(client.transcript.take());
    // Some give the description away and want the login at SETUP.
    if client.negotiation.is_logged_in() {
        stream.open = Some(false);
    }
    let mut proof = Proof { stream };
    let picture = match outcome {
        Ok(mut played) => {
            let (picture, room) = (played.meter.take_picture(), played.room.take());
            take(&mut proof, &played);
            second_opinion(host, &mut proof.stream, picture.as_ref()).await;
            picture.map(|picture| Kept::new(picture, room))
        }
        Err(error) => {
            let status = match error.kind {
                kind if kind.is_of_login() => StreamStatus::AuthRequired,
                ErrorKind::Interrupted => StreamStatus::Described,
                _ => StreamStatus::Error,
            };
            proof.stream.ladder = client.ladder().steps().to_vec();
            proof.fail(Stop::new(status, error.kind, error.message));
            None
        }
    };
    (proof.stream, picture)
}

fn take(proof: &mut Proof, played: &Played) {
    let Played { meter, transport, warnings, ended, is_encrypted, .. } = played;
    let stream = &mut proof.stream;
    let seen = meter.seen();
    stream.transport = *transport;
    stream.multicast = played.group;
    if let Some(group) = played.group {
        stream.warnings.push(format!("multicast only: it is sent to {group}, and to nobody over TCP or unicast UDP"));
    }
    stream.ladder = last_steps(played);
    stream.warnings.extend(warnings.iter().cloned());
    if *is_encrypted {
        stream.warnings.push("the packets are encrypted (SRTP): what they show is by the description alone".to_owned());
    }
    if seen.frames == 0 {
        if *ended == Some(Ended::Interrupted) {
            return;
        }
        return proof.fail(no_frame(played));
    }
    proof.streams();
    let stream = &mut proof.stream;
    stream.warnings.extend(meter.warnings());
    match meter.audio() {
        Some(sound) if played.is_sound => stream.audio = Some(sound),
        // Sound within the picture's own stream.
        Some(sound) if stream.audio.is_none() => stream.audio = Some(sound),
        _ => {}
    }
    if let (Some(sound), Some(audio)) = (&played.sound, &mut stream.audio) {
        audio.measured_packets = Some(sound.seen().packets);
        audio.measured_kbps = sound.measured().rates.kbps;
        if sound.seen().packets == 0 {
            stream.warnings.push("the sound was set up, and no packet of it came".to_owned());
        }
    }
    if let Some(came) = meter.video() {
        stream.video = Some(merge::over(stream.video.take().unwrap_or_default(), came));
    }
}

/// The whole ladder of what was played.
fn last_steps(played: &Played) -> Vec<LadderStep> {
    let seen = played.meter.seen();
    let step = |step, at: Option<Duration>| LadderStep {
        way: played.way,
        ..LadderStep::new(step, at.is_some(), at.unwrap_or(played.lasted))
    };
    let mut ladder = played.ladder.clone();
    ladder.push(step(Step::Rtp, seen.first_rtp));
    // Of encrypted packets only number and times can be told, and of codecs that are not known. Sound has no key frames.
    let tells = seen.frames == 0 || played.meter.tells_key_frames();
    if seen.first_rtp.is_some() && !played.is_encrypted && !played.is_sound && tells {
        ladder.push(step(Step::Keyframe, seen.first_keyframe));
    }
    ladder.extend(&played.tried);
    ladder
}

/// Why a stream that was accepted is without a frame.
fn no_frame(played: &Played) -> Stop {
    let seconds = (played.lasted.as_secs_f64() * 10.0).round() / 10.0;
    let (kind, mut message) = match (played.ended, played.meter.seen().packets) {
        (Some(Ended::Closed), _) => {
            (ErrorKind::Closed, format!("the device closed the connection after {seconds} s, before a frame came"))
        }
        (Some(Ended::Garbage), _) => {
            (ErrorKind::Protocol, format!("what came after {seconds} s is no RTSP, and no frame came before it"))
        }
        (_, 0) if played.reports > 0 => (ErrorKind::Timeout, format!("only RTCP reports came within {seconds} s")),
        (_, 0) => (ErrorKind::Timeout, format!("no packet came within {seconds} s")),
        (_, packets) => (ErrorKind::Timeout, format!("{packets} packets came within {seconds} s, but no whole frame")),
    };
    let mut ways: Vec<Way> = played.tried.iter().filter_map(|s| s.way).collect();
    ways.dedup();
    if !ways.is_empty() {
        let ways: Vec<&str> = ways.iter().map(|way| way.in_words()).collect();
        message = format!("{message}; also in vain {}", ways.join("; "));
    }
    Stop::no_data(kind, message)
}

/// Asks ffprobe where our own analysis leaves codec or size unknown, or always when that is wished.
async fn second_opinion(host: &Inspection, stream: &mut Stream, picture: Option<&Picture>) {
    let unknown = stream.video.as_ref().is_none_or(|v| v.codec.is_none() || v.width.is_none());
    let wanted = match host.options.ffprobe {
        Ffprobe::Never => false,
        Ffprobe::Auto => unknown,
        Ffprobe::Always => true,
    };
    let Some(picture) = picture.filter(|_| wanted) else { return };
    match ffprobe::ask(&picture.bytes, picture.ffmpeg_format()).await {
        Ok((Some(said), _)) => {
            // One frame has no rate.
            let said = Video { fps: None, fps_source: None, ..said };
            let ours = stream.video.take().unwrap_or_default();
            let wrong = merge::contradictions(Declarer::Ffprobe, &said, &ours);
            stream.warnings.extend(wrong.iter().map(ToString::to_string));
            stream.video = Some(merge::over(said, ours));
            stream.sources.push(StreamSource::Ffprobe);
        }
        Ok((None, _)) => stream.warnings.push("ffprobe sees no video in what came".to_owned()),
        Err(ffprobe::FfprobeError::Missing) if host.options.ffprobe == Ffprobe::Auto => {}
        Err(error) => stream.warnings.push(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
