//! The figures of a survey: what is counted, what the streams need of the network, and what their recording takes. Pure.

use std::collections::BTreeMap;

use crate::model::{Channel, Device, ErrorKind, Kind, Report, Stream, StreamStatus};

/// The bit rate of a stream with its sound, in kbit/s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// As it came over the network.
    pub measured: Option<u32>,
    /// As the device states it.
    pub declared: Option<u32>,
}

impl Rate {
    /// Of one stream. A stream with a picture that was not measured is not measured, whatever came of its sound.
    pub fn of(stream: &Stream) -> Rate {
        let (video, audio) = (stream.video.as_ref(), stream.audio.as_ref());
        let with_sound = |picture: Option<u32>, sound: Option<u32>| match (picture, sound) {
            (None, sound) if video.is_none() => sound,
            (picture, sound) => picture.map(|kbps| kbps.saturating_add(sound.unwrap_or(0))),
        };
        Rate {
            measured: with_sound(video.and_then(|v| v.measured_kbps), audio.and_then(|a| a.measured_kbps)),
            declared: with_sound(video.and_then(|v| v.bitrate_kbps), audio.and_then(|a| a.bitrate_kbps)),
        }
    }
}

/// What several streams need of the network when all are played at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// The sum of what was measured, in kbit/s.
    pub kbps: u64,
    /// Streams that were measured.
    pub measured: usize,
    /// Streams that were not, and are not in the sum.
    pub unmeasured: usize,
}

impl Load {
    /// Of these streams.
    pub fn of<'r>(streams: impl IntoIterator<Item = &'r Stream>) -> Load {
        streams.into_iter().fold(Load::default(), |load, stream| match Rate::of(stream).measured {
            Some(kbps) => Load { kbps: load.kbps + u64::from(kbps), measured: load.measured + 1, ..load },
            None => Load { unmeasured: load.unmeasured + 1, ..load },
        })
    }
}

/// A picture that would be recorded: a camera's, or that of a recorder's channel whose camera is not listed by itself.
#[derive(Debug, Clone, Copy)]
pub struct Source<'r> {
    /// The stream that would be recorded: the largest picture; none where no stream is known.
    pub main: Option<&'r Stream>,
    /// Its measured rate, in kbit/s.
    pub kbps: Option<u32>,
}

/// The pictures of a device that would be recorded, each once. A media server passes on what cameras send, so that nothing
/// of it is recorded a second time.
pub fn sources(device: &Device) -> Vec<Source<'_>> {
    let mut by_channel: BTreeMap<u32, Option<&Stream>> = BTreeMap::new();
    match device.kind {
        Kind::MediaServer => return Vec::new(),
        Kind::Camera | Kind::Encoder | Kind::Intercom if device.streams.is_empty() => {
            by_channel.insert(1, None);
        }
        Kind::Recorder => {
            let unlisted = device.channels.iter().filter(|c| c.camera.is_none() && c.lists_camera());
            by_channel.extend(unlisted.map(|channel| (channel.number, None)));
        }
        _ => {}
    }
    for stream in device.own_streams().filter(|stream| has_picture(stream)) {
        let main = by_channel.entry(stream.channel.unwrap_or(1)).or_default();
        if main.is_none_or(|main| weight(stream) > weight(main)) {
            *main = Some(stream);
        }
    }
    let source = |main: Option<&'_ Stream>| main.and_then(|main| Rate::of(main).measured);
    by_channel.into_values().map(|main| Source { main, kbps: source(main) }).collect()
}

/// Sound alone is not what a camera is recorded for.
fn has_picture(stream: &Stream) -> bool {
    stream.video.is_some() || stream.audio.is_none()
}

/// The main stream has the largest picture; of two the same that which was measured, at the greater rate.
fn weight(stream: &Stream) -> (u64, Option<u32>) {
    let size = stream.video.as_ref().and_then(|video| video.width.zip(video.height));
    let pixels = size.map_or(0, |(width, height)| u64::from(width) * u64::from(height));
    (pixels, Rate::of(stream).measured)
}

/// What recording takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Storage {
    /// The sum of the measured rates, in kbit/s.
    pub kbps: u64,
    /// Pictures in the sum.
    pub measured: usize,
    /// Pictures that are not, since nothing was measured.
    pub unmeasured: usize,
}

impl Storage {
    /// For these pictures.
    pub fn of<'r>(sources: impl IntoIterator<Item = Source<'r>>) -> Storage {
        sources.into_iter().fold(Storage::default(), |sum, source| match source.kbps {
            Some(kbps) => Storage { kbps: sum.kbps + u64::from(kbps), measured: sum.measured + 1, ..sum },
            None => Storage { unmeasured: sum.unmeasured + 1, ..sum },
        })
    }

    /// Gigabytes (10⁹ bytes) in so many days of recording without a break.
    pub fn gigabytes(self, days: u32) -> f64 {
        gigabytes(self.kbps, days)
    }
}

/// Gigabytes (10⁹ bytes) that a rate in kbit/s comes to in so many days.
pub fn gigabytes(kbps: u64, days: u32) -> f64 {
    kbps as f64 * 86_400.0 / 8.0 / 1e6 * f64::from(days)
}

/// How a stream stands, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It delivers frames.
    Works,
    /// It was described, and not played.
    Described,
    /// It demands a login.
    Login,
    /// It does not work.
    Dead,
}

impl State {
    /// Of one stream.
    pub fn of(stream: &Stream) -> State {
        let wants_login = ErrorKind::is_of_login;
        match stream.status {
            StreamStatus::Streaming => State::Works,
            StreamStatus::Described => State::Described,
            StreamStatus::AuthRequired => State::Login,
            StreamStatus::Error if stream.error.as_ref().is_some_and(|e| wants_login(e.kind)) => State::Login,
            StreamStatus::NotFound | StreamStatus::NoData | StreamStatus::Error => State::Dead,
        }
    }
}

/// What there is, each camera and each stream once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cameras, encoders and door stations that are listed by themselves.
    pub cameras: usize,
    /// Pictures that only a recorder shows: channels whose cameras are not listed by themselves.
    pub behind: usize,
    /// Recorders.
    pub recorders: usize,
    /// Media servers.
    pub servers: usize,
    /// Hosts that are none of these.
    pub others: usize,
    /// Streams that deliver frames.
    pub works: usize,
    /// Streams that were described and not played.
    pub described: usize,
    /// Streams that demand a login.
    pub login: usize,
    /// Streams that do not work.
    pub dead: usize,
}

impl Counts {
    /// Of a whole report.
    pub fn of(report: &Report) -> Counts {
        let mut counts = Counts::default();
        for device in &report.devices {
            match device.kind {
                Kind::Camera | Kind::Encoder | Kind::Intercom => counts.cameras += 1,
                Kind::Recorder => {
                    counts.recorders += 1;
                    counts.behind += sources(device).len();
                }
                Kind::MediaServer => counts.servers += 1,
                Kind::Other => counts.others += 1,
            }
            for stream in device.own_streams() {
                match State::of(stream) {
                    State::Works => counts.works += 1,
                    State::Described => counts.described += 1,
                    State::Login => counts.login += 1,
                    State::Dead => counts.dead += 1,
                }
            }
        }
        counts
    }

    /// All streams.
    pub fn streams(self) -> usize {
        self.works + self.described + self.login + self.dead
    }
}

/// The channels of a recorder that show listed cameras.
pub fn folded(recorder: &Device) -> impl Iterator<Item = (&Channel, &str)> {
    recorder.channels.iter().filter_map(|channel| Some((channel, channel.camera.as_deref()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use crate::model::{Audio, Protocol, Video};

    fn stream(size: Option<(u32, u32)>, picture: Option<u32>, sound: Option<u32>) -> Stream {
        let mut stream = Stream::new("rtsp://192.0.2.1/1", Protocol::Rtsp);
        let (width, height) = size.unzip();
        stream.video = Some(Video { width, height, measured_kbps: picture, ..Video::default() });
        stream.audio = sound.map(|kbps| Audio { measured_kbps: Some(kbps), ..Audio::default() });
        stream
    }

    fn camera(streams: Vec<Stream>) -> Device {
        Device { streams, ..sample::camera() }
    }

    #[test]
    fn a_rate_is_that_of_picture_and_sound() {
        let measured = |stream: &Stream| Rate::of(stream).measured;
        assert_eq!(measured(&stream(None, Some(4000), Some(64))), Some(4064));
        assert_eq!(measured(&stream(None, Some(4000), None)), Some(4000));
        assert_eq!(measured(&stream(None, None, Some(64))), None, "the picture was not measured");
        let sound = Stream { video: None, ..stream(None, None, Some(64)) };
        assert_eq!(measured(&sound), Some(64));
        assert_eq!(measured(&stream(None, Some(u32::MAX), Some(9))), Some(u32::MAX));
    }

    #[test]
    fn the_largest_picture_is_recorded() {
        let hd = stream(Some((1920, 1080)), Some(4000), Some(64));
        let sd = stream(Some((640, 360)), Some(9000), None);
        for (name, streams, expected) in [
            ("the larger one", vec![sd.clone(), hd.clone()], vec![Some(4064)]),
            (
                "not the smaller one, where the larger one is not measured",
                vec![sd.clone(), stream(Some((1920, 1080)), None, None)],
                vec![None],
            ),
            (
                "of one picture by two ways the one that was measured",
                vec![stream(Some((1920, 1080)), None, None), hd.clone()],
                vec![Some(4064)],
            ),
            (
                "every channel's",
                vec![
                    Stream { channel: Some(1), ..hd.clone() },
                    Stream { channel: Some(2), ..sd.clone() },
                    Stream { channel: Some(2), ..hd.clone() },
                ],
                vec![Some(4064), Some(4064)],
            ),
            ("a camera without a stream is one that is not measured", vec![], vec![None]),
        ] {
            let kbps: Vec<Option<u32>> = sources(&camera(streams)).iter().map(|source| source.kbps).collect();
            assert_eq!(kbps, expected, "{name}");
        }
        let server = Device { kind: Kind::MediaServer, ..camera(vec![hd]) };
        assert!(sources(&server).is_empty());
    }

    #[test]
    fn storage_is_the_rate_for_a_day() {
        let storage = Storage { kbps: 4000, measured: 1, unmeasured: 0 };
        assert!((storage.gigabytes(1) - 43.2).abs() < 1e-9);
        assert!((storage.gigabytes(30) - 1296.0).abs() < 1e-9);
        let all: Vec<Source<'_>> = vec![
            Source { main: None, kbps: Some(1000) },
            Source { main: None, kbps: None },
            Source { main: None, kbps: Some(3000) },
        ];
        assert_eq!(Storage::of(all), Storage { kbps: 4000, measured: 2, unmeasured: 1 });
    }

    #[test]
    fn a_camera_behind_a_recorder_is_counted_once() {
        let site = sample::site();
        let counts = Counts::of(&site);
        assert_eq!((counts.cameras, counts.recorders, counts.behind), (3, 2, 1));
        assert_eq!(counts.streams(), 5);
        let load = Load::of(site.devices.iter().flat_map(Device::own_streams));
        assert_eq!(load, Load { kbps: 4042, measured: 1, unmeasured: 4 });
        let storage = Storage::of(site.devices.iter().flat_map(sources));
        assert_eq!((storage.kbps, storage.measured, storage.unmeasured), (4042, 1, 3));
    }
}
