//! What is nobody's business is replaced: the same by the same in the whole kit, and by something of the same shape, so that
//! what the scanner makes of a kit is what it makes of the device.
//!
//! First everything that has to go is collected ([`collect`]): from the places where answers state it, and from what the scan
//! found out. Then every text is passed through once ([`Anonymiser::text`]), where those values, and whatever looks like an
//! address, a MAC address or a UUID, are replaced wherever they stand. The logins given are looked for once more in what is
//! finished ([`given`]); what holds one is left out.

mod binary;
mod collect;
mod forms;
mod given;
mod heads;
mod literals;
mod patterns;
mod programs;
mod substitutes;
mod words;

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use super::conversation::rtmp;
use super::format::{Blob, Exchange, Kit, LOGIN, Message, Private, Question, Replaced};
use crate::model::recording::Recording;
use crate::model::{Device, Fact, MacAddr};
use given::Given;
use patterns::Patterns;
use programs::Programs;
use substitutes::Substitutes;

/// What is known of a device before its conversations are read.
#[derive(Debug, Clone)]
pub struct Known {
    /// The address it was asked at.
    pub device: IpAddr,
    /// Its MAC addresses.
    pub macs: Vec<MacAddr>,
    /// Its serial numbers.
    pub serials: Vec<String>,
    /// What it is called: names, host names.
    pub names: Vec<String>,
    /// Maker, model, firmware: what may stay.
    pub facts: Vec<String>,
    /// The logins the scanner had, as `(user, password)`.
    pub logins: Vec<(String, String)>,
    /// What the owner allows to stay.
    pub keep: BTreeSet<Private>,
}

impl Known {
    /// Nothing but the address.
    pub fn of(device: IpAddr) -> Known {
        Known {
            device,
            macs: Vec::new(),
            serials: Vec::new(),
            names: Vec::new(),
            facts: Vec::new(),
            logins: Vec::new(),
            keep: BTreeSet::new(),
        }
    }

    /// What a scan found out, too.
    pub fn of_device(address: IpAddr, device: Option<&Device>) -> Known {
        let mut known = Known::of(address);
        let Some(device) = device else { return known };
        known.macs.extend(device.mac);
        known.serials.extend(device.serial.clone());
        known.names.extend(device.name.iter().chain(&device.hostname).cloned());
        known.facts.extend([&device.vendor, &device.model, &device.firmware].into_iter().flatten().cloned());
        for evidence in &device.evidence {
            match evidence.fact {
                Fact::Serial => known.serials.push(evidence.value.clone()),
                Fact::Name | Fact::Hostname => known.names.push(evidence.value.clone()),
                Fact::Vendor | Fact::Model | Fact::Firmware => known.facts.push(evidence.value.clone()),
                Fact::Kind => {}
            }
        }
        known
    }
}

/// A value that is replaced wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Literal {
    kind: Private,
    original: String,
    substitute: String,
    /// Whether it counts only between what is neither letter nor digit.
    is_word: bool,
}

/// The most values that are replaced wherever they stand.
const MOST_LITERALS: usize = 4096;

/// Replaces values, always in the same way.
#[derive(Debug)]
pub struct Anonymiser {
    substitutes: Substitutes,
    /// In the order they were added.
    literals: Vec<Literal>,
    /// The same, to be looked up.
    added: HashSet<Literal>,
    /// The words of maker, model and firmware, which may stay.
    facts: words::Facts,
    /// Dotted numbers that are versions.
    versions: BTreeSet<String>,
    device: IpAddr,
    keep: BTreeSet<Private>,
    /// What programs call themselves, by which kinds and makers are told.
    programs: Programs,
    patterns: Patterns,
    given: Given,
}

/// Replaces everything in a kit that is nobody's business.
pub fn anonymise(kit: &mut Kit, recording: &Recording, known: &Known) -> Anonymiser {
    let mut anonymiser = Anonymiser::new(known);
    anonymiser.address_of(known.device);
    for ip in super::conversation::addresses(recording) {
        anonymiser.address_of(ip);
    }
    anonymiser.programs = Programs::of(kit);
    collect::known(&mut anonymiser, known);
    collect::kit(&mut anonymiser, kit, known);
    let answers = kit.tcp.iter().flat_map(|port| &port.exchanges).filter_map(|exchange| exchange.answer.as_ref());
    answers.for_each(|answer| anonymiser.given.learn(&answer.head.0));
    anonymiser.given.learn_sent(recording);
    anonymiser.patterns = Patterns::new(&anonymiser.literals);
    anonymiser.add_whole_names(known);
    for port in &mut kit.tcp {
        if let Some(tls) = &mut port.tls {
            tls.subject = anonymiser.text_of(&tls.subject);
            tls.names = tls.names.iter().map(|name| anonymiser.text_of(name)).collect();
        }
        port.exchanges.iter_mut().for_each(|exchange| anonymiser.exchange(exchange, known));
        if !anonymiser.questions(&mut port.questions) {
            let note = format!("port {}: answers that cannot be made anonymous are left out", port.port);
            kit.manifest.notes.push(note);
        }
    }
    for port in &mut kit.udp {
        if !anonymiser.questions(&mut port.questions) {
            let note = format!("UDP port {}: answers that cannot be made anonymous are left out", port.port);
            kit.manifest.notes.push(note);
        }
    }
    anonymiser.given.take_out(kit);
    kit.udp.retain(|port| !port.questions.is_empty());
    anonymiser
}

impl Anonymiser {
    fn new(known: &Known) -> Anonymiser {
        Anonymiser {
            substitutes: Substitutes::default(),
            literals: Vec::new(),
            added: HashSet::new(),
            facts: words::Facts::of(&known.facts),
            versions: BTreeSet::new(),
            device: known.device.to_canonical(),
            keep: known.keep.clone(),
            programs: Programs::default(),
            patterns: Patterns::new(&[]),
            given: Given::of(known),
        }
    }

    /// What stands in the place of an address.
    pub fn address_of(&mut self, ip: IpAddr) -> IpAddr {
        if self.keeps(Private::Address) { ip } else { self.substitutes.address(ip.to_canonical()) }
    }

    /// What was replaced so far.
    pub fn replaced(&self) -> Vec<Replaced> {
        self.substitutes.replaced()
    }

    fn keeps(&self, kind: Private) -> bool {
        self.keep.contains(&kind)
    }

    /// Has a value replaced by a text of its shape.
    fn add(&mut self, kind: Private, original: &str) {
        if !self.keeps(kind) && !self.is_full() {
            let substitute = self.substitutes.text(kind, original);
            self.add_as(kind, original, &substitute);
        }
    }

    /// Whether there is no room for a further value.
    fn is_full(&self) -> bool {
        self.literals.len() >= MOST_LITERALS
    }

    /// Has hexadecimal digits replaced by such.
    fn add_hex(&mut self, original: &str) {
        let is_hex = original.len() > 8 && original.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
        if is_hex && !self.keeps(Private::Token) {
            let lower = self.substitutes.hex(Private::Token, original);
            let is_upper = original.bytes().any(|b| b.is_ascii_uppercase());
            let substitute = if is_upper { lower.to_ascii_uppercase() } else { lower };
            self.add_as(Private::Token, original, &substitute);
        }
    }

    fn add_as(&mut self, kind: Private, original: &str, substitute: &str) {
        let is_word = original.chars().count() < 8 || matches!(kind, Private::Name | Private::Realm);
        let literal = Literal { kind, original: original.to_owned(), substitute: substitute.to_owned(), is_word };
        if !original.is_empty() && !self.is_full() && self.added.insert(literal.clone()) {
            self.literals.push(literal);
        }
    }

    /// Has the encoded and escaped forms of a value replaced.
    fn add_forms(&mut self, kind: Private, original: &str, substitute: &str) {
        if !self.keeps(kind) && !self.is_full() {
            for (form, of_substitute) in forms::of(original, substitute) {
                self.add_as(kind, &form, &of_substitute);
            }
        }
    }

    /// Names that stand encoded as a whole, where their words cannot be seen.
    fn add_whole_names(&mut self, known: &Known) {
        let users = known.logins.iter().map(|(user, _)| user);
        for name in known.names.iter().chain(users) {
            let substitute = self.text_of(name);
            if substitute != *name {
                self.add_forms(Private::Name, name, &substitute);
            }
        }
        self.patterns = Patterns::new(&self.literals);
    }

    /// A text with everything replaced in it.
    pub fn text(&mut self, text: &[u8]) -> Vec<u8> {
        // First, so that nothing else takes a part of a login for its own and leaves the rest.
        let text = self.given.replace(text);
        patterns::replace(self, &text)
    }

    /// The same of a string.
    pub fn text_of(&mut self, text: &str) -> String {
        String::from_utf8_lossy(&self.text(text.as_bytes())).into_owned()
    }

    fn exchange(&mut self, exchange: &mut Exchange, known: &Known) {
        let target = self.given.replace(exchange.ask.target.as_bytes());
        let target = heads::without_login(&String::from_utf8_lossy(&target), known);
        exchange.ask.target = self.text_of(&target);
        exchange.ask.transport = exchange.ask.transport.take().map(|t| self.text_of(&t));
        if let Some(body) = &mut exchange.ask.body {
            body.0 = self.text(&body.0);
        }
        exchange.messages.iter_mut().for_each(|message| self.message(message, known));
        let Some(answer) = &mut exchange.answer else { return };
        for piece in &mut answer.body {
            let bytes = &piece.bytes.0;
            let is_picture =
                bytes.contains(&0) || bytes.windows(16).any(|w| w.iter().all(|b| *b == super::format::FILL));
            let bare = heads::urls_without_login(&self.given.replace(bytes), known);
            let replaced = self.text(&bare);
            // Between pictures there are words, too; within a container a length must not change.
            if !is_picture || replaced.len() == bytes.len() || bytes.starts_with(b"--") || bytes.starts_with(b"\r\n--")
            {
                piece.bytes.0 = replaced;
            } else {
                piece.bytes.0.fill(super::format::FILL);
            }
        }
        let length = answer.body.iter().map(|piece| piece.bytes.0.len()).sum();
        let is_whole = !answer.goes_on && exchange.ask.method != "HEAD";
        answer.head.0 = heads::replace(self, &answer.head.0, is_whole.then_some(length), known);
    }

    fn message(&mut self, message: &mut Message, known: &Known) {
        let mut values = rtmp::values(message);
        if rtmp::is_of_values(message) {
            rtmp::each_text(&mut values, &mut |text| {
                let without = heads::urls_without_login(&self.given.replace(text.as_bytes()), known);
                *text = String::from_utf8_lossy(&self.text(&without)).into_owned();
            });
            // What could not be read of it is not written, either.
            rtmp::set_values(message, &values);
        }
    }

    /// Questions and answers with everything replaced in them; whether all of them could stay.
    fn questions(&mut self, questions: &mut Vec<Question>) -> bool {
        for question in questions.iter_mut() {
            let ask = self.datagram(&question.ask.0);
            question.ask = Blob(ask.unwrap_or_default());
            question.answers.retain_mut(|answer| {
                let replaced = self.datagram(&answer.bytes.0);
                let is_kept = replaced.is_some();
                answer.bytes = Blob(replaced.unwrap_or_default());
                is_kept
            });
        }
        let before = questions.len();
        questions.retain(|question| !question.answers.is_empty() && !question.ask.is_empty());
        questions.len() == before
    }

    /// A datagram with everything replaced in it; none when it cannot be.
    fn datagram(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(|c| c.is_control() && !"\r\n\t".contains(c)) => Some(self.text(bytes)),
            _ => binary::replace(self, bytes),
        }
    }
}

/// What stands in the place of users and passwords.
const USER: &str = LOGIN.0;
const PASSWORD: &str = LOGIN.1;

#[cfg(test)]
mod tests;
