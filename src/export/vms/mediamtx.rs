//! mediamtx.yml, for MediaMTX 1.20 (`internal/conf` of v1.20.1).
//!
//! MediaMTX replaces nothing in its file, but takes `MTX_PATHS_NAME_SOURCE` in place of a path's source. It splits that name
//! at `_` and lower-cases it, so a path's name holds letters and digits alone. The whole server refuses a wrong file.

use super::camera::{self, Camera, Cameras};
use super::go2rtc::{left_out, unusable};
use crate::export::Logins;
use crate::export::configuration::login::{Form, Variable, Variables, url_with_login};
use crate::export::configuration::text::{header, line, quoted, text_of};
use crate::export::configuration::{Configuration, Configure};
use crate::export::format::{Spec, Writer};
use crate::model::{Credential, Device, Protocol, Report, Secret, Stream};

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "mediamtx",
    extensions: &[],
    help: "a configuration for MediaMTX 1.20",
    is_binary: false,
    writer: Writer::Configuration(Configure { file: "mediamtx.yml", write }),
};

/// Writes the configuration.
fn write(report: &Report, logins: &Logins<'_>) -> Configuration {
    let blank =
        |device: &Device| (logins.of)(device).is_some_and(|l| l.user.is_empty() || l.password.expose().is_empty());
    let cameras = Cameras::of(report, &|device, stream| refusal(stream, &|| blank(device)));
    let mut variables = Variables::default();
    let mut body = Vec::new();
    for camera in &cameras.usable {
        body.push(format!("  # {}", line(&camera.label)));
        let login = (logins.of)(camera.device);
        for (name, stream) in camera.streams() {
            body.extend(path(camera, &name.replace('_', ""), stream, login.as_ref(), logins.shown, &mut variables));
        }
        body.extend(left_out(&camera.left_out));
    }
    body.extend(unusable(&cameras));
    let mut lines = header("#", report, "MediaMTX 1.20 configuration");
    lines.extend(variables.comments("#"));
    lines.push(if cameras.usable.is_empty() { "paths: {}".to_owned() } else { "paths:".to_owned() });
    lines.extend(body);
    Configuration::of_one("mediamtx.yml", text_of(&lines), variables)
}

/// Why MediaMTX cannot read a stream. `is_blank`: the login has an empty user or password.
fn refusal(stream: &Stream, is_blank: &dyn Fn() -> bool) -> Option<String> {
    use Protocol as P;
    match stream.protocol {
        P::Rtsp | P::Rtsps | P::Rtmp | P::Rtmps | P::Hls => (camera::needs_login(stream) && is_blank())
            .then(|| "MediaMTX refuses a login without a user or without a password".to_owned()),
        P::Mjpeg | P::Snapshot => {
            Some("MediaMTX reads no MJPEG over HTTP; runOnDemand with ffmpeg can turn it into H.264".to_owned())
        }
        other => Some(format!("MediaMTX does not read {other} from a camera")),
    }
}

fn path(
    camera: &Camera<'_>,
    name: &str,
    stream: &Stream,
    login: Option<&Credential>,
    shown: bool,
    variables: &mut Variables,
) -> Vec<String> {
    // `$G1` and `$MTX_QUERY` are replaced in a source.
    let url = stream.url.replace('$', "%24").replace(' ', "%20").replace('#', "%23");
    let mut source = url.clone();
    if camera::needs_login(stream) {
        match (login, shown) {
            (Some(login), true) => source = url_with_login(&url, login),
            (login, _) => variables.add(Variable {
                name: format!("MTX_PATHS_{}_SOURCE", name.to_ascii_uppercase()),
                form: Form::Url,
                meaning: format!("{} with the login of {}", line(&url), camera.device.ip),
                value: login.map(|l| Secret::new(url_with_login(&url, l))),
            }),
        }
    }
    let mut lines =
        vec![format!("  {name}:"), format!("    source: {}", quoted(&source)), "    sourceOnDemand: true".to_owned()];
    if matches!(stream.protocol, Protocol::Rtsp | Protocol::Rtsps) {
        let transport = match (stream.multicast, camera::is_udp_only(stream)) {
            (Some(_), _) => "multicast",
            (None, true) => "udp",
            (None, false) => "tcp",
        };
        lines.push(format!("    rtspTransport: {transport}"));
    }
    if matches!(stream.protocol, Protocol::Rtsps | Protocol::Rtmps) {
        lines.push("    # a certificate of the camera's own needs its SHA-256 in sourceFingerprint".to_owned());
    }
    lines
}
