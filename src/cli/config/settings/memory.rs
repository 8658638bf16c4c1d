//! Where scans are remembered, and how long.

use std::path::PathBuf;

use crate::cli::args::{Cli, Command};
use crate::cli::config::environment::Environment;
use crate::cli::config::keys::{self, StorePlace};
use crate::cli::config::layer::{Layer, Origin};
use crate::model::memory::Keep;
use crate::model::problem::Problem;
use crate::text::clean;

/// The store that is named. `--no-store` stands over what variables and files name.
pub(super) fn store(cli: &Cli, layer: &Layer, environment: &Environment) -> Result<Option<PathBuf>, Problem> {
    if matches!(&cli.command, Command::Scan(args) if args.no_store) {
        return Ok(None);
    }
    match layer.one(&keys::STORE)? {
        StorePlace::None => Ok(None),
        StorePlace::File(file) => Ok(Some(file)),
        StorePlace::Auto => {
            refuse_file_among_targets(layer)?;
            environment.store_place().map(Some).ok_or_else(|| {
                Problem::new("there is no home folder to keep a store in")
                    .at(layer.origin(keys::STORE.name).place(keys::STORE.name))
                    .hint("name a file: --store=/var/lib/camscan/store.sqlite")
            })
        }
    }
}

/// After `--store s.sqlite` the usual store would be written, and `s.sqlite` be looked for as a host.
fn refuse_file_among_targets(layer: &Layer) -> Result<(), Problem> {
    const ENDINGS: [&str; 3] = [".sqlite", ".sqlite3", ".db"];
    let targets = layer.given(keys::TARGETS.name).map_or(&[][..], |given| &given.values);
    match targets.iter().find(|word| ENDINGS.iter().any(|ending| word.ends_with(ending))) {
        Some(file) if matches!(layer.origin(keys::STORE.name), Origin::Flag(_)) => {
            let file = clean(file);
            Err(Problem::new(format!("`{file}` is no target"))
                .hint(format!("to remember in that file: --store={file}")))
        }
        _ => Ok(()),
    }
}

/// How long what is kept.
pub(super) fn keep(layer: &Layer) -> Result<Keep, Problem> {
    Ok(Keep {
        events: layer.one(&keys::KEEP_EVENTS)?,
        scans: layer.one(&keys::KEEP_SCANS)?,
        hourly: layer.one(&keys::KEEP_HOURLY)?,
        daily: layer.one(&keys::KEEP_DAILY)?,
        outbox: layer.one(&keys::KEEP_OUTBOX)?,
    })
}
