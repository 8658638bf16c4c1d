//! A device in a list: as a card with its picture, and as a row of a table.

use super::look::Look;
use super::names::{device_state, kind, stream_state};
use super::parts::{self, age, badge, cell_of, drawing, icon, tag};
use super::words::Text;
use crate::export::words::Tone;
use crate::history::memory::{DeviceState, StreamState};
use crate::markup::Markup;
use crate::model::access::Scope;
use crate::serve::view::Picture;
use crate::serve::view::device::{DeviceView, Flag};
use crate::serve::view::stream::StreamView;

/// How a device stands: what matters most about it, in colour and word.
pub fn standing(device: &DeviceView) -> (Tone, Text) {
    let is = |flag| device.is.contains(&flag);
    match device.state {
        _ if is(Flag::Archived) => (Tone::Quiet, Text::Archived),
        DeviceState::Offline if is(Flag::Replaced) => (Tone::Quiet, Text::EventDeviceReplaced),
        DeviceState::Offline => (Tone::Bad, device_state(device.state)),
        _ if is(Flag::Missing) => (Tone::Attention, Text::NotAnswering),
        DeviceState::Unknown => (Tone::Quiet, device_state(device.state)),
        _ if is(Flag::Foreign) => (Tone::Attention, Text::OtherSubnet),
        _ if is(Flag::NoFrames) => (Tone::Bad, Text::NoFrames),
        _ if is(Flag::Login) => (Tone::Attention, Text::LoginNeeded),
        _ if is(Flag::Flapping) => (Tone::Attention, Text::Unstable),
        DeviceState::Online => (Tone::Good, device_state(device.state)),
    }
}

/// Whether nothing may look alive about it.
fn is_down(device: &DeviceView) -> bool {
    device.state != DeviceState::Online || device.is.contains(&Flag::Missing) || device.is.contains(&Flag::NoFrames)
}

/// What it is called, for people.
pub fn name(device: &DeviceView) -> String {
    let model =
        || [device.vendor.as_deref(), device.model.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    device
        .name
        .clone()
        .filter(|name| !name.trim().is_empty())
        .or_else(|| Some(model()))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| device.ip.to_string())
}

/// The path of its page.
pub fn path(device: &DeviceView) -> String {
    format!("devices/{}", device.id)
}

/// It as a card.
pub fn card(out: &mut Markup, look: &Look, device: &DeviceView) {
    out.open("article", &[("class", "card"), ("data-id", device.id.as_str())]);
    picker(out, look, device, "picker");
    let shown = device.picture.as_ref();
    still(out, look, shown, &name(device), is_down(device).then(|| stamp_of(device)), nothing_shown(device));
    out.raw("<div class=\"body\"><div class=\"line\"><h3>");
    out.open("a", &[("href", &look.to(&path(device)))]).name(name(device)).raw("</a></h3>");
    let (tone, word) = standing(device);
    badge(out, tone, look.say(word));
    out.raw("</div><div class=\"line what\"><span class=\"mono\">").text(device.ip).raw("</span>");
    let about = about(look, device);
    if !about.is_empty() {
        out.raw("<span>").name(about).raw("</span>");
    }
    out.raw("</div><div class=\"line what\"><span class=\"steady\">").text(in_short(look, device)).raw("</span>");
    age(out, look, device.since);
    out.raw("</div></div><div class=\"marks\">");
    marks(out, look, device);
    out.raw("</div></article>\n");
}

/// It as a row.
pub fn row(out: &mut Markup, look: &Look, device: &DeviceView) {
    out.open("tr", &[("data-id", device.id.as_str())]);
    if look.may(Scope::Edit) {
        out.raw("<td>");
        picker(out, look, device, "tick");
        out.raw("</td>");
    }
    out.raw("<th scope=\"row\">").open("a", &[("href", &look.to(&path(device)))]).name(name(device)).raw("</a></th>");
    let (tone, word) = standing(device);
    cell_of(out, look, Text::State, |out| badge(out, tone, look.say(word)));
    cell_of(out, look, Text::Since, |out| age(out, look, device.since));
    cell_of(out, look, Text::Address, |out| {
        out.raw("<span class=\"mono\">").text(device.ip).raw("</span>");
    });
    parts::cell(out, look, Text::Kind, kind(look, device.kind));
    parts::cell(out, look, Text::Model, &model(device));
    parts::cell(out, look, Text::Picture, &best(device).map(video).unwrap_or_default());
    cell_of(out, look, Text::Streams, |out| {
        out.text(working(device));
    });
    cell_of(out, look, Text::SiteAndTags, |out| {
        if let Some(site) = &device.site {
            out.name(site).raw(" ");
        }
        device.tags.iter().for_each(|word| tag(out, word));
        marks(out, look, device);
    });
    out.raw("</tr>\n");
}

fn picker(out: &mut Markup, look: &Look, device: &DeviceView, class: &str) {
    if !look.may(Scope::Edit) {
        return;
    }
    let label = look.with(Text::SelectDevice, &[&name(device)]);
    out.open("label", &[("class", class)]).raw("<span class=\"spoken\">").text(label).raw("</span>");
    let value = device.id.as_str();
    out.open("input", &[("type", "checkbox"), ("class", "pick"), ("name", "id"), ("value", value)]).raw("</label>");
}

/// A picture with its age. `stamp` is what is written over it where the state is bad: an old picture never looks alive.
/// `nothing` is said where there is none.
pub fn still(
    out: &mut Markup,
    look: &Look,
    picture: Option<&Picture>,
    of: &str,
    stamp: Option<(Text, Option<jiff::Timestamp>)>,
    nothing: Text,
) {
    let class = if stamp.is_some() { "still stale" } else { "still" };
    out.open("div", &[("class", class)]);
    match picture {
        Some(picture) => {
            let src = look.to(&format!("api/v1/streams/{}/picture.jpg?v={}", picture.stream, picture.hash));
            let alt = look.with(Text::PictureOf, &[of]);
            out.open("img", &[("src", &src), ("alt", &alt), ("loading", "lazy"), ("decoding", "async")]);
            if let Some((word, since)) = stamp {
                out.raw("<span class=\"stamp\">").text(look.say(word));
                if let Some(since) = since {
                    out.raw("<small>").text(look.say(Text::SinceWord)).raw(" ");
                    parts::time(out, look, since);
                    out.raw("</small>");
                }
                out.raw("</span>");
            }
            out.raw("<span class=\"age\">");
            age(out, look, picture.at);
            out.raw("</span>");
        }
        None => {
            icon(out, drawing::CAMERA);
            out.raw("<span class=\"none\">").text(look.say(nothing)).raw("</span>");
        }
    }
    out.raw("</div>");
}

fn stamp_of(device: &DeviceView) -> (Text, Option<jiff::Timestamp>) {
    let (_, word) = standing(device);
    let since = match word {
        Text::NotAnswering => Some(device.last_seen),
        Text::NoFrames => {
            device.streams.iter().filter(|stream| stream.state == StreamState::Broken).map(|stream| stream.since).min()
        }
        _ => Some(device.since),
    };
    (word, since)
}

/// Why there is no picture.
fn nothing_shown(device: &DeviceView) -> Text {
    match device.state {
        _ if device.is.contains(&Flag::Foreign) => Text::OtherSubnet,
        DeviceState::Offline => Text::NoPictureOffline,
        _ if device.streams.is_empty() => Text::NoStreams,
        _ if device.is.contains(&Flag::Login) => Text::NoPictureLogin,
        _ if device.is.contains(&Flag::NoFrames) => Text::NoFrames,
        _ => Text::NoPictureYet,
    }
}

fn model(device: &DeviceView) -> String {
    [device.vendor.as_deref(), device.model.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What it is, where that is not its name already.
fn about(look: &Look, device: &DeviceView) -> String {
    let model = model(device);
    if !model.is_empty() && model != name(device) { model } else { kind(look, device.kind).to_owned() }
}

/// The stream with the largest picture, one that works first.
fn best(device: &DeviceView) -> Option<&StreamView> {
    device.streams.iter().max_by_key(|stream| {
        let pixels = u64::from(stream.width.unwrap_or(0)) * u64::from(stream.height.unwrap_or(0));
        (stream.state == StreamState::Working, pixels)
    })
}

/// `1080p 25 H.264`.
pub fn video(stream: &StreamView) -> String {
    let size = match (stream.width, stream.height) {
        (Some(width), Some(height)) if u64::from(width) * 9 == u64::from(height) * 16 => Some(format!("{height}p")),
        (Some(width), Some(height)) => Some(format!("{width}×{height}")),
        _ => None,
    };
    let fps = stream.fps.map(|fps| fps.round().to_string());
    let codec = stream.codec.map(|codec| codec.in_words().to_owned());
    [size, fps, codec].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// `2 of 3`: streams that work.
fn working(device: &DeviceView) -> String {
    let working = device.streams.iter().filter(|stream| stream.state == StreamState::Working).count();
    match device.streams.len() {
        0 => String::new(),
        all => format!("{working}/{all}"),
    }
}

fn in_short(look: &Look, device: &DeviceView) -> String {
    match best(device) {
        Some(stream) if !video(stream).is_empty() => video(stream),
        Some(stream) => look.say(stream_state(stream.state)).to_owned(),
        None => look.say(Text::NoStreams).to_owned(),
    }
}

/// What is true of it besides its standing.
fn marks(out: &mut Markup, look: &Look, device: &DeviceView) {
    let (_, word) = standing(device);
    let all = [
        (Flag::New, Text::New, Tone::Fair),
        (Flag::Open, Text::Open, Tone::Attention),
        (Flag::Flapping, Text::Unstable, Tone::Attention),
        (Flag::Muted, Text::Muted, Tone::Quiet),
    ];
    for (flag, text, tone) in all {
        if device.is.contains(&flag) && text != word {
            badge(out, tone, look.say(text));
        }
    }
}
