//! Which login works where. A password is never shown, and a login that the configuration lacks is known by nothing.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device::LoginProblem;
use crate::model::memory::Uid;

/// What is known of the logins of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoginView {
    /// The device.
    pub device: Uid,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its address.
    pub ip: std::net::IpAddr,
    /// The user name of the login that worked last; absent where none did, or the configuration no longer has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// When it last worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worked_at: Option<Timestamp>,
    /// Logins the device refused in the last 24 hours.
    pub refused: u32,
    /// Refusals that are still allowed in these 24 hours; none is tried when there are none left.
    pub refusals_left: u32,
    /// A login that worked and is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<LoginProblem>,
    /// Whether a stream of it needs a login that is not known, or is refused.
    pub locked: bool,
}
