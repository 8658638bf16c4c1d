//! What a scan reports: events as they happen, and devices, warnings and logins for the report at its end. Whatever a device
//! sent passes the redactor here; there is no other way into the report.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use jiff::Timestamp;

use super::registry::Registry;
use crate::identify::site::Surroundings;
use crate::model::texts::TextKind;
use crate::model::{
    Credential, Device, EventSink, Finding, FindingKind, ProbeOptions, ScanEvent, StreamStatus, TargetSet,
};
use crate::text::Redactor;

pub(super) struct Results<S> {
    registry: Registry,
    warnings: Vec<String>,
    /// The logins that worked, where they are to be shown.
    logins: HashMap<IpAddr, Credential>,
    /// Takes the user's passwords out of everything that is reported.
    redactor: Redactor,
    now: fn() -> Timestamp,
    sink: S,
}

impl<S: EventSink> Results<S> {
    /// Nothing yet. With `all`, devices without any sign of video are reported too.
    pub(super) fn new(all: bool, options: &ProbeOptions, now: fn() -> Timestamp, sink: S) -> Self {
        Results {
            registry: Registry::new(all),
            warnings: Vec::new(),
            logins: HashMap::new(),
            redactor: crate::identify::redactor(&options.credentials),
            now,
            sink,
        }
    }

    /// Reports an event.
    pub(super) fn report(&mut self, event: &ScanEvent) {
        self.sink.event(event);
    }

    /// Takes in a finding and reports what it changed.
    pub(super) fn take(&mut self, mut finding: Finding) {
        if let FindingKind::Service(service) | FindingKind::Announced(service) = &finding.kind {
            service.realm.iter().for_each(|realm| self.redactor.learn_realm(realm));
        }
        finding.kind.texts(&mut |kind, text| redact(&self.redactor, kind, text));
        if let FindingKind::Seen(method) = finding.kind {
            tracing::debug!(ip = %finding.ip, method = method.as_str(), "host seen");
        }
        for mut event in self.registry.apply((self.now)(), finding) {
            if let ScanEvent::DeviceDone(device) = &mut event {
                reveal(&self.logins, device);
            }
            self.report(&event);
        }
    }

    /// Takes in a finding about an address that is in no subnet of this machine; whether there was room for it.
    pub(super) fn hear(&mut self, mut finding: Finding) -> bool {
        finding.kind.texts(&mut |kind, text| redact(&self.redactor, kind, text));
        self.registry.hear((self.now)(), finding)
    }

    /// Reports the devices that were heard in other subnets.
    pub(super) fn report_heard(&mut self) {
        for device in self.registry.heard_devices() {
            self.report(&ScanEvent::DeviceDone(Box::new(device)));
        }
    }

    /// Judges devices by the networks of this machine from now on.
    pub(super) fn set_surroundings(&mut self, surroundings: Surroundings) {
        self.registry = std::mem::take(&mut self.registry).within(surroundings);
    }

    /// Reports that a host's inspection has ended, and its device.
    pub(super) fn host_done(&mut self, ip: IpAddr) {
        self.take(Finding::new(ip, FindingKind::Done));
    }

    /// Keeps the login that worked on a host, to be shown in its streams' addresses.
    pub(super) fn keep_login(&mut self, ip: IpAddr, login: Credential) {
        self.logins.insert(ip, login);
    }

    /// Warns the operator, of the same thing once.
    pub(super) fn warn(&mut self, mut text: String) {
        redact(&self.redactor, TextKind::Lines, &mut text);
        if !self.warnings.contains(&text) {
            self.report(&ScanEvent::Warning(text.clone()));
            self.warnings.push(text);
        }
    }

    /// What was found so far.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The targets as they were written, without passwords.
    pub(super) fn targets(&self, targets: &TargetSet) -> Vec<String> {
        targets.written.iter().map(|t| self.redactor.redact(t).into_owned()).collect()
    }

    /// The devices and the warnings.
    pub(super) fn finish(self) -> (Vec<Device>, Vec<String>) {
        let mut devices = self.registry.devices();
        crate::identify::recorder::fold(&mut devices);
        // What Digest makes of a password is known once its realm is, which may come last.
        let mut without_digests = |_: TextKind<'_>, text: &mut String| {
            if let Cow::Owned(shown) = self.redactor.redact_digests(text) {
                *text = shown;
            }
        };
        devices.iter_mut().for_each(|device| device.texts(&mut without_digests));
        devices.iter_mut().for_each(|device| reveal(&self.logins, device));
        (devices, self.warnings)
    }
}

/// Puts the login that worked into the URLs of the streams that need it, when the user asked for that.
fn reveal(logins: &HashMap<IpAddr, Credential>, device: &mut Device) {
    let Some(login) = logins.get(&device.ip) else { return };
    for stream in device.streams.iter_mut().filter(|s| s.open == Some(false) && s.status != StreamStatus::AuthRequired)
    {
        stream.url = crate::wire::url::with_login(&stream.url, &login.user, login.password.expose());
    }
}

/// Takes the user's passwords out of a text, and those in addresses, whatever a device sent and wherever it put it.
fn redact(redactor: &Redactor, kind: TextKind<'_>, text: &mut String) {
    let shown = match kind {
        TextKind::Line | TextKind::Lines => redactor.redact(text),
        TextKind::ValueOf(name) => redactor.redact_value(name, text),
        TextKind::Own | TextKind::Path => return,
    };
    if let Cow::Owned(shown) = shown {
        *text = shown;
    }
    if kind == TextKind::Line && text.contains("://") {
        *text = crate::text::redact_urls(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Protocol, Service, Transport};

    /// A device that knows the password can make Digest's hash of it before it names the realm.
    #[test]
    fn a_digest_is_taken_out_whenever_its_realm_is_named() {
        // MD5 of `viewer:IP Camera(C1234):tiefer Brunnen/7`.
        const HASH: &str = "23ac50294f0a517211f7bde7a234eaf5";
        let options = ProbeOptions {
            credentials: vec![Credential::new("viewer", "tiefer Brunnen/7")],
            ..ProbeOptions::default()
        };
        let mut results = Results::new(true, &options, || Timestamp::UNIX_EPOCH, |_: &ScanEvent| {});
        let ip = IpAddr::from([192, 0, 2, 10]);
        let service = |port, server: Option<&str>, realm: Option<&str>| {
            let (server, realm) = (server.map(str::to_owned), realm.map(str::to_owned));
            let service = Service { server, realm, ..Service::new(Protocol::Http, Transport::Tcp, port) };
            Finding::new(ip, FindingKind::Service(service))
        };
        results.take(service(80, Some(HASH), None));
        results.take(service(81, Some("other"), Some("IP Camera(C1234)")));
        results.take(service(82, Some(&HASH.to_uppercase()), None));
        results.host_done(ip);
        let (devices, _) = results.finish();
        let shown = serde_json::to_string(&devices).unwrap();
        assert!(shown.contains("IP Camera(C1234)"), "{shown}");
        assert!(!shown.to_lowercase().contains(HASH), "{shown}");
        assert_eq!(shown.matches("\"***\"").count(), 2, "{shown}");
    }
}
