//! A transport stream inside RTP (RFC 2250 §2), as encoders, tuners and VLC send it: the codecs and the frames are its own.

use std::time::Duration;

use crate::media::seen::Seen;
use crate::media::ts;

/// Bytes of a transport stream kept to look into: some seconds at the rates of cameras.
const MAX_KEPT: usize = 2 << 20;

/// What came of a transport stream.
#[derive(Default)]
pub(super) struct Inner {
    bytes: Vec<u8>,
    looked_at: usize,
    seen: Seen,
    key_at: Option<Duration>,
    is_stopped: bool,
}

impl Inner {
    /// Whether an encoding is one.
    pub(super) fn is_carried_by(encoding: &str) -> bool {
        encoding.eq_ignore_ascii_case("MP2T")
    }

    /// Takes a payload: whole packets of 188 bytes, in order. It is looked into whenever half as much again has come, so
    /// that every byte is read a few times at most.
    pub(super) fn push(&mut self, payload: &[u8], arrived: Duration) {
        if self.is_stopped || self.bytes.len() + payload.len() > MAX_KEPT {
            return;
        }
        self.bytes.extend_from_slice(payload);
        if self.bytes.len() > self.looked_at + self.looked_at / 2 + 16 * 1024 {
            self.look(arrived);
        }
    }

    /// Looks into what came.
    pub(super) fn look(&mut self, at: Duration) {
        self.looked_at = self.bytes.len();
        self.seen = ts::look(&self.bytes);
        if self.seen.key {
            self.key_at.get_or_insert(at);
        }
    }

    /// Bytes held, and once more while they are looked into.
    pub(super) fn held(&self) -> usize {
        2 * self.bytes.len() + self.seen.picture.as_ref().map_or(0, |picture| picture.bytes.len())
    }

    /// Takes the picture out of what the last look showed.
    pub(super) fn take_picture(&mut self) -> Option<crate::media::picture::Picture> {
        self.seen.picture.take()
    }

    /// Takes nothing more.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// What the last look showed.
    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// When a key frame was there at the latest.
    pub(super) fn key_at(&self) -> Option<Duration> {
        self.key_at
    }
}
