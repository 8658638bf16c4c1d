//! Plays a stream just long enough to prove that frames arrive and to measure them, and always takes the session down.

use std::time::Duration;

use tokio::time::Instant;

use super::client::Client;
use super::error::RtspError;
use super::frames::Meter;
use super::play::{Ended, MediaToPlay, PlayOptions, Playing};
use super::sdp::Session;
use crate::media::picture::Picture;
use crate::model::options::Ffprobe;
use crate::model::{ErrorKind, LadderStep, Step, Stream, StreamError, StreamSource, StreamStatus, Transport, Video};
use crate::probe::HostContext;
use crate::protocol::ffprobe;

/// Once frames flow, a key frame is waited for this much longer than the measuring takes: some cameras send one every
/// ten seconds, and that is worth a word but not the wait.
const KEYFRAME_PATIENCE: Duration = Duration::from_secs(2);

/// What playing a stream showed.
struct Proof {
    meter: Meter,
    transport: Transport,
    setup: Vec<LadderStep>,
    warnings: Vec<String>,
    ended: Option<Ended>,
    is_encrypted: bool,
    /// RTCP reports that came.
    reports: u64,
    /// How long packets were awaited and taken.
    lasted: Duration,
}

/// A server may need this long to take down what it served us before; until then it says that it is busy.
const BUSY_PAUSE: Duration = Duration::from_millis(1500);

/// The stream with what playing it showed, and its last whole picture. `client` is the one that walked the paths: a
/// camera that serves one client sees one client.
pub async fn verify(
    host: &HostContext,
    client: &mut Client,
    path: &str,
    mut stream: Stream,
) -> (Stream, Option<Picture>) {
    client.transcript.take();
    let mut outcome = play(host, client, path).await;
    if matches!(&outcome, Err(error) if error.kind == ErrorKind::Busy) && host.time_left() > BUSY_PAUSE {
        tokio::select! {
            () = tokio::time::sleep(BUSY_PAUSE) => outcome = play(host, client, path).await,
            () = host.cancel.cancelled() => {}
        }
    }
    stream.answers.extend(client.transcript.take());
    // Some give the description away and want the login at SETUP.
    if client.negotiation.is_logged_in() {
        stream.open = Some(false);
    }
    match outcome {
        Ok(proof) => {
            let picture = proof.meter.picture().cloned();
            take(&mut stream, proof);
            second_opinion(host, &mut stream, picture.as_ref()).await;
            (stream, picture)
        }
        Err(error) => {
            stream.status = match error.kind {
                ErrorKind::AuthRequired | ErrorKind::AuthRefused | ErrorKind::Locked => StreamStatus::AuthRequired,
                ErrorKind::Interrupted => StreamStatus::Described,
                _ => StreamStatus::Error,
            };
            if stream.status == StreamStatus::AuthRequired {
                stream.open = Some(false);
            }
            stream.ladder = client.ladder().steps().to_vec();
            stream.error = Some(StreamError { kind: error.kind, message: error.message });
            (stream, None)
        }
    }
}

async fn play(host: &HostContext, client: &mut Client, path: &str) -> Result<Proof, RtspError> {
    // SETUP without a DESCRIBE on the same connection is refused by some.
    let described = client.describe(path).await?;
    let session = Session::parse(&described.sdp).unwrap_or_default();
    let Some(media) = session.video().cloned() else {
        let message = "the description has lost its video since it was first asked for".to_owned();
        return Err(RtspError { kind: ErrorKind::Protocol, step: Step::Described, status: None, message });
    };
    let options = PlayOptions { session_control: session.control.clone(), ..PlayOptions::default() };
    let is_encrypted = media.is_encrypted();
    let to_play = [MediaToPlay { control: media.control.clone(), is_encrypted }];
    let mut playing = Playing::start(client, &described, &to_play, options).await?;
    let mut meter = Meter::new(&media);
    if is_encrypted {
        meter = meter.of_encrypted();
    }
    let began = Instant::now();
    while let Some(packet) = playing.next(deadline(host, began, &meter)).await {
        meter.push(&packet.payload, packet.arrived.saturating_duration_since(began));
        if meter.enough(host.options.measure_time) {
            break;
        }
    }
    meter.finish();
    let lasted = began.elapsed();
    let (transport, warnings, ended) = (playing.transport(), playing.warnings().to_vec(), playing.ended());
    let reports = playing.reports();
    playing.stop().await;
    Ok(Proof {
        meter,
        transport,
        warnings,
        ended,
        is_encrypted,
        reports,
        lasted,
        setup: client.ladder().steps().to_vec(),
    })
}

/// Until when the next packet is waited for.
fn deadline(host: &HostContext, began: Instant, meter: &Meter) -> Instant {
    let until = match meter.seen().first_frame {
        None => began + host.options.frame_timeout,
        Some(first) => began + first + host.options.measure_time + KEYFRAME_PATIENCE,
    };
    until.min(host.deadline)
}

fn take(stream: &mut Stream, proof: Proof) {
    let Proof { meter, transport, setup, warnings, ended, is_encrypted, reports, lasted } = proof;
    let seen = meter.seen();
    stream.transport = transport;
    stream.ladder = setup;
    stream.ladder.retain(|s| s.step < Step::Rtp);
    let mut step = |step, at: Option<Duration>| {
        let ms = at.unwrap_or(lasted).as_secs_f64() * 1000.0;
        stream.ladder.push(LadderStep { step, ok: at.is_some(), ms });
    };
    step(Step::Rtp, seen.first_rtp);
    // Of encrypted packets only number and times can be told, and of codecs that are not known.
    let tells = seen.frames == 0 || meter.tells_key_frames();
    if seen.first_rtp.is_some() && !is_encrypted && tells {
        step(Step::Keyframe, seen.first_keyframe);
    }
    stream.warnings.extend(warnings);
    if is_encrypted {
        stream.warnings.push("the packets are encrypted (SRTP): what they show is by the description alone".to_owned());
    }
    if seen.frames == 0 {
        if ended == Some(Ended::Interrupted) {
            return;
        }
        stream.status = StreamStatus::NoData;
        stream.error = Some(no_frame(seen.packets, reports, ended, lasted));
        return;
    }
    stream.status = StreamStatus::Streaming;
    stream.sources.push(StreamSource::Frames);
    stream.warnings.extend(meter.warnings());
    // Sound within the picture's own stream.
    if stream.audio.is_none() {
        stream.audio = meter.audio();
    }
    if let Some(came) = meter.video() {
        stream.video = Some(came_over(stream.video.take(), came));
    }
}

/// Why a stream that was accepted is without a frame.
fn no_frame(packets: u64, reports: u64, ended: Option<Ended>, lasted: Duration) -> StreamError {
    let seconds = (lasted.as_secs_f64() * 10.0).round() / 10.0;
    let (kind, message) = match (ended, packets) {
        (Some(Ended::Closed), _) => {
            (ErrorKind::Closed, format!("the device closed the connection after {seconds} s, before a frame came"))
        }
        (Some(Ended::Garbage), _) => {
            (ErrorKind::Protocol, format!("what came after {seconds} s is no RTSP, and no frame came before it"))
        }
        (_, 0) if reports > 0 => (ErrorKind::Timeout, format!("only RTCP reports came within {seconds} s")),
        (_, 0) => (ErrorKind::Timeout, format!("no packet came within {seconds} s")),
        (_, packets) => (ErrorKind::Timeout, format!("{packets} packets came within {seconds} s, but no whole frame")),
    };
    StreamError { kind, message }
}

/// What the frames show stands; what was declared fills the gaps.
fn came_over(declared: Option<Video>, mut came: Video) -> Video {
    let Some(declared) = declared else { return came };
    if came.width.is_none() {
        (came.width, came.height, came.size_source) = (declared.width, declared.height, declared.size_source);
    }
    if came.fps.is_none() {
        (came.fps, came.fps_source) = (declared.fps, declared.fps_source);
    }
    came.codec = came.codec.or(declared.codec);
    came.profile = came.profile.or(declared.profile);
    came.level = came.level.or(declared.level);
    came.bitrate_kbps = came.bitrate_kbps.or(declared.bitrate_kbps);
    came
}

/// Asks ffprobe where our own analysis leaves codec or size unknown, or always when that is wished.
async fn second_opinion(host: &HostContext, stream: &mut Stream, picture: Option<&Picture>) {
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
            if let (Some(a), Some(b)) = (ours.width.zip(ours.height), said.width.zip(said.height))
                && a != b
            {
                stream.warnings.push(format!("ffprobe says {}x{}, our own analysis {}x{}", b.0, b.1, a.0, a.1));
            }
            stream.video = Some(came_over(Some(said), ours));
            stream.sources.push(StreamSource::Ffprobe);
        }
        Ok((None, _)) => stream.warnings.push("ffprobe sees no video in what came".to_owned()),
        Err(ffprobe::FfprobeError::Missing) if host.options.ffprobe == Ffprobe::Auto => {}
        Err(error) => stream.warnings.push(error.to_string()),
    }
}
