//! Captures of real devices, which are not part of the repository.

use std::path::PathBuf;

/// The folder that `CAMSCAN_CAPTURES` names. A test that reads it is ignored unless it is asked for, and fails here when it
/// is asked for and the folder is not named.
///
/// # Panics
/// When the variable is not set.
pub fn folder() -> PathBuf {
    std::env::var_os("CAMSCAN_CAPTURES").map(PathBuf::from).expect("CAMSCAN_CAPTURES names the folder of the captures")
}
