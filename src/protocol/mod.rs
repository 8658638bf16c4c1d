//! One folder per protocol: `wire.rs` turns bytes into values and back, `discover.rs` and `detect.rs` are the thin shells
//! that send and receive. A protocol joins the scanner by a line in one of these tables.

pub mod arp;
pub mod beacon;
pub mod dash;
pub mod hls;
pub mod http;
pub mod icmp;
pub mod mdns;
pub mod media_server;
pub mod mjpeg;
pub mod onvif;
pub mod proof;
pub mod rtmp;
pub mod rtsp;
pub mod segment;
pub mod snapshot;
pub mod srt;
pub mod ssdp;
pub mod stun;
pub mod tcp;
pub mod webrtc;
pub mod wsdd;

use crate::probe::{Detector, Discoverer, HostProbe};

/// Ways of finding hosts; all run at once.
pub const DISCOVERERS: &[&dyn Discoverer] = &[
    // The local links, then what lies behind routers, then whoever announces itself.
    &arp::discover::ArpSweep,
    &icmp::discover::IcmpSweep,
    &tcp::discover::TcpSweep,
    &wsdd::discover::WsDiscovery,
    &ssdp::discover::Ssdp,
    &mdns::discover::Mdns,
    &beacon::discover::Beacons,
];

/// Asked of every open port; those that expect the port come first.
pub const DETECTORS: &[&dyn Detector] = &[
    &rtsp::detect::RtspDetector,
    &rtmp::detect::RtmpDetector,
    &stun::detect::StunDetector,
    &http::detect::HttpDetector,
];

/// Asked of every host besides its ports, while they are looked at; what they say leads the analysers.
pub const INQUIRIES: &[&dyn HostProbe] = &[&wsdd::inquire::UnicastProbe, &ssdp::inquire::UnicastSearch];

/// Asked of every host meanwhile; nothing waits for what they say.
pub const ASIDES: &[&dyn HostProbe] = &[&stun::detect::StunInquiry, &srt::inquire::SrtInquiry];

/// Run one after the other when a host's ports are known: what says where streams are comes before what walks them.
pub const ANALYSERS: &[&dyn HostProbe] = &[
    &ssdp::describe::Describe,
    &onvif::analyze::OnvifAnalysis,
    &media_server::analyze::MediaServers,
    &rtsp::analyze::Analyse,
    &mjpeg::analyze::MjpegAnalysis,
    // A wrong name costs one request over HTTP, and a wait over RTMP: what is found there is tried here.
    &hls::analyze::HlsAnalysis,
    &dash::analyze::DashAnalysis,
    &rtmp::analyze::RtmpAnalysis,
    &webrtc::analyze::WhepAnalysis,
];
