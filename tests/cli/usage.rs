//! What is wrong with a command line, a variable or a configuration file is said before anything is sent, in one
//! sentence with a hint, and ends with code 2.

use std::process::Stdio;

use crate::env::{QUICK, TestEnv};

/// What each command line is answered with; all end with code 2 and print nothing to standard output.
#[track_caller]
fn refused(env: &TestEnv, lines: &[&str]) -> String {
    let mut said = String::new();
    for line in lines {
        let run = env.run(line);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{line}: {}", run.err);
        said += &format!("$ camscan {line}\n{}\n", run.err.trim_end());
    }
    said
}

#[test]
fn wrong_commands_and_flags() {
    let said = refused(
        &TestEnv::new(),
        &[
            "scna",
            "scan --timout 5s",
            "scan 127.88.0.1 --verify frame",
            "scan -q -v",
            "probe",
            "completions",
            "scan -f",
        ],
    );
    insta::assert_snapshot!(said, @r#"
    $ camscan scna
    error: unrecognized subcommand 'scna'

      tip: some similar subcommands exist: 'schema', 'scan'

    Usage: camscan [OPTIONS] <COMMAND>

    For more information, try '--help'.
    $ camscan scan --timout 5s
    error: unexpected argument '--timout' found

      tip: a similar argument exists: '--timeout'

    Usage: camscan scan --timeout <TIME> [TARGET]...

    For more information, try '--help'.
    $ camscan scan 127.88.0.1 --verify frame
    error: invalid value 'frame' for '--verify <LEVEL>'
      [possible values: none, describe, frames]

      tip: a similar value exists: 'frames'

    For more information, try '--help'.
    $ camscan scan -q -v
    error: the argument '--quiet' cannot be used with '--verbose...'

    Usage: camscan scan --quiet [TARGET]...

    For more information, try '--help'.
    $ camscan probe
    error: the following required arguments were not provided:
      <URL|HOST>...

    Usage: camscan probe <URL|HOST>...

    For more information, try '--help'.
    $ camscan completions
    error: the following required arguments were not provided:
      <SHELL>

    Usage: camscan completions <SHELL>

    For more information, try '--help'.
    $ camscan scan -f
    error: a value is required for '--format <FORMAT>' but none was supplied
      [possible values: table, json, jsonl, csv, yaml, xml, html, survey, xlsx, m3u, frigate, go2rtc, mediamtx, homeassistant, motion, viseron, zoneminder, prometheus]

    For more information, try '--help'.
    "#);
}

#[test]
fn nothing_at_all_shows_the_help() {
    let run = TestEnv::new().run("");
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    assert!(run.err.contains("Usage: camscan"));
}

/// `camscan scan "$NET"` in a script where NET is not set.
#[test]
fn nothing_in_place_of_a_target_is_refused() {
    let env = TestEnv::new();
    let mut said = String::new();
    for (arguments, variable) in [
        (&["scan", ""][..], ""),
        (&["scan", " "], ""),
        (&["scan", ","], ""),
        (&["scan", "127.88.0.1", ""], ""),
        (&["scan", "127.88.0.1", "--exclude", ""], ""),
        (&["scan", "127.88.0.1", "-i", " , "], ""),
        (&["scan"], " "),
        (&["scan"], ","),
        (&["probe", ""], ""),
        (&["probe", "127.88.0.1", " "], ""),
    ] {
        let mut command = env.command(arguments);
        let run = env.end(command.env("CAMSCAN_TARGETS", variable));
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{arguments:?}: {}", run.err);
        if !said.contains(&run.err) {
            said += &run.err;
        }
    }
    insta::assert_snapshot!(said, @r#"
    error: TARGET: the value is empty
    hint: in a script, check that the variable is set
    hint: leave the targets out to scan the subnets of this machine
    error: --exclude: the value is empty
    hint: in a script, check that the variable is set
    hint: leave it out to exclude nothing
    error: --interface: the value is empty
    hint: in a script, check that the variable is set
    hint: leave it out to use all interfaces
    error: the list of targets is empty
    hint: leave the targets out to scan the subnets of this machine
    error: URL|HOST: the value is empty
    hint: in a script, check that the variable is set
    hint: name a device (192.168.1.20) or a stream (rtsp://192.168.1.20/stream1)
    "#);
}

/// A changed password is another one, and trying it may lock the device.
#[test]
fn a_variable_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let env = TestEnv::new();
    env.write("logins.yaml", "- user: viewer\n  password_env: CAMERA_PASSWORD\n");
    let mut said = String::new();
    for name in ["CAMSCAN_CREDENTIAL", "CAMSCAN_CREDENTIALS", "CAMSCAN_PORTS", "CAMSCAN_LOG", "CAMERA_PASSWORD"] {
        let mut command = env.command(&["scan", "127.88.0.1", "--credentials-file", "logins.yaml"]);
        let value = std::ffi::OsStr::from_bytes(b"viewer:p\xe4ss");
        let run = env.end(command.env(name, value));
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{name}: {}", run.err);
        assert!(!run.err.contains("viewer:"), "{}", run.err);
        said += &run.err;
    }
    insta::assert_snapshot!(said, @r#"
    error: the variable CAMSCAN_CREDENTIAL is not valid UTF-8
    hint: write it in UTF-8, as terminals and editors do, or put it into a file
    error: the variable CAMSCAN_CREDENTIALS is not valid UTF-8
    hint: write it in UTF-8, as terminals and editors do, or put it into a file
    error: the variable CAMSCAN_PORTS is not valid UTF-8
    hint: write it in UTF-8, as terminals and editors do, or put it into a file
    error: the variable CAMSCAN_LOG is not valid UTF-8
    hint: write it in UTF-8, as terminals and editors do, or put it into a file
    error: --credentials-file: logins.yaml:2:17: password_env: the variable CAMERA_PASSWORD is not valid UTF-8
    hint: write it in UTF-8, as terminals and editors do, or put it into a file
    "#);
}

#[test]
fn wrong_values() {
    let said = refused(
        &TestEnv::new(),
        &[
            "scan 127.88.0.1 --timeout 5",
            "scan 127.88.0.1 --timeout 0s",
            "scan 127.88.0.1 -j 0",
            "scan 127.88.0.1 -p 70000",
            "scan 127.88.0.1 -p 9000-9200",
            "scan 127.88.0.1 --csv-delimiter ab",
            "scan 127.88.0.1 -i eth77 -i lo",
            "scan 127.88.0.1 --fail-on new",
        ],
    );
    let said = said.split("the interfaces that are up").next().unwrap().to_owned();
    insta::assert_snapshot!(said, @r#"
    $ camscan scan 127.88.0.1 --timeout 5
    error: --timeout: `5` is a duration without a unit
    hint: write 5s for seconds, 5ms for milliseconds or 5m for minutes
    $ camscan scan 127.88.0.1 --timeout 0s
    error: --timeout: `0s` is too short
    hint: write at least 1ms
    $ camscan scan 127.88.0.1 -j 0
    error: --concurrency: `0` is not a whole number from 1 to 4096
    hint: with 0 nothing would ever run
    $ camscan scan 127.88.0.1 -p 70000
    error: --ports: `70000` is not a port, port range or port set
    hint: write a port (554), a range (8000-8100) or a set: core, wide, all, none
    $ camscan scan 127.88.0.1 -p 9000-9200
    error: --ports: `9000-9200` includes ports 9100 to 9107, which are never contacted because printers print whatever they receive there
    hint: write 9000-9099,9108-9200
    $ camscan scan 127.88.0.1 --csv-delimiter ab
    error: --csv-delimiter: 'ab' cannot separate the cells of a CSV file
    hint: use one of , ; | or tab
    $ camscan scan 127.88.0.1 -i eth77 -i lo
    error: there is no interface 'eth77' that is up
    hint:
    "#);
}

#[test]
fn targets_that_are_none() {
    let env = TestEnv::new();
    env.write("list.txt", "127.88.0.1\n\n127.88.0.999\n");
    env.write("empty.txt", "# nothing yet\n");
    let said = refused(
        &env,
        &[
            "scan 127.88.0.300",
            "scan 127.88.0.0/33",
            "scan 127.88.0.9-3",
            "scan 127.88.0.1:0",
            "scan http://127.88.0.1/",
            "scan @list.txt",
            "scan @empty.txt",
            "scan @none.txt",
            "probe 127.88.0.0/30",
            "probe ftp://127.88.0.1/",
        ],
    );
    insta::assert_snapshot!(said, @r#"
    $ camscan scan 127.88.0.300
    error: TARGET: `127.88.0.300` is not an IPv4 address
    hint: write an address (192.168.1.20), a network (192.168.1.0/24), a range (192.168.1.10-20) or a host name
    $ camscan scan 127.88.0.0/33
    error: TARGET: `127.88.0.0/33` is not a network
    hint: write the address and the length of its prefix, such as 192.168.1.0/24
    $ camscan scan 127.88.0.9-3
    error: TARGET: `127.88.0.9-3` ends before it begins
    hint: write 127.88.0.3-127.88.0.9
    $ camscan scan 127.88.0.1:0
    error: TARGET: `0` is not a port
    hint: ports are numbers from 1 to 65535
    $ camscan scan http://127.88.0.1/
    error: TARGET: `http://127.88.0.1/` is a URL, not a target of a scan
    hint: use `camscan probe URL` for one device or stream
    $ camscan scan @list.txt
    error: list.txt:3: `127.88.0.999` is not an IPv4 address
    hint: write an address (192.168.1.20), a network (192.168.1.0/24), a range (192.168.1.10-20) or a host name
    $ camscan scan @empty.txt
    error: the list of targets is empty
    hint: leave the targets out to scan the subnets of this machine
    $ camscan scan @none.txt
    error: none.txt cannot be read: no such file or directory
    hint: check the spelling and the folder you are in
    $ camscan probe 127.88.0.0/30
    error: `127.88.0.0/30` is more than one device
    hint: use `camscan scan` for several devices
    $ camscan probe ftp://127.88.0.1/
    error: `ftp://127.88.0.1/` has a scheme that cannot be probed
    hint: schemes are rtsp, rtsps, rtmp, rtmps, http, https
    "#);
}

#[test]
fn enormous_and_overlapping_targets() {
    let said = refused(
        &TestEnv::new(),
        &[
            "scan 10.0.0.0/8",
            "scan 2001:db8::/64",
            "scan 127.88.0.0/24 127.88.0.128/25",
            "scan 127.88.0.0/30 -x 127.88.0.0/24",
            "scan 127.88.0.1 -x cam1",
            "scan 127.88.0.1 -x 127.88.0.1:80",
        ],
    );
    insta::assert_snapshot!(said, @r#"
    $ camscan scan 10.0.0.0/8
    error: the targets hold 16777214 addresses, more than the 1048576 of one scan
    hint: scan smaller networks, one after the other, or leave some out with --exclude
    $ camscan scan 2001:db8::/64
    error: the IPv6 network 2001:db8::/64 has too many addresses to scan one by one
    hint: write a prefix of /120 or longer, or single addresses
    hint: IPv6 cameras on a local link are found by multicast: name the interface with --interface
    $ camscan scan 127.88.0.0/24 127.88.0.128/25
    error: the targets 127.88.0.0/24 and 127.88.0.128/25 overlap
    hint: write every address once: remove one of them or make them smaller
    $ camscan scan 127.88.0.0/30 -x 127.88.0.0/24
    error: the excludes leave no address of the targets
    hint: remove an --exclude
    $ camscan scan 127.88.0.1 -x cam1
    error: --exclude: `cam1` is a host name, but only addresses can be excluded
    hint: write its address
    $ camscan scan 127.88.0.1 -x 127.88.0.1:80
    error: --exclude: `127.88.0.1:80` has a port, but only whole hosts can be excluded
    hint: leave the port out
    "#);
}

#[test]
fn excludes_may_overlap_each_other_and_leave_the_rest() {
    let env = TestEnv::new();
    let run = env.run(&format!(
        "scan 127.88.0.0/29 -x 127.88.0.2-127.88.0.4 -x 127.88.0.3 -x 127.88.0.4/30 -p 1 {QUICK} -f json"
    ));
    assert_eq!(run.success().json()["scan"]["addresses"], 1);
}

#[test]
fn wrong_keys_and_values_in_the_configuration_file() {
    let env = TestEnv::new();
    let mut said = String::new();
    for text in [
        "timeout: 5s\nretires: 2\n",
        "timeout: 5\n",
        "ports: [554, rtsp]\n",
        "methods: tpc\n",
        "timeout: 5s\ntimeout: 6s\n",
        "credentials:\n  - user: admin\n    pasword: x\n",
        "targets: [10.0.0.0/8]\n",
        "verbose: 1\nquiet: true\n",
        "- a\n- b\n",
        "timeout: [5s\n",
    ] {
        env.write("camscan.yaml", text);
        for command in ["config check", "scan 127.88.0.1 --methods tcp"] {
            let run = env.run(command);
            // A target on the command line replaces that of the file.
            if text.starts_with("targets") && command.starts_with("scan") {
                continue;
            }
            assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{text}: {}", run.err);
            if command == "config check" {
                said += &format!("--- {}\n{}", text.trim_end().replace('\n', " | "), run.err);
            }
        }
    }
    insta::assert_snapshot!(said, @r#"
    --- timeout: 5s | retires: 2
    error: camscan.yaml:2:1: unknown key `retires`
    hint: did you mean `retries`?
    hint: all keys are listed in config.example.yaml and by `camscan config show`
    --- timeout: 5
    error: camscan.yaml:1:10: timeout: `5` is a duration without a unit
    hint: write 5s for seconds, 5ms for milliseconds or 5m for minutes
    --- ports: [554, rtsp]
    error: camscan.yaml:1:14: ports: `rtsp` is not a port, port range or port set
    hint: write a port (554), a range (8000-8100) or a set: core, wide, all, none
    --- methods: tpc
    error: camscan.yaml:1:10: methods: `tpc` is not a discovery method
    hint: did you mean `tcp`?
    hint: choose one of arp, onvif, ssdp, mdns, beacon, icmp, tcp
    --- timeout: 5s | timeout: 6s
    error: camscan.yaml:2:1: the key `timeout` is given twice
    --- credentials: |   - user: admin |     pasword: x
    error: camscan.yaml:3:5: unknown key `pasword`
    hint: did you mean `password`?
    hint: keys of a login are user, password, password_env, password_file, network, vendor, mac, trust, basic, login_in_path
    --- targets: [10.0.0.0/8]
    error: the targets hold 16777214 addresses, more than the 1048576 of one scan
    hint: scan smaller networks, one after the other, or leave some out with --exclude
    --- verbose: 1 | quiet: true
    error: quiet and verbose contradict each other
    hint: set one of them
    --- - a | - b
    error: camscan.yaml:1:1: expected lines of `key: value`
    --- timeout: [5s
    error: camscan.yaml:2:1: this is not valid YAML: did not find expected ',' or ']'
    "#);
}

#[test]
fn wrong_variables() {
    let env = TestEnv::new();
    let mut said = String::new();
    for (name, value) in [
        ("CAMSCAN_TIMEOUT", "soon"),
        ("CAMSCAN_FAIL_ON", "nwe"),
        ("CAMSCAN_CREDENTIAL", "hunter2"),
        ("CAMSCAN_CONFIG", "none.yaml"),
        ("CAMSCAN_LOG", "camscan=loud"),
    ] {
        let run = env.end(env.command(&["config", "check"]).env(name, value));
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{name}: {}", run.err);
        said += &run.err;
    }
    insta::assert_snapshot!(said, @r#"
    error: CAMSCAN_TIMEOUT: `soon` is not a duration
    hint: write a number and its unit, such as 500ms, 2s, 1m30s or 1h
    error: CAMSCAN_FAIL_ON: `nwe` is not a condition for --fail-on
    hint: did you mean `new`?
    hint: choose one of new, offline, gone, moved, replaced, changed, broken, open, none-found, auth-required, not-streaming, no-data, unactivated, address-conflict, error
    error: CAMSCAN_CREDENTIAL: a login lacks the colon between user name and password
    hint: write USER:PASS
    error: CAMSCAN_CONFIG: there is no file none.yaml
    error: CAMSCAN_LOG: `camscan=loud` is not a log filter: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
    hint: write a level (debug) or levels of modules (camscan::net=trace,retina=info)
    "#);
    // What is nearly a variable is told, and stops nothing.
    let run = env.end(env.command(&["config", "check"]).env("CAMSCAN_TIMOUT", "5s"));
    insta::assert_snapshot!(run.err, @r#"
    warning: the variable CAMSCAN_TIMOUT has no effect
    hint: did you mean `CAMSCAN_TIMEOUT`?
    "#);
    assert_eq!(run.success().out, "there is no configuration file; the environment is valid\n");
}

#[test]
fn targets_come_from_standard_input() {
    let env = TestEnv::new();
    let list = env.write("list.txt", "127.88.0.1 # hall\n127.88.0.2\n");
    let line = format!("scan - -p 1 {QUICK} -f json");
    let mut command = env.command(&line.split_whitespace().collect::<Vec<_>>());
    command.stdin(Stdio::from(std::fs::File::open(list).unwrap()));
    let report = env.end(&mut command).success().json();
    assert_eq!(report["scan"]["targets"], serde_json::json!(["127.88.0.1", "127.88.0.2"]));
}

#[test]
fn flag_beats_variable_beats_file() {
    let env = TestEnv::new();
    env.write("camscan.yaml", "timeout: 3s\nretries: 3\nrate: 300\n");
    let mut command = env.command(&["config", "show", "-f", "json", "--color", "never"]);
    command.env("CAMSCAN_TIMEOUT", "2s").env("CAMSCAN_RETRIES", "2").env("CAMSCAN_COLOR", "always");
    let shown = env.end(&mut command).success().json();
    let of = |key: &str| format!("{} from {}", shown[key]["value"], shown[key]["origin"].as_str().unwrap());
    insta::assert_snapshot!(["color", "timeout", "rate", "ports"].map(of).join("\n"), @r#"
    "never" from --color
    "2s" from CAMSCAN_TIMEOUT
    300 from camscan.yaml
    ["wide"] from default
    "#);
}

#[test]
fn a_configuration_is_found_where_the_manual_says() {
    let env = TestEnv::new();
    env.write(".config/camscan/config.yaml", "rate: 1\n");
    assert!(env.run("config show").success().out.contains("rate: 1\n"));
    env.write("xdg/camscan/config.yaml", "rate: 2\n");
    let mut command = env.command(&["config", "show"]);
    assert!(env.end(command.env("XDG_CONFIG_HOME", env.path("xdg"))).out.contains("rate: 2\n"));
    env.write("camscan.yaml", "rate: 3\n");
    assert!(env.run("config show").out.contains("rate: 3\n"));
    env.write("four.yaml", "rate: 4\n");
    assert!(env.end(env.command(&["config", "show"]).env("CAMSCAN_CONFIG", "four.yaml")).out.contains("rate: 4\n"));
    assert!(env.run("config show --config four.yaml").out.contains("rate: 4\n"));
}

#[test]
fn the_example_configurations_are_ones() {
    let env = TestEnv::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("config.example.yaml")];
    files.extend(std::fs::read_dir(root.join("examples/config")).unwrap().map(|entry| entry.unwrap().path()));
    assert!(files.len() > 3);
    for file in files {
        // What a sample refers to is there.
        env.write("inventory.json", "");
        env.write("logins.txt", "");
        let mut command = env.command(&["config", "check", "--config", file.to_str().unwrap()]);
        let run = env.end(command.env("CAMERA_PASSWORD", "x").env("NVR_PASSWORD", "x"));
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{}", file.display());
    }
}
