//! What strangers send to live view, each as a function of bytes: for the fuzz targets. Nothing of it is served by these.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use str0m::Input;
use str0m::net::{Protocol, Receive};

use super::negotiate::{self, Agreed, Means, NoAgreement, Reach};
use super::run::named;
use crate::media::format::{AudioFormat, VideoFormat};
use crate::model::{AudioCodec, VideoCodec};
use crate::protocol::webrtc::receiver::Receiver;

/// Where all packets come from and go to.
const VIEWER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), 5000);
const OWN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 8001);

fn means() -> Option<&'static Means> {
    static MEANS: OnceLock<Option<Arc<Means>>> = OnceLock::new();
    MEANS.get_or_init(|| Means::new().ok().map(Arc::new)).as_deref()
}

fn agree(offer: &str, codec: VideoCodec) -> Option<Result<Agreed, NoAgreement>> {
    let video = VideoFormat { codec, sets: Vec::new(), size: None };
    let audio = AudioFormat { codec: AudioCodec::Pcmu, clock_rate: 8000, channels: 1, config: Bytes::new() };
    let reach = Reach { udp: vec![OWN], tcp: vec![OWN], forwarded: vec![VIEWER] };
    let now = tokio::time::Instant::now().into_std();
    Some(negotiate::answer(offer, &video, Some(&audio), &reach, means()?, now))
}

/// A player's offer, of the kind that WHEP takes; the answer, where there is one.
pub fn offer(text: &str) -> Option<String> {
    let answers = [VideoCodec::H264, VideoCodec::H265, VideoCodec::Vp8].map(|codec| agree(text, codec));
    answers.into_iter().flatten().find_map(Result::ok).map(|agreed| agreed.answer)
}

/// Datagrams that come to the port of live view, from somebody whose offer was answered: how many were that session's.
pub fn datagrams<'a>(all: impl IntoIterator<Item = &'a [u8]>) -> usize {
    let now = tokio::time::Instant::now().into_std();
    let Ok((_, offer)) = Receiver::offer(VIEWER, false, now) else { return 0 };
    let Some(Ok(Agreed { mut rtc, ufrag, .. })) = agree(&offer, VideoCodec::H264) else { return 0 };
    let mut taken = 0;
    for bytes in all {
        // Whether it asks for this session or another one, the session has to bear what it may be handed.
        taken += usize::from(named(bytes).is_some_and(|name| name == ufrag));
        let Ok(received) = Receive::new(Protocol::Udp, VIEWER, OWN, bytes) else { continue };
        let input = Input::Receive(now, received);
        if rtc.accepts(&input) && rtc.handle_input(input).is_err() {
            break;
        }
        while let Ok(str0m::Output::Event(_) | str0m::Output::Transmit(_)) = rtc.poll_output() {}
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_offer_is_answered_and_noise_is_nobodys() {
        let now = tokio::time::Instant::now().into_std();
        let (_, good) = Receiver::offer(VIEWER, false, now).unwrap();
        assert!(offer(&good).unwrap().contains("m=video"));
        assert_eq!(offer("v=0\r\n"), None);
        assert_eq!(datagrams([&[0, 1, 0, 0][..], &[0x80; 100], &[22; 50], &[]]), 0);
    }
}
