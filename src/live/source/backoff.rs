//! When a camera that failed is asked again. Pure.

use std::time::Duration;

use crate::live::words::Sentence;
use crate::model::ErrorKind;

/// Pauses after the first failures of a camera that cannot be reached, and the one after all further ones: a viewer is back
/// within three seconds of the camera. They count from the beginning of the try that failed.
const WATCHED: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// The same for a camera that answers and fails, or that nobody watches: growing, with chance, so that many do not come
/// back at once.
const PATIENT: [Duration; 4] =
    [Duration::from_secs(4), Duration::from_secs(8), Duration::from_secs(15), Duration::from_secs(30)];
/// For what takes a person to mend, and may be mended without telling us: the path is wrong, all sessions are taken.
const SLOW: Duration = Duration::from_secs(30);
/// After so much time with frames, failures count anew.
const FORGIVEN: Duration = Duration::from_secs(30);
/// How much chance changes a pause, as a part of it.
const CHANCE: f64 = 0.2;

/// How a session with a camera ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    /// The kind.
    pub kind: ErrorKind,
    /// The status, where one was answered.
    pub status: Option<u16>,
    /// In words for a viewer.
    pub reason: Sentence,
    /// How long frames came before.
    pub played: Duration,
    /// Nothing but a person's act can change it.
    pub is_final: bool,
    /// No login was sent, since another machine is in the camera's place, or none that the link shows.
    pub is_without_login: bool,
}

impl Failure {
    pub fn new(kind: ErrorKind, reason: Sentence) -> Failure {
        Failure { kind, status: None, reason, played: Duration::ZERO, is_final: false, is_without_login: false }
    }

    /// What an answer or a failed connection stands for.
    pub fn of(kind: ErrorKind, status: Option<u16>) -> Failure {
        Failure { status, ..Failure::new(kind, in_words(kind, status)) }
    }

    /// The same; it takes a person's act.
    pub fn for_good(self) -> Failure {
        Failure { is_final: true, ..self }
    }

    /// The same; the login was kept back until the camera itself is there.
    pub fn without_login(self) -> Failure {
        Failure { is_without_login: true, ..self }
    }
}

/// The kind in words for a viewer, who learns nothing of addresses and logins.
fn in_words(kind: ErrorKind, status: Option<u16>) -> Sentence {
    match kind {
        _ if is_refused_login(kind, status) => match kind {
            ErrorKind::AuthRequired => Sentence::LoginDemanded,
            ErrorKind::Locked => Sentence::LoginLocked,
            ErrorKind::LoginRests => Sentence::LoginRests,
            _ => Sentence::LoginRefused,
        },
        ErrorKind::Timeout => Sentence::Silent,
        ErrorKind::Refused => Sentence::TakesNoConnection,
        ErrorKind::Unreachable => Sentence::Unreachable,
        ErrorKind::Closed => Sentence::Ended,
        ErrorKind::Tls => Sentence::NoEncryption,
        ErrorKind::Busy => Sentence::Busy,
        ErrorKind::NotFound => Sentence::NotFound,
        ErrorKind::Redirect => Sentence::SendsElsewhere,
        ErrorKind::Local => Sentence::Local,
        _ => Sentence::Error,
    }
}

/// Whether an answer means that the login is not good. It is never sent again by itself: accounts lock.
fn is_refused_login(kind: ErrorKind, status: Option<u16>) -> bool {
    kind.is_of_login() || matches!(status, Some(401 | 403 | 407))
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The camera is asked again so long after the failed try began.
    Again(Duration),
    /// Not before somebody acts.
    Stop,
}

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    unreachable: usize,
    answered: usize,
}

impl Backoff {
    /// What follows; `chance` is 0 to 1.
    pub fn after(&mut self, failure: &Failure, is_watched: bool, chance: f64) -> Then {
        if failure.is_final || !failure.is_without_login && is_refused_login(failure.kind, failure.status) {
            return Then::Stop;
        }
        if failure.played >= FORGIVEN {
            *self = Backoff::default();
        }
        match failure.kind {
            _ if is_refused_login(failure.kind, failure.status) => Then::Again(changed(SLOW, chance)),
            ErrorKind::NotFound | ErrorKind::Busy => Then::Again(changed(SLOW, chance)),
            // Away, or on its way back: rebooting cameras refuse and close.
            ErrorKind::Timeout | ErrorKind::Unreachable | ErrorKind::Refused | ErrorKind::Closed if is_watched => {
                self.unreachable += 1;
                Then::Again(nth(&WATCHED, self.unreachable))
            }
            _ => {
                self.answered += 1;
                Then::Again(changed(nth(&PATIENT, self.answered), chance))
            }
        }
    }
}

fn nth(pauses: &[Duration], failures: usize) -> Duration {
    let last = pauses.last().copied().unwrap_or(SLOW);
    pauses.get(failures.saturating_sub(1)).copied().unwrap_or(last)
}

fn changed(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(1.0 - CHANCE + 2.0 * CHANCE * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(failure: &Failure, is_watched: bool, count: usize) -> Vec<u64> {
        let mut backoff = Backoff::default();
        let mut pauses = Vec::new();
        for _ in 0..count {
            match backoff.after(failure, is_watched, 0.5) {
                Then::Again(pause) => pauses.push(pause.as_millis() as u64),
                Then::Stop => break,
            }
        }
        pauses
    }

    #[test]
    fn a_camera_that_is_away_is_asked_every_two_seconds_while_somebody_watches() {
        for kind in [ErrorKind::Timeout, ErrorKind::Unreachable, ErrorKind::Refused, ErrorKind::Closed] {
            assert_eq!(pauses(&Failure::of(kind, None), true, 5), [500, 1000, 2000, 2000, 2000], "{kind:?}");
            assert_eq!(pauses(&Failure::of(kind, None), false, 5), [4000, 8000, 15_000, 30_000, 30_000], "{kind:?}");
        }
        assert_eq!(pauses(&Failure::of(ErrorKind::Device, Some(500)), true, 2), [4000, 8000]);
        assert_eq!(pauses(&Failure::of(ErrorKind::NotFound, Some(404)), true, 2), [30_000, 30_000]);
        assert_eq!(pauses(&Failure::of(ErrorKind::Busy, Some(453)), true, 2), [30_000, 30_000]);
    }

    #[test]
    fn a_refused_login_is_not_sent_again() {
        for (kind, status) in [
            (ErrorKind::AuthRequired, Some(401)),
            (ErrorKind::AuthRefused, Some(401)),
            (ErrorKind::Locked, Some(423)),
            // Without a login along, 403 is the device's error to the RTSP client.
            (ErrorKind::Device, Some(403)),
        ] {
            assert_eq!(pauses(&Failure::of(kind, status), true, 3), [] as [u64; 0]);
        }
        // Nothing was refused where nothing was sent.
        let unsent = Failure::of(ErrorKind::AuthRequired, Some(401)).without_login();
        assert_eq!(pauses(&unsent, true, 2), [30_000, 30_000]);
        assert_eq!(Failure::of(ErrorKind::Device, Some(403)).reason, Sentence::LoginRefused);
        assert_eq!(
            pauses(&Failure::new(ErrorKind::Protocol, Sentence::UnknownCodec).for_good(), true, 3),
            [] as [u64; 0]
        );
    }

    #[test]
    fn half_a_minute_of_frames_makes_good() {
        let mut backoff = Backoff::default();
        let away = Failure::of(ErrorKind::Closed, None);
        for _ in 0..5 {
            backoff.after(&away, true, 0.5);
        }
        let played = Failure { played: FORGIVEN, ..away };
        assert_eq!(backoff.after(&played, true, 0.5), Then::Again(WATCHED[0]));
    }

    #[test]
    fn chance_moves_a_pause_by_a_fifth() {
        assert_eq!(changed(Duration::from_secs(10), 0.0), Duration::from_secs(8));
        assert_eq!(changed(Duration::from_secs(10), 1.0), Duration::from_secs(12));
    }
}
