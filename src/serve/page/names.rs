//! Words for what the model knows by name.

use super::look::Look;
use super::words::Text;
use crate::export::survey::words as survey;
use crate::export::words::Tone;
use crate::history::diff::{Field, VideoField};
use crate::history::memory::{DeviceState, StreamState};
use crate::model::access::{Role, Scope};
use crate::model::memory::{DeliveryState, EventKind, Expect, MutedBy, Severity, Trait};
use crate::model::{ErrorKind, Fact, Kind, Step, StreamStatus};
use crate::serve::view::scan::{ScanKind, ScanState};
use crate::store::Cause;

/// What a device is.
pub fn kind(look: &Look, kind: Kind) -> &'static str {
    survey::kind(kind, look.lang)
}

/// What failed.
pub fn error(look: &Look, kind: ErrorKind) -> &'static str {
    survey::error(kind, look.lang)
}

/// Whether a device answers.
pub const fn device_state(state: DeviceState) -> Text {
    match state {
        DeviceState::Online => Text::Online,
        DeviceState::Offline => Text::Offline,
        DeviceState::Unknown => Text::Unknown,
    }
}

/// Whether a stream works.
pub const fn stream_state(state: StreamState) -> Text {
    match state {
        StreamState::Working => Text::Working,
        StreamState::Described => Text::Described,
        StreamState::Degraded => Text::Degraded,
        StreamState::Busy => Text::Busy,
        StreamState::Broken => Text::NoFrames,
        StreamState::Locked => Text::LoginNeeded,
        StreamState::Unknown => Text::Unknown,
    }
}

/// How good a stream's state is.
pub const fn stream_tone(state: StreamState) -> Tone {
    match state {
        StreamState::Working => Tone::Good,
        StreamState::Described => Tone::Fair,
        StreamState::Degraded | StreamState::Busy | StreamState::Locked => Tone::Attention,
        StreamState::Broken => Tone::Bad,
        StreamState::Unknown => Tone::Quiet,
    }
}

/// How good an event is.
pub const fn severity_tone(severity: Severity) -> Tone {
    match severity {
        Severity::Info => Tone::Quiet,
        Severity::Warning => Tone::Attention,
        Severity::Problem => Tone::Bad,
        Severity::Recovery => Tone::Good,
    }
}

/// How much an event matters.
pub const fn severity(severity: Severity) -> Text {
    match severity {
        Severity::Info => Text::SeverityInfo,
        Severity::Warning => Text::SeverityWarning,
        Severity::Problem => Text::SeverityProblem,
        Severity::Recovery => Text::SeverityRecovery,
    }
}

/// What happened.
pub const fn event(kind: EventKind) -> Text {
    use EventKind as E;
    match kind {
        E::DeviceNew => Text::EventDeviceNew,
        E::DeviceOnline => Text::EventDeviceOnline,
        E::DeviceOffline => Text::EventDeviceOffline,
        E::DeviceFlapping => Text::EventDeviceFlapping,
        E::DeviceSteady => Text::EventDeviceSteady,
        E::DeviceMoved => Text::EventDeviceMoved,
        E::DeviceChanged => Text::EventDeviceChanged,
        E::DeviceReplaced => Text::EventDeviceReplaced,
        E::DeviceConflict => Text::EventDeviceConflict,
        E::DeviceArchived => Text::EventDeviceArchived,
        E::StreamNew => Text::EventStreamNew,
        E::StreamGone => Text::EventStreamGone,
        E::StreamBroken => Text::EventStreamBroken,
        E::StreamRepaired => Text::EventStreamRepaired,
        E::ServiceBroken => Text::EventServiceBroken,
        E::ServiceRepaired => Text::EventServiceRepaired,
        E::StreamDegraded => Text::EventStreamDegraded,
        E::StreamChanged => Text::EventStreamChanged,
        E::StreamOpen => Text::EventStreamOpen,
        E::StreamProtected => Text::EventStreamProtected,
        E::LoginRefused => Text::EventLoginRefused,
        E::LoginLocked => Text::EventLoginLocked,
        E::LoginRests => Text::EventLoginRests,
        E::LoginAccepted => Text::EventLoginAccepted,
        E::CertificateExpiring => Text::EventCertificateExpiring,
        E::ClockWrong => Text::EventClockWrong,
        E::SubnetUnreachable => Text::EventSubnetUnreachable,
        E::SubnetReachable => Text::EventSubnetReachable,
        E::ScanFinished => Text::EventScanFinished,
        E::ScanFailed => Text::EventScanFailed,
        E::ChannelFailing => Text::EventChannelFailing,
        E::ChannelRecovered => Text::EventChannelRecovered,
        E::StoreLowSpace => Text::EventStoreLowSpace,
        E::StoreFailing => Text::EventStoreFailing,
        E::StoreRecovered => Text::EventStoreRecovered,
    }
}

/// Why nothing was sent.
pub const fn muted_by(by: MutedBy) -> Text {
    match by {
        MutedBy::User => Text::MutedByUser,
        MutedBy::Acknowledged => Text::MutedByAcknowledged,
        MutedBy::Device => Text::MutedByDevice,
        MutedBy::Service => Text::MutedByService,
        MutedBy::Recorder => Text::MutedByRecorder,
        MutedBy::Subnet => Text::MutedBySubnet,
        MutedBy::Flapping => Text::MutedByFlapping,
        MutedBy::Expected => Text::MutedByExpected,
        MutedBy::Told => Text::MutedByTold,
    }
}

/// How long a device may be silent.
pub const fn expect(expect: Expect) -> Text {
    match expect {
        Expect::Always => Text::ExpectAlways,
        Expect::Sometimes => Text::ExpectSometimes,
        Expect::Ignore => Text::ExpectIgnore,
    }
}

/// A step on the way to a frame.
pub const fn step(step: Step) -> Text {
    match step {
        Step::Tcp => Text::StepTcp,
        Step::Tls => Text::StepTls,
        Step::Rtsp => Text::StepRtsp,
        Step::Spoken => Text::StepSpoken,
        Step::Described => Text::StepDescribed,
        Step::Setup => Text::StepSetup,
        Step::Rtp => Text::StepRtp,
        Step::Frame => Text::StepFrame,
        Step::Keyframe => Text::StepKeyframe,
    }
}

/// How far a proof got.
pub const fn status(status: StreamStatus) -> Text {
    match status {
        StreamStatus::Streaming => Text::Working,
        StreamStatus::Described => Text::Described,
        StreamStatus::AuthRequired => Text::LoginNeeded,
        StreamStatus::NotFound => Text::NoSuchStream,
        StreamStatus::NoData => Text::NoFrames,
        StreamStatus::Error => Text::Failed,
    }
}

/// What an account is for.
pub const fn role(role: Role) -> Text {
    match role {
        Role::Viewer => Text::RoleViewer,
        Role::Operator => Text::RoleOperator,
        Role::Admin => Text::RoleAdmin,
    }
}

/// What somebody may do.
pub const fn scope(scope: Scope) -> Text {
    match scope {
        Scope::Read => Text::ScopeRead,
        Scope::Live => Text::ScopeLive,
        Scope::Scan => Text::ScopeScan,
        Scope::Edit => Text::ScopeEdit,
        Scope::Metrics => Text::ScopeMetrics,
        Scope::Admin => Text::ScopeAdmin,
    }
}

/// How a scan stands.
pub const fn scan_state(state: ScanState) -> (Tone, Text) {
    match state {
        ScanState::Queued => (Tone::Quiet, Text::ScanQueued),
        ScanState::Running => (Tone::Fair, Text::ScanRunning),
        ScanState::Complete => (Tone::Good, Text::ScanComplete),
        ScanState::Interrupted => (Tone::Attention, Text::ScanInterrupted),
        ScanState::Failed => (Tone::Bad, Text::Failed),
    }
}

/// What a scan is for.
pub const fn scan_kind(kind: ScanKind) -> Text {
    match kind {
        ScanKind::Scan => Text::Scan,
        ScanKind::Probe => Text::Probe,
    }
}

/// What made a scan begin.
pub const fn cause(cause: Cause) -> Text {
    match cause {
        Cause::User => Text::CauseUser,
        Cause::Schedule => Text::CauseSchedule,
        Cause::Import => Text::CauseImport,
    }
}

/// What became of a message.
pub const fn delivery(state: DeliveryState) -> (Tone, Text) {
    match state {
        DeliveryState::Waiting => (Tone::Fair, Text::DeliveryWaiting),
        DeliveryState::Done => (Tone::Good, Text::DeliveryDone),
        DeliveryState::Dead => (Tone::Bad, Text::DeliveryDead),
        DeliveryState::Dropped => (Tone::Quiet, Text::DeliveryDropped),
    }
}

/// A fact of a device.
pub const fn field(field: Field) -> Text {
    match field {
        Field::Ip => Text::Address,
        Field::Mac => Text::Mac,
        Field::Kind => Text::Kind,
        Field::Vendor => Text::Maker,
        Field::Model => Text::Model,
        Field::Firmware => Text::Firmware,
        Field::Serial => Text::Serial,
        Field::Hostname => Text::HostName,
        Field::Name => Text::Name,
    }
}

/// A fact that changed.
pub const fn what(what: Trait) -> Text {
    match what {
        Trait::Address => Text::Address,
        Trait::Mac => Text::Mac,
        Trait::Kind => Text::Kind,
        Trait::Vendor => Text::Maker,
        Trait::Model => Text::Model,
        Trait::Firmware => Text::Firmware,
        Trait::Serial => Text::Serial,
        Trait::Hostname => Text::HostName,
        Trait::Name => Text::Name,
        Trait::Codec => Text::Codec,
        Trait::Size => Text::Size,
        Trait::FrameRate => Text::FrameRate,
    }
}

/// A fact of a picture.
pub const fn video_field(field: VideoField) -> Text {
    match field {
        VideoField::Codec => Text::Codec,
        VideoField::Size => Text::Size,
        VideoField::Fps => Text::DeclaredRate,
        VideoField::MeasuredFps => Text::MeasuredRate,
    }
}

/// What a piece of evidence tells of a device.
pub const fn fact(fact: Fact) -> Text {
    match fact {
        Fact::Vendor => Text::Maker,
        Fact::Model => Text::Model,
        Fact::Firmware => Text::Firmware,
        Fact::Serial => Text::Serial,
        Fact::Kind => Text::Kind,
        Fact::Hostname => Text::HostName,
        Fact::Name => Text::Name,
    }
}

/// What somebody did, as the log of changes names it; none for what a later version may write there.
pub fn action(name: &str) -> Option<Text> {
    Some(match name {
        "session.begin" => Text::DidSessionBegin,
        "session.end" => Text::DidSessionEnd,
        "user.add" => Text::DidUserAdd,
        "user.change" => Text::DidUserChange,
        "user.remove" => Text::DidUserRemove,
        "token.add" => Text::DidTokenAdd,
        "token.change" => Text::DidTokenChange,
        "token.remove" => Text::DidTokenRemove,
        "login.add" => Text::DidLoginAdd,
        "login.remove" => Text::DidLoginRemove,
        "login.retry" => Text::DidLoginRetry,
        "login.confirm" => Text::DidLoginConfirm,
        "store.backup" => Text::DidBackup,
        "store.prune" => Text::DidPrune,
        "device.note" => Text::DidNote,
        "device.archive" => Text::DidArchive,
        "device.unarchive" => Text::DidUnarchive,
        "device.merge" => Text::DidMerge,
        "device.split" => Text::DidSplit,
        "device.forget" => Text::DidForget,
        "device.ack" => Text::DidAcknowledge,
        "device.probe" => Text::DidProbe,
        "mute.add" => Text::DidMute,
        "mute.end" => Text::DidUnmute,
        "scan.start" => Text::DidScan,
        "scan.stop" => Text::DidStopScan,
        "stream.check" => Text::DidCheck,
        "channel.test" => Text::DidTest,
        "notification.retry" => Text::DidRetry,
        _ => return None,
    })
}
