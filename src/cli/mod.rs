//! The command line, the configuration file and the settings they amount to. Never touches the network.
//!
//! `args` is exactly what was typed; `config` is everything that can be set, by flag, variable or file, and what it amounts
//! to; `ui`, `log` and `exit` are how the program speaks, `beside` how it does so without waiting.

pub mod args;
pub mod beside;
pub mod config;
pub mod exit;
pub mod log;
pub mod ui;
