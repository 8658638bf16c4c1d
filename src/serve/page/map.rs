//! Every network, address by address.

use super::look::Look;
use super::names::{device_state, kind};
use super::parts::{self, badge, table_end, table_head};
use super::shell::{Nav, Page};
use super::words::Text;
use crate::export::survey::lang::Noun;
use crate::export::words::Tone;
use crate::history::memory::DeviceState;
use crate::markup::Markup;
use crate::serve::view::device::Flag;
use crate::serve::view::subnet::{Cell, Square, SubnetDetail};

/// The page, or its changing part.
pub fn page(look: &Look, networks: &[SubnetDetail]) -> Page {
    if look.part.as_deref() == Some("list") {
        return Page::part(|out| live(out, look, networks));
    }
    Page::new(look, look.say(Text::Map), Nav::Map, |out| {
        out.raw("<div class=\"head\"><h1 class=\"grow\">").text(look.say(Text::Map)).raw("</h1>");
        legend(out, look);
        out.raw("</div><div id=\"live\" data-part=\"list\">");
        live(out, look, networks);
        out.raw("</div>");
    })
}

fn legend(out: &mut Markup, look: &Look) {
    out.raw("<p class=\"legend\">");
    let all = [("on", Text::Online), ("dim", Text::NeedsLook), ("off", Text::Offline), ("un", Text::Unknown)];
    for (class, text) in all {
        out.raw("<span>").open("i", &[("class", class)]).raw("</i>").text(look.say(text)).raw("</span>");
    }
    out.raw("<span><i class=\"unasked\"></i>").text(look.say(Text::Hatched)).raw("</span></p>");
}

fn live(out: &mut Markup, look: &Look, networks: &[SubnetDetail]) {
    if networks.is_empty() {
        out.raw("<p class=\"empty\">").text(look.say(Text::NoNetworks)).raw("</p>");
        return;
    }
    let (foreign, own): (Vec<_>, Vec<_>) = networks.iter().partition(|network| network.summary.foreign);
    out.raw("<div class=\"nets\">");
    own.iter().for_each(|detail| network(out, look, detail));
    out.raw("</div>");
    if !foreign.is_empty() {
        out.raw("<section class=\"group\"><h2>").text(look.say(Text::ForeignNetworks)).raw("</h2><div class=\"nets\">");
        foreign.iter().for_each(|detail| network(out, look, detail));
        out.raw("</div></section>");
    }
}

fn network(out: &mut Markup, look: &Look, detail: &SubnetDetail) {
    let sum = &detail.summary;
    let query = parts::encoded(&[("subnet", &sum.network)]);
    let is_drawn = !detail.squares.is_empty() && !sum.foreign;
    out.open("section", &[("class", "panel stack"), ("data-net", &sum.network)]).raw("<h2>");
    out.open("a", &[("href", &format!("{}?{query}", look.root))]).text(&sum.network).raw("</a> <small>");
    out.text(look.counted(usize::try_from(sum.devices).unwrap_or_default(), Noun::Device)).raw("</small>");
    if sum.offline > 0 {
        badge(out, Tone::Bad, &format!("{} {}", look.lang.number(sum.offline), look.say(Text::Offline)));
    }
    out.raw("</h2>");
    if let Some(since) = sum.unreachable_since {
        out.raw("<p class=\"why\">").text(look.say(Text::NetworkSilent)).raw(" ");
        parts::time(out, look, since);
        out.raw("</p>");
    }
    if is_drawn {
        detail.squares.iter().for_each(|square| squares(out, look, square, detail.squares.len() > 1));
    } else {
        members(out, look, &detail.members);
    }
    out.raw("</section>\n");
}

fn squares(out: &mut Markup, look: &Look, square: &Square, is_named: bool) {
    if is_named {
        out.raw("<h3 class=\"mono\">").text(&square.network).raw("</h3>");
    }
    out.raw("<div class=\"squares\">");
    for place in 0..=u8::MAX {
        match square.cells.iter().find(|cell| cell.place == Some(place)) {
            Some(cell) => field(out, look, cell),
            None => {
                let is_in = square.range.0 <= place && place <= square.range.1;
                let is_asked = square.asked.iter().any(|(from, to)| *from <= place && place <= *to);
                out.raw(match (is_in, is_asked) {
                    (false, _) => "<i class=\"out\"></i>",
                    (true, false) => "<i class=\"unasked\"></i>",
                    (true, true) => "<i></i>",
                });
            }
        }
    }
    out.raw("</div>");
}

/// How a device stands, as a colour of the map and a word.
fn tone(cell: &Cell) -> (&'static str, Text) {
    let needs = [
        (Flag::NoFrames, Text::NoFrames),
        (Flag::Login, Text::LoginNeeded),
        (Flag::Flapping, Text::Unstable),
        (Flag::Missing, Text::NotAnswering),
    ];
    match cell.state {
        DeviceState::Offline => ("off", Text::Offline),
        DeviceState::Unknown => ("un", Text::Unknown),
        DeviceState::Online => match needs.iter().find(|(flag, _)| cell.is.contains(flag)) {
            Some((_, text)) => ("dim", *text),
            None => ("on", device_state(DeviceState::Online)),
        },
    }
}

fn field(out: &mut Markup, look: &Look, cell: &Cell) {
    let (class, word) = tone(cell);
    let name = cell.name.as_deref().unwrap_or(kind(look, cell.kind));
    let label = format!("{} {name}: {}", cell.ip, look.say(word));
    let href = look.to(&format!("devices/{}", cell.device));
    out.open("a", &[("class", class), ("href", &href), ("title", &label), ("aria-label", &label)]);
    // Not by colour alone.
    out.raw(match class {
        "on" => "",
        "off" => "✕",
        "un" => "?",
        _ => "!",
    });
    out.raw("</a>");
}

fn members(out: &mut Markup, look: &Look, all: &[Cell]) {
    table_head(out, look, look.say(Text::Devices), &[Text::Address, Text::Name, Text::State]);
    for cell in all {
        let (class, word) = tone(cell);
        out.raw("<tr><th scope=\"row\" class=\"mono\">");
        parts::link(out, look, &format!("devices/{}", cell.device), &cell.ip.to_string());
        out.raw("</th>");
        parts::cell(out, look, Text::Name, cell.name.as_deref().unwrap_or(kind(look, cell.kind)));
        let tone = match class {
            "on" => Tone::Good,
            "off" => Tone::Bad,
            "un" => Tone::Quiet,
            _ => Tone::Attention,
        };
        parts::cell_of(out, look, Text::State, |out| badge(out, tone, look.say(word)));
        out.raw("</tr>");
    }
    table_end(out);
}
