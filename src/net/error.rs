//! Why a connection did not come about or ended: each outcome is its own value, because each is repaired differently.

use std::io;
use std::net::SocketAddr;

use crate::model::ErrorKind;

/// What was being done when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// TCP connect.
    Connect,
    /// TLS handshake.
    Tls,
    /// Sending a request.
    Write,
    /// Waiting for or reading an answer.
    Read,
}

impl Stage {
    /// As it stands in a message.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Connect => "connect",
            Stage::Tls => "TLS handshake",
            Stage::Write => "send",
            Stage::Read => "read",
        }
    }
}

/// A failure on the way to one endpoint. Names endpoint and stage, so that the message alone finds the packet in a capture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{to}: {}: {message}", stage.as_str())]
pub struct NetError {
    /// The endpoint.
    pub to: SocketAddr,
    /// What was being done.
    pub stage: Stage,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// In words.
    pub message: String,
    /// Whether a connection ended in the middle of a TLS handshake.
    pub(super) is_cut: bool,
}

impl NetError {
    /// A failure of a kind, in words.
    pub fn new(to: SocketAddr, stage: Stage, kind: ErrorKind, message: impl Into<String>) -> Self {
        NetError { to, stage, kind, message: message.into(), is_cut: false }
    }

    /// The failure an operating system's error stands for.
    pub fn from_io(to: SocketAddr, stage: Stage, error: &io::Error) -> Self {
        let kind = kind_of(error);
        let message = match kind {
            ErrorKind::Refused => "connection refused".to_owned(),
            ErrorKind::Timeout => "timed out".to_owned(),
            ErrorKind::Unreachable if is_routeless(error) => NO_ROUTE.to_owned(),
            ErrorKind::Unreachable => "host unreachable".to_owned(),
            ErrorKind::Closed => "connection closed by the device".to_owned(),
            _ => error.to_string(),
        };
        NetError::new(to, stage, kind, message)
    }

    /// Nothing came before the deadline.
    pub fn timeout(to: SocketAddr, stage: Stage) -> Self {
        NetError::new(to, stage, ErrorKind::Timeout, "timed out")
    }

    /// Whether no network leads to the endpoint: neither it nor its neighbours can be asked.
    pub fn is_without_route(&self) -> bool {
        self.message == NO_ROUTE
    }

    /// Whether the peer speaks TLS, and nothing newer than what is not read here.
    pub fn is_too_old_tls(&self) -> bool {
        self.kind == ErrorKind::Tls && super::tls::too_old(&self.message).is_some()
    }

    /// Whether the device closed the connection in the middle of a TLS handshake, without a word why.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether the same step can succeed a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Timeout | ErrorKind::Closed | ErrorKind::Busy | ErrorKind::Local)
    }
}

const NO_ROUTE: &str = "no route to its network";

fn is_routeless(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown)
}

/// The kind of failure an operating system's error stands for.
pub fn kind_of(error: &io::Error) -> ErrorKind {
    use io::ErrorKind as K;
    match error.kind() {
        K::ConnectionRefused => ErrorKind::Refused,
        K::TimedOut => ErrorKind::Timeout,
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::AddrNotAvailable => ErrorKind::Unreachable,
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof | K::NotConnected => {
            ErrorKind::Closed
        }
        _ => ErrorKind::Local,
    }
}

/// Whether this machine has run out of descriptors, ports or neighbour-table entries: wait and try again, the host is not to blame.
pub fn is_exhaustion(error: &io::Error) -> bool {
    // EMFILE, ENFILE, ENOBUFS, ENOMEM, EAGAIN of connect (no ports or no neighbour entry), EADDRNOTAVAIL (no local port).
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12 | 11 | 99))
}
