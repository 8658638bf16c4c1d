//! The WebSocket of one tile of the page: which ways there are, an offer and its answer, how the camera is, how well the stream
//! comes, and, where WebRTC is not the way, the picture itself.
//!
//! Texts are JSON objects with a `type`; binary messages are pieces of MP4 after `init`, and JPEGs after `mode: mjpeg` and `mode: stills`.
//!
//! | from the page | |
//! | --- | --- |
//! | `{"type":"hello","webrtc":["H264","opus",…],"mse":["avc1.640028",…],"sound":true}` | what the browser can, of what `codecs` named; answered by `mode` |
//! | `{"type":"offer","sdp":"…"}` | answered by `answer` or `error` |
//! | `{"type":"candidate",…}` | not needed, and passed over |
//! | `{"type":"mode","mode":"mse"}`, `"mjpeg"`, `"stills"`, `"none"` | from now on the picture comes over this socket, or no longer |
//! | `{"type":"ping"}` | answered by `pong` |
//!
//! | to the page | |
//! | --- | --- |
//! | `{"type":"state","state":"live","reason":…}` | how the camera is, at once and at each change |
//! | `{"type":"codecs","mse":["avc1.640028","mp4a.40.2"]}` | what the browser is to be asked for, as soon as the camera sends; again when it sends something else |
//! | `{"type":"mode","ways":[…],"refused":[…]}` | how it can be shown, best first, and why not otherwise |
//! | `{"type":"answer","sdp":"…"}` | the answer to the offer |
//! | `{"type":"init","mime":"video/mp4; codecs=…"}` | the next binary message begins MP4 of this kind |
//! | `{"type":"dropped","n":12}` | so many frames were left out, since the connection is too slow |
//! | `{"type":"stats",…}` | what is known of the stream, every two seconds |
//! | `{"type":"error","reason":"…","status":406,"ways":[…]}` | why what was asked for is not done |

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{came_to, live, party};
use crate::live::choose::{Abilities, Choice};
use crate::live::guest::Guest;
use crate::live::manager::{Live, MOST_OFFER};
use crate::live::refusal::Refusal;
use crate::live::stream::State as CameraState;
use crate::live::viewer::jpegs::JpegViewer;
use crate::live::viewer::mse::{MsePiece, MseViewer};
use crate::live::viewer::stills::StillsViewer;
use crate::model::VideoCodec;
use crate::model::access::Scope;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::auth::client::Peer;
use crate::serve::auth::lease::Lease;
use crate::serve::auth::origin::is_own_page;
use crate::serve::problem::Problem;

/// The longest message from the page: an offer and what is around it.
const MOST_READ: usize = MOST_OFFER + 1024;
/// A connection that takes nothing for so long is ended: what it is sent has a second's worth of room.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// How often it is looked whether the page is still there; after two times without an answer it is not.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How often the page is told how well the stream comes.
const STATS_EVERY: Duration = Duration::from_secs(2);

/// What the page says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Hello(Abilities),
    Offer { sdp: String },
    Candidate {},
    Mode { mode: Picture },
    Ping {},
}

/// What comes over the socket beside texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Picture {
    Mse,
    Mjpeg,
    Stills,
    /// None of it; WebRTC goes its own way.
    None,
}

/// `GET /streams/{id}/live`.
pub async fn open(
    State(app): State<Arc<App>>,
    caller: Caller,
    lease: Lease,
    Path(id): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    caller.need(Scope::Live)?;
    is_own_page(&headers, &app.site)?;
    let live = live(&app)?.clone();
    if live.facts(&id).is_none() {
        // Another process may have found it: whoever asks again is let in.
        app.streams_changed();
        return Err(Problem::not_found("there is no such stream"));
    }
    let (came_to, party) = (came_to(&app, peer, &headers), party(&caller));
    let upgrade = upgrade.max_message_size(MOST_READ).max_frame_size(MOST_READ);
    Ok(lease.open(upgrade, move |socket| {
        let (can, session, picture, named) = (Abilities::default(), None, Shown::None, None);
        let mut tile = Tile { socket, live, id, came_to, party, can, session, picture, named };
        Box::pin(async move {
            // The page went away, or does not follow; there is nobody to tell.
            let _ = tile.run().await;
            tile.hang_up().await;
        })
    }))
}

/// What is shown over the socket.
enum Shown {
    None,
    Mse(Box<MseViewer>),
    Mjpeg(Box<JpegViewer>),
    Stills(Box<StillsViewer>),
}

/// A piece of it.
enum Piece {
    Mse(MsePiece),
    Jpeg(Bytes),
    /// The stream is no more.
    Gone,
}

impl Shown {
    /// The next piece; never, where nothing is shown.
    async fn next(&mut self) -> Piece {
        match self {
            Shown::None => std::future::pending().await,
            Shown::Mse(viewer) => viewer.next().await.map_or(Piece::Gone, Piece::Mse),
            Shown::Mjpeg(viewer) => viewer.next().await.map_or(Piece::Gone, Piece::Jpeg),
            Shown::Stills(viewer) => viewer.next().await.map_or(Piece::Gone, Piece::Jpeg),
        }
    }
}

/// A tile of the page.
struct Tile<'s> {
    socket: &'s mut WebSocket,
    live: Live,
    id: String,
    came_to: Option<std::net::IpAddr>,
    /// By what its sessions are counted.
    party: String,
    can: Abilities,
    /// The session of WebRTC, if there is one, and what ends it however the tile comes to its end.
    session: Option<(String, DropGuard)>,
    picture: Shown,
    /// What the camera sent when its codecs were named.
    named: Option<Sent>,
}

/// What decides in which ways a picture can be shown at all: its codec, and whether there are B-frames.
type Sent = (VideoCodec, bool);

/// The page is gone, or too slow to be one.
struct Lost;

impl Tile<'_> {
    async fn run(&mut self) -> Result<(), Lost> {
        let mut conditions = self.live.conditions(&self.id).ok_or(Lost)?;
        conditions.mark_changed();
        let (mut stats, mut pings) = (interval(STATS_EVERY), interval(PING_EVERY));
        self.name_codecs().await?;
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                message = self.socket.recv() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => self.receive(text.as_str()).await?,
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Lost),
                        Some(Ok(_)) => {}
                    }
                }
                piece = self.picture.next() => self.send_piece(piece).await?,
                changed = conditions.changed() => {
                    changed.map_err(|_| Lost)?;
                    let condition = conditions.borrow_and_update().clone();
                    self.tell("state", json!(condition)).await?;
                    self.note_sent().await?;
                }
                _ = stats.tick() => {
                    self.note_sent().await?;
                    if let Some(status) = self.live.facts(&self.id) {
                        self.tell("stats", json!({"source": status.source, "viewers": status.viewers.len()})).await?;
                    }
                }
                _ = pings.tick() => {
                    if heard.elapsed() > PING_EVERY * 5 / 2 {
                        return Err(Lost);
                    }
                    self.send(Message::Ping(Bytes::new())).await?;
                }
            }
        }
    }

    /// Waits for the camera and names the codecs of what may be shown.
    async fn name_codecs(&mut self) -> Result<(), Lost> {
        if let Some(condition) = self.live.facts(&self.id).map(|status| status.condition) {
            self.tell("state", json!(condition)).await?;
        }
        // What can be shown to nobody in particular is of no interest; that the camera sends is.
        if let Err(refusal) = self.live.choose(&self.id, &Abilities::default()).await {
            return self.refuse(&refusal).await;
        }
        let facts = self.live.facts(&self.id).and_then(|status| status.facts);
        self.named = facts.as_ref().map(|facts| (facts.video.codec, facts.video.b_frames));
        let strings = facts.map(|facts| {
            let sound = facts.audio.and_then(|audio| audio.codec_string);
            facts.video.codec_string.into_iter().chain(sound).collect::<Vec<_>>()
        });
        self.tell("codecs", json!({"mse": strings.unwrap_or_default()})).await
    }

    /// A camera that comes back with another codec is shown in another way: the page chooses anew.
    async fn note_sent(&mut self) -> Result<(), Lost> {
        let Some(status) = self.live.facts(&self.id) else { return Ok(()) };
        let sent = status.facts.map(|facts| (facts.video.codec, facts.video.b_frames));
        if status.condition.state != CameraState::Live || self.named.is_none() || sent == self.named {
            return Ok(());
        }
        self.hang_up().await;
        self.picture = Shown::None;
        self.name_codecs().await
    }

    async fn receive(&mut self, text: &str) -> Result<(), Lost> {
        match serde_json::from_str(text) {
            Ok(Said::Hello(can)) => {
                self.can = can;
                match self.live.choose(&self.id, &self.can).await {
                    Ok(choice) => self.tell("mode", json!(choice)).await,
                    Err(refusal) => self.refuse(&refusal).await,
                }
            }
            Ok(Said::Offer { sdp }) => self.answer(&sdp).await,
            Ok(Said::Mode { mode }) => self.show(mode).await,
            Ok(Said::Ping {}) => self.tell("pong", json!({})).await,
            Ok(Said::Candidate {}) => Ok(()),
            Err(error) => self.tell("error", json!({"status": 400, "reason": error.to_string()})).await,
        }
    }

    async fn answer(&mut self, sdp: &str) -> Result<(), Lost> {
        self.hang_up().await;
        self.picture = Shown::None;
        let can = (self.can != Abilities::default()).then_some(&self.can);
        let over = CancellationToken::new();
        let guest = Guest::until(self.party.clone(), over.clone().cancelled_owned());
        match self.live.offer(&self.id, sdp, can, self.came_to, guest).await {
            Ok(answer) => {
                self.session = Some((answer.secret, over.drop_guard()));
                self.tell("answer", json!({"sdp": answer.sdp})).await
            }
            Err(refusal) => self.refuse(&refusal).await,
        }
    }

    async fn show(&mut self, picture: Picture) -> Result<(), Lost> {
        self.hang_up().await;
        self.picture = Shown::None;
        let shown = match picture {
            Picture::None => Ok(Shown::None),
            Picture::Mse => self.live.mse(&self.id, self.can.sound).await.map(|viewer| Shown::Mse(Box::new(viewer))),
            Picture::Mjpeg => self.live.mjpeg(&self.id).await.map(|viewer| Shown::Mjpeg(Box::new(viewer))),
            Picture::Stills => self.live.stills(&self.id).await.map(|viewer| Shown::Stills(Box::new(viewer))),
        };
        match shown {
            Ok(shown) => {
                self.picture = shown;
                Ok(())
            }
            Err(refusal) => self.refuse(&refusal).await,
        }
    }

    async fn send_piece(&mut self, piece: Piece) -> Result<(), Lost> {
        match piece {
            Piece::Mse(MsePiece::Init { mime, bytes }) => {
                self.tell("init", json!({"mime": mime})).await?;
                self.send(Message::Binary(bytes)).await
            }
            Piece::Mse(MsePiece::Fragment(bytes)) | Piece::Jpeg(bytes) => self.send(Message::Binary(bytes)).await,
            Piece::Mse(MsePiece::Dropped(n)) => self.tell("dropped", json!({"n": n})).await,
            Piece::Gone => {
                self.picture = Shown::None;
                self.refuse(&Refusal::NoStream).await
            }
        }
    }

    async fn refuse(&mut self, refusal: &Refusal) -> Result<(), Lost> {
        let none = Choice::default();
        let choice = match refusal {
            Refusal::NotPossible { choice, .. } => choice,
            _ => &none,
        };
        let after = refusal.retry_after().map(|after| after.as_secs().max(1));
        let error = json!({
            "status": refusal.status(), "reason": refusal.to_string(), "retry_after_s": after,
            "ways": choice.ways, "refused": choice.refused,
        });
        self.tell("error", error).await
    }

    /// A text of this type.
    async fn tell(&mut self, kind: &'static str, mut value: Value) -> Result<(), Lost> {
        if let Some(fields) = value.as_object_mut() {
            fields.insert("type".to_owned(), kind.into());
        }
        self.send(Message::Text(value.to_string().into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Lost> {
        match timeout(WRITE_TIME, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Lost),
        }
    }

    /// Ends the session of WebRTC.
    async fn hang_up(&mut self) {
        if let Some((secret, _over)) = self.session.take() {
            self.live.close(&secret).await;
        }
    }
}
