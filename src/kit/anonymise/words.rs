//! Which words of a name tell nothing about who owns the device.

use std::collections::HashSet;
use std::sync::OnceLock;

/// Words that makers and protocols use; in lower case and in order. Words for places are not among them.
const COMMON: &str = "\
    aac accept access action ad admin aec alarm alaw alive all allow analytics anonymous any app asc audio \
    audioencoder audiosource auth authenticate authentication authorized av base basic bitrate body box bullet \
    cache cam camera cameras cbr ccd cctv cell cgi ch channel cif client close cmos code com conf config \
    configuration connection content control cookie count country cseq ctrl d1 date default default_profile demo \
    describe detection dev device device_service devices dhcp digest digital display dns dome doorbell double \
    dvr dvs embedded encoder encoding engine envelope error etag eth eth0 event events example expires fault fhd \
    file first fisheye fixed for format fourth fps g711 g726 gateway get gmt gop group gst gstreamer h264 h265 \
    handler hd head height hevc high host hostname html http https hw id image in index info input intercom interface io \
    ip ipc ipcam ipcamera ipv4 ipv6 ir janus jpeg jpg json kbps keep key lan language last length lens level library line \
    link live live555 local localhost location log logger login low mac main mainstream max media megapixel metadata \
    mic microphone min mini mjpeg mobile mode model modified monitor mono motion mount mp mp4 mpeg mpeg4 \
    multicast must my name net network no none ns ntp null number nvr nvt of ok on onvif open options org out \
    output pan param parameter password path pause pcm pcma pcmu play please plugin poe port post pps pragma \
    presentation preset primary private profile protected protocol ptz ptzc public qcif quality range rate real \
    realm record recorder refresh relay require rest restful restricted rtcp rtmp rtp rtsp rtspd rtsps rule scale schema sd \
    second secondary secure serial server service session set setup sign smart snapshot soap sound source \
    speaker speed sps src status stereo still stream streamed streaming string sub substream supported \
    surveillance system tcp teardown test text the thermal third thirdstream tilt time timeout title to token \
    token0 track transport tv type udp uhd ulaw unicast unit unknown unnamed unsupported untitled upnp uri url \
    user username utf value vary vbr vcs vec ver10 ver20 version vga video videoencoder videosource view viewer \
    vsc wdr web webcam welcome width wifi window wireless with wlan wlan0 wsdl www xaddr xml zoom";

/// Whether a word stands in everybody's names.
fn is_common(word: &str) -> bool {
    static ALL: OnceLock<HashSet<&'static str>> = OnceLock::new();
    let word = word.to_ascii_lowercase();
    let common = ALL.get_or_init(|| COMMON.split(' ').collect());
    word.len() < 2 || common.contains(word.as_str()) || crate::identify::vendor::find(&word).is_some()
}

/// The words of texts that may stay whole: makers, models, versions. In lower case.
#[derive(Debug, Default)]
pub struct Facts(HashSet<String>);

impl Facts {
    /// The words of these texts.
    pub fn of(texts: &[String]) -> Self {
        Facts(texts.iter().flat_map(|text| words(text)).map(str::to_ascii_lowercase).collect())
    }
}

/// The parts of a text that name something of their own, as the bytes they stand at.
pub fn private<'t>(text: &'t str, facts: &Facts) -> Vec<&'t str> {
    let is_known = |word: &str| facts.0.contains(&word.to_ascii_lowercase());
    words(text).filter(|word| !is_known(word) && !is_harmless(word)).collect()
}

/// The runs of letters and digits.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Whether a run of letters and digits is made of common words and short numbers.
fn is_harmless(word: &str) -> bool {
    is_common(word)
        || pieces(word).into_iter().all(|piece| match piece.bytes().all(|b| b.is_ascii_digit()) {
            true => piece.len() <= 2 || piece == "264" || piece == "265",
            false => is_common(piece),
        })
}

/// `MainStream2` as `Main`, `Stream`, `2`.
fn pieces(word: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, c) in word.char_indices() {
        let is_cut =
            before.is_some_and(|b| b.is_ascii_digit() != c.is_ascii_digit() || b.is_lowercase() && c.is_uppercase());
        if is_cut {
            pieces.extend(word.get(start..at));
            start = at;
        }
        before = Some(c);
    }
    pieces.extend(word.get(start..));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_and_protocols_are_no_names_and_people_are() {
        let known = Facts::of(&["DS-2CD2042WD-I".to_owned(), "Acme".to_owned()]);
        for (text, wanted) in [
            ("MainStream", &[][..]),
            ("Profile_1", &[]),
            ("IP Camera(C6543)", &["C6543"]),
            ("HIKVISION DS-2CD2042WD-I", &[]),
            ("ACME Front Door", &["Front", "Door"]),
            ("Smith's garden", &["Smith", "garden"]),
            ("Büro Müller 12", &["Büro", "Müller"]),
            ("Login to 4D0123FPAZ12345", &["4D0123FPAZ12345"]),
            ("H264 RTSP Server 1920", &["1920"]),
            ("", &[]),
        ] {
            assert_eq!(private(text, &known), wanted, "{text}");
        }
    }
}
