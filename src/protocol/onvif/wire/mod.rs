//! The calls of ONVIF that only ask, and what comes back: device (Core Specification §8), Media (version 1) and Media2
//! service. Names are local names, whatever prefix a maker chose; what a device leaves out is none. Pure.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use jiff::civil::Date;

use super::soap::escape;
use crate::identify::vendor;
use crate::model::{Audio, AudioCodec, Channel, FpsSource, MacAddr, NetworkSettings, SizeSource, Video, VideoCodec};
use crate::text;
use crate::wire::xml::Element;

const DEVICE: &str = "http://www.onvif.org/ver10/device/wsdl";
const MEDIA: &str = "http://www.onvif.org/ver10/media/wsdl";
const MEDIA2: &str = "http://www.onvif.org/ver20/media/wsdl";
const SCHEMA: &str = "http://www.onvif.org/ver10/schema";

/// The most profiles taken from one answer.
const MAX_PROFILES: usize = 512;

/// A call. None of them changes anything on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the standard's own")]
pub enum Call<'a> {
    GetSystemDateAndTime,
    GetDeviceInformation,
    GetServices,
    GetCapabilities,
    GetScopes,
    GetNetworkInterfaces,
    GetHostname,
    /// Of the service of that version.
    GetProfiles(Media),
    /// For the profile of that token, carried that way.
    GetStreamUri(Media, &'a str, Carrier),
    /// For the profile of that token.
    GetSnapshotUri(Media, &'a str),
}

/// A version of the media service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// Media, version 1.
    One,
    /// Media2.
    Two,
}

/// How a stream is to be carried, as it stands in a question for its address. The address is mostly the same; some devices
/// know one of the names only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// RTP inside the RTSP connection.
    Rtsp,
    /// RTP over UDP.
    Udp,
    /// RTSP and RTP inside HTTP.
    Http,
}

impl Carrier {
    /// All of them, the one to ask for first at the head.
    pub const ALL: [Carrier; 3] = [Carrier::Rtsp, Carrier::Udp, Carrier::Http];

    /// The name in each version of the service (Media §5.13.1 TransportProtocol, Media2 §5.5.1).
    fn name(self, media: Media) -> &'static str {
        match (self, media) {
            (Carrier::Rtsp, _) => "RTSP",
            (Carrier::Udp, Media::One) => "UDP",
            (Carrier::Http, Media::One) => "HTTP",
            (Carrier::Udp, Media::Two) => "RtspUnicast",
            (Carrier::Http, Media::Two) => "RtspOverHttp",
        }
    }
}

impl Call<'_> {
    /// The call's name.
    pub fn name(self) -> &'static str {
        match self {
            Call::GetSystemDateAndTime => "GetSystemDateAndTime",
            Call::GetDeviceInformation => "GetDeviceInformation",
            Call::GetServices => "GetServices",
            Call::GetCapabilities => "GetCapabilities",
            Call::GetScopes => "GetScopes",
            Call::GetNetworkInterfaces => "GetNetworkInterfaces",
            Call::GetHostname => "GetHostname",
            Call::GetProfiles(_) => "GetProfiles",
            Call::GetStreamUri(..) => "GetStreamUri",
            Call::GetSnapshotUri(..) => "GetSnapshotUri",
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Call::GetProfiles(media) | Call::GetStreamUri(media, ..) | Call::GetSnapshotUri(media, _) => match media {
                Media::One => MEDIA,
                Media::Two => MEDIA2,
            },
            _ => DEVICE,
        }
    }

    /// The SOAP action.
    pub fn action(self) -> String {
        format!("{}/{}", self.namespace(), self.name())
    }

    /// The content of the body, as XML.
    pub fn body(self) -> String {
        let (name, namespace) = (self.name(), self.namespace());
        let inner = match self {
            Call::GetServices => "<IncludeCapability>false</IncludeCapability>".to_owned(),
            Call::GetCapabilities => "<Category>All</Category>".to_owned(),
            Call::GetProfiles(Media::Two) => "<Type>All</Type>".to_owned(),
            Call::GetStreamUri(Media::One, token, carrier) => format!(
                "<StreamSetup><Stream xmlns=\"{SCHEMA}\">RTP-Unicast</Stream><Transport xmlns=\"{SCHEMA}\">\
                 <Protocol>{}</Protocol></Transport></StreamSetup><ProfileToken>{}</ProfileToken>",
                carrier.name(Media::One),
                escape(token)
            ),
            Call::GetStreamUri(Media::Two, token, carrier) => {
                let protocol = carrier.name(Media::Two);
                format!("<Protocol>{protocol}</Protocol><ProfileToken>{}</ProfileToken>", escape(token))
            }
            Call::GetSnapshotUri(_, token) => format!("<ProfileToken>{}</ProfileToken>", escape(token)),
            _ => String::new(),
        };
        match inner.is_empty() {
            true => format!("<{name} xmlns=\"{namespace}\"/>"),
            false => format!("<{name} xmlns=\"{namespace}\">{inner}</{name}>"),
        }
    }
}

/// The device's clock in UTC; none when it states none or an impossible one.
pub fn utc(body: &Element) -> Option<Timestamp> {
    let utc = body.find("UTCDateTime")?;
    let number = |name: &str| utc.find_text(name)?.parse::<i16>().ok();
    let small = |name: &str| number(name).and_then(|n| i8::try_from(n).ok());
    let date = Date::new(number("Year")?, small("Month")?, small("Day")?).ok()?;
    // A leap second is a second late, not nonsense.
    let time = jiff::civil::Time::new(small("Hour")?, small("Minute")?, small("Second")?.min(59), 0).ok()?;
    date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// What a device states about itself; place-holders are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceInformation {
    /// Its maker, cleaned.
    pub manufacturer: Option<String>,
    /// Its model, cleaned.
    pub model: Option<String>,
    /// Its firmware's version, cleaned.
    pub firmware: Option<String>,
    /// Its serial number, cleaned.
    pub serial: Option<String>,
}

/// Reads a GetDeviceInformationResponse.
pub fn device_information(body: &Element) -> DeviceInformation {
    let said = |name: &str| body.find_text(name).and_then(text::clean_some);
    let telling = |name: &str| said(name).filter(|value| !vendor::says_nothing(value));
    DeviceInformation {
        manufacturer: telling("Manufacturer"),
        model: telling("Model"),
        firmware: said("FirmwareVersion").filter(|v| v.contains(|c: char| c.is_alphanumeric())),
        serial: said("SerialNumber").filter(|v| v.contains(|c: char| c.is_alphanumeric() && c != '0')),
    }
}

/// Where the services are, as announced, and what they reveal about the device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Services {
    /// The Media service's address.
    pub media: Option<String>,
    /// The Media2 service's address.
    pub media2: Option<String>,
    /// Whether recordings are kept and played back.
    pub records: bool,
}

impl Services {
    /// Takes over what `other` knows beyond this.
    pub fn merge(&mut self, other: Services) {
        self.media = self.media.take().or(other.media);
        self.media2 = self.media2.take().or(other.media2);
        self.records |= other.records;
    }
}

/// Reads a GetServicesResponse.
pub fn services(body: &Element) -> Services {
    let mut services = Services::default();
    for service in body.find_all("Service") {
        let Some(namespace) = service.child_text("Namespace") else { continue };
        let address = service.child_text("XAddr").map(str::to_owned);
        // Versions beyond these differ in the number only.
        if namespace.contains("/ver20/media/") {
            services.media2 = services.media2.take().or(address);
        } else if namespace.contains("/ver10/media/") {
            services.media = services.media.take().or(address);
        } else if namespace.contains("/replay/") {
            services.records = true;
        }
    }
    services
}

/// Reads a GetCapabilitiesResponse.
pub fn capabilities(body: &Element) -> Services {
    let address = |name: &str| body.find(name).and_then(|e| e.child_text("XAddr")).map(str::to_owned);
    Services { media: address("Media"), media2: address("Media2"), records: address("Replay").is_some() }
}

/// The scopes of a GetScopesResponse: path without `onvif://www.onvif.org/`, percent-decoded and cleaned
/// (`type/NetworkVideoTransmitter`); those without a value are left out.
pub fn scopes(body: &Element) -> Vec<String> {
    let decoded = body.find_all("ScopeItem").filter_map(Element::text).filter_map(|scope| {
        let path = scope.strip_prefix("onvif://").and_then(|s| s.split_once('/')).map(|(_, path)| path)?;
        text::clean_some(&percent_encoding::percent_decode_str(path).decode_utf8_lossy())
    });
    decoded.filter(|path| !path.ends_with('/')).take(128).collect()
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInterface {
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its IPv4 and IPv6 addresses.
    pub addresses: Vec<std::net::IpAddr>,
    /// How IPv4 is set up on it.
    pub network: NetworkSettings,
}

/// Reads a GetNetworkInterfacesResponse; interfaces without a usable MAC address are left out.
pub fn network_interfaces(body: &Element) -> Vec<NetworkInterface> {
    let interfaces = body.find_all("NetworkInterfaces").take(32).filter_map(|interface| {
        let mac: MacAddr = interface.find_text("HwAddress")?.parse().ok()?;
        let addresses = interface.find_all("Address").filter_map(|a| a.text()?.parse().ok()).take(32).collect();
        let usable = mac.0 != [0; 6] && mac.0.first().is_some_and(|first| first & 1 == 0);
        usable.then(|| NetworkInterface { mac, addresses, network: ipv4_settings(interface) })
    });
    interfaces.collect()
}

/// How IPv4 is set up on an interface (ONVIF schema, `IPv4NetworkInterface`).
fn ipv4_settings(interface: &Element) -> NetworkSettings {
    let Some(config) = interface.find("IPv4").and_then(|v4| v4.child("Config")) else {
        return NetworkSettings::default();
    };
    let dhcp = config.child_text("DHCP").and_then(|text| match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    });
    let prefix = config.find_text("PrefixLength").and_then(|text| text.parse::<u8>().ok()).filter(|p| *p <= 32);
    let mask = prefix.and_then(|prefix| u32::MAX.checked_shl(32 - u32::from(prefix)));
    NetworkSettings::stated(mask.map(Ipv4Addr::from), None, dhcp)
}

/// The name of a GetHostnameResponse, cleaned; none for place-holders.
pub fn hostname(body: &Element) -> Option<String> {
    let name = text::clean_some(body.find_text("Name")?)?;
    let nothing = ["localhost", "(none)", "none", "null", "unknown", "default", "hostname"];
    (!nothing.contains(&name.to_ascii_lowercase().as_str())).then_some(name)
}

/// A media profile.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// Its token, to the letter; clean before printing.
    pub token: String,
    /// Its name, cleaned.
    pub name: Option<String>,
    /// The token of its video source, to the letter.
    pub source: Option<String>,
    /// The name of its video source's configuration, cleaned.
    pub source_name: Option<String>,
    /// What is declared of its picture; none without encoder.
    pub video: Option<Video>,
    /// What is declared of its sound.
    pub audio: Option<Audio>,
    /// The versions of the service that list it.
    pub listed_by: Vec<Media>,
}

impl Profile {
    /// Takes over what the other version of the service states beyond this.
    pub fn merge(&mut self, other: Profile) {
        self.name = self.name.take().or(other.name);
        self.source = self.source.take().or(other.source);
        self.source_name = self.source_name.take().or(other.source_name);
        self.video = self.video.take().or(other.video);
        self.audio = self.audio.take().or(other.audio);
        self.listed_by.extend(other.listed_by);
    }
}

/// Reads a GetProfilesResponse of either version; profiles without token are left out. Which version it was is noted by who
/// asked.
pub fn profiles(body: &Element) -> Vec<Profile> {
    let profiles = body.find_all("Profiles").filter_map(|profile| {
        let token = profile.attribute("token").filter(|t| !t.is_empty())?.to_owned();
        let either = |one: &str, two: &str| {
            profile.child(one).or_else(|| profile.child("Configurations").and_then(|c| c.child(two)))
        };
        let source = either("VideoSourceConfiguration", "VideoSource");
        Some(Profile {
            token,
            name: profile.child_text("Name").and_then(text::clean_some),
            source: source.and_then(|s| s.child_text("SourceToken")).map(str::to_owned),
            source_name: source.and_then(|s| s.child_text("Name")).and_then(text::clean_some),
            video: either("VideoEncoderConfiguration", "VideoEncoder").map(video),
            audio: either("AudioEncoderConfiguration", "AudioEncoder").map(audio),
            listed_by: Vec::new(),
        })
    });
    profiles.take(MAX_PROFILES).collect()
}

/// The tokens of the video sources, in the device's order: the channels of a recorder.
pub fn sources(profiles: &[Profile]) -> Vec<String> {
    let mut sources: Vec<String> = Vec::new();
    for source in profiles.iter().filter_map(|p| p.source.as_ref()) {
        if !sources.contains(source) {
            sources.push(source.clone());
        }
    }
    sources
}

/// A recorder's channels by the names of its video sources; names that stand for any source are left out.
pub fn channels(profiles: &[Profile]) -> Vec<Channel> {
    let name = |source: &String| {
        let of_source = profiles.iter().filter(|p| p.source.as_ref() == Some(source));
        of_source.filter_map(|p| p.source_name.clone()).find(|name| !plain(name).starts_with("videosource"))
    };
    let named = sources(profiles).into_iter().zip(1..).map(|(source, number)| (number, name(&source)));
    named.filter_map(|(number, name)| Some(Channel { name: Some(name?), ..Channel::new(number) })).collect()
}

fn video(encoder: &Element) -> Video {
    let number = |name: &str| encoder.find_text(name).and_then(|t| t.parse::<f64>().ok()).filter(|n| n.is_finite());
    let size = |name: &str| number(name).filter(|n| (1.0..=65_535.0).contains(n)).map(|n| n as u32);
    let codec = encoder.child_text("Encoding").and_then(video_codec);
    // The limit counts every n-th picture only.
    let interval = number("EncodingInterval").filter(|n| *n >= 1.0).unwrap_or(1.0);
    let fps = number("FrameRateLimit").map(|limit| limit / interval).filter(|fps| *fps > 0.0 && *fps <= 1000.0);
    // 2147483647 and the like stand for no limit.
    let bitrate = number("BitrateLimit").filter(|n| *n >= 1.0 && *n <= 1_000_000.0).map(|n| n as u32);
    let profile = ["H264Profile", "Mpeg4Profile"].iter().find_map(|name| encoder.find_text(name));
    let (width, height) = size("Width").zip(size("Height")).unzip();
    Video {
        codec,
        profile: profile.or_else(|| encoder.attribute("Profile")).and_then(text::clean_some),
        width,
        height,
        size_source: width.map(|_| SizeSource::Onvif),
        fps,
        fps_source: fps.map(|_| FpsSource::Onvif),
        bitrate_kbps: bitrate,
        ..Video::default()
    }
}

fn video_codec(encoding: &str) -> Option<VideoCodec> {
    Some(match plain(encoding).as_str() {
        "h264" | "avc" | "h264h" | "h264b" | "h264m" => VideoCodec::H264,
        "h265" | "hevc" => VideoCodec::H265,
        "jpeg" | "mjpeg" | "mjpg" => VideoCodec::Mjpeg,
        "mpeg4" | "mp4ves" | "mp4v" => VideoCodec::Mpeg4,
        "av1" => VideoCodec::Av1,
        _ => return None,
    })
}

fn audio(encoder: &Element) -> Audio {
    let number = |name: &str| encoder.child_text(name).and_then(|t| t.parse::<u32>().ok()).filter(|n| *n > 0);
    Audio {
        codec: encoder.child_text("Encoding").and_then(audio_codec),
        // The standard counts kHz and kbit/s; some count Hz and bit/s.
        sample_rate_hz: number("SampleRate")
            .map(|n| if n < 400 { n * 1000 } else { n })
            .filter(|hz| (4_000..=384_000).contains(hz)),
        channels: None,
        bitrate_kbps: number("Bitrate").map(|n| if n >= 4_000 { n / 1000 } else { n }).filter(|kbps| *kbps <= 4_000),
        ..Audio::default()
    }
}

fn audio_codec(encoding: &str) -> Option<AudioCodec> {
    Some(match plain(encoding).as_str() {
        // The standard's G711 is µ-law (Media Service Specification, AudioEncoding).
        "g711" | "g711u" | "g711mu" | "g711ulaw" | "pcmu" => AudioCodec::Pcmu,
        "g711a" | "g711alaw" | "pcma" => AudioCodec::Pcma,
        "aac" | "mp4alatm" | "mpeg4generic" | "aaclc" => AudioCodec::Aac,
        "g726" => AudioCodec::G726,
        "g722" => AudioCodec::G722,
        "opus" => AudioCodec::Opus,
        "pcm" | "l16" => AudioCodec::Pcm,
        _ => return None,
    })
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The address of a GetStreamUriResponse or GetSnapshotUriResponse, as announced.
pub fn uri(body: &Element) -> Option<&str> {
    body.find_text("Uri")
}

#[cfg(test)]
mod tests;
