//! Syslog (RFC 5424) by UDP, TCP or a socket of this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::{Message, Outcome};
use crate::model::memory::Severity;
use crate::model::notify::{Syslog, SyslogAddress};
use crate::model::problem::io_reason;
use crate::net::{Net, UdpBind};

/// How long resolving, connecting and writing may take.
const LIMIT: Duration = Duration::from_secs(15);
/// What every receiver takes (RFC 5424 §6.1), in bytes.
const MOST: usize = 2048;

pub(super) async fn send(net: &dyn Net, syslog: &Syslog, message: &Message) -> Outcome {
    let line = line(syslog.facility, &host_name(), std::process::id(), message);
    let outcome = match tokio::time::timeout(LIMIT, write(net, &syslog.to, &line)).await {
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        Ok(outcome) => outcome,
    };
    match outcome {
        // Nobody answers in this protocol.
        Ok(()) => Outcome::Done { answer: format!("{} bytes sent to {}", line.len(), syslog.to) },
        Err(error) => Outcome::retry(format!("{}: {}", syslog.to, io_reason(&error))),
    }
}

async fn write(net: &dyn Net, to: &SyslogAddress, line: &str) -> io::Result<()> {
    match to {
        SyslogAddress::Udp(host, port) => {
            let to = address(net, host, *port).await?;
            let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let socket = net.udp(&UdpBind { receives_refusals: true, ..UdpBind::any_port(any) })?;
            socket.send_to(line.as_bytes(), to).await.map(drop)
        }
        SyslogAddress::Tcp(host, port) => {
            let mut stream = net.connect(address(net, host, *port).await?).await?;
            stream.write_all(format!("{} {line}", line.len()).as_bytes()).await?;
            stream.shutdown().await
        }
        #[cfg(unix)]
        SyslogAddress::Unix(path) => {
            let socket = tokio::net::UnixDatagram::unbound()?;
            socket.send_to(line.as_bytes(), path).await.map(drop)
        }
        #[cfg(not(unix))]
        SyslogAddress::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

async fn address(net: &dyn Net, host: &str, port: u16) -> io::Result<SocketAddr> {
    let ip = match host.parse() {
        Ok(ip) => ip,
        Err(_) => net.resolve(host).await?.into_iter().next().ok_or(io::ErrorKind::NotFound)?,
    };
    Ok(SocketAddr::new(ip, port))
}

/// This machine's name, or the sign for none.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// A message in the form of RFC 5424 §6, at most [`MOST`] bytes.
fn line(facility: u8, host: &str, process: u32, message: &Message) -> String {
    let severity = match message.severity {
        Severity::Problem => 3,
        Severity::Warning => 4,
        Severity::Recovery => 5,
        Severity::Info => 6,
    };
    let priority = u16::from(facility.min(23)) * 8 + severity;
    let kind = message.kind.map_or("events", crate::model::memory::EventKind::as_str);
    // The enterprise number of RFC 5612, meant for those without one.
    let mut data = format!("[camscan@32473 id=\"{}\"", value(&message.id));
    if let Some(device) = &message.device {
        data.push_str(&format!(" device=\"{}\"", value(device)));
    }
    let text = message.text.replace('\n', "; ");
    let at = message.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    let mut line = format!("<{priority}>1 {at} {host} camscan {process} {kind} {data}] \u{feff}{}", message.title);
    if !text.is_empty() {
        line.push_str(" | ");
        line.push_str(&text);
    }
    while line.len() > MOST {
        line.pop();
    }
    line
}

/// A value of structured data: three signs are escaped (RFC 5424 §6.3.3).
fn value(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::compose::test_message;

    #[test]
    fn a_message_is_one_line_of_the_standard() {
        let mut message = test_message("msg_\"1]", "2026-03-01T10:00:00.25Z".parse().unwrap());
        (message.severity, message.text) = (Severity::Problem, "one\ntwo".to_owned());
        let said = line(3, "box", 7, &message);
        assert_eq!(
            said,
            "<27>1 2026-03-01T10:00:00.250Z box camscan 7 events [camscan@32473 id=\"msg_\\\"1\\]\"] \u{feff}Test message of camscan | one; two"
        );
        message.text = "ü".repeat(5000);
        let long = line(23, "box", 7, &message);
        assert!(long.len() <= MOST && long.starts_with("<187>1 "));
    }
}
