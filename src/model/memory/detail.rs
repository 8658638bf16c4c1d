//! What a change was, as data: who reads the log of changes in another language than English words it there.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Expect, Uid};
use crate::model::access::{Role, Scope};
use crate::model::names::names;

names! {
    /// What is muted, whose name stands as the subject of the change.
    pub enum MuteOf {
        /// A device.
        Device = "device",
        /// Everything of a site.
        Site = "site",
        /// Everything with a tag.
        Tag = "tag",
        /// Everything in a network.
        Network = "network",
    }
}

/// One part of a note that is not as it was; what is absent is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum NotePart {
    /// The name of the device.
    Name {
        /// What it was.
        before: Option<String>,
        /// What it is.
        after: Option<String>,
    },
    /// Its site.
    Site {
        /// What it was.
        before: Option<String>,
        /// What it is.
        after: Option<String>,
    },
    /// Its tags.
    Tags {
        /// What they were.
        before: Vec<String>,
        /// What they are.
        after: Vec<String>,
    },
    /// How long it may be silent.
    Expected {
        /// How long it might.
        before: Expect,
        /// How long it may.
        after: Expect,
    },
    /// Its text, which may be long, and is no business of everybody who reads the log.
    Text,
}

/// What a change was; as text it is English.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Detail {
    /// The change says it all.
    #[default]
    Nothing,
    /// Somebody came with a program.
    Program {
        /// What it calls itself.
        name: String,
    },
    /// An account was made.
    NewAccount {
        /// What it is for.
        role: Role,
    },
    /// An account was changed; what is absent stayed.
    Account {
        /// What it is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
        /// Whether it can be used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        enabled: Option<bool>,
        /// Whether its password is a new one.
        #[serde(default)]
        password: bool,
    },
    /// A token was made.
    Token {
        /// What it is for.
        name: String,
        /// What it may.
        scopes: Vec<Scope>,
    },
    /// A token was switched on or off.
    Switched {
        /// Whether it can be used.
        on: bool,
    },
    /// A login was given for these.
    LoginFor {
        /// A device.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<Uid>,
        /// The network, the maker, the MAC address.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        others: Vec<String>,
    },
    /// Which: its number.
    Number {
        /// The number.
        number: i64,
    },
    /// The note of a device was changed.
    Noted {
        /// In these parts.
        parts: Vec<NotePart>,
    },
    /// A device was merged into another one.
    MergedInto {
        /// Which.
        device: Uid,
    },
    /// A device was split off another one.
    SplitOff {
        /// Which.
        device: Uid,
    },
    /// Devices were forgotten that were only heard.
    OnlyHeard {
        /// How many.
        count: u64,
    },
    /// Something was muted.
    Muted {
        /// What kind of thing.
        of: MuteOf,
        /// Until when; until somebody ends it where that is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Why, in the words of whoever did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A mute was ended.
    Unmuted {
        /// Of what kind of thing.
        of: MuteOf,
    },
    /// A scan was wanted.
    Targets {
        /// Of these; of everything that is watched where there are none.
        targets: Vec<String>,
    },
    /// A stream of this device.
    StreamOf {
        /// The device.
        device: Uid,
    },
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Detail::Nothing | Detail::Unmuted { .. } => Ok(()),
            Detail::Program { name } => f.write_str(name),
            Detail::NewAccount { role } => write!(f, "role {role}"),
            Detail::Account { role, enabled, password } => {
                let role = role.map(|role| format!("role {role}"));
                let enabled = enabled.map(|on| switched(on).to_owned());
                let password = password.then(|| "new password".to_owned());
                f.write_str(&[role, enabled, password].into_iter().flatten().collect::<Vec<_>>().join(", "))
            }
            Detail::Token { name, scopes } => {
                let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
                write!(f, "{name}: {}", scopes.join(" "))
            }
            Detail::Switched { on } => f.write_str(switched(*on)),
            Detail::LoginFor { device, others } => {
                let device = device.as_ref().map(Uid::as_str);
                f.write_str(&device.into_iter().chain(others.iter().map(String::as_str)).collect::<Vec<_>>().join(" "))
            }
            Detail::Number { number } => write!(f, "{number}"),
            Detail::Noted { parts } => {
                f.write_str(&parts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            }
            Detail::MergedInto { device } => write!(f, "into {device}"),
            Detail::SplitOff { device } => write!(f, "from {device}"),
            Detail::OnlyHeard { count } => write!(f, "{count} devices that were only heard"),
            Detail::Muted { until, why, .. } => {
                match until {
                    Some(until) => write!(f, "until {until}")?,
                    None => f.write_str("until it is ended")?,
                }
                why.as_ref().map_or(Ok(()), |why| write!(f, "; {why}"))
            }
            Detail::Targets { targets } if targets.is_empty() => f.write_str("everything"),
            Detail::Targets { targets } => f.write_str(&targets.join(" ")),
            Detail::StreamOf { device } => write!(f, "of {device}"),
        }
    }
}

impl fmt::Display for NotePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        let tags = |tags: &[String]| if tags.is_empty() { "none".to_owned() } else { tags.join(", ") };
        match self {
            NotePart::Name { before, after } => write!(f, "name: {} -> {}", text(before), text(after)),
            NotePart::Site { before, after } => write!(f, "site: {} -> {}", text(before), text(after)),
            NotePart::Tags { before, after } => write!(f, "tags: {} -> {}", tags(before), tags(after)),
            NotePart::Expected { before, after } => write!(f, "expected: {before} -> {after}"),
            NotePart::Text => f.write_str("text"),
        }
    }
}

fn switched(on: bool) -> &'static str {
    if on { "enabled" } else { "disabled" }
}

impl Detail {
    /// Shows `of` every text that somebody else wrote.
    pub fn texts(&mut self, of: &mut dyn FnMut(&mut String)) {
        let each = |texts: &mut dyn Iterator<Item = &mut String>, of: &mut dyn FnMut(&mut String)| texts.for_each(of);
        match self {
            Detail::Program { name } | Detail::Token { name, .. } => of(name),
            Detail::LoginFor { others, .. } => each(&mut others.iter_mut(), of),
            Detail::Targets { targets } => each(&mut targets.iter_mut(), of),
            Detail::Muted { why, .. } => each(&mut why.iter_mut(), of),
            Detail::Noted { parts } => {
                for part in parts {
                    match part {
                        NotePart::Name { before, after } | NotePart::Site { before, after } => {
                            each(&mut before.iter_mut().chain(after.iter_mut()), of);
                        }
                        NotePart::Tags { before, after } => {
                            each(&mut before.iter_mut().chain(after.iter_mut()), of);
                        }
                        NotePart::Expected { .. } | NotePart::Text => {}
                    }
                }
            }
            Detail::Nothing
            | Detail::NewAccount { .. }
            | Detail::Account { .. }
            | Detail::Switched { .. }
            | Detail::Number { .. }
            | Detail::MergedInto { .. }
            | Detail::SplitOff { .. }
            | Detail::OnlyHeard { .. }
            | Detail::Unmuted { .. }
            | Detail::StreamOf { .. } => {}
        }
    }
}
