//! NAL units as H.264 and H.265 share them: start codes, length prefixes, emulation prevention.

/// Parameter sets are a few dozen bytes; what is longer is read only so far.
const MAX_PARAMETER_SET: usize = 4096;

/// The bytes of a NAL unit without its emulation prevention bytes (ITU-T H.264 §7.4.1), at most the first 4,096.
pub fn unescape(nal: &[u8]) -> Vec<u8> {
    let nal = nal.get(..MAX_PARAMETER_SET).unwrap_or(nal);
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// The NAL units of an Annex B byte stream, without start codes and trailing zeros. Bytes before the first start code
/// are taken for a NAL unit of their own, since some cameras leave the first code out.
pub fn annex_b(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(stream);
    std::iter::from_fn(move || {
        let stream = rest?;
        match find_start_code(stream) {
            Some(at) => {
                let (nal, after) = stream.split_at(at);
                rest = after.get(3..);
                Some(trim_zeros(nal))
            }
            None => {
                rest = None;
                Some(trim_zeros(stream))
            }
        }
    })
    .filter(|nal| !nal.is_empty())
}

/// Where the next `00 00 01` stands.
pub fn find_start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|w| w == [0, 0, 1])
}

/// The NAL units of a stream with four-byte lengths before them; stops at the first length that does not fit.
pub fn length_prefixed(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let nal = after.get(..length)?;
        rest = after.get(length..).unwrap_or_default();
        Some(nal)
    })
}

/// A NAL unit after its two-byte length, and what follows.
pub fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// The NAL units of an aggregation packet, each behind its two-byte length (RFC 6184 §5.7.1, RFC 7798 §4.4.2); stops at the
/// first length that does not fit.
pub fn aggregated(mut units: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (nal, rest) = sized(units)?;
        units = rest;
        Some(nal)
    })
}

/// An Annex B byte stream of these NAL units.
pub fn to_annex_b<'a>(nals: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for nal in nals {
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(nal);
    }
    out
}

/// One NAL unit without the zeros after it; a NAL unit never ends in a zero byte (H.264 §7.4.1).
pub fn trim_zeros(nal: &[u8]) -> &[u8] {
    let end = nal.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
    nal.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn start_codes_of_either_length_part_nal_units() {
        let stream = [0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 3, 0, 0, 0, 1];
        let nals: Vec<&[u8]> = annex_b(&stream).collect();
        assert_eq!(nals, [&[0x67, 1][..], &[0x68, 2], &[0x65, 3]]);
        assert_eq!(annex_b(&[0x67, 1]).collect::<Vec<_>>(), [&[0x67, 1]], "no start code at all");
        assert_eq!(annex_b(&[]).count(), 0);
    }

    #[test]
    fn emulation_prevention_is_undone() {
        assert_eq!(unescape(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), [1, 0, 0, 1, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn what_was_joined_parts_again(nals in proptest::collection::vec(proptest::collection::vec(1u8.., 1..20), 0..8)) {
            let stream = to_annex_b(nals.iter().map(Vec::as_slice));
            prop_assert_eq!(annex_b(&stream).map(<[u8]>::to_vec).collect::<Vec<_>>(), nals);
        }

        #[test]
        fn any_bytes_do(bytes: Vec<u8>) {
            prop_assert!(annex_b(&bytes).map(<[u8]>::len).sum::<usize>() <= bytes.len());
            prop_assert!(length_prefixed(&bytes).map(<[u8]>::len).sum::<usize>() <= bytes.len());
            prop_assert!(unescape(&bytes).len() <= bytes.len());
        }
    }
}
