//! The command line, exactly as it was typed. What it means is decided in `settings`.
//!
//! Flags that set a key carry the key's name as their id, so that the help text can name key, variable and default, and
//! a test can find a key without a flag.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::error::ContextValue;
use clap::{Arg, ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};

use crate::export::format::Format;
use crate::model::names::Named;
use crate::model::options::Ffprobe;
use crate::model::{Method, Secret, Verify};

use crate::cli::config::fail_on::FailOn;
use crate::cli::config::keys::{self, Color, LogFormat, Setting};

const EXAMPLES: &str = "\
Examples:
  camscan scan                                  the subnets of this machine
  camscan scan 192.168.1.0/24 10.0.5.10-99      these addresses
  camscan scan @sites.txt -o cameras.csv        targets from a file, a spreadsheet out
  camscan probe rtsp://192.168.1.20/stream1     one stream in depth
  camscan export report.json -f csv             an earlier result in another format";

const SCAN_EXAMPLES: &str = "\
Targets:
  192.168.1.0/24             a network; host bits are cleared
  192.168.1.10-50            a range, also 192.168.1.10-192.168.2.20
  192.168.1.20, cam1.lan     an address or a name, also with a port of its own: cam1.lan:8554
  [2001:db8::1]:554          IPv6 with a port; fe80::1%eth0 with its interface
  @targets.txt, -            a file or standard input with one target a line; # begins a comment
  Without targets the subnets of this machine's interfaces are scanned.

Logins:
  Passwords are never guessed. On the command line they show in `ps` and in the shell's history;
  in a file (--credentials-file, or credentials: in camscan.yaml) or in CAMSCAN_CREDENTIAL not.

Examples:
  camscan scan
  camscan scan 192.168.1.0/24 --exclude 192.168.1.1 --credentials-file logins.txt
  camscan scan 10.0.0.0/24 -o inventory.json -o inventory.csv
  camscan scan 10.0.0.0/24 --baseline inventory.json --fail-on new,offline -q
  camscan scan 10.0.0.0/24 -f jsonl | jq -r '.ip // empty'
  CAMSCAN_CREDENTIAL=admin:secret camscan scan 192.168.1.20

Exit codes:
  0 finished, 1 could not do the job, 2 usage or configuration, 3 a --fail-on condition holds,
  130 interrupted (what was found is still written)";

const PROBE_EXAMPLES: &str = "\
Examples:
  camscan probe 192.168.1.20
  camscan probe rtsp://192.168.1.20:554/Streaming/Channels/101 --verify frames
  camscan probe cam1.lan -f json --credentials-file logins.txt";

/// Find every IP camera, recorder and video stream on a network.
///
/// Says what each one is and what it streams, and proves that frames arrive. Every option of a command can also be set
/// in a YAML file (--config) and by an environment variable; a flag is stronger than the environment, the environment
/// than the file.
#[derive(Parser)]
#[command(name = "camscan", version, after_help = EXAMPLES, arg_required_else_help = true, propagate_version = true)]
pub struct Cli {
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
}

/// What is to be done.
#[derive(Subcommand)]
pub enum Command {
    /// Find the cameras of a network and what they stream.
    #[command(after_long_help = SCAN_EXAMPLES, after_help = "`camscan scan --help` says more and has examples.")]
    Scan(Box<ScanArgs>),
    /// Look at one device or stream in depth.
    #[command(after_help = PROBE_EXAMPLES)]
    Probe(Box<ProbeArgs>),
    /// Render an earlier report in another format.
    Export(Box<ExportArgs>),
    /// Check the configuration, or show what holds and why.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the JSON Schema of the report.
    Schema,
    /// Print completions for a shell.
    #[command(after_help = "Example: camscan completions bash > ~/.local/share/bash-completion/completions/camscan")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for every command into a folder.
    Man {
        /// The folder; it must exist.
        #[arg(value_hint = ValueHint::DirPath)]
        folder: Option<PathBuf>,
    },
}

/// What is done with the configuration.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration file and the environment and say what is wrong with them.
    Check,
    /// Print every setting with where its value comes from; passwords are left out.
    Show {
        /// The form.
        #[arg(short, long = "format", id = "show_format", value_name = "FORMAT", default_value = "yaml")]
        format: ShowFormat,
    },
}

/// In what form the configuration is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// A configuration file with comments.
    Yaml,
    /// A JSON object.
    Json,
}

/// Options of every command.
#[derive(Args)]
#[command(next_help_heading = "General options")]
pub struct GlobalArgs {
    /// Read this configuration file.
    ///
    /// Otherwise the first of $CAMSCAN_CONFIG, ./camscan.yaml, $XDG_CONFIG_HOME/camscan/config.yaml
    /// (~/.config/camscan/config.yaml) and /etc/camscan/config.yaml is read.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Tell more: what is done (-v), every request (-vv).
    ///
    /// Also adds services, evidence and errors to the table. CAMSCAN_LOG takes a filter, such as camscan::net=trace.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Tell errors only: no progress, no warnings.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Use colours.
    ///
    /// `auto` uses them on a terminal unless NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", value_parser = names::<Color>(), ignore_case = true)]
    pub color: Option<String>,
    /// Show no progress.
    #[arg(long = "no-progress", id = "progress", global = true)]
    pub no_progress: bool,
    /// Form of the log lines on standard error.
    #[arg(long, global = true, value_name = "FORM", value_parser = names::<LogFormat>(), ignore_case = true)]
    pub log_format: Option<String>,
}

/// `camscan scan`.
#[derive(Args)]
pub struct ScanArgs {
    /// Networks, ranges, addresses, names, @FILE or - (standard input).
    ///
    /// None: the subnets of this machine's interfaces.
    #[arg(value_name = "TARGET", value_hint = ValueHint::Hostname)]
    pub targets: Vec<String>,
    /// How hosts are found.
    #[command(flatten)]
    pub discovery: DiscoveryArgs,
    /// What is done with each host.
    #[command(flatten)]
    pub host: HostArgs,
    /// How fast it is, and how long.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// End with exit code 3 when one of these holds.
    ///
    /// new: a device is not in the baseline; offline: one of the baseline is gone; none-found: nothing with video was
    /// found; auth-required: a login is wanted or was refused; not-streaming: a device delivers no frames at all;
    /// no-data: a stream was accepted and stayed silent; error: something failed.
    #[arg(long, value_name = "CONDITION,...", value_delimiter = ',', value_parser = names::<FailOn>(),
          help_heading = "Result")]
    pub fail_on: Vec<String>,
    /// Compare with this earlier report (JSON) for --fail-on new,offline.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Result")]
    pub baseline: Option<String>,
}

/// How hosts are found.
#[derive(Args)]
#[command(next_help_heading = "Targets")]
pub struct DiscoveryArgs {
    /// Leave these out: networks, ranges, addresses or @FILE.
    #[arg(short = 'x', long, value_name = "TARGET,...")]
    pub exclude: Vec<String>,
    /// Use only this interface; repeat for more.
    #[arg(short, long, value_name = "NAME,...")]
    pub interface: Vec<String>,
    /// Scan subnets found by itself even if they are large.
    #[arg(short = 'y', long, visible_alias = "yes")]
    pub large_subnets: bool,
    /// How hosts are found.
    ///
    /// arp and icmp need privileges or a permitting system and are left out with a warning otherwise.
    #[arg(long, value_name = "METHOD,...", value_delimiter = ',', value_parser = names::<Method>())]
    pub methods: Vec<String>,
    /// How long multicast questions are repeated and answers awaited.
    #[arg(long, value_name = "TIME")]
    pub discovery_time: Option<String>,
    /// Do not ask DNS for the hosts' names.
    #[arg(long = "no-dns", id = "dns")]
    pub no_dns: bool,
    /// Keep hosts without video in the result.
    #[arg(short, long)]
    pub all: bool,
}

/// How fast a scan is, and how long.
#[derive(Args)]
#[command(next_help_heading = "Pace and patience")]
pub struct PaceArgs {
    /// Hosts inspected at once.
    #[arg(short = 'j', long, value_name = "N")]
    pub concurrency: Option<String>,
    /// Packets and connections a second, at most; `max` for all the machine can do. Unless given, broadcasts and SYN frames
    /// keep to 10000 a second.
    #[arg(long, value_name = "N|max")]
    pub rate: Option<String>,
    /// End the scan after this time, with what it has.
    #[arg(long, value_name = "TIME")]
    pub max_duration: Option<String>,
}

/// What is done with each host.
#[derive(Args)]
#[command(next_help_heading = "What to look for")]
pub struct HostArgs {
    /// TCP ports looked at: 554, 8000-8100, core, wide, all or none.
    ///
    /// none looks at no host, it only says which are up: with --all they are listed.
    /// 9100-9107 are never contacted: printers print whatever is sent to them.
    #[arg(short, long, value_name = "PORT,...")]
    pub ports: Vec<String>,
    /// How far streams are proved.
    ///
    /// none: services are named only; describe: streams are described, none is played; frames: streams are played until
    /// frames have been measured.
    #[arg(long, value_name = "HOW", value_parser = names::<Verify>(), ignore_case = true)]
    pub verify: Option<String>,
    /// When ffprobe is asked about a stream.
    ///
    /// auto: when codec or size stay unknown, and it is installed.
    #[arg(long, value_name = "WHEN", value_parser = names::<Ffprobe>(), ignore_case = true)]
    pub ffprobe: Option<String>,
    /// Save a picture of every stream in this folder.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub snapshots: Option<String>,
    /// Read further signatures from this folder.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub signatures: Option<String>,
    /// Stream addresses tried per device, at most.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub max_candidates: Option<String>,
    /// Channels of a recorder looked at, at most.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub max_channels: Option<String>,
    /// Try this login; repeat for more. Shows in `ps`: prefer a file.
    ///
    /// Logins are only used where a device demands one, in this order, and never more than --max-login-failures of them
    /// are refused by one device. Flags replace the logins of the environment, and those the ones of the file.
    /// Variables: CAMSCAN_CREDENTIAL (one), CAMSCAN_CREDENTIALS (one a line). Key: credentials.
    #[arg(short, long = "credential", id = "credentials", value_name = "USER:PASS", help_heading = "Logins",
          value_parser = secret, hide_possible_values = true)]
    pub credentials: Vec<Secret>,
    /// Read logins from this file: USER:PASS line by line, or YAML.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Logins")]
    pub credentials_file: Option<String>,
    /// Refused logins per device before none is tried any more.
    ///
    /// Cameras lock out after a few; RTSP, HTTP and ONVIF are counted together.
    #[arg(long, value_name = "N", help_heading = "Logins")]
    pub max_login_failures: Option<String>,
    /// Wait this long for the whole answer to a request.
    #[arg(short, long, value_name = "TIME", help_heading = "Pace and patience")]
    pub timeout: Option<String>,
    /// Wait this long for a TCP connection.
    #[arg(long, value_name = "TIME", help_heading = "Pace and patience", hide_short_help = true)]
    pub connect_timeout: Option<String>,
    /// Wait this long for the first frame of a stream.
    #[arg(long, value_name = "TIME", help_heading = "Pace and patience", hide_short_help = true)]
    pub frame_timeout: Option<String>,
    /// Measure a stream this long after its first frame.
    #[arg(long, value_name = "TIME", help_heading = "Pace and patience", hide_short_help = true)]
    pub measure_time: Option<String>,
    /// Give up on a host after this time.
    #[arg(long, value_name = "TIME", help_heading = "Pace and patience")]
    pub host_timeout: Option<String>,
    /// Repeat what failed in passing this often.
    #[arg(long, value_name = "N", help_heading = "Pace and patience")]
    pub retries: Option<String>,
    /// Connections to one host at once.
    #[arg(long, value_name = "N", help_heading = "Pace and patience")]
    pub per_host: Option<String>,
}

/// Where the result goes.
#[derive(Args)]
#[command(next_help_heading = "Result")]
pub struct OutputArgs {
    /// Format of standard output.
    ///
    /// Without it a table; where -o is given and standard output is no terminal, nothing.
    #[arg(short, long, value_name = "FORMAT", ignore_case = true,
          value_parser = PossibleValuesParser::new(Format::ALL.map(Format::as_str)))]
    pub format: Option<String>,
    /// Write the result to this file, its format by its extension; repeat for more.
    ///
    /// The file is checked before the work begins and replaced as a whole at its end.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Vec<String>,
    /// Begin CSV with a byte order mark, as Excel wants it.
    #[arg(long)]
    pub csv_bom: bool,
    /// Part the cells of CSV by this character, or `tab`.
    #[arg(long, value_name = "CHAR")]
    pub csv_delimiter: Option<String>,
    /// Leave passwords in the URLs of the result.
    #[arg(long)]
    pub show_secrets: bool,
}

/// `camscan probe`.
#[derive(Args)]
pub struct ProbeArgs {
    /// A stream's URL, or a host's address or name, with or without a port.
    #[arg(value_name = "URL|HOST", required = true, value_parser = secret, value_hint = ValueHint::Url)]
    pub targets: Vec<Secret>,
    /// Say in the table which evidence decided vendor, model and kind, and against what.
    #[arg(long, help_heading = "Result")]
    pub explain: bool,
    /// What is done with each host.
    #[command(flatten)]
    pub host: HostArgs,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `camscan export`.
#[derive(Args)]
pub struct ExportArgs {
    /// The earlier report (JSON), or - for standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

fn names<T: Named>() -> PossibleValuesParser {
    PossibleValuesParser::new(T::TABLE.iter().map(|(name, _)| *name))
}

/// A secret by clap's rules: it must not fail, since clap would print the text.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a Result")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// The command with all its help, key, variable and default of every setting included.
pub fn command() -> clap::Command {
    with_keys(Cli::command())
}

fn with_keys(command: clap::Command) -> clap::Command {
    let command = command.mut_subcommands(with_keys);
    command.mut_args(|arg| match keys::find(arg.get_id().as_str()) {
        Some(key) => name_key(arg, key),
        None => arg,
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

/// Reads a command line.
///
/// # Errors
/// What clap has to say, `--help` and `--version` included; see `exit::of_clap`.
pub fn parse(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches_from(arguments).map_err(without_passwords)?;
    Cli::from_arg_matches(&matches).map_err(without_passwords)
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
