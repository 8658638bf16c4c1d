//! Streams whose login stands in the path, as Xiongmai and its many brands want it. Asked only where no path without one
//! gave a stream, with logins the user gave, each counted as a try: a wrong one is a failed login to the device.

use super::asker::{Asker, StreamKey};
use super::client::Client;
use super::stream;
use super::url::RtspUrl;
use super::walk::{Ask, Found, Nature, Reply};
use crate::identify::stream_url::WithLogin;
use crate::model::{Credential, ErrorKind, Stage, Stream};
use crate::probe::{Encryption, Inspection, Withheld};
use crate::protocol::proof::IMPOSSIBLE_CHANNEL;
use crate::wire::url::Endpoint;

/// The streams of a port at paths that hold a login, and that login: the path as it goes on the wire, and the stream, in
/// whose address `***` stands for user and password.
///
/// The password then goes in plain text, and what is known of the maker is the device's own word. So a login is sent that
/// way only where one was demanded (`demanded`) and the device offers no Digest, or where the user allows it for the login.
pub(super) async fn look(host: &Inspection, at: Endpoint, demanded: bool) -> Option<InPath> {
    let vendor = host.record.vendor()?;
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
        let client = Client::new(&host.peer, at).with_login_in_path(credential.clone());
        let mut walk = Walk { asker: Asker::new(host, client, 0), at, found: Vec::new() };
        match walk.first(&vendor, &credential).await {
            First::Found(template) => {
                walk.others(&vendor, &credential, template).await;
                return Some(InPath { login: credential, streams: walk.found });
            }
            First::Refused => {}
            First::Stop => break,
        }
    }
    None
}

/// Streams at paths that hold a login.
pub(super) struct InPath {
    /// The login.
    pub(super) login: Credential,
    /// Each with its path as it goes on the wire.
    pub(super) streams: Vec<(String, Stream)>,
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
            match self.ask(&path).await {
                Reply::Video(_) => return First::Found(path.shown.template),
                Reply::Lost | Reply::Busy => return First::Stop,
                // These devices have no one answer to a wrong login.
                Reply::Login | Reply::NotFound | Reply::NoVideo | Reply::Silence => {}
            }
            if self.asker.host.peer.logins.stopped().is_some() {
                return First::Stop;
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
            self.ask(&path).await;
        }
        let before = self.found.len();
        let Some(impossible) = of(IMPOSSIBLE_CHANNEL).next() else { return };
        let ignores_channel = matches!(self.ask(&impossible).await, Reply::Video(_));
        self.found.truncate(before);
        for channel in 2..=self.asker.host.options.max_channels {
            if ignores_channel || self.asker.host.peer.is_over() {
                return;
            }
            for (nth, path) in of(channel).enumerate() {
                if !matches!(self.ask(&path).await, Reply::Video(_)) && nth == 0 {
                    return;
                }
            }
        }
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
    use crate::testkit::net::{Asked, FakeNet, Reply};

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
        let found = look(&host, Endpoint::plain(554), true).await.unwrap().streams;
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
        assert!(look(&host, Endpoint::plain(554), true).await.is_none());
        assert_eq!(log.all().iter().filter(|a| a.method() == "DESCRIBE").count(), 2);
        assert_eq!(host.peer.logins.attempts(), Some(LoginAttempts { refused: 0, unclear: 2, limit: 2 }));
    }

    type Answering = fn(&Asked) -> Reply;

    /// Whatever a device does with a login in a path: it sees no third one that it does not take.
    #[tokio::test(start_paused = true)]
    async fn each_request_with_a_login_in_its_path_counts() {
        let answers: [(&str, Answering); 4] = [
            ("closed", |_| Reply::Last(Vec::new())),
            ("400", |asked| answer(asked, "400 Bad Request", "", "")),
            ("404 on one connection", |asked| answer(asked, "404 Not Found", "", "")),
            ("redirected", |asked| {
                let to = format!("Location: {}&again=1\r\n", asked.target());
                answer(asked, "302 Found", &to, "")
            }),
        ];
        for (how, reply) in answers {
            // From the start; and once the first channel is described.
            for has_first in [false, true] {
                let net = FakeNet::new();
                let log = net.answer(AT, move |asked| match asked.method() {
                    "OPTIONS" => answer(asked, "200 OK", "", ""),
                    _ if has_first && asked.target().contains("&channel=1&stream=0") => described(asked),
                    _ => reply(asked),
                });
                let host = host(net, &[PASSWORD, "another"], 2);
                let found = look(&host, Endpoint::plain(554), true).await;
                assert_eq!(found.is_some(), has_first, "{how}");
                let sent = log.all().iter().filter(|a| a.target().contains("password=")).count();
                let taken = usize::from(has_first);
                // What has no such channel is no refusal of a login that was taken.
                let most = if has_first && how != "closed" { 4 } else { 2 };
                assert!((1..=most).contains(&(sent - taken)), "{how}, {has_first}: {sent}");
            }
        }
    }

    /// A login that was taken, and is refused from then on: by DESCRIBE of further channels, and by SETUP.
    #[tokio::test(start_paused = true)]
    async fn a_login_in_a_path_that_is_refused_later_counts_as_well() {
        let net = FakeNet::new();
        let log = net.answer(AT, |asked| match asked.method() {
            "OPTIONS" => answer(asked, "200 OK", "", ""),
            "DESCRIBE" if asked.target().contains("&channel=1&stream=0") => described(asked),
            _ => answer(asked, "401 Unauthorized", "", ""),
        });
        let host = host(net, &[PASSWORD], 2);
        let found = look(&host, Endpoint::plain(554), true).await.unwrap();
        let mut client = Client::new(&host.peer, Endpoint::plain(554)).with_login_in_path(found.login);
        for (path, stream) in found.streams.iter().cycle().take(5) {
            super::super::verify::verify(&host, &mut client, path, stream.clone()).await;
        }
        let all = log.all();
        let refused = all.iter().filter(|a| {
            a.target().contains("password=")
                && !(a.method() == "DESCRIBE" && a.target().contains("&channel=1&stream=0"))
        });
        assert_eq!(refused.count(), 2, "{:?}", log.methods());
        assert_eq!(host.peer.logins.attempts(), Some(LoginAttempts { refused: 2, unclear: 0, limit: 2 }));
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
        assert!(look(&host, Endpoint::plain(554), true).await.is_none() && log.all().is_empty());
    }
}
