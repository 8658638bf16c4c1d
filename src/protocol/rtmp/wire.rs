//! Handshake and chunk stream (RTMP 1.0 §5.2 and §5.3). Pure.

use std::collections::HashMap;

use super::amf::{self, Value};
use crate::text::steps;
use crate::wire::buffer::grow;

/// The version byte of C0 and S0.
pub const VERSION: u8 = 3;
/// Bytes of C1, C2, S1 and S2 each.
pub const BLOCK: usize = 1536;
/// Chunk size in both directions until one side sets another.
const CHUNK: usize = 128;
/// The largest message taken, a key frame of a large picture; and the most held of all messages that have begun.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// Chunk streams at most.
const MAX_STREAMS: usize = 64;

/// Message types (§5.4, §7.1).
#[expect(missing_docs, reason = "the names are the specification's")]
pub mod kind {
    pub const SET_CHUNK_SIZE: u8 = 1;
    pub const ABORT: u8 = 2;
    pub const ACKNOWLEDGEMENT: u8 = 3;
    pub const USER_CONTROL: u8 = 4;
    pub const WINDOW_SIZE: u8 = 5;
    pub const AUDIO: u8 = 8;
    pub const VIDEO: u8 = 9;
    pub const DATA_AMF3: u8 = 15;
    pub const COMMAND_AMF3: u8 = 17;
    pub const DATA: u8 = 18;
    pub const COMMAND: u8 = 20;
}

/// C0 and C1, with those bytes as the random part.
pub fn hello(random: &[u8; BLOCK - 8]) -> Vec<u8> {
    let mut out = vec![VERSION];
    // Time and version zero: the simple handshake, which every server takes.
    out.extend([0; 8]);
    out.extend(random);
    out
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its type, see [`kind`].
    pub kind: u8,
    /// Milliseconds; wraps.
    pub timestamp_ms: u32,
    /// The message stream it belongs to; 0 for the connection itself.
    pub stream: u32,
    /// What it holds.
    pub body: Vec<u8>,
}

impl Message {
    /// A command of AMF0 values.
    pub fn command(stream: u32, values: &[Value]) -> Message {
        Message { kind: kind::COMMAND, timestamp_ms: 0, stream, body: amf::emit(values) }
    }

    /// A protocol control message of one number.
    pub fn control(kind: u8, number: u32) -> Message {
        Message { kind, timestamp_ms: 0, stream: 0, body: number.to_be_bytes().to_vec() }
    }

    /// The values of a command or of metadata; none for what holds none.
    pub fn values(&self) -> Vec<Value> {
        match (self.kind, self.body.split_first()) {
            (kind::COMMAND | kind::DATA, _) => amf::parse(&self.body),
            // A byte that says that AMF0 follows after all.
            (kind::COMMAND_AMF3 | kind::DATA_AMF3, Some((0, rest))) => amf::parse(rest),
            _ => Vec::new(),
        }
    }

    /// The bytes on the wire, in chunks of the size that holds without a word about it.
    pub fn emit(&self) -> Vec<u8> {
        let chunk_stream = match self.kind {
            kind::COMMAND | kind::DATA if self.stream == 0 => 3,
            kind::COMMAND | kind::DATA => 8,
            kind::AUDIO | kind::VIDEO => 6,
            _ => 2,
        };
        let time = self.timestamp_ms.min(0xff_ffff);
        let [_, t2, t1, t0] = time.to_be_bytes();
        let [_, l2, l1, l0] = u32::try_from(self.body.len()).unwrap_or(0).to_be_bytes();
        let mut out = vec![chunk_stream, t2, t1, t0, l2, l1, l0, self.kind];
        out.extend(self.stream.to_le_bytes());
        let extended = (time == 0xff_ffff).then(|| self.timestamp_ms.to_be_bytes());
        out.extend(extended.iter().flatten());
        for (number, piece) in self.body.chunks(CHUNK).enumerate() {
            if number > 0 {
                out.push(0xc0 | chunk_stream);
                out.extend(extended.iter().flatten());
            }
            out.extend(piece);
        }
        out
    }
}

/// Why a chunk stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A message longer than is taken.
    #[error("a message of more than {} MiB", MAX_MESSAGE / 1024 / 1024)]
    TooLarge,
    /// More chunk streams than are taken.
    #[error("more than {MAX_STREAMS} chunk streams")]
    TooMany,
    /// A chunk that refers to one never sent, or a chunk size of zero.
    #[error("chunks that make no sense")]
    Nonsense,
}

/// Puts chunks together to messages.
#[derive(Debug)]
pub struct Reader {
    buffer: Vec<u8>,
    /// So many bytes of it have been read, and are taken out with the next that come.
    read: usize,
    chunk: usize,
    streams: HashMap<u32, State>,
    /// Bytes of the messages that have begun.
    gathered: usize,
}

#[derive(Debug, Default, Clone)]
struct State {
    kind: u8,
    stream: u32,
    length: usize,
    time: u32,
    /// The last timestamp field: a delta after types 1 and 2.
    field: u32,
    extended: bool,
    body: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Self {
        Reader { buffer: Vec::new(), read: 0, chunk: CHUNK, streams: HashMap::new(), gathered: 0 }
    }
}

impl Reader {
    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.buffer.len().saturating_sub(self.read) + self.gathered
    }

    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8]) {
        let read = std::mem::take(&mut self.read).min(self.buffer.len());
        if read > 0 {
            steps::look_at(self.buffer.len().saturating_sub(read));
            self.buffer.drain(..read);
        }
        grow(&mut self.buffer, bytes.len());
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message; none until more comes. Chunk sizes and aborts are minded and not given.
    ///
    /// # Errors
    /// The stream makes no sense from here on.
    pub fn next_message(&mut self) -> Result<Option<Message>, Broken> {
        while let Some((taken, message)) = self.chunk()? {
            self.read += taken;
            let Some(message) = message else { continue };
            let number = message.body.first_chunk::<4>().map(|b| u32::from_be_bytes(*b));
            match (message.kind, number) {
                (kind::SET_CHUNK_SIZE, Some(size @ 1..=0x7fff_ffff)) => {
                    // No message is longer than a chunk of that size.
                    self.chunk = usize::try_from(size).unwrap_or(MAX_MESSAGE).min(MAX_MESSAGE);
                }
                (kind::SET_CHUNK_SIZE, _) => return Err(Broken::Nonsense),
                (kind::ABORT, Some(stream)) => {
                    if let Some(state) = self.streams.get_mut(&stream) {
                        self.gathered = self.gathered.saturating_sub(state.body.len());
                        state.body = Vec::new();
                    }
                }
                _ => return Ok(Some(message)),
            }
        }
        Ok(None)
    }

    /// One chunk: how many bytes it takes, and the message it ends.
    fn chunk(&mut self) -> Result<Option<(usize, Option<Message>)>, Broken> {
        let buffer = self.buffer.get(self.read..).unwrap_or_default();
        let Some((form, id, mut at)) = basic_header(buffer) else { return Ok(None) };
        let fresh = State::default();
        let mut state = match self.streams.get(&id) {
            Some(state) => state.clone_head(),
            None if form == 3 => return Err(Broken::Nonsense),
            None => fresh,
        };
        let held = self.streams.get(&id).map_or(0, |s| s.body.len());
        let Some(length) = state.read_header(form, buffer.get(at..).unwrap_or_default(), held > 0) else {
            return Ok(None);
        };
        at += length;
        if state.length > MAX_MESSAGE {
            return Err(Broken::TooLarge);
        }
        if self.streams.len() >= MAX_STREAMS && !self.streams.contains_key(&id) {
            return Err(Broken::TooMany);
        }
        let wanted = state.length.saturating_sub(held).min(self.chunk);
        if self.gathered + wanted > MAX_MESSAGE {
            return Err(Broken::TooLarge);
        }
        let Some(piece) = buffer.get(at..at + wanted) else { return Ok(None) };
        self.gathered += wanted;
        let slot = self.streams.entry(id).or_default();
        state.body = std::mem::take(&mut slot.body);
        grow(&mut state.body, piece.len());
        state.body.extend_from_slice(piece);
        let message = (state.body.len() >= state.length).then(|| Message {
            kind: state.kind,
            timestamp_ms: state.time,
            stream: state.stream,
            body: std::mem::take(&mut state.body),
        });
        self.gathered = self.gathered.saturating_sub(message.as_ref().map_or(0, |m| m.body.len()));
        *slot = state;
        Ok(Some((at + wanted, message)))
    }
}

/// Form, chunk stream and length of a basic header (§5.3.1.1).
fn basic_header(bytes: &[u8]) -> Option<(u8, u32, usize)> {
    let &first = bytes.first()?;
    let (form, id) = (first >> 6, first & 0x3f);
    Some(match id {
        0 => (form, u32::from(*bytes.get(1)?) + 64, 2),
        1 => (form, u32::from(*bytes.get(2)?) * 256 + u32::from(*bytes.get(1)?) + 64, 3),
        _ => (form, u32::from(id), 1),
    })
}

impl State {
    /// The same without what has been gathered.
    fn clone_head(&self) -> State {
        State { body: Vec::new(), ..*self }
    }

    /// Reads a message header (§5.3.1.2); its length, or none until more comes. `continues` says that a message has begun.
    fn read_header(&mut self, form: u8, bytes: &[u8], continues: bool) -> Option<usize> {
        let mut length = match form {
            0 => 11,
            1 => 7,
            2 => 3,
            _ => 0,
        };
        let header = bytes.get(..length)?;
        if let Some(&[t2, t1, t0]) = header.first_chunk::<3>() {
            self.field = u32::from_be_bytes([0, t2, t1, t0]);
            self.extended = self.field == 0xff_ffff;
        }
        if let Some(&[_, _, _, l2, l1, l0, kind]) = header.first_chunk::<7>() {
            self.length = usize::try_from(u32::from_be_bytes([0, l2, l1, l0])).ok()?;
            self.kind = kind;
        }
        if let Some(stream) = header.get(7..).and_then(|s| s.first_chunk::<4>()) {
            self.stream = u32::from_le_bytes(*stream);
        }
        if self.extended {
            let time = u32::from_be_bytes(*bytes.get(length..)?.first_chunk::<4>()?);
            // Some leave it out of further chunks of a message, against §5.3.1.3.
            if form < 3 || time == self.field {
                length += 4;
                self.field = time;
            }
        }
        match form {
            0 => self.time = self.field,
            3 if continues => {}
            _ => self.time = self.time.wrapping_add(self.field),
        }
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8], pieces: usize) -> Result<Vec<Message>, Broken> {
        let mut reader = Reader::default();
        let mut messages = Vec::new();
        for piece in bytes.chunks(pieces.max(1)) {
            reader.push(piece);
            while let Some(message) = reader.next_message()? {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    #[test]
    fn headers_of_every_form() {
        let mut bytes = vec![4, 0, 0, 100, 0, 0, 2, 9, 1, 0, 0, 0, 0xaa, 0xbb];
        bytes.extend([0x44, 0, 0, 40, 0, 0, 1, 9, 0xcc]);
        bytes.extend([0x84, 0, 0, 20, 0xdd]);
        bytes.extend([0xc4, 0xee]);
        bytes.extend([0x40 | 5, 0, 0, 1, 0, 0, 0, 8]);
        let times: Vec<(u32, usize)> =
            read(&bytes, 3).unwrap().iter().map(|m| (m.timestamp_ms, m.body.len())).collect();
        assert_eq!(times, [(100, 2), (140, 1), (160, 1), (180, 1), (1, 0)]);
    }

    #[test]
    fn what_breaks_a_stream() {
        assert_eq!(read(&[0xc5, 1, 2], 9), Err(Broken::Nonsense));
        assert_eq!(read(&[4, 0, 0, 0, 0xff, 0xff, 0xff, 9, 0, 0, 0, 0], 99), Err(Broken::TooLarge));
        assert_eq!(read(&Message::control(kind::SET_CHUNK_SIZE, 0).emit(), 99), Err(Broken::Nonsense));
        let many: Vec<u8> = (2..64).flat_map(|id| [id, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0]).collect();
        let more: Vec<u8> = (0..9).flat_map(|id| [0, id, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0]).collect();
        assert_eq!(read(&[many, more].concat(), 7), Err(Broken::TooMany));
    }

    /// Each of them is small enough by itself.
    #[test]
    fn messages_begun_side_by_side_are_bounded_together() {
        let half = MAX_MESSAGE / 2;
        let mut bytes = Message::control(kind::SET_CHUNK_SIZE, (half + 1) as u32).emit();
        for id in [4, 5, 6] {
            let [_, l2, l1, l0] = (half as u32 + 99).to_be_bytes();
            bytes.extend([id, 0, 0, 0, l2, l1, l0, 9, 0, 0, 0, 0]);
            bytes.extend(vec![0; half + 1]);
        }
        assert_eq!(read(&bytes, 1 << 16), Err(Broken::TooLarge));
    }

    /// Chunks of one byte, as many as come at once.
    #[test]
    fn small_chunks_are_taken_out_of_the_buffer_together() {
        let mut bytes = Message::control(kind::SET_CHUNK_SIZE, 1).emit();
        bytes.extend([4, 0, 0, 0, 0, 0x40, 0, 9, 0, 0, 0, 0, 7]);
        bytes.extend([0xc4, 7].repeat(0x3fff));
        let mut messages = Vec::new();
        let looks = steps::seen_by(|| messages = read(&bytes, bytes.len()).unwrap()) / bytes.len();
        assert_eq!(messages.iter().map(|message| message.body.len()).collect::<Vec<_>>(), [0x4000]);
        assert!(looks <= 4, "{looks} looks at each byte");
    }

    proptest! {
        #[test]
        fn what_was_written_reads_the_same(
            sent in prop::collection::vec((8u8..12, any::<u32>(), 0u32..3, prop::collection::vec(any::<u8>(), 0..700)), 0..6),
            chunk in 1u32..400,
            pieces in 1usize..900,
        ) {
            let messages: Vec<Message> = sent.into_iter()
                .map(|(kind, timestamp_ms, stream, body)| Message { kind, timestamp_ms, stream, body })
                .collect();
            let bytes: Vec<u8> = messages.iter().flat_map(Message::emit).collect();
            prop_assert_eq!(read(&bytes, pieces).unwrap(), messages);
            // A size that is never used changes nothing but what follows.
            prop_assert_eq!(read(&Message::control(kind::SET_CHUNK_SIZE, chunk).emit(), pieces).unwrap(), vec![]);
        }
    }
}
