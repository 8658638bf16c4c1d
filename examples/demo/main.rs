//! The scanner at work without a camera: a fleet of simulated devices on loopback, found, looked at and printed.
//!
//! ```text
//! cargo run --example demo
//! ```
//!
//! The devices speak real RTSP, RTP, ONVIF and HTTP over real sockets; the scan is the one `camscan scan` runs. The
//! program ends with code 0 when everything was found as it was set up, else with 1 and the differences.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demonstration of what is known: devices and clips are its own"
)]

mod cast;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;

use camscan::cli::args;
use camscan::cli::config::environment::Environment;
use camscan::cli::config::settings::Settings;
use camscan::cli::ui::Ui;
use camscan::export::table::{TableOptions, device_lines};
use camscan::export::{Options, render};
use camscan::identify::signature::Signatures;
use camscan::model::{Report, ScanEvent};
use camscan::net::real::RealNet;
use camscan::scan::session::Session;
use camscan::scan::{Scan, targets};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

/// What a user would type. Without this line's --methods the questions of discovery would also go to real networks.
const COMMAND: &str = "camscan scan 127.77.0.11-17 --credential viewer:demo-password --methods tcp";

#[tokio::main]
async fn main() -> ExitCode {
    let _fleet = match cast::start().await {
        Ok(fleet) => fleet,
        Err(error) => {
            eprintln!("error: the simulated devices cannot be started on 127.77.0.11 to 127.77.0.17: {error}");
            eprintln!("hint: is the demo running already? All of 127.0.0.0/8 is there on Linux only");
            return ExitCode::FAILURE;
        }
    };
    println!("Seven simulated devices have been started on this machine; one of them is no camera, some have faults.");
    println!("This scan knows their addresses and one login, and counts the frames that really arrive:\n");
    println!("$ {COMMAND}\n");
    let report = scan().await;
    let differences = differences(&report);
    for difference in &differences {
        eprintln!("error: {difference}");
    }
    if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What `camscan scan` does: command line, settings, targets, scan, report.
async fn scan() -> Report {
    let mut environment = Environment::of(BTreeMap::new());
    environment.stdout_is_terminal = std::io::stdout().is_terminal();
    environment.stderr_is_terminal = std::io::stderr().is_terminal();
    let cli = args::parse(COMMAND.split(' ')).unwrap_or_else(|error| error.exit());
    let settings = Settings::resolve(&cli, &environment).unwrap();
    let ui = Ui::new(settings.terminal);
    let session = Session::new(RealNet::new(), Signatures::builtin(), Timestamp::now, camscan::net::connection_limit());
    let request = targets::Request {
        specs: &settings.targets,
        exclude: &settings.exclude,
        interfaces: &settings.plan.interfaces,
        large_subnets: settings.large_subnets,
    };
    let resolved = session.resolve(&request).await.unwrap();
    let scan = Scan {
        session,
        plan: Arc::new(settings.plan_for(resolved.targets)),
        known: Vec::new(),
        cancel: CancellationToken::new(),
    };
    let width = terminal_size::terminal_size().map_or(120, |(width, _)| usize::from(width.0));
    let table = TableOptions { width, colour: settings.output.color, ..TableOptions::default() };
    let report = scan
        .run(|event: &ScanEvent| {
            if let ScanEvent::DeviceDone(device) = event {
                ui.device(&device_lines(device, &table));
            }
            ui.event(event);
        })
        .await;
    ui.finish();
    let bytes = render(&camscan::export::table::FORMAT, &Options { table, ..Options::default() }, &report).unwrap();
    println!("{}", String::from_utf8_lossy(&bytes).trim_end());
    report
}

/// What was found otherwise than it was set up.
fn differences(report: &Report) -> Vec<String> {
    let mut found: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
    for device in &report.devices {
        let streams = device.streams.iter().map(|s| {
            let video = s.video.as_ref().and_then(|v| v.codec).map(|c| format!("{c:?}"));
            let audio = s.audio.as_ref().and_then(|a| a.codec).map(|c| format!("{c:?}"));
            let media = [video, audio].into_iter().flatten().collect::<Vec<_>>().join("+");
            format!("{:?} {media} {}", s.status, s.transport.as_str()).to_lowercase()
        });
        found.insert(device.ip, streams.collect());
    }
    let mut differences = Vec::new();
    for (ip, expected) in cast::EXPECTED {
        let ip: IpAddr = ip.parse().unwrap();
        let found = found.remove(&ip).unwrap_or_default();
        if found != *expected {
            differences.push(format!("{ip}: set up {expected:?}, found {found:?}"));
        }
    }
    differences.extend(found.keys().map(|ip| format!("{ip} is no camera but was found as one")));
    differences
}
