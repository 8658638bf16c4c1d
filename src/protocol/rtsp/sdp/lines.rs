//! Makes of what a camera sent an SDP that a strict parser takes. A line that makes no sense costs itself, never the rest.

use std::borrow::Cow;

use encoding_rs::Encoding;

use crate::text::counted;

/// Bytes looked at; one camera was seen to send 579 kB.
pub const MAX_BYTES: usize = 1 << 20;
/// Lines looked at.
pub const MAX_LINES: usize = 10_000;
/// Media looked at.
pub const MAX_MEDIAS: usize = 64;

/// A description in the order and form of RFC 4566, with LF line ends.
pub struct Clean {
    /// The lines kept, `v=0` first.
    pub text: String,
    /// Whether a `v=` or `m=` line was there at all.
    pub is_sdp: bool,
    /// What was left out or mended.
    pub warnings: Vec<String>,
}

/// The lines as text, at most [`MAX_LINES`], nothing else about them changed.
pub fn decoded(bytes: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let bytes = bytes.get(..MAX_BYTES).unwrap_or(bytes);
    let charset = declared_charset(bytes);
    let lines = bytes.split(|b| matches!(b, b'\r' | b'\n')).filter(|line| !line.is_empty());
    lines.take(MAX_LINES).map(move |line| decode(line, charset))
}

/// Cleans a description: any line end, any charset, NUL and BOM, missing, repeated and broken lines.
pub fn clean(bytes: &[u8]) -> Clean {
    let mut writer = Writer::default();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let kept = bytes.get(..MAX_BYTES).unwrap_or(bytes);
    if kept.len() < bytes.len() {
        writer.warnings.push(format!("the SDP is longer than {MAX_BYTES} bytes; the rest was left out"));
    }
    let charset = declared_charset(kept);
    let mut lines = kept.split(|b| matches!(b, b'\r' | b'\n')).filter(|line| !line.is_empty());
    for line in lines.by_ref().take(MAX_LINES) {
        writer.line(&decode(line, charset));
    }
    if lines.next().is_some() {
        writer.warnings.push(format!("the SDP has more than {MAX_LINES} lines; the rest was left out"));
    }
    writer.finish()
}

fn declared_charset(bytes: &[u8]) -> Option<&'static Encoding> {
    bytes
        .split(|b| matches!(b, b'\r' | b'\n'))
        .find_map(|line| line.strip_prefix(b"a=charset:"))
        .and_then(|label| Encoding::for_label(label.trim_ascii()))
}

/// One line as text: UTF-8, else what `a=charset` says, else the charset Asian cameras most likely meant.
fn decode<'a>(line: &'a [u8], charset: Option<&'static Encoding>) -> Cow<'a, str> {
    let line: Cow<'a, [u8]> =
        if line.contains(&0) { line.iter().copied().filter(|&b| b != 0).collect() } else { line.into() };
    if let Ok(text) = std::str::from_utf8(&line) {
        return text.to_owned().into();
    }
    let decoded = |encoding: &'static Encoding| {
        encoding.decode_without_bom_handling_and_without_replacement(&line).map(Cow::into_owned)
    };
    if let Some(text) = charset.and_then(decoded) {
        return text.into();
    }
    // Shift_JIS and GBK take nearly the same bytes; Japanese is told by its kana.
    let japanese = decoded(encoding_rs::SHIFT_JIS).filter(|text| text.chars().any(|c| ('ぁ'..='ヶ').contains(&c)));
    match japanese.or_else(|| decoded(encoding_rs::GBK)) {
        Some(text) => text.into(),
        None => String::from_utf8_lossy(&line).into_owned().into(),
    }
}

/// The single lines already written in the section that is being written.
#[derive(Default)]
struct Written {
    origin: bool,
    name: bool,
    information: bool,
    connection: bool,
}

#[derive(Default)]
struct Writer {
    text: String,
    written: Written,
    medias: usize,
    malformed: usize,
    is_sdp: bool,
    warnings: Vec<String>,
}

impl Writer {
    fn line(&mut self, line: &str) {
        let line = line.trim();
        let mut chars = line.chars();
        let (Some(key), Some('=')) = (chars.next(), chars.next()) else {
            self.malformed += usize::from(!line.is_empty());
            return;
        };
        if self.medias > MAX_MEDIAS {
            return;
        }
        let value = chars.as_str().trim();
        match key.to_ascii_lowercase() {
            'm' => self.media(value),
            'a' if !value.is_empty() => self.put('a', value),
            'c' => self.connection(value),
            'b' => self.bandwidth(value),
            'i' if !std::mem::replace(&mut self.written.information, true) => self.put('i', value),
            's' if self.medias == 0 && !std::mem::replace(&mut self.written.name, true) => self.put('s', value),
            'o' if self.medias == 0 => self.origin(value),
            'v' => self.is_sdp = true,
            // Times, contacts and keys are nothing to us, and what is repeated was kept once.
            't' | 'r' | 'z' | 'k' | 'u' | 'e' | 'p' | 'a' | 'i' | 's' | 'o' => {}
            _ => self.malformed += 1,
        }
    }

    fn put(&mut self, key: char, value: &str) {
        self.text.push(key);
        self.text.push('=');
        self.text.push_str(value);
        self.text.push('\n');
    }

    fn origin(&mut self, value: &str) {
        let fields: Vec<&str> = value.split_whitespace().collect();
        let whole = fields.len() >= 6 && fields.get(2).is_some_and(|version| version.parse::<u64>().is_ok());
        if whole && !std::mem::replace(&mut self.written.origin, true) {
            self.put('o', &fields.join(" "));
        }
    }

    /// `IN IP4 address`; of `IN`, `IN IP4` or bytes only the absence is kept.
    fn connection(&mut self, value: &str) {
        let address = value.split_whitespace().next_back().unwrap_or_default();
        let host = address.split('/').next().unwrap_or_default();
        let kind = match host.parse() {
            Ok(std::net::IpAddr::V4(_)) => "IP4",
            Ok(std::net::IpAddr::V6(_)) => "IP6",
            Err(_) => return,
        };
        if !std::mem::replace(&mut self.written.connection, true) {
            self.put('c', &format!("IN {kind} {address}"));
        }
    }

    fn bandwidth(&mut self, value: &str) {
        let parsed =
            value.split_once(':').and_then(|(kind, rate)| Some((kind.trim(), rate.trim().parse::<u64>().ok()?)));
        match parsed {
            Some((kind, rate)) if !kind.contains(':') => self.put('b', &format!("{kind}:{rate}")),
            _ => self.malformed += 1,
        }
    }

    /// `kind port protocol format…`; a port or protocol that is none is mended, a missing format is written `-`.
    fn media(&mut self, value: &str) {
        self.is_sdp = true;
        let mut fields = value.split_whitespace().peekable();
        let Some(kind) = fields.next() else {
            self.malformed += 1;
            return;
        };
        self.medias += 1;
        self.written = Written { origin: true, name: true, ..Written::default() };
        if self.medias > MAX_MEDIAS {
            self.warnings.push(format!("the SDP has more than {MAX_MEDIAS} media; the rest was left out"));
            return;
        }
        let mut port = 0;
        if let Some(field) = fields.next_if(|field| !field.contains("RTP/")) {
            let number = field.split('/').next().unwrap_or_default();
            port = number.parse::<u16>().unwrap_or_else(|_| {
                self.warnings
                    .push(format!("the port of an SDP media is no port: {}", crate::text::clean_to(field, 16)));
                0
            });
        }
        let protocol = fields.next().unwrap_or("RTP/AVP");
        let formats: Vec<&str> = fields.collect();
        let formats = if formats.is_empty() { "-".to_owned() } else { formats.join(" ") };
        self.put('m', &format!("{kind} {port} {protocol} {formats}"));
    }

    fn finish(mut self) -> Clean {
        if self.malformed > 0 {
            let lines = counted(self.malformed, "line", "lines");
            self.warnings.push(format!("{lines} of the SDP made no sense and were left out"));
        }
        self.text.insert_str(0, "v=0\n");
        Clean { text: self.text, is_sdp: self.is_sdp, warnings: self.warnings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_mended_or_left_out() {
        let cases: [(&[u8], &str); 12] = [
            (b"v=0\rs=a\rm=video 0 RTP/AVP 96\r", "v=0\ns=a\nm=video 0 RTP/AVP 96\n"),
            (b"\xef\xbb\xbfv=0\ns=a\n\0", "v=0\ns=a\n"),
            (b"m=video -1 RTP/AVP 96", "v=0\nm=video 0 RTP/AVP 96\n"),
            (b"m=video RTP/AVP 96", "v=0\nm=video 0 RTP/AVP 96\n"),
            (b"m=video 0 RTP/AVP", "v=0\nm=video 0 RTP/AVP -\n"),
            (b"m=video 5004/2 RTP/AVP 96", "v=0\nm=video 5004 RTP/AVP 96\n"),
            (b"c=IN\nc=IN IP4 \xc0\xa8\x01\0\nc=IN c=IN IP4 192.0.2.1", "v=0\nc=IN IP4 192.0.2.1\n"),
            (b"c=IN IPV4 192.0.2.1/16\nt=now-", "v=0\nc=IN IP4 192.0.2.1/16\n"),
            (b"b=AS:\nb=AS:50:1\nb=AS: 500", "v=0\nb=AS:500\n"),
            (b"s=a\ns=b\ni=c\nm=video 0 RTP/AVP 96\ns=d\ni=e\ni=f", "v=0\ns=a\ni=c\nm=video 0 RTP/AVP 96\ni=e\n"),
            (b"o=- 1 1 IN\ns=a", "v=0\ns=a\n"),
            (b"$\0\0\x04junk\nRTSP/1.0 200 OK\na=tool:x", "v=0\na=tool:x\n"),
        ];
        for (sent, kept) in cases {
            assert_eq!(clean(sent).text, kept, "{}", String::from_utf8_lossy(sent));
        }
    }

    #[test]
    fn charsets_are_declared_or_guessed() {
        assert_eq!(clean("s=Überwachung".as_bytes()).text, "v=0\ns=Überwachung\n");
        assert_eq!(clean(b"a=charset:Shift_JIS\ns=\x83J\x83\x81\x83\x89").text, "v=0\na=charset:Shift_JIS\ns=カメラ\n");
        assert_eq!(clean(b"s=\x83J\x83\x81\x83\x89").text, "v=0\ns=カメラ\n", "kana");
        assert_eq!(clean(b"s=\xc9\xe3\xcf\xf1\xbb\xfa").text, "v=0\ns=摄像机\n");
    }

    #[test]
    fn size_is_bounded() {
        let many_lines = "a=x\n".repeat(MAX_LINES + 5);
        assert_eq!(clean(many_lines.as_bytes()).text.lines().count(), MAX_LINES + 1);
        let many_medias = "m=video 0 RTP/AVP 96\na=x\n".repeat(MAX_MEDIAS + 5);
        let cleaned = clean(many_medias.as_bytes());
        assert_eq!(cleaned.text.matches("m=").count(), MAX_MEDIAS);
        assert_eq!(cleaned.warnings.len(), 1);
        assert!(clean(&vec![b'a'; 2 * MAX_BYTES]).warnings[0].contains("longer than"));
    }

    proptest! {
        #[test]
        fn the_strict_parser_takes_what_comes_out(bytes: Vec<u8>) {
            prop_assert!(sdp_types::Session::parse(clean(&bytes).text.as_bytes()).is_ok());
        }

        #[test]
        fn also_of_lines(lines in proptest::collection::vec("[a-zA-Z]=[ -~]{0,40}", 0..40)) {
            let cleaned = clean(lines.join("\n").as_bytes());
            prop_assert!(sdp_types::Session::parse(cleaned.text.as_bytes()).is_ok(), "{}", cleaned.text);
        }

        #[test]
        fn also_of_media_lines(lines in proptest::collection::vec("(m|b|c|o|i|k|t)=[a-zIP4/ 0-9:.-]{0,30}", 0..20)) {
            let cleaned = clean(lines.join("\n").as_bytes());
            prop_assert!(sdp_types::Session::parse(cleaned.text.as_bytes()).is_ok(), "{}", cleaned.text);
        }
    }
}
