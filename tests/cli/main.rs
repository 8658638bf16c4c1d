//! The program as it is used: started with a command line, judged by what it prints, writes and returns. It meets
//! simulated cameras on loopback and nothing else.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: what is missing fails it")]

mod env;

mod budget;
mod configurations;
mod echo;
mod files;
mod forget;
mod help;
mod interrupt;
mod killed;
mod limits;
mod memory;
mod plugins;
mod recorders;
mod replay;
mod scan;
mod secrets;
#[cfg(unix)]
mod serve;
mod survey;
mod trouble;
mod usage;
mod watch;
