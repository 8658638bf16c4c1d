//! The recorded answer to an offer, made into one to another offer: what holds for one session alone is that of this session.

use crate::kit::conversation::target_of;

/// What a session has of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The name and the password for ICE (RFC 8839 §5.4).
    pub ice: (String, String),
    /// The fingerprint of the certificate, as `sha-256 AA:…` (RFC 8122 §5).
    pub fingerprint: String,
    /// The values of the lines of candidates (RFC 8839 §5.1).
    pub candidates: Vec<String>,
}

impl Own {
    /// Of a description that was made for it.
    pub fn of(description: &str) -> Option<Own> {
        let value = |name: &str| description.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::to_owned);
        let mut candidates: Vec<String> = Vec::new();
        for candidate in description.lines().filter_map(|line| line.trim().strip_prefix("a=candidate:")) {
            if !candidates.iter().any(|known| known == candidate) {
                candidates.push(candidate.to_owned());
            }
        }
        let ice = (value("a=ice-ufrag:")?, value("a=ice-pwd:")?);
        Some(Own { ice, fingerprint: value("a=fingerprint:")?, candidates })
    }
}

/// A part of a description: what stands before the first medium, or a medium.
struct Section<'a> {
    lines: Vec<&'a str>,
}

impl<'a> Section<'a> {
    fn words(&self) -> impl Iterator<Item = &'a str> {
        self.lines.first().and_then(|l| l.strip_prefix("m=")).unwrap_or_default().split_whitespace()
    }

    fn kind(&self) -> &'a str {
        self.words().next().unwrap_or_default()
    }

    fn is_live(&self) -> bool {
        self.words().nth(1) != Some("0") && !self.lines.contains(&"a=inactive")
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter_map(move |line| line.strip_prefix(name))
    }

    fn mid(&self) -> Option<&'a str> {
        self.values("a=mid:").next()
    }

    /// The payload types, in order.
    fn payload_types(&self) -> impl Iterator<Item = &'a str> {
        self.words().skip(3)
    }

    /// The name of the format with a payload type (RFC 3551 §6 names those without a line).
    fn encoding(&self, payload_type: &str) -> Option<&'a str> {
        let written = self.values("a=rtpmap:").find_map(|value| {
            let (number, format) = value.split_once(' ')?;
            (number == payload_type).then(|| format.split('/').next().unwrap_or_default())
        });
        written.or(match payload_type {
            "0" => Some("PCMU"),
            "8" => Some("PCMA"),
            "9" => Some("G722"),
            _ => None,
        })
    }
}

/// What stands before the first medium, and the media.
fn sections(description: &str) -> (Section<'_>, Vec<Section<'_>>) {
    let mut all = vec![Section { lines: Vec::new() }];
    for line in description.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with("m=") {
            all.push(Section { lines: Vec::new() });
        }
        if let Some(section) = all.last_mut() {
            section.lines.push(line);
        }
    }
    let media = all.split_off(1);
    (all.pop().unwrap_or(Section { lines: Vec::new() }), media)
}

/// The name of the codec that a medium (`video`, `audio`) was sent in: that of a payload type, or the first.
pub fn codec<'a>(answer: &'a str, kind: &str, payload_type: Option<u8>) -> Option<&'a str> {
    let (_, media) = sections(answer);
    let medium = media.iter().find(|medium| medium.kind() == kind && medium.is_live())?;
    let number = payload_type.map(|number| number.to_string());
    let of_number = number.and_then(|number| medium.encoding(&number));
    of_number.or_else(|| medium.payload_types().find_map(|number| medium.encoding(number)))
}

/// The source that a medium was announced to come from (RFC 5576 §4.1).
pub fn source(answer: &str, kind: &str) -> Option<u32> {
    let (_, media) = sections(answer);
    let medium = media.iter().find(|medium| medium.kind() == kind && medium.is_live())?;
    medium.values("a=ssrc:").find_map(|value| value.split(' ').next()?.parse().ok())
}

/// The name that a medium has.
pub fn mid<'a>(answer: &'a str, kind: &str) -> Option<&'a str> {
    let (_, media) = sections(answer);
    media.iter().find(|medium| medium.kind() == kind && medium.is_live())?.mid()
}

/// Whether the device begins the handshake for the encryption (RFC 8842 §5).
pub fn begins_handshake(answer: &str) -> bool {
    !answer.lines().any(|line| line.trim() == "a=setup:passive")
}

/// The recorded answer with what is this session's own, and with the names that this offer gives its media; none where it
/// fits another offer alone.
pub fn renew(recorded: &str, offer: &str, own: &Own) -> Option<String> {
    let ((_, offered), (session, media)) = (sections(offer), sections(recorded));
    let is_fitting =
        offered.len() == media.len() && media.iter().zip(&offered).all(|(own, offered)| fits(own, offered));
    if media.is_empty() || !is_fitting {
        return None;
    }
    let mut out = String::new();
    let mut put = |line: &str| out.extend([line, "\r\n"]);
    let renamed = |mid: &str| {
        let place = media.iter().position(|medium| medium.mid() == Some(mid));
        place.and_then(|at| offered.get(at)?.mid()).unwrap_or(mid).to_owned()
    };
    for section in std::iter::once(&session).chain(&media) {
        let mut has_fingerprint = false;
        for line in &section.lines {
            match line.split_once(':').unwrap_or((line, "")) {
                ("a=ice-ufrag", _) => put(&format!("a=ice-ufrag:{}", own.ice.0)),
                ("a=ice-pwd", _) => put(&format!("a=ice-pwd:{}", own.ice.1)),
                ("a=fingerprint", _) => {
                    if !std::mem::replace(&mut has_fingerprint, true) {
                        put(&format!("a=fingerprint:{}", own.fingerprint));
                    }
                }
                ("a=candidate" | "a=end-of-candidates" | "a=remote-candidates", _) => {}
                ("a=mid", mid) => put(&format!("a=mid:{}", renamed(mid))),
                ("a=group", group) => {
                    let mut words = group.split(' ');
                    let kind = words.next().unwrap_or_default().to_owned();
                    let names = words.map(&renamed);
                    put(&format!("a=group:{}", std::iter::once(kind).chain(names).collect::<Vec<_>>().join(" ")));
                }
                _ => put(line),
            }
        }
        if section.words().next().is_some() && section.is_live() {
            own.candidates.iter().for_each(|candidate| put(&format!("a=candidate:{candidate}")));
            put("a=end-of-candidates");
        }
    }
    Some(out)
}

/// Whether a medium of the recorded answer answers this one: of its kind, in formats and with extensions under the numbers
/// that are offered.
fn fits(answered: &Section<'_>, offered: &Section<'_>) -> bool {
    let extension = |value: &str| {
        let (number, name) = value.split_once(' ')?;
        Some((number.split('/').next()?.to_owned(), name.to_owned()))
    };
    let extensions: Vec<_> = offered.values("a=extmap:").filter_map(extension).collect();
    let is_offered = |number: &str| {
        let (own, other) = (answered.encoding(number), offered.encoding(number));
        offered.payload_types().any(|known| known == number)
            && own.zip(other).is_none_or(|(own, other)| own.eq_ignore_ascii_case(other))
    };
    answered.kind() == offered.kind()
        && (!answered.is_live()
            || answered.payload_types().all(is_offered)
                && answered.values("a=extmap:").filter_map(extension).all(|e| extensions.contains(&e)))
}

/// A head with another body's length, and another address of the session.
pub fn head(recorded: &[u8], length: usize, location: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(recorded.len() + 32);
    for line in String::from_utf8_lossy(recorded).split_inclusive('\n') {
        let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
        match (name.as_str(), location) {
            ("content-length" | "transfer-encoding", _) => {}
            ("location", Some(location)) => out.extend_from_slice(format!("Location: {location}\r\n").as_bytes()),
            ("", _) => out.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes()),
            _ => out.extend_from_slice(line.as_bytes()),
        }
    }
    out
}

/// The address of the session that a head names.
pub fn location(head: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| name.trim().eq_ignore_ascii_case("location")).map(|(_, value)| value.trim().to_owned())
}

/// The target of requests to an address that the answer to a request for `target` names (RFC 3986 §5.2).
pub fn resource(location: &str, target: &str) -> String {
    if location.contains("://") {
        return target_of(location).to_owned();
    }
    let path = target.split('?').next().unwrap_or_default();
    let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
    if location.starts_with('/') { location.to_owned() } else { format!("{folder}{location}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\na=group:BUNDLE aa bb\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:aa\r\na=rtpmap:96 H264/90000\r\na=rtpmap:97 VP8/90000\r\n\
        a=extmap:4 urn:x:mid\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:bb\r\na=rtpmap:111 opus/48000/2\r\n";
    const ANSWER: &str = "v=0\r\ns=-\r\na=group:BUNDLE 0 1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n\
        a=ice-ufrag:old1\r\na=ice-pwd:oldpassword\r\na=fingerprint:sha-256 00:01\r\na=fingerprint:sha-512 02:03\r\n\
        a=setup:active\r\na=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\na=end-of-candidates\r\n\
        a=rtpmap:96 H264/90000\r\na=extmap:4/sendonly urn:x:mid\r\na=ssrc:77 cname:a\r\n\
        m=audio 0 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n";

    fn own() -> Own {
        Own {
            ice: ("new1".to_owned(), "newpassword".to_owned()),
            fingerprint: "sha-256 AA:BB".to_owned(),
            candidates: vec!["7 1 udp 9 127.83.0.1 6000 typ host".to_owned()],
        }
    }

    #[test]
    fn an_answer_is_the_recorded_one_with_what_is_of_this_session() {
        let wanted = "v=0\r\ns=-\r\na=group:BUNDLE aa bb\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:aa\r\n\
            a=ice-ufrag:new1\r\na=ice-pwd:newpassword\r\na=fingerprint:sha-256 AA:BB\r\na=setup:active\r\n\
            a=rtpmap:96 H264/90000\r\na=extmap:4/sendonly urn:x:mid\r\na=ssrc:77 cname:a\r\n\
            a=candidate:7 1 udp 9 127.83.0.1 6000 typ host\r\na=end-of-candidates\r\n\
            m=audio 0 UDP/TLS/RTP/SAVPF 111\r\na=mid:bb\r\n";
        assert_eq!(renew(ANSWER, OFFER, &own()).as_deref(), Some(wanted));
        assert_eq!(Own::of(wanted), Some(own()), "what was written is read");
        assert_eq!((codec(ANSWER, "video", None), codec(ANSWER, "audio", None)), (Some("H264"), None));
        assert_eq!((source(ANSWER, "video"), begins_handshake(ANSWER)), (Some(77), true));
    }

    #[test]
    fn an_answer_to_another_offer_does_not_fit() {
        for (from, to) in [
            ("m=video 9 UDP/TLS/RTP/SAVPF 96 97", "m=video 9 UDP/TLS/RTP/SAVPF 97"),
            ("96 H264", "96 VP9"),
            ("extmap:4", "extmap:5"),
            ("m=audio", "m=application"),
            ("m=audio", "a=audio"),
        ] {
            assert_eq!(renew(ANSWER, &OFFER.replacen(from, to, 1), &own()), None, "{to}");
        }
    }

    #[test]
    fn each_session_has_its_own_address() {
        let recorded = b"HTTP/1.1 201 Created\r\nLocation: /whep/1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(location(recorded).as_deref(), Some("/whep/1"));
        assert_eq!(
            String::from_utf8(head(recorded, 7, Some("/whep/1-2"))).unwrap(),
            "HTTP/1.1 201 Created\r\nLocation: /whep/1-2\r\nContent-Length: 7\r\n\r\n"
        );
        for (location, wanted) in
            [("/a/1", "/a/1"), ("http://h:1/a/1?b", "/a/1?b"), ("1", "/live/1"), ("whep/1", "/live/whep/1")]
        {
            assert_eq!(resource(location, "/live/whep?c=/d"), wanted);
        }
    }

    proptest! {
        #[test]
        fn any_descriptions_are_taken(offer in "((m=video 9 x 96|a=mid:0|a=extmap:1 u|a=group:BUNDLE 0|v=0|[a-z=: /0-9]{0,9})\r?\n){0,9}",
                                      answer in "((m=video 9 x 96|a=mid:0|a=extmap:1 u|a=group:BUNDLE 0|v=0|[a-z=: /0-9]{0,9})\r?\n){0,9}") {
            let renewed = renew(&answer, &offer, &own());
            prop_assert!(renewed.is_none_or(|text| text.contains("m=video")));
            let _ = (Own::of(&answer), codec(&answer, "video", Some(96)), source(&answer, "video"), head(answer.as_bytes(), 1, None));
            let _ = location(answer.as_bytes());
        }
    }
}
