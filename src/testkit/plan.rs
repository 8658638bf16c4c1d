//! Plans of scans for tests.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Credential, ProbeOptions, ScanPlan, TargetSet};

/// The logins a user gives, as `(user, password)`.
pub fn credentials(logins: &[(&str, &str)]) -> Vec<Credential> {
    logins.iter().map(|(user, password)| Credential::new(*user, *password)).collect()
}

/// A plan that names its targets and nothing else: no method of discovery, no names, all hosts in the report.
pub fn plan_for(targets: TargetSet) -> ScanPlan {
    ScanPlan {
        targets,
        methods: Vec::new(),
        interfaces: Vec::new(),
        concurrency: 32,
        rate: None,
        discovery_time: Duration::from_secs(3),
        max_duration: None,
        all: true,
        presence_only: false,
        show_secrets: false,
        resolve_names: false,
        max_age: None,
        known_hosts: Arc::default(),
        login_book: None,
        probe: ProbeOptions::default(),
    }
}
