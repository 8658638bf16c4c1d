//! Where a test runs the program: a home of its own, no variables but those it sets, cameras on loopback.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use camscan::testkit::fleet::clip::Clip;
use camscan::testkit::fleet::{Camera, Fleet};

/// A home and working folder that is gone when it is dropped.
pub struct TestEnv {
    home: TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit code; none when a signal killed it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error, the test's folder written as `~`.
    pub err: String,
}

impl TestEnv {
    pub fn new() -> TestEnv {
        TestEnv { home: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The names in its folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The program, not yet started.
    pub fn command<A: AsRef<str>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("camscan"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            // Whatever a test forgets to say: nothing of it leaves the machine.
            .env("CAMSCAN_METHODS", "tcp")
            .env("CAMSCAN_DNS", "false")
            .current_dir(self.home.path())
            .args(arguments.iter().map(AsRef::as_ref))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end; the arguments are parted by blanks.
    pub fn run(&self, line: &str) -> Run {
        self.end(&mut self.command(&line.split_whitespace().collect::<Vec<_>>()))
    }

    /// Starts a command and waits for its end.
    pub fn end(&self, command: &mut Command) -> Run {
        let output = command.output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: err.replace(&*self.home.path().to_string_lossy(), "~"),
        }
    }
}

impl Run {
    /// What was printed, after making sure that the run was a success.
    #[track_caller]
    pub fn success(self) -> Run {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.out, self.err))
    }
}

/// A pipe that holds as much as it can (pipe(7)), and the end that nothing more can be written to until it is read.
pub fn full_pipe() -> (std::io::PipeReader, Stdio) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut fill = Command::new("dd");
    fill.args(["if=/dev/zero", "bs=4096", "count=16", "status=none"]).stdout(writer.try_clone().unwrap());
    assert!(fill.status().unwrap().success());
    (reader, writer.into())
}

/// Cameras that run beside the test.
pub struct Cameras {
    pub fleet: Fleet,
    _runtime: Runtime,
}

impl Cameras {
    pub fn start(cameras: Vec<Camera>) -> Cameras {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let fleet = runtime.block_on(Fleet::start(cameras)).unwrap();
        Cameras { fleet, _runtime: runtime }
    }

    /// One camera.
    pub fn one(camera: Camera) -> Cameras {
        Cameras::start(vec![camera])
    }

    /// The command line of a scan of all of them, quick.
    pub fn scan(&self, further: &str) -> String {
        let targets: Vec<String> = self.fleet.cameras.iter().map(|c| c.rtsp.to_string()).collect();
        let ports: Vec<String> = self.fleet.cameras.iter().map(|c| c.rtsp.port().to_string()).collect();
        format!("scan {} -p {} {QUICK} {further}", targets.join(" "), ports.join(","))
    }
}

/// What makes a scan quick.
pub const QUICK: &str = "--measure-time 300ms --frame-timeout 2s --retries 0";

/// A camera on 127.88.`a`.`b` and any port, with one H.264 stream.
pub fn camera(a: u8, b: u8) -> Camera {
    Camera::new(Ipv4Addr::new(127, 88, a, b).into(), 0).stream("/stream1", &h264(), None)
}

pub fn h264() -> Arc<Clip> {
    Arc::new(Clip::h264(include_bytes!("../data/media/camera_h264_1280x720_25fps.h264"), 25.0))
}

/// The JSON report in a file.
pub fn report(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
