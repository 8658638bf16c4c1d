//! The command line, exactly as it was typed. What it means is decided in `config::settings`.
//!
//! Flags that set a key carry the key's name as their id: by it the help names key, variable and default, and [`Typed`]
//! collects what was given, so that the fields of such flags only define them.

mod devices;
mod export;
mod probe;
mod read;
mod scan;
mod serve;
mod store;
mod tools;
mod watch;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueHint};

use crate::cli::config::keys::{Color, LogFormat};
use crate::model::Secret;
use crate::model::names::Named;
use devices::{DEVICES_EXAMPLES, DIFF_EXAMPLES, HISTORY_EXAMPLES};
pub use devices::{DevicesArgs, DevicesCommand, DiffArgs, DiffFormat, HistoryArgs, HistoryFormat, LoginCommand};
use export::{APPLY_EXAMPLES, EXPORT_EXAMPLES};
pub use export::{ApplyArgs, ExportArgs, OutputArgs, SurveyArgs};
use probe::{PROBE_EXAMPLES, REPLAY_EXAMPLES};
pub use probe::{ProbeArgs, ReplayArgs};
pub use read::{command, parse};
use scan::SCAN_EXAMPLES;
pub use scan::{DiscoveryArgs, HostArgs, PaceArgs, ScanArgs};
use serve::SERVE_EXAMPLES;
pub use serve::{AccountStoreArgs, ServeArgs, ServeCommand, UserCommand};
use store::STORE_EXAMPLES;
pub use store::{KeepArgs, StoreArgs, StoreCommand};
pub use tools::{ConfigCommand, NotifyCommand, ShowFormat, SignaturesCommand};
use watch::WATCH_EXAMPLES;
pub use watch::{EventFormat, ScheduleArgs, WatchArgs};

const EXAMPLES: &str = "\
Examples:
  camscan scan                                  the subnets of this machine
  camscan scan 192.168.1.0/24 10.0.5.10-99      these addresses
  camscan scan @sites.txt -o cameras.csv        targets from a file, a spreadsheet out
  camscan probe rtsp://192.168.1.20/stream1     one stream in depth
  camscan export report.json -f csv             an earlier report in another format";

/// Find every IP camera, recorder and video stream on a network.
///
/// Reports what each device is and what it streams, and verifies that frames arrive. Every option can also be set in a
/// YAML file (--config) or by an environment variable. Flags override the environment, and the environment overrides
/// the file.
#[derive(Parser)]
#[command(name = "camscan", version, after_help = EXAMPLES, arg_required_else_help = true, propagate_version = true)]
pub struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
    /// Options of all commands.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The keys that were set.
    #[arg(skip)]
    pub typed: Vec<Typed>,
}

/// A key that was set on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// The key.
    pub key: &'static str,
    /// The flag, `--timeout`, or what a positional argument is called, `TARGET`.
    pub flag: String,
    /// The values as typed; `true` or `false` of a flag without a value.
    pub values: Vec<String>,
}

/// A subcommand.
#[derive(Subcommand)]
pub enum Command {
    /// Find the cameras on a network and their streams.
    #[command(after_long_help = SCAN_EXAMPLES, after_help = "See `camscan scan --help` for details and examples.")]
    Scan(Box<ScanArgs>),
    /// Scan on a schedule, check streams in between, and report what changed.
    #[command(after_long_help = WATCH_EXAMPLES, after_help = "See `camscan watch --help` for details and examples.")]
    Watch(Box<WatchArgs>),
    /// Watch, with a page and an API for browsers and programs.
    #[command(after_long_help = SERVE_EXAMPLES, after_help = "See `camscan serve --help` for details and examples.")]
    Serve(Box<ServeArgs>),
    /// Examine one device or stream in depth.
    #[command(after_help = PROBE_EXAMPLES)]
    Probe(Box<ProbeArgs>),
    /// Serve a recorded device on this machine.
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(ReplayArgs),
    /// Convert an earlier report to another format, or to a video system's configuration.
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(Box<ExportArgs>),
    /// Add the new cameras of a report to the configuration of a video system.
    #[command(after_help = APPLY_EXAMPLES)]
    Apply(Box<ApplyArgs>),
    /// Show what changed from one report to another.
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(Box<DiffArgs>),
    /// List the devices that are remembered; name, merge, mute and acknowledge them.
    #[command(after_help = DEVICES_EXAMPLES)]
    Devices(Box<DevicesArgs>),
    /// Show what happened to the devices that are remembered.
    #[command(after_help = HISTORY_EXAMPLES)]
    History(HistoryArgs),
    /// Back up, check, prune or repair the file that devices are remembered in.
    #[command(after_help = STORE_EXAMPLES)]
    Store(StoreArgs),
    /// Check the configuration, or show the effective settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Send messages to the channels of the configuration.
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Check a folder of device signatures.
    #[command(subcommand)]
    Signatures(SignaturesCommand),
    /// Show what is wrong with this installation, and what to do about it.
    Doctor {
        /// The store. By default that of the configuration, or the one in the user's data folder.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        store: Option<String>,
    },
    /// Print the JSON Schema of the report, or of files of signatures.
    #[command(after_help = "Example: camscan schema --signatures > signatures.schema.json")]
    Schema {
        /// The schema of the files in a folder of signatures, for editors.
        #[arg(long)]
        signatures: bool,
    },
    /// Print the completion script for a shell.
    #[command(after_help = "Example: camscan completions bash > ~/.local/share/bash-completion/completions/camscan")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one per command to a folder.
    Man {
        /// The folder; it must exist.
        #[arg(value_hint = ValueHint::DirPath)]
        folder: Option<PathBuf>,
    },
}

/// Options of all commands.
#[derive(Args)]
#[command(next_help_heading = "General options")]
pub struct GlobalArgs {
    /// Read this configuration file.
    ///
    /// By default, the first of these that exists: $CAMSCAN_CONFIG, ./camscan.yaml, $XDG_CONFIG_HOME/camscan/config.yaml
    /// (~/.config/camscan/config.yaml), /etc/camscan/config.yaml.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Log progress (-v) or every request (-vv).
    ///
    /// Also adds services, evidence and errors to the table. CAMSCAN_LOG sets a finer filter, such as camscan::net=trace.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Show errors only: no progress, no warnings.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to use colours.
    ///
    /// auto: on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", value_parser = names::<Color>(), ignore_case = true)]
    pub color: Option<String>,
    /// Hide the progress line.
    #[arg(long = "no-progress", id = "progress", global = true)]
    pub no_progress: bool,
    /// Format of the log lines on standard error.
    #[arg(long, global = true, value_name = "FORMAT", value_parser = names::<LogFormat>(), ignore_case = true)]
    pub log_format: Option<String>,
}

fn names<T: Named>() -> PossibleValuesParser {
    PossibleValuesParser::new(T::TABLE.iter().map(|(name, _)| *name))
}

/// Takes a text as a secret. It never fails, since clap would print the text in its error.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a Result")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}
