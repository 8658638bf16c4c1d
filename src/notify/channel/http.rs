//! Requests to receivers: no redirect is followed, no answer is read without end.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::hide::HEARD;
use super::{Outcome, provide_cryptography};
use crate::text::{clean_to, decode};

/// How long a receiver may take for its whole answer.
const LIMIT: Duration = Duration::from_secs(15);
/// What is read of an answer, in bytes.
const READ: usize = 16 << 10;

/// A request.
pub(super) struct Request<'a> {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(&'a str, String)>,
    pub body: Vec<u8>,
}

/// What sends requests.
pub(super) struct Client(Result<reqwest::Client, String>);

impl Client {
    /// One that trusts who the system trusts.
    pub fn new() -> Client {
        provide_cryptography();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(LIMIT)
            .connect_timeout(LIMIT)
            .user_agent(concat!("camscan/", env!("CARGO_PKG_VERSION")))
            .pool_idle_timeout(Duration::from_secs(20))
            .build();
        Client(client.map_err(|error| reason(&error)))
    }

    /// Sends a request; what the answer means.
    pub async fn send(&self, request: Request<'_>) -> Outcome {
        let client = match &self.0 {
            Ok(client) => client,
            Err(why) => return Outcome::retry(format!("TLS cannot be prepared: {why}")),
        };
        let Some(headers) = headers(&request.headers) else {
            return Outcome::dead("a header of the channel holds a character that no header can hold");
        };
        let Ok(url) = reqwest::Url::parse(&request.url) else {
            return Outcome::dead("the channel's address is not valid");
        };
        let sent = client.request(request.method, url).headers(headers).body(request.body).send();
        // The whole of it: reqwest's own limit ends with the headers where the body trickles.
        match tokio::time::timeout(LIMIT, async { answered(sent.await?).await }).await {
            Err(_) => Outcome::retry(format!("no answer within {} s", LIMIT.as_secs())),
            Ok(Err(error)) => Outcome::retry(reason(&error)),
            Ok(Ok(outcome)) => outcome,
        }
    }
}

fn headers(given: &[(&str, String)]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_str(value).ok()?);
    }
    Some(headers)
}

async fn answered(mut response: reqwest::Response) -> reqwest::Result<Outcome> {
    let (status, asked) = (response.status(), response.headers().get(RETRY_AFTER).cloned());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend(chunk.iter().take(READ.saturating_sub(body.len())));
        if body.len() >= READ {
            break;
        }
    }
    let asked = asked.and_then(|value| asked_in_header(value.to_str().ok()?, Timestamp::now()));
    Ok(meaning(status, asked.or_else(|| asked_in_body(&body)), &body))
}

/// What an answer means: 2xx done; 408, 429 and 5xx to be tried again; 410 no channel any more; all others, redirections among
/// them, are final.
fn meaning(status: StatusCode, after: Option<SignedDuration>, body: &[u8]) -> Outcome {
    let mut said = decode(body).into_owned();
    if body.len() >= READ {
        // A secret of which no more was read than its beginning is seen as one that is cut.
        said.push('…');
    }
    // It is shortened when its secrets are hidden: the beginning of one would be no secret.
    let said = clean_to(&said, HEARD);
    let answer = match said.is_empty() {
        true => status.to_string(),
        false => format!("{status}: {said}"),
    };
    match status.as_u16() {
        200..=299 => Outcome::Done { answer },
        410 => Outcome::ChannelOff { why: answer },
        408 | 429 | 500..=599 => Outcome::Retry { after, why: answer },
        300..=399 => Outcome::dead(format!("{status}: redirections are not followed; give the address it leads to")),
        _ => Outcome::dead(answer),
    }
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds or a date.
fn asked_in_header(value: &str, now: Timestamp) -> Option<SignedDuration> {
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(SignedDuration::from_secs(seconds.into()));
    }
    let date = DateTimeParser::new().parse_timestamp(value.trim()).ok()?;
    Some(date.duration_since(now))
}

/// The pause as Discord, Telegram and Matrix put it into the answer.
fn asked_in_body(body: &[u8]) -> Option<SignedDuration> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let at = |pointer: &str| value.pointer(pointer).and_then(Value::as_f64);
    let seconds = at("/retry_after").or_else(|| at("/parameters/retry_after"));
    let seconds = seconds.or_else(|| at("/retry_after_ms").map(|ms| ms / 1000.0))?;
    SignedDuration::try_from_secs_f64(seconds.ceil()).ok()
}

/// What went wrong, without the address.
fn reason(error: &reqwest::Error) -> String {
    let what = match error {
        error if error.is_timeout() => return format!("no answer within {} s", LIMIT.as_secs()),
        error if error.is_connect() => "cannot connect",
        _ => "the connection failed",
    };
    // The innermost cause is the one that helps.
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut last = None;
    while let Some(inner) = cause {
        last = Some(inner.to_string());
        cause = inner.source();
    }
    match last {
        Some(last) => format!("{what}: {last}"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_means_one_thing() {
        let kind = |status: u16| match meaning(StatusCode::from_u16(status).unwrap(), None, b"x") {
            Outcome::Done { .. } => "done",
            Outcome::Retry { .. } => "retry",
            Outcome::Dead { .. } => "dead",
            Outcome::ChannelOff { .. } => "off",
        };
        let all =
            [200, 204, 301, 302, 400, 401, 404, 408, 410, 413, 429, 500, 503].map(|status| (status, kind(status)));
        insta::assert_compact_debug_snapshot!(all, @r#"[(200, "done"), (204, "done"), (301, "dead"), (302, "dead"), (400, "dead"), (401, "dead"), (404, "dead"), (408, "retry"), (410, "off"), (413, "dead"), (429, "retry"), (500, "retry"), (503, "retry")]"#);
    }

    #[test]
    fn the_pause_that_is_asked_for_is_found() {
        let now: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let header = |value| asked_in_header(value, now).map(|pause| pause.as_secs());
        assert_eq!(header("120"), Some(120));
        assert_eq!(header("Sun, 01 Mar 2026 10:01:30 GMT"), Some(90));
        assert_eq!(header("soon"), None);
        let body = |text: &str| asked_in_body(text.as_bytes()).map(|pause| pause.as_secs());
        assert_eq!(body(r#"{"retry_after": 1.2}"#), Some(2));
        assert_eq!(body(r#"{"ok":false,"parameters":{"retry_after":35}}"#), Some(35));
        assert_eq!(body(r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2000}"#), Some(2));
        assert_eq!([body("no"), body("[]"), body(r#"{"retry_after":1e300}"#)], [None; 3]);
    }
}
