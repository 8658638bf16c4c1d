//! What happened, by day.

use jiff::civil::Date;

use super::look::Look;
use super::names::{self, event as event_name, muted_by, severity, severity_tone};
use super::parts::{self, act, badge, clock, link};
use super::shell::{Nav, Page};
use super::words::Text;
use super::words_remarks;
use crate::export::survey::fixes;
use crate::export::survey::lang::{Lang, Noun};
use crate::markup::Markup;
use crate::model::access::Scope;
use crate::model::memory::{Event, EventData, EventKind, Remark, Severity};
use crate::serve::view::event::EventView;
use crate::serve::view::filter::Query;

/// Everything that the page shows.
pub struct Events {
    /// The events, the latest first.
    pub events: Vec<EventView>,
    /// The cursor of the next page.
    pub next: Option<String>,
    /// What is wanted.
    pub query: Query,
}

/// The page, or its list.
pub fn page(look: &Look, events: &Events) -> Page {
    if look.part.as_deref() == Some("list") {
        return Page::part(|out| list(out, look, events));
    }
    Page::new(look, look.say(Text::Events), Nav::Events, |out| {
        out.raw("<div class=\"head\"><h1 class=\"grow\">").text(look.say(Text::Events)).raw("</h1></div>");
        filter(out, look, &events.query);
        out.raw("<div id=\"live\" data-part=\"list\">");
        list(out, look, events);
        out.raw("</div>");
    })
}

fn filter(out: &mut Markup, look: &Look, query: &Query) {
    let value = |key: &str| query.all(key).next().unwrap_or_default().to_owned();
    out.open("form", &[("class", "tools"), ("action", &look.to("events")), ("data-auto", "")]);
    if !value("device").is_empty() {
        parts::hidden(out, "device", &value("device"));
    }
    let mut severities = vec![("", look.say(Text::All))];
    severities.extend(Severity::ALL.map(|one| (one.as_str(), look.say(severity(one)))));
    parts::choice(out, look.say(Text::Severity), "severity", &value("severity"), &severities);
    let mut kinds = vec![("", look.say(Text::All))];
    kinds.extend(EventKind::ALL.map(|kind| (kind.as_str(), look.say(event_name(kind)))));
    parts::choice(out, look.say(Text::What), "type", &value("type"), &kinds);
    parts::button(out, "", look.say(Text::Show));
    if query.0.iter().any(|(_, value)| !value.is_empty()) {
        out.open("a", &[("class", "button"), ("href", &look.to("events"))]).text(look.say(Text::ShowAll)).raw("</a>");
    }
    out.raw("</form>");
}

fn list(out: &mut Markup, look: &Look, events: &Events) {
    if events.events.is_empty() {
        out.raw("<p class=\"empty\">").text(look.say(Text::NoEvents)).raw("</p>");
        return;
    }
    let day = |event: &EventView| event.event.at.to_zoned(look.zone.clone()).date();
    let mut rest = events.events.as_slice();
    while let Some(first) = rest.first() {
        let date = day(first);
        let own = rest.iter().take_while(|event| day(event) == date).count();
        let (of_day, behind) = rest.split_at(own);
        out.raw("<section class=\"day\"><h2>")
            .text(day_name(look, date))
            .raw("</h2><ol class=\"panel flush timeline\">");
        of_day.iter().for_each(|event| item(out, look, event, false));
        out.raw("</ol></section>\n");
        rest = behind;
    }
    if let Some(cursor) = &events.next {
        let mut pairs: Vec<(&str, &str)> =
            events.query.0.iter().filter(|(key, _)| key != "cursor").map(|(k, v)| (k.as_str(), v.as_str())).collect();
        pairs.push(("cursor", cursor));
        let to = look.to(&format!("events?{}", parts::encoded(&pairs)));
        out.raw("<p class=\"more\">")
            .open("a", &[("class", "button"), ("rel", "next"), ("data-more", ""), ("href", &to)]);
        out.text(look.say(Text::Older)).raw("</a></p>");
    }
}

fn day_name(look: &Look, date: Date) -> String {
    let today = look.now.to_zoned(look.zone.clone()).date();
    match date {
        date if date == today => look.say(Text::Today).to_owned(),
        date if Some(date) == today.yesterday().ok() => look.say(Text::Yesterday).to_owned(),
        date => match date.to_zoned(jiff::tz::TimeZone::UTC) {
            Ok(zoned) => look.lang.date(zoned.timestamp()),
            Err(_) => date.to_string(),
        },
    }
}

/// One event. Where `is_own`, the page says already which device it is about.
pub fn item(out: &mut Markup, look: &Look, view: &EventView, is_own: bool) {
    let (event, data) = (&view.event, &view.event.data);
    out.open("li", &[("id", &format!("e{}", view.id))]);
    out.raw("<span class=\"number faint\">");
    if is_own {
        parts::time(out, look, event.at)
    } else {
        clock(out, look, event.at)
    }
    out.raw("</span><div class=\"of\"><p>");
    badge(out, severity_tone(event.severity), look.say(event_name(event.kind)));
    if !is_own {
        subject(out, look, view);
    }
    if let Some(stream) = &data.stream {
        out.raw(" ").element("code", "", &stream.url);
    }
    if let Some(service) = &data.service {
        out.raw(" ").element("code", "", &service.key);
    }
    out.raw("</p>");
    change(out, look, view);
    let first = data.count.filter(|_| event.kind == EventKind::ScanFinished);
    if let Some(count) = first {
        let devices = look.counted(usize::try_from(count).unwrap_or_default(), Noun::Device);
        out.element("small", "", look.with(Text::FirstScanFound, &[&devices]));
    }
    for Said { text, original } in said(look, data, first.is_some()) {
        out.raw("<small>").name(&text);
        if let Some(original) = original {
            out.raw(if text.is_empty() { "" } else { " (" }).original(&original).raw(if text.is_empty() {
                ""
            } else {
                ")"
            });
        }
        out.raw("</small>");
    }
    if let Some(since) = data.since.filter(|since| *since != event.at) {
        out.raw("<small>").text(look.say(Text::SinceWord)).raw(" ");
        parts::time(out, look, since);
        out.raw("</small>");
    }
    if let Some(by) = event.muted_by {
        out.raw("<small>").text(look.say(Text::NotSent)).raw(": ").text(look.say(muted_by(by))).raw("</small>");
    }
    out.raw("</div><div class=\"row\">");
    if let Some(id) = view.stream_id.as_ref().filter(|_| event.severity == Severity::Problem) {
        let device = event.device.as_ref().map(|device| device.to_string()).unwrap_or_default();
        link(out, look, &format!("devices/{device}#{id}"), look.say(Text::Picture));
    }
    if look.may(Scope::Edit) && event.severity == Severity::Problem && event.device.is_some() {
        act(out, look, &format!("events/{}/ack", view.id), "", look.say(Text::Acknowledge));
    }
    out.raw("</div></li>\n");
}

/// The device, network or channel.
fn subject(out: &mut Markup, look: &Look, view: &EventView) {
    let (event, data) = (&view.event, &view.event.data);
    match (&event.device, &data.device) {
        (Some(uid), Some(device)) => {
            let name = device.name.clone().or(device.model.clone()).unwrap_or_else(|| device.ip.to_string());
            link(out, look, &format!("devices/{uid}"), &name);
            out.raw(" <span class=\"mono faint\">").text(device.ip).raw("</span>");
        }
        (Some(uid), None) => link(out, look, &format!("devices/{uid}"), uid.as_str()),
        (None, _) => {}
    }
    if let Some(network) = &event.network {
        out.raw(" <span class=\"mono\">").text(network).raw("</span>");
    }
    if let Some(channel) = &data.channel {
        out.raw(" ").name(channel);
    }
    if let Some(count) = data.count.filter(|_| event.kind != EventKind::ScanFinished) {
        out.raw(" <small>").text(look.lang.number(count)).raw("</small>");
    }
}

/// A sentence about an event.
struct Said {
    /// In the language of the page.
    text: String,
    /// What was noted in English, where that says more, or nothing else is known.
    original: Option<String>,
}

/// How it is known, what failed and what changed, one sentence each.
fn said(look: &Look, data: &EventData, is_counted: bool) -> Vec<Said> {
    let own = |text: String| Said { text, original: None };
    let worded = |remark: &Remark| Said {
        text: words_remarks::remark(look, remark),
        original: words_remarks::original(look, remark).map(str::to_owned),
    };
    // An event of an earlier version has the sentence alone.
    let noted = |text: &String| Said { text: String::new(), original: Some(text.clone()) };
    let either = |remark: &Option<Remark>, text: &Option<String>| match remark {
        Some(remark) => Some(worded(remark)),
        None => text.as_ref().map(noted),
    };
    let reason = either(&data.because, &data.reason).filter(|_| !is_counted);
    let mut all: Vec<Said> = reason.into_iter().chain(either(&data.failed, &data.failure)).collect();
    // A single change stands before and after already: what is left to say is what it is about.
    let is_shown = data.before.is_some() && data.changes.len() == 1;
    match (&data.changed[..], &data.because) {
        ([Remark::Changed { what, .. }], _) if is_shown => all.push(own(look.say(names::what(*what)).to_owned())),
        _ if is_shown => {}
        // What is written there is what can be done about it.
        ([], Some(Remark::Odd { kind, .. })) if look.lang != Lang::En => {
            all.extend(data.changes.first().map(|_| own(fixes::remedy(look.lang, *kind).to_owned())));
        }
        ([], _) => all.extend(data.changes.iter().map(noted)),
        (remarks, _) => all.extend(remarks.iter().map(worded)),
    }
    all
}

/// What was and what is, where both are known: names of ours in the language of the page.
fn before_and_after(look: &Look, event: &Event) -> (Option<String>, Option<String>) {
    let data = &event.data;
    let of = match &data.changed[..] {
        [Remark::Changed { what, .. }] => Some(*what),
        _ => None,
    };
    let own = |value: &String| of.map_or_else(|| value.clone(), |of| words_remarks::value(look, of, value));
    let say = |text: Text| Some(look.say(text).to_owned());
    match (event.kind, &data.because) {
        (EventKind::StreamOpen, _) if data.before.is_some() => (say(Text::LoginNeeded), say(Text::Open)),
        (EventKind::StreamProtected, _) if data.before.is_some() => (say(Text::Open), say(Text::LoginNeeded)),
        // The sentence says it.
        (EventKind::DeviceSteady, Some(_)) => (None, None),
        _ => (data.before.as_ref().map(own), data.after.as_ref().map(own)),
    }
}

/// Before and after, side by side.
fn change(out: &mut Markup, look: &Look, view: &EventView) {
    let (before, after) = before_and_after(look, &view.event);
    if before.is_none() && after.is_none() {
        return;
    }
    out.raw("<p class=\"change\"><span><span class=\"spoken\">").text(look.say(Text::Before)).raw(" </span>");
    out.name(before.as_deref().unwrap_or("—")).raw("</span><span aria-hidden=\"true\">→</span><span>");
    out.raw("<span class=\"spoken\">").text(look.say(Text::After)).raw(" </span>");
    out.name(after.as_deref().unwrap_or("—")).raw("</span></p>");
}
