//! The sockets that are served: each connection within bounds of time, number and size.

mod timed;
pub mod tls;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::App;
use super::auth::client::Peer;
use super::limits::{Holding, Slots};
use crate::model::listen::{ListenOn, PublicUrl};
use crate::model::problem::Problem;
use crate::net::handed::Handed;
use timed::{Activity, Timed};
use tls::Tls;

/// Headers of a request, at most.
const MOST_HEADERS: usize = 100;
/// After a connection that could not be accepted, since there are too many files open.
const PAUSE: Duration = Duration::from_millis(100);
/// For a connection more than there may be.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A socket's file, which goes with it.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A socket that is listened on.
pub struct Listener {
    socket: Socket,
    /// Goes with it.
    _file: Option<SocketFile>,
    /// Where it is, with the port that the system chose where none was named.
    pub place: ListenOn,
}

impl Listener {
    /// Listens there. A socket in the file system that nobody listens on any more is replaced; every user of the machine may
    /// connect to it, and logs in like everybody.
    ///
    /// # Errors
    /// When the system refuses: with what can be done about it.
    pub async fn bind(place: &ListenOn) -> Result<Listener, Problem> {
        match place {
            ListenOn::Tcp(address) => {
                let socket = TcpListener::bind(address).await.map_err(|error| not_bound(place, &error))?;
                let address = socket.local_addr().map_err(|error| not_bound(place, &error))?;
                Ok(Listener { socket: Socket::Tcp(socket), _file: None, place: ListenOn::Tcp(address) })
            }
            ListenOn::Systemd => Err(not_handed("this process was given none")),
            ListenOn::Unix(path) => {
                remove_abandoned(path).await;
                let socket = UnixListener::bind(path).map_err(|error| not_bound(place, &error))?;
                let file = SocketFile(path.clone());
                let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
                std::fs::set_permissions(path, everybody).map_err(|error| not_bound(place, &error))?;
                Ok(Listener { socket: Socket::Unix(socket), _file: Some(file), place: place.clone() })
            }
        }
    }

    /// Those that systemd has bound. Who may connect to one in the file system is said by its unit, and its file stays.
    ///
    /// # Errors
    /// When there are none, or one of them is of no use.
    pub fn handed(sockets: io::Result<Vec<Handed>>) -> Result<Vec<Listener>, Problem> {
        let sockets = sockets.map_err(|error| not_handed(&error.to_string()))?;
        if sockets.is_empty() {
            return Err(not_handed("this process was given none"));
        }
        let listener = |handed| {
            let (socket, place) = match handed {
                Handed::Tcp(socket) => {
                    let place = ListenOn::Tcp(socket.local_addr()?);
                    (Socket::Tcp(TcpListener::from_std(socket)?), place)
                }
                Handed::Unix(socket) => {
                    let path = socket.local_addr()?.as_pathname().map(Path::to_owned).unwrap_or_default();
                    (Socket::Unix(UnixListener::from_std(socket)?), ListenOn::Unix(path))
                }
            };
            Ok(Listener { socket, _file: None, place })
        };
        let listeners = sockets.into_iter().map(listener).collect::<io::Result<_>>();
        listeners.map_err(|error| not_handed(&error.to_string()))
    }

    /// Answers requests until the app is stopped, and ends what is under way within its time.
    pub async fn serve(self, app: Arc<App>, router: Router, tls: Option<Arc<Tls>>, slots: Slots) {
        let (tracker, end) = (TaskTracker::new(), CancellationToken::new());
        let each = Each { app: app.clone(), router, tls, slots, end: end.clone() };
        loop {
            tokio::select! {
                () = app.stop.cancelled() => break,
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => each.take(stream, peer, &tracker),
                    Err(error) => {
                        tracing::warn!("no connection can be accepted: {error}");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
        }
        drop(self);
        tracker.close();
        if tokio::time::timeout(app.limits.drain_time, tracker.wait()).await.is_err() {
            tracing::warn!(connections = tracker.len(), "connections that did not end were cut off");
            end.cancel();
        }
    }
}

fn not_handed(why: &str) -> Problem {
    Problem::new(format!("cannot listen on the sockets of systemd: {why}"))
        .hint("start camscan.socket, which hands them over; see examples/systemd")
}

fn not_bound(place: &ListenOn, error: &io::Error) -> Problem {
    let problem = |what: &str| Problem::new(format!("cannot listen on {place}: {what}"));
    match error.kind() {
        io::ErrorKind::AddrInUse => problem("another program does already")
            .hint("end that one, or listen elsewhere, such as --listen 127.0.0.1:8001"),
        io::ErrorKind::PermissionDenied => problem("this user may not").hint(match place {
            ListenOn::Tcp(_) | ListenOn::Systemd => {
                "ports below 1024 need CAP_NET_BIND_SERVICE; take a higher one behind a reverse proxy"
            }
            ListenOn::Unix(_) => "choose a folder that this user may write to",
        }),
        io::ErrorKind::AddrNotAvailable => problem("this machine has no such address"),
        _ => problem(&error.to_string()),
    }
}

/// Removes a socket's file that a killed process left behind.
async fn remove_abandoned(path: &Path) {
    use std::os::unix::fs::FileTypeExt as _;
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if !is_socket {
        return;
    }
    let tried = tokio::net::UnixStream::connect(path).await;
    if tried.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        let _ = std::fs::remove_file(path);
    }
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Socket {
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Peer)> {
        match self {
            Socket::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                // Small answers are not held back.
                let _ = stream.set_nodelay(true);
                let local = stream.local_addr().ok().map(|local| local.ip().to_canonical());
                let address = Some(address.ip().to_canonical());
                Ok((Box::new(stream), Peer { address, local, uid: None, tls: false }))
            }
            Socket::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                Ok((Box::new(stream), Peer { address: None, local: None, uid, tls: false }))
            }
        }
    }
}

/// What is done with each connection.
struct Each {
    app: Arc<App>,
    router: Router,
    tls: Option<Arc<Tls>>,
    slots: Slots,
    end: CancellationToken,
}

impl Each {
    fn take(&self, mut stream: Box<dyn Stream>, mut peer: Peer, tracker: &TaskTracker) {
        // Those of a trusted proxy are counted by client, request by request.
        let is_proxy = self.app.access.trusted.iter().any(|proxy| proxy.is(peer.address));
        let counted: Option<IpAddr> = peer.address.filter(|_| !is_proxy);
        let Some(slot) = self.slots.take(counted) else {
            tracing::debug!(address = ?peer.address, "too many connections");
            if self.tls.is_none() {
                tracker.spawn(async move {
                    let write = tokio::io::AsyncWriteExt::write_all(&mut stream, FULL);
                    let _ = tokio::time::timeout(PAUSE, write).await;
                });
            }
            return;
        };
        let (app, router, tls, end) = (self.app.clone(), self.router.clone(), self.tls.clone(), self.end.clone());
        tracker.spawn(async move {
            let serve = async {
                match tls.filter(|_| peer.address.is_some()) {
                    None => connection(stream, peer, &app, router).await,
                    Some(tls) => {
                        let handshake = tokio::time::timeout(app.limits.head_time, tls.accept(stream)).await;
                        if let Ok(Ok(stream)) = handshake {
                            peer.tls = true;
                            connection(stream, peer, &app, router).await;
                        }
                    }
                }
            };
            tokio::select! {
                () = serve => {}
                () = end.cancelled() => {}
            }
            drop(slot);
        });
    }
}

/// Answers the requests of one connection, until it ends or the app is stopped.
async fn connection(stream: impl Stream + 'static, peer: Peer, app: &Arc<App>, router: Router) {
    let activity = Arc::new(Activity::default());
    let stream = Timed::new(stream, activity.clone(), &app.limits);
    let inner = TowerToHyperService::new(router);
    let site = app.site.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let is_known = take_base(request.uri_mut(), &site);
        let (inner, activity) = (inner.clone(), activity.clone());
        let busy = activity.begin();
        async move {
            if !is_known {
                let answer = axum::response::Response::builder().status(StatusCode::BAD_REQUEST).body(Body::empty());
                return Ok(answer.unwrap_or_default());
            }
            let answer = inner.call(request).await?;
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                activity.upgrade();
            }
            Ok::<_, std::convert::Infallible>(answer.map(|body| Body::new(Holding::new(body, busy))))
        }
    });
    let mut http = http1::Builder::new();
    // Its own clock for heads runs while nothing is asked as well; the connection itself tells the two apart.
    http.header_read_timeout(None).max_header_size(app.limits.head_bytes).max_headers(MOST_HEADERS);
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let stopped = tokio::select! {
        _ = connection.as_mut() => false,
        () = app.stop.cancelled() => true,
    };
    if stopped {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// Takes the path that everything is below out of a request's path. False where it is no path.
fn take_base(uri: &mut Uri, site: &PublicUrl) -> bool {
    if !uri.path().starts_with('/') {
        return false;
    }
    let path = site.path_of(uri.path());
    if path.len() == uri.path().len() && uri.authority().is_none() {
        return true;
    }
    let path = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    path.parse().is_ok_and(|without| {
        *uri = without;
        true
    })
}
