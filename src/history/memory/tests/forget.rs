//! What is forgotten by itself, and what by a user's word alone.

use super::bounds::{Crowd, heard};
use super::*;
use crate::history::memory::NoteEdit;

/// A day in seconds.
const DAY: i64 = 24 * 3_600;

fn uids(memory: &Memory) -> BTreeSet<Uid> {
    memory.devices.keys().cloned().collect()
}

/// What a user does about the nth of the devices that were heard.
type Act = fn(&mut Memory, &Uid, &Uid);

#[test]
fn what_was_only_heard_goes_after_thirty_days_unless_a_user_said_something_about_it() {
    let said: [Act; 8] = [
        |memory, uid, _| {
            memory.annotate(uid, &NoteEdit { name: Some(Some("Box".into())), ..Default::default() }).unwrap()
        },
        |memory, uid, _| {
            memory.annotate(uid, &NoteEdit { tags: Some(vec!["new".into()]), ..Default::default() }).unwrap()
        },
        |memory, uid, _| {
            memory.annotate(uid, &NoteEdit { expect: Some(Expect::Ignore), ..Default::default() }).unwrap()
        },
        |memory, uid, _| assert!(memory.mute_until(uid, Some(at(DAY)), None)),
        |memory, uid, _| {
            let scope = MuteScope::Device(uid.clone());
            memory.mute(Mute { scope, began: at(0), ended: None, why: None, by: None }).unwrap();
        },
        |memory, uid, _| assert!(memory.acknowledge_all(uid, at(DAY))),
        |memory, uid, _| memory.devices.get_mut(uid).unwrap().has_login = true,
        |memory, uid, other| memory.merge(uid, other).unwrap(),
    ];
    let mut crowd = Crowd::default();
    let merged = said.len() as u32;
    crowd.scan(std::iter::once(camera(251, 1)).chain((0..merged + 5).map(heard)).collect());
    let memory = &mut crowd.memory;
    let of = |memory: &Memory, n| memory.find(&heard(n).mac.unwrap().to_string()).unwrap().uid.clone();
    let other = of(memory, merged);
    let minded: Vec<Uid> = (0..)
        .zip(said)
        .map(|(n, act)| {
            let uid = of(memory, n);
            act(memory, &uid, &other);
            uid
        })
        .collect();
    let (there, now) = (uids(memory), at(3_600).checked_add(jiff::SignedDuration::from_hours(30 * 24)).unwrap());
    let earlier = now - jiff::SignedDuration::from_secs(1);
    assert_eq!(memory.only_heard().count(), 4);
    memory.touched.clear();
    assert!(memory.is_quiet(earlier) && memory.pass(earlier).is_empty() && memory.take_touched().is_empty());
    assert!(!memory.is_quiet(now), "they are due to go");
    assert_eq!(memory.pass(now), [], "that is no event");
    let gone: BTreeSet<Uid> = there.difference(&uids(memory)).cloned().collect();
    assert_eq!(gone, memory.forgotten.keys().cloned().collect());
    assert_eq!((gone.len(), memory.forgotten.values().all(|traces| *traces == Traces::Go)), (4, true));
    assert!(gone.is_subset(&memory.take_touched()), "the store is to know");
    assert!(minded.iter().chain([&other]).all(|uid| memory.devices.contains_key(uid)));
    assert!(memory.is_quiet(now));
}

#[test]
fn what_answered_once_is_not_only_heard() {
    let mut crowd = Crowd::default();
    crowd.scan(vec![camera(251, 1), heard(1), heard(2)]);
    // It was set up, and is in a box again.
    let set_up = Device { reach: None, discovered_by: vec![Method::Arp], ..heard(1) };
    crowd.scan(vec![set_up, heard(2)]);
    crowd.scan(vec![heard(1), heard(2)]);
    let only_heard: Vec<Option<MacAddr>> = crowd.memory.only_heard().map(|known| known.device.mac).collect();
    assert_eq!(only_heard, [heard(2).mac]);
    let uid = crowd.memory.find(&heard(2).mac.unwrap().to_string()).unwrap().uid.clone();
    crowd.memory.answered(&uid, at(4 * 3_600), true, Vantage::CLEAR);
    assert_eq!(crowd.memory.only_heard().count(), 0);
}

#[test]
fn no_more_devices_are_remembered_than_there_is_room_for_and_those_that_are_stay() {
    let mut crowd = Crowd::default();
    crowd.scan(vec![camera(1, 1), heard(1), heard(2)]);
    let uid = crowd.memory.find("192.0.2.1").unwrap().uid.clone();
    let bare = device("203.0.113.1");
    let filler = Known {
        device: bare,
        keys: BTreeMap::new(),
        streams: BTreeMap::new(),
        archived_at: Some(at(0)),
        ..crowd.memory.devices[&uid].clone()
    };
    for n in 3..MOST_DEVICES as u32 {
        let own = Uid::of([[9; 6].as_slice(), &n.to_be_bytes()].concat().try_into().unwrap());
        crowd.memory.devices.insert(own.clone(), Known { uid: own, ..filler.clone() });
    }
    assert_eq!(crowd.memory.devices.len(), MOST_DEVICES);
    let cameras = || (1..=5).map(|n| camera(n, n)).collect::<Vec<_>>();
    let learnt = crowd.scan(cameras());
    assert_eq!((learnt.left_out, learnt.devices.len()), (2, 5), "those that were heard give way to two of four");
    let warning = learnt.warning().unwrap();
    assert!(warning.starts_with("65,536 devices are remembered, and no more are: 2 of"), "{warning}");
    assert!(warning.contains("camscan devices forget") && MOST_DEVICES == 65_536);
    assert_eq!(crowd.memory.devices.len(), MOST_DEVICES);
    assert_eq!(learnt.devices.iter().filter(|uid| crowd.memory.devices.contains_key(*uid)).count(), 3);
    assert_eq!(learnt.devices[0], uid, "what is known stays");
    assert_eq!(sent(&learnt.events), ["device.new", "device.new"]);
    // What is forgotten makes room.
    assert_eq!(crowd.memory.forget(&uid), std::slice::from_ref(&uid));
    let learnt = crowd.scan(cameras());
    assert_eq!((learnt.left_out, crowd.memory.devices.len()), (2, MOST_DEVICES));
    assert_eq!(Learnt::default().warning(), None);
}

#[test]
fn a_device_is_forgotten_with_what_was_merged_into_it_and_every_mention_of_it() {
    let mut site = Site::default();
    let recorder = Device { kind: Kind::Recorder, streams: Vec::new(), ..camera(9, 9) };
    let shown_by = vec![ShownBy { recorder: recorder.id.clone(), ip: recorder.ip, channel: 1 }];
    site.scan(0, vec![camera(1, 1), camera(2, 2), Device { shown_by, ..camera(3, 3) }, recorder]);
    let memory = &mut site.memory;
    memory.merge(&uid(4), &uid(2)).unwrap();
    memory.devices.get_mut(&uid(1)).unwrap().replaced_by = Some(uid(4));
    let scope = MuteScope::Device(uid(4));
    memory.mute(Mute { scope, began: at(0), ended: None, why: None, by: None }).unwrap();
    assert_eq!(memory.devices[&uid(3)].parents, BTreeSet::from([uid(4)]));
    memory.touched.clear();
    let before = Said::of(memory);
    assert_eq!(memory.forget(&uid(2)), [uid(2), uid(4)], "by the id of either");
    let lines: Vec<String> =
        before.changes(memory).iter().map(|edited| format!("{} {}", edited.action, edited.subject)).collect();
    let written = ["device.forget", "device.forget", "mute.end"].map(|action| action.to_owned());
    assert!(lines.iter().zip(&written).all(|(line, action)| line.starts_with(action)), "{lines:?}");
    assert_eq!(uids(memory), BTreeSet::from([uid(1), uid(3)]));
    assert_eq!(memory.take_touched(), BTreeSet::from([uid(1), uid(2), uid(3), uid(4)]));
    assert!(memory.devices[&uid(3)].parents.is_empty() && memory.devices[&uid(1)].replaced_by.is_none());
    assert!(memory.mutes.is_empty());
    assert_eq!(memory.forgotten.values().collect::<Vec<_>>(), [&Traces::Stay; 2]);
    assert_eq!(memory.forget(&uid(2)), []);
    // What is still there is found as a new device.
    let events = site.scan(3_600, vec![camera(1, 1), camera(2, 2), camera(3, 3)]);
    assert_eq!(sent(&events), ["device.new"]);
}
