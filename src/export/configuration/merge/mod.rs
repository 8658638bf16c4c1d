//! New entries for a configuration that is there already, without a change to any other byte of it: comments, order and
//! passwords stay as they are.
//!
//! Lines are put into the text of block mappings (YAML 1.2.2 §8.2.2). That the result means the same as before, with the new
//! entries and nothing else, is then made sure by reading both; where it does not, nothing is written.

use serde_yaml::{Mapping, Value};

use super::section::{STEP, Section, indented};
use crate::text::nesting;

/// Why nothing can be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The file is no YAML.
    #[error("it cannot be read as YAML: {0}")]
    NotYaml(String),
    /// A section is written in braces, or is no mapping.
    #[error("line {line}: `{key}` is not written as a list of lines below it, the only form that entries are added to")]
    NotBlock {
        /// The key.
        key: String,
        /// Its line, from 1.
        line: usize,
    },
    /// There are several documents in the file.
    #[error("line {0}: a second document begins; entries are added to files with one")]
    SeveralDocuments(usize),
    /// Lines could be put in, but the result means something else.
    #[error("its form is not understood well enough to add to it without changing something else")]
    NotUnderstood,
}

/// Lines put into a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insertion {
    /// Before which line of the old text they stand, from 0.
    pub before: usize,
    /// The lines.
    pub lines: Vec<String>,
    /// Whether the line before them lost its `{}`.
    pub opens: bool,
}

impl Insertion {
    fn indent(&self) -> usize {
        self.lines.first().map_or(0, |line| Line::of(line).indent)
    }
}

/// A text with entries added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The new text.
    pub text: String,
    /// What was put in, from the top.
    pub insertions: Vec<Insertion>,
}

/// Reads the one document of a configuration.
///
/// # Errors
/// When it is no YAML, or more than one document.
pub fn read(text: &str) -> Result<Value, MergeError> {
    let lines: Vec<Line<'_>> = text.lines().map(Line::of).collect();
    if let Some(second) = second_document(&lines) {
        return Err(MergeError::SeveralDocuments(second + 1));
    }
    if let Some(line) = nesting::too_deep(text) {
        return Err(MergeError::NotYaml(format!("line {line}: {}", nesting::TOO_DEEP)));
    }
    serde_yaml::from_str(text).map_err(|error| MergeError::NotYaml(error.to_string()))
}

/// Adds the entries of `sections` to `text`.
///
/// # Errors
/// See [`MergeError`].
pub fn merge(text: &str, sections: &[Section]) -> Result<Merged, MergeError> {
    let old = read(text)?;
    let lines: Vec<Line<'_>> = text.lines().map(Line::of).collect();
    let mut insertions = Vec::new();
    for section in sections.iter().filter(|section| !section.entries.is_empty()) {
        insertions.push(insertion(&lines, section)?);
    }
    // What continues a block comes before what begins one behind it.
    insertions.sort_by_key(|insertion| (insertion.before, std::cmp::Reverse(insertion.indent())));
    let text = with(text, &insertions);
    let expected = sections.iter().try_fold(old, expect)?;
    match read(&text) {
        Ok(new) if new == expected => Ok(Merged { text, insertions }),
        _ => Err(MergeError::NotUnderstood),
    }
}

/// A line of the old text.
struct Line<'t> {
    text: &'t str,
    indent: usize,
    is_content: bool,
    is_comment: bool,
}

impl<'t> Line<'t> {
    fn of(text: &'t str) -> Line<'t> {
        let bare = text.trim_start_matches(' ');
        let is_comment = bare.starts_with('#');
        let is_content = !is_comment && !bare.trim().is_empty();
        Line { text, indent: text.len() - bare.len(), is_content, is_comment }
    }

    /// What stands behind `key:`; none where it is another line.
    fn value_of(&self, key: &str) -> Option<&'t str> {
        let bare = self.text.trim_start_matches(' ');
        let quoted = [format!("\"{key}\""), format!("'{key}'"), key.to_owned()];
        let rest = quoted.iter().find_map(|key| bare.strip_prefix(key.as_str()))?.trim_start_matches(' ');
        let rest = rest.strip_prefix(':')?;
        (rest.is_empty() || rest.starts_with([' ', '\t'])).then(|| rest.trim())
    }

    fn is_marker(&self, marker: &str) -> bool {
        self.text.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    }
}

fn second_document(lines: &[Line<'_>]) -> Option<usize> {
    let first = lines.iter().position(|line| line.is_content && !line.text.starts_with('%'))?;
    let rest = lines.iter().enumerate().skip(first + 1);
    rest.filter(|(_, line)| line.is_marker("---") || line.is_marker("...")).map(|(at, _)| at).next()
}

/// Where a section's entries belong, with the keys that are missing on the way.
fn insertion(lines: &[Line<'_>], section: &Section) -> Result<Insertion, MergeError> {
    let (mut from, mut to, mut indent) = (0, lines.len(), 0);
    // The end of what is there, and whether its key stands for an empty mapping.
    let (mut before, mut opens) = (to, false);
    for (depth, key) in section.path.iter().enumerate() {
        let found = (from..to).find_map(|at| {
            let line = lines.get(at).filter(|line| line.is_content && line.indent == indent)?;
            line.value_of(key).map(|value| (at, value))
        });
        let Some((at, value)) = found else {
            let missing = section.path.get(depth..).unwrap_or_default();
            return Ok(Insertion { before, lines: new_keys(section, missing, indent), opens });
        };
        opens = value.split('#').next().unwrap_or_default().trim() == "{}";
        if !(value.is_empty() || value.starts_with('#') || opens) {
            return Err(MergeError::NotBlock { key: (*key).to_owned(), line: at + 1 });
        }
        from = at + 1;
        to = (from..to).find(|at| lines.get(*at).is_some_and(|l| l.is_content && l.indent <= indent)).unwrap_or(to);
        let child = lines.get(from..to).into_iter().flatten().find(|line| line.is_content);
        indent = child.map_or(indent + STEP, |line| line.indent);
        before = end_of(lines, from, to, indent);
    }
    Ok(Insertion { before, lines: section.entry_lines(indent), opens })
}

/// Behind the last line of a block: its last content, or a comment that stands as deep.
fn end_of(lines: &[Line<'_>], from: usize, to: usize, indent: usize) -> usize {
    let belongs = |line: &Line<'_>| line.is_content || (line.is_comment && line.indent >= indent);
    let last = lines.get(from..to).unwrap_or_default().iter().rposition(belongs);
    last.map_or(from, |last| from + last + 1)
}

fn new_keys(section: &Section, missing: &[&str], indent: usize) -> Vec<String> {
    let keys = missing.iter().enumerate().map(|(depth, key)| indented(indent + depth * STEP, &format!("{key}:")));
    keys.chain(section.entry_lines(indent + missing.len() * STEP)).collect()
}

/// The old text with the lines put in, with its own line ends.
fn with(text: &str, insertions: &[Insertion]) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut new = String::with_capacity(text.len() * 2);
    let mut insertions = insertions.iter().peekable();
    let mut put = |new: &mut String, number: usize| {
        while let Some(insertion) = insertions.next_if(|insertion| insertion.before == number) {
            if insertion.opens {
                open(new);
            }
            if !new.is_empty() && !new.ends_with('\n') {
                new.push_str(end);
            }
            for line in &insertion.lines {
                new.push_str(line);
                new.push_str(end);
            }
        }
    };
    let mut number = 0;
    for line in text.split_inclusive('\n') {
        put(&mut new, number);
        new.push_str(line);
        number += 1;
    }
    put(&mut new, number);
    new
}

/// Takes the `{}` of an empty mapping off the last line that has one.
fn open(text: &mut String) {
    if let Some(at) = text.rfind("{}") {
        let from = text.get(..at).map_or(at, |before| before.trim_end_matches(' ').len());
        text.replace_range(from..at + 2, "");
    }
}

/// What a document means once a section's entries are added.
fn expect(mut document: Value, section: &Section) -> Result<Value, MergeError> {
    if section.entries.is_empty() {
        return Ok(document);
    }
    let added = read(&section.entry_lines(0).join("\n"))?;
    let mut place = &mut document;
    for key in section.path {
        if place.is_null() {
            *place = Value::Mapping(Mapping::new());
        }
        let mapping = place.as_mapping_mut().ok_or(MergeError::NotUnderstood)?;
        place = mapping.entry(Value::from(*key)).or_insert(Value::Null);
    }
    if place.is_null() {
        *place = Value::Mapping(Mapping::new());
    }
    let mapping = place.as_mapping_mut().ok_or(MergeError::NotUnderstood)?;
    for (name, value) in added.as_mapping().ok_or(MergeError::NotUnderstood)? {
        if mapping.insert(name.clone(), value.clone()).is_some() {
            return Err(MergeError::NotUnderstood);
        }
    }
    Ok(document)
}

#[cfg(test)]
mod tests;
