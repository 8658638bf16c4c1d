//! DNS of the fake network.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{PANIC, locked};
use crate::net::Names;

/// The names of addresses. Clones are the same.
#[derive(Clone, Default)]
pub struct FakeNames {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    names: HashMap<IpAddr, String>,
    panics: HashSet<IpAddr>,
}

impl FakeNames {
    /// The name that DNS has for an address.
    pub fn name(&self, ip: &str, name: &str) {
        locked(&self.state).names.insert(ip.parse().unwrap(), name.to_owned());
    }

    /// Asking for the name of an address panics.
    pub fn panic_on(&self, ip: &str) {
        locked(&self.state).panics.insert(ip.parse().unwrap());
    }
}

impl Names for FakeNames {
    /// Only addresses are names of themselves.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        async move { name.parse().map(|ip| vec![ip]).map_err(|_| io::ErrorKind::NotFound.into()) }.boxed()
    }

    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, io::Result<Option<String>>> {
        let panics = locked(&self.state).panics.contains(&ip);
        assert!(!panics, "{PANIC}");
        let name = locked(&self.state).names.get(&ip).cloned();
        async move { Ok(name) }.boxed()
    }
}
