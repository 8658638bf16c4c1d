//! A kit served as the device it was made of, on this machine alone: sockets and times around `kit::answer`.

mod connection;
mod listen;
mod rtmp;
mod tls;
#[cfg(feature = "serve")]
mod webrtc;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::WriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::kit::answer::{Local, Player};
use crate::kit::format::{Kit, TcpPort};
use crate::net::{Datagram, Datagrams, UdpBind};
pub use listen::{ListenError, Wish};

/// A client that says nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest a stream plays.
const LONGEST_PLAY: Duration = Duration::from_secs(3600);

/// What is written to a client, by whoever has its turn.
type Writer<S> = Arc<tokio::sync::Mutex<WriteHalf<S>>>;

/// Connections served at once; who comes beyond them waits.
const CONNECTIONS: usize = 64;

/// After so long without a connection the next client hears the first of several answers again.
const PAUSE: Duration = Duration::from_secs(2);

/// A device that is replayed until this is dropped.
pub struct Replay {
    /// Its address on this machine.
    pub ip: IpAddr,
    /// Its TCP ports, each with the one it is replayed on.
    pub ports: Vec<(u16, u16)>,
    /// Its UDP ports that are replayed.
    pub datagrams: Vec<u16>,
    /// Those that another program of this machine has, or that need a right this one has not.
    pub missing: Vec<u16>,
    tasks: JoinSet<()>,
    /// What keeps other replays from its address.
    _sign: Option<Box<dyn Datagram>>,
}

/// What the connections share.
struct Stage {
    player: Mutex<Player>,
    net: Arc<dyn Datagrams>,
    ip: IpAddr,
    open: AtomicUsize,
    permits: Arc<Semaphore>,
    #[cfg(feature = "serve")]
    sessions: webrtc::Sessions,
    /// The time of day in seconds since 1970.
    now: fn() -> i64,
}

impl Stage {
    fn player(&self) -> MutexGuard<'_, Player> {
        self.player.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replay {
    /// Serves a kit.
    ///
    /// # Errors
    /// When its ports cannot be had.
    pub async fn start(
        kit: Kit,
        wish: &Wish,
        net: Arc<dyn Datagrams>,
        now: fn() -> i64,
    ) -> Result<Replay, ListenError> {
        let listen::Listeners { ip, listeners, sign } = listen::find(&kit, wish, net.as_ref()).await?;
        let ports: Vec<(u16, u16)> = listeners.iter().map(|(port, _, here)| (*port, *here)).collect();
        let local = Local { ip, ports: ports.clone() };
        let protected: Vec<TcpPort> = kit.tcp.iter().filter(|port| port.tls.is_some()).cloned().collect();
        let questions: Vec<u16> = kit.udp.iter().map(|port| port.port).collect();
        let stage = Arc::new(Stage {
            player: Mutex::new(Player::new(kit, local)),
            net,
            ip,
            open: AtomicUsize::new(0),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
            #[cfg(feature = "serve")]
            sessions: webrtc::Sessions::default(),
            now,
        });
        let mut replay =
            Replay { ip, ports, datagrams: Vec::new(), missing: Vec::new(), tasks: JoinSet::new(), _sign: sign };
        for (port, listener, _) in listeners {
            let acceptor = protected.iter().find(|p| p.port == port).and_then(|p| tls::acceptor(p.tls.as_ref()?));
            replay.tasks.spawn(accept(stage.clone(), port, listener, acceptor));
        }
        for port in questions {
            let bind = UdpBind { local: SocketAddr::new(ip, port), ..UdpBind::any_port(ip) };
            match stage.net.udp(&bind) {
                Ok(socket) => {
                    replay.datagrams.push(port);
                    replay.tasks.spawn(answer_datagrams(stage.clone(), port, socket));
                }
                Err(_) => replay.missing.push(port),
            }
        }
        replay.tasks.spawn(rewind(stage));
        Ok(replay)
    }
}

async fn accept(stage: Arc<Stage>, port: u16, listener: TcpListener, acceptor: Option<TlsAcceptor>) {
    let mut clients = JoinSet::new();
    loop {
        let Ok(permit) = stage.permits.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files, most of all; they are fewer in a while.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (stage, acceptor) = (stage.clone(), acceptor.clone());
        clients.spawn(async move {
            let _permit = permit;
            stage.open.fetch_add(1, Ordering::SeqCst);
            serve(&stage, port, stream, acceptor).await;
            stage.open.fetch_sub(1, Ordering::SeqCst);
        });
        while clients.try_join_next().is_some() {}
    }
}

async fn serve(stage: &Arc<Stage>, port: u16, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
    let Ok(peer) = stream.peer_addr() else { return };
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => connection::serve(stage, port, peer, stream).await,
        Some(acceptor) => {
            let handshake = tokio::time::timeout(Duration::from_secs(10), acceptor.accept(stream)).await;
            if let Ok(Ok(stream)) = handshake {
                connection::serve(stage, port, peer, stream).await;
            }
        }
    }
}

async fn answer_datagrams(stage: Arc<Stage>, port: u16, socket: Box<dyn Datagram>) {
    let mut buffer = vec![0; 65_535];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let answers = stage.player().datagram(port, buffer.get(..length).unwrap_or_default());
        let mut so_far = Duration::ZERO;
        for (after, bytes) in answers {
            sleep(after.saturating_sub(so_far)).await;
            so_far = after.max(so_far);
            // Whoever asked may be gone.
            let _ = socket.send_to(&bytes, from).await;
        }
    }
}

/// Lets the answers begin anew when nobody has been there for a while.
async fn rewind(stage: Arc<Stage>) {
    let mut quiet = Duration::ZERO;
    let step = PAUSE / 4;
    loop {
        sleep(step).await;
        quiet = if stage.open.load(Ordering::SeqCst) == 0 { quiet + step } else { Duration::ZERO };
        if quiet >= PAUSE {
            stage.player().rewind();
            quiet = Duration::ZERO;
        }
    }
}
