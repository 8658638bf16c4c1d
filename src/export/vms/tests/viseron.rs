//! Viseron's configuration against the facts of its schema, and the addresses that Viseron makes of it.

use std::collections::BTreeMap;

use rstest::rstest;

use super::*;

/// The configuration with the secrets in place.
fn read(text: &str, secrets: &BTreeMap<String, String>) -> Value {
    fn resolve(value: serde_yaml::Value, secrets: &BTreeMap<String, String>) -> Value {
        match value {
            serde_yaml::Value::Tagged(tagged) if tagged.tag == "!secret" => {
                let name = tagged.value.as_str().unwrap();
                Value::from(secrets.get(name).cloned().unwrap_or_else(|| format!("the value of {name}")))
            }
            serde_yaml::Value::Mapping(map) => {
                let entries = map.into_iter().map(|(k, v)| (k.as_str().unwrap().to_owned(), resolve(v, secrets)));
                Value::Object(entries.collect())
            }
            other => serde_json::to_value(other).unwrap(),
        }
    }
    let value = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    resolve(value, secrets)
}

/// The addresses that Viseron reads, as its `get_stream_url` makes them: the password encoded, the user as it is.
pub fn addresses(text: &str, secrets: &BTreeMap<String, String>) -> Vec<String> {
    let value = read(text, secrets);
    let cameras = value["ffmpeg"]["camera"].as_object().unwrap();
    let of = |camera: &Value| {
        let login = match (camera["username"].as_str(), camera["password"].as_str()) {
            (Some(user), Some(password)) => format!("{user}:{}@", login::encode(password)),
            _ => String::new(),
        };
        let url = |stream: &Value| {
            let scheme = match stream["stream_format"].as_str().unwrap_or("rtsp") {
                "mjpeg" => "http",
                format => format,
            };
            let scheme = stream["protocol"].as_str().unwrap_or(scheme);
            let (host, path) = (camera["host"].as_str().unwrap(), stream["path"].as_str().unwrap());
            format!("{scheme}://{login}{host}:{}{path}", stream["port"])
        };
        let sub = Some(&camera["substream"]).filter(|sub| sub.is_object());
        std::iter::once(camera).chain(sub).map(url).collect::<Vec<_>>()
    };
    cameras.values().flat_map(of).collect()
}

/// The facts of Viseron's schema, and that each camera is started.
pub fn check_viseron(configuration: &Configuration) {
    let value = read(&configuration.files[0].1, &BTreeMap::new());
    check(include_str!("../../../../tests/data/vms/viseron-3.5.2.facts.json"), &value);
    let names = |value: &Value| value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect::<Vec<_>>();
    assert_eq!(names(&value["ffmpeg"]["camera"]), names(&value["nvr"]));
}

#[rstest]
#[case::plain("viewer", "x", "viewer:x")]
#[case::all_that_bites("view er", PASSWORD, &format!("view%20er:{ENCODED}"))]
#[case::quotes("a\"b", "\"'\\", "a%22b:%22%27%5C")]
#[case::of_yaml("on", "#{!x: null", "on:%23%7B%21x%3A%20null")]
fn a_login_is_in_the_address_once_and_encoded_once(#[case] user: &str, #[case] password: &str, #[case] login: &str) {
    let of = |_: &Device| Some(Credential::new(user, password));
    let report = sample::report_of(vec![camera("10.0.5.20", "Front door")]);
    let wanted = ["main", "sub"].map(|path| format!("rtsp://{login}@10.0.5.20:554/{path}"));
    for shown in [true, false] {
        let configuration = configure(VISERON, &report, &Logins { of: &of, shown });
        let secrets: BTreeMap<String, String> =
            serde_yaml::from_str(&configuration.variables.file(login::Syntax::Yaml)).ok().flatten().unwrap_or_default();
        assert_eq!(secrets.len(), usize::from(!shown));
        assert_eq!(addresses(&configuration.files[0].1, &secrets), wanted);
    }
    let unknown = configure(VISERON, &report, &Logins::default());
    let names: Vec<_> = unknown.variables.iter().map(|v| (v.name.as_str(), v.form)).collect();
    let names_of = [("camera_10_0_5_20_user", login::Form::Encoded), ("camera_10_0_5_20_password", login::Form::Plain)];
    assert_eq!(names, names_of);
}

#[rstest]
#[case::udp("rtsp://10.0.5.20/main", Protocol::Rtsp, Transport::Udp, "rtsp_transport: udp\n")]
#[case::tls("rtsps://10.0.5.20:322/main", Protocol::Rtsps, Transport::Tcp, "protocol: rtsps\n")]
#[case::rtmp("rtmp://10.0.5.20/bcs/main", Protocol::Rtmp, Transport::Tcp, "port: 1935\n")]
#[case::mjpeg("http://10.0.5.20/video.mjpg?a=b", Protocol::Mjpeg, Transport::Tcp, "stream_format: mjpeg\n")]
#[case::mjpeg_tls("https://10.0.5.20/video.mjpg", Protocol::Mjpeg, Transport::Tcp, "protocol: https\n")]
#[case::without_a_path("rtsp://10.0.5.20:8554", Protocol::Rtsp, Transport::Tcp, "path: \"/\"\n")]
fn each_way_to_read_a_stream_is_written(
    #[case] url: &str,
    #[case] protocol: Protocol,
    #[case] transport: Transport,
    #[case] line: &str,
) {
    let mut device = camera("10.0.5.20", "Front door");
    let open = stream(url, protocol, VideoCodec::H264, (640, 360));
    device.streams = vec![Stream { open: Some(true), transport, ..open }];
    check_all(std::slice::from_ref(&device));
    let text = write(VISERON, vec![device]).files.remove(0).1;
    assert!(text.contains(line), "{line}{text}");
    let [address] = addresses(&text, &BTreeMap::new()).try_into().unwrap();
    // The port is always named.
    let bare =
        |url: &str| url.replacen(&format!(":{}/", parts::Parts::of(url).port), "/", 1).trim_end_matches('/').to_owned();
    assert_eq!(bare(&address), bare(&format!("{}/", url.trim_end_matches('/'))), "{text}");
}

#[test]
fn what_viseron_does_not_read_is_a_comment() {
    let mut device = camera("10.0.5.20", "Front door");
    device.streams[0].status = StreamStatus::NoData;
    device.streams.push(stream("http://10.0.5.20/live.m3u8", Protocol::Hls, VideoCodec::H264, (640, 360)));
    let text = write(VISERON, vec![device]).files.remove(0).1;
    assert!(text.contains("# not used: rtsp://10.0.5.20:554/sub (no frames)") && !text.contains("substream"), "{text}");
    assert!(text.contains("/live.m3u8 (Viseron does not read hls from a camera)"), "{text}");
}

#[test]
fn a_second_stream_at_another_name_of_the_device_is_a_comment() {
    let mut device = camera("10.0.5.20", "Front door");
    device.streams.iter_mut().for_each(|stream| stream.open = Some(true));
    device.streams[0].url = "rtsp://camera.example:554/sub".into();
    let mut report = sample::report_of(vec![device]);
    report.scan.targets = vec!["camera.example".to_owned()];
    let configuration = configure(VISERON, &report, &Logins::default());
    check_viseron(&configuration);
    let text = &configuration.files[0].1;
    assert!(text.contains("/sub (Viseron reads both streams from one host)") && !text.contains("substream"), "{text}");
}

#[test]
fn cameras_that_a_file_holds_are_known_by_host_and_path() {
    let devices = vec![camera("10.0.5.20", "Front door"), camera("10.0.5.21", "Garden"), camera("fd00::1", "Shed")];
    let text = "ffmpeg:\n  camera:\n    my_own:\n      host: 10.0.5.20\n      path: /x\n      port: 554\n    shed:\n      \
                host: \"[fd00::1]\"\n      path: /main\n      port: 554\nnvr:\n  my_own:\n  shed:\n";
    let extend = VISERON.configuration().unwrap().extend.unwrap();
    let document = crate::export::configuration::merge::read(text).unwrap();
    assert!(document.get(extend.mark).is_some());
    let existing = Existing::of(&document, extend.sections);
    let additions = extend.of(&sample::report_of(devices), &Logins { of: &viewer, shown: false }, &existing);
    assert_eq!((additions.known, additions.added.as_slice()), (2, &["Garden (10.0.5.21)".to_owned()][..]));
    let merged = crate::export::configuration::merge::merge(text, &additions.sections).unwrap().text;
    let value = read(&merged, &BTreeMap::new());
    check(include_str!("../../../../tests/data/vms/viseron-3.5.2.facts.json"), &value);
    assert!(
        merged.starts_with(&text[..text.find("nvr:").unwrap()])
            && merged.contains("\nnvr:\n  my_own:\n  shed:\n  garden:\n"),
        "{merged}"
    );
}
