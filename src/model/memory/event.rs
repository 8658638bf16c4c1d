//! What is told about devices: that one is new, is gone, streams no longer.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Remark, Uid};
use crate::model::names::names;
use crate::model::{Kind, MacAddr};

names! {
    /// What happened. The names are fixed: rules, receivers and the store hold them.
    pub enum EventKind {
        /// A device that was never seen before.
        DeviceNew = "device.new",
        /// A device that was offline answers again.
        DeviceOnline = "device.online",
        /// A device answers no longer.
        DeviceOffline = "device.offline",
        /// A device comes and goes; both are no longer told one by one.
        DeviceFlapping = "device.flapping",
        /// A device that came and went has been steady for an hour.
        DeviceSteady = "device.steady",
        /// A device is at another address.
        DeviceMoved = "device.moved",
        /// Something about a device is not as it was.
        DeviceChanged = "device.changed",
        /// Another device is where one was that is gone.
        DeviceReplaced = "device.replaced",
        /// Several devices claim one address, or one identity.
        DeviceConflict = "device.conflict",
        /// A device that has not been seen for a long time is listed no longer.
        DeviceArchived = "device.archived",
        /// A stream that a known device did not have.
        StreamNew = "stream.new",
        /// A stream that a device has no longer.
        StreamGone = "stream.gone",
        /// A stream delivers no frames any more.
        StreamBroken = "stream.broken",
        /// A stream delivers frames again.
        StreamRepaired = "stream.repaired",
        /// No stream of a device's port plays any more: what serves them is down.
        ServiceBroken = "service.broken",
        /// Streams of a port play again of which none did.
        ServiceRepaired = "service.repaired",
        /// A stream delivers far fewer frames than it usually does, or late.
        StreamDegraded = "stream.degraded",
        /// Codec or size of a stream are not as they were.
        StreamChanged = "stream.changed",
        /// A stream or service needs no login any more.
        StreamOpen = "stream.open",
        /// A stream that needed no login needs one.
        StreamProtected = "stream.protected",
        /// A login that worked is refused.
        LoginRefused = "login.refused",
        /// The device accepts no logins for a while.
        LoginLocked = "login.locked",
        /// Camscan itself does not send a login for a while.
        LoginRests = "login.rests",
        /// A login that was refused works.
        LoginAccepted = "login.accepted",
        /// A certificate ends soon or has ended.
        CertificateExpiring = "certificate.expiring",
        /// A device's clock is wrong.
        ClockWrong = "clock.wrong",
        /// Most devices of a network stopped answering at once.
        SubnetUnreachable = "subnet.unreachable",
        /// A network answers again.
        SubnetReachable = "subnet.reachable",
        /// A scan ended.
        ScanFinished = "scan.finished",
        /// A scan could not be made.
        ScanFailed = "scan.failed",
        /// Messages cannot be delivered to a channel.
        ChannelFailing = "channel.failing",
        /// Messages reach a channel again.
        ChannelRecovered = "channel.recovered",
        /// The disk of the store is nearly full.
        StoreLowSpace = "store.low_space",
        /// The store cannot be written where it belongs.
        StoreFailing = "store.failing",
        /// The store is written where it belongs again.
        StoreRecovered = "store.recovered",
    }
}

names! {
    /// How much an event matters.
    pub enum Severity {
        /// Good to know.
        Info = "info",
        /// Somebody should look at it some time.
        Warning = "warning",
        /// Something does not work.
        Problem = "problem",
        /// Something works again.
        Recovery = "recovery",
    }
}

impl EventKind {
    /// How much it matters.
    pub fn severity(self) -> Severity {
        use EventKind as E;
        match self {
            E::DeviceOffline | E::StreamBroken | E::ServiceBroken | E::SubnetUnreachable => Severity::Problem,
            E::LoginRefused | E::LoginLocked => Severity::Problem,
            E::ScanFailed | E::ChannelFailing | E::StoreFailing => Severity::Problem,
            E::DeviceOnline | E::StreamRepaired | E::ServiceRepaired | E::SubnetReachable => Severity::Recovery,
            E::DeviceSteady | E::LoginAccepted | E::ChannelRecovered | E::StoreRecovered => Severity::Recovery,
            E::DeviceNew | E::DeviceFlapping | E::DeviceReplaced | E::DeviceConflict | E::StreamGone => {
                Severity::Warning
            }
            E::StreamDegraded | E::StreamOpen | E::CertificateExpiring | E::ClockWrong | E::StoreLowSpace => {
                Severity::Warning
            }
            E::DeviceMoved | E::DeviceChanged | E::DeviceArchived | E::StreamNew | E::StreamChanged => Severity::Info,
            E::StreamProtected | E::LoginRests | E::ScanFinished => Severity::Info,
        }
    }

    /// The event about one stream that this one stands for, about all streams of a port: who wants to know of that one wants to
    /// know of this one.
    pub fn stands_for(self) -> Option<EventKind> {
        match self {
            EventKind::ServiceBroken => Some(EventKind::StreamBroken),
            EventKind::ServiceRepaired => Some(EventKind::StreamRepaired),
            _ => None,
        }
    }

    /// The event that ends the problem which this one begins, if there is one.
    pub fn ended_by(self) -> Option<EventKind> {
        use EventKind as E;
        match self {
            E::DeviceOffline => Some(E::DeviceOnline),
            E::DeviceFlapping => Some(E::DeviceSteady),
            E::StreamBroken | E::StreamDegraded => Some(E::StreamRepaired),
            E::ServiceBroken => Some(E::ServiceRepaired),
            E::LoginRefused | E::LoginLocked => Some(E::LoginAccepted),
            E::SubnetUnreachable => Some(E::SubnetReachable),
            E::ChannelFailing => Some(E::ChannelRecovered),
            E::StoreFailing => Some(E::StoreRecovered),
            _ => None,
        }
    }
}

names! {
    /// Why nothing is sent about an event that is stored.
    pub enum MutedBy {
        /// A user muted the device, its site, a tag or the network.
        User = "user",
        /// A user has acknowledged the problem.
        Acknowledged = "acknowledged",
        /// The device the stream belongs to is offline.
        Device = "device",
        /// No stream of the port plays, or none of another port of the device has since before.
        Service = "service",
        /// The recorder the camera is connected to is offline.
        Recorder = "recorder",
        /// The whole network does not answer.
        Subnet = "subnet",
        /// The device comes and goes.
        Flapping = "flapping",
        /// The device may be silent at times, or is to be ignored.
        Expected = "expected",
        /// It was told already: in other words, or of another stream of the device.
        Told = "told",
    }
}

/// A device at the time of an event, for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceCard {
    /// Its address.
    pub ip: IpAddr,
    /// What it is.
    pub kind: Kind,
    /// What the user calls it, else what it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// Where it is, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The user's tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A stream at the time of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StreamCard {
    /// What it is known by in the store: protocol, port and path.
    pub key: String,
    /// Its address, without a login.
    pub url: String,
    /// The recorder's channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<u32>,
}

/// A port by which streams of a device are reached, at the time of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceCard {
    /// What the keys of its streams begin with: protocol and port, as in `rtsp:8554`.
    pub key: String,
    /// How many streams it has that played before.
    pub streams: u64,
}

/// What is known about an event. What does not apply is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventData {
    /// The device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceCard>,
    /// The stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamCard>,
    /// The port that streams are reached by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceCard>,
    /// When what is told began: the first miss, the last good picture. Of a recovery: when the problem began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When the device last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// How it is known, in one sentence: `5 misses in 3 min 10 s; 41 others of 10.0.5.0/24 answer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same as data, for whoever says it in another language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Remark>,
    /// What exactly failed, the last step and the device's answer: `SETUP: 454 Session Not Found`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The same as data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Remark>,
    /// What changed, one sentence each, before and after in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// The same as data: one for each of `changes`, in their order. Absent where there is no data for one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Remark>,
    /// What it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The other device of a replacement or conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<Uid>,
    /// How many: devices of a network, changes of a device that came and went, devices learnt by a first scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The channel of notifications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

impl EventData {
    /// Says how it is known.
    pub fn say_why(&mut self, remark: Remark) {
        self.reason = Some(remark.to_string());
        self.because = Some(remark);
    }

    /// Says what failed.
    pub fn say_failure(&mut self, remark: Option<Remark>) {
        self.failure = remark.as_ref().map(ToString::to_string);
        self.failed = remark;
    }

    /// Says what changed.
    pub fn say_changed(&mut self, remarks: impl IntoIterator<Item = Remark>) {
        for remark in remarks {
            self.changes.push(remark.to_string());
            self.changed.push(remark);
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// What.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// How much it matters.
    pub severity: Severity,
    /// When.
    #[serde(rename = "timestamp")]
    pub at: Timestamp,
    /// The device it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Uid>,
    /// The stream it is about: [`StreamCard::key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The network it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub network: Option<IpNetwork>,
    /// Why nothing is sent about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_by: Option<MutedBy>,
    /// What is known about it.
    pub data: EventData,
}

impl Event {
    /// An event of which only kind and time are known.
    pub fn new(kind: EventKind, at: Timestamp) -> Self {
        Event {
            kind,
            severity: kind.severity(),
            at,
            device: None,
            stream: None,
            network: None,
            muted_by: None,
            data: EventData::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_problem_is_a_recovery() {
        for kind in EventKind::ALL {
            let Some(end) = kind.ended_by() else { continue };
            assert_eq!(end.severity(), Severity::Recovery, "{kind}");
            assert!(matches!(kind.severity(), Severity::Problem | Severity::Warning), "{kind}");
        }
    }

    #[test]
    fn an_event_reads_back_as_it_was_written() {
        let at: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let event = Event { device: Some(Uid::of([7; 10])), ..Event::new(EventKind::DeviceOffline, at) };
        let text = serde_json::to_string(&event).unwrap();
        assert!(
            text.starts_with(r#"{"type":"device.offline","severity":"problem","timestamp":"2026-03-01T10:00:00Z""#)
        );
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}
