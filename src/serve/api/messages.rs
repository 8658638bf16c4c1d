//! Channels, the messages that went there or wait, and mutes.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::ask::Sent;
use super::change::MuteAsked;
use super::list::{Items, PART, names, sent};
use super::table::{Endpoint, Shape, delete, get, one, post};
use crate::history::memory::MuteScope;
use crate::model::access::Scope;
use crate::model::memory::{Delivery, DeliveryState, Detail};
use crate::notify::compose::test_message;
use crate::serve::auth::{Caller, actor, random};
use crate::serve::problem::Problem;
use crate::serve::view::filter::Query;
use crate::serve::view::mute::MuteView;
use crate::serve::view::notification::{ChannelView, NotificationView, channels};
use crate::serve::view::page::{Page, Paging};
use crate::serve::{App, act};
use crate::store::OutboxFilter;

/// Messages that are looked at.
const MOST: usize = 1_000;

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let (read, edit) = (Scope::Read, Scope::Edit);
    let later = "The message; the process that watches sends it within a minute";
    vec![
        get("/channels", read, all_channels, "Where messages go, and whether they arrive")
            .answers::<Items<ChannelView>>(200, "As the configuration has them"),
        post("/channels/{name}/test", edit, test, "Sends a test message to a channel")
            .answers::<NotificationView>(202, later),
        get("/notifications", read, messages, "Messages that were sent, wait, or were given up")
            .query(&[
                one("state", Shape::Names(names::<DeliveryState>), "In this state"),
                one("channel", Shape::Text, "For this channel"),
            ])
            .query(&PART)
            .answers::<Page<NotificationView>>(200, "The latest first"),
        post("/notifications/{id}/retry", edit, retry, "Sends a message again that was given up")
            .answers::<NotificationView>(202, later),
        get("/mutes", read, mutes, "What is muted").answers::<Items<MuteView>>(200, "All that have not ended"),
        post("/mutes", edit, mute, "Sends nothing about a device, a site, a tag or a network for a time")
            .takes::<ScopedMute>(|| json!({ "scope": { "tag": "outdoor" }, "hours": 8, "why": "cable works" }))
            .answers::<MuteView>(200, "The mute; it takes the place of an earlier one of the same"),
        delete("/mutes/{id}", edit, end_mute, "Ends a mute").done(204, "It has ended"),
    ]
}

/// What nothing is sent about, how long and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopedMute {
    /// What.
    pub scope: MuteScope,
    /// For so many hours from now, a year at most.
    #[serde(default)]
    #[schemars(range(min = 1, max = 8784))]
    pub hours: Option<i64>,
    /// Until then, instead of `hours`.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Why.
    #[serde(default)]
    pub why: Option<String>,
}

async fn all_channels(State(app): State<Arc<App>>) -> Result<Json<Items<ChannelView>>, Problem> {
    let filter = OutboxFilter { limit: Some(MOST), ..OutboxFilter::default() };
    let messages = app.ask(move |app| app.store.outbox(&filter)).await?;
    Ok(Json(Items { items: channels(&app.notifications(), &messages) }))
}

async fn messages(State(app): State<Arc<App>>, uri: Uri, query: Query) -> Result<Response, Problem> {
    let paging = Paging::read(&query)?;
    let filter = OutboxFilter {
        state: query.names("state")?.pop(),
        channel: query.one("channel")?.map(str::to_owned),
        before: paging.after_number()?,
        limit: Some(paging.limit.saturating_add(1)),
    };
    let found = app.ask(move |app| app.store.outbox(&filter)).await?;
    let mut items: Vec<NotificationView> = found.iter().rev().map(NotificationView::from).collect();
    let is_more = items.len() > paging.limit;
    items.truncate(paging.limit);
    let next = items.last().filter(|_| is_more).map(|message| paging.mark("", &message.id.to_string()));
    sent(&app, &uri, &query, &Page { items, next, count: None })
}

fn known_channel(app: &App, name: &str) -> Result<(), Problem> {
    match app.notifications().channels.iter().any(|channel| channel.name == name) {
        true => Ok(()),
        false => Err(Problem::not_found("there is no such channel in the configuration")),
    }
}

/// Puts a message among those that wait, and wakes the couriers where this process has them; others look once a minute.
async fn enqueue(app: &Arc<App>, action: &'static str, mut message: Delivery) -> Result<Response, Problem> {
    known_channel(app, &message.channel)?;
    let (own, actor, now) = (message.clone(), actor(), app.now());
    let put = app.ask(move |app| {
        let number = app.store.enqueue(&own)?;
        app.store.note_change(now, &actor, action, &own.channel, &Detail::Number { number })?;
        Ok(number)
    });
    message.number = put.await?;
    act::wake(app);
    Ok((StatusCode::ACCEPTED, Json(NotificationView::from(&message))).into_response())
}

fn waiting(id: String, channel: String, now: Timestamp) -> Delivery {
    Delivery {
        number: 0,
        id,
        channel,
        group: String::new(),
        events: Vec::new(),
        body: None,
        created_at: now,
        due_at: now,
        tries: 0,
        state: DeliveryState::Waiting,
        error: None,
    }
}

/// Sends a test message to a channel.
pub(in crate::serve) async fn test(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let now = app.now();
    let id = format!("test-{}", random::digits::<10>()?);
    let text = "This channel works. Nothing has happened: somebody tried the channel.".to_owned();
    let body = serde_json::to_string(&crate::notify::Message { text, ..test_message(&id, now) });
    let body = body.map_err(|_| Problem::internal())?;
    enqueue(&app, "channel.test", Delivery { body: Some(body), ..waiting(id, name, now) }).await
}

/// Sends a message again that was given up.
pub(in crate::serve) async fn retry(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let none = || Problem::not_found("there is no such message");
    let number: i64 = id.parse().map_err(|_| none())?;
    let found = app.ask(|app| app.store.outbox(&OutboxFilter::default())).await?;
    let message = found.into_iter().find(|message| message.number == number).ok_or_else(none)?;
    if message.state == DeliveryState::Waiting {
        return Err(Problem::conflict("the message waits already"));
    }
    known_channel(&app, &message.channel)?;
    let now = app.now();
    let (actor, channel) = (actor(), message.channel.clone());
    let sent = app.ask(move |app| {
        let is_sent = app.store.send_again(number, now)?;
        if is_sent {
            app.store.note_change(now, &actor, "notification.retry", &channel, &Detail::Number { number })?;
        }
        Ok(is_sent)
    });
    if !sent.await? {
        return Err(Problem::conflict("the message waits already"));
    }
    let message = Delivery { state: DeliveryState::Waiting, due_at: now, tries: 0, error: None, ..message };
    Ok((StatusCode::ACCEPTED, Json(NotificationView::from(&message))).into_response())
}

async fn mutes(State(app): State<Arc<App>>) -> Result<Json<Items<MuteView>>, Problem> {
    Ok(Json(Items { items: act::sight(&app).await?.mutes() }))
}

async fn mute(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(asked): Sent<ScopedMute>,
) -> Result<Json<MuteView>, Problem> {
    let ScopedMute { scope, hours, until, why } = asked;
    if let MuteScope::Device(uid) = &scope {
        let known = app.known().await?;
        if !known.devices.contains_key(uid) {
            return Err(Problem::invalid("/scope/device", "there is no such device"));
        }
    }
    let mute = MuteAsked { hours, until, why }.of(scope, &caller, app.now())?;
    let own = mute.clone();
    act::change(&app, move |memory| memory.mute(own)).await?;
    Ok(Json(act::sight(&app).await?.mute(&mute)))
}

async fn end_mute(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    act::end_mute(&app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
