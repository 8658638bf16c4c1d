//! What of a site is to be put right: derived from the report alone. Pure.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use super::figures::State;
use crate::export::words::Standing;
use crate::model::{
    Activation, Device, DeviceState, ErrorKind, Kind, Reach, Report, Stream, StreamStatus, Warning, WarningKind,
};

/// What is to be put right, the most dangerous first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Problem {
    /// A stream plays without a login.
    OpenStream,
    /// A device has no password yet.
    NotActivated,
    /// A device is as it left the factory.
    FactoryDefault,
    /// Several devices have one address.
    AddressConflict,
    /// Several devices state one serial number.
    DuplicateSerial,
    /// Several devices state one ONVIF or UPnP identity.
    DuplicateEndpoint,
    /// A clock is wrong.
    ClockWrong,
    /// A TLS certificate has ended.
    CertificateExpired,
    /// A stream does not play.
    DeadStream,
    /// A recorder has lost a camera.
    ChannelOffline,
    /// A device was there before and does not answer.
    Offline,
    /// No stream was found on a device that should have one.
    NoStream,
    /// A device is in a subnet that nobody here reaches.
    OtherSubnet,
    /// A mask or gateway does not fit the network.
    NetworkMismatch,
    /// A login is missing or was refused, so that the streams were not checked.
    LoginNeeded,
    /// An address comes from DHCP and may change.
    DynamicAddress,
}

/// Why a stream does not play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It was accepted, and no frame came.
    NoFrames,
    /// There is no such stream.
    NotFound,
    /// This failed.
    Failed(ErrorKind),
}

/// What exactly was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding<'r> {
    /// Nothing beyond the problem itself.
    Plain,
    /// The streams concerned.
    Streams(Vec<&'r Stream>),
    /// The streams that do not play, for one reason.
    Dead(Why, Vec<&'r Stream>),
    /// What the devices have in common.
    Shared(String),
    /// How many seconds a clock is ahead, where that is known.
    Ahead(Option<i64>),
    /// When something ended, where that is known.
    Ended(Option<Timestamp>),
    /// The channels concerned.
    Channels(Vec<u32>),
    /// What went wrong, where that is known.
    Error(Option<ErrorKind>),
    /// Where a device was heard, and what to type to reach it and to undo that.
    Heard {
        /// The interface.
        on: Option<&'r str>,
        /// The commands.
        commands: Option<(&'r str, &'r str)>,
    },
    /// A mask that is not the network's.
    Mask {
        /// The device's.
        has: Ipv4Addr,
    },
    /// A gateway outside the device's own network.
    Gateway {
        /// The device's.
        has: Ipv4Addr,
    },
    /// Whether a login was refused; else none was given.
    Login {
        /// It was.
        refused: bool,
    },
}

/// Something that is to be put right.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault<'r> {
    /// What.
    pub problem: Problem,
    /// Which devices have it together; at least one.
    pub devices: Vec<&'r Device>,
    /// What exactly was found.
    pub finding: Finding<'r>,
}

/// Everything of a report that is to be put right, the most dangerous first, then by address.
pub fn faults(report: &Report) -> Vec<Fault<'_>> {
    let mut all: Vec<Fault<'_>> = Vec::new();
    for fault in report.devices.iter().flat_map(of_device) {
        // One way leads to all devices of a subnet.
        let is_same = |other: &&mut Fault<'_>| fault.problem == Problem::OtherSubnet && other.finding == fault.finding;
        match all.iter_mut().find(is_same) {
            Some(other) => other.devices.extend(fault.devices),
            None => all.push(fault),
        }
    }
    all.extend(shared(report, WarningKind::AddressConflict, Problem::AddressConflict, |d| Some(d.ip.to_string())));
    all.extend(shared(report, WarningKind::DuplicateSerial, Problem::DuplicateSerial, |d| d.serial.clone()));
    all.extend(shared(report, WarningKind::DuplicateEndpoint, Problem::DuplicateEndpoint, |d| d.endpoint.clone()));
    all.sort_by_key(|fault| (fault.problem, fault.devices.first().map(|device| device.ip)));
    all
}

/// What several devices have together, each group once.
fn shared(
    report: &Report,
    warning: WarningKind,
    problem: Problem,
    of: impl Fn(&Device) -> Option<String>,
) -> Vec<Fault<'_>> {
    let warned = |device: &&Device| device.warnings.iter().any(|w| w.kind == warning);
    let mut groups: Vec<(Option<String>, Vec<&Device>)> = Vec::new();
    for device in report.devices.iter().filter(warned) {
        let key = of(device);
        match groups.iter_mut().find(|(other, _)| key.is_some() && *other == key) {
            Some((_, devices)) => devices.push(device),
            None => groups.push((key, vec![device])),
        }
    }
    let fault = |(key, devices): (Option<String>, _)| Fault {
        problem,
        devices,
        finding: key.map_or(Finding::Plain, Finding::Shared),
    };
    groups.into_iter().map(fault).collect()
}

/// What is to be put right with one device alone.
fn of_device(device: &Device) -> Vec<Fault<'_>> {
    let mut found: Vec<(Problem, Finding<'_>)> = Vec::new();
    let open: Vec<&Stream> = device.streams.iter().filter(|stream| is_open(stream)).collect();
    if !open.is_empty() {
        found.push((Problem::OpenStream, Finding::Streams(open)));
    }
    match device.activation {
        Some(Activation::NotActivated) => found.push((Problem::NotActivated, Finding::Plain)),
        Some(Activation::FactoryDefault) => found.push((Problem::FactoryDefault, Finding::Plain)),
        Some(Activation::Activated) | None => {}
    }
    found.extend(device.warnings.iter().filter_map(|warning| of_warning(device, warning)));
    found.extend(dead_streams(device).into_iter().map(|finding| (Problem::DeadStream, finding)));
    let lost = lost_channels(device);
    if !lost.is_empty() {
        found.push((Problem::ChannelOffline, Finding::Channels(lost.into_iter().collect())));
    }
    found.extend(without_streams(device));
    found.into_iter().map(|(problem, finding)| Fault { problem, devices: vec![device], finding }).collect()
}

/// Whether a stream was played or described, and nobody asked for a login.
fn is_open(stream: &Stream) -> bool {
    stream.open == Some(true) && matches!(State::of(stream), State::Works | State::Described)
}

/// A warning of one device; those of several together, and of its activation, are found by what they are about.
fn of_warning<'r>(device: &'r Device, warning: &'r Warning) -> Option<(Problem, Finding<'r>)> {
    match warning.kind {
        WarningKind::NotActivated
        | WarningKind::AddressConflict
        | WarningKind::DuplicateSerial
        | WarningKind::DuplicateEndpoint => None,
        WarningKind::OtherSubnet
        | WarningKind::NetworkMismatch
        | WarningKind::DynamicAddress
        | WarningKind::ClockWrong
        | WarningKind::CertificateExpired => {
            let Fault { problem, finding, .. } = of_one(device, warning);
            Some((problem, finding))
        }
    }
}

/// A warning of a device as what is to be put right about it.
pub fn of_one<'r>(device: &'r Device, warning: &'r Warning) -> Fault<'r> {
    let shared = |of: Option<String>| of.map_or(Finding::Plain, Finding::Shared);
    let (problem, finding) = match warning.kind {
        WarningKind::NotActivated if device.activation == Some(Activation::FactoryDefault) => {
            (Problem::FactoryDefault, Finding::Plain)
        }
        WarningKind::NotActivated => (Problem::NotActivated, Finding::Plain),
        WarningKind::AddressConflict => (Problem::AddressConflict, Finding::Shared(device.ip.to_string())),
        WarningKind::DuplicateSerial => (Problem::DuplicateSerial, shared(device.serial.clone())),
        WarningKind::DuplicateEndpoint => (Problem::DuplicateEndpoint, shared(device.endpoint.clone())),
        WarningKind::OtherSubnet => (Problem::OtherSubnet, heard(device, warning.hint.as_deref())),
        WarningKind::NetworkMismatch => (Problem::NetworkMismatch, mismatch(device)),
        WarningKind::DynamicAddress => (Problem::DynamicAddress, Finding::Plain),
        WarningKind::ClockWrong => (Problem::ClockWrong, Finding::Ahead(device.clock_ahead_s)),
        WarningKind::CertificateExpired => (Problem::CertificateExpired, Finding::Ended(device.certificate_ends)),
    };
    Fault { problem, devices: vec![device], finding }
}

fn heard<'r>(device: &'r Device, hint: Option<&'r str>) -> Finding<'r> {
    Finding::Heard { on: device.heard_on.as_deref(), commands: hint.and_then(commands) }
}

/// What to type to reach another subnet, and to undo it: behind the colons of the hint, which is in English.
fn commands(hint: &str) -> Option<(&str, &str)> {
    let (way, undo) = hint.split_once("; undo: ")?;
    Some((way.split_once(": ")?.1, undo))
}

/// A gateway outside the device's own network is what is wrong; else its mask is.
fn mismatch(device: &Device) -> Finding<'_> {
    let (IpAddr::V4(ip), Some(network)) = (device.ip, device.network) else { return Finding::Plain };
    let outside = network.gateway.zip(network.netmask).filter(|(gateway, mask)| {
        let of = |ip: Ipv4Addr| u32::from(ip) & u32::from(*mask);
        of(*gateway) != of(ip)
    });
    match (outside, network.netmask) {
        (Some((has, _)), _) => Finding::Gateway { has },
        (None, Some(has)) => Finding::Mask { has },
        (None, None) => Finding::Plain,
    }
}

/// The streams that do not play, by reason. Those of channels whose camera the recorder has lost are told with these.
fn dead_streams(device: &Device) -> Vec<Finding<'_>> {
    let lost = lost_channels(device);
    let mut by_reason: Vec<(Why, Vec<&Stream>)> = Vec::new();
    for stream in device.streams.iter().filter(|stream| stream.channel.is_none_or(|channel| !lost.contains(&channel))) {
        let Some(why) = why(stream) else { continue };
        match by_reason.iter_mut().find(|(other, _)| *other == why) {
            Some((_, streams)) => streams.push(stream),
            None => by_reason.push((why, vec![stream])),
        }
    }
    by_reason.sort_by_key(|(why, _)| *why);
    by_reason.into_iter().map(|(why, streams)| Finding::Dead(why, streams)).collect()
}

fn why(stream: &Stream) -> Option<Why> {
    if State::of(stream) != State::Dead {
        return None;
    }
    Some(match (stream.status, &stream.error) {
        (StreamStatus::NoData, _) => Why::NoFrames,
        (StreamStatus::NotFound, _) => Why::NotFound,
        (_, error) => Why::Failed(error.as_ref().map_or(ErrorKind::Device, |error| error.kind)),
    })
}

/// The channels whose cameras a recorder does not reach, by its own word.
fn lost_channels(device: &Device) -> BTreeSet<u32> {
    let is_lost = |channel: &&crate::model::Channel| channel.online == Some(false) && channel.lists_camera();
    device.channels.iter().filter(is_lost).map(|channel| channel.number).collect()
}

/// What keeps a device from being seen as a whole.
fn without_streams(device: &Device) -> Option<(Problem, Finding<'_>)> {
    if device.state == DeviceState::Offline {
        return Some((Problem::Offline, Finding::Plain));
    }
    match Standing::of(device) {
        Standing::LoginNeeded => Some((Problem::LoginNeeded, Finding::Login { refused: false })),
        Standing::LoginRefused => Some((Problem::LoginNeeded, Finding::Login { refused: true })),
        Standing::NoFrames if device.streams.is_empty() && device.reach != Some(Reach::OtherSubnet) => {
            let error = device.errors.first().map(|error| error.kind);
            Some((Problem::NoStream, Finding::Error(error))).filter(|_| device.kind != Kind::MediaServer)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
