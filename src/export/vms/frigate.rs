//! Frigate's config.yml, for Frigate 0.17 (`frigate/config`, docs "Configuration", both of v0.17.2).
//!
//! Every camera is pulled once by the bundled go2rtc, and Frigate reads it from there: in `cameras.*.ffmpeg.inputs` Frigate
//! encodes passwords by rules that some of them do not survive, so none ever stands there. `{FRIGATE_NAME}` is replaced by
//! Python's `str.format`, hence braces of a device's own are doubled.

use super::camera::{self, Camera, Cameras, Names};
use super::go2rtc::{escaped, left_out, unusable};
use crate::export::Logins;
use crate::export::configuration::login::{Form, Variable, Variables, address_in_name, encode, url_with};
use crate::export::configuration::section::{Entry, Existing, Section};
use crate::export::configuration::text::{header, line, quoted, text_of};
use crate::export::configuration::{Additions, Configuration, Configure, Extend};
use crate::export::format::{Spec, Writer};
use crate::model::{AudioCodec, Credential, Device, Protocol, Report, Secret, Stream, VideoCodec};

/// The shortest longer side that is worth detecting on, in pixels (Frigate's camera wizard).
const DETECT_SIDE: u32 = 640;
/// The longest shorter side that detecting keeps up with, in pixels (Frigate's camera wizard).
const DETECT_MOST: u32 = 1080;

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "frigate",
    extensions: &[],
    help: "a configuration for Frigate 0.17",
    is_binary: false,
    writer: Writer::Configuration(Configure {
        file: "config.yml",
        write,
        extend: Some(Extend { mark: "cameras", sections: &[STREAMS, CAMERAS], add }),
    }),
};

const STREAMS: &[&str] = &["go2rtc", "streams"];
const CAMERAS: &[&str] = &["cameras"];

/// Writes the configuration.
fn write(report: &Report, logins: &Logins<'_>) -> Configuration {
    let cameras = Cameras::of(report, &refusal);
    let mut variables = Variables::default();
    let sections = sections(&cameras, logins, &mut variables);
    let mut lines = header("#", report, "Frigate 0.17 configuration");
    lines.extend(variables.comments("#"));
    lines.extend(["version: \"0.17-0\"".to_owned(), "mqtt: {enabled: false}".to_owned()]);
    // `cameras` must be there; go2rtc needs no section without streams.
    let is_needed = |section: &&Section| !section.entries.is_empty() || section.path == CAMERAS;
    lines.extend(sections.iter().filter(is_needed).flat_map(Section::lines));
    lines.extend(unusable(&cameras));
    Configuration::of_one("config.yml", text_of(&lines), variables)
}

/// The streams and cameras that a file does not hold.
fn add(report: &Report, logins: &Logins<'_>, existing: &Existing) -> Additions {
    let mut cameras = Cameras::named(report, &refusal, Names::new(existing, str::to_owned));
    let known = cameras.take_known(existing);
    let mut variables = Variables::default();
    let sections = sections(&cameras, logins, &mut variables).into();
    Additions { sections, added: cameras.labels(), known, variables }
}

/// What go2rtc pulls, and what Frigate makes of it.
fn sections(cameras: &Cameras<'_>, logins: &Logins<'_>, variables: &mut Variables) -> [Section; 2] {
    let (mut streams, mut entries) = (Vec::new(), Vec::new());
    for camera in &cameras.usable {
        let login = (logins.of)(camera.device);
        for (name, stream) in camera.streams() {
            let mut urls = vec![quoted(&source(camera, stream, login.as_ref(), logins.shown, variables))];
            // WebRTC in browsers takes Opus or PCM; what cameras send is mostly AAC.
            if name == camera.name && camera::has_sound(stream) {
                urls.push(quoted(&format!("ffmpeg:{name}#audio=opus")));
            }
            streams.push(Entry { lines: vec![format!("{name}: [{}]", urls.join(", "))], name });
        }
        let lines = entry(camera, login.as_ref(), logins.shown, variables);
        entries.push(Entry { name: camera.name.clone(), lines });
    }
    [Section { path: STREAMS, entries: streams }, Section { path: CAMERAS, entries }]
}

/// Why the go2rtc of Frigate cannot read a stream.
fn refusal(device: &Device, stream: &Stream) -> Option<String> {
    super::go2rtc::refusal(device, stream)
}

/// The source in `go2rtc.streams`. The bundled go2rtc 1.9.10 knows no UDP; ffmpeg does.
fn source(
    camera: &Camera<'_>,
    stream: &Stream,
    login: Option<&Credential>,
    shown: bool,
    variables: &mut Variables,
) -> String {
    let url = escaped(&stream.url).replace('{', "{{").replace('}', "}}");
    let url = if camera::needs_login(stream) { with_login(camera, &url, login, shown, variables) } else { url };
    match stream.protocol {
        Protocol::Rtsp if camera::is_udp_only(stream) => {
            format!("ffmpeg:{url}#video=copy#audio=copy#input=rtsp/udp")
        }
        Protocol::Rtsp => format!("{url}#backchannel=0"),
        // Certificates of cameras are their own; `rtspx` does not verify them.
        Protocol::Rtsps => format!("{}#backchannel=0", url.replacen("rtsps://", "rtspx://", 1)),
        // Recording wants H.264 or H.265.
        Protocol::Mjpeg | Protocol::Snapshot => format!("ffmpeg:{url}#video=h264"),
        _ => url,
    }
}

fn with_login(
    camera: &Camera<'_>,
    url: &str,
    login: Option<&Credential>,
    shown: bool,
    variables: &mut Variables,
) -> String {
    if let (Some(login), true) = (login, shown) {
        return url_with(url, &encode(&login.user), &encode(login.password.expose()));
    }
    let user = match login {
        Some(login) => encode(&login.user),
        None => placeholder(camera, "USER_URL", Form::Encoded, None, variables),
    };
    let value = login.map(|l| Secret::new(encode(l.password.expose())));
    url_with(url, &user, &placeholder(camera, "PASSWORD_URL", Form::Encoded, value, variables))
}

/// `{FRIGATE_ADDRESS_WHAT}`, noted among the variables.
fn placeholder(
    camera: &Camera<'_>,
    what: &str,
    form: Form,
    value: Option<Secret>,
    variables: &mut Variables,
) -> String {
    let name = format!("FRIGATE_{}_{what}", address_in_name(camera.device.ip));
    let kind = if what.starts_with("USER") { "user" } else { "password" };
    variables.add(Variable { name: name.clone(), form, meaning: format!("{kind} of {}", camera.device.ip), value });
    format!("{{{name}}}")
}

/// One camera of `cameras`.
fn entry(camera: &Camera<'_>, login: Option<&Credential>, shown: bool, variables: &mut Variables) -> Vec<String> {
    let (detect_name, detect) = detecting(camera);
    let own = |name: &str| quoted(&format!("rtsp://127.0.0.1:8554/{name}"));
    let mut lines = vec![
        format!("{}:", camera.name),
        format!("  friendly_name: {}", quoted(&camera.label)),
        "  ffmpeg:".to_owned(),
        "    inputs:".to_owned(),
    ];
    let input = |name: &str, roles: &str| {
        format!("      - {{path: {}, input_args: preset-rtsp-restream, roles: [{roles}]}}", own(name))
    };
    if detect_name == camera.name {
        lines.push(input(&camera.name, "record, detect"));
    } else {
        lines.push(input(&camera.name, "record"));
        lines.push(input(&detect_name, "detect"));
    }
    lines.push(format!("    output_args: {{record: {}}}", recording(camera.main)));
    if camera::codec(camera.main) == Some(VideoCodec::H265) {
        lines.push("    apple_compatibility: true".to_owned());
    }
    lines.extend(detect_lines(detect));
    lines.push(format!("  live: {{streams: {{{}}}}}", live(camera)));
    lines.extend(onvif(camera, login, shown, variables));
    if let Some(page) = page_of(camera.device) {
        lines.push(format!("  webui_url: {}", quoted(&page)));
    }
    lines.extend(left_out(&camera.left_out).iter().map(|line| format!("  {line}")));
    lines
}

/// The stream to detect on: the smaller one, unless it is too small for that and the larger is not too large.
fn detecting<'c>(camera: &Camera<'c>) -> (String, &'c Stream) {
    let longer = |s: &Stream| camera::size(s).map_or(0, |(w, h)| w.max(h));
    match camera.sub {
        Some(sub) if longer(sub) >= DETECT_SIDE || longer(camera.main) < DETECT_SIDE => {
            (format!("{}_sub", camera.name), sub)
        }
        Some(sub) if camera::size(camera.main).is_none_or(|(w, h)| w.min(h) > DETECT_MOST) => {
            (format!("{}_sub", camera.name), sub)
        }
        _ => (camera.name.clone(), camera.main),
    }
}

fn detect_lines(stream: &Stream) -> Vec<String> {
    let mut lines = Vec::new();
    let size = camera::size(stream);
    if size.is_some_and(|(w, h)| w.min(h) > DETECT_MOST) {
        lines.push("  # no smaller stream was found; detecting on this one takes much processing power".to_owned());
    }
    // Without its size Frigate probes the stream at every start, and takes 1280x720 where that fails.
    let size = size.map_or(String::new(), |(w, h)| format!(", width: {w}, height: {h}"));
    lines.push(format!("  detect: {{enabled: false{size}, fps: 5}}"));
    lines
}

fn recording(stream: &Stream) -> &'static str {
    let codec = stream.audio.as_ref().and_then(|a| a.codec);
    match (camera::has_sound(stream), codec) {
        (false, _) => "preset-record-generic",
        (true, Some(AudioCodec::Aac)) => "preset-record-generic-audio-copy",
        (true, _) => "preset-record-generic-audio-aac",
    }
}

fn live(camera: &Camera<'_>) -> String {
    let named = ["Main", "Sub"].iter().zip(camera.streams()).map(|(label, (name, _))| format!("{label}: {name}"));
    named.collect::<Vec<_>>().join(", ")
}

/// For moving the camera; a login goes there as it is.
fn onvif(camera: &Camera<'_>, login: Option<&Credential>, shown: bool, variables: &mut Variables) -> Vec<String> {
    let Some(port) = camera::port_of(camera.device, Protocol::Onvif) else { return Vec::new() };
    let host = quoted(&camera.device.ip.to_string());
    if !camera::needs_login(camera.main) {
        return vec![format!("  onvif: {{host: {host}, port: {port}}}")];
    }
    let (user, password) = match (login, shown) {
        // A brace would be taken for a placeholder.
        (Some(login), true) => {
            let doubled = |text: &str| quoted(&text.replace('{', "{{").replace('}', "}}"));
            (doubled(&login.user), doubled(login.password.expose()))
        }
        _ => {
            let user = match login {
                Some(login) => quoted(&login.user.replace('{', "{{").replace('}', "}}")),
                None => quoted(&placeholder(camera, "USER", Form::Plain, None, variables)),
            };
            let value = login.map(|l| l.password.clone());
            (user, quoted(&placeholder(camera, "PASSWORD", Form::Plain, value, variables)))
        }
    };
    vec![format!("  onvif: {{host: {host}, port: {port}, user: {user}, password: {password}}}")]
}

/// The device's web page.
fn page_of(device: &Device) -> Option<String> {
    let host = crate::model::stream::url_host(device.ip);
    let page = |protocol, scheme: &str, usual: u16| {
        let port = camera::port_of(device, protocol)?;
        let port = if port == usual { String::new() } else { format!(":{port}") };
        Some(format!("{scheme}://{host}{port}/"))
    };
    page(Protocol::Http, "http", 80).or_else(|| page(Protocol::Https, "https", 443)).map(|p| line(&p))
}
