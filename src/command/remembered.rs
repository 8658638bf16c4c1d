//! What commands on the store share: opening it, finding devices in it, and times as people read them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::config::settings::Settings;
use crate::cli::exit::JobFailed;
use crate::history::memory::{Known, Memory};
use crate::model::ScanPlan;
use crate::model::problem::Problem;
use crate::net::with_file_rights;
use crate::store::{Open, Store, StoreError};
use crate::text::clean;

/// The store that is named, or else the usual one.
///
/// # Errors
/// When none is named and there is no home folder.
pub fn place(settings: &Settings) -> Result<PathBuf, Problem> {
    settings
        .store
        .clone()
        .or_else(|| settings.usual_store.clone())
        .ok_or_else(|| Problem::new("there is no home folder to look for a store in").hint("name one: --store FILE"))
}

/// Opens the store to be changed.
///
/// # Errors
/// Those of [`Store::open`].
pub fn open(settings: &Settings) -> anyhow::Result<Store> {
    Store::open(&place(settings)?, Open::Existing).map_err(failed)
}

/// Opens the store to be read; also one that may only be read.
///
/// # Errors
/// Those of [`Store::open`].
pub fn open_to_read(settings: &Settings) -> anyhow::Result<Store> {
    let file = place(settings)?;
    match Store::open(&file, Open::Existing) {
        Err(StoreError::ReadOnly(_) | StoreError::Full(_)) => Store::open(&file, Open::ReadOnly).map_err(failed),
        other => other.map_err(failed),
    }
}

/// Opens the store a scan is remembered in, and makes it where there is none. The usual one's folder is made as well.
///
/// # Errors
/// Those of [`Store::open`].
pub fn open_or_create(file: &Path, usual: Option<&Path>) -> anyhow::Result<Store> {
    let is_usual = usual == Some(file);
    if let Some(folder) = file.parent().filter(|folder| is_usual && !folder.exists()) {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|source| failed(StoreError::Io { file: file.to_owned(), source }))?;
    }
    Store::open(file, Open::Create).map_err(failed)
}

/// Hands a plan what is known of the hosts it may ask, and the book in which their logins are counted.
///
/// # Errors
/// When it cannot be read.
pub fn hand_over(store: &Store, plan: &mut ScanPlan, now: Timestamp) -> anyhow::Result<()> {
    // Files beside the store are made also where it is only read.
    let known = with_file_rights(|| store.known_hosts(&*store.memory()?, plan, &|_| None, now));
    plan.known_hosts = Arc::new(known.map_err(failed)?);
    plan.login_book = Some(store.login_book(false));
    Ok(())
}

/// What an error of the store ends the program with: naming the wrong file is wrong usage, anything else a failure.
pub fn failed(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Missing(_)
        | StoreError::Exists(_)
        | StoreError::NotAStore(_)
        | StoreError::Network { .. }
        | StoreError::Unknown(_) => Problem::from(error).into(),
        other => JobFailed(other.into()).into(),
    }
}

/// The device of this text: id, address, MAC address or name.
///
/// # Errors
/// When there is none, or several have the name.
pub fn find<'m>(memory: &'m Memory, text: &str) -> Result<&'m Known, Problem> {
    memory.find(text).ok_or_else(|| {
        let names = memory.roots().filter_map(|known| known.note.name.as_deref());
        Problem::new(format!("no single device is known as `{}`", clean(text)))
            .did_you_mean(text, names)
            .hint("`camscan devices` lists them with their ids")
    })
}

/// A time as people read it: that of this machine's clock on the wall.
pub fn shown(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
