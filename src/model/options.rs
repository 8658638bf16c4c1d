//! What a scan is asked to do, resolved: no flag, file or environment is looked at after this.

use std::sync::Arc;
use std::time::Duration;

use super::names::names;
use super::{Credential, KnownHosts, LoginBook, Method, TargetSet};

names! {
    /// How far a stream is proved.
    pub enum Verify {
        /// Services are named; no stream is asked for.
        None = "none",
        /// Streams are described; none is played.
        Describe = "describe",
        /// Streams are played until frames are measured.
        Frames = "frames",
    }
}

names! {
    /// When `ffprobe` is asked.
    pub enum Ffprobe {
        /// When our own analysis leaves codec or size unknown, and it is installed.
        Auto = "auto",
        /// For every stream.
        Always = "always",
        /// Not at all.
        Never = "never",
    }
}

/// What is done with one host. Shared by `scan`, `probe` and whatever rescans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeOptions {
    /// TCP ports to look at, in order of likelihood.
    pub ports: Vec<u16>,
    /// How far streams are proved.
    pub verify: Verify,
    /// When `ffprobe` is asked.
    pub ffprobe: Ffprobe,
    /// Deadline of a TCP connect.
    pub connect_timeout: Duration,
    /// Deadline of one request's whole answer.
    pub request_timeout: Duration,
    /// How long to wait for the first frame of a stream.
    pub frame_timeout: Duration,
    /// How long a stream is measured after its first frame.
    pub measure_time: Duration,
    /// How often a step that failed for a reason that can pass is repeated.
    pub retries: u32,
    /// Deadline of everything done with one host.
    pub host_timeout: Duration,
    /// Connections to one host at once, 1..
    pub per_host: usize,
    /// Logins the user gave, in the order to try them.
    pub credentials: Vec<Credential>,
    /// Refused logins allowed per device.
    pub max_login_failures: u32,
    /// Stream addresses tried per device at most.
    pub max_candidates: usize,
    /// Channels of a recorder looked at, at most.
    pub max_channels: u32,
    /// Where snapshots are saved; none means none are taken.
    pub snapshots: Option<std::path::PathBuf>,
    /// Keep what devices answer: every header and the descriptions.
    pub in_depth: bool,
}

/// A whole scan, resolved.
#[derive(Debug, Clone)]
pub struct ScanPlan {
    /// Targets.
    pub targets: TargetSet,
    /// How hosts are found.
    pub methods: Vec<Method>,
    /// Only these interfaces; empty means all that are up.
    pub interfaces: Vec<String>,
    /// Hosts inspected at once.
    pub concurrency: usize,
    /// Packets and connections a second at most. None: broadcasts and SYN frames keep to 10,000 a second, and connections
    /// to what the hosts bear; [`u32::MAX`]: nothing but the machine limits them.
    pub rate: Option<u32>,
    /// How long the multicast questions are repeated and answers awaited.
    pub discovery_time: Duration,
    /// The scan ends after this, with what it has.
    pub max_duration: Option<Duration>,
    /// Keep hosts without video in the report.
    pub all: bool,
    /// Find out which hosts answer, and look at none of them.
    pub presence_only: bool,
    /// Put the logins that worked into the streams' URLs.
    pub show_secrets: bool,
    /// Ask DNS for the hosts' names.
    pub resolve_names: bool,
    /// A device that was analysed this long ago at most, and has not changed, is not analysed again: its streams are proved,
    /// and what else is known of it holds. None: every device is analysed.
    pub max_age: Option<Duration>,
    /// What earlier scans know about hosts.
    pub known_hosts: Arc<KnownHosts>,
    /// Where logins are written down before they are sent, so that a device's refusals are counted over all scans; none:
    /// they are counted in this one alone.
    pub login_book: Option<Arc<dyn LoginBook>>,
    /// What is done with one host.
    pub probe: ProbeOptions,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        ProbeOptions {
            ports: Vec::new(),
            verify: Verify::Frames,
            ffprobe: Ffprobe::Auto,
            connect_timeout: Duration::from_millis(1500),
            request_timeout: Duration::from_secs(5),
            frame_timeout: Duration::from_secs(5),
            measure_time: Duration::from_secs(2),
            retries: 1,
            host_timeout: Duration::from_secs(30),
            per_host: 4,
            credentials: Vec::new(),
            max_login_failures: 2,
            max_candidates: 64,
            max_channels: 64,
            snapshots: None,
            in_depth: false,
        }
    }
}
