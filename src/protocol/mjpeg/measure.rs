//! Counts the pictures of a body as they come.

use tokio::time::Instant;

use super::wire::Pictures;
use crate::media::jpeg;
use crate::model::{ErrorKind, StreamError};
use crate::probe::HostContext;
use crate::protocol::http::exchange::Body;

/// What came in the measuring time.
#[derive(Default)]
pub(super) struct Measured {
    /// Size of the first picture, as far as its header tells.
    pub first_size: Option<(Option<u32>, Option<u32>)>,
    /// The first picture, and when it was whole.
    pub first: Option<Vec<u8>>,
    pub first_at: Option<Instant>,
    last_at: Option<Instant>,
    /// Pictures after the first, and their bytes.
    pictures: u32,
    bytes: u64,
    overlong: bool,
    ended: bool,
}

impl Measured {
    /// Whether the body ended behind its first picture: a still one.
    pub fn is_still(&self) -> bool {
        self.first.is_some() && self.pictures == 0 && self.ended
    }

    fn span(&self) -> Option<f64> {
        let span = self.last_at?.saturating_duration_since(self.first_at?).as_secs_f64();
        // A burst out of a buffer says nothing about the rate.
        (span >= 0.2).then_some(span)
    }

    /// Pictures per second.
    pub fn fps(&self) -> Option<f64> {
        let fps = f64::from(self.pictures) / self.span()?;
        Some((fps * 10.0).round() / 10.0)
    }

    /// kbit per second.
    pub fn kbps(&self) -> Option<u32> {
        Some((self.bytes as f64 * 8.0 / 1000.0 / self.span()?).round() as u32)
    }

    /// Why no picture came.
    pub fn why(&self) -> StreamError {
        let (kind, message) = match (self.overlong, self.ended) {
            (true, _) => (ErrorKind::TooLarge, "a picture without end"),
            (false, true) => (ErrorKind::Closed, "ended before the first picture"),
            (false, false) => (ErrorKind::Timeout, "no picture in time"),
        };
        StreamError { kind, message: message.to_owned() }
    }
}

/// Reads pictures until the measuring time is over. `begun` has been read of the body already.
pub(super) async fn measure(host: &HostContext, begun: &[u8], mut body: Body) -> Measured {
    let mut measured = Measured::default();
    let mut pictures = Pictures::default();
    pictures.push(begun);
    let mut until = host.deadline.min(Instant::now() + host.options.frame_timeout);
    loop {
        while let Some(picture) = pictures.next_picture() {
            let now = Instant::now();
            if measured.first.is_none() {
                measured.first_size = Some(jpeg::size(&picture).unzip());
                measured.first = Some(picture);
                measured.first_at = Some(now);
                until = host.deadline.min(now + host.options.measure_time);
            } else {
                measured.pictures += 1;
                measured.bytes += picture.len() as u64;
                measured.last_at = Some(now);
            }
        }
        measured.overlong = pictures.is_overlong();
        if measured.ended || measured.overlong || Instant::now() >= until {
            return measured;
        }
        match body.next(until).await {
            Ok(Some(bytes)) => pictures.push(&bytes),
            Ok(None) => measured.ended = true,
            Err(error) => measured.ended = error.kind != ErrorKind::Timeout,
        }
    }
}
