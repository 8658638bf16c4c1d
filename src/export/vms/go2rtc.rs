//! go2rtc.yaml, for go2rtc 1.9.14 (`www/schema.json`, `pkg/tcp/auth.go`, `internal/app/config.go`).
//!
//! `${NAME}` is replaced by the environment before the file is read as YAML, so a `$` of a device's own is percent-encoded.
//! A `#` begins an option of the source; one that belongs to a URL is percent-encoded as well.

use super::camera::{self, Camera, Cameras, Names};
use crate::export::Logins;
use crate::export::configuration::login::{Form, Variable, Variables, address_in_name, encode, url_with};
use crate::export::configuration::section::{Entry, Existing, Section};
use crate::export::configuration::text::{header, line, quoted, text_of};
use crate::export::configuration::{Additions, Configuration, Configure, Extend};
use crate::export::format::{Spec, Writer};
use crate::model::{AuthScheme, Credential, Device, Protocol, Report, Secret, Stream};

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "go2rtc",
    extensions: &[],
    help: "a configuration for go2rtc 1.9",
    is_binary: false,
    writer: Writer::Configuration(Configure {
        file: "go2rtc.yaml",
        write,
        extend: Some(Extend { mark: "streams", sections: &[STREAMS], add }),
    }),
};

const STREAMS: &[&str] = &["streams"];

/// Writes the configuration.
fn write(report: &Report, logins: &Logins<'_>) -> Configuration {
    let cameras = Cameras::of(report, &refusal);
    let mut variables = Variables::default();
    let streams = streams(&cameras, logins, &mut variables);
    let mut lines = header("#", report, "go2rtc 1.9 configuration");
    lines.extend(variables.comments("#"));
    lines.extend([
        "# go2rtc listens on all addresses and asks for no login; to keep it to this machine:".to_owned(),
        "# api: {listen: \"127.0.0.1:1984\"}".to_owned(),
        "# rtsp: {listen: \"127.0.0.1:8554\"}".to_owned(),
    ]);
    lines.extend(streams.lines());
    lines.extend(unusable(&cameras));
    Configuration::of_one("go2rtc.yaml", text_of(&lines), variables)
}

/// The streams of cameras that a file does not hold.
fn add(report: &Report, logins: &Logins<'_>, existing: &Existing) -> Additions {
    let mut cameras = Cameras::named(report, &refusal, Names::new(existing, str::to_owned));
    let known = cameras.take_known(existing);
    let mut variables = Variables::default();
    let sections = vec![streams(&cameras, logins, &mut variables)];
    Additions { sections, added: cameras.labels(), known, variables }
}

fn streams(cameras: &Cameras<'_>, logins: &Logins<'_>, variables: &mut Variables) -> Section {
    let mut entries = Vec::new();
    for camera in &cameras.usable {
        let login = (logins.of)(camera.device);
        let mut before = vec![format!("# {}", line(&camera.label))];
        for (name, stream) in camera.streams() {
            let url = source(camera, stream, login.as_ref(), logins.shown, variables);
            let mut lines = std::mem::take(&mut before);
            lines.push(format!("{name}: [{}]", quoted(&with_options(stream, &url))));
            entries.push(Entry { name, lines });
        }
        if let Some(last) = entries.last_mut() {
            last.lines.extend(left_out(&camera.left_out));
        }
    }
    Section { path: STREAMS, entries }
}

/// Why go2rtc cannot read a stream.
pub(super) fn refusal(device: &Device, stream: &Stream) -> Option<String> {
    use Protocol as P;
    if !matches!(stream.protocol, P::Rtsp | P::Rtsps | P::Rtmp | P::Rtmps | P::Mjpeg | P::Hls | P::Snapshot) {
        return Some(format!("go2rtc does not read {} from a camera", stream.protocol));
    }
    let is_rtsp = matches!(stream.protocol, P::Rtsp | P::Rtsps);
    (is_rtsp && camera::needs_login(stream) && offers_sha256_alone(device))
        .then(|| "the camera offers Digest with SHA-256 alone, which go2rtc does not know".to_owned())
}

/// Whether the challenges heard name SHA-256 and nothing else that go2rtc could answer.
fn offers_sha256_alone(device: &Device) -> bool {
    let answers = device.streams.iter().flat_map(|s| &s.answers).chain(device.services.iter().flat_map(|s| &s.answers));
    let challenges: Vec<String> = answers
        .flat_map(|a| &a.headers)
        .filter(|h| h.name.eq_ignore_ascii_case("www-authenticate"))
        .filter_map(|h| h.value.as_deref().map(str::to_ascii_lowercase))
        .collect();
    let is_sha256 = |c: &String| c.contains("sha-256");
    challenges.iter().any(is_sha256)
        && challenges.iter().all(is_sha256)
        && !camera::schemes(device).contains(&AuthScheme::Basic)
}

/// The URL with the placeholder, or the login where it is to be shown.
fn source(
    camera: &Camera<'_>,
    stream: &Stream,
    login: Option<&Credential>,
    shown: bool,
    variables: &mut Variables,
) -> String {
    let url = escaped(&stream.url);
    if !camera::needs_login(stream) {
        return url;
    }
    if let (Some(login), true) = (login, shown) {
        return url_with(&url, &encode(&login.user), &encode(login.password.expose()));
    }
    let ip = camera.device.ip;
    let named = format!("CAMERA_{}", address_in_name(ip));
    let user = match login {
        Some(login) => encode(&login.user),
        None => {
            let name = format!("{named}_USER");
            variables.add(Variable {
                name: name.clone(),
                form: Form::Encoded,
                meaning: format!("user of {ip}"),
                value: None,
            });
            format!("${{{name}}}")
        }
    };
    let name = format!("{named}_PASSWORD");
    let value = login.map(|l| Secret::new(encode(l.password.expose())));
    variables.add(Variable { name: name.clone(), form: Form::Encoded, meaning: format!("password of {ip}"), value });
    url_with(&url, &user, &format!("${{{name}}}"))
}

/// What the URL's own characters would mean to go2rtc, percent-encoded.
pub(super) fn escaped(url: &str) -> String {
    url.replace('#', "%23").replace('$', "%24").replace(' ', "%20")
}

/// The options behind the URL. Any option switches the back channel off; without it, two-way sound opens it on every client.
fn with_options(stream: &Stream, url: &str) -> String {
    match stream.protocol {
        Protocol::Rtsp if camera::is_udp_only(stream) => format!("{url}#transport=udp#backchannel=0"),
        Protocol::Rtsp | Protocol::Rtsps => format!("{url}#backchannel=0"),
        _ => url.to_owned(),
    }
}

/// A comment for each stream that is not used.
pub(super) fn left_out(streams: &[camera::LeftOut<'_>]) -> Vec<String> {
    streams.iter().map(|l| format!("# not used: {} ({})", line(&l.stream.url), line(&l.reason))).collect()
}

/// A comment for each device without a usable stream.
pub(super) fn unusable(cameras: &Cameras<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (device, streams) in &cameras.unusable {
        if streams.is_empty() {
            lines.push(format!("# {}: no stream was found", device.ip));
        }
        lines.extend(left_out(streams));
    }
    lines
}
