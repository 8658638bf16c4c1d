//! `camscan watch`.

use clap::{Args, ValueEnum, ValueHint};

use super::scan::{DiscoveryArgs, HostArgs, PaceArgs};

pub(super) const WATCH_EXAMPLES: &str = "\
What is found is kept in the store (--store); `camscan devices` and `camscan history` show it. Messages go
to the channels of the configuration (notify:). A device counts as offline after three misses over two
minutes, a stream as broken after three checks.

Signals:
  SIGHUP reads the configuration again; one that is not valid changes nothing.
  SIGUSR1 begins a scan at once. SIGTERM and SIGINT end the program.

Examples:
  camscan watch
  camscan watch 192.168.1.0/24 --every 1h --check-every 2m --credentials-file logins.txt
  camscan watch --cron '30 3 * * *' --time-zone Europe/Berlin --check-every none
  camscan watch --metrics /var/lib/prometheus/node-exporter/camscan.prom";

/// `camscan watch`.
#[derive(Args)]
pub struct WatchArgs {
    /// Networks, ranges, addresses, host names, @FILE or - (standard input).
    ///
    /// Default: the subnets of this machine's interfaces.
    #[arg(value_name = "TARGET", value_hint = ValueHint::Hostname)]
    pub targets: Vec<String>,
    /// The store. By default that of the configuration, or the one in the user's data folder.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub store: Option<String>,
    /// How events are printed.
    #[arg(long = "events", id = "watch_events", value_name = "FORMAT", default_value = "text")]
    pub events: EventFormat,
    /// When to scan and check.
    #[command(flatten)]
    pub schedule: ScheduleArgs,
    /// How hosts are discovered.
    #[command(flatten)]
    pub discovery: DiscoveryArgs,
    /// What is examined on each host.
    #[command(flatten)]
    pub host: HostArgs,
    /// Rates and limits of each scan.
    #[command(flatten)]
    pub pace: PaceArgs,
}

/// When to scan and check.
#[derive(Args)]
#[command(next_help_heading = "Schedule")]
pub struct ScheduleArgs {
    /// Time from one scan to the next.
    #[arg(long, value_name = "TIME")]
    pub every: Option<String>,
    /// Scan at these times instead: minute, hour, day, month, day of the week.
    #[arg(long, value_name = "PATTERN")]
    pub cron: Option<String>,
    /// Time zone of --cron: system, UTC or a name such as Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Begin each scan later by up to this time, so that many installations do not begin at once.
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub jitter: Option<String>,
    /// How often to play a stream of each channel between scans, or none.
    ///
    /// The smallest stream is played, each sixth time the largest. At least 30s.
    #[arg(long, value_name = "TIME")]
    pub check_every: Option<String>,
    /// Devices checked at the same time.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub check_concurrency: Option<String>,
    /// Write metrics to this file, for node_exporter's textfile collector.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub metrics: Option<String>,
}

/// How events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EventFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}
