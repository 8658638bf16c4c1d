//! The address of an RTSP request: a place on the device asked, and where descriptions and redirects lead from it. Pure.

use std::fmt;
use std::net::IpAddr;

use crate::text;
use crate::wire::url::{AnnouncedUrl, Endpoint, HostUrl};

/// An RTSP URL on a device. `Display` is what goes on the wire; [`RtspUrl::shown`] is for people, since some makers put the
/// password into the path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RtspUrl {
    ip: IpAddr,
    place: HostUrl,
}

impl RtspUrl {
    /// The URL of `target` (path and query, with leading `/`; or empty) on a host.
    pub fn new(ip: IpAddr, endpoint: Endpoint, target: &str) -> Self {
        RtspUrl { ip, place: endpoint.rtsp(target) }
    }

    /// The URL of a place on a host.
    pub fn at(ip: IpAddr, place: HostUrl) -> Self {
        RtspUrl { ip, place }
    }

    /// The port, and whether it is spoken to inside TLS.
    pub fn endpoint(&self) -> Endpoint {
        self.place.endpoint()
    }

    /// Path and query; may be empty.
    pub fn target(&self) -> &str {
        self.place.target()
    }

    /// For people, logs and reports: without passwords in path and query.
    pub fn shown(&self) -> String {
        self.place.shown(self.ip)
    }

    /// The base of a description's controls (RFC 2326 §C.1.1): `Content-Base`, else `Content-Location`, else the URL asked
    /// for. One that is no URL, or of another host than the one asked, is passed over.
    pub fn base(&self, content_base: Option<&str>, content_location: Option<&str>) -> RtspUrl {
        let usable = |text: &str| {
            if text.trim().starts_with('/') {
                return Some(self.place.with_target(text.trim()));
            }
            let announced = AnnouncedUrl::read_lenient(text, self.place.scheme)?;
            let is_sound = announced.fault.is_none() && announced.url.scheme.is_rtsp() && announced.ip().is_some();
            (is_sound && announced.is_on(self.ip, "")).then_some(announced.url)
        };
        let found = content_base.and_then(usable).or_else(|| content_location.and_then(usable));
        found.map_or_else(|| self.clone(), |place| RtspUrl { ip: self.ip, place })
    }

    /// The URL of a control below this base, as players join it.
    pub fn control(&self, control: Option<&str>) -> RtspUrl {
        RtspUrl { ip: self.ip, place: self.place.join_control(control) }
    }

    /// The same by the rules of RFC 3986 §5.2, where they lead elsewhere.
    pub fn control_rfc3986(&self, control: Option<&str>) -> Option<RtspUrl> {
        Some(RtspUrl { ip: self.ip, place: self.place.join_control_rfc3986(control)? })
    }

    /// Where a redirect leads. `name` is what the host is called besides its address.
    pub fn redirect(&self, location: &str, name: &str) -> Redirect {
        let location = location.trim();
        if location.is_empty() {
            return Redirect::Nowhere;
        }
        if !location.contains("://") {
            let here = self.control_rfc3986(Some(location)).unwrap_or_else(|| self.control(Some(location)));
            return Redirect::Here(here);
        }
        match AnnouncedUrl::read_rtsp(location) {
            None => Redirect::Elsewhere(text::clean(&text::redact_url(location))),
            Some(announced) if announced.is_on(self.ip, name) || announced.is_on_itself() => {
                Redirect::Here(RtspUrl { ip: self.ip, place: announced.url })
            }
            Some(announced) => Redirect::Elsewhere(announced.shown()),
        }
    }
}

impl fmt::Display for RtspUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place.at(self.ip))
    }
}

impl fmt::Debug for RtspUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// Where a redirect leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// To another path, port or scheme of the same host.
    Here(RtspUrl),
    /// To another host or protocol; for people, cleaned.
    Elsewhere(String),
    /// It does not say.
    Nowhere,
}

#[cfg(test)]
mod tests;
