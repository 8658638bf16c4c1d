//! The file that devices are remembered in.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

pub(super) const STORE_EXAMPLES: &str = "\
Examples:
  camscan store check
  camscan store backup /mnt/backup/camscan.sqlite
  camscan store import reports/*.json";

/// `camscan store`.
#[derive(Args)]
pub struct StoreArgs {
    /// What is done with it.
    #[command(subcommand)]
    pub action: StoreCommand,
    /// The store. By default that of the configuration, or the one in the user's data folder.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub store: Option<String>,
}

/// What is done with a store.
#[derive(Subcommand)]
pub enum StoreCommand {
    /// Copy it into a new file, also while it is in use.
    Backup {
        /// The new file.
        #[arg(value_hint = ValueHint::FilePath)]
        to: PathBuf,
    },
    /// Look through it for damage, and show its size.
    Check,
    /// Remove what is older than the retention settings allow.
    Prune(KeepArgs),
    /// Copy what can be read of a damaged store into a new file.
    Salvage {
        /// The new file.
        #[arg(value_hint = ValueHint::FilePath)]
        to: PathBuf,
    },
    /// Remember scans that were made earlier, from their reports.
    Import {
        /// The reports (JSON, JSON lines or YAML), in any order.
        #[arg(value_name = "REPORT", required = true, value_hint = ValueHint::FilePath)]
        reports: Vec<PathBuf>,
    },
}

/// How long what is kept in the store.
#[derive(Args)]
#[command(next_help_heading = "How long what is kept (14d, 8w, 2y, forever)")]
pub struct KeepArgs {
    /// Events, and the states of devices and streams.
    #[arg(long, value_name = "TIME")]
    pub keep_events: Option<String>,
    /// What scans found. The last scan is kept in any case.
    #[arg(long, value_name = "TIME")]
    pub keep_scans: Option<String>,
    /// Checks of streams, added up by the hour.
    #[arg(long, value_name = "TIME")]
    pub keep_hourly: Option<String>,
    /// Checks of streams, added up by the day.
    #[arg(long, value_name = "TIME")]
    pub keep_daily: Option<String>,
    /// Messages that were delivered or given up.
    #[arg(long, value_name = "TIME")]
    pub keep_outbox: Option<String>,
}
