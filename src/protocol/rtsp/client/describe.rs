//! OPTIONS and DESCRIBE: what a device offers, and how it describes a stream.

use std::time::Duration;

use bytes::Bytes;

use super::{Channel, Client};
use crate::model::{ErrorKind, Step};
use crate::protocol::rtsp::error::RtspError;
use crate::protocol::rtsp::url::{Redirect, RtspUrl};
use crate::protocol::rtsp::wire::body::looks_like_sdp;
use crate::protocol::rtsp::wire::{BodyEnd, Request, Response, Spoken};
use crate::wire::auth::Challenge;

/// Redirects followed at most.
const MOST_HOPS: u32 = 3;

/// OPTIONS before the first DESCRIBE is a courtesy; nobody waits long for its answer.
pub(super) const COURTESY: Duration = Duration::from_secs(2);

/// Whether several DESCRIBEs on one connection work; with some servers the second fails, or is answered as the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    Unknown,
    Fine,
    OneEach,
}

/// A stream's description, and what was learnt on the way to it.
#[derive(Debug, Clone)]
pub struct Described {
    /// The status, 200..=299.
    pub status: u16,
    /// Where it was found, after redirects; this goes on the wire, [`RtspUrl::shown`] to people.
    pub url: RtspUrl,
    /// What controls are relative to.
    pub base: RtspUrl,
    /// The session description as sent; empty when the answer held none.
    pub sdp: Bytes,
    /// The type the answer claims, lower case, without parameters.
    pub content_type: Option<String>,
    /// The device's `Server` header, cleaned.
    pub server: Option<String>,
    /// The methods it offers.
    pub public: Vec<String>,
    /// The challenges it made for this stream; empty when it made none.
    pub challenges: Vec<Challenge>,
    /// Whether it was given without a login.
    pub open: bool,
    /// Oddities, in words for the operator.
    pub warnings: Vec<String>,
}

impl Client {
    /// Asks what the device offers at a path, without logging in. Any answer is one, an HTTP status line too.
    ///
    /// The path is that of the stream that is asked for next, as players do it: go2rtc takes the first request of a
    /// connection for what the connection is about (pkg/rtsp/server.go, `Accept`).
    ///
    /// # Errors
    /// Connection failures, silence (`Timeout`), what is neither RTSP nor HTTP (`Protocol`).
    pub async fn options(&mut self, target: &str) -> Result<Response, RtspError> {
        self.asked_options = true;
        self.ladder.forget_from(Step::Rtsp);
        let request = Request::new("OPTIONS", &self.url(target).to_string());
        let response = self.exchange(&request, self.peer.timeouts.request, true).await?;
        self.learn(&response);
        Ok(response)
    }

    /// Asks for the description of a path (path and query, with leading `/`), logging in when the device demands it and
    /// following redirects on this host.
    ///
    /// # Errors
    /// Every status but success, every redirect that leads off the host, connection failures, and answers that broke off
    /// before anything of use.
    pub async fn describe(&mut self, target: &str) -> Result<Described, RtspError> {
        self.go_to(self.origin);
        self.courtesy(target).await;
        self.ladder.forget_from(Step::Described);
        self.spent = Duration::ZERO;
        let mut url = self.url(target);
        for _ in 0..=MOST_HOPS {
            let described = self.describe_url(&url).await;
            let ok = described.as_ref().is_ok_and(|r| (200..300).contains(&r.status));
            if self.ladder.reached(Step::Rtsp) {
                self.ladder.mark(Step::Described, ok, self.spent);
            }
            let response = described?;
            if !(300..400).contains(&response.status) {
                return self.described(url, response);
            }
            url = self.redirected(&url, &response)?;
            self.go_to(url.endpoint());
        }
        Err(self.failed(&url, Step::Described, None, ErrorKind::Redirect, "redirected too often"))
    }

    /// Where a redirect leads, on this host.
    fn redirected(&self, url: &RtspUrl, response: &Response) -> Result<RtspUrl, RtspError> {
        let location = response.headers.text("Location").unwrap_or_default();
        if self.path_login.is_some() {
            let why = "redirected although its path holds a login";
            return Err(self.failed(url, Step::Described, Some(response.status), ErrorKind::Redirect, why));
        }
        let why = match url.redirect(&location, &self.peer.name) {
            // The place named is a proxy's, not the stream's (RFC 2326 §11.3.5).
            Redirect::Here(_) | Redirect::Elsewhere(_) if response.status == 305 => "to be asked for by a proxy".into(),
            Redirect::Here(next) if next == *url => "redirected to itself".into(),
            Redirect::Here(next) => return Ok(next),
            Redirect::Elsewhere(shown) => format!("redirected off the host, to {shown}"),
            Redirect::Nowhere => "redirected without saying where".into(),
        };
        Err(self.failed(url, Step::Described, Some(response.status), ErrorKind::Redirect, &why))
    }

    /// Before the first DESCRIBE, OPTIONS: no camera is known to need it, every other client sends it.
    async fn courtesy(&mut self, target: &str) {
        if self.asked_options {
            return;
        }
        self.asked_options = true;
        let meant = self.url(target);
        // A login in a path is shown once, where it counts.
        let url = if meant.shown() == meant.to_string() { meant } else { self.url("/") };
        let request = Request::new("OPTIONS", &url.to_string());
        let limit = COURTESY.min(self.peer.timeouts.request);
        if let Ok(response) = self.exchange(&request, limit, true).await {
            self.learn(&response);
        }
    }

    /// One DESCRIBE, repeated on a connection of its own where a connection's second one fails.
    pub(in crate::protocol::rtsp) async fn describe_url(&mut self, url: &RtspUrl) -> Result<Response, RtspError> {
        let request = Request::new("DESCRIBE", &url.to_string()).with("Accept", "application/sdp");
        let is_used = |c: &Channel| c.described || c.about.as_ref().is_some_and(|about| *about != request.url);
        if self.walk == Walk::OneEach && self.channel.as_ref().is_some_and(is_used) {
            self.disconnect();
        }
        let second = self.channel.as_ref().is_some_and(|c| c.described) && self.walk == Walk::Unknown;
        let outcome = self.request(&request, true).await;
        let failed = match &outcome {
            Ok(response) => matches!(response.status, 400 | 454 | 455 | 500..=502),
            Err(error) => matches!(error.kind, ErrorKind::Timeout | ErrorKind::Closed),
        };
        if second && failed && self.peer.logins.is_in_doubt() {
            // It is not repeated with the same login before that is known to be taken still.
            self.walk = Walk::OneEach;
            return outcome;
        }
        if !second || !failed || self.peer.is_over() {
            if second {
                self.walk = Walk::Fine;
            }
            return outcome;
        }
        self.disconnect();
        let again = self.request(&request, true).await;
        let same = match (&outcome, &again) {
            (Ok(a), Ok(b)) => a.status == b.status,
            (Err(_), Err(_)) => true,
            _ => false,
        };
        self.walk = if same { Walk::Fine } else { Walk::OneEach };
        again
    }

    /// Whether each path is asked for on a connection of its own.
    pub(in crate::protocol::rtsp) fn walks_one_each(&self) -> bool {
        self.walk == Walk::OneEach
    }

    /// Takes note that the device has closed the connection: after a DESCRIBE, each gets its own from now on.
    pub(super) fn note_closed(&mut self) {
        if self.channel.as_ref().is_some_and(|c| c.described) {
            self.walk = Walk::OneEach;
        }
    }

    /// A DESCRIBE on a connection of its own, as a player asks: what it finds and the connection before did not have,
    /// shows that this server wants that for each.
    ///
    /// # Errors
    /// As [`Client::describe`].
    pub async fn describe_afresh(&mut self, target: &str) -> Result<Described, RtspError> {
        self.disconnect();
        let described = self.describe(target).await;
        if described.is_ok() {
            self.walk = Walk::OneEach;
        }
        described
    }

    fn described(&mut self, url: RtspUrl, response: Response) -> Result<Described, RtspError> {
        if response.spoken == Spoken::Http {
            return Err(self.failed(&url, Step::Rtsp, Some(response.status), ErrorKind::Protocol, "answered in HTTP"));
        }
        if !(200..300).contains(&response.status) {
            return Err(self.refused(&url, Step::Described, &response));
        }
        let headers = &response.headers;
        let is_sdp = looks_like_sdp(&response.body);
        let session_name =
            String::from_utf8_lossy(&response.body).lines().find_map(|l| l.strip_prefix("s=").map(is_go2rtc));
        if session_name == Some(true) {
            self.walk = Walk::OneEach;
        }
        if response.body.is_empty() && response.end == BodyEnd::Short {
            return Err(self.failed(
                &url,
                Step::Described,
                Some(response.status),
                ErrorKind::Closed,
                "the answer broke off",
            ));
        }
        let header = |name| headers.text(name);
        let base = url.base(header("Content-Base").as_deref(), header("Content-Location").as_deref());
        Ok(Described {
            status: response.status,
            base,
            content_type: headers.content_type(),
            server: self.server.clone(),
            public: self.public.clone(),
            challenges: self.negotiation.offered().to_vec(),
            open: self.negotiation.offered().is_empty(),
            warnings: oddities(&response, is_sdp),
            sdp: if is_sdp { response.body } else { Bytes::new() },
            url,
        })
    }
}

/// Whether a realm or the name of a session is go2rtc's, which answers every DESCRIBE of a connection as if its first
/// request's URL had been asked for, and describes that stream twice over (pkg/rtsp/server.go, internal/rtsp/rtsp.go).
pub(super) fn is_go2rtc(text: &str) -> bool {
    text.get(..6).is_some_and(|name| name.eq_ignore_ascii_case("go2rtc"))
}

fn oddities(response: &Response, is_sdp: bool) -> Vec<String> {
    let mut odd = Vec::new();
    match response.end {
        BodyEnd::Stated | BodyEnd::Found => {}
        BodyEnd::Extended => odd.push("Content-Length is smaller than the description".to_owned()),
        BodyEnd::Short => odd.push("the description is shorter than Content-Length says".to_owned()),
        BodyEnd::TooLarge => odd.push("Content-Length is beyond the limit; what came was read".to_owned()),
    }
    if response.body.is_empty() {
        odd.push("success without a description".to_owned());
    } else if !is_sdp {
        odd.push("the description is no SDP".to_owned());
    }
    odd
}
