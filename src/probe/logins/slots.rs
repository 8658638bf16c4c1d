//! A host's places in the book: each login stands in one before it is sent.

use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::budget::Budget;
use super::{Logins, State};
use crate::model::login_place::{BookError, Outcome, Place, PlaceId, SentLogin};
use crate::model::{DeviceTraits, LoginBook};

/// While another scan logs in to the device, the book is asked again after this …
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// … and not for longer than this.
const MOST_PATIENCE: Duration = Duration::from_secs(20);

/// The book is asked whether it still has a place after this: well before one that works gives way
/// ([`GIVES_WAY`](crate::model::login_place::GIVES_WAY)), so that there is time for the answer to what is sent in it.
const HELD: SignedDuration = SignedDuration::from_secs(30);

/// Why no login is tried on a device that another scan logs in to.
const BUSY: &str = "no login is tried: another scan or check was logging in to the device all the while";

/// What a login needs a place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It was taken over this protocol: it shares its place with others.
    Proved,
    /// It was not, and stands alone in its place. One that worked in an earlier scan `is_trusted`.
    Unproved { is_trusted: bool },
}

/// The places of a host.
#[derive(Debug, Default)]
pub(super) struct Slots {
    open: Vec<Slot>,
    /// All that were written, also those that are settled.
    places: Vec<PlaceId>,
    is_asking: bool,
    /// The book is not asked before this, and was first found busy then.
    busy: Option<(Instant, Instant)>,
    /// The book cannot be written. A login that works is sent all the same, until one is refused.
    is_unwritable: bool,
    refusal: Option<String>,
}

#[derive(Debug)]
struct Slot {
    place: PlaceId,
    /// A login in it was taken.
    works: bool,
    /// The book knows that a login in it works, or has worked.
    is_noted: bool,
    /// When the book last said that it is there.
    held_at: Timestamp,
    users: u32,
}

impl Slot {
    /// Whether it may have given way to a login of another program, as those do that work.
    fn may_be_gone(&self, now: Timestamp) -> bool {
        self.is_noted && !(SignedDuration::ZERO..HELD).contains(&now.duration_since(self.held_at))
    }
}

/// A place that is open for a login.
enum Open {
    Held(PlaceId),
    /// The book is to be asked for it first.
    Doubtful(PlaceId),
}

impl Slots {
    pub(super) fn places(&self) -> &[PlaceId] {
        &self.places
    }

    /// Why the book gives no place, if it gives none any more.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    fn find(&mut self, wanted: Wanted, now: Timestamp) -> Option<Open> {
        let slot = self.open.iter_mut().find(|slot| match wanted {
            Wanted::Proved => slot.works,
            Wanted::Unproved { is_trusted } => slot.users == 0 && (is_trusted || !slot.works),
        })?;
        if slot.may_be_gone(now) {
            return Some(Open::Doubtful(slot.place));
        }
        slot.users += 1;
        Some(Open::Held(slot.place))
    }

    /// Takes in whether the book still has a place; of one that it has not, nothing is sent in it any more.
    fn renewed(&mut self, place: PlaceId, is_there: bool, now: Timestamp) {
        self.is_asking = false;
        match self.open.iter().position(|slot| slot.place == place) {
            Some(at) if !is_there => drop(self.open.swap_remove(at)),
            Some(at) => self.open.get_mut(at).into_iter().for_each(|slot| slot.held_at = now),
            None => {}
        }
    }

    /// Takes an unused place out, to be exchanged for one of another kind.
    fn take_unused(&mut self) -> Option<PlaceId> {
        let at = self.open.iter().position(|slot| slot.users == 0)?;
        Some(self.open.swap_remove(at).place)
    }

    /// Whether the book may be asked now.
    fn may_ask(&self) -> bool {
        !self.is_asking && self.busy.is_none_or(|(next, _)| next <= Instant::now())
    }

    /// Takes in what the book answered.
    fn answered(&mut self, answer: Result<Place, BookError>, is_trusted: bool, asked_at: Timestamp) {
        self.is_asking = false;
        match answer {
            Ok(Place::Taken(place)) => {
                self.busy = None;
                self.open.push(Slot { place, works: false, is_noted: is_trusted, held_at: asked_at, users: 0 });
                self.places.push(place);
            }
            Ok(Place::Busy) => {
                let now = Instant::now();
                let since = self.busy.map_or(now, |(_, since)| since);
                self.busy = Some((now + ASK_AGAIN, since));
                if now.duration_since(since) >= MOST_PATIENCE {
                    self.refusal = Some(BUSY.to_owned());
                }
            }
            Ok(Place::Spent) => self.refusal = Some(super::AT_REST.to_owned()),
            Err(_) if is_trusted => self.is_unwritable = true,
            Err(error) => {
                self.refusal = Some(format!("no login is tried: it cannot be written down before it is sent: {error}"));
            }
        }
    }

    /// What is to be written of a login that was answered in a place.
    fn settle(&mut self, place: PlaceId, outcome: Outcome) -> Vec<(PlaceId, Outcome)> {
        let Some(at) = self.open.iter().position(|slot| slot.place == place) else { return Vec::new() };
        if outcome == Outcome::Refused {
            self.open.swap_remove(at);
            return vec![(place, Outcome::Refused)];
        }
        let mut written = Vec::new();
        if let Some(slot) = self.open.get_mut(at) {
            slot.users = slot.users.saturating_sub(1);
            if outcome == Outcome::Works {
                slot.works = true;
                let is_news = !std::mem::replace(&mut slot.is_noted, true);
                written.extend(is_news.then_some((place, Outcome::Works)));
            }
        }
        // Others may log in to the device too: a login that works needs one place.
        if outcome == Outcome::Works {
            let works = self.open.iter().filter(|slot| slot.works).count();
            let spare = self.open.iter().position(|slot| slot.users == 0).filter(|_| works > 1);
            written.extend(spare.map(|at| (self.open.swap_remove(at).place, Outcome::Unused)));
        }
        written
    }
}

impl Logins {
    /// A place for a login that may be sent otherwise, on a device that has `counted` so many refusals in this scan. None while
    /// the book is asked for one.
    pub(super) fn place(
        self: &Arc<Self>,
        state: &mut State,
        host: &DeviceTraits,
        wanted: Wanted,
        counted: u32,
    ) -> Option<Option<PlaceId>> {
        if self.budget.book.is_none() {
            return Some(None);
        }
        let now = (self.budget.clock)();
        match state.slots.find(wanted, now) {
            Some(Open::Held(place)) => return Some(Some(place)),
            Some(Open::Doubtful(place)) => {
                self.renew(state, place, now);
                return None;
            }
            None => {}
        }
        // What was refused where nothing can be written down is the last that is sent on trust.
        let is_doubtful = state.slots.is_unwritable && counted > 0;
        let is_trusted = wanted != Wanted::Unproved { is_trusted: false } && !is_doubtful;
        if is_trusted && state.slots.is_unwritable {
            return Some(None);
        }
        // Nothing is asked outside a runtime, and nothing is sent there either.
        if state.slots.may_ask() && Handle::try_current().is_ok() {
            state.slots.is_asking = true;
            let given_back = state.slots.take_unused();
            let (logins, host, most) = (Arc::downgrade(self), host.clone(), self.most);
            self.budget.write(move |book| {
                let answer = book.take(&host, most, is_trusted, given_back, now);
                received(&logins, book, answer, &host, is_trusted, now)
            });
        }
        None
    }

    /// Asks the book whether it still has a place.
    fn renew(self: &Arc<Self>, state: &mut State, place: PlaceId, now: Timestamp) {
        if !state.slots.may_ask() || Handle::try_current().is_err() {
            return;
        }
        state.slots.is_asking = true;
        let logins = Arc::downgrade(self);
        self.budget.write(move |book| {
            let is_there = book.renew(place, now);
            if let Some(logins) = logins.upgrade() {
                // Where that cannot be written, another place is asked for, and the book says what is right.
                logins.lock().slots.renewed(place, is_there == Ok(true), now);
                logins.changed.notify_waiters();
            }
            is_there.map(drop)
        });
    }

    /// Notes what became of a login, in its place if it has one; of one that counts as refused since it was `unanswered`, which
    /// it was.
    pub(super) fn settle(&self, place: Option<PlaceId>, outcome: Outcome, unanswered: Option<&SentLogin>) {
        let written = place.map(|place| self.lock().slots.settle(place, outcome)).unwrap_or_default();
        if outcome == Outcome::Refused {
            let own = place.filter(|_| !written.is_empty());
            let now = (self.budget.clock)();
            let host = self.budget.decide(self.address, |host, _| host.clone());
            // It may have shared its place with one that was refused before it, or have given way to another program.
            let unanswered = unanswered.cloned();
            self.budget.write(move |book| book.note_refused(own, &host, unanswered.as_ref(), now));
            return;
        }
        for (place, outcome) in written {
            self.budget.write(move |book| book.end(place, outcome).map(drop));
        }
    }

    /// Notes that the device took a login: where it left the same one unanswered, that counts no more.
    pub(super) fn note_taken(&self, login: SentLogin) {
        let now = (self.budget.clock)();
        let host = self.budget.decide(self.address, |host, _| host.clone());
        self.budget.write(move |book| book.note_taken(&host, &login, now));
    }

    /// Gives back every place.
    pub(super) fn give_back_all(&self) {
        let open = std::mem::take(&mut self.lock().slots.open);
        if open.is_empty() {
            return;
        }
        let host = self.budget.decide(self.address, |host, _| host.clone());
        self.budget.write(move |book| {
            for slot in open {
                match slot.works {
                    true => book.give_back(slot.place, &host)?,
                    false => book.end(slot.place, Outcome::Unused).map(drop)?,
                }
            }
            Ok(())
        });
    }
}

/// Hands a host what the book answered to what was known of it then; where nothing is asked of that host any more, the place
/// is free.
fn received(
    logins: &Weak<Logins>,
    book: &dyn LoginBook,
    answer: Result<Place, BookError>,
    host: &DeviceTraits,
    is_trusted: bool,
    asked_at: Timestamp,
) -> Result<(), BookError> {
    let place = answer.as_ref().ok().and_then(Place::taken);
    let Some(logins) = logins.upgrade() else {
        // Where that cannot be written, it counts like a refusal.
        return place.map_or(Ok(()), |place| book.end(place, Outcome::Unused).map(drop));
    };
    logins.lock().slots.answered(answer, is_trusted, asked_at);
    let known = logins.budget.decide(logins.address, |host, _| host.clone());
    logins.changed.notify_waiters();
    match place {
        // It became known while the book was asked.
        Some(place) if known != *host => book.identify(&[place], &known),
        _ => Ok(()),
    }
}

impl Budget {
    /// Writes into the book, if there is one, beside everything else.
    pub(super) fn write(&self, work: impl FnOnce(&dyn LoginBook) -> Result<(), BookError> + Send + 'static) {
        let Some(book) = self.book.clone() else { return };
        let work = move || {
            if let Err(error) = work(book.as_ref()) {
                tracing::warn!("what became of a login cannot be written down, and counts like a refusal: {error}");
            }
        };
        match Handle::try_current() {
            Ok(runtime) => drop(self.writes.spawn_blocking_on(work, &runtime)),
            Err(_) => work(),
        }
    }
}
