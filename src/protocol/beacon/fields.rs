//! Fields of binary answers. Everything is none beyond the end.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::model::MacAddr;

/// So many bytes at a place.
pub fn bytes<const N: usize>(all: &[u8], at: usize) -> Option<[u8; N]> {
    all.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// A number, low byte first.
pub fn le16(all: &[u8], at: usize) -> Option<u16> {
    bytes(all, at).map(u16::from_le_bytes)
}

/// A number, high byte first.
pub fn be16(all: &[u8], at: usize) -> Option<u16> {
    bytes(all, at).map(u16::from_be_bytes)
}

/// An IPv4 address in network order.
pub fn ip(all: &[u8], at: usize) -> Option<Ipv4Addr> {
    bytes::<4>(all, at).map(Ipv4Addr::from)
}

/// A MAC address.
pub fn mac(all: &[u8], at: usize) -> Option<MacAddr> {
    bytes(all, at).map(MacAddr).filter(|m| m.is_station())
}

/// A text of at most `length` bytes that a zero may end; trimmed, none when empty.
pub fn text(all: &[u8], at: usize, length: usize) -> Option<String> {
    string(all.get(at..at.checked_add(length)?)?)
}

/// A text that a zero may end; trimmed, none when empty.
pub fn string(bytes: &[u8]) -> Option<String> {
    let text = bytes.split(|b| *b == 0).next().unwrap_or_default();
    Some(String::from_utf8_lossy(text).trim().to_owned()).filter(|t| !t.is_empty())
}

/// The first JSON value in an answer; what stands before and after it does not matter, nor do raw control characters in it.
pub fn json(answer: &[u8]) -> Option<Value> {
    let start = answer.iter().position(|b| *b == b'{')?;
    let text: String =
        String::from_utf8_lossy(answer.get(start..)?).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    serde_json::Deserializer::from_str(&text).into_iter().next()?.ok()
}

/// A text or number of a JSON object as text; none when empty or of another type.
pub fn json_text(object: &Value, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|t| !t.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number of a JSON object, where it fits.
pub fn json_number<N: TryFrom<u64>>(object: &Value, key: &str) -> Option<N> {
    object.get(key)?.as_u64()?.try_into().ok()
}
