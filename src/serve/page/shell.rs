//! What stands around every page: head, navigation, footer; and how a page is sent.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;

use super::assets;
use super::look::{Look, Theme};
use super::parts::{drawing, hidden, icon, login_path, stamp};
use super::words::Text;
use super::words_problems;
use crate::export::survey::lang::Lang;
use crate::markup::Markup;
use crate::model::access::Scope;
use crate::model::memory::EventKind;
use crate::serve::App;
use crate::serve::auth::Means;
use crate::serve::problem::Problem;

/// The pages that the navigation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Nav {
    Now,
    Events,
    Map,
    Wall,
    Scans,
    Notifications,
    Logins,
    Admin,
    /// A page that is not among them.
    None,
}

/// Where it leads, its name, its drawing, whether it is rare enough to be left out of a phone's bottom bar, and who may.
const NAV: [(Nav, &str, Text, &str, bool, Scope); 8] = [
    (Nav::Now, "", Text::Now, drawing::GRID, false, Scope::Read),
    (Nav::Events, "events", Text::Events, drawing::CLOCK, false, Scope::Read),
    (Nav::Map, "map", Text::Map, drawing::MAP, false, Scope::Read),
    (Nav::Wall, "wall", Text::Wall, drawing::SCREEN, false, Scope::Live),
    (Nav::Scans, "scans", Text::Scans, drawing::SEARCH, false, Scope::Read),
    (Nav::Notifications, "notifications", Text::Notifications, drawing::LINES, true, Scope::Read),
    (Nav::Logins, "logins", Text::Logins, drawing::LINES, true, Scope::Admin),
    (Nav::Admin, "admin", Text::Admin, drawing::LINES, true, Scope::Admin),
];

/// A page, ready to be sent.
pub struct Page {
    status: StatusCode,
    html: String,
}

impl Page {
    /// A whole page: title, place in the navigation, and what stands in it.
    pub fn new(look: &Look, title: &str, nav: Nav, inside: impl FnOnce(&mut Markup)) -> Page {
        let mut out = Markup::default();
        head(&mut out, look, title);
        top(&mut out, look, nav);
        out.raw("<main id=\"main\" tabindex=\"-1\">\n");
        inside(&mut out);
        out.raw("</main>\n");
        foot(&mut out, look);
        out.raw("</body>\n</html>\n");
        Page { status: StatusCode::OK, html: out.into_string() }
    }

    /// A page before anybody is logged in.
    pub fn alone(look: &Look, title: &str, inside: impl FnOnce(&mut Markup)) -> Page {
        let mut out = Markup::default();
        head(&mut out, look, title);
        out.raw("<header class=\"top\">");
        brand(&mut out, look);
        out.raw("<span class=\"nav\"></span>");
        menu(&mut out, look);
        out.raw("</header>\n<main id=\"main\" tabindex=\"-1\">\n");
        inside(&mut out);
        out.raw("</main>\n</body>\n</html>\n");
        Page { status: StatusCode::OK, html: out.into_string() }
    }

    /// A part of a page, for a script.
    pub fn part(inside: impl FnOnce(&mut Markup)) -> Page {
        let mut out = Markup::default();
        inside(&mut out);
        Page { status: StatusCode::OK, html: out.into_string() }
    }

    /// The same with another status.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Page {
        self.status = status;
        self
    }

    /// The page's text.
    pub fn html(&self) -> &str {
        &self.html
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        (self.status, Html(self.html)).into_response()
    }
}

fn head(out: &mut Markup, look: &Look, title: &str) {
    out.raw("<!DOCTYPE html>\n");
    out.open("html", &[("lang", look.lang.as_str()), ("data-theme", look.theme.as_str()), ("data-root", &look.root)]);
    out.raw("\n<head>\n<meta charset=\"utf-8\">\n<title>").text(format_args!("{title} · camscan")).raw("</title>\n");
    out.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1, viewport-fit=cover\">\n");
    for (scheme, colour) in [("light", "#ffffff"), ("dark", "#161c23")] {
        let when = format!("(prefers-color-scheme: {scheme})");
        match look.theme {
            Theme::Auto => {
                out.open("meta", &[("name", "theme-color"), ("media", &when), ("content", colour)]);
            }
            theme if theme.as_str() == scheme => {
                out.open("meta", &[("name", "theme-color"), ("content", colour)]);
            }
            _ => {}
        }
    }
    let asset = |name: &str| look.to(&assets::path(name));
    out.open("link", &[("rel", "stylesheet"), ("href", &asset("style.css"))]);
    out.open("link", &[("rel", "icon"), ("type", "image/svg+xml"), ("href", &asset("icon.svg"))]);
    out.open("link", &[("rel", "apple-touch-icon"), ("href", &asset("icon.png"))]);
    out.open("link", &[("rel", "manifest"), ("crossorigin", "use-credentials"), ("href", &asset("app.webmanifest"))]);
    out.open("script", &[("type", "module"), ("src", &asset("app.js"))]).raw("</script>\n</head>\n");
    let events = EventKind::ALL.map(EventKind::as_str).join(" ");
    out.open("body", &[("data-events", &events)]).raw("\n");
}

fn brand(out: &mut Markup, look: &Look) {
    out.open("a", &[("class", "brand"), ("href", &look.root)]);
    out.raw("<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path fill=\"currentColor\" d=\"M12 2a10 10 0 1 0 0 20 10 10 0 0 0 ");
    out.raw("0-20m0 3.200a6.800 6.800 0 1 1 0 13.600 6.800 6.800 0 0 1 0-13.600m0 3a3.800 3.800 0 1 0 0 7.600 3.800 3.800 0 0 0 0-7.600\"/></svg>");
    out.raw("camscan</a>\n");
}

fn top(out: &mut Markup, look: &Look, here: Nav) {
    out.raw("<a class=\"skip\" href=\"#main\">").text(look.say(Text::Skip)).raw("</a>\n<header class=\"top\">\n");
    brand(out, look);
    out.open("nav", &[("class", "nav"), ("aria-label", look.say(Text::Pages))]);
    for (nav, path, name, drawing, is_rare, scope) in NAV {
        if !look.may(scope) {
            continue;
        }
        let class = if is_rare { "rare" } else { "" };
        out.open("a", &[("href", &look.to(path)), ("class", class), current(nav == here)]);
        icon(out, drawing);
        out.text(look.say(name)).raw("</a>");
    }
    out.raw("</nav>\n");
    // What the script says of the connection; nothing without one.
    let words = [
        ("data-live", look.say(Text::Live)),
        ("data-lost", look.say(Text::Reconnecting)),
        ("data-as-of", &stamp(look.now)),
    ];
    let mut attributes = vec![("class", "connection"), ("id", "connection"), ("role", "status")];
    attributes.extend(words);
    out.open_with("p", &attributes, &[("hidden", true)]).raw("</p>\n");
    menu(out, look);
    out.raw("</header>\n");
}

/// `aria-current` where it is so.
pub fn current(is_here: bool) -> (&'static str, &'static str) {
    if is_here { ("aria-current", "page") } else { ("data-nav", "") }
}

fn menu(out: &mut Markup, look: &Look) {
    out.raw("<details class=\"menu\">");
    out.open("summary", &[("aria-label", look.say(Text::Menu))]);
    icon(out, drawing::MENU);
    out.raw("</summary><div>");
    let rare: Vec<_> = NAV.iter().filter(|(.., is_rare, scope)| *is_rare && look.may(*scope)).collect();
    if !rare.is_empty() {
        out.open("nav", &[("class", "to"), ("aria-label", look.say(Text::MorePages))]);
        for (_, path, name, ..) in rare {
            out.open("a", &[("href", &look.to(path))]).text(look.say(*name)).raw("</a>");
        }
        out.raw("</nav>");
    }
    out.open("form", &[("method", "post"), ("class", "form"), ("action", &look.to("preferences"))]);
    hidden(out, "back", &look.here);
    let themes = Theme::ALL.map(|theme| (theme.as_str(), look.say(theme_name(theme)), theme == look.theme));
    choices(out, look.say(Text::Colours), "theme", &themes);
    let languages = Lang::ALL.map(|lang| (lang.as_str(), language_name(lang), lang == look.lang));
    choices(out, look.say(Text::Language), "language", &languages);
    out.raw("</form>");
    if !look.caller.name.is_empty() {
        out.raw("<p>").text(look.say(Text::LoggedInAs)).raw(" ").name(&look.caller.name).raw("</p>");
    }
    // Whoever a proxy has let in goes out there.
    if look.caller.account.is_some() && look.caller.means != Means::Proxy {
        out.open("form", &[("method", "post"), ("action", &look.to("logout"))]);
        out.raw("<button>").text(look.say(Text::LogOut)).raw("</button></form>");
    }
    out.raw("</div></details>\n");
}

fn choices(out: &mut Markup, legend: &str, name: &'static str, all: &[(&str, &str, bool)]) {
    out.raw("<fieldset><legend>").text(legend).raw("</legend><div class=\"choices\">");
    for (value, words, is_chosen) in all {
        let pressed = if *is_chosen { "true" } else { "false" };
        out.open("button", &[("name", name), ("value", value), ("aria-pressed", pressed)]).text(words).raw("</button>");
    }
    out.raw("</div></fieldset>");
}

const fn theme_name(theme: Theme) -> Text {
    match theme {
        Theme::Auto => Text::ThemeAuto,
        Theme::Light => Text::ThemeLight,
        Theme::Dark => Text::ThemeDark,
    }
}

/// A language in its own words.
const fn language_name(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "English",
        Lang::Ru => "Русский",
    }
}

fn foot(out: &mut Markup, look: &Look) {
    out.raw("<footer class=\"foot\"><span>camscan ").text(env!("CARGO_PKG_VERSION")).raw("</span>");
    out.open("a", &[("href", &look.to("api/v1/docs"))]).raw("API</a><span>").text(look.say(Text::AsOf)).raw(" ");
    clock_of(out, look, look.now);
    out.raw("</span></footer>\n");
}

fn clock_of(out: &mut Markup, look: &Look, at: Timestamp) {
    super::parts::time(out, look, at);
}

/// Sends pages as pages are sent: problems as pages, never kept, and with what they may load.
pub async fn sent(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let look = Look::of(&parts, app.now());
    let response = next.run(Request::from_parts(parts, body)).await;
    let problem = response.extensions().get::<Problem>().cloned();
    let mut response = match problem {
        Some(problem) => of_problem(&look, &problem),
        None => response,
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, accept-language, cookie, x-fragment"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A problem as a page. Whoever is not logged in is led to where that is done.
pub fn of_problem(look: &Look, problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::UNAUTHORIZED && look.part.is_none() {
        return see_other(&look.to(&login_path(&look.here)));
    }
    let title = match status {
        StatusCode::NOT_FOUND => look.say(Text::NotFound),
        StatusCode::FORBIDDEN => look.say(Text::NotAllowed),
        StatusCode::SERVICE_UNAVAILABLE => look.say(Text::NotNow),
        status if status.is_client_error() => look.say(Text::NotDone),
        _ => look.say(Text::Broken),
    };
    let page = Page::new(look, title, Nav::None, |out| {
        out.raw("<div class=\"panel narrow stack\"><h1>").text(title).raw("</h1>");
        let sentence = words_problems::problem(problem).filter(|_| look.lang != Lang::En);
        if let Some(sentence) = sentence {
            out.raw("<p>").text(look.say(sentence)).raw("</p>");
        }
        // What a program is told in English says more, unless it is told of the fields one by one.
        let says_more = status != StatusCode::NOT_FOUND && problem.errors.is_empty();
        if let Some(detail) = problem.detail.as_ref().filter(|_| sentence.is_none() || says_more) {
            out.raw(if sentence.is_some() { "<p class=\"hint\">" } else { "<p>" }).original(detail).raw("</p>");
        }
        if !problem.errors.is_empty() {
            out.raw("<ul class=\"reasons\">");
            for error in &problem.errors {
                out.raw("<li>").element("code", "", &error.pointer).raw(" ").original(&error.message).raw("</li>");
            }
            out.raw("</ul>");
        }
        if let Some(id) = &problem.request_id {
            out.raw("<p class=\"hint\">").text(look.say(Text::RequestId)).raw(" ").element("code", "", id).raw("</p>");
        }
        out.open("a", &[("class", "button first"), ("href", &look.root)]).text(look.say(Text::ToNow)).raw("</a></div>");
    });
    page.status(status).into_response()
}

/// Leads elsewhere after something was done.
pub fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::SEE_OTHER.into_response(),
    }
}

/// Back to the page that a form came from. Only a place below the root counts.
pub fn back(look: &Look, to: &str) -> Response {
    let is_ours = !to.starts_with('/')
        && !to.contains([':', '\\'])
        && !to.contains("//")
        && !to.split(['?', '#']).next().unwrap_or_default().split('/').any(|part| part == ".." || part == ".")
        && to.bytes().all(|byte| byte.is_ascii_graphic());
    see_other(&look.to(if is_ours { to } else { "" }))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn a_form_leads_back_to_a_page_of_ours_alone() {
        let parts = Request::builder().uri("/devices/d_1/note").body(()).unwrap().into_parts().0;
        let look = Look::of(&parts, Timestamp::UNIX_EPOCH);
        let to = |text: &str| back(&look, text).headers()[header::LOCATION].to_str().unwrap().to_owned();
        assert_eq!(to("devices/d_1?tab=x#notes"), "../../devices/d_1?tab=x#notes");
        for bad in [
            "//evil.example",
            "https://evil.example",
            "/etc",
            "../x",
            "a/../../x",
            "\\\\evil",
            "a\r\nb: c",
            "javascript:1",
        ] {
            assert_eq!(to(bad), "../../", "{bad}");
        }
    }
}
