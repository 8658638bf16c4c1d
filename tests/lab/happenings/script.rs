//! What happens to the cameras of a site, and what must be sent about it.

use serde_json::{Value, json};

use super::truth::Expected;
use crate::PASSWORD;

/// A camera is checked so often, in seconds, …
pub const CHECK: u64 = 30;
/// … all is scanned so often, …
pub const SCAN: u64 = 120;
/// … and what a scan read is read anew after so long.
pub const AGE: u64 = 240;
/// Events wait so long for others, so that no channel gets more messages than it may within the hour.
pub const WAIT: u64 = 60;
/// A scan that is under way, messages that wait for others, packets that are lost: so much later may everything be.
const SLACK: u64 = 75 + WAIT;

/// A password that camscan does not know.
pub const UNKNOWN_PASSWORD: &str = "anderes-geheim-21";
/// The second network.
pub const NETWORK: &str = "10.78.0.0/24";

/// Something that is done to the site.
#[derive(Debug, Clone)]
pub enum Act {
    /// Something about a camera changes: fields of `cameras.py`.
    Set(&'static str, Value),
    /// A camera's plug is in or out.
    Plug(&'static str, bool),
    /// A camera gets another address.
    Move(&'static str),
    /// Two cameras have each other's address from now on.
    Swap(&'static str, &'static str),
    /// The switch of the second network works or does not.
    Switch(bool),
    /// The gateway is there or not.
    Gateway(bool),
    /// The link of the machine that watches.
    Link(bool),
    /// The watching is killed, and begins anew.
    Kill,
    /// It ends by itself, and begins anew.
    Restart,
    /// The receiver takes no message of the first channel, or takes them again.
    Refuse(bool),
    /// The file of the store is removed.
    RemoveStore,
    /// Another scan of the same network begins.
    ScanBeside,
    /// A user has the refused login of a camera tried again.
    Retry(&'static str),
}

/// What happens, with its steps in seconds since its begin.
pub struct Happening {
    pub name: &'static str,
    pub steps: Vec<(u64, Act)>,
    /// Kind and subject of what must be sent, and between which seconds.
    pub sent: Vec<(&'static str, &'static str, u64, u64)>,
    /// Whether it is of the network that the other one watches as well.
    pub is_for_both: bool,
    /// It begins when it says and not by chance.
    pub is_fixed: bool,
}

impl Happening {
    fn new(name: &'static str) -> Happening {
        Happening { name, steps: Vec::new(), sent: Vec::new(), is_for_both: true, is_fixed: false }
    }

    fn step(mut self, at: u64, act: Act) -> Happening {
        self.steps.push((at, act));
        self
    }

    fn sends(mut self, kind: &'static str, subject: &'static str, from: u64, until: u64) -> Happening {
        self.sent.push((kind, subject, from, until));
        self
    }

    /// An event about the camera that the happening is named by, so long after its begin at the earliest and at the latest.
    fn about(self, kind: &'static str, from: u64, until: u64) -> Happening {
        let subject = self.name;
        self.sends(kind, subject, from, until)
    }

    fn only_first(self) -> Happening {
        Happening { is_for_both: false, ..self }
    }

    fn fixed(self) -> Happening {
        Happening { is_fixed: true, ..self }
    }

    /// What must be sent where it begins at `begin`.
    pub fn expected(&self, begin: f64) -> impl Iterator<Item = Expected> {
        self.sent.iter().map(move |(kind, subject, from, until)| Expected {
            of: self.name,
            kind,
            subject: (*subject).to_owned(),
            from: begin + *from as f64,
            until: begin + *until as f64,
        })
    }
}

fn set(camera: &'static str, field: &'static str, value: impl Into<Value>) -> Act {
    Act::Set(camera, json!({field: value.into()}))
}

fn stream(camera: &'static str, codec: &str, size: (u32, u32), fps: u32) -> Act {
    Act::Set(camera, json!({"streams": [super::site::stream("/stream1", codec, size, fps)]}))
}

/// By the next check.
const SOON: u64 = CHECK + SLACK;
/// By the next scan.
const BY_SCAN: u64 = SCAN + 2 * SLACK;
/// Silent for three minutes, asked by a check, and 20, 40, 80 and 180 s later.
const LOST: (u64, u64) = (180, 180 + CHECK + SLACK);
/// Two answers.
const BACK: u64 = 2 * CHECK + SLACK;
/// Three looks, a scan among them, or six where there are two ways.
const BROKEN: (u64, u64) = (CHECK, 6 * CHECK + SLACK);
/// Six looks.
const SLOW: (u64, u64) = (3 * CHECK, 6 * CHECK + 2 * SLACK);

/// What is short enough for a run of eight minutes.
fn short(out: u64) -> Vec<Happening> {
    let off = |camera, is_in| Act::Plug(camera, is_in);
    let lost = |happening: Happening, back: u64| {
        happening.about("device.offline", LOST.0, LOST.1).about("device.online", back, back + BACK)
    };
    let unplugged = Happening::new("unplugged").step(0, off("unplugged", false)).step(out - 30, Act::Kill);
    vec![
        lost(unplugged.step(out, off("unplugged", true)), out),
        Happening::new("restarted").step(0, off("restarted", false)).step(100, off("restarted", true)),
        Happening::new("muted").step(0, off("muted", false)).step(out - 20, off("muted", true)),
        Happening::new("frozen")
            .step(0, set("frozen", "state", "frozen"))
            .about("stream.broken", BROKEN.0, BROKEN.1)
            .step(260, set("frozen", "state", "well"))
            .about("stream.repaired", 260, 260 + BACK),
        Happening::new("path gone")
            .step(0, set("path gone", "state", "missing"))
            .about("stream.broken", BROKEN.0, BROKEN.1)
            .step(260, set("path gone", "state", "well"))
            .about("stream.repaired", 260, 260 + BACK),
        Happening::new("protected").step(0, set("protected", "password", PASSWORD)).about("stream.protected", 0, SOON),
        Happening::new("shut").step(0, set("shut", "password", UNKNOWN_PASSWORD)).about("stream.protected", 0, SOON),
        // Its stream, and what it answers over ONVIF.
        Happening::new("opened").step(0, set("opened", "password", "")).about("stream.open", 0, SOON).about(
            "stream.open",
            0,
            BY_SCAN,
        ),
        Happening::new("password")
            .step(0, set("password", "password", UNKNOWN_PASSWORD))
            .about("login.refused", 0, SOON)
            .step(150, set("password", "password", PASSWORD))
            .step(152, Act::Retry("password"))
            .about("login.accepted", 150, 150 + 60 + SOON),
        Happening::new("locked")
            .step(0, set("locked", "state", "locked"))
            .about("login.locked", 0, SOON)
            .step(150, set("locked", "state", "well"))
            .step(152, Act::Retry("locked"))
            .about("login.accepted", 150, 150 + 60 + SOON),
        Happening::new("codec").step(0, stream("codec", "h265", (1920, 1080), 10)).about("stream.changed", 0, SOON),
        Happening::new("size").step(0, stream("size", "h264", (640, 480), 10)).about("stream.changed", 0, SOON),
        Happening::new("moved").step(0, Act::Move("moved")).about("device.moved", 0, BY_SCAN),
        Happening::new("swapped").step(0, Act::Swap("swapped", "swapped too")).about("device.moved", 0, BY_SCAN).sends(
            "device.moved",
            "swapped too",
            0,
            BY_SCAN,
        ),
        Happening::new("replaced").step(0, off("replaced", false)).step(1, off("replacement", true)).sends(
            "device.replaced",
            "replacement",
            0,
            BY_SCAN,
        ),
        Happening::new("new").step(0, off("new", true)).about("device.new", 0, BY_SCAN),
        Happening::new("firmware").step(0, set("firmware", "firmware", "1.1")).about("device.changed", 0, BY_SCAN),
        Happening::new("slow").step(0, set("slow", "streams", json!([super::site::slow_stream()]))).about(
            "stream.degraded",
            SLOW.0,
            SLOW.1,
        ),
        Happening::new("busy").step(0, set("busy", "state", "busy")).about("stream.degraded", SLOW.0, SLOW.1),
        Happening::new("media server")
            .step(0, set("media server", "state", "dead"))
            .about("service.broken", BROKEN.0, BROKEN.1)
            .step(260, set("media server", "state", "well"))
            .about("service.repaired", 260, 260 + BACK),
        Happening::new("second network")
            .only_first()
            .step(0, Act::Switch(false))
            .sends("subnet.unreachable", NETWORK, 0, 180 + CHECK + 2 * SLACK)
            .step(out, Act::Switch(true))
            .sends("subnet.reachable", NETWORK, out, out + BACK),
        Happening::new("gateway").only_first().step(0, Act::Gateway(false)).step(out - 10, Act::Gateway(true)),
        Happening::new("scan beside").only_first().step(5, Act::ScanBeside).step(150, Act::ScanBeside),
        Happening::new("receiver")
            .only_first()
            .fixed()
            .step(20, Act::Refuse(true))
            .step(REFUSED.1, Act::Refuse(false))
            .sends("channel.failing", "hook", 20, 20 + 200)
            .sends("channel.recovered", "hook", REFUSED.1, REFUSED.1 + LATE),
    ]
}

/// From when until when the first channel's receiver takes nothing.
pub const REFUSED: (u64, u64) = (20, 200);
/// A message that is not taken is tried again after 5 s, one minute and five, each a fifth more or less.
pub const LATE: u64 = 360;

/// What takes longer: camscan's link is cut when all else is over.
fn long() -> Vec<Happening> {
    let off = |is_in| Act::Plug("flapping", is_in);
    const OUT: u64 = 295;
    const AGAIN: u64 = OUT + 105;
    vec![
        Happening::new("flapping")
            .step(0, off(false))
            .about("device.offline", LOST.0, OUT)
            .step(OUT, off(true))
            .about("device.online", OUT, AGAIN)
            .step(AGAIN, off(false))
            .about("device.offline", AGAIN + LOST.0, AGAIN + OUT)
            .step(AGAIN + OUT, off(true))
            .about("device.flapping", AGAIN + OUT, AGAIN + OUT + BACK),
        Happening::new("slow no more").fixed().step(420, stream("slow", "h264", (1280, 720), 10)).sends(
            "stream.repaired",
            "slow",
            420,
            420 + 3 * CHECK + SLACK,
        ),
        Happening::new("busy no more").fixed().step(420, set("busy", "state", "well")).sends(
            "stream.repaired",
            "busy",
            420,
            420 + SOON,
        ),
        Happening::new("clock").step(0, set("clock", "clock", 7200)).about("clock.wrong", 0, AGE + SCAN + 2 * SLACK),
        Happening::new("certificate").step(0, Act::Set("certificate", Value::Null)).about(
            "certificate.expiring",
            0,
            AGE + SCAN + 2 * SLACK,
        ),
        Happening::new("calm restart").only_first().step(150, Act::Restart),
        Happening::new("store")
            .only_first()
            .fixed()
            .step(480, Act::RemoveStore)
            .sends("store.failing", "", 480, 480 + 60 + SLACK)
            .sends("store.recovered", "", 480, 480 + 120 + SLACK),
        Happening::new("link").only_first().fixed().step(CALM, Act::Link(false)).step(CALM + 230, Act::Link(true)),
    ]
}

/// When all that was begun is over.
const CALM: u64 = 850;

/// A whole script.
pub struct Script {
    pub happenings: Vec<Happening>,
    /// Each begins by chance within so many seconds.
    pub spread: u64,
    /// When it is over.
    pub end: u64,
}

impl Script {
    pub fn short() -> Script {
        Script { happenings: short(250), spread: 20, end: 20 + 250 + BACK }
    }

    pub fn whole() -> Script {
        let happenings = short(330).into_iter().chain(long()).collect();
        Script { happenings, spread: 60, end: CALM + 230 + BACK }
    }
}
