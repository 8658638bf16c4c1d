//! What changed between two scans, and what is known over many. Pure: reports in, typed data out.
//!
//! [`identity`] decides which device of one report is which of the other, [`diff`] says what is different about them, `maker`
//! which of two makers is known better;
//! [`memory`] does both over time, and decides what is told.

pub mod diff;
pub mod identity;
mod maker;
pub mod memory;
pub mod schedule;
pub mod stable;
pub mod stream_key;

pub use diff::{Diff, compare};
