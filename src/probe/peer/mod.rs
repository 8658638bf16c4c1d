//! What a client of any protocol needs to send one request to a host: where it is, how it is dialled, how long it may take
//! and which logins it may be sent. Knows of no scan: live view, a test or a tool makes one with [`Peer::new`].

mod connect;
mod history;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::memory::Memory;
use super::{Farewells, Logins};
use crate::model::{Credential, ErrorKind, ProbeOptions, Stage};
use crate::net::{Dialer, Interface, Net};

pub use history::{Doubt, PortHistory};

/// The time of day; a test's may stand still.
pub type Clock = fn() -> Timestamp;

/// How long one step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A TCP connect.
    pub connect: Duration,
    /// A request and its answer, and a TLS handshake.
    pub request: Duration,
}

impl From<&ProbeOptions> for Timeouts {
    fn from(options: &ProbeOptions) -> Self {
        Timeouts { connect: options.connect_timeout, request: options.request_timeout }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts::from(&ProbeOptions::default())
    }
}

/// A host as its clients see it. Cloned freely: clones share the logins, the gate and what was learnt of the ports.
#[derive(Clone)]
pub struct Peer {
    /// The address.
    pub ip: IpAddr,
    /// The name it was given by, or the address as text: what goes into `Host` headers and URLs.
    pub name: String,
    /// Dials within the bounds of whoever asks.
    pub dialer: Arc<Dialer>,
    /// The logins meant for the host, and how many of them it may still refuse; shared by all protocols.
    pub logins: Arc<Logins>,
    /// The memory for what hosts send.
    pub memory: Arc<Memory>,
    /// How long one step may take.
    pub timeouts: Timeouts,
    /// How often a connect that failed for a reason that can pass is repeated.
    pub retries: u32,
    /// Whether the host's answers are kept ([`super::transcript::Transcript`]).
    pub in_depth: bool,
    /// The time of day.
    pub clock: Clock,
    /// Cancelled when nothing more is to be asked.
    pub cancel: CancellationToken,
    /// Everything asked of the host ends here.
    pub deadline: Instant,
    /// Takes care that sessions are ended though their owner was cut short.
    pub farewells: Farewells,
    /// One client at a time for what hosts serve to one client.
    pub gate: Arc<Gate>,
    /// What connecting has taught about the host's ports.
    pub history: Arc<PortHistory>,
}

impl Peer {
    /// A host to which no login is sent, with the default time-outs and no deadline.
    pub fn new(ip: IpAddr, dialer: Arc<Dialer>) -> Self {
        /// No inspection and no viewer lasts that long.
        const NO_END: Duration = Duration::from_secs(365 * 24 * 3600);
        Peer {
            ip,
            name: crate::model::stream::url_host(ip),
            dialer,
            logins: Logins::new(0),
            memory: Arc::default(),
            timeouts: Timeouts::default(),
            retries: 1,
            in_depth: false,
            clock: Timestamp::now,
            cancel: CancellationToken::new(),
            deadline: Instant::now() + NO_END,
            farewells: Farewells::default(),
            gate: Arc::default(),
            history: Arc::default(),
        }
    }

    /// The same host, which may be sent these logins, in this order, until it has refused `max_failures`.
    pub fn with_logins(mut self, credentials: Vec<Credential>, max_failures: u32) -> Self {
        self.logins = Logins::new(max_failures);
        self.logins.offer(credentials);
        self
    }

    /// The same host, with what a scan's options say about time-outs, repeats and depth.
    pub fn with_options(mut self, options: &ProbeOptions) -> Self {
        self.timeouts = Timeouts::from(options);
        self.retries = options.retries;
        self.in_depth = options.in_depth;
        self
    }

    /// The network.
    pub fn net(&self) -> &Arc<dyn Net> {
        self.dialer.net()
    }

    /// What it means that no login is tried any more ([`Logins::stopped`]): the device says that it is locked, it has refused
    /// the login, over whichever protocol, or the login rests on this side.
    pub fn stopped_kind(&self) -> ErrorKind {
        match () {
            () if self.logins.is_locked() => ErrorKind::Locked,
            () if self.logins.is_refused() => ErrorKind::AuthRefused,
            () => ErrorKind::LoginRests,
        }
    }

    /// The time left for this host.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether to stop: the deadline has passed or all was cancelled.
    pub fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || self.time_left().is_zero()
    }

    /// The deadline of one request that begins now.
    pub fn request_deadline(&self) -> Instant {
        self.deadline.min(Instant::now() + self.timeouts.request)
    }

    /// Waits until the host takes another RTSP connection, where it is known to want a pause; never past the deadline.
    pub async fn rtsp_pause(&self) {
        let Some(ready) = self.gate.ready_at() else { return };
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = tokio::time::sleep_until(ready.min(self.deadline)) => {}
        }
    }

    /// Notes that a port was asked in vain for what is expected there. `message` must hold no secret.
    pub fn doubt(&self, port: u16, stage: Stage, kind: ErrorKind, message: &str) {
        self.history.doubt(Doubt { port, stage, kind, message: crate::text::clean(message) });
    }

    /// The index of the interface whose link the host is on; none when routers lie between, or it is this machine itself.
    pub fn interface_of_link(&self) -> Option<u32> {
        let interfaces = self.net().interfaces().ok()?;
        let is_link = |i: &&Interface| !i.loopback && !i.point_to_point && i.is_on_link(self.ip);
        interfaces.iter().find(is_link).map(|i| i.index)
    }

    /// How long the answer to one of several questions by UDP is awaited, `full` at most. They are asked one after the
    /// other and answers to all of them taken all the while, so that each needs but its share of the time a slow device
    /// takes.
    pub fn patience(&self, full: Duration, question: usize, of: usize) -> Duration {
        /// An answer takes so many round trips at most …
        const ROUND_TRIPS: u32 = 8;
        /// … or this long on a device that is slow itself.
        const SLOW_DEVICE: Duration = Duration::from_millis(360);
        /// What the last question is given besides when nobody is in a hurry.
        const UNHURRIED: Duration = Duration::from_millis(1400);
        if self.history.is_unhurried() {
            return if question + 1 == of { full + UNHURRIED } else { full };
        }
        let share = SLOW_DEVICE / u32::try_from(of.max(1)).unwrap_or(1);
        match self.history.slowest() {
            Some(round_trip) => (round_trip * ROUND_TRIPS).max(share).min(full),
            // By the next question it is known, where it can be.
            None if question == 0 && of > 1 => share.min(full),
            None => full,
        }
    }
}

#[cfg(test)]
impl Peer {
    /// A host of a test's network, of which nothing is known; there are ten minutes of the test's clock for it.
    pub fn for_test(net: impl Net + 'static, ip: &str, options: &ProbeOptions) -> Self {
        let pace = Arc::new(crate::net::pace::Pace::new(None));
        let dialer = Arc::new(Dialer::new(Arc::new(net), pace, 64, options.per_host));
        let peer = Peer::new(ip.parse().unwrap(), dialer).with_options(options);
        Peer { name: ip.to_owned(), deadline: Instant::now() + Duration::from_secs(600), ..peer }
            .with_logins(options.credentials.clone(), options.max_login_failures)
    }
}

#[cfg(test)]
mod tests;
