//! `camscan export`: an earlier result in another format.

use std::path::Path;

use super::output::Outputs;
use crate::cli::config::settings::Settings;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::export::read;
use crate::identify::recorder;
use crate::model::problem::Problem;
use crate::model::{Credential, Device, Report};
use crate::tool::read as files;

/// The largest report that is read, in bytes: some thirty thousand cameras.
const MAX_REPORT: u64 = 256 << 20;

/// Reads a report and writes it again.
///
/// # Errors
/// When it cannot be read, is no report, or an output cannot be written.
pub fn run(file: &Path, settings: &Settings, ui: &Ui) -> anyhow::Result<Exit> {
    // Standard input has no folder; the one we are in stands for it, as it does for a bare file name.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let outputs = Outputs::check(&settings.output)?.of_report_in(folder);
    let report = read_report(file, ui)?;
    let login_of = |device: &Device| the_login_for(device, &settings.plan.probe.credentials);
    outputs.write(&report, false, &login_of, ui)?;
    Ok(Exit::Success)
}

/// The login that is meant for a device of a report; none where several are, since a wrong one could lock the device. What a
/// report says of makers and network cards, those of the link among them, is the word of its writer and of the device: a login
/// that is bound to one is meant where the user trusts that word.
pub fn the_login_for(device: &Device, logins: &[Credential]) -> Option<Credential> {
    let covers = |login: &&Credential| match login.scope.trust_announced {
        true => login.scope.covers(device.ip, device.vendor.as_deref(), device.mac),
        false => login.scope.covers(device.ip, None, None),
    };
    let covers = |login: &&Credential| covers(login) && login.scope.names(device.endpoint.as_deref());
    let mut fitting = logins.iter().filter(covers);
    fitting.next().filter(|_| fitting.next().is_none()).cloned()
}

/// Reads a report from a file, or from standard input for `-`, and warns of what was left out of it.
///
/// # Errors
/// When it cannot be read or is no report.
pub fn read_report(file: &Path, ui: &Ui) -> Result<Report, Problem> {
    let bytes = match file.as_os_str() == "-" {
        true => files::stdin(MAX_REPORT)?,
        false => files::bytes(file, MAX_REPORT)?,
    };
    let (mut report, left_out) = read::read_telling(files::without_mark(&String::from_utf8_lossy(&bytes)))
        .map_err(|e| Problem::from(e).at(format!("{} cannot be used", file.display())))?;
    left_out.iter().for_each(|sentence| ui.warning(format!("{}: {sentence}", file.display())));
    // JSON lines are written before all devices are known.
    recorder::fold(&mut report.devices);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use crate::model::secret::CredentialScope;

    #[test]
    fn what_a_report_says_of_a_device_chooses_no_login_that_is_bound_to_the_link() {
        let mac = "44:19:b6:00:00:01".parse().ok();
        let mut device = sample::report().devices.swap_remove(0);
        (device.vendor, device.mac, device.link_mac) = (Some("Hikvision".to_owned()), mac, mac);
        device.endpoint = Some("4d454930".to_owned());
        let bound = |vendor: Option<&str>, mac: Option<&str>, trust_announced| CredentialScope {
            vendor: vendor.map(str::to_owned),
            mac_prefix: mac.map(str::to_owned),
            trust_announced,
            ..CredentialScope::default()
        };
        let of_endpoint = |id: &str| CredentialScope { endpoint: Some(id.to_owned()), ..CredentialScope::default() };
        for (scope, is_meant) in [
            (bound(None, None, false), true),
            (CredentialScope { network: Some(device.ip.into()), ..CredentialScope::default() }, true),
            (bound(Some("Hikvision"), None, false), false),
            (bound(None, Some("4419b6"), false), false),
            (bound(Some("Hikvision"), Some("4419b6"), false), false),
            (bound(Some("Hikvision"), None, true), true),
            (bound(None, Some("4419b6"), true), true),
            (bound(Some("Axis"), None, true), false),
            (of_endpoint("4D454930"), true),
            (of_endpoint("4d454931"), false),
        ] {
            let login = Credential { scope: scope.clone(), ..Credential::new("admin", "hunter2") };
            assert_eq!(the_login_for(&device, &[login]).is_some(), is_meant, "{scope:?}");
        }
    }
}
