//! Devices that are remembered, what happened to them, and what changed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::export::OutputArgs;
use super::names;
use crate::model::memory::Expect;

pub(super) const DIFF_EXAMPLES: &str = "\
Examples:
  camscan diff yesterday.json today.json
  camscan diff yesterday.json today.json --fail-on new,gone,broken -f json
  camscan diff yesterday 10.0.5.21                         one device then and now
  camscan diff yesterday                                   the last scan of yesterday and the last one of all
  camscan diff 2026-03-01 last --store /var/lib/camscan/store.sqlite

A device is recognised by its MAC address, serial number or ONVIF identity, and only then by its address.";

pub(super) const DEVICES_EXAMPLES: &str = "\
Examples:
  camscan scan --store                                     remember what this scan finds
  camscan devices                                          all that is remembered
  camscan devices -f csv --tag outdoor
  camscan devices name 10.0.5.21 'Dome North' --site Depot --tag outdoor
  camscan devices mute --site Depot --for 2h --why maintenance
  camscan devices forget 10.0.5.21                         it is sold; a device that is there is found again

A device is named by its id (d_...), its address, its MAC address or the name you gave it.";

pub(super) const HISTORY_EXAMPLES: &str = "\
Examples:
  camscan history                                          what happened in the last 7 days
  camscan history 'Dome North' --since 30d
  camscan history --since 2026-03-01 -f csv";

/// `camscan diff`.
#[derive(Args)]
pub struct DiffArgs {
    /// The earlier report (JSON, JSON lines or YAML), or a scan or device that is remembered.
    ///
    /// A scan is named by its number, `last`, `previous`, `yesterday` (the last one before today), or a date: the last one
    /// until the end of that day. A device is named by its id, address, MAC address or name, and compared with itself in a
    /// scan, or with another device.
    #[arg(value_name = "BEFORE", value_hint = ValueHint::FilePath)]
    pub before: PathBuf,
    /// The later report, scan or device. Default: the last scan that is remembered.
    #[arg(value_name = "AFTER", value_hint = ValueHint::FilePath)]
    pub after: Option<PathBuf>,
    /// The store. By default that of the configuration, or the one in the user's data folder.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub store: Option<String>,
    /// The output format.
    #[arg(short, long = "format", id = "diff_format", value_name = "FORMAT", default_value = "text")]
    pub format: DiffFormat,
    /// Exit with code 3 when one of these conditions is met.
    ///
    /// new: a device is in the later report alone; gone or offline: a device is in the earlier one alone; moved: a device
    /// has another address; replaced: another device is at the address of one that is gone; changed: anything about a device
    /// changed; broken: a stream that delivered frames does so no longer; repaired: one that did not does; open: a service
    /// or stream demands a login no longer; protected: one that did not demands a login.
    #[arg(long = "fail-on", id = "diff_fail_on", value_name = "CONDITION,...", value_delimiter = ',')]
    pub diff_fail_on: Vec<String>,
}

/// How changes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// Lines for people.
    Text,
    /// A JSON object.
    Json,
}

/// `camscan devices`.
#[derive(Args)]
pub struct DevicesArgs {
    /// What is done with them; none: they are listed.
    #[command(subcommand)]
    pub action: Option<DevicesCommand>,
    /// The store. By default that of the configuration, or the one in the user's data folder.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub store: Option<String>,
    /// Only devices with this tag; repeatable.
    #[arg(long = "tag", id = "list_tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Only devices of this site.
    #[arg(long = "site", id = "list_site", value_name = "SITE")]
    pub site: Option<String>,
    /// Also devices that have not been seen for a year.
    #[arg(long)]
    pub archived: bool,
    /// Where the report goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What is done with devices that are remembered.
#[derive(Subcommand)]
pub enum DevicesCommand {
    /// Show everything that is remembered about a device.
    Show {
        /// Its id, address, MAC address or name.
        id: String,
        /// The output format.
        #[arg(short, long = "format", id = "show_device_format", value_name = "FORMAT", default_value = "text")]
        format: DiffFormat,
    },
    /// Give a device a name, a site and tags, which tables, reports and messages use.
    Name {
        /// Its id, address, MAC address or name.
        id: String,
        /// Its name; an empty one takes the name away.
        name: Option<String>,
        /// Where it is; an empty one takes the site away.
        #[arg(long)]
        site: Option<String>,
        /// A word it is found by; repeatable. Replaces the tags it has; an empty one takes them away.
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<String>,
        /// A note; an empty one takes it away.
        #[arg(long)]
        note: Option<String>,
    },
    /// Join two entries that are the same device: B becomes part of A.
    Merge {
        /// The device that stays.
        into: String,
        /// The one that is the same.
        other: String,
    },
    /// Undo a merge: B is a device of its own again.
    Split {
        /// The id of the device that was merged, as `devices show` lists it.
        other: String,
    },
    /// Send no messages about a device, a tag or a site for a while. They are checked all the same.
    Mute {
        /// The device.
        #[arg(required_unless_present_any = ["mute_tag", "mute_site"])]
        id: Option<String>,
        /// All devices with this tag, also those that get it later.
        #[arg(long = "tag", id = "mute_tag", value_name = "TAG", conflicts_with = "id")]
        tag: Option<String>,
        /// All devices of this site.
        #[arg(long = "site", id = "mute_site", value_name = "SITE", conflicts_with_all = ["id", "mute_tag"])]
        site: Option<String>,
        /// Until then: 18:00, 2026-03-01 or 2026-03-01T18:00.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// For so long: 30m, 2h, 3d. Without either, until `devices unmute`.
        #[arg(long = "for", value_name = "TIME", conflicts_with = "until")]
        duration: Option<String>,
        /// Why, for others to read.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Send messages again.
    Unmute {
        /// The device.
        #[arg(required_unless_present_any = ["unmute_tag", "unmute_site"])]
        id: Option<String>,
        /// The tag.
        #[arg(long = "tag", id = "unmute_tag", value_name = "TAG", conflicts_with = "id")]
        tag: Option<String>,
        /// The site.
        #[arg(long = "site", id = "unmute_site", value_name = "SITE", conflicts_with_all = ["id", "unmute_tag"])]
        site: Option<String>,
    },
    /// Acknowledge the problems of a device: they are not repeated until they have ended.
    Ack {
        /// The device.
        id: String,
    },
    /// Set how long a device may be offline before that is reported.
    Expect {
        /// The device.
        id: String,
        /// always: reported as soon as it is offline; sometimes: after 24 hours; ignore: never.
        #[arg(value_parser = names::<Expect>())]
        what: String,
    },
    /// Forget devices: what is remembered of them, what you wrote about them and the logins given for them. One that is
    /// still there is found anew by the next scan.
    Forget {
        /// The devices: id, address, MAC address or name. What was merged into one is forgotten with it.
        #[arg(value_name = "ID", required_unless_present = "heard")]
        ids: Vec<String>,
        /// All devices that were only heard: they announced themselves and answered nothing. Those that you wrote about stay.
        #[arg(long, conflicts_with = "ids")]
        heard: bool,
    },
    /// Manage what is remembered about logins.
    #[command(subcommand)]
    Login(LoginCommand),
}

/// What is done with the logins of a device.
#[derive(Subcommand)]
pub enum LoginCommand {
    /// Send a device the logins that were given for it on the page, where it is now: at a new address, or behind a new
    /// network card, it is recognised by its own word alone.
    Confirm {
        /// The device.
        id: String,
    },
    /// Forget that a device refused logins, so that they are tried again.
    Retry {
        /// The device.
        id: String,
    },
}

/// `camscan history`.
#[derive(Args)]
pub struct HistoryArgs {
    /// A device, by id, address, MAC address or name. Default: all.
    pub id: Option<String>,
    /// Start of the period: 7d, 12h, yesterday, 2026-03-01 or 2026-03-01T18:00.
    #[arg(long, value_name = "TIME", default_value = "7d")]
    pub since: String,
    /// End of the period, written like --since. Default: now.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only these events, such as device.offline or stream.*.
    #[arg(long = "event", value_name = "TYPE,...", value_delimiter = ',')]
    pub events: Vec<String>,
    /// The output format.
    #[arg(short, long = "format", id = "history_format", value_name = "FORMAT", default_value = "text")]
    pub format: HistoryFormat,
    /// The store. By default that of the configuration, or the one in the user's data folder.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub store: Option<String>,
}

/// How a history is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HistoryFormat {
    /// Lines for people.
    Text,
    /// A JSON object.
    Json,
    /// A row for each event.
    Csv,
}
