//! What users say about devices, and what they do with them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::ask::{Sent, text_of};
use super::devices::{find, tags, whole};
use super::list::DEVICES;
use super::table::{Endpoint, delete, patch, post};
use crate::history::memory::{EditError, Memory, Mute, MuteScope, NoteEdit, word};
use crate::model::access::Scope;
use crate::model::memory::{Expect, Note, Uid};
use crate::serve::auth::Caller;
use crate::serve::problem::Problem;
use crate::serve::view::Sight;
use crate::serve::view::device::{DeviceDetail, rev};
use crate::serve::view::filter::{DeviceFilter, Query};
use crate::serve::view::mute::MuteView;
use crate::serve::{App, act};

/// The header that says how many devices a change of several is for.
const IF_COUNT: &str = "if-count";
/// Hours that a mute lasts, at most: a year.
pub const LONGEST_MUTE: i64 = 24 * 366;

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let edit = Scope::Edit;
    let as_it_is = "The device as it is now";
    vec![
        patch("/devices/{id}", edit, change, "Changes what is written about a device (JSON Merge Patch, RFC 7396)")
            .header("if-match", "The `ETag` of what is changed; without it 428, and 412 where somebody else was first")
            .takes::<NoteChange>(|| json!({ "name": "Gate", "site": null, "tags": ["outdoor"] }))
            .answers::<DeviceDetail>(200, as_it_is)
            .problems(&[412, 428]),
        patch("/devices", edit, change_all, "Changes what is written about all devices that are wanted")
            .query(&DEVICES)
            .header(IF_COUNT, "How many these are; without it 428, and 412 where it is another number")
            .takes::<ManyChange>(|| json!({ "site": "Warehouse", "add_tags": ["outdoor"] }))
            .answers::<Changed>(200, "How many were changed")
            .such_as(|| json!({ "changed": 12 }))
            .problems(&[412, 428]),
        post("/devices/{id}/mute", edit, mute, "Sends nothing about a device for a time")
            .takes::<MuteAsked>(|| json!({ "hours": 8, "why": "cable works" }))
            .answers::<MuteView>(200, "The mute"),
        post("/devices/{id}/ack", edit, acknowledge, "Somebody knows of all problems of a device")
            .answers::<DeviceDetail>(200, as_it_is),
        post("/devices/{id}/merge", edit, merge, "A device is the same as another one, and becomes part of it")
            .takes::<MergeAsked>(|| json!({ "into": "d_0123456789abcdef" }))
            .answers::<DeviceDetail>(200, "The other one as it is now"),
        post("/devices/{id}/split", edit, split, "A device that was merged into this one is one of its own again")
            .takes::<SplitAsked>(|| json!({ "other": "d_0123456789abcdef" }))
            .answers::<DeviceDetail>(200, "The device of its own"),
        post("/devices/{id}/archive", edit, archive, "A device is listed no longer, or again")
            .takes::<ArchiveAsked>(|| json!({ "archived": true }))
            .answers::<DeviceDetail>(200, as_it_is),
        delete("/devices/{id}", Scope::Admin, forget, "Forgets a device, what was merged into it and its logins")
            .done(204, "It is forgotten; one that is still there is found anew by the next scan"),
    ]
}

/// Tells `null` from nothing.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// What changes of what is written about a device; `null` removes a part, what is absent stays.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoteChange {
    /// What it is called: no other device is.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Option<String>>,
    /// Where it is.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    pub site: Option<Option<String>>,
    /// All its tags, without commas.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<Vec<String>>")]
    pub tags: Option<Option<Vec<String>>>,
    /// Anything else.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    pub text: Option<Option<String>>,
    /// How long it may be silent.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<Expect>")]
    pub expect: Option<Option<Expect>>,
}

impl From<NoteChange> for NoteEdit {
    fn from(change: NoteChange) -> Self {
        NoteEdit {
            name: change.name,
            site: change.site,
            tags: change.tags.map(Option::unwrap_or_default),
            text: change.text,
            expect: change.expect.map(|expect| expect.unwrap_or(Note::default().expect)),
        }
    }
}

/// What changes of what is written about several devices.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ManyChange {
    /// Where they are; `null`: nowhere.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    pub site: Option<Option<String>>,
    /// Tags they get.
    pub add_tags: Vec<String>,
    /// Tags they lose.
    pub remove_tags: Vec<String>,
    /// How long they may be silent.
    pub expect: Option<Expect>,
    /// Whether they are listed no longer, or again.
    pub archived: Option<bool>,
}

/// How many were changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Changed {
    /// Devices.
    pub changed: u64,
}

/// How long nothing is sent, and why. Without an end until somebody ends it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MuteAsked {
    /// For so many hours from now, a year at most.
    #[schemars(range(min = 1, max = 8784))]
    pub hours: Option<i64>,
    /// Until then, instead of `hours`.
    pub until: Option<Timestamp>,
    /// Why.
    pub why: Option<String>,
}

impl MuteAsked {
    /// The mute of something from now on.
    ///
    /// # Errors
    /// When its end is none.
    pub fn of(self, scope: MuteScope, by: &Caller, now: Timestamp) -> Result<Mute, Problem> {
        let ended = match (self.hours, self.until) {
            (Some(_), Some(_)) => return Err(Problem::invalid("/until", "give `hours` or `until`, not both")),
            (Some(hours), None) if !(1..=LONGEST_MUTE).contains(&hours) => {
                return Err(Problem::invalid("/hours", format!("it is 1 to {LONGEST_MUTE}")));
            }
            (Some(hours), None) => now.checked_add(SignedDuration::from_hours(hours)).ok(),
            (None, Some(until)) if until <= now => return Err(Problem::invalid("/until", "this time has passed")),
            (None, until) => until,
        };
        Ok(Mute { scope, began: now, ended, why: self.why.as_deref().and_then(word), by: word(&by.name) })
    }
}

/// Which device another one is part of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeAsked {
    /// The device that stays: its id, address, MAC address or name.
    pub into: String,
}

/// Which device is one of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitAsked {
    /// Its id.
    pub other: Uid,
}

/// Whether a device is listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveAsked {
    /// Whether it is no longer.
    pub archived: bool,
}

async fn as_it_is(app: &Arc<App>, uid: &Uid) -> Result<Response, Problem> {
    let sight = act::sight(app).await?;
    Ok(whole(&sight, find(&sight, uid.as_str())?))
}

fn precondition(needs: &str) -> Problem {
    Problem::new(StatusCode::PRECONDITION_REQUIRED, "precondition", "A precondition is needed").detail(needs)
}

fn stale(what: impl Into<String>) -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "stale", "Changed meanwhile").detail(what)
}

async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Sent(asked): Sent<NoteChange>,
) -> Result<Response, Problem> {
    let uid = act::uid_of(&app, &id).await?;
    let seen = text_of(&headers, header::IF_MATCH);
    let seen = seen.ok_or_else(|| precondition("send the ETag of the device as If-Match"))?;
    let is_any = tags(seen).any(|tag| tag == "*");
    // The first part of a tag is what is written: see `tag_of`.
    let revs: Vec<String> =
        tags(seen).map(|tag| tag.trim_matches('"').split('.').next().unwrap_or_default().to_owned()).collect();
    let (edit, of) = (NoteEdit::from(asked), uid.clone());
    let decide = move |memory: &mut Memory| {
        let own = memory.devices.get(&of).map(|known| rev(&known.note)).unwrap_or_default();
        let is_fresh = is_any || revs.contains(&own);
        if is_fresh { memory.annotate(&of, &edit).map(|()| true) } else { Ok(false) }
    };
    match act::change(&app, decide).await? {
        true => as_it_is(&app, &uid).await,
        false => Err(stale("somebody else has changed this meanwhile; read it again and repeat the change")),
    }
}

async fn change_all(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Query,
    Sent(asked): Sent<ManyChange>,
) -> Result<Json<Changed>, Problem> {
    let filter = DeviceFilter::read(&query)?;
    let count = text_of(&headers, IF_COUNT);
    let count = count.ok_or_else(|| precondition("send how many devices these are as If-Count"))?;
    let count: usize = count.parse().map_err(|_| Problem::bad_request("If-Count is a number"))?;
    let now = app.now();
    let decide = move |memory: &mut Memory| {
        let sight = Sight { memory: Arc::new(memory.clone()), now, ..Sight::default() };
        let uids: Vec<Uid> = sight.known(&filter).map(|known| known.uid.clone()).collect();
        if uids.len() != count {
            return Ok(Err(uids.len()));
        }
        edit_all(memory, &uids, &asked, now).map(|()| Ok(uids.len()))
    };
    match act::change(&app, decide).await? {
        Ok(changed) => Ok(Json(Changed { changed: changed as u64 })),
        Err(others) => Err(stale(format!("{others} devices are wanted, and not {count}"))),
    }
}

/// All of them, or none.
fn edit_all(memory: &mut Memory, uids: &[Uid], asked: &ManyChange, now: Timestamp) -> Result<(), EditError> {
    let mut edits = Vec::new();
    for known in uids.iter().filter_map(|uid| memory.devices.get(uid)) {
        let kept = known.note.tags.iter().filter(|tag| !asked.remove_tags.contains(tag));
        let edit = NoteEdit {
            site: asked.site.clone(),
            tags: Some(kept.chain(&asked.add_tags).cloned().collect()),
            expect: asked.expect,
            ..NoteEdit::default()
        };
        edit.apply(&known.note)?;
        edits.push((known.uid.clone(), edit));
    }
    for (uid, edit) in edits {
        memory.annotate(&uid, &edit)?;
        if let Some(archived) = asked.archived {
            memory.set_archived(&uid, archived.then_some(now));
        }
    }
    Ok(())
}

async fn mute(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Sent(asked): Sent<MuteAsked>,
) -> Result<Json<MuteView>, Problem> {
    let uid = act::uid_of(&app, &id).await?;
    let mute = asked.of(MuteScope::Device(uid), &caller, app.now())?;
    let own = mute.clone();
    act::change(&app, move |memory| memory.mute(own)).await?;
    Ok(Json(act::sight(&app).await?.mute(&mute)))
}

async fn acknowledge(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let (uid, now) = (act::uid_of(&app, &id).await?, app.now());
    let of = uid.clone();
    act::change(&app, move |memory| Ok(memory.acknowledge_all(&of, now))).await?;
    as_it_is(&app, &uid).await
}

async fn merge(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Sent(asked): Sent<MergeAsked>,
) -> Result<Response, Problem> {
    let uid = act::uid_of(&app, &id).await?;
    let known = app.known().await?;
    let into = known.find(&asked.into).map(|known| known.uid.clone());
    let into = into.ok_or_else(|| Problem::invalid("/into", "there is no such device"))?;
    act::merge(&app, into.clone(), uid).await?;
    as_it_is(&app, &into).await
}

async fn split(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Sent(asked): Sent<SplitAsked>,
) -> Result<Response, Problem> {
    let uid = act::uid_of(&app, &id).await?;
    let known = app.known().await?;
    if known.devices.get(&asked.other).is_none_or(|other| other.merged_into.as_ref() != Some(&uid)) {
        return Err(Problem::invalid("/other", "it was not merged into this device"));
    }
    act::split(&app, asked.other.clone()).await?;
    as_it_is(&app, &asked.other).await
}

async fn archive(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Sent(ArchiveAsked { archived }): Sent<ArchiveAsked>,
) -> Result<Response, Problem> {
    let (uid, now) = (act::uid_of(&app, &id).await?, app.now());
    let of = uid.clone();
    act::change(&app, move |memory| Ok(memory.set_archived(&of, archived.then_some(now)))).await?;
    as_it_is(&app, &uid).await
}

async fn forget(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let uid = act::uid_of(&app, &id).await?;
    act::forget(&app, uid).await?;
    Ok(StatusCode::NO_CONTENT)
}
