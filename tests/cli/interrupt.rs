//! How a scan ends before its time.

use std::process::{Child, Command};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::env::{Cameras, Run, TestEnv, camera, report};
use crate::fleet::Fault;

/// A camera that takes connections and never speaks: what waits for it waits until it is stopped.
fn silent(b: u8) -> Cameras {
    let mut camera = camera(1, b);
    camera.fault = Fault::Silent;
    Cameras::one(camera)
}

const PATIENT: &str = "--timeout 60s --host-timeout 60s";

/// Starts a scan of a silent camera and waits until the scan waits for it.
fn started(env: &TestEnv, camera: &Cameras, further: &str) -> Child {
    let line = camera.scan(&format!("{PATIENT} {further}"));
    let child = env.command(&line.split_whitespace().collect::<Vec<_>>()).spawn().unwrap();
    let begun = Instant::now();
    while camera.fleet.cameras[0].seen.open.load(Ordering::SeqCst) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the scan never came");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits for the end; more than ten seconds mean that it did not stop by itself, which would take a minute.
fn end(mut child: Child) -> Run {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(10) {
            child.kill().unwrap();
            panic!("the signal did not end it");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn the_first_signal_stops_the_scan_and_the_report_is_written() {
    for (b, name) in [(1, "INT"), (2, "TERM"), (3, "HUP")] {
        let (env, camera) = (TestEnv::new(), silent(b));
        let child = started(&env, &camera, "-o report.json -f json --all");
        signal(&child, name);
        let run = end(child);
        assert_eq!(run.code, Some(130), "{name}: {}", run.err);
        for report in [run.json(), report(&env.path("report.json"))] {
            assert_eq!(report["scan"]["status"], "interrupted");
            assert_eq!(report["scan"]["hosts_up"], 1);
        }
    }
}

#[test]
fn an_interrupted_scan_ends_so_though_it_had_a_limit_and_conditions() {
    let (env, camera) = (TestEnv::new(), silent(4));
    let child = started(&env, &camera, "--max-duration 1h --fail-on none-found -f json");
    signal(&child, "INT");
    let run = end(child);
    assert_eq!(run.code, Some(130), "{}", run.err);
    assert_eq!(run.json()["scan"]["status"], "interrupted");
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let (env, camera) = (TestEnv::new(), silent(5));
    // Writing to a pipe nobody reads takes for ever, so the first signal cannot end it.
    assert!(Command::new("mkfifo").arg(env.path("report.json")).status().unwrap().success());
    let mut child = started(&env, &camera, "-o report.json");
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(2500));
    assert!(child.try_wait().unwrap().is_none(), "it ended though nobody read what it writes");
    signal(&child, "INT");
    assert_eq!(end(child).code, Some(130));
}

#[test]
fn max_duration_ends_a_scan_with_what_it_has() {
    let (env, camera) = (TestEnv::new(), silent(6));
    let run = env.run(&camera.scan(&format!("{PATIENT} --max-duration 700ms -f json"))).success();
    assert_eq!(run.json()["scan"]["status"], "interrupted");
    assert!(run.err.contains("warning: the scan was stopped by --max-duration"), "{}", run.err);
    let run = env.run(&camera.scan(&format!("{PATIENT} --max-duration 700ms -f json --fail-on none-found")));
    assert_eq!(run.code, Some(3), "{}", run.err);
}

#[test]
fn a_probe_is_interrupted_as_a_scan_is() {
    let (env, camera) = (TestEnv::new(), silent(7));
    let target = camera.fleet.cameras[0].rtsp.to_string();
    let line = format!("probe {target} -p {} {PATIENT} -f json", camera.fleet.cameras[0].rtsp.port());
    let child = env.command(&line.split_whitespace().collect::<Vec<_>>()).spawn().unwrap();
    let begun = Instant::now();
    while camera.fleet.cameras[0].seen.open.load(Ordering::SeqCst) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the probe never came");
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "INT");
    let run = end(child);
    assert_eq!(run.code, Some(130), "{}", run.err);
    assert_eq!(run.json()["scan"]["status"], "interrupted");
}
