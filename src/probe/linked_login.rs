//! The login of a device that is asked again and again without a scan. A machine that took the device's address gets nothing:
//! whether the login may be sent is decided each time anew, by the network card that the link shows then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{Budget, Logins, Peer, Record};
use crate::model::{Credential, Device, FindingKind, GuardedDevices, KnownHosts, MacAddr, ProbeOptions};
use crate::net::NetError;

/// The login that worked on a device, and which devices it is meant for.
#[derive(Debug)]
pub struct LinkedLogin {
    meant: Mutex<Meant>,
}

#[derive(Debug)]
struct Meant {
    worked: Option<Credential>,
    /// All logins there are, with the devices they are meant for.
    options: Arc<ProbeOptions>,
    device: Device,
    guarded: Arc<GuardedDevices>,
}

impl LinkedLogin {
    /// The login that worked on a device as it was last seen. It is sent where one of the options' logins is the same, and
    /// meant for the device.
    pub fn new(
        worked: Option<Credential>,
        options: Arc<ProbeOptions>,
        device: Device,
        guarded: Arc<GuardedDevices>,
    ) -> Self {
        LinkedLogin { meant: Mutex::new(Meant { worked, options, device, guarded }) }
    }

    /// Takes what is known now in place of what was known before.
    pub fn renew(&self, now: LinkedLogin) {
        *self.lock() = now.meant.into_inner().unwrap_or_else(PoisonError::into_inner);
    }

    /// The login, where it is meant for the device as it was last seen.
    pub fn as_last_seen(&self) -> Option<Credential> {
        let meant = self.lock();
        meant.login(meant.device.link_mac)
    }

    /// Connects to a port of the device, asks the link who is there, and offers `peer` the login that is meant for it, if any.
    /// Who speaks to the port within a second takes the connection over.
    ///
    /// # Errors
    /// As [`Peer::connect`]. Then no login is offered.
    pub async fn settle(&self, peer: &Peer, port: u16) -> Result<(), NetError> {
        peer.rtsp_pause().await;
        let connection = peer.connect(port).await.inspect_err(|_| peer.logins.offer(Vec::new()))?;
        // The kernel sends to the card that it names, so that this is the one that took the connection.
        let mac = match peer.interface_of_link() {
            Some(_) => peer.dialer.neighbour_table().mac_in_row(peer.ip).await,
            None => None,
        };
        let (login, guarded) = {
            let meant = self.lock();
            (meant.login(mac), meant.guarded.clone())
        };
        peer.logins.guard(mac.map_or(&[], |mac| guarded.with_mac(mac)));
        peer.logins.offer(login.into_iter().collect());
        peer.dialer.keep(connection);
        Ok(())
    }

    /// Whether the login is not offered now though it is meant for the device as it was last seen.
    pub fn is_withheld(&self, logins: &Logins) -> bool {
        logins.credentials().is_empty() && self.as_last_seen().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Meant> {
        self.meant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meant {
    /// The login, where the link shows this card.
    fn login(&self, mac: Option<MacAddr>) -> Option<Credential> {
        let (worked, device) = (self.worked.as_ref()?, &self.device);
        // Nothing is sent, so that nothing is counted.
        let budget = Budget::new(None, Timestamp::now);
        let record = Record::new(device.ip, self.options.clone(), &KnownHosts::default(), &budget);
        // Behind another card is another machine, of which nothing is known.
        let is_other = mac.zip(device.link_mac).is_some_and(|(now, before)| now != before);
        if !is_other {
            device.evidence.iter().for_each(|evidence| record.learn(&FindingKind::Evidence(evidence.clone())));
            device.endpoint.iter().for_each(|endpoint| record.learn(&FindingKind::EndpointId(endpoint.clone())));
            device.mac.iter().for_each(|mac| record.learn(&FindingKind::StatedMac(*mac)));
        }
        mac.iter().for_each(|mac| record.learn(&FindingKind::Mac(*mac)));
        let is_it = |login: &Credential| login.user == worked.user && login.password == worked.password;
        record.logins().credentials().into_iter().find(is_it)
    }
}
