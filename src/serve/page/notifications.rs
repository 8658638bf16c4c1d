//! Channels with their last answer, messages that wait, and what is muted.

use std::collections::BTreeMap;

use super::look::Look;
use super::names::delivery;
use super::parts::{self, act, badge, cell, cell_of, table_end, table_head};
use super::shell::{Nav, Page};
use super::words::Text;
use crate::export::words::Tone;
use crate::history::memory::MuteScope;
use crate::markup::Markup;
use crate::model::access::Scope;
use crate::model::memory::{DeliveryState, Uid};
use crate::serve::view::mute::MuteView;
use crate::serve::view::notification::{ChannelView, NotificationView};

/// Everything that the page shows.
pub struct Notifications {
    /// The channels of the configuration.
    pub channels: Vec<ChannelView>,
    /// The last messages, the latest first.
    pub messages: Vec<NotificationView>,
    /// What is muted.
    pub mutes: Vec<MuteView>,
    /// What the devices are called that are muted.
    pub names: BTreeMap<Uid, String>,
}

/// The page.
pub fn page(look: &Look, all: &Notifications) -> Page {
    Page::new(look, look.say(Text::Notifications), Nav::Notifications, |out| {
        out.raw("<div class=\"head\"><h1 class=\"grow\">")
            .text(look.say(Text::Notifications))
            .raw("</h1></div><div class=\"stack\">");
        channels(out, look, &all.channels);
        mutes(out, look, all);
        messages(out, look, &all.messages);
        out.raw("</div>");
    })
}

fn channels(out: &mut Markup, look: &Look, all: &[ChannelView]) {
    out.raw("<section class=\"panel flush\"><h2>").text(look.say(Text::Channels)).raw("</h2>");
    if all.is_empty() {
        out.raw("<p class=\"empty\">").text(look.say(Text::NoChannels)).raw("</p></section>");
        return;
    }
    table_head(
        out,
        look,
        look.say(Text::Channels),
        &[Text::Name, Text::Kind, Text::State, Text::LastDelivered, Text::Waiting, Text::Test],
    );
    for channel in all {
        out.raw("<tr><th scope=\"row\">").name(&channel.name).raw("</th>");
        cell(out, look, Text::Kind, &channel.kind);
        cell_of(out, look, Text::State, |out| match &channel.error {
            Some(error) => {
                badge(out, Tone::Bad, look.say(Text::ChannelFails));
                out.raw(" <small>").original(error).raw("</small>");
            }
            None if channel.last_done.is_some() => badge(out, Tone::Good, look.say(Text::ChannelWorks)),
            None => badge(out, Tone::Quiet, look.say(Text::NeverUsed)),
        });
        cell_of(out, look, Text::LastDelivered, |out| {
            if let Some(at) = channel.last_done {
                parts::time(out, look, at);
            }
        });
        cell_of(out, look, Text::Waiting, |out| {
            out.text(look.lang.number(channel.waiting));
            if let Some(since) = channel.waiting_since {
                out.raw(" <small>").text(look.say(Text::SinceWord)).raw(" ");
                parts::time(out, look, since);
                out.raw("</small>");
            }
        });
        cell_of(out, look, Text::Test, |out| {
            if look.may(Scope::Edit) {
                let path = format!("channels/{}/test", parts::segment(&channel.name));
                act(out, look, &path, "", look.say(Text::SendTest));
            }
        });
        out.raw("</tr>");
    }
    table_end(out);
    out.raw("</section>");
}

fn mutes(out: &mut Markup, look: &Look, page: &Notifications) {
    let all = &page.mutes;
    out.raw("<section class=\"panel\"><h2>").text(look.say(Text::Mutes)).raw("</h2>");
    if all.is_empty() {
        out.raw("<p class=\"faint\">").text(look.say(Text::NothingMuted)).raw("</p>");
    } else {
        table_head(
            out,
            look,
            look.say(Text::Mutes),
            &[Text::What, Text::Devices, Text::Until, Text::Why, Text::StartedBy, Text::EndMute],
        );
        for mute in all {
            out.raw("<tr><th scope=\"row\">").name(scope(look, &mute.scope, &page.names)).raw("</th>");
            cell(out, look, Text::Devices, &look.lang.number(mute.devices));
            cell_of(out, look, Text::Until, |out| match mute.ends {
                Some(ends) => parts::time(out, look, ends),
                None => {
                    out.text(look.say(Text::UntilEnded));
                }
            });
            parts::cell_of_theirs(out, look, Text::Why, mute.why.as_deref().unwrap_or_default());
            cell(out, look, Text::StartedBy, mute.by.as_deref().unwrap_or_default());
            cell_of(out, look, Text::EndMute, |out| {
                if look.may(Scope::Edit) {
                    act(out, look, &format!("mutes/{}/end", mute.id), "", look.say(Text::EndMute));
                }
            });
            out.raw("</tr>");
        }
        table_end(out);
    }
    if look.may(Scope::Edit) {
        out.raw("<details class=\"fold\"><summary>").text(look.say(Text::NewMute)).raw("</summary>");
        parts::form(out, look, "form", "mutes", |out| {
            let kinds = [("site", Text::Site), ("tag", Text::Tag), ("network", Text::Network)]
                .map(|(value, text)| (value, look.say(text)));
            out.raw("<div class=\"row\">");
            parts::choice(out, look.say(Text::What), "scope", "site", &kinds);
            parts::field(
                out,
                look.say(Text::NameOrNetwork),
                "of",
                "",
                &[("required", "required"), ("maxlength", "200")],
            );
            out.raw("</div>");
            mute_fields(out, look);
        });
        out.raw("</details>");
    }
    out.raw("</section>");
}

/// For how long, why, and the button.
pub fn mute_fields(out: &mut Markup, look: &Look) {
    let hours = [
        ("1", Text::OneHour),
        ("8", Text::EightHours),
        ("24", Text::OneDay),
        ("168", Text::OneWeek),
        ("", Text::UntilEnded),
    ]
    .map(|(value, text)| (value, look.say(text)));
    out.raw("<div class=\"row\">");
    parts::choice(out, look.say(Text::MuteFor), "hours", "8", &hours);
    parts::field(out, look.say(Text::Why), "why", "", &[("maxlength", "200"), ("autocomplete", "off")]);
    parts::button(out, "", look.say(Text::Mute));
    out.raw("</div>");
}

fn messages(out: &mut Markup, look: &Look, all: &[NotificationView]) {
    out.raw("<section class=\"panel flush\"><h2>").text(look.say(Text::Outbox)).raw("</h2>");
    if all.is_empty() {
        out.raw("<p class=\"empty\">").text(look.say(Text::NoMessages)).raw("</p></section>");
        return;
    }
    table_head(
        out,
        look,
        look.say(Text::Outbox),
        &[Text::Made, Text::Channel, Text::State, Text::Tries, Text::Next, Text::Events],
    );
    for message in all {
        out.raw("<tr><th scope=\"row\">");
        parts::time(out, look, message.created_at);
        out.raw("</th>");
        cell(out, look, Text::Channel, &message.channel);
        let (tone, state) = delivery(message.state);
        cell_of(out, look, Text::State, |out| {
            badge(out, tone, look.say(state));
            if let Some(error) = &message.error {
                out.raw(" <small>").original(error).raw("</small>");
            }
        });
        cell(out, look, Text::Tries, &message.tries.to_string());
        cell_of(out, look, Text::Next, |out| match message.due_at {
            Some(due) => parts::time(out, look, due),
            None if message.state == DeliveryState::Dead && look.may(Scope::Edit) => {
                act(out, look, &format!("notifications/{}/retry", message.id), "", look.say(Text::TryAgain));
            }
            None => {}
        });
        let is_test = message.events.is_empty() && message.message_id.starts_with("test-");
        let events = look.lang.number(message.events.len() as u64);
        cell(out, look, Text::Events, if is_test { look.say(Text::Test) } else { &events });
        out.raw("</tr>");
    }
    table_end(out);
    out.raw("</section>");
}

/// What a mute is of, in words.
pub fn scope(look: &Look, scope: &MuteScope, names: &BTreeMap<Uid, String>) -> String {
    match scope {
        MuteScope::Device(uid) => names.get(uid).map_or_else(|| uid.to_string(), Clone::clone),
        MuteScope::Site(site) => format!("{} {site}", look.say(Text::Site)),
        MuteScope::Tag(tag) => format!("{} {tag}", look.say(Text::Tag)),
        MuteScope::Network(network) => format!("{} {network}", look.say(Text::Network)),
    }
}
