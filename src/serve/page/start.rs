//! What a new site shows: which networks are scanned and why, how to add one, and why nothing was found when nothing was.

use super::look::Look;
use super::parts;
use super::words::Text;
use crate::export::survey::lang::Lang;
use crate::export::survey::words as survey;
use crate::markup::Markup;
use crate::model::coverage::{Coverage, MethodOutcome};
use crate::serve::view::summary::Status;

/// The section in the place of the devices.
pub fn section(out: &mut Markup, look: &Look, status: &Status, configured: &[String], coverage: Option<&Coverage>) {
    let title = match (&status.running, &status.last_scan) {
        (Some(_), _) => Text::StartLooking,
        (None, Some(_)) => Text::StartNothing,
        (None, None) => Text::StartNoScan,
    };
    out.raw("<div class=\"columns even\"><section class=\"panel stack\"><h2>").text(look.say(title)).raw("</h2>");
    match (&status.last_scan, coverage) {
        (Some(_), Some(coverage)) if status.running.is_none() => why_nothing(out, look, coverage),
        (Some(scan), None) if status.running.is_none() => {
            out.raw("<p>").text(look.say(Text::StartNobody)).raw("</p>");
            for warning in &scan.warnings {
                out.raw("<p class=\"note\">").text(look.say(Text::Noted)).raw(": ").original(warning).raw("</p>");
            }
        }
        _ => {
            out.raw("<p>").text(look.say(Text::StartWait)).raw("</p>");
        }
    }
    out.raw("</section><section class=\"panel stack\"><h2>").text(look.say(Text::StartWhich)).raw("</h2>");
    which(out, look, configured, coverage);
    add(out, look);
    out.raw("</section></div>\n");
}

/// Why nothing was found: what could not be asked, and what nobody answered.
fn why_nothing(out: &mut Markup, look: &Look, coverage: &Coverage) {
    let (asked, answered) = (coverage.addresses_asked.to_string(), coverage.addresses_answered.to_string());
    out.raw("<p>").text(look.with(Text::StartAsked, &[&asked, &answered])).raw("</p><ul class=\"reasons\">");
    if coverage.addresses_asked > 0 && coverage.addresses_answered == 0 {
        out.raw("<li>").text(look.say(Text::StartNobodyAtAll)).raw("</li>");
    } else if coverage.addresses_answered > 0 {
        out.raw("<li>").text(look.say(Text::StartNoVideo)).raw("</li>");
    }
    for limit in &coverage.limits {
        out.raw("<li>").name(&limit.interface).raw(": ").text(survey::limit(limit.kind, look.lang)).raw("</li>");
    }
    let failed = coverage.methods.iter().filter(|method| method.outcome == MethodOutcome::Failed);
    for method in failed {
        out.raw("<li>").text(survey::method(method.method, look.lang)).raw(": ");
        out.text(survey::outcome(method.outcome, look.lang));
        match (method.hindered, &method.reason) {
            (Some(why), _) if look.lang != Lang::En => drop(out.raw(" — ").text(survey::hindrance(why, look.lang))),
            (_, Some(reason)) => drop(out.raw(" — ").original(reason)),
            (_, None) => {}
        }
        out.raw("</li>");
    }
    out.raw("<li>").text(look.say(Text::StartOtherVlan)).raw("</li></ul>");
}

/// Which networks, and why these.
fn which(out: &mut Markup, look: &Look, configured: &[String], coverage: Option<&Coverage>) {
    match configured {
        [] => {
            out.raw("<p>").text(look.say(Text::StartOwn)).raw("</p>");
        }
        targets => {
            out.raw("<p>").text(look.say(Text::StartTargets)).raw("</p><ul class=\"reasons\">");
            targets.iter().for_each(|target| {
                out.element("li", "mono", target);
            });
            out.raw("</ul>");
        }
    }
    let Some(coverage) = coverage else { return };
    if coverage.interfaces.is_empty() {
        out.raw("<p class=\"note\">").text(look.say(Text::StartNoInterface)).raw("</p>");
        return;
    }
    parts::table_head(out, look, look.say(Text::Interfaces), &[Text::Interface, Text::Network, Text::State]);
    for interface in &coverage.interfaces {
        out.raw("<tr><th scope=\"row\">").name(&interface.name).raw("</th>");
        parts::cell(out, look, Text::Network, &interface.networks.join(", "));
        let said = match (interface.used, interface.unused, &interface.reason) {
            (true, ..) => look.say(Text::Searched).to_owned(),
            (false, Some(unused), _) => survey::unused(unused, look.lang).to_owned(),
            (false, None, reason) => reason.clone().unwrap_or_else(|| look.say(Text::NotSearched).to_owned()),
        };
        parts::cell(out, look, Text::State, &said);
        out.raw("</tr>");
    }
    parts::table_end(out);
}

/// How to add one.
fn add(out: &mut Markup, look: &Look) {
    out.raw("<h3>").text(look.say(Text::StartAdd)).raw("</h3>");
    if look.may_scan() {
        parts::form(out, look, "row", "scans", |out| {
            let label = look.say(Text::Targets);
            parts::field(
                out,
                label,
                "targets",
                "",
                &[("placeholder", "192.168.1.0/24"), ("required", "required"), ("maxlength", "2000")],
            );
            parts::button(out, "first", look.say(Text::ScanThese));
        });
    }
    out.raw("<p class=\"hint\">")
        .text(look.say(Text::StartAddHint))
        .raw("</p><pre class=\"mono\">targets: [192.168.1.0/24, 192.168.20.0/24]</pre>");
}
