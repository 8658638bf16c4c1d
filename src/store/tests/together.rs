//! Several at once: two that write and one that reads never hear that the store is locked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// How long they go on: two seconds, or `CAMSCAN_HAMMER_SECONDS`.
fn seconds() -> u64 {
    std::env::var("CAMSCAN_HAMMER_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

#[test]
fn a_reader_does_not_wait_for_a_writer() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let uid = learn(&store, &report(0)).value.devices[0].clone();
    let text_of = |memory: &Memory| memory.devices[&uid].note.text.clone();
    for n in 0..3 {
        let before = store.memory().unwrap();
        let change = |memory: &mut Memory| {
            memory.devices.get_mut(&uid).unwrap().note.text = Some(n.to_string());
            memory.touched.insert(uid.clone());
            // The transaction lasts until this ends.
            let (reader, (answer, answered)) = (store.clone(), std::sync::mpsc::channel());
            thread::spawn(move || answer.send(reader.memory().unwrap()));
            let known = answered.recv_timeout(Duration::from_secs(10)).expect("it waits for the writer");
            assert_eq!(known, before, "what is not committed is not known");
            ((), Vec::new())
        };
        store.update(change, &()).unwrap();
        assert_eq!(text_of(&store.memory().unwrap()), Some(n.to_string()), "what was written is read");
    }
}

#[test]
fn two_writers_and_a_reader_never_find_it_locked() {
    let folder = StoreFolder::new();
    let uids = learn(&folder.store(), &report(0)).value.devices;
    let uids = Arc::new(uids);
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();
    let writers: Vec<_> = (0..2)
        .map(|writer: usize| {
            // Each opens the file for itself, as another process does.
            let (file, uids, stop, written) = (folder.file(), uids.clone(), stop.clone(), written.clone());
            thread::spawn(move || {
                let store = Store::open(&file, Open::Existing).unwrap();
                let mut n = 0;
                while !stop.load(Ordering::SeqCst) {
                    n += 1;
                    let uid = &uids[writer];
                    let change = |memory: &mut Memory| {
                        let note = &mut memory.devices.get_mut(uid).unwrap().note;
                        // What the other one writes in between is not lost.
                        let before = note.text.as_deref().unwrap_or("0").parse::<u64>().unwrap();
                        note.text = Some((before + 1).to_string());
                        memory.touched.insert(uid.clone());
                        ((), vec![Event::new(EventKind::DeviceChanged, Timestamp::now())])
                    };
                    store.update(change, &ToTest).unwrap();
                    written.fetch_add(1, Ordering::SeqCst);
                    if n % 50 == 0 {
                        store.checkpoint().unwrap();
                        store.prune(&KEEP, Timestamp::now()).unwrap();
                    }
                }
                n
            })
        })
        .collect();
    let reader = Store::open(&folder.file(), Open::Existing).unwrap();
    let mut reads = 0;
    while began.elapsed() < Duration::from_secs(seconds()) {
        let memory = reader.memory().unwrap();
        assert_eq!(memory.devices.len(), uids.iter().collect::<BTreeSet<_>>().len());
        assert!(reader.report(1).unwrap().is_some());
        reader.events(&EventFilter { limit: Some(50), ..EventFilter::default() }).unwrap();
        reads += 1;
    }
    stop.store(true, Ordering::SeqCst);
    let counts: Vec<u64> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    let memory = reader.memory().unwrap();
    for (uid, count) in uids.iter().zip(&counts) {
        assert_eq!(memory.devices[uid].note.text, Some(count.to_string()));
    }
    let changed = EventFilter { kinds: vec![EventKind::DeviceChanged], ..EventFilter::default() };
    assert_eq!(reader.events(&changed).unwrap().len() as u64, written.load(Ordering::SeqCst));
    assert!(reads > 0 && counts.iter().all(|count| *count > 0), "{reads} {counts:?}");
    println!("{counts:?} writes and {reads} reads in {:?}", began.elapsed());
    assert_eq!(reader.check().unwrap().faults, [""; 0]);
}
