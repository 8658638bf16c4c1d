//! Replay kits: a device's whole conversation, so that what it does wrong can be reproduced without it. A recording becomes
//! requests and answers ([`conversation`]), loses what is nobody's business ([`anonymise`]), and is written ([`format`]);
//! [`answer`] decides what a replay says. Pure: the sockets are in `replay/`.

pub mod anonymise;
pub mod answer;
pub mod conversation;
pub mod format;
mod media;

use crate::model::recording::Recording;
use anonymise::{Anonymiser, Known};
use format::{FORMAT, Kit, Manifest};

/// Makes a kit of what was recorded of a device, and says what was replaced by what, for whoever compares reports.
///
/// `started_at` is when the recording began, in seconds since 1970.
pub fn make(recording: &Recording, known: &Known, started_at: i64) -> (Kit, Anonymiser) {
    let mut kit = conversation::read(recording, started_at);
    let mut anonymiser = anonymise::anonymise(&mut kit, recording, known);
    let notes = std::mem::take(&mut kit.manifest.notes);
    kit.manifest = Manifest {
        format: FORMAT.to_owned(),
        camscan_version: env!("CARGO_PKG_VERSION").to_owned(),
        device: Some(anonymiser.address_of(known.device)),
        login: answer::takes_login(&kit),
        replaced: anonymiser.replaced(),
        kept: known.keep.iter().copied().collect(),
        notes,
    };
    (kit, anonymiser)
}

#[cfg(test)]
mod tests;
