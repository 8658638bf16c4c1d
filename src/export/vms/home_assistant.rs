//! A package for Home Assistant (`packages/cameras.yaml`) with cameras of the `ffmpeg` platform, the only one that YAML
//! still sets up, read from homeassistant 2025.4.4.
//!
//! `!secret NAME` replaces a whole value, so a secret holds the whole URL with the login in it.

use super::camera::{self, Cameras};
use super::go2rtc::{left_out, unusable};
use crate::export::Logins;
use crate::export::configuration::login::{Form, Variable, Variables, address_in_name, url_with_login};
use crate::export::configuration::text::{header, quoted, text_of};
use crate::export::configuration::{Configuration, Configure};
use crate::export::format::{Spec, Writer};
use crate::model::{Device, Protocol, Report, Secret, Stream};

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "homeassistant",
    extensions: &[],
    help: "a package for Home Assistant",
    is_binary: false,
    writer: Writer::Configuration(Configure { file: "cameras.yaml", write, extend: None }),
};

/// Writes the package. Its variables are lines of `secrets.yaml`.
fn write(report: &Report, logins: &Logins<'_>) -> Configuration {
    let cameras = Cameras::of(report, &refusal);
    let mut variables = Variables::default();
    let mut body = Vec::new();
    for camera in &cameras.usable {
        let login = (logins.of)(camera.device);
        let channel = camera.channel.map_or(String::new(), |channel| format!("_ch{channel}"));
        let address = address_in_name(camera.device.ip).to_lowercase();
        for ((_, stream), suffix) in camera.streams().into_iter().zip(["", " sub"]) {
            let input = match (camera::needs_login(stream), &login, logins.shown) {
                (false, ..) => quoted(&input(stream, &stream.url)),
                (true, Some(login), true) => quoted(&input(stream, &url_with_login(&stream.url, login))),
                (true, login, _) => {
                    let secret = format!("camera_{address}{channel}{}_url", suffix.replace(' ', "_"));
                    let value = login.as_ref().map(|l| Secret::new(input(stream, &url_with_login(&stream.url, l))));
                    let meaning = format!("{} with the login of {}", stream.url, camera.device.ip);
                    variables.add(Variable { name: secret.clone(), form: Form::Url, meaning, value });
                    format!("!secret {secret}")
                }
            };
            let label = quoted(&format!("{}{suffix}", camera.label));
            body.push(format!("  - {{platform: ffmpeg, name: {label}, input: {input}}}"));
        }
        body.extend(left_out(&camera.left_out));
    }
    body.extend(unusable(&cameras));
    let mut lines = header("#", report, "Home Assistant package");
    lines.extend([
        "# configuration.yaml: homeassistant: {packages: !include_dir_named packages}".to_owned(),
        "# Cameras from YAML cannot be edited in the user interface; the ONVIF integration or go2rtc give more."
            .to_owned(),
    ]);
    if !variables.is_empty() {
        lines.push("# Put these into secrets.yaml (`--env-file secrets.yaml` writes those that are known):".to_owned());
        lines.extend(variables.iter().map(|v| format!("#   {}: {}, {}", v.name, v.meaning, v.form.hint())));
    }
    lines.push(if cameras.usable.is_empty() { "camera: []".to_owned() } else { "camera:".to_owned() });
    lines.extend(body);
    Configuration::of_one("cameras.yaml", text_of(&lines), variables)
}

/// ffmpeg reads whatever has a URL.
fn refusal(_: &Device, stream: &Stream) -> Option<String> {
    matches!(stream.protocol, Protocol::Webrtc).then(|| "ffmpeg reads no WebRTC".to_owned())
}

/// The last word is taken for the address, what stands before it for options.
fn input(stream: &Stream, url: &str) -> String {
    let url = url.replace(' ', "%20");
    match camera::is_udp_only(stream) {
        true => format!("-rtsp_transport udp -i {url}"),
        false => url,
    }
}
