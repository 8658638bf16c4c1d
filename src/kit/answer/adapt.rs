//! A recorded answer made into one to this request: its number, its addresses and ports, its nonce, its time.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex::bytes::{Captures, Regex};

use super::{Moment, Reply, is_rtsp, transaction};
use crate::kit::conversation::Request;
use crate::kit::format::{Answer, Ask, TcpPort};

/// The longest a replay waits before it answers.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Where a replay listens.
#[derive(Debug, Clone)]
pub struct Local {
    /// Its address.
    pub ip: IpAddr,
    /// The device's ports, each with the one it is replayed on.
    pub ports: Vec<(u16, u16)>,
}

impl Local {
    /// The port on which one of the device is replayed.
    fn port(&self, port: u16) -> u16 {
        self.ports.iter().find(|(of_device, _)| *of_device == port).map_or(port, |(_, here)| *here)
    }
}

/// What is new in an answer.
pub(super) struct Change<'c> {
    pub(super) local: &'c Local,
    pub(super) device: Option<IpAddr>,
    pub(super) moment: &'c Moment,
    pub(super) nonce: &'c str,
}

/// The answer to a request, by what was asked when it was recorded.
pub(super) fn reply(asked: &Ask, answer: &Answer, request: &Request, change: &Change<'_>) -> Reply {
    let numbers = transaction(asked).zip(transaction(&request.ask)).filter(|(then, now)| then != now);
    let echo = |bytes: Vec<u8>| match &numbers {
        Some((then, now)) => String::from_utf8(bytes)
            .map_or_else(|error| error.into_bytes(), |text| text.replace(then.as_str(), now).into_bytes()),
        None => bytes,
    };
    let local = |bytes: &[u8]| change.local.here(bytes, change.device);
    let at = |ms: u64| Duration::from_millis(ms).min(LONGEST_WAIT);
    let body: Vec<(Duration, Vec<u8>)> = answer
        .body
        .iter()
        .map(|piece| (at(piece.after_ms), echo(clock(&local(&piece.bytes.0), answer.at, change.moment.now))))
        .collect();
    let length = body.iter().map(|(_, bytes)| bytes.len()).sum();
    let is_whole = !answer.goes_on && request.ask.method != "HEAD";
    let head = head(&answer.head.0, request, is_whole.then_some(length), change);
    let is_chunked = is_chunked(&head) && request.ask.method != "HEAD";
    let body = if is_chunked { chunks(body, !answer.goes_on) } else { body };
    Reply { after: at(answer.after_ms), head, body, goes_on: answer.goes_on, ..Reply::default() }
}

/// Whether the body of this head comes in chunks (RFC 9112 §7.1).
fn is_chunked(head: &[u8]) -> bool {
    let is_it = |line: &str| line.starts_with("transfer-encoding:") && line.contains("chunked");
    String::from_utf8_lossy(head).to_ascii_lowercase().lines().any(is_it)
}

/// The pieces of a body as chunks, and the last of them where the body ends.
fn chunks(body: Vec<(Duration, Vec<u8>)>, ends: bool) -> Vec<(Duration, Vec<u8>)> {
    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    let end = body.last().map_or(Duration::ZERO, |(at, _)| *at);
    let pieces = body.into_iter().filter(|(_, bytes)| !bytes.is_empty()).map(|(at, bytes)| (at, chunk(&bytes)));
    pieces.chain(ends.then(|| (end, b"0\r\n\r\n".to_vec()))).collect()
}

fn head(recorded: &[u8], request: &Request, length: Option<usize>, change: &Change<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(recorded.len() + 64);
    for (number, line) in recorded.split_inclusive(|b| *b == b'\n').enumerate() {
        let colon = line.iter().position(|b| *b == b':').filter(|_| number > 0);
        let Some((name, value)) = colon.and_then(|at| line.split_at_checked(at)) else {
            out.extend_from_slice(line);
            continue;
        };
        let is = |wanted: &str| name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes());
        let text = |value: String| format!(": {value}\r\n").into_bytes();
        let value = if is("CSeq") {
            text(request.headers.text("CSeq").unwrap_or_default().into_owned())
        } else if let Some(length) = length.filter(|_| is("Content-Length")) {
            text(length.to_string())
        } else if is("Date") {
            text(date(change.moment.now))
        } else if is("Transport") {
            text(transport(&String::from_utf8_lossy(value.get(1..).unwrap_or_default()), request, change))
        } else if is("WWW-Authenticate") || is("Proxy-Authenticate") {
            with_nonce(value, change.nonce)
        } else {
            change.local.here(value, change.device)
        };
        out.extend_from_slice(name);
        out.extend_from_slice(&value);
    }
    out
}

/// As of RFC 9110 §5.6.7.
fn date(now: i64) -> String {
    let moment = Timestamp::from_second(now).unwrap_or_default().to_zoned(TimeZone::UTC);
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The channel and the client's ports that a SETUP asks for.
pub(super) fn ways(transport: &str) -> (Option<u8>, Option<(u16, u16)>) {
    let is_tcp = transport.contains("/TCP") || transport.contains("interleaved");
    let channel = pair(transport, "interleaved").and_then(|(first, _)| u8::try_from(first).ok());
    (channel, pair(transport, "client_port").filter(|_| !is_tcp))
}

fn pair(transport: &str, name: &str) -> Option<(u16, u16)> {
    let value = transport.split([';', ',']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))?;
    let (first, second) = value.split_once('-').unwrap_or((value, value));
    let first = first.trim().parse().ok()?;
    Some((first, second.trim().parse().unwrap_or(first)))
}

/// The transport that was agreed on, with the channels and ports of this session.
fn transport(recorded: &str, request: &Request, change: &Change<'_>) -> String {
    let asked = request.ask.transport.as_deref().unwrap_or_default();
    let value = |name: &str| asked.split([';', ',']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let parts = recorded.trim().split(';').map(|part| {
        let name = part.split('=').next().unwrap_or_default().trim();
        match (name, value(name)) {
            ("interleaved" | "client_port", Some(own)) => format!("{name}={own}"),
            ("server_port", _) => match change.moment.media_ports {
                Some((rtp, rtcp)) if part.contains('-') => format!("server_port={rtp}-{rtcp}"),
                Some((rtp, _)) => format!("server_port={rtp}"),
                None => part.to_owned(),
            },
            ("source" | "destination", _) => format!("{name}={}", change.local.ip),
            _ => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join(";")
}

fn with_nonce(value: &[u8], nonce: &str) -> Vec<u8> {
    static EXPRESSION: OnceLock<Option<Regex>> = OnceLock::new();
    let expression = EXPRESSION.get_or_init(|| Regex::new(r#"(?i)(nonce\s*=\s*"?)([^",\s]+)"#).ok());
    match expression {
        Some(expression) => expression.replace_all(value, format!("${{1}}{nonce}").as_bytes()).into_owned(),
        None => value.to_vec(),
    }
}

impl Local {
    /// Bytes in which the device's address is this one's, and its ports those of the replay.
    pub(super) fn here(&self, bytes: &[u8], device: Option<IpAddr>) -> Vec<u8> {
        let Some(device) = device else { return bytes.to_vec() };
        let name = match device {
            IpAddr::V4(ip) => regex::escape(&ip.to_string()),
            IpAddr::V6(ip) => format!(r"\[?{}\]?", regex::escape(&ip.to_string())),
        };
        let text = format!(r"(?-u)((?:([a-zA-Z]+)://)?(?:[^\s@/<>]*@)?)\b?({name})(?::([0-9]{{1,5}}))?");
        let Ok(expression) = Regex::new(&text) else { return bytes.to_vec() };
        let mut out = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for found in expression.captures_iter(bytes) {
            let (Some(whole), Some(address)) = (found.get(0), found.get(3)) else { continue };
            let is_part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric());
            let before = bytes.get(..address.start()).and_then(<[u8]>::last);
            if is_part(before) || found.get(4).is_none() && is_part(bytes.get(whole.end())) {
                continue;
            }
            out.extend_from_slice(bytes.get(from..address.start()).unwrap_or_default());
            out.extend_from_slice(self.endpoint(&found).as_bytes());
            from = whole.end();
        }
        out.extend_from_slice(bytes.get(from..).unwrap_or_default());
        out
    }

    fn endpoint(&self, found: &Captures<'_>) -> String {
        let text = |number| found.get(number).and_then(|m| std::str::from_utf8(m.as_bytes()).ok());
        let host = match self.ip {
            IpAddr::V6(ip) if text(2).is_some() || text(4).is_some() => format!("[{ip}]"),
            ip => ip.to_string(),
        };
        let usual = match text(2).map(str::to_ascii_lowercase).as_deref() {
            Some("http" | "ws") => Some(80),
            Some("https" | "wss") => Some(443),
            Some("rtsp") => Some(554),
            Some("rtsps") => Some(322),
            _ => None,
        };
        match (text(4).and_then(|port| port.parse().ok()), usual) {
            (Some(port), _) => format!("{host}:{}", self.port(port)),
            (None, Some(port)) if self.port(port) != port => format!("{host}:{}", self.port(port)),
            (None, _) => host,
        }
    }
}

/// A SOAP answer whose clock goes on from where it stood (ONVIF Core §8.2.2): as wrong now as it was then.
fn clock(body: &[u8], recorded_at: i64, now: i64) -> Vec<u8> {
    static EXPRESSION: OnceLock<Option<Regex>> = OnceLock::new();
    let number = |name: &str| format!(r"<(?:\w+:)?{name}>\s*(-?[0-9]{{1,6}})\s*</(?:\w+:)?{name}>\s*");
    let expression = EXPRESSION.get_or_init(|| {
        let (time, date) =
            (["Hour", "Minute", "Second"].map(number).concat(), ["Year", "Month", "Day"].map(number).concat());
        Regex::new(&format!(r"(<(?:\w+:)?Time>)\s*{time}(</(?:\w+:)?Time>\s*<(?:\w+:)?Date>)\s*{date}")).ok()
    });
    let Some(expression) =
        expression.as_ref().filter(|_| body.windows(10).any(|w| w == b"DateTime>\n" || w.ends_with(b"DateTime>")))
    else {
        return body.to_vec();
    };
    let shifted = |found: &Captures<'_>| -> Option<Vec<u8>> {
        let part = |n: usize| std::str::from_utf8(found.get(n)?.as_bytes()).ok()?.parse::<i64>().ok();
        let small = |n: usize| i8::try_from(part(n)?).ok();
        let then = jiff::civil::DateTime::new(
            i16::try_from(part(6)?).ok()?,
            small(7)?,
            small(8)?,
            small(2)?,
            small(3)?,
            small(4)?,
            0,
        )
        .ok()?;
        let then = then.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
        let moment =
            Timestamp::from_second(then.checked_add(now.checked_sub(recorded_at)?)?).ok()?.to_zoned(TimeZone::UTC);
        let whole = String::from_utf8_lossy(found.get(0)?.as_bytes()).into_owned();
        let mut values = [
            moment.hour().into(),
            moment.minute().into(),
            moment.second().into(),
            i64::from(moment.year()),
            moment.month().into(),
            moment.day().into(),
        ]
        .into_iter();
        let each = Regex::new(r">\s*-?[0-9]{1,6}\s*<").ok()?;
        let new = each
            .replace_all(whole.as_bytes(), |_: &Captures<'_>| format!(">{}<", values.next().unwrap_or(0)).into_bytes());
        Some(new.into_owned())
    };
    expression
        .replace_all(body, |found: &Captures<'_>| shifted(found).unwrap_or_else(|| found[0].to_vec()))
        .into_owned()
}

/// The answer to what was never asked of the device.
pub(super) fn unknown(port: &TcpPort, request: &Request) -> Reply {
    if port.exchanges.is_empty() {
        return Reply { closes: port.closes, ..Reply::default() };
    }
    let head = if is_rtsp(&request.ask) {
        let number = request.headers.text("CSeq").unwrap_or_default();
        format!("RTSP/1.0 404 Not Found\r\nCSeq: {}\r\n\r\n", crate::text::clean(&number))
    } else {
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()
    };
    Reply { head: head.into_bytes(), ..Reply::default() }
}
