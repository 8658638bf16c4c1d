//! The words for events. Pure.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::memory::{Event, EventKind, port_name};
use crate::text::{clean, clean_to, redact_urls};

/// The longest name of a device in a title, in characters.
const NAME: usize = 36;

/// What an event is called at the beginning of a title.
pub(super) fn headline(kind: EventKind) -> &'static str {
    use EventKind as E;
    match kind {
        E::DeviceNew => "New device",
        E::DeviceOnline => "Back online",
        E::DeviceOffline => "Offline",
        E::DeviceFlapping => "Unstable",
        E::DeviceSteady => "Stable again",
        E::DeviceMoved => "New address",
        E::DeviceChanged => "Changed",
        E::DeviceReplaced => "Replaced",
        E::DeviceConflict => "Conflict",
        E::DeviceArchived => "Archived",
        E::StreamNew => "New stream",
        E::StreamGone => "Stream gone",
        E::StreamBroken => "Stream broken",
        E::StreamRepaired => "Stream works again",
        E::ServiceBroken => "Streams broken",
        E::ServiceRepaired => "Streams work again",
        E::StreamDegraded => "Stream degraded",
        E::StreamChanged => "Stream changed",
        E::StreamOpen => "No password needed",
        E::StreamProtected => "Password needed",
        E::LoginRefused => "Login refused",
        E::LoginLocked => "Login locked",
        E::LoginRests => "Login rests",
        E::LoginAccepted => "Login works again",
        E::CertificateExpiring => "Certificate ends",
        E::ClockWrong => "Clock wrong",
        E::SubnetUnreachable => "Network unreachable",
        E::SubnetReachable => "Network reachable again",
        E::ScanFinished => "Scan finished",
        E::ScanFailed => "Scan failed",
        E::ChannelFailing => "Channel failing",
        E::ChannelRecovered => "Channel works again",
        E::StoreLowSpace => "Disk nearly full",
        E::StoreFailing => "Store failing",
        E::StoreRecovered => "Store works again",
    }
}

/// What devices were while a problem lasted that is over, as in `was offline`.
pub(super) fn state(kind: EventKind) -> &'static str {
    use EventKind as E;
    match kind {
        E::DeviceOffline => "offline",
        E::DeviceFlapping => "unstable",
        E::StreamBroken | E::ServiceBroken => "without frames",
        E::StreamDegraded => "degraded",
        E::LoginRefused | E::LoginLocked => "without login",
        E::SubnetUnreachable => "unreachable",
        _ => "failing",
    }
}

/// What to try, as the README has it.
pub(super) fn advice(kind: EventKind) -> Option<&'static str> {
    use EventKind as E;
    Some(match kind {
        E::DeviceOffline => "check its power and its cable or Wi-Fi; `camscan probe HOST -v` says what still answers",
        E::DeviceFlapping => "check its power supply, its cable and its Wi-Fi signal",
        E::DeviceReplaced => "name the new device if the exchange was intended",
        E::DeviceConflict => "give one of the devices another address",
        E::StreamBroken => {
            "has the camera reached its number of viewers? `camscan probe URL` shows what each step answers"
        }
        E::ServiceBroken => {
            "restart the media server or the camera: the device answers, and its port does not serve streams"
        }
        E::StreamDegraded => "compare the camera's settings of frame rate and bit rate, and its network",
        E::StreamOpen => "anybody on the network can watch it: set a password at the camera",
        E::LoginRefused => "check the login before it is tried again: cameras lock after a few failures",
        E::LoginLocked => "wait until the camera accepts logins again, then check the login",
        E::LoginRests => "check the login, then `camscan devices login retry ID` has it tried again",
        E::CertificateExpiring => "renew the device's certificate",
        E::ClockWrong => "set a time server at the device",
        E::SubnetUnreachable => "check the switch, the uplink and any VPN to that network",
        E::ChannelFailing => "`camscan notify test` shows the receiver's answer",
        E::StoreLowSpace => "make room, or run `camscan store prune`",
        E::StoreFailing => "free some space, or put the file back; `camscan store check` looks through it",
        _ => return None,
    })
}

/// What an event is about: the device with its address, the stream, the network, the channel.
pub(super) fn about(event: &Event) -> String {
    let mut parts = Vec::new();
    if let Some(device) = &event.data.device {
        let name = device.name.as_deref().or(device.model.as_deref()).map(|name| clean_to(&redact_urls(name), NAME));
        parts.push(match name.filter(|name| !name.is_empty()) {
            Some(name) => format!("{name} ({})", device.ip),
            None => device.ip.to_string(),
        });
    } else if let Some(device) = &event.device {
        parts.push(device.to_string());
    }
    if let Some(stream) = &event.data.stream {
        parts.push(match stream.channel {
            Some(channel) => format!("channel {channel}"),
            None => clean_to(path(&redact_urls(&stream.url)), NAME),
        });
    }
    parts.extend(event.data.service.as_ref().map(|service| clean_to(&port_name(&service.key), NAME)));
    parts.extend(event.network.map(|network| network.to_string()));
    parts.extend(event.data.channel.as_deref().map(|channel| clean_to(channel, NAME)));
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

/// A stream's path without its query.
fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default();
    path.split(['?', '#']).next().unwrap_or_default()
}

/// A text of a device or about it: on one line, without a login.
pub(super) fn plain(text: &str) -> String {
    clean(&redact_urls(text))
}

/// A point in time for people.
pub(super) fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// From when to when; without the day where it is one and is not wanted.
pub(super) fn stretch(from: Timestamp, to: Timestamp, zone: &TimeZone, with_day: bool) -> String {
    let (from, to) = (from.to_zoned(zone.clone()), to.to_zoned(zone.clone()));
    let is_one_day = from.date() == to.date();
    let begin = if is_one_day && !with_day { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    let end = if is_one_day { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    format!("{}–{}", from.strftime(begin), to.strftime(end))
}

/// How long, in the two largest units that matter.
pub(super) fn lasting(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let two = |large: i64, of: &str, small: i64, unit: &str| match small {
        0 => format!("{large} {of}"),
        _ => format!("{large} {of} {small} {unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => two(minutes, "min", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes, "min"),
        _ => two(days, "d", hours, "h"),
    }
}
