//! `camscan` finds every IP camera, recorder and video stream on a network, says what each one is
//! and what it streams, and proves that frames arrive.
//!
//! ```text
//! targets ─┐
//!          ├─ discovery ──► pool: ports → detectors → identify → analyse → verify ─┐
//!          │                                                                      │ Finding
//!          └──────────────────────────────────────────────────────────────────────┤
//!                                                     registry: Finding → ScanEvent
//!                                                     progress · exporters · store
//! ```
//!
//! The modules stand in reading order, from plain data to the commands that join the parts.
//! Imports point down only; `tests/rules/architecture` holds the rule.

pub mod model;
pub mod text;
pub mod wire;

pub mod net;

pub mod identify;
pub mod media;
pub mod probe;
pub mod protocol;
pub mod tool;

pub mod scan;

pub mod kit;
pub mod markup;
pub mod replay;

pub mod export;
pub mod history;
pub mod metrics;
pub mod notify;

pub mod store;
pub mod watch;

#[cfg(feature = "serve")]
pub mod live;
#[cfg(feature = "serve")]
pub mod serve;

pub mod cli;
pub mod command;

#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
