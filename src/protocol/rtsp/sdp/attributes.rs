//! Attributes as devices write them (RFC 4566 §6 and what makers add).

use super::Direction;
use super::codec::Fmtp;
use crate::model::SizeSource;

/// The values of an attribute, blanks around them left out.
pub(super) fn values<'a>(attributes: &'a [sdp_types::Attribute], name: &'a str) -> impl Iterator<Item = &'a str> {
    attributes
        .iter()
        .filter(move |a| a.attribute.trim().eq_ignore_ascii_case(name))
        .filter_map(|a| a.value.as_deref().map(str::trim))
}

pub(super) fn value<'a>(attributes: &'a [sdp_types::Attribute], name: &'a str) -> Option<&'a str> {
    values(attributes, name).next()
}

pub(super) fn direction(attributes: &[sdp_types::Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|a| match a.attribute.trim().to_ascii_lowercase().as_str() {
        "sendonly" => Some(Direction::Sendonly),
        "recvonly" => Some(Direction::Recvonly),
        "sendrecv" => Some(Direction::Sendrecv),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    })
}

pub(super) fn multicast(connection: &sdp_types::Connection) -> Option<std::net::IpAddr> {
    connection.connection_address.split('/').next()?.parse().ok().filter(std::net::IpAddr::is_multicast)
}

/// The parameters of a payload type: the media's own, else those that strayed into a media of another payload type.
pub(super) fn fmtp(payload_type: u8, own: &sdp_types::Media, all: &[sdp_types::Media]) -> Fmtp {
    let claims =
        |media: &sdp_types::Media| media.fmt.split_whitespace().any(|format| format.parse() == Ok(payload_type));
    std::iter::once(own)
        .chain(all.iter().filter(|media| !claims(media)))
        .flat_map(|media| values(&media.attributes, "fmtp"))
        .find_map(|line| {
            let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
            let (number, parameters) = line.split_at(digits);
            (number.parse() == Ok(payload_type)).then(|| Fmtp::parse(parameters))
        })
        .unwrap_or_default()
}

/// The first frame rate that is one: `25`, `12.500000`, `30000/1001`; not `0S`.
pub(super) fn framerate(attributes: &[sdp_types::Attribute]) -> Option<f64> {
    values(attributes, "framerate").chain(values(attributes, "x-framerate")).find_map(|value| {
        let value = value.split_whitespace().next()?;
        let (number, divisor) = value.split_once('/').unwrap_or((value, "1"));
        let rate = number.parse::<f64>().ok()? / divisor.parse::<f64>().ok()?;
        Some(rate).filter(|rate| (0.01..=1000.0).contains(rate))
    })
}

/// The sizes attributes give: `x-dimensions:1280,720`, `framesize:96 1280-720`, `cliprect:top,left,bottom,right`,
/// `Width:integer;1280` with `Height`.
pub(super) fn sizes(attributes: &[sdp_types::Attribute]) -> Vec<(SizeSource, u32, u32)> {
    let first = |name| value(attributes, name).map(numbers).unwrap_or_default();
    let mut found = Vec::new();
    if let [width, height, ..] = *first("x-dimensions") {
        found.push((SizeSource::XDimensions, width, height));
    }
    if let [_, width, height] = *first("framesize") {
        found.push((SizeSource::Framesize, width, height));
    }
    if let [top, left, bottom, right] = *first("cliprect") {
        found.push((SizeSource::Cliprect, right.saturating_sub(left), bottom.saturating_sub(top)));
    }
    if let ([width], [height]) = (first("width").as_slice(), first("height").as_slice()) {
        found.push((SizeSource::Width, *width, *height));
    }
    found.retain(|&(_, w, h)| crate::media::plausible_size(w, h));
    found
}

/// The whole numbers in a text.
fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).take(8).collect()
}
