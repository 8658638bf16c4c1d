//! What of a description is played: what is measured, and what is set up because players set up every track.
//!
//! GStreamer's server, asked for the picture alone of a mount that has sound, answers PLAY with 200 and often sends nothing:
//! the branch nobody asked for blocks the one that was (gst-rtsp-server, rtsp-media.c, where all of a media prerolls as one).

use std::net::SocketAddr;

use crate::protocol::rtsp::play::MediaToPlay;
use crate::protocol::rtsp::sdp::{Direction, Media, MediaKind, Session};

/// Extra tracks set up at most.
const MOST_EXTRA: usize = 6;

/// What of a description is played, in its order.
pub struct Tracks<'s> {
    /// The media to set up.
    pub to_play: Vec<MediaToPlay>,
    /// The index of what is to be proved: the picture, or the sound of a stream without one.
    pub main: usize,
    /// What is to be proved.
    pub proved: &'s Media,
    /// The sound beside the picture, with its index.
    pub sound: Option<(usize, &'s Media)>,
}

impl<'s> Tracks<'s> {
    /// What to play of a description; none when it has neither picture nor sound.
    pub fn of(session: &'s Session) -> Option<Tracks<'s>> {
        let proved = session.video().or(session.sound_alone())?;
        let is_main = |media: &Media| std::ptr::eq(media, proved);
        let mut extra = 0;
        let mut chosen: Vec<&Media> = Vec::new();
        for media in &session.medias {
            if !is_main(media) && (!is_set_up(media, proved) || extra == MOST_EXTRA) {
                continue;
            }
            extra += usize::from(!is_main(media));
            chosen.push(media);
        }
        let heard = session.audio().filter(|audio| !is_main(audio));
        let to_play = chosen.iter().map(|media| to_play(media, !is_main(media))).collect();
        Some(Tracks {
            to_play,
            main: chosen.iter().position(|media| is_main(media))?,
            proved,
            sound: heard.and_then(|audio| chosen.iter().position(|m| std::ptr::eq(*m, audio)).map(|at| (at, audio))),
        })
    }

    /// The same without what is set up for completeness' sake.
    pub fn alone(mut self) -> Tracks<'s> {
        self.to_play.retain(|m| !m.is_extra);
        Tracks { main: 0, sound: None, ..self }
    }
}

/// Whether players would set a further media up: one that the device sends by RTP under an address of its own.
fn is_set_up(media: &Media, main: &Media) -> bool {
    let is_known = matches!(media.kind, MediaKind::Video | MediaKind::Audio | MediaKind::Application);
    let is_sent = !media.is_back_channel && media.direction != Some(Direction::Inactive);
    let is_rtp = media.payload_type.is_some() && media.protocol.to_ascii_uppercase().starts_with("RTP/");
    is_known && is_sent && is_rtp && media.control.is_some() && media.control != main.control
}

fn to_play(media: &Media, is_extra: bool) -> MediaToPlay {
    let name = match media.kind {
        MediaKind::Video if is_extra => "the second picture",
        MediaKind::Video => "the picture",
        MediaKind::Audio => "the sound",
        MediaKind::Application | MediaKind::Other(_) => "the metadata",
    };
    MediaToPlay {
        control: media.control.clone(),
        is_encrypted: media.is_encrypted(),
        payload_type: media.payload_type,
        clock_rate: media.timestamp_rate(),
        is_extra,
        name,
        group: media.multicast.map(|ip| SocketAddr::new(ip, media.port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controls(sdp: &str) -> Option<(Vec<String>, usize, Option<usize>)> {
        let session = Session::parse(format!("v=0\r\ns=x\r\nt=0 0\r\n{sdp}").as_bytes())?;
        let tracks = Tracks::of(&session)?;
        let controls = tracks.to_play.iter().map(|m| m.control.clone().unwrap_or_default()).collect();
        Some((controls, tracks.main, tracks.sound.map(|(at, _)| at)))
    }

    fn media(kind: &str, control: &str) -> String {
        format!("m={kind}\r\na=control:{control}\r\n")
    }

    #[test]
    fn every_track_that_the_device_sends_is_played_in_its_order() {
        let of = |parts: &[(&str, &str)]| controls(&parts.iter().map(|(k, c)| media(k, c)).collect::<String>());
        let owned = |list: &[&str]| list.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        let metadata = ("application 0 RTP/AVP 107", "m");
        for (parts, played, main, sound) in [
            (
                &[("audio 0 RTP/AVP 0", "a"), ("video 0 RTP/AVP 96", "v"), metadata][..],
                &["a", "v", "m"][..],
                1,
                Some(0),
            ),
            (&[("video 0 RTP/AVP 96", "v")], &["v"], 0, None),
            // Not by RTP, without a format that is one, or under the same address.
            (&[("video 0 RTP/AVP 96", "v"), ("application 0 RTP/AVP smart/1/90000", "s")], &["v"], 0, None),
            (&[("video 0 RTP/AVP 96", "v"), ("application 0 TCP/X 96", "s")], &["v"], 0, None),
            (&[("video 0 RTP/AVP 96", "v"), ("audio 0 RTP/AVP 0", "v")], &["v"], 0, None),
            (&[("audio 0 RTP/AVP 0", "a")], &["a"], 0, None),
        ] {
            assert_eq!(of(parts), Some((owned(played), main, sound)), "{parts:?}");
        }
        assert_eq!(of(&[metadata]), None);
    }

    #[test]
    fn what_the_device_takes_or_does_not_send_is_left_alone() {
        let sdp = "m=video 0 RTP/AVP 96\r\na=control:v\r\nm=audio 0 RTP/AVP 0\r\na=control:a\r\n\
                   m=audio 0 RTP/AVP 8\r\na=control:back\r\na=sendonly\r\nm=audio 0 RTP/AVP 9\r\na=control:off\r\na=inactive\r\n";
        assert_eq!(controls(sdp), Some((vec!["v".to_owned(), "a".to_owned()], 0, Some(1))));
    }

    #[test]
    fn a_description_of_a_hundred_tracks_is_not_set_up_whole() {
        let sdp: String = (0..100).map(|n| media("video 0 RTP/AVP 96", &n.to_string())).collect();
        assert_eq!(controls(&sdp).map(|(played, ..)| played.len()), Some(1 + MOST_EXTRA));
    }
}
