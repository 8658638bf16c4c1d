//! What is wrong, and what can be done about it.

use std::borrow::Cow;
use std::fmt;
use std::io;

use crate::text::nearest;

/// What is wrong, in one sentence without a full stop, and a hint for each thing that can be done. Shown, every hint has a
/// line of its own that begins with `hint:`. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    message: String,
    hints: Vec<Cow<'static, str>>,
}

/// An error that may say what can be done about it. Its `Display` is the sentence alone.
pub trait Hinted: std::error::Error {
    /// What can be done, where it is one thing.
    fn hint(&self) -> Option<Cow<'static, str>> {
        None
    }

    /// All that can be done.
    fn hints(&self) -> Vec<Cow<'static, str>> {
        self.hint().into_iter().collect()
    }
}

impl<E: Hinted> From<E> for Problem {
    fn from(error: E) -> Problem {
        Problem { message: error.to_string(), hints: error.hints() }
    }
}

impl Problem {
    /// One sentence, no full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Problem { message: message.into(), hints: Vec::new() }
    }

    /// The same with something that can be done.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with where it was found in front: a flag, a variable, a place in a file.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// The same with a hint when one of `candidates` is near what was written.
    #[must_use]
    pub fn did_you_mean<'a>(self, written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(written, candidates) {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What can be done.
    pub fn hints(&self) -> &[Cow<'static, str>] {
        &self.hints
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hints.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
    }
}

impl std::error::Error for Problem {}

/// The system's reason for a failure, without its error number.
pub fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("there is no format 'csw'")]
    struct NoFormat;

    impl Hinted for NoFormat {
        fn hint(&self) -> Option<Cow<'static, str>> {
            Some("formats are csv and json".into())
        }
    }

    #[test]
    fn an_error_becomes_its_sentence_and_its_hint() {
        let problem = Problem::from(NoFormat).did_you_mean("csw", ["csv", "json"]).at("--format");
        assert_eq!(problem.message(), "--format: there is no format 'csw'");
        assert_eq!(problem.hints(), ["formats are csv and json", "did you mean `csv`?"]);
        assert_eq!(
            problem.to_string(),
            "--format: there is no format 'csw'\nhint: formats are csv and json\nhint: did you mean `csv`?"
        );
    }
}
