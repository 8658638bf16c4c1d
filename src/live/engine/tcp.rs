//! Connections of viewers that cannot use UDP (ICE-TCP, RFC 6544): packets behind their length in two bytes (RFC 4571).

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::limits::{MOST_HALF_OPEN, MOST_VIEWERS};
use crate::net::media_port::DatagramPath;

/// Connections at once: those of all viewers, and of as many as may be half open.
const MOST_CONNECTIONS: usize = MOST_VIEWERS + MOST_HALF_OPEN;
/// The longest packet that is read; those of viewers keep below 1,500 bytes.
const MOST_PACKET: usize = 2048;
/// The first packet is there within this time.
const FIRST_PACKET: Duration = Duration::from_secs(5);
/// A viewer shows a sign of life far more often.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
/// Packets that wait to be written: some two seconds of 4 Mbit/s. What does not fit is dropped, as with UDP.
const MOST_WAITING: usize = 1024;
/// As many bytes are written at once, and within so much time.
const AT_ONCE: usize = 64 * 1024;
const LONGEST_WRITE: Duration = Duration::from_secs(10);

/// What happens on a connection.
pub(super) enum Happened {
    /// It was opened.
    Opened(Link),
    /// A packet came.
    Packet(DatagramPath, Bytes),
    /// It is no more.
    Closed(DatagramPath),
}

/// The engine's end of a connection: dropped, the connection is closed.
pub(super) struct Link {
    pub path: DatagramPath,
    outgoing: mpsc::Sender<Bytes>,
    closed: CancellationToken,
}

impl Link {
    /// Sends a packet; false when too many wait already.
    pub fn send(&self, packet: &[u8]) -> bool {
        let Ok(length) = u16::try_from(packet.len()) else { return false };
        let mut framed = BytesMut::with_capacity(2 + packet.len());
        framed.put_u16(length);
        framed.put_slice(packet);
        self.outgoing.try_send(framed.freeze()).is_ok()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

/// Takes connections until nobody wants to know of them any more.
pub(super) async fn accept(listener: TcpListener, happened: mpsc::Sender<Happened>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = happened.closed() => return,
        };
        match accepted {
            Ok((stream, from)) => {
                // One too many is closed at once.
                let Ok(place) = places.clone().try_acquire_owned() else { continue };
                let Ok(to) = stream.local_addr() else { continue };
                tokio::spawn(serve(stream, DatagramPath { from, to }, happened.clone(), place));
            }
            // Out of descriptors: those of others are given back by and by.
            Err(error) => {
                tracing::debug!("a viewer's connection was not taken: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, path: DatagramPath, happened: mpsc::Sender<Happened>, _place: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (outgoing, waiting) = mpsc::channel(MOST_WAITING);
    let closed = CancellationToken::new();
    let link = Link { path, outgoing, closed: closed.clone() };
    if happened.send(Happened::Opened(link)).await.is_err() {
        return;
    }
    tokio::select! {
        () = closed.cancelled() => {}
        () = read(reader, path, &happened) => {}
        () = write(writer, waiting) => {}
    }
    // The engine may be gone.
    let _ = happened.send(Happened::Closed(path)).await;
}

/// Hands on the packets of a connection until it ends, falls silent or sends what is none.
async fn read(mut reader: OwnedReadHalf, path: DatagramPath, happened: &mpsc::Sender<Happened>) {
    let mut buffer = BytesMut::with_capacity(2 * MOST_PACKET);
    let mut patience = FIRST_PACKET;
    loop {
        while let Some(packet) = take(&mut buffer) {
            let Ok(packet) = packet else { return };
            patience = LONGEST_SILENCE;
            if happened.send(Happened::Packet(path, packet)).await.is_err() {
                return;
            }
        }
        match timeout(patience, reader.read_buf(&mut buffer)).await {
            Ok(Ok(1..)) => {}
            _ => return,
        }
    }
}

/// A packet is longer than any viewer sends.
#[derive(Debug, PartialEq, Eq)]
struct TooLong;

/// The next whole packet of what came.
fn take(buffer: &mut BytesMut) -> Option<Result<Bytes, TooLong>> {
    let (length, rest) = buffer.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length > MOST_PACKET {
        return Some(Err(TooLong));
    }
    if rest.len() < length {
        return None;
    }
    Some(Ok(buffer.split_to(2 + length).freeze().slice(2..)))
}

/// Writes what waits, many packets at a time.
async fn write(mut writer: OwnedWriteHalf, mut waiting: mpsc::Receiver<Bytes>) {
    let mut together = Vec::with_capacity(AT_ONCE);
    while let Some(packet) = waiting.recv().await {
        together.clear();
        together.extend_from_slice(&packet);
        while together.len() < AT_ONCE
            && let Ok(packet) = waiting.try_recv()
        {
            together.extend_from_slice(&packet);
        }
        match timeout(LONGEST_WRITE, writer.write_all(&together)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_taken_out_of_pieces() {
        let mut buffer = BytesMut::new();
        let mut got = Vec::new();
        for byte in [0, 3, 1, 2, 3, 0, 0, 0, 1, 9] {
            buffer.put_u8(byte);
            while let Some(packet) = take(&mut buffer) {
                got.push(packet.unwrap().to_vec());
            }
        }
        assert_eq!(got, [vec![1, 2, 3], vec![], vec![9]]);
        buffer.put_slice(&[0xff, 0xff, 0]);
        assert_eq!(take(&mut buffer), Some(Err(TooLong)));
    }
}
