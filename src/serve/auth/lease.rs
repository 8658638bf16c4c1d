//! An answer that goes on is lent: it lasts no longer than the rights by which it was asked for.
//!
//! ```text
//! gate ─► Lease ─┬─► bodies without a length: events, JPEGs  are cut off
//!                ├─► WebSockets                              are closed
//!                └─► sessions of WebRTC                      are closed by live view
//! ```

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::FromRequestParts;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::response::Response;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Caller;
use crate::serve::App;
use crate::serve::problem::Problem;

/// What this process takes away ends an answer at once; what another one takes away, or time does, is noticed after this.
const ASK_EVERY: Duration = Duration::from_secs(15);
/// A WebSocket that takes nothing for so long gets no farewell.
const FAREWELL_TIME: Duration = Duration::from_secs(10);

/// The rights by which something was asked for, as long as they hold. Put into each request by the gate.
#[derive(Clone)]
pub struct Lease {
    app: Arc<App>,
    caller: Caller,
    endings: watch::Receiver<()>,
}

impl Lease {
    /// Of this caller; `endings` was subscribed to before the caller was identified, so that nothing is missed in between.
    pub(super) fn new(app: Arc<App>, caller: Caller, endings: watch::Receiver<()>) -> Lease {
        Lease { app, caller, endings }
    }

    /// Waits until the session, token or account is no more, the caller may do less than when this began, or this process
    /// ends.
    pub async fn ended(mut self) {
        loop {
            tokio::select! {
                () = self.app.stop.cancelled() => return,
                // The other end is the store's, which lives as long as the app.
                _ = self.endings.changed() => {}
                () = sleep(ASK_EVERY) => {}
            }
            // A store that cannot be asked at the moment ends nothing.
            let Ok(rights) = self.app.rights_now(&self.caller).await else { continue };
            if !self.caller.scopes.iter().all(|scope| rights.contains(scope)) {
                return;
            }
        }
    }

    /// This body, until that is over. One of a known length is in memory, and is sent at once.
    pub(super) fn over(self, body: Body) -> Body {
        match body.size_hint().exact() {
            Some(_) => body,
            None => Body::from_stream(body.into_data_stream().take_until(Box::pin(self.ended()))),
        }
    }

    /// Opens a WebSocket for as long as `run` takes, but no longer than this lasts, and closes it.
    pub fn open<F>(self, upgrade: WebSocketUpgrade, run: F) -> Response
    where
        F: for<'s> FnOnce(&'s mut WebSocket) -> BoxFuture<'s, ()> + Send + 'static,
    {
        upgrade.on_upgrade(async move |mut socket| {
            tokio::select! {
                () = run(&mut socket) => {}
                () = self.ended() => {}
            }
            // A client that is gone needs no farewell.
            let _ = timeout(FAREWELL_TIME, socket.send(Message::Close(None))).await;
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Lease {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Lease>().cloned().ok_or_else(Problem::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::signature::Signatures;
    use crate::model::access::{Role, Scope};
    use crate::scan::session::Session;
    use crate::serve::auth::Means;
    use crate::store::accounts::{Actor, NewUser};
    use crate::store::{Open, Store};
    use crate::testkit::net::FakeNet;

    /// What another process does to the same file is noticed by asking, and while nothing is done nothing ends.
    #[tokio::test(start_paused = true)]
    async fn what_another_process_takes_away_ends_it() {
        let place = tempfile::tempdir().unwrap();
        let open = || Store::open(&place.path().join("store.sqlite"), Open::Create).unwrap();
        let session = Session::new(Arc::new(FakeNet::new()), Signatures::builtin(), jiff::Timestamp::now, 16);
        let (app, other) = (App::new(open(), session, None), open());
        let (actor, now) = (Actor::command_line(), app.now());
        let new = |name| NewUser { name, role: Role::Admin, password: "x", is_first: false };
        let [anna, boris] = ["anna", "boris"].map(|name| other.add_user(&new(name), &actor, now).unwrap().unwrap().id);
        let lease = |account| {
            let (account, scopes, means) = (Some(account), vec![Scope::Live], Means::Proxy);
            let caller = Caller { account, scopes, means, ..Caller::default() };
            Lease::new(app.clone(), caller, app.store.endings()).ended()
        };
        let (mut annas, mut boris_s) = (Box::pin(lease(anna)), Box::pin(lease(boris)));
        assert!(timeout(100 * ASK_EVERY, &mut annas).await.is_err());
        other.remove_user(anna, &actor, now).unwrap().unwrap();
        timeout(2 * ASK_EVERY, annas).await.expect("it is noticed when it is asked the next time");
        assert!(timeout(100 * ASK_EVERY, &mut boris_s).await.is_err());
        app.stop.cancel();
        timeout(ASK_EVERY, boris_s).await.expect("the process ends");
    }
}
