//! What is wrong with what the operator gave, and what to do about it.

use std::fmt;
use std::io;

/// A wrong flag, variable, key, file or combination of them; ends the program with exit code 2. It shows as one
/// sentence and a `hint:` line for each thing that can be done. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    message: String,
    hints: Vec<String>,
}

impl Problem {
    /// One sentence, no full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Problem { message: message.into(), hints: Vec::new() }
    }

    /// The same with something that can be done.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with where it was found in front: a flag, a variable, a place in a file.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// The same with a hint when `nearest` is near what was written.
    #[must_use]
    pub fn did_you_mean<'a>(self, written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(written, candidates) {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// Takes over an error that shows as a sentence and `hint:` lines.
    pub fn from_text(text: impl fmt::Display) -> Self {
        let text = text.to_string();
        let mut parts = text.split("\nhint: ");
        let message = parts.next().unwrap_or_default().to_owned();
        Problem { message, hints: parts.map(str::to_owned).collect() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hints.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
    }
}

impl std::error::Error for Problem {}

/// The system's word on a failure, without its error number.
pub fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// The candidate least different from what was written, when it is near enough to have been meant.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&written, &c.to_lowercase().replace('-', "_")), c))
        .filter(|&(distance, c)| distance <= 3 && distance * 2 < c.len().max(3))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("timout", Some("timeout"))]
    #[case("max-duration", Some("max_duration"))]
    #[case("prots", Some("ports"))]
    #[case("password", None)]
    #[case("", None)]
    fn the_nearest_name_is_found(#[case] written: &str, #[case] meant: Option<&str>) {
        assert_eq!(nearest(written, ["timeout", "max_duration", "ports", "all"]), meant);
    }

    #[test]
    fn a_text_with_hints_is_taken_over() {
        let problem = Problem::from_text("no such format\nhint: json").hint("csv").at("--format");
        assert_eq!(problem.to_string(), "--format: no such format\nhint: json\nhint: csv");
    }
}
