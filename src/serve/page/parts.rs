//! Parts that many pages have.

use jiff::{SignedDuration, Timestamp};

use super::look::Look;
use super::words::Text;
use crate::export::words::Tone;
use crate::markup::Markup;

/// A time: as the machine's clock shows it, until the browser writes it as its own does.
pub fn time(out: &mut Markup, look: &Look, at: Timestamp) {
    let zoned = at.to_zoned(look.zone.clone());
    let is_today = zoned.date() == look.now.to_zoned(look.zone.clone()).date();
    let text = zoned.strftime(if is_today { "%H:%M" } else { "%Y-%m-%d %H:%M" });
    out.within("time", &[("datetime", &stamp(at))], |out| {
        out.text(text);
    });
}

/// A time without its day, for lists by day.
pub fn clock(out: &mut Markup, look: &Look, at: Timestamp) {
    let text = at.to_zoned(look.zone.clone()).strftime("%H:%M:%S").to_string();
    out.within("time", &[("datetime", &stamp(at)), ("data-as", "clock")], |out| {
        out.text(text);
    });
}

/// How long something has lasted; a script keeps it right.
pub fn age(out: &mut Markup, look: &Look, at: Timestamp) {
    out.within("time", &[("datetime", &stamp(at)), ("data-as", "age")], |out| {
        out.text(look.since(at));
    });
}

/// Seconds are enough for people.
pub fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A state by sign, word and colour.
pub fn badge(out: &mut Markup, tone: Tone, words: &str) {
    out.open("span", &[("class", &format!("badge {}", tone.as_str()))]);
    out.raw("<i aria-hidden=\"true\">").text(tone.sign()).raw("</i>").text(words).raw("</span>");
}

/// A word of the user's.
pub fn tag(out: &mut Markup, text: &str) {
    out.element("span", "tag", text);
}

/// Words as a heading begins: with a capital.
pub fn heading(words: &str) -> String {
    let mut rest = words.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// A link; `path` is counted from the root of the pages.
pub fn link(out: &mut Markup, look: &Look, path: &str, text: &str) {
    out.open("a", &[("href", &look.to(path))]).name(text).close("a");
}

/// A form that sends to `path`, counted from the root of the pages, and comes back to this page.
pub fn form(out: &mut Markup, look: &Look, class: &str, path: &str, inside: impl FnOnce(&mut Markup)) {
    out.open("form", &[("method", "post"), ("class", class), ("action", &look.to(path))]);
    hidden(out, "back", &look.here);
    inside(out);
    out.close("form");
}

/// A value that a form sends and nobody sees.
pub fn hidden(out: &mut Markup, name: &str, value: &str) {
    out.open("input", &[("type", "hidden"), ("name", name), ("value", value)]);
}

/// A button that sends its form; `class` is `first` for what is mostly wanted and `danger` for what is lost.
pub fn button(out: &mut Markup, class: &str, text: &str) {
    out.open("button", &[("class", class)]).text(text).close("button");
}

/// A button that sends its form with a word of what to do.
pub fn button_for(out: &mut Markup, class: &str, name: &str, value: &str, text: &str) {
    out.open("button", &[("class", class), ("name", name), ("value", value)]).text(text).close("button");
}

/// A form of one button.
pub fn act(out: &mut Markup, look: &Look, path: &str, class: &str, text: &str) {
    form(out, look, "", path, |out| button(out, class, text));
}

/// A labelled field for text.
pub fn field(out: &mut Markup, label: &str, name: &str, value: &str, more: &[(&'static str, &str)]) {
    out.raw("<label>").text(label);
    let mut attributes = vec![("name", name), ("value", value)];
    attributes.extend_from_slice(more);
    out.open("input", &attributes).raw("</label>");
}

/// A labelled choice: values with their words, and the one that is chosen.
pub fn choice(out: &mut Markup, label: &str, name: &str, chosen: &str, all: &[(&str, &str)]) {
    out.raw("<label>").text(label).open("select", &[("name", name)]);
    for (value, text) in all {
        out.open_with("option", &[("value", value)], &[("selected", *value == chosen)]).text(text).raw("</option>");
    }
    out.raw("</select></label>");
}

/// A fact with its name.
pub fn fact(out: &mut Markup, name: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        out.raw("<div><dt>").text(name).raw("</dt><dd>").name(value).raw("</dd></div>");
    }
}

/// A fact as a device or somebody else wrote it.
pub fn fact_of_theirs(out: &mut Markup, name: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        out.raw("<div><dt>").text(name).raw("</dt><dd>").foreign(value).raw("</dd></div>");
    }
}

/// The head of a table with these columns, and its caption for screen readers. The table becomes cards on a phone.
pub fn table_head(out: &mut Markup, look: &Look, caption: &str, columns: &[Text]) {
    out.raw("<div class=\"wide\"><table class=\"cardy\"><caption class=\"spoken\">").text(caption);
    out.raw("</caption><thead><tr>");
    columns.iter().for_each(|column| {
        out.column(look.say(*column));
    });
    out.raw("</tr></thead><tbody>");
}

/// The end of such a table.
pub fn table_end(out: &mut Markup) {
    out.raw("</tbody></table></div>");
}

/// A cell with its column's name for phones.
pub fn cell(out: &mut Markup, look: &Look, column: Text, text: &str) {
    cell_of(out, look, column, |out| {
        if !text.is_empty() {
            out.name(text);
        }
    });
}

/// A cell with what a device or somebody else wrote.
pub fn cell_of_theirs(out: &mut Markup, look: &Look, column: Text, text: &str) {
    cell_of(out, look, column, |out| {
        if !text.is_empty() {
            out.foreign(text);
        }
    });
}

/// A cell with more than text in it.
pub fn cell_of(out: &mut Markup, look: &Look, column: Text, inside: impl FnOnce(&mut Markup)) {
    out.within("td", &[("data-label", look.say(column))], inside);
}

/// A picture of ours by its name in the drawings.
pub fn icon(out: &mut Markup, drawing: &'static str) {
    out.raw("<svg viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.7\" stroke-linecap=\"round\" ");
    out.raw("stroke-linejoin=\"round\" aria-hidden=\"true\" focusable=\"false\"><path d=\"")
        .raw(drawing)
        .raw("\"/></svg>");
}

/// Drawings of 24 × 24.
pub mod drawing {
    /// A camera.
    pub const CAMERA: &str = "M3 8h11v8H3zM14 11l6-3v8l-6-3M6 20h5M8.500 16v4";
    /// A grid.
    pub const GRID: &str = "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h6v6h-6z";
    /// Lines.
    pub const LINES: &str = "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01";
    /// A clock.
    pub const CLOCK: &str = "M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18M12 7v5l3 2";
    /// A map.
    pub const MAP: &str = "M9 4 3 6v14l6-2 6 2 6-2V4l-6 2zM9 4v14M15 6v14";
    /// Search.
    pub const SEARCH: &str = "M11 4a7 7 0 1 0 0 14a7 7 0 1 0 0-14M16 16l4.500 4.500";
    /// A screen.
    pub const SCREEN: &str = "M3 5h18v12H3zM9 21h6M12 17v4";
    /// A menu.
    pub const MENU: &str = "M4 7h16M4 12h16M4 17h16";
    /// A loudspeaker.
    pub const SOUND: &str = "M4 9v6h4l5 4V5L8 9zM16.500 9a4 4 0 0 1 0 6M19 6.500a8 8 0 0 1 0 11";
    /// Bars of a chart.
    pub const FIGURES: &str = "M5 20v-7M12 20V5M19 20v-11";
    /// Corners that move apart.
    pub const WHOLE_SCREEN: &str = "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5";
}

/// A length of time in words, at most so exact as it matters.
pub fn lasting(look: &Look, duration: SignedDuration) -> String {
    look.lang.duration(u64::try_from(duration.as_secs()).unwrap_or_default())
}

/// A query of a page, changed in one part; an empty value takes the part out.
pub fn query_with(query: &[(String, String)], name: &str, value: &str) -> String {
    let mut kept: Vec<(&str, &str)> = query
        .iter()
        .filter(|(own, value)| own != name && own != "cursor" && !value.is_empty())
        .map(|(own, value)| (own.as_str(), value.as_str()))
        .collect();
    if !value.is_empty() {
        kept.push((name, value));
    }
    encoded(&kept)
}

/// Names and values as they stand in an address.
pub fn encoded(pairs: &[(&str, &str)]) -> String {
    let one = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    pairs.iter().map(|(name, value)| format!("{}={}", one(name), one(value))).collect::<Vec<_>>().join("&")
}

/// A name as one part of a path.
pub fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Where somebody is led who has to log in, from the root of the pages.
pub fn login_path(here: &str) -> String {
    match here {
        "" => "login".to_owned(),
        here => format!("login?{}", encoded(&[("next", &format!("/{here}"))])),
    }
}
