use proptest::prelude::*;

use super::*;
use crate::model::Kind;
use crate::model::memory::{DeliveryState, DeviceCard, StreamCard, Uid};

fn at(text: &str) -> Timestamp {
    format!("2026-03-02T{text}Z").parse().unwrap()
}

fn style() -> Style {
    Style { public_url: Some("https://cams.example.org".to_owned()), zone: TimeZone::UTC }
}

fn delivery(group: &str) -> Delivery {
    let (id, channel, events) = ("msg_1".to_owned(), "a".to_owned(), vec![1, 2]);
    let (created_at, state) = (at("16:02:00"), DeliveryState::Waiting);
    let (body, error, group) = (None, None, group.to_owned());
    Delivery { number: 1, id, channel, group, events, body, created_at, due_at: created_at, tries: 0, state, error }
}

fn event(kind: EventKind, device: u8, when: &str) -> Event {
    let mut event = Event { device: Some(Uid::of([device; 10])), ..Event::new(kind, at(when)) };
    event.data.device = Some(DeviceCard {
        ip: [10, 0, 5, device].into(),
        kind: Kind::Camera,
        name: Some(format!("Dome {device}")),
        vendor: Some("Hikvision".to_owned()),
        model: Some("DS-2CD2143G2-I".to_owned()),
        mac: "44:19:b6:00:00:15".parse().ok(),
        site: Some("North".to_owned()),
        tags: Vec::new(),
    });
    event
}

fn shown(message: &Message) -> String {
    format!("[{}] {}\n{}\n{}", message.severity, message.title, message.text, message.link.as_deref().unwrap_or("-"))
}

#[test]
fn a_problem_says_what_since_when_how_it_is_known_and_what_to_try() {
    let mut offline = event(EventKind::DeviceOffline, 21, "14:04:30");
    (offline.data.since, offline.data.last_seen) = (Some(at("14:02:20")), Some(at("14:00:00")));
    offline.data.reason = Some("3 misses in 2 min 10 s; 41 others of 10.0.5.0/24 answer".to_owned());
    let mut online = event(EventKind::DeviceOnline, 21, "14:18:30");
    online.data.since = offline.data.since;
    let mut broken = event(EventKind::StreamBroken, 21, "14:04:30");
    broken.data.stream = Some(StreamCard {
        key: "rtsp 554 /Streaming/Channels/101".to_owned(),
        url: "rtsp://admin:hunter2@10.0.5.21/Streaming/Channels/101?pwd=hunter2".to_owned(),
        channel: None,
    });
    broken.data.failure = Some("SETUP: 454 Session Not Found".to_owned());
    let one = |event: &Event, group| shown(&compose(&delivery(group), &[(1, event.clone())], &style()));
    insta::assert_snapshot!([
        one(&offline, "news 0 North"),
        one(&offline, "reminder 0 North"),
        one(&online, "news 0 North"),
        one(&broken, "news 0 North"),
        shown(&compose(&delivery("news 0 North"), &[(1, offline), (2, online)], &style())),
    ].join("\n\n"), @r#"
    [problem] Offline: Dome 21 (10.0.5.21)
    Since 2026-03-02 14:02, last seen 2026-03-02 14:00
    3 misses in 2 min 10 s; 41 others of 10.0.5.0/24 answer
    Hikvision DS-2CD2143G2-I · 44:19:b6:00:00:15 · North
    Try: check its power and its cable or Wi-Fi; `camscan probe HOST -v` says what still answers
    https://cams.example.org/devices/d_2maha58n2maha58n

    [problem] Still offline: Dome 21 (10.0.5.21)
    Since 2026-03-02 14:02, for 1 h 59 min, last seen 2026-03-02 14:00
    3 misses in 2 min 10 s; 41 others of 10.0.5.0/24 answer
    Hikvision DS-2CD2143G2-I · 44:19:b6:00:00:15 · North
    Try: check its power and its cable or Wi-Fi; `camscan probe HOST -v` says what still answers
    https://cams.example.org/devices/d_2maha58n2maha58n

    [recovery] Back online: Dome 21 (10.0.5.21)
    Back after 16 min 10 s, at 2026-03-02 14:18
    Hikvision DS-2CD2143G2-I · 44:19:b6:00:00:15 · North
    https://cams.example.org/devices/d_2maha58n2maha58n

    [problem] Stream broken: Dome 21 (10.0.5.21) /Streaming/Channels/101
    Since 2026-03-02 14:04
    SETUP: 454 Session Not Found
    Hikvision DS-2CD2143G2-I · 44:19:b6:00:00:15 · North
    rtsp://10.0.5.21/Streaming/Channels/101?pwd=***
    Try: has the camera reached its number of viewers? `camscan probe URL` shows what each step answers
    https://cams.example.org/devices/d_2maha58n2maha58n

    [info] Dome 21 (10.0.5.21) was offline 14:02–14:18
    2026-03-02 14:02–14:18: over before this could be sent, after 16 min 10 s
    3 misses in 2 min 10 s; 41 others of 10.0.5.0/24 answer
    Hikvision DS-2CD2143G2-I · 44:19:b6:00:00:15 · North
    https://cams.example.org/devices/d_2maha58n2maha58n
    "#);
}

#[test]
fn several_events_are_lines_and_at_most_ten_of_them() {
    let mut events: Vec<(i64, Event)> =
        (1..=14).map(|n| (i64::from(n), event(EventKind::DeviceOffline, n, "14:02:00"))).collect();
    events.push((15, event(EventKind::DeviceNew, 77, "14:03:00")));
    // Twice gone and back within one message.
    events.push((16, event(EventKind::DeviceOnline, 1, "14:10:00")));
    events.push((17, event(EventKind::DeviceOffline, 1, "14:20:00")));
    events.push((18, event(EventKind::DeviceOnline, 1, "14:30:00")));
    let news = compose(&delivery("news 0 North"), &events, &style());
    let reminder = compose(&delivery("reminder 0 North"), &events[1..3], &style());
    insta::assert_snapshot!(format!("{}\n\n{}", shown(&news), shown(&reminder)), @r#"
    [problem] 13 × offline, 1 × was offline, 1 × new device · North
    Dome 1 (10.0.5.1) was offline 2 times 2026-03-02 14:02–14:30
    Offline: Dome 2 (10.0.5.2), 2026-03-02 14:02
    Offline: Dome 3 (10.0.5.3), 2026-03-02 14:02
    Offline: Dome 4 (10.0.5.4), 2026-03-02 14:02
    Offline: Dome 5 (10.0.5.5), 2026-03-02 14:02
    Offline: Dome 6 (10.0.5.6), 2026-03-02 14:02
    Offline: Dome 7 (10.0.5.7), 2026-03-02 14:02
    Offline: Dome 8 (10.0.5.8), 2026-03-02 14:02
    Offline: Dome 9 (10.0.5.9), 2026-03-02 14:02
    Offline: Dome 10 (10.0.5.10), 2026-03-02 14:02
    and 5 more
    https://cams.example.org/events

    [problem] Not over: 2 × offline · North
    Offline: Dome 2 (10.0.5.2), for 2 h
    Offline: Dome 3 (10.0.5.3), for 2 h
    https://cams.example.org/events
    "#);
    assert_eq!((news.events.len() + news.left_out, news.device.clone()), (18, None));
}

#[test]
fn each_of_several_says_since_when_and_why() {
    let mut offline = event(EventKind::DeviceOffline, 1, "14:05:30");
    (offline.data.since, offline.data.reason) = (Some(at("14:02:20")), Some("3 misses in 2 min 10 s".to_owned()));
    let mut broken = event(EventKind::StreamBroken, 2, "14:05:40");
    (broken.data.since, broken.data.failure) = (Some(at("14:03:00")), Some("SETUP: 454 Session Not Found".to_owned()));
    let mut online = event(EventKind::DeviceOnline, 3, "14:06:00");
    online.data.since = Some(at("13:00:00"));
    let mut new = event(EventKind::DeviceNew, 4, "14:06:10");
    new.data.reason = Some("x".repeat(300));
    let events: Vec<(i64, Event)> = (1..).zip([offline, broken, online, new]).collect();
    insta::assert_snapshot!(compose(&delivery("news 0 "), &events, &style()).text, @r#"
    Offline: Dome 1 (10.0.5.1), since 2026-03-02 14:02: 3 misses in 2 min 10 s
    Stream broken: Dome 2 (10.0.5.2), since 2026-03-02 14:03: SETUP: 454 Session Not Found
    Back online: Dome 3 (10.0.5.3), 2026-03-02 14:06, after 1 h 6 min
    New device: Dome 4 (10.0.5.4), 2026-03-02 14:06: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
    "#);
}

/// What was held back is told with names, as many as there is room for.
#[test]
fn a_summary_names_all_there_is_room_for_and_counts_the_rest() {
    for (count, named) in [(14u8, 14), (200, 30)] {
        let events: Vec<(i64, Event)> =
            (1..=count).map(|n| (i64::from(n), event(EventKind::DeviceOffline, n, "14:02:00"))).collect();
        let message = compose(&delivery("more problems"), &events, &style());
        let lines: Vec<&str> = message.text.lines().collect();
        let left =
            lines.last().and_then(|line| line.strip_prefix("and ")?.strip_suffix(" more")?.parse::<usize>().ok());
        let shown = lines.len() - usize::from(left.is_some());
        assert!(shown >= named && shown + left.unwrap_or(0) == usize::from(count), "{}", message.text);
        assert!(message.title.starts_with(&format!("Summary: {count} × offline")), "{}", message.title);
    }
}

#[test]
fn the_thread_of_an_end_is_that_of_its_beginning() {
    let thread = |kind, device, since: &str| {
        let mut event = event(kind, device, "14:00:00");
        event.data.since = Some(at(since));
        compose(&delivery("news 0 "), &[(1, event)], &style()).thread.unwrap()
    };
    use EventKind as E;
    let offline = thread(E::DeviceOffline, 1, "13:00:00");
    assert_eq!(offline, thread(E::DeviceOnline, 1, "13:00:00"));
    assert_ne!(offline, thread(E::DeviceOffline, 1, "13:30:00"));
    assert_ne!(offline, thread(E::DeviceOffline, 2, "13:00:00"));
}

/// Messages about one problem are sent by several versions.
#[test]
fn a_thread_has_one_text_in_every_version() {
    let subject = (Some("d_1".to_owned()), Some("ch 2".to_owned()), None, None);
    assert_eq!(thread_text(EventKind::StreamBroken, &subject, 7), "stream.broken\n3 d_1\n4 ch 2\n-\n-\n7");
    let subject = (None, None, Some("10.0.5.0/24".to_owned()), Some(String::new()));
    assert_eq!(
        thread_text(EventKind::SubnetUnreachable, &subject, 0),
        "subnet.unreachable\n-\n-\n11 10.0.5.0/24\n0 \n0"
    );
}

#[test]
fn every_kind_of_event_has_a_message() {
    for kind in EventKind::ALL {
        let message = compose(&delivery("news 0 "), &[(1, event(kind, 1, "14:00:00"))], &style());
        assert!(message.title.contains(": Dome 1 (10.0.5.1)") && !message.text.is_empty(), "{message:?}");
        assert_eq!(message.severity, kind.severity());
        let bare = compose(&delivery("news 0 "), &[(1, Event::new(kind, at("14:00:00")))], &style());
        assert!(!bare.title.ends_with(": ") && !bare.title.is_empty(), "{bare:?}");
    }
    let gone = compose(&delivery("news 0 "), &[], &style());
    assert_eq!((gone.title.as_str(), gone.severity), ("2 events that are no longer stored", Severity::Info));
}

fn any_event() -> impl Strategy<Value = Event> {
    let text = || prop_oneof![any::<String>(), "[a-z ]{0,400}", Just("rtsp://admin:hunter2@10.0.0.1/x".to_owned())];
    let kinds = prop::sample::select(EventKind::ALL.to_vec());
    (kinds, 0u8..4, [text(), text(), text(), text(), text()], 0i64..1_000_000).prop_map(
        |(kind, device, [name, model, site, reason, change], since)| {
            let mut event = event(kind, device, "14:00:00");
            let card = event.data.device.as_mut().unwrap();
            (card.name, card.model, card.site) = (Some(name), Some(model), Some(site));
            (event.data.reason, event.data.failure) = (Some(reason), Some(change.clone()));
            event.data.changes = vec![change; usize::from(device) * 8];
            event.data.since = Timestamp::from_second(1_772_000_000 + since).ok();
            event
        },
    )
}

proptest! {
    #[test]
    fn a_message_keeps_its_limits_and_tells_no_login(
        events in prop::collection::vec(any_event(), 0..30),
        group in prop::sample::select(vec!["news 0 North", "digest 1 ", "reminder 0 x", "more", "more problems", "?"]),
    ) {
        let count = events.len();
        let events: Vec<(i64, Event)> = (1..).zip(events).collect();
        let message = compose(&delivery(group), &events, &style());
        prop_assert!(message.title.chars().count() <= TITLE, "{}", message.title);
        prop_assert!(!message.title.contains('\n') && !message.title.is_empty());
        prop_assert!(message.text.chars().count() <= TEXT);
        prop_assert!(!message.title.chars().chain(message.text.chars()).any(|c| c.is_control() && c != '\n'));
        prop_assert_eq!(message.events.len() + message.left_out, count);
        let stored = serde_json::to_string(&message).unwrap();
        prop_assert!(!stored.contains("hunter2"));
        prop_assert_eq!(&serde_json::from_str::<Message>(&stored).unwrap(), &message);
        prop_assert!(crate::notify::channel::webhook::body(&message).to_string().len() <= 20_000);
    }
}
