//! The table as a page for people, from the same rows as the document. Nothing of it comes from elsewhere.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;

use super::table::{Content, Endpoint, Need, Shape, get};
use crate::markup::Markup;
use crate::model::access::Scope;
use crate::serve::App;

/// Its row.
pub fn rows() -> Vec<Endpoint> {
    vec![get("/docs", Scope::Read, page, "The API as a page for people").answers_media(200, "The page", "text/html")]
}

async fn page(State(app): State<Arc<App>>) -> Html<String> {
    Html(drawn(&super::rows(), app.base()))
}

fn drawn(rows: &[Endpoint], base: &str) -> String {
    let mut out = Markup::default();
    out.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    out.raw(
        "<meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">",
    );
    out.element("title", "", "API of camscan").raw("</head><body>\n");
    out.element("h1", "", "API of camscan");
    out.raw("<p>").text("Everything is below ").element("code", "", format!("{base}api/v1"));
    out.text(". Programs send a token: ")
        .element("code", "", "Authorization: Bearer cs_…")
        .text(". The schemas are in ");
    out.open("a", &[("href", "openapi.json")]).text("openapi.json").raw("</a>.</p>\n");
    for row in rows {
        endpoint(&mut out, row);
    }
    out.raw("</body></html>\n");
    out.into_string()
}

fn endpoint(out: &mut Markup, row: &Endpoint) {
    out.raw("<section>").element("h2", "", format!("{} {}", row.method, row.path));
    out.raw("<p>").text(row.about).text(". ");
    match row.need {
        Need::Scope(scope) => out.text("Scope: ").element("code", "", scope.as_str()),
        Need::Login => out.text("Any login."),
        Need::Nobody => out.text("No login."),
    };
    out.raw("</p>\n");
    if !row.query.is_empty() || !row.headers.is_empty() {
        out.raw("<table><thead><tr><th scope=\"col\">Parameter</th><th scope=\"col\">Value</th>");
        out.raw("<th scope=\"col\">Meaning</th></tr></thead><tbody>\n");
        for parameter in row.query.iter().chain(&row.headers) {
            out.raw("<tr>").element("td", "", parameter.name).element("td", "", value(parameter.shape));
            out.element("td", "", parameter.about).raw("</tr>\n");
        }
        out.raw("</tbody></table>\n");
    }
    if let Some(Content { media, example, .. }) = &row.request {
        out.raw("<p>").text("Takes ").element("code", "", media).raw("</p>");
        shown(out, *example);
    }
    out.raw("<ul>");
    for answer in &row.answers {
        out.raw("<li>").element("code", "", answer.status.to_string()).text(" ").text(answer.about);
        answer.content.iter().for_each(|content| shown(out, content.example));
        out.raw("</li>");
    }
    let problems: Vec<String> = row.all_problems().iter().map(ToString::to_string).collect();
    out.raw("<li>").text(format!("Problems: {}", problems.join(", "))).raw("</li></ul></section>\n");
}

fn shown(out: &mut Markup, example: Option<fn() -> serde_json::Value>) {
    if let Some(text) = example.and_then(|example| serde_json::to_string_pretty(&example()).ok()) {
        out.raw("<pre>").text(&text).raw("</pre>");
    }
}

fn value(shape: Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Number(least, i64::MAX) => format!("number from {least}"),
        Shape::Number(least, most) => format!("number, {least} to {most}"),
        Shape::Flag => "true or false".to_owned(),
        Shape::Time => "time, RFC 3339".to_owned(),
        Shape::Names(names) => names().join(", "),
    }
}
