//! What a login travels in, and where a password must not be readable.

use super::Logins;
use crate::model::LoginGuard;
use crate::net::Connection;
use crate::net::tls::TlsInfo;

/// What a login travels in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// Plain TCP: the network between can read it.
    None,
    /// TLS: the peer alone reads what is sent.
    Tls {
        /// The peer's certificate ([`TlsInfo::fingerprint`]); none where it is not known yet, or not shown to be the peer's.
        fingerprint: Option<String>,
    },
}

impl Encryption {
    /// By TLS or not, before a certificate was seen.
    pub fn unseen(tls: bool) -> Self {
        if tls { Encryption::Tls { fingerprint: None } } else { Encryption::None }
    }

    /// By what a handshake revealed, if there was one.
    pub fn of_handshake(info: Option<&TlsInfo>) -> Self {
        info.map_or(Encryption::None, |info| Encryption::Tls { fingerprint: info.fingerprint.clone() })
    }

    /// Of an open connection.
    pub fn of(connection: &Connection) -> Self {
        Encryption::of_handshake(connection.tls.as_ref().map(|(info, _)| info))
    }

    /// Whether it is TLS.
    pub fn is_tls(&self) -> bool {
        matches!(self, Encryption::Tls { .. })
    }
}

/// Why a password is not sent in a form that its reader can use as it is (Basic, or in an address).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// It would go in plain text to a device that offers Digest.
    OffersDigest,
    /// It would go in plain text to a device that took its logins by TLS alone.
    TookTls,
    /// It would go by TLS to a peer with another certificate than the device has.
    OtherCertificate,
}

impl Withheld {
    /// The reason as a clause, with what permits it.
    pub fn clause(self) -> &'static str {
        match self {
            Withheld::OffersDigest => {
                "the password would go in plain text (Basic), although the device offers Digest elsewhere (`basic: allow` \
                 permits it)"
            }
            Withheld::TookTls => {
                "the password would go in plain text (Basic), although the device took logins by TLS alone before (`basic: \
                 allow` permits it)"
            }
            Withheld::OtherCertificate => {
                "the password would be readable (Basic) to a server with another TLS certificate than the device had before \
                 (`basic: allow` permits it; `camscan devices login confirm` takes the new certificate)"
            }
        }
    }
}

/// What a device once proved, and offers now.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    /// It offered Digest in this run.
    pub(super) offers_digest: bool,
    /// What it proved in earlier ones, by each thing it is known by.
    pub(super) guards: Vec<LoginGuard>,
}

impl Guarded {
    /// Whether there is nothing that holds a password back.
    pub(super) fn is_empty(&self) -> bool {
        !self.offers_digest && self.guards.is_empty()
    }

    /// Adds what holds for another address of the same device.
    pub(super) fn add(&mut self, other: &Guarded) {
        self.offers_digest |= other.offers_digest;
        self.add_guards(&other.guards);
    }

    pub(super) fn add_guards(&mut self, guards: &[LoginGuard]) {
        for guard in guards {
            if !self.guards.contains(guard) {
                self.guards.push(guard.clone());
            }
        }
    }

    /// Why a readable password must not go by `encryption`; none where it may.
    pub(super) fn withheld(&self, encryption: &Encryption) -> Option<Withheld> {
        match encryption {
            Encryption::None if self.offers_digest || self.guards.iter().any(|guard| guard.offered_digest) => {
                Some(Withheld::OffersDigest)
            }
            Encryption::None => (!self.guards.is_empty()).then_some(Withheld::TookTls),
            Encryption::Tls { fingerprint } => {
                let is_known = self.guards.iter().all(|guard| guard.knows(fingerprint.as_deref()));
                (!is_known).then_some(Withheld::OtherCertificate)
            }
        }
    }
}

impl Logins {
    /// Notes that the device offers Digest: from now on it gets no password in plain text.
    pub fn note_digest(&self) {
        self.lock().guarded.offers_digest = true;
    }

    /// Whether the device offered Digest.
    pub fn offers_digest(&self) -> bool {
        self.lock().guarded.offers_digest
    }

    /// Notes what the device, or one it may be, proved in earlier scans.
    pub fn guard(&self, guards: &[LoginGuard]) {
        self.lock().guarded.add_guards(guards);
    }

    /// Why a password that its reader can use as it is must not go by `encryption`; none where it may. What the device offers
    /// or proved at another of its addresses holds at this one.
    pub fn withheld(&self, encryption: &Encryption) -> Option<Withheld> {
        self.budget.decide(self.address, |_, others| {
            self.lock().guarded.withheld(encryption).or_else(|| others.guarded.withheld(encryption))
        })
    }
}
