//! Why somebody is not shown a stream.

use std::time::Duration;

use super::choose::{Choice, Mode};
use super::engine::NoAgreement;
use super::words::Sentence;

/// Why a viewer is turned away. The sentences are for the viewer: they hold neither address nor login of a camera.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such stream.
    #[error("{}", Sentence::NoStream)]
    NoStream,
    /// The offer is none.
    #[error("{0}")]
    BadOffer(String),
    /// The stream cannot be shown in this way.
    #[error("{reason}")]
    NotPossible {
        /// Why not.
        reason: String,
        /// The ways that work, and why the others do not.
        choice: Choice,
    },
    /// The camera is away, and is asked again by itself.
    #[error("{reason}")]
    Away {
        /// Why there is no picture.
        reason: Sentence,
        /// When to ask again.
        after: Duration,
    },
    /// The camera is not asked again before somebody acts.
    #[error("{reason}")]
    Stopped {
        /// Why.
        reason: Sentence,
    },
    /// There is no place for another viewer.
    #[error("{reason}")]
    Full {
        /// Of what there are too many.
        reason: String,
        /// When to ask again.
        after: Duration,
    },
}

impl Refusal {
    /// The status of HTTP that says so: 400, 404, 406 or 503.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::BadOffer(_) => 400,
            Refusal::NoStream => 404,
            Refusal::NotPossible { .. } => 406,
            Refusal::Away { .. } | Refusal::Stopped { .. } | Refusal::Full { .. } => 503,
        }
    }

    /// When to ask again, for `Retry-After`; none where that does not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Refusal::Away { after, .. } | Refusal::Full { after, .. } => Some(*after),
            _ => None,
        }
    }

    pub(super) fn not_possible(choice: Choice) -> Refusal {
        let reason = choice.refused.iter().find(|refused| refused.mode == Mode::WebRtc).or(choice.refused.first());
        let reason = reason.map_or(Sentence::NotInThisWay.to_string(), |refused| refused.reason.to_string());
        Refusal::NotPossible { reason, choice }
    }

    pub(super) fn of_agreement(error: &NoAgreement, choice: Choice) -> Refusal {
        match error {
            NoAgreement::Unreadable(_) | NoAgreement::NoPicture => Refusal::BadOffer(error.to_string()),
            NoAgreement::NoCodec(_) => Refusal::NotPossible { reason: error.to_string(), choice },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_status_that_fits() {
        let after = Duration::from_secs(2);
        for (refusal, status, retry) in [
            (Refusal::NoStream, 404, None),
            (Refusal::BadOffer("x".into()), 400, None),
            (Refusal::not_possible(Choice::default()), 406, None),
            (Refusal::Away { reason: Sentence::Silent, after }, 503, Some(after)),
            (Refusal::Stopped { reason: Sentence::LoginRefused }, 503, None),
            (Refusal::Full { reason: "x".into(), after }, 503, Some(after)),
        ] {
            assert_eq!((refusal.status(), refusal.retry_after()), (status, retry));
        }
    }
}
