//! Which of a media's formats is looked at.

use super::attributes::values;
use super::{MediaKind, codec};
use crate::text::clean_some;

/// The format of a media that is looked at, as `rtpmap` or the static table name it.
#[derive(Default)]
pub(super) struct Format {
    pub payload_type: Option<u8>,
    pub encoding: Option<String>,
    pub clock_rate: Option<u32>,
    pub channels: Option<u16>,
}

impl Format {
    /// The first format whose codec is known, else the first. A dynamic payload type nobody maps takes the only map there
    /// is: some cameras write another number.
    pub(super) fn choose(described: &sdp_types::Media, kind: &MediaKind) -> Format {
        let numbers = described.fmt.split_whitespace().filter_map(|f| f.parse::<u8>().ok()).filter(|&pt| pt < 128);
        let maps: Vec<Format> = values(&described.attributes, "rtpmap").filter_map(Format::parse).take(256).collect();
        let known = |format: &Format| {
            let encoding = format.encoding.as_deref().unwrap_or_default();
            match kind {
                MediaKind::Video => codec::video_codec(encoding).is_some(),
                MediaKind::Audio => codec::audio_codec(encoding).is_some(),
                _ => true,
            }
        };
        let mut first = None;
        for payload_type in numbers.take(128) {
            let format = Format::of(payload_type, &maps);
            if known(&format) {
                return format;
            }
            first = first.or(Some(format));
        }
        let only = <[Format; 1]>::try_from(maps).ok().map(|[only]| only).filter(|only| known(only));
        match (first, only) {
            (Some(first), Some(only)) if first.encoding.is_none() => {
                Format { payload_type: first.payload_type, ..only }
            }
            (Some(first), _) => first,
            (None, Some(only)) if matches!(kind, MediaKind::Video | MediaKind::Audio) => only,
            (None, _) => Format::default(),
        }
    }

    /// The first map of a payload type, else its static meaning.
    fn of(payload_type: u8, maps: &[Format]) -> Format {
        let fixed = codec::static_payload_type(payload_type);
        match maps.iter().find(|map| map.payload_type == Some(payload_type)) {
            Some(map) => Format {
                payload_type: Some(payload_type),
                encoding: map.encoding.clone(),
                clock_rate: map.clock_rate.or(fixed.map(|(_, rate, _)| rate)),
                channels: map.channels,
            },
            None => Format {
                payload_type: Some(payload_type),
                encoding: fixed.map(|(name, ..)| name.to_owned()),
                clock_rate: fixed.map(|(_, rate, _)| rate),
                channels: fixed.and_then(|(.., channels)| channels),
            },
        }
    }

    /// `96 H264/90000`, `97 MPEG4-GENERIC/16000/1`.
    fn parse(map: &str) -> Option<Format> {
        let (number, rest) = map.trim().split_once(char::is_whitespace)?;
        let mut fields = rest.trim().split('/').map(str::trim);
        let encoding = fields.next().and_then(clean_some);
        Some(Format {
            payload_type: Some(number.parse().ok().filter(|&pt: &u8| pt < 128)?),
            encoding,
            clock_rate: fields.next().and_then(|rate| rate.parse().ok()).filter(|&rate| rate > 0),
            channels: fields.next().and_then(|count| count.parse().ok()).filter(|count| (1..=64).contains(count)),
        })
    }
}
