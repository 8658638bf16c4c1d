//! The few headers of RTSP that are read closely (RFC 2326 §12), each as loosely as devices write it. Pure.

use std::net::IpAddr;
use std::time::Duration;

use crate::text;
use crate::wire::head::Headers;

/// A session ends after this without a sign of life, unless it states otherwise (RFC 2326 §12.37).
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(60);

/// The headers of RTSP that are read closely.
pub trait RtspHeaders {
    /// `CSeq`: the number at its beginning. Devices leave it out or empty, send -1 or add the method.
    fn cseq(&self) -> Option<i64>;
    /// The methods of `Public`, else of `Allow`: upper case, in the order sent.
    fn methods(&self) -> Vec<String>;
    /// `Session`.
    fn session(&self) -> Option<Session>;
    /// `Transport`, the first of several.
    fn transport(&self) -> Option<Transport>;
    /// `RTP-Info`.
    fn rtp_info(&self) -> Vec<RtpInfo>;
}

impl RtspHeaders for Headers {
    fn cseq(&self) -> Option<i64> {
        let value = self.text("CSeq")?;
        let value = value.trim();
        let (sign, digits) = value.strip_prefix('-').map_or((1, value), |rest| (-1, rest));
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        digits.get(..end)?.parse::<i64>().ok().map(|n| n * sign)
    }

    fn methods(&self) -> Vec<String> {
        let list = |name: &str| {
            let values: Vec<String> = self.all(name).map(text::clean_bytes).collect();
            let words = values.iter().flat_map(|v| v.split([',', ' ', ';'])).filter(|w| !w.is_empty());
            words.map(str::to_ascii_uppercase).take(32).collect::<Vec<_>>()
        };
        Some(list("Public")).filter(|methods| !methods.is_empty()).unwrap_or_else(|| list("Allow"))
    }

    fn session(&self) -> Option<Session> {
        Session::read(&self.text("Session")?)
    }

    fn transport(&self) -> Option<Transport> {
        self.text("Transport").map(|t| Transport::read(&t))
    }

    fn rtp_info(&self) -> Vec<RtpInfo> {
        self.text("RTP-Info").map(|t| RtpInfo::read(&t)).unwrap_or_default()
    }
}

/// A session (RFC 2326 §12.37).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, as sent.
    pub id: String,
    /// After how long without a sign of life it ends, where the answer states it.
    pub timeout: Option<Duration>,
}

impl Session {
    fn read(value: &str) -> Option<Session> {
        let mut parts = value.split(';').map(str::trim);
        let id = parts.next().filter(|id| !id.is_empty() && id.len() <= 256)?.to_owned();
        let timeout = parts.find_map(|p| parameter(p, "timeout")?.parse().ok()).filter(|&s| s > 0);
        Some(Session { id, timeout: timeout.map(|s: u64| Duration::from_secs(s.min(86_400))) })
    }
}

/// The transport a device agreed to (RFC 2326 §12.39). What it leaves out is as it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transport {
    /// Whether it names TCP.
    pub tcp: bool,
    /// Channels of RTP and RTCP.
    pub interleaved: Option<(u8, u8)>,
    /// The device's UDP ports for RTP and RTCP.
    pub server_port: Option<(u16, u16)>,
    /// Our UDP ports for RTP and RTCP, as the device understood them.
    pub client_port: Option<(u16, u16)>,
    /// The source identifier its packets will carry.
    pub ssrc: Option<u32>,
    /// Where it states that its packets come from; nothing is sent there.
    pub source: Option<String>,
    /// Whether it sends to a multicast group.
    pub multicast: bool,
    /// Where it sends to.
    pub destination: Option<IpAddr>,
    /// The multicast group's ports for RTP and RTCP.
    pub port: Option<(u16, u16)>,
}

impl Transport {
    fn read(value: &str) -> Transport {
        let first = value.split(',').next().unwrap_or_default();
        let mut transport = Transport::default();
        for part in first.split(';').map(str::trim) {
            if part.to_ascii_uppercase().ends_with("/TCP") {
                transport.tcp = true;
            } else if let Some(channels) = parameter(part, "interleaved") {
                transport.interleaved = pair(channels).filter(|c| c.0 != u8::MAX);
            } else if let Some(ports) = parameter(part, "server_port") {
                transport.server_port = pair(ports).filter(|p: &(u16, u16)| p.0 != 0);
            } else if let Some(ports) = parameter(part, "client_port") {
                transport.client_port = pair(ports).filter(|p: &(u16, u16)| p.0 != 0);
            } else if let Some(ssrc) = parameter(part, "ssrc") {
                transport.ssrc = u32::from_str_radix(ssrc.trim_start_matches("0x"), 16).ok();
            } else if let Some(source) = parameter(part, "source") {
                transport.source = text::clean_some(source);
            } else if let Some(destination) = parameter(part, "destination") {
                transport.destination = destination.parse().ok();
            } else if let Some(ports) = parameter(part, "port") {
                transport.port = pair(ports).filter(|p: &(u16, u16)| p.0 != 0);
            } else if part.eq_ignore_ascii_case("multicast") {
                transport.multicast = true;
            }
        }
        transport.tcp |= transport.interleaved.is_some();
        transport
    }

    /// Whether it can only mean UDP.
    pub fn is_udp(&self) -> bool {
        !self.tcp && (self.server_port.is_some() || self.client_port.is_some())
    }
}

/// Two numbers parted by a hyphen; a lone one stands for itself and its successor.
fn pair<N: std::str::FromStr + Copy + Into<u32> + TryFrom<u32>>(text: &str) -> Option<(N, N)> {
    let (first, second) = text.split_once('-').unwrap_or((text, ""));
    let first: N = first.trim().parse().ok()?;
    let second = second.trim().parse().ok().or_else(|| N::try_from(first.into() + 1).ok())?;
    Some((first, second))
}

/// Where a stream's packets begin (RFC 2326 §12.33). A hint: devices leave it out or send nonsense.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RtpInfo {
    /// The media's URL, absolute or not, as sent.
    pub url: String,
    /// The first packet's sequence number.
    pub sequence: Option<u16>,
    /// The first packet's time stamp.
    pub rtp_time: Option<u32>,
}

impl RtpInfo {
    fn read(value: &str) -> Vec<RtpInfo> {
        let mut found: Vec<RtpInfo> = Vec::new();
        // A comma may belong to a URL, so a new entry is one that says `url=`.
        for part in value.split([';', ',']).map(str::trim) {
            if let Some(url) = parameter(part, "url") {
                found.push(RtpInfo { url: url.to_owned(), ..RtpInfo::default() });
            } else if let Some(last) = found.last_mut() {
                if let Some(sequence) = parameter(part, "seq") {
                    last.sequence = sequence.parse().ok();
                } else if let Some(time) = parameter(part, "rtptime") {
                    last.rtp_time = time.parse().ok();
                }
            }
            if found.len() >= 64 {
                break;
            }
        }
        found
    }
}

/// The value of `name=value`, without blanks and quotes.
fn parameter<'a>(part: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = part.split_once('=')?;
    key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(lines: &[(&str, &str)]) -> Headers {
        lines.iter().copied().collect()
    }

    #[test]
    fn sequence_numbers_are_read_however_written() {
        for (sent, want) in [("1 ", Some(1)), ("-1", Some(-1)), ("42 OPTIONS", Some(42)), ("", None), ("OPTIONS", None)]
        {
            assert_eq!(headers(&[("Cseq", sent)]).cseq(), want, "{sent:?}");
        }
    }

    #[test]
    fn sessions_and_transports_are_read_however_written() {
        let session = |v: &str| headers(&[("session", v)]).session().map(|s| (s.id, s.timeout.map(|t| t.as_secs())));
        assert_eq!(session("        708345999;timeout=60"), Some(("708345999".into(), Some(60))));
        assert_eq!(session("9a90de54; timeout=120"), Some(("9a90de54".into(), Some(120))));
        assert_eq!(session("F8F8E425"), Some(("F8F8E425".into(), None)));
        assert_eq!(session(";timeout=60"), None);

        let transport = |v: &str| headers(&[("Transport", v)]).transport().unwrap();
        let odd = transport("RTP/AVP/TCP;ssrc= d6d6627;interleaved=2-3;mode=\"PLAY\"");
        assert_eq!((odd.tcp, odd.interleaved, odd.ssrc), (true, Some((2, 3)), Some(0x0d6d_6627)));
        let udp = transport("RTP/AVP;unicast;source=127.0.0.1;client_port=18714-18715;server_port=40004;ssrc=0");
        assert_eq!((udp.tcp, udp.server_port, udp.client_port), (false, Some((40004, 40005)), Some((18714, 18715))));
        assert_eq!(transport("RTP/AVP/TCP").interleaved, None);
        assert_eq!(transport("RTP/AVP;server_port=65535").server_port, None);
    }

    #[test]
    fn rtp_info_never_fails() {
        let info =
            headers(&[("RTP-Info", "url=rtsp://h/a,b;seq=7;rtptime=9;,url=trackID=2;seq=;rtptime=-1;")]).rtp_info();
        assert_eq!(info.len(), 2);
        assert_eq!((info[0].sequence, info[0].rtp_time), (Some(7), Some(9)));
        assert_eq!((info[1].url.as_str(), info[1].sequence, info[1].rtp_time), ("trackID=2", None, None));
    }

    #[test]
    fn methods_come_from_either_header() {
        let allow = headers(&[("allow", "OPTIONS, describe,SETUP"), ("Public", "")]);
        assert_eq!(allow.methods(), ["OPTIONS", "DESCRIBE", "SETUP"]);
    }

    proptest! {
        #[test]
        fn any_value_is_read_without_panic(value in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut headers = Headers::default();
            for name in ["CSeq", "Session", "Transport", "RTP-Info", "Public", "Content-Type", "Content-Length"] {
                headers.push(name, &value);
            }
            let _ = (headers.cseq(), headers.session(), headers.transport(), headers.rtp_info());
            let _ = (headers.methods(), headers.content_type(), headers.content_length());
        }
    }
}
