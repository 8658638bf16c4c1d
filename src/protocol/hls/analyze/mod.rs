//! Looks for playlists on a host's HTTP ports and proves each variant by a segment.

use std::time::Duration;

use super::wire::{self, Playlist, Variant};
use crate::media::picture::Picture;
use crate::model::{ErrorKind, FindingKind, Protocol, Stage, Step, StreamSource, Verify};
use crate::probe::memory::Kept;
use crate::probe::{Inspection, Phase, Probe};
use crate::protocol::http::message::{self, Response};
use crate::protocol::proof::{self, Proof, Stop};
use crate::protocol::segment::{self, Elsewhere, MAX_STREAMS, MediaUrl, Piece};
use crate::protocol::snapshot;
use crate::text;
use crate::wire::url::HostUrl;

/// The longest a first segment is waited for, in seconds.
const LONGEST_PAUSE_S: u64 = 4;

/// The analysis of HLS streams.
pub const PROBE: Probe = Probe { stage: Stage::Hls, phase: Phase::Walk, run: |host| Box::pin(run(host)) };

async fn run(host: &Inspection) {
    if host.options.verify == Verify::None || host.record.is_clearly_no_camera() {
        return;
    }
    let mut walk = Walk { host, found: 0, asked: Vec::new(), dead: Vec::new() };
    for candidate in segment::candidates(host, Protocol::Hls, &[".m3u8"]) {
        walk.ask(candidate).await;
    }
}

struct Walk<'a> {
    host: &'a Inspection,
    found: usize,
    /// Those whose playlist has been read, by one way or another.
    asked: Vec<MediaUrl>,
    /// Ports that did not answer: nothing more is asked there.
    dead: Vec<u16>,
}

impl Walk<'_> {
    async fn ask(&mut self, playlist: MediaUrl) {
        let port = playlist.url.endpoint().port;
        let is_done = self.asked.iter().any(|asked| asked.is_same(&playlist));
        if self.host.peer.is_over() || self.found >= MAX_STREAMS || is_done || self.dead.contains(&port) {
            return;
        }
        let turn = proof::turn(self.host).await;
        match segment::ask(self.host, &playlist).await {
            Err(_) => self.dead.push(port),
            Ok((answer, took)) if answer.status == 200 => match wire::parse(&answer.body) {
                Some(Playlist::Master { variants, mixed }) => {
                    drop(turn);
                    self.variants(&playlist.url, &answer, variants, mixed).await;
                }
                Some(Playlist::Media(media)) => {
                    let mut proof = Proof::answered(&self.host.peer, Protocol::Hls, &answer, took);
                    self.asked.push(playlist);
                    described(&mut proof, &answer, &Variant::default());
                    let picture = self.media(&mut proof, &answer, &media).await;
                    drop(turn);
                    self.emit(proof, picture).await;
                }
                None => {}
            },
            // Only what the device named itself is worth a word when it is refused.
            Ok((answer, took)) if !playlist.guessed => {
                let mut proof = Proof::answered(&self.host.peer, Protocol::Hls, &answer, took);
                proof.stream.open = None;
                proof.stop(Step::Described, Stop::of_status(&self.host.peer, answer.status));
                self.emit(proof, None).await;
            }
            Ok(_) => {}
        }
    }

    async fn variants(&mut self, asked: &HostUrl, master: &Response, variants: Vec<Variant>, mixed: bool) {
        let many = variants.len() > 1;
        for (number, variant) in variants.into_iter().enumerate() {
            if self.host.peer.is_over() || self.found >= MAX_STREAMS {
                return;
            }
            let (mut proof, picture) = self.variant(master, &variant).await;
            if is_of_session(&variant.uri, &master.target) {
                // Streams are told apart by their address.
                let which = if many { format!("#{}", number + 1) } else { String::new() };
                let lasting = message::url(&self.host.peer, asked.endpoint(), asked.target());
                proof.stream.url = text::redact_url(&lasting) + &which;
            }
            if mixed {
                proof.warn("the playlist mixes tags of both kinds, which RFC 8216 forbids");
            }
            self.emit(proof, picture).await;
        }
    }

    async fn variant(&mut self, master: &Response, variant: &Variant) -> (Proof, Option<Kept<Picture>>) {
        let mut picture = None;
        let mut proof = Proof::answered(&self.host.peer, Protocol::Hls, master, Duration::ZERO);
        let playlist = match segment::resolve(self.host, master, &variant.uri) {
            Ok(playlist) => playlist,
            Err(note) => {
                described(&mut proof, master, variant);
                proof.stop(Step::Described, Stop::error(ErrorKind::Redirect, note.to_string()));
                return (proof, None);
            }
        };
        self.asked.push(playlist.clone());
        let _turn = proof::turn(self.host).await;
        match segment::ask(self.host, &playlist).await {
            Ok((answer, took)) => {
                proof = Proof::answered(&self.host.peer, Protocol::Hls, &answer, took);
                match wire::parse(&answer.body) {
                    Some(Playlist::Media(media)) if answer.status == 200 => {
                        described(&mut proof, &answer, variant);
                        picture = self.media(&mut proof, &answer, &media).await;
                    }
                    _ if answer.status == 200 => {
                        let why = Stop::error(ErrorKind::Protocol, "the variant is no media playlist");
                        proof.stop(Step::Described, why);
                    }
                    _ => proof.stop(Step::Described, Stop::of_status(&self.host.peer, answer.status)),
                }
            }
            Err(error) => proof.stop(Step::Described, Stop::error(error.kind, error.message)),
        }
        let found = &mut proof.stream;
        found.video = found.video.take().or(variant.video.clone());
        found.audio = found.audio.take().or(variant.audio.clone());
        (proof, picture)
    }

    /// Proves a stream by one of its segments: the last but one, since the last may still be written. A live playlist goes
    /// on while it is read: where its segment is gone, or where it names none yet, it is asked for once more. Gives a key
    /// frame.
    async fn media(&self, proof: &mut Proof, from: &Response, media: &wire::Media) -> Option<Kept<Picture>> {
        if media.ended {
            proof.warn("the playlist has ended: a recording, not a live stream");
        }
        if self.host.options.verify < Verify::Frames {
            return None;
        }
        let described = proof.clone();
        let segment = media.segments.iter().rev().take(2).next_back();
        let picture = self.prove(proof, from, segment).await;
        let too_early = segment.is_none() && !media.ended;
        let gone = segment::is_gone(&proof.stream) && !media.ended;
        if (gone || too_early) && !self.host.peer.is_over() {
            if too_early {
                let pause = Duration::from_secs(media.target_duration_s.clamp(1, LONGEST_PAUSE_S));
                tokio::time::sleep(pause.min(self.host.peer.time_left())).await;
            }
            if let Some((from, media)) = self.again(from).await
                && let Some(newest) = media.segments.last().filter(|s| Some(*s) != segment)
            {
                *proof = described;
                return self.prove(proof, &from, Some(newest)).await;
            }
        }
        picture
    }

    /// The playlist as it is now.
    async fn again(&self, from: &Response) -> Option<(Response, wire::Media)> {
        let (answer, _) = segment::ask(self.host, &MediaUrl::named(from.host_url())).await.ok()?;
        match wire::parse(&answer.body) {
            Some(Playlist::Media(media)) if answer.status == 200 => Some((answer, media)),
            _ => None,
        }
    }

    async fn prove(
        &self,
        proof: &mut Proof,
        from: &Response,
        segment: Option<&wire::Segment>,
    ) -> Option<Kept<Picture>> {
        let Some(segment) = segment else {
            let message = "the playlist names no segment";
            proof.stop(Step::Rtp, Stop::no_data(ErrorKind::Device, message));
            return None;
        };
        if segment.encrypted {
            // What cannot be read proves nothing.
            proof.warn("the segments are encrypted; none was fetched");
            return None;
        }
        let piece =
            |uri: &str, range| Ok::<_, Elsewhere>(Piece { from: segment::resolve(self.host, from, uri)?, range });
        let init = segment.init.as_ref().map(|init| piece(&init.0, init.1)).transpose();
        match (piece(&segment.uri, segment.range), init) {
            (Ok(segment), Ok(init)) => segment::prove(self.host, proof, &segment::Media { init, segment }).await,
            (Err(note), _) | (_, Err(note)) => {
                proof.stop(Step::Rtp, Stop::error(ErrorKind::Redirect, note.to_string()));
                None
            }
        }
    }

    async fn emit(&mut self, mut proof: Proof, picture: Option<Kept<Picture>>) {
        self.found += 1;
        snapshot::save(self.host, &mut proof.stream, picture.as_deref()).await;
        self.host.emit(FindingKind::Stream(Box::new(proof.stream))).await;
    }
}

/// Whether an address is good for this session only: go2rtc's `id`, MediaMTX's `session`, SRS' `hls_ctx` and their like
/// name who was given it, and mean nothing a moment later. What the playlist itself was asked with is lasting.
fn is_of_session(uri: &str, master: &str) -> bool {
    const OF_SESSION: [&str; 8] =
        ["id", "sid", "session", "session_id", "sessionid", "hls_ctx", "token", "nimblesessionid"];
    let keys = |address: &str| -> Vec<String> {
        let query = address.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let query = query.split('#').next().unwrap_or_default();
        query.split('&').filter_map(|pair| pair.split('=').next()).map(str::to_ascii_lowercase).collect()
    };
    let known = keys(master);
    keys(uri).iter().any(|key| OF_SESSION.contains(&key.as_str()) && !known.contains(key))
}

/// Notes what the playlists say.
fn described(proof: &mut Proof, answer: &Response, variant: &Variant) {
    proof.described(StreamSource::Manifest);
    if answer.truncated {
        proof.warn("the playlist was not read to its end");
    }
    (proof.stream.video, proof.stream.audio) = (variant.video.clone(), variant.audio.clone());
}

#[cfg(test)]
mod tests;
