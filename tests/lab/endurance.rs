//! One scan after another in one process, as whoever repeats scans makes them: whatever a scan takes of the machine, it
//! gives back. Real sockets on loopback, simulated cameras, and a process of its own.
//!
//! The long form is run by hand: `cargo test --release --test lab -- --ignored five_hundred`.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camscan::identify::signature::Signatures;
use camscan::model::options::Ffprobe;
use camscan::model::{
    Credential, HostTarget, Method, ProbeOptions, Report, ScanEvent, ScanPlan, StreamStatus, TargetSet,
};
use camscan::net::RealNet;
use camscan::scan::Scan;
use camscan::scan::session::Session;
use camscan::testkit::fleet::clip::Clip;
use camscan::testkit::fleet::{Camera, Fault, Fleet, Login};
use camscan::testkit::plan::plan_for;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::ns::player;

/// What the process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    descriptors: usize,
    tasks: usize,
    /// Resident memory, KiB.
    memory: u64,
}

impl Held {
    fn by(runtime: &Runtime) -> Held {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let memory = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
        Held {
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            tasks: runtime.metrics().num_alive_tasks(),
            memory: memory.trim().trim_end_matches(" kB").parse().unwrap(),
        }
    }
}

/// Four cameras: one whose login is given, one whose is not, one that sends nothing and one that says nothing.
fn cameras() -> Vec<Camera> {
    let clip = Arc::new(Clip::h264(include_bytes!("../data/media/camera_h264_1280x720_25fps.h264"), 25.0));
    let camera = |b: u8| Camera::new(Ipv4Addr::new(127, 90, 0, b).into(), 0).stream("/stream1", &clip, None);
    let locked = |b: u8, password: &str| Camera {
        login: Login::Digest,
        user: ("viewer".to_owned(), password.to_owned()),
        ..camera(b)
    };
    vec![
        locked(1, "right"),
        locked(2, "unknown"),
        Camera { fault: Fault::NoFrames, ..camera(3) },
        Camera { fault: Fault::Silent, ..camera(4) },
    ]
}

async fn scan(fleet: &Fleet, signatures: &Arc<Signatures>) -> Report {
    let hosts = fleet.cameras.iter().map(|c| HostTarget {
        ip: c.rtsp.ip(),
        name: None,
        zone: None,
        ports: vec![c.rtsp.port()],
    });
    let probe = ProbeOptions {
        ports: fleet.cameras.iter().map(|c| c.rtsp.port()).collect(),
        request_timeout: Duration::from_millis(400),
        frame_timeout: Duration::from_millis(300),
        measure_time: Duration::from_millis(100),
        host_timeout: Duration::from_secs(20),
        retries: 0,
        ffprobe: Ffprobe::Never,
        credentials: vec![Credential::new("viewer", "right")],
        ..ProbeOptions::default()
    };
    let plan = ScanPlan {
        methods: vec![Method::Tcp],
        discovery_time: Duration::from_secs(1),
        probe,
        ..plan_for(TargetSet::new(vec!["127.90.0.1-4".to_owned()], [], hosts, &[]))
    };
    let session = Session::new(RealNet::new(), signatures.clone(), jiff::Timestamp::now, 64);
    let scan = Scan { session, plan: Arc::new(plan), known: Vec::new(), cancel: CancellationToken::new() };
    scan.run(|_: &ScanEvent| {}).await
}

/// Runs [`endure`] in a process of its own.
fn endure_apart(count: usize) {
    let ended = Command::new("env").args(player(&format!("endure {count}"))).output().unwrap();
    print!("{}", String::from_utf8_lossy(&ended.stdout));
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// Scans `count` times after a few to warm up, and prints what was held after each.
pub fn endure(count: usize) {
    let theirs = Runtime::new().unwrap();
    let fleet = theirs.block_on(Fleet::start(cameras())).unwrap();
    let signatures = Arc::new(Signatures::builtin());
    let ours = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut first: Option<Held> = None;
    let mut memory = Vec::new();
    let mut late = 0;
    let began = Instant::now();
    for number in 0..count + WARM_UP {
        let report = ours.block_on(scan(&fleet, &signatures));
        let statuses: Vec<StreamStatus> =
            report.devices.iter().flat_map(|d| d.streams.iter().map(|s| s.status)).collect();
        let expected = [StreamStatus::Streaming, StreamStatus::AuthRequired, StreamStatus::NoData];
        // The waits are short: on a busy machine a camera may answer too late for one now and then.
        late += usize::from(statuses != expected);
        assert!(late * 10 <= number + 10, "scan {number}: {statuses:?}");
        let held = settled(&ours, first);
        if number == WARM_UP {
            first = Some(held);
        }
        if number >= WARM_UP {
            memory.push(held.memory);
            if number % 50 == 0 || number + 1 == count + WARM_UP {
                println!("after {number} scans and {:.0} s: {held:?}", began.elapsed().as_secs_f64());
            }
        }
    }
    let middle = |some: &[u64]| {
        let mut some = some.to_vec();
        some.sort_unstable();
        some[some.len() / 2]
    };
    let part = (memory.len() / 3).max(1);
    let (before, after) = (middle(&memory[..part]), middle(&memory[memory.len() - part..]));
    println!("{count} scans: {before} KiB resident in the first third, {after} KiB in the last");
    assert!(after <= before + GROWTH, "memory grows: {memory:?}");
}

/// Scans until caches and allocators have what they need.
const WARM_UP: usize = 5;

/// What the allocator may add by chance, KiB. A leak of a kilobyte a host shows in the long form.
const GROWTH: u64 = 2048;

/// What is held once what was under way has ended: farewells to cameras are said in the background.
fn settled(runtime: &Runtime, first: Option<Held>) -> Held {
    let began = Instant::now();
    loop {
        let held = Held::by(runtime);
        let is_back = |first: Held| held.descriptors <= first.descriptors;
        if held.tasks == 0 && first.is_none_or(is_back) {
            return held;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "not given back: {held:?} of {first:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn twenty_five_scans_leave_nothing_behind() {
    endure_apart(25);
}

pub fn five_hundred_scans_leave_nothing_behind() {
    endure_apart(500);
}
