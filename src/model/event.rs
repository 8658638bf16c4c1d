//! What happens during a scan, for whoever follows it: the terminal, JSON lines, a log, a store.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Device, Method};

/// A change worth showing. Holds no secret: credentials are no part of it, and what devices sent has been redacted.
///
/// As JSON it is `{"event": "host_up", "data": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum ScanEvent {
    /// Sweeping began: so many addresses are to be asked.
    SweepStarted {
        /// How many addresses the targets hold.
        addresses: u64,
    },
    /// So many of the addresses have been asked.
    Swept {
        /// How many so far.
        addresses: u64,
    },
    /// An address answered for the first time.
    HostUp {
        /// The address.
        ip: IpAddr,
        /// What it answered to.
        method: Method,
    },
    /// The host's inspection began.
    HostStarted {
        /// The address.
        ip: IpAddr,
    },
    /// The host's inspection ended.
    HostDone {
        /// The address.
        ip: IpAddr,
    },
    /// All is known about a device with video.
    DeviceDone(Box<Device>),
    /// Something the operator should know: a sentence and, after line breaks, `hint:` lines.
    Warning(String),
}

/// Whoever follows a scan. Must not block: the scan waits.
pub trait EventSink {
    /// Takes note of an event.
    fn event(&mut self, event: &ScanEvent);
}

impl<F: FnMut(&ScanEvent)> EventSink for F {
    fn event(&mut self, event: &ScanEvent) {
        self(event);
    }
}

/// Several sinks; each receives every event, in this order.
pub struct Sinks<'s>(pub Vec<Box<dyn EventSink + Send + 's>>);

impl EventSink for Sinks<'_> {
    fn event(&mut self, event: &ScanEvent) {
        self.0.iter_mut().for_each(|sink| sink.event(event));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Finding, arbitrary};

    fn round_trip<T: Serialize + for<'de> Deserialize<'de>>(value: &T) -> T {
        serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn events_read_back_as_they_were_written(event in arbitrary::event()) {
            prop_assert_eq!(round_trip(&event), event);
        }

        #[test]
        fn findings_read_back_as_they_were_written(finding in arbitrary::finding()) {
            prop_assert_eq!(round_trip::<Finding>(&finding), finding);
        }
    }

    #[test]
    fn the_names_of_events_and_findings_are_fixed() {
        let ip: IpAddr = [192, 0, 2, 1].into();
        let up = ScanEvent::HostUp { ip, method: Method::Arp };
        assert_eq!(
            serde_json::to_string(&up).unwrap(),
            r#"{"event":"host_up","data":{"ip":"192.0.2.1","method":"arp"}}"#
        );
        let refuses = Finding::new(ip, crate::model::FindingKind::Refuses(80));
        assert_eq!(serde_json::to_string(&refuses).unwrap(), r#"{"ip":"192.0.2.1","finding":"refuses","data":80}"#);
    }
}
