//! A small fleet of simulated cameras on loopback: real RTSP, real frames, real logins. It serves the demo and the
//! tests, and shares no code with the scanner, so that a mistake in one cannot hide in the other.

#![expect(clippy::disallowed_methods, reason = "the cameras' sockets are not the scanner's")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a simulator takes its clips as they are; it never meets a network but loopback"
)]

pub mod clip;
pub mod onvif;
pub mod rtp;
pub mod rtsp;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use clip::Clip;

/// How a camera lets people in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Everybody.
    Open,
    /// With Basic.
    Basic,
    /// With Digest, MD5.
    Digest,
    /// With Digest, SHA-256.
    DigestSha256,
}

/// What is wrong with a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Takes PLAY, then sends nothing.
    NoFrames,
    /// Takes connections and never speaks.
    Silent,
    /// Answers every path with the first stream.
    AnyPath,
    /// Demands a login even for paths that do not exist.
    LoginForAnyPath,
    /// Refuses interleaved transport with 461.
    UdpOnly,
    /// Leaves PLAY unanswered.
    HoldsPlay,
    /// Refuses interleaved transport, and leaves PLAY unanswered.
    HoldsPlayOverUdp,
    /// Closes the connection after a 401.
    HangsUpAfter401,
}

/// A stream of a camera.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Path and query, with leading `/`.
    pub path: String,
    /// What it shows.
    pub clip: Arc<Clip>,
    /// What it lets hear.
    pub audio: Option<Arc<Clip>>,
}

/// One simulated camera.
#[derive(Debug, Clone)]
pub struct Camera {
    /// Its loopback address.
    pub ip: IpAddr,
    /// Its RTSP port; 0 takes any.
    pub rtsp_port: u16,
    /// Its `Server` header.
    pub server: Option<String>,
    /// The realm of its login.
    pub realm: String,
    /// How it lets people in.
    pub login: Login,
    /// The one user: name and password.
    pub user: (String, String),
    /// Its streams.
    pub mounts: Vec<Mount>,
    /// What is wrong with it.
    pub fault: Fault,
    /// What it tells over ONVIF, if it speaks it.
    pub onvif: Option<onvif::Identity>,
}

impl Camera {
    /// A camera that lets everybody in and has no streams yet.
    pub fn new(ip: IpAddr, rtsp_port: u16) -> Self {
        Camera {
            ip,
            rtsp_port,
            server: None,
            realm: "IP Camera".into(),
            login: Login::Open,
            user: ("viewer".into(), "demo-password".into()),
            mounts: Vec::new(),
            fault: Fault::None,
            onvif: None,
        }
    }

    /// The same with one more stream.
    pub fn stream(mut self, path: &str, clip: &Arc<Clip>, audio: Option<&Arc<Clip>>) -> Self {
        self.mounts.push(Mount { path: path.into(), clip: clip.clone(), audio: audio.cloned() });
        self
    }
}

/// What a camera has seen of its clients.
#[derive(Debug, Default)]
pub struct Seen {
    /// Connections open now.
    pub open: AtomicUsize,
    /// The most that were open at once.
    pub most_open: AtomicUsize,
    /// Logins refused.
    pub refused: AtomicUsize,
    /// PLAY requests taken.
    pub played: AtomicUsize,
    /// TEARDOWN requests taken.
    pub torn_down: AtomicUsize,
    /// Requests of all kinds.
    pub requests: AtomicUsize,
}

impl Seen {
    fn opened(self: &Arc<Self>) -> Open {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_open.fetch_max(open, Ordering::SeqCst);
        Open(self.clone())
    }
}

struct Open(Arc<Seen>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A camera that runs.
pub struct Running {
    /// Where its RTSP server listens.
    pub rtsp: SocketAddr,
    /// Where its ONVIF service listens.
    pub http: Option<SocketAddr>,
    /// What it has seen of its clients.
    pub seen: Arc<Seen>,
}

/// Cameras that run until this is dropped.
pub struct Fleet {
    /// In the order they were given.
    pub cameras: Vec<Running>,
    _tasks: JoinSet<()>,
}

impl Fleet {
    /// Starts the cameras.
    ///
    /// # Errors
    /// When a port is taken.
    pub async fn start(cameras: Vec<Camera>) -> std::io::Result<Fleet> {
        let mut tasks = JoinSet::new();
        let mut running = Vec::new();
        for camera in cameras {
            let listener = TcpListener::bind((camera.ip, camera.rtsp_port)).await?;
            let rtsp = listener.local_addr()?;
            let camera = Arc::new(camera);
            let seen = Arc::new(Seen::default());
            let http = match &camera.onvif {
                Some(identity) => {
                    Some(onvif::start(&mut tasks, camera.clone(), identity.clone(), rtsp, seen.clone()).await?)
                }
                None => None,
            };
            tasks.spawn(accept(listener, camera, seen.clone()));
            running.push(Running { rtsp, http, seen });
        }
        Ok(Fleet { cameras: running, _tasks: tasks })
    }
}

async fn accept(listener: TcpListener, camera: Arc<Camera>, seen: Arc<Seen>) {
    let mut clients = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (camera, seen) = (camera.clone(), seen.clone());
        clients.spawn(async move {
            let _open = seen.opened();
            // A client that goes away ends its session and nothing else.
            let _ = rtsp::serve(stream, &camera, &seen).await;
        });
        while clients.try_join_next().is_some() {}
    }
}
