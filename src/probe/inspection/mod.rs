//! What a detector or an analyser of one host is handed: the host as clients see it, what is known of it, and where findings
//! go.

mod record;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(test)]
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Detection, FindingSender, Peer, PortProber, ProtocolRows};
use crate::identify::ports;
use crate::identify::signature::{Field, Signatures};
use crate::model::{ErrorKind, Finding, FindingKind, ProbeOptions, Stage, StageError};
#[cfg(test)]
use crate::net::Net;

pub use record::Record;

/// The inspection of one host. Cloned freely: clones are of the same inspection.
#[derive(Clone)]
pub struct Inspection {
    /// The host as its clients see it.
    pub peer: Peer,
    /// What is asked of the inspection.
    pub options: Arc<ProbeOptions>,
    /// What was found so far.
    pub record: Arc<Record>,
    /// The signatures to look headers up in.
    pub signatures: Arc<Signatures>,
    /// Asks ports without connecting, where that can be done.
    pub ports: Option<Arc<dyn PortProber>>,
    /// What every port and every host is asked.
    pub protocols: Arc<[ProtocolRows]>,
    findings: FindingSender,
    pictures: Arc<AtomicU32>,
}

impl Inspection {
    /// The inspection of `peer` by the options, whose findings go to `findings` and into `record`. It knows no protocol yet.
    pub fn new(
        peer: Peer,
        options: Arc<ProbeOptions>,
        record: Arc<Record>,
        signatures: Arc<Signatures>,
        findings: FindingSender,
    ) -> Self {
        let protocols = Arc::from([]);
        Inspection { peer, options, record, signatures, ports: None, protocols, findings, pictures: Arc::default() }
    }

    /// The same inspection, which may last until `deadline`.
    pub fn until(&self, deadline: Instant) -> Self {
        Inspection { peer: Peer { deadline, ..self.peer.clone() }, ..self.clone() }
    }

    /// Another look at the same host, whose record begins anew but for the network card, and whose findings go to
    /// `findings`. Its logins are the same account.
    pub fn afresh(&self, findings: FindingSender) -> Self {
        Inspection { record: self.record.afresh(), findings, pictures: Arc::default(), ..self.clone() }
    }

    /// Emits a finding about the host, which is recorded first: whoever runs after it knows it.
    pub async fn emit(&self, kind: FindingKind) {
        self.record.learn(&kind);
        // The receiver is gone only when the scan is over.
        let _ = self.findings.send(Finding::new(self.peer.ip, kind)).await;
    }

    /// Emits all evidence the signatures give for a text the host sent.
    pub async fn match_signatures(&self, field: Field, text: &str) {
        for evidence in self.signatures.evidence(field, text) {
            self.emit(FindingKind::Evidence(evidence)).await;
        }
    }

    /// Emits that something went wrong. `message` must hold no secret.
    pub async fn error(&self, stage: Stage, kind: ErrorKind, message: impl AsRef<str>) {
        let message = crate::text::clean(message.as_ref());
        self.emit(FindingKind::Error(StageError { stage, kind, message })).await;
    }

    /// Emits how many logins have been used, and whether the device offered Digest.
    pub async fn emit_login_attempts(&self) {
        if self.peer.logins.offers_digest() {
            self.emit(FindingKind::OffersDigest).await;
        }
        if let Some(attempts) = self.peer.logins.attempts() {
            self.emit(FindingKind::LoginAttempts(attempts)).await;
        }
    }

    /// The number of the next stream of which a picture is taken, from 1.
    pub fn number_picture(&self) -> u32 {
        self.pictures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Emits what went wrong on an open port, unless what it speaks was understood. Where nobody had a doubt of his own,
    /// what was `heard` last is the reason: of an open port about which nothing was learnt it is always said why. The ports
    /// where makers speak a protocol of their own are excepted; that they are open is all they have to tell.
    pub async fn settle_port(&self, port: u16, understood: bool, heard: Option<Detection>) {
        let doubts = self.peer.history.take_doubts(port).into_iter();
        let mut doubts: Vec<StageError> =
            doubts.map(|d| StageError { stage: d.stage, kind: d.kind, message: d.message }).collect();
        if understood {
            return;
        }
        let is_private = ports::describe(port).is_some_and(|p| p.maker.is_some_and(|maker| maker.speaks.is_empty()));
        if is_private {
            // Doubts about the port as such; a detector that expects its own there has its reasons.
            doubts.retain(|error| error.stage != Stage::Ports);
        } else if doubts.is_empty() {
            doubts.extend(heard.and_then(|heard| nothing_learnt(port, heard)));
        }
        for error in doubts {
            self.emit(FindingKind::Error(error)).await;
        }
    }
}

/// Why nothing was learnt about an open port.
fn nothing_learnt(port: u16, heard: Detection) -> Option<StageError> {
    let (kind, what) = match heard {
        Detection::Silence => (ErrorKind::Timeout, "takes connections and answers nothing"),
        Detection::Closed => (ErrorKind::Closed, "takes connections and closes them without an answer"),
        Detection::Garbage | Detection::Other(_) => (ErrorKind::Protocol, "answers in a protocol that is not known"),
        Detection::Spoken | Detection::SpokenOverTls => return None,
    };
    Some(StageError { stage: Stage::Ports, kind, message: format!("port {port} {what}") })
}

#[cfg(test)]
impl Inspection {
    /// A host of a test's network, and where its findings arrive. An inspection may take ten minutes of the test's clock.
    pub fn for_test(net: impl Net + 'static, ip: &str, options: ProbeOptions) -> (Self, mpsc::Receiver<Finding>) {
        let (findings, found) = mpsc::channel(1024);
        let peer = Peer::for_test(net, ip, &options);
        let options = Arc::new(options);
        let budget = crate::probe::Budget::new(None, peer.clock);
        let record = Record::new(peer.ip, options.clone(), &crate::model::KnownHosts::default(), &budget);
        let peer = Peer { logins: record.logins().clone(), ..peer };
        (Inspection::new(peer, options, record, Arc::default(), findings), found)
    }
}
