//! What programs and devices call their kind in the answers: the words by which signatures read a maker or a kind there stay.

use std::collections::HashMap;

use super::words::words;
use crate::identify::signature::{Field, Signatures};
use crate::kit::format::{Kit, Spoken};
use crate::model::Fact;
use crate::text::steps;
use crate::wire::head;

/// The most programs that are looked at.
const MOST: usize = 256;
/// So many bytes of what a program calls itself are looked at.
const LONGEST: usize = 256;

/// The programs of a kit, and where each of their words stands.
#[derive(Debug, Default)]
pub(super) struct Programs {
    programs: Vec<Program>,
    /// The programs in whose names a word stands, by the word.
    by_word: HashMap<String, Vec<usize>>,
    /// What came out about the words that were asked about.
    known: HashMap<String, bool>,
}

#[derive(Debug)]
struct Program {
    field: Field,
    name: String,
    /// What signatures read from the name.
    read: Vec<(Fact, String)>,
}

impl Programs {
    /// Those that stand in the answers of a kit.
    pub(super) fn of(kit: &Kit) -> Self {
        let mut names = names(kit);
        names.sort_by(|a, b| a.1.cmp(&b.1));
        names.dedup();
        names.truncate(MOST);
        let mut programs = Programs::default();
        for (number, (field, mut name)) in names.into_iter().enumerate() {
            name.truncate(name.floor_char_boundary(LONGEST));
            for word in words(&name) {
                let all = programs.by_word.entry(word.to_owned()).or_default();
                if all.last() != Some(&number) {
                    all.push(number);
                }
            }
            let read = read(field, &name);
            programs.programs.push(Program { field, name, read });
        }
        programs
    }

    /// Whether a signature reads something from what a program calls itself, and not the same without this word.
    pub(super) fn are_read_by(&mut self, word: &str) -> bool {
        steps::look_at(1);
        let Some(all) = self.by_word.get(word) else { return false };
        if let Some(known) = self.known.get(word) {
            return *known;
        }
        let mut with_word = all.iter().filter_map(|number| self.programs.get(*number));
        let is_read = with_word.any(|program| program.read != read(program.field, &without(&program.name, word)));
        self.known.insert(word.to_owned(), is_read);
        is_read
    }
}

/// What signatures read from a text.
fn read(field: Field, text: &str) -> Vec<(Fact, String)> {
    steps::look_at(text.len());
    Signatures::builtin().evidence(field, text).into_iter().map(|e| (e.fact, e.value)).collect()
}

/// A text with another word wherever this one stands.
fn without(text: &str, word: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let bare = part.trim_end_matches(|c: char| !c.is_alphanumeric());
        match bare == word {
            true => out.extend(std::iter::repeat_n('x', word.len())),
            false => out.push_str(bare),
        }
        out.push_str(part.get(bare.len()..).unwrap_or_default());
    }
    out
}

fn names(kit: &Kit) -> Vec<(Field, String)> {
    let mut names = Vec::new();
    for exchange in kit.tcp.iter().flat_map(|port| &port.exchanges) {
        let field = if exchange.ask.protocol == Spoken::Rtsp { Field::RtspServer } else { Field::HttpServer };
        let head = exchange.answer.as_ref().map(|answer| head::read(&answer.head.0).1);
        names.extend(head.and_then(|head| Some((field, head.text("Server")?.into_owned()))));
        let pieces = exchange.answer.iter().flat_map(|answer| &answer.body);
        pieces.for_each(|piece| names.extend(device_types(&String::from_utf8_lossy(&piece.bytes.0))));
    }
    for answer in kit.udp.iter().flat_map(|port| &port.questions).flat_map(|question| &question.answers) {
        let text = String::from_utf8_lossy(&answer.bytes.0);
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let server = lines.filter(|(name, _)| name.eq_ignore_ascii_case("server"));
        names.extend(server.map(|(_, value)| (Field::SsdpServer, value.trim().to_owned())));
        names.extend(device_types(&text));
    }
    names
}

/// The types that UPnP devices state, of themselves and of what is within them.
fn device_types(text: &str) -> impl Iterator<Item = (Field, String)> {
    /// What is longer is none. No more is looked at from each place where one could begin.
    const LONGEST: usize = 128;
    let is_end = |c: char| c.is_whitespace() || "<\"'".contains(c);
    let begins = text.match_indices("urn:").filter_map(|(at, _)| text.get(at..));
    let types = begins.filter_map(move |rest| {
        let end = rest.char_indices().take(LONGEST).find(|(_, c)| is_end(*c));
        let end = end.map_or(rest.len(), |(at, _)| at);
        steps::look_at(end.min(LONGEST));
        rest.get(..end).filter(|kind| kind.len() < LONGEST && kind.contains(":device:"))
    });
    types.map(|kind| (Field::UpnpDeviceType, kind.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_taken_out_where_it_stands_alone() {
        assert_eq!(without("SAT>IP SATELLITE/SAT, ", "SAT"), "xxx>IP SATELLITE/xxx, ");
        assert_eq!(without("a", "a"), "x");
        assert_eq!(without("", "a"), "");
    }

    #[test]
    fn device_types_are_read_in_a_few_passes() {
        let kind = "urn:schemas-upnp-org:device:MediaServer:1";
        let found = |text: &str| device_types(text).map(|(_, kind)| kind).collect::<Vec<_>>();
        assert_eq!(found(&format!("ST: {kind}\r\n<a>{kind}</a> urn:a:service:b")), [kind, kind]);
        let too_long = format!("{kind}{}", "1".repeat(128));
        assert_eq!(found(&too_long), [""; 0]);
        for unit in ["urn:", "urn:device:", "urn: "] {
            let text = unit.repeat((64 << 10) / unit.len());
            let looks = steps::seen_by(|| found(&text)) / text.len();
            assert!(looks <= 64, "{looks} looks at each byte of {unit:?} repeated");
        }
    }
}
