//! The rules by which scans and checks become what is believed and sent, one sentence each.
//!
//! Each is asked for at the one place where it decides. In the program all of them hold; the tests switch one off at a time
//! (`testkit::year`), to see that something notices.

use crate::model::names::names;

names! {
    /// A rule.
    pub enum Rule {
        // Who is who.
        /// What two devices of a scan have identifies neither of them.
        Shared = "shared",
        /// What a device has that is here, and another one that is here states too, identifies neither.
        Lent = "lent",
        /// A placeholder in the place of a serial number identifies no device.
        Placeholder = "placeholder",
        /// A MAC address that was assigned locally identifies no device.
        LocalMac = "local_mac",
        /// A MAC address at its old address, with the same maker and model, is the same device, whatever else it states.
        SameCard = "same_card",
        /// Where something contradicts, one thing that agrees is not enough.
        TwoAgree = "two_agree",
        /// Where two things agree and no more contradict, it is the same device.
        Repaired = "repaired",
        /// A serial number alone does not identify a device of another model.
        SerialOfModel = "serial_of_model",
        /// Where nothing else is known of both, the address decides.
        AddressAlone = "address_alone",
        /// The address alone identifies no device of another model or kind.
        AddressOfMake = "address_of_make",
        /// At an address is the device that was seen there last.
        LastThere = "last_there",
        /// A device that is known with two network cards can show both at once.
        FurtherCard = "further_card",
        /// A device with more addresses than any has is a router, and nothing that it states identifies it.
        Crowd = "crowd",
        /// A device that was recognised by its address alone takes on no further identity, unless it is called the same.
        SureKeys = "sure_keys",

        // What is news of a device.
        /// The devices of a first scan are one piece of news.
        FirstScan = "first_scan",
        /// A device that is found at the address of one that does not answer stands in its place.
        Replaced = "replaced",
        /// Nothing is sent of a device that another one replaced.
        ReplacedSilent = "replaced_silent",
        /// Who answers at the address of a device that was replaced is not that device.
        ReplacedLeft = "replaced_left",
        /// A further network card that is known, or a MAC address that was assigned locally, is no news.
        KnownCard = "known_card",
        /// What a scan could not read is as it was.
        Unread = "unread",
        /// What needs attention is sent once.
        WarnedOnce = "warned_once",
        /// What needed attention is sent again when it had not for a week.
        WarnedAgain = "warned_again",
        /// Of the days before the end of a certificate each is sent once.
        CertificateOnce = "certificate_once",

        // Whether a device answers.
        /// One miss makes no device offline.
        Misses = "misses",
        /// A device that starts again has three minutes for it.
        LongEnough = "long_enough",
        /// A device that was offline is back when it answers twice.
        Answers = "answers",

        // Networks.
        /// Where most devices of a network are missing, it is the network.
        Network = "network",
        /// Two devices are no network, where something else of it answers.
        Fewest = "fewest",
        /// Devices that are missing are no network, where as many answer.
        Most = "most",
        /// Those that went with their recorder are one with it.
        Fed = "fed",
        /// Where nothing of a network answers, no device of it is offline by itself.
        Silent = "silent",
        /// While this machine has no link nothing is missed.
        Blind = "blind",
        /// Devices that went with their network are not reported by themselves.
        WithNetwork = "with_network",
        /// A device that answered after its network was lost is reported by itself.
        AnsweredSince = "answered_since",
        /// A device that does not come back with its network is offline since that went.
        SinceNetwork = "since_network",
        /// A network is back when half of its devices are.
        HalfBack = "half_back",
        /// What this machine itself serves proves nothing of the network.
        OwnAddress = "own_address",
        /// Others of its network, and its recorder, are asked before a device counts as offline.
        Witnesses = "witnesses",

        // Recorders.
        /// Cameras that went with the recorder that feeds them are not reported.
        Recorder = "recorder",
        /// A camera that still answered three minutes after its recorder was gone did not go with it.
        TookAlong = "took_along",
        /// What a recorder feeds may start after it.
        Starting = "starting",
        /// Of two recorders that show each other one waits for the other.
        EachOther = "each_other",

        // What is not sent.
        /// Nothing is sent of what a user muted.
        Muted = "muted",
        /// What was not sent, and still holds when it may be, is sent then.
        LateNews = "late_news",
        /// The end of what was not sent is not sent.
        UnsentEnd = "unsent_end",
        /// Of a device that a user wants to be ignored nothing is sent.
        Ignored = "ignored",
        /// A device that may be silent at times is offline after a day.
        Sometimes = "sometimes",
        /// A problem that a user knows of is not sent again.
        Acknowledged = "acknowledged",
        /// Nothing is sent of the streams of a device that is away.
        PartOfAway = "part_of_away",
        /// What changes four times in an hour comes and goes: that is sent once, and nothing else of it.
        Flapping = "flapping",
        /// What came and went is steady when it did not change for an hour.
        Calm = "calm",

        // Streams.
        /// A stream is broken after three checks.
        Bad = "bad",
        /// Three checks are enough where two ways were tried, else six.
        Ways = "ways",
        /// A stream is repaired after two checks.
        Good = "good",
        /// A stream is repaired when key frames come.
        KeyFrame = "key_frame",
        /// Who has no place for another viewer is not broken.
        BusyWorks = "busy_works",
        /// A few checks without a place are nothing.
        Busy = "busy",
        /// A few slow checks are nothing.
        Slow = "slow",
        /// A look that saw no rate says nothing of it.
        RateUnseen = "rate_unseen",
        /// A stream is as usual after three checks.
        Steady = "steady",
        /// A first frame that comes late is a fault.
        LateFrame = "late_frame",
        /// A lower rate that lasts for a day is the usual one.
        LastingRate = "lasting_rate",
        /// A lower rate that the stream declares is the usual one.
        DeclaredRate = "declared_rate",
        /// While its device is missing nothing is held against a stream.
        MissingShields = "missing_shields",
        /// While it is asked whether the device is there, nothing is held against a stream either.
        DoubtShields = "doubt_shields",
        /// A stream that one scan does not list is not gone.
        Absent = "absent",
        /// A path that was guessed, and brought nothing, is no new stream.
        GuessedPath = "guessed_path",
        /// What a scan could not look for is not gone.
        LookedFor = "looked_for",
        /// A stream that was sent to be broken is not sent to be gone as well.
        ToldBroken = "told_broken",

        /// Where no stream of a port plays, it is the port.
        Port = "port",

        // Logins.
        /// A password that is given to a device is sent once for all its streams.
        OneAct = "one_act",
        /// A login that is refused is sent once.
        RefusedOnce = "refused_once",
        /// A login that never worked is not sent to be refused.
        WorkedBefore = "worked_before",
        /// A login that was refused is not tried again by itself between scans.
        LoginRests = "login_rests",
        /// A look that sent no login leaves it to be tried again.
        RetryWaits = "retry_waits",

        // The clock.
        /// When the clock is set back, times that have not come yet count as now.
        SetBack = "set_back",
    }
}

#[cfg(any(test, feature = "testkit"))]
thread_local! {
    static OFF: std::cell::Cell<Option<Rule>> = const { std::cell::Cell::new(None) };
}

/// The variable that names the rule which holds in no unit test of a process: the tests that need it fail.
#[cfg(test)]
pub(crate) const WITHOUT: &str = "CAMSCAN_WITHOUT_RULE";

#[cfg(test)]
static OFF_IN_TESTS: std::sync::LazyLock<Option<Rule>> =
    std::sync::LazyLock::new(|| std::env::var(WITHOUT).ok().and_then(|name| Rule::from_name(&name)));

impl Rule {
    /// Whether it holds: always, but in a test that switched it off.
    #[cfg(any(test, feature = "testkit"))]
    pub(crate) fn holds(self) -> bool {
        #[cfg(test)]
        if *OFF_IN_TESTS == Some(self) {
            return false;
        }
        OFF.get() != Some(self)
    }

    /// Whether it holds.
    #[cfg(not(any(test, feature = "testkit")))]
    pub(crate) const fn holds(self) -> bool {
        true
    }

    /// Does something while a rule does not hold, in this thread.
    #[cfg(any(test, feature = "testkit"))]
    pub(crate) fn without<T>(rule: Option<Rule>, act: impl FnOnce() -> T) -> T {
        let before = OFF.replace(rule);
        let done = act();
        OFF.set(before);
        done
    }
}
