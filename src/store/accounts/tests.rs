use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::model::access::{Role, Scope};
use crate::store::{Open, Store};

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn store(place: &tempfile::TempDir) -> Store {
    Store::open(&place.path().join("store.sqlite"), Open::Create).unwrap()
}

fn actor() -> Actor {
    Actor { name: "anna".to_owned(), address: "192.0.2.1".to_owned() }
}

fn add(store: &Store, name: &str, role: Role) -> User {
    let new = NewUser { name, role, password: "$argon2id$x", is_first: false };
    store.add_user(&new, &actor(), now()).unwrap().unwrap()
}

#[test]
fn the_last_admin_stays() {
    let place = tempfile::tempdir().unwrap();
    let store = store(&place);
    assert!(!store.has_users().unwrap());
    let first = NewUser { name: "Anna", role: Role::Admin, password: "h", is_first: true };
    let anna = store.add_user(&first, &actor(), now()).unwrap().unwrap();
    let second = NewUser { name: "Boris", ..first.clone() };
    assert_eq!(store.add_user(&second, &actor(), now()).unwrap(), Err(Refused::NotFirst));
    let same = NewUser { name: "ANNA", is_first: false, ..first };
    assert_eq!(store.add_user(&same, &actor(), now()).unwrap(), Err(Refused::Exists));
    let viewer = add(&store, "Vera", Role::Viewer);
    let demoted = UserChange { role: Some(Role::Viewer), ..UserChange::default() };
    let disabled = UserChange { enabled: Some(false), ..UserChange::default() };
    for change in [demoted, disabled] {
        assert_eq!(store.change_user(anna.id, change, &actor(), now()).unwrap(), Err(Refused::LastAdmin));
    }
    assert_eq!(store.remove_user(anna.id, &actor(), now()).unwrap(), Err(Refused::LastAdmin));
    let promoted = UserChange { role: Some(Role::Admin), ..UserChange::default() };
    assert!(store.change_user(viewer.id, promoted, &actor(), now()).unwrap().is_ok());
    assert_eq!(store.remove_user(anna.id, &actor(), now()).unwrap(), Ok(()));
    assert_eq!(store.users().unwrap().len(), 1);
    let said: Vec<_> = store.audit(&AuditFilter { before: None, limit: 10 }).unwrap();
    let said: Vec<_> = said.iter().rev().map(|e| (e.action.as_str(), e.subject.as_str(), e.detail.as_str())).collect();
    assert_eq!(
        said,
        [
            ("user.add", "Anna", "role admin"),
            ("user.add", "Vera", "role viewer"),
            ("user.change", "Vera", "role admin"),
            ("user.remove", "Anna", ""),
        ]
    );
}

#[test]
fn sessions_end_by_themselves_and_by_a_new_password() {
    let place = tempfile::tempdir().unwrap();
    let store = store(&place);
    let anna = add(&store, "anna", Role::Admin);
    let from = ("192.0.2.1", "Firefox");
    let at = |hours: i64| now() + SignedDuration::from_hours(hours);
    let first = store.begin_session(anna.id, &[1; 32], None, from, now()).unwrap();
    let found = store.session(&[1; 32], at(1)).unwrap().unwrap();
    assert_eq!((found.id, found.user.name.as_str(), found.is_note_due), (first, "anna", true));
    // Unused, it ends; used, it lasts, and not for ever.
    assert_eq!(store.session(&[1; 32], at(13)).unwrap(), None);
    for hours in (10..800).step_by(10) {
        store.touch_session(first, at(hours)).unwrap();
        assert_eq!(store.session(&[1; 32], at(hours)).unwrap().is_some(), hours <= 720, "{hours}");
    }
    // A login ends the session it came with.
    store.begin_session(anna.id, &[2; 32], None, from, now()).unwrap();
    let third = store.begin_session(anna.id, &[3; 32], Some(&[2; 32]), from, now()).unwrap();
    store.begin_session(anna.id, &[4; 32], None, from, now()).unwrap();
    assert_eq!(store.session(&[2; 32], now()).unwrap(), None);
    let change = UserChange { password: Some("h"), keep_session: Some(third), ..UserChange::default() };
    store.change_user(anna.id, change, &actor(), now()).unwrap().unwrap();
    let left: Vec<i64> = store.sessions(Some(anna.id), now()).unwrap().iter().map(|session| session.id).collect();
    assert_eq!(left, [third]);
    let boris = add(&store, "boris", Role::Viewer);
    assert_eq!(store.end_session(third, Some(boris.id), &actor(), now()).unwrap(), Err(Refused::Unknown));
    assert_eq!(store.end_session(third, Some(anna.id), &actor(), now()).unwrap(), Ok(()));
    // Many logins do not fill the disk.
    for n in 10..40u8 {
        store.begin_session(anna.id, &[n; 32], None, from, at(i64::from(n) / 10)).unwrap();
    }
    assert_eq!(store.sessions(None, at(4)).unwrap().len(), 20);
    let off = UserChange { enabled: Some(false), ..UserChange::default() };
    assert_eq!(store.change_user(anna.id, off, &actor(), now()).unwrap(), Err(Refused::LastAdmin));
    add(&store, "carla", Role::Admin);
    store.change_user(anna.id, off, &actor(), now()).unwrap().unwrap();
    assert!(store.sessions(None, at(4)).unwrap().is_empty());
}

#[test]
fn tokens_belong_to_somebody() {
    let place = tempfile::tempdir().unwrap();
    let store = store(&place);
    let (anna, boris) = (add(&store, "anna", Role::Admin), add(&store, "boris", Role::Viewer));
    let networks = ["192.0.2.0/24".parse().unwrap()];
    let new = NewToken {
        public: "abc",
        hash: [7; 32],
        user: anna.id,
        name: "Home Assistant",
        scopes: &[Scope::Read, Scope::Live],
        networks: &networks,
        expires_at: Some(now() + SignedDuration::from_hours(1)),
    };
    let made = store.add_token(&new, &actor(), now()).unwrap().unwrap();
    let (found, hash, user) = store.token("abc").unwrap().unwrap();
    assert_eq!((&found, hash, user.id), (&made, [7; 32], anna.id));
    assert_eq!((found.scopes.as_slice(), found.networks.as_slice()), (new.scopes, networks.as_slice()));
    assert!(found.is_note_due(now(), "192.0.2.9"));
    store.touch_token(found.id, "192.0.2.9", now()).unwrap();
    assert!(!store.tokens(None).unwrap()[0].is_note_due(now(), "192.0.2.9"));
    let others = Some(boris.id);
    assert_eq!(store.enable_token("abc", others, false, &actor(), now()).unwrap(), Err(Refused::Unknown));
    assert_eq!(store.remove_token("abc", others, &actor(), now()).unwrap(), Err(Refused::Unknown));
    assert!(!store.enable_token("abc", None, false, &actor(), now()).unwrap().unwrap().enabled);
    add(&store, "carla", Role::Admin);
    store.remove_user(anna.id, &actor(), now()).unwrap().unwrap();
    assert_eq!(store.token("abc").unwrap(), None);
}

#[test]
fn an_answer_is_given_again_for_a_day_and_to_nobody_else() {
    let place = tempfile::tempdir().unwrap();
    let store = store(&place);
    let reply = Reply { request: [1; 32], status: 202, body: b"{}".to_vec() };
    store.keep_reply("anna", "k", &reply, now()).unwrap();
    assert_eq!(store.reply("anna", "k", now()).unwrap(), Some(reply.clone()));
    assert_eq!(store.reply("boris", "k", now()).unwrap(), None);
    let later = now() + SignedDuration::from_hours(25);
    assert_eq!(store.reply("anna", "k", later).unwrap(), None);
    store.keep_reply("anna", "k", &reply, later).unwrap();
    assert!(store.reply("anna", "k", later).unwrap().is_some());
}
