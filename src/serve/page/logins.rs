//! Which login works where, and how one is given. No password is ever shown.

use super::look::Look;
use super::names::event;
use super::parts::{self, act, badge, button, cell, cell_of, field, form, hidden, link, table_end, table_head};
use super::shell::{Nav, Page};
use super::words::Text;
use crate::export::words::Tone;
use crate::markup::Markup;
use crate::model::access::Scope;
use crate::model::memory::{EventKind, Uid};
use crate::serve::auth::devices::Rests;
use crate::serve::view::device::{DeviceView, Flag};
use crate::serve::view::login::LoginView;

/// A login that was given on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Its number.
    pub id: i64,
    /// The user name.
    pub user: String,
    /// What it is for, in words.
    pub scope: String,
    /// The device it is for, and what looks like it; none where it is sent.
    pub rests: Option<(Uid, Rests)>,
    /// When it was given.
    pub at: jiff::Timestamp,
    /// The account that gave it.
    pub by: String,
}

/// Everything that the page shows.
pub struct Logins {
    /// The devices that want a login, or took one.
    pub devices: Vec<LoginView>,
    /// The logins that were given on the page.
    pub given: Vec<Given>,
    /// The device the form is for, where one came from there.
    pub of: Option<String>,
    /// Why logins cannot be kept here.
    pub locked: Option<String>,
}

/// The page.
pub fn page(look: &Look, all: &Logins) -> Page {
    Page::new(look, look.say(Text::Logins), Nav::Logins, |out| {
        out.raw("<div class=\"head\"><div class=\"grow\"><h1>").text(look.say(Text::Logins)).raw("</h1><p>");
        out.text(look.say(Text::LoginsWhat)).raw("</p></div></div><div class=\"columns two\"><div class=\"stack\">");
        devices(out, look, &all.devices);
        given(out, look, &all.given);
        out.raw("</div><div>");
        add(out, look, all);
        out.raw("</div></div>");
    })
}

fn devices(out: &mut Markup, look: &Look, all: &[LoginView]) {
    out.raw("<section class=\"panel flush\"><h2>").text(look.say(Text::WhereWorks)).raw("</h2>");
    if all.is_empty() {
        out.raw("<p class=\"empty\">").text(look.say(Text::NoLogins)).raw("</p></section>");
        return;
    }
    table_head(
        out,
        look,
        look.say(Text::WhereWorks),
        &[Text::Device, Text::State, Text::User, Text::LastWorked, Text::Refused, Text::TryAgain],
    );
    for login in all {
        out.raw("<tr><th scope=\"row\">");
        let ip = login.ip.to_string();
        let name = login.name.as_deref().unwrap_or(&ip);
        link(out, look, &format!("devices/{}", login.device), name);
        if name != ip {
            out.raw(" <span class=\"mono faint\">").text(&ip).raw("</span>");
        }
        out.raw("</th>");
        cell_of(out, look, Text::State, |out| match (&login.problem, login.locked, login.worked_at) {
            (Some(problem), ..) => badge(out, tone(problem.kind), look.say(event(problem.kind))),
            (None, true, _) => badge(out, Tone::Attention, look.say(Text::LoginNeeded)),
            (None, false, Some(_)) => badge(out, Tone::Good, look.say(Text::LoginWorks)),
            (None, false, None) => badge(out, Tone::Quiet, look.say(Text::Unknown)),
        });
        let elsewhere = login.worked_at.map_or("", |_| look.say(Text::OfConfiguration));
        cell(out, look, Text::User, login.user.as_deref().unwrap_or(elsewhere));
        cell_of(out, look, Text::LastWorked, |out| {
            if let Some(at) = login.worked_at {
                parts::time(out, look, at);
            }
        });
        let (refused, all) = (login.refused.to_string(), login.refused.saturating_add(login.refusals_left).to_string());
        cell(out, look, Text::Refused, &look.with(Text::OfAllowed, &[&refused, &all]));
        cell_of(out, look, Text::TryAgain, |out| {
            if login.problem.as_ref().is_some_and(|problem| problem.rests) || login.refused > 0 {
                act(out, look, &format!("logins/{}/retry", login.device), "", look.say(Text::TryAgain));
            }
            if login.locked {
                let to = look.to(&format!("logins?device={}#add", login.device));
                out.raw(" ").open("a", &[("class", "button"), ("href", &to)]);
                out.text(look.say(Text::AddLogin)).raw("</a>");
            }
        });
        out.raw("</tr>");
    }
    table_end(out);
    out.raw("</section>");
}

/// A login that camscan itself lets rest is no failure of the device.
fn tone(kind: EventKind) -> Tone {
    if kind == EventKind::LoginRests { Tone::Attention } else { Tone::Bad }
}

/// What the page of a device says of its logins: that one is refused, rests or is wanted.
pub(super) fn banners(out: &mut Markup, look: &Look, device: &DeviceView, rests: Option<&Rests>) {
    if let Some(login) = &device.login {
        let class = if tone(login.kind) == Tone::Bad { "banner bad" } else { "banner" };
        out.open("div", &[("class", class)]).raw("<p>").text(look.say(event(login.kind))).raw(" · ");
        parts::time(out, look, login.since);
        out.raw("</p>");
        if login.rests && look.may(Scope::Admin) {
            act(out, look, &format!("logins/{}/retry", device.id), "", look.say(Text::TryAgain));
        }
        out.raw("</div>");
    }
    if let Some(rests) = rests.filter(|_| look.may(Scope::Admin)) {
        out.raw("<div class=\"banner\">");
        resting(out, look, &device.id, rests);
        out.raw("</div>");
    }
    if device.is.contains(&Flag::Login) && look.may(Scope::Admin) {
        out.raw("<div class=\"banner\"><p>").text(look.say(Text::LoginWanted)).raw("</p><p>");
        let to = look.to(&format!("logins?device={}#add", device.id));
        out.open("a", &[("class", "button"), ("href", &to)]).text(look.say(Text::AddLogin)).raw("</a></p></div>");
    }
}

/// What looks like the device of a login, and the way to confirm that it is.
fn resting(out: &mut Markup, look: &Look, device: &Uid, rests: &Rests) {
    let (ip, mac) = (rests.ip.to_string(), rests.mac.map(|mac| mac.to_string()));
    let name = rests.name.as_deref().unwrap_or(&ip);
    let card = mac.as_deref().unwrap_or("?");
    out.raw("<p>").text(look.with(Text::LoginRests, &[name, &ip, card])).raw("</p>");
    form(out, look, "", &format!("logins/{device}/confirm"), |out| {
        // What is confirmed is what is shown: it may be elsewhere when this is sent.
        hidden(out, "ip", &ip);
        hidden(out, "mac", mac.as_deref().unwrap_or_default());
        button(out, "", look.say(Text::ConfirmLogin));
    });
}

fn given(out: &mut Markup, look: &Look, all: &[Given]) {
    if all.is_empty() {
        return;
    }
    out.raw("<section class=\"panel flush\"><h2>").text(look.say(Text::GivenHere)).raw("</h2>");
    table_head(
        out,
        look,
        look.say(Text::GivenHere),
        &[Text::User, Text::For, Text::Made, Text::StartedBy, Text::Remove],
    );
    for login in all {
        out.raw("<tr><th scope=\"row\">").name(&login.user).raw("</th>");
        cell_of(out, look, Text::For, |out| {
            out.name(&login.scope);
            if let Some((device, rests)) = &login.rests {
                resting(out, look, device, rests);
            }
        });
        cell_of(out, look, Text::Made, |out| parts::time(out, look, login.at));
        cell(out, look, Text::StartedBy, &login.by);
        cell_of(out, look, Text::Remove, |out| {
            act(out, look, &format!("logins/{}/remove", login.id), "danger", look.say(Text::Remove))
        });
        out.raw("</tr>");
    }
    table_end(out);
    out.raw("</section>");
}

fn add(out: &mut Markup, look: &Look, all: &Logins) {
    out.raw("<section class=\"panel\" id=\"add\"><h2>").text(look.say(Text::AddLogin)).raw("</h2>");
    if let Some(why) = &all.locked {
        out.raw("<p class=\"note\">").text(why).raw("</p></section>");
        return;
    }
    parts::form(out, look, "form", "logins", |out| {
        let kinds = [("device", Text::ThisDevice), ("vendor", Text::Maker), ("network", Text::Network)]
            .map(|(value, text)| (value, look.say(text)));
        parts::choice(out, look.say(Text::For), "scope", "device", &kinds);
        let of = all.of.as_deref().unwrap_or_default();
        parts::field(
            out,
            look.say(Text::LoginOf),
            "of",
            of,
            &[("required", "required"), ("maxlength", "200"), ("autocomplete", "off")],
        );
        field(
            out,
            look.say(Text::User),
            "user",
            "",
            &[("required", "required"), ("maxlength", "200"), ("autocomplete", "off")],
        );
        field(
            out,
            look.say(Text::Password),
            "password",
            "",
            &[("type", "password"), ("maxlength", "200"), ("autocomplete", "new-password")],
        );
        out.raw("<p class=\"hint\">").text(look.say(Text::AddLoginHint)).raw("</p>");
        parts::button(out, "first", look.say(Text::AddLogin));
    });
    out.raw("</section>");
}
