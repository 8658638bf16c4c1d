//! The conditions under which a scan ends with exit code 3.

use crate::model::names::names;

names! {
    /// A condition of `--fail-on`.
    pub enum FailOn {
        /// A device is not in the baseline.
        New = "new",
        /// A device of the baseline is gone.
        Offline = "offline",
        /// The same.
        Gone = "gone",
        /// A device of the baseline has another address.
        Moved = "moved",
        /// Another device is at the address of one of the baseline that is gone.
        Replaced = "replaced",
        /// Anything about a device of the baseline changed.
        Changed = "changed",
        /// A stream that delivered frames does so no longer.
        Broken = "broken",
        /// A service or stream demands a login no longer.
        Open = "open",
        /// No camera, recorder or other source of video was found.
        NoneFound = "none-found",
        /// A stream needs a login that was not given or was refused.
        AuthRequired = "auth-required",
        /// A device has streams, and none of them delivers frames.
        NotStreaming = "not-streaming",
        /// A stream was accepted, and no frame came in time.
        NoData = "no-data",
        /// A device has no password yet, or is as it left the factory.
        Unactivated = "unactivated",
        /// Two devices have the same address.
        AddressConflict = "address-conflict",
        /// A stream or a device ended in an error.
        Error = "error",
    }
}

impl FailOn {
    /// Whether it needs an earlier report to compare with.
    pub fn needs_baseline(self) -> bool {
        matches!(
            self,
            FailOn::New
                | FailOn::Offline
                | FailOn::Gone
                | FailOn::Moved
                | FailOn::Replaced
                | FailOn::Changed
                | FailOn::Broken
                | FailOn::Open
        )
    }
}
