//! Who may do what in `camscan serve`.

use super::names::names;

names! {
    /// One kind of things somebody may do.
    pub enum Scope {
        /// See devices, streams, events and pictures.
        Read = "read",
        /// Watch live.
        Live = "live",
        /// Begin and stop scans, checks and probes.
        Scan = "scan",
        /// Name, tag, mute, acknowledge, merge and archive devices.
        Edit = "edit",
        /// Read the metrics.
        Metrics = "metrics",
        /// Manage accounts, tokens, logins of devices, backups.
        Admin = "admin",
    }
}

names! {
    /// What an account is for.
    pub enum Role {
        /// Looks.
        Viewer = "viewer",
        /// Looks, scans and edits.
        Operator = "operator",
        /// Does everything.
        Admin = "admin",
    }
}

impl Role {
    /// What an account of this role may do.
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Role::Viewer => &[Scope::Read, Scope::Live],
            Role::Operator => &[Scope::Read, Scope::Live, Scope::Scan, Scope::Edit],
            Role::Admin => &Scope::ALL,
        }
    }
}
