//! The streams of a device with their proofs: which step was reached, and what is declared and measured.

use super::card;
use super::look::Look;
use super::names::{error, step, stream_state, stream_tone};
use super::parts::{self, badge, fact};
use super::words::Text;
use crate::export::survey::lang::Lang;
use crate::export::words::{self, Tone};
use crate::history::memory::{DeviceState, StreamState};
use crate::markup::Markup;
use crate::model::access::Scope;
use crate::model::{AudioCodec, VideoCodec};
use crate::serve::view::device::DeviceView;
use crate::serve::view::stream::StreamDetail;

/// The section.
pub fn section(out: &mut Markup, look: &Look, device: &DeviceView, all: &[StreamDetail]) {
    out.raw("<section class=\"panel\"><h2>").text(look.say(Text::Streams)).raw("</h2>");
    if all.is_empty() {
        out.raw("<p class=\"faint\">").text(look.say(Text::NoStreams)).raw("</p></section>\n");
        return;
    }
    out.raw("<ul class=\"streams\">");
    for stream in all.iter().filter(|stream| stream.summary.gone_at.is_none()) {
        self::stream(out, look, device, stream);
    }
    out.raw("</ul>");
    let gone: Vec<&StreamDetail> = all.iter().filter(|stream| stream.summary.gone_at.is_some()).collect();
    if !gone.is_empty() {
        out.raw("<details class=\"fold\"><summary>")
            .text(look.say(Text::GoneStreams))
            .raw("</summary><ul class=\"reasons\">");
        for stream in gone {
            out.raw("<li>").element("code", "", &stream.summary.url).raw(" ");
            if let Some(at) = stream.summary.gone_at {
                parts::time(out, look, at);
            }
            out.raw("</li>");
        }
        out.raw("</ul></details>");
    }
    out.raw("</section>\n");
}

fn stream(out: &mut Markup, look: &Look, device: &DeviceView, stream: &StreamDetail) {
    let short = &stream.summary;
    out.open("li", &[("class", "stream"), ("id", short.id.as_str())]).raw("<div>");
    screen(out, look, device, stream);
    out.raw("</div><div class=\"about\"><h3 class=\"row\">").name(&short.name).raw(" ");
    badge(out, stream_tone(short.state), look.say(stream_state(short.state)));
    if short.open == Some(true) {
        badge(out, Tone::Attention, look.say(Text::Open));
    }
    out.raw(" <small>").text(look.say(Text::SinceWord)).raw(" ");
    parts::time(out, look, short.since);
    out.raw("</small></h3>");
    out.element("code", "", &short.url);
    if !stream.report.ladder.is_empty() {
        ladder(out, look, stream);
    }
    if let Some(failed) = stream.report.error.as_ref().filter(|_| short.state != StreamState::Working) {
        out.raw("<div><p class=\"why\">").text(error(look, failed.kind)).raw("</p><p class=\"hint\">");
        out.original(&failed.message).raw("</p></div>");
    }
    for warning in &stream.report.warnings {
        out.raw("<p class=\"note\">");
        if look.lang != Lang::En {
            out.text(look.say(Text::Noted)).raw(": ");
        }
        out.original(warning).raw("</p>");
    }
    measured(out, look, stream);
    out.raw("</div></li>");
}

/// The last picture, in whose place the live one comes.
fn screen(out: &mut Markup, look: &Look, device: &DeviceView, stream: &StreamDetail) {
    let short = &stream.summary;
    let is_bad =
        !matches!(short.state, StreamState::Working | StreamState::Described) || device.state != DeviceState::Online;
    let word = if device.state == DeviceState::Online { stream_state(short.state) } else { card::standing(device).1 };
    out.open("div", &[("data-live-at", short.id.as_str())]);
    let nothing = match short.state {
        StreamState::Locked => Text::NoPictureLogin,
        StreamState::Broken => Text::NoFrames,
        _ => Text::NoPictureYet,
    };
    card::still(out, look, short.picture.as_ref(), &short.name, is_bad.then_some((word, Some(short.since))), nothing);
    out.raw("</div>");
    // A camera that wants a login shows nothing live either.
    if !stream.report.is_whole() {
        out.raw("<p class=\"note\">").text(look.say(Text::NotWhole)).raw("</p>");
    } else if look.may(Scope::Live) && short.state != StreamState::Locked {
        let label = format!("{}: {}", look.say(Text::Connect), short.name);
        let wall = look.to(&format!("wall?stream={}", short.id));
        out.open(
            "a",
            &[("class", "button"), ("href", &wall), ("data-connect", short.id.as_str()), ("aria-label", &label)],
        );
        out.text(look.say(Text::Connect)).raw("</a>");
    }
}

/// Which step was reached, and how long each took.
fn ladder(out: &mut Markup, look: &Look, stream: &StreamDetail) {
    out.open("ol", &[("class", "ladder"), ("aria-label", look.say(Text::Ladder))]);
    for one in &stream.report.ladder {
        out.open("li", &[("class", if one.ok { "" } else { "bad" })]);
        out.raw("<span aria-hidden=\"true\">").raw(if one.ok { "✓ " } else { "✕ " }).raw("</span>");
        out.text(look.say(step(one.step)));
        if !one.ok {
            out.raw(" <span class=\"spoken\">").text(look.say(Text::Failed)).raw("</span>");
        }
        if let Some(way) = one.way {
            out.raw(" ").text(way.as_str().replace('_', " "));
        }
        out.raw(" ").text(look.with(Text::Milliseconds, &[&format!("{:.0}", one.ms)])).raw("</li>");
    }
    out.raw("</ol>");
}

/// Declared beside measured.
fn measured(out: &mut Markup, look: &Look, stream: &StreamDetail) {
    let Some(video) = &stream.report.video else { return };
    let fps = |fps: Option<f64>| fps.map(|fps| look.lang.decimal(fps, 1)).unwrap_or_default();
    let rate = |kbps: Option<u32>| kbps.map(|kbps| look.lang.rate(kbps.into())).unwrap_or_default();
    out.raw("<dl class=\"facts\">");
    fact(out, look.say(Text::Size), words::size(video).as_deref());
    let codec = [video.codec.map(VideoCodec::in_words), video.profile.as_deref(), video.level.as_deref()];
    fact(out, look.say(Text::Codec), Some(&codec.into_iter().flatten().collect::<Vec<_>>().join(" ")));
    both(out, look, Text::FrameRate, &fps(video.fps), &fps(video.measured_fps));
    both(out, look, Text::BitRate, &rate(video.bitrate_kbps), &rate(video.measured_kbps));
    let key = video.keyframe_interval_s.map(|s| look.with(Text::Seconds, &[&look.lang.decimal(s, 1)]));
    fact(out, look.say(Text::KeyFrameEvery), key.as_deref());
    let usual = stream.usual_fps.map(|usual| look.lang.decimal(usual, 1));
    fact(out, look.say(Text::UsualRate), usual.as_deref());
    let sound = stream.report.audio.as_ref().and_then(|audio| audio.codec).map(AudioCodec::in_words);
    fact(out, look.say(Text::Sound), sound);
    out.raw("</dl>");
}

/// A value as declared and as measured.
fn both(out: &mut Markup, look: &Look, name: Text, declared: &str, measured: &str) {
    if declared.is_empty() && measured.is_empty() {
        return;
    }
    out.raw("<div><dt>").text(look.say(name)).raw("</dt><dd class=\"number\">");
    if !measured.is_empty() {
        out.text(measured).raw(" <small>").text(look.say(Text::Measured)).raw("</small>");
    }
    if !declared.is_empty() {
        out.raw(if measured.is_empty() { "" } else { "<br>" });
        out.raw("<span class=\"faint\">")
            .text(declared)
            .raw(" <small>")
            .text(look.say(Text::Declared))
            .raw("</small></span>");
    }
    out.raw("</dd></div>");
}
