//! A device as it is remembered.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::health::{DeviceHealth, LoginTrouble, ServiceTrouble, StreamHealth};
use super::key::DeviceKey;
use crate::model::memory::{EventKind, Note, Uid};
use crate::model::{Device, KnownDevice, MacAddr, Stream, WarningKind};

/// When something was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Seen {
    /// First.
    pub first: Timestamp,
    /// Last.
    pub last: Timestamp,
}

/// A device as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What it is called for ever.
    pub uid: Uid,
    /// It as it was last seen; facts that were not learnt then are as they were before.
    pub device: Device,
    /// What it is recognised by, and when it was seen with it.
    pub keys: BTreeMap<DeviceKey, Seen>,
    /// When it was seen.
    pub seen: Seen,
    /// Since when it has been at its address.
    pub address_since: Timestamp,
    /// It is recognised by its address alone.
    pub by_address_only: bool,
    /// Whether it answers.
    pub health: DeviceHealth,
    /// A login that worked and is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginTrouble>,
    /// A port of it none of whose streams plays; of several the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceTrouble>,
    /// When it was last sent that a login is needed from now on; none once something of it needs none again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_at: Option<Timestamp>,
    /// Whether it offered Digest in an earlier scan; that of the last one is in `device`. See [`Known::guard`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offered_digest: bool,
    /// Whether it took logins by TLS alone in an earlier scan; that of the last one is in `device`. See [`Known::guard`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub took_tls_alone: bool,
    /// The TLS certificates it is known by; none where they were not noted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<KnownCertificates>,
    /// When it was last recognised at another address, or behind another network card, by its own word alone: logins that
    /// worked before are not sent there. See [`Anchor`](crate::model::Anchor).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_its_word_at: Option<Timestamp>,
    /// It answered at some time: a connection, or a question that was sent to its address. Else it was only heard.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
    /// A login was given for it on the page. It stands in the store by itself.
    #[serde(skip)]
    pub has_login: bool,
    /// Its streams, by [`stream_key`](crate::history::stream_key::stream_key).
    pub streams: BTreeMap<String, KnownStream>,
    /// What the user said about it.
    pub note: Note,
    /// The recorders that show it. While they do not answer, nothing is sent about it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub parents: BTreeSet<Uid>,
    /// The device that stands in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<Uid>,
    /// What needed attention, and when it was last so: each is told once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub warned: BTreeMap<WarningKind, Timestamp>,
    /// The end of its certificate, and the least number of days before it at which it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<(Timestamp, i64)>,
    /// When it was last found by a full scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanned_at: Option<Timestamp>,
    /// Its last full analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
    /// Since when it is no longer listed.
    pub archived_at: Option<Timestamp>,
    /// The device it turned out to be.
    pub merged_into: Option<Uid>,
}

/// The TLS certificates of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCertificates {
    /// Fingerprints ([`Service::fingerprint`](crate::model::Service::fingerprint)).
    pub fingerprints: BTreeSet<String>,
    /// The network card that the link showed of it, and of no other device, when they were noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_mac: Option<MacAddr>,
}

/// A full analysis of a device: everything was asked of it that a scan asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Analysis {
    /// When it began.
    pub at: Timestamp,
    /// When it was last confirmed that nothing had changed; that scan is the last one that found the device.
    pub confirmed_at: Timestamp,
    /// How it was made: the same for scans that ask the same, with the same logins, by the same version.
    pub way: String,
}

impl Known {
    /// The device as it was analysed, where that was in this way and `max_age` ago at most, and no scan found anything else
    /// since.
    pub fn as_analysed(&self, way: &str, max_age: SignedDuration, now: Timestamp) -> Option<KnownDevice> {
        let analysis = self.analysis.as_ref()?;
        let age = now.duration_since(analysis.at);
        let is_good = analysis.way == way
            && self.scanned_at == Some(analysis.confirmed_at)
            && !age.is_negative()
            && age <= max_age
            && self.archived_at.is_none()
            && self.merged_into.is_none();
        is_good.then(|| KnownDevice { device: self.device.clone(), analysed_at: analysis.at })
    }

    /// Whether it is expected to answer, in principle: those of other subnets were only ever heard.
    pub fn is_listed(&self) -> bool {
        self.merged_into.is_none() && self.archived_at.is_none() && self.device.reach.is_none()
    }

    /// Whether a login of it that was refused rests until a user wants it to be tried again. One that camscan itself lets rest
    /// is tried again when the refusals that count are old enough.
    pub fn login_rests(&self) -> bool {
        self.login.as_ref().is_some_and(|login| !login.retry && login.kind != EventKind::LoginRests)
    }
}

/// A stream as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownStream {
    /// It as it was last looked at; what was not learnt then is as it was before.
    pub stream: Stream,
    /// Whether it works.
    pub health: StreamHealth,
    /// When it was first there, and when it was last.
    pub seen: Seen,
    /// When frames of it last arrived.
    pub last_ok: Option<Timestamp>,
    /// Whether it took a login to have them; none where an earlier version did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_login: Option<bool>,
    /// Scans in a row that found the device and not this stream.
    #[serde(default)]
    pub absent: u32,
    /// Since when the device has it no longer.
    pub gone_at: Option<Timestamp>,
}

impl KnownStream {
    /// Whether the time alone may bring about something: it came and went, or what was told of it is not what is. Of a stream
    /// that the device has no longer nothing is told.
    pub(super) fn is_unsettled(&self) -> bool {
        self.health.flaps.since.is_some() || self.gone_at.is_none() && self.health.is_untold()
    }
}
