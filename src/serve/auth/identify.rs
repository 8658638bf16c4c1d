//! Who makes a request: by a token, a session, the socket it came by, or nobody.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use jiff::Timestamp;

use super::client::{Client, Peer};
use super::login::LONGEST_NAME;
use super::{Caller, Means, cookie, random};
use crate::model::access::{Role, Scope};
use crate::serve::App;
use crate::serve::problem::Problem;
use crate::store::accounts::{StoredSession, User};
use crate::text::clean_to;

/// What a program's token begins with.
pub(super) const TOKEN: &str = "cs_";

impl App {
    /// Who makes a request.
    ///
    /// # Errors
    /// When a token is no good, or the store cannot be read.
    pub(super) async fn identify(
        self: &Arc<Self>,
        headers: &HeaderMap,
        peer: &Peer,
        client: &Client,
    ) -> Result<Caller, Problem> {
        // A proxy that asks for passwords itself hands them on as well, and they are none of ours.
        if let Some(caller) = self.by_proxy(headers, client).await? {
            return Ok(caller);
        }
        if let Some(given) = headers.get(header::AUTHORIZATION) {
            let bearer = given.to_str().ok().and_then(|value| value.split_once(' '));
            let token =
                bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
            let caller = match token {
                Some(token) => self.by_token(token, client).await?,
                None => None,
            };
            // Whoever shows a token means it: a bad one is no reason to go on as somebody else.
            return caller.ok_or_else(Problem::bad_token);
        }
        if let Some(secret) = cookie::read(headers)
            && let Some(caller) = self.by_session(secret, client).await?
        {
            return Ok(caller);
        }
        let is_own = peer.uid.is_some() && peer.uid == self.access.own_uid;
        if peer.address.is_none() && is_own && !client.is_forwarded {
            let (scopes, means) = (Scope::ALL.to_vec(), Means::Socket);
            return Ok(Caller { scopes, means, name: "unix socket".to_owned(), ..Caller::default() });
        }
        let (scopes, means) = match self.access.anonymous {
            true => (Role::Viewer.scopes().to_vec(), Means::Anonymous),
            false => (Vec::new(), Means::None),
        };
        Ok(Caller { scopes, means, address: client.address, ..Caller::default() })
    }

    /// Whoever a trusted proxy says it is, where that is wanted and there is such an account. A program's token counts before.
    async fn by_proxy(self: &Arc<Self>, headers: &HeaderMap, client: &Client) -> Result<Option<Caller>, Problem> {
        let Some(header) = self.access.login_header.as_deref().filter(|_| client.by_proxy) else { return Ok(None) };
        let bearer = headers.get(header::AUTHORIZATION).and_then(|given| given.to_str().ok());
        let is_program = bearer
            .and_then(|given| given.split_once(' '))
            .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let mut names = headers.get_all(header).iter();
        // Of two names one is the client's own.
        let (Some(name), None, false) = (names.next(), names.next(), is_program) else { return Ok(None) };
        let Some(name) = name.to_str().ok().map(str::trim).filter(|name| !name.is_empty()) else { return Ok(None) };
        let wanted = name.to_owned();
        let found = self.ask(move |app| app.store.user_named(&wanted)).await?;
        let Some((user, _)) = found.filter(|(user, _)| user.enabled) else {
            tracing::warn!(address = %client.shown(), name = clean_to(name, LONGEST_NAME).as_str(), "the proxy names nobody who has an account");
            return Ok(None);
        };
        Ok(Some(Caller {
            account: Some(user.id),
            scopes: user.role.scopes().to_vec(),
            name: user.name,
            means: Means::Proxy,
            address: client.address,
        }))
    }

    async fn by_session(self: &Arc<Self>, secret: &str, client: &Client) -> Result<Option<Caller>, Problem> {
        let (hash, now) = (random::hash(secret), self.now());
        let Some(session) = self.ask(move |app| app.store.session(&hash, now)).await? else { return Ok(None) };
        self.note_session(&session, now);
        Ok(Some(Caller {
            account: Some(session.user.id),
            scopes: session.user.role.scopes().to_vec(),
            name: session.user.name,
            means: Means::Session(session.id),
            address: client.address,
        }))
    }

    fn note_session(self: &Arc<Self>, session: &StoredSession, now: Timestamp) {
        let id = session.id;
        if session.is_note_due {
            self.beside(move |app| app.store.touch_session(id, now));
        }
    }

    async fn by_token(self: &Arc<Self>, token: &str, client: &Client) -> Result<Option<Caller>, Problem> {
        let parts = token.strip_prefix(TOKEN).and_then(|rest| rest.split_once('_'));
        let Some((public, secret)) = parts.filter(|_| token.len() <= 128) else { return Ok(None) };
        let (public, hash, now) = (public.to_owned(), random::hash(secret), self.now());
        let found = self.ask(move |app| app.store.token(&public)).await?;
        let Some((token, kept, user)) = found else { return Ok(None) };
        let Some(scopes) = token.rights(&user, client.address, now).filter(|_| kept == hash) else { return Ok(None) };
        self.note_use(token.id, token.is_note_due(now, &client.shown()), client, now);
        Ok(Some(Caller {
            account: Some(user.id),
            name: user.name,
            scopes,
            means: Means::Token(token.public),
            address: client.address,
        }))
    }

    /// What somebody may still do who was identified before: by the same means, from the same address.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn rights_now(self: &Arc<Self>, caller: &Caller) -> Result<Vec<Scope>, Problem> {
        let (means, account, address, now) = (caller.means.clone(), caller.account, caller.address, self.now());
        let of = |user: Option<User>| user.filter(|user| user.enabled).map(|user| user.role.scopes().to_vec());
        let rights = match means {
            Means::Session(id) => {
                let session = self.ask(move |app| app.store.session_numbered(id, now)).await?;
                // What goes on uses its session, as a request does.
                session.iter().for_each(|session| self.note_session(session, now));
                of(session.map(|session| session.user))
            }
            Means::Token(public) => {
                let found = self.ask(move |app| app.store.token(&public)).await?;
                found.and_then(|(token, _, user)| token.rights(&user, address, now))
            }
            Means::Proxy => of(self.ask(move |app| app.store.user(account.unwrap_or_default())).await?),
            // Nobody takes these away while this process runs.
            Means::None | Means::Anonymous | Means::Socket => Some(caller.scopes.clone()),
        };
        Ok(rights.unwrap_or_default())
    }

    fn note_use(self: &Arc<Self>, token: i64, is_due: bool, client: &Client, now: Timestamp) {
        if is_due {
            let from = client.shown();
            self.beside(move |app| app.store.touch_token(token, &from, now));
        }
    }
}
