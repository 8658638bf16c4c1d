//! Who is told about events, and how: channels, rules and what a bridge shows of devices.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnetwork::IpNetwork;
use jiff::Timestamp;
use jiff::civil::{Time, Weekday};

use super::Secret;
use super::memory::{EventKind, Severity, Uid};
use super::names::names;

/// How long a message waits for others of its group when nothing is said.
pub const USUAL_WAIT: Duration = Duration::from_secs(30);

/// How often a problem that lasts is told again when nothing is said.
pub const USUAL_REPEAT: Duration = Duration::from_secs(24 * 60 * 60);

/// Everything under `notify:` in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notifications {
    /// Where the pages of this camscan are reached, without a slash at the end; links in messages begin with it.
    pub public_url: Option<String>,
    /// Where messages go, no name twice.
    pub channels: Vec<Channel>,
    /// Which events are sent where; the first rule that holds for a channel sends the event to it.
    pub rules: Vec<Rule>,
}

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What it is called in rules, messages and the store.
    pub name: String,
    /// How it is reached.
    pub way: ChannelWay,
}

/// How a channel is reached. Everything that lets others send in the user's name is a [`Secret`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelWay {
    /// A receiver of Standard Webhooks.
    Webhook(Webhook),
    /// A service with an interface of its own over HTTP.
    Service(ServiceChannel),
    /// A broker of MQTT, with discovery for Home Assistant.
    Mqtt(Mqtt),
    /// A mail server.
    Email(Email),
    /// A program of this machine.
    Exec(Exec),
    /// A collector of syslog.
    Syslog(Syslog),
}

impl ChannelWay {
    /// The name of its type in the configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            ChannelWay::Webhook(_) => "webhook",
            ChannelWay::Service(service) => service.service.as_str(),
            ChannelWay::Mqtt(_) => "mqtt",
            ChannelWay::Email(_) => "email",
            ChannelWay::Exec(_) => "exec",
            ChannelWay::Syslog(_) => "syslog",
        }
    }

    /// Every secret of it, for whatever has to hide them.
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            ChannelWay::Webhook(webhook) => {
                let headers = webhook.headers.iter().map(|(_, value)| value);
                std::iter::once(&webhook.url).chain(&webhook.secrets).chain(headers).collect()
            }
            ChannelWay::Service(service) => {
                std::iter::once(&service.url).chain(&service.token).chain(&service.urls).collect()
            }
            ChannelWay::Mqtt(mqtt) => mqtt.password.iter().collect(),
            ChannelWay::Email(email) => email.password.iter().collect(),
            ChannelWay::Exec(_) | ChannelWay::Syslog(_) => Vec::new(),
        }
    }
}

/// A receiver of [Standard Webhooks](https://www.standardwebhooks.com).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its address; it may hold a token.
    pub url: Secret,
    /// What messages are signed with, `whsec_` and Base64 of 24 to 64 bytes. Several while one replaces another: each
    /// message is signed with all of them. None: messages are not signed.
    pub secrets: Vec<Secret>,
    /// Further headers, such as `Authorization`.
    pub headers: Vec<(String, Secret)>,
}

impl Webhook {
    /// The key in one of its secrets: `whsec_` and the Base64 of 24 to 64 bytes. None where it is no such secret.
    pub fn key(secret: &Secret) -> Option<Vec<u8>> {
        let key = STANDARD.decode(secret.expose().strip_prefix("whsec_")?).ok()?;
        (24..=64).contains(&key.len()).then_some(key)
    }
}

names! {
    /// A service with an interface of its own over HTTP.
    pub enum Service {
        /// ntfy, <https://docs.ntfy.sh/publish/>.
        Ntfy = "ntfy",
        /// Gotify, <https://gotify.net/docs/pushmsg>.
        Gotify = "gotify",
        /// Slack's incoming webhooks.
        Slack = "slack",
        /// Discord's webhooks.
        Discord = "discord",
        /// Workflows of Microsoft Teams.
        Teams = "teams",
        /// Bots of Telegram.
        Telegram = "telegram",
        /// A room of Matrix.
        Matrix = "matrix",
        /// Apprise's API, the bridge to all others.
        Apprise = "apprise",
    }
}

/// A channel of a [`Service`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceChannel {
    /// Which one.
    pub service: Service,
    /// Its server, or the whole address of a webhook.
    pub url: Secret,
    /// What the message is for: ntfy's topic, Telegram's chat, Matrix' room, Apprise's tags. Empty where there is none.
    pub to: String,
    /// What the service knows the sender by.
    pub token: Option<Secret>,
    /// Addresses that Apprise sends to, where it does not hold them itself.
    pub urls: Option<Secret>,
}

/// A broker of MQTT 3.1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mqtt {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether TLS is spoken (`mqtts://`).
    pub tls: bool,
    /// A file with the certificates of those who sign the broker's, in PEM; none: the system's.
    pub ca: Option<std::path::PathBuf>,
    /// The user name.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// What all topics begin with.
    pub topic: String,
    /// How devices are announced to Home Assistant; none: not at all.
    pub discovery: Option<Discovery>,
}

/// How devices are announced to Home Assistant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// What its topics begin with.
    pub prefix: String,
    /// Its form.
    pub form: DiscoveryForm,
}

names! {
    /// What one announcement to Home Assistant holds.
    pub enum DiscoveryForm {
        /// A device with all that can be read of it, as Home Assistant takes it since 2024.11.
        Device = "device",
        /// One thing that can be read of a device, for older versions.
        Entity = "entity",
    }
}

names! {
    /// How a connection to a mail server is protected.
    pub enum MailSecurity {
        /// TLS begins in the connection, and nothing is sent without it (port 587).
        StartTls = "starttls",
        /// TLS from the first byte (port 465).
        Tls = "tls",
        /// None at all (port 25).
        None = "none",
    }
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: MailSecurity,
    /// A file with the certificates of those who sign the server's, in PEM; none: the system's.
    pub ca: Option<std::path::PathBuf>,
    /// The user name; none: no login.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Who it is from.
    pub from: String,
    /// The receivers.
    pub to: Vec<String>,
}

/// A program of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// The program.
    pub program: String,
    /// Its arguments; nothing of a device is among them.
    pub arguments: Vec<String>,
}

/// A collector of syslog (RFC 5424).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syslog {
    /// Where it listens.
    pub to: SyslogAddress,
    /// The facility (RFC 5424 §6.2.1), 0 to 23.
    pub facility: u8,
}

/// Where a collector of syslog listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogAddress {
    /// Host and port, one message a datagram (RFC 5426).
    Udp(String, u16),
    /// Host and port, each message with its length in front (RFC 6587 §3.4.1).
    Tcp(String, u16),
    /// A socket of this machine that takes datagrams, such as `/dev/log`.
    Unix(std::path::PathBuf),
}

impl fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SyslogAddress::Udp(host, port) if host.contains(':') => write!(f, "udp://[{host}]:{port}"),
            SyslogAddress::Tcp(host, port) if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            SyslogAddress::Udp(host, port) => write!(f, "udp://{host}:{port}"),
            SyslogAddress::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
            SyslogAddress::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// Which events are sent where. An event is meant when its kind **or** its severity is named; every other condition that is
/// given must hold as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Kinds of events.
    pub events: Vec<EventKind>,
    /// Severities.
    pub severity: Vec<Severity>,
    /// Tags of which the device must have one; empty: any.
    pub tags: Vec<String>,
    /// Sites of which the device must be at one; empty: any.
    pub sites: Vec<String>,
    /// Networks of which one must hold the device or be the one the event is about; empty: any.
    pub subnets: Vec<IpNetwork>,
    /// When the rule holds; empty: always.
    pub hours: Vec<Hours>,
    /// The channels that are sent to, by name; empty: all.
    pub channels: Vec<String>,
    /// How long the first event of a group waits for others.
    pub wait: Duration,
    /// How often a problem that lasts is told again; none: never.
    pub repeat: Option<Duration>,
    /// Times of day at which all that has come since is told in one message; empty: soon after it happened.
    pub digest: Vec<Time>,
}

impl Default for Rule {
    /// The rule that holds when none is given: problems and their ends, new devices, and streams open to everybody.
    fn default() -> Self {
        Rule {
            events: vec![EventKind::DeviceNew, EventKind::StreamOpen],
            severity: vec![Severity::Problem, Severity::Recovery],
            tags: Vec::new(),
            sites: Vec::new(),
            subnets: Vec::new(),
            hours: Vec::new(),
            channels: Vec::new(),
            wait: USUAL_WAIT,
            repeat: Some(USUAL_REPEAT),
            digest: Vec::new(),
        }
    }
}

/// A stretch of some days of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// The days on which it begins.
    pub days: Vec<Weekday>,
    /// When it begins.
    pub from: Time,
    /// When it ends; on the next day where that is not after the beginning.
    pub to: Time,
}

/// A device as a bridge to other systems shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// Its lasting id.
    pub uid: Uid,
    /// What the user calls it, else what it calls itself, else its address.
    pub name: String,
    /// Where it is, in the user's words.
    pub site: Option<String>,
    /// Its address.
    pub ip: std::net::IpAddr,
    /// Its MAC address.
    pub mac: Option<crate::model::MacAddr>,
    /// The address of its own page.
    pub page: Option<String>,
    /// Its maker.
    pub vendor: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its firmware.
    pub firmware: Option<String>,
    /// Whether it answers; none while that is not known.
    pub online: Option<bool>,
    /// Its streams.
    pub streams: Vec<StreamView>,
    /// The keys of streams it had once.
    pub gone_streams: Vec<String>,
    /// When it last answered.
    pub last_seen: Option<Timestamp>,
}

/// A stream as a bridge shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamView {
    /// [`StreamCard::key`](super::memory::StreamCard::key).
    pub key: String,
    /// What it is called: `main`, `channel 2`, its path.
    pub name: String,
    /// Whether it delivers frames; none while that is not known.
    pub working: Option<bool>,
    /// Frames a second, in thousandths.
    pub millifps: Option<u32>,
}
