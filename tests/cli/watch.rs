//! `camscan watch` as a process on loopback: what a signal makes of it.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::env::{Cameras, QUICK, TestEnv, camera, full_pipe, h264};
use camscan::testkit::fleet::Camera;
use camscan::testkit::fleet::onvif::Identity;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, and what it has written so far.
pub struct Watching {
    child: Child,
    pub lines: Arc<Mutex<Vec<String>>>,
}

impl Watching {
    pub fn start(env: &TestEnv, line: &str) -> Watching {
        let program = env.command(&line.split_whitespace().collect::<Vec<_>>());
        Watching::by(&[], Stdio::null(), &program)
    }

    /// Starts a program by another one that stands in front of it.
    pub fn by(launcher: &[&str], stdin: Stdio, program: &Command) -> Watching {
        Watching::printing_to(Stdio::piped(), launcher, stdin, program)
    }

    /// The same, with events that go elsewhere.
    fn printing_to(stdout: Stdio, launcher: &[&str], stdin: Stdio, program: &Command) -> Watching {
        // Whoever starts the tests in the background has them ignore SIGHUP, and all that they start.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,TERM,HUP,USR1").args(launcher);
        command.arg(program.get_program()).args(program.get_args());
        command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("CAMSCAN_LOG", "trace").current_dir(program.get_current_dir().unwrap());
        command.stdin(stdin).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (child.stdout.take(), child.stderr.take().unwrap());
        let watching = Watching { child, lines: Arc::default() };
        out.into_iter().for_each(|out| watching.read(out));
        watching.read(err);
        watching
    }

    fn read(&self, stream: impl std::io::Read + Send + 'static) {
        let lines = self.lines.clone();
        std::thread::spawn(move || {
            let read = BufReader::new(stream).lines().map_while(Result::ok);
            read.for_each(|line| lines.lock().unwrap().push(line));
        });
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.id().to_string()]).status().unwrap().success());
    }

    /// Waits for a line with these words among those that come after the first `from`; the number of lines up to it.
    pub fn until(&self, from: usize, words: &str) -> usize {
        let until = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines.lock().unwrap().clone();
            if let Some(at) = lines.iter().skip(from).position(|line| line.contains(words)) {
                return from + at + 1;
            }
            assert!(Instant::now() < until, "no `{words}` in\n{}", lines.join("\n"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn count(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    /// Waits for its end; its exit code, none when a signal killed it.
    pub fn end(mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it did not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the file of metrics has a line.
fn until_metric(env: &TestEnv, line: &str) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(env.path("camscan.prom")).unwrap_or_default();
        if text.lines().any(|l| l == line) {
            return text;
        }
        assert!(Instant::now() < until, "no `{line}` in\n{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_configuration_is_read_again_and_a_mistake_in_it_changes_nothing() {
    let env = TestEnv::new();
    // The path of its stream holds what will be a password later on.
    let identity = Identity {
        http_port: 0,
        probe_port: 0,
        endpoint: "00000000-0000-4000-8000-000000000070".to_owned(),
        manufacturer: "Lab".to_owned(),
        model: "Dome".to_owned(),
        firmware: "1".to_owned(),
        serial: "S70".to_owned(),
    };
    let camera = Camera::new(Ipv4Addr::new(127, 88, 70, 1).into(), 0).stream("/Zwei-Geheimnisse-2", &h264(), None);
    let cameras = Cameras::one(Camera { onvif: Some(identity), ..camera });
    let [rtsp, http] = [cameras.fleet.cameras[0].rtsp, cameras.fleet.cameras[0].http.unwrap()].map(|at| at.port());
    let configuration = |password: &str, further: &str| {
        env.write("camscan.yaml", format!("credentials:\n  - user: admin\n    password: {password}\n{further}\n"));
    };
    configuration("eins-geheim-1", "check_every: none");
    let watching = Watching::start(
        &env,
        &format!(
            "watch 127.88.70.1 -p {rtsp},{http} {QUICK} -vv --store s.sqlite --metrics camscan.prom --config camscan.yaml"
        ),
    );
    let learnt = watching.until(0, "scan.finished");
    assert!(
        watching.lines.lock().unwrap().iter().any(|line| line.contains("Zwei-Geheimnisse-2")),
        "it is no secret yet"
    );

    // Twice the same mistake: it is named each time, and watching goes on as before.
    configuration("eins-geheim-1", "check_every: sometimes");
    let mut at = learnt;
    for _ in 0..2 {
        watching.signal("HUP");
        at = watching.until(at, "error: the configuration is not valid, so everything stays as it was: camscan.yaml:4");
    }
    let text = until_metric(&env, "camscan_config_last_reload_successful 0");
    assert!(text.contains("camscan_devices{state=\"online\"} 1"), "{text}");
    watching.signal("USR1");
    let at = watching.until(at, "discovery ended");

    configuration("Zwei-Geheimnisse-2", "check_every: 30s\nmeasure_time: 310ms");
    watching.signal("HUP");
    let at = watching.until(at, "the configuration was read again");
    until_metric(&env, "camscan_config_last_reload_successful 1");
    // The scan asks the camera again, and the log has the path without the password.
    let from = watching.count();
    watching.signal("USR1");
    watching.until(from, &format!("DESCRIBE rtsp://127.88.70.1:{rtsp}/***"));
    watching.until(at, "discovery ended");
    let lines = watching.lines.lock().unwrap().clone();
    let shown: Vec<&String> =
        lines.iter().skip(at).filter(|line| line.to_lowercase().contains("zwei-geheim")).collect();
    assert_eq!(shown, [""; 0]);
    watching.signal("TERM");
}

#[test]
fn watching_goes_on_while_nothing_reads_what_it_prints() {
    let env = TestEnv::new();
    for (n, is_read_later) in [(1, false), (2, true)] {
        let ((reader, writer), cameras) = (full_pipe(), Cameras::one(camera(71, n)));
        let line = cameras.scan(&format!("--store={n}.sqlite -v")).replace("scan ", "watch ");
        let program = env.command(&line.split_whitespace().collect::<Vec<_>>());
        let watching = Watching::printing_to(writer, &[], Stdio::null(), &program);
        let at = watching.until(0, "discovery ended");
        // What the first scan found is printed before the second begins.
        watching.signal("USR1");
        watching.until(at, "discovery ended");
        if is_read_later {
            watching.read(reader);
            watching.until(0, "scan.finished");
        }
        watching.signal("TERM");
        assert_eq!(watching.end(), Some(0));
    }
}

#[test]
fn one_process_watches_at_a_time_and_the_next_one_begins_as_soon_as_it_is_killed() {
    let (env, cameras) = (TestEnv::new(), Cameras::one(camera(72, 1)));
    let line = cameras.scan("--store=s.sqlite -v").replace("scan ", "watch ");
    let first = Watching::start(&env, &line);
    first.until(0, "discovery ended");
    std::os::unix::fs::symlink(env.path("s.sqlite"), env.path("link.sqlite")).unwrap();
    for name in ["s.sqlite", "link.sqlite"] {
        let refused = Watching::start(&env, &line.replace("s.sqlite", name));
        refused.until(0, &format!("process {} on ", first.child.id()));
        assert_eq!(refused.end(), Some(1), "{name}");
    }
    let found = env.run("doctor --store s.sqlite");
    assert!(found.out.contains(&format!("running: process {} on ", first.child.id())), "{}", found.out);
    // No farewell, as after a power cut.
    first.signal("KILL");
    assert_eq!(first.end(), None);
    let next = Watching::start(&env, &line);
    next.until(0, "the store was tidied");
    next.signal("TERM");
    assert_eq!(next.end(), Some(0));
}
