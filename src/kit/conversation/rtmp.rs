//! RTMP: what was commanded, and the messages that came of it, with pictures and sound taken out.

use std::time::Duration;

use super::MOST_FRAMES;
use super::flow::ms;
use crate::kit::format::{Ask, Blob, Exchange, Message, Spoken};
use crate::kit::media;
use crate::model::recording::{Connected, Side};
use crate::protocol::rtmp::amf::{self, Value};
use crate::protocol::rtmp::wire::{self, BLOCK, Reader, VERSION, kind};

/// What the handshake is called among the commands.
pub const HANDSHAKE: &str = "handshake";

/// The longest message that rules the connection.
const MOST_OF_CONTROL: usize = 16;
/// Messages that hold values.
const OF_VALUES: [u8; 4] = [kind::COMMAND, kind::DATA, kind::COMMAND_AMF3, kind::DATA_AMF3];

/// One side of a connection.
#[derive(Default)]
struct Half {
    /// Bytes of the handshake that were read.
    shaken: usize,
    reader: Reader,
    /// It began with something else.
    is_other: bool,
    is_broken: bool,
}

impl Half {
    /// The length of a side's part of the handshake: C0 to C2, or S0 to S2 (RTMP 1.0 §5.2).
    const HANDSHAKE: usize = 1 + 2 * BLOCK;

    fn take(&mut self, bytes: &[u8]) -> Vec<wire::Message> {
        self.is_other |= self.shaken == 0 && bytes.first().is_some_and(|&version| version != VERSION);
        if self.is_other || self.is_broken {
            return Vec::new();
        }
        let of_handshake = bytes.len().min(Self::HANDSHAKE.saturating_sub(self.shaken));
        self.shaken = self.shaken.saturating_add(of_handshake);
        self.reader.push(bytes.get(of_handshake..).unwrap_or_default());
        let mut messages = Vec::new();
        while !self.is_broken {
            match self.reader.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => self.is_broken = true,
            }
        }
        messages
    }

    fn has_shaken_hands(&self) -> bool {
        self.shaken == Self::HANDSHAKE && !self.is_other
    }
}

/// The commands of a connection; none where no hands were shaken.
pub(super) fn exchanges(connection: &Connected) -> Option<Vec<Exchange>> {
    let (mut scanner, mut device) = (Half::default(), Half::default());
    let mut app = String::new();
    let mut asked_at = Duration::ZERO;
    let mut exchanges = vec![Exchange::of(command(HANDSHAKE, String::new()))];
    for part in &connection.parts {
        match part.from {
            Side::Scanner => {
                for message in scanner.take(&part.bytes) {
                    if let Some(ask) = ask(&message, &mut app) {
                        asked_at = part.at;
                        exchanges.push(Exchange::of(ask));
                    }
                }
            }
            Side::Device => {
                for message in device.take(&part.bytes) {
                    let last = exchanges.last_mut().filter(|last| last.messages.len() < MOST_FRAMES);
                    last.into_iter().for_each(|last| last.messages.push(kept(message.clone(), ms(asked_at, part.at))));
                }
            }
        }
    }
    if !scanner.has_shaken_hands() || !device.has_shaken_hands() {
        return None;
    }
    if let Some(last) = exchanges.last_mut() {
        last.closes = connection.closed.is_some_and(|(_, by)| by == Side::Device);
    }
    Some(exchanges)
}

fn command(method: &str, target: String) -> Ask {
    Ask { protocol: Spoken::Rtmp, method: method.to_owned(), target, login: None, transport: None, body: None }
}

/// A command that is answered; `app` is the application that was connected to, and is noted.
pub fn ask(message: &wire::Message, app: &mut String) -> Option<Ask> {
    let values = message.values();
    let text = |value: Option<&Value>| value.and_then(Value::as_text).unwrap_or_default().to_owned();
    match values.first().and_then(Value::as_text)? {
        "connect" => {
            *app = text(values.get(2).and_then(|fields| fields.get("app")));
            Some(command("connect", format!("/{app}")))
        }
        "createStream" => Some(command("createStream", format!("/{app}"))),
        "play" => Some(command("play", format!("/{app}/{}", text(values.get(3))))),
        _ => None,
    }
}

fn kept(message: wire::Message, after_ms: u64) -> Message {
    let wire::Message { kind, timestamp_ms, stream, mut body } = message;
    let is_control = kind < kind::AUDIO && body.len() <= MOST_OF_CONTROL;
    if !is_control && !OF_VALUES.contains(&kind) {
        media::blank_message(kind, &mut body);
    }
    Message { after_ms, kind, stream, timestamp_ms, bytes: Blob(body) }
}

/// Whether it is of a type that holds values.
pub fn is_of_values(message: &Message) -> bool {
    OF_VALUES.contains(&message.kind)
}

/// The values of a message, where it holds some.
pub fn values(message: &Message) -> Vec<Value> {
    let Message { kind, stream, timestamp_ms, bytes, .. } = message;
    wire::Message { kind: *kind, timestamp_ms: *timestamp_ms, stream: *stream, body: bytes.0.clone() }.values()
}

/// Puts other values into a message.
pub fn set_values(message: &mut Message, values: &[Value]) {
    let body = amf::emit(values);
    let is_amf3 = [kind::COMMAND_AMF3, kind::DATA_AMF3].contains(&message.kind);
    message.bytes.0 = if is_amf3 { [&[0][..], &body].concat() } else { body };
}

/// Changes every text within values.
pub fn each_text(values: &mut [Value], change: &mut dyn FnMut(&mut String)) {
    for value in values {
        match value {
            Value::Text(text) => change(text),
            Value::Object(fields) => fields.iter_mut().for_each(|(_, v)| each_text(std::slice::from_mut(v), change)),
            Value::Array(values) => each_text(values, change),
            Value::Number(_) | Value::Boolean(_) | Value::Null => {}
        }
    }
}
