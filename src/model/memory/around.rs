//! What answers around devices that stopped answering: by it a dead switch is told from a cable of this machine.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::text::counted;

/// The router of a network, or the next one on the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gateway {
    /// Its address.
    pub ip: IpAddr,
    /// Whether the network is behind it; else it is on the network itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_on_way: bool,
    /// Whether it answers.
    pub answers: bool,
}

/// What was asked beside the devices of a network, and answered or did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Around {
    /// The gateway, where one is known; of several the one that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// Hosts of the network that are no cameras, and answered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hosts: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Around {
    /// Nothing was asked.
    pub const NOTHING: Around = Around { gateway: None, hosts: 0 };
}

/// `the gateway 10.0.5.1 answers: look for a switch without power`; nothing where nothing is known.
impl fmt::Display for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = || counted(self.hosts, "other host", "other hosts");
        let verb = if self.hosts == 1 { "answers" } else { "answer" };
        match (self.gateway, self.hosts) {
            (None, 0) => Ok(()),
            (Some(Gateway { ip, is_on_way: true, answers: true }), _) => {
                write!(f, "the gateway on the way, {ip}, answers: look at the line and the router behind it")
            }
            (Some(Gateway { ip, is_on_way: true, answers: false }), _) => {
                write!(f, "the gateway on the way, {ip}, does not answer: look at it first")
            }
            (Some(Gateway { ip, answers: true, .. }), _) => {
                write!(f, "the gateway {ip} answers: look for a switch without power, or its cable")
            }
            (None, _) => write!(f, "{} {verb}: look for a switch without power, or its cable", hosts()),
            (Some(Gateway { ip, .. }), 0) => write!(
                f,
                "the gateway {ip} does not answer either: look at the switch and the cable that this machine is connected by"
            ),
            (Some(Gateway { ip, .. }), _) => write!(
                f,
                "{} {verb}, the gateway {ip} does not: look for a switch without power, or its cable",
                hosts()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_is_said_with_where_to_look() {
        let gateway = |is_on_way, answers| Some(Gateway { ip: [10, 0, 5, 1].into(), is_on_way, answers });
        for (gateway, hosts, expected) in [
            (None, 0, ""),
            (gateway(false, true), 3, "the gateway 10.0.5.1 answers: look for a switch without power, or its cable"),
            (None, 1, "1 other host answers: look for a switch without power, or its cable"),
            (
                gateway(false, false),
                2,
                "2 other hosts answer, the gateway 10.0.5.1 does not: look for a switch without power, or its cable",
            ),
            (
                gateway(false, false),
                0,
                "the gateway 10.0.5.1 does not answer either: look at the switch and the cable that this machine is \
                 connected by",
            ),
            (
                gateway(true, true),
                0,
                "the gateway on the way, 10.0.5.1, answers: look at the line and the router behind it",
            ),
            (gateway(true, false), 0, "the gateway on the way, 10.0.5.1, does not answer: look at it first"),
        ] {
            let around = Around { gateway, hosts };
            assert_eq!(around.to_string(), expected);
            let written = serde_json::to_string(&around).unwrap();
            assert_eq!(serde_json::from_str::<Around>(&written).unwrap(), around, "{written}");
        }
    }
}
