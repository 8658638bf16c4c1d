//! What a user says about a device. A scan never changes it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::names::names;

names! {
    /// How long a device may be silent before somebody is told.
    pub enum Expect {
        /// It always answers: it is told when it stops.
        Always = "always",
        /// It sleeps at times (battery, wireless): it is told after 24 hours.
        Sometimes = "sometimes",
        /// Nothing is told about it.
        Ignore = "ignore",
    }
}

/// What a user said about a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Note {
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Words it is found by, sorted, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How long it may be silent.
    #[serde(default = "always")]
    pub expect: Expect,
    /// Nothing is sent about it until then; it is checked all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_why: Option<String>,
}

fn always() -> Expect {
    Expect::Always
}

impl Default for Note {
    fn default() -> Self {
        Note {
            name: None,
            site: None,
            tags: Vec::new(),
            text: None,
            expect: Expect::Always,
            muted_until: None,
            muted_why: None,
        }
    }
}
