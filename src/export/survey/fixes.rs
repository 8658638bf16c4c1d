//! What is to be put right, in words.

use std::net::IpAddr;

use super::fault::{self, Fault, Finding, Problem, Why};
use super::lang::Lang;
use super::words::{self, Text};
use super::{Context, Markup};
use crate::model::site::setup_tool;
use crate::model::stream::url_host;
use crate::model::{Device, Stream, Warning, WarningKind};
use crate::text;

/// Streams named in a row at most.
const MOST_STREAMS: usize = 4;

/// The section: a table for each problem.
pub(super) fn section(page: &mut Markup, context: &Context<'_>, faults: &[Fault<'_>]) {
    page.raw("<section aria-labelledby=\"fix\">\n<h2 id=\"fix\">").text(context.say(Text::Fix)).raw("</h2>\n");
    if faults.is_empty() {
        page.element("p", "notice good", context.say(Text::NothingToFix)).raw("\n</section>\n");
        return;
    }
    page.element("p", "intro", context.say(Text::FixIntro)).raw("\n");
    for group in faults.chunk_by(|a, b| a.problem == b.problem) {
        let Some(first) = group.first() else { continue };
        problem(page, context, first.problem, group);
    }
    page.raw("</section>\n");
}

fn problem(page: &mut Markup, context: &Context<'_>, problem: Problem, faults: &[Fault<'_>]) {
    let (title, remedy) = texts(problem);
    let class = format!("fault {}", severity(problem));
    page.open("article", &[("class", &class)]).raw("\n<h3>").text(context.say(title)).raw("</h3>\n<p><strong>");
    page.text(context.say(Text::WhatToDo)).raw(":</strong> ").text(context.say(remedy)).raw("</p>\n");
    page.raw("<table>\n<thead><tr><th scope=\"col\">").text(context.say(Text::DeviceColumn));
    page.raw("</th><th scope=\"col\">").text(context.say(Text::FoundColumn)).raw("</th></tr></thead>\n<tbody>\n");
    for fault in faults {
        page.raw("<tr><th scope=\"row\">");
        for device in &fault.devices {
            page.raw("<div>");
            context.link(page, device);
            // What tells apart those that have one address.
            if let Some(mac) = device.mac.filter(|_| context.shares_address(device)) {
                page.raw(" <code>").text(mac).raw("</code>");
            }
            page.raw("</div>");
        }
        page.raw("</th><td>");
        found(page, context, fault);
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody>\n</table>\n</article>\n");
}

/// How bad a problem is, for its colour.
fn severity(problem: Problem) -> &'static str {
    match problem {
        Problem::OpenStream | Problem::NotActivated | Problem::FactoryDefault | Problem::AddressConflict => "bad",
        Problem::DuplicateSerial
        | Problem::DuplicateEndpoint
        | Problem::ClockWrong
        | Problem::CertificateExpired
        | Problem::DeadStream
        | Problem::ChannelOffline
        | Problem::Offline
        | Problem::NoStream
        | Problem::OtherSubnet
        | Problem::NetworkMismatch => "attention",
        Problem::LoginNeeded | Problem::DynamicAddress => "plain",
    }
}

/// What a problem is called, and what to do about it.
fn texts(problem: Problem) -> (Text, Text) {
    match problem {
        Problem::OpenStream => (Text::OpenStream, Text::OpenStreamDo),
        Problem::NotActivated => (Text::NotActivated, Text::NotActivatedDo),
        Problem::FactoryDefault => (Text::FactoryDefault, Text::FactoryDefaultDo),
        Problem::AddressConflict => (Text::AddressConflict, Text::AddressConflictDo),
        Problem::DuplicateSerial => (Text::DuplicateSerial, Text::DuplicateSerialDo),
        Problem::DuplicateEndpoint => (Text::DuplicateEndpoint, Text::DuplicateEndpointDo),
        Problem::ClockWrong => (Text::ClockWrong, Text::ClockWrongDo),
        Problem::CertificateExpired => (Text::CertificateExpired, Text::CertificateExpiredDo),
        Problem::DeadStream => (Text::DeadStream, Text::DeadStreamDo),
        Problem::ChannelOffline => (Text::ChannelOffline, Text::ChannelOfflineDo),
        Problem::Offline => (Text::Offline, Text::OfflineDo),
        Problem::NoStream => (Text::NoStream, Text::NoStreamDo),
        Problem::OtherSubnet => (Text::OtherSubnet, Text::OtherSubnetDo),
        Problem::NetworkMismatch => (Text::NetworkMismatch, Text::NetworkMismatchDo),
        Problem::LoginNeeded => (Text::LoginNeeded, Text::LoginNeededDo),
        Problem::DynamicAddress => (Text::DynamicAddress, Text::DynamicAddressDo),
    }
}

/// How it is known, and what to do about this device in particular.
fn found(page: &mut Markup, context: &Context<'_>, fault: &Fault<'_>) {
    page.raw("<p>").text(sentence(context.lang, fault)).raw("</p>");
    match (&fault.finding, fault.devices.first()) {
        (Finding::Streams(streams) | Finding::Dead(_, streams), _) => urls(page, context, streams),
        (Finding::Heard { commands: Some((way, undo)), .. }, _) => {
            command(page, context, Text::ToReach, way);
            command(page, context, Text::ToUndo, undo);
        }
        (Finding::Plain, Some(device)) if matches!(fault.problem, Problem::NotActivated | Problem::FactoryDefault) => {
            page.raw("<p>").text(way_to_set_up(context.lang, device)).raw("</p>");
        }
        _ => {}
    }
}

/// A warning of a device in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// How it is known.
    pub found: String,
    /// What can be done about it.
    pub remedy: String,
    /// What to type for that, and what to type to undo it.
    pub commands: Option<(String, String)>,
}

/// What a warning of a device says, in a language.
pub fn advice(lang: Lang, device: &Device, warning: &Warning) -> Advice {
    let fault = fault::of_one(device, warning);
    let (_, remedy) = texts(fault.problem);
    let remedy = match fault.problem {
        Problem::NotActivated | Problem::FactoryDefault => {
            format!("{} {}.", remedy.of(lang), way_to_set_up(lang, device))
        }
        _ => remedy.of(lang).to_owned(),
    };
    let commands = match fault.finding {
        Finding::Heard { commands: Some((way, undo)), .. } => Some((way.to_owned(), undo.to_owned())),
        _ => None,
    };
    Advice { found: sentence(lang, &fault), remedy, commands }
}

/// What can be done about a kind of warning, of whichever device.
pub fn remedy(lang: Lang, kind: WarningKind) -> &'static str {
    let text = match kind {
        WarningKind::OtherSubnet => Text::OtherSubnetDo,
        WarningKind::NotActivated => Text::NotActivatedDo,
        WarningKind::AddressConflict => Text::AddressConflictDo,
        WarningKind::DuplicateSerial => Text::DuplicateSerialDo,
        WarningKind::DuplicateEndpoint => Text::DuplicateEndpointDo,
        WarningKind::NetworkMismatch => Text::NetworkMismatchDo,
        WarningKind::DynamicAddress => Text::DynamicAddressDo,
        WarningKind::ClockWrong => Text::ClockWrongDo,
        WarningKind::CertificateExpired => Text::CertificateExpiredDo,
    };
    text.of(lang)
}

/// How a problem is known, in a sentence.
fn sentence(lang: Lang, fault: &Fault<'_>) -> String {
    let plain = |text: Text| text.of(lang).to_owned();
    match (&fault.finding, fault.problem) {
        (Finding::Streams(streams), _) => Text::OpenStreamFound.with(lang, &[&named(lang, streams)]),
        (Finding::Dead(why, streams), _) => {
            Text::DeadStreamFound.with(lang, &[&named(lang, streams), &reason(*why, lang)])
        }
        (Finding::Shared(what), Problem::DuplicateSerial) => Text::DuplicateSerialFound.with(lang, &[what]),
        (Finding::Shared(what), Problem::DuplicateEndpoint) => Text::DuplicateEndpointFound.with(lang, &[what]),
        (Finding::Shared(what), _) => Text::AddressConflictFound.with(lang, &[what]),
        (Finding::Ahead(Some(seconds)), _) => {
            let text = if *seconds < 0 { Text::ClockBehind } else { Text::ClockAhead };
            text.with(lang, &[&lang.duration(seconds.unsigned_abs())])
        }
        (Finding::Ahead(None), _) => plain(Text::ClockOff),
        (Finding::Ended(Some(at)), _) => Text::CertificateEnded.with(lang, &[&lang.date(*at)]),
        (Finding::Ended(None), _) => plain(Text::CertificateEndedSome),
        (Finding::Channels(channels), _) => Text::ChannelOfflineFound.with(lang, &[&numbers(channels)]),
        (Finding::Error(Some(kind)), _) => Text::NoStreamError.with(lang, &[words::error(*kind, lang)]),
        (Finding::Error(None), _) => plain(Text::NoStreamFound),
        (Finding::Heard { on: Some(on), .. }, _) => Text::OtherSubnetFound.with(lang, &[on]),
        (Finding::Heard { on: None, .. }, _) => plain(Text::OtherSubnetHeard),
        (Finding::Mask { has }, _) => Text::MaskFound.with(lang, &[&has.to_string()]),
        (Finding::Gateway { has }, _) => Text::GatewayFound.with(lang, &[&has.to_string()]),
        (Finding::Login { refused: true }, _) => plain(Text::LoginRefusedFound),
        (Finding::Login { refused: false }, _) => plain(Text::LoginMissingFound),
        (Finding::Plain, problem) => plain(match problem {
            Problem::NotActivated => Text::NotActivatedFound,
            Problem::FactoryDefault => Text::FactoryDefaultFound,
            Problem::Offline => Text::OfflineFound,
            Problem::DynamicAddress => Text::DynamicAddressFound,
            Problem::NetworkMismatch => Text::MismatchFound,
            other => texts(other).0,
        }),
    }
}

fn reason(why: Why, lang: Lang) -> String {
    match why {
        Why::NoFrames => Text::NoFrames.of(lang).to_owned(),
        Why::NotFound => Text::NotFound.of(lang).to_owned(),
        Why::Failed(kind) => words::error(kind, lang).to_owned(),
    }
}

/// The streams by their channels, or how many there are.
fn named(lang: Lang, streams: &[&Stream]) -> String {
    let mut channels: Vec<u32> = streams.iter().filter_map(|stream| stream.channel).collect();
    channels.dedup();
    if channels.len() > 1 {
        return format!("{} ({})", lang.counted(streams.len() as u64, super::Noun::Stream), {
            Text::ChannelNumber.with(lang, &[&numbers(&channels)]).to_lowercase()
        });
    }
    lang.counted(streams.len() as u64, super::Noun::Stream)
}

fn numbers(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn urls(page: &mut Markup, context: &Context<'_>, streams: &[&Stream]) {
    page.raw("<ul class=\"urls\">");
    for stream in streams.iter().take(MOST_STREAMS) {
        page.raw("<li><code>").text(text::redact_url(&stream.url)).raw("</code></li>");
    }
    if let Some(more) = streams.len().checked_sub(MOST_STREAMS).filter(|more| *more > 0) {
        page.raw("<li>").text(context.with(Text::AndMore, &[&context.lang.number(more as u64)])).raw("</li>");
    }
    page.raw("</ul>");
}

fn command(page: &mut Markup, context: &Context<'_>, text: Text, command: &str) {
    page.raw("<p>").text(context.with(text, &[""])).raw(" <code>").text(command).raw("</code></p>");
}

/// Where a device is set up.
fn way_to_set_up(lang: Lang, device: &Device) -> String {
    let page = format!("http://{}/", url_host(device.ip));
    match device.vendor.as_deref().and_then(setup_tool) {
        Some(tool) if matches!(device.ip, IpAddr::V4(_)) => Text::SetUpAtOrWith.with(lang, &[&page, tool]),
        _ => Text::SetUpAt.with(lang, &[&page]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;

    #[test]
    fn every_problem_has_a_sentence_in_every_language() {
        let mut report = sample::report();
        report.devices.extend(sample::factory_cameras());
        for lang in Lang::ALL {
            for fault in super::super::fault::faults(&report) {
                let said = sentence(lang, &fault);
                assert!(!said.is_empty() && !said.contains("{}"), "{said}");
            }
        }
    }

    #[test]
    fn streams_are_named_by_their_channels() {
        let recorder = sample::report().devices.remove(2);
        let streams: Vec<&Stream> = recorder.streams.iter().collect();
        assert_eq!(named(Lang::En, &streams).replace('\u{a0}', " "), "4 streams (channel 1, 2, 3, 4)");
        assert_eq!(named(Lang::Ru, &streams[..1]).replace('\u{a0}', " "), "1 поток");
    }
}
