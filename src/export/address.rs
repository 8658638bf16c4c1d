//! Which address of a stream another program is handed. A report may come from anybody, and programs run commands, open files
//! and ask other hosts where an address says so (`exec:` of go2rtc, `concat:` of ffmpeg, `file:`): what is handed on has one
//! of the schemes that streams are found by, and leads to the device that it stands with.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::model::stream::url_host;
use crate::model::target::URL_SCHEMES;
use crate::model::{Device, ProbeTarget, Report, TargetSpec};
use crate::text::{counted, strip_userinfo};

/// Why an address is handed to no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It has another scheme, or none.
    #[error("its address is none of {}", URL_SCHEMES.join(", "))]
    Scheme,
    /// It names another host, or something that is no host.
    #[error("its address leads to another host than the device")]
    Host,
}

/// The names that a scan was asked for: it puts them into addresses of HTTP and RTMP, as servers of several sites need it.
#[derive(Debug, Clone, Default)]
pub struct AskedNames(HashSet<String>);

impl AskedNames {
    /// Those of a report.
    pub fn of(report: &Report) -> AskedNames {
        let names = report.scan.targets.iter().filter_map(|target| match target.parse::<ProbeTarget>().ok()?.host() {
            TargetSpec::Name(name, _) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
        AskedNames(names.collect())
    }

    /// The address as it may be handed on. A login that stands in it stays; another name than those asked for gives way to
    /// the device's address.
    ///
    /// # Errors
    /// When it has another scheme, or leads elsewhere.
    pub fn address(&self, device: &Device, url: &str) -> Result<String, Foreign> {
        let parts = Parts::of(url)?;
        match parts.host.parse() {
            Ok(ip) if is_of(device, ip) => Ok(url.to_owned()),
            Ok(_) => Err(Foreign::Host),
            Err(_) if self.0.contains(&parts.host.to_ascii_lowercase()) => Ok(url.to_owned()),
            Err(_) => Ok(parts.at(device.ip)),
        }
    }
}

/// The address with a place for a login: at the one address that logins are chosen by, whichever of its own the device is
/// named by.
///
/// # Errors
/// When it has another scheme, or leads elsewhere.
pub fn for_login(device: &Device, url: &str) -> Result<String, Foreign> {
    AskedNames::default().address(device, url)?;
    Ok(Parts::of(url)?.at(device.ip))
}

/// Takes the streams out of a report that lead elsewhere, and says so in a sentence for each device.
pub fn leave_out_foreign(report: &mut Report) -> Vec<String> {
    let names = AskedNames::of(report);
    let mut said = Vec::new();
    for device in &mut report.devices {
        let mut foreign = Vec::new();
        for mut stream in std::mem::take(&mut device.streams) {
            match names.address(device, &stream.url) {
                Ok(url) => {
                    stream.url = url;
                    device.streams.push(stream);
                }
                Err(why) => foreign.push(why),
            }
        }
        if let Some(why) = foreign.first() {
            said.push(format!("{}: {} left out: {why}", device.ip, counted(foreign.len(), "stream is", "streams are")));
        }
    }
    said
}

fn is_of(device: &Device, ip: IpAddr) -> bool {
    device.addresses.iter().chain([&device.ip]).any(|own| own.to_canonical() == ip.to_canonical())
}

/// An address in its parts. It is read strictly: two programs must not see different hosts in it.
struct Parts<'u> {
    scheme: &'u str,
    /// User and password with their `@`; mostly empty.
    login: &'u str,
    /// An IP address without brackets, or a name.
    host: &'u str,
    /// The port with its colon, path and query.
    rest: &'u str,
}

impl<'u> Parts<'u> {
    fn of(url: &'u str) -> Result<Parts<'u>, Foreign> {
        let (scheme, behind) = url.split_once("://").ok_or(Foreign::Scheme)?;
        if !URL_SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(Foreign::Scheme);
        }
        let bare = strip_userinfo(url).len().saturating_sub(scheme.len() + 3);
        let (login, place) = behind.split_at_checked(behind.len().saturating_sub(bare)).ok_or(Foreign::Host)?;
        let end = place.find(['/', '?', '#']).unwrap_or(place.len());
        let (host, port) = host_and_port(place.get(..end).unwrap_or_default()).ok_or(Foreign::Host)?;
        let rest = place.get(end.saturating_sub(port.len())..).unwrap_or_default();
        Ok(Parts { scheme, login, host, rest })
    }

    fn at(&self, ip: IpAddr) -> String {
        format!("{}://{}{}{}", self.scheme, self.login, url_host(ip), self.rest)
    }
}

/// The host without brackets, and the port with its colon; none where either is not plainly one.
fn host_and_port(authority: &str) -> Option<(&str, &str)> {
    let (host, port) = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((v6, port)) => (v6.parse::<std::net::Ipv6Addr>().is_ok().then_some(v6)?, port),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    // A name of digits and dots alone is a number that some read as an address.
    let last = host.rsplit('.').find(|label| !label.is_empty());
    let is_number =
        |label: &str| label.bytes().all(|b| b.is_ascii_digit()) || label.to_ascii_lowercase().starts_with("0x");
    let is_name = || host.chars().all(is_host) && last.is_some_and(|label| !is_number(label));
    let is_port =
        |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|p| p > 0);
    let has_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    (has_port && (host.parse::<IpAddr>().is_ok() || is_name())).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;

    fn device() -> Device {
        let mut device = sample::camera();
        device.ip = "10.0.0.5".parse().unwrap();
        device.addresses = vec![device.ip, "fd00::5".parse().unwrap()];
        device
    }

    fn asked(targets: &[&str]) -> AskedNames {
        let mut report = sample::report_of(vec![]);
        report.scan.targets = targets.iter().map(|target| (*target).to_owned()).collect();
        AskedNames::of(&report)
    }

    #[test]
    fn an_address_of_the_device_stays_as_it_is() {
        for url in [
            "rtsp://10.0.0.5:554/main?channel=1",
            "rtsps://10.0.0.5",
            "rtmp://[fd00::5]:1935/live",
            "http://viewer:p%40@10.0.0.5:80/video.mjpg#x",
            "https://cam.lan:8443/a@b",
            "RTSP://10.0.0.5?x",
            "rtsp://10.77.0.5.cam.lan/x",
        ] {
            let names = asked(&["10.0.0.0/24", "Cam.LAN:8080", "http://10.77.0.5.cam.lan/x"]);
            assert_eq!(names.address(&device(), url).as_deref(), Ok(url));
        }
    }

    #[test]
    fn another_name_gives_way_to_the_devices_address() {
        let names = asked(&["cam.lan"]);
        let led = |url: &str| names.address(&device(), url).unwrap();
        assert_eq!(led("http://evil.example:8080/x"), "http://10.0.0.5:8080/x");
        assert_eq!(led("rtsp://u:p@evil.example"), "rtsp://u:p@10.0.0.5");
        let for_login = |url: &str| for_login(&device(), url).unwrap();
        assert_eq!(for_login("http://cam.lan:8080/x"), "http://10.0.0.5:8080/x");
        assert_eq!(for_login("rtsp://[fd00::5]:554/x"), "rtsp://10.0.0.5:554/x");
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for url in sample::FOREIGN_URLS {
            assert!(asked(&["evil.example"]).address(&device(), url).is_err(), "{url}");
            assert!(for_login(&device(), url).is_err(), "{url}");
        }
    }
}
