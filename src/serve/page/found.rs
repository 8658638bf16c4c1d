//! What the scan that runs has found so far and nobody knew before: shown at once, and as a device once the scan is over.

use super::look::Look;
use super::names::kind;
use super::parts::{badge, drawing, icon};
use super::words::Text;
use crate::export::words::Tone;
use crate::history::diff::DeviceSummary;
use crate::markup::Markup;

/// The section, where there is something.
pub fn section(out: &mut Markup, look: &Look, found: &[DeviceSummary]) {
    if found.is_empty() {
        return;
    }
    out.open("section", &[("class", "group found"), ("data-group", "found")]);
    out.raw("<h2>").text(look.say(Text::FoundNow)).raw(" <small>").text(look.lang.number(found.len() as u64));
    out.raw("</small></h2><div class=\"cards\">\n");
    found.iter().for_each(|device| card(out, look, device));
    out.raw("</div></section>\n");
}

/// It has no page of its own yet, so nothing leads anywhere.
fn card(out: &mut Markup, look: &Look, device: &DeviceSummary) {
    let model = [device.vendor.as_deref(), device.model.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let ip = device.ip.to_string();
    out.open("article", &[("class", "card"), ("data-id", &ip)]);
    out.raw("<div class=\"still\">");
    icon(out, drawing::CAMERA);
    out.raw("</div><div class=\"body\"><div class=\"line\"><h3><span>");
    out.name(if model.is_empty() { &ip } else { &model }).raw("</span></h3>");
    badge(out, Tone::Fair, look.say(Text::New));
    out.raw("</div><div class=\"line what\"><span class=\"mono\">").text(&ip).raw("</span><span>");
    out.text(kind(look, device.kind)).raw("</span></div></div></article>\n");
}
