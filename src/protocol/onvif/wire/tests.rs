use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::protocol::onvif::soap::{self, Answer};
use crate::wire::url::{AnnouncedUrl, Scheme};
use crate::wire::xml;

fn as_text(value: &Value) -> Option<&str> {
    value.as_str().filter(|s| !s.is_empty())
}

/// Checks one answer against what must be found in it; says how much was checked.
fn check(name: &str, bytes: &[u8], expected: &Value) -> usize {
    let answer = soap::read(bytes);
    let mut checked = 0;
    let body = match &answer {
        Answer::Body(body) => body.clone(),
        _ => Element::default(),
    };
    let information = device_information(&body);
    let said = |field: &str| body.find_text(field).map(text::clean);
    for (key, value) in expected.as_object().unwrap() {
        checked += 1;
        match key.as_str() {
            "Manufacturer" | "manufacturer" => assert_eq!(said("Manufacturer").as_deref(), as_text(value), "{name}"),
            "Model" | "model" => assert_eq!(information.model.as_deref(), as_text(value), "{name}"),
            "model_prefix" => assert!(said("Model").unwrap().starts_with(value.as_str().unwrap().trim()), "{name}"),
            "FirmwareVersion" | "firmware" => assert_eq!(information.firmware.as_deref(), as_text(value), "{name}"),
            "SerialNumber" | "serial" => assert_eq!(information.serial.as_deref(), as_text(value), "{name}"),
            "utc" => {
                let wanted: Option<Timestamp> = as_text(value).map(|t| t.parse().unwrap());
                assert_eq!(utc(&body), wanted, "{name}");
            }
            "uri" | "lenient_uri" => {
                // Userinfo and white space are taken off on the way.
                assert_eq!(uri(&body), as_text(value), "{name}");
            }
            "usable" => {
                let peer: IpAddr = expected["peer"].as_str().unwrap().parse().unwrap();
                let address = AnnouncedUrl::read_lenient(uri(&body).unwrap(), Scheme::Rtsp).unwrap().url;
                assert_eq!(Some(address.at(peer).as_str()), as_text(value), "{name}");
            }
            "must_not_appear_in_output" => {
                let address = AnnouncedUrl::read_lenient(uri(&body).unwrap(), Scheme::Rtsp).unwrap();
                assert!(!format!("{address:?}").contains(value.as_str().unwrap()), "{name}");
            }
            "must_not_contain_byte" => assert!(!format!("{information:?}").contains("\\u{1b}"), "{name}"),
            "xaddrs" => {
                let found = capabilities(&body);
                assert_eq!(found.media.as_deref(), value["Media"].as_str(), "{name}");
                assert_eq!(found.records, value.get("Replay").is_some(), "{name}");
            }
            "services" => check_services(name, &services(&body), value),
            "scopes" => {
                let wanted = value.as_array().unwrap().iter().filter(|s| !s.as_str().unwrap().ends_with('/')).count();
                assert_eq!(scopes(&body).len(), wanted, "{name}");
            }
            "profiles" => check_profiles(name, &profiles(&body), value.as_array().unwrap()),
            "reason" => assert_eq!(fault(&answer, name).reason, value.as_str().unwrap(), "{name}"),
            "subcodes" => {
                let wanted: Vec<&str> =
                    value.as_array().unwrap().iter().map(|s| s.as_str().unwrap().trim_start_matches("ter:")).collect();
                assert_eq!(fault(&answer, name).subcodes, wanted, "{name}");
            }
            "subcode" => {
                assert_eq!(
                    fault(&answer, name).subcodes,
                    [value.as_str().unwrap().trim_start_matches("ter:")],
                    "{name}"
                );
            }
            "attempts_left" => {
                let sign = crate::wire::auth::lock::lock_sign(bytes).unwrap();
                assert_eq!(sign, crate::wire::auth::lock::LockSign::AttemptsLeft(value.as_u64().unwrap() as u32));
            }
            "verdict" => match value.as_str().unwrap() {
                "clock skew" => assert!(fault(&answer, name).is_about_the_clock(), "{name}"),
                "locked" => assert!(crate::wire::auth::lock::lock_sign(bytes).unwrap().says_stop(), "{name}"),
                "no answer" => assert_eq!(answer, Answer::Empty, "{name}"),
                "DTD refused" => assert_eq!(answer, Answer::NotSoap, "{name}"),
                _ => checked -= 1,
            },
            "is_onvif" => assert_eq!(answer == Answer::NotSoap, value == false, "{name}"),
            _ => checked -= 1,
        }
    }
    checked
}

fn fault<'a>(answer: &'a Answer, name: &str) -> &'a soap::Fault {
    match answer {
        Answer::Fault(fault) => fault,
        other => panic!("{name}: {other:?}"),
    }
}

fn check_services(name: &str, found: &Services, expected: &Value) {
    let text = expected.to_string();
    assert_eq!(found.media2.is_some(), text.contains("ver20/media"), "{name}");
    assert_eq!(found.media.is_some(), text.contains("ver10/media"), "{name}");
}

fn check_profiles(name: &str, found: &[Profile], expected: &[Value]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (profile, wanted) in found.iter().zip(expected) {
        assert_eq!(Some(profile.token.as_str()), wanted["token"].as_str(), "{name}");
        let Some(encoding) = wanted["encoding"].as_str() else {
            assert_eq!(profile.video, None, "{name}");
            continue;
        };
        let video = profile.video.as_ref().unwrap();
        assert_eq!(video.codec, video_codec(encoding), "{name}");
        assert!(video.codec.is_some(), "{name}: {encoding}");
        assert_eq!(video.width.map(u64::from), wanted["width"].as_u64(), "{name}");
        assert_eq!(video.height.map(u64::from), wanted["height"].as_u64(), "{name}");
        let limit = wanted["bitrate_limit"].as_u64().filter(|n| (1..=1_000_000).contains(n));
        assert_eq!(video.bitrate_kbps.map(u64::from), limit, "{name}");
        if let Some(audio) = wanted["audio_encoding"].as_str() {
            assert_eq!(profile.audio.as_ref().and_then(|a| a.codec), audio_codec(audio), "{name}");
            assert!(audio_codec(audio).is_some(), "{name}: {audio}");
        }
    }
}

fn body_of_http(bytes: &[u8]) -> &[u8] {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n");
    if bytes.starts_with(b"HTTP/") { &bytes[end.map_or(0, |i| i + 4)..] } else { bytes }
}

#[test]
fn every_answer_of_the_collection_is_read() {
    let all: Value = serde_json::from_str(include_str!("../../../../tests/data/expected.json")).unwrap();
    let mut checked = 0;
    for (name, expected) in all["files"].as_object().unwrap() {
        if name.starts_with("onvif/") && !name.contains("probe_") {
            let bytes = std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            checked += check(name, body_of_http(&bytes), expected);
        }
    }
    assert!(checked > 50, "{checked}");
}

/// Answers of real devices, where the collection lies.
#[test]
#[ignore = "needs the captures CAMSCAN_CAPTURES names"]
fn every_capture_is_read() {
    let folder = crate::testkit::captures::folder();
    let all: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut checked = 0;
    for (name, expected) in all["files"].as_object().unwrap() {
        if name.starts_with("onvif/") && !name.contains("probe_match") {
            checked += check(name, &std::fs::read(folder.join(name)).unwrap(), expected);
        }
    }
    assert!(checked > 125, "{checked}");
}

fn body(inner: &str) -> Element {
    let text = format!("<s:Envelope><s:Body>{inner}</s:Body></s:Envelope>");
    match soap::read(text.as_bytes()) {
        Answer::Body(body) => body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_are_well_formed() {
    let token = "a\"<&>";
    for call in [
        Call::GetSystemDateAndTime,
        Call::GetServices,
        Call::GetCapabilities,
        Call::GetProfiles(Media::Two),
        Call::GetStreamUri(Media::One, token, Carrier::Udp),
        Call::GetStreamUri(Media::Two, token, Carrier::Http),
        Call::GetSnapshotUri(Media::Two, token),
    ] {
        let document = xml::read(call.body().as_bytes());
        assert_eq!(document.defect, None);
        assert_eq!(document.roots[0].name, call.name());
        if let Some(sent) = document.find_text("ProfileToken") {
            assert_eq!(sent, token);
        }
    }
    let asked = Call::GetStreamUri(Media::Two, "x", Carrier::Udp);
    assert_eq!(asked.action(), "http://www.onvif.org/ver20/media/wsdl/GetStreamUri");
    assert!(asked.body().contains("<Protocol>RtspUnicast</Protocol>"));
}

#[test]
fn interfaces_names_and_profiles() {
    let found = network_interfaces(&body(
        "<R><NetworkInterfaces><Info><HwAddress>44-19-b6-00-00-01</HwAddress></Info><IPv4><Config><Manual>\
         <Address>192.0.2.10</Address><PrefixLength>23</PrefixLength></Manual><DHCP>false</DHCP></Config></IPv4></NetworkInterfaces><NetworkInterfaces><Info>\
         <HwAddress>00:00:00:00:00:00</HwAddress></Info></NetworkInterfaces></R>",
    ));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].mac.to_string(), "44:19:b6:00:00:01");
    assert_eq!(found[0].addresses, ["192.0.2.10".parse::<IpAddr>().unwrap()]);
    assert_eq!((found[0].network.prefix(), found[0].network.dhcp), (Some(23), Some(false)));
    assert_eq!(hostname(&body("<R><Name> cam-1 </Name></R>")).as_deref(), Some("cam-1"));
    assert_eq!(hostname(&body("<R><Name>localhost</Name></R>")), None);
    let found = profiles(&body(
        "<R><Profiles token='p'><Name>x</Name><Configurations><VideoSource><SourceToken>s</SourceToken></VideoSource>\
         <VideoEncoder Profile='Main'><Encoding>H265</Encoding><Resolution><Width>3840</Width><Height>2160</Height>\
         </Resolution><RateControl><FrameRateLimit>25.0</FrameRateLimit><BitrateLimit>4096</BitrateLimit></RateControl>\
         </VideoEncoder><AudioEncoder><Encoding>MP4A-LATM</Encoding><Bitrate>64000</Bitrate><SampleRate>16</SampleRate>\
         </AudioEncoder></Configurations></Profiles><Profiles token=''/></R>",
    ));
    assert_eq!(found.len(), 1);
    let (video, audio) = (found[0].video.as_ref().unwrap(), found[0].audio.as_ref().unwrap());
    assert_eq!((video.codec, video.width, video.fps), (Some(VideoCodec::H265), Some(3840), Some(25.0)));
    assert_eq!((video.bitrate_kbps, video.profile.as_deref()), (Some(4096), Some("Main")));
    assert_eq!(
        (audio.codec, audio.sample_rate_hz, audio.bitrate_kbps),
        (Some(AudioCodec::Aac), Some(16_000), Some(64))
    );
}

proptest! {
    #[test]
    fn any_answer_is_read(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[<>/a-zA-Z=\"0-9 ]{0,160}") {
        for bytes in [bytes, format!("<Envelope><Body><Profiles token='1'><VideoEncoderConfiguration>{text}").into_bytes()] {
            if let Answer::Body(body) = soap::read(&bytes) {
                utc(&body);
                device_information(&body);
                services(&body);
                capabilities(&body);
                scopes(&body);
                network_interfaces(&body);
                hostname(&body);
                profiles(&body);
            }
        }
    }
}

#[test]
fn channels_are_named_by_their_video_sources() {
    let of = |source: &str, name: &str| Profile {
        source: Some(source.into()),
        source_name: Some(name.into()),
        ..Profile::default()
    };
    let profiles = [
        of("a", "Gate"),
        of("a", "Gate"),
        of("b", "VideoSourceConfig_2"),
        of("c", "IPC 192.0.2.13"),
        Profile::default(),
    ];
    let named: Vec<(u32, Option<String>)> = channels(&profiles).into_iter().map(|c| (c.number, c.name)).collect();
    assert_eq!(named, [(1, Some("Gate".into())), (3, Some("IPC 192.0.2.13".into()))]);
}
