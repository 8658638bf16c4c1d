//! Media servers of other protocols than RTSP, each on a host of its own.

use serde_json::json;

use crate::ns::Host;
use crate::{Lab, PYTHON, Place, cameras, script};

pub const RTMP_MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
const JANUS: &str = "/usr/lib/x86_64-linux-gnu/janus";

/// What these servers need.
pub const NEEDED: [&str; 9] =
    ["nginx", "ffmpeg", RTMP_MODULE, "ustreamer", "motion", "janus", "turnserver", "avahi-daemon", "unshare"];

pub fn start(lab: &mut Lab) -> Vec<Place> {
    vec![
        media_server(lab),
        packager(lab),
        ustreamer(lab),
        motion(lab),
        janus(lab),
        whep(lab),
        relay(lab),
        announced(lab),
    ]
}

/// nginx on a host; `http` is what stands within the server on port 80.
pub fn nginx(lab: &Lab, host: &Host, name: &str, before: &str, http: &str) {
    let folder = lab.path(name);
    std::fs::create_dir_all(&folder).unwrap();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind}; "))
        .concat();
    let text = format!(
        "user root; daemon off; pid {folder}/pid; error_log {folder}/log; {before} events {{}}\n\
         http {{ access_log off; {temporary} types {{ text/html html; application/vnd.apple.mpegurl m3u8; video/mp2t ts; \
         application/dash+xml mpd; video/mp4 mp4 m4s; }} server {{ listen 80; root {folder}; {http} }} }}"
    );
    // A module stands before everything else.
    let text = if before.is_empty() { text } else { format!("load_module {RTMP_MODULE};\n{text}") };
    let configuration = lab.write(&format!("{name}.conf"), text);
    lab.lan.serve(host, "nginx", &["-c", &configuration], |h| h.listens_tcp(80));
}

/// nginx with its RTMP module, to which ffmpeg pushes a picture: RTMP, HLS and DASH of one stream.
fn media_server(lab: &mut Lab) -> Place {
    nginx_rtmp(lab, ("10.77.0.30", "02:00:00:00:00:30"), "media-server", "stream", "")
}

/// nginx with its RTMP module and one stream of a name; `http` is what stands within the server on port 80.
pub fn nginx_rtmp(lab: &mut Lab, (address, mac): (&str, &str), folder: &str, name: &str, http: &str) -> Place {
    let host = lab.lan.host(address, mac);
    let at = lab.path(folder);
    let rtmp = format!(
        "rtmp {{ server {{ listen 1935; application live {{ live on;\n\
           hls on; hls_path {at}/hls; hls_fragment 1s; hls_playlist_length 10s;\n\
           dash on; dash_path {at}/dash; dash_fragment 1s; dash_playlist_length 10s; }} }} }}"
    );
    nginx(lab, &host, folder, &rtmp, http);
    lab.lan.wait();
    let push = format!(
        "-v error -re -f lavfi -i testsrc=size=640x360:rate=25 -f lavfi -i anullsrc=r=44100:cl=mono -c:v libx264 \
         -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 25 -c:a aac -f flv rtmp://127.0.0.1/live/{name}"
    );
    let manifests = [format!("{at}/hls/{name}.m3u8"), format!("{at}/dash/{name}.mpd")];
    let is_there = move |_: &Host| manifests.iter().all(|m| std::fs::read_to_string(m).is_ok_and(|m| has_segments(&m)));
    lab.lan.serve(&host, "ffmpeg", &push.split_whitespace().collect::<Vec<_>>(), is_there);
    let stream = |protocol: &str, url: &str| {
        let scheme = if protocol == "rtmp" { "rtmp" } else { "http" };
        json!({
            "protocol": protocol, "url": format!("{scheme}://{address}{url}"),
            "transport": "tcp", "status": "streaming", "open": true, "error": null,
            "video": {"codec": "h264", "profile": "Constrained Baseline", "width": 640, "height": 360, "measured_fps": 25.0,
                      "keyframe_interval_s": if protocol == "rtmp" { json!(1.0) } else { serde_json::Value::Null }},
            // The manifest of DASH does not say how many channels there are.
            "audio": {"codec": "aac", "sample_rate_hz": 44100, "channels": if protocol == "dash" { json!(null) } else { json!(1) }},
        })
    };
    Place::new(
        address,
        json!({"streams": [
            stream("rtmp", &format!(":1935/live/{name}")),
            stream("hls", &format!(":80/hls/{name}.m3u8")),
            stream("dash", &format!(":80/dash/{name}.mpd#{name}_H264")),
        ]}),
    )
}

fn has_segments(manifest: &str) -> bool {
    manifest.matches("#EXTINF").count() > 2 || manifest.matches("<S ").count() > 2
}

/// ffmpeg's own packager: H.265 in two sizes as fragmented MP4, for HLS by way of a master playlist, and for DASH.
fn packager(lab: &mut Lab) -> Place {
    let host = lab.lan.host("10.77.0.31", "02:00:00:00:00:31");
    nginx(lab, &host, "packager", "", "");
    let folder = lab.path("packager");
    let arguments = format!(
        "-v error -re -f lavfi -i testsrc=size=320x240:rate=10 -f lavfi -i testsrc=size=192x144:rate=10 -map 0 -map 1 \
         -c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=10 -pix_fmt yuv420p -tag:v hvc1 \
         -f dash -seg_duration 1 -window_size 10 -hls_playlist 1 -hls_master_name index.m3u8 {folder}/manifest.mpd"
    );
    let manifests = ["manifest.mpd", "index.m3u8", "media_1.m3u8"].map(|name| format!("{folder}/{name}"));
    let is_there = move |_: &Host| {
        let mut texts = manifests.iter().map(|m| std::fs::read_to_string(m).unwrap_or_default());
        texts.clone().all(|text| !text.is_empty()) && texts.next_back().is_some_and(|text| has_segments(&text))
    };
    lab.lan.serve(&host, "ffmpeg", &arguments.split_whitespace().collect::<Vec<_>>(), is_there);
    let stream = |protocol: &str, url: &str, (width, height): (u32, u32)| {
        json!({
            "protocol": protocol, "url": format!("http://10.77.0.31:80/{url}"), "status": "streaming", "open": true,
            "video": {"codec": "h265", "profile": "Main", "width": width, "height": height, "measured_fps": 10.0},
            "audio": null,
        })
    };
    Place::new(
        "10.77.0.31",
        json!({"streams": [
            stream("hls", "media_0.m3u8", (320, 240)),
            stream("hls", "media_1.m3u8", (192, 144)),
            stream("dash", "manifest.mpd#0", (320, 240)),
            stream("dash", "manifest.mpd#1", (192, 144)),
        ]}),
    )
}

/// ustreamer without a capture device serves a picture that says so.
fn ustreamer(lab: &mut Lab) -> Place {
    let host = lab.lan.host("10.77.0.32", "02:00:00:00:00:32");
    let arguments = ["--device", "/dev/null", "--host", "10.77.0.32", "--port", "8080"];
    lab.lan.serve(&host, "ustreamer", &arguments, |h| h.listens_tcp(8080));
    let video = json!({"codec": "mjpeg", "width": 640, "height": 480});
    let url = "http://10.77.0.32:8080/?action=stream";
    Place::new(
        "10.77.0.32",
        json!({"streams": [{"protocol": "mjpeg", "url": url, "status": "streaming", "video": video}]}),
    )
}

/// motion, which reads a file as its camera and serves what it sees on a port of its own.
fn motion(lab: &mut Lab) -> Place {
    let host = lab.lan.host("10.77.0.33", "02:00:00:00:00:33");
    let film = lab.path("film.avi");
    let made = format!("-v error -f lavfi -i testsrc=size=320x240:rate=10 -t 10 -c:v mjpeg {film}");
    assert!(std::process::Command::new("ffmpeg").args(made.split_whitespace()).status().unwrap().success());
    let configuration = format!(
        "daemon off\nnetcam_url file://{film}\nwidth 320\nheight 240\nframerate 10\nstream_port 8081\nstream_localhost off\n\
         stream_maxrate 10\nwebcontrol_port 0\npicture_output off\nmovie_output off\ntarget_dir {}\n",
        lab.lan.folder().display()
    );
    let configuration = lab.write("motion.conf", configuration);
    lab.lan.serve(&host, "motion", &["-n", "-m", "-c", &configuration], |h| h.listens_tcp(8081));
    let video = json!({"codec": "mjpeg", "width": 320, "height": 240, "measured_fps": 10.0});
    Place::new("10.77.0.33", json!({"streams": [{"protocol": "mjpeg", "status": "streaming", "video": video}]}))
}

/// Janus with a streaming mountpoint: what it is stands in its HTTP API.
pub fn janus(lab: &mut Lab) -> Place {
    let host = lab.lan.host("10.77.0.34", "02:00:00:00:00:34");
    let folder = lab.path("janus");
    let others = |what: &str, folder: &str, keep: &str| {
        let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let names: Vec<String> = names.filter(|n| n.ends_with(".so") && !n.contains(keep)).collect();
        format!("{what}: {{ disable = \"{}\" }}\n", names.join(","))
    };
    let text = format!(
        "general: {{ configs_folder = \"{folder}\"\n plugins_folder = \"{JANUS}/plugins\"\n \
         transports_folder = \"{JANUS}/transports\"\n debug_level = 3 }}\n{}{}",
        others("plugins", &format!("{JANUS}/plugins"), "streaming"),
        others("transports", &format!("{JANUS}/transports"), "http")
    );
    lab.write("janus/janus.jcfg", text);
    let http = "general: { json = \"compact\"\n base_path = \"/janus\"\n http = true\n port = 8088\n https = false }\n";
    lab.write("janus/janus.transport.http.jcfg", format!("{http}admin: {{ admin_http = false }}\n"));
    let yard = "yard: { type = \"rtp\"\n id = 1\n description = \"yard\"\n audio = false\n video = true\n videoport = 5004\n \
                videopt = 96\n videocodec = \"h264\"\n videofmtp = \"profile-level-id=42c01e;packetization-mode=1\" }\n";
    lab.write("janus/janus.plugin.streaming.jcfg", yard);
    lab.lan.serve(&host, "janus", &["-F", &folder], |h| h.listens_tcp(8088) && h.listens_udp(5004));
    let feed = "-v error -re -f lavfi -i testsrc=size=320x240:rate=10 -c:v libx264 -preset ultrafast -tune zerolatency \
                -pix_fmt yuv420p -g 10 -payload_type 96 -f rtp rtp://127.0.0.1:5004";
    lab.lan.serve(&host, "ffmpeg", &feed.split_whitespace().collect::<Vec<_>>(), |_| true);
    let service = json!({"protocol": "webrtc", "transport": "tcp", "port": 8088, "url": "http://10.77.0.34:8088/janus",
                         "server": "Janus WebRTC Server 1.1.2", "notes": ["lists streams: 1 (yard)"]});
    Place::new(
        "10.77.0.34",
        json!({"kind": "media_server", "services": [{"protocol": "http"}, service], "streams": []}),
    )
}

/// A WHEP endpoint that writes down its sessions.
fn whep(lab: &mut Lab) -> Place {
    let host = lab.lan.host("10.77.0.35", "02:00:00:00:00:35");
    let arguments = [script("whep_server.py"), "10.77.0.35".to_owned(), "8889".to_owned(), lab.path("whep.log")];
    lab.lan.serve(&host, PYTHON, &arguments.each_ref().map(String::as_str), |h| h.listens_tcp(8889));
    let stream = json!({
        "protocol": "webrtc", "url": "http://10.77.0.35:8889/whep", "transport": "udp", "status": "described", "open": true,
        "video": {"codec": "h264", "profile": "Constrained Baseline"},
        "audio": {"codec": "opus", "sample_rate_hz": 48000, "channels": 2}, "snapshot": null,
    });
    Place::new("10.77.0.35", json!({"streams": [stream]}))
}

/// A TURN server over UDP, TCP and TLS is no camera, and is named for what it is.
fn relay(lab: &mut Lab) -> Place {
    let host = lab.lan.host("10.77.0.36", "02:00:00:00:00:36");
    let configuration = format!(
        "listening-ip=10.77.0.36\nlt-cred-mech\nuser=u:p\nrealm=lab.example\nno-cli\nno-dtls\ncert={0}/certificate.pem\n\
         pkey={0}/key.pem\nlog-file=/dev/null\nuserdb={0}/turn.db\npidfile={0}/turn.pid\n",
        lab.lan.folder().display()
    );
    let configuration = lab.write("turn.conf", configuration);
    let is_there = |h: &Host| h.listens_udp(3478) && h.listens_tcp(3478) && h.listens_tcp(5349);
    lab.lan.serve(&host, "turnserver", &["-c", &configuration], is_there);
    let services: Vec<_> = [("stun", "udp", 3478), ("stun", "tcp", 3478), ("stun", "tcp", 5349)]
        .into_iter()
        .flat_map(|(protocol, transport, port)| {
            let service =
                json!({"protocol": protocol, "transport": transport, "port": port, "server": "Coturn-4.6.1 'Gorst'"});
            let mut turn = service.clone();
            turn["protocol"] = json!("turn");
            [service, turn]
        })
        .collect();
    Place::unlisted("10.77.0.36", json!({"kind": "other", "services": services, "streams": []}))
}

/// A camera that nothing but mDNS gives away: its port is on no list.
fn announced(lab: &mut Lab) -> Place {
    let address = "10.77.0.17";
    let host = cameras::serve(lab, address, "02:00:00:00:00:17", 49554, &["/axis-media/media.amp", cameras::H264]);
    let camera = "<service-group><name>AXIS M1065-L</name><service><type>_rtsp._tcp</type><port>49554</port></service>\
         <service><type>_axis-video._tcp</type><port>49554</port>\
         <txt-record>macaddress=020000000017</txt-record></service></service-group>";
    avahi(lab, &host, "axis-cam", camera, &[]);
    let stream = json!({"protocol": "rtsp", "url": "rtsp://10.77.0.17:49554/axis-media/media.amp", "status": "streaming",
                        "video": {"codec": "h264", "width": 1280, "height": 720}});
    Place::new(address, json!({"kind": "camera", "vendor": "Axis", "streams": [stream]}))
}

/// avahi on a host, with a bus of its own, which announces a group of services; then `programs`, which announce themselves
/// by way of it.
pub fn avahi(lab: &Lab, host: &Host, name: &str, group: &str, programs: &[&str]) {
    let folder = lab.path(&format!("avahi-{name}"));
    lab.write(&format!("avahi-{name}/services/lab.service"), group);
    let configuration =
        format!("[server]\nhost-name={name}\nuse-ipv6=no\nallow-interfaces=eth0\n[publish]\npublish-workstation=no\n");
    lab.write(&format!("avahi-{name}/avahi-daemon.conf"), configuration);
    let mut script = format!(
        "mount -t tmpfs none /run && mkdir /run/dbus /run/avahi-daemon && mount --bind {folder} /etc/avahi && \
         dbus-daemon --system --fork --nopidfile || exit 1\n\
         avahi-daemon --no-drop-root --no-chroot --no-rlimits 2> {folder}/log &\n\
         until avahi-daemon --check; do sleep 0.1; done\n"
    );
    script.extend(programs.iter().map(|program| format!("{program} &\n")));
    script.push_str("wait\n");
    let script = lab.write(&format!("avahi-{name}.sh"), script);
    // It probes for its own names before it answers (RFC 6762 §8.1).
    let log = format!("{folder}/log");
    let is_there = move |_: &Host| {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("lab.service) successfully established"))
    };
    lab.lan.serve(host, "unshare", &["-m", "sh", &script], is_there);
}
