//! Relative addresses: the controls of session descriptions, as players join them, and the rules of RFC 3986.

use super::announced::mended;
use super::{AnnouncedUrl, Fault, Host, HostUrl, Scheme};
use crate::text;

impl HostUrl {
    /// The address of a control below this base (RFC 2326 §C.1.1), as live555, ffmpeg and retina join it: `*` or nothing is
    /// the base, an absolute one stays as it is but for its host, anything else is appended, also behind a query.
    pub fn join_control(&self, control: Option<&str>) -> HostUrl {
        match control.map(str::trim) {
            None | Some("" | "*") => self.clone(),
            Some(absolute) if absolute.contains("://") => self.absolute_control(absolute),
            Some(relative) => {
                let slash = if self.target.ends_with('/') { "" } else { "/" };
                self.with_target(&format!("{}{slash}{relative}", self.target))
            }
        }
    }

    /// The same by the rules of RFC 3986 §5.2, but for its dots, where they lead elsewhere: worth one try when the other is
    /// not found.
    pub fn join_control_rfc3986(&self, control: Option<&str>) -> Option<HostUrl> {
        let control = control.map(str::trim).filter(|c| !matches!(*c, "" | "*") && !c.contains("://"))?;
        let resolved = self.with_target(&resolve(&self.target, control));
        (resolved != self.join_control(Some(control))).then_some(resolved)
    }

    fn absolute_control(&self, control: &str) -> HostUrl {
        match AnnouncedUrl::read_lenient(control, self.scheme) {
            Some(AnnouncedUrl { host: Host::Address(_) | Host::Name(_), url, fault: None }) if url.scheme.is_rtsp() => {
                url
            }
            // The host is nonsense; the path may still be right.
            _ => {
                let rest = text::strip_userinfo(control);
                let rest = rest.rsplit_once("://").map_or("", |(_, rest)| rest);
                self.with_target(rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or_default())
            }
        }
    }
}

impl AnnouncedUrl {
    /// The address that `reference` means where this one was read (RFC 3986 §5.2). None when it is of a scheme that is not
    /// known, or no address. With HTTP a backslash in a path is a slash, as browsers have it.
    pub fn join_rfc3986(&self, reference: &str) -> Option<AnnouncedUrl> {
        let mut reference = mended(reference)?;
        if self.url.scheme.is_http() {
            let path = reference.find(['?', '#']).unwrap_or(reference.len());
            reference = format!("{}{}", reference.get(..path)?.replace('\\', "/"), reference.get(path..)?);
        }
        if reference.starts_with("//") {
            return AnnouncedUrl::read_lenient(&format!("{}:{reference}", self.url.scheme), self.url.scheme);
        }
        if let Some(scheme) = scheme_of(&reference) {
            return scheme.parse::<Scheme>().ok().and_then(|s| AnnouncedUrl::read_lenient(&reference, s));
        }
        let target = resolve(&self.url.target, &reference);
        let (path, rest) = target.split_at_checked(target.find(['?', '#']).unwrap_or(target.len()))?;
        let url = self.url.with_target(&format!("{}{rest}", without_dots(path)));
        Some(AnnouncedUrl { host: self.host.clone(), url, fault: self.fault.filter(|f| *f != Fault::Port) })
    }
}

/// The scheme a reference begins with (RFC 3986 §3.1).
fn scheme_of(reference: &str) -> Option<&str> {
    let (scheme, _) = reference.split_once(':')?;
    let begins = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    (begins && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))).then_some(scheme)
}

/// Path and query of a relative reference below path and query of a base; dots are left as they are.
fn resolve(base: &str, reference: &str) -> String {
    let whole = base.split('#').next().unwrap_or_default();
    let path = whole.split('?').next().unwrap_or_default();
    let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
    match reference.chars().next() {
        None | Some('#') => format!("{whole}{reference}"),
        Some('/') => reference.to_owned(),
        Some('?') => format!("{path}{reference}"),
        Some(_) => format!("{folder}{reference}"),
    }
}

/// A path without the segments `.` and `..` (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').peekable();
    // What stands before the first slash: nothing, for a path that begins with one.
    segments.next_if(|first| first.is_empty());
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}
