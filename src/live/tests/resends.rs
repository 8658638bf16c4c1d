//! A viewer on whose way packets are lost, those that were sent again among them.

use std::collections::{BTreeSet, HashMap};

use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Input, Output, Rtc};

use super::*;

/// Loses one picture's packet in twenty, and of what is sent again the first of each; says how often each of the latter came.
struct BadWay {
    resends: BTreeSet<u8>,
    pictures: u64,
    again: HashMap<Vec<u8>, u32>,
}

impl BadWay {
    /// Whether a datagram comes through.
    fn passes(&mut self, datagram: &[u8]) -> bool {
        match *datagram {
            // What is sent once more is the very same.
            [128..=191, kind, ..] if self.resends.contains(&(kind & 0x7f)) => {
                let times = self.again.entry(datagram.to_vec()).or_default();
                *times += 1;
                *times > 1
            }
            // Not the reports (RFC 5761 §4).
            [128..=191, kind, ..] if !(64..96).contains(&(kind & 0x7f)) => {
                self.pictures += 1;
                !self.pictures.is_multiple_of(20)
            }
            _ => true,
        }
    }
}

/// Who asked for a packet that is lost again on its way need not ask once more.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_comes_though_it_is_lost_again() {
    let (live, _fleet) = live_of(camera()).await;
    let socket = RealNet::new().udp(&UdpBind::any_port(LOCAL)).unwrap();
    let local = socket.local_addr().unwrap();
    let crypto = Arc::new(str0m::crypto::from_feature_flags());
    let mut viewer = Rtc::builder().set_crypto_provider(crypto).set_rtp_mode(true).build(now());
    viewer.add_local_candidate(Candidate::builder().udp().host(local).build().unwrap());
    let mut changes = viewer.sdp_api();
    changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    let (offer, pending) = changes.apply().unwrap();
    let answer = live.offer("a", &offer.to_sdp_string(), None, Some(LOCAL), Guest::lasting("viewer")).await.unwrap();
    viewer.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer.sdp).unwrap()).unwrap();
    let resends = viewer.codec_config().params().iter().filter_map(|params| params.resend()).map(|number| *number);
    let mut way = BadWay { resends: resends.collect(), pictures: 0, again: HashMap::new() };
    let (mut buffer, end) = (vec![0; 2048], Instant::now() + LONG);
    while way.again.values().filter(|times| **times == 2).count() < 4 {
        assert!(Instant::now() < end, "{} packets were sent again, each of them once", way.again.len());
        let due = loop {
            match viewer.poll_output().unwrap() {
                Output::Transmit(sent) => drop(socket.send_to(&sent.contents, sent.destination).await),
                Output::Timeout(due) => break due,
                Output::Event(_) => {}
            }
        };
        let wait = due.saturating_duration_since(now()).clamp(Duration::from_millis(1), Duration::from_millis(50));
        let input = match timeout(wait, socket.recv_from(&mut buffer)).await {
            Ok(Ok((length, from))) if way.passes(&buffer[..length]) => {
                Input::Receive(now(), Receive::new(Protocol::Udp, from, local, &buffer[..length]).unwrap())
            }
            _ => Input::Timeout(now()),
        };
        viewer.handle_input(input).unwrap();
    }
    assert!(way.again.values().all(|times| *times <= 2), "more than twice");
}
