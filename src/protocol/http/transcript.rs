//! Answers over HTTP, for whoever looks at a device in depth.

use super::message::{Response, url};
use crate::model::Answer;
use crate::probe::Peer;
use crate::probe::transcript::Transcript;

/// The answers to a request over HTTP, those that redirected to it before it.
pub fn of_http(peer: &Peer, response: &Response) -> Vec<Answer> {
    let mut transcript = Transcript::new(peer);
    for answer in response.hops.iter().chain([response]) {
        let request = format!("{} {}", answer.method, url(peer, answer.at, &answer.target));
        // What a POST has created (WHEP's session) is his who knows its address.
        let headers = answer.headers.iter().map(|(name, value)| match answer.status {
            201 if name.eq_ignore_ascii_case("Location") => (name, b"***".as_slice()),
            _ => (name, value),
        });
        transcript.note(&request, &format!("{} {}", answer.version, answer.status), headers);
    }
    transcript.take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProbeOptions;
    use crate::testkit::net::FakeNet;
    use crate::wire::url::Endpoint;

    #[test]
    fn answers_over_http_are_shown_with_those_that_led_there() {
        let options = ProbeOptions { in_depth: true, ..ProbeOptions::default() };
        let peer = Peer::for_test(FakeNet::new(), "192.0.2.10", &options);
        let answer = |status, location: &str| Response {
            status,
            version: "HTTP/1.1".to_owned(),
            method: "POST",
            at: Endpoint::plain(80),
            target: "/whep".to_owned(),
            headers: [("Location", location)].into_iter().collect(),
            ..Response::default()
        };
        let response = Response { hops: vec![answer(302, "/x?token=77")], ..answer(201, "/whep/88") };
        let told: Vec<_> = of_http(&peer, &response)
            .into_iter()
            .map(|a| (a.request, a.status, a.headers[0].value.clone().unwrap_or_default()))
            .collect();
        let line = |status: &str, location: &str| {
            ("POST http://192.0.2.10:80/whep".to_owned(), format!("HTTP/1.1 {status}"), location.to_owned())
        };
        assert_eq!(told, [line("302", "/x?token=***"), line("201", "***")]);
    }
}
