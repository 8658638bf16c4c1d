//! A group of cameras, live.

use std::collections::BTreeSet;

use super::card;
use super::look::Look;
use super::parts::{self, drawing, icon};
use super::shell::{Nav, Page};
use super::words::Text;
use crate::history::memory::StreamState;
use crate::markup::Markup;
use crate::serve::view::device::DeviceView;
use crate::serve::view::filter::Query;
use crate::serve::view::stream::StreamView;
use crate::serve::view::summary::Summary;

/// The most tiles at once: more than a browser decodes well.
pub const MOST: usize = 16;

/// Everything that the page shows.
pub struct Wall {
    /// The devices of the group.
    pub devices: Vec<DeviceView>,
    /// What is known, in numbers: which groups there are.
    pub summary: Summary,
    /// What is wanted.
    pub query: Query,
}

/// The page.
pub fn page(look: &Look, wall: &Wall) -> Page {
    let tiles: Vec<(&DeviceView, &StreamView)> = tiles(wall);
    Page::new(look, look.say(Text::Wall), Nav::Wall, |out| {
        out.raw("<div class=\"head\"><h1 class=\"grow\">").text(look.say(Text::Wall)).raw("</h1></div>");
        choose(out, look, wall);
        if tiles.is_empty() {
            out.raw("<p class=\"empty\">").text(look.say(Text::NothingToWatch)).raw("</p>");
            return;
        }
        if tiles.len() > MOST {
            let (shown, all) = (MOST.to_string(), tiles.len().to_string());
            out.raw("<p class=\"hint\">").text(look.with(Text::WallFull, &[&shown, &all])).raw("</p>");
        }
        out.open("noscript", &[])
            .raw("<p class=\"banner\">")
            .text(look.say(Text::LiveNeedsScript))
            .raw("</p></noscript>");
        out.raw("<div class=\"wall\" data-wall>\n");
        tiles.iter().take(MOST).for_each(|(device, stream)| tile(out, look, device, stream));
        out.raw("</div>\n");
    })
}

/// One stream of each device: the one that was asked for, else the smallest that works, which costs least.
fn tiles(wall: &Wall) -> Vec<(&DeviceView, &StreamView)> {
    let wanted: BTreeSet<&str> = wall.query.all("stream").collect();
    if !wanted.is_empty() {
        let all = wall.devices.iter().flat_map(|device| device.streams.iter().map(move |stream| (device, stream)));
        return all.filter(|(_, stream)| wanted.contains(stream.id.as_str())).collect();
    }
    wall.devices
        .iter()
        .flat_map(|device| {
            let mut channels: BTreeSet<Option<u32>> = device.streams.iter().map(|stream| stream.channel).collect();
            if channels.len() > 1 {
                channels.remove(&None);
            }
            channels.into_iter().filter_map(move |channel| {
                let own = device.streams.iter().filter(|stream| stream.channel == channel);
                let own = own.filter(|stream| !matches!(stream.state, StreamState::Locked));
                Some((device, own.min_by_key(|stream| (!is_alive(stream), pixels(stream)))?))
            })
        })
        .collect()
}

fn is_alive(stream: &StreamView) -> bool {
    matches!(stream.state, StreamState::Working | StreamState::Described | StreamState::Degraded)
}

fn pixels(stream: &StreamView) -> u64 {
    u64::from(stream.width.unwrap_or(u32::MAX)) * u64::from(stream.height.unwrap_or(u32::MAX))
}

/// Which group.
fn choose(out: &mut Markup, look: &Look, wall: &Wall) {
    let value = |key: &str| wall.query.all(key).next().unwrap_or_default().to_owned();
    out.open("form", &[("class", "tools"), ("action", &look.to("wall")), ("data-auto", "")]);
    let groups = [
        ("site", Text::Site, &wall.summary.sites),
        ("tag", Text::Tag, &wall.summary.tags),
        ("subnet", Text::Network, &wall.summary.subnets),
    ];
    for (key, name, all) in groups.into_iter().filter(|(_, _, all)| !all.is_empty()) {
        let mut options = vec![("", look.say(Text::All))];
        options.extend(all.keys().map(|name| (name.as_str(), name.as_str())));
        parts::choice(out, look.say(name), key, &value(key), &options);
    }
    parts::button(out, "", look.say(Text::Show));
    out.raw("</form>");
}

/// A tile: the last picture until the live one comes, and what it is.
fn tile(out: &mut Markup, look: &Look, device: &DeviceView, stream: &StreamView) {
    out.open("article", &[("class", "tile"), ("data-stream", stream.id.as_str())]).raw("<div class=\"screen\">");
    if let Some(picture) = &stream.picture {
        let src = look.to(&format!("api/v1/streams/{}/picture.jpg?v={}", picture.stream, picture.hash));
        let alt = look.with(Text::PictureOf, &[&card::name(device)]);
        out.open("img", &[("src", &src), ("alt", &alt), ("loading", "lazy"), ("data-still", "")]);
    } else {
        icon(out, drawing::CAMERA);
    }
    out.raw("<p class=\"why\" role=\"status\"></p><p class=\"stats\" hidden></p></div><div class=\"bar\">");
    out.open("a", &[("href", &look.to(&card::path(device)))]).name(card::name(device));
    out.raw(" <small>").text(card::video(stream)).raw("</small></a>");
    controls(out, look);
    out.raw("</div></article>\n");
}

/// Sound, numbers, full screen: shown by the script, for nothing of it works without.
pub fn controls(out: &mut Markup, look: &Look) {
    for (what, text, sign) in [
        ("sound", Text::SoundOn, drawing::SOUND),
        ("stats", Text::Statistics, drawing::FIGURES),
        ("full", Text::FullScreen, drawing::WHOLE_SCREEN),
    ] {
        let name = look.say(text);
        let attributes =
            [("type", "button"), ("data-do", what), ("aria-label", name), ("title", name), ("aria-pressed", "false")];
        out.open_with("button", &attributes, &[("hidden", true)]);
        icon(out, sign);
        out.raw("</button>");
    }
}
