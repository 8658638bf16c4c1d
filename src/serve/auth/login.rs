//! How somebody becomes known: a name and a password, or the one-time code of the set-up.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::client::Client;
use super::guess::{AddressBlock, Try};
use super::{cookie, password, random};
use crate::model::Secret;
use crate::model::access::Role;
use crate::serve::App;
use crate::serve::problem::Problem;
use crate::store::accounts::{Actor, NewUser, Refused, User};
use crate::text::clean_to;

/// Characters of a name, at most.
pub const LONGEST_NAME: usize = 64;
/// Characters of what a browser calls itself that are kept.
const LONGEST_AGENT: usize = 120;

/// Somebody who has just logged in.
pub(super) struct LoggedIn {
    /// Who it is.
    pub(super) user: User,
    /// Gives the browser its session.
    pub(super) cookie: HeaderValue,
}

/// Why an account cannot have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// There is none.
    #[error("the name is empty")]
    Empty,
    /// It would not fit into lists.
    #[error("the name is longer than {LONGEST_NAME} characters")]
    Long,
    /// Names could look alike, or stand for something else in a header.
    #[error("a name has letters, digits, blanks and . _ - @ + alone")]
    Character,
}

/// A name as an account may have it.
///
/// # Errors
/// See [`BadName`].
pub fn check_name(name: &str) -> Result<&str, BadName> {
    let name = name.trim();
    let is_plain = |c: char| c.is_alphanumeric() || " ._-@+".contains(c);
    match name.chars().count() {
        0 => Err(BadName::Empty),
        n if n > LONGEST_NAME => Err(BadName::Long),
        _ if clean_to(name, LONGEST_NAME) != name || !name.chars().all(is_plain) => Err(BadName::Character),
        _ => Ok(name),
    }
}

fn block(client: &Client) -> AddressBlock {
    AddressBlock::of(client.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

impl App {
    /// Logs somebody in.
    ///
    /// # Errors
    /// When name or password is wrong: the same answer after the same time, whichever it is.
    pub(super) async fn log_in(
        self: &Arc<Self>,
        name: &str,
        given: Secret,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<LoggedIn, Problem> {
        let name = clean_to(name.trim(), LONGEST_NAME);
        let guess = self.take_guess(&name, client)?;
        let wanted = name.clone();
        let found = self.ask(move |app| app.store.user_named(&wanted)).await?;
        let (user, hash) = found.unzip();
        let fits = self.access.passwords.verify(given, hash).await?;
        match user.filter(|user| fits && user.enabled) {
            Some(user) => {
                self.access.guesses().succeeded(guess, self.now());
                self.begin(user, client, headers).await
            }
            None => {
                self.failed(&name, client);
                let problem = Problem::new(StatusCode::UNAUTHORIZED, "wrong-login", "Wrong name or password");
                Err(problem.detail("name or password is wrong"))
            }
        }
    }

    /// Makes the first account, by the one-time code, and logs its owner in.
    ///
    /// # Errors
    /// When the code is wrong, name or password cannot be taken, or there is an account already.
    pub(super) async fn set_up(
        self: &Arc<Self>,
        code: &str,
        name: &str,
        given: Secret,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<LoggedIn, Problem> {
        // Never given back: one right code is all there is.
        let _ = self.take_guess("(set-up)", client)?;
        if self.has_users().await? {
            return Err(Problem::conflict("there is an account already; log in with it"));
        }
        if !self.access.setup.fits(code) {
            self.failed("(set-up)", client);
            let problem = Problem::new(StatusCode::FORBIDDEN, "wrong-code", "Wrong set-up code");
            return Err(problem.detail("this is not the set-up code; camscan printed it when it was started"));
        }
        let name = check_name(name).map_err(|why| Problem::invalid("/name", why.to_string()))?.to_owned();
        password::check_new(&given, &name).map_err(|why| Problem::invalid("/password", why.to_string()))?;
        let hash = self.access.passwords.hash(given).await?;
        let (now, actor) = (self.now(), Actor { name: "set-up".to_owned(), address: client.shown() });
        let made = self.ask(move |app| {
            let new = NewUser { name: &name, role: Role::Admin, password: &hash, is_first: true };
            app.store.add_user(&new, &actor, now)
        });
        let user = made.await?.map_err(|refused: Refused| Problem::conflict(refused.to_string()))?;
        self.access.setup.spend();
        self.begin(user, client, headers).await
    }

    /// Makes sure that whoever changes a password knows the one that is used now; wrong ones count like wrong logins.
    pub(super) async fn own_password(
        self: &Arc<Self>,
        id: i64,
        name: &str,
        given: Secret,
        client: &Client,
    ) -> Result<(), Problem> {
        let guess = self.take_guess(name, client)?;
        let wanted = name.to_owned();
        let found = self.ask(move |app| app.store.user_named(&wanted)).await?;
        let hash = found.filter(|(user, _)| user.id == id).map(|(_, hash)| hash);
        if self.access.passwords.verify(given, hash).await? {
            self.access.guesses().succeeded(guess, self.now());
            return Ok(());
        }
        self.failed(name, client);
        let problem = Problem::new(StatusCode::FORBIDDEN, "wrong-password", "Wrong password");
        Err(problem.detail("the current password is wrong").field("/current", "wrong"))
    }

    fn take_guess(&self, name: &str, client: &Client) -> Result<Try, Problem> {
        let taken = self.access.guesses().take(block(client), name, self.now());
        taken.map_err(|wait| {
            let seconds = u64::try_from(wait.as_secs()).unwrap_or_default().saturating_add(1);
            tracing::warn!(address = %client.shown(), name, "login refused, too many wrong ones before");
            let why = "this was not looked at: too many wrong logins came from the same address or for the same name; \
                       wait a moment";
            Problem::too_many(why, seconds)
        })
    }

    /// The line that fail2ban reads; the address comes first, so that no name can pass for one.
    fn failed(&self, name: &str, client: &Client) {
        self.access.guesses().failed(name, self.now());
        tracing::warn!(address = %client.shown(), name, "login failed");
    }

    /// A new secret at each login: one that somebody else has put into the browser is worth nothing.
    async fn begin(self: &Arc<Self>, user: User, client: &Client, headers: &HeaderMap) -> Result<LoggedIn, Problem> {
        let secret = random::secret()?;
        let before = cookie::read(headers).map(random::hash);
        let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let agent = clean_to(agent, LONGEST_AGENT);
        let (hash, id, from, now) = (random::hash(&secret), user.id, client.shown(), self.now());
        self.ask(move |app| app.store.begin_session(id, &hash, before.as_ref(), (&from, &agent), now)).await?;
        let cookie = cookie::set(&secret, &self.site, client.https).ok_or_else(Problem::internal)?;
        Ok(LoggedIn { user, cookie })
    }

    /// Ends the session that a request came with, and takes the cookie away.
    pub(super) async fn log_out(
        self: &Arc<Self>,
        caller: &super::Caller,
        client: &Client,
    ) -> Result<HeaderValue, Problem> {
        if let super::Means::Session(id) = caller.means {
            let (actor, now) = (caller.actor(), self.now());
            // One that has ended meanwhile is as good.
            let _ = self.ask(move |app| app.store.end_session(id, None, &actor, now)).await?;
        }
        cookie::clear(&self.site, client.https).ok_or_else(Problem::internal)
    }
}
