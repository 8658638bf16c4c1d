//! What keeps a store from being where it belongs, as data: who shows it in another language than English words it there.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What keeps a store from being written at its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum StoreTrouble {
    /// Its disk takes nothing.
    Unwritten {
        /// The file.
        file: String,
        /// What the system says; none where the disk is full.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Whether what happens is kept in memory: a store that is too large for it is not.
        kept: bool,
    },
    /// Its file lost its name: it was removed, or got another name.
    Removed {
        /// The file.
        file: String,
        /// Why it could not be written anew; none where it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Another file has its name. That one is left as it is.
    Replaced {
        /// The file.
        file: String,
        /// Where the store is kept meanwhile; none where it could be written nowhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<String>,
    },
}

impl fmt::Display for StoreTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreTrouble::Unwritten { file, why, kept } => {
                match why {
                    None => write!(f, "the disk of the store {file} is full")?,
                    Some(why) => write!(f, "the disk of the store {file} takes nothing: {why}")?,
                }
                f.write_str(match kept {
                    true => "; what happens is kept in memory, and stored when the disk takes it",
                    false => "; nothing is remembered until it does",
                })
            }
            StoreTrouble::Removed { file, why: None } => {
                write!(f, "the file {file} was removed; it was written anew, and nothing is lost")
            }
            StoreTrouble::Removed { file, why: Some(why) } => write!(
                f,
                "the file {file} was removed, and cannot be written anew: {why}; what is known is lost when camscan ends"
            ),
            StoreTrouble::Replaced { file, kept: Some(kept) } => write!(
                f,
                "another file stands at {file} and is left as it is; what is known goes on in {kept}: \
                 end camscan, put the one you want at {file}, and start again"
            ),
            StoreTrouble::Replaced { file, kept: None } => write!(
                f,
                "another file stands at {file} and is left as it is; what is known could not be written beside it, \
                 and is lost when camscan ends"
            ),
        }
    }
}
