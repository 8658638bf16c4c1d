//! A replayed server of RTMP: hands are shaken anew, commands get the messages that came of them, and a stream that played
//! plays without end, with times that go on.

use std::time::Duration;

use super::{Local, Login, Player, found};
use crate::kit::conversation::rtmp::{HANDSHAKE, ask, each_text, set_values, values};
use crate::kit::format::{Message, Spoken};
use crate::protocol::rtmp::amf::Value;
use crate::protocol::rtmp::wire::{self, BLOCK, Reader, VERSION, kind};

/// The longest a message is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A shorter lap is not repeated.
const SHORTEST_LAP: Duration = Duration::from_millis(20);

/// A client of a replay, from its handshake on.
pub struct Client {
    port: u16,
    app: String,
    step: Step,
    reader: Reader,
}

/// How far the handshake is (RTMP 1.0 §5.2).
enum Step {
    /// C0 and C1 are awaited; these came.
    Hello(Vec<u8>),
    /// So many bytes of C2 are missing.
    Echo(usize),
    Done,
}

/// What is sent to a client.
#[derive(Debug)]
pub enum Act {
    /// These bytes, at once.
    Shake(Vec<u8>),
    /// What came of a command.
    Say(Told),
    /// Nothing more of what plays.
    Stop,
    /// The end.
    Leave,
}

/// Messages that came of a command.
#[derive(Debug)]
pub struct Told {
    messages: Vec<Message>,
    /// Whether pictures or sound came, which go on.
    pub is_stream: bool,
    /// Whether the connection ends then.
    pub closes: bool,
    lap: Duration,
    /// By how much the times of pictures and sound grow from lap to lap.
    span_ms: u32,
}

impl Client {
    /// One that has connected to a port, by the number it had on the device.
    pub fn new(port: u16) -> Client {
        Client { port, app: String::new(), step: Step::Hello(Vec::new()), reader: Reader::default() }
    }

    /// What comes of these bytes of the client.
    pub fn take(&mut self, player: &mut Player, mut bytes: &[u8]) -> Vec<Act> {
        let mut acts = Vec::new();
        if let Step::Hello(held) = &mut self.step {
            let wanted = (1 + BLOCK).saturating_sub(held.len()).min(bytes.len());
            let (own, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
            held.extend_from_slice(own);
            bytes = rest;
            let Some((&version, hello)) = held.split_first().filter(|(_, hello)| hello.len() == BLOCK) else {
                return acts;
            };
            if version != VERSION {
                return vec![Act::Leave];
            }
            // S1 has no secret to keep: its random part may be anything.
            acts.push(Act::Shake([&[VERSION][..], &[0; BLOCK], hello].concat()));
            self.step = Step::Echo(BLOCK);
        }
        if let Step::Echo(missing) = &mut self.step {
            let taken = bytes.len().min(*missing);
            bytes = bytes.get(taken..).unwrap_or_default();
            *missing = missing.saturating_sub(taken);
            if *missing > 0 {
                return acts;
            }
            self.step = Step::Done;
        }
        self.reader.push(bytes);
        loop {
            match self.reader.next_message() {
                Ok(Some(message)) => acts.extend(self.command(player, &message)),
                Ok(None) => return acts,
                Err(_) => {
                    acts.push(Act::Leave);
                    return acts;
                }
            }
        }
    }

    fn command(&mut self, player: &mut Player, message: &wire::Message) -> Option<Act> {
        let sent = message.values();
        if sent.first().and_then(Value::as_text).is_some_and(|name| ["deleteStream", "closeStream"].contains(&name)) {
            return Some(Act::Stop);
        }
        let ask = ask(message, &mut self.app)?;
        let device = player.device();
        let port = player.kit.tcp.iter().find(|port| port.port == self.port)?;
        let exchange = found(port, &mut player.asked, &ask, Login::None)?;
        let number = sent.get(1).cloned().unwrap_or(Value::Null);
        let here = |message: &Message| adapted(message, &number, &player.local, device);
        Some(Act::Say(Told::new(exchange.messages.iter().map(here).collect(), exchange.closes)))
    }
}

/// A message with the number of the command that it answers, and with this machine's addresses.
fn adapted(message: &Message, number: &Value, local: &Local, device: Option<std::net::IpAddr>) -> Message {
    let mut message = message.clone();
    let mut values = values(&message);
    if values.is_empty() {
        return message;
    }
    let is_answer = values.first().and_then(Value::as_text).is_some_and(|name| ["_result", "_error"].contains(&name));
    if let Some(place) = values.get_mut(1).filter(|_| is_answer) {
        *place = number.clone();
    }
    each_text(&mut values, &mut |text| {
        *text = String::from_utf8_lossy(&local.here(text.as_bytes(), device)).into_owned();
    });
    set_values(&mut message, &values);
    message
}

fn is_media(message: &Message) -> bool {
    [kind::AUDIO, kind::VIDEO].contains(&message.kind)
}

impl Told {
    fn new(messages: Vec<Message>, closes: bool) -> Told {
        let media = || messages.iter().filter(|message| is_media(message));
        let times = || media().map(|message| message.timestamp_ms);
        let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
        let pictures = media().filter(|message| message.kind == kind::VIDEO).count().max(1);
        // A lap is longer than its messages by as much as lies between two pictures.
        let step =
            last.wrapping_sub(first).checked_div(u32::try_from(pictures).unwrap_or(u32::MAX)).unwrap_or(0).max(1);
        let end = messages.last().map_or(0, |message| message.after_ms);
        let lap = Duration::from_millis(end.saturating_add(u64::from(step)));
        let span_ms = last.wrapping_sub(first).wrapping_add(step);
        Told { is_stream: media().next().is_some(), closes, lap, span_ms, messages }
    }

    /// The `number`th message as it goes on the wire, and when after the command. None behind the last of what does not go on.
    pub fn message(&self, number: usize) -> Option<(Duration, Vec<u8>)> {
        let lap = u32::try_from(number.checked_div(self.messages.len())?).ok()?;
        let message = self.messages.get(number % self.messages.len())?;
        if lap > 0 && (!self.is_stream || self.closes || self.lap < SHORTEST_LAP) {
            return None;
        }
        let at = self.lap.saturating_mul(lap) + Duration::from_millis(message.after_ms).min(LONGEST_WAIT);
        // What is said once is not said again.
        if lap > 0 && !is_media(message) {
            return Some((at, Vec::new()));
        }
        let shift = self.span_ms.wrapping_mul(lap);
        let timestamp_ms =
            if is_media(message) { message.timestamp_ms.wrapping_add(shift) } else { message.timestamp_ms };
        let (kind, stream, body) = (message.kind, message.stream, message.bytes.0.clone());
        Some((at, wire::Message { kind, timestamp_ms, stream, body }.emit()))
    }
}

impl Player {
    /// Whether RTMP was spoken on a port.
    pub fn speaks_rtmp(&self, port: u16) -> bool {
        let port = self.kit.tcp.iter().find(|known| known.port == port);
        port.is_some_and(|port| {
            port.exchanges.iter().any(|e| e.ask.protocol == Spoken::Rtmp && e.ask.method == HANDSHAKE)
        })
    }
}
