//! A password is shown nowhere, however it is given and whatever goes wrong.

use crate::env::{Cameras, Run, TestEnv, camera};
use camscan::testkit::fleet::{Camera, Login};

const SECRET: &str = "hunter2-äß";

/// One camera that lets in whoever knows the secret, and one whose login nobody has.
fn cameras(b: u8) -> Cameras {
    let locked = |b, login, password: &str| Camera { login, user: ("admin".into(), password.into()), ..camera(3, b) };
    Cameras::start(vec![locked(b, Login::Basic, SECRET), locked(b + 1, Login::Digest, "other")])
}

#[track_caller]
fn says_nothing(run: &Run, of: &str) {
    for secret in [SECRET, "hunter2", "aHVudGVy"] {
        assert!(!run.out.contains(secret) && !run.err.contains(secret), "{of}:\n{}\n{}", run.out, run.err);
    }
}

#[test]
fn a_login_works_however_it_is_given_and_shows_nowhere() {
    let env = TestEnv::new();
    let cameras = cameras(1);
    let login = format!("admin:{SECRET}");
    env.write("logins.txt", format!("# cameras\n{login}\n"));
    env.write("logins.yaml", format!("- user: admin\n  password: {SECRET}\n"));
    env.write("config.yaml", format!("credentials:\n  - user: admin\n    password: {SECRET}\n"));
    env.write("password.txt", format!("{SECRET}\n"));
    env.write("fromfile.yaml", "credentials:\n  - user: admin\n    password_file: password.txt\n");
    env.write("fromenv.yaml", "credentials:\n  - user: admin\n    password_env: CAMERA_PASSWORD\n");
    let outputs = "-vv -f json -o r.jsonl -o r.csv -o r.yaml -o r.xml -o r.html -o r.m3u -o r.txt";
    for (way, flag, variable) in [
        ("flag", format!("-c {login}"), ""),
        ("variable", String::new(), "CAMSCAN_CREDENTIAL"),
        ("variables", String::new(), "CAMSCAN_CREDENTIALS"),
        ("file", "--credentials-file logins.txt".into(), ""),
        ("YAML file", "--credentials-file logins.yaml".into(), ""),
        ("configuration", "--config config.yaml".into(), ""),
        ("password file", "--config fromfile.yaml".into(), ""),
        ("password variable", "--config fromenv.yaml".into(), "CAMERA_PASSWORD"),
    ] {
        let line = cameras.scan(&format!("{outputs} --log-format json {flag}"));
        let mut command = env.command(&line.split_whitespace().collect::<Vec<_>>());
        match variable {
            "" => {}
            "CAMERA_PASSWORD" => drop(command.env(variable, SECRET)),
            _ => drop(command.env(variable, &login)),
        }
        let run = env.end(&mut command).success();
        says_nothing(&run, way);
        let json = run.json();
        let status = |n: usize| json["devices"][n]["streams"][0]["status"].clone();
        assert_eq!((status(0), status(1)), ("streaming".into(), "auth_required".into()), "{way}: {}", run.out);
        assert_eq!(json["devices"][1]["login_attempts"]["refused"], 1, "{way}");
        for name in env.names().iter().filter(|name| name.starts_with("r.")) {
            assert!(!env.read(name).contains("hunter2"), "{way}: {name}");
        }
    }
}

#[test]
fn the_password_of_a_probed_url_is_used_and_shows_nowhere() {
    let env = TestEnv::new();
    let cameras = cameras(10);
    let camera = cameras.fleet.cameras[0].rtsp;
    let url = format!("rtsp://admin:hunter2-%C3%A4%C3%9F@{camera}/stream1");
    let run = env.end(&mut env.command(&["probe", &url, "-vv", "-f", "json", "--measure-time", "300ms"])).success();
    says_nothing(&run, "probe");
    assert_eq!(run.json()["devices"][0]["streams"][0]["status"], "streaming", "{}", run.out);
    assert_eq!(run.json()["scan"]["targets"][0], format!("rtsp://{camera}/stream1"));
    // Every header and the description, and no nonce among them.
    let report = run.json();
    let stream = &report["devices"][0]["streams"][0];
    assert!(stream["sdp"].as_str().unwrap().starts_with("v=0\n"), "{stream}");
    let asked = stream["answers"].as_array().unwrap().iter().map(|a| a["request"].as_str().unwrap());
    assert!(asked.clone().any(|r| r.starts_with("DESCRIBE ")) && asked.clone().any(|r| r.starts_with("PLAY ")));
    assert!(run.out.contains("WWW-Authenticate") && run.out.contains("realm="), "{}", run.out);
    let table = env.end(&mut env.command(&["probe", &url, "--measure-time", "300ms"])).success();
    says_nothing(&table, "probe");
    assert!(table.out.contains("SDP       v=0") && table.out.contains("WWW-Authenticate"), "{}", table.out);
}

#[test]
fn mistakes_with_a_login_are_told_without_it() {
    let env = TestEnv::new();
    env.write("logins.txt", format!("admin:ok\n{SECRET}\n"));
    env.write("bad.yaml", format!("credentials:\n  - user: admin\n    password: [{SECRET}]\n"));
    env.write("key.yaml", format!("credentials:\n  - user: admin\n    pasword: {SECRET}\n"));
    let mut said = String::new();
    for line in [
        format!("scan 127.88.3.1 -c {SECRET}"),
        format!("scan 127.88.3.1 -c :{SECRET}"),
        format!("scan 127.88.3.1 --credentials=admin:{SECRET}"),
        "scan 127.88.3.1 --credentials-file logins.txt".into(),
        "scan 127.88.3.1 --config bad.yaml".into(),
        "scan 127.88.3.1 --config key.yaml".into(),
        format!("scan rtsp://admin:{SECRET}@127.88.3.1/"),
        format!("rtsp://admin:{SECRET}@127.88.3.1/"),
        format!("schema rtsp://admin:{SECRET}@127.88.3.1/"),
        format!("probe ftp://admin:{SECRET}@127.88.3.1/"),
        format!("probe rtsp://admin:{SECRET}@/stream1"),
    ] {
        let run = env.run(&line);
        assert_eq!(run.code, Some(2), "{line}: {}", run.err);
        says_nothing(&run, &line);
        said += &run.err;
    }
    insta::assert_snapshot!(said, @r#"
    error: --credential: a login lacks the colon between user name and password
    hint: write USER:PASS
    error: --credential: a login lacks the user name before the colon
    hint: write USER:PASS
    error: unexpected argument '--credentials' found

      tip: a similar argument exists: '--credential'

    Usage: camscan scan --credential <USER:PASS> <TARGET>...

    For more information, try '--help'.
    error: --credentials-file: logins.txt:2: a login lacks the colon between user name and password
    hint: write USER:PASS
    error: bad.yaml:3:15: credentials: expected one value
    error: key.yaml:3:5: unknown key `pasword`
    hint: did you mean `password`?
    hint: keys of a login are user, password, password_env, password_file, network, vendor, mac, trust, basic, login_in_path
    error: TARGET: `rtsp://127.88.3.1/` is a URL, not a target of a scan
    hint: use `camscan probe URL` for one device or stream
    error: unrecognized subcommand 'rtsp://127.88.3.1/'

    Usage: camscan [OPTIONS] <COMMAND>

    For more information, try '--help'.
    error: unexpected argument 'rtsp://127.88.3.1/' found

    Usage: camscan schema [OPTIONS]

    For more information, try '--help'.
    error: `ftp://127.88.3.1/` has a scheme that cannot be probed
    hint: schemes are rtsp, rtsps, rtmp, rtmps, http, https
    error: the target is empty
    "#);
}

#[test]
fn the_configuration_is_shown_without_passwords() {
    let env = TestEnv::new();
    env.write(
        "camscan.yaml",
        format!(
            "credentials:\n  - user: admin\n    password: {SECRET}\n    network: 127.88.3.0/24\n    mac: \"44:19:b6\"\n"
        ),
    );
    for format in ["yaml", "json"] {
        let run = env.run(&format!("config show -f {format} -vv")).success();
        says_nothing(&run, format);
        assert!(run.out.contains("***") && run.out.contains("127.88.3.0/24"), "{}", run.out);
    }
    let run = env.run("config check");
    assert!(run.err.contains("warning") && run.err.contains("chmod 600"), "others may read it: {}", run.err);
    says_nothing(&run.success(), "check");
}

#[test]
fn no_login_is_tried_where_none_is_demanded_nor_more_often_than_allowed() {
    let env = TestEnv::new();
    let wrong = |b| Camera { login: Login::Digest, ..camera(3, b) };
    let cameras = Cameras::start(vec![camera(3, 20), wrong(21), wrong(22)]);
    let logins = "-c admin:one -c admin:two -c admin:three -c root:four";
    let run = env.run(&cameras.scan(&format!("{logins} -f json"))).success();
    let refused = |n: usize| cameras.fleet.cameras[n].seen.refused.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!((refused(0), refused(1), refused(2)), (0, 2, 2), "{}", run.out);
    env.run(&cameras.scan(&format!("{logins} --max-login-failures 0"))).success();
    assert_eq!((refused(0), refused(1), refused(2)), (0, 2, 2));
    assert!(run.json()["devices"][0].get("login_attempts").is_none());
}

/// They decode what a stranger sent: all they are given is where programs lie, and they may open nothing but the pipe.
#[test]
fn programs_that_are_run_are_given_nothing_of_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = TestEnv::new();
    for name in ["ffmpeg", "ffprobe"] {
        let note = env.path(name).with_extension("note");
        let script = format!("#!/bin/sh\ncat > /dev/null\nenv >> '{0}'\necho \"$@\" >> '{0}'\n", note.display());
        let program = env.write(&format!("bin/{name}"), script);
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let cameras = Cameras::one(Camera { login: Login::Basic, user: ("admin".into(), SECRET.into()), ..camera(3, 30) });
    let line = cameras.scan("--ffprobe always --snapshots shots -f json");
    let mut command = env.command(&line.split_whitespace().collect::<Vec<_>>());
    let path = format!("{}:{}", env.path("bin").display(), std::env::var("PATH").unwrap());
    command.env("CAMSCAN_CREDENTIAL", format!("admin:{SECRET}")).env("OTHER_TOKEN", SECRET).env("PATH", path);
    let run = env.end(&mut command).success();
    assert_eq!(run.json()["devices"][0]["streams"][0]["status"], "streaming", "{}", run.out);
    for name in ["ffmpeg.note", "ffprobe.note"] {
        let note = env.read(name);
        assert!(!note.contains("hunter2") && !note.contains("CAMSCAN") && !note.contains("TOKEN"), "{note}");
        assert!(!note.contains("HOME="), "{note}");
        assert!(note.contains("-protocol_whitelist pipe") && note.contains("pipe:0"), "{note}");
    }
}
