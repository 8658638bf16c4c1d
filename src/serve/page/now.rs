//! The first page: every device, what needs somebody, and the scan that runs.

use std::collections::BTreeMap;

use super::look::Look;
use super::names::severity_tone;
use super::parts::{self, badge, button, button_for, encoded, form, hidden, link};
use super::shell::{Nav, Page};
use super::words::Text;
use super::{card, found, scans, start};
use crate::export::survey::lang::Noun;
use crate::history::diff::DeviceSummary;
use crate::markup::Markup;
use crate::model::access::Scope;
use crate::model::coverage::Coverage;
use crate::model::memory::Severity;
use crate::model::names::names;
use crate::serve::view::device::DeviceView;
use crate::serve::view::filter::Query;
use crate::serve::view::page::Page as List;
use crate::serve::view::summary::{Status, Summary};

names! {
    /// By what devices are grouped.
    pub enum Group {
        /// Not at all.
        None = "none",
        /// By network.
        Subnet = "subnet",
        /// By site.
        Site = "site",
        /// By tag; one with several stands at the first.
        Tag = "tag",
        /// By maker.
        Maker = "maker",
    }
}

/// Everything that the page shows.
pub struct Now {
    /// How this camscan stands.
    pub status: Status,
    /// What is known, in numbers.
    pub summary: Summary,
    /// The devices of this page.
    pub list: List<DeviceView>,
    /// Devices that are new and were not yet said to be expected.
    pub new: Vec<DeviceView>,
    /// What the configuration has scanned; empty: the networks of this machine.
    pub targets: Vec<String>,
    /// What the last scan covered, where nothing was found.
    pub coverage: Option<Coverage>,
    /// What the scan that runs has found so far, and is not known yet.
    pub found: Vec<DeviceSummary>,
    /// What is wanted.
    pub query: Query,
    /// The formats that what is listed can be exported to.
    pub formats: Vec<&'static str>,
}

/// The keys of the page's query that are no filter.
pub const KEYS: [&str; 3] = ["view", "group", "back"];

impl Now {
    fn value<'n>(&'n self, key: &'n str) -> &'n str {
        self.query.all(key).next().unwrap_or_default()
    }

    fn is_table(&self) -> bool {
        self.value("view") == "table"
    }

    fn group(&self) -> Group {
        Group::from_name(self.value("group")).unwrap_or(Group::None)
    }

    fn is_filtered(&self) -> bool {
        self.query.0.iter().any(|(key, value)| !KEYS.contains(&key.as_str()) && key != "sort" && !value.is_empty())
    }

    /// The page with another value of a key.
    fn with(&self, key: &str, value: &str) -> String {
        match parts::query_with(&self.query.0, key, value) {
            query if query.is_empty() => "./".to_owned(),
            query => format!("./?{query}"),
        }
    }
}

/// The page, or the part of it that a script asks for.
pub fn page(look: &Look, now: &Now) -> Page {
    if look.part.as_deref() == Some("list") {
        return Page::part(|out| live(out, look, now));
    }
    Page::new(look, look.say(Text::Now), Nav::Now, |out| {
        out.raw("<h1 class=\"spoken\">").text(look.say(Text::Now)).raw("</h1>");
        scan_bar(out, look, &now.status);
        if now.summary.devices == 0 && !now.is_filtered() {
            out.raw("<div id=\"live\" data-part=\"list\">");
            live(out, look, now);
            out.raw("</div>");
            return;
        }
        tools(out, look, now);
        out.raw("<div id=\"live\" data-part=\"list\">");
        live(out, look, now);
        out.raw("</div>");
    })
}

/// What changes while one looks.
fn live(out: &mut Markup, look: &Look, now: &Now) {
    if now.summary.devices == 0 && !now.is_filtered() {
        start::section(out, look, &now.status, &now.targets, now.coverage.as_ref());
        found::section(out, look, &now.found);
        return;
    }
    chips(out, look, now);
    banner(out, look, &now.new);
    if !now.is_filtered() {
        found::section(out, look, &now.found);
    }
    list(out, look, now);
}

/// How the scan stands, and what starts or stops it.
pub fn scan_bar(out: &mut Markup, look: &Look, status: &Status) {
    out.open("section", &[("class", "scan"), ("id", "scan"), ("aria-label", look.say(Text::Scan))]);
    match &status.running {
        Some(scan) => scans::running(out, look, scan),
        None => {
            out.raw("<p class=\"grow faint\">");
            if let Some(last) = status.last_scan.as_ref().and_then(|scan| scan.ended_at) {
                out.text(look.say(Text::LastScan)).raw(" ");
                parts::time(out, look, last);
                out.raw(" · ");
            }
            match status.next_scan {
                Some(next) => {
                    out.text(look.say(Text::NextScan)).raw(" ");
                    parts::time(out, look, next);
                }
                None => {
                    out.text(look.say(Text::NotWatching));
                }
            }
            out.raw("</p>");
            if look.may_scan() {
                parts::act(out, look, "scans", "", look.say(Text::ScanNow));
            }
        }
    }
    out.raw("</section>\n");
}

/// What counts, and filters.
fn chips(out: &mut Markup, look: &Look, now: &Now) {
    let sum = &now.summary;
    let is = |flag: &str| sum.is.get(flag).copied().unwrap_or_default();
    let chips = [
        ("", "", Text::All, sum.devices, ""),
        ("state", "online", Text::Online, sum.online, "good"),
        ("state", "offline", Text::Offline, sum.offline, "bad"),
        ("is", "missing", Text::NotAnswering, is("missing"), "attention"),
        ("is", "no_frames", Text::NoFrames, is("no_frames"), "bad"),
        ("is", "login", Text::LoginNeeded, is("login"), "attention"),
        ("is", "open", Text::Open, is("open"), "attention"),
        ("is", "new", Text::New, is("new"), ""),
        ("is", "flapping", Text::Unstable, is("flapping"), "attention"),
        ("is", "muted", Text::Muted, is("muted"), ""),
        ("is", "foreign", Text::OtherSubnet, is("foreign"), "attention"),
        ("is", "replaced", Text::EventDeviceReplaced, is("replaced"), ""),
        ("is", "archived", Text::Archived, is("archived"), ""),
    ];
    out.open("nav", &[("aria-label", look.say(Text::Filter))]).raw("<ul class=\"chips\">");
    let chosen = |key: &str, value: &str| now.value(key) == value && !value.is_empty();
    let is_any = !now.value("state").is_empty() || !now.value("is").is_empty();
    for (key, value, text, count, class) in chips {
        let is_chosen = if key.is_empty() { !is_any } else { chosen(key, value) };
        if count == 0 && !is_chosen && !matches!(text, Text::All | Text::Online | Text::Offline) {
            continue;
        }
        let kept: Vec<(String, String)> =
            now.query.0.iter().filter(|(own, _)| own != "state" && own != "is").cloned().collect();
        let query = parts::query_with(&kept, key, if is_chosen { "" } else { value });
        let to = if query.is_empty() { "./".to_owned() } else { format!("./?{query}") };
        out.raw("<li>").open("a", &[("href", &to), ("class", class), current(is_chosen)]);
        out.raw("<b>").text(look.lang.number(count)).raw("</b> ").text(look.say(text)).raw("</a></li>");
    }
    out.raw("</ul></nav>\n");
}

fn current(is_chosen: bool) -> (&'static str, &'static str) {
    if is_chosen { ("aria-current", "true") } else { ("data-chip", "") }
}

/// Search, order, grouping, grid or table.
fn tools(out: &mut Markup, look: &Look, now: &Now) {
    out.open("form", &[("class", "tools"), ("role", "search"), ("action", "./"), ("data-auto", "")]);
    let own = ["q", "group", "sort", "cursor"];
    for (key, value) in now.query.0.iter().filter(|(key, _)| !own.contains(&key.as_str())) {
        hidden_named(out, key, value);
    }
    out.raw("<label class=\"wide\">").text(look.say(Text::Search));
    let hint = look.say(Text::SearchHint);
    let search =
        [("type", "search"), ("name", "q"), ("maxlength", "128"), ("placeholder", hint), ("value", now.value("q"))];
    out.open("input", &search).raw("</label>");
    // What is usual does not stand in the address.
    let value = |group: Group| if group == Group::None { "" } else { group.as_str() };
    let groups = Group::ALL.map(|group| (value(group), look.say(group_name(group))));
    parts::choice(out, look.say(Text::GroupBy), "group", value(now.group()), &groups);
    let sorts = [
        ("", Text::Address),
        ("state", Text::State),
        ("name", Text::Name),
        ("-since", Text::LatestChange),
        ("-first_seen", Text::FirstSeen),
    ]
    .map(|(value, text)| (value, look.say(text)));
    parts::choice(out, look.say(Text::SortBy), "sort", now.value("sort"), &sorts);
    button(out, "", look.say(Text::Show));
    let views = [("", parts::drawing::GRID, Text::Grid), ("table", parts::drawing::LINES, Text::Table)];
    out.raw("<span class=\"pair\">");
    for (view, drawing, text) in views {
        let is_here = now.is_table() == (view == "table");
        let name = look.say(text);
        out.open(
            "a",
            &[("class", "button"), ("href", &now.with("view", view)), ("aria-label", name), current(is_here)],
        );
        parts::icon(out, drawing);
        out.raw("</a>");
    }
    out.raw("</span></form>\n");
}

/// Only names of ours go into a page as names.
fn hidden_named(out: &mut Markup, key: &str, value: &str) {
    hidden(out, key, value);
}

const fn group_name(group: Group) -> Text {
    match group {
        Group::None => Text::NoGroups,
        Group::Subnet => Text::Network,
        Group::Site => Text::Site,
        Group::Tag => Text::Tag,
        Group::Maker => Text::Maker,
    }
}

/// Devices nobody has seen before.
fn banner(out: &mut Markup, look: &Look, new: &[DeviceView]) {
    /// More are counted.
    const SHOWN: usize = 5;
    if new.is_empty() {
        return;
    }
    out.open("section", &[("class", "banner"), ("aria-label", look.say(Text::NewDevices))]).raw("<p>");
    badge(out, severity_tone(Severity::Warning), look.say(Text::New));
    out.raw(" <strong>").text(look.counted(new.len(), Noun::Device)).raw("</strong> ");
    out.text(look.say(Text::NewDevicesWhat)).raw("</p><ul>");
    for device in new.iter().take(SHOWN) {
        out.raw("<li><span>");
        link(out, look, &card::path(device), &card::name(device));
        out.raw(" <span class=\"mono faint\">").text(device.ip).raw("</span> ");
        out.raw("<small>").text(look.say(Text::FirstSeen)).raw(" ");
        parts::time(out, look, device.first_seen);
        out.raw("</small></span>");
        if look.may(Scope::Edit) {
            form(out, look, "row", &format!("{}/verdict", card::path(device)), |out| {
                button_for(out, "", "verdict", "expected", look.say(Text::Expected));
                button_for(out, "danger", "verdict", "foreign", look.say(Text::NotOurs));
            });
        }
        out.raw("</li>");
    }
    out.raw("</ul>");
    if new.len() > SHOWN {
        out.raw("<p>").open("a", &[("href", "./?is=new")]);
        out.text(look.with(Text::AndMore, &[&(new.len() - SHOWN).to_string()])).raw("</a></p>");
    }
    out.raw("</section>\n");
}

/// The devices, and what can be done with those that are selected.
fn list(out: &mut Markup, look: &Look, now: &Now) {
    if now.list.items.is_empty() {
        out.raw("<p class=\"empty\">").text(look.say(Text::NothingMatches)).raw(" ");
        out.raw("<a href=\"./\">").text(look.say(Text::ShowAll)).raw("</a></p>");
        return;
    }
    out.open("form", &[("method", "post"), ("id", "devices"), ("action", &look.to("devices"))]);
    hidden(out, "back", &look.here);
    for (title, devices) in groups(look, now.group(), &now.list.items) {
        out.open("section", &[("class", "group"), ("data-group", &title)]);
        let is_titled = now.group() != Group::None;
        if is_titled {
            out.raw("<h2>")
                .name(&title)
                .raw(" <small>")
                .text(look.counted(devices.len(), Noun::Device))
                .raw("</small></h2>");
        }
        if now.is_table() {
            table(out, look, &title, &devices);
        } else {
            out.raw("<div class=\"cards\">\n");
            devices.iter().for_each(|device| card::card(out, look, device));
            out.raw("</div>");
        }
        out.raw("</section>\n");
    }
    bulk(out, look, now);
    out.raw("</form>\n");
    if let Some(cursor) = &now.list.next {
        let mut pairs: Vec<(&str, &str)> =
            now.query.0.iter().filter(|(key, _)| key != "cursor").map(|(k, v)| (k.as_str(), v.as_str())).collect();
        pairs.push(("cursor", cursor));
        out.raw("<p class=\"more\">").open(
            "a",
            &[("class", "button"), ("rel", "next"), ("data-more", ""), ("href", &format!("./?{}", encoded(&pairs)))],
        );
        out.text(look.say(Text::ShowMore)).raw("</a></p>\n");
    }
}

fn groups(look: &Look, by: Group, devices: &[DeviceView]) -> Vec<(String, Vec<DeviceView>)> {
    let of = |device: &DeviceView| match by {
        Group::None => None,
        Group::Subnet => device.subnet.clone(),
        Group::Site => device.site.clone(),
        Group::Tag => device.tags.first().cloned(),
        Group::Maker => device.vendor.clone(),
    };
    // Those without it come last.
    let mut groups: BTreeMap<(bool, String), Vec<DeviceView>> = BTreeMap::new();
    for device in devices {
        let title = of(device).filter(|title| !title.is_empty());
        let key = (title.is_none(), title.unwrap_or_else(|| look.say(Text::Without).to_owned()));
        groups.entry(key).or_default().push(device.clone());
    }
    groups.into_iter().map(|((_, title), devices)| (title, devices)).collect()
}

fn table(out: &mut Markup, look: &Look, title: &str, devices: &[DeviceView]) {
    out.raw("<div class=\"panel flush\">");
    out.raw("<div class=\"wide\"><table class=\"cardy\"><caption class=\"spoken\">")
        .text(title)
        .raw("</caption><thead><tr>");
    if look.may(Scope::Edit) {
        out.raw("<td></td>");
    }
    let columns = [
        Text::Name,
        Text::State,
        Text::Since,
        Text::Address,
        Text::Kind,
        Text::Model,
        Text::Picture,
        Text::Streams,
        Text::SiteAndTags,
    ];
    columns.iter().for_each(|column| {
        out.column(look.say(*column));
    });
    out.raw("</tr></thead><tbody>\n");
    devices.iter().for_each(|device| card::row(out, look, device));
    parts::table_end(out);
    out.raw("</div>");
}

/// What can be done with many at once.
fn bulk(out: &mut Markup, look: &Look, now: &Now) {
    if !look.may(Scope::Edit) {
        return;
    }
    out.open("div", &[("class", "bulk"), ("role", "group"), ("aria-label", look.say(Text::WithSelected))]);
    let counted = look.say(Text::Selected);
    out.open("output", &[("id", "picked"), ("data-text", counted), ("aria-live", "polite")])
        .text(look.say(Text::WithSelected))
        .raw("</output>");
    parts::field(
        out,
        look.say(Text::Tag),
        "tag",
        "",
        &[("maxlength", "200"), ("list", "tags"), ("autocomplete", "off")],
    );
    out.raw("<datalist id=\"tags\">");
    for tag in now.summary.tags.keys() {
        out.open("option", &[("value", tag)]).raw("</option>");
    }
    out.raw("</datalist>");
    button_for(out, "", "do", "tag", look.say(Text::AddTag));
    button_for(out, "", "do", "untag", look.say(Text::RemoveTag));
    let hours = [
        ("1", Text::OneHour),
        ("8", Text::EightHours),
        ("24", Text::OneDay),
        ("168", Text::OneWeek),
        ("", Text::UntilEnded),
    ]
    .map(|(value, text)| (value, look.say(text)));
    parts::choice(out, look.say(Text::MuteFor), "hours", "8", &hours);
    button_for(out, "", "do", "mute", look.say(Text::Mute));
    button_for(out, "", "do", "unmute", look.say(Text::Unmute));
    if look.may_scan() {
        button_for(out, "", "do", "probe", look.say(Text::Probe));
    }
    let formats: Vec<(&str, &str)> = now.formats.iter().map(|name| (*name, *name)).collect();
    parts::choice(out, look.say(Text::Format), "format", "csv", &formats);
    button_for(out, "", "do", "export", look.say(Text::Export));
    button_for(out, "danger", "do", "archive", look.say(Text::Archive));
    out.raw("</div>");
}
