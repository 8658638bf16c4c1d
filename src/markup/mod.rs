//! Builds HTML in which nothing but our own source is markup: tags and attribute names are literals, all else is escaped.

use std::fmt::{Display, Write as _};

use base64::Engine as _;
use sha2::{Digest, Sha256};

use crate::text;

/// The longest text shown, in characters.
const LONGEST: usize = 2048;

/// What a content security policy names a style or script by, so that no other one runs.
pub fn source_hash(source: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(source))
}

/// A page in the making.
#[derive(Debug, Default)]
pub struct Markup(String);

impl Markup {
    /// What was built.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Markup of our own.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Base64, which holds nothing that needs escaping.
    pub fn base64(&mut self, bytes: &[u8]) -> &mut Self {
        base64::engine::general_purpose::STANDARD.encode_string(bytes, &mut self.0);
        self
    }

    /// `<tag name="value">`.
    pub fn open(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) -> &mut Self {
        let _ = write!(self.0, "<{tag}");
        for (name, value) in attributes {
            let _ = write!(self.0, " {name}=\"");
            self.text(value).raw("\"");
        }
        self.raw(">")
    }

    /// `<tag name="value">`, with names that stand without a value where they are true: `disabled`, `checked`.
    pub fn open_with(
        &mut self,
        tag: &'static str,
        attributes: &[(&'static str, &str)],
        marks: &[(&'static str, bool)],
    ) -> &mut Self {
        self.open(tag, attributes);
        if self.0.ends_with('>') {
            self.0.pop();
        }
        for (name, _) in marks.iter().filter(|(_, is_set)| *is_set) {
            let _ = write!(self.0, " {name}");
        }
        self.raw(">")
    }

    /// `<tag name="value">…</tag>`.
    pub fn within(
        &mut self,
        tag: &'static str,
        attributes: &[(&'static str, &str)],
        inside: impl FnOnce(&mut Markup),
    ) -> &mut Self {
        self.open(tag, attributes);
        inside(self);
        self.close(tag)
    }

    /// `</tag>`.
    pub fn close(&mut self, tag: &'static str) -> &mut Self {
        let _ = write!(self.0, "</{tag}>");
        self
    }

    /// Text, cleaned and escaped.
    pub fn text(&mut self, text: impl Display) -> &mut Self {
        for c in text::clean_to(&text.to_string(), LONGEST).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// Text of its own direction, so that another script does not turn what stands beside it.
    pub fn name(&mut self, text: impl Display) -> &mut Self {
        self.raw("<bdi>").text(text).raw("</bdi>")
    }

    /// What a device or somebody else wrote, in whichever language: it stays as it is on a page of any language.
    pub fn foreign(&mut self, text: impl Display) -> &mut Self {
        self.raw("<bdi lang=\"\">").text(text).raw("</bdi>")
    }

    /// What this program noted in English, where nothing else is known of it.
    pub fn original(&mut self, text: impl Display) -> &mut Self {
        self.raw("<bdi lang=\"en\">").text(text).raw("</bdi>")
    }

    /// `<tag class="class">text</tag>`.
    pub fn element(&mut self, tag: &'static str, class: &'static str, text: impl Display) -> &mut Self {
        let attributes = [("class", class)];
        self.open(tag, if class.is_empty() { &[] } else { &attributes }).name(text).close(tag)
    }

    /// `<th scope="col">text</th>`.
    pub fn column(&mut self, text: impl Display) -> &mut Self {
        self.raw("<th scope=\"col\">").text(text).close("th")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_holds_no_markup(text in any::<String>()) {
            let mut page = Markup::default();
            page.text(&text);
            let page = page.into_string();
            prop_assert!(!page.contains(['<', '>', '"', '\'']));
            for part in page.split('&').skip(1) {
                prop_assert!(["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|e| part.starts_with(e)), "{}", page);
            }
        }
    }
}
