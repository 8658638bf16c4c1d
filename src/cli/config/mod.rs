//! The settings: what was typed, exported and written in the file, and what all of it amounts to.
//!
//! `file` reads what was written, `given` what was typed; `keys` is the table of everything that can be set, `layer` puts
//! flag over environment over file over default, and `settings` is what the layers amount to.

pub mod credentials;
pub mod environment;
pub mod fail_on;
pub mod file;
pub mod given;
pub mod keys;
pub mod layer;
pub mod notify;
pub mod plugins;
pub mod settings;
pub mod targets;
pub mod values;
