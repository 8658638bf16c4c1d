//! Viseron's config.yaml, for Viseron 3.5 (`viseron/components/ffmpeg/camera.py`, `stream.py` and `viseron/config.py` of
//! v3.5.2): cameras of the component `ffmpeg`, and the component `nvr`, without which Viseron starts none of them.
//!
//! `!secret NAME` is replaced by a value of secrets.yaml. Viseron makes the address of host, port and path itself, the same
//! host and login for both streams. It percent-encodes the password and leaves the user as it is, so the user stands encoded
//! and the password plain. `codec` would choose a decoder and is left to the site; sizes and rates are what Viseron probes.

use super::camera::{self, Camera, Cameras, Names};
use super::go2rtc::{left_out, unusable};
use super::parts::Parts;
use crate::export::Logins;
use crate::export::configuration::login::{Form, Variable, Variables, address_in_name, encode};
use crate::export::configuration::section::{Entry, Existing, Section};
use crate::export::configuration::text::{header, quoted, text_of};
use crate::export::configuration::{Additions, Configuration, Configure, Extend};
use crate::export::format::{Spec, Writer};
use crate::model::{Credential, Device, Protocol, Report, Secret, Stream};

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "viseron",
    extensions: &[],
    help: "a configuration for Viseron 3.5",
    is_binary: false,
    writer: Writer::Configuration(Configure {
        file: "config.yaml",
        write,
        extend: Some(Extend { mark: "nvr", sections: &[CAMERAS, NVR], add }),
    }),
};

const CAMERAS: &[&str] = &["ffmpeg", "camera"];
const NVR: &[&str] = &["nvr"];

/// Writes the configuration. Its variables are lines of `secrets.yaml`.
fn write(report: &Report, logins: &Logins<'_>) -> Configuration {
    let cameras = Cameras::of(report, &refusal);
    let mut variables = Variables::default();
    let sections = sections(&cameras, logins, &mut variables);
    let mut lines = header("#", report, "Viseron 3.5 configuration");
    if !variables.is_empty() {
        lines.push("# Put these into secrets.yaml (`--env-file secrets.yaml` writes those that are known):".to_owned());
        lines.extend(variables.iter().map(|v| format!("#   {}: {}, {}", v.name, v.meaning, v.form.hint())));
    }
    lines.extend(sections.iter().flat_map(Section::lines));
    lines.extend(unusable(&cameras));
    Configuration::of_one("config.yaml", text_of(&lines), variables)
}

/// The cameras that a file does not hold.
fn add(report: &Report, logins: &Logins<'_>, existing: &Existing) -> Additions {
    let mut cameras = Cameras::named(report, &refusal, Names::new(existing, str::to_owned));
    let known = cameras.take_known(existing);
    let mut variables = Variables::default();
    let sections = sections(&cameras, logins, &mut variables).into();
    Additions { sections, added: cameras.labels(), known, variables }
}

fn sections(cameras: &Cameras<'_>, logins: &Logins<'_>, variables: &mut Variables) -> [Section; 2] {
    let (mut entries, mut nvr) = (Vec::new(), Vec::new());
    for camera in &cameras.usable {
        let login = (logins.of)(camera.device);
        let lines = entry(camera, login.as_ref(), logins.shown, variables);
        entries.push(Entry { name: camera.name.clone(), lines });
        nvr.push(Entry { name: camera.name.clone(), lines: vec![format!("{}:", camera.name)] });
    }
    [Section { path: CAMERAS, entries }, Section { path: NVR, entries: nvr }]
}

/// Why Viseron cannot read a stream: it knows the formats `rtsp`, `rtmp` and `mjpeg`.
fn refusal(_: &Device, stream: &Stream) -> Option<String> {
    use Protocol as P;
    (!matches!(stream.protocol, P::Rtsp | P::Rtsps | P::Rtmp | P::Mjpeg))
        .then(|| format!("Viseron does not read {} from a camera", stream.protocol))
}

fn entry(camera: &Camera<'_>, login: Option<&Credential>, shown: bool, variables: &mut Variables) -> Vec<String> {
    let host = Parts::of(&camera.main.url).host;
    // Host and login of the main stream are those of the other one, too.
    let sub = camera.sub.filter(|sub| Parts::of(&sub.url).host == host);
    let mut lines = vec![
        format!("{}:", camera.name),
        format!("  name: {}", quoted(&camera.label)),
        format!("  host: {}", quoted(host)),
    ];
    lines.extend(of_stream(camera.main).into_iter().map(|line| format!("  {line}")));
    if [Some(camera.main), sub].into_iter().flatten().any(camera::needs_login) {
        lines.extend(of_login(camera, login, shown, variables).into_iter().map(|line| format!("  {line}")));
    }
    if let Some(sub) = sub {
        lines.push("  substream:".to_owned());
        lines.extend(of_stream(sub).into_iter().map(|line| format!("    {line}")));
    }
    if let Some(other) = camera.sub.filter(|_| sub.is_none()) {
        let reason = "Viseron reads both streams from one host".to_owned();
        lines.extend(left_out(&[camera::LeftOut { stream: other, reason }]));
    }
    lines.extend(left_out(&camera.left_out));
    lines
}

/// What Viseron makes an address of, and how it reads it.
fn of_stream(stream: &Stream) -> Vec<String> {
    let Parts { port, path, .. } = Parts::of(&stream.url);
    // A path must not be empty.
    let path = if path.is_empty() { "/".to_owned() } else { path.replace(' ', "%20") };
    let mut lines = vec![format!("port: {port}"), format!("path: {}", quoted(&path))];
    match stream.protocol {
        Protocol::Rtmp => lines.push("stream_format: rtmp".to_owned()),
        Protocol::Mjpeg => {
            lines.push("stream_format: mjpeg".to_owned());
            lines.extend(stream.url.starts_with("https:").then(|| "protocol: https".to_owned()));
        }
        _ => {
            lines.extend((stream.protocol == Protocol::Rtsps).then(|| "protocol: rtsps".to_owned()));
            let transport = match (stream.multicast, camera::is_udp_only(stream)) {
                (Some(_), _) => "udp_multicast",
                (None, true) => "udp",
                (None, false) => "tcp",
            };
            lines.push(format!("rtsp_transport: {transport}"));
        }
    }
    lines
}

/// User and password, or the names of their secrets.
fn of_login(camera: &Camera<'_>, login: Option<&Credential>, shown: bool, variables: &mut Variables) -> [String; 2] {
    let ip = camera.device.ip;
    let named = format!("camera_{}", address_in_name(ip).to_lowercase());
    let mut secret = |what: &str, form: Form, value: Option<Secret>| {
        let name = format!("{named}_{what}");
        variables.add(Variable { name: name.clone(), form, meaning: format!("{what} of {ip}"), value });
        format!("!secret {name}")
    };
    let user = match login {
        Some(login) => quoted(&encode(&login.user)),
        None => secret("user", Form::Encoded, None),
    };
    let password = match (login, shown) {
        (Some(login), true) => quoted(login.password.expose()),
        (login, _) => secret("password", Form::Plain, login.map(|login| login.password.clone())),
    };
    [format!("username: {user}"), format!("password: {password}")]
}
