//! Answers as they came, with the packets of streams between them.

use std::time::Duration;

use super::flow::{Flow, ms};
use super::request::Request;
use crate::kit::format::{Answer, Blob, Spoken, Timed};
use crate::kit::media;
use crate::protocol::http::wire::{self, Head, Start};
use crate::wire::head;

/// The most bytes of a body.
const MAX_BODY: usize = 8 << 20;

/// A packet between two answers: when, on which channel, what.
pub(super) type Interleaved = (Duration, u8, Vec<u8>);

/// An answer, when its head was there, and the packets before it.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) at: Duration,
    pub(super) frames: Vec<Interleaved>,
}

/// Reads the answers of a device in order.
pub(super) struct Reader<'f> {
    flow: &'f Flow,
    at: usize,
    /// Whether the device ended the connection.
    ended: bool,
}

impl<'f> Reader<'f> {
    pub(super) fn new(flow: &'f Flow, ended: bool) -> Self {
        Reader { flow, at: 0, ended }
    }

    /// The answer to a request that was sent at a moment; none when it is not the next that came. What came after `until`
    /// answers the next request.
    pub(super) fn answer(&mut self, request: &Request, sent: Duration, until: Option<Duration>) -> Option<Answered> {
        let mut frames = Vec::new();
        self.take_frames(&mut frames);
        let rest = self.flow.from(self.at);
        if rest.is_empty()
            || until.is_some_and(|until| self.flow.time(self.at) > until && request.ask.protocol == Spoken::Http)
        {
            return None;
        }
        let (head, length) = match wire::parse_start(rest, true) {
            Start::Head(head, length) if (100..200).contains(&head.status) => {
                self.at += length;
                return self.answer(request, sent, until);
            }
            Start::Head(head, length) => (head, length),
            // Not even a head: the answer is what there is.
            _ => (Head::default(), 0),
        };
        let raw = rest.get(..length).unwrap_or_default().to_vec();
        let began = self.flow.time(self.at + length.saturating_sub(1));
        self.at += length;
        let mut answer = Answer { after_ms: ms(sent, began), head: Blob(raw), ..Answer::default() };
        match request.ask.protocol {
            Spoken::Rtsp => self.rtsp_body(&head, &mut answer),
            Spoken::Http => self.http_body(request, &head, began, &mut answer),
            Spoken::Rtmp => {}
        }
        Some(Answered { answer, at: began, frames })
    }

    fn rtsp_body(&mut self, head: &Head, answer: &mut Answer) {
        let length = head.headers.content_length().and_then(|l| usize::try_from(l).ok()).unwrap_or(0).min(MAX_BODY);
        let rest = self.flow.from(self.at);
        let body = rest.get(..length).unwrap_or(rest);
        self.at += body.len();
        if !body.is_empty() {
            answer.body = vec![Timed { after_ms: 0, bytes: Blob(body.to_vec()) }];
        }
    }

    fn http_body(&mut self, request: &Request, head: &Head, began: Duration, answer: &mut Answer) {
        let mut decoder =
            if head.status == 0 { wire::BodyDecoder::until_close() } else { head.body(&request.ask.method) };
        let to_the_end = decoder.ends_with_connection();
        let mut body = Vec::new();
        let mut cuts: Vec<(u64, usize)> = Vec::new();
        let end = self.flow.bytes.len();
        for (time, part) in self.flow.parts(self.at, end) {
            if decoder.is_complete() || body.len() > MAX_BODY {
                break;
            }
            decoder.decode(part, &mut body);
            self.at += part.len();
            cuts.push((ms(began, time), body.len()));
        }
        let is_ended = decoder.is_complete() || to_the_end && self.ended;
        answer.goes_on = !is_ended;
        let encoding = head.headers.text("Content-Encoding");
        if wire::is_packed(&body, encoding.as_deref()) {
            (body, _) = wire::unpack(body, encoding.as_deref(), MAX_BODY);
            cuts = vec![(cuts.last().map_or(0, |(time, _)| *time), body.len())];
        }
        if answer.goes_on {
            cut_at_part(&mut body);
        }
        let kind = head.headers.content_type().unwrap_or_default();
        let is_text = is_text(&body, &kind);
        if !is_text {
            let is_icon = request.ask.target.contains("icon") || kind.contains("icon");
            media::blank_body(&mut body, is_icon);
        }
        // What is to be read is one piece: a name must not be parted before it is looked for.
        answer.body = pieces(&body, &cuts, !is_text && (to_the_end || answer.goes_on));
    }

    fn take_frames(&mut self, frames: &mut Vec<Interleaved>) {
        while let Some(&[b'$', channel, l1, l0]) = self.flow.from(self.at).first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([l1, l0]));
            let Some(packet) = self.flow.from(self.at + 4).get(..length) else { break };
            frames.push((self.flow.time(self.at + 3 + length), channel, packet.to_vec()));
            self.at += 4 + length;
        }
    }

    /// The packets after the last answer.
    pub(super) fn rest(&mut self) -> Vec<Interleaved> {
        let mut frames = Vec::new();
        self.take_frames(&mut frames);
        frames
    }
}

/// Whether a body is for reading, and may hold names rather than pictures.
fn is_text(body: &[u8], kind: &str) -> bool {
    let is_picture = ["image/jpeg", "video/", "audio/", "multipart/"].iter().any(|prefix| kind.starts_with(prefix));
    let sample = body.get(..body.len().min(4096)).unwrap_or_default();
    if sample.contains(&0) || is_picture && body.iter().any(|byte| *byte >= 0x80) {
        return false;
    }
    std::str::from_utf8(body).is_ok() || kind.starts_with("text/") || kind.contains("xml") || kind.contains("json")
}

/// A body of parts that was still coming ends where the last whole part does.
fn cut_at_part(body: &mut Vec<u8>) {
    if let Some(at) = body.windows(4).rposition(|w| w == b"\r\n--") {
        body.truncate(at + 2);
    }
}

/// The body in the pieces it came in, or in one where its times tell nothing.
fn pieces(body: &[u8], cuts: &[(u64, usize)], is_stream: bool) -> Vec<Timed> {
    let mut pieces: Vec<Timed> = Vec::new();
    let mut from = 0;
    for &(after_ms, end) in cuts {
        let bytes = body.get(from..end.min(body.len())).unwrap_or_default();
        from = from.max(end.min(body.len()));
        match pieces.last_mut() {
            Some(last) if !is_stream || after_ms.saturating_sub(last.after_ms) < 5 => {
                last.bytes.0.extend_from_slice(bytes)
            }
            _ if bytes.is_empty() => {}
            _ => pieces.push(Timed { after_ms, bytes: Blob(bytes.to_vec()) }),
        }
    }
    pieces
}

/// A head's lines, for whoever changes some of them.
pub(super) fn headers(head: &[u8]) -> head::Headers {
    head::read(head).1
}
