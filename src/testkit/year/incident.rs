//! What happens to single cameras.

use super::HOUR;
use crate::model::memory::Expect;

/// Seconds that a camera which comes and goes is there, and is not.
pub(super) const HALF_CYCLE: i64 = 15 * 60;

/// What happens to a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It starts again, in less than three minutes.
    Reboot,
    /// The same, with new firmware.
    Update,
    /// It is not there.
    Outage,
    /// It starts over and over, and answers for some seconds each time.
    StartsAgain,
    /// The user mutes it for some hours, and it is not there for some.
    Maintenance(Work),
    /// A stream of it has no frames.
    NoPicture(usize),
    /// The small stream has no frames for a moment.
    Stutter,
    /// The small stream has no frames, but for a moment.
    Hiccup,
    /// The small stream has no frames, and then none that can be decoded.
    Blurred,
    /// Others watch the small stream, and there is no place for one more.
    Crowded,
    /// The same for a moment.
    CrowdedBriefly,
    /// The small stream is slow, but for a moment.
    Slow,
    /// The same for a moment.
    SlowBriefly,
    /// The first frame of the small stream is late.
    Late,
    /// The small stream is set to fewer frames, for good.
    Setting,
    /// The same, and it says so.
    DeclaredSetting,
    /// The small stream is removed, and set up again.
    Removed,
    /// What serves its streams is down.
    NoServer,
    /// One scan does not list the small stream.
    Unlisted,
    /// Scans cannot ask for the streams.
    Unlooked,
    /// Its password is changed, and changed back.
    Login,
    /// It is given a password, and it is taken away.
    Protected,
    /// It comes and goes.
    Flapping,
}

/// What the user does about a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// It takes as long as it was meant to.
    InTime,
    /// Its streams are worked on first, and it takes longer.
    Late,
    /// It takes longer, and the user knows.
    Acknowledged,
}

/// What a user does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing is to be sent of a camera until then.
    MuteUntil(i64),
    /// The user knows of its problem.
    Acknowledge,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Incident {
    pub(super) what: What,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Seconds after which a camera is switched off whose streams were worked on first.
pub(super) const STREAMS_FIRST: i64 = 5400;

/// Hours that maintenance is meant to take.
pub(super) const MUTED_HOURS: i64 = 2;

/// What happens, in turn.
const TURNS: [What; 36] = [
    What::Reboot,
    What::Outage,
    What::NoPicture(0),
    What::Stutter,
    What::Login,
    What::Flapping,
    What::Hiccup,
    What::Update,
    What::Crowded,
    What::Setting,
    What::StartsAgain,
    What::Slow,
    What::Removed,
    What::Outage,
    What::Maintenance(Work::InTime),
    What::NoPicture(1),
    What::Blurred,
    What::Unlooked,
    What::Reboot,
    What::Late,
    What::CrowdedBriefly,
    What::Maintenance(Work::Late),
    What::DeclaredSetting,
    What::Login,
    What::SlowBriefly,
    What::NoServer,
    What::Unlisted,
    What::Flapping,
    What::Maintenance(Work::Acknowledged),
    What::Update,
    What::Reboot,
    What::StartsAgain,
    What::Removed,
    What::Crowded,
    What::Stutter,
    What::NoServer,
];

impl What {
    /// What happens in that turn.
    pub(super) fn of_turn(turn: usize) -> What {
        TURNS.get(turn % TURNS.len()).copied().unwrap_or(What::Reboot)
    }

    /// Whether it is another frame rate, for good.
    pub(super) fn is_setting(self) -> bool {
        matches!(self, What::Setting | What::DeclaredSetting)
    }

    /// Whether the camera does not answer so many seconds after it began.
    pub(super) fn is_down(self, since: i64) -> bool {
        match self {
            What::Maintenance(Work::Late) => since >= STREAMS_FIRST,
            What::Reboot | What::Update | What::Outage | What::StartsAgain | What::Maintenance(_) => true,
            _ => false,
        }
    }

    /// Seconds after its end in which scans find that out.
    pub(super) fn echo(self) -> i64 {
        if matches!(self, What::Update | What::Login) { 12 * HOUR } else { 0 }
    }

    /// Whether it can happen while the clock of this machine is set: nothing of it lasts for a certain time.
    pub(super) fn is_timeless(self) -> bool {
        matches!(self, What::Reboot | What::Outage | What::NoPicture(_) | What::Login)
    }

    /// Whether it depends on when scans and checks are made: it begins half an hour after a scan.
    pub(super) fn is_between_scans(self) -> bool {
        use What::{Blurred, CrowdedBriefly, Hiccup, Late, Slow, SlowBriefly, Stutter, Unlisted, Unlooked};
        matches!(self, Blurred | CrowdedBriefly | Hiccup | Late | Slow | SlowBriefly | Stutter | Unlisted | Unlooked)
    }

    /// Whether it can happen to a camera of which the user expects this.
    pub(super) fn fits(self, expect: Expect, is_open: bool, is_alone: bool) -> bool {
        let is_usual = expect == Expect::Always;
        match self {
            What::Reboot | What::Outage => true,
            What::Protected => is_open,
            What::Maintenance(_) | What::StartsAgain | What::Flapping => is_usual && !is_open && is_alone,
            _ => is_usual && !is_open,
        }
    }

    /// How long it lasts, with streams that are looked at so often.
    pub(super) fn length(self, every: i64, rng: &mut fastrand::Rng) -> i64 {
        match self {
            What::Reboot => rng.i64(40..170),
            What::Update => rng.i64(60..170),
            What::Outage => rng.i64(1500..30 * HOUR),
            What::StartsAgain => 5 * HOUR,
            What::Maintenance(Work::InTime) => HOUR,
            What::Maintenance(_) => 5 * HOUR,
            What::NoPicture(_) => rng.i64(6 * HOUR..20 * HOUR),
            What::Stutter => 2 * every - 90,
            What::CrowdedBriefly | What::SlowBriefly => 4 * every,
            What::Hiccup | What::Blurred | What::Slow | What::Late => 5 * HOUR,
            What::Crowded | What::NoServer => 8 * HOUR,
            What::Setting | What::DeclaredSetting => 26 * HOUR,
            What::Removed | What::Protected => 20 * HOUR,
            What::Unlisted => 6 * HOUR,
            What::Unlooked => 18 * HOUR,
            What::Login => rng.i64(7 * HOUR..20 * HOUR),
            What::Flapping => 8 * 2 * HALF_CYCLE,
        }
    }
}
