//! A camera recorded by one run of the program, served by another, and found by a third.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};

use camscan::testkit::fleet::{Camera, Login};
use serde_json::Value;

use crate::env::{Cameras, QUICK, TestEnv, camera};

/// A program that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // Our own child, by its id.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn streams(report: &Value) -> Vec<(String, String)> {
    let streams = report["devices"][0]["streams"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    streams.iter().map(|s| (text(&s["status"]), text(&s["video"]["codec"]))).collect()
}

#[test]
fn a_camera_is_recorded_and_replayed_with_another_login() {
    let env = TestEnv::new();
    let secret = "hunter2-long";
    let cameras = Cameras::one(Camera { login: Login::Digest, user: ("admin".into(), secret.into()), ..camera(9, 1) });
    let port = cameras.fleet.cameras[0].rtsp.port();
    let line = format!("probe 127.88.9.1 -p {port} {QUICK} -f json --record camera.tar");
    let with_login = |line: &str, login: &str| -> Command {
        let mut command = env.command(&line.split_whitespace().collect::<Vec<_>>());
        command.env("CAMSCAN_CREDENTIAL", login);
        command
    };
    let before = env.end(&mut with_login(&line, &format!("admin:{secret}"))).success();
    assert_eq!(streams(&before.json()), [("streaming".to_owned(), "h264".to_owned())]);
    assert!(before.err.contains("replaced: address"), "{}", before.err);
    let bytes = std::fs::read(env.path("camera.tar")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("hunter2") && !text.contains("127.88.9.1") && !text.contains("uthorization: Digest u"));

    let mut replay = env.command(&["replay", "camera.tar"]).spawn().unwrap();
    let mut lines = BufReader::new(replay.stdout.take().unwrap()).lines().map_while(Result::ok);
    let what = lines.find_map(|line| line.strip_prefix("try: camscan ").map(str::to_owned));
    let _replay = Ends(replay);
    let what = what.unwrap();
    assert!(what.ends_with(" -c kit:kit"), "{what}");
    let after = env.run(&format!("{what} {QUICK} -f json")).success();
    assert_eq!(streams(&after.json()), streams(&before.json()));
    let other = what.replace("-c kit:kit", "");
    let refused = env.end(&mut with_login(&format!("{other} {QUICK} -f json"), &format!("admin:{secret}")));
    assert_eq!(streams(&refused.json())[0].0, "auth_required");
}

#[test]
fn what_cannot_be_recorded_or_replayed_is_said() {
    let env = TestEnv::new();
    env.write("none.tar", "no tar");
    let said: Vec<String> = [
        "probe 127.88.9.2 127.88.9.3 --record camera.tar",
        "probe 127.88.9.2 --record none/camera.tar",
        "replay none.tar",
        "replay missing.tar",
    ]
    .iter()
    .map(|line| {
        let run = env.run(line);
        assert!(run.code.is_some_and(|code| code == 1 || code == 2), "{line}: {}", run.err);
        run.err
    })
    .collect();
    for (said, wanted) in said.iter().zip(["several are named", "none", "cannot be replayed: it", "cannot be replayed"])
    {
        assert!(said.contains(wanted), "{said} is not: {wanted}");
    }
    assert_eq!(env.run("probe 127.88.9.2 --keep mac").code, Some(2));
    assert_eq!(env.run("probe 127.88.9.2 --record x.tar --keep passwords").code, Some(2));
}
