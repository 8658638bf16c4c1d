//! An extended M3U playlist of the streams that play, as VLC and IPTV players open it.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use super::address::AskedNames;
use super::format::{Spec, Writer};
use super::{Exporter, words};
use crate::model::{Device, Protocol, Report, Stream, StreamStatus};
use crate::text;

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "m3u",
    extensions: &["m3u", "m3u8"],
    help: "a playlist of the streams that play, for VLC and IPTV players",
    is_binary: false,
    writer: Writer::Report(|_| Box::new(M3u)),
};

/// Writes a playlist.
pub struct M3u;

impl Exporter for M3u {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"#EXTM3U\n")?;
        let names = AskedNames::of(report);
        let mut once = Once::of(report, &names);
        for device in &report.devices {
            for stream in device.streams.iter().filter(|s| plays(s)) {
                let address = address(&names, device, stream);
                if !once.is_listed_here(device, stream, address.is_ok()) {
                    continue;
                }
                let name = name(device, stream);
                let group = attribute(words::device_name(device).as_deref().unwrap_or(&device.ip.to_string()));
                match address {
                    Ok(url) => {
                        writeln!(out, "#EXTINF:-1 group-title=\"{group}\",{name}")?;
                        writeln!(out, "{}", location(&url))?;
                    }
                    Err(why) => writeln!(out, "# {name}: left out, {why}")?,
                }
            }
        }
        Ok(())
    }
}

/// The address a player opens, or why the list has none.
fn address(names: &AskedNames, device: &Device, stream: &Stream) -> Result<String, String> {
    if !stream.is_whole() {
        return Err("its address holds a password".to_owned());
    }
    names.address(device, &stream.url).map_err(|foreign| foreign.to_string())
}

/// Where each camera is listed: by its own streams where they play and can be written, else by the first recorder that shows
/// it so.
struct Once<'r> {
    plays: HashSet<&'r str>,
    by_recorder: HashMap<&'r str, (&'r str, Option<u32>)>,
}

impl<'r> Once<'r> {
    fn of(report: &'r Report, names: &AskedNames) -> Self {
        let is_written = |device: &&Device| device.own_streams().any(|s| plays(s) && address(names, device, s).is_ok());
        let plays = report.devices.iter().filter(is_written).map(|device| device.id.as_str());
        Once { plays: plays.collect(), by_recorder: HashMap::new() }
    }

    /// Whether a stream has its place here. One that cannot be written takes none from another one of its camera.
    fn is_listed_here(&mut self, device: &'r Device, stream: &'r Stream, is_written: bool) -> bool {
        let Some(camera) = device.camera_of(stream) else { return true };
        let here = (device.id.as_str(), stream.channel);
        if self.plays.contains(camera) {
            return false;
        }
        match is_written {
            true => *self.by_recorder.entry(camera).or_insert(here) == here,
            false => self.by_recorder.get(camera).is_none_or(|other| *other == here),
        }
    }
}

/// Whether a player can open it: frames came, or it was described, over a protocol players speak.
fn plays(stream: &Stream) -> bool {
    use Protocol as P;
    matches!(stream.status, StreamStatus::Streaming | StreamStatus::Described)
        && matches!(
            stream.protocol,
            P::Rtsp | P::Rtsps | P::Rtmp | P::Rtmps | P::Http | P::Https | P::Hls | P::Dash | P::Mjpeg
        )
}

/// `Hikvision DS-2CD2042WD-I 10.77.0.10 - 1 MainStream (1920×1080)`, on one line.
fn name(device: &Device, stream: &Stream) -> String {
    let mut name = match words::device_name(device) {
        Some(name) => format!("{name} {}", device.ip),
        None => device.ip.to_string(),
    };
    let channel = stream.channel.map(|c| c.to_string());
    let which: Vec<&str> = [channel.as_deref(), stream.profile_name.as_deref()].into_iter().flatten().collect();
    if !which.is_empty() {
        name = format!("{name} - {}", which.join(" "));
    }
    if let Some(size) = stream.video.as_ref().and_then(words::size) {
        name = format!("{name} ({size})");
    }
    text::clean_to(&name, 512)
}

/// Text in the quotes of an attribute, which know no escape.
fn attribute(text: &str) -> String {
    text::clean_to(text, 512).replace('"', "'")
}

/// A URL as a line of its own: what would end the line or begin a comment is percent-encoded.
fn location(url: &str) -> String {
    let url = text::strip_userinfo(url);
    let mut line = String::with_capacity(url.len());
    for c in url.chars() {
        if c.is_control() || c.is_whitespace() || (line.is_empty() && c == '#') {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|b| line.push_str(&format!("%{b:02X}")));
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use proptest::prelude::*;

    fn m3u(report: &Report) -> String {
        let mut bytes = Vec::new();
        M3u.write(report, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn only_what_plays_is_listed() {
        insta::assert_snapshot!(m3u(&sample::report()));
        assert_eq!(m3u(&sample::report_of(vec![])), "#EXTM3U\n");
    }

    #[test]
    fn a_camera_is_listed_once() {
        let mut report = sample::site();
        let urls = |report: &Report| -> Vec<String> {
            m3u(report).lines().filter(|l| l.starts_with("rtsp")).map(str::to_owned).collect()
        };
        let cameras = [
            "rtsp://10.77.0.10:554/Streaming/Channels/101",
            "rtsp://10.77.0.10:554/Streaming/Channels/102",
            "rtsp://10.77.0.17/media/video1",
        ];
        // The second camera itself needs a login; the recorder plays it.
        let of_recorder =
            ["rtsp://10.77.0.2:554/Streaming/Channels/201", "rtsp://10.77.0.2:554/Streaming/Channels/401"];
        assert_eq!(urls(&report), [&of_recorder[..], &cameras].concat());
        // When the third does not play itself, the first recorder that shows it does.
        report.devices[4].streams[0].status = StreamStatus::NoData;
        let third = "rtsp://10.77.0.2:554/Streaming/Channels/301";
        assert_eq!(urls(&report), [of_recorder[0], third, of_recorder[1], cameras[0], cameras[1]]);
    }

    /// A stream that is left out hides no other one of its camera.
    #[test]
    fn a_camera_whose_own_stream_is_left_out_is_listed_by_its_recorder() {
        let third = |n: u8| format!("rtsp://10.77.0.{n}:554/Streaming/Channels/301");
        for left_out in ["rtsp://10.77.0.17/user=admin&password=***", "file:///etc/passwd", ""] {
            let mut report = sample::site();
            report.devices[4].streams[0].url = left_out.to_owned();
            let list = m3u(&report);
            assert!(list.contains(&third(2)) && list.contains("left out"), "{left_out}: {list}");
            // Nor is one of the first recorder's in the way of the second's.
            for stream in &mut report.devices[0].streams {
                stream.url = left_out.to_owned();
            }
            let list = m3u(&report);
            let of_second = report.devices[1].streams.iter().find(|stream| stream.channel.is_some());
            assert!(of_second.is_some_and(|stream| list.contains(&stream.url)), "{left_out}: {list}");
        }
    }

    #[test]
    fn players_are_given_the_addresses_of_streams_alone() {
        for url in
            ["file:///etc/passwd", "smb://192.0.2.9/x", "concat:a|b", "/etc/passwd", "javascript://x", "ftp://h/x", ""]
        {
            let mut device = sample::hostile("192.0.2.1", "cam");
            device.streams[0].status = StreamStatus::Streaming;
            device.streams[0].url = url.to_owned();
            let list = m3u(&sample::report_of(vec![device]));
            let lines: Vec<&str> = list.lines().collect();
            assert!(lines.len() == 2 && lines[1].starts_with("# ") && lines[1].contains("left out"), "{list}");
            assert!(url.is_empty() || !list.contains(url), "{list}");
        }
    }

    proptest! {
        #[test]
        fn a_name_never_makes_a_line(name in any::<String>()) {
            let mut device = sample::hostile("192.0.2.1", &name);
            device.streams[0].status = StreamStatus::Streaming;
            let list = m3u(&sample::report_of(vec![device]));
            let lines: Vec<&str> = list.lines().collect();
            if name.contains("***") {
                return Ok(());
            }
            prop_assert_eq!(lines.len(), 3);
            prop_assert!(lines[1].starts_with("#EXTINF:-1 group-title=\""));
            prop_assert!(lines[2].starts_with("rtsp://"));
            prop_assert!(!list.chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}
