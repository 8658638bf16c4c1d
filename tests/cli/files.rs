//! Where reports go and where they come from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::env::{Cameras, QUICK, Run, TestEnv, camera, report};

/// A report of two cameras in `report.json`.
fn reported(env: &TestEnv, b: u8) {
    let cameras = Cameras::start(vec![camera(2, b), camera(2, b + 1)]);
    let run = env.run(&cameras.scan("-o report.json")).success();
    assert_eq!(run.out, "", "nothing where files are written and no terminal is there");
    assert_eq!(report(&env.path("report.json"))["devices"].as_array().unwrap().len(), 2, "{}", run.err);
}

#[test]
fn outputs_that_cannot_be_written_are_told_before_the_scan() {
    let env = TestEnv::new();
    env.write("report.json", "old");
    fs::create_dir(env.path("folder.csv")).unwrap();
    let mut said = String::new();
    for output in ["none/x.json", "folder.csv", "report", "report.jsn", "report.json -o ./report.json"] {
        let run = env.run(&format!("scan 127.88.2.1 -p 1 {QUICK} -o {output}"));
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{output}: {}", run.err);
        said += &run.err;
    }
    insta::assert_snapshot!(said, @r#"
    error: the folder none does not exist
    hint: create it first: mkdir -p 'none'
    error: folder.csv is a folder
    hint: name a file in it, such as folder.csv/report.json
    error: --output: report has no extension to tell the format by
    hint: name the file with one of the extensions .txt, .json, .jsonl, .ndjson, .csv, .yaml, .yml, .xml, .html, .htm, .xlsx, .m3u, .m3u8, or write -o FORMAT:FILE
    error: --output: the extension of report.jsn stands for no format
    hint: did you mean '.json'? The extensions are .txt, .json, .jsonl, .ndjson, .csv, .yaml, .yml, .xml, .html, .htm, .xlsx, .m3u, .m3u8
    error: --output: ./report.json is written twice
    "#);
    assert_eq!(env.read("report.json"), "old");
}

#[test]
fn what_one_may_not_write_is_told_before_the_scan() {
    let env = TestEnv::new();
    fs::create_dir(env.path("locked")).unwrap();
    fs::set_permissions(env.path("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = env.command(&["scan", "127.88.2.1", "-o", "locked/report.json"]);
    if fs::write(env.path("locked/try"), "").is_ok() {
        // Root may write everywhere, so somebody else tries.
        fs::remove_file(env.path("locked/try")).unwrap();
        fs::set_permissions(env.path("."), fs::Permissions::from_mode(0o755)).unwrap();
        let program = env.path("camscan");
        fs::copy(command.get_program(), &program).unwrap();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        command = Command::new(program);
        command.args(arguments).env_clear().current_dir(env.path("."));
        std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    }
    let run = env.end(&mut command);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(run.err, @r#"
    error: locked/report.json cannot be written: permission denied
    hint: name a file in a folder you may write to
    "#);
}

#[test]
fn two_reports_are_compared() {
    let env = TestEnv::new();
    reported(&env, 30);
    let mut after = report(&env.path("report.json"));
    let devices = after["devices"].as_array_mut().unwrap();
    let gone = devices.remove(1);
    devices[0]["streams"][0]["status"] = "no_data".into();
    devices[0]["firmware"] = "V2".into();
    env.write("after.json", after.to_string());
    let same = env.run("diff report.json report.json --fail-on new,gone,moved,changed,broken,open").success();
    assert_eq!(same.out, "nothing changed\n");
    let changed = env.run("diff report.json after.json --fail-on gone,new,broken");
    assert_eq!(changed.code, Some(3), "{}", changed.err);
    assert!(changed.out.contains(&format!("- {}  ", gone["ip"].as_str().unwrap())), "{}", changed.out);
    assert!(changed.out.contains("    firmware: not known → V2\n"), "{}", changed.out);
    assert!(changed.out.contains("streaming → no_data"), "{}", changed.out);
    assert_eq!(changed.err, "warning: --fail-on: gone\nwarning: --fail-on: broken\n");
    let json = env.run("diff after.json report.json -f json").success().json();
    assert_eq!(json["added"][0]["ip"], gone["ip"]);
    let wrong = env.run("diff report.json after.json --fail-on none-found");
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let env = TestEnv::new();
    env.write("torn.json", r#"{"schema": "camscan/1", "scan": {"#);
    env.write("other.json", r#"{"schema": "camscan/2"}"#);
    env.write("empty.json", "");
    env.write("torn.jsonl", "{\"ip\":\"127.88.2.1\"}\n");
    fs::write(env.path("bytes.json"), [0xff; 64]).unwrap();
    let mut said = String::new();
    for line in [
        "export none.json",
        "export torn.json",
        "export other.json",
        "export empty.json",
        "export torn.jsonl",
        "export bytes.json",
        "export .",
        "scan 127.88.2.1 --baseline none.json --fail-on new",
        "scan 127.88.2.1 --baseline torn.json --fail-on new",
        "scan 127.88.2.1 --credentials-file none.txt",
        "scan 127.88.2.1 --signatures nowhere",
        "scan 127.88.2.1 --config none.yaml",
    ] {
        let run = env.run(line);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{line}: {}", run.err);
        said += &format!("$ camscan {line}\n{}", run.err);
    }
    insta::assert_snapshot!(said, @r#"
    $ camscan export none.json
    error: none.json cannot be read: no such file or directory
    hint: check the spelling and the folder you are in
    $ camscan export torn.json
    error: torn.json cannot be used: it can't be read as JSON: EOF while parsing an object at line 1 column 33
    hint: reports are read from JSON, JSON lines and YAML
    $ camscan export other.json
    error: other.json cannot be used: it is not a report this version can read: its schema is 'camscan/2', not 'camscan/1'
    hint: a report is written by camscan scan -o FILE.json
    $ camscan export empty.json
    error: empty.json cannot be used: there is nothing in it
    hint: a report is written by camscan scan -o FILE.json
    $ camscan export torn.jsonl
    error: torn.jsonl cannot be used: it can't be read as JSON lines: line 1: missing field `id` at line 1 column 19
    hint: reports are read from JSON, JSON lines and YAML
    $ camscan export bytes.json
    error: bytes.json cannot be used: it can't be read as YAML: invalid type: string "����������������������������������������������������������������", expected struct Envelope
    hint: reports are read from JSON, JSON lines and YAML
    $ camscan export .
    error: . cannot be read: is a directory
    $ camscan scan 127.88.2.1 --baseline none.json --fail-on new
    error: --baseline: there is no file none.json
    hint: create it first: camscan scan -o 'none.json'
    $ camscan scan 127.88.2.1 --baseline torn.json --fail-on new
    error: torn.json cannot be used: it can't be read as JSON: EOF while parsing an object at line 1 column 33
    hint: reports are read from JSON, JSON lines and YAML
    $ camscan scan 127.88.2.1 --credentials-file none.txt
    error: --credentials-file: none.txt cannot be read: no such file or directory
    hint: check the spelling and the folder you are in
    $ camscan scan 127.88.2.1 --signatures nowhere
    error: nowhere: cannot be read: no such file or directory
    hint: a folder of YAML files with signatures is expected
    $ camscan scan 127.88.2.1 --config none.yaml
    error: --config: there is no file none.yaml
    "#);
}

#[test]
fn several_formats_are_written_at_once() {
    let env = TestEnv::new();
    let cameras = Cameras::start(vec![camera(2, 10), camera(2, 11)]);
    let names = ["a.json", "a.jsonl", "a.csv", "a.yaml", "a.xml", "a.html", "a.xlsx", "a.m3u", "a.txt"];
    let outputs: String = names.iter().map(|name| format!("-o {name} ")).collect();
    let run = env.run(&cameras.scan(&format!("{outputs} -f json"))).success();
    let json = run.json();
    assert_eq!(json, report(&env.path("a.json")));
    assert_eq!(
        env.names(),
        {
            let mut names = names;
            names.sort_unstable();
            names
        },
        "no temporary file is left"
    );
    let url = format!("rtsp://{}/stream1", cameras.fleet.cameras[0].rtsp);
    for name in ["a.jsonl", "a.csv", "a.yaml", "a.xml", "a.html", "a.m3u"] {
        assert!(env.read(name).contains(&url), "{name}: {}", env.read(name));
    }
    assert!(fs::read(env.path("a.xlsx")).unwrap().starts_with(b"PK"));
    let schema = env.run("schema").json();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&json).map(|e| format!("{e} at {}", e.instance_path)).collect();
    assert_eq!(errors, [""; 0]);
}

#[test]
fn an_old_file_is_kept_until_the_new_one_is_whole() {
    let env = TestEnv::new();
    env.write("report.json", "old");
    fs::set_permissions(env.path("report.json"), fs::Permissions::from_mode(0o640)).unwrap();
    // Interrupted while it reads: nothing has been touched.
    assert_eq!(env.run("export none.json -o report.json").code, Some(2));
    assert_eq!(env.read("report.json"), "old");
    let inode = |name: &str| std::os::unix::fs::MetadataExt::ino(&fs::metadata(env.path(name)).unwrap());
    let before = inode("report.json");
    fs::hard_link(env.path("report.json"), env.path("linked.json")).unwrap();
    env.run(&format!("scan 127.88.2.30 -p 1 {QUICK} -o report.json")).success();
    assert_ne!(inode("report.json"), before, "replaced, not overwritten");
    assert_eq!(env.read("linked.json"), "old");
    assert_eq!(fs::metadata(env.path("report.json")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(env.names(), ["linked.json", "report.json"]);
}

#[test]
fn one_output_that_fails_keeps_the_others() {
    let env = TestEnv::new();
    let run = env.run(&format!("scan 127.88.2.31 -p 1 {QUICK} -o report.json -o /dev/full -o report.csv -f json"));
    // A device has no extension; a link to it has.
    assert_eq!(run.code, Some(2));
    std::os::unix::fs::symlink("/dev/full", env.path("full.csv")).unwrap();
    let run = env.run(&format!("scan 127.88.2.31 -p 1 {QUICK} -o full.csv -o report.json -f json"));
    assert_eq!(run.code, Some(1), "{}", run.err);
    insta::assert_snapshot!(run.err, @r#"
    wrote report.json: 0 devices, 0 streams
    error: full.csv cannot be written: no space left on device
    hint: the disk is full; free some space or name a file elsewhere
    "#);
    assert_eq!(run.json(), report(&env.path("report.json")));
}

#[test]
fn what_cannot_be_printed_is_no_success() {
    let env = TestEnv::new();
    env.run(&format!("scan 127.88.2.33 -p 1 {QUICK} --store=s.sqlite")).success();
    let scan = format!("scan 127.88.2.33 -p 1 {QUICK} -f json");
    let lines = [
        "--help",
        "-V",
        "scan --help",
        "config show",
        "config check",
        "completions bash",
        "schema",
        "store check -S",
        "devices --store s.sqlite",
        "history --store s.sqlite",
        "doctor",
        &scan,
    ];
    for line in lines {
        let line = line.replace("-S", "--store s.sqlite");
        let mut command = env.command(&line.split(' ').collect::<Vec<_>>());
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let run = env.end(command.stdout(full));
        assert_eq!(run.code, Some(1), "{line}: {}", run.err);
        assert!(run.err.to_lowercase().contains("no space left on device"), "{line}: {}", run.err);
    }
}

#[test]
fn it_is_said_what_each_file_holds() {
    let env = TestEnv::new();
    let cameras = Cameras::one(camera(2, 32));
    let run = env.run(&cameras.scan("-o report.json -o cameras.csv -f json")).success();
    assert_eq!(run.err, "wrote report.json: 1 device, 1 stream\nwrote cameras.csv: 1 device, 1 stream\n");
    let run = env.run("export report.json -o again.html").success();
    assert_eq!(run.err, "wrote again.html: 1 device, 1 stream\n");
    for line in ["export report.json -q -o quiet.csv", "export report.json -f csv"] {
        assert_eq!(env.run(line).success().err, "", "{line}");
    }
}

#[test]
fn a_report_makes_the_round_through_every_format_that_carries_it() {
    let env = TestEnv::new();
    reported(&env, 40);
    let original = report(&env.path("report.json"));
    for format in ["json", "jsonl", "yaml"] {
        env.run(&format!("export report.json -f json -o round.{format}")).success();
        let again = env.run(&format!("export round.{format} -f json")).success();
        assert_eq!(again.json(), original, "{format}");
        assert_eq!(again.out, env.read("report.json"), "{format}: to the byte");
    }
    let mut command = env.command(&["export", "-", "-f", "json"]);
    command.stdin(Stdio::from(fs::File::open(env.path("report.json")).unwrap()));
    assert_eq!(env.end(&mut command).success().json(), original);
    for format in ["table", "csv", "xml", "html", "m3u"] {
        let run = env.run(&format!("export report.json -f {format}")).success();
        assert!(run.out.contains("127.88.2.40"), "{format}: {}", run.out);
        assert_eq!((run.err.as_str(), env.run(&format!("export report.json -f {format}")).out), ("", run.out));
    }
}

#[test]
fn csv_is_made_as_spreadsheets_want_it() {
    let env = TestEnv::new();
    reported(&env, 50);
    let csv = env.run("export report.json -f csv --csv-bom --csv-delimiter ;").success().out;
    assert!(csv.starts_with("\u{feff}ip;mac;hostname;kind;"), "{csv}");
    assert!(env.run("export report.json -f csv --csv-delimiter tab").success().out.starts_with("ip\tmac\t"));
    assert_eq!(csv.lines().count(), 3);
}

#[test]
fn a_report_shows_no_file_from_outside_its_folder() {
    let env = TestEnv::new();
    reported(&env, 60);
    let mut report = report(&env.path("report.json"));
    let picture = include_bytes!("../data/media/camera_640x480_1.jpg");
    env.write("reports/snapshots/1.jpg", picture);
    env.write("secret.jpg", picture);
    let shown = |path: &str| {
        report["devices"][0]["streams"][0]["snapshot"] = path.into();
        env.write("reports/report.json", report.to_string());
        let run = env.run("export reports/report.json -f html").success();
        run.out.contains("data:image/jpeg;base64,")
    };
    let mut shown = shown;
    assert!(shown("snapshots/1.jpg"));
    for path in ["../secret.jpg", env.path("secret.jpg").to_str().unwrap(), "/dev/zero", "snapshots"] {
        assert!(!shown(path), "{path}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let env = TestEnv::new();
    reported(&env, 70);
    let scan = format!("scan 127.88.2.32 -p 1 {QUICK} -f json");
    for line in [
        "schema",
        "completions bash",
        "man",
        "config show",
        "--help",
        "scan --help",
        "export report.json -f table",
        "export report.json -f json",
        "export report.json -f jsonl",
        "export report.json -f html",
        scan.as_str(),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = env.command(&line.split_whitespace().collect::<Vec<_>>());
        let Run { code, err, .. } = env.end(command.stdout(writer));
        assert_eq!((code, err.as_str()), (Some(0), ""), "{line}");
    }
}

/// Anybody may have written it.
#[test]
fn a_report_of_somebody_else_does_nothing_to_a_terminal_or_a_player() {
    let env = TestEnv::new();
    reported(&env, 60);
    let mut report = report(&env.path("report.json"));
    report["devices"][0]["name"] = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}gate\u{2028}".into();
    report["devices"][0]["streams"][0]["url"] = "file:///etc/passwd".into();
    report["devices"][0]["evidence"][0]["detail"] = "\u{1b}[2J\u{200b}x".into();
    report["warnings"] = serde_json::json!(["\u{1b}[31mred\nhint: \u{202e}do"]);
    env.write("foreign.json", report.to_string());
    for format in ["json", "jsonl", "csv", "yaml", "xml", "html", "m3u", "table"] {
        let run = env.run(&format!("export foreign.json -f {format}")).success();
        let odd = |c: &char| (c.is_control() && !"\r\n".contains(*c)) || "\u{202e}\u{2028}\u{200b}".contains(*c);
        assert_eq!(run.out.chars().find(odd), None, "{format}: {}", run.out);
        assert!(!run.out.contains("u001b") && !run.out.contains("u202e"), "{format}: {}", run.out);
        assert!(!run.out.contains("file:///"), "{format}: {}", run.out);
    }
}
