//! What a scan covered: the interfaces it used, the methods that ran, and what may have been hidden from it.

use serde::{Deserialize, Serialize};

use super::Method;
use super::names::names;

/// What a scan covered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Coverage {
    /// The interfaces of this machine that were up, loopback left out.
    pub interfaces: Vec<InterfaceCoverage>,
    /// The methods of finding hosts, in the order of their list.
    pub methods: Vec<MethodCoverage>,
    /// How many of the targets' addresses were asked one by one.
    pub addresses_asked: u64,
    /// How many of the targets' addresses answered.
    pub addresses_answered: u64,
    /// What may have been hidden from the scan and why, one sentence each.
    pub notes: Vec<String>,
    /// The same by kind, in the order of the sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
}

/// Something on an interface that may have hidden devices from the scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limit {
    /// The interface's name.
    pub interface: String,
    /// What.
    pub kind: LimitKind,
}

names! {
    /// What may have hidden devices from a scan.
    pub enum LimitKind {
        /// A firewall of this machine forbids discovery questions.
        QuestionsForbidden = "questions_forbidden",
        /// There is no route for multicast.
        NoMulticastRoute = "no_multicast_route",
        /// The system refused to send discovery questions.
        QuestionsRefused = "questions_refused",
        /// The link cannot be read, and the kernel drops what comes from addresses it has no route to through the interface.
        StrictSenderCheck = "strict_sender_check",
        /// The link cannot be read, and the kernel drops what comes from addresses it has no route to at all.
        LooseSenderCheck = "loose_sender_check",
        /// The link cannot be read, so that devices in other subnets are seen by their answers alone.
        LinkUnread = "link_unread",
    }
}

names! {
    /// Why an interface was not used.
    pub enum Unused {
        /// It is not among those that were named.
        NotChosen = "not_chosen",
        /// The targets are on this machine.
        LocalTargets = "local_targets",
        /// It joins two points only.
        PointToPoint = "point_to_point",
        /// It has no MAC address.
        NoMac = "no_mac",
        /// None of its networks holds a target.
        NoTarget = "no_target",
    }
}

/// An interface of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InterfaceCoverage {
    /// Its name.
    pub name: String,
    /// Its addresses with their prefixes: `10.0.5.7/24`; where it was used, those in whose network a target is.
    pub networks: Vec<String>,
    /// Whether devices were looked for on it.
    pub used: bool,
    /// Why not, where it was not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unused: Option<Unused>,
}

names! {
    /// What became of a method.
    pub enum MethodOutcome {
        /// It ran, and somebody answered.
        Answered = "answered",
        /// It ran, and nobody answered.
        Silent = "silent",
        /// It could not run, or was stopped.
        Failed = "failed",
        /// It was not to run.
        NotWanted = "not_wanted",
        /// It ran, and no target was left for it: other methods ask them all, or none is on a local link.
        NotNeeded = "not_needed",
    }
}

names! {
    /// Why a method could not run.
    pub enum Hindrance {
        /// The system does not permit it to this program.
        NotPermitted = "not_permitted",
        /// There is no network to ask.
        NoNetwork = "no_network",
        /// The system refused it for another reason.
        Refused = "refused",
        /// The scan was stopped before it ended.
        Stopped = "stopped",
        /// Something of camscan's own broke.
        Internal = "internal",
    }
}

/// That a method cannot run at all on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unable {
    /// Why.
    pub why: Hindrance,
    /// The same in a sentence for the operator, with its hints.
    pub message: String,
}

impl Unable {
    /// The system said so.
    pub fn by(error: &std::io::Error, message: impl Into<String>) -> Self {
        use std::io::ErrorKind as E;
        let why = match error.kind() {
            E::PermissionDenied => Hindrance::NotPermitted,
            E::NetworkUnreachable | E::HostUnreachable | E::NetworkDown | E::AddrNotAvailable => Hindrance::NoNetwork,
            _ => Hindrance::Refused,
        };
        Unable { why, message: message.into() }
    }

    /// The same with what could not be done in front.
    #[must_use]
    pub fn at(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

/// A method of finding hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MethodCoverage {
    /// Which.
    pub method: Method,
    /// What became of it.
    pub outcome: MethodOutcome,
    /// How many addresses answered it, those that were only heard included.
    pub answered: u64,
    /// Why it could not run, was not to run, or may have had no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it could not run, by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hindered: Option<Hindrance>,
}
