//! Configurations for the systems people run: each takes a report and gives the text of one file, together with the
//! variables that the file leaves open for logins.
//!
//! What holds for all of them: no password stands in the text unless it is asked for, but the consumer's own placeholder;
//! only streams that delivered frames are used, and every other one stays as a comment with its reason; the order is that of
//! the report, so that two scans can be compared line by line; nothing is written about hardware, storage or detection,
//! which belong to the site.

pub mod camera;
pub mod frigate;
pub mod go2rtc;
pub mod home_assistant;
pub mod mediamtx;
pub mod motion;
mod parts;
pub mod prometheus;
pub mod viseron;
pub mod zoneminder;

#[cfg(test)]
mod tests;
