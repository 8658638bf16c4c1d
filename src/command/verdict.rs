//! Whether a finished scan meets what was asked of it: the conditions of `--fail-on`.

use std::collections::BTreeSet;

use crate::cli::config::fail_on::FailOn;
use crate::model::{Device, ErrorKind, Report, StreamStatus};

/// The conditions that hold, each with a sentence that says why. `baseline` is the earlier report to compare with.
pub fn broken(conditions: &[FailOn], report: &Report, baseline: Option<&Report>) -> Vec<String> {
    conditions.iter().filter_map(|condition| holds(*condition, report, baseline)).collect()
}

fn holds(condition: FailOn, report: &Report, baseline: Option<&Report>) -> Option<String> {
    let devices = &report.devices;
    let any = |what: &str, test: &dyn Fn(&Device) -> bool| {
        let which: Vec<String> = devices.iter().filter(|d| test(d)).map(|d| d.ip.to_string()).collect();
        (!which.is_empty()).then(|| format!("{what}: {}", which.join(", ")))
    };
    let with_status = |status: StreamStatus| move |d: &Device| d.streams.iter().any(|s| s.status == status);
    match condition {
        FailOn::New => {
            let known = baseline.map(identities).unwrap_or_default();
            any("not in the baseline", &|d| identity(d).is_disjoint(&known))
        }
        FailOn::Offline => {
            let here = identities(report);
            let gone: Vec<String> = baseline
                .into_iter()
                .flat_map(|b| &b.devices)
                .filter(|d| identity(d).is_disjoint(&here))
                .map(|d| d.ip.to_string())
                .collect();
            (!gone.is_empty()).then(|| format!("in the baseline but not found now: {}", gone.join(", ")))
        }
        FailOn::NoneFound => devices.is_empty().then(|| "no camera was found".to_owned()),
        FailOn::AuthRequired => any("a login is needed or was refused", &|d| {
            with_status(StreamStatus::AuthRequired)(d) || d.login_attempts.is_some_and(|l| l.counted() > 0)
        }),
        FailOn::NotStreaming => any("no stream delivers frames", &|d| {
            !d.streams.is_empty() && d.streams.iter().all(|s| s.status != StreamStatus::Streaming)
        }),
        FailOn::NoData => any("a stream was accepted and gave no frame", &with_status(StreamStatus::NoData)),
        FailOn::Error => any("a stream or device ended in an error", &|d| {
            // That none of the paths asked is a stream is no failure of the device.
            let is_failure = |kind| !matches!(kind, ErrorKind::AuthRequired | ErrorKind::NotFound);
            with_status(StreamStatus::Error)(d) || d.errors.iter().any(|e| is_failure(e.kind))
        }),
    }
}

/// What a device can be known again by: its MAC address or endpoint, else its address.
fn identity(device: &Device) -> BTreeSet<String> {
    if device.id.starts_with("ip:") {
        return BTreeSet::from([device.id.clone()]);
    }
    let mac = device.mac.map(|m| format!("mac:{m}"));
    mac.into_iter().chain([device.id.clone()]).collect()
}

fn identities(report: &Report) -> BTreeSet<String> {
    // A baseline made without the privilege for MAC addresses knows devices by address alone.
    report.devices.iter().flat_map(|d| identity(d).into_iter().chain([format!("ip:{}", d.ip)])).collect()
}
