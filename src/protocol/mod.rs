//! One folder per protocol: `wire.rs` turns bytes into values and back, `discover.rs` and `detect.rs` are the thin shells
//! that send and receive. A protocol joins the scanner by its folder's `PROTOCOL`
//! and a line in [`PROTOCOLS`].

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
pub mod recorder;
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

use crate::probe::ProtocolRows;

/// All protocols. The order counts within each kind of row: detectors are asked in it, and probes of the phases `Name` and
/// `Walk` run in it.
pub const PROTOCOLS: &[ProtocolRows] = &[
    // Finding hosts: the local links, then what lies behind routers, then whoever announces itself.
    arp::PROTOCOL,
    icmp::PROTOCOL,
    tcp::PROTOCOL,
    wsdd::PROTOCOL,
    ssdp::PROTOCOL,
    mdns::PROTOCOL,
    beacon::PROTOCOL,
    // What says where streams are comes before what walks them.
    onvif::PROTOCOL,
    media_server::PROTOCOL,
    rtsp::PROTOCOL,
    // A recorder is asked for its cameras once it is known to be one; often only its streams show that.
    recorder::PROTOCOL,
    mjpeg::PROTOCOL,
    // A wrong name costs one request over HTTP, and a wait over RTMP: what is found there is tried here.
    hls::PROTOCOL,
    dash::PROTOCOL,
    rtmp::PROTOCOL,
    webrtc::PROTOCOL,
    stun::PROTOCOL,
    srt::PROTOCOL,
    // Web servers answer whatever they are asked: HTTP is the last to be looked for on a port.
    http::PROTOCOL,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::PROTOCOLS;
    use crate::net::link::DISCOVERY_PORTS;
    use crate::probe::Reads;

    #[test]
    fn a_link_is_read_for_every_port_that_is_listened_to() {
        let listeners = PROTOCOLS.iter().filter_map(|rows| rows.listener);
        let ports: BTreeSet<u16> = listeners
            .flat_map(|listener| match listener.reads {
                Reads::Datagrams { ports, .. } => ports(),
                Reads::Claims(_) => Vec::new(),
            })
            .collect();
        assert_eq!(ports.into_iter().collect::<Vec<_>>(), DISCOVERY_PORTS);
    }
}
