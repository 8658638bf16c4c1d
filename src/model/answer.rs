//! What a device answered, word for word but for its secrets: kept when one device or stream is looked at in depth.

use serde::{Deserialize, Serialize};

/// The head of one answer, over RTSP or HTTP.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answer {
    /// What was asked: method and address, never with a password.
    pub request: String,
    /// The status line, cleaned: `RTSP/1.0 200 OK`.
    pub status: String,
    /// The headers in the order sent.
    pub headers: Vec<Header>,
}

/// One header of an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Header {
    /// Its name as sent, cleaned.
    pub name: String,
    /// Its value, cleaned; `***` stands for a secret in it. Absent when it is empty or withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// True when the whole value is a secret: a cookie, a key, a token.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub withheld: bool,
}
