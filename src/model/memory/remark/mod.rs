//! What is said about an event, as data: how it is known, what failed, what changed. In English it is a sentence; who shows it
//! in another language words it there.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

use super::{Around, NotScanned, StoreTrouble};
use crate::model::names::names;
use crate::model::{ErrorKind, Step, WarningKind};
use crate::text::counted;

names! {
    /// A fact about a device or its picture that changes.
    pub enum Trait {
        /// Its address.
        Address = "address",
        /// Its MAC address.
        Mac = "mac_address",
        /// What it is.
        Kind = "kind",
        /// Its maker.
        Vendor = "vendor",
        /// Its model.
        Model = "model",
        /// Its firmware.
        Firmware = "firmware",
        /// Its serial number.
        Serial = "serial_number",
        /// Its name in the network.
        Hostname = "host_name",
        /// What it calls itself.
        Name = "name",
        /// The codec of a stream.
        Codec = "codec",
        /// Width and height of a stream.
        Size = "size",
        /// How many frames a second a stream usually delivers.
        FrameRate = "frame_rate",
    }
}

/// Something that is said about an event. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Remark {
    /// A device did not answer.
    NoAnswer {
        /// Questions in a row; 0 where only the time is known.
        misses: u32,
        /// Since the first of them.
        seconds: u64,
        /// Its network.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
        network: Option<IpNetwork>,
        /// Other devices of the network that answer.
        others: u64,
    },
    /// A device answers again.
    AnswersAgain {
        /// After how long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
    /// A device came and went within an hour.
    CameAndWent {
        /// How often.
        count: u64,
        /// Whether it is online now, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        online: Option<bool>,
    },
    /// A device that came and went has not for an hour.
    Steady {
        /// How often it had.
        count: u64,
        /// Whether it is online now, where that is known.
        online: Option<bool>,
    },
    /// A device has not been seen for a year.
    UnseenForAYear,
    /// A device was recognised at another address, or behind another network card, by its own word alone.
    OnItsWord,
    /// A device stands where another one does not answer.
    InPlaceOf {
        /// The address.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        ip: IpAddr,
        /// What that one is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A first scan learnt devices.
    Learnt {
        /// How many.
        count: u64,
    },
    /// A stream is there again.
    ThereAgain,
    /// Scans did not find a stream.
    NotFound {
        /// How many in a row.
        scans: u32,
    },
    /// Checks of a stream saw no frames.
    NoFrames {
        /// How many.
        checks: u32,
        /// Since the first of them.
        seconds: u64,
        /// In how many ways it was played.
        ways: u32,
    },
    /// All places for viewers were taken.
    NoPlace {
        /// At how many checks in a row.
        checks: u32,
    },
    /// Few frames came, or the first one late.
    FewFrames {
        /// At how many checks in a row.
        checks: u32,
        /// How many come a second as a rule.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usual_fps: Option<f64>,
    },
    /// Frames arrive again.
    FramesAgain {
        /// After how long.
        seconds: u64,
    },
    /// No stream of a port plays.
    NoStreamPlays {
        /// Protocol and port, as in `rtsp:8554`.
        service: String,
        /// How many streams it has.
        streams: u64,
    },
    /// Frames of a port arrive again.
    StreamsPlay {
        /// Protocol and port.
        service: String,
        /// After how long.
        seconds: u64,
    },
    /// The device accepts no logins for a while.
    LoginLocked,
    /// Camscan does not send a login that worked for a while: as many were refused as may be, or others log in to the device.
    LoginRests,
    /// A login that worked is refused.
    LoginRefused,
    /// A login that was refused works.
    LoginWorks {
        /// After how long.
        seconds: u64,
    },
    /// Most devices of a network stopped answering at once.
    NetworkLost {
        /// The network.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        network: IpNetwork,
        /// How many.
        count: u64,
        /// Of how many.
        of: u64,
        /// What answers besides.
        #[serde(default)]
        around: Around,
    },
    /// Most devices of a network still do not answer.
    NetworkSilent {
        /// The network.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        network: IpNetwork,
    },
    /// A network answers again.
    NetworkBack {
        /// The network.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        network: IpNetwork,
        /// How many of its devices, and after how long; absent where that is told late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        found: Option<(u64, u64)>,
    },
    /// A TLS certificate ends, or has ended.
    Certificate {
        /// On which day.
        day: String,
        /// Within so many days; 0 where it has ended.
        days: u32,
    },
    /// Something odd about a device.
    Odd {
        /// What.
        kind: WarningKind,
        /// In full, in English.
        message: String,
    },
    /// Streams of a new device.
    Streams {
        /// How many.
        count: u64,
        /// Those that need no login.
        open: u64,
    },
    /// A fact is not as it was.
    Changed {
        /// The stream it is about, where it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// Which fact.
        what: Trait,
        /// What it was.
        before: String,
        /// What it is.
        after: String,
    },
    /// A scan could not be made.
    NotScanned {
        /// Why.
        why: NotScanned,
    },
    /// The store is not where it belongs.
    Store {
        /// Why.
        trouble: StoreTrouble,
    },
    /// A stream or a service needs a login, or none any more.
    Login {
        /// Which: the address of a stream, or a protocol and its port.
        of: String,
        /// Whether it needs one now.
        needed: bool,
    },
    /// A recorder's channel shows another camera.
    Channel {
        /// The number of the channel.
        channel: u32,
        /// What it showed.
        before: String,
        /// What it shows.
        after: String,
    },
    /// How far a stream got, and why no further.
    Failed {
        /// The step that failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<Step>,
        /// What kind of failure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<ErrorKind>,
        /// What was said of it: by the device, or in English.
        message: String,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::NoAnswer { misses, seconds, network, others } => {
                match misses {
                    0 => write!(f, "no answer for {}", length(*seconds))?,
                    _ => write!(f, "{} in {}", counted(*misses, "miss", "misses"), length(*seconds))?,
                }
                match (network, others) {
                    (None, _) => Ok(()),
                    (Some(network), 0) => write!(f, "; no other device of {network} is known to answer"),
                    (Some(network), 1) => write!(f, "; 1 other of {network} answers"),
                    (Some(network), others) => write!(f, "; {others} others of {network} answer"),
                }
            }
            Remark::AnswersAgain { seconds: None } => f.write_str("answers again"),
            Remark::AnswersAgain { seconds: Some(seconds) } => write!(f, "answers again after {}", length(*seconds)),
            Remark::CameAndWent { count, online } => {
                write!(f, "it came and went {count} times within an hour")?;
                online.map_or(Ok(()), |online| write!(f, "; it is {} now", if online { "online" } else { "offline" }))
            }
            Remark::Steady { count, online } => {
                let state = online.map_or("unknown", |online| if online { "online" } else { "offline" });
                write!(f, "nothing changed for an hour, after {count} changes; it is {state}")
            }
            Remark::UnseenForAYear => f.write_str("it has not been seen for a year"),
            Remark::OnItsWord => f.write_str(
                "recognised by its own word alone: a login that was given for it rests until it is confirmed",
            ),
            Remark::InPlaceOf { ip, name } => {
                let name = name.as_deref().unwrap_or("a device");
                write!(f, "it is at {ip}, where {name} was that does not answer; name and notes stay with that one")
            }
            Remark::Learnt { count } => write!(f, "{} learnt", counted(*count, "device", "devices")),
            Remark::ThereAgain => f.write_str("it is there again"),
            Remark::NotFound { scans } => write!(f, "{scans} scans in a row did not find it"),
            Remark::NoFrames { checks, seconds, ways } => {
                write!(f, "{} without frames in {}", counted(*checks, "check", "checks"), length(*seconds))?;
                if *ways > 1 { write!(f, ", played in {ways} ways") } else { Ok(()) }
            }
            Remark::NoPlace { checks } => {
                write!(f, "all places for viewers were taken at {}", counted(*checks, "check", "checks in a row"))
            }
            Remark::FewFrames { checks, usual_fps } => {
                let usual = usual_fps.map_or(String::new(), |fps| format!(" of {fps:.0} a second"));
                let checks = counted(*checks, "check", "checks");
                write!(f, "less than half of the usual frames{usual}, or the first one late, in {checks} in a row")
            }
            Remark::FramesAgain { seconds } => write!(f, "frames arrive again after {}", length(*seconds)),
            Remark::NoStreamPlays { service, streams } => {
                write!(f, "none of the {streams} streams of {} plays", port_name(service))
            }
            Remark::StreamsPlay { service, seconds } => {
                write!(f, "frames of {} arrive again after {}", port_name(service), length(*seconds))
            }
            Remark::LoginLocked => f.write_str("the device accepts no logins for a while"),
            Remark::LoginRests => {
                f.write_str("camscan does not send the login for now; whether it still works is not known")
            }
            Remark::LoginRefused => {
                f.write_str("the login that worked before is refused; it rests until somebody acts")
            }
            Remark::LoginWorks { seconds } => write!(f, "the login works again after {}", length(*seconds)),
            Remark::NetworkLost { network, count, of, around } => {
                let lost =
                    format!("{count} of {} of {network} stopped answering at once", counted(*of, "device", "devices"));
                if *around == Around::NOTHING { f.write_str(&lost) } else { write!(f, "{lost}; {around}") }
            }
            Remark::NetworkSilent { network } => write!(f, "most devices of {network} do not answer"),
            Remark::NetworkBack { network, found: Some((count, seconds)) } => {
                write!(f, "{count} devices of {network} answer again after {}", length(*seconds))
            }
            Remark::NetworkBack { network, found: None } => write!(f, "the devices of {network} answer again"),
            Remark::Certificate { day, days: 0 } => write!(f, "its TLS certificate ended on {day}"),
            Remark::Certificate { day, days: 1 } => write!(f, "its TLS certificate ends within a day, on {day}"),
            Remark::Certificate { day, days } => write!(f, "its TLS certificate ends within {days} days, on {day}"),
            Remark::Odd { message, .. } => f.write_str(message),
            Remark::Streams { count, open: 0 } => f.write_str(&counted(*count, "stream", "streams")),
            Remark::Streams { count, open } => {
                write!(f, "{}, {open} without a login", counted(*count, "stream", "streams"))
            }
            Remark::Changed { url, what, before, after } => {
                let what = what.as_str().replace('_', " ").replace("mac ", "MAC ");
                match url {
                    Some(url) => write!(f, "{url}: {what}: {before} → {after}"),
                    None => write!(f, "{what}: {before} → {after}"),
                }
            }
            Remark::NotScanned { why } => why.fmt(f),
            Remark::Store { trouble } => trouble.fmt(f),
            Remark::Login { of, needed: true } => write!(f, "{of}: now needs a login"),
            Remark::Login { of, needed: false } => write!(f, "{of}: no longer needs a login"),
            Remark::Channel { channel, before, after } => write!(f, "channel {channel}: camera {before} → {after}"),
            Remark::Failed { step: Some(step), message, .. } => write!(f, "{step}: {message}"),
            Remark::Failed { step: None, message, .. } => f.write_str(message),
        }
    }
}

/// A port and what it speaks, of the key of a service: `port 8554 (RTSP)`.
pub fn port_name(service: &str) -> String {
    match service.split_once(':') {
        Some((protocol, "")) => format!("the port of {}", protocol.to_uppercase()),
        Some((protocol, port)) => format!("port {port} ({})", protocol.to_uppercase()),
        None => service.to_owned(),
    }
}

/// So many seconds: `45 s`, `2 min 10 s`, `14 min`, `3 h 5 min`, `12 days`.
fn length(seconds: u64) -> String {
    let two = |a: u64, a_unit: &str, b: u64, b_unit: &str| match b {
        0 => format!("{a} {a_unit}"),
        b => format!("{a} {a_unit} {b} {b_unit}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..600 => two(seconds / 60, "min", seconds % 60, "s"),
        600..3600 => format!("{} min", seconds / 60),
        3600..172_800 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
