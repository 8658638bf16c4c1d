//! A store that loses its file, or whose disk takes nothing, while it is in use.

use super::*;
use crate::model::memory::StoreTrouble;

/// A process that lasts, and has stored something.
struct Lasting {
    folder: StoreFolder,
    store: Store,
    uid: Uid,
}

impl Lasting {
    fn new() -> Lasting {
        let folder = StoreFolder::new();
        let store = folder.store();
        let uid = learn(&store, &report(0)).value.devices[0].clone();
        assert_eq!(store.mend(), None);
        Lasting { folder, store, uid }
    }

    fn path(&self, ending: &str) -> PathBuf {
        file::beside(&self.folder.file(), ending)
    }

    /// Gives the device another name, and tells of it.
    fn name(&self, name: &str) -> Result<i64, StoreError> {
        let change = |memory: &mut Memory| {
            memory.devices.get_mut(&self.uid).unwrap().note.name = Some(name.to_owned());
            memory.touched.insert(self.uid.clone());
            ((), vec![Event::new(EventKind::DeviceChanged, Timestamp::now())])
        };
        self.store.update(change, &ToTest).map(|updated| updated.events[0].0)
    }

    fn name_in(&self, store: &Store) -> Option<String> {
        store.memory().unwrap().devices[&self.uid].note.name.clone()
    }

    /// How the file may grow from now on: the disk is full, or has room again.
    fn limit(&self, is_full: bool) {
        let writer = lock(self.store.inner.writer.as_ref().unwrap());
        let file = writer.held.as_ref().map_or(&writer.connection, |held| held.connection());
        let most = if is_full { 1 } else { 1 << 30 };
        file.pragma_update_and_check(None, "max_page_count", most, |_| Ok(())).unwrap();
    }

    /// What another process finds at its place: the same as this one knows.
    fn is_at_home(&self) {
        let other = Store::open(&self.folder.file(), Open::Existing).unwrap();
        assert_eq!(other.memory().unwrap(), self.store.memory().unwrap());
        let all = |store: &Store| {
            let events = store.events(&EventFilter::default()).unwrap();
            (events, store.outbox(&OutboxFilter::default()).unwrap(), store.scans(99).unwrap())
        };
        assert_eq!(all(&other), all(&self.store));
        assert_eq!(other.check().unwrap().faults, [""; 0]);
    }
}

/// Fills the store's pages, so that the next change needs another one.
fn noise(n: i64) -> Report {
    let mut one = report(n);
    for (m, device) in one.devices.iter_mut().enumerate() {
        let noise = |i: i64| char::from(b'a' + ((i * i + n * 7 + m as i64) % 23) as u8);
        device.firmware = Some(format!("{n}{}", (0..6000).map(noise).collect::<String>()));
    }
    one
}

#[test]
fn a_file_that_was_removed_is_written_anew() {
    for endings in [&["", "-wal", "-shm"][..], &[""]] {
        let lasting = Lasting::new();
        endings.iter().for_each(|ending| drop(fs::remove_file(lasting.path(ending))));
        lasting.name("while it was gone").unwrap();
        let file = lasting.folder.file().display().to_string();
        assert_eq!(lasting.store.mend(), Some(StoreTrouble::Removed { file, why: None }));
        lasting.is_at_home();
        lasting.name("afterwards").unwrap();
        assert_eq!(lasting.store.mend(), None);
        lasting.is_at_home();
        let Lasting { folder, store, uid } = lasting;
        drop(store);
        assert_eq!(folder.names(), ["store.sqlite"]);
        assert_eq!(folder.store().memory().unwrap().devices[&uid].note.name.as_deref(), Some("afterwards"));
    }
}

#[test]
fn a_store_whose_folder_was_removed_goes_on_until_it_can_be_written_anew() {
    let lasting = Lasting::new();
    fs::remove_dir_all(lasting.folder.0.path()).unwrap();
    assert!(matches!(lasting.store.mend(), Some(StoreTrouble::Removed { why: Some(_), .. })));
    lasting.name("without a folder").unwrap();
    fs::create_dir(lasting.folder.0.path()).unwrap();
    assert!(matches!(lasting.store.mend(), Some(StoreTrouble::Removed { why: None, .. })));
    assert_eq!(lasting.store.mend(), None);
    lasting.is_at_home();
}

#[test]
fn a_file_in_its_place_is_left_as_it_is_until_it_makes_room() {
    let lasting = Lasting::new();
    lasting.name("before").unwrap();
    let other = lasting.folder.0.path().join("other.sqlite");
    drop(Store::open(&other, Open::Create).unwrap());
    let bytes = fs::read(&other).unwrap();
    fs::rename(&other, lasting.folder.file()).unwrap();
    let Some(StoreTrouble::Replaced { kept: Some(kept), .. }) = lasting.store.mend() else { panic!("not noticed") };
    assert!(!lasting.path("-wal").exists(), "its log would be taken for that of the other one");
    assert_eq!(fs::read(lasting.folder.file()).unwrap(), bytes);
    lasting.name("beside").unwrap();
    assert_eq!(lasting.name_in(&Store::open(Path::new(&kept), Open::Existing).unwrap()).as_deref(), Some("beside"));
    let there = Store::open(&lasting.folder.file(), Open::Existing).unwrap();
    assert!(there.memory().unwrap().devices.is_empty());
    drop(there);
    assert!(matches!(lasting.store.mend(), Some(StoreTrouble::Replaced { kept: Some(_), .. })));
    assert_eq!(fs::read(lasting.folder.file()).unwrap().len(), bytes.len());
    fs::remove_file(lasting.folder.file()).unwrap();
    assert_eq!(lasting.store.mend(), None);
    lasting.is_at_home();
    assert!(!Path::new(&kept).exists(), "all of it is at home again");
}

#[test]
fn while_the_disk_is_full_everything_goes_on_in_memory_and_is_stored_afterwards() {
    let lasting = Lasting::new();
    let store = &lasting.store;
    lasting.limit(true);
    let learnt = store.insist(|| store.learn(&noise(1), Cause::User, Vantage::CLEAR, &ToTest)).unwrap();
    assert!(!learnt.events.is_empty());
    assert!(matches!(store.mend(), Some(StoreTrouble::Unwritten { kept: true, .. })));
    let number = lasting.name("in memory").unwrap();
    // A message is delivered meanwhile, and another one waits.
    let all = store.outbox(&OutboxFilter::default()).unwrap();
    let mut sent = all.last().unwrap().clone();
    assert!(sent.events.contains(&number));
    sent.state = DeliveryState::Done;
    store.settle(&sent).unwrap();
    store.checkpoint().unwrap();
    store.prune(&KEEP, Timestamp::now()).unwrap();
    assert_eq!(store.check().unwrap().faults, [""; 0]);
    let copy = lasting.folder.0.path().join("copy.sqlite");
    store.backup(&copy).unwrap();
    assert_eq!(lasting.name_in(&Store::open(&copy, Open::Existing).unwrap()).as_deref(), Some("in memory"));
    // Whoever reads the file finds it as it was; whoever wants to write to it waits.
    let other = Store::open(&lasting.folder.file(), Open::ReadOnly).unwrap();
    assert_eq!(lasting.name_in(&other), None);
    drop(other);
    assert!(matches!(store.mend(), Some(StoreTrouble::Unwritten { kept: true, .. })));
    lasting.limit(false);
    assert_eq!(store.mend(), None);
    lasting.is_at_home();
    let after = store.outbox(&OutboxFilter::default()).unwrap();
    assert_eq!(after.iter().find(|one| one.id == sent.id).unwrap().state, DeliveryState::Done, "it is not sent twice");
    assert!(lasting.name("at home").unwrap() > number);
    lasting.is_at_home();
}

#[test]
fn a_process_that_ends_stores_what_it_had_in_memory_if_there_is_room() {
    let lasting = Lasting::new();
    lasting.limit(true);
    lasting.store.insist(|| lasting.store.learn(&noise(1), Cause::User, Vantage::CLEAR, &ToTest)).unwrap();
    lasting.name("in memory").unwrap();
    lasting.limit(false);
    let Lasting { folder, store, uid } = lasting;
    drop(store);
    assert_eq!(folder.names(), ["store.sqlite"]);
    assert_eq!(folder.store().memory().unwrap().devices[&uid].note.name.as_deref(), Some("in memory"));
}

#[test]
fn a_file_that_is_removed_while_the_disk_is_full_is_written_from_memory() {
    let lasting = Lasting::new();
    lasting.limit(true);
    lasting.store.insist(|| lasting.store.learn(&noise(1), Cause::User, Vantage::CLEAR, &ToTest)).unwrap();
    lasting.name("in memory").unwrap();
    for ending in ["", "-wal", "-shm"] {
        fs::remove_file(lasting.path(ending)).unwrap();
    }
    let file = lasting.folder.file().display().to_string();
    assert_eq!(lasting.store.mend(), Some(StoreTrouble::Removed { file, why: None }));
    assert_eq!(lasting.store.mend(), None);
    lasting.is_at_home();
}

/// One that ends before it can be looked after would say that it has stored what is lost.
#[test]
fn a_command_does_not_go_on_in_memory() {
    let lasting = Lasting::new();
    lasting.limit(true);
    let done = lasting.store.learn(&noise(1), Cause::User, Vantage::CLEAR, &ToTest);
    assert!(matches!(done, Err(StoreError::Full(_))), "{done:?}");
    assert!(lock(lasting.store.inner.writer.as_ref().unwrap()).held.is_none());
}

/// A copy has no log of its own accord.
#[test]
fn a_copy_that_takes_the_place_of_a_store_is_read_while_it_is_written() {
    let folder = StoreFolder::new();
    let copy = folder.0.path().join("copy.sqlite");
    folder.store().backup(&copy).unwrap();
    let store = Store::open(&copy, Open::Existing).unwrap();
    let mode: String = store.read(|c| c.query_row("PRAGMA journal_mode", [], |row| row.get(0))).unwrap();
    assert_eq!(mode, "wal");
}
