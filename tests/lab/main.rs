//! The scanner against real servers of Debian's packages, in network namespaces the test makes and removes itself.
//!
//! It needs root and the packages `.ci/run` installs; without them it is skipped and says so, unless `CAMSCAN_LAB=required`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what went wrong by failing"
)]

mod cameras;
mod compare;
mod gentle;
mod hostile;
mod lockout;
mod media_servers;
mod network;
mod ns;
mod onvif;
mod others;
mod players;
mod servers;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use ns::{Host, Lan};

const PYTHON: &str = "/usr/bin/python3";
const PASSWORD: &str = "korrekt-pferd-42";

/// A host of the lab, and what must be said of it.
struct Place {
    address: String,
    /// As [`compare::differences`] takes it.
    expected: Value,
    /// Whether it is told of without `--all`.
    listed: bool,
}

impl Place {
    fn new(address: impl Into<String>, expected: Value) -> Place {
        Place { address: address.into(), expected, listed: true }
    }

    /// One without pictures, told of with `--all` only.
    fn unlisted(address: impl Into<String>, expected: Value) -> Place {
        Place { listed: false, ..Place::new(address, expected) }
    }
}

/// A network with a host to scan from.
struct Lab {
    lan: Lan,
    scanner: Host,
    binary: PathBuf,
}

impl Lab {
    fn new() -> Lab {
        let mut lan = Lan::new();
        let binary = lan.folder().join("camscan");
        std::fs::copy(env!("CARGO_BIN_EXE_camscan"), &binary).unwrap();
        let scanner = lan.host("10.77.0.1", "02:00:00:00:00:01");
        Lab { lan, scanner, binary }
    }

    /// A path in the folder of the lab.
    fn path(&self, name: &str) -> String {
        self.lan.folder().join(name).display().to_string()
    }

    /// Writes a file into the folder of the lab and gives its path.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.lan.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// The scanner in its namespace, as root or as nobody.
    fn command(&self, as_root: bool, arguments: &[&str]) -> Command {
        let binary = self.binary.to_str().unwrap();
        let mut command = if as_root {
            self.scanner.command(binary, arguments)
        } else {
            let mut all = vec![
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--inh-caps=-all",
                "--bounding-set=-all",
                binary,
            ];
            all.extend(arguments);
            self.scanner.command("setpriv", &all)
        };
        command.env("HOME", "/nonexistent").stdin(Stdio::null());
        command
    }

    /// Runs the scanner with the lab's login to its end.
    fn camscan(&self, as_root: bool, arguments: &[&str]) -> Said {
        let login = format!("admin:{PASSWORD}");
        Said::of(self.command(as_root, arguments).env("CAMSCAN_CREDENTIAL", login).output().unwrap())
    }
}

/// What the scanner said.
struct Said {
    status: Option<i32>,
    report: String,
    log: String,
}

impl Said {
    fn of(output: Output) -> Said {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { status: output.status.code(), report: text(&output.stdout), log: text(&output.stderr) }
    }

    /// The JSON report of a scan that ended with `status`.
    fn json(&self, status: i32) -> Value {
        assert_eq!(self.status, Some(status), "{}", self.log);
        serde_json::from_str(&self.report).unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.report, self.log))
    }
}

/// The device at an address, where it is reported.
fn device<'r>(report: &'r Value, address: &str) -> Option<&'r Value> {
    report["devices"].as_array()?.iter().find(|d| d["ip"] == address)
}

/// A script beside this file.
fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab").join(name).display().to_string()
}
