//! Motion's configuration, for Motion 4.5 (`src/conf.c` of 4.5.1; the keys are those of 4.7 too): motion.conf and one file
//! per camera, which it names.
//!
//! Motion knows no variables: without logins shown, the place of the login is marked by a comment. `netcam_userpass` is
//! pasted into URLs by sprintf, so it is percent-encoded there, but for `mjpeg://` and its like.

use super::camera::{self, Camera, Cameras};
use crate::export::Logins;
use crate::export::configuration::login::{Variables, encode};
use crate::export::configuration::text::{header, line, text_of};
use crate::export::configuration::{Configuration, Configure};
use crate::export::format::{Spec, Writer};
use crate::model::{Credential, Device, Protocol, Report, Stream};
use crate::text;

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "motion",
    extensions: &[],
    help: "configuration files for Motion 4.5",
    is_binary: false,
    writer: Writer::Configuration(Configure { file: "motion.conf", write, extend: None }),
};

/// Writes the files.
fn write(report: &Report, logins: &Logins<'_>) -> Configuration {
    let cameras = Cameras::of(report, &refusal);
    let mut main = header("#", report, "Motion 4.5 configuration");
    let mut files = Vec::new();
    for (number, camera) in (1..).zip(&cameras.usable) {
        let name = format!("camera-{}.conf", camera.name);
        main.push(format!("camera {name}"));
        files.push((name, of_camera(number, camera, (logins.of)(camera.device).as_ref(), logins.shown, report)));
    }
    main.extend(super::go2rtc::unusable(&cameras).into_iter().map(|l| l.trim_start().to_owned()));
    files.insert(0, ("motion.conf".to_owned(), text_of(&main)));
    Configuration { files, is_split: true, variables: Variables::default() }
}

/// Why Motion cannot read a stream.
fn refusal(_: &Device, stream: &Stream) -> Option<String> {
    use Protocol as P;
    (!matches!(stream.protocol, P::Rtsp | P::Rtmp | P::Mjpeg | P::Hls))
        .then(|| format!("Motion does not read {} from a camera", stream.protocol))
}

fn of_camera(number: u32, camera: &Camera<'_>, login: Option<&Credential>, shown: bool, report: &Report) -> String {
    // Motion looks for motion in the smaller stream and records the larger.
    let watched = camera.sub.unwrap_or(camera.main);
    let mut lines = header("#", report, "Motion 4.5 camera");
    lines.push(format!("camera_id {number}"));
    lines.push(format!("camera_name {}", line(&camera.label)));
    lines.push(format!("netcam_url {}", url(watched)));
    lines.extend(params(watched).map(|p| format!("netcam_params {p}")));
    if camera.sub.is_some() {
        lines.push(format!("netcam_high_url {}", url(camera.main)));
        lines.extend(params(camera.main).map(|p| format!("netcam_high_params {p}")));
    }
    if camera::needs_login(watched) || camera::needs_login(camera.main) {
        lines.push(match (login, shown) {
            (Some(login), true) if watched.protocol == Protocol::Mjpeg => {
                format!("netcam_userpass {}:{}", line(&login.user), line(login.password.expose()))
            }
            (Some(login), true) => {
                format!("netcam_userpass {}:{}", encode(&login.user), encode(login.password.expose()))
            }
            _ => "# netcam_userpass USER:PASSWORD (both percent-encoded; mode 0600 for this file)".to_owned(),
        });
    }
    // Widths and heights are multiples of 8; anything else ends Motion's start of the camera.
    if let Some((width, height)) = camera::size(watched).filter(|(w, h)| w % 8 == 0 && h % 8 == 0) {
        lines.push(format!("width {width}"));
        lines.push(format!("height {height}"));
    }
    if let Some(fps) = watched.video.as_ref().and_then(|v| v.measured_fps.or(v.fps)) {
        lines.push(format!("framerate {}", fps.round().clamp(2.0, 100.0)));
    }
    lines.extend(camera.left_out.iter().map(|l| format!("# not used: {} ({})", line(&l.stream.url), line(&l.reason))));
    text_of(&lines)
}

/// The whole address on one line; Motion calls MJPEG over HTTP by a scheme of its own.
fn url(stream: &Stream) -> String {
    let url = text::clean_path(&stream.url).replace(' ', "%20");
    match stream.protocol {
        Protocol::Mjpeg => url.replacen("http://", "mjpeg://", 1),
        _ => url,
    }
}

fn params(stream: &Stream) -> Option<&'static str> {
    match stream.protocol {
        Protocol::Rtsp if camera::is_udp_only(stream) => Some("rtsp_transport=udp"),
        Protocol::Rtsp => Some("rtsp_transport=tcp"),
        _ => None,
    }
}
