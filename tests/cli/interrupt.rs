//! How a scan ends before its time.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::env::{Cameras, Run, TestEnv, camera, full_pipe, report};
use camscan::testkit::fleet::Fault;

/// A camera that takes connections and never speaks: what waits for it waits until it is stopped.
fn silent(b: u8) -> Cameras {
    let mut camera = camera(1, b);
    camera.fault = Fault::Silent;
    Cameras::one(camera)
}

const PATIENT: &str = "--timeout 60s --host-timeout 60s";

/// The program, to be told by signals whatever those who started the tests ignore.
fn listening(env: &TestEnv, line: &str) -> Command {
    let program = env.command(&line.split_whitespace().collect::<Vec<_>>());
    let mut command = Command::new("env");
    command.arg("--default-signal=INT,TERM,HUP").arg(program.get_program()).args(program.get_args());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(program.get_current_dir().unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits until something has been counted.
fn reaches(count: &AtomicUsize, least: usize) {
    let begun = Instant::now();
    while count.load(Ordering::SeqCst) < least {
        assert!(begun.elapsed() < Duration::from_secs(30), "the scan never came so far");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a scan of a silent camera and waits until the scan waits for it.
fn started(env: &TestEnv, camera: &Cameras, further: &str) -> Child {
    let child = listening(env, &camera.scan(&format!("{PATIENT} {further}"))).spawn().unwrap();
    reaches(&camera.fleet.cameras[0].seen.open, 1);
    child
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits for the end; more than ten seconds mean that it did not stop by itself, which would take a minute. That the
/// scan itself ends within its grace is measured where a clock stands still (`tests/scan/stopping.rs`); here the machine
/// may be busy with something else.
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
fn a_scan_waits_for_the_reader_of_its_data_until_a_signal_comes() {
    let env = TestEnv::new();
    for (format, name) in [("jsonl", "TERM"), ("json", "INT"), ("jsonl", "")] {
        let ((mut reader, writer), cameras) = (full_pipe(), Cameras::one(camera(1, 17)));
        let mut child = listening(&env, &cameras.scan(&format!("-v -f {format}"))).stdout(writer).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("discovery ended") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended");
        }
        // What is left of the work takes no time; the reader takes its own.
        std::thread::sleep(Duration::from_secs(1));
        assert!(child.try_wait().unwrap().is_none(), "it ended though what it found was not read");
        if !name.is_empty() {
            signal(&child, name);
            assert_eq!(end(child).code, Some(130), "{format}");
            continue;
        }
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(end(child).code, Some(0));
        let lines: Vec<&str> = read.trim_start_matches('\0').lines().collect();
        assert!(lines.len() == 2 && lines[0].contains("127.88.1.17") && lines[1].contains("\"scan\""), "{lines:?}");
    }
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
    let child = listening(&env, &line).spawn().unwrap();
    reaches(&camera.fleet.cameras[0].seen.open, 1);
    signal(&child, "INT");
    let run = end(child);
    assert_eq!(run.code, Some(130), "{}", run.err);
    assert_eq!(run.json()["scan"]["status"], "interrupted");
}

#[test]
fn before_the_scan_the_signal_itself_ends_it() {
    use std::os::unix::process::ExitStatusExt as _;
    let env = TestEnv::new();
    env.write("report.json", "old");
    // It waits for targets that nobody writes.
    let (reader, _writer) = std::io::pipe().unwrap();
    let mut child = listening(&env, "scan - -o report.json").stdin(reader).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "INT");
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(2), "{status:?}");
    assert_eq!((env.read("report.json").as_str(), env.names()), ("old", vec!["report.json".to_owned()]));
}

#[test]
fn a_sweep_is_interrupted_with_what_it_has() {
    let env = TestEnv::new();
    // Two addresses a second: it would take two minutes.
    let mut child = listening(&env, "scan 127.88.9.0/24 -p 1 --rate 2 -v -f json").spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("discovery began") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended");
    }
    signal(&child, "TERM");
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    let run = end(child);
    assert_eq!(run.code, Some(130), "{rest}");
    assert!(rest.contains("warning: interrupted"), "{rest}");
    assert_eq!(run.json()["scan"]["status"], "interrupted");
}

#[test]
fn a_stream_that_plays_is_torn_down_and_stands_in_the_report() {
    let (env, cameras) = (TestEnv::new(), Cameras::one(camera(1, 8)));
    let line = cameras.scan("-f json").replace("300ms", "50s");
    let child = listening(&env, &line).spawn().unwrap();
    let seen = &cameras.fleet.cameras[0].seen;
    reaches(&seen.played, 1);
    signal(&child, "INT");
    let run = end(child);
    assert_eq!(run.code, Some(130), "{}", run.err);
    assert_eq!(run.json()["scan"]["hosts_up"], 1);
    // The camera reads what was sent before the connection was closed.
    reaches(&seen.torn_down, 1);
    assert_eq!(seen.played.load(Ordering::SeqCst), seen.torn_down.load(Ordering::SeqCst));
}

#[test]
fn a_session_whose_play_is_unanswered_is_torn_down() {
    for (b, fault) in [(15, Fault::HoldsPlay), (16, Fault::HoldsPlayOverUdp)] {
        for way in ["INT", "TERM", "--max-duration 3s", "--host-timeout 3s"] {
            let env = TestEnv::new();
            let mut camera = camera(1, b);
            camera.fault = fault;
            let cameras = Cameras::one(camera);
            let limits = if way.starts_with("--") { way } else { "" };
            let line = cameras.scan(&format!("--timeout 60s {limits} -f json"));
            let child = listening(&env, &line).spawn().unwrap();
            let seen = &cameras.fleet.cameras[0].seen;
            reaches(&seen.played, 1);
            if limits.is_empty() {
                signal(&child, way);
            }
            let run = end(child);
            assert_eq!(run.code, Some(if limits.is_empty() { 130 } else { 0 }), "{way}: {}", run.err);
            // The camera reads what was sent before the connection was closed.
            reaches(&seen.torn_down, 1);
            assert_eq!(seen.played.load(Ordering::SeqCst), seen.torn_down.load(Ordering::SeqCst), "{way}");
        }
    }
}

#[test]
fn a_report_that_is_being_written_is_written_whole() {
    let (env, cameras) = (TestEnv::new(), Cameras::one(camera(1, 9)));
    assert!(Command::new("mkfifo").arg(env.path("report.json")).status().unwrap().success());
    let child = listening(&env, &cameras.scan("-o report.json")).spawn().unwrap();
    // Once it is open, the scan is over and the report on its way; the pipe holds less than there is.
    let mut reader = std::fs::File::open(env.path("report.json")).unwrap();
    signal(&child, "INT");
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let run = end(child);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["scan"]["status"], "complete");
    assert_eq!(report["devices"][0]["streams"][0]["status"], "streaming");
    // It may have been over before the signal was heard.
    assert!(matches!(run.code, Some(130 | 0)), "{run:?}");
}

/// As nohup(1) and `&` in a script start it.
#[test]
fn a_signal_that_was_ignored_before_stays_ignored() {
    let (env, camera) = (TestEnv::new(), silent(10));
    let line = camera.scan("--timeout 2s --host-timeout 4s -f json");
    let mut command = listening(&env, &line);
    let mut ignoring = Command::new("env");
    ignoring.arg("--ignore-signal=HUP").args(command.get_args().skip(1));
    ignoring.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    ignoring.current_dir(env.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command = ignoring;
    let child = command.spawn().unwrap();
    reaches(&camera.fleet.cameras[0].seen.open, 1);
    signal(&child, "HUP");
    let run = end(child);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(run.json()["scan"]["status"], "complete");
}

/// A program in place of ffprobe that hangs, and the note where its number stands.
fn hanging_ffprobe(env: &TestEnv) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let note = env.path("bin/pid");
    let script = format!("#!/bin/sh\necho $$ > '{0}.new' && mv '{0}.new' '{0}'\nexec sleep 1000\n", note.display());
    let program = env.write("bin/ffprobe", script);
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    note
}

#[test]
fn however_it_ends_no_program_it_started_stays_behind() {
    for (b, signals) in [(11, 1), (12, 2), (13, 0)] {
        let (env, cameras) = (TestEnv::new(), Cameras::one(camera(1, b)));
        let note = hanging_ffprobe(&env);
        let path = format!("{}:{}", env.path("bin").display(), std::env::var("PATH").unwrap());
        let mut command = listening(&env, &cameras.scan("--ffprobe always -f json"));
        let child = command.env("PATH", path).spawn().unwrap();
        let begun = Instant::now();
        while !note.exists() {
            assert!(begun.elapsed() < Duration::from_secs(30), "ffprobe was not asked");
            std::thread::sleep(Duration::from_millis(20));
        }
        (0..signals).for_each(|_| signal(&child, "INT"));
        let run = end(child);
        assert_eq!(run.code, Some(if signals > 0 { 130 } else { 0 }), "{}", run.err);
        let pid = std::fs::read_to_string(&note).unwrap();
        let begun = Instant::now();
        // Whoever inherits it waits for it.
        while std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).is_ok_and(|s| !s.contains("State:\tZ")) {
            assert!(begun.elapsed() < Duration::from_secs(10), "ffprobe still runs");
            std::thread::sleep(Duration::from_millis(20));
        }
        if signals == 0 {
            let stream = &run.json()["devices"][0]["streams"][0];
            assert_eq!(stream["status"], "streaming", "{stream}");
            assert!(stream["warnings"].to_string().contains("ffprobe did not end within 5 s"), "{stream}");
        }
    }
}

#[test]
fn a_program_that_prints_garbage_is_no_second_opinion() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = TestEnv::new();
    let cameras = Cameras::one(camera(1, 14));
    let path = format!("{}:{}", env.path("bin").display(), std::env::var("PATH").unwrap());
    for garbage in ["head -c 3000000 /dev/zero", "printf '\\033[31m{\"streams\": 5'", "kill -9 $$", "exit 3"] {
        let mut file = std::fs::File::create(env.write("bin/ffprobe", "")).unwrap();
        writeln!(file, "#!/bin/sh\n{garbage}").unwrap();
        drop(file);
        std::fs::set_permissions(env.path("bin/ffprobe"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = listening(&env, &cameras.scan("--ffprobe always -f json"));
        let run = env.end(command.env("PATH", &path)).success();
        let stream = &run.json()["devices"][0]["streams"][0];
        assert_eq!((&stream["status"], &stream["video"]["width"]), (&"streaming".into(), &1280.into()), "{stream}");
        assert!(stream["warnings"].to_string().contains("ffprobe gave no usable answer"), "{garbage}: {stream}");
        assert!(!run.out.contains('\u{1b}'));
    }
}
