//! What makes a scan end with exit code 3.

use super::values::one_of;
use crate::cli::problem::Problem;

/// A condition of `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailOn {
    /// A device is there that is not in the baseline.
    New,
    /// A device of the baseline is not there any more.
    Offline,
    /// No camera, recorder or other source of video was found.
    NoneFound,
    /// A stream could not be looked at for want of a login, or a login was refused.
    AuthRequired,
    /// A device has streams, and none of them delivers frames.
    NotStreaming,
    /// A stream was accepted, and no frame came in time.
    NoData,
    /// A stream or a device ended in an error.
    Error,
}

impl FailOn {
    /// Every condition with its name.
    pub const NAMES: [(&'static str, FailOn); 7] = [
        ("new", FailOn::New),
        ("offline", FailOn::Offline),
        ("none-found", FailOn::NoneFound),
        ("auth-required", FailOn::AuthRequired),
        ("not-streaming", FailOn::NotStreaming),
        ("no-data", FailOn::NoData),
        ("error", FailOn::Error),
    ];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        FailOn::NAMES.iter().find(|(_, condition)| *condition == self).map_or("", |(name, _)| name)
    }

    /// Whether it compares with an earlier report.
    pub fn needs_baseline(self) -> bool {
        matches!(self, FailOn::New | FailOn::Offline)
    }

    /// The condition of that name.
    ///
    /// # Errors
    /// When there is none; says the nearest.
    pub fn from_name(name: &str) -> Result<FailOn, Problem> {
        one_of(name, "condition to fail on", &FailOn::NAMES)
    }
}
