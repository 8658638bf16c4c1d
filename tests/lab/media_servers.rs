//! Media servers and the names of their streams: told by a list, or as people call them.

use serde_json::json;

use crate::compare::differences;
use crate::ns::need;
use crate::trial::Skip;
use crate::{Lab, Place, aiortc, device, servers};

/// A stream nobody would guess is told by the server's statistics; one that is called as many are is found without; what
/// Janus lists is said; a listener of SRT is known by its answer.
pub fn media_servers_tell_what_they_serve() -> Result<(), Skip> {
    need(&servers::NEEDED)?;
    let mut lab = Lab::new();
    let statistics = "location = / { default_type text/html; return 200 '<a href=\"/rtmp/stats\">statistics</a>'; } \
                      location /rtmp/stats { rtmp_stat all; }";
    let listed = servers::nginx_rtmp(&mut lab, ("10.77.0.60", "02:00:00:00:00:60"), "listed", "haus-sued", statistics);
    let guessed = servers::nginx_rtmp(&mut lab, ("10.77.0.61", "02:00:00:00:00:61"), "guessed", "cam", "");
    let places = [listed, guessed, servers::janus(&mut lab), srt(&mut lab)];
    lab.lan.wait();
    let report = lab
        .camscan(true, &["scan", "10.77.0.0/24", "-f", "json", "--all", "--timeout", "20s", "--host-timeout", "3m"])
        .json(0);
    let wrong = places.iter().filter_map(|place| {
        let found = device(&report, &place.address)?;
        let differences = differences(&place.expected, found);
        (!differences.is_empty()).then(|| format!("{}: {}\n{found:#}", place.address, differences.join("; ")))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let missing: Vec<&str> =
        places.iter().map(|p| p.address.as_str()).filter(|a| device(&report, a).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    Ok(())
}

/// A picture by WebRTC is played until frames are measured, and each session that was opened is closed.
pub fn a_whep_stream_is_played_until_frames_arrive() -> Result<(), Skip> {
    let python = aiortc()?;
    let mut lab = Lab::new();
    let address = aiortc_sender(&mut lab, &python);
    let log = lab.path("whep.log");
    lab.lan.wait();
    let report = lab.camscan(true, &["probe", address, "-f", "json"]).json(0);
    let expected = json!({"streams": [{
        "protocol": "webrtc", "url": "http://10.77.0.36:8889/whep", "transport": "udp", "status": "streaming", "open": true,
        "video": {"codec": "h264", "width": 640, "height": 360},
    }]});
    let found = device(&report, address).unwrap();
    let differences = differences(&expected, found);
    assert!(differences.is_empty(), "{}\n{found:#}", differences.join("; "));
    let frames = found["streams"][0]["video"]["measured_fps"].as_f64().unwrap();
    assert!((20.0..40.0).contains(&frames), "{found:#}");
    let sessions = std::fs::read_to_string(&log).unwrap();
    assert_eq!(sessions.matches("opened").count(), sessions.matches("closed").count(), "{sessions}");
    Ok(())
}

/// Who has another kind of certificate than camscan takes is described, with the reason why no frame is proved: whether it begins
/// the handshake, as most do, or waits for it.
pub fn a_whep_stream_with_an_rsa_certificate_is_described_with_the_reason() -> Result<(), Skip> {
    let python = aiortc()?;
    for (role, reason) in [("active", "not of the kind ECDSA"), ("passive", "most likely its certificate is RSA")] {
        let mut lab = Lab::new();
        let address = sender(&mut lab, &python, &[role]);
        lab.lan.wait();
        let report = lab.camscan(true, &["probe", address, "-f", "json"]).json(0);
        let stream = &device(&report, address).unwrap()["streams"][0];
        assert_eq!((&stream["protocol"], &stream["status"]), (&json!("webrtc"), &json!("described")), "{stream:#}");
        let warnings = stream["warnings"].as_array().unwrap();
        assert!(warnings.iter().any(|warning| warning.to_string().contains(reason)), "{role}: {stream:#}");
    }
    Ok(())
}

/// A WHEP endpoint by aiortc, at the address that is returned.
pub fn aiortc_sender(lab: &mut Lab, python: &str) -> &'static str {
    sender(lab, python, &[])
}

fn sender(lab: &mut Lab, python: &str, arguments: &[&str]) -> &'static str {
    let address = "10.77.0.36";
    let host = lab.lan.host(address, "02:00:00:00:00:36");
    let log = lab.path("whep.log");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/aiortc_sender.py");
    let arguments = [&[script, address, "8889", &log], arguments].concat();
    lab.lan.serve(&host, python, &arguments, |h| h.listens_tcp(8889));
    address
}

/// ffmpeg waits for a caller by libsrt.
fn srt(lab: &mut Lab) -> Place {
    let host = lab.lan.host("10.77.0.62", "02:00:00:00:00:62");
    let listen = "-v error -re -f lavfi -i testsrc=size=320x240:rate=10 -c:v libx264 -preset ultrafast -pix_fmt yuv420p \
                  -f mpegts srt://0.0.0.0:8890?mode=listener";
    let arguments: Vec<&str> = listen.split_whitespace().collect();
    lab.lan.serve(&host, "ffmpeg", &arguments, |h| h.listens_udp(8890));
    let service = json!({"protocol": "srt", "transport": "udp", "port": 8890, "url": "srt://10.77.0.62:8890"});
    Place::new("10.77.0.62", json!({"services": [service], "streams": []}))
}
