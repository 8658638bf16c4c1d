//! When `watch` scans and checks.

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use crate::cli::config::keys;
use crate::cli::config::layer::Layer;
use crate::history::schedule::{CheckPlan, Schedule};
use crate::model::problem::Problem;

/// When `watch` scans and checks.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// When all is scanned.
    pub scans: Schedule,
    /// How streams are checked in between; none: not at all.
    pub checks: Option<CheckPlan>,
    /// Devices checked at once.
    pub check_concurrency: usize,
    /// Where the metrics go.
    pub metrics: Option<PathBuf>,
}

/// What the keys about watching amount to.
pub(super) fn settings(layer: &Layer) -> Result<WatchSettings, Problem> {
    let signed = |time: Duration| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    let cron: Option<String> = layer.one(&keys::CRON)?;
    let scans = match cron {
        None => Schedule::every(signed(layer.one(&keys::EVERY)?)),
        Some(pattern) => Schedule::cron(&pattern, layer.one(&keys::TIME_ZONE)?).map_err(|error| {
            Problem::new(error.to_string()).at(layer.origin(keys::CRON.name).place(keys::CRON.name))
        })?,
    };
    let check_every: Option<Duration> = layer.one(&keys::CHECK_EVERY)?;
    Ok(WatchSettings {
        scans: scans.with_jitter(signed(layer.one(&keys::JITTER)?)),
        checks: check_every.map(|every| CheckPlan::every(signed(every))),
        check_concurrency: layer.one(&keys::CHECK_CONCURRENCY)?,
        metrics: layer.one(&keys::METRICS)?,
    })
}
