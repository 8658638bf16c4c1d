//! The buttons that send a test message, send one again, copy the store and clear it, and what the administration says.

use serde_json::json;

use super::*;
use crate::model::memory::{Delivery, DeliveryState};
use crate::model::notify::{Channel, ChannelWay, Exec, Notifications};
use crate::serve::app::Options;
use crate::store::OutboxFilter;

fn site() -> Site {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
    let uids = place::remember(&store, 24, now()).unwrap();
    let session = Session::new(Arc::new(FakeNet::new()), Signatures::builtin(), now, 16);
    let way = ChannelWay::Exec(Exec { program: "/bin/false".to_owned(), arguments: Vec::new() });
    let channel = Channel { name: "on call".to_owned(), way };
    let options = Options {
        notifications: Notifications { channels: vec![channel], ..Notifications::default() },
        max_login_failures: Some(7),
        config: json!({
            "timeout": { "value": "5s", "origin": "default" },
            "credentials": { "value": [{ "user": "admin", "password": "***" }], "origin": "camscan.yaml" },
            "exclude": { "value": [], "origin": "default" },
        }),
        ..Options::default()
    };
    Site { app: App::with(store, session, None, options), uids, _folder: folder }
}

impl Site {
    /// Sends a form, and gives where it leads.
    async fn post(&self, role: Role, path: &str, form: &str) -> (StatusCode, String, String) {
        let caller =
            Caller { account: Some(1), name: "anna".to_owned(), scopes: role.scopes().to_vec(), ..Caller::default() };
        let mut request = Request::builder()
            .method("POST")
            .uri(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        request.extensions_mut().insert(caller);
        let response = TowerToHyperService::new(crate::serve::router(&self.app)).call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let to = parts.headers.get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, to, String::from_utf8(body.to_vec()).unwrap())
    }

    fn messages(&self) -> Vec<Delivery> {
        self.app.store.outbox(&OutboxFilter::default()).unwrap()
    }

    fn copies(&self) -> usize {
        let files = std::fs::read_dir(self._folder.path()).unwrap().map(|file| file.unwrap().file_name());
        files.filter(|name| name.to_string_lossy().starts_with("store-")).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_tested_and_a_lost_message_sent_again() {
    let site = site();
    let page = site.page("/notifications", &[]).await;
    assert!(page.contains("on call") && page.contains("channels/on%20call/test"), "{page}");

    let (status, to, _) = site.post(Role::Operator, "/channels/on%20call/test", "back=notifications").await;
    assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, "../../notifications"));
    let sent = site.messages();
    assert_eq!((sent.len(), sent[0].channel.as_str(), sent[0].state), (1, "on call", DeliveryState::Waiting));
    let (status, ..) = site.post(Role::Operator, "/channels/nobody/test", "back=notifications").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // One that waits is not sent twice.
    let (status, ..) = site.post(Role::Operator, &format!("/notifications/{}/retry", sent[0].number), "").await;
    assert_eq!(status, StatusCode::CONFLICT);

    let lost = Delivery {
        number: 0,
        id: "lost".to_owned(),
        state: DeliveryState::Dead,
        error: Some("nobody answers".to_owned()),
        ..sent[0].clone()
    };
    let number = site.app.store.enqueue(&lost).unwrap();
    let page = site.page("/notifications", &[]).await;
    assert!(page.contains("nobody answers") && page.contains(&format!("notifications/{number}/retry")), "{page}");
    let (status, to, _) =
        site.post(Role::Operator, &format!("/notifications/{number}/retry"), "back=notifications").await;
    assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, "../../notifications"));
    let waiting = site.messages().into_iter().filter(|m| m.state == DeliveryState::Waiting && m.id == "lost").count();
    assert_eq!(waiting, 1);

    let before = site.messages().len();
    for path in ["/channels/on%20call/test".to_owned(), format!("/notifications/{number}/retry")] {
        let (status, ..) = site.post(Role::Viewer, &path, "").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(site.messages().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_copied_and_cleared_by_administrators_alone() {
    let site = site();
    for path in ["/admin/backup", "/admin/prune"] {
        let (status, ..) = site.post(Role::Operator, path, "back=admin").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(site.copies(), 0);
    let (status, to, _) = site.post(Role::Admin, "/admin/backup", "back=admin").await;
    assert_eq!((status, to.as_str(), site.copies()), (StatusCode::SEE_OTHER, "../admin", 1));
    // The clock of the test stands still, so the second one would have the name of the first.
    let (status, ..) = site.post(Role::Admin, "/admin/backup", "back=admin").await;
    assert_eq!((status, site.copies()), (StatusCode::CONFLICT, 1));
    let (status, to, _) = site.post(Role::Admin, "/admin/prune", "back=//evil.example/").await;
    assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, "../"));
    let page = site.page("/admin", &[]).await;
    assert!(page.contains("backup made") && page.contains("old entries removed"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administration_says_how_it_is_and_what_holds() {
    let site = site();
    let page = site.page("/admin", &[]).await;
    check_markup("/admin", &page);
    assert!(page.contains("<dt>Store</dt>") && page.contains("well"), "{page}");
    assert!(page.contains("<code>timeout</code>") && page.contains("user: admin, password: ***"), "{page}");
    assert!(page.contains("camscan.yaml") && page.contains("usual"), "{page}");
    let russian = site.page("/admin", &[("accept-language", "ru")]).await;
    assert!(russian.contains("по умолчанию") && russian.contains("Хранилище"), "{russian}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_may_refuse_as_many_logins_as_is_configured() {
    let site = site();
    let logins = site.page("/logins", &[]).await;
    assert!(logins.contains("0 of 7 allowed"), "{logins}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_that_shows_a_new_token_leads_back_to_the_administration() {
    let site = site();
    let (status, ..) = site.post(Role::Admin, "/admin/users", "name=anna&role=admin&password=Zwei-Geheimnisse-2").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (status, _, page) = site.post(Role::Admin, "/admin/tokens", "name=scraper&scope=metrics&days=1").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("cs_") && !page.contains("value=\"admin/tokens\""), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_and_a_split_can_be_undone_where_they_were_done() {
    let site = site();
    let (one, other) = (&site.uids[0], &site.uids[1]);
    let merged_into =
        || site.app.store.memory().unwrap().devices.get(other).and_then(|known| known.merged_into.clone());
    let (status, to, _) = site.post(Role::Operator, &format!("/devices/{other}/merge"), &format!("into={one}")).await;
    assert_eq!((status, to), (StatusCode::SEE_OTHER, format!("../../devices/{one}?merged={other}")));
    assert_eq!(merged_into().as_ref(), Some(one));
    let done = format!("/devices/{one}?merged={other}");
    let page = site.page(&done, &[]).await;
    check_markup(&done, &page);
    assert!(page.contains("id=\"done\"") && page.contains("Undo: split it off again"), "{page}");
    assert!(site.page(&done, &[("x-fragment", "list")]).await.contains("id=\"done\""));
    assert!(site.page(&done, &[("accept-language", "ru")]).await.contains("Отменить: снова разъединить"));

    // The way back, and the way back from there.
    let (_, to, _) = site.post(Role::Operator, &format!("/devices/{one}/split"), &format!("other={other}")).await;
    assert_eq!(to, format!("../../devices/{one}?split={other}"));
    assert_eq!(merged_into(), None);
    assert!(!site.page(&done, &[]).await.contains("id=\"done\""), "it holds no longer");
    let page = site.page(&format!("/devices/{one}?split={other}"), &[]).await;
    assert!(page.contains("Undo: merge the two again") && page.contains(&format!("devices/{other}/merge")), "{page}");
    site.post(Role::Operator, &format!("/devices/{other}/merge"), &format!("into={one}")).await;
    assert_eq!(merged_into().as_ref(), Some(one));
    for query in ["merged=x", "split=<script>", "merged=d_0000000000000000", &format!("split={one}")] {
        let page = site.page(&format!("/devices/{one}?{query}").replace(['<', '>'], "%3C"), &[]).await;
        assert!(!page.contains("id=\"done\""), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scan_finds_is_shown_while_it_runs() {
    use crate::watch::{Follower as _, News, ScanEnd, ScanOrder};
    let site = Site::with(|_| Vec::new());
    let order = ScanOrder { id: 7, targets: Vec::new(), device: None, cause: crate::store::Cause::User, at: now() };
    site.app.news(&News::ScanBegun(&order));
    site.app.news(&News::DeviceFound(7, &place::device(0)));
    site.app.news(&News::DeviceFound(7, &place::device(0)));
    let list = [("x-fragment", "list")];
    let page = site.page("/", &list).await;
    check_markup("/", &page);
    assert_eq!(page.matches("class=\"card\"").count(), 1, "{page}");
    assert!(page.contains("Hikvision") && page.contains("192.168.10.10") && page.contains("Found by the scan"));
    assert!(site.page("/", &[("accept-language", "ru")]).await.contains("Найдено текущим обходом"));
    // As soon as it is known it is an ordinary device.
    place::remember(&site.app.store, 1, now()).unwrap();
    let page = site.page("/", &list).await;
    assert!(page.matches("class=\"card\"").count() == 1 && !page.contains("Found by the scan"), "{page}");
    site.app.news(&News::DeviceFound(7, &place::device(1)));
    assert_eq!(site.page("/", &list).await.matches("class=\"card\"").count(), 2);
    assert_eq!(site.page("/?q=nobody", &list).await.matches("class=\"card\"").count(), 0, "it is not searched");
    site.app.news(&News::ScanEnded(7, &ScanEnd::Dropped));
    assert_eq!(site.page("/", &list).await.matches("class=\"card\"").count(), 1);
}
