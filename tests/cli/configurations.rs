//! Configurations of video systems: written by a scan, by an export, and added to a file that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use camscan::testkit::fleet::{Camera, Login};

use crate::env::{Cameras, TestEnv, camera, h264};

const SECRET: &str = "hunter2-äß";
const ENCODED: &str = "hunter2-%C3%A4%C3%9F";

/// A camera that lets in whoever knows the secret.
fn locked(b: u8) -> Cameras {
    Cameras::one(Camera { login: Login::Digest, user: ("admin".into(), SECRET.into()), ..camera(6, b) })
}

fn mode(env: &TestEnv, name: &str) -> u32 {
    fs::metadata(env.path(name)).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_scan_writes_placeholders_and_the_file_of_variables_the_logins() {
    let env = TestEnv::new();
    let cameras = locked(1);
    let all = "-o frigate:config.yml -o go2rtc:go2rtc.yaml -o mediamtx:mediamtx.yml -o homeassistant:package.yaml \
               -o motion:. -o prometheus:cameras.json -o viseron:viseron.yaml -o zoneminder:zoneminder.sql -o report.json \
               --env-file cameras.env";
    let line = cameras.scan(all);
    let mut command = env.command(&line.split_whitespace().collect::<Vec<_>>());
    let run = env.end(command.env("CAMSCAN_CREDENTIAL", format!("admin:{SECRET}"))).success();
    let names = ["config.yml", "go2rtc.yaml", "mediamtx.yml", "package.yaml", "motion.conf", "cameras.json"];
    for name in names.into_iter().chain(["viseron.yaml", "zoneminder.sql"]) {
        let text = env.read(name);
        assert!(text.contains("127.88.6.1") || name == "motion.conf", "{name}: {text}");
        assert!(!text.contains("hunter2"), "{name}: {text}");
    }
    assert!(env.read("go2rtc.yaml").contains("rtsp://admin:${CAMERA_127_88_6_1_PASSWORD}@127.88.6.1:"), "{}", run.err);
    let variables = env.read("cameras.env");
    assert!(variables.contains(&format!("\nCAMERA_127_88_6_1_PASSWORD={ENCODED}\n")), "{variables}");
    assert_eq!(mode(&env, "cameras.env"), 0o600);
    // Motion has no variables, and its main file names the other by its path.
    assert!(env.read("motion.conf").contains(&format!("camera {}\n", env.path("camera-camera_6_1.conf").display())));
    assert!(env.names().contains(&"blackbox.yml".to_owned()));

    // An earlier report, with the login given again.
    env.write("logins.txt", format!("admin:{SECRET}\n"));
    let shown = env.run("export report.json -f mediamtx --show-secrets --credentials-file logins.txt").success();
    assert!(shown.out.contains(&format!("rtsp://admin:{ENCODED}@127.88.6.1:")), "{}", shown.out);
    let hidden = env.run("export report.json -f mediamtx --credentials-file logins.txt").success();
    assert!(!hidden.out.contains("hunter2") && hidden.out.contains("MTX_PATHS_CAMERA61_SOURCE"), "{}", hidden.out);
    env.run("export report.json -o motion:. --show-secrets --credentials-file logins.txt").success();
    assert_eq!(mode(&env, "camera-camera_6_1.conf"), 0o600, "a password stands in it");
}

/// The names that a package of Home Assistant replaces by secrets, and those that its head lists.
fn secrets_of(package: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let word = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned();
    let used = package.lines().filter(|line| !line.starts_with('#'));
    let used = used.flat_map(|line| line.split("!secret ").skip(1)).map(word).collect();
    let head = package.lines().take_while(|line| line.starts_with('#'));
    let listed = head.skip_while(|line| !line.contains("`--env-file secrets.yaml`")).skip(1);
    let listed = listed.map(|line| word(line.trim_start_matches(['#', ' ']))).collect();
    (used, listed)
}

/// Which of them a file of secrets sets, as Home Assistant reads it, and which it leaves open.
fn written_in(secrets: &str) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let set: Option<BTreeMap<String, String>> = serde_yaml::from_str(secrets).unwrap();
    let open = secrets.lines().filter_map(|line| line.strip_prefix('#')?.strip_suffix(": \"\""));
    (set.unwrap_or_default(), open.map(str::to_owned).collect())
}

#[test]
fn the_secrets_of_home_assistant_are_those_that_its_package_names() {
    let env = TestEnv::new();
    let login = |b| Camera { login: Login::Digest, user: ("admin".into(), SECRET.into()), ..camera(6, b) };
    let cameras = Cameras::start(vec![login(7), login(8).stream("/stream2", &h264(), None)]);
    let line = cameras.scan("-o homeassistant:cameras.yaml -o report.json --env-file secrets.yaml");
    let mut command = env.command(&line.split_whitespace().collect::<Vec<_>>());
    let run = env.end(command.env("CAMSCAN_CREDENTIAL", format!("admin:{SECRET}"))).success();
    let (package, secrets) = (env.read("cameras.yaml"), env.read("secrets.yaml"));
    // Where the file goes, and how the other one comes about, stands at the top of it.
    for said in
        ["configuration.yaml: homeassistant: {packages: !include_dir_named packages}", "Put these into secrets.yaml"]
    {
        assert!(package.contains(said), "{said}: {package}");
    }
    let (used, listed) = secrets_of(&package);
    let (set, open) = written_in(&secrets);
    assert!(used.len() >= 2, "each camera has one: {package}");
    assert_eq!((&used, &listed), (&listed, &set.keys().cloned().collect()), "{package}{secrets}");
    assert_eq!(open, BTreeSet::new(), "{}", run.err);
    for (name, value) in &set {
        assert!(value.starts_with(&format!("rtsp://admin:{ENCODED}@127.88.6.")), "{name}: {value}");
        assert!(package.contains(&format!("#   {name}: rtsp://127.88.6.")), "{package}");
    }
    assert!(!package.contains("hunter2"), "{package}");
    assert_eq!(mode(&env, "secrets.yaml"), 0o600);

    // The command as the file states it, with and without a login at hand.
    let export = "export report.json -o homeassistant:again.yaml --env-file secrets.yaml";
    env.write("logins.txt", format!("admin:{SECRET}\n"));
    env.run(&format!("{export} --credentials-file logins.txt")).success();
    assert_eq!((env.read("again.yaml"), env.read("secrets.yaml")), (package.clone(), secrets));
    let without = env.run(export).success();
    let (set, open) = written_in(&env.read("secrets.yaml"));
    assert_eq!((set.len(), &open), (0, &used), "{}", without.err);
    assert_eq!((env.read("again.yaml"), mode(&env, "secrets.yaml")), (package, 0o600));
    assert!(without.err.contains("no login is known for them"), "{}", without.err);
}

#[test]
fn the_file_of_variables_is_written_as_its_extension_says_and_added_to_as_well() {
    let env = TestEnv::new();
    let cameras = Cameras::start(vec![
        Camera { login: Login::Digest, user: ("admin".into(), SECRET.into()), ..camera(6, 9) },
        Camera { login: Login::Digest, user: ("admin".into(), SECRET.into()), ..camera(6, 10) },
    ]);
    let line = cameras.scan("-o report.json -o zoneminder:monitors.sql --env-file logins.sql");
    let mut command = env.command(&line.split_whitespace().collect::<Vec<_>>());
    env.end(command.env("CAMSCAN_CREDENTIAL", format!("admin:{SECRET}"))).success();
    let statements = env.read("logins.sql");
    for b in [9, 10] {
        let set = format!("\nSET @CAMERA_127_88_6_{b}_PASSWORD = '{ENCODED}';\n");
        assert!(statements.contains(&set), "{statements}");
        let used = format!("CONCAT('rtsp://admin:', @CAMERA_127_88_6_{b}_PASSWORD, '@127.88.6.{b}:");
        assert!(env.read("monitors.sql").contains(&used), "{}", env.read("monitors.sql"));
    }
    assert_eq!(mode(&env, "logins.sql"), 0o600);

    env.write("config.yaml", "ffmpeg:\n  camera:\n    mine: {host: 127.88.6.9, port: 554, path: /x}\nnvr:\n  mine:\n");
    env.write("secrets.yaml", "# mine\nother: \"x\"\n");
    env.write("logins.txt", format!("admin:{SECRET}\n"));
    let apply = "apply report.json config.yaml --write --env-file secrets.yaml --credentials-file logins.txt";
    let run = env.run(apply).success();
    assert!(run.err.contains("(127.88.6.10)") && !run.err.contains("(127.88.6.9)"), "{}", run.err);
    let (set, open) = written_in(&env.read("secrets.yaml"));
    let wanted = [("camera_127_88_6_10_password", SECRET), ("other", "x")];
    assert_eq!(set, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(open, BTreeSet::new());
    let config = env.read("config.yaml");
    assert!(
        config.contains("      password: !secret camera_127_88_6_10_password\n") && !config.contains("127_88_6_9_"),
        "{config}"
    );
}

#[test]
fn what_makes_no_sense_is_refused_before_the_scan() {
    let env = TestEnv::new();
    let mut said = String::new();
    for options in
        ["-o report.json --env-file x.env", "-o frigate:", "-o frigat:config.yml", "-o frigate:none/config.yml"]
    {
        let run = env.run(&format!("scan 127.88.6.2 -p 1 {options}"));
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{options}: {}", run.err);
        said += &run.err;
    }
    insta::assert_snapshot!(said, @r#"
    error: --env-file: no configuration of a video system is written that leaves logins open
    hint: write one as well, such as -o frigate:config.yml; there are frigate, go2rtc, mediamtx, homeassistant, motion, viseron, zoneminder, prometheus
    error: --output: `frigate:` names no file
    hint: write frigate:FILE
    error: --output: there is no format 'frigat'
    hint: did you mean 'frigate:config.yml'? A file with a colon in its name is written ./frigat:config.yml
    error: the folder none does not exist
    hint: create it first: mkdir -p 'none'
    "#);
}

/// What somebody has written by hand, with a camera that the report has, too.
const BY_HAND: &str = "\
# my cameras
mqtt: {enabled: false}
go2rtc:
  streams:
    hall: [\"rtsp://u:{FRIGATE_HALL}@10.0.5.9/main\"]   # do not touch
cameras:
    # the hall
    hall:
        ffmpeg: {inputs: [{path: 'rtsp://127.0.0.1:8554/hall', roles: [detect]}]}

# end
";

#[test]
fn a_new_camera_is_added_and_no_other_byte_changes() {
    let env = TestEnv::new();
    let cameras = locked(3);
    let line = cameras.scan("-o report.json");
    let mut command = env.command(&line.split_whitespace().collect::<Vec<_>>());
    env.end(command.env("CAMSCAN_CREDENTIAL", format!("admin:{SECRET}"))).success();
    env.write("config.yml", BY_HAND);
    fs::set_permissions(env.path("config.yml"), fs::Permissions::from_mode(0o640)).unwrap();
    env.write("cameras.env", "OTHER=1");

    let shown = env.run("apply report.json config.yml").success();
    assert_eq!(env.read("config.yml"), BY_HAND, "nothing is written without --write");
    assert!(shown.out.contains("\n+    camera_6_3: [\"rtsp://"), "{}", shown.out);
    assert!(
        shown.err.contains("would add 1 camera to the configuration of frigate (0 are there already)"),
        "{}",
        shown.err
    );

    env.write("logins.txt", format!("admin:{SECRET}\n"));
    let apply = "apply report.json config.yml --write --env-file cameras.env --credentials-file logins.txt";
    let run = env.run(apply).success();
    let new = env.read("config.yml");
    let left: String = new.split_inclusive('\n').filter(|line| BY_HAND.contains(*line)).collect();
    assert_eq!(left, BY_HAND, "{new}");
    assert!(!new.contains("hunter2") && mode(&env, "config.yml") == 0o640, "{new}");
    let variables = env.read("cameras.env");
    assert!(
        variables.starts_with("OTHER=1\n") && variables.contains(&format!("PASSWORD_URL={ENCODED}\n")),
        "{variables}"
    );
    let backup = env.names().into_iter().find(|name| name.ends_with(".bak")).unwrap_or_else(|| panic!("{}", run.err));
    assert_eq!(env.read(&backup), BY_HAND);

    // Once it is there it is not added again.
    let again = env.run(apply).success();
    assert!(again.err.contains("nothing to add to config.yml: 1 of the report's cameras are in it"), "{}", again.err);
    assert_eq!(env.read("config.yml"), new);
}

#[test]
fn a_file_that_cannot_be_added_to_is_left_alone() {
    let env = TestEnv::new();
    let cameras = Cameras::one(camera(6, 5));
    env.run(&cameras.scan("-o report.json")).success();
    let mut said = String::new();
    for (text, options) in [
        ("streams: {a: rtsp://10.0.5.9/x}\n", ""),
        ("streams: [\n", "--for go2rtc"),
        ("streams:\n---\nstreams:\n", "--for go2rtc"),
        ("other: 1\n", ""),
        ("streams:\n", "--for motion"),
    ] {
        env.write("file.yaml", text);
        let run = env.run(&format!("apply report.json file.yaml --write {options}"));
        assert_eq!(run.code, Some(2), "{}", run.err);
        assert_eq!(env.read("file.yaml"), text);
        said += &run.err;
    }
    insta::assert_snapshot!(said, @r#"
    error: file.yaml is left as it is: line 1: `streams` is not written as a list of lines below it, the only form that entries are added to
    error: file.yaml is left as it is: it cannot be read as YAML: did not find expected node content at line 2 column 1, while parsing a flow node
    error: file.yaml is left as it is: line 2: a second document begins; entries are added to files with one
    error: file.yaml does not show which system it is for
    hint: name it: --for with one of frigate, go2rtc, mediamtx, viseron
    error: cameras cannot be added to a configuration of `motion`
    hint: there are frigate, go2rtc, mediamtx, viseron
    "#);
}
