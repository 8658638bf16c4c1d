//! The API against its own document, by a program that reads nothing but that document: no answer is a failure of the server,
//! and none is of another kind than the document says.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camscan::history::memory::{Known, Memory, StreamId};
use camscan::store::{Open, Store};
use camscan::testkit::place;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ns::{need, skip};
use crate::trial::Skip;
use crate::{Lab, PASSWORD, script};

/// A Python that has schemathesis, which no package of Debian does: `python3 -m venv DIR`, and then
/// `DIR/bin/pip install -r tests/lab/requirements.txt`.
const SCHEMATHESIS: &str = "CAMSCAN_SCHEMATHESIS";
const CAMERA: &str = "10.77.0.2";
const PORT: u16 = 8000;
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is asked is the same each time, as far as the answers are.
const SEED: &str = "1404";
/// Requests of an endpoint that are made up, beside those that follow from its description alone.
const EXAMPLES: &str = "12";

/// Endpoints that are not asked, and why.
const LEFT_OUT: [(&str, &str); 4] = [
    ("/events/stream", "an event stream has no end to wait for; serve's own tests read it"),
    ("/ws", "a WebSocket is opened, and no answer is read; serve's own tests do"),
    ("/streams/{id}/live", "as the other WebSocket"),
    ("/streams/{id}/stream.mjpeg", "pictures come until the reader goes away; the tests of live view read them"),
];

pub fn every_answer_of_the_api_is_as_its_document_says() -> Result<(), Skip> {
    let Some(python) = std::env::var_os(SCHEMATHESIS) else {
        return skip(&format!("{SCHEMATHESIS} names no Python with schemathesis"));
    };
    need(&["curl"])?;
    let mut lab = Lab::new();
    let camera = lab.lan.host(CAMERA, "02:00:00:00:00:02");
    lab.lan.play(&camera, &format!("camera {CAMERA}"), |host| host.listens_tcp(554));
    let store = lab.path("s.sqlite");
    {
        let store = Store::open(store.as_ref(), Open::Create).unwrap();
        place::remember(&store, 30, Timestamp::now()).unwrap();
    }
    let mut add = lab.command(true, &["serve", "user", "add", "anna", "--role", "admin", "--store", &store]);
    let mut add = add.stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut add.stdin.take().unwrap(), format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(add.wait().unwrap().success());

    // Nothing leaves the namespace, whatever is asked: it has no way out.
    let socket = lab.path("serve.sock");
    let listen = [format!("127.0.0.1:{PORT}"), format!("unix:{socket}")];
    let binary = lab.binary.display().to_string();
    // Channel and targets are addresses of this network that nobody has.
    let config = lab.write(
        "serve.yaml",
        "notify:\n  channels:\n    desk: {type: webhook, url: \"http://10.77.0.9/hook\"}\nallow_targets: [192.0.2.0/24]\n",
    );
    let mut line = vec!["serve", CAMERA, "-p", "554", "--store", &store, "--check-every", "none", "--no-dns"];
    line.extend(["--config", &config]);
    listen.iter().for_each(|place| line.extend(["--listen", place]));
    lab.lan.serve(&lab.scanner, &binary, &line, |host| host.listens_tcp(PORT));
    lab.lan.wait();

    let of_socket = |path: &str, body: &Value| -> Value {
        let url = format!("http://localhost/api/v1{path}");
        let sent = body.to_string();
        let mut said = vec!["-s", "--unix-socket", &socket, &url];
        if !body.is_null() {
            said.extend(["-H", "Content-Type: application/json", "-d", &sent]);
        }
        let said = lab.scanner.run("curl", &said);
        serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"))
    };
    let scopes = ["read", "live", "scan", "edit", "metrics", "admin"];
    let token = of_socket("/tokens", &json!({ "name": "schemathesis", "scopes": scopes, "user": 1 }));
    let bearer = format!("Authorization: Bearer {}", token["token"].as_str().unwrap_or_else(|| panic!("{token}")));

    // Most of what is made up names nothing that there is, and is answered with 404: what there is must be asked for, too.
    of_socket("/scans", &json!({ "targets": [CAMERA] }));
    let found = until_found(&store);
    let known = found.find(CAMERA).unwrap();
    let other = found.roots().find(|other| other.uid != known.uid).unwrap();
    let stream = |of: &Known| StreamId::of(&of.uid, of.streams.keys().next().unwrap()).to_string();
    let configuration = configuration(&[CAMERA, other.uid.as_str()], &[&stream(known), &stream(other)]);
    let configuration = lab.write("schemathesis.toml", configuration);
    let document = of_socket("/openapi.json", &Value::Null);
    let endpoints: usize =
        document["paths"].as_object().unwrap().values().map(|of| of.as_object().unwrap().len()).sum();

    let url = format!("http://127.0.0.1:{PORT}/api/v1/openapi.json");
    let mut run = vec!["-m", "schemathesis.cli", "--config-file", &configuration, "run", &url, "-H", &bearer];
    run.extend(["--seed", SEED, "-n", EXAMPLES, "--continue-on-failure"]);
    for (path, _) in &LEFT_OUT {
        run.extend(["--exclude-path", path]);
    }
    let python = python.to_str().unwrap();
    let mut command = lab.scanner.command("timeout", &[&["180", python], &run[..]].concat());
    // Sets are walked in the order of their hashes, which would be another one each time.
    command.current_dir(lab.lan.folder()).env("PYTHONHASHSEED", "0").stdin(Stdio::null());
    let said = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "{out}{err}");
    // The document itself it has read to begin with.
    let tested = format!("Tested: {}", endpoints - LEFT_OUT.len() - 1);
    assert!(out.contains(&tested), "not {tested}:\n{out}");
    // It is not that the token was lost on the way and all was refused.
    let header = ["-s", "-H", &bearer, &format!("http://127.0.0.1:{PORT}/api/v1/me")];
    let me = lab.scanner.run("curl", &header);
    let me: Value = serde_json::from_slice(&me.stdout).unwrap();
    assert_eq!((&me["name"], &me["role"]), (&"anna".into(), &"admin".into()), "{me}");
    Ok(())
}

/// What is known once the camera has been found, with its stream.
fn until_found(store: &str) -> Arc<Memory> {
    let until = Instant::now() + PATIENCE;
    loop {
        let known = Store::open(store.as_ref(), Open::ReadOnly).unwrap().memory().unwrap();
        if known.find(CAMERA).is_some_and(|camera| !camera.streams.is_empty()) {
            return known;
        }
        assert!(Instant::now() < until, "the camera was not found");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What schemathesis is told beside the document: names of what there is, and which checks make sense here.
fn configuration(devices: &[&str], streams: &[&str]) -> String {
    let script = script("schemathesis.py");
    format!(
        r#"
hooks = {script:?}

# A request may be as the document says and still name nothing that there is, or a name that is taken.
[checks.positive_data_acceptance]
enabled = false

[dictionaries]
device = {{ values = {devices:?} }}
stream = {{ values = {streams:?} }}
scan = {{ values = ["1", "2"] }}
number = {{ values = [1, 2, 3] }}
subnet = {{ values = ["192.168.10.0/24", "10.77.0.0/24"] }}
format = {{ values = ["json", "csv", "frigate", "go2rtc", "html", "xlsx"] }}
channel = {{ values = ["desk"] }}

[[operations]]
include-path-regex = "^/devices/"
parameters = {{ "path.id" = {{ dictionary = "device", probability = 0.6 }} }}

[[operations]]
include-path-regex = "^/streams/"
parameters = {{ "path.id" = {{ dictionary = "stream", probability = 0.6 }} }}

# That a camera is away is said with 503, as players of WHEP expect it: it is no failure of the server.
[[operations]]
include-path = "/streams/{{id}}/whep"
checks.not_a_server_error = {{ expected-statuses = ["2xx", "3xx", "4xx", 503] }}
parameters = {{ "path.id" = {{ dictionary = "stream", probability = 0.6 }} }}

[[operations]]
include-path-regex = "^/scans/"
parameters = {{ "path.id" = {{ dictionary = "scan", probability = 0.5 }} }}

[[operations]]
include-path-regex = "^/(events|logins|notifications)/"
parameters = {{ "path.id" = {{ dictionary = "number", probability = 0.5 }} }}

[[operations]]
include-path-regex = "^/subnets/"
parameters = {{ "path.net" = {{ dictionary = "subnet", probability = 0.6 }} }}

[[operations]]
include-path-regex = "^/exports/"
parameters = {{ "path.format" = {{ dictionary = "format", probability = 0.7 }} }}

[[operations]]
include-path-regex = "^/channels/"
parameters = {{ "path.name" = {{ dictionary = "channel", probability = 0.6 }} }}
"#
    )
}
