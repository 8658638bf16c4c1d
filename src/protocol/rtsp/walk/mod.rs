//! Which paths to ask, in which order, and what the answers prove. No I/O of its own: whoever walks brings the asking.
//!
//! A status code alone proves little: some servers describe any path, some demand a login for any path, some answer 200
//! without a description. So an impossible path is asked first, and what it gets is what a wrong path looks like.

use crate::identify::stream_url::{self, Candidate, StreamUrls};
use crate::model::finding::StreamHint;
use crate::protocol::proof::{IMPOSSIBLE_CHANNEL, IMPOSSIBLE_PATH};

/// Channels in a row that may be missing before a recorder's end is taken as reached: one empty input is common.
const GAP: u32 = 2;

/// Paths that demand a login, at most, before the walk stops: more reveal nothing new.
const MOST_LOCKED: usize = 4;

/// Paths that are busy or hang, at most, before the device is taken to be so as a whole.
const MOST_STUCK: usize = 2;

/// What came of asking a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<D> {
    /// A description with picture or sound; `D` distinguishes streams.
    Video(D),
    /// An answer that stands for no stream: no description, or one with neither picture nor sound.
    NoVideo,
    /// A login is demanded and none that would do is left.
    Login,
    /// No such path.
    NotFound,
    /// No answer in time, from a device that answered before.
    Silence,
    /// The device states that it is busy; further requests would add to its load.
    Busy,
    /// The device cannot be asked any more.
    Lost,
}

/// Asks one path at a time.
pub trait Ask {
    /// What distinguishes two streams.
    type Description: Clone + PartialEq;

    /// DESCRIBEs a path (with query, leading `/`).
    fn ask(&mut self, path: &str) -> impl Future<Output = Reply<Self::Description>> + Send;

    /// The same on a connection of its own, where nothing was asked before.
    fn ask_afresh(&mut self, path: &str) -> impl Future<Output = Reply<Self::Description>> + Send;
}

/// What a server does with paths that do not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Tells them from those that do.
    Honest,
    /// Describes any path.
    AnyPath,
    /// Demands a login for any path.
    LoginForAny,
    /// Answers 200 to any path, without a description.
    SaysYes,
    /// Was not asked, since the device announced its streams.
    Unasked,
}

/// A path that is a stream, or that was announced as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<D> {
    /// Path and query.
    pub path: String,
    /// The recorder's channel, from 1; absent where the path does not show it.
    pub channel: Option<u32>,
    /// What was announced about it.
    pub hint: Option<StreamHint>,
    /// What asking it gave.
    pub reply: Reply<D>,
    /// Other paths that gave the same description.
    pub also_at: Vec<String>,
}

/// What a walk came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Walked<D> {
    /// The streams.
    pub found: Vec<Found<D>>,
    /// What the server does with paths that do not exist.
    pub nature: Nature,
    /// How many paths were asked.
    pub asked: usize,
    /// The answer that ended the walk early.
    pub cut_short: Option<Reply<D>>,
}

/// What is known before the walk.
pub struct Known<'k> {
    /// Whether paths nobody announced may be asked.
    pub may_guess: bool,
    /// Paths the device announced, with what it said of them.
    pub announced: &'k [(String, StreamHint)],
    /// Paths where earlier scans found streams.
    pub earlier: &'k [String],
    /// Paths worth a guess, most likely first.
    pub candidates: &'k [Candidate],
    /// What the candidates were made of.
    pub urls: &'k StreamUrls,
    /// How many of `candidates` come from the device's own vendor.
    pub of_vendor: usize,
    /// Paths asked at most.
    pub max_asked: usize,
    /// Channels looked at, at most.
    pub max_channels: u32,
}

struct Walk<'a, A: Ask> {
    ask: &'a mut A,
    urls: &'a StreamUrls,
    max_asked: usize,
    /// Paths that were busy or did not answer.
    stuck: usize,
    /// The candidates that turned out to be streams, by the templates they belong to.
    hits: Vec<Candidate>,
    walked: Walked<A::Description>,
}

/// Walks a server's paths.
pub async fn walk<'a, A: Ask + Send>(ask: &'a mut A, known: &Known<'a>) -> Walked<A::Description> {
    let walked = Walked { found: Vec::new(), nature: Nature::Unasked, asked: 0, cut_short: None };
    let mut walk = Walk { ask, urls: known.urls, max_asked: known.max_asked, stuck: 0, hits: Vec::new(), walked };
    walk.announced(known).await;
    let announced = walk.walked.found.iter().any(|f| matches!(f.reply, Reply::Video(_) | Reply::Login));
    if !announced && known.may_guess && walk.goes_on() {
        walk.guess(known).await;
    }
    walk.walked
}

impl<A: Ask + Send> Walk<'_, A> {
    fn goes_on(&self) -> bool {
        self.walked.cut_short.is_none() && self.walked.asked < self.max_asked
    }

    /// Asks one path; a device that is busy or gone ends the walk.
    async fn reply(&mut self, path: &str) -> Reply<A::Description> {
        if !self.goes_on() {
            return Reply::Lost;
        }
        self.walked.asked += 1;
        let reply = self.ask.ask(path).await;
        if matches!(reply, Reply::Silence | Reply::Busy | Reply::Lost) {
            self.walked.cut_short = Some(reply.clone());
        }
        reply
    }

    /// A path that is there and cannot be served just now does not keep the next from being asked.
    fn pass_over_stuck(&mut self, reply: &Reply<A::Description>) {
        if matches!(reply, Reply::Busy | Reply::Silence) {
            self.stuck += 1;
            if self.stuck < MOST_STUCK {
                self.walked.cut_short = None;
            }
        }
    }

    /// What is announced and said to be missing is asked for once more, as a player would ask: what was asked on the
    /// connection before may have led the server astray.
    async fn announced(&mut self, known: &Known<'_>) {
        for (path, hint) in known.announced {
            let mut reply = self.reply(path).await;
            if reply == Reply::NotFound {
                reply = self.ask.ask_afresh(path).await;
            }
            self.pass_over_stuck(&reply);
            let found =
                Found { path: path.clone(), channel: hint.channel, hint: Some(hint.clone()), reply, also_at: vec![] };
            // Announced twice under one path: two profiles of one stream.
            if !self.walked.found.iter().any(|f| f.path == *path) {
                self.walked.found.push(found);
            }
        }
    }

    async fn guess(&mut self, known: &Known<'_>) {
        let reply = self.reply(IMPOSSIBLE_PATH).await;
        self.walked.nature = match &reply {
            Reply::Video(_) => Nature::AnyPath,
            Reply::Login => Nature::LoginForAny,
            Reply::NoVideo => Nature::SaysYes,
            _ => Nature::Honest,
        };
        match reply {
            Reply::Video(description) => self.any_path(known, description).await,
            // Which path is right cannot be decided; that a login is demanded is known.
            Reply::Login => self.locked(known).await,
            Reply::Silence | Reply::Busy | Reply::Lost => {}
            Reply::NotFound | Reply::NoVideo => self.candidates(known).await,
        }
    }

    /// Every path is described: the vendor's own main path, or the root, stands for the stream; another of the vendor's
    /// paths counts only when its description differs. Where neither is a stream, what the impossible path gave stands
    /// for it.
    async fn any_path(&mut self, known: &Known<'_>, impossible: A::Description) {
        let own = known.candidates.get(..known.of_vendor).unwrap_or_default();
        let first = own.first().map(|c| c.template);
        for candidate in own.iter().filter(|c| Some(c.template) == first) {
            let reply = self.reply(&candidate.path).await;
            if matches!(&reply, Reply::Video(d) if !self.has(d)) {
                self.push(&candidate.path, None, reply);
            }
        }
        if self.walked.found.is_empty() {
            self.root().await;
        }
        if self.walked.found.is_empty() {
            self.push(IMPOSSIBLE_PATH, None, Reply::Video(impossible));
        }
    }

    /// Every path demands a login: the streams are where they were when one was taken. Where none was ever found, the root
    /// stands for them.
    async fn locked(&mut self, known: &Known<'_>) {
        for path in known.earlier.iter().take(MOST_LOCKED) {
            let reply = self.reply(path).await;
            if matches!(reply, Reply::Video(_) | Reply::Login) {
                self.push(path, None, reply);
            }
        }
        if self.walked.found.is_empty() && self.goes_on() {
            self.root().await;
        }
    }

    /// Where no path can be distinguished from another, the root stands for whatever is there.
    async fn root(&mut self) {
        let reply = self.reply("/").await;
        if matches!(reply, Reply::Video(_) | Reply::Login) {
            self.push("/", None, reply);
        }
    }

    async fn candidates(&mut self, known: &Known<'_>) {
        let mut template = None;
        let mut locked = 0;
        for (n, candidate) in known.candidates.iter().enumerate() {
            if !self.goes_on() || locked >= MOST_LOCKED || template.is_some_and(|t| t != candidate.template) {
                continue;
            }
            match self.reply(&candidate.path).await {
                Reply::Video(description) => {
                    let is_new = self.take(candidate, description);
                    if n < known.of_vendor && template.is_none() {
                        // The vendor's family is found: its other spellings would only name the same streams again.
                        template = Some(candidate.template);
                    } else if n >= known.of_vendor && is_new {
                        self.family(candidate).await;
                    }
                }
                // Wrong paths were answered otherwise, and at once: this one is right.
                reply @ (Reply::Busy | Reply::Silence) if self.walked.nature == Nature::Honest => {
                    self.pass_over_stuck(&reply);
                    self.push(&candidate.path, None, reply);
                }
                Reply::Login if self.walked.nature == Nature::Honest => {
                    locked += 1;
                    self.push(&candidate.path, None, Reply::Login);
                }
                Reply::Silence => self.push(&candidate.path, None, Reply::Silence),
                _ => {}
            }
        }
        self.channels(known).await;
    }

    /// A common path that is a stream may be the first of a family: the further streams of the makers who use it.
    async fn family(&mut self, first: &Candidate) {
        for family in self.urls.families(first) {
            let mut own = None;
            for member in &family {
                if self.walked.found.iter().any(|f| f.path == member.path) {
                    continue;
                }
                match self.reply(&member.path).await {
                    Reply::Video(description) => {
                        own = family.first();
                        self.take(member, description);
                    }
                    // Without a second stream there is no third.
                    _ => break,
                }
            }
            if let (Some(own), Some(hit)) = (own, self.hits.iter_mut().find(|hit| hit.path == first.path)) {
                hit.clone_from(own);
            }
        }
    }

    /// The further channels of the family that was found first, until they end.
    async fn channels(&mut self, known: &Known<'_>) {
        let families = std::mem::take(&mut self.hits);
        let Some(main) = families.first() else { return };
        let Some(impossible) = self.urls.for_channel(main, IMPOSSIBLE_CHANNEL) else { return };
        if matches!(self.reply(&impossible.path).await, Reply::Video(_)) {
            return;
        }
        let family: Vec<&Candidate> = families.iter().filter(|c| c.template == main.template).collect();
        let mut missing = 0;
        for channel in 2..=known.max_channels {
            if missing >= GAP || !self.goes_on() {
                break;
            }
            let mut there = false;
            for member in &family {
                let Some(next) = self.urls.for_channel(member, channel) else { continue };
                match self.reply(&next.path).await {
                    reply @ Reply::Video(_) => {
                        there = true;
                        self.push(&next.path, Some(channel), reply);
                    }
                    // A channel without a main stream has no other.
                    _ => break,
                }
            }
            missing = if there { 0 } else { missing + 1 };
        }
        if self.walked.found.iter().any(|f| f.channel.is_some()) {
            for first in self.walked.found.iter_mut().filter(|f| family.iter().any(|c| c.path == f.path)) {
                first.channel = Some(1);
            }
        }
    }

    fn has(&self, description: &A::Description) -> bool {
        self.walked.found.iter().any(|f| matches!(&f.reply, Reply::Video(d) if d == description))
    }

    /// A path whose description is known already is another name of that stream. Answers whether it is a new stream.
    fn take(&mut self, candidate: &Candidate, description: A::Description) -> bool {
        let same = self.walked.found.iter_mut().find(|f| matches!(&f.reply, Reply::Video(d) if *d == description));
        // Cameras of one make are described alike by a server that has them under names.
        if let Some(known) = same.filter(|_| !stream_url::is_of_name(candidate)) {
            known.also_at.push(candidate.path.clone());
            return false;
        }
        self.hits.push(candidate.clone());
        self.push(&candidate.path, None, Reply::Video(description));
        true
    }

    fn push(&mut self, path: &str, channel: Option<u32>, reply: Reply<A::Description>) {
        self.walked.found.push(Found { path: path.to_owned(), channel, hint: None, reply, also_at: Vec::new() });
    }
}

#[cfg(test)]
mod tests;
