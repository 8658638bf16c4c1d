//! What listens on a port of a device and what it demands before it talks.

use serde::{Deserialize, Serialize};

use super::Answer;

/// A protocol a device speaks. The order is the order of services on one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the protocols' own")]
pub enum Protocol {
    Rtsp,
    Rtsps,
    Rtmp,
    Rtmps,
    Http,
    Https,
    Onvif,
    Hls,
    Dash,
    Mjpeg,
    Webrtc,
    Srt,
    Stun,
    Turn,
    Upnp,
    Mdns,
    Sadp,
    Dhip,
    Dvrip,
    Ubnt,
    Vivotek,
    Hanwha,
    Bosch,
    Foscam,
    Panasonic,
    Sony,
    Vstarcam,
    /// A JPEG that is fetched, not streamed.
    Snapshot,
    /// Open, but nothing that we know was spoken.
    Other,
}

impl Protocol {
    /// The name as it stands in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Rtsp => "rtsp",
            Protocol::Rtsps => "rtsps",
            Protocol::Rtmp => "rtmp",
            Protocol::Rtmps => "rtmps",
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Onvif => "onvif",
            Protocol::Hls => "hls",
            Protocol::Dash => "dash",
            Protocol::Mjpeg => "mjpeg",
            Protocol::Webrtc => "webrtc",
            Protocol::Srt => "srt",
            Protocol::Stun => "stun",
            Protocol::Turn => "turn",
            Protocol::Upnp => "upnp",
            Protocol::Mdns => "mdns",
            Protocol::Sadp => "sadp",
            Protocol::Dhip => "dhip",
            Protocol::Dvrip => "dvrip",
            Protocol::Ubnt => "ubnt",
            Protocol::Vivotek => "vivotek",
            Protocol::Hanwha => "hanwha",
            Protocol::Bosch => "bosch",
            Protocol::Foscam => "foscam",
            Protocol::Panasonic => "panasonic",
            Protocol::Sony => "sony",
            Protocol::Vstarcam => "vstarcam",
            Protocol::Snapshot => "snapshot",
            Protocol::Other => "other",
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the transports' own")]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    /// `tcp` or `udp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }
}

/// A scheme a device offers for logging in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AuthScheme {
    /// HTTP or RTSP Digest (RFC 7616).
    Digest,
    /// HTTP or RTSP Basic (RFC 7617).
    Basic,
    /// WS-Security UsernameToken (ONVIF Core §5.9).
    Wsse,
    /// A login was demanded in a way not named here, or without saying how.
    Other,
}

impl AuthScheme {
    /// The name as it stands in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            AuthScheme::Digest => "digest",
            AuthScheme::Basic => "basic",
            AuthScheme::Wsse => "wsse",
            AuthScheme::Other => "other",
        }
    }
}

/// One protocol on one port of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Service {
    /// What is spoken.
    pub protocol: Protocol,
    /// Over what.
    pub transport: Transport,
    /// The port, 1..=65535.
    pub port: u16,
    /// The service's own address, without any password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it demands: empty means open, absent means not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Vec<AuthScheme>>,
    /// The `Server` header or banner, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The page's title, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The realm of the login it demands, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// The subject of its TLS certificate, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// What was odd about it, in words for the operator.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    /// What it answered, where it was looked at in depth.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub answers: Vec<Answer>,
}

impl Service {
    /// Whether two findings are about one service.
    pub fn is_same(&self, other: &Service) -> bool {
        (self.port, self.transport, self.protocol) == (other.port, other.transport, other.protocol)
    }

    /// Takes over what another finding about the same service says; what it leaves open stays as it was, so that a bare
    /// announcement takes nothing away.
    pub fn learn(&mut self, new: Service) {
        /// Notes and answers kept of one service.
        const MOST: usize = 512;
        fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
            if list.len() < MOST && !list.contains(&item) {
                list.push(item);
            }
        }
        self.url = new.url.or(self.url.take());
        self.auth = new.auth.or(self.auth.take());
        self.server = new.server.or(self.server.take());
        self.title = new.title.or(self.title.take());
        self.realm = new.realm.or(self.realm.take());
        self.certificate = new.certificate.or(self.certificate.take());
        new.notes.into_iter().for_each(|note| add(&mut self.notes, note));
        for answer in new.answers {
            // Asked the same once more, it says another time of day.
            if !self.answers.iter().any(|a| (&a.request, &a.status) == (&answer.request, &answer.status)) {
                add(&mut self.answers, answer);
            }
        }
    }

    /// A service of which only protocol and port are known.
    pub fn new(protocol: Protocol, transport: Transport, port: u16) -> Self {
        Service {
            protocol,
            transport,
            port,
            url: None,
            auth: None,
            server: None,
            title: None,
            realm: None,
            certificate: None,
            notes: Vec::new(),
            answers: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_service_does_not_hang_on_the_order_it_was_said_in() {
        let bare = Service::new(Protocol::Http, Transport::Tcp, 1984);
        let full = Service {
            server: Some("go2rtc".to_owned()),
            title: Some("go2rtc".to_owned()),
            auth: Some(vec![AuthScheme::Basic]),
            notes: vec!["a note".to_owned()],
            ..bare.clone()
        };
        for order in [[&bare, &full], [&full, &bare], [&full, &full]] {
            let mut known = order[0].clone();
            known.learn(order[1].clone());
            assert_eq!(known, full);
        }
    }
}
