//! Answers in gzip, for clients that take it: one place that all answers pass.

use std::io::Write as _;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Smaller answers fit a packet or two as they are, in bytes.
const SMALLEST: u64 = 2 << 10;
/// Larger ones are packed beside the requests of others, in bytes.
const AT_ONCE: u64 = 64 << 10;
/// The most that is held to be packed, in bytes.
const LARGEST: u64 = 16 << 20;

/// The bytes in gzip.
pub fn gzip(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    // A vector takes everything.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// Whether a client takes gzip.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let taken = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    taken.split(',').any(|one| {
        let (name, quality) = one.split_once(';').unwrap_or((one, ""));
        name.trim() == "gzip" && !matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

/// Packs what becomes smaller by it.
pub async fn packed(request: Request, next: Next) -> Response {
    let takes_gzip = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    let Some(size) = size_to_pack(&response) else { return response };
    let varies = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains("accept-encoding"));
    if !response.headers().get_all(header::VARY).iter().any(varies) {
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if takes_gzip { in_gzip(response, size).await } else { response }
}

/// The size of an answer that is worth packing. What has no end has no size, and what is packed already becomes no smaller.
fn size_to_pack(response: &Response) -> Option<u64> {
    let headers = response.headers();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_text = kind.starts_with("text/") || ["json", "yaml", "xml", "mpegurl"].iter().any(|it| kind.ends_with(it));
    let size = response.body().size_hint().exact().filter(|size| (SMALLEST..=LARGEST).contains(size))?;
    (is_text && !headers.contains_key(header::CONTENT_ENCODING)).then_some(size)
}

async fn in_gzip(response: Response, size: u64) -> Response {
    let (mut parts, body) = response.into_parts();
    let failed = || StatusCode::INTERNAL_SERVER_ERROR.into_response();
    let Ok(bytes) = to_bytes(body, usize::try_from(size).unwrap_or(usize::MAX)).await else { return failed() };
    let pack = move || gzip(&bytes, Compression::fast());
    let packed = match size > AT_ONCE {
        false => pack(),
        true => match tokio::task::spawn_blocking(pack).await {
            Ok(packed) => packed,
            Err(_) => return failed(),
        },
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    // The tag of something that is the same byte for byte is another one for each encoding (RFC 9110, 8.8.3.3).
    let tag = parts.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'));
    if let Some(weak) = tag.and_then(|tag| HeaderValue::from_str(&format!("W/{tag}")).ok()) {
        parts.headers.insert(header::ETAG, weak);
    }
    Response::from_parts(parts, Body::from(packed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_clients_that_take_it() {
        let says = |text: &str| {
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap())]))
        };
        assert!(says("br, gzip;q=0.5") && says("gzip"));
        assert!(!says("br") && !says("gzip;q=0") && !says(""));
    }

    fn of_kind(kind: &str, body: Body) -> Option<u64> {
        size_to_pack(&([(header::CONTENT_TYPE, kind)], body).into_response())
    }

    #[test]
    fn only_text_that_is_whole_is_packed() {
        let whole = || Body::from(vec![b' '; 4096]);
        for kind in [
            "application/json",
            "application/problem+json",
            "application/x-ndjson",
            "text/csv; charset=utf-8",
            "application/yaml",
            "audio/x-mpegurl",
        ] {
            assert_eq!(of_kind(kind, whole()), Some(4096), "{kind}");
        }
        for kind in [
            "",
            "image/jpeg",
            "image/png",
            "application/x-tar",
            "application/octet-stream",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ] {
            assert_eq!(of_kind(kind, whole()), None, "{kind}");
        }
        let endless = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        assert_eq!(of_kind("text/event-stream", endless), None);
        assert_eq!(of_kind("application/json", Body::from(vec![b' '; 2047])), None);
        let mut done = ([(header::CONTENT_TYPE, "text/css")], whole()).into_response();
        done.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(size_to_pack(&done), None);
    }
}
