//! XML, the same tree as the JSON document: root `<camscan schema="camscan/1">`, one element per field under the
//! field's name. A list is an element with one element per entry: `<devices><device>…</device></devices>`; what the
//! entries are called says [`entry_name`]. An empty list is an empty element, a value that is not known has none.

use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use serde_json::{Map, Value};

use super::Exporter;
use super::format::{self, Spec};
use crate::model::Report;

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "xml",
    extensions: &["xml"],
    help: "the whole report in XML",
    is_binary: false,
    writer: format::Writer::Report(|_| Box::new(Xml)),
};

/// Writes XML.
pub struct Xml;

impl Exporter for Xml {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        // The tree is what serde makes of the report, so that no field can be forgotten here.
        let Value::Object(mut fields) = serde_json::to_value(report)? else {
            return Err(io::Error::other("a report is an object"));
        };
        let schema = fields.shift_remove("schema");
        let schema = legal(schema.as_ref().and_then(Value::as_str).unwrap_or_default());
        let mut xml = Writer::new_with_indent(&mut *out, b' ', 2);
        xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        xml.write_event(Event::Start(BytesStart::new("camscan").with_attributes([("schema", schema.as_str())])))?;
        members(&mut xml, &fields)?;
        xml.write_event(Event::End(BytesEnd::new("camscan")))?;
        out.write_all(b"\n")
    }
}

fn members(xml: &mut Writer<impl Write>, fields: &Map<String, Value>) -> io::Result<()> {
    fields.iter().try_for_each(|(name, value)| element(xml, name, value))
}

fn element(xml: &mut Writer<impl Write>, name: &str, value: &Value) -> io::Result<()> {
    let text = match value {
        Value::Null => return Ok(()),
        Value::Array(entries) if entries.is_empty() => return xml.write_event(Event::Empty(BytesStart::new(name))),
        Value::Array(entries) => {
            xml.write_event(Event::Start(BytesStart::new(name)))?;
            entries.iter().try_for_each(|entry| element(xml, entry_name(name), entry))?;
            return xml.write_event(Event::End(BytesEnd::new(name)));
        }
        Value::Object(fields) => {
            xml.write_event(Event::Start(BytesStart::new(name)))?;
            members(xml, fields)?;
            return xml.write_event(Event::End(BytesEnd::new(name)));
        }
        Value::String(text) => legal(text),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
    };
    xml.write_event(Event::Start(BytesStart::new(name)))?;
    // A reader turns a bare carriage return into a newline (XML 1.0 §2.11).
    let escaped = quick_xml::escape::escape(text).replace('\r', "&#13;");
    xml.write_event(Event::Text(BytesText::from_escaped(escaped)))?;
    xml.write_event(Event::End(BytesEnd::new(name)))
}

/// The name of a list's entries: `device` of `devices`; where the list's name has no plural, a word for it, else `item`.
pub fn entry_name(list: &str) -> &str {
    match list {
        "addresses" => "address",
        "auth" => "scheme",
        "discovered_by" => "method",
        "ladder" => "rung",
        "evidence" => "statement",
        _ => list.strip_suffix('s').filter(|one| !one.is_empty()).unwrap_or("item"),
    }
}

/// Without the characters XML 1.0 has no way to write (§2.2).
pub(crate) fn legal(text: &str) -> String {
    let allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
    text.chars().filter(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use proptest::prelude::*;
    use quick_xml::Reader;

    fn xml(report: &Report) -> String {
        let mut bytes = Vec::new();
        Xml.write(report, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Reads the document to its end, checking that it is well-formed, and gives the text of the elements `name`.
    fn texts(document: &str, name: &str) -> Vec<String> {
        let mut reader = Reader::from_str(document);
        reader.config_mut().check_end_names = true;
        let (mut inside, mut depth, mut found, mut text) = (false, 0i32, Vec::new(), String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(e) => {
                    depth += 1;
                    inside = e.name().as_ref() == name;
                    text.clear();
                }
                Event::Text(t) if inside => text.push_str(&t),
                Event::GeneralRef(r) if inside => match r.resolve_char_ref().unwrap() {
                    Some(c) => text.push(c),
                    None => {
                        text.push_str(quick_xml::escape::resolve_predefined_entity(&r).unwrap());
                    }
                },
                Event::End(_) => {
                    depth -= 1;
                    if std::mem::take(&mut inside) {
                        found.push(std::mem::take(&mut text));
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(depth, 0);
        found
    }

    #[test]
    fn a_camera_reads_well() {
        insta::assert_snapshot!(xml(&sample::report_of(vec![sample::camera()])));
    }

    #[test]
    fn every_name_of_a_hostile_report_is_text() {
        let report = sample::hostile_report();
        let names: Vec<String> = sample::HOSTILE.iter().map(|name| legal(name)).collect();
        let document = xml(&report);
        for element in ["vendor", "serial", "title", "profile_name", "detail"] {
            assert_eq!(texts(&document, element), names, "{element}");
        }
    }

    #[test]
    fn no_field_is_lost() {
        let report = sample::report();
        let document = xml(&report);
        fn walk(value: &Value, document: &str) {
            match value {
                Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                    assert!(document.contains(&format!("<{name}")) || name == "schema", "{name}");
                    walk(value, document);
                }),
                Value::Array(entries) => entries.iter().for_each(|entry| walk(entry, document)),
                _ => {}
            }
        }
        walk(&serde_json::to_value(&report).unwrap(), &document);
        assert!(document.contains("<camscan schema=\"camscan/1\">"));
    }

    proptest! {
        #[test]
        fn it_is_well_formed_for_any_name(name in any::<String>()) {
            let document = xml(&sample::report_of(vec![sample::hostile("192.0.2.1", &name)]));
            prop_assert_eq!(texts(&document, "vendor"), [legal(&name)]);
        }
    }
}
