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
}

/// An interface of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InterfaceCoverage {
    /// Its name.
    pub name: String,
    /// Its addresses with their prefixes: `10.0.5.7/24`.
    pub networks: Vec<String>,
    /// Whether devices were looked for on it.
    pub used: bool,
    /// Why not, where it was not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
}
