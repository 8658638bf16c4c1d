//! What a stream that plays brings: packets in their order, reports and answers, from whichever way they come.

use std::net::IpAddr;
use std::ops::DerefMut;

use bytes::Bytes;
use futures::future::select_all;
use tokio::time::Instant;

use super::track::{Carrier, Track};
use super::{Ended, PlayEvent, Playing, RtpPacket};
use crate::media::order::Ordered;
use crate::media::rtcp::is_rtcp;
use crate::media::rtp::Packet;
use crate::model::{ErrorKind, Step};
use crate::protocol::rtsp::channel::{Channel, Failure, Frame};
use crate::protocol::rtsp::client::Client;
use crate::protocol::rtsp::wire::Item;

impl<C: DerefMut<Target = Client>> Playing<C> {
    /// The next packet, as [`Playing::event`] gives it; what else comes is passed over.
    pub async fn next(&mut self, deadline: Instant) -> Option<RtpPacket> {
        loop {
            if let PlayEvent::Packet(packet) = self.event(deadline).await? {
                return Some(packet);
            }
        }
    }

    /// What comes next; none when nothing came before `deadline` or nothing will come ([`Playing::ended`]). Sends signs of
    /// life, and reports, as the session needs them: it is to be called again within seconds, and not to be dropped before
    /// it ends, which may cut off what is being sent.
    pub async fn event(&mut self, deadline: Instant) -> Option<PlayEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let now = self.began.elapsed();
            if let Some(packet) = self.next_of_tracks(|track| track.order.pop(now)) {
                return Some(PlayEvent::Packet(packet));
            }
            if self.options.caps.time.is_some_and(|most| self.played.elapsed() >= most) {
                self.ended.get_or_insert(Ended::TooMuch);
            }
            if self.ended.is_some() {
                return self.held_back().map(PlayEvent::Packet);
            }
            self.keep_alive().await;
            self.report().await;
            let due = self.tracks.iter().filter_map(|t| t.order.due()).min().map(|due| self.began + due);
            let due = due.into_iter().chain([self.spoke + self.pause(), self.receiver.due]);
            let limit = due.fold(deadline, Instant::min);
            match self.receive(limit).await {
                Some((index, payload, arrived)) => self.take(index, payload, arrived),
                None if Instant::now() >= deadline => return None,
                None => {}
            }
        }
    }

    /// The next of the packets that are held back because one before them is missing: when nothing more is waited for.
    pub fn held_back(&mut self) -> Option<RtpPacket> {
        self.next_of_tracks(|track| track.order.pop_last())
    }

    fn next_of_tracks(&mut self, next: impl Fn(&mut Track) -> Option<Ordered>) -> Option<RtpPacket> {
        let began = self.began;
        self.tracks.iter_mut().find_map(|track| {
            let Ordered { bytes, arrived, lost } = next(track)?;
            Some(RtpPacket { media: track.media, payload: bytes, arrived: began + arrived, lost })
        })
    }

    /// Takes in what came.
    fn take(&mut self, index: Option<usize>, payload: Bytes, arrived: Instant) {
        self.bytes = self.bytes.saturating_add(payload.len() as u64);
        if self.options.caps.bytes.is_some_and(|most| self.bytes > most) {
            self.ended = Some(Ended::TooMuch);
        }
        if is_rtcp(&payload) {
            self.reports += 1;
            self.take_report(index, &payload, arrived);
        } else if let Some(track) = index.and_then(|i| self.tracks.get_mut(i))
            && let Some(Packet { ssrc, sequence, timestamp, .. }) = Packet::parse(&payload)
        {
            let at = arrived.saturating_duration_since(self.began);
            track.packets += 1;
            if track.order.push(payload, at) {
                track.reception.packet(ssrc, sequence, timestamp, at);
            }
            if !self.client.ladder.reached(Step::Rtp) {
                self.client.ladder.mark(Step::Rtp, true, arrived.saturating_duration_since(self.played));
            }
        }
    }

    /// The next packet, with the index of its track where it has one.
    async fn receive(&mut self, limit: Instant) -> Option<(Option<usize>, Bytes, Instant)> {
        let peer = self.client.peer.ip;
        let Some(channel) = self.client.channel.as_mut() else {
            self.ended = Some(Ended::Closed);
            return None;
        };
        if let Some(Frame { arrived, channel: number, payload }) = channel.frame() {
            return Some((self.track_of(number, &payload), payload, arrived));
        }
        match arrival(channel, &mut self.tracks, peer, limit).await {
            Arrival::Packet(index, payload) => Some((Some(index), payload, Instant::now())),
            Arrival::Item(Item::Data { channel, payload }) => {
                Some((self.track_of(channel, &payload), payload, Instant::now()))
            }
            Arrival::Item(Item::Response(response)) => {
                self.sign_answered(&response).await;
                None
            }
            Arrival::Item(Item::Request(_) | Item::Junk(_)) => None,
            Arrival::Failed(failure) => {
                self.note_failure(failure);
                None
            }
        }
    }

    fn note_failure(&mut self, failure: Failure) {
        self.ended = match failure.kind {
            ErrorKind::Timeout => return,
            ErrorKind::Interrupted => Some(Ended::Interrupted),
            ErrorKind::Protocol | ErrorKind::TooLarge | ErrorKind::Device => Some(Ended::Garbage),
            _ => Some(Ended::Closed),
        };
    }

    /// Which track a channel's packets belong to. When packets come on a channel of the device's own choice, that becomes
    /// the channel of the one track that waits for packets of their type, or of a lone track.
    fn track_of(&mut self, number: u8, payload: &[u8]) -> Option<usize> {
        let on = |rtcp_too: bool| {
            self.tracks.iter().position(|t| match t.carrier {
                Carrier::Interleaved { rtp, rtcp } => rtp == number || rtcp_too && rtcp == number,
                Carrier::Udp(_) | Carrier::Multicast(..) => false,
            })
        };
        if is_rtcp(payload) {
            return on(true);
        }
        let known = on(false);
        let Some(packet) = Packet::parse(payload).filter(|_| known.is_none()) else { return known };
        let is_alone = self.tracks.len() == 1;
        let is_meant = |t: &Track| t.packets == 0 && (is_alone || t.payload_type == Some(packet.payload_type));
        let mut meant = (0..).zip(self.tracks.iter_mut()).filter(|(_, t)| is_meant(t));
        let (Some((index, track)), None) = (meant.next(), meant.next()) else { return None };
        let Carrier::Interleaved { rtp, .. } = &mut track.carrier else { return None };
        self.warnings.push(format!("packets come on channel {number} instead of {rtp}"));
        *rtp = number;
        Some(index)
    }
}

/// What came first, on the RTSP connection or on one of the UDP ports.
enum Arrival {
    Item(Item),
    Packet(usize, Bytes),
    Failed(Failure),
}

async fn arrival(channel: &mut Channel, tracks: &mut [Track], peer: IpAddr, limit: Instant) -> Arrival {
    let pairs: Vec<_> = tracks
        .iter_mut()
        .enumerate()
        .filter_map(|(index, track)| match &mut track.carrier {
            Carrier::Udp(pair) | Carrier::Multicast(_, pair) => {
                Some(Box::pin(async move { (index, pair.receive(peer).await) }))
            }
            Carrier::Interleaved { .. } => None,
        })
        .collect();
    let packets = async {
        match pairs.is_empty() {
            true => std::future::pending().await,
            false => select_all(pairs).await.0,
        }
    };
    let mut heard = false;
    tokio::select! {
        item = channel.item(false, limit, &mut heard) => item.map_or_else(Arrival::Failed, Arrival::Item),
        (index, payload) = packets => Arrival::Packet(index, payload),
    }
}
