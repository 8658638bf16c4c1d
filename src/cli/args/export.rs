//! Where reports go, and what is made of them.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Args, ValueHint};

use super::{names, secret};
use crate::export::FORMATS;
use crate::export::survey::lang::Lang;
use crate::model::Secret;

pub(super) const EXPORT_EXAMPLES: &str = "\
Examples:
  camscan export report.json -f csv
  camscan export report.json -o survey:survey.html --site 'Depot North' --lang ru
  camscan export report.json -o frigate:config.yml --env-file frigate.env
  camscan export report.json -o motion:/etc/motion/ --show-secrets --credentials-file logins.txt";

pub(super) const APPLY_EXAMPLES: &str = "\
Examples:
  camscan apply report.json /config/config.yml                  show what would be added
  camscan apply report.json /config/config.yml --write          add it

Every other byte of the file stays: comments, order, passwords. The old file is kept beside it.";

/// Where the report goes.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Format of standard output.
    ///
    /// auto: a table; nothing if -o is given and standard output is not a terminal. A name under plugins: of the
    /// configuration stands for that program.
    #[arg(short, long, value_name = "FORMAT", ignore_case = true,
          value_parser = FormatParser)]
    pub format: Option<String>,
    /// Write the report to this file, in the format of its extension; repeatable.
    ///
    /// FORMAT:FILE writes another format than the extension's, such as frigate:config.yml; a folder stands for the usual
    /// file name in it. Files are checked before the scan starts and replaced atomically at its end.
    #[arg(short, long, value_name = "[FORMAT:]FILE", value_hint = ValueHint::FilePath)]
    pub output: Vec<String>,
    /// Write the logins that a video system's configuration leaves open to this file, readable by its owner only.
    ///
    /// The configuration holds placeholders and lists them. The file has a NAME=VALUE line for each, as Docker Compose and
    /// systemd read them; with the extension .yaml or .yml a `NAME: VALUE` line, as in secrets.yaml of Home Assistant and
    /// Viseron; with .sql a `SET @NAME` statement, for ZoneMinder.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub env_file: Option<String>,
    /// Start CSV files with a byte order mark, for Excel.
    #[arg(long, hide_short_help = true)]
    pub csv_bom: bool,
    /// Separator of CSV cells: a character, or `tab`.
    #[arg(long, value_name = "CHAR", hide_short_help = true)]
    pub csv_delimiter: Option<String>,
    /// Show passwords in URLs and configurations.
    ///
    /// In the URLs of the report, and in the configurations of video systems; a survey has none in any case.
    #[arg(long)]
    pub show_secrets: bool,
}

/// How a survey is headed, and its language.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct SurveyArgs {
    /// Name of the site, for the head of a survey.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub site: Option<String>,
    /// Language of a survey.
    #[arg(long, value_name = "LANG", value_parser = names::<Lang>(), ignore_case = true, hide_short_help = true)]
    pub lang: Option<String>,
}

/// `camscan export`.
#[derive(Args)]
pub struct ExportArgs {
    /// The report to convert (JSON, JSON lines or YAML), or - for standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Login of the cameras, for --env-file and --show-secrets. Visible in `ps`, so prefer a file.
    ///
    /// [key: credentials, variables: CAMSCAN_CREDENTIAL (one), CAMSCAN_CREDENTIALS (one per line)].
    #[arg(short, long = "credential", id = "credentials", value_name = "USER:PASS", help_heading = "Logins",
          value_parser = secret, hide_possible_values = true)]
    pub credentials: Vec<Secret>,
    /// Read logins from this file: one USER:PASS per line, or YAML.
    ///
    /// A camera gets the one login that is meant for it; where several are, its variables stay empty.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Logins")]
    pub credentials_file: Option<String>,
    /// Where the report goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How a survey is headed, and its language.
    #[command(flatten)]
    pub survey_head: SurveyArgs,
}

/// `camscan apply`.
#[derive(Args)]
pub struct ApplyArgs {
    /// The report with the cameras (JSON, JSON lines or YAML).
    #[arg(value_name = "REPORT", value_hint = ValueHint::FilePath)]
    pub report: PathBuf,
    /// The configuration they are added to.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// The system that the configuration is for: frigate, go2rtc, mediamtx or viseron.
    ///
    /// Without it, the keys at the top of the file decide.
    #[arg(long = "for", value_name = "SYSTEM")]
    pub system: Option<String>,
    /// Change the file. Without this flag the changes are shown and nothing is written.
    #[arg(long)]
    pub write: bool,
    /// Add the logins that the new entries leave open to this file of variables.
    #[arg(long, id = "apply_env_file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_file: Option<PathBuf>,
    /// Write passwords into the configuration instead of variables.
    #[arg(long)]
    pub show_secrets: bool,
    /// Login of the cameras, for --env-file and --show-secrets. Visible in `ps`, so prefer a file.
    #[arg(short, long = "credential", id = "credentials", value_name = "USER:PASS", help_heading = "Logins",
          value_parser = secret, hide_possible_values = true)]
    pub credentials: Vec<Secret>,
    /// Read logins from this file: one USER:PASS per line, or YAML.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Logins")]
    pub credentials_file: Option<String>,
}

/// Takes any name, since plugins have some of their own, and lists the formats of the program.
#[derive(Clone)]
pub(super) struct FormatParser;

impl TypedValueParser for FormatParser {
    type Value = String;

    fn parse_ref(&self, command: &clap::Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.help))))
    }
}
