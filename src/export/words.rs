//! A report in the operator's words, shared by the views for people: table, HTML, spreadsheet.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::IpAddr;

use crate::model::names::names;
use crate::model::{
    Activation, Audio, Channel, Device, DeviceState, ErrorKind, Kind, Method, Reach, Report, Service, Stream,
    StreamStatus, Video,
};
use crate::text::counted;

names! {
    /// How good the news is; decides colour and sign.
    pub enum Tone {
        /// It works.
        Good = "good",
        /// It probably works.
        Fair = "fair",
        /// The operator can help: a login.
        Attention = "attention",
        /// It does not work.
        Bad = "bad",
        /// Nothing to see.
        Quiet = "quiet",
        /// No news.
        Plain = "plain",
    }
}

impl Tone {
    /// A sign of one column, for those who see no colour.
    pub fn sign(self) -> char {
        match self {
            Tone::Good => '✓',
            Tone::Fair => '○',
            Tone::Attention => '!',
            Tone::Bad => '✗',
            Tone::Quiet | Tone::Plain => '·',
        }
    }
}

/// Why a stream needs the operator's login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoginNeed {
    /// None was given.
    Missing,
    /// The one given was refused.
    Refused,
    /// The device takes none for a while.
    Locked,
    /// The one given is not tried: too many were refused.
    Rests,
}

fn login_need(stream: &Stream) -> Option<LoginNeed> {
    let kind = stream.error.as_ref().map(|e| e.kind);
    match (stream.status, kind) {
        (StreamStatus::AuthRequired | StreamStatus::Error, Some(ErrorKind::AuthRefused)) => Some(LoginNeed::Refused),
        (StreamStatus::AuthRequired | StreamStatus::Error, Some(ErrorKind::Locked)) => Some(LoginNeed::Locked),
        (StreamStatus::AuthRequired | StreamStatus::Error, Some(ErrorKind::LoginRests)) => Some(LoginNeed::Rests),
        (StreamStatus::AuthRequired, _) | (StreamStatus::Error, Some(ErrorKind::AuthRequired)) => {
            Some(LoginNeed::Missing)
        }
        _ => None,
    }
}

/// What became of a stream, in a word or two.
pub fn status(stream: &Stream) -> (&'static str, Tone) {
    if let Some(need) = login_need(stream) {
        let words = match need {
            LoginNeed::Missing => "login needed",
            LoginNeed::Refused => "login refused",
            LoginNeed::Locked => "locked",
            LoginNeed::Rests => "login rests",
        };
        return (words, Tone::Attention);
    }
    match stream.status {
        StreamStatus::Streaming => ("streaming", Tone::Good),
        StreamStatus::Described => ("described", Tone::Fair),
        StreamStatus::AuthRequired => ("login needed", Tone::Attention),
        StreamStatus::NotFound => ("not found", Tone::Bad),
        StreamStatus::NoData => ("no frames", Tone::Bad),
        StreamStatus::Error => (stream.error.as_ref().map_or("error", |e| failure(e.kind)), Tone::Bad),
    }
}

fn failure(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Timeout => "timed out",
        ErrorKind::Refused => "refused",
        ErrorKind::Unreachable => "unreachable",
        ErrorKind::Closed => "cut off",
        ErrorKind::Tls => "TLS failed",
        ErrorKind::Protocol => "unreadable",
        ErrorKind::TooLarge => "too large",
        ErrorKind::AuthRequired => "login needed",
        ErrorKind::AuthRefused => "login refused",
        ErrorKind::Locked => "locked",
        ErrorKind::LoginRests => "login rests",
        ErrorKind::Busy => "busy",
        ErrorKind::NotFound => "not found",
        ErrorKind::Redirect => "redirected",
        ErrorKind::Device => "device error",
        ErrorKind::Local => "local error",
        ErrorKind::Interrupted => "interrupted",
    }
}

/// How a device stands as a whole: by its best stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A stream delivers frames.
    Streaming,
    /// A stream was described; frames were not asked for.
    Described,
    /// A login is demanded that was not given.
    LoginNeeded,
    /// The login given was refused, or is tried no more, or the device is locked.
    LoginRefused,
    /// It has no password yet, or is as it left the factory.
    NotActivated,
    /// It is in a subnet that the machine of the scan has no address in.
    OtherSubnet,
    /// No stream works.
    NoFrames,
    /// It does not answer.
    Offline,
    /// It has no video at all.
    NoVideo,
}

impl Standing {
    /// Of one device.
    pub fn of(device: &Device) -> Standing {
        if device.state == DeviceState::Offline {
            return Standing::Offline;
        }
        if device.streams.is_empty() && device.activation.is_some_and(Activation::is_due) {
            return Standing::NotActivated;
        }
        if device.reach == Some(Reach::OtherSubnet) {
            return Standing::OtherSubnet;
        }
        let best = device.streams.iter().map(of_stream).min();
        best.unwrap_or_else(|| match device.kind {
            Kind::Other => Standing::NoVideo,
            _ if device.login_attempts.is_some_and(|l| l.counted() > 0) => Standing::LoginRefused,
            _ if device.services.iter().any(demands_login) => Standing::LoginNeeded,
            _ => Standing::NoFrames,
        })
    }

    /// In the place of a status.
    pub fn words(self) -> (&'static str, Tone) {
        match self {
            Standing::Streaming => ("streaming", Tone::Good),
            Standing::Described => ("described", Tone::Fair),
            Standing::LoginNeeded => ("login needed", Tone::Attention),
            Standing::LoginRefused => ("login refused", Tone::Attention),
            Standing::NotActivated => ("not activated", Tone::Attention),
            Standing::OtherSubnet => ("other subnet", Tone::Attention),
            Standing::NoFrames => ("no frames", Tone::Bad),
            Standing::Offline => ("offline", Tone::Bad),
            Standing::NoVideo => ("no video", Tone::Quiet),
        }
    }

    /// What `n` devices that stand like this do: `need a login`.
    pub fn of_many(self, n: usize) -> &'static str {
        match self {
            Standing::Streaming => "streaming",
            Standing::Described => "described",
            Standing::LoginNeeded if n == 1 => "needs a login",
            Standing::LoginNeeded => "need a login",
            Standing::LoginRefused => "refused the login",
            Standing::NotActivated => "not activated",
            Standing::OtherSubnet => "in another subnet",
            Standing::NoFrames if n == 1 => "delivers no frames",
            Standing::NoFrames => "deliver no frames",
            Standing::Offline => "offline",
            Standing::NoVideo => "without video",
        }
    }
}

fn of_stream(stream: &Stream) -> Standing {
    match (stream.status, login_need(stream)) {
        (StreamStatus::Streaming, _) => Standing::Streaming,
        (StreamStatus::Described, _) => Standing::Described,
        (_, Some(LoginNeed::Missing)) => Standing::LoginNeeded,
        (_, Some(LoginNeed::Refused | LoginNeed::Locked | LoginNeed::Rests)) => Standing::LoginRefused,
        (_, None) => Standing::NoFrames,
    }
}

fn demands_login(service: &Service) -> bool {
    service.auth.as_ref().is_some_and(|schemes| !schemes.is_empty())
}

/// How many devices stand how, the best first; only what there is.
pub fn standings(report: &Report) -> Vec<(Standing, usize)> {
    use Standing as S;
    let all = [
        S::Streaming,
        S::Described,
        S::LoginNeeded,
        S::LoginRefused,
        S::NotActivated,
        S::OtherSubnet,
        S::NoFrames,
        S::Offline,
        S::NoVideo,
    ];
    all.into_iter().map(|standing| (standing, count(report, standing))).filter(|(_, n)| *n > 0).collect()
}

/// How many devices stand like `standing`.
pub fn count(report: &Report, standing: Standing) -> usize {
    report.devices.iter().filter(|d| Standing::of(d) == standing).count()
}

/// What a device is called: the operator's name, else maker and model, else its host name.
pub fn device_name(device: &Device) -> Option<String> {
    let make = match (device.vendor.as_deref(), device.model.as_deref()) {
        // Some makers put their name into the model.
        (Some(vendor), Some(model)) if model.to_lowercase().starts_with(&vendor.to_lowercase()) => {
            Some(model.to_owned())
        }
        (Some(vendor), Some(model)) => Some(format!("{vendor} {model}")),
        (vendor, model) => vendor.or(model).map(str::to_owned),
    };
    match (device.name.as_deref(), make) {
        // Fresh from the factory many are named after their maker or model.
        (Some(name), Some(make)) if make.to_lowercase().contains(&name.to_lowercase()) => Some(make),
        (Some(name), Some(make)) => Some(format!("{name} ({make})")),
        (Some(name), None) => Some(name.to_owned()),
        (None, Some(make)) => Some(make),
        (None, None) => device.hostname.clone(),
    }
}

/// The addresses of devices by their `id`.
#[derive(Debug, Default)]
pub struct Addresses<'r>(HashMap<&'r str, IpAddr>);

impl<'r> Addresses<'r> {
    /// Of these devices.
    pub fn of(devices: impl IntoIterator<Item = &'r Device>) -> Self {
        Addresses(devices.into_iter().map(|device| (device.id.as_str(), device.ip)).collect())
    }

    /// The address of the device of that `id`; the `id` itself where it is not among them.
    fn shown(&self, id: &str) -> String {
        self.0.get(id).map_or_else(|| id.to_owned(), IpAddr::to_string)
    }

    /// What a channel shows: `10.77.0.10`, `may be 10.77.0.10 (same parameter sets)`, or why that is not known.
    pub fn camera(&self, channel: &Channel) -> Option<String> {
        let camera = channel.camera.as_deref().map(|id| self.shown(id));
        let possible = || channel.possible_camera.as_deref();
        let possible = || possible().map(|id| format!("may be {} (same parameter sets)", self.shown(id)));
        camera.or_else(possible).or_else(|| channel.note.clone())
    }

    /// The cameras behind a recorder's channels that are listed by themselves: `channel 1 is 10.77.0.10, channel 2 is
    /// 10.77.0.11`.
    pub fn cameras(&self, recorder: &Device) -> Option<String> {
        let known = recorder.channels.iter().filter_map(|c| Some((c.number, c.camera.as_deref()?)));
        let said: Vec<String> = known.map(|(number, id)| format!("channel {number} is {}", self.shown(id))).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }
}

/// What a recorder lists of the camera behind a channel: `10.77.0.10 · DS-2CD2042WD-I · online`.
pub fn listed_camera(channel: &Channel) -> String {
    let facts = [
        channel.address.map(|ip| ip.to_string()),
        channel.model.clone(),
        channel.mac.map(|mac| mac.to_string()),
        channel.serial.clone(),
        channel.online.map(|online| if online { "online" } else { "offline" }.to_owned()),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Where else a camera is seen: `also channel 3 of 10.0.5.2, channel 1 of 10.0.5.3`.
pub fn also(camera: &Device) -> Option<String> {
    let said: Vec<String> = camera.shown_by.iter().map(|s| format!("channel {} of {}", s.channel, s.ip)).collect();
    (!said.is_empty()).then(|| format!("also {}", said.join(", ")))
}

/// The names of `methods`, parted by commas.
pub fn methods(methods: &[Method]) -> String {
    methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ")
}

/// `media server` for `media_server`.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::MediaServer => "media server",
        other => other.as_str(),
    }
}

/// `1920×1080`.
pub fn size(video: &Video) -> Option<String> {
    Some(format!("{}×{}", video.width?, video.height?))
}

/// Frames per second, measured before declared, with one decimal where it says something: `25`, `12.5`.
pub fn fps(video: &Video) -> Option<String> {
    let fps = video.measured_fps.or(video.fps)?;
    Some(if (fps - fps.round()).abs() < 0.15 { format!("{fps:.0}") } else { format!("{fps:.1}") })
}

/// Bit rate: `820 kbit/s`, `4.1 Mbit/s`; measured before declared.
pub fn bit_rate(video: &Video) -> Option<String> {
    let kbps = video.measured_kbps.or(video.bitrate_kbps)?;
    Some(if kbps < 1000 { format!("{kbps} kbit/s") } else { format!("{:.1} Mbit/s", f64::from(kbps) / 1000.0) })
}

/// All that is known of a picture: `H.264 High 4.0 · 1920×1080 · 25 fps (sps), 24.9 measured · …`.
pub fn video_in_full(video: &Video) -> String {
    let codec = [video.codec.map(|codec| codec.in_words()), video.profile.as_deref(), video.level.as_deref()];
    fn of(value: String, source: Option<impl Display>) -> String {
        match source {
            Some(source) => format!("{value} ({source})"),
            None => value,
        }
    }
    let both = |declared: Option<String>, measured: Option<String>, unit: &str| match (declared, measured) {
        (Some(declared), Some(measured)) => Some(format!("{declared}, {measured} measured")),
        (declared, None) => declared,
        (None, Some(measured)) => Some(format!("{measured} {unit} measured")),
    };
    let facts = [
        Some(codec.into_iter().flatten().collect::<Vec<_>>().join(" ")),
        size(video).map(|size| of(size, video.size_source)),
        video.sample_aspect_ratio.map(|(w, h)| format!("samples {w}:{h}")),
        both(
            video.fps.map(|fps| of(format!("{fps} fps"), video.fps_source)),
            video.measured_fps.map(|f| f.to_string()),
            "fps",
        ),
        both(
            video.bitrate_kbps.map(|kbps| format!("{kbps} kbit/s")),
            video.measured_kbps.map(|kbps| kbps.to_string()),
            "kbit/s",
        ),
        video.keyframe_interval_s.map(|s| format!("a key frame every {s} s")),
    ];
    facts.into_iter().flatten().filter(|fact| !fact.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// All that is known of a sound: `AAC · 16000 Hz · 2 channels · 64 kbit/s`.
pub fn audio_in_full(audio: &Audio) -> String {
    let facts = [
        audio.codec.map(|codec| codec.in_words().to_owned()),
        audio.sample_rate_hz.map(|hz| format!("{hz} Hz")),
        audio.channels.map(|n| counted(n, "channel", "channels")),
        audio.bitrate_kbps.map(|kbps| format!("{kbps} kbit/s")),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// `0.8 s`, `42 s`, `3 min 5 s`, `2 h 4 min`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, ms % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A login that rests on this side is no lock of the device.
    #[test]
    fn a_login_that_rests_has_a_word_of_its_own() {
        let shown = |kind| {
            let mut device = crate::export::sample::report().devices.remove(3);
            device.streams[0].error.as_mut().unwrap().kind = kind;
            (status(&device.streams[0]), Standing::of(&device), kind.as_str())
        };
        let attention = |word| (word, Tone::Attention);
        let rests = (attention("login rests"), Standing::LoginRefused, "login_rests");
        assert_eq!(shown(ErrorKind::LoginRests), rests);
        assert_eq!(shown(ErrorKind::Locked), (attention("locked"), Standing::LoginRefused, "locked"));
    }

    #[test]
    fn times_and_rates_read_well() {
        for (ms, said) in
            [(0, "0.0 s"), (1234, "1.2 s"), (59_999, "59 s"), (185_000, "3 min 5 s"), (7_440_000, "2 h 4 min")]
        {
            assert_eq!(duration(ms), said);
        }
        let rate = |kbps| bit_rate(&Video { measured_kbps: Some(kbps), ..Video::default() });
        assert_eq!(rate(820).as_deref(), Some("820 kbit/s"));
        assert_eq!(rate(4096).as_deref(), Some("4.1 Mbit/s"));
        let fps = |fps| super::fps(&Video { fps: Some(fps), ..Video::default() });
        assert_eq!(fps(24.9).as_deref(), Some("25"));
        assert_eq!(fps(12.5).as_deref(), Some("12.5"));
    }
    #[test]
    fn a_name_is_shown_when_it_says_more_than_maker_and_model() {
        let called = |name: &str, vendor: &str, model: &str| {
            let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let mut device = crate::export::sample::report().devices.remove(0);
            (device.name, device.vendor, device.model, device.hostname) =
                (known(name), known(vendor), known(model), None);
            device_name(&device).unwrap_or_default()
        };
        assert_eq!(called("Back door", "Axis", "P1375"), "Back door (Axis P1375)");
        assert_eq!(called("AXIS P1375", "Axis", "P1375"), "Axis P1375");
        assert_eq!(called("hikvision", "Hikvision", ""), "Hikvision");
        assert_eq!(called("Back door", "", ""), "Back door");
        assert_eq!(called("", "Axis", "AXIS P1375"), "AXIS P1375");
    }
}
