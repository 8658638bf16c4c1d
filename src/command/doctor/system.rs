//! The machine: clock, interfaces, rights, limits, programs.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use tokio::process::Command;
use tokio::time::timeout;

use super::Found;
use crate::cli::config::settings::Settings;
use crate::model::Method;
use crate::model::options::Ffprobe;
use crate::net::link::LinkKind;
use crate::net::real::RealNet;
use crate::net::{self, Datagrams, Links, SenderCheck};
use crate::text::clean;

/// A program that says nothing for so long is none to use.
const PATIENCE: Duration = Duration::from_secs(5);
/// Fewer open files than this slow a scan of a large network down.
const FEW_CONNECTIONS: usize = 256;
/// The first year a clock can show that was ever set.
const FIRST_YEAR: i16 = 2025;

pub(super) async fn look(settings: &Settings) -> Vec<Found> {
    let net = RealNet::new();
    let mut all = vec![configuration(settings), clock(Timestamp::now())];
    all.push(interfaces(net.as_ref(), settings));
    all.push(raw_frames(net.as_ref(), settings));
    all.push(echo(net.as_ref(), settings));
    all.extend(sender_checks(net.as_ref()));
    all.extend(neighbours(net.as_ref()).await);
    all.push(connections());
    all.push(program("ffprobe", settings.plan.probe.ffprobe == Ffprobe::Always).await);
    all.push(program("ffmpeg", settings.plan.probe.snapshots.is_some()).await);
    all
}

fn configuration(settings: &Settings) -> Found {
    match &settings.config_file {
        Some(file) => Found::ok("configuration", format!("{} is valid", file.display())),
        None => Found::ok("configuration", "no file; the defaults hold"),
    }
}

/// Certificates, logins with a time in them and the times of events need a clock that is right.
fn clock(now: Timestamp) -> Found {
    const ABOUT: &str = "clock";
    if now.to_zoned(jiff::tz::TimeZone::UTC).year() < FIRST_YEAR {
        let text = format!("it shows {now:.0}, so it was never set");
        return Found::problem(ABOUT, text, "set it, for example with `timedatectl set-ntp true`");
    }
    let is_kept = |file: &str| Path::new(file).exists();
    if is_kept("/run/systemd/timesync/synchronized") || is_kept("/run/chrony/chronyd.pid") || is_kept("/run/ntpd.pid") {
        return Found::ok(ABOUT, "kept by the network");
    }
    let hint = "if the times of events matter, `timedatectl` shows whether the network keeps it";
    Found::note(ABOUT, format!("{now:.0}; nothing shows that the network keeps it"), hint)
}

fn interfaces(net: &RealNet, settings: &Settings) -> Found {
    const ABOUT: &str = "interfaces";
    let all = match net.interfaces() {
        Ok(all) => all,
        Err(error) => return Found::problem(ABOUT, format!("cannot be listed: {error}"), "look at `ip address`"),
    };
    if let Some(missing) = settings.plan.interfaces.iter().find(|name| !all.iter().any(|i| i.name == **name)) {
        let text = format!("{}, which the configuration names, is not up", clean(missing));
        return Found::problem(ABOUT, text, "look at `ip address`, or correct `interface`");
    }
    let used = all.iter().filter(|i| !i.loopback && !i.addresses.is_empty());
    let used: Vec<String> = used
        .map(|i| {
            let networks: Vec<String> = i.addresses.iter().map(ToString::to_string).collect();
            format!("{} ({})", clean(&i.name), networks.join(", "))
        })
        .collect();
    match used.is_empty() {
        true => Found::problem(ABOUT, "none is up but loopback", "connect this machine to the network of the cameras"),
        false => Found::ok(ABOUT, used.join("; ")),
    }
}

fn raw_frames(net: &RealNet, settings: &Settings) -> Found {
    const ABOUT: &str = "raw frames";
    if !settings.plan.methods.contains(&Method::Arp) {
        return Found::ok(ABOUT, "not wanted (`methods` leaves arp out)");
    }
    let interfaces = net.interfaces().unwrap_or_default();
    let Some(first) = interfaces.iter().find(|i| !i.loopback && !i.point_to_point && i.mac.is_some()) else {
        return Found::ok(ABOUT, "no interface has any");
    };
    match net.link(first, LinkKind::Arp) {
        Ok(_) => Found::ok(ABOUT, "permitted: ARP and the fast port scan work"),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied) => Found::note(
            ABOUT,
            "not permitted: cameras are found by connections and the kernel's table instead, which is slower, and those \
             with an address of another subnet may be missed",
            "sudo setcap cap_net_raw,cap_net_admin+ep $(command -v camscan)",
        ),
        Err(error) => {
            Found::note(ABOUT, format!("cannot be used: {error}"), "cameras are found by connections instead")
        }
    }
}

fn echo(net: &RealNet, settings: &Settings) -> Found {
    const ABOUT: &str = "ping";
    if !settings.plan.methods.contains(&Method::Icmp) {
        return Found::ok(ABOUT, "not wanted (`methods` leaves icmp out)");
    }
    match net.icmp(false) {
        Ok(_) => Found::ok(ABOUT, "permitted"),
        Err(_) => Found::note(
            ABOUT,
            "not permitted; other methods find cameras as well",
            "sudo sysctl -w net.ipv4.ping_group_range='0 2147483647'",
        ),
    }
}

/// Where the kernel drops what cameras at a factory address send.
fn sender_checks(net: &RealNet) -> Vec<Found> {
    let interfaces = net.interfaces().unwrap_or_default();
    let strict = interfaces.iter().filter(|i| !i.loopback).filter_map(|i| Some((&i.name, net.sender_check(&i.name)?)));
    let note = |(name, check): (&String, SenderCheck)| {
        let how = match check {
            SenderCheck::Strict => "strict",
            SenderCheck::Loose => "loose",
        };
        let name = clean(name);
        Found::note(
            "rp_filter",
            format!("{how} on {name}: answers of cameras at a factory address of another subnet may be dropped"),
            format!(
                "sudo sysctl -w net.ipv4.conf.{name}.rp_filter=0 net.ipv4.conf.all.rp_filter=0 while setting cameras up"
            ),
        )
    };
    strict.map(note).collect()
}

/// How full the kernel's table of neighbours is.
async fn neighbours(net: &RealNet) -> Option<Found> {
    const ABOUT: &str = "neighbours";
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/neigh/default/gc_thresh3").ok()?;
    let most: usize = text.trim().parse().ok()?;
    let now = net.neighbours().await.ok()?.len();
    let text = format!("{now} of at most {most} in the kernel's table");
    Some(match now.saturating_mul(4) >= most.saturating_mul(3) {
        true => Found::note(ABOUT, text, "sudo sysctl -w net.ipv4.neigh.default.gc_thresh3=8192 for large networks"),
        false => Found::ok(ABOUT, text),
    })
}

fn connections() -> Found {
    const ABOUT: &str = "open files";
    let most = net::connection_limit();
    match most < FEW_CONNECTIONS {
        true => {
            Found::note(ABOUT, format!("{most} connections at once"), "raise `ulimit -n` to scan large networks fast")
        }
        false => Found::ok(ABOUT, format!("{most} connections at once")),
    }
}

/// Whether a program runs. Without it scans do with less, unless it is demanded.
async fn program(name: &'static str, is_needed: bool) -> Found {
    let mut command = Command::new(name);
    command.arg("-version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let text = match timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            let first = clean(said.lines().next().unwrap_or_default());
            let short: String = first.split(" Copyright").next().unwrap_or_default().chars().take(60).collect();
            return Found::ok(name, short);
        }
        Ok(Ok(_)) => "does not work: `-version` fails".to_owned(),
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => "not installed".to_owned(),
        Ok(Err(error)) => format!("cannot be started: {error}"),
        Err(_) => format!("does not answer within {} s", PATIENCE.as_secs()),
    };
    let hint = "install the package ffmpeg";
    match is_needed {
        true => Found::problem(name, text, hint),
        false => Found::note(
            name,
            format!("{text}; camscan does without it"),
            format!("{hint} for a second opinion and snapshots"),
        ),
    }
}
