//! One HTML page that needs nothing else: styles, script and pictures are in it, and its content security policy keeps
//! it from loading anything. It reads without the script too; that sorts, filters and enlarges.

mod coverage;
mod device;
pub mod picture;

use std::io::{self, Write};

use super::format::{Spec, Writer};
use super::site;
use super::words::{self, Addresses, Tone};
use super::{Assets, Exporter};
use crate::markup::{Markup, source_hash};
use crate::model::{Report, ScanInfo, ScanStatus};
use crate::text::counted;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "html",
    extensions: &["html", "htm"],
    help: "one page with everything in it, to read in a browser",
    is_binary: false,
    writer: Writer::Report(|options| Box::new(Html { assets: options.assets })),
};

/// Writes a page.
pub struct Html<'a> {
    /// Where the snapshots' bytes come from.
    pub assets: Option<Assets<'a>>,
}

impl Exporter for Html<'_> {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let mut page = Markup::default();
        head(&mut page);
        page.raw("<body>\n");
        masthead(&mut page, &report.scan);
        page.raw("<main>\n");
        cards(&mut page, report);
        warnings(&mut page, report);
        if report.devices.is_empty() {
            page.raw("<p class=\"empty\">No cameras found.</p>\n");
        } else {
            table(&mut page, report, self.assets);
        }
        if let Some(covered) = &report.scan.coverage {
            coverage::section(&mut page, covered);
        }
        page.raw("</main>\n");
        footer(&mut page, report);
        page.raw("<dialog id=\"picture\"><form method=\"dialog\"><button aria-label=\"Close\">✕</button></form>")
            .raw("<img alt=\"\"></dialog>\n<script>")
            .raw(SCRIPT)
            .raw("</script>\n</body>\n</html>\n");
        out.write_all(page.into_string().as_bytes())
    }
}

/// Only this very style and script run, pictures are part of the page, and nothing is sent anywhere.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        source_hash(STYLE),
        source_hash(SCRIPT)
    )
}

fn head(page: &mut Markup) {
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
        .raw("<meta http-equiv=\"Content-Security-Policy\" content=\"")
        .text(policy())
        .raw("\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .raw("<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n")
        .raw("<title>Cameras and streams</title>\n<style>")
        .raw(STYLE)
        .raw("</style>\n</head>\n");
}

fn masthead(page: &mut Markup, scan: &ScanInfo) {
    page.raw("<header>\n<h1>Cameras and streams</h1>\n<p>");
    match scan.targets.as_slice() {
        [] => {}
        targets => {
            page.name(targets.join(", ")).raw(" · ");
        }
    }
    page.open("time", &[("datetime", &scan.finished_at.to_string())]);
    page.text(scan.finished_at.strftime("%-d %B %Y, %H:%M UTC")).raw("</time> · ");
    let addresses = counted(scan.addresses, "address", "addresses");
    page.text(format_args!("{} of {addresses} answered in {}", scan.hosts_up, words::duration(scan.duration_ms)));
    if scan.status == ScanStatus::Interrupted {
        page.raw(" · <strong class=\"attention\">interrupted, so there may be more</strong>");
    }
    page.raw("</p>\n<button id=\"theme\" type=\"button\" hidden>Dark or light</button>\n</header>\n");
}

/// How many devices there are and how they stand. The script makes them filters.
fn cards(page: &mut Markup, report: &Report) {
    page.raw("<ul class=\"cards\">\n");
    let all = report.devices.len();
    card(page, "", Tone::Plain, all, if all == 1 { "device" } else { "devices" });
    for (standing, n) in words::standings(report) {
        let (name, tone) = standing.words();
        card(page, name, tone, n, standing.of_many(n));
    }
    let streams: usize = report.devices.iter().map(|d| d.own_streams().count()).sum();
    page.open("li", &[]).open("div", &[("class", "card plain")]);
    page.element("b", "", streams).element("span", "", if streams == 1 { "stream" } else { "streams" });
    page.raw("</div></li>\n</ul>\n");
}

fn card(page: &mut Markup, standing: &str, tone: Tone, n: usize, label: &str) {
    let class = format!("card {}", tone.as_str());
    page.open("li", &[]);
    page.open(
        "button",
        &[("type", "button"), ("class", &class), ("data-standing", standing), ("aria-pressed", "false")],
    );
    page.element("b", "", n).element("span", "", label).raw("</button></li>\n");
}

fn warnings(page: &mut Markup, report: &Report) {
    let hints = site::hints(report);
    if !report.warnings.is_empty() || !hints.is_empty() {
        page.raw("<section class=\"notes\" aria-label=\"Warnings\">\n<ul>\n");
        for warning in report.warnings.iter().chain(&hints) {
            page.element("li", "", warning);
        }
        page.raw("\n</ul>\n</section>\n");
    }
}

fn table(page: &mut Markup, report: &Report, assets: Option<Assets<'_>>) {
    // No column for pictures where there are none.
    let pictures = assets.filter(|_| report.devices.iter().flat_map(|d| &d.streams).any(|s| s.snapshot.is_some()));
    page.raw("<div class=\"tools\" hidden>\n<label>Filter <input id=\"filter\" type=\"search\" ")
        .raw("placeholder=\"address, maker, model, codec …\" autocomplete=\"off\" spellcheck=\"false\"></label>\n")
        .raw("<output id=\"shown\" aria-live=\"polite\"></output>\n")
        .raw("<button id=\"unfold\" type=\"button\">Open all details</button>\n</div>\n")
        .raw("<div class=\"wide\" role=\"region\" aria-label=\"Devices\" tabindex=\"0\">\n<table id=\"devices\">\n")
        .raw("<caption class=\"spoken\">Devices, each with its details below it</caption>\n<thead>\n<tr>");
    if pictures.is_some() {
        page.raw("<th scope=\"col\">Picture</th>");
    }
    for column in ["Address", "Device", "Kind", "Status", "Streams", "Video", "Login"] {
        page.raw("<th scope=\"col\" data-sortable>").text(column).raw("</th>");
    }
    page.raw("</tr>\n</thead>\n");
    let addresses = Addresses::of(&report.devices);
    for device in &report.devices {
        device::rows(page, device, &addresses, pictures);
    }
    page.raw("</table>\n</div>\n");
}

fn footer(page: &mut Markup, report: &Report) {
    page.raw("<footer><p>").text(format_args!("camscan {}", report.scan.camscan_version));
    if !report.scan.methods.is_empty() {
        page.raw(" · found by ").text(words::methods(&report.scan.methods));
    }
    page.raw("</p></footer>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use base64::Engine as _;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F'];

    fn html(report: &Report) -> String {
        let load = |path: &str| match path {
            "snapshots/10.77.0.10-1.jpg" => Some(JPEG.to_vec()),
            _ => None,
        };
        let mut bytes = Vec::new();
        Html { assets: Some(&load) }.write(report, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
        let start = page.find(from).unwrap() + from.len();
        &page[start..start + page[start..].find(to).unwrap()]
    }

    /// The tags, attribute values left out: what a browser takes for markup.
    fn skeleton(page: &str) -> Vec<String> {
        let body = between(page, "<body>", "<script>");
        body.split('<')
            .skip(1)
            .map(|part| {
                let (tag, _) = part.split_once('>').expect("a tag ends");
                tag.split('"').step_by(2).collect::<Vec<_>>().join("_")
            })
            .collect()
    }

    #[test]
    fn a_camera_reads_well() {
        let page = html(&sample::report_of(vec![sample::camera()]));
        insta::assert_snapshot!(between(&page, "<body>\n", "<script>"));
    }

    #[test]
    fn cameras_out_of_the_box_come_with_what_to_do() {
        let mut report = sample::report_of(sample::factory_cameras());
        report.scan.coverage = Some(sample::coverage());
        let page = html(&report);
        assert_eq!(page.matches("rp_filter is strict").count(), 1);
        let way = "sudo ip addr add 192.168.1.200/24 dev eth0";
        // Above the devices once, and with each of them.
        assert_eq!(page.matches(way).count(), 3);
        assert_eq!(page.matches("shares its address with Dahua IPC-HDW1230").count(), 2);
        assert!(page.contains("data-standing=\"not activated\""));
    }

    #[test]
    fn nothing_is_loaded_and_only_our_own_source_runs() {
        for report in [sample::report(), sample::hostile_report(), sample::report_of(vec![])] {
            let page = html(&report);
            for outside in
                ["src=\"http", "src=\"//", "url(", "@import", "<link", "<iframe", "<base", " on", "javascript:"]
            {
                let markup = page.split('<').filter_map(|p| p.split_once('>')).map(|(tag, _)| format!("<{tag}"));
                assert!(!markup.into_iter().any(|tag| tag.contains(outside)), "{outside}");
            }
            let policy = between(&page, "Content-Security-Policy\" content=\"", "\">").replace("&#39;", "'");
            let hash = |source: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(source));
            assert!(policy.contains(&format!("style-src 'sha256-{}'", hash(between(&page, "<style>", "</style>")))));
            assert!(policy.contains(&format!("script-src 'sha256-{}'", hash(between(&page, "<script>", "</script>")))));
            assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        }
    }

    #[test]
    fn every_link_leads_to_the_device_itself() {
        let page = html(&sample::report());
        let links: Vec<&str> = page.split("href=\"").skip(1).filter_map(|l| l.split('"').next()).collect();
        assert_eq!(links, ["http://10.77.0.10:80/"]);
    }

    #[test]
    fn pictures_are_part_of_the_page_and_nothing_else_is() {
        let page = html(&sample::report());
        assert_eq!(page.matches("src=\"data:image/jpeg;base64,/9j/4AAQSkZJRg==\"").count(), 1);
        let script = |_: &str| Some(b"<svg onload=alert(1)>".to_vec());
        let mut bytes = Vec::new();
        Html { assets: Some(&script) }.write(&sample::report(), &mut bytes).unwrap();
        assert!(!String::from_utf8(bytes).unwrap().contains("data:image"));
    }

    #[test]
    fn every_device_and_stream_is_there() {
        let report = sample::report();
        let page = html(&report);
        assert_eq!(page.matches("<tbody data-standing").count(), report.devices.len());
        let streams: usize = report.devices.iter().map(|d| d.streams.len()).sum();
        assert_eq!(page.matches("<code class=\"url\">").count(), streams);
    }

    #[test]
    fn a_stream_of_a_listed_camera_is_counted_once() {
        let page = html(&sample::site());
        assert!(
            page.contains("<b><bdi>5</bdi></b><span><bdi>streams</bdi></span>"),
            "{}",
            between(&page, "<ul class=\"cards\">", "</ul>")
        );
        assert!(page.contains("also channel 3 of 10.77.0.2, channel 7 of 10.77.0.3"));
        assert!(page.contains("channel 1 is 10.77.0.10, channel 2 is 10.77.0.11, channel 3 is 10.77.0.17"));
    }

    proptest! {
        #[test]
        fn no_name_becomes_markup(name in any::<String>()) {
            let page = |name: &str| html(&sample::report_of(vec![sample::hostile("192.0.2.1", name)]));
            prop_assert_eq!(skeleton(&page(&format!("x{name}"))), skeleton(&page("cam")));
        }
    }

    #[test]
    fn no_hostile_name_becomes_markup() {
        for name in sample::HOSTILE {
            let page = |name: &str| html(&sample::report_of(vec![sample::hostile("192.0.2.1", name)]));
            assert_eq!(skeleton(&page(name)), skeleton(&page("cam")), "{name:?}");
        }
    }
}
