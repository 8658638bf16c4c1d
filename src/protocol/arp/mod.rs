//! ARP (RFC 826): who has this address?

pub mod claims;
pub mod discover;
pub mod kernel;
pub mod raw;
pub mod wire;

#[cfg(test)]
mod tests;
