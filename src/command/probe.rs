//! `camscan probe`: one device or stream in depth.

use std::net::IpAddr;

use tokio_util::sync::CancellationToken;

use super::ready::Ready;
use super::record::Record;
use super::{interrupt, remembered, scan};
use crate::cli::config::settings::Settings;
use crate::cli::exit::{Exit, JobFailed};
use crate::cli::ui::Ui;
use crate::model::problem::Problem;
use crate::model::stream::url_host;
use crate::model::{
    Credential, Device, Finding, FindingKind, HostTarget, ProbeTarget, ScanPlan, StreamStatus, TargetSet,
};
use crate::net::Net;
use crate::net::record::{Recorder, RecordingNet};
use crate::scan::{single, targets};
use crate::wire::url::Scheme;

/// Looks at each target in depth and writes one report of all.
///
/// # Errors
/// Usage errors before anything is sent; afterwards only what could not be written.
pub async fn run(settings: &Settings, ready: Ready, record: Option<&Record>, ui: &Ui) -> anyhow::Result<Exit> {
    let Ready { outputs, store, session, .. } = ready;
    let recorder = record.map(|_| Recorder::new());
    let session = match &recorder {
        Some(recorder) => session.on_net(RecordingNet::new(session.net.clone(), recorder.clone())),
        None => session,
    };
    let begun = (session.now)();
    let stop = CancellationToken::new();
    let outputs = outputs.in_depth().until(&stop, ui)?;
    interrupt::listen(stop.clone(), ui)?;
    let Some(planned) = stop.run_until_cancelled(plan(settings, session.net.as_ref())).await else {
        ui.warning(interrupt::BEFORE);
        return Ok(Exit::Interrupted);
    };
    let (mut plan, known) = planned?;
    if let Some(store) = &store {
        remembered::hand_over(store, &mut plan, begun)?;
    }
    if let Some((recorder, host)) = recorder.as_ref().zip(known.first()) {
        recorder.listen_to(host.ip);
    }
    let mut report = scan::scan(session.clone(), plan, known, &stop, &outputs, ui).await;
    ui.finish();
    // Nobody discovered them: up is who answered.
    report.scan.hosts_up = report.devices.iter().filter(|device| has_answered(device)).count() as u64;
    if let Some((record, recorder)) = record.zip(recorder) {
        record.write(&recorder.recording(), &report, settings, begun, ui)?;
    }
    outputs.write(&report, outputs.streams(), &|device| session.login_of(device), ui)?;
    if stop.is_cancelled() {
        return Ok(Exit::Interrupted);
    }
    if report.scan.hosts_up == 0 {
        return Err(JobFailed(
            Problem::new("nothing answered")
                .hint("check that the device is on and reachable from here; -v shows what was tried"),
        )
        .into());
    }
    Ok(Exit::Success)
}

fn has_answered(device: &Device) -> bool {
    !device.services.is_empty() || device.streams.iter().any(|s| s.status != StreamStatus::Error)
}

/// A scan without discovery: the hosts are known, and so are the streams whose URL was given.
async fn plan(settings: &Settings, net: &dyn Net) -> Result<(ScanPlan, Vec<Finding>), Problem> {
    let mut hosts = Vec::new();
    let mut known = Vec::new();
    let mut credentials: Vec<Credential> = Vec::new();
    let mut wholes = Vec::new();
    for target in &settings.probe_targets {
        let mut host = targets::one(target.host(), net).await.map_err(Problem::from)?;
        known.push(single::host(host.ip));
        match target {
            ProbeTarget::Host(_) => wholes.push(host.ip),
            ProbeTarget::Url { url, credential, .. } => {
                let (url, port) = at_address(url, &host);
                host.ports = vec![port];
                known.push(single::stream(host.ip, url));
                credentials.extend(credential.clone().map(|login| meant_for(host.ip, login)));
            }
        }
        hosts.push(host);
    }
    let written = settings.probe_targets.iter().map(ToString::to_string).collect();
    let mut plan = settings.plan_for(TargetSet::new(written, [], hosts, &[]));
    plan.methods = Vec::new();
    // All is asked, however much is known of the device.
    plan.max_age = None;
    plan.all = true;
    plan.probe.in_depth = true;
    if wholes.is_empty() {
        plan.probe.ports = Vec::new();
    }
    // Who names a device as a whole besides wants its other streams, too.
    for finding in &mut known {
        if let FindingKind::StreamHint(hint) = &mut finding.kind {
            hint.is_asked_for &= !wholes.contains(&finding.ip);
        }
    }
    credentials.append(&mut plan.probe.credentials);
    plan.probe.credentials = credentials;
    Ok((plan, known))
}

/// The login of a URL is for the device of that URL and for no other of the command line.
fn meant_for(ip: IpAddr, mut login: Credential) -> Credential {
    login.scope.network = Some(ip.into());
    login
}

/// A URL with the address in place of the name, and its port: the one written in it, or its scheme's own.
fn at_address(url: &str, host: &HostTarget) -> (String, u16) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("rtsp", url));
    let target = rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or("/");
    let port =
        host.ports.first().copied().or_else(|| scheme.parse::<Scheme>().ok().map(Scheme::default_port)).unwrap_or(554);
    (format!("{scheme}://{}:{port}{target}", url_host(host.ip)), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_in_a_url_is_given_to_its_device_alone() {
        let login = meant_for([192, 0, 2, 7].into(), Credential::new("viewer", "secret"));
        assert!(login.scope.covers([192, 0, 2, 7].into(), None, None));
        assert!(!login.scope.covers([192, 0, 2, 8].into(), None, None));
    }
}
