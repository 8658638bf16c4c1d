//! The cameras and recorders of a site, by network, each with its picture, facts and streams.

use std::collections::HashMap;

use super::figures::{self, Rate, State};
use super::subnet::{Subnet, subnets};
use super::words::{self, Text};
use super::{Context, Markup, fact, lang};
use crate::export::html::picture::media_type;
use crate::export::{row, words as report_words};
use crate::model::{AudioCodec, AuthScheme, Channel, Device, Protocol, Stream, Transport, Video, VideoCodec};
use crate::text;

/// A picture this wide is sharp enough on paper; of several the one with the fewest bytes is taken.
const WIDE_ENOUGH: u32 = 480;

/// The section: a heading for each network, a card for each device.
pub fn section(page: &mut Markup, context: &Context<'_>) {
    page.raw("<section aria-labelledby=\"devices\">\n<h2 id=\"devices\">").text(context.say(Text::Devices));
    page.raw("</h2>\n");
    if context.report.devices.is_empty() {
        page.element("p", "notice", context.say(Text::NoDevices)).raw("\n");
    }
    for subnet in subnets(context.report) {
        heading(page, context, &subnet);
        subnet.devices.iter().for_each(|device| card(page, context, device));
    }
    page.raw("</section>\n");
}

/// The network, how many devices it has, and whether it is reached.
fn heading(page: &mut Markup, context: &Context<'_>, subnet: &Subnet<'_>) {
    let devices = context.lang.counted(subnet.devices.len() as u64, lang::Noun::Device);
    page.raw("<h3 class=\"subnet\">").text(subnet.network).raw(" <small>").text(devices);
    if subnet.is_far {
        page.raw(" · ").text(context.say(Text::OutOfReach));
    }
    page.raw("</small></h3>\n");
}

fn card(page: &mut Markup, context: &Context<'_>, device: &Device) {
    let anchor = context.anchor(device).unwrap_or_default();
    page.open("article", &[("class", "device"), ("id", &anchor)]).raw("\n<h4>").name(context.title(device));
    page.raw(" <code>").text(device.ip).raw("</code></h4>\n<div class=\"card\">\n");
    pictures(page, context, device);
    page.raw("<dl class=\"facts\">\n");
    facts(page, context, device);
    page.raw("</dl>\n</div>\n");
    for shown in &device.shown_by {
        let (channel, ip) = (shown.channel.to_string(), shown.ip.to_string());
        page.element("p", "also", context.with(Text::Also, &[&channel, &ip])).raw("\n");
    }
    channels(page, context, device);
    streams(page, context, device);
    page.raw("</article>\n");
}

/// A picture of each channel that is not a listed camera's.
fn pictures(page: &mut Markup, context: &Context<'_>, device: &Device) {
    let mut channels: Vec<Option<u32>> = device.own_streams().map(|stream| stream.channel).collect();
    channels.sort_unstable();
    channels.dedup();
    let found: Vec<_> =
        channels.iter().filter_map(|channel| Some((*channel, picture(context, device, *channel)?))).collect();
    if found.is_empty() {
        return;
    }
    page.open("div", &[("class", if found.len() > 1 { "pictures many" } else { "pictures" })]).raw("\n");
    let title = context.title(device);
    let title = format!("{title} ({})", device.ip);
    for (channel, (kind, bytes)) in &found {
        let number = channel.filter(|_| found.len() > 1).map(|channel| channel.to_string());
        let alt = match &number {
            Some(channel) => context.with(Text::PictureOfChannel, &[&title, channel]),
            None => context.with(Text::PictureOf, &[&title]),
        };
        page.raw("<figure><img src=\"").data_url(kind, bytes).raw("\" alt=\"").text(alt).raw("\">");
        if let Some(channel) = number {
            page.element("figcaption", "", context.with(Text::ChannelNumber, &[&channel]));
        }
        page.raw("</figure>\n");
    }
    page.raw("</div>\n");
}

/// The picture of a channel: of those that are wide enough the smallest file, else the largest one.
fn picture(context: &Context<'_>, device: &Device, channel: Option<u32>) -> Option<(&'static str, Vec<u8>)> {
    let load = context.assets?;
    let of_channel = device.own_streams().filter(|stream| stream.channel == channel);
    let all = of_channel.filter_map(|stream| {
        let bytes = load(stream.snapshot.as_deref()?)?;
        let width = stream.video.as_ref().and_then(|video| video.width).unwrap_or(0);
        Some((width, media_type(&bytes)?, bytes))
    });
    let rank = |(width, _, bytes): &(u32, &str, Vec<u8>)| match *width >= WIDE_ENOUGH {
        true => (1, u32::MAX, usize::MAX - bytes.len()),
        false => (0, *width, bytes.len()),
    };
    all.max_by_key(rank).map(|(_, kind, bytes)| (kind, bytes))
}

fn facts(page: &mut Markup, context: &Context<'_>, device: &Device) {
    let say = |text: Text| context.say(text);
    fact(page, say(Text::Type), Some(words::kind(device.kind, context.lang)));
    fact(page, say(Text::Maker), device.vendor.as_ref());
    fact(page, say(Text::Model), device.model.as_ref());
    fact(page, say(Text::Firmware), device.firmware.as_ref());
    fact(page, say(Text::Serial), device.serial.as_ref());
    fact(page, say(Text::Mac), device.mac.as_ref());
    let further: Vec<String> =
        device.addresses.iter().filter(|ip| **ip != device.ip).map(ToString::to_string).collect();
    fact(page, say(Text::FurtherAddresses), Some(further.join(", ")));
    let dhcp = device.network.and_then(|network| network.dhcp);
    fact(page, say(Text::AddressFrom), dhcp.map(|dhcp| say(if dhcp { Text::Dhcp } else { Text::Static })));
    fact(page, say(Text::HostName), device.hostname.as_ref());
    fact(page, say(Text::Place), device.site.as_ref());
    fact(page, say(Text::Tags), Some(device.tags.join(", ")));
    fact(page, say(Text::LoginColumn), Some(login(context, device)));
    web_page(page, context, device);
}

/// Whether a login is demanded, and by which schemes.
fn login(context: &Context<'_>, device: &Device) -> String {
    let is_open = device.streams.iter().any(|stream| stream.open == Some(true));
    if is_open {
        return context.say(Text::LoginOpen).to_owned();
    }
    let of_services = device.services.iter().filter_map(|service| service.auth.as_deref());
    let mut schemes: Vec<AuthScheme> =
        device.streams.iter().filter_map(|stream| row::auth(device, stream)).flatten().copied().collect();
    if schemes.is_empty() {
        schemes = of_services.flatten().copied().collect();
    }
    schemes.sort_unstable();
    schemes.dedup();
    let is_demanded = !schemes.is_empty() || device.streams.iter().any(|stream| stream.open == Some(false));
    let named: Vec<&str> = schemes.into_iter().filter_map(scheme).collect();
    match (is_demanded, named.as_slice()) {
        (false, _) => context.say(Text::LoginUnknown).to_owned(),
        (true, []) => context.say(Text::LoginDemanded).to_owned(),
        (true, named) => format!("{} ({})", context.say(Text::LoginDemanded), named.join(", ")),
    }
}

fn scheme(scheme: AuthScheme) -> Option<&'static str> {
    match scheme {
        AuthScheme::Digest => Some("Digest"),
        AuthScheme::Basic => Some("Basic"),
        AuthScheme::Wsse => Some("WS-Security"),
        AuthScheme::Other => None,
    }
}

fn web_page(page: &mut Markup, context: &Context<'_>, device: &Device) {
    let Some(url) = device.page_url() else { return };
    page.raw("<div>").element("dt", "", context.say(Text::WebPage)).raw("<dd>");
    page.open("a", &[("href", &url), ("rel", "noreferrer noopener")]).text(&url).raw("</a></dd></div>\n");
}

/// A recorder's channels, and which cameras of the document they show.
fn channels(page: &mut Markup, context: &Context<'_>, device: &Device) {
    if device.channels.is_empty() {
        return;
    }
    page.raw("<h5>").text(context.say(Text::Channels)).raw("</h5>\n<table class=\"channels\">\n<thead><tr>");
    for column in [Text::ChannelColumn, Text::NameColumn, Text::CameraColumn, Text::StateColumn] {
        page.column(context.say(column));
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for channel in &device.channels {
        page.raw("<tr>").open("th", &[("scope", "row")]).text(channel.number).raw("</th>");
        page.element("td", "", channel.name.as_deref().unwrap_or_default()).raw("<td>");
        camera_of(page, context, channel);
        page.raw("</td>");
        let state = match channel.online {
            Some(true) => context.say(Text::OnlineState),
            Some(false) => context.say(Text::OfflineState),
            None => "",
        };
        page.element("td", if channel.online == Some(false) { "bad" } else { "" }, state).raw("</tr>\n");
    }
    page.raw("</tbody>\n</table>\n");
    if figures::folded(device).next().is_some() {
        page.element("p", "also", context.say(Text::ListedWithCamera)).raw("\n");
    }
}

fn camera_of(page: &mut Markup, context: &Context<'_>, channel: &Channel) {
    let place = |id: &str| context.places.get(id).and_then(|place| context.report.devices.get(*place));
    if let Some(camera) = channel.camera.as_deref().and_then(place) {
        return context.link(page, camera);
    }
    let address = channel.address.map(|ip| ip.to_string());
    let facts = [channel.model.clone(), address, channel.mac.map(|mac| mac.to_string())];
    page.name(facts.into_iter().flatten().collect::<Vec<_>>().join(" · "));
    if let Some(camera) = channel.possible_camera.as_deref().and_then(place) {
        let named = format!("{} ({})", context.title(camera), camera.ip);
        page.raw(" <small>").text(context.with(Text::MayBe, &[&named])).raw("</small>");
    }
}

/// The streams that no other card shows.
fn streams(page: &mut Markup, context: &Context<'_>, device: &Device) {
    let own: Vec<&Stream> = device.own_streams().collect();
    if own.is_empty() {
        if device.streams.is_empty() {
            page.element("p", "also", context.say(Text::NoStreams)).raw("\n");
        }
        return;
    }
    let main: Vec<&Stream> = figures::sources(device).iter().filter_map(|source| source.main).collect();
    page.raw("<h5>").text(context.say(Text::Streams)).raw("</h5>\n<ol class=\"streams\">\n");
    for (shown, number) in numbered(&own) {
        let is_main = State::of(shown) != State::Dead && main.iter().any(|main| std::ptr::eq(*main, shown));
        stream(page, context, shown, number, is_main);
    }
    page.raw("</ol>\n");
}

/// Streams with their places among those of their channel.
pub fn numbered<'s>(streams: &[&'s Stream]) -> Vec<(&'s Stream, usize)> {
    let mut seen: HashMap<Option<u32>, usize> = HashMap::new();
    let number = |stream: &&'s Stream| {
        let number = seen.entry(stream.channel).or_default();
        *number += 1;
        (*stream, *number)
    };
    streams.iter().map(number).collect()
}

/// What a stream is called: by channel and profile, else by its place among the streams of the channel.
pub fn stream_name(context: &Context<'_>, stream: &Stream, number: usize) -> String {
    let profile =
        stream.profile_name.clone().unwrap_or_else(|| context.with(Text::StreamNumber, &[&number.to_string()]));
    match stream.channel {
        Some(channel) => format!("{} · {profile}", context.with(Text::ChannelNumber, &[&channel.to_string()])),
        None => profile,
    }
}

fn stream(page: &mut Markup, context: &Context<'_>, stream: &Stream, number: usize, is_main: bool) {
    let (state, class) = match State::of(stream) {
        State::Works => (Text::Works, "badge good"),
        State::Described => (Text::Described, "badge fair"),
        State::Login => (Text::NeedsLogin, "badge attention"),
        State::Dead => (Text::Dead, "badge bad"),
    };
    page.raw("<li>\n<p><strong>").name(stream_name(context, stream, number)).raw("</strong> ");
    page.open("span", &[("class", class)]).text(context.say(state)).raw("</span>");
    if stream.open == Some(true) {
        page.raw(" ").element("span", "badge bad", context.say(Text::OpenBadge));
    }
    if is_main {
        page.raw(" ").element("span", "badge", context.say(Text::MainStream));
    }
    page.raw("</p>\n<dl class=\"facts\">\n");
    parameters(page, context, stream);
    page.raw("</dl>\n<code class=\"url\">").text(text::redact_url(&stream.url)).raw("</code>\n</li>\n");
}

fn parameters(page: &mut Markup, context: &Context<'_>, stream: &Stream) {
    let say = |text: Text| context.say(text);
    let video = stream.video.as_ref();
    fact(page, say(Text::Codec), video.map(codec));
    fact(page, say(Text::Resolution), video.and_then(report_words::size));
    fact(page, say(Text::FrameRate), video.and_then(|video| frame_rate(context, video)));
    fact(
        page,
        say(Text::BitRate),
        Some(bit_rate(context, stream)).filter(|_| video.is_some() || stream.audio.is_some()),
    );
    let interval = video.and_then(|video| video.keyframe_interval_s);
    fact(page, say(Text::KeyFrame), interval.map(|s| context.with(Text::EverySeconds, &[&context.lang.decimal(s, 1)])));
    let sound = stream.audio.as_ref().and_then(|audio| audio.codec).map(AudioCodec::in_words);
    let silent = video.is_some().then(|| say(Text::NoSound)).filter(|_| stream.audio.is_none());
    fact(page, say(Text::Sound), sound.or(silent));
    let transport = match (stream.multicast, stream.transport) {
        (Some(group), _) => context.with(Text::Multicast, &[&group.to_string()]),
        (None, Transport::Tcp) => format!("{} / TCP", protocol(stream.protocol)),
        (None, Transport::Udp) => format!("{} / UDP", protocol(stream.protocol)),
    };
    fact(page, say(Text::Transport), Some(transport));
}

fn protocol(protocol: Protocol) -> String {
    match protocol {
        Protocol::Webrtc => "WebRTC".to_owned(),
        other => other.as_str().to_uppercase(),
    }
}

fn codec(video: &Video) -> String {
    let codec = video.codec.map(VideoCodec::in_words);
    [codec, video.profile.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Measured before declared.
fn frame_rate(context: &Context<'_>, video: &Video) -> Option<String> {
    let fps = video.measured_fps.or(video.fps)?;
    let places = usize::from((fps - fps.round()).abs() >= 0.15);
    Some(context.with(Text::Fps, &[&context.lang.decimal(fps, places)]))
}

/// The measured rate; where there is none, the declared one is marked as such.
pub fn bit_rate(context: &Context<'_>, stream: &Stream) -> String {
    let said = |text: Text, kbps: u32| context.with(text, &[&context.lang.rate(kbps.into())]);
    match Rate::of(stream) {
        Rate { measured: Some(kbps), .. } => said(Text::MeasuredValue, kbps),
        Rate { measured: None, declared: Some(kbps) } => said(Text::DeclaredValue, kbps),
        Rate { measured: None, declared: None } => context.say(Text::NotMeasured).to_owned(),
    }
}
