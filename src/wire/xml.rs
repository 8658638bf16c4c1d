//! Reads XML as cameras send it: ONVIF SOAP, WS-Discovery, UPnP descriptions, SADP.
//!
//! Names are local names, because prefixes differ by maker and are sometimes never declared. Broken documents give what
//! could be read before and around the break. Nothing is ever fetched or expanded: a document type ends the reading, and
//! only the five predefined entities and character references mean anything.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use quick_xml::Reader;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// What is read of one document at most, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Elements within elements at most; what lies deeper is left out.
pub const MAX_DEPTH: usize = 64;
/// Elements and attributes at most; reading ends there.
pub const MAX_NODES: usize = 20_000;

/// An element. Names are without prefix; text is decoded, but not yet cleaned for people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// The local name.
    pub name: String,
    /// The attributes by local name; namespace declarations keep theirs whole (`xmlns:tds`).
    pub attributes: Vec<(String, String)>,
    /// All text directly within the element.
    pub text: String,
    /// The elements directly within it.
    pub children: Vec<Element>,
}

impl Element {
    /// The text without the white space around it, or none when there is nothing else.
    pub fn text(&self) -> Option<&str> {
        Some(self.text.trim()).filter(|t| !t.is_empty())
    }

    /// An attribute's value.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The first element of that name directly within.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The elements of that name directly within.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// The text of the first element of that name directly within, trimmed; none when empty or absent.
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).and_then(Element::text)
    }

    /// The element at the end of a way of names.
    pub fn at(&self, way: &[&str]) -> Option<&Element> {
        way.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The first element of that name, this one or any below, in document order.
    pub fn find(&self, name: &str) -> Option<&Element> {
        self.walk().find(|e| e.name == name)
    }

    /// All elements of that name, this one and any below, in document order.
    pub fn find_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.walk().filter(move |e| e.name == name)
    }

    /// The text of the first element of that name at any depth, trimmed; none when empty or absent.
    pub fn find_text(&self, name: &str) -> Option<&str> {
        self.find(name).and_then(Element::text)
    }

    /// This element and all below, in document order.
    pub fn walk(&self) -> impl Iterator<Item = &Element> {
        let mut ahead = vec![self];
        std::iter::from_fn(move || {
            let next = ahead.pop()?;
            ahead.extend(next.children.iter().rev());
            Some(next)
        })
    }
}

/// Why a reading is not complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// No element in it.
    #[error("not XML")]
    NotXml,
    /// A document type, which is refused because it can define entities.
    #[error("document type refused")]
    DocumentType,
    /// It ended within an element, a tag or a quotation.
    #[error("cut off")]
    CutOff,
    /// More elements and attributes than are read.
    #[error("more than {MAX_NODES} elements and attributes")]
    TooMany,
    /// Elements nested deeper than is read.
    #[error("elements nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// More bytes than are read.
    #[error("longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Tags that do not fit together, in words.
    #[error("not well-formed: {0}")]
    Malformed(String),
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// The outermost elements: one, unless several documents follow each other or nothing was XML.
    pub roots: Vec<Element>,
    /// What was wrong, if anything: the first defect met.
    pub defect: Option<Defect>,
}

impl Document {
    /// The first element of that name at any depth.
    pub fn find(&self, name: &str) -> Option<&Element> {
        self.roots.iter().find_map(|root| root.find(name))
    }

    /// All elements of that name at any depth, in document order.
    pub fn find_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.roots.iter().flat_map(move |root| root.find_all(name))
    }

    /// The text of the first element of that name at any depth, trimmed; none when empty or absent.
    pub fn find_text(&self, name: &str) -> Option<&str> {
        self.find(name).and_then(Element::text)
    }
}

/// Reads what can be read. Never fails: what was wrong stands beside what was read.
pub fn read(bytes: &[u8]) -> Document {
    let cut = bytes.get(..MAX_BYTES);
    let text = decode(cut.unwrap_or(bytes));
    let mut builder = Builder::default();
    if cut.is_some() && bytes.len() > MAX_BYTES {
        builder.note(Defect::TooLong);
    }
    let mut reader = Reader::from_str(&text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => {
                if !builder.take(event) {
                    break;
                }
            }
            // Says that a tag, comment or quotation is still open at the end: what came before stands.
            Err(quick_xml::Error::Syntax(_)) => {
                builder.in_text = false;
                builder.note(Defect::CutOff);
                break;
            }
            Err(error) => {
                builder.note(Defect::Malformed(error.to_string()));
                break;
            }
        }
    }
    builder.finish()
}

/// Bytes to text. What is valid UTF-8 is UTF-8 whatever the declaration says; else a byte order mark, else the declaration
/// decide, and what fits none of them is replaced by U+FFFD.
fn decode(bytes: &[u8]) -> String {
    let bytes = bytes.trim_ascii_start();
    let marked = [UTF_16LE, UTF_16BE].into_iter().find(|e| match *e == UTF_16LE {
        true => bytes.starts_with(&[0xff, 0xfe]),
        false => bytes.starts_with(&[0xfe, 0xff]),
    });
    let text = match (marked, std::str::from_utf8(bytes)) {
        (Some(encoding), _) => encoding.decode(bytes).0,
        (None, Ok(text)) => text.into(),
        (None, Err(_)) => declared(bytes).unwrap_or(UTF_8).decode(bytes).0,
    };
    text.trim_start_matches('\u{feff}').trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned()
}

/// The encoding an XML declaration names, if it can be one of bytes that read as ASCII up to here.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..bytes.len().min(256))?;
    let end = head.windows(2).position(|w| w == b"?>")?;
    let declaration = String::from_utf8_lossy(head.get(..end)?);
    let (_, after) = declaration.split_once("encoding")?;
    let label = after.trim_start().strip_prefix('=')?.trim_start().trim_matches(['"', '\'']);
    let label = label.split(['"', '\'', ' ']).next()?;
    Encoding::for_label(label.as_bytes()).filter(|e| e.is_ascii_compatible())
}

/// Builds the tree from events; the open elements are a stack, so that depth costs no call depth.
#[derive(Default)]
struct Builder {
    roots: Vec<Element>,
    open: Vec<Element>,
    /// Open elements below [`MAX_DEPTH`], counted and left out.
    skipped: usize,
    nodes: usize,
    /// Whether the last thing read was text that markup has not ended yet.
    in_text: bool,
    defect: Option<Defect>,
}

impl Builder {
    fn note(&mut self, defect: Defect) {
        self.defect.get_or_insert(defect);
    }

    /// Takes an event; says whether to go on.
    fn take(&mut self, event: Event<'_>) -> bool {
        self.in_text = matches!(event, Event::Text(_) | Event::GeneralRef(_));
        match event {
            Event::Start(tag) => return self.start(&tag, false),
            Event::Empty(tag) => return self.start(&tag, true),
            Event::End(tag) => self.end(local(tag.name().0.split_ascii_whitespace().next().unwrap_or_default())),
            Event::Text(text) => self.text(&text.into_inner()),
            Event::CData(text) => self.text(&text.into_inner()),
            Event::GeneralRef(reference) => self.reference(&reference),
            Event::DocType(_) => {
                self.note(Defect::DocumentType);
                return false;
            }
            // A further document begins; what is still open was cut off.
            Event::Decl(_) => self.close_all(),
            _ => {}
        }
        true
    }

    fn start(&mut self, tag: &BytesStart<'_>, empty: bool) -> bool {
        let name = local(tag.name().0).to_owned();
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            // A bare '<' in a text.
            self.note(Defect::Malformed(String::from("'<' begins no tag")));
            return true;
        }
        if self.open.len() >= MAX_DEPTH {
            self.skipped += usize::from(!empty);
            self.note(Defect::TooDeep);
            return true;
        }
        if let Some(Err(error)) = tag.attributes().with_checks(false).find(Result::is_err) {
            self.note(Defect::Malformed(error.to_string()));
        }
        let attributes: Vec<_> =
            tag.html_attributes().with_checks(false).filter_map(Result::ok).take(MAX_NODES).map(attribute).collect();
        self.nodes += 1 + attributes.len();
        if self.nodes > MAX_NODES {
            self.note(Defect::TooMany);
            return false;
        }
        self.open.push(Element { name, attributes, ..Element::default() });
        if empty {
            self.close();
        }
        true
    }

    /// Closes the innermost open element of that name with all within it; an end that fits nothing is passed over.
    fn end(&mut self, name: &str) {
        if let Some(left) = self.skipped.checked_sub(1) {
            self.skipped = left;
            return;
        }
        let Some(at) = self.open.iter().rposition(|e| e.name == name) else {
            return self.note(Defect::Malformed(String::from("an end tag without its start")));
        };
        if at + 1 < self.open.len() {
            self.note(Defect::Malformed(String::from("an element that is not closed")));
        }
        while self.open.len() > at {
            self.close();
        }
    }

    fn close(&mut self) {
        if let Some(done) = self.open.pop() {
            match self.open.last_mut() {
                Some(parent) => parent.children.push(done),
                None => self.roots.push(done),
            }
        }
    }

    fn close_all(&mut self) {
        self.skipped = 0;
        if !self.open.is_empty() {
            self.note(Defect::CutOff);
        }
        while !self.open.is_empty() {
            self.close();
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipped == 0
            && let Some(element) = self.open.last_mut()
        {
            element.text.extend(text.chars().filter(|c| is_xml(*c)));
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>) {
        match reference.resolve_char_ref() {
            Ok(Some(c)) => self.text(c.encode_utf8(&mut [0; 4])),
            Ok(None) => match predefined(reference) {
                Some(text) => self.text(text),
                // Unknown: left as it stands. A query like `?a=1&b=2;c` looks like a reference too.
                None => self.text(&format!("&{};", &**reference)),
            },
            Err(_) => {}
        }
    }

    fn finish(mut self) -> Document {
        if self.in_text
            && let Some(innermost) = self.open.last_mut()
        {
            // A text that was cut off is not the value it was going to be.
            innermost.text.clear();
        }
        self.close_all();
        if self.roots.is_empty() {
            self.note(Defect::NotXml);
        }
        Document { roots: self.roots, defect: self.defect }
    }
}

/// Characters XML 1.0 allows (§2.2); a reference like `&#27;` does not make others of them.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || (!c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or_default()
}

fn attribute(attribute: Attribute<'_>) -> (String, String) {
    let name = attribute.key.0;
    let name = if name.starts_with("xmlns") { name } else { local(name) };
    let raw = &*attribute.value;
    let value = quick_xml::escape::unescape_with(raw, predefined).unwrap_or_else(|_| raw.into());
    (name.to_owned(), value.chars().filter(|c| is_xml(*c)).collect())
}

/// The five entities every document has (XML 1.0 §4.6).
fn predefined(name: &str) -> Option<&'static str> {
    match name {
        "lt" => Some("<"),
        "gt" => Some(">"),
        "amp" => Some("&"),
        "quot" => Some("\""),
        "apos" => Some("'"),
        _ => None,
    }
}

/// A text as it may stand within an element or a quoted attribute.
pub fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn expected(name: &str) -> Value {
        let all: Value = serde_json::from_slice(&file("expected.json")).unwrap();
        all["files"][name].clone()
    }

    #[test]
    fn device_information_is_read_however_it_is_written() {
        for name in [
            "bom",
            "leading_crlf",
            "invalid_utf8",
            "declared_gb2312",
            "undeclared_prefix",
            "default_namespace",
            "control_characters",
            "truncated",
        ] {
            let name = format!("onvif/info_{name}.xml");
            let (document, wanted) = (read(&file(&name)), expected(&name));
            for (field, element) in [
                ("manufacturer", "Manufacturer"),
                ("model", "Model"),
                ("firmware", "FirmwareVersion"),
                ("serial", "SerialNumber"),
            ] {
                if let Some(value) = wanted[field].as_str() {
                    assert_eq!(document.find_text(element).unwrap_or_default(), value, "{name} {element}");
                }
            }
            if let Some(start) = wanted["model_prefix"].as_str() {
                assert!(document.find_text("Model").unwrap().starts_with(start), "{name}");
            }
            if wanted["must_not_contain_byte"] == "1b" {
                assert!(!document.find_text("Manufacturer").unwrap().contains('\u{1b}'), "{name}");
            }
            assert_eq!(document.defect, name.contains("truncated").then_some(Defect::CutOff), "{name}");
        }
    }

    #[test]
    fn a_document_type_is_refused_and_nothing_expanded() {
        let bomb = read(&file("onvif/info_entity_bomb.xml"));
        assert_eq!((bomb.roots.len(), bomb.defect), (0, Some(Defect::DocumentType)));
        let external = read(b"<?xml version='1.0'?><!DOCTYPE a SYSTEM 'file:///etc/passwd'><a>&x;</a>");
        assert_eq!((external.roots.len(), external.defect), (0, Some(Defect::DocumentType)));
        assert_eq!(read(b"<a>&x;</a>").find_text("a"), Some("&x;"));
    }

    #[test]
    fn references_are_decoded_once() {
        let uri = |name: &str| read(&file(name)).find_text("Uri").map(str::to_owned);
        for name in ["onvif/stream_uri_ampersand.xml", "onvif/stream_uri_raw_ampersand.xml"] {
            assert_eq!(uri(name).as_deref(), expected(name)["uri"].as_str(), "{name}");
        }
        assert_eq!(read(b"<a b='x&amp;amp;y'>&amp;lt;&#x41;&#65;&#27;&#0;</a>").find_text("a"), Some("&lt;AA"));
        assert_eq!(read(b"<a b='x&amp;amp;y'/>").roots[0].attribute("b"), Some("x&amp;y"));
        assert_eq!(read(b"<a b='x&y'/>").roots[0].attribute("b"), Some("x&y"));
    }

    #[test]
    fn two_documents_in_one_datagram_are_two_roots() {
        let both = read(&file("onvif/probe_two_documents.xml"));
        assert_eq!(both.roots.len(), 2);
        assert!(both.roots[0].at(&["Body", "a"]).is_some() && both.roots[1].at(&["Body", "b"]).is_some());
        let first_cut_off = read(b"<?xml version='1.0'?><a><b>1</b><?xml version='1.0'?><c>2</c>");
        assert_eq!((first_cut_off.find_text("b"), first_cut_off.find_text("c")), (Some("1"), Some("2")));
        assert_eq!(first_cut_off.defect, Some(Defect::CutOff));
    }

    #[test]
    fn broken_tags_cost_themselves_only() {
        for (sent, name, text) in [
            ("<a><b x mlns:w='1' xmlns:tp tz='2'><c>1</c></b><d>2</d></a>", "d", Some("2")),
            ("<a><b><c>1</b><d>2</d></a>", "d", Some("2")),
            ("<a></x><d>2</d></a>", "d", Some("2")),
            ("<a><d>2</D></a>", "d", Some("2")),
            ("<a><d >2</d ></a >", "d", Some("2")),
            ("<a><d>1 < 2</d><e>3</e></a>", "e", Some("3")),
            ("<a><d>12345", "d", None),
            ("<a><d>12345</d", "d", Some("12345")),
            ("<a><d x='1", "a", None),
            ("lollipop", "a", None),
            ("", "a", None),
        ] {
            let document = read(sent.as_bytes());
            assert_eq!(document.find_text(name), text, "{sent}");
            let whole = sent == "<a><d >2</d ></a >";
            assert_eq!(document.defect.is_none(), whole, "{sent}: {:?}", document.defect);
        }
    }

    #[test]
    fn encodings_declared_and_real() {
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("<a>ä</a>".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read(&utf16).find_text("a"), Some("ä"));
        assert_eq!(read("<?xml version=\"1.0\" encoding=\"utf-16\"?><a>ä</a>".as_bytes()).find_text("a"), Some("ä"));
        assert_eq!(read(b"<?xml encoding='iso-8859-1'?><a>\xe4</a>\0\0").find_text("a"), Some("ä"));
    }

    #[test]
    fn depth_nodes_and_bytes_are_bounded() {
        let deep = read("<a>".repeat(5000).as_bytes());
        let mut depth = 0;
        let mut element = deep.roots.first();
        while let Some(e) = element {
            depth += 1;
            element = e.children.first();
        }
        assert_eq!((depth, deep.defect), (MAX_DEPTH, Some(Defect::TooDeep)));

        let beside = format!("<r>{}<s>{}</s><t>1</t></r>", "<a>".repeat(MAX_DEPTH + 3), "x");
        assert_eq!(
            read(beside.replace("<s>", &format!("{}<s>", "</a>".repeat(MAX_DEPTH + 3))).as_bytes()).find_text("t"),
            Some("1")
        );

        let wide = read(format!("<r>{}</r>", "<a/>".repeat(MAX_NODES * 2)).as_bytes());
        assert!(wide.roots[0].children.len() < MAX_NODES);
        assert_eq!(wide.defect, Some(Defect::TooMany));
        let attributes = read(format!("<r {}/>", "a='' ".repeat(MAX_NODES * 2)).as_bytes());
        assert_eq!(attributes.defect, Some(Defect::TooMany));

        let long = read(format!("<r><a>1</a>{}</r>", " ".repeat(MAX_BYTES)).as_bytes());
        assert_eq!((long.find_text("a"), &long.defect), (Some("1"), &Some(Defect::TooLong)));
    }

    /// Captures of real devices, one of them with spaces within names, one that declares utf-16 and is UTF-8.
    #[test]
    #[ignore = "needs the captures CAMSCAN_CAPTURES names"]
    fn captures_are_read() {
        let folder = crate::testkit::captures::folder();
        let read_file = |name: &str| read(&std::fs::read(folder.join(name)).unwrap());
        let malformed = read_file("onvif/get_capabilities/unknown_malformed_namespaces.xml");
        let device = malformed.find("Capabilities").and_then(|c| c.at(&["Device", "XAddr"])).and_then(Element::text);
        assert_eq!(device, Some("http://10.201.1.11:80/onvif/Device_service"));
        let encoder = read_file("onvif/get_capabilities/encoder_declares_utf16.xml");
        let device = encoder.find("Capabilities").and_then(|c| c.at(&["Device", "XAddr"])).and_then(Element::text);
        assert_eq!(device, Some("http://192.168.30.65/onvif/device_service"));
    }

    proptest! {
        #[test]
        fn any_soup_of_markup_is_read_without_panic(parts in prop::collection::vec(
            prop::sample::select(vec!["<a>", "</a>", "<a:b c='", "'", "\"", ">", "/>", "&", ";", "#", "x", "<?xml ", "?>", "<!--", "-->", "<![CDATA[", "]]>", "<!DOCTYPE", "[", "]", "<", "=", " "]),
            0..64)) {
            let _ = read(parts.concat().as_bytes());
        }

        #[test]
        fn escaped_text_comes_back(text in "[ -~äöü摄]{0,64}") {
            let document = read(format!("<a b=\"{0}\">{0}</a>", escape(&text)).as_bytes());
            prop_assert_eq!(&document.roots[0].text, &text);
            prop_assert_eq!(document.roots[0].attribute("b"), Some(text.as_str()));
        }
    }
}
