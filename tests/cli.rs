//! The program itself, driven as a shell drives it: exit codes, what goes to which stream, nothing sent anywhere.

#![expect(clippy::unwrap_used, reason = "a test: what is missing fails it")]

use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, is_empty, starts_with};

/// The program in a folder of its own, without the configuration and variables of whoever runs the tests.
fn camscan(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("camscan").unwrap();
    command.current_dir(folder).env_clear().env("HOME", folder);
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

const REPORT: &str = r#"{
  "schema": "camscan/1",
  "scan": {
    "camscan_version": "0.1.0", "started_at": "2026-11-21T08:00:00Z", "finished_at": "2026-11-21T08:00:01Z",
    "duration_ms": 1000, "status": "complete", "targets": ["192.0.2.0/24"], "addresses": 254, "hosts_up": 1,
    "methods": ["tcp"]
  },
  "devices": [{
    "id": "ip:192.0.2.7", "ip": "192.0.2.7", "addresses": ["192.0.2.7"], "kind": "camera", "confidence": 0.9,
    "vendor": "Axis", "discovered_by": ["tcp"], "state": "online", "first_seen": "2026-11-21T08:00:00Z",
    "last_seen": "2026-11-21T08:00:00Z", "services": [], "streams": [], "evidence": [], "errors": []
  }],
  "warnings": []
}"#;

#[test]
fn help_and_version_are_data() {
    let folder = folder();
    for arguments in [&["--help"][..], &["-h"], &["--version"], &["scan", "--help"], &["help", "probe"]] {
        camscan(folder.path()).args(arguments).assert().code(0).stdout(contains("camscan")).stderr(is_empty());
    }
}

#[test]
fn usage_errors_end_with_2_and_leave_stdout_alone() {
    let folder = folder();
    for (arguments, said) in [
        (&["scan", "--timout", "5s"][..], "--timeout"),
        (&["scan", "--timeout", "5"], "hint: write 5s"),
        (&["scan", "10.0.0.0/8"], "more than the 1048576"),
        (&["scan", "rtsp://127.0.0.1/x"], "hint: one device or stream is looked at with `camscan probe URL`"),
        (&["scan", "-p", "9100", "127.0.0.1"], "never contacted"),
        (&["scan", "127.0.0.1", "-o", "report.doc"], "--output"),
        (&["scan", "127.0.0.1", "-o", "missing/report.json"], "hint:"),
        (&["scan", "127.0.0.1", "--baseline", "none.json"], "there is no file"),
        (&["scan", "--config", "none.yaml"], "--config: there is no file none.yaml"),
        (&["probe", "127.0.0.0/30"], "camscan scan"),
        (&["export", "none.json"], "none.json cannot be read"),
    ] {
        camscan(folder.path())
            .args(arguments)
            .assert()
            .code(2)
            .stdout(is_empty())
            .stderr(starts_with("error: ").and(contains(said)));
    }
}

#[test]
fn no_password_comes_back() {
    let folder = folder();
    std::fs::write(folder.path().join("camscan.yaml"), "credentials:\n  - user: admin\n    passwort: hunter2\n")
        .unwrap();
    for arguments in [&["scan", "-c", "hunter2"][..], &["probe", "gopher://a:hunter2@127.0.0.1/"], &["config", "show"]]
    {
        let output = camscan(folder.path()).args(arguments).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn the_configuration_is_checked_and_shown() {
    let folder = folder();
    let check = |code: i32| camscan(folder.path()).args(["config", "check"]).assert().code(code);
    check(0).stdout(contains("no configuration file"));
    let file = folder.path().join("camscan.yaml");
    std::fs::write(&file, "timeout: 3s\nretires: 2\n").unwrap();
    check(2).stderr(contains("camscan.yaml:2:1: unknown key `retires`\nhint: did you mean `retries`?"));
    std::fs::write(&file, "timeout: 3s\n").unwrap();
    check(0).stdout("camscan.yaml and the environment are fine\n");
    camscan(folder.path())
        .args(["config", "show"])
        .env("CAMSCAN_RETRIES", "3")
        .assert()
        .code(0)
        .stdout(contains("# camscan.yaml\ntimeout: 3s\n").and(contains("# CAMSCAN_RETRIES\nretries: 3\n")));
}

#[test]
fn the_example_file_is_a_configuration() {
    let folder = folder();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.yaml");
    camscan(folder.path()).args(["config", "check", "--config"]).arg(example).assert().code(0).stderr(is_empty());
}

#[test]
fn an_earlier_report_is_rendered_again() {
    let folder = folder();
    let export = |arguments: &[&str]| {
        let mut command = camscan(folder.path());
        command.args(["export", "-"]).args(arguments).write_stdin(REPORT).assert().code(0)
    };
    export(&["-f", "csv"]).stdout(starts_with("ip,mac,hostname,").and(contains("192.0.2.7")));
    export(&[]).stdout(contains("192.0.2.7").and(contains('\u{1b}').not()));
    export(&["-o", "a.json", "-o", "a.csv"]).stdout(is_empty());
    let written: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("a.json")).unwrap()).unwrap();
    assert_eq!(written["devices"][0]["ip"], "192.0.2.7");
}

#[test]
fn schema_completions_and_manual_are_printed() {
    let folder = folder();
    let schema = camscan(folder.path()).arg("schema").output().unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&schema.stdout).unwrap()["properties"]["devices"].is_object());
    camscan(folder.path()).args(["completions", "bash"]).assert().code(0).stdout(contains("--max-login-failures"));
    camscan(folder.path()).arg("man").assert().code(0).stdout(contains(".TH camscan"));
    camscan(folder.path()).args(["man", "."]).assert().code(0).stdout(is_empty());
    assert!(folder.path().join("camscan-scan.1").is_file());
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::{Command, Stdio};
    let folder = folder();
    for arguments in [&["schema"][..], &["completions", "zsh"], &["man"], &["config", "show"], &["scan", "--help"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_camscan"))
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}
