//! Descriptors that whoever started this process has left open for it.

use std::io;

/// The first that systemd hands over (SD_LISTEN_FDS_START).
#[cfg(target_os = "linux")]
const FIRST: u32 = 3;

/// The socket that was handed over as the nth; each may be asked for once.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "a number in the environment is all there is of a descriptor")]
pub(in crate::net) fn handed_over(nth: u32) -> io::Result<socket2::Socket> {
    use std::os::fd::{FromRawFd as _, OwnedFd};
    let number = i32::try_from(FIRST + nth).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: fcntl reads the flags of a descriptor, whatever the number is, and changes nothing.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and systemd has said that it is for this process alone; nobody else here knows its number, and it is
    // asked for once.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    Ok(descriptor.into())
}

/// There are none.
#[cfg(not(target_os = "linux"))]
pub(in crate::net) fn handed_over(_: u32) -> io::Result<socket2::Socket> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether a socket listens.
#[cfg(target_os = "linux")]
pub(in crate::net) fn is_listener(socket: &socket2::Socket) -> io::Result<bool> {
    socket.is_listener()
}

/// Whether a socket listens, which nobody can tell here.
#[cfg(not(target_os = "linux"))]
pub(in crate::net) fn is_listener(_: &socket2::Socket) -> io::Result<bool> {
    Ok(true)
}
