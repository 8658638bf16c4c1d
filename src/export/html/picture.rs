//! Pictures that go into a page itself.

use crate::markup::Markup;

/// The largest picture that goes into the page, in bytes; a snapshot is a fraction of it.
const LARGEST: usize = 4 << 20;

/// The media type of a picture that browsers show and that is not too large, by its first bytes; what a file is called says
/// nothing.
pub fn media_type(bytes: &[u8]) -> Option<&'static str> {
    let kind = match bytes {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => return None,
    };
    (bytes.len() <= LARGEST).then_some(kind)
}

impl Markup {
    /// The value of a `src` attribute that holds the picture itself.
    pub fn data_url(&mut self, media_type: &'static str, bytes: &[u8]) -> &mut Self {
        self.raw("data:").raw(media_type).raw(";base64,").base64(bytes)
    }
}
