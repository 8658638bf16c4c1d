//! What was searched and by which methods, and what may have stayed hidden.

use super::lang::{Lang, Noun};
use super::words::{self, Text};
use super::{Context, Markup};
use crate::model::coverage::{Coverage, MethodCoverage, MethodOutcome};

/// The section, or that nothing is known of it.
pub fn section(page: &mut Markup, context: &Context<'_>) {
    page.raw("<section class=\"coverage\" aria-labelledby=\"coverage\">\n<h2 id=\"coverage\">");
    page.text(context.say(Text::Coverage)).raw("</h2>\n");
    match &context.report.scan.coverage {
        Some(coverage) => of(page, context, coverage),
        None => {
            let scan = &context.report.scan;
            page.element("p", "", asked(context, scan.addresses, scan.hosts_up));
            page.raw("\n").element("p", "", context.say(Text::CoverageUnknown)).raw("\n");
        }
    }
    page.raw("</section>\n");
}

fn asked(context: &Context<'_>, asked: u64, answered: u64) -> String {
    let lang = context.lang;
    context.with(Text::Asked, &[&lang.counted(asked, Noun::Address), &lang.number(answered)])
}

fn of(page: &mut Markup, context: &Context<'_>, coverage: &Coverage) {
    page.element("p", "", asked(context, coverage.addresses_asked, coverage.addresses_answered)).raw("\n");
    page.raw("<ul>\n");
    for interface in &coverage.interfaces {
        let state = if interface.used { Text::Used } else { Text::NotUsed };
        page.raw("<li>").element("strong", "", interface.networks.join(", ")).raw(" (").text(&interface.name);
        page.raw("): ").text(context.say(state));
        match interface.unused {
            Some(unused) => page.raw(" – ").text(words::unused(unused, context.lang)),
            None => original(page, interface.reason.as_deref()),
        };
        page.raw("</li>\n");
    }
    for method in coverage.methods.iter().filter(|method| method.outcome != MethodOutcome::NotWanted) {
        page.raw("<li>").element("strong", "", words::method(method.method, context.lang)).raw(": ");
        outcome(page, context, method);
        page.raw("</li>\n");
    }
    let unused: Vec<&str> = coverage
        .methods
        .iter()
        .filter(|method| method.outcome == MethodOutcome::NotWanted)
        .map(|method| words::method(method.method, context.lang))
        .collect();
    if !unused.is_empty() {
        page.raw("<li>").element("strong", "", unused.join(", ")).raw(": ");
        page.text(words::outcome(MethodOutcome::NotWanted, context.lang)).raw("</li>\n");
    }
    page.raw("</ul>\n");
    hidden(page, context, coverage);
}

fn outcome(page: &mut Markup, context: &Context<'_>, method: &MethodCoverage) {
    let said = words::outcome(method.outcome, context.lang);
    page.text(said.replace("{}", &context.lang.number(method.answered)));
    if method.outcome == MethodOutcome::Failed {
        // In English the reason says as much.
        if let Some(why) = method.hindered.filter(|_| context.lang != Lang::En) {
            page.raw(" – ").text(words::hindrance(why, context.lang));
        }
        original(page, method.reason.as_deref());
    }
}

/// What the scan noted in English, for whoever looks after the computer that scanned.
fn original<'p>(page: &'p mut Markup, reason: Option<&str>) -> &'p mut Markup {
    match reason {
        Some(reason) => page.raw(" – ").open("span", &[("lang", "en")]).text(reason).close("span"),
        None => page,
    }
}

fn hidden(page: &mut Markup, context: &Context<'_>, coverage: &Coverage) {
    if coverage.notes.is_empty() {
        return;
    }
    page.raw("<div class=\"notice\">\n<h3>").text(context.say(Text::MayHide)).raw("</h3>\n<ul>\n");
    for limit in &coverage.limits {
        page.raw("<li><strong>").text(&limit.interface).raw("</strong>: ");
        page.text(words::limit(limit.kind, context.lang)).raw("</li>\n");
    }
    // A report of an older version names no kinds.
    for note in coverage.notes.iter().filter(|_| coverage.limits.is_empty()) {
        page.raw("<li lang=\"en\">").text(note).raw("</li>\n");
    }
    page.raw("</ul>\n</div>\n");
}
