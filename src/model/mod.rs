//! Plain data, shared by every room: no I/O, no clock, no behaviour beyond what the data itself means.

pub mod access;
pub mod answer;
#[cfg(test)]
pub mod arbitrary;
pub mod channel;
pub mod codec;
pub mod coverage;
pub mod device;
pub mod event;
pub mod finding;
pub mod host_record;
pub mod known_host;
pub mod listen;
pub mod login_place;
pub mod mac;
pub mod memory;
mod method;
pub mod moment;
pub mod names;
pub mod notify;
pub mod options;
mod port_list;
pub mod problem;
pub mod recording;
pub mod report;
pub mod secret;
pub mod service;
pub mod site;
pub mod stream;
pub mod target;
pub mod texts;

pub use answer::{Answer, Header};
pub use channel::{Channel, MatchedBy, ShownBy};
pub use codec::{AudioCodec, VideoCodec};
pub use coverage::Coverage;
pub use device::{Device, DeviceState, Evidence, EvidenceSource, Fact, Kind, LoginAttempts, Stage, StageError};
pub use event::{EventSink, ScanEvent};
pub use finding::{Finding, FindingKind};
pub use host_record::HostRecord;
pub use known_host::{GuardedDevices, KnownDevice, KnownHost, KnownHosts, LoginGuard};
pub use login_place::{DeviceTraits, LoginBook};
pub use mac::MacAddr;
pub use method::Method;
pub use options::{ProbeOptions, ScanPlan, Verify};
pub use port_list::PortList;
pub use report::{Report, ScanInfo, ScanStatus};
pub use secret::{Anchor, Credential, Secret};
pub use service::{AuthScheme, Protocol, Service, Transport};
pub use site::{Activation, NetworkSettings, Reach, Warning, WarningKind};
pub use stream::{
    Audio, ErrorKind, FpsSource, LadderStep, SizeSource, Step, Stream, StreamError, StreamSource, StreamStatus, Video,
    Way,
};
pub use target::{HostTarget, ProbeTarget, TargetSet, TargetSpec};
