//! Exporters of the user's own: the examples of this repository, and programs that misbehave.

use std::path::Path;

use crate::env::{Cameras, TestEnv, camera};
use camscan::testkit::fleet::{Camera, Login};
use serde_json::Value;

const SECRET: &str = "hunter2";

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/plugins").join(name).display().to_string()
}

/// A report of a camera with a login, in `report.json`, and a configuration with these exporters.
fn prepared(b: u8, exporters: &str) -> TestEnv {
    let env = TestEnv::new();
    let camera = Camera { login: Login::Digest, user: ("admin".into(), SECRET.into()), ..camera(7, b) };
    let cameras = Cameras::one(camera);
    let line = cameras.scan("-o report.json");
    env.write("logins.txt", format!("admin:{SECRET}\n"));
    let line = format!("{line} --credentials-file logins.txt");
    env.run(&line).success();
    env.write("camscan.yaml", format!("plugins:\n  exporters:\n{exporters}"));
    env
}

#[test]
fn the_examples_write_what_they_are_for() {
    if !Path::new("/usr/bin/jq").exists() {
        // The other example is tested all the same.
        return netbox_alone();
    }
    let exporters = format!(
        "    ansible: [sh, {}]\n    netbox: [python3, {}]\n",
        example("ansible_inventory.sh"),
        example("netbox_csv.py")
    );
    let env = prepared(1, &exporters);
    let inventory = env.run("export report.json -f ansible").success();
    let hosts = &inventory.json()["cameras"]["hosts"];
    assert_eq!(hosts["camera_127_88_7_1"]["ansible_host"], "127.88.7.1", "{}", inventory.out);
    env.run("export report.json -o netbox:devices.csv -o ansible:hosts.yml").success();
    assert_is_netbox(&env.read("devices.csv"));
    assert_eq!(env.read("hosts.yml"), inventory.out);
}

fn netbox_alone() {
    let env = prepared(1, &format!("    netbox: [python3, {}]\n", example("netbox_csv.py")));
    env.run("export report.json -o netbox:devices.csv").success();
    assert_is_netbox(&env.read("devices.csv"));
}

#[track_caller]
fn assert_is_netbox(csv: &str) {
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("name,role,manufacturer,device_type,serial,status,site,description,comments"),
        "{csv}"
    );
    assert!(lines.next().unwrap().starts_with("127.88.7.1,camera,"), "{csv}");
}

#[test]
fn a_plugin_gets_the_report_and_a_password_only_where_its_entry_says_so() {
    let env = prepared(3, "    plain: [cat]\n    with: {command: [cat], passwords: true}\n    env: [env]\n");
    let logins = "--credentials-file logins.txt";
    let plain = env.run(&format!("export report.json -f plain {logins}")).success();
    assert_eq!(plain.json()["devices"][0]["ip"], "127.88.7.3");
    assert!(!plain.out.contains(SECRET), "{}", plain.out);
    let shown = env.run(&format!("export report.json -f plain --show-secrets {logins}")).success();
    assert!(!shown.out.contains(SECRET), "{}", shown.out);
    let with = env.run(&format!("export report.json -f with {logins}")).success();
    assert!(with.json()["devices"][0]["streams"][0]["url"].as_str().unwrap().starts_with("rtsp://admin:hunter2@"));
    let mut command = env.command(&["export", "report.json", "-f", "env"]);
    let variables = env.end(command.env("CAMSCAN_CREDENTIAL", "admin:hunter2")).success();
    assert!(!variables.out.contains("CAMSCAN") && !variables.out.contains("HOME"), "{}", variables.out);
}

#[test]
fn one_that_misbehaves_costs_its_own_output_alone() {
    let exporters = "    broken: [sh, -c, 'echo half; echo no such table >&2; exit 3']\n    \
                     slow: {command: [sh, -c, 'sleep 1000 & wait'], timeout: 300ms}\n    none: [camscan-no-such-program]\n";
    let env = prepared(5, exporters);
    let mut said = String::new();
    for name in ["broken", "slow", "none", "slwo"] {
        let run = env.run(&format!("export report.json -f {name} -o other.json"));
        assert_eq!(run.out, "", "{name}");
        said += &format!("{:?} {}", run.code, run.err);
    }
    insta::assert_snapshot!(said, @r#"
    Some(1) wrote other.json: 1 device, 1 stream
    error: the exporter `broken` failed (exit status: 3): no such table
    hint: it gets what `camscan export REPORT -f json` prints; run it on that by hand
    Some(1) wrote other.json: 1 device, 1 stream
    error: the exporter `slow` did not end within 0.3 s and was ended
    hint: it gets what `camscan export REPORT -f json` prints; run it on that by hand
    Some(1) wrote other.json: 1 device, 1 stream
    error: the exporter `none` cannot be run: there is no program camscan-no-such-program
    hint: it gets what `camscan export REPORT -f json` prints; run it on that by hand
    Some(2) error: --format: there is no format 'slwo'
    hint: the formats are table, json, jsonl, csv, yaml, xml, html, survey, xlsx, m3u, frigate, go2rtc, mediamtx, homeassistant, motion, viseron, zoneminder, prometheus
    "#);
    let other: Value = serde_json::from_str(&env.read("other.json")).unwrap();
    assert_eq!(other["devices"][0]["ip"], "127.88.7.5", "the other output is written");
}

#[test]
fn a_wrong_entry_is_named_with_its_place() {
    let env = TestEnv::new();
    env.write("camscan.yaml", "plugins:\n  exporters:\n    json: [x]\n");
    let run = env.run("config check");
    assert_eq!(run.code, Some(2));
    insta::assert_snapshot!(run.err, @r#"
    error: camscan.yaml:1:1: plugins: json: `json` is a format that camscan has
    hint: choose another name
    "#);
}

#[test]
fn a_folder_of_signatures_is_checked() {
    let env = TestEnv::new();
    let good = "- {field: realm, regex: '^ACME', vendor: ACME, examples: [ACME 1], not: [NOACME]}\n";
    env.write("good/acme.yaml", good);
    let run = env.run("signatures check good").success();
    assert_eq!(run.out, "good/acme.yaml: 1 signature\n");
    env.write("both/acme.yaml", format!("{good}- vendor: ACME\n  rtsp: [/acme, '/a/{{n}}']\n"));
    assert_eq!(env.run("signatures check both").success().out, "both/acme.yaml: 1 signature, 2 stream paths\n");
    env.write("bad/acme.yaml", good.replace("ACME 1", "XACME"));
    env.write("bad/other.yaml", "- {field: realm}\n");
    env.write("bad/paths.yaml", "- vendor: ACME\n  rtps: [/acme]\n");
    env.write("bad/places.yaml", "- vendor: ACME\n  rtsp:\n    - /acme\n    - '/{chanel}'\n");
    env.write("bad/third.yml", good);
    let run = env.run("signatures check bad");
    assert_eq!(run.code, Some(1));
    insta::assert_snapshot!(format!("{}{}", run.out, run.err), @r#"
    bad/acme.yaml line 1: the example 'XACME' does not match '^ACME'
    hint: an example matches its regex
    bad/other.yaml line 1: .[0]: missing field `regex` at line 1 column 3
    hint: a list is expected, of signatures: field, regex, and what they identify: vendor, model, kind, weight; and of paths: vendor, and rtsp, mjpeg, snapshot, rtmp, hls, dash or whep
    bad/paths.yaml line 2: .[0]: unknown field `rtps`, expected one of `vendor`, `with_login`, `rtsp`, `mjpeg`, `snapshot`, `rtmp`, `hls`, `dash`, `whep` at line 2 column 3
    hint: did you mean `rtsp`?
    bad/places.yaml line 4: the path '/{chanel}' has the unknown placeholder {chanel}
    hint: there are {n}, {n0}, {nn}, {nnn} and {s}, and under `with_login` {user}, {password} and {hash}
    bad/third.yml: 1 signature
    error: 4 of 5 files cannot be used
    "#);
}
