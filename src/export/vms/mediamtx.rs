//! mediamtx.yml, for MediaMTX 1.20 (`internal/conf` of v1.20.1).
//!
//! MediaMTX replaces nothing in its file, but takes `MTX_PATHS_NAME_SOURCE` in place of a path's source. It splits that name
//! at `_` and lower-cases it, so a path's name holds letters and digits alone. The whole server refuses a wrong file.

use super::camera::{self, Camera, Cameras, Names};
use super::go2rtc::{left_out, unusable};
use crate::export::Logins;
use crate::export::configuration::login::{Form, Variable, Variables, url_with_login};
use crate::export::configuration::section::{Entry, Existing, Section};
use crate::export::configuration::text::{header, line, quoted, text_of};
use crate::export::configuration::{Additions, Configuration, Configure, Extend};
use crate::export::format::{Spec, Writer};
use crate::model::{Credential, Device, Protocol, Report, Secret, Stream};

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "mediamtx",
    extensions: &[],
    help: "a configuration for MediaMTX 1.20",
    is_binary: false,
    writer: Writer::Configuration(Configure {
        file: "mediamtx.yml",
        write,
        extend: Some(Extend { mark: "paths", sections: &[PATHS], add }),
    }),
};

const PATHS: &[&str] = &["paths"];

/// Writes the configuration.
fn write(report: &Report, logins: &Logins<'_>) -> Configuration {
    let cameras = cameras(report, logins, &Existing::default());
    let mut variables = Variables::default();
    let paths = paths(&cameras, logins, &mut variables);
    let mut lines = header("#", report, "MediaMTX 1.20 configuration");
    lines.extend(variables.comments("#"));
    lines.extend(paths.lines());
    lines.extend(unusable(&cameras));
    Configuration::of_one("mediamtx.yml", text_of(&lines), variables)
}

/// The paths of cameras that a file does not hold.
fn add(report: &Report, logins: &Logins<'_>, existing: &Existing) -> Additions {
    let mut cameras = cameras(report, logins, existing);
    let known = cameras.take_known(existing);
    let mut variables = Variables::default();
    let sections = vec![paths(&cameras, logins, &mut variables)];
    Additions { sections, added: cameras.labels(), known, variables }
}

/// The cameras, with names that differ also without their `_`.
fn cameras<'r>(report: &'r Report, logins: &Logins<'_>, existing: &Existing) -> Cameras<'r> {
    let is_blank = |login: Credential| login.user.is_empty() || login.password.expose().is_empty();
    let refusal = |device: &Device, stream: &Stream| refusal(stream, &|| (logins.of)(device).is_some_and(is_blank));
    Cameras::named(report, &refusal, Names::new(existing, path_name))
}

fn path_name(name: &str) -> String {
    name.replace('_', "")
}

fn paths(cameras: &Cameras<'_>, logins: &Logins<'_>, variables: &mut Variables) -> Section {
    let mut entries = Vec::new();
    for camera in &cameras.usable {
        let login = (logins.of)(camera.device);
        let mut before = vec![format!("# {}", line(&camera.label))];
        for (name, stream) in camera.streams() {
            let name = path_name(&name);
            let mut lines = std::mem::take(&mut before);
            lines.extend(path(camera, &name, stream, login.as_ref(), logins.shown, variables));
            entries.push(Entry { name, lines });
        }
        if let Some(last) = entries.last_mut() {
            last.lines.extend(left_out(&camera.left_out));
        }
    }
    Section { path: PATHS, entries }
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
        vec![format!("{name}:"), format!("  source: {}", quoted(&source)), "  sourceOnDemand: true".to_owned()];
    if matches!(stream.protocol, Protocol::Rtsp | Protocol::Rtsps) {
        let transport = match (stream.multicast, camera::is_udp_only(stream)) {
            (Some(_), _) => "multicast",
            (None, true) => "udp",
            (None, false) => "tcp",
        };
        lines.push(format!("  rtspTransport: {transport}"));
    }
    if matches!(stream.protocol, Protocol::Rtsps | Protocol::Rtmps) {
        lines.push("  # a certificate of the camera's own needs its SHA-256 in sourceFingerprint".to_owned());
    }
    lines
}
