//! What is said about events, in words. English is what the event says itself.

use super::look::Look;
use super::names::{error, kind, step, what};
use super::words::Text;
use crate::export::survey::lang::{Lang, Noun};
use crate::export::survey::words as survey;
use crate::model::memory::{Around, Gateway, NotScanned, Remark, StoreTrouble, Trait};
use crate::model::target::limits::MOST_ADDRESSES;
use crate::model::{Kind, WarningKind};

/// A remark, in the language of the page.
pub fn remark(look: &Look, remark: &Remark) -> String {
    match look.lang {
        Lang::En => remark.to_string(),
        Lang::Ru => russian(look, remark),
    }
}

/// What a remark holds beside its words: the sentence about a failure, with the answer of the device in it, as the scan
/// wrote it down.
pub fn original<'r>(look: &Look, remark: &'r Remark) -> Option<&'r str> {
    match (look.lang, remark) {
        (Lang::Ru, Remark::Failed { message, .. }) => Some(message),
        _ => None,
    }
}

/// Why a scan could not be made.
pub fn not_scanned(look: &Look, why: &NotScanned) -> String {
    if look.lang == Lang::En {
        return why.to_string();
    }
    match why {
        NotScanned::Unresolved { name, .. } => format!("не удалось узнать адрес узла «{name}»"),
        NotScanned::SeveralDevices { target } => format!("«{target}» — это больше одного устройства"),
        NotScanned::NoSubnet => "нет включённого сетевого интерфейса с подсетью, обходить нечего".to_owned(),
        NotScanned::LargeSubnet { subnet } => {
            format!("в подсети {subnet} этого компьютера больше 4096 адресов: она обходится, только если её указать")
        }
        NotScanned::NoInterface { name } => format!("нет включённого интерфейса «{name}»"),
        NotScanned::NothingLeft => "исключения не оставили ни одного адреса".to_owned(),
        NotScanned::LargeIpv6 { network } => {
            format!("в сети {network} слишком много адресов, чтобы обходить их по одному")
        }
        NotScanned::Overlap { targets: [one, other] } => format!("цели {one} и {other} пересекаются"),
        NotScanned::TooManyAddresses { count } => {
            format!("в целях {count} адресов, больше {MOST_ADDRESSES}, которые берёт один обход")
        }
        NotScanned::TooManyWait => "слишком много обходов ждут очереди".to_owned(),
        NotScanned::StoreUnread => "не удалось прочитать хранилище".to_owned(),
        NotScanned::NotStored => "не удалось сохранить найденное".to_owned(),
        NotScanned::Internal => "внутренняя ошибка camscan".to_owned(),
    }
}

/// What is odd about a device, in short.
pub const fn odd(kind: WarningKind, lang: Lang) -> &'static str {
    let text = match kind {
        WarningKind::OtherSubnet => survey::Text::OtherSubnet,
        WarningKind::NotActivated => survey::Text::NotActivated,
        WarningKind::AddressConflict => survey::Text::AddressConflict,
        WarningKind::DuplicateSerial => survey::Text::DuplicateSerial,
        WarningKind::DuplicateEndpoint => survey::Text::DuplicateEndpoint,
        WarningKind::NetworkMismatch => survey::Text::NetworkMismatch,
        WarningKind::DynamicAddress => survey::Text::DynamicAddress,
        WarningKind::ClockWrong => survey::Text::ClockWrong,
        WarningKind::CertificateExpired => survey::Text::CertificateExpired,
    };
    text.of(lang)
}

/// A value of a fact: names of ours are in the language of the page, what a device says stays as it is.
pub fn value(look: &Look, of: Trait, value: &str) -> String {
    match Kind::from_name(value).filter(|_| of == Trait::Kind) {
        Some(known) => kind(look, known).to_owned(),
        None => value.to_owned(),
    }
}

fn russian(look: &Look, remark: &Remark) -> String {
    let lasting = |seconds: &u64| look.lang.duration(*seconds);
    match remark {
        Remark::NoAnswer { misses, seconds, network, others } => {
            let missed = match misses {
                0 => format!("нет ответа {}", lasting(seconds)),
                _ => format!("нет ответа на {} подряд за {}", questions(*misses), lasting(seconds)),
            };
            match (network, others) {
                (None, _) => missed,
                (Some(network), 0) => format!("{missed}; другие устройства сети {network} тоже не отвечают"),
                (Some(network), others) => format!("{missed}; отвечают другие устройства сети {network}: {others}"),
            }
        }
        Remark::AnswersAgain { seconds: None } => "снова отвечает".to_owned(),
        Remark::AnswersAgain { seconds: Some(seconds) } => format!("снова отвечает, перерыв {}", lasting(seconds)),
        Remark::CameAndWent { count, online } => {
            let now = match online {
                Some(true) => "; сейчас на связи",
                Some(false) => "; сейчас нет связи",
                None => "",
            };
            format!("за час связь пропадала и появлялась, всего изменений: {count}{now}")
        }
        Remark::Steady { count, online } => {
            let text = online.map_or(Text::Unknown, |online| if online { Text::Online } else { Text::Offline });
            format!("за час ничего не изменилось (до этого изменений: {count}); сейчас: {}", look.say(text))
        }
        Remark::UnseenForAYear => "не появлялось больше года".to_owned(),
        Remark::OnItsWord => {
            "узнано только по собственным данным: заданный для него пароль не отправляется до подтверждения".to_owned()
        }
        Remark::InPlaceOf { ip, name } => {
            let name = name.as_ref().map_or("другое устройство".to_owned(), |name| format!("«{name}»"));
            format!("занимает адрес {ip}; там было {name}, которое не отвечает: имя и заметки остались за ним")
        }
        Remark::Learnt { count } => format!("обнаружено: {}", look.lang.counted(*count, Noun::Device)),
        Remark::ThereAgain => "снова на месте".to_owned(),
        Remark::NotFound { scans } => format!("не обнаружен, обходов подряд: {scans}"),
        Remark::NoFrames { checks, seconds, ways } => {
            let told = format!("нет кадров, проверок подряд: {checks} за {}", lasting(seconds));
            if *ways > 1 { format!("{told}; испытано способов передачи: {ways}") } else { told }
        }
        Remark::NoPlace { checks } => format!("все места для просмотра заняты, проверок подряд: {checks}"),
        Remark::FewFrames { checks, usual_fps } => {
            let usual = usual_fps.map(|fps| format!(" ({} в секунду)", look.lang.decimal(fps, 0))).unwrap_or_default();
            format!("кадров вдвое меньше обычного{usual} или первый приходит поздно, проверок подряд: {checks}")
        }
        Remark::FramesAgain { seconds } => format!("кадры снова идут, перерыв {}", lasting(seconds)),
        Remark::NoStreamPlays { service, streams } => {
            format!("не работает ни один из потоков, {}, всего потоков: {streams}", port_in_russian(service))
        }
        Remark::StreamsPlay { service, seconds } => {
            format!("потоки снова идут, {}, перерыв {}", port_in_russian(service), lasting(seconds))
        }
        Remark::LoginLocked => "устройство временно не принимает пароли".to_owned(),
        Remark::LoginRests => "программа пока не отправляет пароль; подходит ли он ещё, неизвестно".to_owned(),
        Remark::LoginRefused => "прежний пароль отвергнут и больше не испытывается, пока его не исправят".to_owned(),
        Remark::LoginWorks { seconds } => format!("пароль снова подходит, перерыв {}", lasting(seconds)),
        Remark::NetworkLost { network, count, of, around } => {
            let lost = format!("разом перестали отвечать устройства сети {network}: {count} из {of}");
            match around_in_russian(around) {
                Some(around) => format!("{lost}; {around}"),
                None => lost,
            }
        }
        Remark::NetworkSilent { network } => format!("большинство устройств сети {network} не отвечает"),
        Remark::NetworkBack { network, found: Some((count, seconds)) } => {
            format!("устройства сети {network} снова отвечают: {count}, перерыв {}", lasting(seconds))
        }
        Remark::NetworkBack { network, found: None } => format!("устройства сети {network} снова отвечают"),
        Remark::Certificate { day, days: 0 } => format!("сертификат TLS истёк {day}"),
        Remark::Certificate { day, days } => {
            format!("сертификат TLS истекает меньше чем через {}, {day}", look.lang.counted(*days, Noun::Day))
        }
        Remark::Odd { kind, .. } => odd(*kind, look.lang).to_owned(),
        Remark::Streams { count, open: 0 } => look.lang.counted(*count, Noun::Stream),
        Remark::Streams { count, open } => {
            format!("{}, из них без пароля: {open}", look.lang.counted(*count, Noun::Stream))
        }
        Remark::Changed { url, what: of, before, after } => {
            let (before, after) = (value(look, *of, before), value(look, *of, after));
            let said = format!("{}: {before} → {after}", look.say(what(*of)));
            url.as_ref().map_or(said.clone(), |url| format!("{url}: {said}"))
        }
        Remark::NotScanned { why } => not_scanned(look, why),
        Remark::Store { trouble } => store_trouble(trouble),
        Remark::Login { of, needed: true } => format!("{of}: теперь нужен пароль"),
        Remark::Login { of, needed: false } => format!("{of}: пароль больше не нужен"),
        Remark::Channel { channel, before, after } => format!("канал {channel}: камера {before} → {after}"),
        Remark::Failed { step: at, kind, .. } => {
            let known = [at.map(|at| look.say(step(at))), kind.map(|kind| error(look, kind))];
            let known = known.into_iter().flatten().collect::<Vec<_>>().join(": ");
            if known.is_empty() { look.say(Text::Failed).to_owned() } else { known }
        }
    }
}

/// What keeps the store from being written at its place, in Russian. What the system says stays in its words.
fn store_trouble(trouble: &StoreTrouble) -> String {
    match trouble {
        StoreTrouble::Unwritten { file, why, kept } => {
            let why = why.as_deref().unwrap_or("на диске нет места");
            let meanwhile = match kept {
                true => "события держатся в памяти и будут записаны, когда диск их примет",
                false => "до тех пор ничего не запоминается",
            };
            format!("{file} не записывается: {why}; {meanwhile}")
        }
        StoreTrouble::Removed { file, why: None } => {
            format!("файл {file} был удалён; он записан заново, ничего не потеряно")
        }
        StoreTrouble::Removed { file, why: Some(why) } => {
            format!(
                "файл {file} был удалён, и записать его заново не удалось ({why}); по завершении программы всё известное пропадёт"
            )
        }
        StoreTrouble::Replaced { file, kept: Some(kept) } => format!(
            "на месте {file} лежит другой файл, он не тронут; всё известное хранится дальше в {kept}: \
             завершите программу, положите нужный файл на место {file} и запустите снова"
        ),
        StoreTrouble::Replaced { file, kept: None } => format!(
            "на месте {file} лежит другой файл, он не тронут; записать известное рядом не удалось, \
             по завершении программы оно пропадёт"
        ),
    }
}

/// How often something was asked, behind «на».
fn questions(count: u32) -> String {
    let word = match (count % 10, count % 100) {
        (1, hundred) if hundred != 11 => "запрос",
        (2..=4, hundred) if !(12..=14).contains(&hundred) => "запроса",
        _ => "запросов",
    };
    format!("{count}\u{a0}{word}")
}

/// A port and what it speaks, as [`port_name`](crate::model::memory::port_name) has it in English.
fn port_in_russian(service: &str) -> String {
    match service.split_once(':') {
        Some((protocol, "")) => format!("порт {}", protocol.to_uppercase()),
        Some((protocol, port)) => format!("порт {port} ({})", protocol.to_uppercase()),
        None => service.to_owned(),
    }
}

/// What answers around a network, and where to look.
fn around_in_russian(around: &Around) -> Option<String> {
    let switch = "проверьте питание и кабель коммутатора";
    let gateway = around.gateway;
    Some(match (gateway, around.hosts) {
        (None, 0) => return None,
        (Some(Gateway { ip, is_on_way: true, answers: true }), _) => {
            format!("шлюз на пути туда, {ip}, отвечает: проверьте линию и маршрутизатор за ним")
        }
        (Some(Gateway { ip, is_on_way: true, answers: false }), _) => {
            format!("шлюз на пути туда, {ip}, не отвечает: начните с него")
        }
        (Some(Gateway { ip, answers: true, .. }), _) => format!("шлюз {ip} отвечает: {switch}"),
        (None, hosts) => format!("отвечают другие узлы сети: {hosts}; {switch}"),
        (Some(Gateway { ip, .. }), 0) => {
            format!("шлюз {ip} тоже не отвечает: проверьте коммутатор и кабель, которым подключён этот компьютер")
        }
        (Some(Gateway { ip, .. }), hosts) => {
            format!("отвечают другие узлы сети: {hosts}, шлюз {ip} не отвечает; {switch}")
        }
    })
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use jiff::Timestamp;

    use super::*;
    use crate::model::{ErrorKind, Step};

    fn look(lang: &str) -> Look {
        let request = Request::builder().uri("/events").header("accept-language", lang).body(()).unwrap();
        Look::of(&request.into_parts().0, Timestamp::UNIX_EPOCH)
    }

    /// One of each.
    fn all() -> Vec<Remark> {
        let network = "10.0.5.0/24".parse().unwrap();
        let text = || "V5.7".to_owned();
        let store = |trouble| Remark::Store { trouble };
        vec![
            Remark::NoAnswer { misses: 3, seconds: 130, network: Some(network), others: 41 },
            Remark::NoAnswer { misses: 0, seconds: 130, network: Some(network), others: 0 },
            Remark::AnswersAgain { seconds: None },
            Remark::AnswersAgain { seconds: Some(900) },
            Remark::CameAndWent { count: 4, online: Some(true) },
            Remark::Steady { count: 4, online: None },
            Remark::UnseenForAYear,
            Remark::OnItsWord,
            Remark::InPlaceOf { ip: [10, 0, 5, 7].into(), name: None },
            Remark::Learnt { count: 12 },
            Remark::ThereAgain,
            Remark::NotFound { scans: 2 },
            Remark::NoFrames { checks: 3, seconds: 600, ways: 2 },
            Remark::NoPlace { checks: 3 },
            Remark::FewFrames { checks: 3, usual_fps: Some(25.0) },
            Remark::FramesAgain { seconds: 60 },
            Remark::NoStreamPlays { service: "rtsp:8554".to_owned(), streams: 35 },
            Remark::StreamsPlay { service: "rtsp:".to_owned(), seconds: 60 },
            Remark::LoginLocked,
            Remark::LoginRests,
            Remark::LoginRefused,
            Remark::LoginWorks { seconds: 60 },
            Remark::NetworkLost { network, count: 8, of: 10, around: Around::NOTHING },
            Remark::NetworkLost { network, count: 8, of: 8, around: Around { gateway: None, hosts: 2 } },
            Remark::NetworkSilent { network },
            Remark::NetworkBack { network, found: Some((8, 60)) },
            Remark::NetworkBack { network, found: None },
            Remark::Certificate { day: "2026-03-10".to_owned(), days: 0 },
            Remark::Certificate { day: "2026-03-10".to_owned(), days: 7 },
            Remark::Odd { kind: WarningKind::ClockWrong, message: "its clock is wrong".to_owned() },
            Remark::Streams { count: 2, open: 1 },
            Remark::Changed { url: None, what: Trait::Firmware, before: text(), after: text() },
            Remark::NotScanned { why: NotScanned::NoSubnet },
            store(StoreTrouble::Unwritten { file: "s.db".to_owned(), why: None, kept: true }),
            store(StoreTrouble::Unwritten { file: "s.db".to_owned(), why: None, kept: false }),
            store(StoreTrouble::Removed { file: "s.db".to_owned(), why: None }),
            store(StoreTrouble::Removed { file: "s.db".to_owned(), why: Some("ENOSPC".to_owned()) }),
            store(StoreTrouble::Replaced { file: "s.db".to_owned(), kept: None }),
            store(StoreTrouble::Replaced { file: "s.db".to_owned(), kept: Some("k.db".to_owned()) }),
            Remark::Login { of: text(), needed: true },
            Remark::Login { of: text(), needed: false },
            Remark::Channel { channel: 3, before: text(), after: text() },
            Remark::Failed { step: Some(Step::Setup), kind: Some(ErrorKind::Timeout), message: text() },
        ]
    }

    #[test]
    fn no_remark_is_english_on_a_russian_page() {
        let (english, russian) = (look("en"), look("ru"));
        for one in all() {
            assert_eq!(remark(&english, &one), one.to_string());
            let said = remark(&russian, &one);
            let is_english = |word: &&str| word.len() > 3 && word.chars().all(|c| c.is_ascii_lowercase());
            assert_eq!(said.split([' ', ':', ';', ',']).find(is_english), None, "{said}");
            assert!(said.chars().any(|c| ('а'..='я').contains(&c)), "{said}");
        }
        let missed = Remark::NoAnswer { misses: 21, seconds: 130, network: None, others: 0 };
        assert_eq!(remark(&russian, &missed).replace('\u{a0}', " "), "нет ответа на 21 запрос подряд за 2 мин");
    }

    #[test]
    fn why_there_was_no_scan_is_said_in_russian() {
        let text = || "eth7".to_owned();
        for why in [
            NotScanned::Unresolved { name: text(), why: "no such name".to_owned() },
            NotScanned::SeveralDevices { target: text() },
            NotScanned::NoSubnet,
            NotScanned::LargeSubnet { subnet: "10.0.0.0/8".to_owned() },
            NotScanned::NoInterface { name: text() },
            NotScanned::NothingLeft,
            NotScanned::LargeIpv6 { network: "2001:db8::/64".to_owned() },
            NotScanned::Overlap { targets: [text(), text()] },
            NotScanned::TooManyAddresses { count: 1 << 24 },
            NotScanned::TooManyWait,
            NotScanned::StoreUnread,
            NotScanned::NotStored,
            NotScanned::Internal,
        ] {
            let said =
                not_scanned(&look("ru"), &why).replace("eth7", "").replace("camscan", "").replace("2001:db8::/64", "");
            assert!(!said.is_empty() && !said.chars().any(|c| c.is_ascii_alphabetic()), "{said}");
            assert_eq!(not_scanned(&look("en"), &why), why.to_string());
        }
    }

    #[test]
    fn what_a_device_is_is_said_in_the_language_of_the_page() {
        let changed =
            Remark::Changed { url: None, what: Trait::Kind, before: "camera".to_owned(), after: "recorder".to_owned() };
        assert_eq!(remark(&look("en"), &changed), "kind: camera → recorder");
        let said = remark(&look("ru"), &changed);
        assert!(!said.contains("camera") && said.starts_with("Тип: "), "{said}");
        assert_eq!(value(&look("ru"), Trait::Name, "camera"), "camera");
    }
}
