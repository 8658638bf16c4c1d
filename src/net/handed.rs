//! Sockets that are listened on already when this process begins: systemd binds them and hands them over (sd_listen_fds(3)).

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use super::platform;

/// More are not taken.
const MOST: u32 = 16;

/// A socket that is listened on.
#[derive(Debug)]
pub enum Handed {
    /// For an address and a port.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixListener),
}

/// Those that are handed over to this process, by `LISTEN_FDS` and `LISTEN_PID`; none where they are for another one. To be
/// called once: they are given away.
///
/// # Errors
/// Where one of them is no socket that listens, or the system has no such thing.
pub fn sockets(count: Option<&str>, pid: Option<&str>) -> io::Result<Vec<Handed>> {
    let is_ours = pid.is_some_and(|pid| pid.parse() == Ok(std::process::id()));
    let count = count.and_then(|count| count.parse::<u32>().ok()).filter(|_| is_ours).unwrap_or_default();
    (0..count.min(MOST)).map(|nth| known(platform::handed_over(nth)?)).collect()
}

fn known(socket: socket2::Socket) -> io::Result<Handed> {
    socket.set_cloexec(true)?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    // What does not listen has nobody to accept.
    if !platform::is_listener(&socket)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
    }
    match (address.as_socket(), address.is_unix()) {
        (Some(_), _) => Ok(Handed::Tcp(socket.into())),
        (None, true) => Ok(Handed::Unix(socket.into())),
        (None, false) => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is of another kind")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_known_for_what_it_is() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        match known(tcp.into()).unwrap() {
            Handed::Tcp(tcp) => assert_eq!(tcp.local_addr().unwrap().port(), port),
            Handed::Unix(_) => panic!("it has a port"),
        }
        let folder = tempfile::tempdir().unwrap();
        let unix = UnixListener::bind(folder.path().join("s")).unwrap();
        assert!(matches!(known(unix.into()).unwrap(), Handed::Unix(_)));
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(known(one.into()).is_err());
    }

    #[test]
    fn what_is_for_another_process_is_left_alone() {
        let own = std::process::id().to_string();
        for (count, pid) in [
            (None, None),
            (Some("3"), None),
            (Some("3"), Some("1")),
            (Some("0"), Some(own.as_str())),
            (Some("x"), Some(own.as_str())),
            (None, Some(own.as_str())),
        ] {
            assert!(sockets(count, pid).unwrap().is_empty(), "{count:?} {pid:?}");
        }
    }
}
