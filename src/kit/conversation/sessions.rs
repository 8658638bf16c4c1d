//! WebRTC sessions: which offer each was opened by, and what came of it.

use std::time::Duration;

use super::MOST_FRAMES;
use super::flow::ms;
use super::streams::encodings;
use crate::kit::format::{Blob, Exchange, Frame, Session};
use crate::kit::media;
use crate::model::recording::{Decrypted, Session as Played};

/// What of an offer is the scanner's own and holds for one session alone.
const OF_ONE: [&str; 7] =
    ["o=", "a=candidate", "a=end-of-candidates", "a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=ssrc"];

/// Whether a body is an offer for a session (RFC 8866): of these each is made anew, so that any stands for any other.
pub fn is_offer(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"v=0")
}

/// Whether an offer was answered with a session.
pub(super) fn is_agreed(exchange: &Exchange) -> bool {
    let is_ok = |head: &[u8]| head.split(|b| *b == b' ').nth(1).is_some_and(|code| code.starts_with(b"20"));
    exchange.ask.body.as_ref().is_some_and(|body| is_offer(&body.0))
        && exchange.answer.as_ref().is_some_and(|a| is_ok(&a.head.0) && a.body.iter().any(|b| is_offer(&b.bytes.0)))
}

/// Notes what came of the session that an offer opened, and takes out of the offer whose it was.
pub(super) fn note(exchange: &mut Exchange, sessions: &[Played]) {
    let Some(body) = exchange.ask.body.as_mut().filter(|body| is_offer(&body.0)) else { return };
    let played = sessions.iter().find(|session| session.offer.as_bytes() == body.0);
    *body = Blob(without_own(&body.0));
    let Some(played) = played else { return };
    exchange.session = Some(match (played.connected, played.broke) {
        (Some(_), _) => Session::Connected,
        (None, true) => Session::Refused,
        (None, false) => Session::Silent,
    });
    let answer: Vec<u8> = exchange.answer.iter().flat_map(|a| &a.body).flat_map(|b| b.bytes.0.clone()).collect();
    let encodings = encodings(&String::from_utf8_lossy(&answer));
    let began = played.connected.unwrap_or_default();
    let mut frames = frames(&played.packets, began);
    frames.truncate(MOST_FRAMES);
    for frame in &mut frames {
        let kind = frame.bytes.0.get(1).map_or(0, |byte| byte & 0x7f);
        media::blank_rtp(&mut frame.bytes.0, encodings.get(&kind).map_or("", String::as_str));
    }
    exchange.media = frames;
}

fn without_own(offer: &[u8]) -> Vec<u8> {
    let lines = offer.split_inclusive(|b| *b == b'\n');
    lines.filter(|line| !OF_ONE.iter().any(|own| line.starts_with(own.as_bytes()))).flatten().copied().collect()
}

/// The packets in the order of their numbers, each once: what came late or twice is sent in its place.
fn frames(packets: &[Decrypted], began: Duration) -> Vec<Frame> {
    let mut packets: Vec<&Decrypted> = packets.iter().collect();
    packets.sort_by_key(|packet| (packet.is_sound, packet.sequence));
    packets.dedup_by_key(|packet| (packet.is_sound, packet.sequence));
    let mut latest = [0; 2];
    let mut frames = Vec::new();
    for packet in packets {
        let track = usize::from(packet.is_sound);
        let Some(latest) = latest.get_mut(track) else { continue };
        *latest = ms(began, packet.at).max(*latest);
        frames.push(Frame { after_ms: *latest, track, rtcp: false, bytes: Blob(packet.bytes.clone()) });
    }
    frames.sort_by_key(|frame| frame.after_ms);
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::format::{Answer, Ask, Spoken, Timed};

    const OFFER: &str = "v=0\r\no=- 7 1 IN IP4 192.168.1.9\r\ns=-\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:0123456789\r\na=fingerprint:sha-256 AA:BB\r\n\
        a=candidate:1 1 udp 1 192.168.1.9 5000 typ host\r\na=rtpmap:96 H264/90000\r\n";

    fn packet(is_sound: bool, sequence: u64, at_ms: u64) -> Decrypted {
        let mut bytes = vec![0x80, if is_sound { 111 } else { 96 }, 0, sequence as u8, 0, 0, 0, 0, 0, 0, 0, 1];
        bytes.extend([0x41, 0x9a, 1, 2, 3, 4, 5, 6, 7, 8]);
        Decrypted { at: Duration::from_millis(at_ms), is_sound, sequence, bytes }
    }

    fn exchange(played: &[Played]) -> Exchange {
        let ask = Ask {
            protocol: Spoken::Http,
            method: "POST".to_owned(),
            target: "/whep".to_owned(),
            login: None,
            transport: None,
            body: Some(Blob(OFFER.into())),
        };
        let body =
            "v=0\r\nm=video 9 X 96\r\na=rtpmap:96 H264/90000\r\nm=audio 9 X 111\r\na=rtpmap:111 opus/48000/2\r\n";
        let head = Blob(b"HTTP/1.1 201 Created\r\n\r\n".to_vec());
        let body = vec![Timed { after_ms: 0, bytes: Blob(body.into()) }];
        let mut exchange = Exchange { answer: Some(Answer { head, body, ..Answer::default() }), ..Exchange::of(ask) };
        note(&mut exchange, played);
        exchange
    }

    fn played(offer: &str, connected: Option<u64>, broke: bool, packets: Vec<Decrypted>) -> Vec<Played> {
        let connected = connected.map(Duration::from_millis);
        vec![Played { offer: offer.to_owned(), local_port: 5000, connected, broke, packets }]
    }

    #[test]
    fn packets_are_those_of_the_session_in_order_and_without_a_picture() {
        let packets = vec![packet(false, 1, 1000), packet(false, 3, 1010), packet(false, 2, 1020)];
        let packets = [packets, vec![packet(true, 9, 1015), packet(true, 9, 1016)]].concat();
        let exchange = exchange(&played(OFFER, Some(990), false, packets));
        assert_eq!(exchange.session, Some(Session::Connected));
        let found: Vec<_> = exchange.media.iter().map(|f| (f.track, f.bytes.0[3], f.after_ms)).collect();
        assert_eq!(found, [(0, 1, 10), (1, 9, 25), (0, 2, 30), (0, 3, 30)]);
        for frame in &exchange.media {
            let kept = if frame.track == 0 { 12 + 7 } else { 12 };
            assert!(frame.bytes.0[kept..].iter().all(|b| *b == crate::kit::format::FILL), "{frame:?}");
        }
    }

    #[test]
    fn how_far_a_session_came_is_told() {
        let of = |played: &[Played]| exchange(played).session;
        assert_eq!(of(&played(OFFER, None, true, Vec::new())), Some(Session::Refused));
        assert_eq!(of(&played(OFFER, None, false, Vec::new())), Some(Session::Silent));
        assert_eq!(of(&played("v=0\r\n", Some(1), false, Vec::new())), None, "it is of another offer");
        assert!(is_agreed(&exchange(&[])));
    }

    #[test]
    fn an_offer_is_kept_without_what_is_the_scanners_own() {
        let kept = String::from_utf8(exchange(&[]).ask.body.unwrap().0).unwrap();
        assert_eq!(kept, "v=0\r\ns=-\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\n");
    }
}
