//! What changed between two scans. Pure: two reports in, typed data out.
//!
//! [`identity`] decides which device of one report is which of the other, [`diff`] says what is different about them.

pub mod diff;
pub mod identity;
pub mod memory;

pub use diff::{Diff, compare};
