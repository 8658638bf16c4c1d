//! Why an RTSP request led to nothing, and the steps that did succeed before.

use std::time::Duration;

use crate::model::{ErrorKind, LadderStep, Step};
use crate::net::OldTls;

/// A failure. The message names endpoint, request and reason, is cleaned and holds no secret.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct RtspError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// The step that failed.
    pub step: Step,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// In words.
    pub message: String,
    /// What the device speaks instead, if its TLS is too old.
    pub old_tls: Option<OldTls>,
}

/// The kind of failure a status stands for; `logged_in` when a login was sent along.
pub fn kind_of_status(status: u16, logged_in: bool) -> ErrorKind {
    match status {
        401 if logged_in => ErrorKind::AuthRefused,
        401 => ErrorKind::AuthRequired,
        403 if logged_in => ErrorKind::AuthRefused,
        423 | 429 => ErrorKind::Locked,
        // 451 is how Comelit refuses an unknown path. 406 may also mean "too many streams": no word on the path.
        404 | 410 | 451 => ErrorKind::NotFound,
        453 | 503 => ErrorKind::Busy,
        300..=399 => ErrorKind::Redirect,
        _ => ErrorKind::Device,
    }
}

/// The steps on the way to a stream, in order, each with its time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ladder(Vec<LadderStep>);

impl Ladder {
    /// Notes a step; what was noted of it and of later steps before is forgotten.
    pub fn mark(&mut self, step: Step, ok: bool, took: Duration) {
        self.0.retain(|s| s.step < step);
        self.0.push(LadderStep::new(step, ok, took));
    }

    /// Forgets `step` and what comes after it.
    pub fn forget_from(&mut self, step: Step) {
        self.0.retain(|s| s.step < step);
    }

    /// Whether a step succeeded.
    pub fn reached(&self, step: Step) -> bool {
        self.0.iter().any(|s| s.step == step && s.ok)
    }

    /// The steps in order.
    pub fn steps(&self) -> &[LadderStep] {
        &self.0
    }
}
