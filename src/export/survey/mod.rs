//! The survey of a site: the document an installer hands over. One page that needs nothing else, made for paper and screen;
//! it has no script, and its content security policy keeps it from loading anything.

mod bandwidth;
mod coverage;
mod device;
mod fault;
mod figures;
pub mod fixes;
pub mod lang;
mod subnet;
pub mod words;

use std::collections::HashMap;
use std::io::{self, Write};

use super::format::{Spec, Writer};
use super::{Assets, Exporter};
use crate::markup::{Markup, source_hash};
use crate::model::{Device, Report, ScanStatus};
use fault::Fault;
use figures::{Counts, Load, Storage};
use lang::{Lang, Noun};
use words::Text;

/// A fact of more characters takes two columns.
const LONG: usize = 22;

const STYLE: &str = include_str!("style.css");

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "survey",
    extensions: &[],
    help: "the survey of a site, to hand over: what to put right, cameras with pictures, bandwidth, storage",
    is_binary: false,
    writer: Writer::Report(|options| Box::new(Survey { options: options.survey, assets: options.assets })),
};

/// What a survey is headed with, and its language.
#[derive(Debug, Clone, Copy)]
pub struct SurveyOptions<'a> {
    /// What the site is called; else what all its devices name as their place.
    pub site: Option<&'a str>,
    /// The language of its words.
    pub lang: Lang,
}

impl Default for SurveyOptions<'_> {
    fn default() -> Self {
        SurveyOptions { site: None, lang: Lang::En }
    }
}

/// Writes a survey.
pub struct Survey<'a> {
    /// Its head and language.
    pub options: SurveyOptions<'a>,
    /// Where the snapshots' bytes come from.
    pub assets: Option<Assets<'a>>,
}

/// What all parts of the document need.
struct Context<'a> {
    lang: Lang,
    report: &'a Report,
    assets: Option<Assets<'a>>,
    /// The places of devices in the report, by their `id`.
    places: HashMap<&'a str, usize>,
}

impl Context<'_> {
    /// A text in the document's language.
    fn say(&self, text: Text) -> &'static str {
        text.of(self.lang)
    }

    /// A text with values filled in.
    fn with(&self, text: Text, values: &[&str]) -> String {
        text.with(self.lang, values)
    }

    /// What a device is called.
    fn title(&self, device: &Device) -> String {
        super::words::device_name(device).unwrap_or_else(|| self.say(Text::NotRecognised).to_owned())
    }

    /// The same without maker and model, where it has a name of its own.
    fn short_title(&self, device: &Device) -> String {
        let own = device.name.clone().filter(|name| !name.trim().is_empty());
        own.unwrap_or_else(|| self.title(device))
    }

    /// Whether another device is listed at the same address.
    fn shares_address(&self, device: &Device) -> bool {
        self.report.devices.iter().filter(|other| other.ip == device.ip).count() > 1
    }

    /// Where a device's card is, within the document.
    fn anchor(&self, device: &Device) -> Option<String> {
        self.places.get(device.id.as_str()).map(|place| format!("d{}", place + 1))
    }

    /// A device's name, which leads to its card, with its address.
    fn link(&self, page: &mut Markup, device: &Device) {
        match self.anchor(device) {
            Some(anchor) => {
                page.open("a", &[("href", &format!("#{anchor}"))]).name(self.short_title(device)).close("a")
            }
            None => page.name(self.short_title(device)),
        };
        page.raw(" <code>").text(device.ip).raw("</code>");
    }
}

impl Exporter for Survey<'_> {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let places = report.devices.iter().enumerate().map(|(place, device)| (device.id.as_str(), place)).collect();
        let context = Context { lang: self.options.lang, report, assets: self.assets, places };
        let site = self.options.site.map(str::to_owned).or_else(|| common_site(report));
        let faults = fault::faults(report);
        let mut page = Markup::default();
        head(&mut page, &context, site.as_deref());
        page.raw("<body>\n<header>\n");
        masthead(&mut page, &context, site.as_deref());
        page.raw("</header>\n<main>\n");
        summary(&mut page, &context, &faults);
        fixes::section(&mut page, &context, &faults);
        device::section(&mut page, &context);
        bandwidth::section(&mut page, &context);
        page.raw("</main>\n<footer><p>");
        page.text(context.say(Text::FooterPasswords)).raw(" ").text(context.say(Text::FooterFigures));
        page.raw("</p></footer>\n</body>\n</html>\n");
        out.write_all(page.into_string().as_bytes())
    }
}

/// The place that all devices of a report name, where they name one.
fn common_site(report: &Report) -> Option<String> {
    let mut sites = report.devices.iter().filter_map(|device| device.site.as_deref());
    let first = sites.next()?;
    sites.all(|site| site == first).then(|| first.to_owned())
}

fn head(page: &mut Markup, context: &Context<'_>, site: Option<&str>) {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        source_hash(STYLE)
    );
    page.raw("<!DOCTYPE html>\n").open("html", &[("lang", context.lang.as_str())]);
    page.raw("\n<head>\n<meta charset=\"utf-8\">\n");
    page.open("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]);
    page.raw("\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .raw("<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>")
        .text(context.say(Text::Title));
    if let Some(site) = site {
        page.raw(": ").text(site);
    }
    page.raw("</title>\n<style>").raw(STYLE).raw("</style>\n</head>\n");
}

/// What the document is about, and how it came about.
fn masthead(page: &mut Markup, context: &Context<'_>, site: Option<&str>) {
    let (scan, lang) = (&context.report.scan, context.lang);
    match site {
        Some(site) => {
            page.element("p", "kicker", context.say(Text::Title)).raw("\n").element("h1", "", site);
        }
        None => {
            page.element("h1", "", context.say(Text::Title));
        }
    }
    page.raw("\n<dl class=\"facts\">\n");
    page.raw("<div><dt>").text(context.say(Text::Date)).raw("</dt><dd>");
    page.open("time", &[("datetime", &scan.finished_at.to_string())]).text(lang.time(scan.finished_at));
    page.raw("</time></dd></div>\n");
    fact(page, context.say(Text::Targets), Some(scan.targets.join(", ")));
    fact(page, context.say(Text::Took), Some(lang.duration(scan.duration_ms / 1000)));
    fact(page, context.say(Text::MadeBy), Some(format!("camscan {}", scan.camscan_version)));
    page.raw("</dl>\n");
    if scan.status == ScanStatus::Interrupted {
        page.element("p", "notice bad", context.say(Text::Interrupted)).raw("\n");
    }
    coverage::section(page, context);
}

/// A line of a list of facts; none where there is nothing to it.
fn fact(page: &mut Markup, name: &'static str, value: Option<impl std::fmt::Display>) {
    let Some(value) = value.map(|value| value.to_string()).filter(|value| !value.trim().is_empty()) else { return };
    page.open("div", &[("class", if value.chars().count() > LONG { "fact long" } else { "fact" })]);
    page.element("dt", "", name).element("dd", "", value).raw("</div>\n");
}

/// The figures of the whole site.
fn summary(page: &mut Markup, context: &Context<'_>, faults: &[Fault<'_>]) {
    let (report, lang) = (context.report, context.lang);
    let counts = Counts::of(report);
    let load = Load::of(report.devices.iter().flat_map(Device::own_streams));
    let storage = Storage::of(report.devices.iter().flat_map(figures::sources));
    let number = |n: usize| lang.number(n as u64);
    page.raw("<section aria-labelledby=\"summary\">\n<h2 id=\"summary\">").text(context.say(Text::Summary));
    page.raw("</h2>\n<ul class=\"figures\">\n");
    let cameras = counts.cameras + counts.behind;
    let behind = (counts.behind > 0).then(|| context.with(Text::CamerasBehind, &[&number(counts.behind)]));
    figure(page, &number(cameras), Noun::Camera.form(cameras as u64, lang), behind);
    figure(page, &number(counts.recorders), Noun::Recorder.form(counts.recorders as u64, lang), None);
    for (n, noun) in [(counts.servers, Noun::MediaServer), (counts.others, Noun::Other)] {
        if n > 0 {
            figure(page, &number(n), noun.form(n as u64, lang), None);
        }
    }
    let others = [
        (counts.dead, Text::StreamsDead),
        (counts.login, Text::StreamsLogin),
        (counts.described, Text::StreamsDescribed),
    ];
    let others = others.iter().filter(|(n, _)| *n > 0).map(|(n, text)| context.with(*text, &[&number(*n)]));
    let others = Some(others.collect::<Vec<_>>().join("; "));
    figure(
        page,
        &number(counts.works),
        &context.with(Text::StreamsWork, &[&lang.counted(counts.streams() as u64, Noun::Stream)]),
        others,
    );
    let missing = (load.unmeasured > 0).then(|| context.with(Text::StreamsNotInSum, &[&number(load.unmeasured)]));
    figure(page, &lang.rate(load.kbps), context.say(Text::BandwidthSum), missing);
    let missing = (storage.unmeasured > 0)
        .then(|| context.with(Text::NotInSum, &[&lang.counted(storage.unmeasured as u64, Noun::Camera)]));
    figure(page, &lang.storage(storage.gigabytes(1)), context.say(Text::StorageDay), missing);
    page.open("li", if faults.is_empty() { &[] } else { &[("class", "alarm")] });
    figure_words(page, &number(faults.len()), Noun::Point.form(faults.len() as u64, lang), None);
    page.raw("</li>\n</ul>\n</section>\n");
}

fn figure(page: &mut Markup, value: &str, name: &str, note: Option<String>) {
    page.raw("<li>");
    figure_words(page, value, name, note);
    page.raw("</li>\n");
}

fn figure_words(page: &mut Markup, value: &str, name: &str, note: Option<String>) {
    page.raw("<b>").text(value).raw("</b> <span>").text(name).raw("</span>");
    if let Some(note) = note.filter(|note| !note.is_empty()) {
        page.raw(" <small>").text(note).raw("</small>");
    }
}

#[cfg(test)]
mod tests;
