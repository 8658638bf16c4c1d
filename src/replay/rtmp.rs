//! A connection on which RTMP is spoken.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::Stage;
use super::connection::{LONGEST_PLAY, PATIENCE, Writer};
use crate::kit::answer::rtmp::{Act, Client, Told};

/// Serves a client to its end; `bytes` is what it has said so far.
pub(super) async fn serve<S>(
    stage: &Arc<Stage>,
    port: u16,
    reader: &mut ReadHalf<S>,
    writer: &Writer<S>,
    mut bytes: Vec<u8>,
) where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut client = Client::new(port);
    let mut media = JoinSet::new();
    loop {
        let acts = client.take(&mut stage.player(), &bytes);
        for act in acts {
            let outcome = match act {
                Act::Shake(bytes) => writer.lock().await.write_all(&bytes).await,
                Act::Say(told) if told.is_stream => {
                    let writer = writer.clone();
                    media.spawn(async move {
                        let _ = say(&writer, &told).await;
                    });
                    Ok(())
                }
                Act::Say(told) => match say(writer, &told).await {
                    Ok(()) if told.closes => return,
                    outcome => outcome,
                },
                Act::Stop => {
                    media.abort_all();
                    Ok(())
                }
                Act::Leave => return,
            };
            if outcome.is_err() {
                return;
            }
        }
        bytes.clear();
        match timeout(PATIENCE, reader.read_buf(&mut bytes)).await {
            Ok(Ok(1..)) => {}
            _ => return,
        }
    }
}

async fn say<S: AsyncWrite>(writer: &Writer<S>, told: &Told) -> io::Result<()> {
    let begun = Instant::now();
    for number in 0.. {
        let Some((at, bytes)) = told.message(number) else { return Ok(()) };
        if at > LONGEST_PLAY {
            return Ok(());
        }
        if at > Duration::ZERO {
            sleep_until(begun + at).await;
        }
        writer.lock().await.write_all(&bytes).await?;
    }
    Ok(())
}
