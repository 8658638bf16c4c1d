//! The life of a session: signs that we are still there, and the farewell.

use std::ops::DerefMut;
use std::time::Duration;

use tokio::time::Instant;

use super::{Ended, Phase, Playing, Sign};
use crate::protocol::rtsp::channel::{Channel, Failure};
use crate::protocol::rtsp::client::Client;
use crate::protocol::rtsp::headers::RtspHeaders;
use crate::protocol::rtsp::login;
use crate::protocol::rtsp::wire::{Request, Response};

/// How long the answer to TEARDOWN is awaited.
const FAREWELL: Duration = Duration::from_secs(1);

/// The longest and shortest pause between signs of life, whatever the session's timeout.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_secs(2);

/// The pause where no timeout is stated. It means a minute (RFC 2326 §12.37), yet some cameras end a session that shows
/// no sign of life within five seconds.
const UNSTATED_PAUSE: Duration = Duration::from_secs(4);

impl<C: DerefMut<Target = Client>> Playing<C> {
    /// The pause between signs of life.
    pub(super) fn pause(&self) -> Duration {
        let timeout = self.phase.session().and_then(|s| s.timeout);
        timeout.map_or(UNSTATED_PAUSE, |timeout| (timeout / 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
    }

    /// Sends a sign of life when one is due. Its answer is not awaited: some devices never give one.
    pub(super) async fn keep_alive(&mut self) {
        if self.spoke.elapsed() < self.pause() {
            return;
        }
        self.spoke = Instant::now();
        self.client.negotiation.begin_more();
        // The answer to one with a login may be late, and a refusal: the next ones go without.
        if self.sign.as_ref().is_none_or(|sign| !sign.pending.has_login()) {
            self.client.negotiation.prepare();
            self.sign = None;
        }
        self.send_sign().await;
    }

    async fn send_sign(&mut self) {
        let by_parameter = self.client.public().iter().any(|m| m == "GET_PARAMETER");
        let method = if by_parameter { "GET_PARAMETER" } else { "OPTIONS" };
        let request = self.about(Request::new(method, &self.controls.first().unwrap_or(&self.aggregate).to_string()));
        let (cseq, bytes) = self.client.compose(&request);
        let pending = self.client.negotiation.take_pending();
        self.first_sign.get_or_insert(cseq);
        self.sign.get_or_insert(Sign { cseq, last: cseq, pending }).last = cseq;
        let deadline = Instant::now() + FAREWELL;
        if let Some(channel) = self.client.channel.as_mut()
            && channel.send(&bytes, deadline).await.is_err()
        {
            self.ended = Some(Ended::Closed);
        }
    }

    /// The answer to a sign of life. One that only asks for a newer nonce is repeated once; media flow all the same.
    pub(super) async fn sign_answered(&mut self, response: &Response) {
        if self.count_sign(response) {
            self.send_sign().await;
        }
    }

    /// Takes in what the answer to a sign of life says of its login; true when it is to be sent again, with a newer nonce.
    fn count_sign(&mut self, response: &Response) -> bool {
        let number = response.headers.cseq();
        let first = self.first_sign;
        // Some devices count by themselves; what is the answer to another sign is known by its number.
        let is_of_other = |sign: &Sign| {
            let numbers = i64::from(first.unwrap_or(sign.cseq))..=i64::from(sign.last);
            number.is_some_and(|number| number != i64::from(sign.cseq) && numbers.contains(&number))
        };
        let Some(sign) = self.sign.take_if(|sign| !is_of_other(sign)) else { return false };
        let negotiation = &mut self.client.negotiation;
        negotiation.put_pending(sign.pending);
        negotiation.repeated(&login::reply(response, false, None))
    }

    /// TEARDOWN, its answer awaited briefly. The connection is kept when it was answered.
    pub(super) async fn farewell(&mut self) {
        let deadline = Instant::now() + FAREWELL;
        let mut answered = true;
        self.receive_late_session(deadline).await;
        let requests = self.teardowns();
        if requests.is_empty() {
            return;
        }
        for request in &requests {
            answered = answered && self.tear_down(request, deadline).await;
        }
        // Forgotten only now: a farewell that is itself cancelled is repeated by `drop`.
        self.phase = Phase::Unset;
        self.tracks.clear();
        match self.client.channel.as_mut().filter(|_| answered && self.ended.is_none()) {
            Some(channel) => channel.drop_frames(),
            None => self.client.disconnect(),
        }
    }

    /// Waits for the answer to a SETUP that was given up on: without the session's id it cannot be taken down.
    async fn receive_late_session(&mut self, deadline: Instant) {
        if self.phase != Phase::SetupSent {
            return;
        }
        let unanswered = self.client.unanswered;
        if let (Some(channel), Some(number)) = (self.client.channel.as_mut(), unanswered) {
            channel.ignore_cancel();
            if let Ok(response) = channel.answer(number, false, deadline).await {
                self.client.unanswered = None;
                self.note_session(&response);
            }
        }
    }

    /// One TEARDOWN, with a newer nonce if need be; whether it was answered.
    async fn tear_down(&mut self, request: &Request, deadline: Instant) -> bool {
        // Its login waits for a place no longer than the answer would.
        self.client.negotiation.begin_more();
        self.client.negotiation.prepare_until(deadline).await;
        let mut is_first = true;
        loop {
            let (cseq, bytes) = self.client.compose(request);
            let Some(response) = self.answer_to(cseq, &bytes, is_first, deadline).await else {
                self.client.negotiation.unanswered(true);
                return false;
            };
            is_first = false;
            self.client.note_answer(request, &response);
            let is_again = self.client.negotiation.repeated(&login::reply(&response, false, None));
            if !is_again {
                return true;
            }
        }
    }

    /// Sends a farewell and awaits its answer. Those of a sign of life and of the request before may come first.
    async fn answer_to(&mut self, cseq: u32, bytes: &[u8], is_first: bool, deadline: Instant) -> Option<Response> {
        let channel = self.client.channel.as_mut()?;
        channel.ignore_cancel();
        channel.keep_frames = false;
        channel.send(bytes, deadline).await.ok()?;
        if let Phase::Held { parted, .. } = &mut self.phase {
            *parted += usize::from(is_first);
        }
        let mut before = self.client.unanswered.replace(cseq).map(i64::from);
        loop {
            let response = self.client.channel.as_mut()?.answer(cseq, false, deadline).await.ok()?;
            let number = response.headers.cseq();
            if let Some(sign) = self.sign.take_if(|sign| number == Some(i64::from(sign.cseq))) {
                sign.pending.end(login::reply(&response, false, None).verdict);
            } else if before.take_if(|before| number == Some(*before)).is_none() {
                self.client.unanswered = None;
                return Some(response);
            }
        }
    }

    /// What ends the session: it as a whole, or each media where those are played one by one.
    fn teardowns(&self) -> Vec<Request> {
        if self.phase.session().is_none() {
            return Vec::new();
        }
        let whole = std::slice::from_ref(&self.aggregate);
        let controls = if self.controls.is_empty() { whole } else { self.controls.as_slice() };
        controls.iter().map(|url| self.about(Request::new("TEARDOWN", &url.to_string()))).collect()
    }
}

/// The answer to the farewell numbered `cseq`, also where that to the request before, numbered `before`, comes first. Who
/// closes the connection earlier may take the farewell itself away from a device that reads it later.
async fn answer_after(
    channel: &mut Channel,
    cseq: u32,
    before: Option<u32>,
    deadline: Instant,
) -> Result<Response, Failure> {
    let response = channel.answer(cseq, false, deadline).await?;
    match before {
        Some(number) if response.headers.cseq() == Some(i64::from(number)) => {
            channel.answer(cseq, false, deadline).await
        }
        _ => Ok(response),
    }
}

impl<C: DerefMut<Target = Client>> Drop for Playing<C> {
    /// A session must not outlive its owner: cameras have few, and keep them for a minute.
    fn drop(&mut self) {
        let Phase::Held { parted, .. } = self.phase else { return };
        let mut requests = Vec::new();
        for request in self.teardowns().into_iter().skip(parted) {
            self.client.negotiation.begin_more();
            self.client.negotiation.prepare();
            let (cseq, bytes) = self.client.compose(&request);
            requests.push((cseq, bytes, self.client.negotiation.take_pending()));
        }
        let mut before = self.client.unanswered.take();
        if let Some(mut channel) = self.client.channel.take() {
            self.client.peer.farewells.spawn(async move {
                let deadline = Instant::now() + FAREWELL;
                channel.ignore_cancel();
                channel.keep_frames = false;
                if let Some(number) = before.filter(|_| requests.is_empty()) {
                    // All is said; it is only to be read before the connection closes, and whatever the answer is fine.
                    let _ = channel.answer(number, false, deadline).await;
                }
                for (cseq, bytes, pending) in requests {
                    if channel.send(&bytes, deadline).await.is_err() {
                        return;
                    }
                    let Ok(response) = answer_after(&mut channel, cseq, before.take(), deadline).await else { return };
                    pending.end(login::reply(&response, false, None).verdict);
                }
            });
        }
    }
}
