//! JPEG pictures out of `multipart/x-mixed-replace`, however the parts are written.
//!
//! Boundaries come with and without their dashes, quoted, or not at all; part lengths are missing or wrong; the first
//! delimiter is left out. A picture's own markers are none of that: it begins with FF D8 FF and ends with FF D9, so that is
//! what is looked for, and the parts around it are passed over. Pure.

use crate::media::jpeg;
use crate::text::steps;
use crate::wire::buffer::grow;

/// The largest picture of a stream taken: those of 8 megapixels at the least compression stay below 4 MiB.
pub const MAX_PICTURE: usize = 4 * 1024 * 1024;

/// The header of a part is no longer than this.
const MAX_PART_HEADER: usize = 1024;

const START: [u8; 3] = [0xff, 0xd8, 0xff];
const END: [u8; 2] = [0xff, 0xd9];

/// Whether a body of that type may be a sequence of pictures.
pub fn is_multipart(content_type: &str) -> bool {
    let content_type = content_type.to_ascii_lowercase();
    content_type.contains("multipart/") && !content_type.contains("form-data")
}

/// Whether a body of that type may be pictures although it does not say so: some send pictures as data, as video, as text,
/// or without a word. Its first bytes tell.
pub fn may_be_pictures(content_type: &str) -> bool {
    let content_type = content_type.to_ascii_lowercase();
    content_type.is_empty()
        || ["image/jp", "image/pjpeg", "video/x-m", "video/mj", "application/octet-stream", "text/plain"]
            .iter()
            .any(|t| content_type.starts_with(t))
}

/// Whether a body begins with a picture, or with the header of a part that is one.
pub fn begins_with_picture(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    bytes.starts_with(&START) || {
        let head = bytes.get(..bytes.len().min(MAX_PART_HEADER)).unwrap_or_default().to_ascii_lowercase();
        looks_like_part_header(&head) && find(&head, b"image/jp").is_some()
    }
}

/// Takes pictures out of a body as it comes.
#[derive(Debug, Default)]
pub struct Pictures {
    buffer: Vec<u8>,
    /// Where the search for an end goes on.
    searched: usize,
    /// The walk through the segments to the end.
    walk: jpeg::EndFinder,
    overlong: bool,
}

impl Pictures {
    /// Takes what came; nothing more after a picture without end.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.overlong {
            grow(&mut self.buffer, bytes.len());
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Whether a picture passed [`MAX_PICTURE`]; none come after it.
    pub fn is_overlong(&self) -> bool {
        self.overlong
    }

    /// The next whole picture, `FF D8` to `FF D9`.
    pub fn next_picture(&mut self) -> Option<Vec<u8>> {
        self.drop_until_start();
        // Where the next picture may begin.
        let mut next = 0;
        loop {
            let from = self.searched.max(START.len());
            let Some(at) = find(self.buffer.get(from..)?, &END) else {
                // The end may be cut between its two bytes.
                self.searched = self.buffer.len().saturating_sub(1);
                if self.buffer.len() > MAX_PICTURE {
                    self.overlong = true;
                    self.buffer = Vec::new();
                }
                return None;
            };
            let end = from + at + END.len();
            if let Some(whole) = self.walk.find(&self.buffer) {
                return Some(self.take(whole));
            }
            // A picture that does not walk, as some firmware writes them: it ends where the next begins.
            let after = self.buffer.get(end..)?;
            if next < end {
                next = find(after, &START).map_or(usize::MAX, |at| end + at);
            }
            let is_near = next - end <= MAX_PART_HEADER - START.len();
            if is_near && looks_like_part_header(after) {
                return Some(self.take(end));
            }
            self.searched = end;
            if after.len() < MAX_PART_HEADER && find(after, &END).is_none() {
                // What follows tells whether this was the end.
                self.searched = end - END.len();
                return None;
            }
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        (self.searched, self.walk) = (0, jpeg::EndFinder::default());
        let rest = self.buffer.split_off(length.min(self.buffer.len()));
        std::mem::replace(&mut self.buffer, rest)
    }

    fn drop_until_start(&mut self) {
        if self.buffer.starts_with(&START) {
            return;
        }
        let junk = match find(&self.buffer, &START) {
            Some(at) => at,
            // The start may be cut.
            None => self.buffer.len().saturating_sub(START.len() - 1),
        };
        self.buffer.drain(..junk);
        (self.searched, self.walk) = (0, jpeg::EndFinder::default());
    }
}

/// Whether bytes behind a picture are a line end, dashes or header lines rather than picture data.
fn looks_like_part_header(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    let is_header = || start.first_chunk::<8>().is_some_and(|name| name.eq_ignore_ascii_case(b"content-"));
    start.starts_with(b"--") || is_header() || start.starts_with(&START)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let found = bytes.windows(what.len()).position(|window| window == what);
    steps::look_at(found.unwrap_or(bytes.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The picture of the collection: 32 × 16.
    fn picture() -> Vec<u8> {
        let good = include_bytes!("../../../tests/data/http/mjpeg_good.bin");
        jpeg::find(good).unwrap().to_vec()
    }

    fn pictures(bytes: &[u8], step: usize) -> Vec<Vec<u8>> {
        let mut pictures = Pictures::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(step) {
            pictures.push(piece);
            found.extend(std::iter::from_fn(|| pictures.next_picture()));
        }
        found
    }

    #[test]
    fn parts_of_every_kind() {
        let picture = picture();
        for (before, between) in [
            (
                "--b\r\nContent-Type: image/jpeg\r\nContent-Length: 221\r\n\r\n",
                "\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n",
            ),
            ("Content-Type: image/jpeg\n\n", "\n--b\nContent-Length: 10\n\n"),
            ("", ""),
            ("<html>\u{7f}</html>", "----b\r\n\r\n"),
        ] {
            let body = [before.as_bytes(), &picture, between.as_bytes(), &picture, b"\r\n--b--"].concat();
            for step in [1, 7, 100, body.len()] {
                assert_eq!(pictures(&body, step), [picture.clone(), picture.clone()], "{before:?} by {step}");
            }
        }
    }

    #[test]
    fn pictures_are_told_by_their_first_bytes() {
        for begins in
            [&b"\xff\xd8\xff\xe0"[..], b"\r\n--x\r\nContent-Type: image/jpeg\r\n\r\n", b"Content-type: image/jpg\n\n"]
        {
            assert!(begins_with_picture(begins), "{begins:?}");
        }
        for other in [&b""[..], b"<html>image/jpeg", b"--b\r\nContent-Type: text/html\r\n", b"GIF89a", b"\xff\xd8"] {
            assert!(!begins_with_picture(other), "{other:?}");
        }
        assert!(may_be_pictures("image/jpeg; x") && may_be_pictures("") && !may_be_pictures("text/html"));
    }

    #[test]
    fn a_picture_that_does_not_walk_ends_where_the_next_begins() {
        // Its first segment claims more than there is.
        let broken = [&START[..], &[0xe0, 0xff, 0xff], &[7; 60], &END].concat();
        let body =
            [&broken[..], b"\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n", &broken, b"\r\n--b\r\n\r\n", &START].concat();
        for step in [1, 9, body.len()] {
            assert_eq!(pictures(&body, step), [broken.clone(), broken.clone()], "by {step}");
        }
    }

    #[test]
    fn a_hostile_body_is_read_in_a_few_passes() {
        // What walks for long, and then no further; and what claims more than there is.
        let fill = [&[0xff; 32 << 10][..], &[0]].concat();
        let segments = [&[0xff, 0xfe, 0, 2].repeat(8 << 10)[..], &[0xff, 0]].concat();
        let short = [&[0xff, 0xfe, 0, 2].repeat(8 << 10)[..], &[0xff, 0xfe, 0xff, 0xff]].concat();
        for head in [fill, segments, short, Vec::new()] {
            for unit in [&END[..], &[0xff, 0xd9, 0, 0], b"\xff\xd9--", &START, &[0xff, 0xda, 0, 2]] {
                let body = [&START[..], &head, &unit.repeat((64 << 10) / unit.len())].concat();
                let looks = steps::seen_by(|| pictures(&body, 4096)) / body.len();
                assert!(looks <= 16, "{looks} looks at each byte of {unit:?} repeated");
            }
        }
    }

    #[test]
    fn a_picture_without_end_is_given_up_and_forgotten() {
        let mut pictures = Pictures::default();
        pictures.push(&START);
        for _ in 0..(MAX_PICTURE >> 20) + 1 {
            pictures.push(&vec![0; 1 << 20]);
            assert_eq!(pictures.next_picture(), None);
        }
        assert!(pictures.is_overlong());
        assert_eq!(pictures.held(), 0);
    }

    proptest! {
        #[test]
        fn any_body_is_read(parts in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20), Just(START.to_vec()), Just(END.to_vec()), Just(picture()),
            Just(b"\r\n--b\r\n\r\n".to_vec()),
        ], 0..20), step in 1usize..50) {
            for found in pictures(&parts.concat(), step) {
                prop_assert!(found.starts_with(&START) && found.ends_with(&END));
            }
        }
    }
}
