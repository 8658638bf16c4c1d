//! Scanner and refused session, mouth to mouth.

use str0m::change::SdpOffer;
use str0m::{Candidate, Rtc};

use super::*;
use crate::protocol::webrtc::receiver::{self, Receiver};

/// What a scanner says of a device with an RSA certificate, which begins the handshake or waits for it.
fn said_of_a_device_that(begins: bool) -> String {
    let (device, scanner) = ("192.0.2.10:8189".parse().unwrap(), "192.0.2.1:5000".parse().unwrap());
    let mut clock = now();
    let (mut receiver, offer) = Receiver::offer(scanner, false, clock).unwrap();
    // As the device once answered somebody else.
    let mut other = Rtc::builder().set_rtp_mode(true).build(clock);
    other.add_local_candidate(Candidate::host(device, "udp").unwrap());
    let answer = other.sdp_api().accept_offer(SdpOffer::from_sdp_string(&offer).unwrap()).unwrap().to_sdp_string();
    let [says, is_to_say] = if begins { ["passive", "active"] } else { ["active", "passive"] };
    let recorded = answer.replace(&format!("a=setup:{says}"), &format!("a=setup:{is_to_say}"));
    assert_eq!(description::begins_handshake(&recorded), begins);
    let wanted = Wanted { offer: &offer, recorded: &recorded, payload_types: [Some(96), None], local: device };
    let (mut session, answer) = Session::answer(&wanted, clock).unwrap();
    let mut refusal = Refusal::new(begins, [7; 32]);
    receiver.accept(&answer, device.ip()).unwrap();
    receiver.tick(clock);
    for _ in 0..10_000 {
        let mut hears = |bytes: &[u8], clock| receiver.receive(false, device, scanner, bytes, clock);
        loop {
            match session.poll() {
                Happened::Send(_, bytes) if !is_handshake(&bytes) => hears(&bytes, clock),
                Happened::Send(..) | Happened::Connected => {}
                Happened::Wait(_) | Happened::Ended => break,
            }
        }
        match receiver.poll() {
            receiver::Happened::Send(sent) if is_handshake(&sent.contents) => {
                if let Some(said) = refusal.answer(&sent.contents) {
                    receiver.receive(false, device, scanner, &said, clock);
                }
            }
            receiver::Happened::Send(sent) => {
                session.receive(scanner, device, &sent.contents, clock);
                if let Some(said) = refusal.begin() {
                    receiver.receive(false, device, scanner, &said, clock);
                }
            }
            receiver::Happened::Broke(why) => return why,
            receiver::Happened::Wait(at) => {
                clock = at.max(clock + Duration::from_millis(1));
                receiver.tick(clock);
                session.tick(clock);
            }
            receiver::Happened::Connected | receiver::Happened::Packet(_) => panic!("nothing is encrypted"),
            receiver::Happened::Ended => panic!("it ended without a word"),
        }
    }
    panic!("it never broke");
}

/// Whoever reads the report is told what is the matter, and not what the library calls it.
#[test]
fn a_certificate_of_another_kind_is_called_so_whoever_begins() {
    assert_eq!(
        said_of_a_device_that(true),
        "its certificate is not of the kind ECDSA, the only one camscan takes; most others are RSA"
    );
    assert_eq!(
        said_of_a_device_that(false),
        "it takes no encryption that camscan knows; most likely its certificate is RSA, and camscan takes only ECDSA"
    );
}
