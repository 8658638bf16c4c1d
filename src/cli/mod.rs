//! The command line, the configuration file and the settings they amount to. Never touches the network.
//!
//! `args` is exactly what was typed, `config_file` what was written; `keys` is the table of everything that can be set,
//! `layer` puts flag over environment over file over default, and `settings` is what all of it means.

pub mod exit;
pub mod log;
pub mod problem;
pub mod ui;

pub mod args;
pub mod config_file;
mod config_logins;
pub mod credentials;
pub mod environment;
pub mod fail_on;
pub mod given;
pub mod keys;
pub mod layer;
pub mod settings;
pub mod targets;
pub mod values;
