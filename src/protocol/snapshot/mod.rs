//! Saves one JPEG per stream. The only place that knows where a stream's picture may come from, and where it goes.

pub mod still;

use std::net::IpAddr;

use crate::media::jpeg;
use crate::media::picture::Picture;
use crate::model::{Protocol, Stream, StreamStatus, VideoCodec};
use crate::net::with_file_rights;
use crate::probe::Inspection;
use crate::probe::memory::Kept;
use crate::tool::{ffmpeg, file};

/// Saves a picture of a stream that was found, where that is wished, and notes its path in the stream. `frame` is a whole
/// picture that already came over the stream. A picture that could not be had is a warning of the stream.
pub async fn save(host: &Inspection, stream: &mut Stream, frame: Option<&Picture>) {
    let Some(folder) = host.options.snapshots.clone() else { return };
    let is_there = matches!(stream.status, StreamStatus::Streaming | StreamStatus::Described | StreamStatus::NoData);
    let is_sound_alone = stream.video.is_none() && stream.audio.is_some();
    if !is_there || is_sound_alone {
        return;
    }
    // The number is the stream's, whether or not there is a picture of it.
    let path = folder.join(file_name(host.peer.ip, host.number_picture()));
    let picture = match take(host, stream, frame).await {
        Ok(picture) => picture,
        Err(why) => return stream.warnings.push(format!("no snapshot: {why}")),
    };
    let shown = path.display().to_string();
    let write = move || with_file_rights(|| file::put(&path, &picture));
    let written = tokio::task::spawn_blocking(write).await;
    let written = written.unwrap_or_else(|e| Err(e.into()));
    match written {
        Ok(()) => stream.snapshot = Some(shown),
        Err(why) => stream.warnings.push(format!("the snapshot could not be saved as '{shown}': {why}")),
    }
}

/// A JPEG that came over the stream; then what the device offers as its still picture, since that costs no decoding; then
/// a key frame that came; then, of a camera's own streams, what the maker offers.
async fn take(host: &Inspection, stream: &Stream, frame: Option<&Picture>) -> Result<Kept<Vec<u8>>, String> {
    if let Some(frame) = frame.filter(|f| f.codec == VideoCodec::Mjpeg) {
        return Ok(Kept::new(frame.bytes.clone(), None));
    }
    if let Some(picture) = still::announced(host, stream).await {
        return Ok(picture);
    }
    let undecoded = match frame {
        Some(frame) => match decode(frame).await {
            Ok(picture) => return Ok(Kept::new(picture, None)),
            Err(why) => Some(why),
        },
        None => None,
    };
    // What a media server shows elsewhere may be any of its streams.
    if !matches!(stream.protocol, Protocol::Rtsp | Protocol::Rtsps | Protocol::Mjpeg) {
        return Err(undecoded.unwrap_or_else(|| "no whole key frame came".to_owned()));
    }
    still::elsewhere(host, stream).await.map_err(|error| undecoded.unwrap_or_else(|| error.to_string()))
}

/// The JPEG of a key frame, by ffmpeg.
async fn decode(frame: &Picture) -> Result<Vec<u8>, String> {
    let Some(format) = frame.ffmpeg_format() else {
        return Err(format!("a picture of {} is not decoded", frame.codec.as_str()));
    };
    let decoded = ffmpeg::picture(&frame.bytes, format).await?;
    jpeg::find(&decoded).map(<[u8]>::to_vec).ok_or_else(|| "ffmpeg makes no picture of what came".to_owned())
}

/// A file's name is made of numbers alone: nothing a device says is in it. Colons are no part of names on every system.
fn file_name(ip: IpAddr, number: u32) -> String {
    format!("{}-{number}.jpg", ip.to_string().replace(':', "_"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::model::finding::StreamHint;
    use crate::model::{Audio, FindingKind, ProbeOptions};
    use crate::testkit::net::{FakeNet, Reply};

    const JPEG: &[u8] = include_bytes!("../../../tests/data/media/camera_640x480_1.jpg");
    const H264: &[u8] = include_bytes!("../../../tests/data/media/camera_h264_1280x720_25fps.h264");

    fn stream(path: &str) -> Stream {
        let mut stream = Stream::new(format!("rtsp://192.0.2.10:554/{path}"), Protocol::Rtsp);
        stream.status = StreamStatus::Streaming;
        stream
    }

    fn host(net: FakeNet, folder: &Path) -> Inspection {
        Inspection::for_test(net, "192.0.2.10", ProbeOptions { snapshots: Some(folder.into()), ..Default::default() }).0
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn names_hold_numbers_alone() {
        assert_eq!(file_name("10.77.0.10".parse().unwrap(), 1), "10.77.0.10-1.jpg");
        assert_eq!(file_name("fe80::1".parse().unwrap(), 2), "fe80__1-2.jpg");
    }

    #[tokio::test]
    async fn a_jpeg_that_came_is_saved_as_it_is_and_replaces_an_older_one() {
        let temp = tempfile::tempdir().unwrap();
        let host = host(FakeNet::new(), temp.path());
        fs::write(temp.path().join("192.0.2.10-1.jpg"), "old").unwrap();
        let (mut first, mut denied, mut second) = (stream("1"), stream("2"), stream("3"));
        denied.status = StreamStatus::AuthRequired;
        let frame = Picture { codec: VideoCodec::Mjpeg, bytes: JPEG.to_vec() };
        for stream in [&mut first, &mut denied, &mut second] {
            save(&host, stream, Some(&frame)).await;
        }
        assert_eq!(first.snapshot, Some(temp.path().join("192.0.2.10-1.jpg").display().to_string()));
        assert_eq!(denied.snapshot, None);
        assert_eq!(names(temp.path()), ["192.0.2.10-1.jpg", "192.0.2.10-2.jpg"]);
        assert_eq!(fs::read(temp.path().join("192.0.2.10-1.jpg")).unwrap(), JPEG);
    }

    #[tokio::test(start_paused = true)]
    async fn the_still_picture_a_device_announces_comes_before_decoding() {
        let temp = tempfile::tempdir().unwrap();
        let net = FakeNet::new();
        net.answer("192.0.2.10:80", |asked| {
            Reply::Last(match asked.target() {
                "/still" => [b"HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\n", JPEG].concat(),
                _ => b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
            })
        });
        let host = host(net, temp.path());
        let mut announced = stream("main");
        let mut hint = StreamHint::new(&announced.url);
        hint.snapshot_url = Some("http://192.0.2.10/still".into());
        host.record.learn(&FindingKind::StreamHint(hint));
        // No decoder would take these.
        let frame = Picture { codec: VideoCodec::H264, bytes: vec![0; 10] };
        save(&host, &mut announced, Some(&frame)).await;
        assert_eq!((&announced.warnings[..], names(temp.path())), (&[][..], vec!["192.0.2.10-1.jpg".to_owned()]));
        // Where there is nothing, that is said, and its number stays free.
        let mut silent = stream("sub");
        save(&host, &mut silent, None).await;
        assert_eq!((silent.snapshot, silent.warnings.len()), (None, 1));
        // A media server's other pages are no picture of this stream, and sound has none.
        let mut described = Stream { protocol: Protocol::Hls, ..stream("live.m3u8") };
        save(&host, &mut described, None).await;
        assert_eq!(
            (described.snapshot, &described.warnings[..]),
            (None, &["no snapshot: no whole key frame came".into()][..])
        );
        let mut sound = Stream { audio: Some(Audio::default()), ..stream("sound") };
        save(&host, &mut sound, None).await;
        assert_eq!((sound.snapshot, sound.warnings.len(), names(temp.path()).len()), (None, 0, 1));
    }

    #[tokio::test]
    #[ignore = "needs ffmpeg"]
    async fn a_key_frame_is_decoded() {
        let picture = decode(&Picture { codec: VideoCodec::H264, bytes: H264.to_vec() }).await;
        assert_eq!(jpeg::size(&picture.unwrap()), Some((1280, 720)));
        let garbage = decode(&Picture { codec: VideoCodec::H265, bytes: vec![9; 4000] }).await;
        assert_eq!(garbage.unwrap_err(), "ffmpeg makes no picture of what came");
    }
}
