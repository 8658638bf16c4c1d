//! The proof of a stream, whichever protocol brings it: the steps on the way to a frame, the stream as far as they lead, and
//! why they end where they do.

use std::time::Duration;

use crate::media::merge::{self, Declarer};
use crate::media::meter::Rates;
use crate::model::{
    ErrorKind, LadderStep, Protocol, Service, Step, Stream, StreamError, StreamSource, StreamStatus, Transport, Video,
};
use crate::probe::gate::StreamTurn;
use crate::probe::{Inspection, Peer};
use crate::protocol::http::message::Response;
use crate::protocol::http::transcript;
use crate::text;

/// Once frames flow, a key frame is waited for this much longer than the measuring takes: some cameras send one every
/// ten seconds, and that is worth a word but not the wait.
pub const KEYFRAME_PATIENCE: Duration = Duration::from_secs(2);

/// A path no device has: what is answered there is answered anywhere. Always the same, so that a device that describes any
/// path is reported alike by every scan.
pub const IMPOSSIBLE_PATH: &str = "/camscan-no-such-path";
/// A channel no recorder has; one that is described all the same shows that the number is ignored.
pub const IMPOSSIBLE_CHANNEL: u32 = 997;

/// Web ports asked for streams at most.
const MAX_WEB_PORTS: usize = 6;

/// A stream whose proof is under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// The stream as far as the steps led.
    pub stream: Stream,
}

/// Why a proof ended before a frame came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What that makes of the stream.
    pub status: StreamStatus,
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// One sentence for the operator.
    pub message: String,
}

impl Stop {
    /// Why a proof ended.
    pub fn new(status: StreamStatus, kind: ErrorKind, message: impl Into<String>) -> Stop {
        Stop { status, kind, message: message.into() }
    }

    /// The stream was accepted, and nothing of use came.
    pub fn no_data(kind: ErrorKind, message: impl Into<String>) -> Stop {
        Stop::new(StreamStatus::NoData, kind, message)
    }

    /// Anything else went wrong.
    pub fn error(kind: ErrorKind, message: impl Into<String>) -> Stop {
        Stop::new(StreamStatus::Error, kind, message)
    }

    /// An HTTP status other than success.
    pub fn of_status(peer: &Peer, status: u16) -> Stop {
        match status {
            401 | 403 => Stop::of_login(peer, status == 401),
            404 | 410 => Stop::new(StreamStatus::NotFound, ErrorKind::NotFound, format!("answered {status}")),
            453 | 503 => Stop::error(ErrorKind::Busy, format!("answered {status}")),
            _ => Stop::error(ErrorKind::Device, format!("answered {status}")),
        }
    }

    /// A login is demanded; `was_given` says that those there are were tried.
    fn of_login(peer: &Peer, was_given: bool) -> Stop {
        let is_refused = || peer.logins.credentials().iter().any(|c| peer.logins.was_refused(Protocol::Http, c));
        let (kind, message) = match peer.logins.stopped() {
            Some(why) if !peer.logins.is_locked() && is_refused() => {
                (ErrorKind::AuthRefused, format!("the login was refused; {why}"))
            }
            Some(why) => (peer.stopped_kind(), why),
            None if was_given && !peer.logins.credentials().is_empty() => {
                (ErrorKind::AuthRefused, "the login was refused".to_owned())
            }
            None => (ErrorKind::AuthRequired, "a login is demanded".to_owned()),
        };
        Stop::new(StreamStatus::AuthRequired, kind, message)
    }

    /// The same with what stopped it named before.
    pub fn about(self, what: &str) -> Stop {
        Stop { message: format!("{what}: {}", self.message), ..self }
    }
}

impl Proof {
    /// The proof of a stream of which only the address is known.
    pub fn new(url: &str, protocol: Protocol) -> Proof {
        Proof { stream: Stream::new(text::redact_url(url), protocol) }
    }

    /// The proof of a stream at the place an HTTP answer came from: connected, and no more.
    pub fn connected(peer: &Peer, protocol: Protocol, response: &Response) -> Proof {
        let mut proof = Proof::new(&response.url(peer), protocol);
        proof.stream.answers = transcript::of_http(peer, response);
        proof.stream.warnings.extend(response.notes.iter().cloned());
        proof.reached(Step::Tcp, response.connected_in);
        if let Some(took) = response.tls_in {
            proof.reached(Step::Tls, took);
        }
        proof
    }

    /// The same, where the answer, which took so long in all, is one of its protocol.
    pub fn answered(peer: &Peer, protocol: Protocol, response: &Response, took: Duration) -> Proof {
        let mut proof = Proof::connected(peer, protocol, response);
        let before = response.connected_in + response.tls_in.unwrap_or_default();
        proof.reached(Step::Spoken, took.saturating_sub(before));
        proof.stream.open = Some(!response.logged_in);
        proof
    }

    /// A step succeeded, and took so long.
    pub fn reached(&mut self, step: Step, took: Duration) {
        self.stream.ladder.push(LadderStep::new(step, true, took));
    }

    /// The stream was described in its protocol's own way.
    pub fn described(&mut self, source: StreamSource) {
        self.stream.status = StreamStatus::Described;
        self.stream.sources.push(source);
        self.reached(Step::Described, Duration::ZERO);
    }

    /// Frames came.
    pub fn streams(&mut self) {
        self.stream.status = StreamStatus::Streaming;
        self.stream.sources.push(StreamSource::Frames);
    }

    /// A contradiction or an oddity, in words for the operator.
    pub fn warn(&mut self, warning: impl Into<String>) {
        self.stream.warnings.push(warning.into());
    }

    /// The proof ended at a step.
    pub fn stop(&mut self, at: Step, why: Stop) {
        self.stream.ladder.push(LadderStep::new(at, false, Duration::ZERO));
        self.fail(why);
    }

    /// The proof ended, at a step that the ladder has already.
    pub fn fail(&mut self, why: Stop) {
        self.stream.status = why.status;
        if why.status == StreamStatus::AuthRequired {
            self.stream.open = Some(false);
        }
        self.stream.error = Some(StreamError { kind: why.kind, message: text::clean(&why.message) });
    }

    /// The picture as it came, over what was declared of it, with its rates; where they contradict each other, a warning
    /// says so.
    pub fn merge(&mut self, declared: Video, came: Video, rates: &Rates) {
        let came = Video {
            measured_fps: rates.fps_to_a_tenth(),
            measured_kbps: rates.kbps,
            keyframe_interval_s: rates.keyframe_interval_s,
            ..came
        };
        let wrong = merge::contradictions(Declarer::Description, &declared, &came);
        let wrong = wrong.into_iter().chain(merge::contradicted_rate(&declared, rates));
        self.stream.warnings.extend(wrong.map(|contradiction| contradiction.to_string()));
        let video = merge::over(declared, came);
        self.stream.video = (video != Video::default()).then_some(video);
    }
}

/// The turn to play a stream: what is behind one address is mostly one camera, whichever protocol leads to it.
pub async fn turn(host: &Inspection) -> Option<StreamTurn> {
    host.peer.gate.turn(host.options.request_timeout.min(host.peer.time_left())).await
}

/// The HTTP services; those with TLS only where there is no plain one, since both mostly show the same.
pub fn web_ports(host: &Inspection) -> Vec<Service> {
    let is_web = |s: &Service| matches!(s.protocol, Protocol::Http | Protocol::Https) && s.transport == Transport::Tcp;
    let mut services: Vec<Service> = host.record.services().into_iter().filter(is_web).collect();
    let has_plain = services.iter().any(|s| s.protocol == Protocol::Http);
    services.retain(|s| s.protocol == Protocol::Http || !has_plain);
    services.sort_by_key(|s| s.port);
    services.truncate(MAX_WEB_PORTS);
    services
}
