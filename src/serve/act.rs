//! What pages and the API both do with what is known.

use std::sync::Arc;

use jiff::{Timestamp, Zoned};

use super::problem::Problem;
use super::view::Sight;
use super::view::diff::{self, DiffView};
use super::view::mute::mute_id;
use super::view::scan::ScanView;
use super::view::summary::Status;
use super::{App, auth};
use crate::export::FORMATS;
use crate::history::memory::{DeviceState, EditError, Memory, MergeError, MuteScope, report_of};
use crate::model::Report;
use crate::model::memory::Uid;
use crate::store::{EventFilter, ScanName};
use crate::watch::{Order, pictures};

/// What is known now.
///
/// # Errors
/// When the store cannot be read.
pub async fn sight(app: &Arc<App>) -> Result<Sight, Problem> {
    Ok(Sight { memory: app.known().await?, pictures: app.shown_pictures().await?, now: app.now() })
}

/// How this camscan stands.
///
/// # Errors
/// When the store cannot be read.
pub async fn status(app: &Arc<App>, sight: &Sight) -> Result<Status, Problem> {
    let (scans, (_, last_event)) = app.ask(|app| Ok((app.store.scans(1)?, app.store.event_numbers()?))).await?;
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api: "v1".to_owned(),
        started_at: app.started_at,
        now: sight.now,
        watching: app.orders.is_some(),
        devices: sight.memory.roots().filter(|known| known.archived_at.is_none()).count() as u64,
        next_scan: app.jobs.next_scan(),
        last_scan: scans.first().map(ScanView::from),
        running: app.jobs.running(),
        last_event,
    })
}

/// The names of the formats of exports, those for programs and people alike.
pub fn formats() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.name).filter(|name| *name != "table").collect()
}

/// The report of the last scan that was made.
///
/// # Errors
/// When the store cannot be read.
pub async fn last_report(app: &Arc<App>) -> Result<Option<Report>, Problem> {
    app.ask(|app| match app.store.scans(1)?.first() {
        Some(scan) => app.store.report(scan.number),
        None => Ok(None),
    })
    .await
}

fn no_device() -> Problem {
    Problem::not_found("there is no such device")
}

/// The id of a device as a link has it: its id, an address, a MAC address or a name.
///
/// # Errors
/// When there is no such device.
pub async fn uid_of(app: &Arc<App>, id: &str) -> Result<Uid, Problem> {
    let known = app.known().await?;
    known.find(id).map(|known| known.uid.clone()).ok_or_else(no_device)
}

/// Why nothing was changed, as a problem.
pub fn edit_problem(error: &EditError) -> Problem {
    let pointer = match error {
        EditError::Unknown(_) => return no_device(),
        EditError::NameTaken(_) | EditError::NameIsAddress => "/name",
        EditError::TagWithComma(_) | EditError::TooManyTags => "/tags",
        EditError::TooManyMutes => return Problem::conflict(error.to_string()),
    };
    Problem::invalid(pointer, error.to_string())
}

/// Changes what is known, which the audit log tells, and wakes whoever watches.
///
/// # Errors
/// When it is refused, or cannot be stored.
pub async fn change<R: Send + 'static>(
    app: &Arc<App>,
    decide: impl FnOnce(&mut Memory) -> Result<R, EditError> + Send + 'static,
) -> Result<R, Problem> {
    let (actor, now) = (auth::actor(), app.now());
    let value = app.ask(move |app| app.store.edit(&actor, now, decide)).await?;
    let value = value.map_err(|error| edit_problem(&error))?;
    wake(app);
    Ok(value)
}

/// Whoever watches looks at what was changed.
pub fn wake(app: &App) {
    if let Some(orders) = &app.orders {
        // One whose queue is full has been woken.
        let _ = orders.try_send(Order::Look);
    }
}

async fn merged(
    app: &Arc<App>,
    pointer: &'static str,
    decide: impl FnOnce(&mut Memory) -> Result<(), MergeError> + Send + 'static,
) -> Result<(), Problem> {
    let (actor, now) = (auth::actor(), app.now());
    let done = app.ask(move |app| app.store.edit(&actor, now, decide)).await?;
    done.map_err(|error| Problem::invalid(pointer, error.to_string()))?;
    wake(app);
    Ok(())
}

/// Two devices are one, `into`.
///
/// # Errors
/// When they cannot be.
pub async fn merge(app: &Arc<App>, into: Uid, uid: Uid) -> Result<(), Problem> {
    merged(app, "/into", move |memory| memory.merge(&into, &uid)).await
}

/// A device that was merged into another one is one of its own again.
///
/// # Errors
/// When it was not.
pub async fn split(app: &Arc<App>, other: Uid) -> Result<(), Problem> {
    merged(app, "/other", move |memory| memory.split(&other)).await
}

/// Forgets a device, what was merged into it and the logins that were given for them.
///
/// # Errors
/// When there is no such device, or it cannot be stored.
pub async fn forget(app: &Arc<App>, uid: Uid) -> Result<(), Problem> {
    let (actor, now) = (auth::actor(), app.now());
    let choose = move |memory: &mut Memory| match memory.forget(&uid)[..] {
        [] => Err(no_device()),
        ref forgotten => Ok(forgotten.to_vec()),
    };
    let forgotten = app.ask(move |app| {
        let forgotten = app.store.forget(&actor, now, choose)?;
        app.vault.load(&app.store, &*app.store.memory()?)?;
        Ok(forgotten.map(|forgotten| pictures::remove(&pictures::folder_of(&app.store), &forgotten.pictures)))
    });
    forgotten.await??;
    wake(app);
    Ok(())
}

/// Ends a mute.
///
/// # Errors
/// When there is no such mute.
pub async fn end_mute(app: &Arc<App>, id: String) -> Result<(), Problem> {
    let known = app.known().await?;
    let muted = known.roots().filter(|known| known.note.muted_until.is_some());
    let of_notes = muted.map(|known| MuteScope::Device(known.uid.clone()));
    let scope = known.mutes.iter().map(|mute| mute.scope.clone()).chain(of_notes).find(|scope| mute_id(scope) == id);
    let scope = scope.ok_or_else(|| Problem::not_found("there is no such mute"))?;
    change(app, move |memory| Ok(memory.unmute(&scope))).await.map(drop)
}

/// Somebody knows of the problem that an event tells.
///
/// # Errors
/// When there is no such event, or it is about no device.
pub async fn acknowledge(app: &Arc<App>, id: i64) -> Result<(), Problem> {
    let now: Timestamp = app.now();
    let filter = EventFilter { after: Some(id.saturating_sub(1)), limit: Some(1), ..EventFilter::default() };
    let found = app.ask(move |app| app.store.events(&filter)).await?;
    let event = found.into_iter().find(|event| event.number == id).map(|found| found.event);
    let event = event.ok_or_else(|| Problem::not_found("there is no such event"))?;
    let uid = event.device.ok_or_else(|| Problem::invalid("/id", "the event is about no device"))?;
    let part = event.stream.or(event.data.service.map(|service| service.key));
    change(app, move |memory| Ok(memory.acknowledge(&uid, part.as_deref(), now))).await.map(drop)
}

/// Two scans side by side, as people name them; `now` is what is known. None where there is no such scan.
///
/// # Errors
/// When a name is none.
pub async fn compare(app: &Arc<App>, from: &str, to: &str, now: &Zoned) -> Result<Option<DiffView>, Problem> {
    let read = |key: &str, text: &str| {
        ScanName::read(text, now).ok_or_else(|| Problem::parameter(key, "there is no such scan"))
    };
    let (before, after) = (read("from", from)?, if to == "now" { None } else { Some(read("to", to)?) });
    let known = app.known().await?;
    app.ask(move |app| {
        let row = |number: Option<i64>| match number {
            None => Ok(None),
            Some(number) => Ok(app.store.scan(number)?.map(|(row, ..)| ScanView::from(&row))),
        };
        let Some(from) = row(before.number(&app.store)?)? else { return Ok(None) };
        let Some(before) = before.report(&app.store)? else { return Ok(None) };
        let (to, after) = match after {
            None => {
                let listed = known.roots().filter(|known| known.archived_at.is_none());
                (None, report_of(listed.filter(|known| known.health.state == DeviceState::Online)))
            }
            Some(name) => match name.report(&app.store)? {
                Some(report) => (row(name.number(&app.store)?)?, report),
                None => return Ok(None),
            },
        };
        Ok(Some(diff::compare(&known, from, to, before, after)))
    })
    .await
}
