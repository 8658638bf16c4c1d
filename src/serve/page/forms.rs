//! Forms about devices: what users say about them, and what keeps messages back. Each leads back to the page it came from.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};

use super::fields::{Fields, Sent};
use super::look::{Look, Theme};
use super::parts::encoded;
use super::shell::{back, see_other};
use super::{card, orders};
use crate::export::survey::lang::Lang;
use crate::history::memory::{EditError, Memory, Mute, MuteScope, NoteEdit, word};
use crate::model::access::Scope;
use crate::model::memory::{Expect, Uid};
use crate::serve::App;
use crate::serve::act::{self, change, uid_of};
use crate::serve::problem::Problem;
use crate::serve::view::Sight;
use crate::serve::view::device::rev;

type Answer = Result<Response, Problem>;

/// How long a choice is kept, in seconds: a year.
const KEPT: u32 = 31_536_000;
/// What a device that is not ours is tagged with.
const NOT_OURS: &str = "not ours";

/// Colours and language, kept by the browser.
pub async fn preferences(look: Look, sent: Sent) -> Answer {
    let fields = Fields::of(sent)?;
    let mut response = back(&look, fields.get("back"));
    let theme = Theme::from_name(fields.get("theme")).map(|theme| ("theme", theme.as_str()));
    let lang = Lang::from_name(fields.get("language")).map(|lang| ("language", lang.as_str()));
    for (name, value) in [theme, lang].into_iter().flatten() {
        // Without a path it holds for the folder of this form: the root of the pages, wherever a proxy puts it.
        let cookie = format!("{name}={value}; Max-Age={KEPT}; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

/// Something about one device.
pub async fn device(
    State(app): State<Arc<App>>,
    look: Look,
    Path((id, does)): Path<(String, String)>,
    sent: Sent,
) -> Answer {
    if does == "probe" {
        let (fields, uid) = (Fields::of(sent)?, uid_of(&app, &id).await?);
        orders::probe(&app, &look, &[uid]).await?;
        return Ok(back(&look, fields.get("back")));
    }
    look.caller.need(Scope::Edit)?;
    let (fields, uid, now) = (Fields::of(sent)?, uid_of(&app, &id).await?, app.now());
    match does.as_str() {
        "note" => note(&app, uid, &fields).await?,
        "mute" => {
            let mute = mute_of(MuteScope::Device(uid), &fields, &look, now)?;
            change(&app, move |memory| memory.mute(mute)).await?;
        }
        "ack" => drop(change(&app, move |memory| Ok(memory.acknowledge_all(&uid, now))).await?),
        "archive" => drop(change(&app, move |memory| Ok(memory.set_archived(&uid, Some(now)))).await?),
        "unarchive" => drop(change(&app, move |memory| Ok(memory.set_archived(&uid, None))).await?),
        "verdict" => verdict(&app, uid, fields.get("verdict")).await?,
        "merge" => {
            let into = uid_of(&app, fields.get("into")).await?;
            let to = into.clone();
            act::merge(&app, into, uid.clone()).await?;
            return Ok(see_other(&look.to(&format!("devices/{to}?merged={uid}"))));
        }
        "split" => {
            let other = fields.read("other", Uid::parse)?;
            act::split(&app, other.clone()).await?;
            return Ok(see_other(&look.to(&format!("devices/{uid}?split={other}"))));
        }
        _ => return Err(Problem::not_found("there is no such action")),
    }
    Ok(back(&look, fields.get("back")))
}

/// What is written about a device; refused where somebody else wrote meanwhile.
async fn note(app: &Arc<App>, uid: Uid, fields: &Fields) -> Result<(), Problem> {
    let text = |name: &str| Some(word(fields.get(name)));
    let tags = fields.get("tags").split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned);
    let edit = NoteEdit {
        name: text("name"),
        site: text("site"),
        tags: Some(tags.collect()),
        text: text("text"),
        expect: Expect::from_name(fields.get("expect")),
    };
    let seen = fields.get("rev").to_owned();
    let decide = move |memory: &mut Memory| {
        let is_other = memory.devices.get(&uid).is_some_and(|known| rev(&known.note) != seen);
        if is_other { Ok(false) } else { memory.annotate(&uid, &edit).map(|()| true) }
    };
    match change(app, decide).await? {
        true => Ok(()),
        false => Err(Problem::new(axum::http::StatusCode::CONFLICT, "stale", "Changed meanwhile")
            .detail("somebody else has changed this note meanwhile; open the page again and repeat your change")),
    }
}

/// A new device is expected, which gives it the name it has; or it is not ours, and nothing is told of it.
async fn verdict(app: &Arc<App>, uid: Uid, verdict: &str) -> Result<(), Problem> {
    let sight = Sight { memory: app.known().await?, now: app.now(), ..Sight::default() };
    let known = sight.memory.devices.get(&uid).ok_or_else(|| Problem::not_found("there is no such device"))?;
    let name = card::name(&sight.device(known));
    let edit = match verdict {
        "expected" => {
            // Two of one model must not have one name, and no name is an address.
            let is_free = name != known.device.ip.to_string()
                && !sight.memory.roots().any(|other| other.uid != uid && other.note.name.as_deref() == Some(&name));
            let name = if is_free {
                name
            } else {
                format!("{} {}", known.device.kind.as_str().replace('_', " "), known.device.ip)
            };
            NoteEdit { name: Some(word(&name)), ..NoteEdit::default() }
        }
        "foreign" => {
            let tags = known.note.tags.iter().cloned().chain([NOT_OURS.to_owned()]).collect();
            NoteEdit { tags: Some(tags), expect: Some(Expect::Ignore), ..NoteEdit::default() }
        }
        _ => return Err(Problem::invalid("/verdict", "it is `expected` or `foreign`")),
    };
    change(app, move |memory| memory.annotate(&uid, &edit)).await
}

fn mute_of(scope: MuteScope, fields: &Fields, look: &Look, now: Timestamp) -> Result<Mute, Problem> {
    let ended = match fields.some("hours") {
        None => None,
        Some(hours) => {
            let hours: i64 = hours.parse().map_err(|_| Problem::invalid("/hours", "this is no number of hours"))?;
            now.checked_add(SignedDuration::from_hours(hours.clamp(1, 24 * 366))).ok()
        }
    };
    Ok(Mute { scope, began: now, ended, why: word(fields.get("why")), by: word(&look.caller.name) })
}

/// Mutes a site, a tag or a network.
pub async fn mute(State(app): State<Arc<App>>, look: Look, sent: Sent) -> Answer {
    look.caller.need(Scope::Edit)?;
    let fields = Fields::of(sent)?;
    let of = || word(fields.get("of")).ok_or_else(|| Problem::invalid("/of", "this is empty"));
    let scope = match fields.get("scope") {
        "tag" => MuteScope::Tag(of()?),
        "network" => MuteScope::Network(fields.read("of", |of| of.parse().ok())?),
        _ => MuteScope::Site(of()?),
    };
    let mute = mute_of(scope, &fields, &look, app.now())?;
    change(&app, move |memory| memory.mute(mute)).await?;
    Ok(back(&look, fields.get("back")))
}

/// Ends a mute.
pub async fn end_mute(State(app): State<Arc<App>>, look: Look, Path(id): Path<String>, sent: Sent) -> Answer {
    look.caller.need(Scope::Edit)?;
    let fields = Fields::of(sent)?;
    act::end_mute(&app, id).await?;
    Ok(back(&look, fields.get("back")))
}

/// Somebody knows of the problem that an event tells.
pub async fn acknowledge(State(app): State<Arc<App>>, look: Look, Path(id): Path<i64>, sent: Sent) -> Answer {
    look.caller.need(Scope::Edit)?;
    let fields = Fields::of(sent)?;
    act::acknowledge(&app, id).await?;
    Ok(back(&look, fields.get("back")))
}

/// What is done with several devices at once.
pub async fn bulk(State(app): State<Arc<App>>, look: Look, sent: Sent) -> Answer {
    let fields = Fields::of(sent)?;
    let uids: Vec<Uid> = fields.all("id").filter_map(Uid::parse).collect();
    if fields.get("do") == "export" {
        look.caller.need(Scope::Read)?;
        let mut pairs = vec![("format", fields.get("format"))];
        pairs.extend(uids.iter().map(|uid| ("id", uid.as_str())));
        return Ok(see_other(&look.to(&format!("export?{}", encoded(&pairs)))));
    }
    if fields.get("do") == "probe" {
        orders::probe(&app, &look, &uids).await?;
        return Ok(back(&look, fields.get("back")));
    }
    look.caller.need(Scope::Edit)?;
    let now = app.now();
    match fields.get("do") {
        does @ ("tag" | "untag") => {
            let is_added = does == "tag";
            let tag = fields.read("tag", word)?;
            let decide = move |memory: &mut Memory| uids.iter().try_for_each(|uid| retag(memory, uid, &tag, is_added));
            change(&app, decide).await?;
        }
        "mute" => {
            let mutes = uids.into_iter().map(|uid| mute_of(MuteScope::Device(uid), &fields, &look, now));
            let mutes: Vec<Mute> = mutes.collect::<Result<_, _>>()?;
            change(&app, move |memory| mutes.into_iter().try_for_each(|mute| memory.mute(mute))).await?;
        }
        "unmute" => {
            let decide = move |memory: &mut Memory| {
                uids.into_iter().for_each(|uid| {
                    memory.unmute(&MuteScope::Device(uid));
                });
                Ok(())
            };
            change(&app, decide).await?;
        }
        "archive" => {
            let decide = move |memory: &mut Memory| {
                uids.iter().for_each(|uid| {
                    memory.set_archived(uid, Some(now));
                });
                Ok(())
            };
            change(&app, decide).await?;
        }
        _ => return Err(Problem::not_found("there is no such action")),
    }
    Ok(back(&look, fields.get("back")))
}

fn retag(memory: &mut Memory, uid: &Uid, tag: &str, is_added: bool) -> Result<(), EditError> {
    let Some(known) = memory.devices.get(uid) else { return Ok(()) };
    let kept = known.note.tags.iter().filter(|own| *own != tag).cloned();
    let tags = kept.chain(is_added.then(|| tag.to_owned())).collect();
    memory.annotate(uid, &NoteEdit { tags: Some(tags), ..NoteEdit::default() })
}
