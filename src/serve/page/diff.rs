//! Two scans side by side.

use super::look::Look;
use super::names::{field, kind, status, video_field};
use super::parts::{self, badge, table_end, table_head};
use super::shell::{Nav, Page};
use super::words::Text;
use crate::export::words::Tone;
use crate::history::diff::{Change, DeviceDiff, DeviceSummary, Field, ServiceKey};
use crate::markup::Markup;
use crate::model::Kind;
use crate::serve::view::diff::DiffView;
use crate::serve::view::scan::ScanView;

/// Everything that the page shows.
pub struct Diff {
    /// The scans that can be chosen, the latest first.
    pub scans: Vec<ScanView>,
    /// What is wanted: a scan's number, or a word for it.
    pub from: String,
    /// Likewise; `now` for what is known.
    pub to: String,
    /// What changed; none where there is nothing to compare.
    pub diff: Option<DiffView>,
}

/// The page.
pub fn page(look: &Look, diff: &Diff) -> Page {
    Page::new(look, look.say(Text::Compare), Nav::Scans, |out| {
        out.raw("<div class=\"head\"><h1 class=\"grow\">").text(look.say(Text::Compare)).raw("</h1></div>");
        choose(out, look, diff);
        match &diff.diff {
            Some(view) => result(out, look, view),
            None => {
                out.raw("<p class=\"empty\">").text(look.say(Text::NothingToCompare)).raw("</p>");
            }
        }
    })
}

fn choose(out: &mut Markup, look: &Look, diff: &Diff) {
    out.open("form", &[("class", "tools dates"), ("action", &look.to("diff")), ("data-auto", "")]);
    let named = |scan: &ScanView| {
        let at = scan.started_at.to_zoned(look.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        (scan.id.clone(), format!("{} · {at}", scan.id))
    };
    let scans: Vec<(String, String)> = diff.scans.iter().map(named).collect();
    let mut from = vec![("yesterday", look.say(Text::SinceYesterday)), ("previous", look.say(Text::PreviousScan))];
    from.extend(scans.iter().map(|(id, name)| (id.as_str(), name.as_str())));
    parts::choice(out, look.say(Text::Before), "from", &diff.from, &from);
    let mut to = vec![("now", look.say(Text::Now))];
    to.extend(scans.iter().map(|(id, name)| (id.as_str(), name.as_str())));
    parts::choice(out, look.say(Text::After), "to", &diff.to, &to);
    parts::button(out, "", look.say(Text::Compare));
    out.raw("</form>");
}

fn result(out: &mut Markup, look: &Look, view: &DiffView) {
    let is = |places: &[usize]| places.len() as u64;
    let counts = [
        (Text::DiffAdded, view.added.len() as u64, ""),
        (Text::DiffGone, view.gone.len() as u64, "bad"),
        (Text::DiffMoved, is(&view.moved), "attention"),
        (Text::DiffChanged, view.changed.len() as u64, ""),
        (Text::DiffBroken, is(&view.broken), "bad"),
        (Text::DiffRepaired, is(&view.repaired), "good"),
        (Text::DiffOpened, is(&view.opened), "attention"),
    ];
    if counts.iter().all(|(_, count, _)| *count == 0) {
        out.raw("<p class=\"empty\">").text(look.say(Text::NothingChanged)).raw("</p>");
        return;
    }
    out.raw("<ul class=\"legend\">");
    for (text, count, class) in counts.into_iter().filter(|(_, count, _)| *count > 0) {
        out.raw("<li>").open("span", &[("class", &format!("badge {class}"))]);
        out.raw("<b>").text(look.lang.number(count)).raw("</b> ").text(look.say(text)).raw("</span></li>");
    }
    out.raw("</ul><div class=\"stack\">");
    devices(out, look, Text::DiffAdded, &view.added);
    devices(out, look, Text::DiffGone, &view.gone);
    if !view.changed.is_empty() {
        changed(out, look, view);
    }
    devices(out, look, Text::NotAsked, &view.not_asked);
    out.raw("</div>");
}

fn devices(out: &mut Markup, look: &Look, title: Text, all: &[DeviceSummary]) {
    if all.is_empty() {
        return;
    }
    out.raw("<section class=\"panel flush\"><h2>").text(parts::heading(look.say(title))).raw("</h2>");
    table_head(out, look, look.say(title), &[Text::Address, Text::Name, Text::Kind, Text::Model]);
    for device in all {
        out.raw("<tr><th scope=\"row\" class=\"mono\">");
        parts::link(out, look, &format!("devices/{}", device.ip), &device.ip.to_string());
        out.raw("</th>");
        parts::cell_of(out, look, Text::Name, |out| {
            out.name(device.name.as_deref().unwrap_or_default());
        });
        parts::cell(out, look, Text::Kind, kind(look, device.kind));
        let model =
            [device.vendor.as_deref(), device.model.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        parts::cell(out, look, Text::Model, &model);
        out.raw("</tr>");
    }
    table_end(out);
    out.raw("</section>");
}

fn changed(out: &mut Markup, look: &Look, view: &DiffView) {
    out.raw("<section class=\"panel flush\"><h2>").text(parts::heading(look.say(Text::DiffChanged))).raw("</h2>");
    table_head(out, look, look.say(Text::DiffChanged), &[Text::Address, Text::What, Text::Before, Text::After]);
    for (place, device) in view.changed.iter().enumerate() {
        for (n, change) in device.changes.iter().enumerate() {
            out.raw("<tr><th scope=\"row\" class=\"mono\">");
            if n == 0 {
                subject(out, look, view, place, device);
            }
            out.raw("</th>");
            let (what, before, after) = said(look, change);
            parts::cell(out, look, Text::What, &what);
            let is_noted = matches!(change, Change::WarningAdded { .. } | Change::WarningGone { .. });
            for (column, value) in [(Text::Before, &before), (Text::After, &after)] {
                parts::cell_of(out, look, column, |out| match is_noted {
                    true => drop(out.original(value)),
                    false => drop(out.name(value)),
                });
            }
            out.raw("</tr>");
        }
    }
    table_end(out);
    out.raw("</section>");
}

fn subject(out: &mut Markup, look: &Look, view: &DiffView, place: usize, device: &DeviceDiff) {
    parts::link(out, look, &format!("devices/{}", device.after.ip), &device.after.ip.to_string());
    if let Some(name) = &device.after.name {
        out.raw(" ").name(name);
    }
    let marks = [
        (&view.broken, Tone::Bad, Text::DiffBroken),
        (&view.repaired, Tone::Good, Text::DiffRepaired),
        (&view.opened, Tone::Attention, Text::DiffOpened),
        (&view.moved, Tone::Attention, Text::DiffMoved),
    ];
    for (places, tone, text) in marks {
        if places.contains(&place) {
            out.raw(" ");
            badge(out, tone, look.say(text));
        }
    }
}

/// What changed, what it was and what it is.
fn said(look: &Look, change: &Change) -> (String, String, String) {
    let say = |text: Text| look.say(text).to_owned();
    let noted = |url: &str| format!("{url}: {}", look.say(Text::Noted));
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "—".to_owned());
    match change {
        Change::Field { field: Field::Kind, before, after } => {
            let of = |value: &Option<String>| match value.as_deref().and_then(Kind::from_name) {
                Some(value) => kind(look, value).to_owned(),
                None => known(value),
            };
            (say(Text::Kind), of(before), of(after))
        }
        Change::Field { field: which, before, after } => (say(field(*which)), known(before), known(after)),
        Change::ServiceOpened(of) => (service(of), "—".to_owned(), say(Text::PortOpen)),
        Change::ServiceClosed(of) => (service(of), say(Text::PortOpen), "—".to_owned()),
        Change::ServiceLoginNeeded(of) => (service(of), say(Text::Open), say(Text::LoginNeeded)),
        Change::ServiceOpenWithoutLogin(of) => (service(of), say(Text::LoginNeeded), say(Text::Open)),
        Change::StreamAdded { url, status: after } => (url.clone(), "—".to_owned(), say(status(*after))),
        Change::StreamGone { url, status: before } => (url.clone(), say(status(*before)), "—".to_owned()),
        Change::StreamStatus { url, before, after } => (url.clone(), say(status(*before)), say(status(*after))),
        Change::StreamVideo { url, field, before, after } => {
            (format!("{url}: {}", look.say(video_field(*field))), before.clone(), after.clone())
        }
        Change::StreamLoginNeeded { url } => (url.clone(), say(Text::Open), say(Text::LoginNeeded)),
        Change::StreamOpenWithoutLogin { url } => (url.clone(), say(Text::LoginNeeded), say(Text::Open)),
        Change::ChannelCamera { channel, before, after } => {
            (look.with(Text::ChannelNumber, &[&channel.to_string()]), before.clone(), after.clone())
        }
        Change::WarningAdded { url, warning } => (noted(url), "—".to_owned(), warning.clone()),
        Change::WarningGone { url, warning } => (noted(url), warning.clone(), "—".to_owned()),
    }
}

/// A service as the page of its device names it: `RTSP 554/tcp`.
fn service(of: &ServiceKey) -> String {
    format!("{} {}/{}", of.protocol.as_str().to_uppercase(), of.port, of.transport)
}
