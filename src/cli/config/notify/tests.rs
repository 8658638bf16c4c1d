use std::collections::BTreeMap;

use super::*;
use crate::model::notify::{ChannelWay, Rule};

fn of(text: &str) -> Result<Notifications, String> {
    let variables = [("TOKEN", "hunter2-token"), ("BAD", "a\nb")];
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let value = serde_yaml::from_str(text).unwrap();
    let read = read(&value, Path::new("/nonexistent/camscan.yaml"), &Environment::of(variables));
    let given = read.map_err(|problem| problem.to_string().replace("\nhint: ", " / "))?;
    Ok(given.map(|given| given.notifications).unwrap_or_default())
}

/// A channel of every type.
const ALL: &str = "
public_url: https://cams.example.org/
channels:
  hook: {type: webhook, url: 'https://example.org/in/', secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, authorization_env: TOKEN}
  phone: {type: ntfy, topic: cameras, token_env: TOKEN}
  gotify: {type: gotify, url: 'https://push.example.org', token_env: TOKEN}
  slack: {type: slack, url: 'https://hooks.slack.com/services/hunter2'}
  discord: {type: discord, url: 'https://discord.com/api/webhooks/1/hunter2'}
  teams: {type: teams, url: 'https://x.logic.azure.com/hunter2'}
  telegram: {type: telegram, chat: -100123, token_env: TOKEN}
  matrix: {type: matrix, url: 'https://matrix.org', room: '!r:matrix.org', token_env: TOKEN}
  bridge: {type: apprise, url: 'http://apprise:8000/notify/hunter2', tags: [ops, night]}
  ha: {type: mqtt, url: 'mqtts://broker', user: cams, password_env: TOKEN, discovery: none}
  mail: {type: email, server: mail.example.org, from: 'C <cams@example.org>', to: [ops@example.org], user: c, password_env: TOKEN}
  own: {type: exec, command: [/usr/bin/tell, 1]}
  log: {type: syslog, url: 'udp://[2001:db8::1]', facility: local3}
rules:
  - {severity: [problem], sites: [North], hours: [mon-fri 08:00-18:00, 'sat 22:00-24:00'], channels: [phone, mail], wait: 0, repeat: never}
  - {events: [device.*, stream.open], tags: [outside], subnets: [10.0.5.0/24], digest: ['07:30', '16:00']}
  - {channels: [ha]}
";

#[test]
fn every_channel_and_every_condition_is_read() {
    let read = of(ALL).unwrap();
    assert_eq!(read.public_url.as_deref(), Some("https://cams.example.org"));
    let kinds: Vec<&str> = read.channels.iter().map(|channel| channel.way.kind()).collect();
    assert_eq!(kinds.len(), 13);
    let ChannelWay::Webhook(webhook) = &read.channels[0].way else { panic!("{kinds:?}") };
    assert_eq!(webhook.url.expose(), "https://example.org/in/", "its slash belongs to it");
    let [first, second, third] = read.rules.as_slice() else { panic!("{:?}", read.rules) };
    assert_eq!((first.hours.len(), first.hours[0].days.len(), first.repeat), (2, 5, None));
    assert_eq!((second.events.len(), second.digest.len()), (11, 2));
    assert_eq!(*third, Rule { channels: vec!["ha".to_owned()], ..Rule::default() });
    assert_eq!(of("~").unwrap(), Notifications::default());
}

#[test]
fn what_is_shown_reads_back_and_holds_no_secret() {
    let read = of(ALL).unwrap();
    let shown = shown(&read).to_string();
    assert!(
        !shown.contains("hunter2") && !shown.contains("whsec") && !format!("{read:?}").contains("hunter2"),
        "{shown}"
    );
    insta::assert_snapshot!(shown, @r#"
    {"channels":{"hook":{"type":"webhook","url":"***","secret":"***"},"phone":{"type":"ntfy","url":"https://ntfy.sh","topic":"cameras","token":"***"},"gotify":{"type":"gotify","url":"https://push.example.org","token":"***"},"slack":{"type":"slack","url":"***"},"discord":{"type":"discord","url":"***"},"teams":{"type":"teams","url":"***"},"telegram":{"type":"telegram","url":"https://api.telegram.org","chat":"-100123","token":"***"},"matrix":{"type":"matrix","url":"https://matrix.org","room":"!r:matrix.org","token":"***"},"bridge":{"type":"apprise","url":"***","tags":"ops, night"},"ha":{"type":"mqtt","url":"mqtts://broker:8883","user":"cams","password":"***","topic":"camscan","discovery":"none"},"mail":{"type":"email","server":"mail.example.org:587","security":"starttls","user":"c","password":"***","from":"C <cams@example.org>","to":["ops@example.org"]},"own":{"type":"exec","command":["/usr/bin/tell","1"]},"log":{"type":"syslog","url":"udp://[2001:db8::1]:514","facility":19}},"rules":[{"events":[],"severity":["problem"],"sites":["North"],"hours":["mon,tue,wed,thu,fri 08:00-18:00","sat 22:00-00:00"],"channels":["phone","mail"],"wait":"0","repeat":"0"},{"events":["device.new","device.online","device.offline","device.flapping","device.steady","device.moved","device.changed","device.replaced","device.conflict","device.archived","stream.open"],"severity":[],"tags":["outside"],"subnets":["10.0.5.0/24"],"digest":["07:30","16:00"],"wait":"30s","repeat":"24h"},{"events":["device.new","stream.open"],"severity":["problem","recovery"],"channels":["ha"],"wait":"30s","repeat":"24h"}],"public_url":"https://cams.example.org"}
    "#);
    let rules = serde_json::from_str::<serde_json::Value>(&shown).unwrap()["rules"].clone();
    let text = serde_json::json!({ "channels": { "phone": {"type": "ntfy", "topic": "x"}, "mail": {"type": "exec", "command": ["x"]},
        "ha": {"type": "exec", "command": ["x"]} }, "rules": rules });
    assert_eq!(of(&text.to_string()).unwrap().rules, read.rules);
}

#[test]
fn what_is_wrong_is_named_and_no_secret_is_shown() {
    let channel = |text: &str| format!("channels: {{mine: {{{text}}}}}");
    let rule = |text: &str| format!("{{channels: {{phone: {{type: ntfy, topic: x}}}}, rules: [{{{text}}}]}}");
    let texts = [
        "[]".to_owned(),
        "chanels: {}".to_owned(),
        "public_url: cams.example.org".to_owned(),
        "channels: [x]".to_owned(),
        "channels: {a b: {type: ntfy}}".to_owned(),
        channel("url: x"),
        channel("type: telegrm"),
        channel("type: ntfy"),
        channel("type: ntfy, topic: x, tokn: hunter2"),
        channel("type: ntfy, topic: x, hunter2hunter2: y"),
        channel("type: ntfy, topic: x, token: hunter2, token_env: TOKEN"),
        channel("type: ntfy, topic: x, token_env: hunter2"),
        channel("type: ntfy, topic: x, token_file: hunter2"),
        channel("type: ntfy, topic: x, token_env: BAD"),
        channel("type: gotify, url: https://x"),
        channel("type: slack, url: 'ftp://hunter2'"),
        channel("type: slack, url: 'https://user:hunter2@x/'"),
        channel("type: webhook, url: https://x, secret: hunter2"),
        channel("type: mqtt, url: 'mqtt://user:hunter2@x'"),
        channel("type: mqtt, url: 'mqtt://x:70000'"),
        channel("type: mqtt, url: 'mqtt://x', topic: 'a/#'"),
        channel("type: mqtt, url: 'mqtt://x', discovery_form: old"),
        channel("type: email, server: x, from: nobody, to: [a@b.c]"),
        channel("type: email, server: x, from: a@b.c"),
        channel("type: email, server: x, from: a@b.c, to: a@b.c, security: ssl"),
        channel("type: email, server: x, from: a@b.c, to: a@b.c, user: x"),
        channel("type: exec, command: tell --now"),
        channel("type: syslog, url: 'udp://x', facility: locl3"),
        rule("events: [device.ofline]"),
        rule("severity: [bad]"),
        rule("subnets: [10.0.0.0/40]"),
        rule("hours: [8-18]"),
        rule("hours: ['fre 08:00-18:00']"),
        rule("digest: ['7:30']"),
        rule("channels: [phon]"),
        rule("wait: 2h"),
        rule("repeat: 1m"),
        rule("weight: 1"),
    ];
    let said = texts.map(|text| of(&text).unwrap_err());
    let all = said.join("\n");
    assert!(!all.contains("hunter2"), "{all}");
    insta::assert_snapshot!(all, @r#"
    notify: expected `public_url:`, `channels:` and `rules:`
    notify: unknown key `chanels` / did you mean `channels`? / there are public_url, channels, rules
    notify: public_url: expected an address such as https://example.org/path, without a login
    notify: channels: expected a name and what is known of it for each channel
    notify: channels: the name of a channel is a word of letters, digits, `_` and `-`
    notify: channels: mine: `type:` is missing / types are webhook, mqtt, email, exec, syslog, ntfy, gotify, slack, discord, teams, telegram, matrix, apprise
    notify: channels: mine: there is no type `telegrm` / did you mean `telegram`? / types are webhook, mqtt, email, exec, syslog, ntfy, gotify, slack, discord, teams, telegram, matrix, apprise
    notify: channels: mine: `topic:` is missing
    notify: channels: mine: unknown key `tokn` / did you mean `token`? / there are type, url, topic, token, token_env, token_file
    notify: channels: mine: unknown key / there are type, url, topic, token, token_env, token_file
    notify: channels: mine: give one of token, token_env and token_file
    notify: channels: mine: token_env: there is no such environment variable, or it is empty / name the variable that holds the secret
    notify: channels: mine: token_file: the file cannot be read, is larger than 4096 bytes or is not text / name a file that holds the secret alone; relative paths count from this file's folder
    notify: channels: mine: token: it is empty or holds a control character
    notify: channels: mine: `token:` is missing / give one of token, token_env and token_file
    notify: channels: mine: url: expected an address such as https://example.org/path, without a login
    notify: channels: mine: url: expected an address such as https://example.org/path, without a login
    notify: channels: mine: secret: expected `whsec_` and the Base64 of 24 to 64 random bytes / make one: echo whsec_$(head -c 32 /dev/urandom | base64 -w0)
    notify: channels: mine: url: expected mqtt://host:1883 or mqtts://host:8883, without a login
    notify: channels: mine: url: expected mqtt://host:1883 or mqtts://host:8883, without a login
    notify: channels: mine: topic: expected a topic such as site/camscan, without wildcards
    notify: channels: mine: discovery_form: expected device or entity / entity is for Home Assistant before 2024.11
    notify: channels: mine: from: expected a mail address, or Name <address>
    notify: channels: mine: to: expected a mail address, or Name <address>
    notify: channels: mine: security: expected starttls, tls or none / starttls on port 587 is usual
    notify: channels: mine: `user:` and its password belong together
    notify: channels: mine: `command:` is a list: the program, then its arguments / write [/usr/local/bin/tell, --now]; no shell is involved
    notify: channels: mine: facility: expected the name or number of a facility / did you mean `local3`?
    notify: rules: 1: events: there is no event `device.ofline` / did you mean `device.online`? / write a group such as device.*, or device.new, device.online, device.offline, device.flapping, device.steady, device.moved, device.changed, device.replaced, device.conflict, device.archived, stream.new, stream.gone, stream.broken, stream.repaired, service.broken, service.repaired, stream.degraded, stream.changed, stream.open, stream.protected, login.refused, login.locked, login.rests, login.accepted, certificate.expiring, clock.wrong, subnet.unreachable, subnet.reachable, scan.finished, scan.failed, channel.failing, channel.recovered, store.low_space, store.failing, store.recovered
    notify: rules: 1: severity: `bad` is not a severity / choose one of info, warning, problem, recovery
    notify: rules: 1: subnets: `10.0.0.0/40` is not a network / write 192.168.1.0/24 or an address
    notify: rules: 1: hours: `8-18` is no stretch of time / write mon-fri 08:00-18:00, or 22:00-06:00 for every day; several make a list
    notify: rules: 1: hours: `fre 08:00-18:00` is no stretch of time / write mon-fri 08:00-18:00, or 22:00-06:00 for every day; several make a list
    notify: rules: 1: digest: `7:30` is no time of day / write 08:00, in quotes
    notify: rules: 1: channels: there is no channel `phon` / did you mean `phone`?
    notify: rules: 1: wait: at most 1h is possible / `digest:` collects for longer
    notify: rules: 1: repeat: at least 5m is possible, or 0 for never
    notify: rules: 1: unknown key / there are events, severity, tags, sites, subnets, hours, channels, wait, repeat, digest
    "#);
}
