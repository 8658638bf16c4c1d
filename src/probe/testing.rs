//! What tests read out of the channel of findings.

use tokio::sync::mpsc::Receiver;

use crate::model::{Finding, FindingKind, Service, Stream};

/// All that has been emitted so far.
pub fn kinds(found: &mut Receiver<Finding>) -> Vec<FindingKind> {
    std::iter::from_fn(|| found.try_recv().ok()).map(|finding| finding.kind).collect()
}

/// The streams emitted so far; all else is dropped.
pub fn streams(found: &mut Receiver<Finding>) -> Vec<Stream> {
    kinds(found)
        .into_iter()
        .filter_map(|kind| if let FindingKind::Stream(s) = kind { Some(*s) } else { None })
        .collect()
}

/// The services emitted so far; all else is dropped.
pub fn services(found: &mut Receiver<Finding>) -> Vec<Service> {
    kinds(found)
        .into_iter()
        .filter_map(|kind| if let FindingKind::Service(s) = kind { Some(s) } else { None })
        .collect()
}

/// All that is emitted until nobody can emit any more.
pub async fn all(mut found: Receiver<Finding>) -> Vec<Finding> {
    let mut all = Vec::new();
    while let Some(finding) = found.recv().await {
        all.push(finding);
    }
    all
}
