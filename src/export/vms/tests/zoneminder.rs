//! ZoneMinder's statements, read as a server reads them, against the columns of its tables.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::export::configuration::sql::quoted;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Text(String),
    Name(String),
    Sign(char),
}

/// The words of a text. Whether a backslash means anything in a string is a mode of the server.
fn words(text: &str, has_escapes: bool) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_of_name = |c: &char| c.is_alphanumeric() || "@_.".contains(*c);
        match c {
            '\'' => {
                let mut value = String::new();
                loop {
                    match rest.next().expect("a string ends") {
                        '\'' if rest.next_if_eq(&'\'').is_none() => break,
                        '\\' if has_escapes => value.extend(rest.next()),
                        c => value.push(c),
                    }
                }
                words.push(Word::Text(value));
            }
            '-' if rest.peek() == Some(&'-') => rest.by_ref().take_while(|c| *c != '\n').for_each(drop),
            c if is_of_name(&c) => {
                let mut name = String::from(c);
                while let Some(c) = rest.next_if(is_of_name) {
                    name.push(c);
                }
                words.push(Word::Name(name));
            }
            c if c.is_whitespace() => {}
            c => words.push(Word::Sign(c)),
        }
    }
    words
}

/// The words between signs that stand in no parentheses.
fn parted(words: &[Word], sign: char) -> Vec<&[Word]> {
    let mut depth = 0;
    let is_end = move |word: &Word| {
        depth += i32::from(*word == Word::Sign('(')) - i32::from(*word == Word::Sign(')'));
        depth == 0 && *word == Word::Sign(sign)
    };
    words.split(is_end).collect()
}

/// What an expression stands for; none is NULL.
fn value(words: &[Word], variables: &BTreeMap<String, String>) -> Option<String> {
    let within = |words: &[Word]| words[2..words.len() - 1].to_vec();
    match words {
        [Word::Text(text)] => Some(text.clone()),
        [Word::Name(name)] if name == "NULL" => None,
        [Word::Name(name)] if name.starts_with('@') => variables.get(&name[1..]).cloned(),
        [Word::Name(name)] => Some(name.clone()),
        [Word::Name(name), Word::Sign('('), ..] if name == "CHAR" => {
            assert_eq!(within(words), ["92", "USING", "utf8mb4"].map(|name| Word::Name(name.to_owned())));
            Some("\\".to_owned())
        }
        [Word::Name(name), Word::Sign('('), ..] if name == "CONCAT" => {
            parted(&within(words), ',').into_iter().map(|part| value(part, variables)).collect()
        }
        other => {
            let next = words_of("COALESCE(MAX(Sequence), 0) + 1");
            assert_eq!(other, next);
            Some("1".to_owned())
        }
    }
}

fn words_of(text: &str) -> Vec<Word> {
    words(text, true)
}

type Monitor = BTreeMap<String, Option<String>>;

/// The monitors that the statements add to an empty table.
pub fn monitors(text: &str, variables: &BTreeMap<String, String>, has_escapes: bool) -> Vec<Monitor> {
    let all = words(text, has_escapes);
    let mut monitors = Vec::new();
    for statement in parted(&all, ';') {
        let name = Word::Name;
        let Some(rest) = statement.strip_prefix(&words_of("INSERT INTO Monitors (")[..]) else { continue };
        let columns = rest.iter().position(|word| *word == Word::Sign(')')).unwrap();
        let select = rest[columns + 1..].strip_prefix(&[name("SELECT".into())][..]).unwrap();
        let from = select.iter().position(|word| *word == name("FROM".into())).unwrap();
        let columns = rest[..columns].iter().filter_map(|word| match word {
            Word::Name(name) => Some(name.clone()),
            _ => None,
        });
        let values = parted(&select[..from], ',').into_iter().map(|words| value(words, variables));
        let monitor: Monitor = columns.zip(values).collect();
        let condition = select[from..].strip_prefix(&words_of("FROM Monitors HAVING COALESCE(SUM(RIGHT(Path,")[..]);
        let [Word::Name(length), Word::Sign(')'), Word::Name(_), Word::Sign('('), places @ ..] = condition.unwrap()
        else {
            panic!("{statement:?}")
        };
        let end = places.iter().position(|word| *word == Word::Name("0".into())).unwrap();
        let places: Vec<String> =
            parted(&places[..end - 3], ',').into_iter().map(|place| value(place, variables).unwrap()).collect();
        let length: usize = length.parse().unwrap();
        if let Some(path) = &monitor["Path"] {
            assert!(places.iter().any(|place| path.ends_with(place)), "{places:?} {path}");
        }
        assert!(places.len() == 2 && places.iter().all(|place| place.chars().count() == length), "{places:?}");
        monitors.push(monitor);
    }
    monitors
}

/// Every value fits its column in each version, whatever the server makes of a backslash.
pub fn check_zoneminder(configuration: &Configuration) {
    let text = &configuration.files[0].1;
    let variables = configuration.variables.iter();
    let variables =
        variables.map(|v| (v.name.clone(), v.value.as_ref().map_or("", |v| v.expose()).to_owned())).collect();
    let monitors = [true, false].map(|has_escapes| monitors(text, &variables, has_escapes));
    assert_eq!(monitors[0], monitors[1]);
    let facts: Value =
        serde_json::from_str(include_str!("../../../../tests/data/vms/zoneminder-monitors.columns.json")).unwrap();
    assert_eq!(facts.as_object().unwrap().len(), 2);
    for columns in facts.as_object().unwrap().values() {
        for (column, value) in monitors[0].iter().flatten() {
            let wanted = columns[column].as_str().unwrap_or_else(|| panic!("no column {column}"));
            let Some(value) = value else {
                assert!(!wanted.ends_with("not null"), "{column} is NULL");
                continue;
            };
            let (kind, rest) = wanted.split_once('(').unwrap();
            let within = rest.split_once(')').unwrap().0;
            let is_right = match kind {
                "varchar" => value.chars().count() <= within.parse().unwrap(),
                "enum" => within.split(',').any(|one| one.trim_matches('\'') == value),
                "smallint" => value.parse::<u16>().is_ok(),
                "tinyint" => value.parse::<u8>().is_ok_and(|n| n < 128),
                other => panic!("{other} is not known"),
            };
            assert!(is_right, "{column}: {value} is no {wanted}");
        }
    }
}

fn only(device: Device, login: Option<(&str, &str)>, shown: bool) -> Monitor {
    let of = |_: &Device| login.map(|(user, password)| Credential::new(user, password));
    let configuration = configure(ZONEMINDER, &sample::report_of(vec![device]), &Logins { of: &of, shown });
    check_zoneminder(&configuration);
    let set =
        configuration.variables.iter().filter_map(|v| Some((v.name.clone(), v.value.clone()?.expose().to_owned())));
    let [monitor] = monitors(&configuration.files[0].1, &set.collect(), true).try_into().unwrap();
    monitor
}

#[test]
fn a_monitor_has_both_streams_with_the_login_and_waits_for_its_variables() {
    let front_door = || camera("10.0.5.20", "Front door");
    for shown in [true, false] {
        let monitor = only(front_door(), Some(("view er", PASSWORD)), shown);
        let url = |path: &str| Some(format!("rtsp://view%20er:{ENCODED}@10.0.5.20:554/{path}"));
        assert_eq!((&monitor["Path"], &monitor["SecondPath"]), (&url("main"), &url("sub")));
        for (column, value) in [("Name", "Front door"), ("Method", "rtpRtsp"), ("Width", "1920"), ("VideoWriter", "2")]
        {
            assert_eq!(monitor[column].as_deref(), Some(value), "{column}");
        }
    }
    assert_eq!(only(front_door(), None, false)["Path"], None);
    let text = configure(ZONEMINDER, &sample::report_of(vec![front_door()]), &Logins::default()).in_one_text();
    for name in ["USER", "PASSWORD"] {
        assert!(text.contains(&format!("AND @CAMERA_10_0_5_20_{name} IS NOT NULL")), "{text}");
    }
}

#[test]
fn what_zoneminder_cannot_keep_is_a_comment() {
    let mut long = camera("10.0.5.20", "Long");
    // With the login in it the address is too long, without it is not.
    long.streams[1].url = format!("rtsp://10.0.5.20/{}", "x".repeat(220));
    let mut silent = camera("10.0.5.21", "Silent");
    silent.streams.iter_mut().for_each(|stream| stream.audio = None);
    silent.streams[1].transport = Transport::Udp;
    let mut sizeless = camera("10.0.5.22", "Of no size");
    sizeless.streams[1].video.as_mut().unwrap().width = None;
    let old = stream("http://10.0.5.23/video.mjpg", Protocol::Mjpeg, VideoCodec::Mjpeg, (640, 480));
    let old = Device { streams: vec![Stream { open: Some(true), ..old }], ..camera("10.0.5.23", "Old") };
    let devices = vec![long, silent, sizeless, old];
    check_all(&devices);
    let configuration = write(ZONEMINDER, devices);
    let text = &configuration.files[0].1;
    for said in ["longer than the 255 characters", "given the size of the picture"] {
        assert!(text.lines().any(|line| line.starts_with("-- not used: ") && line.contains(said)), "{said}: {text}");
    }
    let variables = configuration.variables.iter().map(|v| (v.name.clone(), "x".to_owned())).collect();
    let column = |name: &str| -> Vec<Option<String>> {
        monitors(text, &variables, true).into_iter().map(|monitor| monitor[name].clone()).collect()
    };
    assert_eq!(column("SecondPath"), [None, None, None, None], "{text}");
    assert_eq!(column("Method").iter().flatten().collect::<Vec<_>>(), ["rtpRtsp", "rtpUni", "rtpRtsp", ""]);
    assert_eq!(column("VideoWriter").iter().flatten().collect::<Vec<_>>(), ["2", "2", "2", "0"]);
}

/// Text with what bites in SQL more often than not.
fn biting() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            prop::sample::select(&["'", "\\", "''", "\\'", "--", ";", "\"", "`", "%", "/*", "ö"][..])
                .prop_map(str::to_owned),
            "\\PC"
        ],
        0..40,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    /// A string is one value, and the text's own, in each mode; nothing of it gets out.
    #[test]
    fn any_text_is_one_value(text in biting(), has_escapes in any::<bool>()) {
        let all = words(&format!("{}, 1", quoted(&text)), has_escapes);
        let parts = parted(&all, ',');
        prop_assert_eq!(parts.len(), 2);
        prop_assert_eq!(value(parts[0], &BTreeMap::new()), Some(text));
    }

    /// Whatever a camera is called and wherever its streams are, it is one monitor with that name.
    #[test]
    fn any_name_and_path_is_one_monitor(name in biting(), path in biting(), password in biting()) {
        let mut device = camera("10.0.5.20", &name);
        device.streams.iter_mut().for_each(|stream| stream.url = format!("rtsp://10.0.5.20/{path}"));
        let label = crate::export::configuration::text::line(&name);
        let configuration = configure(ZONEMINDER, &sample::report_of(vec![device]), &Logins { of: &|_| Some(Credential::new("viewer", password.clone())), shown: true });
        check_zoneminder(&configuration);
        let monitors = monitors(&configuration.files[0].1, &BTreeMap::new(), true);
        for monitor in &monitors {
            if !label.is_empty() {
                prop_assert_eq!(monitor["Name"].clone(), Some(label.chars().take(64).collect::<String>()));
            }
        }
        prop_assert_eq!(monitors.len(), usize::from(!configuration.files[0].1.contains("longer than the 255")));
    }
}
