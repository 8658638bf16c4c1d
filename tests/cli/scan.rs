//! What a scan prints where, and how it ends.

use serde_json::{Value, json};

use crate::env::{Cameras, QUICK, TestEnv, camera, report};
use camscan::testkit::fleet::{Camera, Fault, Login};

#[test]
fn nothing_found_is_a_success_that_says_what_to_check() {
    let env = TestEnv::new();
    let run = env.run(&format!("scan 127.88.4.1 -p 1 {QUICK}")).success();
    let shown = run.out.lines().filter(|l| !l.contains("answered in")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(shown, @r#"
    No cameras found
    hint: nothing answered: check that this machine is on the cameras' network and that no firewall or VPN is in the way, or
    name their network: camscan scan 192.168.1.0/24
    "#);
    assert_eq!(run.err, "");
}

#[test]
fn a_probe_that_nobody_answers_is_a_failure() {
    let run = TestEnv::new().run("probe 127.88.4.2:1 -p 1 --connect-timeout 500ms -f json");
    assert_eq!(run.code, Some(1));
    insta::assert_snapshot!(run.err, @r#"
    error: nothing answered
    hint: check that the device is on and reachable from here; -v shows what was tried
    "#);
    assert_eq!(run.json()["schema"], "camscan/1", "the report is written all the same");
}

#[test]
fn streams_are_found_described_and_proved() {
    let env = TestEnv::new();
    let cameras = Cameras::start(vec![
        camera(4, 10),
        Camera { fault: Fault::NoFrames, ..camera(4, 11) },
        Camera { login: Login::DigestSha256, ..camera(4, 12) },
        Camera { fault: Fault::UdpOnly, ..camera(4, 13) },
    ]);
    let run = env.run(&cameras.scan("-f json -c viewer:demo-password -v")).success();
    let json = run.json();
    let streams: Vec<&Value> = json["devices"].as_array().unwrap().iter().map(|d| &d["streams"][0]).collect();
    let statuses: Vec<&str> = streams.iter().map(|s| s["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["streaming", "no_data", "streaming", "streaming"], "{}", run.out);
    let video = &streams[0]["video"];
    assert_eq!((&video["codec"], &video["width"], &video["height"]), (&json!("h264"), &json!(1280), &json!(720)));
    assert_eq!(streams.iter().map(|s| s["open"] == true).collect::<Vec<_>>(), [true, true, false, true]);
    assert_eq!((&streams[2]["transport"], &streams[3]["transport"]), (&json!("tcp"), &json!("udp")));
    for camera in &cameras.fleet.cameras {
        let count = |n: &std::sync::atomic::AtomicUsize| n.load(std::sync::atomic::Ordering::SeqCst);
        assert!(count(&camera.seen.torn_down) > 0, "{} was left playing", camera.rtsp);
    }
}

#[test]
fn standard_output_carries_data_only() {
    let env = TestEnv::new();
    let cameras = Cameras::one(camera(4, 20));
    for (format, flags) in [("json", "-v"), ("jsonl", "-vv"), ("csv", "-vv"), ("m3u", "-v --log-format json")] {
        let run = env.run(&cameras.scan(&format!("-f {format} {flags}"))).success();
        assert!(!run.err.is_empty(), "{format}");
        match format {
            "json" => assert_eq!(run.json()["schema"], "camscan/1"),
            "jsonl" => {
                let lines: Vec<Value> = run.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
                assert_eq!((&lines[0]["ip"], lines.len()), (&json!("127.88.4.20"), 2));
                assert_eq!(lines[1]["scan"]["status"], "complete");
            }
            "csv" => assert!(run.out.starts_with("ip,mac,") && run.out.lines().count() == 2, "{}", run.out),
            _ => assert!(run.out.starts_with("#EXTM3U\n"), "{}", run.out),
        }
    }
}

#[test]
fn verbosity_quiet_and_log_form() {
    let env = TestEnv::new();
    let cameras = Cameras::one(camera(4, 30));
    let said = |flags: &str| env.run(&cameras.scan(&format!("-f json {flags}"))).success().err;
    let (plain, verbose, more) = (said(""), said("-v"), said("-vv"));
    assert_eq!(plain, "");
    assert!(verbose.lines().count() >= 1, "{verbose}");
    assert!(more.lines().count() > verbose.lines().count(), "{more}");
    assert_eq!(said("-q --max-duration 1ms"), "", "a warning is not told");
    for line in said("-vv --log-format json").lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["level"].is_string() && line["target"].as_str().unwrap().starts_with("camscan"), "{line}");
    }
    // An error is told however quiet it is.
    let run = env.run("export none.json -q");
    assert!(run.err.starts_with("error: "), "{}", run.err);
}

#[test]
fn colours_are_used_when_asked_for_and_else_on_terminals_only() {
    let env = TestEnv::new();
    let cameras = Cameras::one(camera(4, 40));
    env.run(&cameras.scan("-o report.json")).success();
    let coloured = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = env.command(arguments);
        let run = env.end(command.envs(variables.iter().copied()));
        (run.out.contains('\u{1b}'), run.err.contains('\u{1b}'))
    };
    let table = ["export", "report.json", "-f", "table"];
    let always = [&table[..], &["--color", "always"]].concat();
    assert_eq!(coloured(&table, &[]), (false, false));
    assert_eq!(coloured(&always, &[]), (true, false));
    assert_eq!(coloured(&always, &[("NO_COLOR", "1")]), (true, false), "what is asked for wins");
    assert_eq!(coloured(&table, &[("CAMSCAN_COLOR", "always")]), (true, false));
    assert_eq!(coloured(&["export", "none.json", "--color", "always"], &[]), (false, true));
    assert_eq!(coloured(&["export", "none.json"], &[]), (false, false));
}

/// What a terminal shows, from a program that believes to stand on one. `script` makes the terminal.
fn on_a_terminal(env: &TestEnv, line: &str, variables: &[(&str, &str)]) -> String {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let program = assert_cmd::cargo::cargo_bin!("camscan");
    let mut command = std::process::Command::new("script");
    command
        .args(["-qec", &format!("{} {line}", program.display()), "/dev/null"])
        .env_clear()
        .env("HOME", env.path("."))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs([("TERM", "xterm-256color"), ("CAMSCAN_METHODS", "tcp"), ("CAMSCAN_DNS", "false")])
        .envs(variables.iter().copied())
        .current_dir(env.path("."))
        .stdin(std::process::Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[ignore = "needs script, of util-linux"]
fn a_terminal_sees_progress_and_colours_unless_they_are_unwanted() {
    let env = TestEnv::new();
    let cameras = Cameras::one(camera(4, 50));
    let line = cameras.scan("");
    let shown = on_a_terminal(&env, &line, &[]);
    assert!(shown.contains("\u{1b}[") && shown.contains("inspected"), "{shown:?}");
    let plain = on_a_terminal(&env, &format!("{line} --no-progress"), &[("NO_COLOR", "1")]);
    assert!(!plain.contains('\u{1b}') && !plain.contains("inspected"), "{plain:?}");
    assert!(plain.contains("127.88.4.50"), "{plain:?}");
}

#[test]
fn conditions_end_a_scan_with_code_3() {
    let env = TestEnv::new();
    let cameras = Cameras::start(vec![
        camera(4, 60),
        Camera { fault: Fault::NoFrames, ..camera(4, 61) },
        Camera { login: Login::Digest, ..camera(4, 62) },
    ]);
    let run = env.run(&cameras.scan("-o before.json --fail-on auth-required,no-data,not-streaming,none-found,error"));
    assert_eq!(run.code, Some(3), "{}", run.err);
    insta::assert_snapshot!(run.err, @r#"
    wrote before.json: 3 devices, 3 streams
    warning: --fail-on: a login is needed or was refused: 127.88.4.62
    warning: --fail-on: a stream was accepted and gave no frame: 127.88.4.61
    warning: --fail-on: no stream delivers frames: 127.88.4.61, 127.88.4.62
    "#);
    let mut known = report(&env.path("before.json"));
    assert_eq!(env.run(&cameras.scan("--baseline before.json --fail-on new,offline")).code, Some(0));
    // One that is not there any more, and one that was not there before.
    known["devices"][0]["ip"] = json!("127.88.4.99");
    known["devices"][0]["id"] = json!("ip:127.88.4.99");
    known["devices"][0]["addresses"] = json!(["127.88.4.99"]);
    known["devices"][0]["streams"][0]["url"] = json!("rtsp://127.88.4.99/stream1");
    env.write("changed.json", known.to_string());
    let run = env.run(&cameras.scan("--baseline changed.json --fail-on new,offline"));
    assert_eq!(run.code, Some(3));
    insta::assert_snapshot!(run.err, @r#"
    warning: --fail-on: not in the baseline: 127.88.4.60
    warning: --fail-on: in the baseline but not found now: 127.88.4.99
    "#);
    let run = env.run(&format!("scan 127.88.4.63 -p 1 {QUICK} --fail-on none-found -q"));
    assert_eq!((run.code, run.err.as_str()), (Some(3), ""));
}

#[test]
fn the_tests_scan_by_tcp_alone() {
    // They rely on it: nothing of theirs may leave the machine.
    let run = TestEnv::new().run(&format!("scan 127.88.4.64 -p 1 {QUICK} -f json")).success();
    assert_eq!(run.json()["scan"]["methods"], json!(["tcp"]));
}
