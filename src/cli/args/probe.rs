//! One device: looked at, recorded and replayed.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::export::OutputArgs;
use super::scan::HostArgs;
use super::{names, secret};
use crate::model::Secret;
use crate::model::recording::Private;

pub(super) const PROBE_EXAMPLES: &str = "\
Examples:
  camscan probe 192.168.1.20
  camscan probe rtsp://192.168.1.20:554/Streaming/Channels/101 --verify frames
  camscan probe cam1.lan -f json --credentials-file logins.txt
  camscan probe 192.168.1.20 --record camera.tar           its conversation, anonymised, for a bug report";

pub(super) const REPLAY_EXAMPLES: &str = "\
Examples:
  camscan replay camera.tar
  camscan replay camera.tar --port-offset 20000            where the device's own ports need root
  camscan probe 127.83.0.1 -c kit:kit                      in another terminal

A login that the device demanded is demanded by the replay, too: user `kit`, password `kit`.";

/// `camscan probe`.
#[derive(Args)]
pub struct ProbeArgs {
    /// Stream URL, or address or name of a host, optionally with a port.
    #[arg(id = "probe_targets", value_name = "URL|HOST", required = true, value_parser = secret, value_hint = ValueHint::Url)]
    pub targets: Vec<Secret>,
    /// Show in the table which evidence decided vendor, model and kind.
    #[arg(long, help_heading = "Output")]
    pub explain: bool,
    /// Keep the conversation with the device in this file, anonymised, for `camscan replay`.
    ///
    /// Addresses, MAC addresses, serial numbers, names, places and tokens are replaced, of pictures and sound only sizes
    /// and times are kept, and passwords are never in it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Recording")]
    pub record: Option<PathBuf>,
    /// What may stay as it is in the recording, separated by commas.
    #[arg(long, value_name = "KIND", requires = "record", value_delimiter = ',', help_heading = "Recording",
          value_parser = names::<Private>())]
    pub keep: Vec<String>,
    /// What is examined on each host.
    #[command(flatten)]
    pub host: HostArgs,
    /// Where the report goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `camscan replay`.
#[derive(Args)]
pub struct ReplayArgs {
    /// The file that `camscan probe --record` wrote.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Loopback address to serve it on. Without it, the first of 127.83.0.1 to 127.83.0.100 whose ports are free.
    #[arg(long, value_name = "IP")]
    pub address: Option<std::net::IpAddr>,
    /// Add this number to each port. Without it, ports below 1024 are raised by 20000 where they need root.
    #[arg(long, value_name = "NUMBER")]
    pub port_offset: Option<u16>,
}
