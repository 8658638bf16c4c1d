//! What a protocol says of an answer, and what it is told to do then.

use crate::probe::logins::{LoginTry, Verdict};
use crate::wire::auth::Challenge;
use crate::wire::auth::lock::LockSign;

/// What an answer says, as far as it matters for logins.
#[derive(Debug, Clone)]
pub struct Reply {
    /// What it says of the login that the request carried, where it carried one.
    pub verdict: Verdict,
    /// Whether it demands a login.
    pub demands: bool,
    /// The challenges it makes.
    pub challenges: Vec<Challenge>,
    /// That it is locked, or about to be, where it says so: no login is to be tried any more.
    pub lock: Option<LockSign>,
    /// The value of `Authentication-Info`, which may name the nonce to use next.
    pub info: Option<Vec<u8>>,
}

impl Reply {
    /// An answer with this verdict that demands no login.
    pub fn new(verdict: Verdict) -> Self {
        Reply { verdict, demands: false, challenges: Vec::new(), lock: None, info: None }
    }

    /// The same, demanding a login by these challenges.
    pub fn demanding(mut self, challenges: Vec<Challenge>) -> Self {
        (self.demands, self.challenges) = (true, challenges);
        self
    }
}

/// What to do after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The answer stands.
    Done,
    /// Send the request again: it goes with a login now.
    Again,
    /// Logins under way elsewhere decide whether one may be sent here: ask [`super::Negotiation::resume`] later.
    Wait,
}

/// The places of a request whose answer is not awaited. Dropped, it gives them back: a login that is proved and not refused
/// is none to count.
#[derive(Debug)]
pub struct Pending {
    pub(super) attempt: Option<LoginTry>,
    pub(super) doubt: Option<LoginTry>,
}

impl Pending {
    /// Whether the request goes with a login.
    pub fn has_login(&self) -> bool {
        self.attempt.is_some()
    }

    /// The answer has come, and says this.
    pub fn end(self, verdict: Verdict) {
        if let Some(doubt) = self.doubt {
            doubt.end(if verdict == Verdict::Taken { Verdict::Unsent } else { Verdict::Refused });
        }
        if let Some(attempt) = self.attempt {
            attempt.end(verdict);
        }
    }
}
