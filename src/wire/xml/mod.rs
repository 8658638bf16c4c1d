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
mod tests;
