//! What was seen of devices of each kind, and what it has to tell.

use crate::identify::signature::{Field, Signatures};
use crate::identify::*;
use crate::model::EvidenceSource as From;

/// What was read or seen of a device.
#[derive(Clone, Copy)]
pub(super) enum Seen {
    Text(Field, &'static str),
    Mac(&'static str),
    Open(u16),
    /// Said in so many words: fact, value, source, weight.
    Said(Fact, &'static str, From, f64),
    Channels(usize),
}

use Field::{
    Certificate, FaviconMd5, Hostname, HttpServer, HttpTitle, MdnsService, MediaServer, Model, OnvifManufacturer,
    OnvifScope, Realm, RtspPublic, RtspServer, SdpAttribute, SdpSession, SsdpServer, StreamPath, UpnpDeviceType,
    UpnpManufacturer,
};
use Seen::{Channels, Mac, Open, Said, Text};

/// A stream that plays.
pub(super) const PLAYS: Seen = Said(Fact::Kind, "camera", From::Stream, 0.9);
/// A stream that is described.
const DESCRIBED: Seen = Said(Fact::Kind, "camera", From::Stream, 0.8);
/// A WS-Discovery answer of a network video transmitter.
const TRANSMITTER: Seen = Said(Fact::Kind, "camera", From::Wsdd, 0.6);
/// An answer to ONVIF's GetDeviceInformation.
pub(super) const fn states(vendor: &'static str) -> Seen {
    Said(Fact::Vendor, vendor, From::Onvif, 0.95)
}
const fn model(model: &'static str) -> Seen {
    Said(Fact::Model, model, From::Onvif, 0.95)
}
/// What LIVE555, and with it most RTSP servers of whatever kind, offer. It says nothing.
const PLAYABLE: Seen =
    Text(RtspPublic, "OPTIONS, DESCRIBE, SETUP, TEARDOWN, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER");
/// A stream that is there and locked.
const LOCKED: Seen = Said(Fact::Kind, "camera", From::RtspServer, 0.6);

pub(super) fn evidence_of(seen: &[Seen]) -> Vec<Evidence> {
    let signatures = Signatures::builtin();
    seen.iter()
        .flat_map(|seen| match *seen {
            Text(field, text) => signatures.evidence(field, text),
            Mac(mac) => oui::evidence(mac.parse().unwrap()),
            Open(port) => ports::evidence(port, &[]),
            Said(fact, value, source, weight) => vec![Evidence::new(fact, value, source, weight)],
            Channels(distinct) => channels(distinct).into_iter().collect(),
        })
        .collect()
}

/// One device: its name, what was seen of it; the kind, the range of its confidence, the vendor.
type Case = (&'static str, &'static [Seen], Kind, (f64, f64), Option<&'static str>);

const CASES: &[Case] = &[
    // Cameras.
    (
        "Hikvision, everything open",
        &[
            Mac("44:19:b6:00:00:01"),
            TRANSMITTER,
            states("HIKVISION"),
            model("DS-2CD2042WD-I"),
            Text(Model, "DS-2CD2042WD-I"),
            Text(Realm, "IP Camera(C1234)"),
            Text(HttpServer, "App-webs/"),
            Open(8000),
            PLAYS,
        ],
        Kind::Camera,
        (0.97, 0.99),
        Some("Hikvision"),
    ),
    (
        "Hikvision behind a router, password not known",
        &[PLAYABLE, LOCKED, Text(Realm, "IP Camera(C1234)")],
        Kind::Camera,
        (0.8, 0.9),
        Some("Hikvision"),
    ),
    ("Hikvision by its MAC alone", &[Mac("44:19:b6:00:00:01")], Kind::Camera, (0.35, 0.5), Some("Hikvision")),
    (
        "Annke says so itself, its firmware is Hikvision's",
        &[
            states("ANNKE"),
            Text(HttpServer, "Hikvision-Webs"),
            Text(Realm, "Hikvision"),
            Text(StreamPath, "/Streaming/Channels/101"),
            PLAYS,
        ],
        Kind::Camera,
        (0.95, 0.99),
        Some("Annke"),
    ),
    (
        "EZVIZ by its MAC, Hikvision by its realm",
        &[Mac("0c:a6:4c:00:00:01"), Text(Realm, "IP Camera(E1234)"), PLAYABLE, LOCKED],
        Kind::Camera,
        (0.8, 0.99),
        Some("EZVIZ"),
    ),
    (
        "Dahua",
        &[Text(RtspServer, "Dahua Rtsp Server"), Text(Realm, "Login to 4K0123ABPAZ4567"), Open(37777), DESCRIBED],
        Kind::Camera,
        (0.9, 0.99),
        Some("Dahua"),
    ),
    (
        "Dahua's firmware under some brand",
        &[PLAYABLE, LOCKED, Text(Realm, "Login to 4K0123ABPAZ4567")],
        Kind::Camera,
        (0.6, 0.9),
        Some("Dahua or OEM"),
    ),
    (
        "Amcrest by its MAC, Dahua's firmware",
        &[Mac("9c:8e:cd:00:00:01"), Text(RtspServer, "Rtsp Server/3.0"), Text(Realm, "Login to AMC0123456789")],
        Kind::Camera,
        (0.8, 0.99),
        Some("Amcrest"),
    ),
    (
        "Axis",
        &[
            Mac("ac:cc:8e:00:00:01"),
            states("AXIS"),
            model("M1014"),
            Said(Fact::Model, "AXIS M1014", From::Upnp, 0.8),
            Text(MdnsService, "_axis-video._tcp"),
            Text(UpnpManufacturer, "AXIS"),
            Text(Realm, "AXIS_ACCC8E123456"),
            Text(RtspServer, "GStreamer RTSP server"),
            PLAYS,
        ],
        Kind::Camera,
        (0.97, 0.99),
        Some("Axis"),
    ),
    (
        "Axis by certificate and title",
        &[Text(Certificate, "CN=axis-accc8ea31abf,O=Axis Communications AB"), Text(HttpTitle, "AXIS")],
        Kind::Camera,
        (0.8, 0.95),
        Some("Axis"),
    ),
    (
        "Bosch",
        &[
            TRANSMITTER,
            Text(OnvifScope, "name/Bosch"),
            Text(Model, "FLEXIDOME panoramic 5100i"),
            Text(Realm, "Use 'live' as User Name"),
        ],
        Kind::Camera,
        (0.9, 0.99),
        Some("Bosch"),
    ),
    (
        "Hanwha",
        &[
            Text(OnvifScope, "manufacturer/Hanwha Techwin"),
            Text(Realm, "iPOLiS"),
            Text(Model, "XNV-8080R"),
            TRANSMITTER,
        ],
        Kind::Camera,
        (0.9, 0.99),
        Some("Hanwha"),
    ),
    (
        "Reolink",
        &[
            Mac("ec:71:db:46:5a:f7"),
            states("REOLINK"),
            model("E1 Zoom"),
            Text(RtspServer, "Rtsp Server/2.0"),
            Text(SdpSession, "Session streamed by \"preview\""),
            Open(9000),
            PLAYS,
        ],
        Kind::Camera,
        (0.95, 0.99),
        Some("Reolink"),
    ),
    (
        "Tapo",
        &[Mac("00:31:92:00:00:01"), Text(Realm, "TP-LINK IP-Camera"), Open(2020), PLAYABLE, LOCKED],
        Kind::Camera,
        (0.8, 0.95),
        Some("TP-Link"),
    ),
    (
        "Xiongmai under some brand, whose ONVIF says H264",
        &[
            states("H264"),
            Text(OnvifManufacturer, "H264"),
            model("XM530_50X50-WG_8M"),
            Text(Model, "XM530_50X50-WG_8M"),
            Text(RtspServer, "H264DVR 1.0"),
            Text(HttpTitle, "NETSurveillance WEB"),
            Open(34567),
            PLAYS,
        ],
        Kind::Camera,
        (0.95, 0.99),
        Some("Xiongmai or OEM"),
    ),
    (
        "a camera whose manufacturer is NONE",
        &[Mac("48:ea:63:00:00:01"), states("NONE"), model("GX728MF-IR28"), TRANSMITTER, PLAYS],
        Kind::Camera,
        (0.95, 0.99),
        Some("Uniview"),
    ),
    (
        "Hipcam",
        &[Text(RtspServer, "Hipcam RealServer/V1.0"), Text(Realm, "Hipcam RealServer")],
        Kind::Camera,
        (0.8, 0.95),
        Some("Hi3510 or OEM"),
    ),
    (
        "VStarcam",
        &[Text(SdpSession, "streamed by the VSTARCAM RTSP server"), DESCRIBED],
        Kind::Camera,
        (0.85, 0.99),
        Some("VStarcam"),
    ),
    (
        "D-Link",
        &[
            Text(Realm, "DCS-932L"),
            Text(HttpServer, "alphapd/2.1.8"),
            Text(UpnpDeviceType, "urn:schemas-upnp-org:device:DigitalSecurityCamera:1"),
        ],
        Kind::Camera,
        (0.9, 0.99),
        Some("D-Link"),
    ),
    ("a camera nobody knows that plays", &[PLAYABLE, PLAYS], Kind::Camera, (0.9, 0.99), None),
    (
        "a camera nobody knows that wants a password",
        &[PLAYABLE, LOCKED, Text(Realm, "streaming_server")],
        Kind::Camera,
        (0.5, 0.7),
        None,
    ),
    (
        "a home-made camera on GStreamer",
        &[Text(RtspServer, "GStreamer RTSP server"), PLAYABLE, PLAYS],
        Kind::Camera,
        (0.7, 0.95),
        None,
    ),
    (
        "ONVIF metadata in its description",
        &[Text(SdpAttribute, "x-onvif-track:VIDEO001"), DESCRIBED],
        Kind::Camera,
        (0.85, 0.99),
        None,
    ),
    (
        "a phone",
        &[Text(Realm, "IP Webcam"), Text(HttpServer, "IP Webcam Server 0.4")],
        Kind::Camera,
        (0.8, 0.95),
        Some("IP Webcam"),
    ),
    (
        "a multi-sensor camera, four channels",
        &[states("AXIS"), Text(Model, "IPC-HFW4431R-Z"), Channels(4), PLAYS],
        Kind::Camera,
        (0.9, 0.99),
        Some("Axis"),
    ),
    // Recorders, encoders, intercoms.
    (
        "Hikvision recorder",
        &[
            states("HIKVISION"),
            TRANSMITTER,
            model("DS-7608NI-K2/8P"),
            Text(Model, "DS-7608NI-K2/8P"),
            Channels(8),
            PLAYS,
        ],
        Kind::Recorder,
        (0.85, 0.99),
        Some("Hikvision"),
    ),
    (
        "Dahua recorder by its model",
        &[Text(RtspServer, "Dahua Rtsp Server"), Text(Model, "DHI-NVR4216-16P")],
        Kind::Recorder,
        (0.6, 0.95),
        Some("Dahua"),
    ),
    (
        "Lorex recorder",
        &[Text(Realm, "Login to ND011811000000"), Text(RtspServer, "Rtsp Server/3.0")],
        Kind::Recorder,
        (0.6, 0.95),
        Some("Lorex"),
    ),
    ("recorder by its sixteen channels", &[PLAYABLE, PLAYS, Channels(16)], Kind::Recorder, (0.6, 0.95), None),
    (
        "recorder of the WS-Discovery type",
        &[Said(Fact::Kind, "recorder", From::Wsdd, 0.7), states("--"), Text(Model, "DRN-3282R")],
        Kind::Recorder,
        (0.7, 0.95),
        None,
    ),
    (
        "UniFi recorder",
        &[
            Text(HttpTitle, "UniFi NVR: Software Portal"),
            Text(Certificate, "CN=unifivideo-app"),
            Text(FaviconMd5, "0aee66dce5587fe6fad5ae2826501add"),
        ],
        Kind::Recorder,
        (0.8, 0.99),
        Some("Ubiquiti"),
    ),
    (
        "Axis encoder",
        &[states("AXIS"), TRANSMITTER, Text(Model, "AXIS P7214"), PLAYS],
        Kind::Encoder,
        (0.7, 0.95),
        Some("Axis"),
    ),
    (
        "Teleste encoder",
        &[Text(SdpSession, "Teleste MPH H.264 Encoder - HK01121135"), DESCRIBED],
        Kind::Encoder,
        (0.6, 0.95),
        Some("Teleste"),
    ),
    (
        "2N intercom",
        &[Mac("7c:1e:b3:00:00:01"), Text(Certificate, "CN=1,OU=2N IP Intercoms,O=2N Telekomunikace a.s."), TRANSMITTER],
        Kind::Intercom,
        (0.75, 0.99),
        Some("2N"),
    ),
    (
        "DoorBird",
        &[Mac("1c:ca:e3:70:00:01"), Text(MdnsService, "_axis-video._tcp"), PLAYS],
        Kind::Intercom,
        (0.6, 0.95),
        Some("DoorBird"),
    ),
    // Media servers.
    (
        "MediaMTX",
        &[Text(RtspServer, "gortsplib"), PLAYABLE, Text(HttpServer, "mediamtx"), Text(MediaServer, "mediamtx"), PLAYS],
        Kind::MediaServer,
        (0.75, 0.99),
        Some("MediaMTX"),
    ),
    (
        "MediaMTX without a stream",
        &[Text(RtspServer, "gortsplib"), PLAYABLE],
        Kind::MediaServer,
        (0.4, 0.8),
        Some("MediaMTX"),
    ),
    (
        "go2rtc",
        &[Text(MediaServer, "go2rtc"), Text(HttpTitle, "go2rtc"), PLAYABLE, PLAYS],
        Kind::MediaServer,
        (0.75, 0.99),
        Some("go2rtc"),
    ),
    (
        "Wowza",
        &[Text(RtspServer, "Wowza Streaming Engine 4.8.10 build20210217143515"), PLAYABLE, PLAYS],
        Kind::MediaServer,
        (0.7, 0.99),
        Some("Wowza"),
    ),
    (
        "Windows Media",
        &[Text(RtspServer, "WMServer/9.1.1.5001"), PLAYABLE],
        Kind::MediaServer,
        (0.5, 0.9),
        Some("Microsoft"),
    ),
    (
        "a NAS whose surveillance streams",
        &[
            Text(HttpTitle, "nas - Synology DiskStation"),
            Text(Certificate, "CN=synology.com,O=Synology Inc."),
            PLAYABLE,
            PLAYS,
        ],
        Kind::MediaServer,
        (0.6, 0.95),
        Some("Synology"),
    ),
    // Other things.
    ("nothing at all", &[], Kind::Other, (0.0, 0.0), None),
    (
        "a radio on GStreamer's server",
        &[
            Text(RtspServer, "GStreamer RTSP server"),
            Text(SdpSession, "Session streamed with GStreamer"),
            PLAYABLE,
            Said(Fact::Kind, "other", From::Sdp, 0.6),
        ],
        Kind::Other,
        (0.5, 0.65),
        None,
    ),
    ("LIVE555's file server without a stream that is asked for", &[PLAYABLE], Kind::Other, (0.0, 0.0), None),
    (
        "a plain web server",
        &[Text(HttpServer, "nginx/1.18.0"), Text(HttpTitle, "Welcome to nginx!")],
        Kind::Other,
        (0.4, 0.7),
        None,
    ),
    (
        "a loudspeaker built on GStreamer",
        &[
            Text(RtspServer, "GStreamer RTSP server"),
            Text(SdpSession, "Session streamed with GStreamer"),
            Said(Fact::Kind, "other", From::Sdp, 0.6),
        ],
        Kind::Other,
        (0.5, 0.7),
        None,
    ),
    (
        "go2rtc over ONVIF, behind a login elsewhere",
        &[model("go2rtc"), Text(Model, "go2rtc"), Text(Realm, "go2rtc"), LOCKED],
        Kind::MediaServer,
        (0.5, 0.9),
        Some("go2rtc"),
    ),
    ("a web server that says nothing", &[Text(HttpServer, "lighttpd")], Kind::Other, (0.0, 0.0), None),
    (
        "AirPlay speaker",
        &[
            Text(RtspServer, "AirTunes/220.68"),
            Text(RtspPublic, "ANNOUNCE, SETUP, RECORD, PAUSE, FLUSH, TEARDOWN, OPTIONS, GET_PARAMETER, SET_PARAMETER"),
            Text(Realm, "airplay"),
            Text(MdnsService, "_raop._tcp"),
        ],
        Kind::Other,
        (0.9, 0.99),
        None,
    ),
    (
        "Sonos",
        &[
            Mac("00:0e:58:00:00:01"),
            Text(SsdpServer, "Linux UPnP/1.0 Sonos/57.3-79200 (ZP90)"),
            Text(UpnpDeviceType, "urn:schemas-upnp-org:device:ZonePlayer:1"),
            Text(UpnpManufacturer, "Sonos, Inc."),
        ],
        Kind::Other,
        (0.8, 0.99),
        Some("Sonos"),
    ),
    (
        "Kodi",
        &[Text(RtspServer, "Kodi/18.0"), Text(MdnsService, "_xbmc-jsonrpc-h._tcp"), PLAYABLE],
        Kind::Other,
        (0.6, 0.99),
        None,
    ),
    ("Shairport", &[Text(RtspServer, "Shairport Sync 3.3")], Kind::Other, (0.6, 0.99), None),
    (
        "HDHomeRun",
        &[
            Text(RtspServer, "HDHomeRun/1.0"),
            PLAYABLE,
            Text(UpnpDeviceType, "urn:schemas-upnp-org:device:MediaServer:1"),
        ],
        Kind::Other,
        (0.6, 0.99),
        Some("Silicondust"),
    ),
    (
        "FRITZ!Box with SAT>IP",
        &[
            Text(SdpSession, "SatIPServer:1 4"),
            Text(UpnpDeviceType, "urn:ses-com:device:SatIPServer:1"),
            Text(HttpTitle, "FRITZ!Box"),
            PLAYABLE,
        ],
        Kind::Other,
        (0.6, 0.99),
        None,
    ),
    (
        "FRITZ!Box with SAT>IP that describes a programme",
        &[
            Text(SdpSession, "SatIPServer:1 4"),
            Text(UpnpDeviceType, "urn:ses-com:device:SatIPServer:1"),
            PLAYABLE,
            DESCRIBED,
        ],
        Kind::MediaServer,
        (0.5, 0.99),
        None,
    ),
    (
        "Freebox",
        &[Text(RtspServer, "fbxrtspd/1.2 Freebox minimal RTSP server"), PLAYABLE],
        Kind::Other,
        (0.5, 0.99),
        Some("Free"),
    ),
    (
        "Windows that shares media",
        &[
            Said(Fact::Kind, "other", From::Wsdd, 0.9),
            Text(SsdpServer, "Microsoft-Windows/10.0 UPnP/1.0 UPnP-Device-Host/1.0"),
            Text(UpnpDeviceType, "urn:schemas-upnp-org:device:MediaServer:1"),
            Text(HttpServer, "Microsoft-HTTPAPI/2.0"),
        ],
        Kind::Other,
        (0.9, 0.99),
        None,
    ),
    (
        "MiniDLNA",
        &[
            Text(SsdpServer, "Linux/3.14 DLNADOC/1.50 UPnP/1.0 MiniDLNA/1.2.1"),
            Text(UpnpDeviceType, "urn:schemas-upnp-org:device:MediaServer:1"),
            Text(UpnpManufacturer, "Justin Maggard"),
        ],
        Kind::Other,
        (0.6, 0.99),
        None,
    ),
    (
        "printer",
        &[
            Said(Fact::Kind, "other", From::Wsdd, 0.9),
            Text(HttpServer, "HP HTTP Server; HP OfficeJet Pro 8710"),
            Text(MdnsService, "_ipp._tcp"),
            Text(Hostname, "HP8CDCD4"),
        ],
        Kind::Other,
        (0.9, 0.99),
        None,
    ),
    (
        "router",
        &[
            Text(SsdpServer, "OpenWrt/21.02 UPnP/1.1 MiniUPnPd/2.2.1"),
            Text(UpnpDeviceType, "urn:schemas-upnp-org:device:InternetGatewayDevice:1"),
            Text(HttpTitle, "OpenWrt - LuCI"),
        ],
        Kind::Other,
        (0.8, 0.99),
        None,
    ),
    (
        "a TP-Link router",
        &[Mac("00:31:92:00:00:01"), Text(Realm, "TP-LINK Wireless N Router WR841N")],
        Kind::Other,
        (0.4, 0.7),
        Some("TP-Link"),
    ),
    (
        "QNAP",
        &[Text(HttpTitle, "QNAP Turbo NAS"), Text(Certificate, "CN=QNAP NAS,O=QNAP Systems Inc.")],
        Kind::Other,
        (0.6, 0.99),
        Some("QNAP"),
    ),
    (
        "TiVo",
        &[Text(HttpServer, "tivo-httpd-1:20.7.4"), Text(HttpTitle, "TiVo DVR")],
        Kind::Other,
        (0.6, 0.99),
        Some("TiVo"),
    ),
    (
        "Room Alert",
        &[
            Text(HttpServer, "Microsoft-HTTPAPI/2.0"),
            Text(HttpTitle, "AVTECH Software, Inc. - Room Alert 3E - Advanced"),
        ],
        Kind::Other,
        (0.6, 0.99),
        None,
    ),
    ("Chromecast", &[Text(MdnsService, "_googlecast._tcp"), Text(Model, "Chromecast")], Kind::Other, (0.5, 0.99), None),
    (
        "television",
        &[
            Text(UpnpDeviceType, "urn:schemas-upnp-org:device:MediaRenderer:1"),
            Text(UpnpManufacturer, "Samsung Electronics"),
            Text(MdnsService, "_airplay._tcp"),
        ],
        Kind::Other,
        (0.7, 0.99),
        None,
    ),
    ("a host that has Dahua's port open", &[Open(37777)], Kind::Other, (0.0, 0.3), Some("Dahua or OEM")),
    (
        "a D-Link switch",
        &[Mac("00:05:5d:00:00:01"), Text(Model, "DGS-1210-24")],
        Kind::Other,
        (0.4, 0.7),
        Some("D-Link"),
    ),
];

#[test]
fn devices_are_told_from_what_was_seen() {
    let mut wrong = Vec::new();
    for (name, seen, kind, (least, most), vendor) in CASES {
        let verdict = weigh(&evidence_of(seen));
        let confident = (*least..=*most).contains(&verdict.confidence);
        if verdict.kind != *kind || !confident || verdict.winner(Fact::Vendor) != *vendor {
            wrong.push(format!(
                "{name}: {:?} {:.3}\n  {}",
                verdict.kind,
                verdict.confidence,
                verdict.explain().join("\n  ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
