use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::cli::args;
use crate::cli::config::environment::Environment;
use crate::cli::config::keys;
use crate::export::survey::lang::Lang;
use crate::export::{csv, html, json, survey, table};
use crate::model::options::Ffprobe;
use crate::model::{Credential, Method, ProbeOptions, Verify};

fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Environment::of(variables).with_stdin(std::io::empty())
}

fn resolve(line: &str, environment: &Environment) -> Result<Settings, Problem> {
    let words = ["camscan"].into_iter().chain(line.split_whitespace());
    let cli = args::parse(words).unwrap_or_else(|e| panic!("{line}: {e}"));
    Settings::resolve(&cli, environment)
}

fn settings(line: &str) -> Settings {
    resolve(line, &environment(&[])).unwrap_or_else(|e| panic!("{line}: {e}"))
}

#[test]
fn without_anything_the_defaults_hold() {
    let settings = settings("scan");
    assert_eq!(
        settings.plan.probe,
        ProbeOptions { ports: crate::identify::ports::defaults(), ..ProbeOptions::default() }
    );
    assert!(settings.targets.is_empty() && settings.exclude.is_empty() && settings.plan.interfaces.is_empty());
    assert_eq!(settings.plan.methods, Method::ALL);
    assert_eq!((settings.plan.concurrency, settings.plan.rate, settings.plan.max_duration), (64, None, None));
    assert!(settings.plan.resolve_names && !settings.plan.all && !settings.large_subnets);
    assert_eq!(settings.output.stdout, Some(OutputFormat::Builtin(&table::FORMAT)));
    assert!(settings.warnings.is_empty() && settings.config_file.is_none());
    assert!(settings.effective.iter().all(|e| e.origin == Origin::Default));
}

type Check = fn(&Settings) -> bool;

const LINES: &[(&str, Check)] = &[
    ("scan 10.0.0.0/24 cam1:8554", |s| s.targets.len() == 2),
    ("scan 10.0.0.0/24,10.0.1.0/24", |s| s.targets.len() == 2),
    ("scan 10.0.0.1 10.0.0.1", |s| s.targets.len() == 1),
    ("scan -x 10.0.0.1,10.0.0.4-7", |s| s.exclude.len() == 2),
    ("scan -i eth0 --interface eth1,eth0", |s| s.plan.interfaces == ["eth0", "eth1"]),
    ("scan --methods tcp,arp,tcp", |s| s.plan.methods == [Method::Tcp, Method::Arp]),
    ("scan -p 554,8000-8002,554", |s| s.plan.probe.ports == [554, 8000, 8001, 8002]),
    ("scan -p core", |s| s.plan.probe.ports.first() == Some(&554)),
    ("scan -y --all --no-dns", |s| s.large_subnets && s.plan.all && !s.plan.resolve_names),
    ("scan --timeout 800ms", |s| s.plan.probe.connect_timeout == Duration::from_millis(800)),
    ("scan --timeout 800ms --connect-timeout 2s", |s| s.plan.probe.connect_timeout == Duration::from_secs(2)),
    ("scan --frame-timeout 9s --measure-time 1s", |s| s.plan.probe.frame_timeout == Duration::from_secs(9)),
    ("scan --host-timeout 1m30s --per-host 2", |s| s.plan.probe.host_timeout == Duration::from_secs(90)),
    ("scan --max-age 7h", |s| s.plan.max_age == Some(Duration::from_secs(7 * 3600))),
    ("scan --fresh", |s| s.plan.max_age.is_none()),
    ("scan --max-duration 10m", |s| s.plan.max_duration == Some(Duration::from_secs(600))),
    ("scan -p none", |s| s.plan.probe.ports.is_empty()),
    ("scan -j 8 --rate 500 --retries 0", |s| {
        (s.plan.concurrency, s.plan.rate, s.plan.probe.retries) == (8, Some(500), 0)
    }),
    ("scan --discovery-time 1s", |s| s.plan.discovery_time == Duration::from_secs(1)),
    ("scan --verify describe --ffprobe NEVER", |s| {
        s.plan.probe.verify == Verify::Describe && s.plan.probe.ffprobe == Ffprobe::Never
    }),
    ("scan --max-candidates 5 --max-channels 4", |s| {
        (s.plan.probe.max_candidates, s.plan.probe.max_channels) == (5, 4)
    }),
    ("scan -c admin:a:b -c root:", |s| {
        s.plan.probe.credentials == [Credential::new("admin", "a:b"), Credential::new("root", "")]
    }),
    ("scan --max-login-failures 0", |s| s.plan.probe.max_login_failures == 0),
    ("scan --snapshots shots --signatures more", |s| {
        s.plan.probe.snapshots == Some("shots".into()) && s.signatures == Some("more".into())
    }),
    ("scan --fail-on none-found,error,error", |s| s.fail_on == [FailOn::NoneFound, FailOn::Error]),
    ("scan -f json", |s| s.output.stdout == Some(OutputFormat::Builtin(&json::FORMAT)) && s.output.files.is_empty()),
    ("scan -o a.json", |s| s.output.stdout.is_none()),
    ("scan -o a.json -f csv", |s| s.output.stdout == Some(OutputFormat::Builtin(&csv::FORMAT))),
    ("scan -o a,b.json -o B.CSV", |s| {
        let builtin = OutputFormat::Builtin;
        s.output.files == [("a,b.json".into(), builtin(&json::FORMAT)), ("B.CSV".into(), builtin(&csv::FORMAT))]
    }),
    ("scan --survey --site Depot --lang RU -o out/survey.html -o a.json", |s| {
        let (head, builtin) = (&s.output.survey, OutputFormat::Builtin);
        let files = [("out/survey.html".into(), builtin(&survey::FORMAT)), ("a.json".into(), builtin(&json::FORMAT))];
        (head.site.as_deref(), head.lang) == (Some("Depot"), Lang::Ru)
            && s.output.files == files
            && s.output.stdout.is_none()
            && s.plan.probe.snapshots == Some("out/survey-pictures".into())
    }),
    ("scan --survey", |s| {
        s.output.stdout == Some(OutputFormat::Builtin(&survey::FORMAT))
            && s.plan.probe.snapshots == Some("survey-pictures".into())
    }),
    ("scan --survey --snapshots shots -o html:a.html -o survey:b.html -f table", |s| {
        let [(_, page), (_, document)] = s.output.files.as_slice() else { return false };
        *page == OutputFormat::Builtin(&html::FORMAT)
            && *document == OutputFormat::Builtin(&survey::FORMAT)
            && s.plan.probe.snapshots == Some("shots".into())
    }),
    ("scan --survey --snapshots none -o a.html", |s| s.plan.probe.snapshots.is_none()),
    ("scan -o a.html", |s| s.output.files == [("a.html".into(), OutputFormat::Builtin(&html::FORMAT))]),
    ("scan --csv-bom --csv-delimiter ;", |s| s.output.csv == CsvOptions { bom: true, delimiter: b';' }),
    ("scan --show-secrets", |s| s.output.show_secrets),
    ("scan -vvv", |s| s.log.verbosity == 2 && s.output.verbose),
    ("-q scan", |s| s.terminal.quiet),
    ("scan --color always", |s| s.terminal.color && s.output.color),
    ("scan --log-format json", |s| s.log.format == LogFormat::Json),
    ("probe cam1 rtsp://u:p@cam2/x", |s| s.probe_targets.len() == 2 && s.targets.is_empty()),
    ("probe cam1 --explain", |s| s.output.explain),
    ("probe cam1 -p 8554 -f json", |s| s.plan.probe.ports == [8554]),
    ("export a.json -f csv", |s| s.output.stdout == Some(OutputFormat::Builtin(&csv::FORMAT))),
];

#[test]
fn a_command_line_means() {
    for (line, holds) in LINES {
        let settings = settings(line);
        assert!(holds(&settings), "{line}: {settings:#?}");
    }
}

#[rstest]
#[case("scan --timeout 1s", "2s", "3s", 1, "--timeout")]
#[case("scan", "2s", "3s", 2, "CAMSCAN_TIMEOUT")]
#[case("scan", "", "3s", 3, "camscan.yaml")]
#[case("scan", "", "~", 5, "default")]
fn flag_over_environment_over_file_over_default(
    #[case] line: &str,
    #[case] variable: &str,
    #[case] key: &str,
    #[case] seconds: u64,
    #[case] origin: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("camscan.yaml");
    std::fs::write(&path, format!("timeout: {key}\n")).unwrap();
    let mut environment = environment(&[("CAMSCAN_TIMEOUT", variable)]);
    environment.config_places = vec![folder.path().join("none.yaml"), path];
    let settings = resolve(line, &environment).unwrap();
    assert_eq!(settings.plan.probe.request_timeout, Duration::from_secs(seconds));
    let effective = settings.effective.iter().find(|e| e.key == "timeout").unwrap();
    assert!(effective.origin.to_string().ends_with(origin), "{}", effective.origin);
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    let variables = [
        ("CAMSCAN_TARGETS", "10.0.0.1, 10.0.0.2\n10.0.0.3"),
        ("CAMSCAN_EXCLUDE", "10.0.0.3"),
        ("CAMSCAN_DNS", "no"),
        ("CAMSCAN_OUTPUT", "a.json,b.csv"),
        ("CAMSCAN_RATE", "none"),
        ("CAMSCAN_VERBOSE", "1"),
        ("CAMSCAN_CREDENTIALS", "admin:one\nroot:two"),
        ("CAMSCAN_LOG", "camscan=trace"),
    ];
    let settings = resolve("scan", &environment(&variables)).unwrap();
    assert_eq!(settings.targets.len(), 3);
    assert!(!settings.plan.resolve_names && settings.output.files.len() == 2 && settings.log.verbosity == 1);
    assert_eq!(settings.plan.probe.credentials.len(), 2);
    assert_eq!(settings.log.filter.as_deref(), Some("camscan=trace"));
}

#[test]
fn no_time_at_all_is_taken_where_it_says_something() {
    for none in ["0", "0s", "0ms"] {
        let settings = resolve("watch", &environment(&[("CAMSCAN_JITTER", none)])).unwrap();
        let jitter = settings.effective.iter().find(|e| e.key == "jitter").unwrap();
        assert_eq!(jitter.origin.to_string(), "CAMSCAN_JITTER", "{none}");
    }
    for line in ["watch --jitter=-1s", "scan --timeout 0s", "watch --every 0s", "watch --jitter 1us"] {
        assert!(resolve(line, &environment(&[])).is_err(), "{line}");
    }
}

#[test]
fn logins_of_a_stronger_source_replace_weaker_ones() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("logins.txt");
    std::fs::write(&list, "file:pw\n").unwrap();
    let config = folder.path().join("camscan.yaml");
    std::fs::write(
        &config,
        format!("credentials: [{{user: yaml, password: pw}}]\ncredentials_file: {}", list.display()),
    )
    .unwrap();
    let users = |line: &str, variables: &[(&str, &str)]| {
        let mut environment = environment(variables);
        environment.config_places = vec![config.clone()];
        let settings = resolve(line, &environment).unwrap();
        settings.plan.probe.credentials.into_iter().map(|c| c.user).collect::<Vec<_>>()
    };
    assert_eq!(users("scan", &[]), ["yaml", "file"]);
    assert_eq!(users("scan", &[("CAMSCAN_CREDENTIAL", "env:pw")]), ["env"]);
    assert_eq!(users("scan -c flag:pw", &[("CAMSCAN_CREDENTIAL", "env:pw")]), ["flag"]);
    let line = format!("scan -c flag:pw --credentials-file {}", list.display());
    assert_eq!(users(&line, &[]), ["flag", "file"]);
}

#[test]
fn nonsense_is_caught_before_a_packet_is_sent() {
    let said = |line: &str, variables: &[(&str, &str)]| {
        resolve(line, &environment(variables)).unwrap_err().to_string().replace("\nhint: ", " / ")
    };
    insta::assert_snapshot!(said("scan --timeout 5", &[]), @r#"--timeout: `5` is a duration without a unit / write 5s for seconds, 5ms for milliseconds or 5m for minutes"#);
    insta::assert_snapshot!(said("scan", &[("CAMSCAN_TIMEOUT", "0s")]), @r#"CAMSCAN_TIMEOUT: `0s` is too short / write at least 1ms"#);
    insta::assert_snapshot!(said("scan --concurrency 0", &[]), @r#"--concurrency: `0` is not a whole number from 1 to 4096 / with 0 nothing would ever run"#);
    insta::assert_snapshot!(said("scan --rate fast", &[]), @r#"--rate: `fast` is not a whole number from 1 to 10000000 / `max` sets no limit, `none` keeps the default"#);
    insta::assert_snapshot!(said("scan -p 9100", &[]), @r#"--ports: `9100` includes ports 9100 to 9107, which are never contacted because printers print whatever they receive there"#);
    insta::assert_snapshot!(said("scan -p ,", &[]), @r#"--ports: no port is given / write a port (554) or a set: core, wide, all, none"#);
    insta::assert_snapshot!(said("scan rtsp://u:hunter2@cam1/live", &[]), @r#"TARGET: `rtsp://cam1/live` is a URL, not a target of a scan / use `camscan probe URL` for one device or stream"#);
    insta::assert_snapshot!(said("scan 10.0.0.0/8", &[]), @r#"the targets hold 16777214 addresses, more than the 1048576 of one scan / scan smaller networks, one after the other, or leave some out with --exclude"#);
    insta::assert_snapshot!(said("scan 10.0.0.0/24 -x 10.0.0.0/16", &[]), @r#"the excludes leave no address of the targets / remove an --exclude"#);
    insta::assert_snapshot!(said("scan -x cam1", &[]), @r#"--exclude: `cam1` is a host name, but only addresses can be excluded / write its address"#);
    insta::assert_snapshot!(said("scan -", &[]), @r#"the list of targets is empty / leave the targets out to scan the subnets of this machine"#);
    assert!(said("scan -o report", &[]).starts_with("--output: report has no extension"));
    insta::assert_snapshot!(said("scan -o a.json -o ./a.json", &[]), @r#"--output: ./a.json is written twice"#);
    insta::assert_snapshot!(said("scan --survey -f json", &[]), @r#"--survey: the survey goes nowhere, since standard output has another format / name a file for it: -o survey.html"#);
    insta::assert_snapshot!(said("scan --fail-on new", &[]), @r#"--fail-on: `new` needs an earlier report to compare with / name one: --baseline inventory.json / or compare with what is remembered: --store"#);
    insta::assert_snapshot!(said("scan --baseline none.json", &[]), @r#"--baseline: there is no file none.json / create it first: camscan scan -o 'none.json'"#);
    insta::assert_snapshot!(said("scan -c hunter2", &[]), @r#"--credential: a login lacks the colon between user name and password / write USER:PASS"#);
    insta::assert_snapshot!(said("scan", &[("CAMSCAN_CREDENTIAL", "hunter2")]), @r#"CAMSCAN_CREDENTIAL: a login lacks the colon between user name and password / write USER:PASS"#);
    insta::assert_snapshot!(said("scan", &[("CAMSCAN_CREDENTIALS", "a:b\nhunter2")]), @r#"CAMSCAN_CREDENTIALS:2: a login lacks the colon between user name and password / write USER:PASS"#);
    insta::assert_snapshot!(said("scan", &[("CAMSCAN_QUIET", "1"), ("CAMSCAN_VERBOSE", "1")]), @r#"quiet and verbose contradict each other / set one of them"#);
    insta::assert_snapshot!(said("scan 10.0.0.1 --store s.sqlite", &[]), @r#"`s.sqlite` is no target / to remember in that file: --store=s.sqlite"#);
    insta::assert_snapshot!(said("scan --store /srv/camscan/store.db", &[]), @r#"`/srv/camscan/store.db` is no target / to remember in that file: --store=/srv/camscan/store.db"#);
    insta::assert_snapshot!(said("scan --config none.yaml", &[]), @r#"--config: there is no file none.yaml"#);
    insta::assert_snapshot!(said("scan", &[("CAMSCAN_CONFIG", "none.yaml")]), @r#"CAMSCAN_CONFIG: there is no file none.yaml"#);
    insta::assert_snapshot!(said("probe 10.0.0.0/24", &[]), @r#"`10.0.0.0/24` is more than one device / use `camscan scan` for several devices"#);
}

#[test]
fn clap_says_the_rest_and_ends_with_the_right_code() {
    let said = |line: &str| {
        let error = args::parse(["camscan"].into_iter().chain(line.split_whitespace())).err().unwrap();
        (error.use_stderr(), error.to_string().lines().next().unwrap_or_default().to_owned())
    };
    assert_eq!(said("scan --timout 5s"), (true, "error: unexpected argument '--timout' found".to_owned()));
    assert!(said("scan --verify frame").1.contains("invalid value 'frame'"));
    assert!(said("scan -q -v").1.contains("cannot be used with"));
    assert!(!said("scan --help").0 && !said("--version").0);
    assert!(said("").0, "no command is a matter of usage");
}

#[test]
fn a_stronger_source_settles_quiet_or_verbose() {
    let both = environment(&[("CAMSCAN_QUIET", "true")]);
    assert!(!resolve("scan -v", &both).unwrap().terminal.quiet);
    let both = environment(&[("CAMSCAN_VERBOSE", "2")]);
    let settings = resolve("scan -q", &both).unwrap();
    assert!(settings.terminal.quiet && settings.log.verbosity == 0 && !settings.output.verbose);
}

#[test]
fn terminals_decide_colour_progress_and_table() {
    let on = |variables: &[(&str, &str)], line: &str| {
        let mut environment = environment(variables);
        environment.stdout_is_terminal = true;
        environment.stderr_is_terminal = true;
        let settings = resolve(line, &environment).unwrap();
        (settings.output.color, settings.terminal.progress, settings.output.stdout.and_then(|format| format.builtin()))
    };
    assert_eq!(on(&[], "scan"), (true, true, Some(&table::FORMAT)));
    assert_eq!(on(&[("NO_COLOR", "1")], "scan"), (false, true, Some(&table::FORMAT)));
    assert_eq!(on(&[("NO_COLOR", "1")], "scan --color always"), (true, true, Some(&table::FORMAT)));
    assert_eq!(on(&[("TERM", "dumb")], "scan --no-progress"), (false, false, Some(&table::FORMAT)));
    assert_eq!(on(&[], "scan -q -o a.json"), (true, false, Some(&table::FORMAT)));
}

#[test]
fn no_password_is_shown() {
    let settings = settings("scan -c admin:hunter2 10.0.0.1");
    assert!(!format!("{settings:?}").contains("hunter2"));
    let shown = settings.effective.iter().find(|e| e.key == "credentials").unwrap();
    assert_eq!(shown.value, serde_json::json!([{ "user": "admin", "password": "***" }]));
}

#[test]
fn a_misspelt_variable_is_pointed_out() {
    let settings = resolve("scan", &environment(&[("CAMSCAN_TIMOUT", "3s"), ("CAMSCAN_HOME", "/x")])).unwrap();
    assert_eq!(settings.warnings.len(), 1);
    assert_eq!(
        settings.warnings[0].to_string(),
        "the variable CAMSCAN_TIMOUT has no effect\nhint: did you mean `CAMSCAN_TIMEOUT`?"
    );
}

#[test]
fn every_key_has_a_flag_with_its_name_in_the_help() {
    let command = args::command();
    let mut commands = vec![command.find_subcommand("store").unwrap().find_subcommand("prune").unwrap()];
    commands.extend(["scan", "watch", "serve", "probe"].map(|name| command.find_subcommand(name).unwrap()));
    for key in keys::ALL {
        let mut all = commands.iter().flat_map(|c| c.get_arguments()).chain(command.get_arguments());
        let arg = all.find(|arg| arg.get_id() == key.name());
        let arg = arg.unwrap_or_else(|| panic!("{} has no flag", key.name()));
        let help = arg.get_long_help().unwrap().to_string();
        assert!(help.contains(&key.variable()), "{help}");
    }
    args::command().debug_assert();
}

#[test]
fn a_configured_output_is_for_scans_alone() {
    let variables = environment(&[("CAMSCAN_OUTPUT", "inventory.json")]);
    let files = |line: &str| resolve(line, &variables).unwrap().output.files.len();
    assert_eq!(["scan", "probe cam1", "export a.json", "probe cam1 -o b.json"].map(files), [1, 0, 0, 1]);
}

#[cfg(unix)]
#[test]
fn only_files_with_passwords_are_to_be_kept_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("camscan.yaml");
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    };
    let warnings = |text: &str| {
        write(&config, text);
        let mut environment = environment(&[("CAMERA", "hunter2")]);
        environment.config_places = vec![config.clone()];
        resolve("scan", &environment).unwrap().warnings.len()
    };
    write(&folder.path().join("logins.txt"), "admin:hunter2\n");
    write(&folder.path().join("logins.yaml"), "- {user: admin, password_env: CAMERA}\n");
    assert_eq!(warnings("credentials: [{user: admin, password: hunter2}]"), 1);
    assert_eq!(warnings("credentials: [{user: admin, password_env: CAMERA}]"), 0);
    assert_eq!(warnings("credentials_file: logins.txt"), 1, "found beside the configuration");
    assert_eq!(warnings("credentials_file: logins.yaml"), 0);
}

#[test]
fn what_may_be_scanned_beside_the_targets_is_read_as_targets_are() {
    let of = |value: &str| resolve("serve 192.0.2.0/24", &environment(&[("CAMSCAN_ALLOW_TARGETS", value)]));
    let settings = of("198.51.100.0/24,2001:db8::/120,cam.example").unwrap();
    let read: Vec<String> = settings.serve.allow_targets.iter().map(ToString::to_string).collect();
    assert_eq!(read, ["198.51.100.0/24", "2001:db8::/120", "cam.example"]);
    assert_eq!(settings.targets.len(), 1, "nothing of it is scanned by itself");
    assert!(of("198.51.100.0/33").unwrap_err().to_string().contains("198.51.100.0/33"));
    assert!(of("").unwrap().serve.allow_targets.is_empty());
}
