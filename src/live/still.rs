//! Key frames as JPEGs, each made once for all who are shown it.

use bytes::Bytes;
use tokio::sync::Mutex;

use super::frame::Frame;
use crate::tool::ffmpeg;

/// The newest one of a stream, by the index of its frame; none where it could not be made.
#[derive(Default)]
pub(super) struct Still(Mutex<Option<(u64, Option<Bytes>)>>);

impl Still {
    /// A key frame as a JPEG, which ffmpeg makes. Who asks while it is made waits for it.
    pub async fn of(&self, frame: &Frame) -> Option<Bytes> {
        let mut newest = self.0.lock().await;
        if let Some((_, made)) = newest.as_ref().filter(|(index, _)| *index == frame.index) {
            return made.clone();
        }
        let picture = frame.picture()?;
        let made = ffmpeg::picture(&picture.bytes, picture.ffmpeg_format()?).await;
        let made = made.inspect_err(|error| tracing::info!("a key frame was not made a JPEG: {error}")).ok();
        newest.insert((frame.index, made.map(Bytes::from))).1.clone()
    }
}
