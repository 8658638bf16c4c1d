use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Weekday;
use proptest::prelude::*;

use super::*;
use crate::model::Kind;
use crate::model::memory::{DeviceCard, EventKind, MutedBy, Uid};
use crate::model::notify::{Channel, ChannelWay, Exec};
use crate::testkit::outbox::MemoryOutbox;

fn at(text: &str) -> Timestamp {
    format!("2026-03-02T{text}:00Z").parse().unwrap()
}

fn channel(name: &str) -> Channel {
    let exec = Exec { program: "true".to_owned(), arguments: Vec::new() };
    Channel { name: name.to_owned(), way: ChannelWay::Exec(exec) }
}

fn rules(channels: &[&str], rules: Vec<Rule>) -> Rules {
    let channels = channels.iter().map(|name| channel(name)).collect();
    Rules::new(&Notifications { public_url: None, channels, rules }, TimeZone::UTC)
}

fn event(kind: EventKind, device: u8, site: &str) -> Event {
    let card = DeviceCard {
        ip: [10, 0, 5, device].into(),
        kind: Kind::Camera,
        name: None,
        vendor: None,
        model: None,
        mac: None,
        site: Some(site.to_owned()).filter(|site| !site.is_empty()),
        tags: vec!["outside".to_owned()],
    };
    let mut event = Event { device: Some(Uid::of([device; 10])), ..Event::new(kind, at("10:00")) };
    event.data.device = Some(card);
    event
}

/// Reads no event.
fn nothing(_: &[i64]) -> Vec<(i64, Event)> {
    Vec::new()
}

/// Messages as `channel group events`.
fn said(outbox: &MemoryOutbox) -> Vec<String> {
    let alive = outbox.deliveries().into_iter().filter(|d| d.state != DeliveryState::Dropped);
    alive.map(|d| format!("{} {} {:?}", d.channel, d.group, d.events)).collect()
}

#[test]
fn events_of_a_site_share_a_message_until_it_is_delivered() {
    use EventKind as E;
    let (rules, outbox) = (rules(&["a", "b"], vec![]), MemoryOutbox::default());
    let muted = Event { muted_by: Some(MutedBy::Subnet), ..event(E::DeviceOffline, 9, "North") };
    let first = vec![event(E::DeviceOffline, 1, "North"), event(E::DeviceOffline, 2, "South"), muted];
    outbox.tell(first, &rules, at("10:00"));
    // Nobody wants to know that a device has another firmware, unless a rule says so.
    let second = vec![event(E::DeviceOnline, 1, "North"), event(E::DeviceChanged, 3, "North")];
    outbox.tell(second, &rules, at("10:00"));
    let expected = ["a news 0 North [1, 4]", "b news 0 North [1, 4]", "a news 0 South [2]", "b news 0 South [2]"];
    assert_eq!(said(&outbox), expected);
    let mut delivery = outbox.deliveries().remove(0);
    assert_eq!(delivery.due_at, after(at("10:00"), SignedDuration::from_secs(30)));
    delivery.body = Some(String::new());
    crate::model::memory::Outbox::settle(&outbox, &delivery).unwrap();
    outbox.tell(vec![event(E::DeviceNew, 4, "North")], &rules, at("10:01"));
    assert_eq!(said(&outbox)[0], "a news 0 North [1, 4]");
    assert_eq!(said(&outbox)[1], "b news 0 North [1, 4, 6]");
    assert_eq!(said(&outbox)[4], "a news 0 North [6]");
    let ids: BTreeSet<String> = outbox.deliveries().into_iter().map(|d| d.id).collect();
    assert_eq!(ids.len(), outbox.deliveries().len());
}

#[test]
fn every_condition_of_a_rule_counts() {
    use EventKind as E;
    let offline = event(E::DeviceOffline, 21, "North");
    let base = || Rule { events: vec![], severity: vec![Severity::Problem], ..Rule::default() };
    let hours = |days: &[Weekday], from: i8, to: i8| Hours {
        days: days.to_vec(),
        from: Time::constant(from, 0, 0, 0),
        to: Time::constant(to, 0, 0, 0),
    };
    // 2 March 2026 is a Monday.
    let monday = [Weekday::Monday];
    let cases = [
        (base(), true),
        (Rule { severity: vec![Severity::Warning], ..base() }, false),
        (Rule { severity: vec![], events: vec![E::DeviceOffline], ..base() }, true),
        (Rule { tags: vec!["inside".into(), "outside".into()], ..base() }, true),
        (Rule { tags: vec!["inside".into()], ..base() }, false),
        (Rule { sites: vec!["North".into()], ..base() }, true),
        (Rule { sites: vec!["South".into()], ..base() }, false),
        (Rule { subnets: vec!["10.0.5.0/24".parse().unwrap()], ..base() }, true),
        (Rule { subnets: vec!["10.0.6.0/24".parse().unwrap()], ..base() }, false),
        (Rule { channels: vec!["other".into()], ..base() }, false),
        (Rule { hours: vec![hours(&monday, 9, 11)], ..base() }, true),
        (Rule { hours: vec![hours(&monday, 10, 10)], ..base() }, true),
        (Rule { hours: vec![hours(&monday, 11, 18)], ..base() }, false),
        (Rule { hours: vec![hours(&[Weekday::Sunday], 22, 11)], ..base() }, true),
        (Rule { hours: vec![hours(&[Weekday::Sunday], 22, 10)], ..base() }, false),
        (Rule { hours: vec![hours(&monday, 22, 11)], ..base() }, false),
    ];
    for (rule, sent) in cases {
        let routed = rules(&["a"], vec![rule.clone()]).route(&[(1, offline.clone())], &[], at("10:00"), &nothing);
        assert_eq!(!routed.new.is_empty(), sent, "{rule:?}");
    }
    // About a network there is no tag and no site.
    let mut subnet = Event::new(E::SubnetUnreachable, at("10:00"));
    subnet.network = Some("10.0.5.0/24".parse().unwrap());
    for (rule, sent) in [
        (Rule { subnets: vec!["10.0.0.0/16".parse().unwrap()], ..base() }, true),
        (Rule { subnets: vec!["10.0.5.0/25".parse().unwrap()], ..base() }, false),
        (Rule { tags: vec!["outside".into()], ..base() }, false),
    ] {
        let routed = rules(&["a"], vec![rule.clone()]).route(&[(1, subnet.clone())], &[], at("10:00"), &nothing);
        assert_eq!(!routed.new.is_empty(), sent, "{rule:?}");
    }
}

#[test]
fn an_end_is_told_after_hours_where_the_beginning_was_within() {
    let mut online = event(EventKind::DeviceOnline, 1, "");
    online.data.since = Some(at("17:50"));
    let days = vec![Weekday::Monday];
    let hours = Hours { days, from: Time::constant(8, 0, 0, 0), to: Time::constant(18, 0, 0, 0) };
    let rule = Rule { hours: vec![hours], ..Rule::default() };
    let rules = rules(&["a"], vec![rule]);
    assert_eq!(rules.route(&[(1, online.clone())], &[], at("19:00"), &nothing).new.len(), 1);
    online.data.since = Some(at("18:30"));
    assert_eq!(rules.route(&[(1, online)], &[], at("19:00"), &nothing).new.len(), 0);
}

#[test]
fn the_first_rule_for_a_channel_holds_and_a_channel_is_not_told_of_itself() {
    let first = Rule { channels: vec!["a".into()], wait: Duration::from_secs(1), ..Rule::default() };
    let rules = rules(&["a", "b"], vec![first, Rule::default()]);
    let outbox = MemoryOutbox::default();
    outbox.tell(vec![event(EventKind::DeviceOffline, 1, "")], &rules, at("10:00"));
    let mut failing = Event::new(EventKind::ChannelFailing, at("10:00"));
    failing.data.channel = Some("b".to_owned());
    outbox.tell(vec![failing], &rules, at("10:00"));
    assert_eq!(said(&outbox), ["a news 0  [1, 2]", "b news 1  [1]"]);
}

#[test]
fn a_digest_waits_for_its_time_of_day() {
    let times = vec![Time::constant(8, 0, 0, 0), Time::constant(16, 30, 0, 0)];
    let rules = rules(&["a"], vec![Rule { digest: times, ..Rule::default() }]);
    let outbox = MemoryOutbox::default();
    outbox.tell(vec![event(EventKind::DeviceOffline, 1, "")], &rules, at("10:00"));
    outbox.tell(vec![event(EventKind::DeviceNew, 2, "")], &rules, at("16:29"));
    outbox.tell(vec![event(EventKind::DeviceNew, 3, "North")], &rules, at("16:30"));
    assert_eq!(said(&outbox), ["a digest 0  [1, 2]", "a digest 0 North [3]"]);
    let due: Vec<Timestamp> = outbox.deliveries().iter().map(|d| d.due_at).collect();
    assert_eq!(due, [at("16:30"), "2026-03-03T08:00:00Z".parse().unwrap()]);
}

#[test]
fn what_comes_beyond_twenty_an_hour_is_one_message() {
    let (rules, outbox) = (rules(&["a"], vec![]), MemoryOutbox::default());
    for nth in 0..30 {
        let site = format!("site {nth}");
        let now = after(at("10:00"), SignedDuration::from_mins(nth));
        outbox.tell(vec![event(EventKind::DeviceNew, 1, &site)], &rules, now);
    }
    let deliveries = outbox.deliveries();
    assert_eq!(deliveries.len(), MOST_PER_HOUR + 1);
    let more = deliveries.last().unwrap();
    assert_eq!((more.group.as_str(), more.events.len(), more.due_at), ("more", 10, at("11:00")));
    // An hour later there is room again.
    outbox.tell(vec![event(EventKind::DeviceNew, 1, "late")], &rules, at("11:05"));
    assert_eq!(outbox.deliveries().last().unwrap().group, "news 0 late");
}

/// What was told within the hour, what comes then, and the message it stands in.
#[test]
fn each_severity_has_room_of_its_own() {
    use EventKind as E;
    let full = [(20, E::DeviceNew), (20, E::DeviceOffline), (20, E::DeviceOnline)];
    type Case<'c> = (&'c [(u8, EventKind)], &'c [EventKind], &'c [&'c str]);
    let cases: [Case<'_>; 8] = [
        (&full[..1], &[E::DeviceNew], &["more [1]"]),
        (&full[..1], &[E::SubnetUnreachable, E::DeviceOffline], &["news [1]", "news [2]"]),
        (&full[..1], &[E::DeviceOnline, E::SubnetReachable], &["news [1]", "news [2]"]),
        (&[(21, E::DeviceOffline)], &[E::DeviceNew, E::DeviceOffline], &["more [1]", "news [2]"]),
        // Twenty remarks, their summary and twenty problems.
        (&[(21, E::DeviceNew), (20, E::DeviceOffline)], &[E::StreamBroken], &["more problems [1]"]),
        // The end of what was held back stands with it, any other is told.
        (
            &[(21, E::DeviceNew), (20, E::DeviceOffline)],
            &[E::StreamBroken, E::DeviceOnline, E::StreamRepaired],
            &["more problems [1, 3]", "news [2]"],
        ),
        (
            &[(21, E::DeviceNew), (21, E::DeviceOffline), (20, E::DeviceOnline)],
            &[E::DeviceOnline],
            &["more problems [1]"],
        ),
        (&full[..2], &[E::StreamBroken], &["news [1]"]),
    ];
    for (before, then, expected) in cases {
        let (rules, outbox) = (rules(&["a"], vec![]), MemoryOutbox::default());
        let mut told = 0;
        for (count, kind) in before {
            for _ in 0..*count {
                told += 1;
                let device = 100 + u8::try_from(told).unwrap();
                outbox.tell(vec![event(*kind, device, &format!("site {told}"))], &rules, at("10:00"));
            }
        }
        // What was due meanwhile has been sent.
        for mut delivery in outbox.deliveries() {
            (delivery.body, delivery.state) = (Some(String::new()), DeliveryState::Done);
            crate::model::memory::Outbox::settle(&outbox, &delivery).unwrap();
        }
        let sent = outbox.deliveries().len();
        for (nth, kind) in then.iter().enumerate() {
            outbox.tell(vec![event(*kind, 1, &format!("later {nth}"))], &rules, at("10:30"));
        }
        let said: Vec<String> = outbox.deliveries()[sent..]
            .iter()
            .map(|d| {
                let events: Vec<i64> = d.events.iter().map(|number| number - told).collect();
                format!("{} {events:?}", d.group.split(" 0 ").next().unwrap())
            })
            .collect();
        assert_eq!(said, expected, "{before:?} {then:?}");
    }
}

#[test]
fn a_summary_of_problems_comes_when_there_is_room_again_and_in_the_order_of_time() {
    let (rules, outbox) = (rules(&["a"], vec![]), MemoryOutbox::default());
    for nth in 0..50 {
        let now = after(at("10:00"), SignedDuration::from_mins(nth));
        outbox.tell(vec![event(EventKind::DeviceOffline, 1, &format!("site {nth}"))], &rules, now);
    }
    let deliveries = outbox.deliveries();
    let more = deliveries.last().unwrap();
    let held: Vec<i64> = (42..=50).collect();
    assert_eq!((more.group.as_str(), &more.events, more.due_at), ("more problems", &held, at("11:00")));
}

#[test]
fn at_most_a_thousand_wait_and_the_oldest_become_one() {
    let (rules, outbox) = (rules(&["a"], vec![]), MemoryOutbox::default());
    for nth in 0..1_200_i64 {
        let now = after(at("10:00"), SignedDuration::from_hours(nth));
        outbox.tell(vec![event(EventKind::DeviceOffline, 1, &format!("site {nth}"))], &rules, now);
    }
    let waiting: Vec<Delivery> =
        outbox.deliveries().into_iter().filter(|d| d.state == DeliveryState::Waiting).collect();
    assert_eq!(waiting.len(), MOST_WAITING);
    let more = waiting.iter().find(|d| d.group == "more").unwrap();
    assert_eq!(more.events, (1..=201).collect::<Vec<i64>>());
}

#[test]
fn what_lasts_is_told_again_once_in_each_turn() {
    let rule = Rule { repeat: Some(Duration::from_secs(6 * 3600)), ..Rule::default() };
    let rules = rules(&["a", "b"], vec![rule]);
    let problems = [(7, event(EventKind::DeviceOffline, 1, "North")), (8, event(EventKind::StreamBroken, 2, "North"))];
    let outbox = MemoryOutbox::default();
    let remind = |now: &str| {
        let reminders = rules.remind(&problems, &outbox.deliveries(), at(now));
        let said: Vec<String> = reminders.iter().map(|d| format!("{} {} {:?}", d.channel, d.group, d.events)).collect();
        outbox.add(reminders);
        said
    };
    assert_eq!(remind("15:59"), [""; 0]);
    assert_eq!(remind("16:05"), ["a reminder 0 North [7, 8]", "b reminder 0 North [7, 8]"]);
    assert_eq!(remind("21:59"), [""; 0]);
    assert_eq!(remind("22:01").len(), 2);
    let never = self::rules(&["a"], vec![Rule { repeat: None, ..Rule::default() }]);
    assert_eq!(never.remind(&problems, &[], "2026-04-01T00:00:00Z".parse().unwrap()), []);
}

fn any_event() -> impl Strategy<Value = Event> {
    let kinds = prop::sample::select(EventKind::ALL.to_vec());
    (kinds, 0u8..6, prop::sample::select(vec!["", "North", "South", "Hall 3"]), prop::bool::weighted(0.1)).prop_map(
        |(kind, device, site, muted)| Event { muted_by: muted.then_some(MutedBy::User), ..event(kind, device, site) },
    )
}

proptest! {
    /// Whatever comes when, and whatever is being delivered meanwhile.
    #[test]
    fn every_event_that_is_meant_for_a_channel_is_in_exactly_one_message_to_it(
        rounds in prop::collection::vec((prop::collection::vec(any_event(), 0..6), 0i64..4000, any::<prop::sample::Index>(), 0u8..3), 1..60),
    ) {
        let limited = Rule { sites: vec!["North".into()], channels: vec!["a".into()], ..Rule::default() };
        let night = Rule { events: EventKind::ALL.to_vec(), channels: vec!["b".into()], digest: vec![Time::constant(8, 0, 0, 0)], ..Rule::default() };
        let rules = rules(&["a", "b", "c"], vec![limited, night, Rule::default()]);
        let outbox = MemoryOutbox::default();
        let mut now = at("10:00");
        let mut wanted: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for (events, pause, some, what) in rounds {
            now = after(now, SignedDuration::from_secs(pause));
            let meant: Vec<Vec<String>> =
                events.iter().map(|event| rules.receivers(event, now).iter().map(|(_, _, channel)| (*channel).to_owned()).collect()).collect();
            for (number, channels) in outbox.tell(events, &rules, now).into_iter().zip(meant) {
                for channel in channels {
                    wanted.entry(channel).or_default().insert(number);
                }
            }
            let waiting: Vec<Delivery> = outbox.deliveries().into_iter().filter(|d| d.state == DeliveryState::Waiting).collect();
            if !waiting.is_empty() && what > 0 {
                let mut delivery = some.get(&waiting).clone();
                delivery.body = Some(String::new());
                if what > 1 {
                    delivery.state = DeliveryState::Done;
                }
                crate::model::memory::Outbox::settle(&outbox, &delivery).unwrap();
            }
        }
        let mut told: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for delivery in outbox.deliveries().into_iter().filter(|d| d.state != DeliveryState::Dropped) {
            for number in delivery.events {
                prop_assert!(told.entry(delivery.channel.clone()).or_default().insert(number), "{} twice", number);
            }
        }
        prop_assert_eq!(told, wanted);
    }

    /// Each event is one of a site of its own, so that none can share a message but in a summary.
    #[test]
    fn no_problem_waits_for_remarks_and_an_hour_is_bounded(
        rounds in prop::collection::vec((prop::sample::select(EventKind::ALL.to_vec()), 0u8..6, 0i64..300, any::<bool>()), 1..200),
    ) {
        let all = Rule { events: EventKind::ALL.to_vec(), ..Rule::default() };
        let (rules, outbox) = (rules(&["a"], vec![all]), MemoryOutbox::default());
        let (mut now, mut kinds) = (at("10:00"), Vec::new());
        for (nth, (kind, device, pause, sends)) in rounds.into_iter().enumerate() {
            now = after(now, SignedDuration::from_secs(pause));
            outbox.tell(vec![event(kind, device, &format!("site {nth}"))], &rules, now);
            kinds.push(kind.severity());
            let hour: Vec<Delivery> = outbox.deliveries().into_iter().filter(|d| now.duration_since(d.created_at) < HOUR).collect();
            prop_assert!(hour.len() <= 3 * MOST_PER_HOUR + 3, "{} messages in an hour", hour.len());
            let is_of = |d: &Delivery, severities: &[Severity]| {
                d.events.iter().any(|number| severities.contains(&kinds[usize::try_from(number - 1).unwrap()]))
            };
            // A problem that is held back now has twenty others before it, one that ended within the hour counts as well.
            if let Some(new) = hour.last().filter(|d| d.created_at == now && d.group == "more problems") {
                let others = hour.iter().filter(|d| d.number != new.number);
                let of_problems = others.filter(|d| is_of(d, &[Severity::Problem, Severity::Recovery])).count();
                prop_assert!(of_problems >= MOST_PER_HOUR, "held back after {of_problems} messages about problems");
            }
            for mut delivery in outbox.deliveries().into_iter().filter(|d| sends && d.due_at <= now) {
                if delivery.state == DeliveryState::Waiting {
                    (delivery.body, delivery.state) = (Some(String::new()), DeliveryState::Done);
                    crate::model::memory::Outbox::settle(&outbox, &delivery).unwrap();
                }
            }
        }
    }
}
