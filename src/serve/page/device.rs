//! The page of one device: how it stands, its streams with their proofs, what is known of it and why, and what can be done.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::look::Look;
use super::names::{self, kind};
use super::parts::{self, act, badge, cell, cell_of, fact, form, link, table_end, table_head};
use super::shell::{Nav, Page};
use super::words::Text;
use super::{card, days, events, proofs};
use crate::export::survey::fixes;
use crate::export::survey::lang::Lang;
use crate::export::words::Tone;
use crate::history::memory::{DeviceState, StreamState};
use crate::markup::Markup;
use crate::model::access::Scope;
use crate::model::memory::{Expect, Uid};
use crate::model::{Fact, Kind, Service, Warning};
use crate::serve::auth::devices::Rests;
use crate::serve::view::device::{AddressView, DeviceDetail, Flag, SpanView};
use crate::serve::view::event::EventView;

/// Everything that the page shows.
pub struct Of {
    /// The device.
    pub device: DeviceDetail,
    /// Why a login that was given for it is not sent.
    pub rests: Option<Rests>,
    /// The states it was in, of the last 30 days.
    pub spans: Vec<SpanView>,
    /// Where it was.
    pub addresses: Vec<AddressView>,
    /// The last that happened, the latest first.
    pub events: Vec<EventView>,
    /// The formats it can be exported to.
    pub formats: Vec<&'static str>,
    /// What the devices are called that it names: itself, those merged into it, and the one in its place.
    pub names: BTreeMap<Uid, String>,
    /// What was done with it just now and still holds.
    pub done: Option<Done>,
}

/// What was done with a device and another one.
pub enum Done {
    /// The other one is part of it.
    Merged(Uid),
    /// The other one was split off.
    Split(Uid),
}

/// How far back the bar looks.
pub const DAYS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The page.
pub fn page(look: &Look, of: &Of) -> Page {
    let device = &of.device.summary;
    if look.part.as_deref() == Some("list") {
        return Page::part(|out| live(out, look, of));
    }
    Page::new(look, &card::name(device), Nav::Now, |out| {
        out.raw("<div id=\"live\" data-part=\"list\">");
        live(out, look, of);
        out.raw("</div>");
        out.raw("<div class=\"columns two\"><div class=\"stack\">");
        about(out, look, of);
        network(out, look, of);
        evidence(out, look, of);
        events_of(out, look, of);
        out.raw("</div><div class=\"stack\">");
        note(out, look, of);
        silence(out, look, of);
        export(out, look, of);
        rare(out, look, of);
        out.raw("</div></div><template data-controls>");
        super::wall::controls(out, look);
        out.raw("</template>");
    })
}

/// What changes while one looks: how it stands, and its streams.
fn live(out: &mut Markup, look: &Look, of: &Of) {
    done(out, look, of);
    head(out, look, of);
    trouble(out, look, of);
    days::section(out, look, &of.spans, look.now.checked_sub(DAYS).unwrap_or(Timestamp::MIN));
    proofs::section(out, look, &of.device.summary, &of.device.stream_details);
}

fn head(out: &mut Markup, look: &Look, of: &Of) {
    let device = &of.device.summary;
    out.open("div", &[("class", "head"), ("data-id", device.id.as_str())]);
    out.raw("<div class=\"grow\"><h1>").name(card::name(device)).raw("</h1><p>");
    let (tone, word) = card::standing(device);
    badge(out, tone, look.say(word));
    out.raw(" ").text(look.say(Text::SinceWord)).raw(" ");
    parts::time(out, look, device.since);
    out.raw(" · <span class=\"mono\">").text(device.ip).raw("</span>");
    let model = [device.vendor.as_deref(), device.model.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    out.raw(" · ").name(if model.is_empty() { kind(look, device.kind).to_owned() } else { model });
    out.raw("</p></div>");
    let path = card::path(device);
    if look.may_scan() {
        act(out, look, &format!("{path}/probe"), "first", look.say(Text::Probe));
    }
    let has_problem = device.state == DeviceState::Offline
        || device.streams.iter().any(|stream| matches!(stream.state, StreamState::Broken | StreamState::Degraded));
    let is_acked = device.is.contains(&Flag::Acknowledged);
    if look.may(Scope::Edit) && has_problem && !is_acked {
        act(out, look, &format!("{path}/ack"), "", look.say(Text::Acknowledge));
    }
    out.raw("</div>\n");
}

/// What was done just now, and the way back.
fn done(out: &mut Markup, look: &Look, of: &Of) {
    let Some(done) = of.done.as_ref().filter(|_| look.may(Scope::Edit)) else { return };
    let (device, own) = (&of.device.summary, card::path(&of.device.summary));
    let named = |uid: &Uid| of.names.get(uid).map_or(uid.to_string(), Clone::clone);
    out.raw("<div class=\"banner calm\" id=\"done\" role=\"status\"><p>");
    match done {
        Done::Merged(other) => {
            out.name(look.with(Text::DoneMerged, &[&named(other)])).raw("</p>");
            form(out, look, "", &format!("{own}/split"), |out| {
                parts::hidden(out, "other", other.as_str());
                parts::button(out, "", look.say(Text::UndoMerge));
            });
        }
        Done::Split(other) => {
            out.name(look.with(Text::DoneSplit, &[&named(other)])).raw("</p>");
            form(out, look, "", &format!("devices/{other}/merge"), |out| {
                parts::hidden(out, "into", device.id.as_str());
                parts::button(out, "", look.say(Text::UndoSplit));
            });
        }
    }
    out.raw("</div>");
}

/// What needs somebody.
fn trouble(out: &mut Markup, look: &Look, of: &Of) {
    let detail = &of.device;
    let device = &detail.summary;
    if let Some(other) = &detail.replaced_by {
        out.raw("<p class=\"banner\">").text(look.say(Text::ReplacedBy)).raw(" ");
        link(out, look, &format!("devices/{other}"), of.names.get(other).map_or(other.as_str(), String::as_str));
        out.raw("</p>");
    }
    if let Some(acked) = detail.acked_at {
        out.raw("<p class=\"banner calm\">").text(look.say(Text::AcknowledgedAt)).raw(" ");
        parts::time(out, look, acked);
        out.raw("</p>");
    }
    super::logins::banners(out, look, device, of.rests.as_ref());
    for warning in &detail.report.warnings {
        out.raw("<div class=\"banner\"><p>");
        match look.lang {
            Lang::En => {
                out.name(&warning.message);
                if let Some(hint) = &warning.hint {
                    out.raw("<br><small>").name(hint).raw("</small>");
                }
            }
            lang => advice(out, look, warning, &fixes::advice(lang, &detail.report, warning)),
        }
        out.raw("</p></div>");
    }
}

/// A warning in a language that it was not written in: what it says, and what can be done.
fn advice(out: &mut Markup, look: &Look, warning: &Warning, advice: &fixes::Advice) {
    out.text(super::words_remarks::odd(warning.kind, look.lang)).raw("<br>").name(&advice.found);
    if !warning.others.is_empty() {
        out.raw(" ").name(look.with(Text::OthersToo, &[&warning.others.join(", ")]));
    }
    out.raw("<br><small>").name(&advice.remedy).raw("</small>");
    for (text, command) in advice.commands.iter().flat_map(|(way, undo)| [(Text::ToReach, way), (Text::ToUndo, undo)]) {
        out.raw("<br><small>").text(look.say(text)).raw(": ").element("code", "", command).raw("</small>");
    }
}

fn about(out: &mut Markup, look: &Look, of: &Of) {
    let (device, report) = (&of.device.summary, &of.device.report);
    out.raw("<section class=\"panel\"><h2>").text(look.say(Text::About)).raw("</h2><dl class=\"facts\">");
    fact(out, look.say(Text::Kind), Some(kind(look, device.kind)));
    parts::fact_of_theirs(out, look.say(Text::Maker), device.vendor.as_deref());
    parts::fact_of_theirs(out, look.say(Text::Model), device.model.as_deref());
    parts::fact_of_theirs(out, look.say(Text::Firmware), device.firmware.as_deref());
    parts::fact_of_theirs(out, look.say(Text::Serial), report.serial.as_deref());
    fact(out, look.say(Text::Mac), device.mac.map(|mac| mac.to_string()).as_deref());
    parts::fact_of_theirs(out, look.say(Text::HostName), report.hostname.as_deref());
    parts::fact_of_theirs(
        out,
        look.say(Text::OwnName),
        report.name.as_deref().filter(|name| Some(*name) != device.name.as_deref()),
    );
    let site = [report.site.as_deref(), Some(device.tags.join(", ")).as_deref().filter(|tags| !tags.is_empty())]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" · ");
    parts::fact_of_theirs(out, look.say(Text::SiteAndTags), Some(&site));
    fact_time(out, look, Text::FirstSeen, device.first_seen);
    fact_time(out, look, Text::LastSeen, device.last_seen);
    out.raw("</dl></section>\n");
}

fn fact_time(out: &mut Markup, look: &Look, name: Text, at: Timestamp) {
    out.raw("<div><dt>").text(look.say(name)).raw("</dt><dd>");
    parts::time(out, look, at);
    out.raw("</dd></div>");
}

/// Addresses over time, and services.
fn network(out: &mut Markup, look: &Look, of: &Of) {
    let report = &of.device.report;
    out.raw("<section class=\"panel flush\"><h2>").text(look.say(Text::NetworkAndServices)).raw("</h2>");
    table_head(out, look, look.say(Text::Addresses), &[Text::Address, Text::From, Text::Until]);
    for address in of.addresses.iter().rev() {
        out.raw("<tr><th scope=\"row\" class=\"mono\">").text(&address.ip).raw("</th>");
        cell_of(out, look, Text::From, |out| parts::time(out, look, address.began));
        cell_of(out, look, Text::Until, |out| match address.ended {
            Some(ended) => parts::time(out, look, ended),
            None => {
                out.text(look.say(Text::Now));
            }
        });
        out.raw("</tr>");
    }
    table_end(out);
    if !report.services.is_empty() {
        table_head(
            out,
            look,
            look.say(Text::Services),
            &[Text::Port, Text::Protocol, Text::LoginWord, Text::Identification],
        );
        report.services.iter().for_each(|service| service_row(out, look, service));
        table_end(out);
    }
    out.raw("</section>\n");
}

fn service_row(out: &mut Markup, look: &Look, service: &Service) {
    out.raw("<tr><th scope=\"row\" class=\"number\">")
        .text(format_args!("{}/{}", service.port, service.transport))
        .raw("</th>");
    cell(out, look, Text::Protocol, &service.protocol.as_str().to_uppercase());
    let login = match &service.auth {
        None => String::new(),
        Some(schemes) if schemes.is_empty() => look.say(Text::Open).to_owned(),
        Some(schemes) => schemes.iter().map(|scheme| scheme.as_str()).collect::<Vec<_>>().join(", "),
    };
    cell(out, look, Text::LoginWord, &login);
    let says = [&service.server, &service.title, &service.realm, &service.certificate];
    let says = says.into_iter().flatten().map(String::as_str).chain(service.notes.iter().map(String::as_str));
    parts::cell_of_theirs(out, look, Text::Identification, &says.collect::<Vec<_>>().join(" · "));
    out.raw("</tr>");
}

fn evidence(out: &mut Markup, look: &Look, of: &Of) {
    let (detail, report) = (&of.device, &of.device.report);
    out.raw("<section class=\"panel flush\"><details class=\"fold\"><summary class=\"panel-title\">")
        .text(look.say(Text::Evidence));
    out.raw(" <small class=\"faint\">").text(look.lang.number(report.evidence.len() as u64)).raw("</small></summary>");
    table_head(
        out,
        look,
        look.say(Text::Evidence),
        &[Text::Fact, Text::Value, Text::Source, Text::Weight, Text::Detail],
    );
    for one in &report.evidence {
        out.raw("<tr><th scope=\"row\">").text(look.say(names::fact(one.fact))).raw("</th>");
        match (one.fact, Kind::from_name(&one.value)) {
            (Fact::Kind, Some(known)) => cell(out, look, Text::Value, kind(look, known)),
            _ => parts::cell_of_theirs(out, look, Text::Value, &one.value),
        }
        parts::cell_of_theirs(out, look, Text::Source, &one.source.as_str().replace('_', " "));
        cell(out, look, Text::Weight, &look.lang.decimal(one.weight, 2));
        parts::cell_of_theirs(out, look, Text::Detail, one.detail.as_deref().unwrap_or_default());
        out.raw("</tr>");
    }
    table_end(out);
    table_head(out, look, look.say(Text::RecognisedBy), &[Text::RecognisedBy, Text::FirstSeen, Text::LastSeen]);
    for key in &detail.keys {
        out.raw("<tr><th scope=\"row\"><code>").text(&key.key).raw("</code>");
        if key.shared {
            out.raw(" ");
            badge(out, Tone::Attention, look.say(Text::SharedKey));
        }
        out.raw("</th>");
        cell_of(out, look, Text::FirstSeen, |out| parts::time(out, look, key.first_seen));
        cell_of(out, look, Text::LastSeen, |out| parts::time(out, look, key.last_seen));
        out.raw("</tr>");
    }
    table_end(out);
    out.raw("</details></section>\n");
}

fn events_of(out: &mut Markup, look: &Look, of: &Of) {
    let device = of.device.summary.id.as_str();
    out.raw("<section class=\"panel flush\"><h2>").text(look.say(Text::Events)).raw(" <small>");
    link(out, look, &format!("events?device={device}"), look.say(Text::ShowAll));
    out.raw("</small></h2>");
    if of.events.is_empty() {
        out.raw("<p class=\"empty\">").text(look.say(Text::NoEvents)).raw("</p>");
    }
    out.raw("<ol class=\"timeline\">");
    of.events.iter().for_each(|event| events::item(out, look, event, true));
    out.raw("</ol></section>\n");
}

fn note(out: &mut Markup, look: &Look, of: &Of) {
    let (device, note) = (&of.device.summary, &of.device.note);
    out.raw("<section class=\"panel\" id=\"note\"><h2>").text(look.say(Text::Note)).raw("</h2>");
    if !look.may(Scope::Edit) {
        out.raw("<p>").name(note.text.as_deref().unwrap_or_default()).raw("</p></section>\n");
        return;
    }
    form(out, look, "form", &format!("{}/note", card::path(device)), |out| {
        parts::hidden(out, "rev", &device.rev);
        let long = [("maxlength", "200"), ("autocomplete", "off")];
        parts::field(out, look.say(Text::Name), "name", note.name.as_deref().unwrap_or_default(), &long);
        parts::field(out, look.say(Text::Site), "site", note.site.as_deref().unwrap_or_default(), &long);
        parts::field(
            out,
            look.say(Text::TagsByComma),
            "tags",
            &note.tags.join(", "),
            &[("maxlength", "2000"), ("autocomplete", "off")],
        );
        out.raw("<label>").text(look.say(Text::Remark)).open("textarea", &[("name", "text"), ("maxlength", "200")]);
        out.text(note.text.as_deref().unwrap_or_default()).raw("</textarea></label>");
        let all = Expect::ALL.map(|expect| (expect.as_str(), look.say(super::names::expect(expect))));
        parts::choice(out, look.say(Text::Expect), "expect", note.expect.as_str(), &all);
        parts::button(out, "first", look.say(Text::Save));
    });
    out.raw("</section>\n");
}

/// Mutes, which keep messages back.
fn silence(out: &mut Markup, look: &Look, of: &Of) {
    out.raw("<section class=\"panel stack\" id=\"mute\"><h2>").text(look.say(Text::Messages)).raw("</h2>");
    let path = card::path(&of.device.summary);
    for mute in &of.device.mutes {
        out.raw("<p>");
        badge(out, Tone::Quiet, look.say(Text::Muted));
        out.raw(" ").name(super::notifications::scope(look, &mute.scope, &of.names));
        if let Some(ends) = mute.ends {
            out.raw(" ").text(look.say(Text::Until)).raw(" ");
            parts::time(out, look, ends);
        }
        if let Some(why) = &mute.why {
            out.raw(" · ").foreign(why);
        }
        out.raw("</p>");
        if look.may(Scope::Edit) {
            act(out, look, &format!("mutes/{}/end", mute.id), "", look.say(Text::EndMute));
        }
    }
    if look.may(Scope::Edit) {
        form(out, look, "form", &format!("{path}/mute"), |out| super::notifications::mute_fields(out, look));
    } else if of.device.mutes.is_empty() {
        out.raw("<p class=\"faint\">").text(look.say(Text::NotMuted)).raw("</p>");
    }
    out.raw("</section>\n");
}

fn export(out: &mut Markup, look: &Look, of: &Of) {
    let device = &of.device.summary;
    out.raw("<section class=\"panel\"><h2>").text(look.say(Text::Export)).raw("</h2>");
    out.open("form", &[("class", "row"), ("action", &look.to("export"))]);
    parts::hidden(out, "id", device.id.as_str());
    let formats: Vec<(&str, &str)> = of.formats.iter().map(|name| (*name, *name)).collect();
    parts::choice(out, look.say(Text::Format), "format", "csv", &formats);
    parts::button(out, "", look.say(Text::Export));
    out.raw("</form></section>\n");
}

/// What is seldom done.
fn rare(out: &mut Markup, look: &Look, of: &Of) {
    if !look.may(Scope::Edit) {
        return;
    }
    let (detail, device) = (&of.device, &of.device.summary);
    let path = card::path(device);
    out.raw("<section class=\"panel\"><details class=\"fold\"><summary>")
        .text(look.say(Text::MoreActions))
        .raw("</summary><div class=\"form\">");
    form(out, look, "form", &format!("{path}/merge"), |out| {
        parts::field(out, look.say(Text::MergeInto), "into", "", &[("required", "required"), ("maxlength", "200")]);
        out.raw("<p class=\"hint\">").text(look.say(Text::MergeHint)).raw("</p>");
        parts::button(out, "", look.say(Text::Merge));
    });
    for merged in &detail.merged {
        out.raw("<p>").text(look.say(Text::WasMerged)).raw(" ");
        out.name(of.names.get(merged).map_or(merged.as_str(), String::as_str)).raw("</p>");
        form(out, look, "", &format!("{path}/split"), |out| {
            parts::hidden(out, "other", merged.as_str());
            parts::button(out, "", look.say(Text::Split));
        });
    }
    match device.archived_at {
        None => act(out, look, &format!("{path}/archive"), "danger", look.say(Text::Archive)),
        Some(_) => act(out, look, &format!("{path}/unarchive"), "", look.say(Text::Unarchive)),
    }
    out.raw("</div></details></section>\n");
}
