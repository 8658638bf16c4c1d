//! What stays of a device from scan to scan, so that one that did not change is written once.

use jiff::Timestamp;

use super::stream_key::keyed;
use crate::model::{Device, DeviceState, Stream, Warning, WarningKind};

/// A device without what changes with each scan though nothing about it did: rates and times that are measured anew, when it
/// was seen, how many logins were tried, the answers word by word, what the user says of it; lists in an order of their own.
pub fn stable(device: &Device) -> Device {
    let mut stable = device.clone();
    stable.state = DeviceState::Online;
    (stable.first_seen, stable.last_seen) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    (stable.login_attempts, stable.clock_ahead_s, stable.analysed_at) = (None, None, None);
    // Those are the store's.
    (stable.uid, stable.site) = (None, None);
    // How the MAC address became known depends on where from, and with what rights, is scanned.
    stable.link_mac = None;
    stable.tags.clear();
    stable.addresses.sort_unstable();
    stable.discovered_by.sort_unstable_by_key(|method| method.as_str());
    stable.services.sort_by_key(|service| (service.port, service.protocol, service.transport));
    for service in &mut stable.services {
        service.answers.clear();
        service.notes.sort_unstable();
    }
    stable.streams = keyed(&device.streams).into_values().map(stable_stream).collect();
    stable.channels.sort_by_key(|channel| channel.number);
    stable.shown_by.sort_unstable();
    stable.evidence.sort_by(|a, b| a.cmp_rank(b));
    for error in &mut stable.errors {
        error.message = without_measures(&error.message);
    }
    stable.errors.sort_unstable();
    stable.errors.dedup();
    stable.warnings.iter_mut().for_each(stable_warning);
    stable.warnings.sort_unstable();
    stable
}

fn stable_stream(stream: &Stream) -> Stream {
    let mut stable = stream.clone();
    if let Some(video) = &mut stable.video {
        (video.measured_fps, video.measured_kbps, video.keyframe_interval_s) = (None, None, None);
    }
    if let Some(audio) = &mut stable.audio {
        (audio.measured_kbps, audio.measured_packets) = (None, None);
    }
    stable.ladder.iter_mut().for_each(|step| step.ms = 0.0);
    for warning in &mut stable.warnings {
        *warning = without_measures(warning);
    }
    stable.warnings.sort_unstable();
    stable.warnings.dedup();
    stable.sources.sort_unstable();
    if let Some(error) = &mut stable.error {
        error.message = without_measures(&error.message);
    }
    stable.answers.clear();
    (stable.sdp, stable.snapshot) = (None, None);
    stable
}

/// How wrong a clock is changes with every look at it.
fn stable_warning(warning: &mut Warning) {
    if warning.kind == WarningKind::ClockWrong {
        warning.message = without_measures(&warning.message);
    }
}

/// Whether a sentence of the program names something that was measured.
pub fn is_measured(text: &str) -> bool {
    without_measures(text) != text
}

/// Units of what is measured.
const UNITS: &[&str] = &["fps", "kbit/s", "Mbit/s", "ms", "s", "min", "h", "days", "%", "packets", "of"];

/// A sentence with `…` in the place of what was measured: numbers with a fraction, and those before a unit.
fn without_measures(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let stable = words.iter().enumerate().map(|(n, word)| {
        let bare = word.trim_end_matches([',', ';', ':', ')']).trim_start_matches('(');
        let unit = words.get(n + 1).map(|next| next.trim_end_matches([',', ';', ':', ')']));
        let is_measure = is_number(bare) && (bare.contains('.') || unit.is_some_and(|unit| UNITS.contains(&unit)));
        if is_measure { word.replace(bare, "…") } else { (*word).to_owned() }
    });
    stable.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Audio, LadderStep, LoginAttempts, Protocol, Step, StreamStatus, Video, arbitrary};

    /// A camera as one scan measures it: `n` is what differs from scan to scan.
    fn scanned(mut streams: Vec<Stream>, n: u32, reversed: bool) -> Device {
        let ms = f64::from(n) + 0.25;
        for stream in &mut streams {
            stream.url = format!("rtsp://192.0.2.1/{}", stream.profile_name.as_deref().unwrap_or("0"));
            stream.protocol = Protocol::Rtsp;
            stream.status = StreamStatus::Streaming;
            stream.snapshot = Some(format!("shots/{n}.jpg"));
            stream.sdp = Some(format!("o=- {n} 1 IN IP4 0.0.0.0"));
            stream.warnings = vec![format!("30 fps declared, {ms} came"), format!("{n} of 200 packets were lost")];
            stream.ladder = vec![LadderStep { step: Step::Tcp, ok: true, ms, way: None }];
            if let Some(video) = &mut stream.video {
                (video.measured_fps, video.measured_kbps, video.keyframe_interval_s) = (Some(ms), Some(n), Some(ms));
            }
            stream.audio = Some(Audio { measured_kbps: Some(n), measured_packets: Some(n.into()), ..Audio::default() });
        }
        streams.dedup_by(|a, b| a.url == b.url);
        let mut device = arbitrary::device("192.0.2.1".parse().unwrap());
        device.addresses.push("192.0.2.7".parse().unwrap());
        device.first_seen = Timestamp::from_second(n.into()).unwrap();
        device.last_seen = Timestamp::from_second(i64::from(n) + 9).unwrap();
        device.clock_ahead_s = Some(i64::from(n) * 60);
        device.login_attempts = Some(LoginAttempts { refused: n % 3, unclear: 0, limit: 2 });
        let message = format!("its clock is {n} min ahead");
        device.warnings.push(Warning { kind: WarningKind::ClockWrong, message, hint: None, others: Vec::new() });
        device.streams = streams;
        if reversed {
            device.addresses.reverse();
            device.streams.iter_mut().for_each(|stream| stream.warnings.reverse());
        }
        device
    }

    proptest! {
        #[test]
        fn two_scans_of_one_camera_give_one_document(
            streams in prop::collection::vec(arbitrary::stream(), 0..4), a in 1u32..500, b in 1u32..500,
        ) {
            let mut streams = streams;
            streams.sort_by(|a, b| a.profile_name.cmp(&b.profile_name));
            let (first, second) = (scanned(streams.clone(), a, false), scanned(streams, b, true));
            prop_assert_eq!(stable(&first), stable(&second));
            prop_assert_eq!(stable(&stable(&first)), stable(&first));
        }

        #[test]
        fn what_did_change_gives_another_document(firmware in "[a-z]{1,8}", width in 1u32..4000) {
            let device = scanned(vec![Stream::new("rtsp://192.0.2.1/1", Protocol::Rtsp)], 1, false);
            let mut other = device.clone();
            other.firmware = Some(firmware);
            prop_assert_ne!(stable(&device), stable(&other));
            let mut other = device.clone();
            other.streams[0].video = Some(Video { width: Some(width), ..Video::default() });
            prop_assert_ne!(stable(&device), stable(&other));
        }
    }

    #[test]
    fn only_what_is_measured_is_left_out_of_a_sentence() {
        for (text, stable) in [
            ("30 fps declared, 12.5 came", "… fps declared, … came"),
            ("12 of 200 packets were lost", "… of … packets were lost"),
            ("the port 554 is closed (H.264)", "the port 554 is closed (H.264)"),
            ("its clock is 3 h 5 min behind", "its clock is … h … min behind"),
        ] {
            assert_eq!(without_measures(text), stable);
        }
    }
}
