//! One who follows: what was missed first, then what is new, each at their own pace.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::sleep;

use super::message::{LIVE, Message};
use super::permits::Permit;
use crate::model::memory::EventKind;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::health::Following;
use crate::serve::problem::Problem;
use crate::serve::view::event::EventView;
use crate::serve::view::filter::Query;
use crate::store::EventFilter;

/// How often it is looked whether another process wrote events.
const POLL: Duration = Duration::from_millis(500);
/// Events that are read and sent at once. Between two such pages the clients get time to take them.
const PAGE: usize = 64;
const BETWEEN: Duration = Duration::from_millis(20);
/// That time grows with the clients.
const PER_CLIENT: Duration = Duration::from_micros(250);
/// Events that are replayed at most; whoever missed more reads the list.
pub(super) const MOST_REPLAYED: i64 = 20_000;

/// Which messages a client wants: those of these types; all, where there are none.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(Vec<String>);

impl Wanted {
    fn is(&self, kind: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|own| own == kind)
    }

    /// The kinds of stored events among them; none of these is wanted where it is `None`.
    fn stored(&self) -> Option<Vec<EventKind>> {
        let kinds: Vec<EventKind> = self.0.iter().filter_map(|name| EventKind::from_name(name)).collect();
        (self.0.is_empty() || !kinds.is_empty()).then_some(kinds)
    }
}

/// What a client asked for.
pub(super) struct Asked {
    after: Option<i64>,
    wanted: Wanted,
}

impl Asked {
    pub(super) fn read(pairs: Vec<(String, String)>, last_id: Option<&str>) -> Result<Asked, Problem> {
        let query = Query(pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect());
        let mut types = Vec::new();
        for name in query.all("types").flat_map(|value| value.split(',')).map(str::trim).filter(|name| !name.is_empty())
        {
            if EventKind::from_name(name).is_none() && !LIVE.contains(&name) {
                return Err(Problem::parameter("types", "there is no such type of event"));
            }
            types.push(name.to_owned());
        }
        let after =
            query.read("after", "the number of an event", |text| text.parse().ok().filter(|n: &i64| *n >= 0))?;
        // What a browser saw last counts more than where its page once began.
        let last = last_id.and_then(|id| id.trim().parse().ok()).filter(|n: &i64| *n >= 0);
        Ok(Asked { after: last.or(after), wanted: Wanted(types) })
    }
}

/// What a client gets next.
#[derive(Debug, Clone)]
pub(super) enum Next {
    Message(Arc<Message>),
    /// Something is missing. What comes next begins behind this number, where that is known.
    Resync(Option<i64>),
    /// Nothing more.
    End,
}

/// A client, from its first message on.
pub(super) struct Follow {
    app: Arc<App>,
    wanted: Wanted,
    receiver: broadcast::Receiver<Arc<Message>>,
    /// Stored events behind the first and up to the second number are sent before what is new.
    replay: Option<(i64, i64)>,
    page: std::vec::IntoIter<Arc<Message>>,
    /// The client has missed something, and is told first; what is new begins behind this number.
    missed: Option<i64>,
    is_over: bool,
    _permit: Permit,
    _counted: Following,
}

impl Follow {
    pub(super) async fn begin(
        app: Arc<App>,
        caller: &Caller,
        asked: Asked,
        kind: &'static str,
    ) -> Result<Follow, Problem> {
        let permit = app.events.permits.take(caller).ok_or_else(|| Problem::too_many("too many follow already", 10))?;
        let (first, last) = app.ask(|app| app.store.event_numbers()).await?;
        let hub = &app.events;
        let (receiver, start) = {
            let mut inner = hub.inner();
            // Where nobody followed, nothing was sent since, and nobody is owed it.
            if !hub.has_clients() {
                inner.last = Some(last);
            }
            let receiver = hub.sender.subscribe();
            let start = *inner.last.get_or_insert(last);
            if !inner.runs {
                inner.runs = true;
                tokio::spawn(run(app.clone()));
            }
            (receiver, start)
        };
        hub.stored();
        let after = asked.after.unwrap_or(start);
        // Older ones are no longer kept, or the numbers are those of another store.
        let has_missed = after < first.saturating_sub(1) || after > last.max(start) || start - after > MOST_REPLAYED;
        let replay = (!has_missed && after < start).then_some((after, start));
        let counted = app.health.follow(kind);
        Ok(Follow {
            wanted: asked.wanted,
            receiver,
            replay,
            page: Vec::new().into_iter(),
            missed: has_missed.then_some(start),
            is_over: false,
            _permit: permit,
            _counted: counted,
            app,
        })
    }

    /// What comes next. May be given up while it waits: nothing is lost.
    pub(super) async fn next(&mut self) -> Next {
        if self.is_over {
            return Next::End;
        }
        if let Some(start) = self.missed.take() {
            return Next::Resync(Some(start));
        }
        loop {
            if let Some(message) = self.page.next() {
                return Next::Message(message);
            }
            if let Some((after, until)) = self.replay {
                match read(&self.app, after, until, self.wanted.stored()).await {
                    Ok((page, rest)) => {
                        self.page = page.into_iter();
                        self.replay = rest.map(|after| (after, until));
                    }
                    Err(_) => return self.end(Next::Resync(None)),
                }
                continue;
            }
            match self.receiver.recv().await {
                Ok(message) if self.wanted.is(&message.kind) => return Next::Message(message),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return self.end(Next::Resync(None)),
                Err(broadcast::error::RecvError::Closed) => return self.end(Next::End),
            }
        }
    }

    fn end(&mut self, next: Next) -> Next {
        self.is_over = true;
        next
    }
}

/// A page of stored events, and the number behind which the next one begins.
async fn read(
    app: &Arc<App>,
    after: i64,
    until: i64,
    kinds: Option<Vec<EventKind>>,
) -> Result<(Vec<Arc<Message>>, Option<i64>), Problem> {
    let Some(kinds) = kinds else { return Ok((Vec::new(), None)) };
    let filter = EventFilter { after: Some(after), kinds, limit: Some(PAGE), ..EventFilter::default() };
    let page = app.ask(move |app| app.store.events(&filter)).await?;
    let is_last = page.len() < PAGE || page.last().is_none_or(|event| event.number >= until);
    let rest = page.last().filter(|_| !is_last).map(|event| event.number);
    let page = page.into_iter().filter(|event| event.number <= until);
    Ok((page.map(|event| Arc::new(Message::event(&EventView::from(event)))).collect(), rest))
}

/// Sends what is stored to whoever follows, until this process ends.
async fn run(app: Arc<App>) {
    loop {
        let hub = &app.events;
        let last = {
            let mut inner = hub.inner();
            if !hub.has_clients() {
                inner.last = None;
            }
            inner.last
        };
        let is_more = match last {
            Some(last) => send_page(&app, last).await,
            None => false,
        };
        let clients = u32::try_from(hub.sender.receiver_count()).unwrap_or(u32::MAX);
        let pause = BETWEEN + PER_CLIENT.saturating_mul(clients.min(1024));
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = sleep(pause), if is_more => {}
            // Nobody follows: nothing is asked until somebody does.
            () = hub.changed.notified(), if !is_more => {}
            () = sleep(POLL), if !is_more && last.is_some() => {}
        }
    }
}

/// Sends the events behind a number; whether there may be more.
async fn send_page(app: &Arc<App>, after: i64) -> bool {
    // What cannot be read now is read the next time.
    let Ok((page, rest)) = read(app, after, i64::MAX, Some(Vec::new())).await else { return false };
    let mut inner = app.events.inner();
    for message in page {
        // Whoever came meanwhile begins behind it.
        if message.id <= inner.last {
            continue;
        }
        inner.last = message.id;
        let _ = app.events.sender.send(message);
    }
    rest.is_some()
}
