//! What camscan says itself is said in the language of the page; what it only noted in English is marked as such.

use jiff::SignedDuration;

use super::{Site, now};
use crate::export::survey::fixes;
use crate::export::survey::lang::Lang;
use crate::history::memory::Vantage;
use crate::live::words::Sentence;
use crate::model::memory::{Detail, MuteOf};
use crate::model::{Warning, WarningKind};
use crate::serve::page::words_remarks::odd;
use crate::store::Cause;
use crate::store::accounts::Actor;
use crate::testkit::place;

const RU: [(&str, &str); 1] = [("accept-language", "ru")];

#[tokio::test(flavor = "multi_thread")]
async fn warnings_are_told_in_the_language_of_the_page() {
    let warnings = WarningKind::ALL.map(|kind| Warning {
        kind,
        message: format!("{kind} in English"),
        hint: Some("do this there: ip addr add X; undo: ip addr del X".to_owned()),
        others: vec!["Axis M1 (192.0.2.7)".to_owned()],
    });
    let site = Site::with(|store| {
        let mut device = place::device(0);
        let learn = |device: &crate::model::Device, hours| {
            let at = now() - SignedDuration::from_hours(hours);
            store.learn(&place::report(vec![device.clone()], at), Cause::User, Vantage::CLEAR, &()).unwrap()
        };
        learn(&device, 2);
        device.warnings = warnings.to_vec();
        learn(&device, 1).value.devices
    });
    let path = format!("/devices/{}", site.uids[0]);
    let (english, russian) = (site.page(&path, &[]).await, site.page(&path, &RU).await);
    for kind in WarningKind::ALL {
        assert!(english.contains(&format!("{kind} in English")), "{kind}: {english}");
        assert!(!russian.contains(&format!("{kind} in English")), "{kind}: {russian}");
        assert!(russian.contains(odd(kind, Lang::Ru)) && russian.contains(fixes::remedy(Lang::Ru, kind)), "{kind}");
    }
    assert!(russian.contains("Другие: Axis M1 (192.0.2.7)") && russian.contains("ip addr del X"), "{russian}");
    assert!(!russian.contains("do this there"), "{russian}");
    let events = site.page("/events", &RU).await;
    assert!(events.contains(fixes::remedy(Lang::Ru, WarningKind::AddressConflict)), "{events}");
    assert!(!events.contains(" in English") && !events.contains("do this there"), "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_changes_is_in_the_language_of_the_page() {
    let site = Site::of(2);
    let store = &site.app.store;
    let muted = Detail::Muted { of: MuteOf::Tag, until: None, why: Some("rain".to_owned()) };
    store.note_change(now(), &Actor::command_line(), "mute.add", "tag outdoor", &muted).unwrap();
    let into = Detail::MergedInto { device: site.uids[1].clone() };
    store.note_change(now(), &Actor::command_line(), "device.merge", site.uids[0].as_str(), &into).unwrap();
    // As an earlier version wrote it down.
    let other = rusqlite::Connection::open(store.file()).unwrap();
    let insert = "INSERT INTO audit (at, actor, address, action, subject, detail) VALUES (0, 'anna', '', 'user.add', 'boris', ?1)";
    other.execute(insert, ["role viewer"]).unwrap();
    let russian = site.page("/admin", &RU).await;
    for said in ["Метка outdoor", "до отмены; «rain»", "стало частью: ", "командная строка"]
    {
        assert!(russian.contains(said), "{said}: {russian}");
    }
    for said in ["until it is ended", ">into ", "command line"] {
        assert!(!russian.contains(said), "{said}: {russian}");
    }
    assert!(russian.contains("<bdi lang=\"en\">role viewer</bdi>"), "{russian}");
    let english = site.page("/admin", &[]).await;
    assert!(english.contains("Tag outdoor") && english.contains("until ended; «rain»"), "{english}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_is_told_in_the_language_of_the_page() {
    let site = Site::of(1);
    let (status, _, body) = site.get("/?state=sideways", &RU).await;
    let page = String::from_utf8(body).unwrap();
    assert_eq!(status, axum::http::StatusCode::BAD_REQUEST);
    assert!(page.contains("Одно из значений не подходит."), "{page}");
    assert!(page.contains("<code><bdi>state</bdi></code> <bdi lang=\"en\">"), "{page}");
}

#[test]
fn live_view_has_russian_words_for_all_that_viewers_are_told() {
    let script = include_str!("../assets/live.js");
    let missing = Sentence::ALL.into_iter().filter(|sentence| !script.contains(&format!("[\"{sentence}\", \"")));
    assert_eq!(missing.collect::<Vec<_>>(), []);
}
