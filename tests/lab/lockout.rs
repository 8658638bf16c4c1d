//! Devices that lock their accounts after the third refused login, over RTSP and HTTP together: a scan with wrong logins
//! leaves them open to the right one. Counted on the wire, before real servers.

use serde_json::Value;

use crate::ns::{Host, need};
use crate::trial::Skip;
use crate::{Lab, PASSWORD, PYTHON, Said, cameras, device, script};

/// How a device's web server wants its logins.
#[derive(Clone, Copy)]
enum Web {
    NginxBasic,
    LighttpdBasic,
    LighttpdDigest,
}

struct Locking {
    address: &'static str,
    log: String,
    streams: bool,
}

/// A device: GStreamer's server with this kind of login, if any, and a web server, behind a relay that locks.
fn start(lab: &mut Lab, address: &'static str, rtsp: Option<&str>, web: Web) -> Locking {
    let host = lab.lan.host(address, &format!("44:19:b6:00:02:{}", address.rsplit('.').next().unwrap()));
    if let Some(kind) = rtsp {
        let login = format!("admin:{PASSWORD}");
        let server = script("gst_server.py");
        let arguments = [&server, "127.0.0.1", "1554", kind, &login, "/live", cameras::SMALL];
        lab.lan.serve(&host, PYTHON, &arguments, |h| h.listens_tcp(1554));
    }
    serve_web(lab, &host, address, web);
    let log = lab.path(&format!("relay-{address}.log"));
    let relay = script("relay.py");
    let mut arguments = vec![relay.as_str(), &log, address, "--lock", "3", "80=1080", "8080=1080"];
    arguments.extend(rtsp.map(|_| "554=1554"));
    lab.lan.serve(&host, PYTHON, &arguments, |h| h.listens_tcp(8080));
    Locking { address, log, streams: rtsp.is_some() }
}

fn serve_web(lab: &Lab, host: &Host, address: &str, web: Web) {
    let folder = lab.path(&format!("web-{address}"));
    lab.write(&format!("web-{address}/index.html"), "<html><title>Network Camera</title></html>");
    let users = match web {
        Web::NginxBasic => format!("admin:{{PLAIN}}{PASSWORD}\n"),
        _ => format!("admin:{PASSWORD}\n"),
    };
    let users = lab.write(&format!("users-{address}"), users);
    if let Web::NginxBasic = web {
        let text = format!(
            "user root; daemon off; pid {folder}/pid; error_log {folder}/log; events {{}}\n\
             http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; \
             uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; \
             server {{ listen 127.0.0.1:1080; root {folder}; auth_basic \"IP Camera\"; auth_basic_user_file {users}; }} }}"
        );
        let configuration = lab.write(&format!("web-{address}.conf"), text);
        return lab.lan.serve(host, "nginx", &["-c", &configuration], |h| h.listens_tcp(1080));
    }
    let method = if let Web::LighttpdDigest = web { "digest" } else { "basic" };
    let text = format!(
        "server.modules = (\"mod_auth\", \"mod_authn_file\")\nserver.document-root = \"{folder}\"\nserver.port = 1080\n\
         server.bind = \"127.0.0.1\"\nserver.errorlog = \"{folder}/log\"\nindex-file.names = (\"index.html\")\n\
         auth.backend = \"plain\"\nauth.backend.plain.userfile = \"{users}\"\n\
         auth.require = (\"/\" => (\"method\" => \"{method}\", \"realm\" => \"IP Camera\", \"require\" => \"valid-user\"))\n"
    );
    let configuration = lab.write(&format!("web-{address}.conf"), text);
    lab.lan.serve(host, "lighttpd", &["-D", "-f", &configuration], |h| h.listens_tcp(1080));
}

impl Locking {
    fn events(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn refused(events: &[Value]) -> u64 {
    events.iter().filter(|e| e["refused"] == true).count() as u64
}

pub fn wrong_logins_lock_no_device() -> Result<(), Skip> {
    need(&[PYTHON, "setpriv", "nginx", "lighttpd"])?;
    let mut lab = Lab::new();
    let devices = [
        start(&mut lab, "10.77.0.40", Some("--digest"), Web::NginxBasic),
        start(&mut lab, "10.77.0.41", Some("--basic"), Web::LighttpdDigest),
        start(&mut lab, "10.77.0.42", Some("--digest"), Web::LighttpdDigest),
        start(&mut lab, "10.77.0.43", Some("--basic"), Web::LighttpdBasic),
        start(&mut lab, "10.77.0.44", None, Web::LighttpdBasic),
    ];
    lab.lan.wait();
    let wrong = lab.write("wrong.txt", format!("viewer:no-{PASSWORD}\nguest:nor-{PASSWORD}\nroot:never-{PASSWORD}\n"));
    let right = lab.write("right.txt", format!("admin:{PASSWORD}\n"));
    let scan = |as_root: bool, logins: &str| {
        let arguments = ["scan", "10.77.0.40-44", "--all", "-f", "json", "--credentials-file", logins];
        let patience = ["--timeout", "20s", "--frame-timeout", "20s", "--host-timeout", "2m"];
        let arguments: Vec<&str> = arguments.into_iter().chain(patience).collect();
        Said::of(lab.command(as_root, &arguments).output().unwrap()).json(0)
    };
    let report = scan(true, &wrong);
    for of in &devices {
        let events = of.events();
        let shown = refused(&events);
        assert!(shown <= 2, "{}: {shown} logins refused: {events:#?}", of.address);
        assert!(shown > 0 || !of.streams, "{}: {events:#?}", of.address);
        let attempts = &device(&report, of.address).unwrap()["login_attempts"];
        let told = attempts["refused"].as_u64().unwrap_or(0) + attempts["unclear"].as_u64().unwrap_or(0);
        assert_eq!(told, shown, "{}: {report:#}", of.address);
        assert!(!events.iter().any(|e| e["what"] == "locked"), "{}: {events:#?}", of.address);
        // Which of the two is answered is the device's to say; where it offers Digest over RTSP, nothing goes in clear
        // after that.
        let digest = events.iter().position(|e| e["login"] == "digest").unwrap_or(usize::MAX);
        assert!(!events.iter().skip(digest).any(|e| e["login"] == "basic"), "{}: {events:#?}", of.address);
    }
    let report = scan(false, &right);
    for of in devices.iter().filter(|d| d.streams) {
        let found = device(&report, of.address).unwrap();
        // Basic over RTSP is not answered where the web server offers Digest, unless the user allows it.
        let (status, says) = match of.address {
            "10.77.0.41" => ("auth_required", "basic: allow"),
            _ => ("streaming", ""),
        };
        let stream = &found["streams"][0];
        assert_eq!(stream["status"], status, "{}: {found:#}\n{:#?}", of.address, of.events());
        assert!(stream["error"]["message"].as_str().unwrap_or_default().contains(says), "{found:#}");
    }
    let allowed = format!("credentials: [{{user: admin, password: {PASSWORD}, basic: allow}}]\n");
    let allowed = lab.write("camscan.yaml", allowed);
    let command = ["scan", "10.77.0.41", "-f", "json", "--config", &allowed];
    let report = Said::of(lab.command(true, &command).output().unwrap()).json(0);
    assert_eq!(device(&report, "10.77.0.41").unwrap()["streams"][0]["status"], "streaming", "{report:#}");
    Ok(())
}
