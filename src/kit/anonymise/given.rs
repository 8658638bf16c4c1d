//! The logins that the scanner was given. Whatever else a kit may hold, none of them stays, however a device has written it.

use std::borrow::Cow;

use super::{Known, PASSWORD, words};
use crate::kit::format::{Answer, Exchange, FILL, Kit, Question, Timed};
use crate::model::Credential;
use crate::model::recording::{Recording, Side};
use crate::text::Redactor;
use crate::text::redactor::HIDDEN;
use crate::wire::auth::check::Given as Sent;
use crate::wire::auth::{self, Challenge};
use crate::wire::head;

/// A text is looked through in parts of so many bytes, so that a long one takes no more memory than a short one.
const PART: usize = 64 << 10;
/// So much of a part is looked through once more together with the next: more than a login takes, however it is written.
const OVERLAP: usize = 4 << 10;

/// Whether a password is told from the words of other texts. Shorter ones and common words stand in texts that are no
/// passwords; in addresses they are replaced all the same.
pub(super) fn is_distinct(password: &str) -> bool {
    password.chars().count() >= 5 && !words::private(password, &words::Facts::default()).is_empty()
}

/// Finds them.
#[derive(Debug, Default)]
pub(super) struct Given(Redactor);

impl Given {
    /// Those of a scan whose passwords are told from other words.
    pub(super) fn of(known: &Known) -> Given {
        let (distinct, others): (Vec<_>, Vec<_>) =
            known.logins.iter().cloned().partition(|(_, password)| is_distinct(password));
        let logins: Vec<Credential> =
            distinct.iter().map(|(user, password)| Credential::new(user, password.as_str())).collect();
        // What is made of a short word is no word of other texts.
        Given(crate::identify::redactor(&logins).with_digests_of(others))
    }

    /// Takes note of the realms that a head names: what Digest makes of a password differs by realm.
    pub(super) fn learn(&self, head: &[u8]) {
        self.0.learn_from(&String::from_utf8_lossy(head));
        let (_, headers) = head::read(head);
        let lines = headers.all("WWW-Authenticate").chain(headers.all("Proxy-Authenticate"));
        let challenges = auth::challenges(lines);
        challenges.iter().filter_map(Challenge::realm_as_sent).for_each(|realm| self.0.learn_sent_realm(&realm));
    }

    /// Takes note of the proofs of a password that the scanner sent: against them passwords can be tried at leisure.
    pub(super) fn learn_sent(&self, recording: &Recording) {
        for connection in &recording.connections {
            let sent = connection.parts.iter().filter(|part| part.from == Side::Scanner);
            let sent: Vec<u8> = sent.flat_map(|part| part.bytes.iter().copied()).collect();
            for line in sent.split(|byte| *byte == b'\n') {
                let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
                let (name, value) = line.split_at(colon);
                let is_login =
                    [&b"Authorization"[..], b"Proxy-Authorization"].iter().any(|n| name.eq_ignore_ascii_case(n));
                let given = value.get(1..).filter(|_| is_login).and_then(|value| Sent::read(value.trim_ascii()));
                let Some(given) = given else { continue };
                given.response().into_iter().for_each(|response| self.0.learn_proof(response));
                given.session().iter().for_each(|session| {
                    self.0.learn_sent_realm(&session.realm);
                    self.0.learn_session(session);
                });
            }
            let text = String::from_utf8_lossy(&sent);
            let digests = text.match_indices("PasswordDigest\">").filter_map(|(at, name)| text.get(at + name.len()..));
            digests.filter_map(|rest| rest.split('<').next()).for_each(|digest| self.0.learn_proof(digest.as_bytes()));
        }
    }

    /// A text with the kit's own password in their place.
    pub(super) fn replace(&self, text: &[u8]) -> Vec<u8> {
        if !self.stands_in(text) {
            return text.to_vec();
        }
        let without = |part: &[u8]| match self.0.redact(&String::from_utf8_lossy(part)) {
            Cow::Borrowed(_) => part.to_vec(),
            Cow::Owned(shown) => shown.replace(HIDDEN, PASSWORD).into_bytes(),
        };
        text.chunks(PART).flat_map(without).collect()
    }

    /// Whether one of them stands in a text.
    pub(super) fn stands_in(&self, text: &[u8]) -> bool {
        let is_filler = |part: &[u8]| part.iter().all(|byte| *byte == FILL);
        let from = (0..text.len()).step_by(PART);
        let mut parts = from.filter_map(|from| text.get(from..text.len().min(from + PART + OVERLAP)));
        parts.any(|part| !is_filler(part) && self.0.finds_in(&String::from_utf8_lossy(part)))
    }

    /// Takes out of a kit what holds one of them still: where it was cut into pieces, or where nothing can be replaced.
    pub(super) fn take_out(&self, kit: &mut Kit) {
        let notes = &mut kit.manifest.notes;
        for port in &mut kit.tcp {
            let before = (port.exchanges.len(), port.questions.len());
            port.exchanges.retain(|exchange| !self.stands_in_exchange(exchange));
            port.questions.retain(|question| !self.stands_in_question(question));
            if before != (port.exchanges.len(), port.questions.len()) {
                notes.push(format!("port {}: answers in which a login stands are left out", port.port));
            }
            let tls = port.tls.iter_mut().flat_map(|tls| std::iter::once(&mut tls.subject).chain(&mut tls.names));
            tls.filter(|name| self.stands_in(name.as_bytes())).for_each(String::clear);
        }
        for port in &mut kit.udp {
            let before = port.questions.len();
            port.questions.retain(|question| !self.stands_in_question(question));
            if before != port.questions.len() {
                notes.push(format!("UDP port {}: answers in which a login stands are left out", port.port));
            }
        }
    }

    fn stands_in_exchange(&self, exchange: &Exchange) -> bool {
        let ask = &exchange.ask;
        let asked =
            [Some(ask.method.as_bytes()), Some(ask.target.as_bytes()), ask.transport.as_deref().map(str::as_bytes)];
        let body = ask.body.as_ref().map(|body| body.0.as_slice());
        let media = exchange.media.iter().map(|frame| frame.bytes.0.as_slice());
        let messages = exchange.messages.iter().map(|message| message.bytes.0.as_slice());
        let mut texts = asked.into_iter().flatten().chain(body).chain(media).chain(messages);
        texts.any(|text| self.stands_in(text))
            || exchange.answer.as_ref().is_some_and(|answer| self.stands_in_answer(answer))
    }

    fn stands_in_answer(&self, answer: &Answer) -> bool {
        self.stands_in(&answer.head.0) || self.stands_in(&joined(&answer.body))
    }

    fn stands_in_question(&self, question: &Question) -> bool {
        self.stands_in(&question.ask.0) || self.stands_in(&joined(&question.answers))
    }
}

/// A device may send a login in pieces.
fn joined(pieces: &[Timed]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| piece.bytes.0.iter().copied()).collect()
}
