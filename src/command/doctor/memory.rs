//! The store: whether it can be read and written, how large it is, when the last scan was, and what waits.

use jiff::{SignedDuration, Timestamp};

use super::Found;
use crate::cli::config::settings::Settings;
use crate::command::remembered;
use crate::history::memory::Memory;
use crate::model::memory::{DeliveryState, EventKind};
use crate::store::{Checked, EventFilter, Open, OutboxFilter, Store, StoreError};
use crate::text::{clean, counted};

/// A log of this size was not taken in for long: somebody reads without end, or no process that writes ends properly.
const LARGE_LOG: u64 = 128 << 20;
/// Without a scan for so long nothing that is told is about today.
const LONG_AGO: SignedDuration = SignedDuration::from_hours(48);

pub(super) fn look(settings: &Settings) -> Vec<Found> {
    const ABOUT: &str = "store";
    let Ok(file) = remembered::place(settings) else {
        return vec![Found::ok(ABOUT, "none: there is no home folder, and none is configured")];
    };
    let store = match Store::open(&file, Open::ReadOnly) {
        Ok(store) => store,
        Err(StoreError::Missing(_)) => {
            let text = format!("none yet; `camscan scan --store` or `camscan watch` makes {}", file.display());
            return vec![Found::ok(ABOUT, text)];
        }
        Err(error) => {
            let hint = "`camscan store check` says more; `camscan store salvage FILE` saves what can be read";
            return vec![Found::problem(ABOUT, error.to_string(), hint)];
        }
    };
    let mut all = Vec::new();
    all.push(match store.check() {
        Ok(checked) => of_check(&store, &checked),
        Err(error) => Found::problem(ABOUT, error.to_string(), "`camscan store check` says more"),
    });
    let now = Timestamp::now();
    all.extend(last_scan(&store, now));
    all.push(watching(&store));
    all.extend(store.memory().ok().and_then(|memory| devices(&memory)));
    all.extend(channels(&store, now));
    all
}

fn of_check(store: &Store, checked: &Checked) -> Found {
    const ABOUT: &str = "store";
    let file = store.file().display();
    if let Some(first) = checked.faults.first() {
        let hint = "end what uses it, keep a copy, then `camscan store salvage FILE`";
        return Found::problem(ABOUT, format!("{file} is damaged: {}", clean(first)), hint);
    }
    let size = format!("{file}: {} kB, log {} kB", checked.bytes / 1024, checked.log_bytes / 1024);
    match checked.log_bytes > LARGE_LOG {
        true => Found::note(ABOUT, size, "end and start what uses it, so that the log is taken in"),
        false => Found::ok(ABOUT, size),
    }
}

fn last_scan(store: &Store, now: Timestamp) -> Option<Found> {
    const ABOUT: &str = "last scan";
    let last = store.scans(1).ok()?.into_iter().next()?;
    let text = format!(
        "{}, {}, {}",
        last.ended_at.strftime("%Y-%m-%d %H:%M UTC"),
        counted(last.found, "device", "devices"),
        last.status.as_str()
    );
    Some(match now.duration_since(last.ended_at) > LONG_AGO {
        true => Found::note(ABOUT, text, "`camscan watch` scans on a schedule"),
        false => Found::ok(ABOUT, text),
    })
}

fn watching(store: &Store) -> Found {
    const ABOUT: &str = "watch";
    let name = store.watched_by();
    Found::ok(ABOUT, name.map_or_else(|| "not running".to_owned(), |name| format!("running: {name}")))
}

/// Devices whose logins rest, and such that are only known by their address.
fn devices(memory: &Memory) -> Option<Found> {
    const ABOUT: &str = "logins";
    let names: Vec<String> =
        memory.roots().filter(|known| known.login_rests()).map(|known| known.device.ip.to_string()).collect();
    let first = names.first()?;
    let text = format!("refused at {}: no login is tried there any more", names.join(", "));
    Some(Found::problem(ABOUT, text, format!("correct the login, then `camscan devices login retry {first}`")))
}

/// Messages that cannot be delivered.
fn channels(store: &Store, now: Timestamp) -> Vec<Found> {
    const ABOUT: &str = "messages";
    let count = |state| {
        let filter = OutboxFilter { state: Some(state), ..OutboxFilter::default() };
        store.outbox(&filter).unwrap_or_default()
    };
    let (dead, waiting) = (count(DeliveryState::Dead), count(DeliveryState::Waiting));
    let mut all = Vec::new();
    if let Some(last) = dead.last() {
        let why = last.error.as_deref().map(clean).unwrap_or_default();
        let text = format!("{} were refused; the last by {}: {why}", dead.len(), clean(&last.channel));
        all.push(Found::problem(
            ABOUT,
            text,
            format!("`camscan notify test {}` tries the channel", clean(&last.channel)),
        ));
    }
    let late = waiting.iter().filter(|message| now.duration_since(message.due_at) > SignedDuration::from_hours(1));
    if late.count() > 0 {
        let hint = "messages are sent by `camscan watch`; is it running?";
        all.push(Found::note(ABOUT, format!("{} wait, some for more than an hour", waiting.len()), hint));
    }
    let kinds = vec![EventKind::ChannelFailing, EventKind::ChannelRecovered];
    let filter = EventFilter { kinds, limit: Some(1), ..EventFilter::default() };
    let last = store.events(&filter).unwrap_or_default().pop();
    if let Some(failing) = last.filter(|last| last.event.kind == EventKind::ChannelFailing) {
        let channel = failing.event.data.channel.as_deref().map(clean).unwrap_or_default();
        let text = format!("nothing has reached {channel} since {}", failing.event.at.strftime("%Y-%m-%d %H:%M UTC"));
        all.push(Found::problem(ABOUT, text, format!("`camscan notify test {channel}` prints what it answers")));
    }
    if all.is_empty() {
        all.push(Found::ok(ABOUT, format!("{} wait, none was refused", waiting.len())));
    }
    all
}
