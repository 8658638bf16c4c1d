//! DNS messages as multicast DNS carries them (RFC 1035 §4, RFC 6762 §18). Pure, bounded, loop-proof.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::text::steps;

/// The UDP port of multicast DNS.
pub const PORT: u16 = 5353;
/// The IPv4 group.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// The IPv6 group of the link, `ff02::fb`.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// Questions and records read of one message at most.
const MOST: usize = 256;
/// The longest name in bytes (RFC 1035 §2.3.4).
const NAME_BYTES: usize = 255;
/// The longest label in bytes.
const LABEL_BYTES: usize = 63;
/// Pointers followed for one name: it has no more labels.
const MOST_POINTERS: usize = NAME_BYTES / 2;
/// Strings of one TXT record at most.
const MOST_STRINGS: usize = 64;
/// The class of everything on the Internet.
const CLASS_IN: u16 = 1;
/// In a question: an answer by unicast is welcome. In a record: it replaces what was known.
const TOP_BIT: u16 = 0x8000;

/// Record types.
pub mod kind {
    #![expect(missing_docs, reason = "the names are RFC 1035's, 2782's and 3596's")]
    pub const A: u16 = 1;
    pub const PTR: u16 = 12;
    pub const TXT: u16 = 16;
    pub const AAAA: u16 = 28;
    pub const SRV: u16 = 33;
    pub const ANY: u16 = 255;
}

/// A domain name in its labels; a label may hold dots and blanks. Bytes that are no UTF-8 are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Name(pub Vec<String>);

impl Name {
    /// A name of labels without dots in them.
    pub fn of(text: &str) -> Name {
        Name(text.split('.').filter(|l| !l.is_empty()).map(str::to_owned).collect())
    }

    /// Whether it is `other`, compared as DNS does (RFC 1035 §2.3.3).
    pub fn is(&self, other: &Name) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.eq_ignore_ascii_case(b))
    }

    /// The service type it ends in (`_rtsp._tcp`), lower case: of a type's own name or of an instance's.
    pub fn service(&self) -> Option<String> {
        let at = self.0.iter().position(|l| l.eq_ignore_ascii_case("_tcp") || l.eq_ignore_ascii_case("_udp"))?;
        let kind = self.0.get(at.checked_sub(1)?).filter(|l| l.starts_with('_'))?;
        Some(format!("{kind}.{}", self.0.get(at)?).to_ascii_lowercase())
    }

    /// The instance's own label, when it is one (`AXIS M1065 - ACCC8E000001._axis-video._tcp.local`).
    pub fn instance(&self) -> Option<&str> {
        let first = self.0.first()?;
        (!first.starts_with('_') && self.0.get(1).is_some_and(|l| l.starts_with('_'))).then_some(first)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// About which name.
    pub name: Name,
    /// Which record type ([`kind`]).
    pub kind: u16,
    /// Whether an answer by unicast is welcome (RFC 6762 §5.4).
    pub unicast: bool,
}

/// A record of any section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Of which name.
    pub name: Name,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Another name: an instance of a service type.
    Ptr(Name),
    /// Where an instance is.
    Srv {
        /// The port.
        port: u16,
        /// The host.
        target: Name,
    },
    /// Strings about an instance, mostly `key=value`.
    Txt(Vec<Vec<u8>>),
    /// Another type.
    Other(u16),
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Whether it answers.
    pub response: bool,
    /// The questions.
    pub questions: Vec<Question>,
    /// The records of all sections, in their order.
    pub records: Vec<Record>,
}

/// Writes a message, names in full. Labels that are too long are cut off; what would make a name too long is left out.
pub fn emit(message: &Message) -> Vec<u8> {
    let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes();
    let flags: u16 = if message.response { 0x8400 } else { 0 };
    let mut out = vec![0, 0];
    out.extend(flags.to_be_bytes());
    out.extend(count(message.questions.len()));
    out.extend(count(message.records.len()));
    out.extend([0; 4]);
    for question in &message.questions {
        emit_name(&mut out, &question.name);
        out.extend(question.kind.to_be_bytes());
        out.extend((CLASS_IN | if question.unicast { TOP_BIT } else { 0 }).to_be_bytes());
    }
    for record in &message.records {
        let (kind, data) = emit_data(&record.data);
        emit_name(&mut out, &record.name);
        out.extend(kind.to_be_bytes());
        out.extend(CLASS_IN.to_be_bytes());
        out.extend(120u32.to_be_bytes());
        out.extend(count(data.len()));
        out.extend(data);
    }
    out
}

fn emit_name(out: &mut Vec<u8>, name: &Name) {
    let mut left = NAME_BYTES - 1;
    for label in &name.0 {
        let label = label.as_bytes().get(..LABEL_BYTES.min(label.len())).unwrap_or_default();
        if label.is_empty() || label.len() + 1 > left {
            continue;
        }
        left -= label.len() + 1;
        out.push(label.len() as u8);
        out.extend(label);
    }
    out.push(0);
}

fn emit_data(data: &Data) -> (u16, Vec<u8>) {
    let mut out = Vec::new();
    let kind = match data {
        Data::A(ip) => {
            out.extend(ip.octets());
            kind::A
        }
        Data::Aaaa(ip) => {
            out.extend(ip.octets());
            kind::AAAA
        }
        Data::Ptr(name) => {
            emit_name(&mut out, name);
            kind::PTR
        }
        Data::Srv { port, target } => {
            out.extend([0; 4]);
            out.extend(port.to_be_bytes());
            emit_name(&mut out, target);
            kind::SRV
        }
        Data::Txt(strings) => {
            for string in strings {
                let string = string.get(..string.len().min(255)).unwrap_or_default();
                out.push(string.len() as u8);
                out.extend(string);
            }
            kind::TXT
        }
        Data::Other(kind) => *kind,
    };
    (kind, out)
}

/// Reads a message. Records up to the first that cannot be read are kept; none when not even the header can be.
pub fn parse(datagram: &[u8]) -> Option<Message> {
    let mut reader = Reader { all: datagram, at: 2 };
    let flags = reader.u16()?;
    let questions = usize::from(reader.u16()?);
    let records = usize::from(reader.u16()?) + usize::from(reader.u16()?) + usize::from(reader.u16()?);
    let mut message = Message { response: flags & 0x8000 != 0, ..Message::default() };
    for _ in 0..questions.min(MOST) {
        let Some(question) = reader.question() else { return Some(message) };
        message.questions.push(question);
    }
    for _ in 0..records.min(MOST) {
        let Some(record) = reader.record() else { break };
        message.records.extend(record);
    }
    Some(message)
}

struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.all.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn question(&mut self) -> Option<Question> {
        let name = self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        Some(Question { name, kind, unicast: class & TOP_BIT != 0 })
    }

    /// A record; `Some(None)` for one of another class or whose content makes no sense: the next can still be read.
    fn record(&mut self) -> Option<Option<Record>> {
        let name = self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        self.take(4)?;
        let length = usize::from(self.u16()?);
        let start = self.at;
        self.take(length)?;
        // Names within the content may point to anywhere before it, so it is read with the whole message at hand.
        let content = self.all.get(..start + length)?;
        let data = Reader { all: content, at: start }.data(kind);
        let usual = class & !TOP_BIT == CLASS_IN;
        Some(data.filter(|_| usual).map(|data| Record { name, data }))
    }

    fn data(&mut self, kind: u16) -> Option<Data> {
        Some(match kind {
            kind::A => Data::A(Ipv4Addr::from(<[u8; 4]>::try_from(self.take(4)?).ok()?)),
            kind::AAAA => Data::Aaaa(Ipv6Addr::from(<[u8; 16]>::try_from(self.take(16)?).ok()?)),
            kind::PTR => Data::Ptr(self.name()?),
            kind::SRV => {
                self.take(4)?;
                Data::Srv { port: self.u16()?, target: self.name()? }
            }
            kind::TXT => {
                let mut strings = Vec::new();
                while let Some([length]) = self.take(1) {
                    let Some(string) = self.take(usize::from(*length)) else { break };
                    if strings.len() < MOST_STRINGS {
                        strings.push(string.to_vec());
                    }
                }
                Data::Txt(strings)
            }
            other => Data::Other(other),
        })
    }

    /// A name, pointers followed. A pointer must lead further back than where its name began, so none leads in a circle.
    fn name(&mut self) -> Option<Name> {
        let mut labels = Vec::new();
        let mut length = 1usize;
        let mut after = None;
        let mut before = self.at;
        let mut pointers = 0;
        loop {
            steps::look_at(1);
            let first = *self.take(1)?.first()?;
            match first {
                0 => break,
                1..=63 => {
                    let label = self.take(usize::from(first))?;
                    length += label.len() + 1;
                    if length > NAME_BYTES {
                        return None;
                    }
                    labels.push(String::from_utf8_lossy(label).into_owned());
                }
                0xc0.. => {
                    let low = *self.take(1)?.first()?;
                    let to = usize::from(u16::from_be_bytes([first & 0x3f, low]));
                    after.get_or_insert(self.at);
                    pointers += 1;
                    if to >= before || pointers > MOST_POINTERS {
                        return None;
                    }
                    before = to;
                    self.at = to;
                }
                _ => return None,
            }
        }
        self.at = after.unwrap_or(self.at);
        Some(Name(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = Name> {
        prop::collection::vec("[a-zA-Z0-9_. äö-]{1,20}", 1..5).prop_map(Name)
    }

    fn data() -> impl Strategy<Value = Data> {
        prop_oneof![
            any::<Ipv4Addr>().prop_map(Data::A),
            any::<Ipv6Addr>().prop_map(Data::Aaaa),
            name().prop_map(Data::Ptr),
            (any::<u16>(), name()).prop_map(|(port, target)| Data::Srv { port, target }),
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5).prop_map(Data::Txt),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            response in any::<bool>(),
            questions in prop::collection::vec((name(), any::<u16>(), any::<bool>()), 0..6),
            records in prop::collection::vec((name(), data()), 0..8),
        ) {
            let message = Message {
                response,
                questions: questions.into_iter().map(|(name, kind, unicast)| Question { name, kind, unicast }).collect(),
                records: records.into_iter().map(|(name, data)| Record { name, data }).collect(),
            };
            prop_assert_eq!(parse(&emit(&message)), Some(message));
        }

        #[test]
        fn any_bytes_are_read_without_panic_or_end(mut bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse(&bytes);
            // As many records as a header can announce.
            if bytes.len() > 12 {
                bytes[4..12].fill(0xff);
            }
            let read = parse(&bytes);
            prop_assert!(read.is_none_or(|m| m.questions.len() <= MOST && m.records.len() <= MOST));
        }

        #[test]
        fn any_names_are_written(labels in prop::collection::vec(any::<String>(), 0..40)) {
            let question = Question { name: Name(labels), kind: kind::PTR, unicast: false };
            let bytes = emit(&Message { questions: vec![question], ..Message::default() });
            prop_assert_eq!(parse(&bytes).unwrap().questions.len(), 1);
        }
    }

    /// A header that announces `records` records, then these bytes.
    fn message(records: u8, rest: &[u8]) -> Vec<u8> {
        [&[0, 0, 0x84, 0, 0, 0, 0, records, 0, 0, 0, 0], rest].concat()
    }

    /// Every record's name leads back through all pointers of the datagram.
    #[test]
    fn a_chain_of_pointers_is_not_followed_to_its_end() {
        let mut datagram = vec![0, 0, 0x84, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0];
        let first = datagram.len() - 1;
        let pointer = |to: usize| (0xc000 | to as u16).to_be_bytes();
        // A question of type and class; then content that is all pointers, each to the one before.
        datagram.extend([0, 12, 0, 1]);
        datagram.extend([0, 0, 99, 0, 1, 0, 0, 0, 0, 0x20, 0]);
        let mut last = first;
        for _ in 0..0x1000 {
            let at = datagram.len();
            datagram.extend(pointer(last));
            last = at;
        }
        for _ in 0..255 {
            datagram.extend(pointer(last));
            datagram.extend([0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1]);
        }
        let looks = steps::seen_by(|| parse(&datagram)) / datagram.len();
        assert!(looks <= 4, "{looks} looks at each byte");
    }

    #[test]
    fn names_are_compressed_by_pointers_back_only() {
        // "_rtsp._tcp.local PTR cam._rtsp._tcp.local", the second name by a pointer to the first.
        let name = b"\x05_rtsp\x04_tcp\x05local\0";
        let good = message(1, &[&name[..], &[0, 12, 0x80, 1, 0, 0, 0, 120, 0, 6], b"\x03cam\xc0\x0c"].concat());
        assert_eq!(
            parse(&good).unwrap().records,
            [Record { name: Name::of("_rtsp._tcp.local"), data: Data::Ptr(Name::of("cam._rtsp._tcp.local")) }]
        );
        for loops in [&b"\xc0\x0c"[..], b"\x01a\xc0\x0c", b"\xc0\x0e\xc0\x0c", b"\xc0\xff", b"\xc0"] {
            assert_eq!(parse(&message(1, loops)).unwrap().records, [], "{loops:?}");
        }
    }

    #[test]
    fn one_bad_record_costs_itself_only() {
        let bad = [&b"\x01a\0"[..], &[0, 1, 0, 1, 0, 0, 0, 1, 0, 3], b"abc"].concat();
        let good = [&b"\x01b\0"[..], &[0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1]].concat();
        let read = parse(&message(3, &[bad, good].concat())).unwrap().records;
        assert_eq!(read, [Record { name: Name::of("b"), data: Data::A(Ipv4Addr::new(192, 0, 2, 1)) }]);
        assert_eq!(parse(b"short"), None);
    }

    #[test]
    fn services_and_instances_are_told_apart() {
        let instance = Name(["AXIS M1065 v. 2", "_Axis-Video", "_tcp", "local"].map(str::to_owned).to_vec());
        assert_eq!(instance.service().as_deref(), Some("_axis-video._tcp"));
        assert_eq!(instance.instance(), Some("AXIS M1065 v. 2"));
        let kind = Name::of("_http._tcp.local.");
        assert_eq!((kind.service().as_deref(), kind.instance()), (Some("_http._tcp"), None));
        assert_eq!(Name::of("axis-accc8e000001.local").service(), None);
        assert_eq!(Name::of("_tcp.local").service(), None);
    }
}
