//! The same over a WebSocket (RFC 6455): each message is one JSON object. What a client says is passed over.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::extract::{Query as Pairs, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::time::{interval, timeout};

use super::follow::{Asked, Follow, Next};
use super::message::Message;
use crate::model::access::Scope;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::auth::lease::Lease;
use crate::serve::auth::origin::is_own_page;
use crate::serve::problem::Problem;

/// The longest message of a client, in bytes.
const MOST_READ: usize = 64 << 10;
/// How often it is looked whether the client is there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Pings without an answer after which it is not.
const MISSED: u32 = 2;
/// A connection that takes nothing for so long is ended.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// `GET /ws`.
///
/// # Errors
/// When the page is of another site, the query is wrong, or too many follow already.
pub async fn open(
    State(app): State<Arc<App>>,
    caller: Caller,
    lease: Lease,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    is_own_page(&headers, &app.site)?;
    let follow = Follow::begin(app, &caller, Asked::read(pairs, None)?, "websocket").await?;
    let upgrade = upgrade.max_message_size(MOST_READ).max_frame_size(MOST_READ);
    Ok(lease.open(upgrade, |socket| {
        Box::pin(async move {
            // A client that is gone, or takes nothing, is let go of.
            let _ = run(socket, follow).await;
        })
    }))
}

/// The client is gone, or takes nothing.
struct Lost;

async fn run(socket: &mut WebSocket, mut follow: Follow) -> Result<(), Lost> {
    let mut pings = interval(PING_EVERY);
    pings.tick().await;
    let mut missed = 0;
    loop {
        tokio::select! {
            frame = socket.recv() => match frame {
                Some(Ok(Frame::Close(_)) | Err(_)) | None => return Err(Lost),
                Some(Ok(_)) => missed = 0,
            },
            next = follow.next() => match next {
                Next::Message(message) => send(socket, Frame::Text(message.json.clone())).await?,
                Next::Resync(start) => send(socket, Frame::Text(Message::resync(start).json)).await?,
                Next::End => return Ok(()),
            },
            _ = pings.tick() => {
                if missed >= MISSED {
                    return Err(Lost);
                }
                missed += 1;
                send(socket, Frame::Ping(Bytes::new())).await?;
            }
        }
    }
}

async fn send(socket: &mut WebSocket, frame: Frame) -> Result<(), Lost> {
    match timeout(WRITE_TIME, socket.send(frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Lost),
    }
}
