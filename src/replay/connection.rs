//! One connection to a replay: requests in, answers and packets of streams out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{LONGEST_PLAY, PATIENCE, Stage, Writer};
use crate::kit::answer::{Laps, Moment, Reply, Way};
use crate::kit::conversation::{Next, next};
use crate::net::{Datagram, UdpBind};

/// The most bytes of one request.
const MAX_REQUEST: usize = 2 << 20;
/// The most pairs of ports for streams of one connection.
const MOST_PAIRS: usize = 16;

/// The sockets for RTP and RTCP of one track.
type Pair = Arc<[Box<dyn Datagram>; 2]>;

/// Serves a connection to its end.
pub(super) async fn serve<S>(stage: &Arc<Stage>, port: u16, peer: SocketAddr, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut reader, writer) = tokio::io::split(stream);
    let writer: Writer<S> = Arc::new(Mutex::new(writer));
    let mut visit = stage.player().visit(port);
    let mut media = JoinSet::new();
    // One for each track, of those that are sent by datagrams.
    let mut pairs: Vec<Option<Pair>> = Vec::new();
    let mut bytes = Vec::new();
    loop {
        #[cfg_attr(not(feature = "serve"), expect(unused_mut, reason = "only sessions have addresses of their own"))]
        let mut request = match next(&bytes) {
            Next::Skip(length) => {
                bytes.drain(..length);
                continue;
            }
            Next::Request(request, length) => {
                bytes.drain(..length);
                request
            }
            Next::Incomplete if bytes.len() < MAX_REQUEST => {
                match timeout(PATIENCE, reader.read_buf(&mut bytes)).await {
                    Ok(Ok(1..)) => continue,
                    _ => break,
                }
            }
            Next::Other if stage.player().speaks_rtmp(port) => {
                super::rtmp::serve(stage, port, &mut reader, &writer, bytes).await;
                break;
            }
            Next::Incomplete | Next::Other => {
                let answers = stage.player().turn(port, &bytes);
                if !answers.is_empty() {
                    bytes.clear();
                    if send_turn(&writer, answers).await.is_err() {
                        break;
                    }
                    continue;
                }
                // What is no request is heard and not answered, as far as the recording goes.
                let closes = stage.player().kit().tcp.iter().any(|p| p.port == port && p.closes);
                if closes
                    || timeout(PATIENCE, reader.read(&mut [0; 1024])).await.map_or(true, |r| !matches!(r, Ok(1..)))
                {
                    break;
                }
                bytes.clear();
                continue;
            }
        };
        let wants_ports = request.ask.method == "SETUP"
            && request.ask.transport.as_deref().is_some_and(|t| t.contains("client_port"));
        let pair = if wants_ports && pairs.len() < MOST_PAIRS { open_pair(stage) } else { None };
        let moment =
            Moment { now: (stage.now)(), random: fastrand::u128(..), media_ports: pair.as_ref().and_then(ports) };
        #[cfg(feature = "serve")]
        let meant = stage.sessions.meant(&mut request);
        #[cfg_attr(not(feature = "serve"), expect(unused_mut, reason = "only sessions change an answer"))]
        let mut reply = stage.player().answer(&mut visit, &request, &moment);
        #[cfg(feature = "serve")]
        {
            super::webrtc::open(stage, &request, &mut reply);
            if let Some(meant) = meant.filter(|_| request.ask.method == "DELETE" && reply.is_ok()) {
                stage.sessions.end(&meant);
            }
        }
        if visit.tracks() > pairs.len() {
            pairs.push(pair);
        }
        pairs.truncate(visit.tracks());
        if reply.stops {
            media.abort_all();
        }
        if send(&writer, &reply).await.is_err() || reply.closes {
            break;
        }
        if let Some((laps, ways)) = reply.plays {
            media.spawn(play(laps, ways, peer, pairs.clone(), writer.clone()));
        }
        if reply.stops {
            pairs.clear();
        }
    }
    // The end of what was said, before the end of the connection.
    let _ = writer.lock().await.shutdown().await;
}

fn ports(pair: &Pair) -> Option<(u16, u16)> {
    let [rtp, rtcp] = &**pair;
    Some((rtp.local_addr().ok()?.port(), rtcp.local_addr().ok()?.port()))
}

/// Two ports, the first of them even (RFC 3550 §11).
fn open_pair(stage: &Stage) -> Option<Pair> {
    let at = |port| UdpBind { local: SocketAddr::new(stage.ip, port), ..UdpBind::any_port(stage.ip) };
    for _ in 0..32 {
        let Ok(first) = stage.net.udp(&at(0)) else { return None };
        let port = first.local_addr().ok()?.port();
        if port % 2 == 0
            && let Some(other) = port.checked_add(1)
            && let Ok(second) = stage.net.udp(&at(other))
        {
            return Some(Arc::new([first, second]));
        }
    }
    None
}

async fn send<S: AsyncWrite>(writer: &Writer<S>, reply: &Reply) -> io::Result<()> {
    sleep(reply.after).await;
    let mut out = reply.head.clone();
    let begun = Instant::now();
    let mut pieces = reply.body.iter();
    // What came at once is sent at once.
    let at_once = reply.body.iter().take_while(|(after, _)| after.is_zero()).count();
    pieces.by_ref().take(at_once).for_each(|(_, bytes)| out.extend_from_slice(bytes));
    writer.lock().await.write_all(&out).await?;
    for (after, bytes) in pieces {
        sleep_until(begun + *after).await;
        writer.lock().await.write_all(bytes).await?;
    }
    let lap = reply.body.last().map_or(Duration::ZERO, |(after, _)| *after);
    if !reply.goes_on {
        return Ok(());
    }
    if reply.body.is_empty() || lap < Duration::from_millis(20) {
        // There was more to come, and it never did.
        sleep(PATIENCE).await;
        return Ok(());
    }
    let lap = lap + lap / u32::try_from(reply.body.len()).unwrap_or(1).max(1);
    for round in 1..=3600 {
        for (after, bytes) in &reply.body {
            sleep_until(begun + lap * round + *after).await;
            writer.lock().await.write_all(bytes).await?;
        }
    }
    Ok(())
}

async fn send_turn<S: AsyncWrite>(writer: &Writer<S>, answers: Vec<(Duration, Vec<u8>)>) -> io::Result<()> {
    let begun = Instant::now();
    for (after, bytes) in answers {
        sleep_until(begun + after).await;
        writer.lock().await.write_all(&bytes).await?;
    }
    Ok(())
}

async fn play<S: AsyncWrite>(
    laps: Laps,
    ways: Vec<Way>,
    peer: SocketAddr,
    pairs: Vec<Option<Pair>>,
    writer: Writer<S>,
) {
    let begun = Instant::now();
    for number in 0.. {
        let Some((at, track, rtcp, bytes)) = laps.packet(number) else { return };
        if at > LONGEST_PLAY {
            return;
        }
        sleep_until(begun + at).await;
        let sent = match ways.get(track) {
            Some(Way::Interleaved(channel)) => {
                let Ok(length) = u16::try_from(bytes.len()) else { continue };
                let [l1, l0] = length.to_be_bytes();
                let framed = [&[b'$', channel.wrapping_add(u8::from(rtcp)), l1, l0], bytes.as_slice()].concat();
                writer.lock().await.write_all(&framed).await
            }
            Some(Way::Datagrams((rtp_port, rtcp_port))) => match pairs.get(track) {
                Some(Some(pair)) => {
                    let [rtp_socket, rtcp_socket] = &**pair;
                    let (socket, port) = if rtcp { (rtcp_socket, rtcp_port) } else { (rtp_socket, rtp_port) };
                    // To whoever asked, and nowhere else. A port that nobody has any more is no reason to end.
                    let _ = socket.send_to(&bytes, SocketAddr::new(peer.ip(), *port)).await;
                    Ok(())
                }
                _ => Ok(()),
            },
            None => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
}
