//! How a page is shown to whoever asks: language, colours, time zone, and the way back to the root of the pages.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::words::Text;
use crate::export::survey::lang::{Lang, Noun};
use crate::model::access::Scope;
use crate::model::names::names;
use crate::serve::App;
use crate::serve::auth::Caller;

names! {
    /// The colours of the pages.
    pub enum Theme {
        /// Those of the system.
        Auto = "auto",
        /// Dark on light.
        Light = "light",
        /// Light on dark.
        Dark = "dark",
    }
}

/// How a page is shown.
#[derive(Debug, Clone)]
pub struct Look {
    /// In which language.
    pub lang: Lang,
    /// In which colours.
    pub theme: Theme,
    /// The caller.
    pub caller: Caller,
    /// When.
    pub now: Timestamp,
    /// The time zone of times, until the browser writes them in its own.
    pub zone: TimeZone,
    /// From this page to the root of the pages: `./`, `../`. Every link begins with it, so that the pages stand below any
    /// path of a proxy.
    pub root: String,
    /// From the root to this page, with its query.
    pub here: String,
    /// Whether this process scans, so that a scan can be wanted of it.
    pub scans: bool,
    /// The part of the page that is wanted, where a script asks for one.
    pub part: Option<String>,
}

/// The name of the header by which a script asks for a part of a page.
pub const PART: &str = "x-fragment";

impl Look {
    /// As the request wants it.
    pub fn of(parts: &Parts, now: Timestamp) -> Look {
        let path = parts.uri.path().trim_start_matches('/');
        let here = match parts.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let part = parts.headers.get(PART).and_then(|part| part.to_str().ok()).map(str::to_owned);
        Look {
            lang: language(&parts.headers),
            theme: cookie(&parts.headers, "theme").and_then(Theme::from_name).unwrap_or(Theme::Auto),
            caller: parts.extensions.get::<Caller>().cloned().unwrap_or_default(),
            now,
            zone: TimeZone::system(),
            root: root(path),
            here,
            scans: true,
            part,
        }
    }

    /// A text.
    pub fn say(&self, text: Text) -> &'static str {
        text.of(self.lang)
    }

    /// A text with what is filled in.
    pub fn with(&self, text: Text, values: &[&str]) -> String {
        text.with(self.lang, values)
    }

    /// `5 cameras`.
    pub fn counted(&self, n: usize, noun: Noun) -> String {
        self.lang.counted(n, noun)
    }

    /// Where `path`, counted from the root of the pages, is from here.
    pub fn to(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    /// Whether whoever looks may.
    pub fn may(&self, scope: Scope) -> bool {
        self.caller.may(scope)
    }

    /// Whether whoever looks may have something scanned, and this process does such things.
    pub fn may_scan(&self) -> bool {
        self.scans && self.may(Scope::Scan)
    }

    /// How long ago, or for how long: `5 min`.
    pub fn since(&self, at: Timestamp) -> String {
        self.lang.duration(u64::try_from(self.now.duration_since(at).as_secs()).unwrap_or_default())
    }
}

/// From a page to the root.
fn root(path: &str) -> String {
    match path.matches('/').count() {
        0 => "./".to_owned(),
        depth => "../".repeat(depth),
    }
}

/// A cookie's value.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| {
        let (own, value) = pair.split_once('=')?;
        (own.trim() == name).then(|| value.trim())
    })
}

/// The language chosen, else the first one of the browser's that there is, else English.
fn language(headers: &HeaderMap) -> Lang {
    if let Some(lang) = cookie(headers, "language").and_then(Lang::from_name) {
        return lang;
    }
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut wanted: Vec<(f64, Lang)> = wanted
        .split(',')
        .filter_map(|one| {
            let (range, quality) = one.split_once(';').unwrap_or((one, "q=1"));
            let tag = range.trim().split('-').next()?.to_ascii_lowercase();
            let quality = quality.trim().strip_prefix("q=").and_then(|q| q.parse().ok()).unwrap_or(1.0);
            Some((quality, Lang::from_name(&tag)?))
        })
        .collect();
    wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
    wanted.first().filter(|(quality, _)| *quality > 0.0).map_or(Lang::En, |(_, lang)| *lang)
}

impl FromRequestParts<Arc<App>> for Look {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Look { scans: app.orders.is_some(), ..Look::of(parts, app.now()) })
    }
}

impl OptionalFromRequestParts<Arc<App>> for Look {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Option<Self>, Infallible> {
        Ok(Some(Look { scans: app.orders.is_some(), ..Look::of(parts, app.now()) }))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn look(uri: &str, headers: &[(&str, &str)]) -> Look {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Look::of(&request.body(()).unwrap().into_parts().0, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn links_lead_to_the_root_from_every_depth() {
        for (path, to) in [("/", "./"), ("/events", "./"), ("/devices/d_1", "../"), ("/devices/d_1/note", "../../")] {
            assert_eq!(look(path, &[]).root, to, "{path}");
        }
        assert_eq!(look("/events?kind=device.new", &[]).here, "events?kind=device.new");
    }

    #[test]
    fn the_language_is_the_chosen_one_or_the_browsers() {
        for (headers, lang) in [
            (vec![], Lang::En),
            (vec![("accept-language", "de,ru;q=0.8,en;q=0.5")], Lang::Ru),
            (vec![("accept-language", "en;q=0.1, ru-RU")], Lang::Ru),
            (vec![("accept-language", "ru;q=0")], Lang::En),
            (vec![("accept-language", "ru"), ("cookie", "a=b; language=en")], Lang::En),
            (vec![("accept-language", "ru"), ("cookie", "language=<script>")], Lang::Ru),
            (vec![("accept-language", ";;q=,,q=nan")], Lang::En),
        ] {
            assert_eq!(look("/", &headers).lang, lang, "{headers:?}");
        }
        assert_eq!(look("/", &[("cookie", "theme=dark")]).theme, Theme::Dark);
    }
}
