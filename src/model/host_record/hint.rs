//! What several announcements of one stream address amount to.

use super::list::{Entry, keep_fuller, keep_longer};
use super::{StreamHint, keep_least};

impl Entry for StreamHint {
    type Key<'k> = &'k str;

    fn key(&self) -> &str {
        &self.url
    }

    fn merge(&mut self, other: Self) {
        if let Some(channel) = other.channel {
            keep_least(&mut self.channel, channel);
        }
        keep_longer(&mut self.profile_name, other.profile_name);
        keep_longer(&mut self.profile_token, other.profile_token);
        keep_longer(&mut self.snapshot_url, other.snapshot_url);
        keep_fuller(&mut self.video, other.video);
        keep_fuller(&mut self.audio, other.audio);
        self.is_asked_for |= other.is_asked_for;
    }
}
