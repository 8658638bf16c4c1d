//! What the loop that watches tells the server, and what it asks of it.

use std::sync::Arc;

use jiff::Timestamp;

use super::App;
use crate::history::memory::{Memory, StreamId};
use crate::live::stream::State;
use crate::metrics::Figures;
use crate::model::Credential;
use crate::model::memory::{Event, Uid};
use crate::model::notify::Notifications;
use crate::watch::{Follower, Job, News, OnAir};

/// A frame that came so many milliseconds ago proves that the stream plays.
const FRESH_MS: u64 = 5000;

impl Follower for App {
    fn events(&self, _: &[(i64, Event)]) {
        self.events.stored();
    }

    fn state(&self, memory: &Memory, next_scan: Timestamp) {
        self.jobs.next_scan_is(next_scan);
        self.vault.follow(&self.store, memory);
        self.streams_changed();
    }

    fn news(&self, news: &News<'_>) {
        let now = self.now();
        let scan = match news {
            News::ScanBegun(order) => Some(self.jobs.begun(order, now)),
            News::ScanProgress(id, scanning) => self.jobs.progressed(*id, scanning),
            News::ScanEnded(id, end) => self.jobs.ended(*id, end, now),
            News::DeviceFound(_, device) => {
                self.jobs.found(device);
                return self.events.news(news, now);
            }
            News::Picture(..) => {
                self.pictures.changed();
                return self.events.news(news, now);
            }
            _ => return self.events.news(news, now),
        };
        if let Some(scan) = scan {
            self.events.scan(&scan, now);
        }
    }

    fn reloaded(&self, job: &Job) {
        self.replace_job(job);
    }

    fn told_by(&self, notifications: &Notifications) {
        self.replace_notifications(notifications);
    }

    fn on_air(&self, device: &Uid, key: &str) -> Option<OnAir> {
        let (live, id) = (self.live()?, StreamId::of(device, key).to_string());
        let status = live.facts(&id)?;
        let (is_live, source) = (status.condition.state == State::Live, status.source);
        // Frames that came a moment ago prove it; a session alone does not.
        let is_fresh = source.last_frame_age_ms.is_some_and(|age| age < FRESH_MS) && source.fps > 0.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range")]
        let kbps = source.kbps.clamp(0.0, f64::from(u32::MAX)).round() as u32;
        (is_live && is_fresh).then_some(OnAir { fps: source.fps, kbps, offers_digest: live.offers_digest(&id) })
    }

    fn alive(&self) {
        self.health.alive();
    }

    fn figures(&self, figures: &Figures) {
        self.health.counted(figures);
    }

    fn logins(&self) -> Arc<Vec<Credential>> {
        self.vault.logins()
    }
}
