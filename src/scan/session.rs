//! What outlives a scan: the network, the signatures and the limits of this machine. Many scans run in one session, one after
//! the other or side by side.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::targets::{self, Request, Resolved, TargetError};
use crate::identify::signature::Signatures;
use crate::model::{Credential, Device, MacAddr};
use crate::net::pace::Pace;
use crate::net::{Dialer, Net};
use crate::probe::ProtocolRows;
use crate::protocol::PROTOCOLS;

/// What the scans of a process share.
pub struct Session {
    /// The network.
    pub net: Arc<dyn Net>,
    /// The signatures.
    pub signatures: Arc<Signatures>,
    /// How hosts are found, and what each port and each host is asked.
    pub protocols: Arc<[ProtocolRows]>,
    /// The time of day.
    pub now: fn() -> Timestamp,
    connections: Arc<Semaphore>,
    /// The logins that worked, by host, with the network card that the link showed there. They leave the process in what the
    /// user asked for and nowhere else.
    logins: Arc<Mutex<HashMap<IpAddr, Worked>>>,
}

/// A login that worked on a host, with the network card that the link showed there.
type Worked = (Option<MacAddr>, Credential);

impl Session {
    /// A session on this network that speaks all of [`PROTOCOLS`], with at most `open_connections` connections at once in all its scans together.
    pub fn new(
        net: Arc<dyn Net>,
        signatures: Arc<Signatures>,
        now: fn() -> Timestamp,
        open_connections: usize,
    ) -> Arc<Self> {
        let connections = Arc::new(Semaphore::new(open_connections.max(1)));
        Arc::new(Session { net, signatures, protocols: PROTOCOLS.into(), now, connections, logins: Arc::default() })
    }

    /// The same session speaking other protocols: those of the program, some of them, or others besides.
    pub fn with_protocols(&self, protocols: impl Into<Arc<[ProtocolRows]>>) -> Arc<Self> {
        Arc::new(Session {
            net: self.net.clone(),
            signatures: self.signatures.clone(),
            protocols: protocols.into(),
            now: self.now,
            connections: self.connections.clone(),
            logins: self.logins.clone(),
        })
    }

    /// The same session on another network, which stands before this one.
    pub fn on_net(&self, net: Arc<dyn Net>) -> Arc<Self> {
        Arc::new(Session {
            net,
            signatures: self.signatures.clone(),
            protocols: self.protocols.clone(),
            now: self.now,
            connections: self.connections.clone(),
            logins: self.logins.clone(),
        })
    }

    /// The login that worked on a device, at whichever of its addresses. Where the link showed a network card, it is that of
    /// the device; elsewhere the address is the one it is reached at, since it can state any other as its own.
    pub fn login_of(&self, device: &Device) -> Option<Credential> {
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&device.ip).chain(&device.addresses).find_map(|ip| {
            let (mac, login) = logins.get(ip)?;
            let is_its_own = mac.map_or(*ip == device.ip, |mac| device.link_mac == Some(mac));
            is_its_own.then(|| login.clone())
        })
    }

    /// Keeps the login that worked on a host, where the link showed this network card.
    pub(super) fn keep_login(&self, ip: IpAddr, mac: Option<MacAddr>, login: Credential) {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).insert(ip, (mac, login));
    }

    /// Resolves the targets of a scan.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub async fn resolve(&self, request: &Request<'_>) -> Result<Resolved, TargetError> {
        targets::resolve(request, self.net.as_ref()).await
    }

    /// A dialer for one scan, within the session's limit of open connections.
    pub(super) fn dialer(&self, pace: Arc<Pace>, per_host: usize) -> Dialer {
        Dialer::within(self.net.clone(), pace, self.connections.clone(), per_host)
    }
}
