//! What a service tells systemd: that it is ready, what it is doing, that it is alive (sd_notify(3)).
//!
//! Without `NOTIFY_SOCKET` in the environment nothing is sent.

use std::ffi::OsStr;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

/// The way to systemd.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// By `NOTIFY_SOCKET`, a path or, behind `@`, an abstract name; and by `WATCHDOG_USEC`, which is for the process
    /// `WATCHDOG_PID` if that is set.
    pub fn new(socket: Option<&OsStr>, watchdog_usec: Option<&str>, watchdog_pid: Option<&str>) -> Self {
        let socket = socket.and_then(address).and_then(|to| Some((UnixDatagram::unbound().ok()?, to)));
        let is_ours = watchdog_pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let usec = watchdog_usec.and_then(|usec| usec.parse().ok()).filter(|usec| *usec > 0 && is_ours);
        Notifier { watchdog: usec.filter(|_| socket.is_some()).map(Duration::from_micros), socket }
    }

    /// How often [`Notifier::alive`] is to be called at least: half of what systemd waits.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog.map(|whole| whole / 2)
    }

    /// The service works.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// It reads its configuration again; [`Notifier::ready`] ends that. For services of `Type=notify`.
    pub fn reloading(&self) {
        self.send("RELOADING=1");
    }

    /// It ends.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// It is alive.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// What it is doing, in one line.
    pub fn status(&self, text: &str) {
        self.send(&format!("STATUS={}", text.replace('\n', " ")));
    }

    fn send(&self, message: &str) {
        if let Some((socket, to)) = &self.socket
            && let Err(error) = socket.send_to_addr(message.as_bytes(), to)
        {
            tracing::debug!(%error, "systemd cannot be told");
        }
    }
}

fn address(name: &OsStr) -> Option<SocketAddr> {
    use std::os::unix::ffi::OsStrExt;
    match name.as_bytes() {
        [] => None,
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name).ok(),
        _ => SocketAddr::from_pathname(Path::new(name)).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn systemd_is_told_by_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::new(Some(path.as_os_str()), Some("30000000"), None);
        assert_eq!(notifier.watchdog(), Some(Duration::from_secs(15)));
        notifier.ready();
        notifier.status("42 cameras\n1 offline");
        assert_eq!(receive(&receiver), "READY=1");
        assert_eq!(receive(&receiver), "STATUS=42 cameras 1 offline");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn systemd_is_told_by_an_abstract_name() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("camscan-test-{}", std::process::id());
        let receiver = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notifier::new(Some(OsStr::new(&format!("@{name}"))), None, None).stopping();
        assert_eq!(receive(&receiver), "STOPPING=1");
    }

    #[test]
    fn without_a_socket_nothing_is_sent_and_no_watchdog_waits() {
        let mine = std::process::id().to_string();
        for socket in [None, Some(OsStr::new(""))] {
            let notifier = Notifier::new(socket, Some("1000000"), Some(&mine));
            notifier.alive();
            assert_eq!(notifier.watchdog(), None);
        }
        let path = OsStr::new("/tmp/nobody-listens");
        assert_eq!(Notifier::new(Some(path), Some("1000000"), Some("1")).watchdog(), None);
        assert_eq!(Notifier::new(Some(path), Some("0"), None).watchdog(), None);
        assert!(Notifier::new(Some(path), Some("1000000"), Some(&mine)).watchdog().is_some());
        Notifier::new(Some(path), None, None).ready();
    }
}
