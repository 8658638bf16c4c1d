//! The words of a survey, in every language: one table for labels and sentences, and the names of what a report holds. A
//! word that lacks a language does not compile.

use super::lang::{Lang, texts};
use crate::model::coverage::{Hindrance, LimitKind, MethodOutcome, Unused};
use crate::model::{ErrorKind, Kind, Method};

texts! {
    Title: "Camera survey", "Обследование видеонаблюдения";
    Date: "Date", "Дата";
    MadeBy: "Made with", "Составлено программой";
    Targets: "Searched", "Обследовано";
    Took: "Duration", "Длительность";
    Interrupted: "The scan was stopped before its end: there may be more than this document shows.",
        "Сканирование было прервано: устройств может быть больше, чем указано в этом документе.";

    Coverage: "What was searched", "Что обследовано";
    Asked: "{} asked one by one, {} answered.", "Опрошено по одному: {}, ответили: {}.";
    CoverageUnknown: "The report does not say which networks and methods were used.",
        "В отчёте не указано, какие сети и методы использовались.";
    Used: "searched", "обследован";
    NotUsed: "not searched", "не обследован";
    MayHide: "What may have stayed hidden", "Что могло остаться незамеченным";

    Summary: "Summary", "Итоги";
    CamerasBehind: "of them seen only through a recorder: {}", "из них видны только через регистратор: {}";
    StreamsWork: "working, of {}", "работают, всего {}";
    StreamsDescribed: "not played: {}", "не проверялись воспроизведением: {}";
    StreamsLogin: "need a login: {}", "требуют пароль: {}";
    StreamsDead: "do not work: {}", "не работают: {}";
    BandwidthSum: "bandwidth of all streams", "трафик всех потоков";
    StorageDay: "storage per day", "архив за сутки";

    Fix: "What to put right", "Что нужно исправить";
    NothingToFix: "Nothing was found that has to be put right.", "Замечаний нет.";
    FixIntro: "Sorted by danger. Every point was read from the devices themselves during the scan; nothing was changed on them.",
        "По убыванию опасности. Всё перечисленное получено от самих устройств при сканировании; настройки устройств не изменялись.";
    WhatToDo: "What to do", "Что сделать";
    DeviceColumn: "Device", "Устройство";
    FoundColumn: "How it is known", "Как установлено";

    Devices: "Cameras and recorders", "Камеры и регистраторы";
    NoDevices: "No cameras were found.", "Камеры не найдены.";
    OutOfReach: "out of reach", "вне досягаемости";
    NotRecognised: "Unknown device", "Неизвестное устройство";
    PictureOf: "Picture from {}", "Кадр с устройства {}";
    PictureOfChannel: "Picture from {}, channel {}", "Кадр с устройства {}, канал {}";
    Type: "Type", "Тип";
    Maker: "Maker", "Производитель";
    Model: "Model", "Модель";
    Firmware: "Firmware", "Прошивка";
    Serial: "Serial number", "Серийный номер";
    Mac: "MAC address", "MAC-адрес";
    FurtherAddresses: "Further addresses", "Другие адреса";
    HostName: "Host name", "Сетевое имя";
    Place: "Place", "Место";
    Tags: "Tags", "Метки";
    WebPage: "Web page", "Веб-страница";
    AddressFrom: "Address from", "Получение адреса";
    Static: "set by hand", "задан вручную";
    Dhcp: "DHCP", "DHCP";
    LoginColumn: "Login", "Вход";
    LoginDemanded: "demanded", "по паролю";
    LoginOpen: "none: streams are open", "без пароля: потоки открыты";
    LoginUnknown: "not known", "не установлено";
    Also: "Also channel {} of the recorder {}", "Также канал {} регистратора {}";

    Streams: "Streams", "Потоки";
    NoStreams: "No stream is known.", "Потоки не найдены.";
    StreamNumber: "Stream {}", "Поток {}";
    OpenBadge: "open without a login", "доступен без пароля";
    MainStream: "to be recorded", "для записи";
    ChannelNumber: "Channel {}", "Канал {}";
    Codec: "Codec", "Кодек";
    Resolution: "Resolution", "Разрешение";
    FrameRate: "Frame rate", "Частота";
    Fps: "{} fps", "{} к/с";
    BitRate: "Bit rate", "Битрейт";
    KeyFrame: "Key frame every", "Ключевой кадр";
    EverySeconds: "{} s", "каждые {} с";
    Sound: "Sound", "Звук";
    NoSound: "none", "нет";
    Transport: "Transport", "Транспорт";
    Multicast: "multicast {}", "мультикаст {}";
    Measured: "Measured", "Измерено";
    Declared: "Declared", "Заявлено";
    MeasuredValue: "{} measured", "{} измерено";
    DeclaredValue: "{} declared, not measured", "{} заявлено, не измерено";
    NotMeasured: "not measured", "не измерено";

    Channels: "Channels", "Каналы";
    ChannelColumn: "Channel", "Канал";
    NameColumn: "Name", "Название";
    CameraColumn: "Camera", "Камера";
    StateColumn: "State", "Состояние";
    OnlineState: "online", "на связи";
    OfflineState: "offline", "нет связи";
    MayBe: "may be {} (same picture parameters)", "возможно, {} (те же параметры видео)";
    ListedWithCamera: "The streams of the channels whose cameras are listed stand with the cameras.",
        "Потоки каналов, камеры которых есть в этом документе, указаны у самих камер.";

    Bandwidth: "Bandwidth and storage", "Трафик и архив";
    BandwidthIntro: "Bit rates were measured while each stream was played, sound included. A scene with more movement needs more. The sum is for all streams at once.",
        "Битрейт измерен при воспроизведении каждого потока, вместе со звуком. При движении в кадре он выше. Сумма — для всех потоков одновременно.";
    StreamColumn: "Stream", "Поток";
    PerDay: "Per day", "За сутки";
    SubnetSum: "Sum of the network", "Итого по сети";
    Total: "Total", "Всего";
    StorageTitle: "Storage of the main streams", "Архив основных потоков";
    StorageIntro: "Recording without a break, of each camera the stream with the largest picture: GB = kbit/s × 86,400 s ÷ 8 ÷ 1,000,000.",
        "Непрерывная запись, для каждой камеры — поток с наибольшим разрешением: ГБ = кбит/с × 86 400 с ÷ 8 ÷ 1 000 000.";
    Recorded: "Cameras in the sum", "Камер в расчёте";
    Rate: "Rate", "Битрейт";
    NotInSum: "{} not in the sum: the main stream was not measured.",
        "Не вошли в расчёт: {} — битрейт основного потока не измерен.";
    AllInSum: "All cameras are in the sum.", "В расчёт вошли все камеры.";
    ServersNotRecorded: "Media servers pass on what cameras send and are not in the sum: {}.",
        "Медиасерверы передают то, что присылают камеры, и в расчёт не входят: {}.";
    StreamsNotInSum: "not measured and not in the sum: {}", "не измерено и не вошло в сумму: {}";

    OpenStream: "Streams open without a login", "Потоки доступны без пароля";
    OpenStreamDo: "Everybody on the network can watch them. Switch on the login for video streams (RTSP authentication) and set a strong password.",
        "Их может смотреть любой в этой сети. Включите авторизацию для видеопотоков (RTSP) и задайте надёжный пароль.";
    OpenStreamFound: "Played without a login: {}", "Воспроизводится без пароля: {}";
    NotActivated: "Never activated: no password yet", "Не активированы: пароль не задан";
    NotActivatedDo: "Whoever comes first sets the password. Set it, then give the device an address of this network.",
        "Пароль задаст тот, кто подключится первым. Задайте его и назначьте устройству адрес в своей сети.";
    NotActivatedFound: "The device reports that it has never been activated.", "Устройство сообщает, что ещё не активировано.";
    FactoryDefault: "Still as they left the factory", "Заводские настройки";
    FactoryDefaultDo: "The makers' passwords are known to everybody. Set a password of your own, and check date, time and address.",
        "Заводские пароли общеизвестны. Задайте свой пароль, проверьте дату, время и адрес.";
    FactoryDefaultFound: "The device reports factory settings.", "Устройство сообщает о заводских настройках.";
    SetUpAt: "On its page {}", "На странице {}";
    SetUpAtOrWith: "On its page {} or with {}", "На странице {} или программой {}";
    AddressConflict: "One address, several devices", "Конфликт адресов";
    AddressConflictDo: "Each drops out at random. Disconnect all but one, give it an address of its own, and go on with the next.",
        "Устройства пропадают случайным образом. Оставьте подключённым одно, назначьте ему свой адрес и переходите к следующему.";
    AddressConflictFound: "Different MAC addresses answer at {}.", "По адресу {} отвечают разные MAC-адреса.";
    DuplicateSerial: "One serial number, several devices", "Одинаковые серийные номера";
    DuplicateSerialDo: "It is one device with two network ports, or a copy. Recorders that tell devices apart by it mix them up: add them by address.",
        "Это одно устройство с двумя сетевыми портами либо подделка. Регистраторы могут их спутать: добавляйте по адресу.";
    DuplicateSerialFound: "All state the serial number {}.", "Все сообщают серийный номер {}.";
    DuplicateEndpoint: "One ONVIF identity, several devices", "Одинаковый идентификатор ONVIF";
    DuplicateEndpointDo: "Recorders may take the devices for one. Add them by address.",
        "Регистраторы могут принять их за одно устройство. Добавляйте по адресу.";
    DuplicateEndpointFound: "All state the identity {}.", "Все сообщают идентификатор {}.";
    ClockWrong: "Clock is wrong", "Неверное время";
    ClockWrongDo: "Recordings carry a wrong time, and logins may fail. Set date, time and time zone, best by NTP.",
        "Время в архиве будет неверным, возможны отказы при входе. Задайте дату, время и часовой пояс, лучше всего — по NTP.";
    ClockAhead: "The clock is {} ahead.", "Часы спешат на {}.";
    ClockBehind: "The clock is {} behind.", "Часы отстают на {}.";
    ClockOff: "The clock is wrong by more than 5 minutes.", "Часы расходятся более чем на 5 минут.";
    CertificateExpired: "TLS certificate has ended", "Истёк сертификат TLS";
    CertificateExpiredDo: "Browsers and recorders refuse the encrypted connection. Make a new certificate on the device, after its clock is right.",
        "Браузеры и регистраторы отвергают защищённое соединение. Проверьте часы и выпустите на устройстве новый сертификат.";
    CertificateEnded: "The certificate ended on {}", "Срок действия сертификата истёк {}";
    CertificateEndedSome: "The certificate has ended.", "Срок действия сертификата истёк.";
    DeadStream: "Streams that do not work", "Неработающие потоки";
    DeadStreamDo: "Check the camera's settings and cable, and restart it; then scan again.",
        "Проверьте настройки и кабель камеры, перезагрузите её и повторите обследование.";
    DeadStreamFound: "{}: {}", "{}: {}";
    ChannelOffline: "Recorder has lost cameras", "Регистратор не видит камеры";
    ChannelOfflineDo: "Check the camera's power and cable, and the address and password that the recorder has for it.",
        "Проверьте питание и кабель камеры, а также её адрес и пароль в настройках регистратора.";
    ChannelOfflineFound: "The recorder lists them as offline: channel {}", "Регистратор сообщает об отсутствии связи: канал {}";
    Offline: "Devices that do not answer", "Устройства не отвечают";
    OfflineDo: "Check power, cable and network port.", "Проверьте питание, кабель и порт коммутатора.";
    OfflineFound: "It was there before, and did not answer this time.", "Раньше устройство было в сети, сейчас не отвечает.";
    NoStream: "No stream was found", "Потоки не найдены";
    NoStreamDo: "Check that RTSP or ONVIF is switched on in the device's settings.",
        "Проверьте, что в настройках устройства включены RTSP или ONVIF.";
    NoStreamFound: "The device answers, and offers no stream.", "Устройство отвечает, но потоков не предоставляет.";
    NoStreamError: "The device answers, and offers no stream: {}.", "Устройство отвечает, но потоков не предоставляет: {}.";
    OtherSubnet: "Cameras out of reach: another network", "Камеры в другой подсети";
    OtherSubnetDo: "Give a computer an address of their network for a while, then set the cameras to addresses of this one.",
        "Временно назначьте компьютеру адрес из их подсети и переведите камеры на адреса своей сети.";
    OtherSubnetFound: "Heard on {}; the address is in no network of the computer that scanned.",
        "Обнаружено на интерфейсе {}; адрес не входит ни в одну сеть компьютера, проводившего обследование.";
    OtherSubnetHeard: "Heard on the link; the address is in no network of the computer that scanned.",
        "Обнаружено в сегменте сети; адрес не входит ни в одну сеть компьютера, проводившего обследование.";
    ToReach: "To reach it: {}", "Чтобы подключиться: {}";
    ToUndo: "To undo that: {}", "Чтобы отменить: {}";
    NetworkMismatch: "Mask or gateway does not fit", "Маска или шлюз не соответствуют сети";
    NetworkMismatchDo: "The device does not reach every host: no time server, no remote access. Set mask and gateway to those of the network.",
        "Устройство доступно не всем узлам: нет сервера времени и удалённого доступа. Задайте маску и шлюз этой сети.";
    MaskFound: "Its mask {} is not that of the network.", "Маска {} не соответствует сети.";
    GatewayFound: "Its gateway {} is not on its own network.", "Шлюз {} находится вне сети устройства.";
    MismatchFound: "Its network settings do not fit the network.", "Сетевые настройки не соответствуют сети.";
    LoginNeeded: "Not checked: a login is needed", "Не проверены: нужен пароль";
    LoginNeededDo: "Scan again with the right login. Passwords are never guessed.",
        "Повторите обследование с верным паролем. Программа пароли не подбирает.";
    LoginMissingFound: "A login is demanded, and none was given.", "Требуется пароль, он не был указан.";
    LoginRefusedFound: "The login given was refused.", "Указанный пароль не подошёл.";
    DynamicAddress: "Address may change (DHCP)", "Адрес может измениться (DHCP)";
    DynamicAddressDo: "After a power failure the recorder may not find the camera. Set a fixed address, or reserve it on the DHCP server.",
        "После отключения питания регистратор может не найти камеру. Задайте постоянный адрес или закрепите его на DHCP-сервере.";
    DynamicAddressFound: "The device reports that it has its address from DHCP.", "Устройство сообщает, что получает адрес по DHCP.";
    AndMore: "and {} more", "и ещё {}";

    Works: "works", "работает";
    Described: "not played", "не проигрывался";
    NeedsLogin: "needs a login", "нужен пароль";
    Dead: "does not work", "не работает";
    NoFrames: "no frame came", "кадры не поступают";
    NotFound: "no such stream", "такого потока нет";

    FooterPasswords: "This document holds no passwords.", "Документ не содержит паролей.";
    FooterFigures: "k, M, G stand for 10³, 10⁶, 10⁹.", "к, М, Г — приставки 10³, 10⁶, 10⁹.";
}

/// What a device is.
pub const fn kind(kind: Kind, lang: Lang) -> &'static str {
    match (kind, lang) {
        (Kind::Camera, Lang::En) => "camera",
        (Kind::Camera, Lang::Ru) => "камера",
        (Kind::Recorder, Lang::En) => "recorder",
        (Kind::Recorder, Lang::Ru) => "регистратор",
        (Kind::Encoder, Lang::En) => "video encoder",
        (Kind::Encoder, Lang::Ru) => "видеосервер (кодер)",
        (Kind::Intercom, Lang::En) => "door station",
        (Kind::Intercom, Lang::Ru) => "вызывная панель",
        (Kind::MediaServer, Lang::En) => "media server",
        (Kind::MediaServer, Lang::Ru) => "медиасервер",
        (Kind::Other, Lang::En) => "other",
        (Kind::Other, Lang::Ru) => "другое",
    }
}

/// A method of finding hosts.
pub const fn method(method: Method, lang: Lang) -> &'static str {
    match (method, lang) {
        (Method::Arp, _) => "ARP",
        (Method::Onvif, _) => "ONVIF (WS-Discovery)",
        (Method::Ssdp, _) => "SSDP (UPnP)",
        (Method::Mdns, _) => "mDNS",
        (Method::Beacon, Lang::En) => "makers' own discovery",
        (Method::Beacon, Lang::Ru) => "поиск по протоколам производителей",
        (Method::Icmp, Lang::En) => "ping (ICMP)",
        (Method::Icmp, Lang::Ru) => "ping (ICMP)",
        (Method::Tcp, Lang::En) => "TCP connections",
        (Method::Tcp, Lang::Ru) => "TCP-соединения",
    }
}

/// What became of a method.
pub const fn outcome(outcome: MethodOutcome, lang: Lang) -> &'static str {
    match (outcome, lang) {
        (MethodOutcome::Answered, Lang::En) => "answered: {}",
        (MethodOutcome::Answered, Lang::Ru) => "ответили: {}",
        (MethodOutcome::Silent, Lang::En) => "no answer: nobody speaks it, or a firewall drops the answers",
        (MethodOutcome::Silent, Lang::Ru) => {
            "ответов нет: никто его не поддерживает или ответы отсекает межсетевой экран"
        }
        (MethodOutcome::Failed, Lang::En) => "could not run",
        (MethodOutcome::Failed, Lang::Ru) => "не удалось выполнить",
        (MethodOutcome::NotNeeded, Lang::En) => "not needed, since no target was left for it",
        (MethodOutcome::NotNeeded, Lang::Ru) => "не потребовался, так как для него не осталось целей",
        (MethodOutcome::NotWanted, Lang::En) => "not used in this scan",
        (MethodOutcome::NotWanted, Lang::Ru) => "не применялся",
    }
}

/// Why a method could not run.
pub const fn hindrance(why: Hindrance, lang: Lang) -> &'static str {
    match (why, lang) {
        (Hindrance::NotPermitted, Lang::En) => "the system does not permit it to camscan",
        (Hindrance::NotPermitted, Lang::Ru) => "операционная система не разрешает это программе camscan",
        (Hindrance::NoNetwork, Lang::En) => "there is no network to ask",
        (Hindrance::NoNetwork, Lang::Ru) => "нет сети, которую можно опросить",
        (Hindrance::Refused, Lang::En) => "the system refused it",
        (Hindrance::Refused, Lang::Ru) => "отказ операционной системы",
        (Hindrance::Stopped, Lang::En) => "the scan was stopped before it ended",
        (Hindrance::Stopped, Lang::Ru) => "обследование прервано раньше",
        (Hindrance::Internal, Lang::En) => "internal error of camscan",
        (Hindrance::Internal, Lang::Ru) => "внутренняя ошибка camscan",
    }
}

/// Why an interface was not searched.
pub const fn unused(unused: Unused, lang: Lang) -> &'static str {
    match (unused, lang) {
        (Unused::NotChosen, Lang::En) => "not among the interfaces chosen",
        (Unused::NotChosen, Lang::Ru) => "не входит в число выбранных интерфейсов",
        (Unused::LocalTargets, Lang::En) => "only this computer was searched",
        (Unused::LocalTargets, Lang::Ru) => "обследовался только сам компьютер",
        (Unused::PointToPoint, Lang::En) => "it joins two points only (VPN, PPP)",
        (Unused::PointToPoint, Lang::Ru) => "соединение двух точек (VPN, PPP)",
        (Unused::NoMac, Lang::En) => "it has no MAC address",
        (Unused::NoMac, Lang::Ru) => "нет MAC-адреса",
        (Unused::NoTarget, Lang::En) => "none of the targets is on it",
        (Unused::NoTarget, Lang::Ru) => "на нём нет ни одной из целей",
    }
}

/// What may have hidden devices.
pub const fn limit(kind: LimitKind, lang: Lang) -> &'static str {
    match (kind, lang) {
        (LimitKind::QuestionsForbidden, Lang::En) => {
            "discovery questions could not be sent: a firewall of the computer that scanned forbids them"
        }
        (LimitKind::QuestionsForbidden, Lang::Ru) => {
            "поисковые запросы не отправлены: их запрещает межсетевой экран компьютера, проводившего обследование"
        }
        (LimitKind::NoMulticastRoute, Lang::En) => "discovery questions could not be sent: there is no multicast route",
        (LimitKind::NoMulticastRoute, Lang::Ru) => "поисковые запросы не отправлены: нет маршрута для мультикаста",
        (LimitKind::QuestionsRefused, Lang::En) => "discovery questions could not be sent: the system refused them",
        (LimitKind::QuestionsRefused, Lang::Ru) => "поисковые запросы не отправлены: отказ операционной системы",
        (LimitKind::StrictSenderCheck, Lang::En) => {
            "cameras in other subnets may be missing: the system drops their packets (rp_filter is strict)"
        }
        (LimitKind::StrictSenderCheck, Lang::Ru) => {
            "камеры из других подсетей могли не попасть в отчёт: система отбрасывает их пакеты (строгий rp_filter)"
        }
        (LimitKind::LooseSenderCheck, Lang::En) => {
            "cameras in other subnets may be missing: the system drops packets without a route back (rp_filter is loose)"
        }
        (LimitKind::LooseSenderCheck, Lang::Ru) => {
            "камеры из других подсетей могли не попасть в отчёт: система отбрасывает пакеты без обратного маршрута (rp_filter)"
        }
        (LimitKind::LinkUnread, Lang::En) => {
            "cameras in other subnets were seen only by their answers: the link could not be read"
        }
        (LimitKind::LinkUnread, Lang::Ru) => {
            "камеры из других подсетей видны только по их ответам: трафик сегмента прочитать не удалось"
        }
    }
}

/// What failed.
pub const fn error(kind: ErrorKind, lang: Lang) -> &'static str {
    match (kind, lang) {
        (ErrorKind::Timeout, Lang::En) => "no answer in time",
        (ErrorKind::Timeout, Lang::Ru) => "нет ответа за отведённое время",
        (ErrorKind::Refused, Lang::En) => "connection refused",
        (ErrorKind::Refused, Lang::Ru) => "соединение отклонено",
        (ErrorKind::Unreachable, Lang::En) => "unreachable",
        (ErrorKind::Unreachable, Lang::Ru) => "узел недоступен",
        (ErrorKind::Closed, Lang::En) => "connection cut off",
        (ErrorKind::Closed, Lang::Ru) => "соединение разорвано",
        (ErrorKind::Tls, Lang::En) => "encryption (TLS) failed",
        (ErrorKind::Tls, Lang::Ru) => "ошибка шифрования (TLS)",
        (ErrorKind::Protocol, Lang::En) => "the answer cannot be understood",
        (ErrorKind::Protocol, Lang::Ru) => "ответ не соответствует протоколу",
        (ErrorKind::TooLarge, Lang::En) => "the answer is too large",
        (ErrorKind::TooLarge, Lang::Ru) => "слишком большой ответ",
        (ErrorKind::AuthRequired, Lang::En) => "a login is needed",
        (ErrorKind::AuthRequired, Lang::Ru) => "нужен пароль",
        (ErrorKind::AuthRefused, Lang::En) => "the login was refused",
        (ErrorKind::AuthRefused, Lang::Ru) => "пароль не подошёл",
        (ErrorKind::Locked, Lang::En) => "locked after refused logins",
        (ErrorKind::Locked, Lang::Ru) => "вход заблокирован после неверных паролей",
        (ErrorKind::LoginRests, Lang::En) => "the login rests: it is not tried again by itself",
        (ErrorKind::LoginRests, Lang::Ru) => "пароль больше не отправляется: прежние попытки отклонены",
        (ErrorKind::Busy, Lang::En) => "the device is busy: too many viewers",
        (ErrorKind::Busy, Lang::Ru) => "устройство занято: слишком много подключений",
        (ErrorKind::NotFound, Lang::En) => "no such stream",
        (ErrorKind::NotFound, Lang::Ru) => "такого потока нет",
        (ErrorKind::Redirect, Lang::En) => "redirected elsewhere",
        (ErrorKind::Redirect, Lang::Ru) => "перенаправление на другой узел",
        (ErrorKind::Device, Lang::En) => "error of the device",
        (ErrorKind::Device, Lang::Ru) => "ошибка устройства",
        (ErrorKind::Local, Lang::En) => "the computer that scanned lacks something",
        (ErrorKind::Local, Lang::Ru) => "не хватило ресурсов компьютера, проводившего обследование",
        (ErrorKind::Interrupted, Lang::En) => "the scan was stopped",
        (ErrorKind::Interrupted, Lang::Ru) => "обследование прервано",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_the_same_blanks_in_every_language() {
        for text in Text::ALL {
            let blanks = Lang::ALL.map(|lang| text.of(lang).matches("{}").count());
            assert_eq!(blanks[0], blanks[1], "{text:?}");
            assert!(Lang::ALL.iter().all(|lang| !text.of(*lang).trim().is_empty()), "{text:?}");
        }
    }

    #[test]
    fn russian_is_written_in_russian() {
        // Names that are the same in every language.
        let same = [Text::Dhcp, Text::DeadStreamFound];
        for text in Text::ALL.iter().filter(|text| !same.contains(text)) {
            let is_cyrillic = |c: char| ('а'..='я').contains(&c) || ('А'..='Я').contains(&c) || c == 'ё';
            assert!(text.of(Lang::Ru).chars().any(is_cyrillic), "{text:?}");
            assert!(!text.of(Lang::En).chars().any(is_cyrillic), "{text:?}");
        }
    }

    #[test]
    fn values_are_filled_in_in_their_order() {
        assert_eq!(Text::Also.with(Lang::En, &["3", "10.0.5.2"]), "Also channel 3 of the recorder 10.0.5.2");
        assert_eq!(Text::Also.with(Lang::Ru, &["{}", "x"]), "Также канал {} регистратора x");
        assert_eq!(Text::Fps.with(Lang::En, &[]), " fps");
    }
}
