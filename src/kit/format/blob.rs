//! Bytes as they stand in a kit's files: text where they are text, base64 where they are not, and a number for so many
//! bytes of filler, which stand in the place of pictures and sound.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Stands in the place of every byte of a picture: no start code, marker or length can come of it.
pub const FILL: u8 = 0x55;

/// As many bytes of filler in a row are written as a number.
const LEAST_RUN: usize = 16;

/// What text begins with that is the base64 of bytes.
const BASE64: &str = "base64:";

/// The most bytes one of them may stand for.
pub const MOST: usize = 32 << 20;

/// Some bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Piece {
    Fill(u64),
    Text(String),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    One(String),
    Several(Vec<Piece>),
}

impl Blob {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut rest = self.0.as_slice();
        while !rest.is_empty() {
            let (plain, run) = next_run(rest);
            if plain > 0 {
                pieces.push(Piece::Text(text_of(rest.get(..plain).unwrap_or_default())));
            }
            if run > 0 {
                pieces.push(Piece::Fill(run as u64));
            }
            rest = rest.get(plain + run..).unwrap_or_default();
        }
        pieces
    }
}

/// How many bytes come before the next run of filler that is worth a number, and how long that is.
fn next_run(bytes: &[u8]) -> (usize, usize) {
    let mut start = 0;
    let mut length = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == FILL {
            if length == 0 {
                start = at;
            }
            length += 1;
        } else if length >= LEAST_RUN {
            return (start, length);
        } else {
            length = 0;
        }
    }
    if length >= LEAST_RUN { (start, length) } else { (bytes.len(), 0) }
}

fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(BASE64) && !text.chars().any(|c| c.is_control() && !"\r\n\t".contains(c)) => {
            text.to_owned()
        }
        _ => format!("{BASE64}{}", STANDARD.encode(bytes)),
    }
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix(BASE64) {
        Some(code) => STANDARD.decode(code).ok(),
        None => Some(text.as_bytes().to_vec()),
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut pieces = self.pieces();
        match (pieces.len(), pieces.pop()) {
            (1, Some(Piece::Text(text))) => Written::One(text).serialize(to),
            (0, _) => Written::One(String::new()).serialize(to),
            (_, last) => {
                pieces.extend(last);
                Written::Several(pieces).serialize(to)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let pieces = match Written::deserialize(from)? {
            Written::One(text) => vec![Piece::Text(text)],
            Written::Several(pieces) => pieces,
        };
        let mut bytes = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => bytes.extend(bytes_of(&text).ok_or_else(|| D::Error::custom("broken base64"))?),
                Piece::Fill(count) => {
                    let count = usize::try_from(count).unwrap_or(usize::MAX);
                    let length = bytes.len().saturating_add(count);
                    if length > MOST {
                        return Err(D::Error::custom(format!("more than {MOST} bytes in one place")));
                    }
                    bytes.resize(length, FILL);
                }
            }
        }
        Ok(Blob(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_text_and_filler_a_number() {
        let json = |bytes: &[u8]| serde_json::to_string(&Blob(bytes.to_vec())).unwrap();
        assert_eq!(json(b"RTSP/1.0 200 OK\r\n"), r#""RTSP/1.0 200 OK\r\n""#);
        assert_eq!(json(b""), r#""""#);
        assert_eq!(json(&[0x80, 0]), r#""base64:gAA=""#);
        assert_eq!(json(b"base64:x"), format!(r#""base64:{}""#, STANDARD.encode("base64:x")));
        assert_eq!(json(&[&b"ab"[..], &[FILL; 40], b"c"].concat()), r#"["ab",40,"c"]"#);
        assert_eq!(json(&[FILL; 40]), "[40]");
        assert!(serde_json::from_str::<Blob>("[99999999999]").is_err());
        assert!(serde_json::from_str::<Blob>(r#"["base64:%"]"#).is_err());
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(FILL)], 0..200), run in 0..100usize) {
            let blob = Blob([&bytes[..], &vec![FILL; run], &bytes].concat());
            let json = serde_json::to_string(&blob).unwrap();
            prop_assert_eq!(serde_json::from_str::<Blob>(&json).unwrap(), blob);
        }
    }
}
