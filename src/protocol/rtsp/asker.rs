//! Asks the paths of one port, and keeps what each of them gave.

use std::collections::HashMap;

use super::client::Client;
use super::client::describe::Described;
use super::error::RtspError;
use super::sdp::{Media, Session, lines};
use super::walk::{Ask, Reply};
use crate::model::{Answer, ErrorKind, LadderStep, Step};
use crate::probe::Inspection;

/// What distinguishes two streams: everything in a description but the address.
pub(super) type StreamKey = (Option<String>, Vec<Media>);

/// Bytes of descriptions that are kept of one host: some hundred of each stream, and a recorder has hundreds of streams.
const MOST_KEPT: usize = 4 << 20;

/// What asking a path gave, and the steps on the way.
pub(super) struct Asked {
    /// The description, or why there is none.
    pub(super) outcome: Result<(Described, Session), RtspError>,
    /// The steps on the way.
    pub(super) ladder: Vec<LadderStep>,
    /// What was answered word for word, where that is kept.
    pub(super) answers: Vec<Answer>,
    /// The description line by line, where that is kept.
    pub(super) sdp: Option<String>,
}

/// Asks the paths of one port, and keeps what each gave.
pub(super) struct Asker<'h> {
    pub(super) host: &'h Inspection,
    pub(super) client: Client,
    /// By path.
    pub(super) asked: HashMap<String, Asked>,
    /// The last path that a login opened.
    pub(super) opened: Option<String>,
    /// Bytes of the descriptions that are kept of the host.
    pub(super) kept: usize,
    /// What came of looking whether the port speaks RTSP, where it does not: the answer to every path, none of which is asked.
    pub(super) no_rtsp: Option<RtspError>,
}

impl<'h> Asker<'h> {
    /// Where so many bytes of descriptions are kept of the host's other ports.
    pub(super) fn new(host: &'h Inspection, client: Client, kept: usize) -> Self {
        Asker { host, client, asked: HashMap::new(), opened: None, kept, no_rtsp: None }
    }
}

impl Ask for Asker<'_> {
    type Description = StreamKey;

    async fn ask(&mut self, path: &str) -> Reply<StreamKey> {
        if self.host.peer.is_over() {
            return Reply::Lost;
        }
        let is_own = self.client.walks_one_each();
        let outcome = match &self.no_rtsp {
            Some(error) => Err(error.clone()),
            None => self.client.describe(path).await,
        };
        if outcome.is_ok() && self.client.negotiation.is_logged_in() {
            self.opened = Some(path.to_owned());
        }
        let reply = self.keep(path, outcome);
        if self.settle_doubt().await && !is_own && self.client.walks_one_each() {
            // It may have closed because this was the connection's second path.
            let again = self.client.describe(path).await;
            let reply = self.keep(path, again);
            self.settle_doubt().await;
            return reply;
        }
        reply
    }

    async fn ask_afresh(&mut self, path: &str) -> Reply<StreamKey> {
        if self.host.peer.is_over() {
            return Reply::Lost;
        }
        let outcome = match &self.no_rtsp {
            Some(error) => Err(error.clone()),
            None => self.client.describe_afresh(path).await,
        };
        self.keep(path, outcome)
    }
}

impl Asker<'_> {
    /// Asks once more for what a login has opened, where the device closed the connection on that login: many do where they
    /// have no such path, and take it elsewhere as before. Whether it was taken.
    async fn settle_doubt(&mut self) -> bool {
        let Some(opened) = self.opened.clone().filter(|_| self.host.peer.logins.is_in_doubt()) else { return false };
        let outcome = self.client.describe(&opened).await;
        self.client.transcript.take();
        outcome.is_ok() && !self.host.peer.logins.is_in_doubt()
    }

    /// Keeps what asking a path gave.
    fn keep(&mut self, path: &str, outcome: Result<Described, RtspError>) -> Reply<StreamKey> {
        let ladder = self.client.ladder().steps().to_vec();
        let outcome = outcome.and_then(|described| {
            let kept = self.kept.saturating_add(described.sdp.len());
            if kept > MOST_KEPT {
                let why = "described at greater length than is kept of one host";
                return Err(self.client.failed(&described.url, Step::Described, None, ErrorKind::TooLarge, why));
            }
            self.kept = kept;
            let session = Session::parse(&described.sdp).unwrap_or_default();
            Ok((described, session))
        });
        let reply = match &outcome {
            Ok((_, session)) => reply(session),
            Err(error) => match error.kind {
                kind if kind.is_of_login() => Reply::Login,
                ErrorKind::Busy => Reply::Busy,
                ErrorKind::Refused | ErrorKind::Unreachable | ErrorKind::Tls | ErrorKind::Interrupted => Reply::Lost,
                ErrorKind::Timeout => Reply::Silence,
                // No path is the reason.
                ErrorKind::Protocol | ErrorKind::TooLarge | ErrorKind::Device if error.status.is_none() => {
                    Reply::Silence
                }
                _ => Reply::NotFound,
            },
        };
        let sdp = match &outcome {
            Ok((described, _)) => self.client.transcript.description(lines::decoded(&described.sdp)),
            Err(_) => None,
        };
        let answers = self.client.transcript.take();
        self.asked.insert(path.to_owned(), Asked { outcome, ladder, answers, sdp });
        reply
    }
}

fn reply(session: &Session) -> Reply<StreamKey> {
    if session.video().or(session.sound_alone()).is_none() {
        return Reply::NoVideo;
    }
    let medias = session.medias.iter().cloned().map(|m| Media { control: None, ..m }).collect();
    Reply::Video((session.name.clone(), medias))
}
