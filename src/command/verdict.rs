//! Whether a finished scan meets what was asked of it: the conditions of `--fail-on`.

use crate::cli::config::fail_on::FailOn;
use crate::history::diff::judge::{changed, is_break, is_opening, replaced};
use crate::history::diff::{self, DeviceDiff, DeviceSummary, Diff};
use crate::model::{Activation, Device, ErrorKind, Report, StreamStatus, WarningKind};

/// The conditions that hold, each with a sentence that says why. `baseline` is the earlier report to compare with.
pub fn broken(conditions: &[FailOn], report: &Report, baseline: Option<&Report>) -> Vec<String> {
    let diff = baseline.map(|baseline| diff::compare(baseline, report)).unwrap_or_default();
    conditions.iter().filter_map(|condition| holds(*condition, report, &diff)).collect()
}

fn holds(condition: FailOn, report: &Report, diff: &Diff) -> Option<String> {
    let devices = &report.devices;
    let any = |what: &str, test: &dyn Fn(&Device) -> bool| {
        let mut which: Vec<String> = devices.iter().filter(|d| test(d)).map(|d| d.ip.to_string()).collect();
        which.dedup();
        (!which.is_empty()).then(|| format!("{what}: {}", which.join(", ")))
    };
    let listed = |what: &str, which: &[DeviceSummary]| {
        let ips: Vec<String> = which.iter().map(|d| d.ip.to_string()).collect();
        (!ips.is_empty()).then(|| format!("{what}: {}", ips.join(", ")))
    };
    let with_status = |status: StreamStatus| move |d: &Device| d.streams.iter().any(|s| s.status == status);
    let named = |what: &str, which: Vec<&DeviceSummary>| {
        let ips: Vec<String> = which.iter().map(|d| d.ip.to_string()).collect();
        (!ips.is_empty()).then(|| format!("{what}: {}", ips.join(", ")))
    };
    match condition {
        FailOn::New => listed("not in the baseline", &diff.added),
        FailOn::Offline | FailOn::Gone => listed("in the baseline but not found now", &diff.gone),
        FailOn::Moved => named("at another address than before", after(diff.moved())),
        FailOn::Replaced => named("another device than before", replaced(diff).collect()),
        FailOn::Changed => named("not as it was", after(diff.changed.iter())),
        FailOn::Broken => named("a stream no longer delivers frames", after(changed(diff, is_break))),
        FailOn::Open => named("a login is demanded no longer", after(changed(diff, is_opening))),
        FailOn::NoneFound => devices.is_empty().then(|| "no camera was found".to_owned()),
        FailOn::AuthRequired => any("a login is needed or was refused", &|d| {
            with_status(StreamStatus::AuthRequired)(d) || d.login_attempts.is_some_and(|l| l.counted() > 0)
        }),
        FailOn::NotStreaming => any("no stream delivers frames", &|d| {
            !d.streams.is_empty() && d.streams.iter().all(|s| s.status != StreamStatus::Streaming)
        }),
        FailOn::NoData => any("a stream was accepted and gave no frame", &with_status(StreamStatus::NoData)),
        FailOn::Unactivated => any("a device is not set up yet", &|d| d.activation.is_some_and(Activation::is_due)),
        FailOn::AddressConflict => {
            any("devices have the same address", &|d| d.warnings.iter().any(|w| w.kind == WarningKind::AddressConflict))
        }
        FailOn::Error => any("a stream or device ended in an error", &|d| {
            // That none of the paths asked is a stream is no failure of the device.
            let is_failure = |kind| !matches!(kind, ErrorKind::AuthRequired | ErrorKind::NotFound);
            with_status(StreamStatus::Error)(d) || d.errors.iter().any(|e| is_failure(e.kind))
        }),
    }
}

/// Devices as they are in the later report.
fn after<'d>(all: impl Iterator<Item = &'d DeviceDiff>) -> Vec<&'d DeviceSummary> {
    all.map(|device| &device.after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use crate::model::MacAddr;

    fn said(condition: FailOn, report: &Report, baseline: &Report) -> Option<String> {
        broken(&[condition], report, Some(baseline)).pop()
    }

    #[test]
    fn new_and_offline_devices_are_those_the_other_report_has_nothing_of() {
        let baseline = sample::report();
        let mut now = baseline.clone();
        let gone = now.devices.remove(0);
        assert_eq!(said(FailOn::New, &baseline, &baseline), None);
        assert_eq!(said(FailOn::New, &now, &baseline), None);
        assert_eq!(
            said(FailOn::Offline, &now, &baseline).unwrap(),
            format!("in the baseline but not found now: {}", gone.ip)
        );
        assert_eq!(said(FailOn::New, &baseline, &now).unwrap(), format!("not in the baseline: {}", gone.ip));
        assert_eq!(broken(&[FailOn::New], &now, None), [""; 0]);
    }

    #[test]
    fn devices_that_are_not_set_up_or_share_an_address_are_named() {
        let mut report = sample::report();
        let said = |condition, report: &Report| broken(&[condition], report, None).pop();
        assert_eq!((said(FailOn::Unactivated, &report), said(FailOn::AddressConflict, &report)), (None, None));
        report.devices.extend(sample::factory_cameras());
        assert_eq!(said(FailOn::Unactivated, &report).unwrap(), "a device is not set up yet: 192.168.1.108");
        assert_eq!(said(FailOn::AddressConflict, &report).unwrap(), "devices have the same address: 192.168.1.108");
    }

    #[test]
    fn a_baseline_without_mac_addresses_knows_devices_by_address() {
        let with_mac = sample::report();
        let mut without = with_mac.clone();
        for device in &mut without.devices {
            (device.mac, device.id) = (None, format!("ip:{}", device.ip));
        }
        assert!(with_mac.devices.iter().any(|d| d.mac.is_some()));
        for (now, baseline) in [(&with_mac, &without), (&without, &with_mac)] {
            assert_eq!(said(FailOn::New, now, baseline), None);
            assert_eq!(said(FailOn::Offline, now, baseline), None);
        }
    }

    #[test]
    fn another_device_at_a_known_address_is_new() {
        let baseline = sample::report();
        let mut now = baseline.clone();
        let device = now.devices.iter_mut().find(|d| d.mac.is_some()).unwrap();
        let ip = device.ip;
        device.serial = None;
        (device.mac, device.id) = (Some(MacAddr([2, 0, 0, 0, 0, 9])), "mac:02:00:00:00:00:09".to_owned());
        assert_eq!(said(FailOn::New, &now, &baseline).unwrap(), format!("not in the baseline: {ip}"));
        assert_eq!(said(FailOn::Offline, &now, &baseline).unwrap(), format!("in the baseline but not found now: {ip}"));
    }
}
