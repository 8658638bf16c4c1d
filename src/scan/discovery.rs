//! The ways of finding hosts within a scan: which of them run, and what becomes of those that cannot.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinError;

use super::{Run, Scan};
use crate::model::{Method, ScanEvent};
use crate::net::Interface;
use crate::probe::sweep::{AddressList, segments};
use crate::probe::{Discoverer, DiscoveryContext};
use crate::protocol;
use crate::protocol::tcp::syn::SynScanner;

impl Run {
    pub(super) fn start_discovery(&mut self, warnings: mpsc::Sender<String>, tell: &mut impl FnMut(ScanEvent)) {
        let Some(findings) = self.findings.clone() else { return };
        let wanted = &self.scan.plan.interfaces;
        let interfaces: Vec<Interface> = match self.scan.net.interfaces() {
            Ok(all) => all.into_iter().filter(|i| wanted.is_empty() || wanted.contains(&i.name)).collect(),
            Err(error) => {
                self.warn(format!("the network interfaces cannot be listed: {error}"), tell);
                Vec::new()
            }
        };
        note_zones(&self.scan, &interfaces);
        self.dialer.neighbour_table().set_interfaces(&interfaces);
        let targets = AddressList::of_targets(&self.scan.plan.targets);
        self.links = segments(&targets, &interfaces).into_iter().map(|s| s.interface.name).collect();
        self.start_port_prober(&interfaces);
        let context = Arc::new(DiscoveryContext {
            plan: self.scan.plan.clone(),
            net: self.scan.net.clone(),
            dialer: self.dialer.clone(),
            interfaces,
            cancel: self.scan.cancel.clone(),
            signatures: self.scan.signatures.clone(),
            findings,
            swept: self.swept.clone(),
            warnings,
            ports: self.ports.clone(),
        });
        for &discoverer in protocol::DISCOVERERS {
            let method = Discoverer::method(discoverer);
            // Of a scan of loopback no datagram goes out to a link.
            let runs = method == Method::Tcp || !self.scan.plan.targets.is_loopback_only();
            if runs && self.scan.plan.methods.contains(&method) {
                let context = context.clone();
                tracing::info!(method = method.as_str(), "discovery began");
                self.discovery.spawn(async move {
                    let stop = context.cancel.clone();
                    let discovery = AssertUnwindSafe(discoverer.discover(&context)).catch_unwind();
                    let outcome = stop.run_until_cancelled(discovery).await.unwrap_or(Ok(Ok(())));
                    (method, outcome.unwrap_or_else(|_| Err(mistake_in(method))))
                });
            }
        }
    }

    /// Without the right to send raw frames, ports are asked by connects.
    fn start_port_prober(&mut self, interfaces: &[Interface]) {
        if !self.scan.plan.methods.contains(&Method::Arp) {
            return;
        }
        match SynScanner::start(self.scan.net.as_ref(), interfaces, self.dialer.pace()) {
            Ok(scanner) => self.ports = Some(scanner),
            Err(error) => tracing::debug!("ports are asked by connects: {error}"),
        }
    }

    pub(super) fn discovery_ended(
        &mut self,
        done: Result<(Method, Result<(), String>), JoinError>,
        tell: &mut impl FnMut(ScanEvent),
    ) {
        match done {
            Ok((method, Ok(()))) => {
                tracing::info!(method = method.as_str(), "discovery ended");
                self.ran.push(method);
            }
            Ok((_, Err(why))) => self.warn(why, tell),
            // It catches its panics, and is aborted only when all is over.
            Err(_) => {}
        }
        if self.discovery.is_empty() {
            self.inspect_deferred(tell);
        }
    }

    /// Who is behind an interface that went away was not there to be asked.
    pub(super) fn say_links_lost(&mut self, tell: &mut impl FnMut(ScanEvent)) {
        let Ok(up) = self.scan.net.interfaces() else { return };
        for name in std::mem::take(&mut self.links) {
            if !up.iter().any(|i| i.name == name) {
                self.warn(
                    format!("the interface {name} went down during the scan: hosts behind it may be missing"),
                    tell,
                );
            }
        }
    }
}

/// Tells the network through which interface the link-local targets are reached.
fn note_zones(scan: &Scan, interfaces: &[Interface]) {
    for host in scan.plan.targets.hosts() {
        let Some(zone) = &host.zone else { continue };
        let index = interfaces.iter().find(|i| i.name == *zone).map(|i| i.index).or_else(|| zone.parse().ok());
        if let Some(index) = index {
            scan.net.note_zone(host.ip, index);
        }
    }
}

fn mistake_in(method: Method) -> String {
    format!("discovery by {} failed by a mistake of ours; the other methods went on", method.as_str())
}
