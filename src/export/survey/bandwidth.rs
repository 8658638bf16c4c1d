//! What the streams need of the network, and what their recording takes.

use super::device::{numbered, stream_name};
use super::figures::{self, Load, Rate, Storage};
use super::lang::Noun;
use super::subnet::{Subnet, subnets};
use super::words::Text;
use super::{Context, Markup};
use crate::export::words as report_words;
use crate::model::{Device, Kind, Stream};

/// The days that storage is worked out for.
const DAYS: [u32; 3] = [1, 7, 30];

/// The section: a table for each network, the total, and the storage.
pub fn section(page: &mut Markup, context: &Context<'_>) {
    let has_streams = |subnet: &Subnet<'_>| subnet.devices.iter().any(|device| device.own_streams().next().is_some());
    let subnets: Vec<Subnet<'_>> = subnets(context.report).into_iter().filter(has_streams).collect();
    if subnets.is_empty() {
        return;
    }
    page.raw("<section aria-labelledby=\"bandwidth\">\n<h2 id=\"bandwidth\">").text(context.say(Text::Bandwidth));
    page.raw("</h2>\n").element("p", "intro", context.say(Text::BandwidthIntro)).raw("\n");
    subnets.iter().for_each(|subnet| table(page, context, subnet));
    storage(page, context);
    page.raw("</section>\n");
}

fn table(page: &mut Markup, context: &Context<'_>, subnet: &Subnet<'_>) {
    page.raw("<table class=\"rates\">\n<caption>").text(subnet.network).raw("</caption>\n<thead><tr>");
    for column in [Text::StreamColumn, Text::Resolution] {
        page.column(context.say(column));
    }
    for column in [Text::Measured, Text::Declared, Text::PerDay] {
        page.raw("<th scope=\"col\" class=\"number\">").text(context.say(column)).raw("</th>");
    }
    page.raw("</tr></thead>\n");
    subnet.devices.iter().for_each(|device| rows(page, context, device));
    let load = Load::of(subnet.devices.iter().flat_map(|device| device.own_streams()));
    let storage = Storage::of(subnet.devices.iter().flat_map(|device| figures::sources(device)));
    page.raw("<tfoot>");
    sum(page, context, context.say(Text::SubnetSum), load, storage);
    page.raw("</tfoot>\n</table>\n");
}

/// A device with its sum, and its streams below it.
fn rows(page: &mut Markup, context: &Context<'_>, device: &Device) {
    let own: Vec<&Stream> = device.own_streams().collect();
    if own.is_empty() {
        return;
    }
    let sources = figures::sources(device);
    let load = Load::of(own.iter().copied());
    page.raw("<tbody>\n<tr class=\"device\"><th scope=\"rowgroup\" colspan=\"2\">");
    context.link(page, device);
    page.raw("</th><td class=\"number\">").text(rate(context, load)).raw("</td><td></td><td class=\"number\">");
    page.text(stored(context, &Storage::of(sources.iter().copied()))).raw("</td></tr>\n");
    for (stream, number) in numbered(&own) {
        let rates = Rate::of(stream);
        let said = |kbps: Option<u32>| kbps.map_or_else(|| "–".to_owned(), |kbps| context.lang.rate(kbps.into()));
        let size = stream.video.as_ref().and_then(report_words::size).unwrap_or_default();
        page.raw("<tr><td>").name(stream_name(context, stream, number)).raw("</td><td>").text(size);
        page.raw("</td><td class=\"number\">");
        match rates.measured {
            Some(_) => page.text(said(rates.measured)),
            None => page.element("small", "", context.say(Text::NotMeasured)),
        };
        page.raw("</td><td class=\"number\">").text(said(rates.declared)).raw("</td><td class=\"number\">");
        let recorded = sources.iter().find(|source| source.main.is_some_and(|main| std::ptr::eq(main, stream)));
        if let Some(kbps) = recorded.and_then(|source| source.kbps) {
            page.text(context.lang.storage(figures::gigabytes(kbps.into(), 1)));
        }
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody>\n");
}

fn rate(context: &Context<'_>, load: Load) -> String {
    if load.measured == 0 { "–".to_owned() } else { context.lang.rate(load.kbps) }
}

fn stored(context: &Context<'_>, storage: &Storage) -> String {
    if storage.measured == 0 { String::new() } else { context.lang.storage(storage.gigabytes(1)) }
}

fn sum(page: &mut Markup, context: &Context<'_>, name: &'static str, load: Load, storage: Storage) {
    page.raw("<tr><th scope=\"row\" colspan=\"2\">").text(name);
    if load.unmeasured > 0 {
        let n = context.lang.number(load.unmeasured as u64);
        page.raw(" <small>").text(context.with(Text::StreamsNotInSum, &[&n])).raw("</small>");
    }
    page.raw("</th><td class=\"number\">").text(rate(context, load)).raw("</td><td></td><td class=\"number\">");
    page.text(stored(context, &storage)).raw("</td></tr>");
}

/// What recording takes in a day, a week and thirty days, and which cameras are not in the sum.
fn storage(page: &mut Markup, context: &Context<'_>) {
    let lang = context.lang;
    let devices = || context.report.devices.iter();
    let storage = Storage::of(devices().flat_map(figures::sources));
    let load = Load::of(devices().flat_map(Device::own_streams));
    page.raw("<h3>").text(context.say(Text::StorageTitle)).raw("</h3>\n");
    page.element("p", "intro", context.say(Text::StorageIntro)).raw("\n<table class=\"storage\">\n<thead><tr>");
    page.column(context.say(Text::Recorded)).column(context.say(Text::Rate));
    for days in DAYS {
        page.raw("<th scope=\"col\" class=\"number\">").text(lang.counted(days, Noun::Day)).raw("</th>");
    }
    page.raw("</tr></thead>\n<tbody><tr><td>").text(lang.number(storage.measured as u64)).raw("</td><td>");
    page.text(lang.rate(storage.kbps)).raw("</td>");
    for days in DAYS {
        page.element("td", "number", lang.storage(storage.gigabytes(days)));
    }
    page.raw("</tr></tbody>\n</table>\n<p>");
    match storage.unmeasured {
        0 => page.text(context.say(Text::AllInSum)),
        n => page.text(context.with(Text::NotInSum, &[&lang.counted(n as u64, Noun::Camera)])),
    };
    let servers = devices().filter(|device| device.kind == Kind::MediaServer);
    let passed_on = servers.flat_map(Device::own_streams).count();
    if passed_on > 0 {
        let streams = lang.counted(passed_on as u64, Noun::Stream);
        page.raw(" ").text(context.with(Text::ServersNotRecorded, &[&streams]));
    }
    page.raw("</p>\n<p><strong>").text(context.say(Text::Total)).raw(":</strong> ");
    page.text(context.say(Text::BandwidthSum)).raw(" ").text(lang.rate(load.kbps));
    if load.unmeasured > 0 {
        let n = lang.number(load.unmeasured as u64);
        page.raw(" (").text(context.with(Text::StreamsNotInSum, &[&n])).raw(")");
    }
    page.raw(".</p>\n");
}
