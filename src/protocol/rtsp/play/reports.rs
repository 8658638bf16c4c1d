//! RTCP: receiver reports on how well the device's packets come, and the device's statements about its own clocks
//! (RFC 3550 §6).

use std::ops::DerefMut;
use std::time::Duration;

use tokio::time::Instant;

use super::track::Carrier;
use super::{Ended, PlayEvent, Playing};
use crate::media::reception::report_interval;
use crate::media::rtcp::{self, Rtcp};
use crate::protocol::rtsp::client::Client;

/// How long sending a report may take on a connection that takes nothing more.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longer than anybody plays: when no report is ever due.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Whether the device gets reports on how well its packets come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reporting {
    /// It gets none.
    Silent,
    /// It is sent a receiver report of each media every five seconds or so (RFC 3550 §6.2).
    Regular,
}

/// Us, as a participant of the session.
pub(super) struct Receiver {
    reporting: Reporting,
    ssrc: u32,
    /// A name by chance, which says nothing of this machine (RFC 7022 §4.2).
    cname: Vec<u8>,
    /// When the next report is due.
    pub due: Instant,
}

impl Receiver {
    pub fn new(reporting: Reporting, now: Instant) -> Receiver {
        let cname = format!("{:016x}", fastrand::u64(..)).into_bytes();
        let mut receiver = Receiver { reporting, ssrc: fastrand::u32(1..), cname, due: now };
        receiver.plan(now, true);
        receiver
    }

    fn plan(&mut self, now: Instant, is_first: bool) {
        self.due = now
            + match self.reporting {
                Reporting::Silent => NEVER,
                Reporting::Regular => report_interval(is_first, fastrand::f64()),
            };
    }
}

impl<C: DerefMut<Target = Client>> Playing<C> {
    /// Sends a receiver report of each media when they are due.
    pub(super) async fn report(&mut self) {
        let now = Instant::now();
        if now < self.receiver.due {
            return;
        }
        self.receiver.plan(now, false);
        let at = now.saturating_duration_since(self.began);
        let peer = self.client.peer.ip;
        for track in &mut self.tracks {
            let blocks = track.reception.report(at).into_iter().collect();
            let report = Rtcp::ReceiverReport { ssrc: self.receiver.ssrc, blocks };
            let name = Rtcp::Description { ssrc: self.receiver.ssrc, cname: self.receiver.cname.clone() };
            let bytes = rtcp::emit(&[report, name]);
            match &track.carrier {
                Carrier::Interleaved { rtcp, .. } => {
                    let Some(channel) = self.client.channel.as_mut() else { return };
                    if channel.send(&interleaved(*rtcp, &bytes), now + PATIENCE).await.is_err() {
                        self.ended = Some(Ended::Closed);
                        return;
                    }
                }
                Carrier::Udp(pair) => pair.report(peer, &bytes).await,
                // A sender to a group gets no reports from one of many.
                Carrier::Multicast(..) => {}
            }
        }
    }

    /// Takes in an RTCP packet that came for the track of that index, where one is known.
    pub(super) fn take_report(&mut self, index: Option<usize>, bytes: &[u8], arrived: Instant) {
        let at = arrived.saturating_duration_since(self.began);
        for packet in rtcp::parse(bytes) {
            match packet {
                Rtcp::SenderReport { ssrc, info, .. } => {
                    if let Some(track) = index.and_then(|index| self.tracks.get_mut(index)) {
                        track.reception.sender_report(ssrc, &info, at);
                        self.events.push_back(PlayEvent::Clock { media: track.media, info, arrived });
                    }
                }
                Rtcp::Goodbye { sources } => {
                    for track in &mut self.tracks {
                        if sources.iter().any(|&ssrc| track.reception.goodbye(ssrc)) {
                            self.events.push_back(PlayEvent::Goodbye { media: track.media });
                        }
                    }
                }
                Rtcp::ReceiverReport { .. } | Rtcp::Description { .. } => {}
            }
        }
    }
}

/// A packet as it goes over a channel of the RTSP connection (RFC 2326 §10.12).
fn interleaved(channel: u8, packet: &[u8]) -> Vec<u8> {
    let [high, low] = (packet.len() as u16).to_be_bytes();
    [&[b'$', channel, high, low], packet].concat()
}
