//! A device's rows in the page: what it is and how it stands, and below, folded, everything known of it.

use std::net::IpAddr;

use super::picture::media_type;
use crate::export::words::{self, Addresses, Standing, Tone};
use crate::export::{Assets, row, site};
use crate::markup::Markup;
use crate::model::stream::url_host;
use crate::model::{AuthScheme, Channel, Device, Protocol, Service, Stream, Video};

/// The device's row and the row of its details.
pub fn rows(page: &mut Markup, device: &Device, addresses: &Addresses<'_>, pictures: Option<Assets<'_>>) {
    let standing = Standing::of(device);
    page.open("tbody", &[("data-standing", standing.words().0)]);
    page.raw("\n<tr>");
    if pictures.is_some() {
        page.raw("<td class=\"picture\">");
        device.streams.iter().for_each(|stream| picture(page, device, stream, pictures));
        page.raw("</td>");
    }
    page.open("th", &[("scope", "row"), ("data-key", &address_key(device.ip))]);
    page.text(device.ip);
    let name = words::device_name(device);
    small(page, device.hostname.as_deref().filter(|host| name.as_deref() != Some(host)));
    page.raw("</th><td>");
    page.name(name.as_deref().unwrap_or("not recognised"));
    small(page, device.firmware.as_deref());
    small(page, words::also(device).or_else(|| addresses.cameras(device)).as_deref());
    page.raw("</td>");
    page.raw("<td>").text(words::kind(device.kind));
    small(page, Some(&format!("{:.0}% sure", device.confidence * 100.0)));
    page.raw("</td>");
    page.open("td", &[("data-key", &format!("{}", standing as u8))]);
    badge(page, standing.words());
    page.raw("</td>");
    // The others are counted where their cameras are listed.
    let own = device.own_streams().count();
    let playing = device.own_streams().filter(|s| words::status(s).1 == Tone::Good).count();
    page.open("td", &[("class", "number"), ("data-key", &format!("{playing} {own}"))]);
    if own > 0 {
        page.text(format_args!("{playing} of {own}"));
    }
    page.raw("</td>");
    best_video(page, device);
    page.raw("<td>").text(device.streams.iter().find_map(|s| row::auth(device, s)).map(login).unwrap_or_default());
    let columns = if pictures.is_some() { "8" } else { "7" };
    page.raw("</td></tr>\n<tr class=\"more\">").open("td", &[("colspan", columns)]);
    page.raw("<details><summary>Details<span class=\"spoken\"> of ").text(device.ip).raw("</span></summary>\n");
    details(page, device, addresses);
    page.raw("</details></td></tr>\n</tbody>\n");
}

/// Sorts addresses by number, IPv4 first.
fn address_key(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => format!("4 {:08x}", u32::from(v4)),
        IpAddr::V6(v6) => format!("6 {:032x}", u128::from(v6)),
    }
}

fn login(schemes: &[AuthScheme]) -> String {
    match schemes {
        [] => "open".to_owned(),
        [AuthScheme::Other] => "login".to_owned(),
        schemes => schemes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", "),
    }
}

fn small(page: &mut Markup, text: Option<&str>) {
    if let Some(text) = text {
        page.raw("<small>").name(text).raw("</small>");
    }
}

fn badge(page: &mut Markup, (words, tone): (&str, Tone)) {
    page.open("span", &[("class", &format!("badge {}", tone.as_str()))]);
    page.raw("<i aria-hidden=\"true\">").text(tone.sign()).raw("</i>").text(words).raw("</span>");
}

/// The largest picture among the device's streams.
fn best_video(page: &mut Markup, device: &Device) {
    let pixels = |v: &Video| u64::from(v.width.unwrap_or(0)) * u64::from(v.height.unwrap_or(0));
    let best = device.streams.iter().filter_map(|s| s.video.as_ref()).max_by_key(|v| pixels(v));
    page.open("td", &[("class", "number"), ("data-key", &best.map_or(String::new(), |v| pixels(v).to_string()))]);
    if let Some(video) = best {
        page.text(video_words(video));
    }
    page.raw("</td>");
}

/// `H.264 High 1920×1080 25 fps 4.0 Mbit/s`.
fn video_words(video: &Video) -> String {
    let parts = [
        video.codec.map(|c| c.in_words().to_owned()),
        words::size(video),
        words::fps(video).map(|fps| format!("{fps} fps")),
        words::bit_rate(video),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn picture(page: &mut Markup, device: &Device, stream: &Stream, assets: Option<Assets<'_>>) {
    let Some(bytes) = stream.snapshot.as_deref().zip(assets).and_then(|(path, load)| load(path)) else { return };
    let Some(kind) = media_type(&bytes) else { return };
    let of = words::device_name(device).unwrap_or_else(|| device.ip.to_string());
    let of = match stream.channel {
        Some(channel) => format!("Picture of {of}, channel {channel}"),
        None => format!("Picture of {of}"),
    };
    page.open("button", &[("type", "button"), ("class", "thumb"), ("aria-label", &format!("{of}, enlarge"))]);
    page.raw("<img loading=\"lazy\" src=\"").data_url(kind, &bytes).raw("\" alt=\"");
    page.text(of).raw("\"></button>");
}

fn details(page: &mut Markup, device: &Device, addresses: &Addresses<'_>) {
    about(page, device);
    warnings(page, device);
    if !device.streams.is_empty() {
        page.raw("<h3>Streams</h3>\n<ol class=\"streams\">\n");
        device.streams.iter().for_each(|s| stream(page, device, s));
        page.raw("</ol>\n");
    }
    if !device.channels.is_empty() {
        header(page, "Channels", &["Channel", "Name", "Listed camera", "Camera"]);
        device.channels.iter().for_each(|c| channel(page, c, addresses));
        page.raw("</tbody></table>\n");
    }
    if !device.services.is_empty() {
        header(page, "Services", &["Port", "Protocol", "Login", "Identification"]);
        device.services.iter().for_each(|s| service(page, device.ip, s));
        page.raw("</tbody></table>\n");
    }
    if !device.evidence.is_empty() {
        header(page, "Evidence", &["Fact", "Value", "Source", "Weight", "Detail"]);
        for e in &device.evidence {
            page.raw("<tr>").element("td", "", e.fact.as_str()).element("td", "", &e.value);
            page.element("td", "", e.source.as_str().replace('_', " "));
            page.element("td", "number", format_args!("{:.2}", e.weight));
            page.element("td", "", e.detail.as_deref().unwrap_or_default()).raw("</tr>\n");
        }
        page.raw("</tbody></table>\n");
    }
    if !device.errors.is_empty() {
        page.raw("<h3>Errors</h3>\n<ul class=\"errors\">\n");
        for e in &device.errors {
            let kind = e.kind.as_str().replace('_', " ");
            page.element("li", "", format_args!("{}: {kind}: {}", e.stage, e.message));
        }
        page.raw("</ul>\n");
    }
}

/// What the recorder lists of a channel's camera, and which device of the report it is.
fn channel(page: &mut Markup, channel: &Channel, addresses: &Addresses<'_>) {
    page.raw("<tr>").element("td", "number", channel.number);
    page.element("td", "", channel.name.as_deref().unwrap_or_default());
    page.element("td", "", words::listed_camera(channel));
    page.element("td", "", addresses.camera(channel).unwrap_or_default()).raw("</tr>\n");
}

/// What about the device needs somebody's attention, and what can be done.
fn warnings(page: &mut Markup, device: &Device) {
    if device.warnings.is_empty() {
        return;
    }
    page.raw("<h3>Warnings</h3>\n<ul class=\"warnings\">\n");
    for warning in &device.warnings {
        page.raw("<li>").element("strong", "attention", warning.kind.as_str().replace('_', " "));
        page.raw(" ").text(&warning.message);
        if let Some(hint) = &warning.hint {
            page.raw("<br>").element("small", "", hint);
        }
        page.raw("</li>\n");
    }
    page.raw("</ul>\n");
}

fn header(page: &mut Markup, title: &'static str, columns: &[&'static str]) {
    page.raw("<h3>").raw(title).raw("</h3>\n<table class=\"facts\"><thead><tr>");
    for column in columns {
        page.raw("<th scope=\"col\">").raw(column).raw("</th>");
    }
    page.raw("</tr></thead><tbody>\n");
}

fn about(page: &mut Markup, device: &Device) {
    let addresses: Vec<String> = device.addresses.iter().map(IpAddr::to_string).collect();
    let logins = device.login_attempts.map(|l| l.to_string());
    let facts = [
        ("Vendor", device.vendor.clone()),
        ("Model", device.model.clone()),
        ("Firmware", device.firmware.clone()),
        ("Serial", device.serial.clone()),
        ("MAC", device.mac.map(|m| m.to_string())),
        ("Host name", device.hostname.clone()),
        ("Addresses", Some(addresses.join(", "))),
        ("Set up", device.activation.map(|activation| site::activation(activation).to_owned())),
        ("Network", device.network.as_ref().map(site::network)),
        ("Heard on", device.heard_on.clone()),
        ("Found by", Some(words::methods(&device.discovered_by))),
        ("Logins", logins),
        ("First seen", Some(device.first_seen.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())),
        ("Last seen", Some(device.last_seen.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())),
        ("Identity", Some(device.id.clone())),
    ];
    page.raw("<dl>\n");
    for (name, value) in facts {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            page.raw("<div>").element("dt", "", name).element("dd", "", value).raw("</div>\n");
        }
    }
    page.raw("</dl>\n");
}

fn stream(page: &mut Markup, device: &Device, stream: &Stream) {
    page.raw("<li>\n<p>");
    badge(page, words::status(stream));
    let channel = stream.channel.map(|c| format!("channel {c}"));
    let audio = stream.audio.as_ref().and_then(|a| a.codec).map(|c| format!("audio {}", c.in_words()));
    let talk = (stream.back_channel == Some(true)).then(|| "two-way audio".to_owned());
    let video = stream.video.as_ref();
    let keys = video.and_then(|v| v.keyframe_interval_s).map(|s| format!("a key frame every {s:.1} s"));
    let login = row::auth(device, stream).map(login);
    let facts = [channel, stream.profile_name.clone(), video.map(video_words), keys, audio, talk, login];
    page.raw(" ").name(facts.into_iter().flatten().filter(|f| !f.is_empty()).collect::<Vec<_>>().join(" · "));
    page.raw("</p>\n<code class=\"url\">").text(crate::text::strip_userinfo(&stream.url)).raw("</code>\n");
    if !stream.ladder.is_empty() {
        page.raw("<ol class=\"ladder\" aria-label=\"Steps to a frame\">");
        for step in &stream.ladder {
            let (class, said) = if step.ok { ("good", "") } else { ("bad", " failed") };
            page.open("li", &[("class", class)]);
            let way = step.way.map(|way| format!(" ({})", way.in_words())).unwrap_or_default();
            page.text(format_args!("{}{way}{said} {:.1} ms", step.step, step.ms)).raw("</li>");
        }
        page.raw("</ol>\n");
    }
    if let Some(error) = &stream.error {
        page.element("p", "bad", &error.message);
    }
    for warning in &stream.warnings {
        page.element("p", "attention", warning);
    }
    page.raw("</li>\n");
}

fn service(page: &mut Markup, ip: IpAddr, service: &Service) {
    let port = format!("{}/{}", service.port, service.transport.as_str());
    page.raw("<tr><td class=\"number\">");
    match service.protocol {
        // Built here and not taken from the device, so that it leads nowhere else.
        Protocol::Http | Protocol::Https => {
            let url = format!("{}://{}:{}/", service.protocol, url_host(ip), service.port);
            page.open("a", &[("href", &url), ("rel", "noreferrer noopener"), ("target", "_blank")]);
            page.text(port).raw("</a>");
        }
        _ => {
            page.text(port);
        }
    }
    page.raw("</td>").element("td", "", service.protocol);
    let auth = service.auth.as_ref().map(|schemes| match schemes.as_slice() {
        [] => "open".to_owned(),
        schemes => schemes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", "),
    });
    page.element("td", "", auth.unwrap_or_default());
    let said = [&service.title, &service.server, &service.realm, &service.certificate];
    let said: Vec<&str> = said.into_iter().flatten().chain(&service.notes).map(String::as_str).collect();
    page.element("td", "", said.join(" · ")).raw("</tr>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_named_or_said_to_be_demanded() {
        assert_eq!(login(&[]), "open");
        assert_eq!(login(&[AuthScheme::Other]), "login");
        assert_eq!(login(&[AuthScheme::Digest, AuthScheme::Basic]), "digest, basic");
    }
}
