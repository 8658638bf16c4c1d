//! One service of a host: what it answered itself, and what was announced about it.

use std::collections::BTreeSet;

use super::list::{Entry, insert_bounded, keep_longer};
use super::{MOST_PER_HOST, Service};
use crate::model::{Answer, Protocol, Transport};

/// Conversations kept of one service: one for each finding that tells of it in depth.
const MOST_CONVERSATIONS: usize = 64;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ServiceRecord {
    answered: Option<Service>,
    announced: Option<Service>,
    key: (u16, Protocol, Transport),
    /// What was asked and answered, each finding's by itself since the order within is worth keeping: by length, then by
    /// content.
    conversations: BTreeSet<(usize, Vec<Answer>)>,
}

impl ServiceRecord {
    /// What a service answered.
    pub(super) fn of_answer(service: Service) -> Self {
        let (service, record) = Self::split(service);
        ServiceRecord { answered: Some(service), ..record }
    }

    /// What was announced about a service.
    pub(super) fn announced(service: Service) -> Self {
        let (service, record) = Self::split(service);
        ServiceRecord { announced: Some(service), ..record }
    }

    fn split(mut service: Service) -> (Service, Self) {
        let answers = std::mem::take(&mut service.answers);
        let conversations = if answers.is_empty() { BTreeSet::new() } else { [(answers.len(), answers)].into() };
        if let Some(schemes) = &mut service.auth {
            schemes.sort_unstable();
            schemes.dedup();
        }
        service.notes = merge_notes(&service.notes, &[]);
        let key = (service.port, service.protocol, service.transport);
        (service, ServiceRecord { answered: None, announced: None, key, conversations })
    }

    /// Whether it listens on one of these TCP ports.
    pub(super) fn is_on(&self, ports: &BTreeSet<u16>) -> bool {
        let (port, _, transport) = self.key;
        transport == Transport::Tcp && ports.contains(&port)
    }

    /// The service as it is reported.
    pub(super) fn service(&self) -> Service {
        let (port, protocol, transport) = self.key;
        let mut service = self.answered.clone().unwrap_or_else(|| Service::new(protocol, transport, port));
        if let Some(announced) = &self.announced {
            fill(&mut service, announced);
        }
        for answer in self.conversations.iter().flat_map(|(_, answers)| answers) {
            // Asked the same once more, it states another time of day.
            let is_known = |a: &Answer| (&a.request, &a.status) == (&answer.request, &answer.status);
            if service.answers.len() < MOST_PER_HOST && !service.answers.iter().any(is_known) {
                service.answers.push(answer.clone());
            }
        }
        service
    }
}

impl Entry for ServiceRecord {
    type Key<'k> = (u16, Protocol, Transport);

    fn key(&self) -> Self::Key<'_> {
        self.key
    }

    fn merge(&mut self, other: Self) {
        merge(&mut self.answered, other.answered);
        merge(&mut self.announced, other.announced);
        self.conversations.extend(other.conversations);
        while self.conversations.len() > MOST_CONVERSATIONS {
            self.conversations.pop_first();
        }
    }
}

/// Two findings about one service, worth the same.
fn merge(known: &mut Option<Service>, new: Option<Service>) {
    let Some(new) = new else { return };
    let Some(known) = known else {
        *known = Some(new);
        return;
    };
    keep_longer(&mut known.url, new.url);
    keep_longer(&mut known.server, new.server);
    keep_longer(&mut known.title, new.title);
    keep_longer(&mut known.realm, new.realm);
    keep_longer(&mut known.certificate, new.certificate);
    keep_longer(&mut known.fingerprint, new.fingerprint);
    if let Some(schemes) = new.auth {
        // What one of its resources demands the service demands.
        let all: BTreeSet<_> = known.auth.take().unwrap_or_default().into_iter().chain(schemes).collect();
        known.auth = Some(all.into_iter().collect());
    }
    known.notes = merge_notes(&known.notes, &new.notes);
}

/// Fills what `service` leaves open.
fn fill(service: &mut Service, from: &Service) {
    let gaps = [
        (&mut service.url, &from.url),
        (&mut service.server, &from.server),
        (&mut service.title, &from.title),
        (&mut service.realm, &from.realm),
        (&mut service.certificate, &from.certificate),
        (&mut service.fingerprint, &from.fingerprint),
    ];
    for (gap, value) in gaps {
        if gap.is_none() {
            gap.clone_from(value);
        }
    }
    if service.auth.is_none() {
        service.auth.clone_from(&from.auth);
    }
    service.notes = merge_notes(&service.notes, &from.notes);
}

fn merge_notes(a: &[String], b: &[String]) -> Vec<String> {
    let mut all = BTreeSet::new();
    a.iter().chain(b).for_each(|note| insert_bounded(&mut all, note.clone()));
    all.into_iter().collect()
}
