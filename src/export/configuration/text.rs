//! Scalars and comments in the text of a configuration.

use crate::text;

/// The longest text of a device that goes into a comment or label, in characters.
const MAX_TEXT: usize = 200;

/// A YAML scalar in double quotes, whatever it holds: a JSON string is one (YAML 1.2.2 §1.3).
pub fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// A text of a device on one line, for comments and labels.
pub fn line(value: &str) -> String {
    text::clean_to(value, MAX_TEXT).replace(['\n', '\r'], " ")
}

/// The lines that begin every file: what wrote it, from when the data is, for which version it is meant.
pub fn header(comment: &str, report: &crate::model::Report, consumer: &str) -> Vec<String> {
    let info = &report.scan;
    vec![
        format!("{comment} {consumer}, written by camscan {}", line(&info.camscan_version)),
        format!("{comment} from the scan of {} that ended {}", line(&info.targets.join(", ")), info.finished_at),
    ]
}

/// Lines as a text that ends with a line feed.
pub fn text_of(lines: &[String]) -> String {
    let mut text = lines.join("\n");
    text.push('\n');
    text
}
