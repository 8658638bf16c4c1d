//! A session by HTTP: JPEGs one after the other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::backoff::Failure;
use super::tracks::Clock;
use super::{Ended, Pulse, Source};
use crate::media::assemble::AccessUnit;
use crate::media::format::{Format, VideoFormat};
use crate::media::jpeg;
use crate::model::{ErrorKind, Transport, VideoCodec};
use crate::protocol::http::client;
use crate::protocol::http::exchange::Body;
use crate::protocol::http::message::Request;
use crate::protocol::mjpeg::wire::Pictures;

/// Without a picture for so long the camera is away. Some send one every few seconds.
const STALL: Duration = Duration::from_secs(10);
/// How long a piece of the body is waited for before it is seen whether anybody still watches.
const LOOK: Duration = Duration::from_millis(500);

impl Source {
    /// Reads pictures until nobody watches or it fails.
    pub(super) async fn play_mjpeg(&mut self, clock: &mut Clock) -> Ended {
        let mut body = match self.open().await {
            Ok(body) => body,
            Err(failure) => return Ended::Failed(failure),
        };
        let (mut pictures, mut format) = (Pictures::default(), None);
        let mut pulse = Pulse::new(Instant::now());
        loop {
            let piece = body.next(Instant::now() + LOOK).await;
            let now = Instant::now();
            let taken = match piece {
                Ok(Some(bytes)) => {
                    self.stream.note(|statistics| statistics.bytes += bytes.len() as u64);
                    pictures.push(&bytes);
                    Ok(())
                }
                Ok(None) => Err(Failure::of(ErrorKind::Closed, None)),
                Err(error) if error.kind == ErrorKind::Timeout => Ok(()),
                Err(error) => Err(Failure::of(error.kind, None)),
            };
            while let Some(picture) = pictures.next_picture() {
                let Some(unit) = unit(picture, clock, now, &mut format) else { continue };
                self.stream.push(clock.picture(unit));
                if pulse.beats(now) {
                    self.note_live();
                }
            }
            let failure = match taken {
                Err(failure) => failure,
                Ok(()) if pictures.is_overlong() => Failure::of(ErrorKind::TooLarge, None),
                Ok(()) if now >= pulse.frame + STALL => Failure::of(ErrorKind::Timeout, None),
                Ok(()) if self.wanted.is_over() || self.peer.cancel.is_cancelled() => return Ended::Unwatched,
                Ok(()) => continue,
            };
            return Ended::Failed(pulse.after(failure, now));
        }
    }

    async fn open(&self) -> Result<Body, Failure> {
        let request = Request::of(&self.url).with_login();
        let (response, body) = client::open(&self.peer, request).await.map_err(|error| {
            tracing::info!(stream = self.stream.id, "the camera does not play: {error}");
            Failure::of(error.kind, None)
        })?;
        self.stream.expect_sound(None);
        self.stream.note(|statistics| statistics.transport = Some(Transport::Tcp));
        let status = response.status;
        match status {
            200..=299 => Ok(body),
            401 => Err(Failure::of(ErrorKind::AuthRequired, Some(status))),
            423 | 429 => Err(Failure::of(ErrorKind::Locked, Some(status))),
            404 | 410 => Err(Failure::of(ErrorKind::NotFound, Some(status))),
            503 => Err(Failure::of(ErrorKind::Busy, Some(status))),
            _ => Err(Failure::of(ErrorKind::Device, Some(status))),
        }
    }
}

/// A picture as it would come out of RTP; none for what has no size.
fn unit(picture: Vec<u8>, clock: &Clock, now: Instant, known: &mut Option<Arc<Format>>) -> Option<AccessUnit> {
    let size = jpeg::size_of_any(&picture)?;
    let format = Format::Video(VideoFormat { codec: VideoCodec::Mjpeg, sets: Vec::new(), size: Some(size) });
    let format = match known {
        Some(known) if **known == format => known.clone(),
        other => other.insert(Arc::new(format)).clone(),
    };
    let arrived = clock.since(now);
    // By arrival, in units of 1/90,000 s, wrapping.
    let timestamp = (arrived.as_nanos() * 9 / 100_000) as u32;
    Some(AccessUnit { timestamp, arrived, key: true, damaged: false, parts: vec![Bytes::from(picture)], format })
}
