//! Command line, environment and file combined: everything a command needs to know, read once.

mod effective;
mod memory;
mod resolve;
mod serve;
mod survey;
mod watch;

use std::path::PathBuf;

use ipnetwork::IpNetwork;
use serde_json::Value;

use crate::export::csv::CsvOptions;
use crate::export::format::Format;
use crate::model::memory::Keep;
use crate::model::notify::Notifications;
use crate::model::{Credential, ProbeTarget, ScanPlan, TargetSet, TargetSpec};

use super::fail_on::FailOn;
use super::keys::LogFormat;
use super::layer::Origin;
use super::plugins::ExporterPlugin;
use crate::model::problem::Problem;
pub use serve::ServeSettings;
pub use survey::SurveyHead;
pub use watch::WatchSettings;

/// What a command is to do, with every default filled in.
#[derive(Debug)]
pub struct Settings {
    /// The targets of a scan; empty: the subnets of this machine.
    pub targets: Vec<TargetSpec>,
    /// The targets of `probe`.
    pub probe_targets: Vec<ProbeTarget>,
    /// Addresses to skip.
    pub exclude: Vec<IpNetwork>,
    /// Whether local subnets of any size are scanned.
    pub large_subnets: bool,
    /// How a scan is made; its targets are still to be filled in.
    pub plan: ScanPlan,
    /// Folder of further signature files.
    pub signatures: Option<PathBuf>,
    /// Where the report goes.
    pub output: OutputSettings,
    /// Conditions for exit code 3, each once.
    pub fail_on: Vec<FailOn>,
    /// The earlier report to compare with; it exists.
    pub baseline: Option<PathBuf>,
    /// The file that scans are remembered in, if they are.
    pub store: Option<PathBuf>,
    /// The store of commands that need one, where none is named.
    pub usual_store: Option<PathBuf>,
    /// How long what is kept in the store.
    pub keep: Keep,
    /// Who is told about events.
    pub notifications: Notifications,
    /// When `watch` scans and checks.
    pub watch: WatchSettings,
    /// Where `serve` listens, and how it is reached.
    pub serve: ServeSettings,
    /// What standard error shows.
    pub terminal: TerminalSettings,
    /// What is logged.
    pub log: LogSettings,
    /// Every key with its value and where it comes from; no password.
    pub effective: Vec<Effective>,
    /// The configuration file that was read.
    pub config_file: Option<PathBuf>,
    /// Shown before anything begins.
    pub warnings: Vec<Problem>,
}

/// Where the report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSettings {
    /// What standard output gets; none: nothing.
    pub stdout: Option<OutputFormat>,
    /// Files with their formats, no file twice.
    pub files: Vec<(PathBuf, OutputFormat)>,
    /// Where the logins of a video system's configuration are written.
    pub env_file: Option<PathBuf>,
    /// How CSV is written.
    pub csv: CsvOptions,
    /// How a survey is headed, and its language.
    pub survey: SurveyHead,
    /// Whether passwords stay in URLs.
    pub show_secrets: bool,
    /// Whether standard output is coloured.
    pub color: bool,
    /// Whether the table shows services, evidence and errors.
    pub verbose: bool,
    /// Whether the table of a probe shows the decisive evidence.
    pub explain: bool,
}

/// What writes a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputFormat {
    /// A format of the program's own.
    Builtin(Format),
    /// A program of the user's own.
    Plugin(ExporterPlugin),
}

impl OutputFormat {
    /// The format, where it is one of the program's own.
    pub fn builtin(&self) -> Option<Format> {
        match self {
            OutputFormat::Builtin(format) => Some(format),
            OutputFormat::Plugin(_) => None,
        }
    }
}

/// What standard error shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSettings {
    /// Whether progress is shown, and devices as they are done.
    pub progress: bool,
    /// Whether warnings are left out.
    pub quiet: bool,
    /// Whether it is coloured.
    pub color: bool,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// 0: warnings; 1: what is done; 2: every request.
    pub verbosity: u32,
    /// Errors only.
    pub quiet: bool,
    /// CAMSCAN_LOG, a filter in tracing's notation; stronger than the verbosity.
    pub filter: Option<String>,
    /// What a line looks like.
    pub format: LogFormat,
    /// Whether lines are coloured.
    pub color: bool,
}

/// A key's value and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// The key.
    pub key: &'static str,
    /// Its value as it would stand in a configuration file.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

impl Settings {
    /// Every login that was given.
    pub fn logins(&self) -> impl Iterator<Item = &Credential> {
        let of_urls = self.probe_targets.iter().filter_map(|target| match target {
            ProbeTarget::Url { credential, .. } => credential.as_ref(),
            ProbeTarget::Host(_) => None,
        });
        self.plan.probe.credentials.iter().chain(of_urls)
    }

    /// The plan of a scan of `targets`.
    pub fn plan_for(&self, targets: TargetSet) -> ScanPlan {
        ScanPlan { targets, ..self.plan.clone() }
    }
}

#[cfg(test)]
mod tests;
