//! TCP ports where cameras, recorders and media servers listen: what each means, which protocol is tried there first, and
//! what an open one suggests by itself. All that is known of ports stands in [`TABLE`].

use crate::model::{Evidence, EvidenceSource, Fact, Kind, Protocol};

/// How early a port is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Set {
    /// Where nearly every camera shows itself.
    Core,
    /// Alternatives and makers' own; looked at by default after the core.
    Wide,
    /// Known, and looked at only when asked for.
    Known,
}

/// What is known about a port.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Port {
    /// The number.
    pub port: u16,
    /// How early it is looked at.
    pub set: Set,
    /// What is expected there, the likeliest first.
    pub expects: &'static [Protocol],
    /// What it means and on which devices it is seen.
    pub about: &'static str,
    /// Where ONVIF is guessed: its place among the ports to guess, the likeliest 0.
    pub onvif_rank: Option<u8>,
    /// The maker whose private port it is.
    pub maker: Option<Maker>,
}

/// The maker whose private port a port is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Maker {
    /// Its name.
    pub name: &'static str,
    /// The weight of an open port as evidence for it, 0..1.
    pub weight: f64,
    /// What its devices speak there, of the protocols that are asked for; none for a protocol of its own. Whatever else is
    /// spoken there shows that somebody else uses the number.
    pub speaks: &'static [Protocol],
}

use Protocol::{Dvrip, Hls, Http, Https, Mjpeg, Onvif, Rtmp, Rtmps, Rtsp, Rtsps, Srt, Stun, Turn, Webrtc};
use Set::{Core, Known, Wide};

const fn port(port: u16, set: Set, expects: &'static [Protocol], about: &'static str) -> Port {
    Port { port, set, expects, about, onvif_rank: None, maker: None }
}

const fn private(
    port: u16,
    set: Set,
    expects: &'static [Protocol],
    about: &'static str,
    name: &'static str,
    weight: f64,
    speaks: &'static [Protocol],
) -> Port {
    Port { port, set, expects, about, onvif_rank: None, maker: Some(Maker { name, weight, speaks }) }
}

impl Port {
    const fn onvif(self, rank: u8) -> Port {
        Port { onvif_rank: Some(rank), ..self }
    }
}

/// The ports, most likely first within each set.
///
/// Sources: IANA; the port lists of MediaMTX, go2rtc and Frigate; makers' own articles (Hanwha 4414178841746, Foscam FAQ 81,
/// TP-Link FAQ 2680). A maker's private port weighs little: numbers are re-used.
pub const TABLE: &[Port] = &[
    port(554, Core, &[Rtsp], "RTSP, almost all cameras"),
    port(80, Core, &[Http, Onvif, Mjpeg], "web page, ONVIF, MJPEG").onvif(0),
    port(8554, Core, &[Rtsp], "RTSP alternative: media servers, GeoVision, Jovision"),
    port(443, Core, &[Https, Onvif], "web page over TLS").onvif(10),
    port(8080, Core, &[Http, Onvif, Mjpeg, Rtsp], "web page, phone cameras").onvif(4),
    private(8000, Core, &[Http, Onvif, Webrtc], "Hikvision's SDK; ONVIF of Reolink", "Hikvision", 0.1, &[]).onvif(1),
    private(8899, Core, &[Http, Onvif], "ONVIF of Xiongmai, V380 and others", "Xiongmai", 0.1, &[Http, Onvif]).onvif(2),
    private(2020, Core, &[Http, Onvif], "ONVIF of TP-Link Tapo and VIGI", "TP-Link", 0.15, &[Http, Onvif]).onvif(3),
    private(37777, Core, &[], "Dahua's SDK", "Dahua", 0.3, &[]),
    private(34567, Core, &[Dvrip], "DVRIP of Xiongmai and its many brands", "Xiongmai", 0.3, &[Dvrip]),
    port(88, Wide, &[Http, Rtsp], "HTTP and RTSP on one port: Foscam"),
    port(81, Wide, &[Http, Onvif], "web page alternative"),
    port(8081, Wide, &[Http, Mjpeg, Onvif], "web page, motion's streams").onvif(7),
    port(10554, Wide, &[Rtsp], "RTSP of VStarcam, Zmodo and others"),
    port(5544, Wide, &[Rtsp], "RTSP alternative"),
    port(5554, Wide, &[Rtsp], "RTSP alternative"),
    port(7070, Wide, &[Rtsp], "RTSP of ACTi"),
    port(7447, Wide, &[Rtsp], "RTSP of UniFi Protect"),
    port(7441, Wide, &[Rtsps], "RTSPS of UniFi Protect"),
    port(322, Wide, &[Rtsps], "RTSPS"),
    port(8322, Wide, &[Rtsps], "RTSPS of MediaMTX"),
    port(1935, Wide, &[Rtmp], "RTMP: Reolink, media servers"),
    port(8443, Wide, &[Https], "web page over TLS, alternative"),
    port(8090, Wide, &[Http, Mjpeg], "web page alternative"),
    port(5000, Wide, &[Http, Onvif], "ONVIF of Yoosee; Frigate; a NAS").onvif(5),
    private(9000, Wide, &[], "Baichuan media of Reolink", "Reolink", 0.1, &[]),
    port(8888, Wide, &[Http, Hls], "HLS of MediaMTX, web page alternative"),
    port(8889, Wide, &[Http, Webrtc], "WebRTC (WHEP) of MediaMTX"),
    port(1984, Wide, &[Http, Webrtc, Mjpeg], "go2rtc"),
    port(8890, Wide, &[Srt], "SRT of MediaMTX, over UDP"),
    port(9997, Wide, &[Http], "API of MediaMTX"),
    port(1985, Wide, &[Http, Webrtc], "API of SRS"),
    port(8088, Wide, &[Http, Webrtc], "Janus"),
    port(8188, Wide, &[Http], "Janus over WebSockets"),
    port(8555, Wide, &[Rtsp], "RTSP alternative; WebRTC media of go2rtc"),
    private(6036, Wide, &[], "TVT's SDK", "TVT", 0.15, &[]),
    port(558, Known, &[Rtsp], "RTSP of Hanwha recorders"),
    port(4520, Known, &[Rtsp], "RTSP of Hanwha recorders"),
    port(4521, Known, &[Rtsp], "RTSP of Hanwha recorders"),
    port(4522, Known, &[Rtsp], "RTSP of Hanwha recorders"),
    port(4523, Known, &[Rtsp], "RTSP of Hanwha recorders"),
    port(4524, Known, &[Rtsp], "RTSP of Hanwha recorders"),
    port(5049, Known, &[Rtsp], "RTSP of GW Security, main stream"),
    port(5050, Known, &[Rtsp], "RTSP of GW Security, sub stream"),
    port(65534, Known, &[Rtsp], "RTSP of some Foscam"),
    port(85, Known, &[Http, Onvif], "web page and ONVIF of some Uniview").onvif(6),
    port(2000, Known, &[Http, Onvif], "ONVIF of JVT"),
    port(6688, Known, &[Http, Onvif], "ONVIF alternative").onvif(8),
    port(10080, Known, &[Http, Onvif], "ONVIF alternative").onvif(9),
    port(1936, Known, &[Rtmps], "RTMPS"),
    private(7080, Known, &[Http], "UniFi Video's page", "Ubiquiti", 0.1, &[Http]),
    private(7442, Known, &[Https], "UniFi Video's cameras", "Ubiquiti", 0.1, &[]),
    private(7443, Known, &[Https], "UniFi Video's page over TLS", "Ubiquiti", 0.1, &[Https]),
    private(7445, Known, &[Http], "UniFi Video's streams", "Ubiquiti", 0.1, &[Http]),
    private(7446, Known, &[Https], "UniFi Video's streams over TLS", "Ubiquiti", 0.1, &[Https]),
    private(8800, Known, &[], "TP-Link Tapo's own streams", "TP-Link", 0.1, &[]),
    port(8091, Known, &[Http], "Topsee's data"),
    port(32040, Known, &[], "JVC"),
    port(49298, Known, &[], "JVC"),
    port(51826, Known, &[Http], "HomeKit accessory"),
    port(6668, Known, &[], "Tuya devices"),
    port(7001, Known, &[Https, Rtsp], "Nx Witness, DW Spectrum"),
    port(9996, Known, &[Http], "playback of MediaMTX"),
    port(9998, Known, &[Http], "metrics of MediaMTX"),
    port(3478, Known, &[Stun, Turn], "STUN and TURN"),
    port(5349, Known, &[Stun, Turn], "STUN and TURN over TLS"),
    port(8971, Known, &[Https], "Frigate's page"),
    port(8765, Known, &[Http], "motionEye's page"),
    port(82, Known, &[Http], "web page alternative"),
    port(83, Known, &[Http], "web page alternative"),
    port(84, Known, &[Http], "web page alternative"),
    port(86, Known, &[Http], "web page alternative"),
    port(87, Known, &[Http], "web page alternative"),
    port(89, Known, &[Http], "web page alternative"),
    port(90, Known, &[Http], "web page alternative"),
    port(3000, Known, &[Http], "web page alternative"),
    port(8001, Known, &[Http], "web page alternative"),
    port(8008, Known, &[Http], "web page alternative"),
    port(8010, Known, &[Http], "web page alternative"),
    port(8082, Known, &[Http], "web page alternative"),
    port(8083, Known, &[Http], "web page alternative"),
    port(8084, Known, &[Http], "web page alternative"),
    port(8085, Known, &[Http], "web page alternative"),
    port(8086, Known, &[Http], "web page alternative"),
    port(8087, Known, &[Http], "web page alternative"),
    port(8089, Known, &[Http], "web page alternative"),
    port(9080, Known, &[Http], "web page alternative"),
    port(9090, Known, &[Http], "web page alternative"),
    port(10000, Known, &[Http], "web page alternative"),
    port(49152, Known, &[Http], "web page alternative"),
    port(4443, Known, &[Https], "web page over TLS, alternative"),
    port(5001, Known, &[Https], "web page over TLS, alternative"),
    port(9443, Known, &[Https], "web page over TLS, alternative"),
    port(10443, Known, &[Https], "web page over TLS, alternative"),
];

/// The ports a scan looks at by default: core, then wide, in order of likelihood.
pub fn defaults() -> Vec<u16> {
    TABLE.iter().filter(|p| p.set <= Wide).map(|p| p.port).collect()
}

/// The core alone, for a quick look.
pub fn core() -> Vec<u16> {
    TABLE.iter().filter(|p| p.set == Core).map(|p| p.port).collect()
}

/// What is known about a port.
pub fn describe(port: u16) -> Option<&'static Port> {
    TABLE.iter().find(|p| p.port == port)
}

/// Whether the protocol is among those expected on the port.
pub fn expects(port: u16, protocol: Protocol) -> bool {
    describe(port).is_some_and(|p| p.expects.contains(&protocol))
}

/// Whether a client begins with TLS on the port: something inside TLS is expected there, and nothing in plain.
pub fn is_tls_first(port: u16) -> bool {
    let expects_any = |protocols: &[Protocol]| protocols.iter().any(|&protocol| expects(port, protocol));
    expects_any(&[Https, Rtsps, Rtmps]) && !expects_any(&[Http, Rtsp, Rtmp])
}

/// What an open port is evidence of by itself: weakly of the maker whose private port it is, and of a camera. None where
/// one of the `spoken` protocols, those detected on it, is not the maker's.
pub fn evidence(port: u16, spoken: &[Protocol]) -> Vec<Evidence> {
    let Some(known @ Port { maker: Some(Maker { name, weight, speaks }), .. }) = describe(port) else {
        return Vec::new();
    };
    if spoken.iter().any(|protocol| !speaks.contains(protocol)) {
        return Vec::new();
    }
    let detail = format!("tcp port {port}: {}", known.about);
    let evidence = |fact, value: &str, weight| {
        Evidence::new(fact, value, EvidenceSource::Port, weight).with_detail(detail.clone())
    };
    vec![
        evidence(Fact::Vendor, &format!("{name} or OEM"), *weight),
        evidence(Fact::Kind, Kind::Camera.as_str(), *weight),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::target::RAW_PRINT_PORTS;
    use std::collections::BTreeSet;

    #[test]
    fn no_port_stands_twice_and_none_prints() {
        let distinct: BTreeSet<u16> = TABLE.iter().map(|p| p.port).collect();
        assert_eq!(distinct.len(), TABLE.len());
        assert!(TABLE.iter().all(|p| p.port != 0 && !RAW_PRINT_PORTS.contains(&p.port)));
    }

    #[test]
    fn the_core_leads_the_defaults() {
        let (core, defaults) = (core(), defaults());
        assert!(defaults.starts_with(&core));
        assert_eq!(defaults.first(), Some(&554));
        for port in [88, 10554, 7441, 8322, 1935, 6036, 1984, 8088, 8188, 8888, 8889, 8890, 9997, 1985, 5000] {
            assert!(defaults.contains(&port), "{port}");
        }
        assert!(!defaults.contains(&8971));
    }

    #[test]
    fn a_private_port_is_a_weak_word() {
        let said = evidence(37777, &[]);
        assert_eq!(said.first().map(|e| (e.fact, e.value.as_str())), Some((Fact::Vendor, "Dahua or OEM")));
        assert!(said.iter().all(|e| e.weight <= 0.3));
        assert_eq!(evidence(554, &[]), []);
        assert_eq!(evidence(4, &[]), []);
    }

    /// A web server on the port of Hikvision's SDK, RTSP on Reolink's: somebody else's. ONVIF on Xiongmai's port is its own.
    #[test]
    fn a_ports_usual_meaning_falls_once_another_protocol_spoke_on_it() {
        for (port, spoken, says) in [
            (8000, &[][..], true),
            (8000, &[Http], false),
            (8000, &[Rtsp], false),
            (9000, &[Https], false),
            (8899, &[Http], true),
            (8899, &[Http, Onvif], true),
            (8899, &[Rtmp], false),
            (34567, &[Dvrip], true),
        ] {
            assert_eq!(!evidence(port, spoken).is_empty(), says, "{port} {spoken:?}");
        }
    }

    #[test]
    fn tls_goes_first_where_nothing_plain_is_expected() {
        for port in [443, 4443, 5001, 7442, 7443, 7446, 8443, 8971, 9443, 10443, 322, 7441, 8322, 1936] {
            assert!(is_tls_first(port), "{port}");
        }
        // Nx Witness has both on one port; of a port that is not known nothing is expected.
        for port in [80, 554, 1935, 7001, 37777, 4] {
            assert!(!is_tls_first(port), "{port}");
        }
    }

    #[test]
    fn onvif_is_guessed_where_it_is_expected_each_port_at_its_own_rank() {
        let mut guessed: Vec<(u8, u16)> = TABLE.iter().filter_map(|p| Some((p.onvif_rank?, p.port))).collect();
        guessed.sort_unstable();
        assert_eq!(
            guessed.iter().map(|(_, port)| *port).collect::<Vec<_>>(),
            [80, 8000, 8899, 2020, 8080, 5000, 85, 8081, 6688, 10080, 443]
        );
        assert!(
            guessed
                .iter()
                .enumerate()
                .all(|(place, (rank, port))| place == usize::from(*rank) && expects(*port, Onvif))
        );
    }

    #[test]
    fn ports_expect_their_protocols() {
        assert!(expects(554, Rtsp) && expects(7441, Rtsps) && expects(2020, Onvif) && expects(1935, Rtmp));
        assert!(!expects(554, Http) && !expects(1, Rtsp));
    }
}
