//! Streams whose login stands in the path, as Xiongmai and its many brands want it. Asked only where no path without one
//! gave a stream, with logins the user gave, each counted as a try: a wrong one is a failed login to the device.

use tokio::time::Instant;

use super::asker::{Asker, StreamKey};
use super::client::Client;
use super::stream;
use super::url::RtspUrl;
use super::walk::{Ask, Found, Nature, Reply};
use crate::identify::stream_url::WithLogin;
use crate::model::{Credential, ErrorKind, Protocol, Stage, Stream};
use crate::probe::{Encryption, Grant, Inspection, LoginTry, Verdict, Withheld};
use crate::protocol::proof::IMPOSSIBLE_CHANNEL;
use crate::wire::url::Endpoint;

/// The streams of a port at paths that hold a login: the path as it goes on the wire, and the stream, in whose address
/// `***` stands for user and password.
///
/// The password then goes in plain text, and what is known of the maker is the device's own word. So a login is sent that
/// way only where one was demanded (`demanded`) and the device offers no Digest, or where the user allows it for the login.
pub(super) async fn look(host: &Inspection, at: Endpoint, demanded: bool) -> Vec<(String, Stream)> {
    let Some(vendor) = host.record.vendor() else { return Vec::new() };
    let withheld = host.peer.logins.withheld(&Encryption::None);
    let may = demanded && withheld.is_none();
    let known = host.peer.logins.credentials();
    let urls = host.signatures.stream_urls();
    let is_known_form = known.iter().any(|c| !urls.rtsp_with_login(&vendor, 1, c).is_empty());
    if is_known_form && !may && !known.iter().any(|c| c.allow_in_path) {
        let why = match withheld {
            _ if !demanded => "and it demanded none",
            Some(Withheld::TookTls) => "although it took logins by TLS alone before",
            _ => "although it offers Digest",
        };
        let message = format!(
            "port {}: {vendor} takes a login in the address of the stream, in plain text, {why}: not sent \
             (`login_in_path: allow` permits it)",
            at.port
        );
        host.error(Stage::Rtsp, ErrorKind::AuthRequired, message).await;
    }
    for credential in host.peer.logins.credentials().into_iter().filter(|c| may || c.allow_in_path) {
        let mut walk =
            Walk { asker: Asker::new(host, Client::new(&host.peer, at).without_login(), 0), at, found: Vec::new() };
        match walk.first(&vendor, &credential).await {
            First::Found(template) => {
                walk.others(&vendor, &credential, template).await;
                return walk.found;
            }
            First::Refused => {}
            First::Stop => break,
        }
    }
    Vec::new()
}

enum First {
    /// By this template.
    Found(usize),
    /// Every form was tried.
    Refused,
    /// Nothing more is to be tried.
    Stop,
}

struct Walk<'h> {
    asker: Asker<'h>,
    at: Endpoint,
    found: Vec<(String, Stream)>,
}

impl Walk<'_> {
    /// Tries each form of path once, with the first channel's main stream.
    async fn first(&mut self, vendor: &str, credential: &Credential) -> First {
        let urls = self.asker.host.signatures.stream_urls();
        for path in urls.rtsp_with_login(vendor, 1, credential).into_iter().filter(|p| p.shown.stream == 0) {
            if self.asker.host.peer.is_over() {
                return First::Stop;
            }
            let Some(attempt) = self.place(credential).await else { return First::Stop };
            match self.ask(&path).await {
                Reply::Video(_) => {
                    attempt.end(Verdict::Taken);
                    return First::Found(path.shown.template);
                }
                Reply::Lost | Reply::Busy => {
                    // Whether it was read is not known: it counts.
                    attempt.end(Verdict::Unclear);
                    return First::Stop;
                }
                // These devices have no one answer to a wrong login: any but a stream may be one.
                Reply::Login | Reply::NotFound | Reply::NoVideo | Reply::Silence => attempt.end(Verdict::Unclear),
            }
        }
        First::Refused
    }

    /// The sub streams and channels there are besides, by the form that worked.
    async fn others(&mut self, vendor: &str, credential: &Credential, template: usize) {
        let urls = self.asker.host.signatures.stream_urls();
        let of = |channel| {
            let all = urls.rtsp_with_login(vendor, channel, credential);
            all.into_iter().filter(move |p| p.shown.template == template)
        };
        for path in of(1).filter(|p| p.shown.stream > 0) {
            self.ask_again(&path, credential).await;
        }
        let before = self.found.len();
        let Some(impossible) = of(IMPOSSIBLE_CHANNEL).next() else { return };
        let ignores_channel = matches!(self.ask_again(&impossible, credential).await, Reply::Video(_));
        self.found.truncate(before);
        for channel in 2..=self.asker.host.options.max_channels {
            if ignores_channel || self.asker.host.peer.is_over() {
                return;
            }
            for (nth, path) in of(channel).enumerate() {
                if !matches!(self.ask_again(&path, credential).await, Reply::Video(_)) && nth == 0 {
                    return;
                }
            }
        }
    }

    /// A place of the device's limit to send a login in; none when there is none left.
    async fn place(&self, credential: &Credential) -> Option<LoginTry> {
        let host = self.asker.host;
        let deadline = host.peer.request_deadline();
        loop {
            match host.peer.logins.grant(Protocol::Rtsp, credential) {
                // It may have turned out meanwhile which device it is.
                Grant::Now(attempt)
                    if !credential.allow_in_path && host.peer.logins.withheld(&Encryption::None).is_some() =>
                {
                    attempt.end(Verdict::Unsent);
                    return None;
                }
                Grant::Now(attempt) => return Some(attempt),
                Grant::Later if Instant::now() < deadline => host.peer.logins.changed(deadline).await,
                Grant::Later | Grant::Never => return None,
            }
        }
    }

    /// Asks with a login that has worked, unless one more refusal would be too many.
    async fn ask_again(&mut self, path: &WithLogin, credential: &Credential) -> Reply<StreamKey> {
        let Some(attempt) = self.place(credential).await else { return Reply::Lost };
        let reply = self.ask(path).await;
        attempt.end(match reply {
            Reply::Video(_) => Verdict::Taken,
            Reply::Login => Verdict::Refused,
            _ => Verdict::Unclear,
        });
        reply
    }

    async fn ask(&mut self, path: &WithLogin) -> Reply<StreamKey> {
        let request = path.request.expose();
        let reply = self.asker.ask(request).await;
        if matches!(reply, Reply::Video(_)) {
            let found = Found {
                path: path.shown.path.clone(),
                channel: Some(path.shown.channel),
                hint: None,
                reply: reply.clone(),
                also_at: Vec::new(),
            };
            let answer = self.asker.asked.get(request);
            let mut stream = stream::of_found(self.asker.host, self.at, &found, answer, Nature::Honest);
            stream.url = RtspUrl::new(self.asker.host.peer.ip, self.at, &path.shown.path).shown();
            stream.open = Some(false);
            self.found.push((request.to_owned(), stream));
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::tests::{AT, answer, described};
    use super::*;
    use crate::model::{Evidence, EvidenceSource, Fact, FindingKind, LoginAttempts, ProbeOptions};
    use crate::testkit::net::FakeNet;

    const PASSWORD: &str = "tiefer-brunnen-7";

    fn host(net: FakeNet, passwords: &[&str], max_login_failures: u32) -> Inspection {
        let credentials = passwords.iter().map(|p| Credential::new("admin", *p)).collect();
        let options = ProbeOptions { credentials, max_login_failures, ..ProbeOptions::default() };
        let (host, mut said) = Inspection::for_test(net, "192.0.2.10", options);
        tokio::spawn(async move { while said.recv().await.is_some() {} });
        let vendor = Evidence::new(Fact::Vendor, "Xiongmai", EvidenceSource::Onvif, 0.9);
        host.record.learn(&FindingKind::Evidence(vendor));
        host
    }

    #[tokio::test(start_paused = true)]
    async fn a_recorders_channels_are_found_and_the_password_is_shown_nowhere() {
        let net = FakeNet::new();
        let log = net.answer(AT, |asked| {
            let of = |channel| asked.target().contains(&format!("user=admin&password={PASSWORD}&channel={channel}&"));
            if asked.method() == "OPTIONS" {
                return answer(asked, "200 OK", "", "");
            }
            if of(1) || of(2) { described(asked) } else { answer(asked, "404 Not Found", "", "") }
        });
        // Both forms with a wrong login would use two tries up.
        let host = host(net, &["wrong", PASSWORD], 3);
        let found = look(&host, Endpoint::plain(554), true).await;
        let shown: Vec<(Option<u32>, &str)> = found.iter().map(|(_, s)| (s.channel, s.url.as_str())).collect();
        assert_eq!(
            shown,
            [
                (Some(1), "rtsp://192.0.2.10:554/user=***&password=***&channel=1&stream=0.sdp?"),
                (Some(1), "rtsp://192.0.2.10:554/user=***&password=***&channel=1&stream=1.sdp?"),
                (Some(2), "rtsp://192.0.2.10:554/user=***&password=***&channel=2&stream=0.sdp?"),
                (Some(2), "rtsp://192.0.2.10:554/user=***&password=***&channel=2&stream=1.sdp?"),
            ]
        );
        assert!(found.iter().all(|(path, stream)| path.contains(PASSWORD) && stream.open == Some(false)));
        assert!(found.iter().all(|(_, stream)| !format!("{stream:?}").contains(PASSWORD)));
        assert_eq!(host.peer.logins.attempts(), Some(LoginAttempts { refused: 0, unclear: 2, limit: 3 }));
        assert!(log.all().iter().all(|a| a.header("Authorization").is_none()));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_stop_at_the_limit() {
        let net = FakeNet::new();
        let log = net.answer(AT, |asked| answer(asked, "401 Unauthorized", "", ""));
        let host = host(net, &["one", "two", "three"], 2);
        assert!(look(&host, Endpoint::plain(554), true).await.is_empty());
        assert_eq!(log.all().iter().filter(|a| a.method() == "DESCRIBE").count(), 2);
        assert_eq!(host.peer.logins.attempts(), Some(LoginAttempts { refused: 0, unclear: 2, limit: 2 }));
    }

    #[tokio::test(start_paused = true)]
    async fn other_makers_are_not_asked_that_way() {
        let net = FakeNet::new();
        let log = net.answer(AT, described);
        let host = host(net, &[PASSWORD], 2);
        for _ in 0..2 {
            let vendor = Evidence::new(Fact::Vendor, "Axis", EvidenceSource::Beacon, 0.9);
            host.record.learn(&FindingKind::Evidence(vendor.clone()));
            host.record.learn(&FindingKind::Evidence(Evidence { source: EvidenceSource::Stream, ..vendor }));
        }
        assert!(look(&host, Endpoint::plain(554), true).await.is_empty() && log.all().is_empty());
    }
}
