//! What the program says of itself: help, version, completions, manual, schema.

use std::fs;

use crate::env::TestEnv;

const COMMANDS: [&str; 45] = [
    "",
    "scan",
    "watch",
    "serve",
    "serve user",
    "serve user add",
    "serve user list",
    "serve user remove",
    "serve user password",
    "doctor",
    "probe",
    "replay",
    "export",
    "apply",
    "diff",
    "devices",
    "devices show",
    "devices name",
    "devices merge",
    "devices split",
    "devices mute",
    "devices unmute",
    "devices ack",
    "devices expect",
    "devices forget",
    "devices login",
    "devices login confirm",
    "devices login retry",
    "history",
    "store",
    "store backup",
    "store check",
    "store prune",
    "store salvage",
    "store import",
    "config",
    "config check",
    "config show",
    "signatures",
    "notify",
    "notify test",
    "signatures check",
    "schema",
    "completions",
    "man",
];

#[test]
fn every_command_has_short_and_long_help() {
    let env = TestEnv::new();
    for command in COMMANDS {
        let short = env.run(&format!("{command} -h")).success();
        let long = env.run(&format!("{command} --help")).success();
        for run in [&short, &long] {
            let usage = format!("Usage: camscan {command}");
            assert!(run.out.contains(usage.trim_end()), "{command}: {}", run.out);
            assert_eq!(run.err, "", "{command}");
            let widest = run.out.lines().map(|l| l.chars().count()).max().unwrap();
            assert!(widest <= 100, "{command}: a line of {widest} columns");
        }
        assert!(short.out.lines().count() <= 74, "{command} -h is to be short");
        assert!(long.out.len() >= short.out.len(), "{command}");
    }
    insta::assert_snapshot!(env.run("-h").out, @r#"
    Find every IP camera, recorder and video stream on a network

    Usage: camscan [OPTIONS] <COMMAND>

    Commands:
      scan         Find the cameras on a network and their streams
      watch        Scan on a schedule, check streams in between, and report what changed
      serve        Watch, with a page and an API for browsers and programs
      probe        Examine one device or stream in depth
      replay       Serve a recorded device on this machine
      export       Convert an earlier report to another format, or to a video system's configuration
      apply        Add the new cameras of a report to the configuration of a video system
      diff         Show what changed from one report to another
      devices      List the devices that are remembered; name, merge, mute and acknowledge them
      history      Show what happened to the devices that are remembered
      store        Back up, check, prune or repair the file that devices are remembered in
      config       Check the configuration, or show the effective settings
      notify       Send messages to the channels of the configuration
      signatures   Check a folder of device signatures
      doctor       Show what is wrong with this installation, and what to do about it
      schema       Print the JSON Schema of the report, or of files of signatures
      completions  Print the completion script for a shell
      man          Print the manual page, or write one per command to a folder
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    General options:
          --config <FILE>        Read this configuration file
      -v, --verbose...           Log progress (-v) or every request (-vv)
      -q, --quiet                Show errors only: no progress, no warnings
          --color <WHEN>         When to use colours [default: auto] [possible values: auto, always,
                                 never]
          --no-progress          Hide the progress line
          --log-format <FORMAT>  Format of the log lines on standard error [default: text] [possible
                                 values: text, json]

    Examples:
      camscan scan                                  the subnets of this machine
      camscan scan 192.168.1.0/24 10.0.5.10-99      these addresses
      camscan scan @sites.txt -o cameras.csv        targets from a file, a spreadsheet out
      camscan probe rtsp://192.168.1.20/stream1     one stream in depth
      camscan export report.json -f csv             an earlier report in another format
    "#);
    insta::assert_snapshot!(env.run("export -h").out, @r#"
    Convert an earlier report to another format, or to a video system's configuration

    Usage: camscan export [OPTIONS] <FILE>

    Arguments:
      <FILE>  The report to convert (JSON, JSON lines or YAML), or - for standard input

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Logins:
      -c, --credential <USER:PASS>   Login of the cameras, for --env-file and --show-secrets. Visible in
                                     `ps`, so prefer a file
          --credentials-file <FILE>  Read logins from this file: one USER:PASS per line, or YAML

    Output:
      -f, --format <FORMAT>         Format of standard output [default: auto] [possible values: table,
                                    json, jsonl, csv, yaml, xml, html, survey, xlsx, m3u, frigate,
                                    go2rtc, mediamtx, homeassistant, motion, viseron, zoneminder,
                                    prometheus]
      -o, --output <[FORMAT:]FILE>  Write the report to this file, in the format of its extension;
                                    repeatable
          --show-secrets            Show passwords in URLs and configurations

    General options:
          --config <FILE>        Read this configuration file
      -v, --verbose...           Log progress (-v) or every request (-vv)
      -q, --quiet                Show errors only: no progress, no warnings
          --color <WHEN>         When to use colours [default: auto] [possible values: auto, always,
                                 never]
          --no-progress          Hide the progress line
          --log-format <FORMAT>  Format of the log lines on standard error [default: text] [possible
                                 values: text, json]

    Examples:
      camscan export report.json -f csv
      camscan export report.json -o survey:survey.html --site 'Depot North' --lang ru
      camscan export report.json -o frigate:config.yml --env-file frigate.env
      camscan export report.json -o motion:/etc/motion/ --show-secrets --credentials-file logins.txt
    "#);
}

#[test]
fn the_long_help_of_a_flag_names_key_variable_and_default() {
    let help = TestEnv::new().run("scan --help").out;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "[key: timeout, variable: CAMSCAN_TIMEOUT, default: 5s]",
        "[key: baseline, variable: CAMSCAN_BASELINE, default: none]",
        "130 interrupted",
        "Passwords are never guessed",
    ] {
        assert!(help.contains(said), "{said}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let env = TestEnv::new();
    let expected = format!("camscan {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["-V", "--version"] {
        assert_eq!(env.run(flag).success().out, expected);
    }
}

#[test]
fn completions_are_there_for_every_shell() {
    let env = TestEnv::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = env.run(&format!("completions {shell}")).success();
        for word in ["camscan", "probe", "max-login-failures"] {
            assert!(run.out.contains(word), "{shell}: {word}");
        }
        assert_eq!(run.err, "");
    }
    assert_eq!(env.run("completions tcsh").code, Some(2));
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let env = TestEnv::new();
    let main = env.run("man").success();
    assert!(main.out.contains(".TH camscan 1") && main.out.contains("EXIT STATUS"), "{}", main.out);
    fs::create_dir(env.path("man1")).unwrap();
    env.run("man man1").success();
    let mut expected: Vec<String> =
        COMMANDS.iter().map(|c| format!("camscan {c}").trim_end().replace(' ', "-") + ".1").collect();
    expected.sort();
    let mut written: Vec<String> = fs::read_dir(env.path("man1"))
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    written.sort();
    assert_eq!(written, expected);
    let missing = env.run("man none");
    assert_eq!(missing.code, Some(1));
    insta::assert_snapshot!(missing.err, @"error: none/camscan.1 cannot be written: No such file or directory");
}

#[test]
fn the_schema_is_a_schema() {
    let env = TestEnv::new();
    let schema = env.run("schema").success().json();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    assert_eq!(schema["properties"]["schema"]["const"], "camscan/1");
}

#[test]
fn the_docs_leave_out_nothing_that_can_be_asked_for() {
    let docs = [include_str!("../../docs/usage.md"), include_str!("../../docs/report.md")].concat();
    for command in
        COMMANDS.iter().filter(|command| !matches!(**command, "" | "config" | "notify" | "signatures" | "store"))
    {
        assert!(docs.contains(&format!("`camscan {command}")), "{command}");
    }
    let help = TestEnv::new().run("scan -h").out.split_whitespace().collect::<Vec<_>>().join(" ");
    for flag in ["--format <FORMAT>", "--fail-on <CONDITION,...>"] {
        let values = help.split(flag).nth(1).unwrap().split("[possible values: ").nth(1).unwrap();
        for value in values.split(']').next().unwrap().split(", ") {
            assert!(docs.contains(&format!("`{value}`")), "{flag} {value}");
        }
    }
    for code in [0, 1, 2, 3, 130] {
        assert!(docs.contains(&format!("| {code} | ")), "{code}");
    }
}
