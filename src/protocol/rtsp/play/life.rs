//! The life of a session: signs that we are still there, and the farewell.

use std::time::Duration;

use tokio::time::Instant;

use super::{Ended, Playing};
use crate::protocol::rtsp::wire::{Request, Response};

/// How long the answer to TEARDOWN is awaited.
const FAREWELL: Duration = Duration::from_secs(1);

/// The longest and shortest pause between signs of life, whatever the session's timeout.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_secs(2);

/// The pause where no timeout is stated. It means a minute (RFC 2326 §12.37), yet some cameras end a session that shows
/// no sign of life within five seconds.
const UNSTATED_PAUSE: Duration = Duration::from_secs(4);

impl Playing<'_> {
    /// The pause between signs of life.
    pub(super) fn pause(&self) -> Duration {
        let timeout = self.session.as_ref().and_then(|s| s.timeout);
        timeout.map_or(UNSTATED_PAUSE, |timeout| (timeout / 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
    }

    /// Sends a sign of life when one is due. Its answer is not awaited: some devices never give one.
    pub(super) async fn keep_alive(&mut self) {
        if self.spoke.elapsed() < self.pause() {
            return;
        }
        self.spoke = Instant::now();
        self.renewed = false;
        self.send_sign().await;
    }

    async fn send_sign(&mut self) {
        let by_parameter = self.client.public().iter().any(|m| m == "GET_PARAMETER");
        let method = if by_parameter { "GET_PARAMETER" } else { "OPTIONS" };
        let request = self.about(Request::new(method, &self.controls.first().unwrap_or(&self.aggregate).to_string()));
        let (_, bytes) = self.client.compose(&request);
        let deadline = Instant::now() + FAREWELL;
        if let Some(channel) = self.client.channel.as_mut()
            && channel.send(&bytes, deadline).await.is_err()
        {
            self.ended = Some(Ended::Closed);
        }
    }

    /// The answer to a sign of life. One that only asks for a newer nonce is repeated once; media flow all the same.
    pub(super) async fn sign_answered(&mut self, response: &Response) {
        if response.status == 401 && !self.renewed {
            self.renewed = true;
            if self.client.logging.renew(response) {
                self.send_sign().await;
            }
        }
    }

    /// TEARDOWN, its answer awaited briefly. The connection is kept when it was answered.
    pub(super) async fn farewell(&mut self) {
        let deadline = Instant::now() + FAREWELL;
        let mut answered = true;
        let requests = self.teardowns();
        if requests.is_empty() {
            return;
        }
        for request in &requests {
            answered = answered && self.tear_down(request, deadline).await;
        }
        // Forgotten only now: a farewell that is itself cancelled is repeated by `drop`.
        self.session = None;
        self.tracks.clear();
        match self.client.channel.as_mut().filter(|_| answered && self.ended.is_none()) {
            Some(channel) => channel.drop_frames(),
            None => self.client.disconnect(),
        }
    }

    /// One TEARDOWN, with a newer nonce if need be; whether it was answered.
    async fn tear_down(&mut self, request: &Request, deadline: Instant) -> bool {
        for _ in 0..2 {
            let (cseq, bytes) = self.client.compose(request);
            let Some(channel) = self.client.channel.as_mut() else { return false };
            channel.ignore_cancel();
            channel.keep_frames = false;
            if channel.send(&bytes, deadline).await.is_err() {
                return false;
            }
            let Ok(response) = channel.answer(cseq, false, deadline).await else { return false };
            self.client.note_answer(request, &response);
            if response.status != 401 || !self.client.logging.renew(&response) {
                break;
            }
        }
        true
    }

    /// What ends the session: it as a whole, or each media where those are played one by one.
    fn teardowns(&self) -> Vec<Request> {
        if self.session.is_none() {
            return Vec::new();
        }
        let whole = std::slice::from_ref(&self.aggregate);
        let controls = if self.controls.is_empty() { whole } else { self.controls.as_slice() };
        controls.iter().map(|url| self.about(Request::new("TEARDOWN", &url.to_string()))).collect()
    }
}

impl Drop for Playing<'_> {
    /// A session must not outlive its owner: cameras have few, and keep them for a minute.
    fn drop(&mut self) {
        let requests: Vec<_> = self.teardowns().iter().map(|request| self.client.compose(request)).collect();
        if requests.is_empty() {
            return;
        }
        if let (Some(mut channel), Ok(runtime)) = (self.client.channel.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                let deadline = Instant::now() + FAREWELL;
                channel.ignore_cancel();
                channel.keep_frames = false;
                for (cseq, bytes) in requests {
                    if channel.send(&bytes, deadline).await.is_err()
                        || channel.answer(cseq, false, deadline).await.is_err()
                    {
                        return;
                    }
                }
            });
        }
    }
}
