//! The configurations for video systems, read by the programs they are for.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::cameras::{self, SMALL};
use crate::ns::{Host, is_installed, need};
use crate::trial::Skip;
use crate::{Lab, PASSWORD};

const NEEDED: [&str; 7] = [crate::PYTHON, "curl", "ffmpeg", "motion", "promtool", "prometheus-blackbox-exporter", "ss"];

/// How long Motion may take until it shows a camera's picture.
const PATIENCE: Duration = Duration::from_secs(40);

/// Two cameras, one of them with a login, from the scan to the programs: Prometheus takes the list, its blackbox exporter
/// reaches the cameras with the module, and Motion shows their pictures.
pub fn real_programs_read_what_is_written_for_them() -> Result<(), Skip> {
    need(&NEEDED)?;
    let mut lab = Lab::new();
    cameras::serve(&mut lab, "10.77.0.70", "44:19:b6:00:00:70", 554, &["/stream1", SMALL]);
    let login = format!("admin:{PASSWORD}");
    cameras::serve(&mut lab, "10.77.0.71", "44:19:b6:00:00:71", 554, &["--digest", &login, "/stream1", SMALL]);
    lab.lan.wait();
    let outputs = ["motion:", "prometheus:", "frigate:"].map(|system| format!("{system}{}", lab.path("")));
    let env_file = lab.path("frigate.env");
    let mut arguments = vec!["scan", "10.77.0.70-71", "-f", "json", "--show-secrets", "--env-file", &env_file];
    arguments.extend(outputs.iter().flat_map(|output| ["-o", output.as_str()]));
    let report = lab.camscan(true, &arguments).json(0);
    assert_eq!(report["devices"].as_array().unwrap().len(), 2, "{report:#}");

    prometheus_takes_the_list(&lab);
    blackbox_exporter_reaches_each_camera(&lab);
    motion_shows_each_camera(&lab);
    Ok(())
}

/// go2rtc and MediaMTX, started with their files as they were written, play on what a camera with a login sends. No package
/// of Debian has them: where neither is installed, this is left out, also where the lab is obligatory.
pub fn media_servers_play_on_by_what_is_written_for_them() -> Result<(), Skip> {
    need(&[crate::PYTHON, "ffprobe"])?;
    let servers = [("go2rtc", "go2rtc.yaml", "streams", "-c"), ("mediamtx", "mediamtx.yml", "paths", "")];
    let there: Vec<_> = servers.into_iter().filter(|(program, ..)| is_installed(program)).collect();
    if there.is_empty() {
        return Err(Skip("neither go2rtc nor mediamtx is installed".to_owned()));
    }
    let mut lab = Lab::new();
    let login = format!("admin:{PASSWORD}");
    cameras::serve(&mut lab, "10.77.0.71", "44:19:b6:00:00:71", 554, &["--digest", &login, "/stream1", SMALL]);
    lab.lan.wait();
    let outputs = ["go2rtc:", "mediamtx:"].map(|system| format!("{system}{}", lab.path("")));
    let mut arguments = vec!["scan", "10.77.0.71", "-f", "json", "--show-secrets"];
    arguments.extend(outputs.iter().flat_map(|output| ["-o", output.as_str()]));
    lab.camscan(true, &arguments).json(0);
    for (number, (program, file, section, option)) in there.into_iter().enumerate() {
        let address = format!("10.77.0.{}", 72 + number);
        let host = lab.lan.host(&address, &format!("02:00:00:00:00:{}", 72 + number));
        let path = lab.path(file);
        let arguments: Vec<&str> = [option, &path].into_iter().filter(|argument| !argument.is_empty()).collect();
        lab.lan.serve(&host, program, &arguments, |h| h.listens_tcp(8554));
        lab.lan.wait();
        let written: serde_json::Value = serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for name in written[section].as_object().unwrap().keys() {
            let url = format!("rtsp://{address}:8554/{name}");
            let asked = ["-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", &url];
            let said = text_of(&lab.scanner.run("ffprobe", &asked));
            assert!(said.contains("codec_name=h264"), "{program}: {name}: {said}");
        }
    }
    Ok(())
}

fn prometheus_takes_the_list(lab: &Lab) {
    let list = lab.path("cameras.json");
    let text = format!("scrape_configs:\n  - job_name: cameras\n    file_sd_configs: [{{files: [{list}]}}]\n");
    let configuration = lab.write("prometheus.yml", text);
    let checked = lab.scanner.run("promtool", &["check", "config", &configuration]);
    assert!(checked.status.success(), "{}", text_of(&checked));
    // What stands in the list decides, not its mere presence.
    lab.write("cameras.json", r#"[{"targets": ["10.77.0.70:554"], "labels": {"no-label": "x"}}]"#);
    let refused = lab.scanner.run("promtool", &["check", "config", &configuration]);
    assert!(!refused.status.success(), "{}", text_of(&refused));
}

fn blackbox_exporter_reaches_each_camera(lab: &Lab) {
    let module = format!("--config.file={}", lab.path("blackbox.yml"));
    let own = ["--web.listen-address=127.0.0.1:9115", &module];
    lab.lan.serve(&lab.scanner, "prometheus-blackbox-exporter", &own, |h| h.listens_tcp(9115));
    lab.lan.wait();
    let probe = |target: &str| {
        let url = format!("http://127.0.0.1:9115/probe?module=rtsp&target={target}");
        let said = text_of(&lab.scanner.run("curl", &["-s", "-m", "10", &url]));
        said.lines().any(|line| line == "probe_success 1")
    };
    assert!(probe("10.77.0.70:554") && probe("10.77.0.71:554"));
    assert!(!probe("10.77.0.70:555"), "nothing listens there");
}

/// Motion with the files as they were written and, besides, where it is to show the pictures.
fn motion_shows_each_camera(lab: &Lab) {
    let written = std::fs::read_to_string(lab.path("motion.conf")).unwrap();
    let own = format!("stream_port 8081\nstream_localhost on\nwebcontrol_port 0\ntarget_dir {}\n", lab.path("motion"));
    let main = lab.write("motion.conf", format!("{own}{written}"));
    std::fs::create_dir_all(lab.path("motion")).unwrap();
    let log = lab.path("motion.log");
    lab.lan.serve(&lab.scanner, "motion", &["-n", "-c", &main, "-l", &log], |h| h.listens_tcp(8081));
    lab.lan.wait();
    let deadline = Instant::now() + PATIENCE;
    for camera in 1..=2 {
        while !shows(&lab.scanner, camera) {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(Instant::now() < deadline, "Motion does not show camera {camera}:\n{said}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(!said.contains("Unknown config option"), "{said}");
}

/// Whether Motion serves the camera's own picture, a ball on black. Until it has one it serves a grey picture, of about the
/// same length: the mean brightness tells them apart (5 and 131 of 255).
fn shows(host: &Host, camera: u32) -> bool {
    let mean = format!(
        "curl -s -m 5 http://127.0.0.1:8081/{camera}/current \
         | ffmpeg -v error -f mjpeg -i - -frames:v 1 -vf scale=1:1:flags=area,format=gray -f rawvideo -"
    );
    matches!(host.run("sh", &["-c", &mean]).stdout.as_slice(), [0..64])
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}
