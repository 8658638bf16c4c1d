//! Scans: those that were made, the one that runs, and what starts another.

use super::look::Look;
use super::names::{cause, scan_kind, scan_state};
use super::parts::{self, act, badge, cell, cell_of, form, link, table_end, table_head};
use super::shell::{Nav, Page};
use super::words::Text;
use super::words_remarks;
use crate::export::survey::lang::Noun;
use crate::markup::Markup;
use crate::serve::view::scan::{ScanState, ScanView};
use crate::serve::view::summary::Status;

/// Everything that the page shows.
pub struct Scans {
    /// How this camscan stands.
    pub status: Status,
    /// Those that wait or run.
    pub jobs: Vec<ScanView>,
    /// Those that were made, the latest first.
    pub past: Vec<ScanView>,
}

/// The page, or its changing part.
pub fn page(look: &Look, scans: &Scans) -> Page {
    if look.part.as_deref() == Some("list") {
        return Page::part(|out| live(out, look, scans));
    }
    Page::new(look, look.say(Text::Scans), Nav::Scans, |out| {
        out.raw("<div class=\"head\"><h1 class=\"grow\">").text(look.say(Text::Scans)).raw("</h1></div>");
        if look.may_scan() {
            start(out, look);
        }
        out.raw("<div id=\"live\" data-part=\"list\" class=\"stack\">");
        live(out, look, scans);
        out.raw("</div>");
    })
}

fn start(out: &mut Markup, look: &Look) {
    out.raw("<section class=\"panel\"><h2>").text(look.say(Text::StartScan)).raw("</h2>");
    form(out, look, "row", "scans", |out| {
        let hint = look.say(Text::TargetsHint);
        parts::field(
            out,
            look.say(Text::Targets),
            "targets",
            "",
            &[("maxlength", "2000"), ("placeholder", hint), ("autocomplete", "off")],
        );
        parts::button(out, "first", look.say(Text::ScanNow));
    });
    out.raw("</section>");
}

fn live(out: &mut Markup, look: &Look, scans: &Scans) {
    let jobs: Vec<&ScanView> = scans.jobs.iter().chain(&scans.status.running).collect();
    let mut seen: Vec<&str> = Vec::new();
    for scan in jobs {
        if !seen.contains(&scan.id.as_str()) {
            seen.push(&scan.id);
            out.raw("<section class=\"panel scan\">");
            running(out, look, scan);
            out.raw("</section>");
        }
    }
    if scans.past.is_empty() {
        out.raw("<p class=\"empty\">").text(look.say(Text::NoScans)).raw("</p>");
        return;
    }
    out.open("form", &[("class", "panel flush"), ("action", &look.to("diff"))]);
    table_head(
        out,
        look,
        look.say(Text::Scans),
        &[
            Text::Compare,
            Text::Scan,
            Text::Began,
            Text::Took,
            Text::State,
            Text::Addresses,
            Text::Answered,
            Text::Found,
            Text::StartedBy,
            Text::Report,
        ],
    );
    for (place, scan) in scans.past.iter().enumerate() {
        row(out, look, scan, place, scans.past.len() > 1);
    }
    table_end(out);
    if scans.past.len() > 1 {
        out.raw("<p class=\"more\">");
        parts::button(out, "first", look.say(Text::CompareChosen));
        out.raw("</p>");
    }
    out.raw("</form>");
}

fn row(out: &mut Markup, look: &Look, scan: &ScanView, place: usize, is_comparable: bool) {
    let number = |n: Option<u64>| n.map(|n| look.lang.number(n)).unwrap_or_default();
    out.open("tr", &[("data-id", &scan.id)]);
    cell_of(out, look, Text::Compare, |out| {
        if !is_comparable {
            return;
        }
        out.raw("<span class=\"both\">");
        for (name, text, is_chosen) in [("from", Text::Before, place == 1), ("to", Text::After, place == 0)] {
            let label = format!("{} {}", look.say(text), scan.id);
            out.raw("<label class=\"tick\"><span class=\"spoken\">").text(label).raw("</span>");
            out.open_with(
                "input",
                &[("type", "radio"), ("name", name), ("value", &scan.id)],
                &[("checked", is_chosen)],
            );
            out.raw("</label>");
        }
        out.raw("</span>");
    });
    out.raw("<th scope=\"row\" class=\"number\">").text(&scan.id).raw("</th>");
    cell_of(out, look, Text::Began, |out| parts::time(out, look, scan.started_at));
    cell(out, look, Text::Took, &scan.duration_ms.map(|ms| look.lang.duration(ms.div_ceil(1000))).unwrap_or_default());
    let (tone, state) = scan_state(scan.status);
    cell_of(out, look, Text::State, |out| badge(out, tone, look.say(state)));
    cell(out, look, Text::Addresses, &number(scan.addresses));
    cell(out, look, Text::Answered, &number(scan.hosts_up));
    cell(out, look, Text::Found, &number(scan.found));
    cell_of(out, look, Text::StartedBy, |out| {
        out.text(look.say(cause(scan.cause)));
    });
    cell_of(out, look, Text::Report, |out| {
        if scan.number.is_some() {
            link(out, look, &format!("export?scan={}&format=html", scan.id), look.say(Text::Show));
        }
    });
    out.raw("</tr>");
}

/// A scan that runs or waits: how far it is, and what stops it.
pub fn running(out: &mut Markup, look: &Look, scan: &ScanView) {
    let (tone, state) = scan_state(scan.status);
    out.open("div", &[("class", "grow"), ("data-scan", &scan.id)]).raw("<p>");
    badge(out, tone, look.say(state));
    out.raw(" ").text(look.say(scan_kind(scan.kind)));
    if let Some(targets) = scan.targets.as_ref().filter(|targets| !targets.is_empty()) {
        out.raw(" <span class=\"mono faint\">").text(targets.join(", ")).raw("</span>");
    }
    out.raw(" <span data-progress=\"text\" class=\"faint\">").text(far(look, scan)).raw("</span></p>");
    if let Some(progress) = scan.progress.as_ref().filter(|_| scan.status == ScanState::Running) {
        let (max, value) = (progress.addresses.max(1).to_string(), progress.asked.min(progress.addresses).to_string());
        let label = look.say(Text::ScanProgress);
        out.open("progress", &[("max", &max), ("value", &value), ("aria-label", label), ("data-progress", "bar")]);
        out.raw("</progress>");
    }
    match (&scan.failed, &scan.error) {
        (Some(why), _) => drop(out.element("p", "why", words_remarks::not_scanned(look, why))),
        (None, Some(error)) => drop(out.raw("<p class=\"why\">").original(error).raw("</p>")),
        (None, None) => {}
    }
    out.raw("</div>");
    if look.may_scan() && matches!(scan.status, ScanState::Running | ScanState::Queued) {
        act(out, look, &format!("scans/{}/stop", scan.id), "danger", look.say(Text::Stop));
    }
}

/// `120 of 254 asked · 5 found · 40 s left`.
fn far(look: &Look, scan: &ScanView) -> String {
    let Some(progress) = &scan.progress else { return String::new() };
    let (asked, all) = (look.lang.number(progress.asked), look.lang.number(progress.addresses));
    let devices = look.counted(usize::try_from(progress.devices).unwrap_or_default(), Noun::Device);
    let mut said = vec![look.with(Text::AskedOf, &[&asked, &all]), devices];
    if let Some(left) = progress.remaining_s {
        said.push(look.with(Text::TimeLeft, &[&look.lang.duration(left)]));
    }
    said.join(" · ")
}
