//! `camscan serve` and its accounts.

use clap::{Args, Subcommand, ValueHint};

use super::names;
use super::watch::WatchArgs;
use crate::model::access::Role;
use crate::model::listen::Anonymous;

pub(super) const SERVE_EXAMPLES: &str = "\
Without an account it prints a one-time code; whoever has it makes the first account in the browser. The code is
also in a file beside the store. `camscan serve user add` makes accounts as well.

Signals:
  SIGHUP reads the configuration, the certificate and its key again. SIGTERM and SIGINT end the program.

Examples:
  camscan serve
  camscan serve user add anna --role admin
  camscan serve --listen 0.0.0.0:8443 --tls-cert fullchain.pem --tls-key privkey.pem
  camscan serve --public-url https://example.org/cameras/ --trusted-proxy 127.0.0.1
  camscan serve --listen unix:/run/camscan/camscan.sock --trusted-proxy unix";

/// `camscan serve`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ServeArgs {
    /// What is done with accounts; none: it serves.
    #[command(subcommand)]
    pub action: Option<ServeCommand>,
    /// Where to listen: ADDRESS:PORT, unix:PATH, or systemd for the sockets that it hands over; repeatable.
    ///
    /// Beyond this machine only once there is an account. Over a socket in the file system, the user that camscan runs as
    /// needs no login.
    #[arg(long, value_name = "ADDRESS", help_heading = "Server")]
    pub listen: Vec<String>,
    /// Certificate of the server, with those that vouch for it (PEM); needs --tls-key. SIGHUP reads both again.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Server")]
    pub tls_cert: Option<String>,
    /// Key of the certificate (PEM).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Server")]
    pub tls_key: Option<String>,
    /// URL by which browsers reach the server, if not by its own address: https://example.org/cameras/.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = "Server")]
    pub public_url: Option<String>,
    /// Reverse proxies whose X-Forwarded-For and X-Forwarded-Proto hold: addresses, networks, or unix; repeatable.
    #[arg(long, value_name = "ADDRESS", help_heading = "Server")]
    pub trusted_proxy: Vec<String>,
    /// Header by which a trusted proxy says which account asks, such as Remote-User; the proxy must set it itself.
    #[arg(long, value_name = "NAME", help_heading = "Server", hide_short_help = true)]
    pub login_header: Option<String>,
    /// What is shown without a login.
    #[arg(long, value_name = "WHAT", value_parser = names::<Anonymous>(), ignore_case = true, help_heading = "Server")]
    pub anonymous: Option<String>,
    /// What may be scanned through the page and the API beside the targets: addresses, networks, names; repeatable.
    #[arg(long, value_name = "TARGET", help_heading = "Server", hide_short_help = true)]
    pub allow_targets: Vec<String>,
    /// UDP and TCP port of live view, or none.
    #[arg(long, value_name = "PORT", help_heading = "Server")]
    pub live_port: Option<String>,
    /// Address that viewers reach this machine by, where it is none of its own: ADDRESS or ADDRESS:PORT; repeatable.
    #[arg(long, value_name = "ADDRESS", help_heading = "Server", hide_short_help = true)]
    pub live_address: Vec<String>,
    /// Stream that is fetched whether somebody watches or not, so that it is shown at once: its id, s_…; repeatable.
    #[arg(long, value_name = "STREAM", help_heading = "Server", hide_short_help = true)]
    pub live_always_on: Vec<String>,
    /// Do not scan and check; show what another process finds.
    #[arg(long = "no-watch", id = "watch", help_heading = "Server")]
    pub no_watch: bool,
    /// What is watched, and when.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// What is done with the accounts of `camscan serve`.
#[derive(Subcommand)]
pub enum ServeCommand {
    /// Manage the accounts; needs no running server.
    #[command(subcommand)]
    User(UserCommand),
}

/// What is done with an account. Passwords are asked for on the terminal, or read from the first line of standard input.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Add an account.
    Add {
        /// Its name.
        name: String,
        /// What it is for: viewer looks, operator scans and edits as well, admin does everything.
        #[arg(long, value_name = "ROLE", value_parser = names::<Role>(), ignore_case = true, default_value = "viewer")]
        role: String,
        /// Where accounts are.
        #[command(flatten)]
        store: AccountStoreArgs,
    },
    /// List the accounts.
    List {
        /// Where accounts are.
        #[command(flatten)]
        store: AccountStoreArgs,
    },
    /// Remove an account, with its sessions and tokens.
    Remove {
        /// Its name.
        name: String,
        /// Where accounts are.
        #[command(flatten)]
        store: AccountStoreArgs,
    },
    /// Set the password of an account, and end its sessions.
    Password {
        /// Its name.
        name: String,
        /// Where accounts are.
        #[command(flatten)]
        store: AccountStoreArgs,
    },
}

/// Where accounts are.
#[derive(Args)]
pub struct AccountStoreArgs {
    /// The store. By default that of the configuration, or the one in the user's data folder.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub store: Option<String>,
}
