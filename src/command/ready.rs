//! What a scan takes from the machine before it begins: files are checked and read, and what needs a privilege is opened.
//! Then the privileges are given up, before the first thread is started and the first byte of the network is read.

use std::sync::Arc;

use jiff::Timestamp;

use super::export::read_report;
use super::output::Outputs;
use super::{remembered, signatures};
use crate::cli::config::settings::Settings;
use crate::cli::ui::Ui;
use crate::model::problem::Problem;
use crate::model::{Method, Report};
use crate::net::real::{Preparation, RealNet};
use crate::net::{self, Links};
use crate::scan::session::Session;
use crate::store::Store;
use crate::tool::file;

/// What has been taken.
pub struct Ready {
    /// The places the report goes to.
    pub outputs: Outputs,
    /// The earlier report to compare with.
    pub baseline: Option<Report>,
    /// Where what is found is remembered.
    pub store: Option<Store>,
    /// What scans need: the network and the signatures.
    pub session: Arc<Session>,
}

/// How many scans the process makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scans {
    /// One.
    One,
    /// One after the other, on interfaces that may not be there yet.
    Many,
}

impl Ready {
    /// Makes everything ready. To be called while the process has one thread; those it starts later have no more rights
    /// than this one.
    ///
    /// # Errors
    /// What cannot be read or written; nothing has been sent.
    pub fn new(settings: &Settings, scans: Scans, ui: &Ui) -> anyhow::Result<Ready> {
        let outputs = Outputs::check(&settings.output)?;
        settings.plan.probe.snapshots.as_deref().map_or(Ok(()), file::check_folder).map_err(Problem::from)?;
        let baseline = settings.baseline.as_deref().map(|file| read_report(file, ui)).transpose()?;
        let usual = settings.usual_store.as_deref();
        let store = settings.store.as_deref().map(|file| remembered::open_or_create(file, usual)).transpose()?;
        let signatures = signatures::load(settings.signatures.as_deref()).map_err(Problem::from)?;
        let net = network(settings, scans);
        let writes_files =
            !settings.output.files.is_empty() || settings.plan.probe.snapshots.is_some() || store.is_some();
        if let Err(error) = net::give_up_rights(writes_files) {
            ui.warning(format!("the system does not let the privileges be given up, so they are kept: {error}"));
        }
        let session = Session::new(net, signatures, Timestamp::now, net::connection_limit());
        Ok(Ready { outputs, baseline, store, session })
    }
}

fn network(settings: &Settings, scans: Scans) -> Arc<RealNet> {
    let mut interfaces = RealNet::new().interfaces().unwrap_or_default();
    interfaces.retain(|i| settings.plan.interfaces.is_empty() || settings.plan.interfaces.contains(&i.name));
    RealNet::prepare(Preparation {
        raw_frames: settings.plan.methods.contains(&Method::Arp),
        interfaces: &interfaces,
        many_scans: scans == Scans::Many,
    })
}
