//! Commands about this installation: its configuration, channels and signatures.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum, ValueHint};

/// `camscan config`.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration file and the environment for mistakes.
    Check,
    /// Print every setting and where its value comes from; passwords are hidden.
    Show {
        /// The output format.
        #[arg(short, long = "format", id = "show_format", value_name = "FORMAT", default_value = "yaml")]
        format: ShowFormat,
    },
}

/// How the configuration is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// A configuration file with comments.
    Yaml,
    /// A JSON object.
    Json,
}

/// `camscan notify`.
#[derive(Subcommand)]
pub enum NotifyCommand {
    /// Send a test message and print what the receivers answer.
    ///
    /// Exits with code 1 when a channel does not take it. Nothing of it is stored, and nothing is tried twice.
    Test {
        /// The channel, by its name under `notify: channels:`; all of them by default.
        #[arg(value_name = "CHANNEL")]
        channel: Option<String>,
    },
}

/// `camscan signatures`.
#[derive(Subcommand)]
pub enum SignaturesCommand {
    /// Check the files of a folder: their form, their regular expressions, and every example in them.
    Check {
        /// The folder, as for `camscan scan --signatures`.
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}
