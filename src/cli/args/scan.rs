//! `camscan scan`, and what a scan may be told.

use clap::{Args, ValueHint};

use super::export::{OutputArgs, SurveyArgs};
use super::{names, secret};
use crate::cli::config::fail_on::FailOn;
use crate::model::options::Ffprobe;
use crate::model::{Method, Secret, Verify};

pub(super) const SCAN_EXAMPLES: &str = "\
Targets:
  192.168.1.0/24             a network; host bits are ignored
  192.168.1.10-50            a range, also 192.168.1.10-192.168.2.20
  192.168.1.20, cam1.lan     an address or a name, optionally with a port: cam1.lan:8554
  [2001:db8::1]:554          IPv6 with a port; fe80::1%eth0 with an interface
  @targets.txt, -            a file or standard input, one target per line; # starts a comment
  Without targets, the subnets of this machine's interfaces are scanned.

Logins:
  Passwords are never guessed. A password on the command line is visible in `ps` and in the shell's
  history; one in a file (--credentials-file, or credentials: in camscan.yaml) or in the variable
  CAMSCAN_CREDENTIAL is not.

Examples:
  camscan scan
  camscan scan 192.168.1.0/24 --exclude 192.168.1.1 --credentials-file logins.txt
  camscan scan 10.0.0.0/24 -o inventory.json -o inventory.csv
  camscan scan 10.0.0.0/24 --baseline inventory.json --fail-on new,offline -q
  camscan scan 10.0.0.0/24 --store --fail-on new
  camscan scan 10.0.0.0/24 --survey -o survey.html --site 'Depot North' --lang en
  camscan scan 10.0.0.0/24 -f jsonl | jq -r '.ip // empty'
  CAMSCAN_CREDENTIAL=admin:secret camscan scan 192.168.1.20

Exit codes:
  0 success, 1 failure, 2 wrong usage or configuration, 3 a --fail-on condition was met,
  130 interrupted (what was found so far is still written)";

/// `camscan scan`.
#[derive(Args)]
pub struct ScanArgs {
    /// Networks, ranges, addresses, host names, @FILE or - (standard input).
    ///
    /// Default: the subnets of this machine's interfaces.
    #[arg(value_name = "TARGET", value_hint = ValueHint::Hostname)]
    pub targets: Vec<String>,
    /// How hosts are discovered.
    #[command(flatten)]
    pub discovery: DiscoveryArgs,
    /// What is examined on each host.
    #[command(flatten)]
    pub host: HostArgs,
    /// Rates and limits of the whole scan.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Where the report goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Write the survey of the site, with pictures: -o survey.html.
    ///
    /// Files named .html become the survey; without one it goes to standard output, like -f survey. Snapshots are switched
    /// on: without --snapshots they go to a folder beside the file, survey-pictures for survey.html.
    #[arg(long, help_heading = "Output")]
    pub survey: bool,
    /// How a survey is headed, and its language.
    #[command(flatten)]
    pub survey_head: SurveyArgs,
    /// Exit with code 3 when one of these conditions is met.
    ///
    /// Compared with --baseline, or with what --store remembers: new: a device that was not there; offline or gone: a device
    /// is no longer found; moved: a device has another address; replaced: another device is at the address of one that is
    /// gone; changed: anything about a device changed; broken: a stream that delivered frames does so no longer; open: a
    /// service or stream demands a login no longer.
    ///
    /// Always: none-found: no video device was
    /// found; auth-required: a login is missing or was refused; not-streaming: no stream of a device delivers frames;
    /// no-data: a stream was accepted but sent no frames; unactivated: a device has no password yet or is as it left the
    /// factory; address-conflict: two devices have the same address; error: a stream or device failed with an error.
    #[arg(long, value_name = "CONDITION,...", value_delimiter = ',', value_parser = names::<FailOn>(),
          help_heading = "Output")]
    pub fail_on: Vec<String>,
    /// Earlier report (JSON) to compare with for --fail-on new,offline.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub baseline: Option<String>,
    /// Remember what is found, in a file or the user's data folder.
    ///
    /// Devices keep their ids, names and history from scan to scan; see `camscan devices` and `camscan history`. Without
    /// this, a scan leaves no trace. A file is written behind an equals sign: --store=FILE.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "auto",
          value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub store: Option<String>,
    /// Remember nothing, whatever the configuration says.
    #[arg(long, conflicts_with = "store", help_heading = "Output", hide_short_help = true)]
    pub no_store: bool,
}

/// How hosts are discovered.
#[derive(Args)]
#[command(next_help_heading = "Targets")]
pub struct DiscoveryArgs {
    /// Skip these networks, ranges, addresses or those in @FILE.
    #[arg(short = 'x', long, value_name = "TARGET,...")]
    pub exclude: Vec<String>,
    /// Use only this interface; repeatable.
    #[arg(short, long, value_name = "NAME,...")]
    pub interface: Vec<String>,
    /// Also scan large local subnets (over 4,096 addresses) without naming them.
    #[arg(short = 'y', long, visible_alias = "yes")]
    pub large_subnets: bool,
    /// Discovery methods.
    ///
    /// arp and icmp need privileges on most systems; without them they are skipped with a warning.
    #[arg(long, value_name = "METHOD,...", value_delimiter = ',', value_parser = names::<Method>())]
    pub methods: Vec<String>,
    /// How long to send multicast discovery requests and wait for answers.
    #[arg(long, value_name = "TIME")]
    pub discovery_time: Option<String>,
    /// Do not look up host names in DNS.
    #[arg(long = "no-dns", id = "dns")]
    pub no_dns: bool,
    /// Include hosts without video in the report.
    #[arg(short, long)]
    pub all: bool,
}

/// Rates and limits of a scan.
#[derive(Args)]
#[command(next_help_heading = "Timing and limits")]
pub struct PaceArgs {
    /// Hosts inspected at the same time.
    #[arg(short = 'j', long, value_name = "N")]
    pub concurrency: Option<String>,
    /// Maximum packets and connections per second, or `max` for no limit.
    ///
    /// By default only broadcasts and SYN frames are limited, to 10000 per second.
    #[arg(long, value_name = "N|max")]
    pub rate: Option<String>,
    /// Stop the scan after this time and report what was found.
    #[arg(long, value_name = "TIME")]
    pub max_duration: Option<String>,
    /// Prove only the streams of devices that were analysed this recently and have not changed; needs --store.
    ///
    /// Their ports are checked and their streams played in every scan. If anything is different, the device is analysed in
    /// full at once.
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub max_age: Option<String>,
    /// Analyse every device in full, whatever is remembered of it.
    #[arg(long, hide_short_help = true)]
    pub fresh: bool,
}

/// What is examined on each host.
#[derive(Args)]
#[command(next_help_heading = "Inspection")]
pub struct HostArgs {
    /// TCP ports to check: 554, 8000-8100, core, wide, all or none.
    ///
    /// none only finds out which hosts are up; --all lists them. Ports 9100-9107 are never contacted, because printers
    /// print whatever they receive there.
    #[arg(short, long, value_name = "PORT,...")]
    pub ports: Vec<String>,
    /// How far to verify streams.
    ///
    /// none: list services only; describe: read stream descriptions without playing; frames: play each stream until its
    /// frames are measured.
    #[arg(long, value_name = "LEVEL", value_parser = names::<Verify>(), ignore_case = true)]
    pub verify: Option<String>,
    /// When to run ffprobe on a stream.
    ///
    /// auto: if it is installed and codec or size are still unknown.
    #[arg(long, value_name = "WHEN", value_parser = names::<Ffprobe>(), ignore_case = true)]
    pub ffprobe: Option<String>,
    /// Save a snapshot of every stream to this folder.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub snapshots: Option<String>,
    /// Read additional device signatures and stream paths from this folder.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub signatures: Option<String>,
    /// Maximum number of stream URLs tried per device.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub max_candidates: Option<String>,
    /// Maximum number of channels examined per recorder.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub max_channels: Option<String>,
    /// Login to try; repeatable. Visible in `ps`, so prefer a file.
    ///
    /// Logins are only used where a device requires one, in the given order, and stop after --max-login-failures refusals
    /// per device. Logins given as flags replace those of the environment, which replace those of the file.
    ///
    /// [key: credentials, variables: CAMSCAN_CREDENTIAL (one), CAMSCAN_CREDENTIALS (one per line)].
    #[arg(short, long = "credential", id = "credentials", value_name = "USER:PASS", help_heading = "Logins",
          value_parser = secret, hide_possible_values = true)]
    pub credentials: Vec<Secret>,
    /// Read logins from this file: one USER:PASS per line, or YAML.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Logins")]
    pub credentials_file: Option<String>,
    /// Stop trying logins on a device after N refusals.
    ///
    /// Many cameras lock the account after a few. RTSP, HTTP and ONVIF are counted together.
    #[arg(long, value_name = "N", help_heading = "Logins")]
    pub max_login_failures: Option<String>,
    /// Timeout of one request, until its answer is complete.
    #[arg(short, long, value_name = "TIME", help_heading = "Timing and limits")]
    pub timeout: Option<String>,
    /// Timeout of a TCP connect.
    #[arg(long, value_name = "TIME", help_heading = "Timing and limits", hide_short_help = true)]
    pub connect_timeout: Option<String>,
    /// Timeout for the first frame of a stream.
    #[arg(long, value_name = "TIME", help_heading = "Timing and limits", hide_short_help = true)]
    pub frame_timeout: Option<String>,
    /// How long to measure a stream after its first frame.
    #[arg(long, value_name = "TIME", help_heading = "Timing and limits", hide_short_help = true)]
    pub measure_time: Option<String>,
    /// Time limit for one host.
    #[arg(long, value_name = "TIME", help_heading = "Timing and limits")]
    pub host_timeout: Option<String>,
    /// Retries after a temporary failure.
    #[arg(long, value_name = "N", help_heading = "Timing and limits")]
    pub retries: Option<String>,
    /// Maximum simultaneous connections to one host.
    #[arg(long, value_name = "N", help_heading = "Timing and limits")]
    pub per_host: Option<String>,
}
