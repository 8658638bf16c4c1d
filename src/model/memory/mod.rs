//! What is remembered about devices and told about them: shared by the rooms that decide, store and send it.

mod around;
mod detail;
mod event;
mod keep;
mod not_scanned;
mod note;
mod outbox;
mod remark;
mod store_trouble;
mod uid;

pub use around::{Around, Gateway};
pub use detail::{Detail, MuteOf, NotePart};
pub use event::{DeviceCard, Event, EventData, EventKind, MutedBy, ServiceCard, Severity, StreamCard};
pub use keep::Keep;
pub use not_scanned::NotScanned;
pub use note::{Expect, Note};
pub use outbox::{Delivery, DeliveryState, Outbox, OutboxError, Route, Routed, Stored};
pub use remark::{Remark, Trait, port_name};
pub use store_trouble::StoreTrouble;
pub use uid::Uid;
