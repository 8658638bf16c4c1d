//! Who asks, and what they may do.
//!
//! ```text
//! gate: host ─► client ─► who (session · token · socket · anonymous) ─► same origin? ─► may look at all? ─► handler
//!                                                     the answer ends with the rights it was asked for by (lease) ◄─┘
//! ```

pub mod api;
pub mod client;
mod cookie;
pub mod devices;
pub mod forms;
pub mod gate;
mod guess;
mod guessable;
mod identify;
pub mod lease;
pub mod login;
pub mod origin;
pub mod password;
pub mod random;
mod setup;
mod vault;

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

pub use setup::SetupCode;
pub use vault::{ConfirmError, SeenAt, Vault};

use super::problem::Problem;
use crate::model::access::Scope;
use crate::model::listen::TrustedProxy;
use crate::store::accounts::Actor;
pub use guess::AddressBlock;
use guess::Guesses;
use password::Passwords;

/// How somebody has proved who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Means {
    /// Not at all.
    #[default]
    None,
    /// Not at all, and everybody may look.
    Anonymous,
    /// By running as the same user on this machine, over a socket in the file system.
    Socket,
    /// By a session of this number.
    Session(i64),
    /// By the token whose visible part this is.
    Token(String),
    /// By the word of a reverse proxy that has asked who it is.
    Proxy,
}

/// Who makes a request. Put into it before any handler sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The account; none where nobody is logged in, or where everybody may look.
    pub account: Option<i64>,
    /// What the account is called.
    pub name: String,
    /// What the caller may do; nothing where nobody is logged in.
    pub scopes: Vec<Scope>,
    /// How they have proved it.
    pub means: Means,
    /// Where they are; none for a socket in the file system.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// Whether the caller may.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Refuses whoever may not: 401 where nobody is logged in, else 403.
    ///
    /// # Errors
    /// The problem to answer with.
    pub fn need(&self, scope: Scope) -> Result<(), Problem> {
        match self.may(scope) {
            true => Ok(()),
            false if self.scopes.is_empty() => Err(Problem::unauthorized()),
            // Whoever looks without a login may get further with one.
            false if self.means == Means::Anonymous => Err(Problem::unauthorized()),
            false => Err(Problem::forbidden(scope.as_str())),
        }
    }

    /// As the audit log names them.
    pub fn actor(&self) -> Actor {
        let name = match &self.means {
            Means::Socket => "unix socket".to_owned(),
            Means::Token(public) => format!("{} (token {public})", self.name),
            _ => self.name.clone(),
        };
        Actor { name, address: self.address.map(|address| address.to_string()).unwrap_or_default() }
    }
}

tokio::task_local! {
    /// Who asks for what is being done: no handler can forget to say so.
    static ACTOR: Actor;
}

/// Who asks for what is being done, as the audit log names them.
pub(super) fn actor() -> Actor {
    ACTOR.try_with(Clone::clone).unwrap_or_default()
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Caller>().cloned().unwrap_or_default())
    }
}

/// What is known of those who ask, beside the accounts of the store.
#[derive(Default)]
pub struct Access {
    /// Reverse proxies whose X-Forwarded-For is believed.
    pub trusted: Vec<TrustedProxy>,
    /// The header by which such a proxy says who it is that asks; none: it is not believed.
    pub login_header: Option<String>,
    /// Whether everybody sees what a viewer sees.
    pub anonymous: bool,
    /// Names of this machine.
    pub own_names: Vec<String>,
    /// The code by which the first account is made.
    pub setup: SetupCode,
    /// Checks passwords.
    pub passwords: Passwords,
    guesses: Mutex<Guesses>,
    /// The user this process runs as.
    own_uid: Option<u32>,
}

impl Access {
    /// With these, and what can be learnt of this machine.
    pub fn new(trusted: Vec<TrustedProxy>, anonymous: bool, setup: SetupCode) -> Access {
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let own_uid = Some(rustix::process::geteuid().as_raw());
        Access { trusted, anonymous, setup, own_names: origin::own_names(&hostname), own_uid, ..Access::default() }
    }

    /// The same, where a trusted proxy says by this header who it is that asks.
    #[must_use]
    pub fn with_login_header(mut self, name: Option<String>) -> Access {
        self.login_header = name;
        self
    }

    /// Wrong passwords so far.
    pub fn failures(&self) -> u64 {
        self.guesses().failures()
    }

    fn guesses(&self) -> std::sync::MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
