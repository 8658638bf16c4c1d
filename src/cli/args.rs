//! The command line, exactly as it was typed. What it means is decided in `config::settings`.
//!
//! Flags that set a key carry the key's name as their id: by it the help names key, variable and default, and [`Typed`]
//! collects what was given, so that the fields of such flags only define them.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser};
use clap::error::ContextValue;
use clap::parser::ValueSource;
use clap::{
    Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint,
};

use crate::export::FORMATS;
use crate::export::survey::lang::Lang;
use crate::model::access::Role;
use crate::model::listen::Anonymous;
use crate::model::memory::Expect;
use crate::model::names::Named;
use crate::model::options::Ffprobe;
use crate::model::recording::Private;
use crate::model::{Method, Secret, Verify};

use crate::cli::config::fail_on::FailOn;
use crate::cli::config::keys::{self, Color, LogFormat, Setting};

const EXAMPLES: &str = "\
Examples:
  camscan scan                                  the subnets of this machine
  camscan scan 192.168.1.0/24 10.0.5.10-99      these addresses
  camscan scan @sites.txt -o cameras.csv        targets from a file, a spreadsheet out
  camscan probe rtsp://192.168.1.20/stream1     one stream in depth
  camscan export report.json -f csv             an earlier report in another format";

const SCAN_EXAMPLES: &str = "\
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

const WATCH_EXAMPLES: &str = "\
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

const SERVE_EXAMPLES: &str = "\
Without an account it prints a one-time code; whoever has it makes the first account in the browser. The code is
also in a file beside the store. `camscan serve user add` makes accounts as well.

Signals:
  SIGHUP reads the configuration, the certificate and its key again. SIGTERM and SIGINT end the program.

Examples:
  camscan serve
  camscan serve user add anna --role admin
  camscan serve --listen 0.0.0.0:8443 --tls-cert fullchain.pem --tls-key privkey.pem
  camscan serve --public-url https://example.org/cameras/ --trusted-proxy 127.0.0.1
  camscan serve --listen unix:/run/camscan/camscan.sock --trusted-proxy unix";

const PROBE_EXAMPLES: &str = "\
Examples:
  camscan probe 192.168.1.20
  camscan probe rtsp://192.168.1.20:554/Streaming/Channels/101 --verify frames
  camscan probe cam1.lan -f json --credentials-file logins.txt
  camscan probe 192.168.1.20 --record camera.tar           its conversation, anonymised, for a bug report";

const REPLAY_EXAMPLES: &str = "\
Examples:
  camscan replay camera.tar
  camscan replay camera.tar --port-offset 20000            where the device's own ports need root
  camscan probe 127.83.0.1 -c kit:kit                      in another terminal

A login that the device demanded is demanded by the replay, too: user `kit`, password `kit`.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  camscan export report.json -f csv
  camscan export report.json -o survey:survey.html --site 'Depot North' --lang ru
  camscan export report.json -o frigate:config.yml --env-file frigate.env
  camscan export report.json -o motion:/etc/motion/ --show-secrets --credentials-file logins.txt";

const DIFF_EXAMPLES: &str = "\
Examples:
  camscan diff yesterday.json today.json
  camscan diff yesterday.json today.json --fail-on new,gone,broken -f json
  camscan diff yesterday 10.0.5.21                         one device then and now
  camscan diff yesterday                                   the last scan of yesterday and the last one of all
  camscan diff 2026-03-01 last --store /var/lib/camscan/store.sqlite

A device is recognised by its MAC address, serial number or ONVIF identity, and only then by its address.";

const DEVICES_EXAMPLES: &str = "\
Examples:
  camscan scan --store                                     remember what this scan finds
  camscan devices                                          all that is remembered
  camscan devices -f csv --tag outdoor
  camscan devices name 10.0.5.21 'Dome North' --site Depot --tag outdoor
  camscan devices mute --site Depot --for 2h --why maintenance

A device is named by its id (d_...), its address, its MAC address or the name you gave it.";

const HISTORY_EXAMPLES: &str = "\
Examples:
  camscan history                                          what happened in the last 7 days
  camscan history 'Dome North' --since 30d
  camscan history --since 2026-03-01 -f csv";

const STORE_EXAMPLES: &str = "\
Examples:
  camscan store check
  camscan store backup /mnt/backup/camscan.sqlite
  camscan store import reports/*.json";

const APPLY_EXAMPLES: &str = "\
Examples:
  camscan apply report.json /config/config.yml                  show what would be added
  camscan apply report.json /config/config.yml --write          add it

Every other byte of the file stays: comments, order, passwords. The old file is kept beside it.";

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
    /// Scan again and again, play streams in between, and tell what changed.
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
    Doctor,
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

/// `camscan config`.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration file and the environment for mistakes.
    Check,
    /// Print every setting and where its value comes from; passwords are hidden.
    Show {
        /// The output format.
        #[arg(short, long = "format", id = "show_format", value_name = "FORMAT", default_value = "yaml")]
        format: ShowFormat,
    },
}

/// `camscan diff`.
#[derive(Args)]
pub struct DiffArgs {
    /// The earlier report (JSON, JSON lines or YAML), or a scan or device that is remembered.
    ///
    /// A scan is named by its number, `last`, `previous`, `yesterday` (the last one before today), or a date: the last one
    /// until the end of that day. A device is named by its id, address, MAC address or name, and compared with itself in a
    /// scan, or with another device.
    #[arg(value_name = "BEFORE", value_hint = ValueHint::FilePath)]
    pub before: PathBuf,
    /// The later report, scan or device. Default: the last scan that is remembered.
    #[arg(value_name = "AFTER", value_hint = ValueHint::FilePath)]
    pub after: Option<PathBuf>,
    /// The store. By default that of the configuration, or the one in the user's data folder.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub store: Option<String>,
    /// The output format.
    #[arg(short, long = "format", id = "diff_format", value_name = "FORMAT", default_value = "text")]
    pub format: DiffFormat,
    /// Exit with code 3 when one of these conditions is met.
    ///
    /// new: a device is in the later report alone; gone or offline: a device is in the earlier one alone; moved: a device
    /// has another address; replaced: another device is at the address of one that is gone; changed: anything about a device
    /// changed; broken: a stream that delivered frames does so no longer; repaired: one that did not does; open: a service
    /// or stream demands a login no longer; protected: one that did not demands a login.
    #[arg(long = "fail-on", id = "diff_fail_on", value_name = "CONDITION,...", value_delimiter = ',')]
    pub diff_fail_on: Vec<String>,
}

/// `camscan devices`.
#[derive(Args)]
pub struct DevicesArgs {
    /// What is done with them; none: they are listed.
    #[command(subcommand)]
    pub action: Option<DevicesCommand>,
    /// The store. By default that of the configuration, or the one in the user's data folder.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub store: Option<String>,
    /// Only devices with this tag; repeatable.
    #[arg(long = "tag", id = "list_tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Only devices of this site.
    #[arg(long = "site", id = "list_site", value_name = "SITE")]
    pub site: Option<String>,
    /// Also devices that have not been seen for a year.
    #[arg(long)]
    pub archived: bool,
    /// Where the report goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What is done with devices that are remembered.
#[derive(Subcommand)]
pub enum DevicesCommand {
    /// Show everything that is remembered about a device.
    Show {
        /// Its id, address, MAC address or name.
        id: String,
        /// The output format.
        #[arg(short, long = "format", id = "show_device_format", value_name = "FORMAT", default_value = "text")]
        format: DiffFormat,
    },
    /// Give a device a name, a site and tags, which tables, reports and messages use.
    Name {
        /// Its id, address, MAC address or name.
        id: String,
        /// Its name; an empty one takes the name away.
        name: Option<String>,
        /// Where it is; an empty one takes the site away.
        #[arg(long)]
        site: Option<String>,
        /// A word it is found by; repeatable. Replaces the tags it has; an empty one takes them away.
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<String>,
        /// A note; an empty one takes it away.
        #[arg(long)]
        note: Option<String>,
    },
    /// Take two entries for one device: B becomes part of A.
    Merge {
        /// The device that stays.
        into: String,
        /// The one that is the same.
        other: String,
    },
    /// Undo a merge: B is a device of its own again.
    Split {
        /// The id of the device that was merged, as `devices show` lists it.
        other: String,
    },
    /// Send no messages about a device, a tag or a site for a while. They are checked all the same.
    Mute {
        /// The device.
        #[arg(required_unless_present_any = ["mute_tag", "mute_site"])]
        id: Option<String>,
        /// All devices with this tag, also those that get it later.
        #[arg(long = "tag", id = "mute_tag", value_name = "TAG", conflicts_with = "id")]
        tag: Option<String>,
        /// All devices of this site.
        #[arg(long = "site", id = "mute_site", value_name = "SITE", conflicts_with_all = ["id", "mute_tag"])]
        site: Option<String>,
        /// Until then: 18:00, 2026-03-01 or 2026-03-01T18:00.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// For so long: 30m, 2h, 3d. Without either, until `devices unmute`.
        #[arg(long = "for", value_name = "TIME", conflicts_with = "until")]
        duration: Option<String>,
        /// Why, for others to read.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Send messages again.
    Unmute {
        /// The device.
        #[arg(required_unless_present_any = ["unmute_tag", "unmute_site"])]
        id: Option<String>,
        /// The tag.
        #[arg(long = "tag", id = "unmute_tag", value_name = "TAG", conflicts_with = "id")]
        tag: Option<String>,
        /// The site.
        #[arg(long = "site", id = "unmute_site", value_name = "SITE", conflicts_with_all = ["id", "unmute_tag"])]
        site: Option<String>,
    },
    /// Acknowledge the problems of a device: they are not repeated until they have ended.
    Ack {
        /// The device.
        id: String,
    },
    /// Tell how long a device may be silent.
    Expect {
        /// The device.
        id: String,
        /// always: reported as soon as it is offline; sometimes: after 24 hours; ignore: never.
        #[arg(value_parser = names::<Expect>())]
        what: String,
    },
    /// What is remembered of logins.
    #[command(subcommand)]
    Login(LoginCommand),
}

/// What is done with the logins of a device.
#[derive(Subcommand)]
pub enum LoginCommand {
    /// Forget that a device refused logins, so that they are tried again.
    Retry {
        /// The device.
        id: String,
    },
}

/// `camscan history`.
#[derive(Args)]
pub struct HistoryArgs {
    /// A device, by id, address, MAC address or name. Default: all.
    pub id: Option<String>,
    /// From when on: 7d, 12h, yesterday, 2026-03-01 or 2026-03-01T18:00.
    #[arg(long, value_name = "TIME", default_value = "7d")]
    pub since: String,
    /// Until when.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only these events, such as device.offline or stream.*.
    #[arg(long = "event", value_name = "TYPE,...", value_delimiter = ',')]
    pub events: Vec<String>,
    /// The output format.
    #[arg(short, long = "format", id = "history_format", value_name = "FORMAT", default_value = "text")]
    pub format: HistoryFormat,
    /// The store. By default that of the configuration, or the one in the user's data folder.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub store: Option<String>,
}

/// How a history is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HistoryFormat {
    /// Lines for people.
    Text,
    /// A JSON object.
    Json,
    /// A row for each event.
    Csv,
}

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
    /// Remove what is older than it is to be kept.
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

/// How changes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// Lines for people.
    Text,
    /// A JSON object.
    Json,
}

/// `camscan notify`.
#[derive(Subcommand)]
pub enum NotifyCommand {
    /// Send a test message and print what the receivers answer.
    ///
    /// Exits with code 1 when a channel does not take it. Nothing of it is stored, and nothing is tried twice.
    Test {
        /// The channel, by its name under `notify: channels:`; all of them by default.
        #[arg(value_name = "CHANNEL")]
        channel: Option<String>,
    },
}

/// How events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EventFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// `camscan signatures`.
#[derive(Subcommand)]
pub enum SignaturesCommand {
    /// Check the files of a folder: their form, their regular expressions, and every example in them.
    Check {
        /// The folder, as for `camscan scan --signatures`.
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

/// How the configuration is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// A configuration file with comments.
    Yaml,
    /// A JSON object.
    Json,
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

/// `camscan serve`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ServeArgs {
    /// What is done with accounts; none: it serves.
    #[command(subcommand)]
    pub action: Option<ServeCommand>,
    /// Where to listen: ADDRESS:PORT or unix:PATH; repeatable.
    ///
    /// Beyond this machine only once there is an account. Over a socket in the file system, the user that camscan runs as
    /// needs no login.
    #[arg(long, value_name = "ADDRESS", help_heading = "Server")]
    pub listen: Vec<String>,
    /// Certificate of the server, with those that vouch for it (PEM); needs --tls-key. SIGHUP reads both again.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Server")]
    pub tls_cert: Option<String>,
    /// Key of the certificate (PEM).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Server")]
    pub tls_key: Option<String>,
    /// How browsers reach it, where that is not by its own address: https://example.org/cameras/.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = "Server")]
    pub public_url: Option<String>,
    /// Reverse proxies whose X-Forwarded-For and X-Forwarded-Proto hold: addresses, networks, or unix; repeatable.
    #[arg(long, value_name = "ADDRESS", help_heading = "Server")]
    pub trusted_proxy: Vec<String>,
    /// What is shown without a login.
    #[arg(long, value_name = "WHAT", value_parser = names::<Anonymous>(), ignore_case = true, help_heading = "Server")]
    pub anonymous: Option<String>,
    /// UDP and TCP port of live view, or none.
    #[arg(long, value_name = "PORT", help_heading = "Server")]
    pub live_port: Option<String>,
    /// Address that viewers reach this machine by, where it is none of its own: ADDRESS or ADDRESS:PORT; repeatable.
    #[arg(long, value_name = "ADDRESS", help_heading = "Server", hide_short_help = true)]
    pub live_address: Vec<String>,
    /// Do not scan and check; show what another process finds.
    #[arg(long = "no-watch", id = "watch", help_heading = "Server")]
    pub no_watch: bool,
    /// What is watched, and when.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// What is done with the accounts of `camscan serve`.
#[derive(Subcommand)]
pub enum ServeCommand {
    /// Manage the accounts; needs no running server.
    #[command(subcommand)]
    User(UserCommand),
}

/// What is done with an account. Passwords are asked for on the terminal, or read from the first line of standard input.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Add an account.
    Add {
        /// Its name.
        name: String,
        /// What it is for: viewer looks, operator scans and edits as well, admin does everything.
        #[arg(long, value_name = "ROLE", value_parser = names::<Role>(), ignore_case = true, default_value = "viewer")]
        role: String,
        /// Where accounts are.
        #[command(flatten)]
        store: AccountStoreArgs,
    },
    /// List the accounts.
    List {
        /// Where accounts are.
        #[command(flatten)]
        store: AccountStoreArgs,
    },
    /// Remove an account, with its sessions and tokens.
    Remove {
        /// Its name.
        name: String,
        /// Where accounts are.
        #[command(flatten)]
        store: AccountStoreArgs,
    },
    /// Set the password of an account, and end its sessions.
    Password {
        /// Its name.
        name: String,
        /// Where accounts are.
        #[command(flatten)]
        store: AccountStoreArgs,
    },
}

/// Where accounts are.
#[derive(Args)]
pub struct AccountStoreArgs {
    /// The store. By default that of the configuration, or the one in the user's data folder.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub store: Option<String>,
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
    /// The place whose clock --cron means: system, UTC or a name such as Europe/Berlin.
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
    /// Stop trying logins on a device after this many refusals.
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

/// Where the report goes.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Format of standard output.
    ///
    /// auto: a table; nothing if -o is given and standard output is not a terminal. A name under plugins: of the
    /// configuration stands for that program.
    #[arg(short, long, value_name = "FORMAT", ignore_case = true,
          value_parser = FormatParser)]
    pub format: Option<String>,
    /// Write the report to this file, in the format of its extension; repeatable.
    ///
    /// FORMAT:FILE writes another format than the extension's, such as frigate:config.yml; a folder stands for the usual
    /// file name in it. Files are checked before the scan starts and replaced atomically at its end.
    #[arg(short, long, value_name = "[FORMAT:]FILE", value_hint = ValueHint::FilePath)]
    pub output: Vec<String>,
    /// Write the logins that a video system's configuration leaves open to this file, readable by its owner only.
    ///
    /// The configuration holds placeholders and lists them. The file has a NAME=VALUE line for each, as Docker Compose and
    /// systemd read them; with the extension .yaml or .yml a `NAME: VALUE` line, as in Home Assistant's secrets.yaml.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub env_file: Option<String>,
    /// Start CSV files with a byte order mark, for Excel.
    #[arg(long, hide_short_help = true)]
    pub csv_bom: bool,
    /// Separator of CSV cells: a character, or `tab`.
    #[arg(long, value_name = "CHAR", hide_short_help = true)]
    pub csv_delimiter: Option<String>,
    /// Show passwords in URLs and configurations.
    ///
    /// In the URLs of the report, and in the configurations of video systems; a survey has none in any case.
    #[arg(long)]
    pub show_secrets: bool,
}

/// How a survey is headed, and its language.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct SurveyArgs {
    /// Name of the site, for the head of a survey.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub site: Option<String>,
    /// Language of a survey.
    #[arg(long, value_name = "LANG", value_parser = names::<Lang>(), ignore_case = true, hide_short_help = true)]
    pub lang: Option<String>,
}

/// `camscan probe`.
#[derive(Args)]
pub struct ProbeArgs {
    /// Stream URL, or address or name of a host, optionally with a port.
    #[arg(id = "probe_targets", value_name = "URL|HOST", required = true, value_parser = secret, value_hint = ValueHint::Url)]
    pub targets: Vec<Secret>,
    /// Show in the table which evidence decided vendor, model and kind.
    #[arg(long, help_heading = "Output")]
    pub explain: bool,
    /// Keep the conversation with the device in this file, anonymised, for `camscan replay`.
    ///
    /// Addresses, MAC addresses, serial numbers, names, places and tokens are replaced, of pictures and sound only sizes
    /// and times are kept, and passwords are never in it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Recording")]
    pub record: Option<PathBuf>,
    /// What may stay as it is in the recording, separated by commas.
    #[arg(long, value_name = "KIND", requires = "record", value_delimiter = ',', help_heading = "Recording",
          value_parser = names::<Private>())]
    pub keep: Vec<String>,
    /// What is examined on each host.
    #[command(flatten)]
    pub host: HostArgs,
    /// Where the report goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `camscan replay`.
#[derive(Args)]
pub struct ReplayArgs {
    /// The file that `camscan probe --record` wrote.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Loopback address to serve it on. Without it, the first of 127.83.0.1 to 127.83.0.100 whose ports are free.
    #[arg(long, value_name = "IP")]
    pub address: Option<std::net::IpAddr>,
    /// Add this number to each port. Without it, ports below 1024 are raised by 20000 where they need root.
    #[arg(long, value_name = "NUMBER")]
    pub port_offset: Option<u16>,
}

/// `camscan export`.
#[derive(Args)]
pub struct ExportArgs {
    /// The report to convert (JSON, JSON lines or YAML), or - for standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Login of the cameras, for --env-file and --show-secrets. Visible in `ps`, so prefer a file.
    ///
    /// [key: credentials, variables: CAMSCAN_CREDENTIAL (one), CAMSCAN_CREDENTIALS (one per line)].
    #[arg(short, long = "credential", id = "credentials", value_name = "USER:PASS", help_heading = "Logins",
          value_parser = secret, hide_possible_values = true)]
    pub credentials: Vec<Secret>,
    /// Read logins from this file: one USER:PASS per line, or YAML.
    ///
    /// A camera gets the one login that is meant for it; where several are, its variables stay empty.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Logins")]
    pub credentials_file: Option<String>,
    /// Where the report goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How a survey is headed, and its language.
    #[command(flatten)]
    pub survey_head: SurveyArgs,
}

/// `camscan apply`.
#[derive(Args)]
pub struct ApplyArgs {
    /// The report with the cameras (JSON, JSON lines or YAML).
    #[arg(value_name = "REPORT", value_hint = ValueHint::FilePath)]
    pub report: PathBuf,
    /// The configuration they are added to.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// The system that the configuration is for: frigate, go2rtc or mediamtx.
    ///
    /// Without it, the keys at the top of the file decide.
    #[arg(long = "for", value_name = "SYSTEM")]
    pub system: Option<String>,
    /// Change the file. Without this flag the changes are shown and nothing is written.
    #[arg(long)]
    pub write: bool,
    /// Add the logins that the new entries leave open to this file of variables.
    #[arg(long, id = "apply_env_file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_file: Option<PathBuf>,
    /// Write passwords into the configuration instead of variables.
    #[arg(long)]
    pub show_secrets: bool,
    /// Login of the cameras, for --env-file and --show-secrets. Visible in `ps`, so prefer a file.
    #[arg(short, long = "credential", id = "credentials", value_name = "USER:PASS", help_heading = "Logins",
          value_parser = secret, hide_possible_values = true)]
    pub credentials: Vec<Secret>,
    /// Read logins from this file: one USER:PASS per line, or YAML.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Logins")]
    pub credentials_file: Option<String>,
}

fn names<T: Named>() -> PossibleValuesParser {
    PossibleValuesParser::new(T::TABLE.iter().map(|(name, _)| *name))
}

/// Takes any name, since plugins have some of their own, and lists the formats of the program.
#[derive(Clone)]
struct FormatParser;

impl TypedValueParser for FormatParser {
    type Value = String;

    fn parse_ref(&self, command: &clap::Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.help))))
    }
}

/// Takes a text as a secret. It never fails, since clap would print the text in its error.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a Result")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// The command line's definition; the help of every option names its key, variable and default.
pub fn command() -> clap::Command {
    with_keys(Cli::command())
}

fn with_keys(command: clap::Command) -> clap::Command {
    let command = command.mut_subcommands(with_keys);
    // What `watch` explains is not explained in short twice.
    let is_serve = command.get_name() == "serve";
    command.mut_args(|arg| {
        let is_of_scans = !matches!(arg.get_help_heading(), None | Some("Server" | "Schedule" | "Logins"));
        let arg = if is_serve && is_of_scans { arg.hide_short_help(true) } else { arg };
        match keys::find(arg.get_id().as_str()) {
            Some(key) => name_key(arg, key),
            None => arg,
        }
    })
}

fn name_key(arg: Arg, key: &dyn Setting) -> Arg {
    let default = key.defaults().join(",");
    let short = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let long = arg.get_long_help().map_or_else(|| short.clone(), ToString::to_string);
    let takes_value = arg.get_action().takes_values();
    let said = if default.is_empty() { String::new() } else { format!(", default: {default}") };
    let arg = arg.long_help(format!("{long}\n\n[key: {}, variable: {}{said}]", key.name(), key.variable()));
    // The long help names every default, the short one those that say something and are short themselves.
    match default.as_str() {
        "" | "none" => arg,
        default if !takes_value || default.len() > 12 => arg,
        default => arg.help(format!("{short} [default: {default}]")),
    }
}

/// `-vv`; more of them mean the same.
const MOST_VERBOSE: u8 = 2;

/// Reads a command line.
///
/// # Errors
/// A clap error, which `--help` and `--version` are too; see `exit::of_clap`.
pub fn parse(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(arguments).map_err(without_passwords)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(without_passwords)?;
    cli.typed = typed(&command, &matches);
    Ok(cli)
}

/// The keys that were set, by the command's own arguments and the subcommand's.
fn typed(command: &clap::Command, matches: &ArgMatches) -> Vec<Typed> {
    let given = |arg: &&Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let of_key = |arg: &Arg| {
        let id = arg.get_id().as_str();
        let values = match arg.get_action() {
            ArgAction::Count => vec![matches.get_count(id).min(MOST_VERBOSE).to_string()],
            ArgAction::SetTrue => vec![(!arg.get_long().is_some_and(|long| long.starts_with("no-"))).to_string()],
            _ => matches.get_raw(id)?.map(|value| value.to_string_lossy().into_owned()).collect(),
        };
        Some(Typed { key: keys::find(id)?.name(), flag: flag(arg), values })
    };
    let mut all: Vec<Typed> = command.get_arguments().filter(given).filter_map(of_key).collect();
    if let Some((name, matches)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        all.extend(typed(command, matches));
    }
    all
}

/// What an argument is called in a message.
fn flag(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.get_value_names().unwrap_or_default().join(" "),
    }
}

/// The same error; a URL in it, put where none belongs, has lost its password.
fn without_passwords(mut error: clap::Error) -> clap::Error {
    let redacted: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) if text.contains("://") => Some((kind, crate::text::redact_url(text))),
            _ => None,
        })
        .collect();
    for (kind, text) in redacted {
        error.insert(kind, ContextValue::String(text));
    }
    error
}
