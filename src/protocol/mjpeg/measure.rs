//! Counts the pictures of a body as they come.

use tokio::time::Instant;

use super::wire::Pictures;
use crate::media::jpeg;
use crate::media::meter::{FrameMeter, Rates};
use crate::model::ErrorKind;
use crate::probe::Inspection;
use crate::probe::memory::{NoRoom, Room};
use crate::protocol::http::exchange::Body;
use crate::protocol::proof::Stop;

/// What came in the measuring time.
pub(super) struct MeasuredPictures {
    /// Width and height of the first picture.
    pub first_size: Option<(u32, u32)>,
    /// The first picture, where it is wanted.
    pub first: Option<Vec<u8>>,
    /// When the first picture was whole.
    pub first_at: Option<Instant>,
    /// The room the first picture takes.
    pub room: Room,
    meter: FrameMeter,
    /// What looked like a picture and has no size.
    hollow: u32,
    overlong: bool,
    ended: bool,
    no_room: Option<NoRoom>,
}

impl MeasuredPictures {
    fn new(room: Room) -> Self {
        MeasuredPictures {
            first_size: None,
            first: None,
            first_at: None,
            room,
            meter: FrameMeter::by_arrival(),
            hollow: 0,
            overlong: false,
            ended: false,
            no_room: None,
        }
    }

    /// Whether the body ended behind its first picture: a still one.
    pub fn is_still(&self) -> bool {
        self.meter.frames() == 1 && self.ended
    }

    /// What the pictures measure.
    pub fn rates(&self) -> Rates {
        self.meter.rates()
    }

    /// Why no picture came.
    pub fn why(&self) -> Stop {
        let (kind, message) = match (self.no_room, self.overlong, self.ended) {
            (Some(why), ..) => (ErrorKind::Local, why.to_string()),
            (None, true, _) => (ErrorKind::TooLarge, "a picture without end".to_owned()),
            _ if self.hollow > 0 => (ErrorKind::Protocol, format!("{} JPEG images without a size", self.hollow)),
            (None, false, true) => (ErrorKind::Closed, "ended before the first picture".to_owned()),
            (None, false, false) => (ErrorKind::Timeout, "no picture in time".to_owned()),
        };
        Stop::no_data(kind, message)
    }

    /// Takes a whole picture; whether it was the first. `keep` says that the first is wanted itself.
    fn take(&mut self, picture: Vec<u8>, keep: bool) -> bool {
        let now = Instant::now();
        let Some(size) = jpeg::size_of_any(&picture) else {
            self.hollow = self.hollow.saturating_add(1);
            return false;
        };
        let first_at = *self.first_at.get_or_insert(now);
        let since = now.saturating_duration_since(first_at);
        self.meter.frame(since.as_secs_f64(), picture.len() as u64, true);
        if self.meter.frames() > 1 {
            return false;
        }
        self.first_size = Some(size);
        self.first = keep.then_some(picture);
        true
    }
}

/// Reads pictures until the measuring time is over. `begun` has been read of the body already. The first picture is kept
/// where one is to be saved.
pub(super) async fn measure(host: &Inspection, begun: &[u8], mut body: Body) -> MeasuredPictures {
    let mut measured = MeasuredPictures::new(host.peer.memory.room());
    let mut pictures = Pictures::default();
    pictures.push(begun);
    let mut until = host.peer.deadline.min(Instant::now() + host.options.frame_timeout);
    loop {
        while let Some(picture) = pictures.next_picture() {
            if measured.take(picture, host.options.snapshots.is_some()) {
                until = host.peer.deadline.min(Instant::now() + host.options.measure_time);
            }
        }
        measured.overlong = pictures.is_overlong();
        if measured.ended || measured.overlong || measured.no_room.is_some() || Instant::now() >= until {
            break;
        }
        match body.next(until).await {
            Ok(Some(bytes)) => {
                let first = measured.first.as_ref().map_or(0, Vec::len);
                // A wait for room does not count; once the first picture is there, none is worth it.
                let patience = if measured.first_at.is_none() { host.peer.deadline } else { until };
                let before = Instant::now();
                match measured.room.fit(first + pictures.held() + bytes.len(), patience).await {
                    Ok(()) => pictures.push(&bytes),
                    Err(why) => measured.no_room = Some(why),
                }
                until = host.peer.deadline.min(until + before.elapsed());
            }
            Ok(None) => measured.ended = true,
            Err(error) => measured.ended = error.kind != ErrorKind::Timeout,
        }
    }
    drop(pictures);
    // To be saved, a picture is copied once more.
    measured.room.shrink(2 * measured.first.as_ref().map_or(0, Vec::len));
    measured
}
