//! The cookie that holds a session's secret (RFC 6265).

use axum::http::{HeaderMap, HeaderValue, header};

use crate::model::listen::PublicUrl;

/// Its name.
const NAME: &str = "camscan_session";
/// Seconds a browser keeps it: those of a session that is used.
const MAX_AGE_S: i64 = 30 * 24 * 3600;

/// The session's secret in a request.
pub fn read(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == NAME).map(|(_, value)| value).filter(|value| value.len() <= 64)
}

/// Gives a browser a session.
pub fn set(secret: &str, site: &PublicUrl, https: bool) -> Option<HeaderValue> {
    written(secret, MAX_AGE_S, site, https)
}

/// Takes it away.
pub fn clear(site: &PublicUrl, https: bool) -> Option<HeaderValue> {
    written("", 0, site, https)
}

/// Lax, since Safari withholds strict cookies when a WebSocket is opened.
fn written(value: &str, age: i64, site: &PublicUrl, https: bool) -> Option<HeaderValue> {
    let secure = if https { "; Secure" } else { "" };
    let path = site.base();
    let text = format!("{NAME}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_among_others() {
        let mut headers = HeaderMap::new();
        assert_eq!(read(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_static("theme=dark; camscan_session2=no"));
        assert_eq!(read(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_static("a; camscan_session=abc; b=c"));
        assert_eq!(read(&headers), Some("abc"));
        let long = format!("camscan_session={}", "x".repeat(1000));
        assert_eq!(read(&HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&long).unwrap())])), None);
    }

    #[test]
    fn it_is_for_this_site_alone() {
        let site = PublicUrl::parse("https://a.example/cameras").unwrap();
        let said = set("abc", &site, true).unwrap();
        assert_eq!(said, "camscan_session=abc; Path=/cameras/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure");
        assert!(!set("abc", &site, false).unwrap().to_str().unwrap().contains("Secure"));
        assert!(
            clear(&site, false).unwrap().to_str().unwrap().starts_with("camscan_session=; Path=/cameras/; Max-Age=0")
        );
    }
}
