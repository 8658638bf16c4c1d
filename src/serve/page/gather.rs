//! What each page shows, gathered from what is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query as Pairs, State};

use super::device::Done;
use super::look::Look;
use super::shell::Page;
use super::words::Text;
use super::{admin, card, device, diff, events, logins, map, notifications, now, scans, wall};
use crate::history::diff::DeviceSummary;
use crate::history::memory::{Known, MuteScope};
use crate::model::access::Scope;
use crate::model::memory::{Note, Uid};
use crate::serve::App;
use crate::serve::act::{self, formats, last_report, sight, status};
use crate::serve::auth::devices;
use crate::serve::health;
use crate::serve::problem::Problem;
use crate::serve::view::Sight;
use crate::serve::view::device::{AddressView, DeviceView, Flag, SpanView};
use crate::serve::view::event::EventView;
use crate::serve::view::filter::{DeviceFilter, DeviceSort, Query, event_kinds};
use crate::serve::view::login::LoginView;
use crate::serve::view::notification::{self, NotificationView};
use crate::serve::view::page::Paging;
use crate::serve::view::scan::ScanView;
use crate::store::accounts::AuditFilter;
use crate::store::{EventFilter, OutboxFilter};

type Answer = Result<Page, Problem>;
type Asked = Pairs<Vec<(String, String)>>;

/// Events of a page.
const EVENTS: usize = 100;
/// Events of a device's page.
const OF_DEVICE: usize = 20;
/// Scans that are listed.
const SCANS: usize = 100;
/// Messages that are looked at, for how channels stand.
const MESSAGES: usize = 1000;
/// Messages that are listed.
const LISTED: usize = 100;
/// Changes that are listed.
const CHANGES: u32 = 50;

/// The parts of a query that say something.
fn query(pairs: Vec<(String, String)>) -> Query {
    Query(pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect())
}

/// The first page.
pub async fn now(State(app): State<Arc<App>>, look: Look, Pairs(pairs): Asked) -> Answer {
    look.caller.need(Scope::Read)?;
    let sight = sight(&app).await?;
    let status = status(&app, &sight).await?;
    if look.part.as_deref() == Some("scan") {
        return Ok(Page::part(|out| now::scan_bar(out, &look, &status)));
    }
    let query = query(pairs);
    let filter = DeviceFilter::read(&query)?;
    let paging = Paging::read(&query)?;
    let (sort, is_down) = DeviceSort::read(&query)?;
    let only: Vec<&str> = query.all("id").collect();
    let devices = sight.known(&filter).filter(|known| only.is_empty() || only.contains(&known.uid.as_str()));
    let list = paging.of(devices, is_down, |known| (sort.key(known), known.uid.to_string()));
    let list = list.map(|known| sight.device(known));
    let summary = sight.summary();
    let coverage = match summary.devices {
        0 => last_report(&app).await?.and_then(|report| report.scan.coverage),
        _ => None,
    };
    let new = DeviceFilter { is: vec![Flag::New], ..DeviceFilter::default() };
    // On a new site every device is new, and that is no news; and one that was written about is known.
    let is_unsaid = |known: &&Known| known.note == Note::default();
    let new: Vec<&Known> = sight.known(&new).filter(is_unsaid).collect();
    let new = if new.len() as u64 == summary.devices { Vec::new() } else { new };
    let new: Vec<DeviceView> = new.into_iter().map(|known| sight.device(known)).collect();
    let targets = app.allowed().targets.iter().map(ToString::to_string).collect();
    let formats = formats();
    let is = |known: &Known, device: &DeviceSummary| known.device.ip == device.ip || known.device.id == device.id;
    let is_known = |device: &DeviceSummary| sight.memory.roots().any(|known| is(known, device));
    let found = app.jobs.found_so_far().into_iter().filter(|device| !is_known(device)).collect();
    Ok(now::page(&look, &now::Now { status, summary, list, new, targets, coverage, found, query, formats }))
}

/// One device. An address or a name leads to it, too.
pub async fn device(State(app): State<Arc<App>>, look: Look, Path(id): Path<String>, Pairs(pairs): Asked) -> Answer {
    look.caller.need(Scope::Read)?;
    let sight = sight(&app).await?;
    let known = sight.find(&id).ok_or_else(|| Problem::not_found("there is no such device"))?;
    let (uid, since) = (known.uid.clone(), look.now.checked_sub(device::DAYS).unwrap_or_default());
    let detail = sight.device_detail(known);
    let ids = sight.memory.ids_of(&uid);
    let memory = sight.memory.clone();
    let (spans, addresses, happened, rests) = app
        .ask(move |app| {
            let filter = EventFilter { devices: ids, limit: Some(OF_DEVICE), ..EventFilter::default() };
            let spans: Vec<SpanView> =
                app.store.spans(&uid, since)?.into_iter().map(|span| SpanView::of(&uid, span)).collect();
            let rests = devices::rests(app, &memory, &uid)?;
            Ok((spans, app.store.addresses(&uid)?, app.store.events(&filter)?, rests))
        })
        .await?;
    let addresses = addresses.into_iter().map(|(ip, began, ended)| AddressView { ip, began, ended }).collect();
    let events = happened.into_iter().rev().map(EventView::from).collect();
    let done = done(&sight, &detail.summary.id, &query(pairs));
    let split = match &done {
        Some(Done::Split(other)) => Some(other),
        _ => None,
    };
    let named = detail.merged.iter().chain(&detail.replaced_by).chain([&detail.summary.id]).chain(split);
    let names = names(&sight, named);
    Ok(device::page(
        &look,
        &device::Of { device: detail, rests, spans, addresses, events, formats: formats(), names, done },
    ))
}

/// What the address of a device's page says was done just now, where it still holds.
fn done(sight: &Sight, uid: &Uid, query: &Query) -> Option<Done> {
    let of = |key: &str| query.all(key).next().and_then(|text| sight.memory.devices.get(&Uid::parse(text)?));
    let merged = of("merged").filter(|other| other.merged_into.as_ref() == Some(uid));
    let split = of("split").filter(|other| other.merged_into.is_none() && other.uid != *uid);
    let merged = merged.map(|other| Done::Merged(other.uid.clone()));
    merged.or_else(|| split.map(|other| Done::Split(other.uid.clone())))
}

/// What devices are called, told apart from others of their model.
fn names<'u>(sight: &Sight, uids: impl IntoIterator<Item = &'u Uid>) -> BTreeMap<Uid, String> {
    let named = |uid: &Uid| {
        let device = sight.device(sight.memory.devices.get(uid)?);
        let (name, ip) = (card::name(&device), device.ip.to_string());
        Some((uid.clone(), if name == ip { name } else { format!("{name} · {ip}") }))
    };
    uids.into_iter().filter_map(named).collect()
}

/// What happened.
pub async fn events(State(app): State<Arc<App>>, look: Look, Pairs(pairs): Asked) -> Answer {
    look.caller.need(Scope::Read)?;
    let query = query(pairs);
    let kinds = event_kinds(&query)?.unwrap_or_default();
    let known = app.known().await?;
    let devices = query.all("device").filter_map(|text| known.find(text)).flat_map(|found| known.ids_of(&found.uid));
    let before = query.read("cursor", "cursor", |text| text.parse::<i64>().ok())?;
    let filter = EventFilter {
        devices: devices.collect(),
        kinds,
        until: before.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()),
        limit: Some(EVENTS + 1),
        ..EventFilter::default()
    };
    let mut found: Vec<EventView> =
        app.ask(move |app| app.store.events(&filter)).await?.into_iter().rev().map(EventView::from).collect();
    let is_more = found.len() > EVENTS;
    found.truncate(EVENTS);
    let next = found.last().filter(|_| is_more).map(|event| event.event.at.as_millisecond().to_string());
    Ok(events::page(&look, &events::Events { events: found, next, query }))
}

/// Scans.
pub async fn scans(State(app): State<Arc<App>>, look: Look) -> Answer {
    look.caller.need(Scope::Read)?;
    let status = status(&app, &sight(&app).await?).await?;
    let past = app.ask(|app| app.store.scans(SCANS)).await?;
    let past = past.iter().map(ScanView::from).collect();
    Ok(scans::page(&look, &scans::Scans { status, jobs: app.jobs.open(), past }))
}

/// Two scans side by side.
pub async fn diff(State(app): State<Arc<App>>, look: Look, Pairs(pairs): Asked) -> Answer {
    look.caller.need(Scope::Read)?;
    let query = query(pairs);
    let from = query.one("from")?.unwrap_or("yesterday").to_owned();
    let to = query.one("to")?.unwrap_or("now").to_owned();
    let zoned = look.now.to_zoned(look.zone.clone());
    let compared = act::compare(&app, &from, &to, &zoned).await?;
    let scans = app.ask(|app| app.store.scans(SCANS)).await?;
    let scans = scans.iter().map(ScanView::from).collect();
    Ok(diff::page(&look, &diff::Diff { scans, from, to, diff: compared }))
}

/// Every network.
pub async fn map(State(app): State<Arc<App>>, look: Look) -> Answer {
    look.caller.need(Scope::Read)?;
    let sight = sight(&app).await?;
    let asked = last_report(&app).await?.map(|report| report.scan.asked).unwrap_or_default();
    let networks = sight.subnets();
    let networks =
        networks.iter().filter_map(|net| sight.subnet(net.network.parse().ok()?, &asked)).collect::<Vec<_>>();
    Ok(map::page(&look, &networks))
}

/// A group, live.
pub async fn wall(State(app): State<Arc<App>>, look: Look, Pairs(pairs): Asked) -> Answer {
    look.caller.need(Scope::Live)?;
    let sight = sight(&app).await?;
    let query = query(pairs);
    let filter = DeviceFilter::read(&query)?;
    let mut devices: Vec<&Known> = sight.known(&filter).collect();
    devices.sort_by_key(|known| DeviceSort::Ip.key(known));
    let devices = devices.into_iter().map(|known| sight.device(known)).collect();
    let summary = sight.summary();
    Ok(wall::page(&look, &wall::Wall { devices, summary, query }))
}

/// Channels, messages and mutes.
pub async fn notifications(State(app): State<Arc<App>>, look: Look) -> Answer {
    look.caller.need(Scope::Read)?;
    let sight = sight(&app).await?;
    let filter = OutboxFilter { limit: Some(MESSAGES), ..OutboxFilter::default() };
    let messages = app.ask(move |app| app.store.outbox(&filter)).await?;
    let channels = notification::channels(&app.notifications(), &messages);
    let messages = messages.iter().rev().take(LISTED).map(NotificationView::from).collect();
    let mutes = sight.mutes();
    let muted = mutes.iter().filter_map(|mute| match &mute.scope {
        MuteScope::Device(uid) => Some(uid),
        _ => None,
    });
    let names = names(&sight, muted);
    Ok(notifications::page(&look, &notifications::Notifications { channels, messages, mutes, names }))
}

/// Which login works where.
pub async fn logins(State(app): State<Arc<App>>, look: Look, Pairs(pairs): Asked) -> Answer {
    let Json(all) = devices::logins(State(app.clone()), look.caller.clone()).await?;
    let sight = sight(&app).await?;
    let of = query(pairs).one("device")?.map(str::to_owned);
    let mut devices = Vec::new();
    for known in sight.memory.roots().filter(|known| known.archived_at.is_none()) {
        devices.extend(login_of(&sight, known, &all, app.max_login_failures()));
    }
    devices.sort_by_key(|login| (login.problem.is_none(), !login.locked, login.ip));
    let names = names(&sight, all.items.iter().filter_map(|login| login.device.as_ref()));
    let given = all.items.into_iter().filter_map(|login| {
        let scope = [
            login.device.as_ref().map(|uid| names.get(uid).map_or_else(|| uid.to_string(), Clone::clone)),
            login.network.map(|network| network.to_string()),
            login.vendor,
            login.mac,
        ];
        let scope = scope.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        let by = login.created_by.unwrap_or_default();
        let rests = login.device.zip(login.rests);
        Some(logins::Given { id: login.id?, user: login.user, scope, rests, at: login.created_at?, by })
    });
    let given = given.collect();
    Ok(logins::page(&look, &logins::Logins { devices, given, of, locked: None }))
}

/// What is known of the logins of a device; none where nobody asks for one.
fn login_of(sight: &Sight, known: &Known, all: &devices::Logins, allowed: u32) -> Option<LoginView> {
    let view = sight.device(known);
    let uid = known.uid.to_string();
    let works = all.items.iter().filter_map(|login| Some((login.works_at.get(&uid)?, Some(login.user.clone()))));
    let other = all.other_works_at.get(&uid).map(|at| (at, None));
    let last = works.chain(other).max_by_key(|(at, _)| **at);
    let refused = all.refused.get(&uid).copied().unwrap_or_default();
    let locked = view.is.contains(&Flag::Login);
    if last.is_none() && refused == 0 && !locked {
        return None;
    }
    let (worked_at, user) = last.map_or((None, None), |(at, user)| (Some(*at), user));
    let refusals_left = allowed.saturating_sub(refused);
    Some(LoginView {
        name: Some(card::name(&view)),
        device: view.id,
        ip: view.ip,
        user,
        worked_at,
        refused,
        refusals_left,
        problem: view.login,
        locked,
    })
}

/// Accounts, tokens, sessions and what was changed.
pub async fn admin(State(app): State<Arc<App>>, look: Look) -> Answer {
    look.caller.need(Scope::Admin)?;
    Ok(admin::page(&look, &administration(&app).await?))
}

/// What the page of the administration shows.
///
/// # Errors
/// When the store cannot be read.
pub async fn administration(app: &Arc<App>) -> Result<admin::Admin, Problem> {
    let (now, started_at) = (app.now(), app.started_at);
    let parts = health::routes::parts(app).await.parts;
    let part = |name: &str| parts.get(name).copied();
    let sight = Sight { memory: app.known().await?, now, ..Sight::default() };
    let filter = OutboxFilter { limit: Some(MESSAGES), ..OutboxFilter::default() };
    let messages = app.ask(move |app| app.store.outbox(&filter)).await?;
    let channels = notification::channels(&app.notifications(), &messages);
    let works = !channels.iter().any(|channel| channel.error.is_some());
    let health = vec![
        (Text::PartStore, part("store")),
        (Text::PartWatch, part("watch")),
        (Text::PartLive, app.live().map(|_| true)),
        (Text::PartChannels, Some(works).filter(|_| !channels.is_empty())),
    ];
    let mut shown = app
        .ask(move |app| {
            let audit = AuditFilter { limit: CHANGES, ..AuditFilter::default() };
            Ok(admin::Admin {
                users: app.store.users()?,
                tokens: app.store.tokens(None)?,
                sessions: app.store.sessions(None, now)?,
                audit: app.store.audit(&audit)?,
                config: app.config.clone(),
                store_bytes: std::fs::metadata(app.store.file()).map(|about| about.len()).unwrap_or_default(),
                health,
                started_at,
                ..admin::Admin::default()
            })
        })
        .await?;
    for entry in &mut shown.audit {
        for text in [&mut entry.subject, &mut entry.detail] {
            let uids: Vec<Uid> = text.split([' ', ',']).filter_map(Uid::parse).collect();
            for (uid, name) in names(&sight, &uids) {
                *text = text.replace(uid.as_str(), &name);
                shown.names.insert(uid, name);
            }
        }
    }
    Ok(shown)
}
