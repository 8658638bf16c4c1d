//! What is said about a change, in words, for the log of changes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::look::Look;
use super::names;
use super::words::Text;
use crate::model::memory::{Detail, MuteOf, NotePart, Uid};

/// What a change was, in the language of the page; `names` holds what the devices are called.
pub fn detail(look: &Look, detail: &Detail, names: &BTreeMap<Uid, String>) -> String {
    let named = |uid: &Uid| names.get(uid).map_or(uid.to_string(), Clone::clone);
    match detail {
        Detail::Nothing | Detail::Unmuted { .. } => String::new(),
        Detail::Program { name } => name.clone(),
        Detail::NewAccount { role } => look.with(Text::AuditRole, &[look.say(names::role(*role))]),
        Detail::Account { role, enabled, password } => {
            let role = role.map(|role| look.with(Text::AuditRole, &[look.say(names::role(role))]));
            let enabled = enabled.map(|on| switched(look, on).to_owned());
            let password = password.then(|| look.say(Text::AuditPassword).to_owned());
            [role, enabled, password].into_iter().flatten().collect::<Vec<_>>().join("; ")
        }
        Detail::Token { name, scopes } => {
            let scopes: Vec<&str> = scopes.iter().map(|scope| look.say(names::scope(*scope))).collect();
            format!("«{name}»: {}", scopes.join(", "))
        }
        Detail::Switched { on } => switched(look, *on).to_owned(),
        Detail::LoginFor { device, others } => {
            device.iter().map(named).chain(others.iter().cloned()).collect::<Vec<_>>().join(" ")
        }
        Detail::Number { number } => look.with(Text::AuditNumber, &[&number.to_string()]),
        Detail::Noted { parts } => parts.iter().map(|one| part(look, one)).collect::<Vec<_>>().join("; "),
        Detail::MergedInto { device } => look.with(Text::AuditInto, &[&named(device)]),
        Detail::SplitOff { device } => look.with(Text::AuditFrom, &[&named(device)]),
        Detail::OnlyHeard { count } => look.with(Text::AuditHeard, &[&count.to_string()]),
        Detail::StreamOf { device } => look.with(Text::AuditOf, &[&named(device)]),
        Detail::Muted { until, why, .. } => {
            let until = until.map_or(look.say(Text::UntilEnded).to_owned(), |until| {
                look.with(Text::AuditUntil, &[&moment(look, until)])
            });
            why.as_ref().map_or(until.clone(), |why| format!("{until}; «{why}»"))
        }
        Detail::Targets { targets } if targets.is_empty() => look.say(Text::AuditEverything).to_owned(),
        Detail::Targets { targets } => targets.join(", "),
    }
}

/// What was changed, as the page calls it. What is muted is written down with a word before its name, which is ours.
pub fn subject(look: &Look, subject: &str, told: Option<&Detail>) -> String {
    let of = match told {
        Some(Detail::Muted { of, .. } | Detail::Unmuted { of }) => *of,
        _ => return subject.to_owned(),
    };
    let kind = match of {
        MuteOf::Device => return subject.to_owned(),
        MuteOf::Site => Text::Site,
        MuteOf::Tag => Text::Tag,
        MuteOf::Network => Text::Network,
    };
    let name = subject.strip_prefix(of.as_str()).map_or(subject, str::trim_start);
    format!("{} {name}", look.say(kind))
}

/// Who did it: names of ours for a way in without an account.
pub fn who<'n>(look: &Look, name: &'n str) -> &'n str {
    match name {
        "command line" => look.say(Text::CommandLine),
        "unix socket" => look.say(Text::UnixSocket),
        name => name,
    }
}

fn switched(look: &Look, on: bool) -> &'static str {
    look.say(if on { Text::Enabled } else { Text::Disabled })
}

fn part(look: &Look, part: &NotePart) -> String {
    let none = look.say(Text::AuditNone);
    let both = |name: Text, before: &str, after: &str| format!("{}: {before} → {after}", look.say(name));
    let text = |text: &Option<String>| text.as_ref().map_or(none.to_owned(), |text| format!("«{text}»"));
    let tags = |tags: &[String]| if tags.is_empty() { none.to_owned() } else { tags.join(", ") };
    match part {
        NotePart::Name { before, after } => both(Text::Name, &text(before), &text(after)),
        NotePart::Site { before, after } => both(Text::Site, &text(before), &text(after)),
        NotePart::Tags { before, after } => both(Text::Tag, &tags(before), &tags(after)),
        NotePart::Expected { before, after } => {
            both(Text::Expect, look.say(names::expect(*before)), look.say(names::expect(*after)))
        }
        NotePart::Text => look.say(Text::AuditNote).to_owned(),
    }
}

/// Day and time, as in the page's tables.
fn moment(look: &Look, at: Timestamp) -> String {
    at.to_zoned(look.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::model::access::{Role, Scope};
    use crate::model::memory::Expect;

    fn look(lang: &str) -> Look {
        let request = Request::builder().uri("/admin").header("accept-language", lang).body(()).unwrap();
        Look::of(&request.into_parts().0, Timestamp::UNIX_EPOCH)
    }

    fn uid() -> Uid {
        Uid::parse("d_0123456789abcdef").unwrap()
    }

    /// One of each whose words are all ours.
    fn all() -> Vec<Detail> {
        let some = |text: &str| Some(text.to_owned());
        vec![
            Detail::NewAccount { role: Role::Operator },
            Detail::Account { role: Some(Role::Viewer), enabled: Some(false), password: true },
            Detail::Token { name: "АРМ".to_owned(), scopes: Scope::ALL.to_vec() },
            Detail::Switched { on: true },
            Detail::Number { number: 12 },
            Detail::OnlyHeard { count: 12 },
            Detail::Noted {
                parts: vec![
                    NotePart::Name { before: None, after: some("Ворота") },
                    NotePart::Site { before: some("Склад"), after: None },
                    NotePart::Tags { before: Vec::new(), after: vec!["двор".to_owned()] },
                    NotePart::Expected { before: Expect::Always, after: Expect::Ignore },
                    NotePart::Text,
                ],
            },
            Detail::MergedInto { device: uid() },
            Detail::SplitOff { device: uid() },
            Detail::Muted { of: MuteOf::Tag, until: None, why: some("кабель") },
            Detail::Muted { of: MuteOf::Site, until: Some(Timestamp::UNIX_EPOCH), why: None },
            Detail::Targets { targets: Vec::new() },
            Detail::StreamOf { device: uid() },
        ]
    }

    #[test]
    fn no_change_is_told_in_english_on_a_russian_page() {
        let names = BTreeMap::from([(uid(), "Камера 1".to_owned())]);
        for one in all() {
            let said = detail(&look("ru"), &one, &names);
            assert!(!said.chars().any(|c| c.is_ascii_alphabetic()), "{said}");
            assert!(!said.is_empty() && !said.contains("{}"), "{one:?}");
            let said = detail(&look("en"), &one, &BTreeMap::from([(uid(), "gate".to_owned())]));
            assert!(said.chars().any(|c| c.is_ascii_alphanumeric()), "{said}");
        }
    }

    #[test]
    fn what_is_muted_is_called_as_the_page_calls_it() {
        let muted = |of| Detail::Unmuted { of };
        let say = |text: &str, of| subject(&look("ru"), text, Some(&muted(of)));
        assert_eq!(say("tag outdoor", MuteOf::Tag), "Метка outdoor");
        assert_eq!(say("site site 7", MuteOf::Site), "Объект site 7");
        assert_eq!(say("d_0123456789abcdef", MuteOf::Device), "d_0123456789abcdef");
        assert_eq!(subject(&look("ru"), "tag outdoor", None), "tag outdoor");
        assert_eq!((who(&look("ru"), "command line"), who(&look("ru"), "anna")), ("командная строка", "anna"));
    }
}
