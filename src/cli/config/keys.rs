//! The table of everything that can be set. A key's name is that of the YAML key; its variable is `CAMSCAN_` and the
//! name in capitals. Help texts, `config show`, the example file and their tests all follow this table.

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::export::FORMATS;
use crate::export::csv::parse_delimiter;
use crate::export::format::Format;
use crate::export::survey::lang::Lang;
use crate::history::memory::StreamId;
use crate::history::schedule::{CheckPlan, SHORTEST, Schedule};
use crate::model::listen::{Anonymous, ListenOn, LiveAddress, PublicUrl, TrustedProxy};
use crate::model::names::names;
use crate::model::options::Ffprobe;
use crate::model::{Method, ProbeOptions, TargetSpec, Verify};

use super::fail_on::FailOn;
use super::targets::TargetWord;
use super::values::{
    age, count, duration, duration_or_zero, number, one_of, optional, path, ports, rate, show_duration, switch,
};
use crate::model::problem::Problem;
use crate::text::clean;

/// The key of the list of logins, which is read by rules of its own: the table does not hold it.
pub const CREDENTIALS: &str = "credentials";

/// How many values a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One.
    One,
    /// Any number; a comma parts them.
    List,
    /// Any number of paths, which may hold commas.
    Paths,
}

/// A setting whose values are read as `T`.
pub struct Key<T: 'static> {
    /// Its name in the configuration file.
    pub name: &'static str,
    /// How many values it takes.
    pub shape: Shape,
    /// The value when nothing is given; the values of a list with commas between them.
    pub default: fn() -> String,
    /// Reads one value.
    pub read: fn(&str) -> Result<T, Problem>,
}

/// A key of the table, whatever it is read as.
pub trait Setting: Sync {
    /// Its name in the configuration file.
    fn name(&self) -> &'static str;
    /// How many values it takes.
    fn shape(&self) -> Shape;
    /// What holds when nothing is given.
    fn defaults(&self) -> Vec<String>;
    /// Whether `text` is a value of it.
    ///
    /// # Errors
    /// When it is none.
    fn check(&self, text: &str) -> Result<(), Problem>;
    /// The environment variable that sets it.
    fn variable(&self) -> String {
        format!("CAMSCAN_{}", self.name().to_ascii_uppercase())
    }
}

impl<T> Setting for Key<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn defaults(&self) -> Vec<String> {
        match self.shape {
            Shape::One => vec![(self.default)()],
            _ => (self.default)().split(',').filter(|v| !v.is_empty()).map(str::to_owned).collect(),
        }
    }

    fn check(&self, text: &str) -> Result<(), Problem> {
        (self.read)(text).map(drop)
    }
}

/// The setting of that name.
pub fn find(name: &str) -> Option<&'static dyn Setting> {
    ALL.iter().copied().find(|key| key.name() == name)
}

names! {
    /// When colours are used.
    pub enum Color {
        /// On a terminal, unless NO_COLOR is set.
        Auto = "auto",
        /// Always.
        Always = "always",
        /// Never.
        Never = "never",
    }
}

names! {
    /// What log lines look like.
    pub enum LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

/// A format as it is named: one of the program's own, or one that a plugin may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatName {
    /// One of the program's own.
    Builtin(Format),
    /// Any other name.
    Other(String),
}

/// Where scans are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorePlace {
    /// Nowhere.
    None,
    /// In the user's data folder.
    Auto,
    /// In this file.
    File(PathBuf),
}

fn store_place(text: &str) -> Result<StorePlace, Problem> {
    match text {
        "none" => Ok(StorePlace::None),
        "auto" => Ok(StorePlace::Auto),
        other => path(other).map(StorePlace::File),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every key reads with a Result")]
fn format(name: &str) -> Result<Option<FormatName>, Problem> {
    Ok(match name {
        "auto" => None,
        name => Some(FORMATS.by_name(name).map_or_else(|_| FormatName::Other(name.to_owned()), FormatName::Builtin)),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "every key reads with a Result")]
fn site(text: &str) -> Result<String, Problem> {
    Ok(clean(text))
}

fn listen_on(text: &str) -> Result<ListenOn, Problem> {
    ListenOn::parse(text).ok_or_else(|| {
        Problem::new(format!("`{}` is no address to listen on", clean(text))).hint(
            "write 127.0.0.1:8000, [::1]:8000, :8000 for all addresses, unix:/run/camscan/camscan.sock, or systemd",
        )
    })
}

fn public_url(text: &str) -> Result<PublicUrl, Problem> {
    PublicUrl::parse(text).ok_or_else(|| {
        Problem::new(format!("`{}` is no address of a site", clean(text)))
            .hint("write https://cameras.example.org/ or https://example.org/cameras/, without user, query or fragment")
    })
}

fn live_address(text: &str) -> Result<LiveAddress, Problem> {
    LiveAddress::parse(text).ok_or_else(|| {
        Problem::new(format!("`{}` is no address", clean(text))).hint("write 203.0.113.7 or 203.0.113.7:8001")
    })
}

fn stream(text: &str) -> Result<StreamId, Problem> {
    StreamId::parse(text).ok_or_else(|| {
        Problem::new(format!("`{}` is no id of a stream", clean(text)))
            .hint("write what GET /api/v1/live calls it: s_ and 16 letters and digits")
    })
}

fn port(text: &str) -> Result<u16, Problem> {
    number::<1, 65535>(text).map(|port| u16::try_from(port).unwrap_or(u16::MAX))
}

fn trusted_proxy(text: &str) -> Result<TrustedProxy, Problem> {
    TrustedProxy::parse(text).ok_or_else(|| {
        Problem::new(format!("`{}` is no address of a proxy", clean(text)))
            .hint("write 127.0.0.1, 10.0.0.0/24, or unix for one that connects by a socket in the file system")
    })
}

/// A header of HTTP that names somebody: none that says something else already.
fn header_name(text: &str) -> Result<String, Problem> {
    let is_token = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let name = text.to_ascii_lowercase();
    let is_taken = ["authorization", "cookie", "host", "origin", "referer", "via", "forwarded"]
        .contains(&name.as_str())
        || name.starts_with("x-forwarded-for")
        || name.starts_with("sec-");
    match is_token && !is_taken {
        true => Ok(name),
        false => {
            Err(Problem::new(format!("`{}` is no header that can name a user", clean(text))).hint("write Remote-User"))
        }
    }
}

fn pattern(text: &str) -> Result<String, Problem> {
    Schedule::cron(text, TimeZone::UTC)
        .map(|_| text.to_owned())
        .map_err(|error| Problem::new(format!("`{}` is not a cron pattern", clean(text))).hint(error.to_string()))
}

fn time_zone(text: &str) -> Result<TimeZone, Problem> {
    if text == "system" {
        return Ok(TimeZone::system());
    }
    TimeZone::get(text).map_err(|_| {
        Problem::new(format!("`{}` is not a time zone", clean(text)))
            .hint("write system, UTC, or a place such as Europe/Berlin")
    })
}

fn scan_time(text: &str) -> Result<Duration, Problem> {
    let time = duration(text)?;
    if time < Duration::try_from(SHORTEST).unwrap_or_default() {
        return Err(Problem::new(format!("`{}` is too short", clean(text))).hint("write at least 1m between two scans"));
    }
    Ok(time)
}

fn check_time(text: &str) -> Result<Duration, Problem> {
    let shortest = Duration::try_from(CheckPlan::SHORTEST).unwrap_or_default();
    let time = duration(text)?;
    if time < shortest {
        return Err(Problem::new(format!("`{}` is too short", clean(text)))
            .hint("write at least 30s: each check plays a stream of every camera"));
    }
    Ok(time)
}

/// What is done with a host when nothing is given.
fn usual() -> ProbeOptions {
    ProbeOptions::default()
}

macro_rules! keys {
    ($($(#[$doc:meta])* $id:ident: $type:ty = $name:literal, $shape:ident, $default:expr, $read:expr;)*) => {
        $($(#[$doc])* pub static $id: Key<$type> =
            Key { name: $name, shape: Shape::$shape, default: || $default.to_string(), read: $read };)*

        /// Every key, in the order of the example file.
        pub static ALL: &[&dyn Setting] = &[$(&$id),*];
    };
}

keys! {
    /// Targets; none: the subnets of this machine.
    TARGETS: TargetWord = "targets", List, "", TargetWord::read;
    /// Addresses to skip.
    EXCLUDE: TargetWord = "exclude", List, "", TargetWord::read;
    /// Interfaces used; none: all that are up.
    INTERFACE: String = "interface", List, "", |t| Ok(t.to_owned());
    /// Scan local subnets of any size.
    LARGE_SUBNETS: bool = "large_subnets", One, "false", switch;
    /// Discovery methods.
    METHODS: Method = "methods", List, Method::ALL.map(Method::as_str).join(","), |t| one_of(t, "discovery method");
    /// How long multicast requests are repeated.
    DISCOVERY_TIME: Duration = "discovery_time", One, "3s", duration;
    /// Look up names in DNS.
    DNS: bool = "dns", One, "true", switch;
    /// Include hosts without video.
    ALL_HOSTS: bool = "all", One, "false", switch;

    /// TCP ports to check.
    PORTS: Vec<u16> = "ports", List, "wide", ports;
    /// How far streams are verified.
    VERIFY_STREAMS: Verify = "verify", One, usual().verify, |t| one_of(t, "verify level");
    /// When ffprobe is run.
    USE_FFPROBE: Ffprobe = "ffprobe", One, usual().ffprobe, |t| one_of(t, "choice for ffprobe");
    /// Where snapshots go.
    SNAPSHOTS: Option<PathBuf> = "snapshots", One, "none", |t| optional(t, path);
    /// Further signature files.
    SIGNATURES: Option<PathBuf> = "signatures", One, "none", |t| optional(t, path);
    /// Stream URLs tried per device.
    MAX_CANDIDATES: usize = "max_candidates", One, usual().max_candidates, count::<1, 1000>;
    /// Channels examined per recorder.
    MAX_CHANNELS: u32 = "max_channels", One, usual().max_channels, number::<1, 1024>;

    /// A file of logins.
    CREDENTIALS_FILE: Option<PathBuf> = "credentials_file", One, "none", |t| optional(t, path);
    /// Refused logins allowed per device.
    MAX_LOGIN_FAILURES: u32 = "max_login_failures", One, usual().max_login_failures, number::<0, 100>;

    /// Deadline of one request's answer.
    TIMEOUT: Duration = "timeout", One, show_duration(usual().request_timeout), duration;
    /// Deadline of a TCP connect.
    CONNECT_TIMEOUT: Duration = "connect_timeout", One, show_duration(usual().connect_timeout), duration;
    /// Wait for a stream's first frame.
    FRAME_TIMEOUT: Duration = "frame_timeout", One, show_duration(usual().frame_timeout), duration;
    /// How long a stream is measured.
    MEASURE_TIME: Duration = "measure_time", One, show_duration(usual().measure_time), duration;
    /// Deadline of everything done with one host.
    HOST_TIMEOUT: Duration = "host_timeout", One, show_duration(usual().host_timeout), duration;
    /// Deadline of the whole scan.
    MAX_DURATION: Option<Duration> = "max_duration", One, "none", |t| optional(t, duration);
    /// Retries after a temporary failure.
    RETRIES: u32 = "retries", One, usual().retries, number::<0, 10>;
    /// Hosts inspected at once.
    CONCURRENCY: usize = "concurrency", One, "64", count::<1, 4096>;
    /// Connections to one host at once.
    PER_HOST: usize = "per_host", One, usual().per_host, count::<1, 64>;
    /// Packets and connections per second.
    RATE: Option<u32> = "rate", One, "none", |t| optional(t, rate);

    /// Time from one scan of `watch` to the next.
    EVERY: Duration = "every", One, "6h", scan_time;
    /// The times of its scans instead, as cron writes them.
    CRON: Option<String> = "cron", One, "none", |t| optional(t, pattern);
    /// The place whose clock a pattern means.
    TIME_ZONE: TimeZone = "time_zone", One, "system", time_zone;
    /// By how much a scan may begin later.
    JITTER: Duration = "jitter", One, "1m", duration_or_zero;
    /// How often streams are played in between.
    CHECK_EVERY: Option<Duration> = "check_every", One, "5m", |t| optional(t, check_time);
    /// Devices checked at once.
    CHECK_CONCURRENCY: usize = "check_concurrency", One, "8", count::<1, 256>;
    /// Where the metrics of `watch` go.
    METRICS: Option<PathBuf> = "metrics", One, "none", |t| optional(t, path);

    /// Where `serve` listens.
    LISTEN: ListenOn = "listen", List, "127.0.0.1:8000", listen_on;
    /// Its certificate.
    TLS_CERT: Option<PathBuf> = "tls_cert", One, "none", |t| optional(t, path);
    /// The key of its certificate.
    TLS_KEY: Option<PathBuf> = "tls_key", One, "none", |t| optional(t, path);
    /// How it is reached.
    PUBLIC_URL: Option<PublicUrl> = "public_url", One, "none", |t| optional(t, public_url);
    /// Reverse proxies whose X-Forwarded-For is believed.
    TRUSTED_PROXY: TrustedProxy = "trusted_proxy", List, "", trusted_proxy;
    /// The header by which a trusted proxy says who asks.
    LOGIN_HEADER: Option<String> = "login_header", One, "none", |t| optional(t, header_name);
    /// What may be scanned through the page and the API beside the targets.
    ALLOW_TARGETS: TargetSpec = "allow_targets", List, "", |t| t.parse();
    /// What is shown without a login.
    ANONYMOUS: Anonymous = "anonymous", One, "none", |t| one_of(t, "choice for those without a login");
    /// The port of live view.
    LIVE_PORT: Option<u16> = "live_port", One, "8001", |t| optional(t, port);
    /// Addresses that viewers reach this machine by.
    LIVE_ADDRESS: LiveAddress = "live_address", List, "", live_address;
    /// Streams that are fetched whether somebody watches or not.
    LIVE_ALWAYS_ON: StreamId = "live_always_on", List, "", stream;
    /// Whether `serve` scans and checks.
    WATCHING: bool = "watch", One, "true", switch;

    /// What goes to standard output.
    FORMAT: Option<FormatName> = "format", One, "auto", format;
    /// Files the report is written to.
    OUTPUT: PathBuf = "output", Paths, "", path;
    /// Where the logins of a video system's configuration are written.
    ENV_FILE: Option<PathBuf> = "env_file", One, "none", |t| optional(t, path);
    /// Byte order mark in CSV.
    CSV_BOM: bool = "csv_bom", One, "false", switch;
    /// Separator of CSV cells.
    CSV_DELIMITER: u8 = "csv_delimiter", One, ",", |t| Ok(parse_delimiter(t)?);
    /// Show passwords in URLs of the report.
    SHOW_SECRETS: bool = "show_secrets", One, "false", switch;
    /// Whether the table shows the decisive evidence.
    EXPLAIN: bool = "explain", One, "false", switch;
    /// Write the survey of a site.
    SURVEY_WANTED: bool = "survey", One, "false", switch;
    /// What the site of a survey is called.
    SITE: Option<String> = "site", One, "none", |t| optional(t, site);
    /// The language of a survey.
    LANG: Lang = "lang", One, "en", |t| one_of(t, "language of the survey");
    /// Conditions for exit code 3.
    FAIL_ON: FailOn = "fail_on", List, "", |t| one_of(t, "condition for --fail-on");
    /// Earlier report to compare with.
    BASELINE: Option<PathBuf> = "baseline", One, "none", |t| optional(t, path);

    /// Where scans are remembered.
    STORE: StorePlace = "store", One, "none", store_place;
    /// How long the analysis of a device that does not change holds.
    MAX_AGE: Duration = "max_age", One, "20h", duration;
    /// Analyse every device in full.
    FRESH: bool = "fresh", One, "false", switch;
    /// How long events are kept.
    KEEP_EVENTS: Option<SignedDuration> = "keep_events", One, "2y", age;
    /// How long scans are kept.
    KEEP_SCANS: Option<SignedDuration> = "keep_scans", One, "2y", age;
    /// How long checks of streams are kept by the hour.
    KEEP_HOURLY: Option<SignedDuration> = "keep_hourly", One, "14d", age;
    /// How long checks of streams are kept by the day.
    KEEP_DAILY: Option<SignedDuration> = "keep_daily", One, "forever", age;
    /// How long delivered messages are kept.
    KEEP_OUTBOX: Option<SignedDuration> = "keep_outbox", One, "30d", age;

    /// Verbosity of the log.
    VERBOSE: u32 = "verbose", One, "0", number::<0, 2>;
    /// Show errors only.
    QUIET: bool = "quiet", One, "false", switch;
    /// When colours are used.
    USE_COLOR: Color = "color", One, "auto", |t| one_of(t, "choice for colours");
    /// Show progress.
    PROGRESS: bool = "progress", One, "true", switch;
    /// What log lines look like.
    LOG: LogFormat = "log_format", One, "text", |t| one_of(t, "log format");
}
