//! What the scan covered: below the devices, folded.

use crate::markup::Markup;
use crate::model::Coverage;

/// The section: interfaces, methods, and what may have been hidden.
pub fn section(page: &mut Markup, coverage: &Coverage) {
    page.raw("<details class=\"coverage\"><summary>What was covered</summary>\n");
    if !coverage.notes.is_empty() {
        page.raw("<ul class=\"warnings\">\n");
        coverage.notes.iter().for_each(|note| {
            page.element("li", "attention", note);
        });
        page.raw("</ul>\n");
    }
    table(page, "Interfaces", &["Name", "Addresses", "Used", "Why not"]);
    for interface in &coverage.interfaces {
        page.raw("<tr>").element("td", "", &interface.name).element("td", "", interface.networks.join(", "));
        page.element("td", "", if interface.used { "yes" } else { "no" });
        page.element("td", "", interface.reason.as_deref().unwrap_or_default()).raw("</tr>\n");
    }
    page.raw("</tbody></table>\n");
    table(page, "Methods", &["Method", "Outcome", "Addresses that answered", "Reason"]);
    for method in &coverage.methods {
        page.raw("<tr>").element("td", "", method.method).element("td", "", method.outcome.as_str().replace('_', " "));
        page.element("td", "number", method.answered);
        page.element("td", "", method.reason.as_deref().unwrap_or_default()).raw("</tr>\n");
    }
    let (asked, answered) = (coverage.addresses_asked, coverage.addresses_answered);
    page.raw("</tbody></table>\n<p>");
    page.text(format_args!("{asked} addresses were asked one by one; {answered} answered.")).raw("</p>\n</details>\n");
}

fn table(page: &mut Markup, title: &'static str, columns: &[&'static str]) {
    page.raw("<h3>").raw(title).raw("</h3>\n<table class=\"facts\"><thead><tr>");
    for column in columns {
        page.raw("<th scope=\"col\">").raw(column).raw("</th>");
    }
    page.raw("</tr></thead><tbody>\n");
}
