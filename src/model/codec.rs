//! Codecs of pictures and of sound.

use super::names::names;

names! {
    /// A video codec.
    #[expect(missing_docs, reason = "the names are the codecs' own")]
    pub enum VideoCodec {
        H264 = "h264",
        H265 = "h265",
        Mjpeg = "mjpeg",
        Mpeg4 = "mpeg4",
        Av1 = "av1",
        Vp8 = "vp8",
        Vp9 = "vp9",
    }
}

names! {
    /// An audio codec.
    #[expect(missing_docs, reason = "the names are the codecs' own")]
    pub enum AudioCodec {
        Aac = "aac",
        Pcmu = "pcmu",
        Pcma = "pcma",
        Pcm = "pcm",
        Opus = "opus",
        G722 = "g722",
        G726 = "g726",
        Mp3 = "mp3",
    }
}

impl VideoCodec {
    /// As people write it: `H.264`.
    pub fn in_words(self) -> &'static str {
        match self {
            VideoCodec::H264 => "H.264",
            VideoCodec::H265 => "H.265",
            VideoCodec::Mjpeg => "MJPEG",
            VideoCodec::Mpeg4 => "MPEG-4",
            VideoCodec::Av1 => "AV1",
            VideoCodec::Vp8 => "VP8",
            VideoCodec::Vp9 => "VP9",
        }
    }
}

impl AudioCodec {
    /// As people write it: `G.722`.
    pub fn in_words(self) -> &'static str {
        match self {
            AudioCodec::Aac => "AAC",
            AudioCodec::Pcmu => "G.711µ",
            AudioCodec::Pcma => "G.711A",
            AudioCodec::Pcm => "PCM",
            AudioCodec::Opus => "Opus",
            AudioCodec::G722 => "G.722",
            AudioCodec::G726 => "G.726",
            AudioCodec::Mp3 => "MP3",
        }
    }
}
