use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::cli::config::layer::Layer;
use crate::model::Credential;

fn environment() -> Environment {
    Environment::of([("CAMERA_PASSWORD".to_owned(), "hunter2".to_owned())].into())
}

fn read_text(text: &str) -> Result<Layer, Problem> {
    parse(text, Path::new("camscan.yaml"), &environment())
}

fn logins(text: &str) -> Vec<Credential> {
    read_text(text).unwrap().logins.unwrap().logins
}

const EXAMPLE: &str = include_str!("../../../../config.example.yaml");

#[test]
fn the_example_holds_every_key_with_its_default() {
    let mut example = read_text(EXAMPLE).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(example.logins.take().unwrap().logins, []);
    let defaults = Layer::defaults();
    for key in keys::ALL {
        let given = example.given(key.name()).unwrap_or_else(|| panic!("{} is missing", key.name()));
        assert_eq!(given.values, defaults.given(key.name()).unwrap().values, "{}", key.name());
    }
}

#[test]
fn the_example_says_why_above_every_key() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    for key in keys::ALL {
        let at = lines.iter().position(|line| line.starts_with(&format!("{}:", key.name()))).unwrap();
        let above = lines[..at].iter().rev().find(|line| !line.contains(": ") || line.starts_with('#')).unwrap();
        assert!(above.starts_with("# "), "{}", key.name());
    }
}

#[test]
fn the_logins_of_the_example_can_be_used() {
    let commented: String = EXAMPLE
        .lines()
        .skip_while(|line| *line != "# credentials:")
        .take_while(|line| line.starts_with('#'))
        .map(|line| line[2..].to_owned() + "\n")
        .filter(|line| !line.contains("password_file"))
        .collect();
    let commented = commented.replacen("network: 10.0.5.0/24", "network: 10.0.5.0/24\n    password: x", 1);
    let read = logins(&commented);
    assert_eq!(read.len(), 3);
    assert_eq!(read[0].password.expose(), "hunter2");
    assert_eq!(read[2].scope.mac_prefix.as_deref(), Some("accc8e"));
}

#[test]
fn values_are_read_as_they_are_written() {
    let layer =
        read_text("ports: 554, 8000-8010\nretries: 0\ndns: no\nrate: 1000\nexclude:\ninterface: [eth0, 7]").unwrap();
    let values = |name| layer.given(name).map(|given| given.values.clone());
    assert_eq!(values("ports").unwrap(), ["554", "8000-8010"]);
    assert_eq!((values("dns").unwrap(), values("rate").unwrap()), (vec!["no".into()], vec!["1000".into()]));
    assert_eq!(values("interface").unwrap(), ["eth0", "7"]);
    assert_eq!((values("exclude"), values("verify")), (None, None));
    assert_eq!(read_text("# nothing\n").unwrap(), Layer::default());
}

#[test]
fn passwords_keep_every_character() {
    for (written, password) in [
        ("012345", "012345"),
        ("1.10", "1.10"),
        ("1e3", "1e3"),
        ("yes", "yes"),
        ("~", "~"),
        ("", ""),
        ("'a # b: c'", "a # b: c"),
        ("\"tab\\u00e9\"", "tabé"),
    ] {
        let text = format!("credentials:\n  - user: admin\n    password: {written}\n");
        assert_eq!(logins(&text)[0].password.expose(), password, "{written}");
    }
}

#[test]
fn a_password_file_is_found_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "hunter2\r\n").unwrap();
    let text = "credentials: [{user: admin, password_file: secret, network: 10.0.0.0/8, vendor: Axis}]";
    let layer = parse(text, &folder.path().join("camscan.yaml"), &environment()).unwrap();
    let login = &layer.logins.unwrap().logins[0];
    assert_eq!(login.password.expose(), "hunter2");
    assert!(login.scope.covers("10.1.1.1".parse().unwrap(), Some("axis"), None));
}

#[test]
fn a_file_of_logins_is_text_or_yaml() {
    let folder = tempfile::tempdir().unwrap();
    let (text, yaml) = (folder.path().join("logins"), folder.path().join("logins.yml"));
    std::fs::write(&text, "admin:hunter2\n").unwrap();
    std::fs::write(&yaml, "- {user: admin, password: hunter2}\n").unwrap();
    assert_eq!(read_logins(&text, &environment()).unwrap().logins, read_logins(&yaml, &environment()).unwrap().logins);
}

#[test]
fn mistakes_are_told_by_line_and_column() {
    let said = |text: &str| read_text(text).unwrap_err().to_string().replace("\nhint: ", " / ");
    insta::assert_snapshot!(said("retries: 1\ntimout: 5s\n"), @r#"camscan.yaml:2:1: unknown key `timout` / did you mean `timeout`? / all keys are listed in config.example.yaml and by `camscan config show`"#);
    insta::assert_snapshot!(said("max-duration: 5m"), @r#"camscan.yaml:1:1: unknown key `max-duration` / did you mean `max_duration`? / all keys are listed in config.example.yaml and by `camscan config show`"#);
    insta::assert_snapshot!(said("nonsense: 1"), @r#"camscan.yaml:1:1: unknown key `nonsense` / all keys are listed in config.example.yaml and by `camscan config show`"#);
    insta::assert_snapshot!(said("dns: true\ntimeout: 5\n"), @r#"camscan.yaml:2:10: timeout: `5` is a duration without a unit / write 5s for seconds, 5ms for milliseconds or 5m for minutes"#);
    insta::assert_snapshot!(said("timeout: 5s\n\ntimeout: 6s\n"), @r#"camscan.yaml:3:1: the key `timeout` is given twice"#);
    insta::assert_snapshot!(said("timeout: [5s]"), @r#"camscan.yaml:1:10: timeout: expected one value"#);
    insta::assert_snapshot!(said("timeout: {a: 5s}"), @r#"camscan.yaml:1:10: timeout: expected one value"#);
    insta::assert_snapshot!(said("ports:\n  - 554\n  - 9100\n"), @r#"camscan.yaml:3:5: ports: `9100` includes ports 9100 to 9107, which are never contacted because printers print whatever they receive there"#);
    insta::assert_snapshot!(said("ports: [554, [80]]"), @r#"camscan.yaml:1:14: ports: expected one value"#);
    insta::assert_snapshot!(said("ports: 5.5"), @r#"camscan.yaml:1:8: ports: this reads as a number with a fraction / put it in quotes"#);
    insta::assert_snapshot!(said("targets: [10.0.0.0/24, 10.0.0.300]"), @r#"camscan.yaml:1:24: targets: `10.0.0.300` is not an IPv4 address / write an address (192.168.1.20), a network (192.168.1.0/24), a range (192.168.1.10-20) or a host name"#);
    insta::assert_snapshot!(said("methods: [arp, onvfi]"), @r#"camscan.yaml:1:16: methods: `onvfi` is not a discovery method / did you mean `onvif`? / choose one of arp, onvif, ssdp, mdns, beacon, icmp, tcp"#);
    insta::assert_snapshot!(said("verify: frame"), @r#"camscan.yaml:1:9: verify: `frame` is not a verify level / did you mean `frames`? / choose one of none, describe, frames"#);
    insta::assert_snapshot!(said("- timeout"), @r#"camscan.yaml:1:1: expected lines of `key: value`"#);
    insta::assert_snapshot!(said("just text"), @r#"camscan.yaml:1:1: expected lines of `key: value`"#);
    insta::assert_snapshot!(said("timeout: 'open"), @r#"camscan.yaml:1:15: this is not valid YAML: found unexpected end of stream"#);
    insta::assert_snapshot!(said("timeout: 5s\n\tretries: 1"), @r#"camscan.yaml:2:1: this is not valid YAML: found a tab character that violates indentation"#);
    insta::assert_snapshot!(said("a: 1\n---\nb: 2"), @r#"camscan.yaml: this is not valid YAML: deserializing from YAML containing more than one document is not supported"#);
    insta::assert_snapshot!(said("[1]: 2"), @r#"camscan.yaml:1:1: expected lines of `key: value`"#);
    insta::assert_snapshot!(said(&format!("targets: {}", "[".repeat(1000))), @r#"camscan.yaml:1: this is not valid YAML: it nests lists and maps too deep"#);
}

#[test]
fn mistakes_in_logins_are_told_without_showing_them() {
    let said = |text: &str| {
        let said = read_text(text).unwrap_err().to_string().replace("\nhint: ", " / ");
        assert!(!said.contains("hunter2"), "{said}");
        said
    };
    insta::assert_snapshot!(said("credentials: admin:hunter2"), @r#"camscan.yaml:1:14: credentials: expected a list of logins, each with `user:` and `password:`"#);
    insta::assert_snapshot!(said("credentials:\n  - admin:hunter2"), @r#"camscan.yaml:2:5: credentials: expected a login with `user:` and `password:`"#);
    insta::assert_snapshot!(said("credentials:\n  - user: admin\n    password: [hunter2]"), @r#"camscan.yaml:3:15: credentials: expected one value"#);
    insta::assert_snapshot!(said("credentials:\n  - user: admin\n    pasword: hunter2"), @r#"camscan.yaml:3:5: unknown key `pasword` / did you mean `password`? / keys of a login are user, password, password_env, password_file, network, vendor, mac, trust, basic, login_in_path"#);
    insta::assert_snapshot!(said("credentials:\n  - user: admin\n    password: \"hunter2\\a\""), @r#"camscan.yaml:3:15: password: a user name or password holds a control character"#);
    insta::assert_snapshot!(said("credentials:\n  - password: hunter2"), @r#"camscan.yaml:2:5: credentials: a login lacks its `user:`"#);
    insta::assert_snapshot!(said("credentials:\n  - user: admin"), @r#"camscan.yaml:2:5: credentials: a login lacks its password / give one of password, password_env and password_file"#);
    insta::assert_snapshot!(said("credentials:\n  - {user: admin, password: hunter2, password_env: CAMERA_PASSWORD}"), @r#"camscan.yaml:2:5: credentials: a login has more than one password / give one of password, password_env and password_file"#);
    insta::assert_snapshot!(said("credentials:\n  - user: admin\n    password_env: hunter2"), @r#"camscan.yaml:3:19: password_env: there is no such environment variable, or it is empty / name the variable that holds the password"#);
    insta::assert_snapshot!(said("credentials:\n  - user: admin\n    password_file: hunter2"), @r#"camscan.yaml:3:20: password_file: the password file cannot be read, is larger than 4096 bytes or is not text / name a file that holds the password alone; relative paths count from this file's folder"#);
    insta::assert_snapshot!(said("credentials:\n  - {user: a, password: hunter2, network: 10.0.0.0/64}"), @r#"camscan.yaml:2:43: network: `10.0.0.0/64` is not a network / write 192.168.1.0/24 or an address"#);
    insta::assert_snapshot!(said("credentials:\n  - {user: a, password: hunter2, mac: 44:19}\n  - x"), @r#"camscan.yaml:3:5: credentials: expected a login with `user:` and `password:`"#);
    insta::assert_snapshot!(said("credentials: !!binary hunter2"), @r#"camscan.yaml:1:14: credentials: expected a list of logins, each with `user:` and `password:`"#);
    insta::assert_snapshot!(said("credentials: [{user: a, password: 'hunter2"), @r#"camscan.yaml:1:43: this is not valid YAML: found unexpected end of stream"#);
    insta::assert_snapshot!(said("password: hunter2"), @r#"camscan.yaml:1:1: unknown key `password` / all keys are listed in config.example.yaml and by `camscan config show`"#);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_pointed_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = tempfile::NamedTempFile::new().unwrap();
    let set = |mode| std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    set(0o644);
    assert!(readable_by_others(file.path()).unwrap().to_string().contains("hint: chmod 600"));
    set(0o640);
    assert_eq!(readable_by_others(file.path()), None);
}

proptest! {
    #[test]
    fn no_file_panics(text in "(?s)\\PC{0,80}|([a-z_]{1,12}: ?[\\[{]?[0-9a-z, :&*!|>-]{0,12}[\\]}]?\n){0,6}") {
        let _ = read_text(&text);
    }

    #[test]
    fn no_password_is_ever_shown(
        before in "[a-z: \\[\\]{}\n'\"-]{0,20}",
        after in "[a-z: \\[\\]{}\n'\"-]{0,20}",
        key in prop::sample::select(vec!["password", "password_file", "password_env", "credentials", "user"]),
    ) {
        let text = format!("{before}\ncredentials:\n  - user: a\n    {key}: HUNTER2{after}");
        if let Err(problem) = read_text(&text) {
            prop_assert!(!problem.to_string().contains("HUNTER2"), "{}", problem);
        }
    }
}

#[test]
fn what_a_login_may_do_is_read_and_checked() {
    let login = |more: &str| format!("credentials:\n  - user: admin\n    password: x\n{more}");
    let all = "    vendor: Axis\n    trust: announced\n    basic: allow\n    login_in_path: allow\n";
    let read = logins(&login(all)).remove(0);
    assert!(read.scope.trust_announced && read.allow_basic && read.allow_in_path);
    let usual = "    trust: link\n    basic: no-digest\n    login_in_path: demanded\n";
    assert_eq!(logins(&login(usual)), [Credential::new("admin", "x")]);
    let wrong = read_text(&login("    basic: sometimes\n")).unwrap_err().to_string();
    assert!(wrong.contains("camscan.yaml:4:") && wrong.contains("allow or no-digest"), "{wrong}");
}
