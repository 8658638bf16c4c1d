//! What ports do that are not served as usual.

use std::time::Duration;

/// What a port that nobody serves does about a connect or a SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Takes it after a round trip, and closes the connection.
    Open(Duration),
    /// Refuses it.
    Refused,
    /// Answers nothing.
    Silent,
    /// A router answers that the host cannot be reached.
    Unreachable,
}

/// What a server with room for one connection does about the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Refuses them.
    Refuses,
    /// Takes them and closes them without a word.
    Closes,
}
