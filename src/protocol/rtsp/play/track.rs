//! A media that was set up: how its packets come, in what order, and how well they are received.

use std::net::SocketAddr;
use std::time::Duration;

use super::MediaToPlay;
use crate::media::order::PacketOrder;
use crate::media::reception::Reception;
use crate::protocol::rtsp::headers::RtpInfo;
use crate::protocol::rtsp::udp::UdpPair;
use crate::protocol::rtsp::url::RtspUrl;

/// A media that was set up.
pub(super) struct Track {
    /// Its index among those that were to be played.
    pub media: usize,
    pub url: RtspUrl,
    pub payload_type: Option<u8>,
    pub carrier: Carrier,
    /// Packets that came, of whatever payload type.
    pub packets: u64,
    pub order: PacketOrder,
    pub reception: Reception,
    /// Its first sequence number and timestamp, as far as the device says.
    pub beginning: (Option<u16>, Option<u32>),
}

/// How packets come.
pub(super) enum Carrier {
    /// On these channels of the RTSP connection.
    Interleaved {
        rtp: u8,
        rtcp: u8,
    },
    Udp(Box<UdpPair>),
    /// From the group that was joined.
    Multicast(SocketAddr, Box<UdpPair>),
}

/// How well a media is received.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Statistics {
    /// Packets of its payload type that came.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came late or twice.
    pub reordered: u64,
    /// Packets held back for order's sake.
    pub held: usize,
    /// The jitter between arrivals (RFC 3550 §6.4.1).
    pub jitter: Duration,
}

impl Track {
    pub fn new(media: usize, wanted: &MediaToPlay, url: RtspUrl, carrier: Carrier) -> Track {
        Track {
            media,
            url,
            payload_type: wanted.payload_type,
            carrier,
            packets: 0,
            order: PacketOrder::new(wanted.payload_type),
            reception: Reception::new(wanted.clock_rate),
            beginning: (None, None),
        }
    }

    pub fn statistics(&self) -> Statistics {
        Statistics {
            packets: self.order.packets(),
            bytes: self.order.bytes(),
            lost: self.order.lost(),
            reordered: self.order.reordered(),
            held: self.order.held(),
            jitter: Duration::try_from_secs_f64(self.reception.jitter_s()).unwrap_or_default(),
        }
    }
}

/// Notes what the answer to PLAY says of the tracks' beginnings: by their addresses, absolute or not, or by their order
/// where all are named.
pub(super) fn note_beginnings(tracks: &mut [Track], told: &[RtpInfo]) {
    let is_whole = told.len() == tracks.len();
    for (place, track) in tracks.iter_mut().enumerate() {
        let url = track.url.to_string();
        let is_its = |info: &&RtpInfo| !info.url.is_empty() && url.ends_with(&info.url);
        let by_place = told.get(place).filter(|_| is_whole);
        if let Some(info) = told.iter().find(is_its).or(by_place) {
            track.beginning = (info.sequence, info.rtp_time);
        }
    }
}
