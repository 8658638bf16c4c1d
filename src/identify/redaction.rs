//! Which words are a user's secrets and which are common: the logins given, and the words of our own tables, which
//! stand in reports whatever the passwords are.

use std::collections::HashSet;

use super::stream_url::{self, sofia_hash};
use super::vendor;
use crate::model::{Credential, Kind, Protocol, VideoCodec};
use crate::text::Redactor;
use crate::text::redactor::{CommonWords, Login};

/// Words that makers put into paths, titles and headers, and that people choose for passwords all the same.
const OF_DEVICES: &str = "admin administrator audio baseline basic camera channel channels client default device digest \
                          embedded extended guest high html http https index live login main media network onvif password \
                          profile realm root server service stream streaming user video";

/// Words that requests are made of, and our own sentences about what became of them.
const OF_SENTENCES: &str = "address answer answered answers closed connection describe described frames logins options \
                            picture play port refused session setup snapshot status teardown timeout track";

/// Takes these logins out of texts.
pub fn redactor<'c>(logins: impl IntoIterator<Item = &'c Credential>) -> Redactor {
    let logins: Vec<Login<'_>> = logins
        .into_iter()
        .map(|login| {
            let password = login.password.expose();
            Login { user: &login.user, password, digests: vec![sofia_hash(password)] }
        })
        .collect();
    if logins.is_empty() {
        return Redactor::default();
    }
    Redactor::new(logins, common_words())
}

fn common_words() -> CommonWords {
    let kinds = [Kind::Camera, Kind::Recorder, Kind::Encoder, Kind::Intercom, Kind::MediaServer].map(Kind::as_str);
    let codecs = [VideoCodec::H264, VideoCodec::H265, VideoCodec::Mjpeg, VideoCodec::Mpeg4].map(VideoCodec::as_str);
    let protocols = [Protocol::Rtsp, Protocol::Rtmp, Protocol::Dash, Protocol::Webrtc, Protocol::Snapshot];
    let (path_words, keys) = stream_url::words();
    let everyday = OF_DEVICES.split_whitespace().chain(OF_SENTENCES.split_whitespace());
    let words = everyday.chain(kinds).chain(codecs).chain(protocols.map(Protocol::as_str));
    // A number is nobody's word, though paths hold some.
    let is_word = |word: &&str| word.chars().any(char::is_alphabetic);
    let words = words.chain(vendor::all_names()).chain(path_words).filter(is_word);
    CommonWords {
        words: words.map(str::to_lowercase).collect(),
        keys: keys.into_iter().map(str::to_lowercase).collect::<HashSet<_>>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What our tables say stays readable beside whatever password.
    #[test]
    fn words_of_our_own_tables_are_not_taken_for_passwords() {
        let words = ["Hikvision", "Dahua", "camera", "main", "realmonitor", "h264", "live", "onvif", "closed"];
        let logins: Vec<Credential> = words.iter().map(|word| Credential::new("viewer", *word)).collect();
        let redactor = redactor(&logins);
        for text in [
            "Hikvision DS-2CD2042WD-I",
            "rtsp://192.0.2.1:554/cam/realmonitor?channel=1&subtype=0",
            "rtsp://192.0.2.1:554/h264/ch1/main/av_stream",
            "http://192.0.2.1/onvif/device_service",
            "IP Camera, live",
            "DESCRIBE rtsp://192.0.2.1/live: connection closed",
        ] {
            assert_eq!(redactor.redact(text), text);
        }
        // Where a login stands it is one, whatever it is.
        assert_eq!(redactor.redact("/a?pw=Hikvision&x=/viewer/camera/1"), "/a?pw=***&x=/viewer/***/1");
    }

    #[test]
    fn the_values_of_our_own_paths_stay() {
        let redactor = redactor(&[Credential::new("admin", "1"), Credential::new("admin", "0")]);
        let url = "rtsp://192.0.2.1:554/cam/realmonitor?channel=1&subtype=0";
        assert_eq!(redactor.redact(url), url);
        assert_eq!(redactor.redact("/a?p=1&channel=1"), "/a?p=***&channel=1");
    }

    #[test]
    fn xiongmais_digest_is_as_good_as_the_password() {
        let redactor = redactor(&[Credential::new("admin", "tlJwpbo6")]);
        let digest = sofia_hash("tlJwpbo6");
        assert_eq!(
            redactor.redact(&format!("454 bad rtsp://192.0.2.1/user=admin_password={digest}_channel=1_stream=0.sdp")),
            "454 bad rtsp://192.0.2.1/user=admin_password=***_channel=1_stream=0.sdp"
        );
        assert_eq!(super::redactor([]).redact("anything: goes"), "anything: goes");
    }
}
