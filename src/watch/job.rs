//! What is watched, and how: all that a configuration says about it.

use std::path::PathBuf;

use ipnetwork::IpNetwork;

use crate::history::schedule::{CheckPlan, Schedule};
use crate::model::memory::Keep;
use crate::model::{ScanPlan, TargetSpec};
use crate::scan::targets::Request;

/// What is watched, and how.
#[derive(Debug, Clone)]
pub struct Job {
    /// The targets as they were written; none: the subnets of this machine, as they are at each scan.
    pub targets: Vec<TargetSpec>,
    /// What may be scanned beside them, where somebody asks for it over the network.
    pub allowed: Vec<TargetSpec>,
    /// What is left out.
    pub exclude: Vec<IpNetwork>,
    /// Scan subnets of this machine however large they are.
    pub large_subnets: bool,
    /// How each scan is made; its targets are resolved each time.
    pub plan: ScanPlan,
    /// When all is scanned.
    pub scans: Schedule,
    /// When streams are played in between; none: never.
    pub checks: Option<CheckPlan>,
    /// Devices checked at once, 1 or more.
    pub concurrency: usize,
    /// Where the metrics are written.
    pub metrics: Option<PathBuf>,
    /// How long what is remembered.
    pub keep: Keep,
}

impl Job {
    /// What its targets are.
    pub(super) fn request(&self) -> Request<'_> {
        Request {
            specs: &self.targets,
            exclude: &self.exclude,
            interfaces: &self.plan.interfaces,
            large_subnets: self.large_subnets,
        }
    }
}
