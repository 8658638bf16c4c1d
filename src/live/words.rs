//! What a viewer is told: why a picture is shown in another way, or not at all. The sentences hold neither address nor login. The
//! page has words of its own for each of them in its other languages.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::model::names::names;

names! {
    /// A sentence without a full stop; `{}` stands for a codec.
    pub enum Sentence {
        /// The stream asked for cannot be played.
        OtherStream = "another stream of this device is shown, since the browser cannot play this one",
        /// One picture a second, at most.
        KeyFramesAlone = "key frames alone, without sound",
        /// Pictures are refreshed piece by piece.
        NoWholeKeyFrames = "the camera sends no whole key frames, so the picture may take a while to be clear",
        /// Sound that WebRTC has no name for.
        SilentByWebRtc = "without sound, since WebRTC does not carry the camera's audio codec",
        /// Sound that the browser's media source extensions do not take.
        SilentInBrowser = "without sound, since the browser does not play the camera's audio codec",
        /// A picture that WebRTC has no name for.
        NotByWebRtc = "{} cannot be sent by WebRTC",
        /// Pictures that are shown in another order than they are sent in.
        BFrames = "the camera sends B-frames, which WebRTC cannot show",
        /// The browser says so.
        NotPlayedByWebRtc = "this browser plays no {} by WebRTC",
        /// A codec that fragments are not made of.
        NotInMp4 = "{} video cannot be sent as MP4",
        /// The browser says so.
        NotPlayedByMse = "this browser plays no {} by media source extensions",
        /// No way is left.
        NotInThisWay = "the stream cannot be shown in this way",
        /// No login, or none that this device takes.
        LoginDemanded = "the camera demands a login",
        /// It says that it is locked.
        LoginLocked = "the camera takes no login at the moment",
        /// Too many were refused.
        LoginRests = "the login rests: the camera refused it before",
        /// The login is wrong.
        LoginRefused = "the camera refuses the login",
        /// Nothing came in time.
        Silent = "the camera does not answer",
        /// Its port is closed.
        TakesNoConnection = "the camera takes no connection",
        /// No way leads there.
        Unreachable = "the camera cannot be reached",
        /// In the middle of something.
        Ended = "the camera ended the connection",
        /// TLS.
        NoEncryption = "the camera's encryption cannot be agreed on",
        /// It has as many viewers as it takes.
        Busy = "the camera serves no further viewer",
        /// Another path, perhaps.
        NotFound = "the camera has no such stream",
        /// To another host.
        SendsElsewhere = "the camera sends elsewhere",
        /// Sockets, memory, files.
        Local = "this machine lacks something: see the log",
        /// Anything else.
        Error = "the camera answers with an error",
        /// Sound alone.
        NoPicture = "the stream has no picture",
        /// Its keys are nowhere.
        Encrypted = "the camera encrypts the stream (SRTP)",
        /// By no way at all.
        UnknownCodec = "the camera sends a codec that cannot be shown",
        /// Packets come, and no frame is whole.
        NoWholePicture = "the camera sends no whole picture",
        /// More than this machine is to fetch.
        TooManyStreams = "too many streams are watched at once",
        /// Nobody asks it.
        NotAsked = "the camera is not asked",
        /// It is being asked.
        NothingYet = "no picture has come from the camera yet",
        /// It was removed, or never there.
        NoStream = "there is no such stream",
        /// More than this machine is to serve.
        TooManyViewers = "as many viewers watch as may",
    }
}

impl Sentence {
    /// The sentence about a codec.
    pub fn of(self, codec: &str) -> Reason {
        Reason { sentence: self, codec: codec.to_owned() }
    }
}

/// A sentence with the codec that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    sentence: Sentence,
    codec: String,
}

impl From<Sentence> for Reason {
    fn from(sentence: Sentence) -> Reason {
        sentence.of("")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = self.sentence.as_str().split_once("{}").unwrap_or((self.sentence.as_str(), ""));
        write!(f, "{before}{}{after}", self.codec)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reasons as one text.
pub(super) fn joined<S: Serializer>(reasons: &[Reason], serializer: S) -> Result<S::Ok, S::Error> {
    let texts: Vec<String> = reasons.iter().map(Reason::to_string).collect();
    serializer.serialize_str(&texts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_the_codec_where_its_sentence_has_room_for_one() {
        assert_eq!(Sentence::NotPlayedByWebRtc.of("H265").to_string(), "this browser plays no H265 by WebRTC");
        assert_eq!(Reason::from(Sentence::BFrames).to_string(), Sentence::BFrames.as_str());
    }
}
