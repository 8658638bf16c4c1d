//! Why a connection failed or ended. Every cause is a value of its own, because each is repaired differently.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::model::ErrorKind;

/// What was being done when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionStage {
    /// TCP connect.
    Connect,
    /// TLS handshake.
    Tls,
    /// Sending a request.
    Write,
    /// Waiting for or reading an answer.
    Read,
}

impl ConnectionStage {
    /// As it stands in a message.
    pub fn as_str(self) -> &'static str {
        match self {
            ConnectionStage::Connect => "connect",
            ConnectionStage::Tls => "TLS handshake",
            ConnectionStage::Write => "send",
            ConnectionStage::Read => "read",
        }
    }
}

/// A failure on the way to one endpoint. Names endpoint and stage, so that the message alone finds the packet in a capture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{to}: {}: {cause}", stage.as_str())]
pub struct NetError {
    /// The endpoint.
    pub to: SocketAddr,
    /// What was being done.
    pub stage: ConnectionStage,
    /// Why it failed.
    pub cause: Cause,
}

/// Why a connection failed or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The port refused the connection.
    #[error("connection refused")]
    Refused,
    /// The port is one on which printers print whatever they are sent, so it is never contacted.
    #[error("never contacted: printers print whatever is sent to this port")]
    PrintsWhatIsSent,
    /// Nothing came before the deadline.
    #[error("timed out")]
    TimedOut,
    /// No route leads to the network of the endpoint, so none of its neighbours can be reached either.
    #[error("no route to its network")]
    NoRoute,
    /// The host cannot be reached.
    #[error("host unreachable")]
    Unreachable,
    /// The device closed or reset the connection.
    #[error("connection closed by the device")]
    Closed,
    /// The device accepted the connection and closed it before it was sent anything.
    #[error("taken and closed at once")]
    ClosedAtOnce,
    /// The device speaks no TLS that this build reads.
    #[error(transparent)]
    OldTls(OldTls),
    /// The TLS handshake failed.
    #[error("{message}")]
    Tls {
        /// What the TLS library reported.
        message: String,
        /// Whether the device closed the connection in the middle of the handshake, without an alert.
        is_cut: bool,
    },
    /// This machine failed: descriptors, permission, memory.
    #[error("{0}")]
    Local(String),
}

/// What a device speaks whose TLS or ciphers are too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldTls {
    /// This version and nothing newer.
    Version(OldVersion),
    /// A version before TLS 1.2; it did not report which.
    BeforeTls12,
    /// This version, or no cipher of a later one.
    VersionOrCiphers(OldVersion),
    /// TLS 1.2 with none of its safe ciphers.
    Ciphers,
}

/// A version of TLS that is given up (RFC 7568, RFC 8996).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldVersion {
    /// SSL 3.0.
    Ssl30,
    /// TLS 1.0.
    Tls10,
    /// TLS 1.1.
    Tls11,
}

impl OldVersion {
    /// The version of this minor number on the wire, where the major number is 3.
    pub fn from_minor(minor: u8) -> Option<Self> {
        match minor {
            0 => Some(OldVersion::Ssl30),
            1 => Some(OldVersion::Tls10),
            2 => Some(OldVersion::Tls11),
            _ => None,
        }
    }

    /// As it stands in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            OldVersion::Ssl30 => "SSL 3.0",
            OldVersion::Tls10 => "TLS 1.0",
            OldVersion::Tls11 => "TLS 1.1",
        }
    }
}

impl fmt::Display for OldTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("speaks only ")?;
        match self {
            OldTls::Version(version) => f.write_str(version.as_str()),
            OldTls::BeforeTls12 => f.write_str("TLS 1.1 or older"),
            OldTls::VersionOrCiphers(version) => write!(f, "{} or ciphers of its time", version.as_str()),
            OldTls::Ciphers => f.write_str("old ciphers, such as static RSA or RC4"),
        }?;
        f.write_str(", which this build does not read")
    }
}

impl std::error::Error for OldTls {}

impl Cause {
    /// The cause that an operating system's error of a socket stands for.
    pub fn of_io(error: &io::Error) -> Self {
        use io::ErrorKind as K;
        match error.kind() {
            K::ConnectionRefused => Cause::Refused,
            K::TimedOut => Cause::TimedOut,
            K::NetworkUnreachable | K::NetworkDown => Cause::NoRoute,
            K::HostUnreachable | K::AddrNotAvailable => Cause::Unreachable,
            K::NotConnected => Cause::Closed,
            _ if is_cut(error) => Cause::Closed,
            _ => Cause::Local(error.to_string()),
        }
    }

    /// The cause that an error of a TLS library stands for.
    pub(super) fn of_tls(error: &io::Error) -> Self {
        Cause::Tls { message: error.to_string(), is_cut: is_cut(error) }
    }

    /// The kind of failure in the report.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Cause::Refused | Cause::PrintsWhatIsSent => ErrorKind::Refused,
            Cause::TimedOut => ErrorKind::Timeout,
            Cause::NoRoute | Cause::Unreachable => ErrorKind::Unreachable,
            Cause::Closed | Cause::ClosedAtOnce => ErrorKind::Closed,
            Cause::OldTls(_) | Cause::Tls { .. } => ErrorKind::Tls,
            Cause::Local(_) => ErrorKind::Local,
        }
    }
}

impl NetError {
    /// A failure for a cause.
    pub fn new(to: SocketAddr, stage: ConnectionStage, cause: Cause) -> Self {
        NetError { to, stage, cause }
    }

    /// The failure that an operating system's error of a socket stands for.
    pub fn from_io(to: SocketAddr, stage: ConnectionStage, error: &io::Error) -> Self {
        NetError::new(to, stage, Cause::of_io(error))
    }

    /// Nothing came before the deadline.
    pub fn timeout(to: SocketAddr, stage: ConnectionStage) -> Self {
        NetError::new(to, stage, Cause::TimedOut)
    }

    /// The kind of failure in the report.
    pub fn kind(&self) -> ErrorKind {
        self.cause.kind()
    }

    /// What the device speaks instead, if the TLS handshake failed because that is too old.
    pub fn old_tls(&self) -> Option<OldTls> {
        match self.cause {
            Cause::OldTls(old) => Some(old),
            _ => None,
        }
    }

    /// Whether the device closed the connection in the middle of a TLS handshake, without an alert.
    pub fn is_cut(&self) -> bool {
        matches!(self.cause, Cause::Tls { is_cut: true, .. })
    }

    /// Whether the same step can succeed a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind(), ErrorKind::Timeout | ErrorKind::Closed | ErrorKind::Local)
    }
}

/// The kind of failure in the report that an operating system's error of a socket stands for.
pub fn kind_of(error: &io::Error) -> ErrorKind {
    Cause::of_io(error).kind()
}

/// Whether a connection ended where the other side had more to send.
fn is_cut(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::UnexpectedEof | K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe)
}

/// Whether this machine has run out of descriptors, buffers, ports or rows of its neighbour table: wait and try again, the
/// host is not to blame.
#[cfg(unix)]
pub fn is_exhaustion(error: &io::Error) -> bool {
    use rustix::io::Errno as E;
    // AGAIN is connect() without a free port or row, ADDRNOTAVAIL the same for one destination (connect(2)).
    let exhausted = [E::MFILE, E::NFILE, E::NOBUFS, E::NOMEM, E::AGAIN, E::ADDRNOTAVAIL];
    E::from_io_error(error).is_some_and(|number| exhausted.contains(&number))
}

/// Whether this machine has run out of sockets, buffers or ports: wait and try again, the host is not to blame.
#[cfg(not(unix))]
pub fn is_exhaustion(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    // WSAEMFILE and WSAENOBUFS have no kind of their own.
    matches!(error.kind(), K::OutOfMemory | K::WouldBlock | K::AddrNotAvailable)
        || matches!(error.raw_os_error(), Some(10024 | 10055))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9)), 554);

    #[test]
    fn an_error_of_the_system_keeps_what_it_means_beyond_its_kind() {
        use io::ErrorKind as K;
        for (kind, cause, reported, message) in [
            (K::ConnectionRefused, Cause::Refused, ErrorKind::Refused, "connect: connection refused"),
            (K::TimedOut, Cause::TimedOut, ErrorKind::Timeout, "connect: timed out"),
            (K::HostUnreachable, Cause::Unreachable, ErrorKind::Unreachable, "connect: host unreachable"),
            // The host is fine as far as anybody knows; its whole network cannot be reached.
            (K::NetworkUnreachable, Cause::NoRoute, ErrorKind::Unreachable, "connect: no route to its network"),
            (K::NetworkDown, Cause::NoRoute, ErrorKind::Unreachable, "connect: no route to its network"),
            (K::ConnectionReset, Cause::Closed, ErrorKind::Closed, "connect: connection closed by the device"),
            (K::NotConnected, Cause::Closed, ErrorKind::Closed, "connect: connection closed by the device"),
        ] {
            let error = NetError::from_io(TO, ConnectionStage::Connect, &kind.into());
            assert_eq!((&error.cause, error.kind()), (&cause, reported));
            assert_eq!(error.to_string(), format!("192.0.2.9:554: {message}"));
        }
        let denied = io::Error::from(K::PermissionDenied);
        assert_eq!(Cause::of_io(&denied), Cause::Local(denied.to_string()));
    }

    #[cfg(unix)]
    #[test]
    fn what_this_machine_lacks_is_told_from_what_the_host_does() {
        use rustix::io::Errno as E;
        for (number, expected) in [
            (E::MFILE, true),
            (E::NFILE, true),
            (E::NOBUFS, true),
            (E::NOMEM, true),
            (E::AGAIN, true),
            (E::ADDRNOTAVAIL, true),
            (E::CONNREFUSED, false),
            (E::TIMEDOUT, false),
            (E::HOSTUNREACH, false),
            (E::DEADLK, false),
        ] {
            assert_eq!(is_exhaustion(&number.into()), expected, "{number:?}");
        }
        assert!(!is_exhaustion(&io::Error::other("no number")));
    }
}
