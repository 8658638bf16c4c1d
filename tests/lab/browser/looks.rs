//! How every page looks: at the width of a phone, of a tablet and of a screen, light and dark, in English and in Russian.
//! With `CAMSCAN_SCREENSHOTS=FOLDER` a picture of each is kept there.

use std::path::Path;

use camscan::model::Secret;
use camscan::model::access::{Role, Scope};
use camscan::model::memory::{Delivery, DeliveryState, Detail, MuteOf};
use camscan::model::notify::{Channel, ChannelWay, Exec, Notifications, Webhook};
use camscan::serve::app::Options;
use camscan::store::Store;
use camscan::store::accounts::{Actor, NewToken, NewUser};
use camscan::testkit::place;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Browser, CONTRAST, Site, on_a_runtime};
use crate::trial::Skip;

/// Every page of a place with cameras, and what it is called in a file.
const PAGES: [(&str, &str); 22] = [
    ("login", "login"),
    ("login?error=login", "login-wrong"),
    ("", "now"),
    ("?view=table&group=site", "now-table"),
    ("?group=maker&is=open", "now-open"),
    ("?q=nothing+at+all", "now-nothing"),
    ("devices/192.168.10.10", "device"),
    ("devices/192.168.10.22", "device-open"),
    ("devices/192.168.10.34", "device-locked"),
    ("devices/192.168.10.46", "device-broken"),
    ("devices/192.168.10.62", "device-gone"),
    ("devices/192.168.10.9", "not-found"),
    ("nowhere", "nowhere"),
    ("events", "events"),
    ("scans", "scans"),
    ("diff?from=1&to=now", "diff"),
    ("diff?from=yesterday&to=now", "diff-yesterday"),
    ("map", "map"),
    ("wall", "wall"),
    ("notifications", "notifications"),
    ("logins", "logins"),
    ("admin", "admin"),
];
/// Those of a place where nothing is known yet.
const NEW: [(&str, &str); 8] = [
    ("setup", "setup"),
    ("setup?error=code", "setup-wrong"),
    ("", "start"),
    ("events", "start-events"),
    ("scans", "start-scans"),
    ("diff", "start-diff"),
    ("map", "start-map"),
    ("notifications", "start-notifications"),
];
const WIDTHS: [u32; 3] = [390, 768, 1400];

/// What is wider than the window, and text that is cut although nothing says that it goes on. Three dots say so, but not in the
/// navigation.
const CUT: &str = r"
    const bad = [];
    const wider = document.documentElement.scrollWidth - innerWidth;
    if (wider > 0) bad.push('the page is wider by ' + wider);
    const name = e => e.tagName.toLowerCase() + '.' + e.className + ' ' + e.textContent.trim().slice(0, 60);
    for (const e of document.querySelectorAll('body *')) {
        if (!e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || e.closest('.spoken, .skip, svg, script, template, video, canvas')) continue;
        const own = Array.from(e.childNodes).some(n => n.nodeType === 3 && n.nodeValue.trim());
        const s = getComputedStyle(e), box = e.getBoundingClientRect();
        if (e.matches('thead, thead *') && getComputedStyle(e.closest('thead')).position === 'absolute') continue;
        const hides = s.overflowX === 'hidden' || s.overflowX === 'clip';
        if (own && hides && e.scrollWidth > e.clientWidth + 1 && (s.textOverflow !== 'ellipsis' || e.closest('nav'))) bad.push('cut ' + name(e));
        if (own && s.overflowY === 'hidden' && e.scrollHeight > e.clientHeight + 2 && s.textOverflow !== 'ellipsis') bad.push('cut below ' + name(e));
        // Text that runs out of its own box, or out of what it stands in.
        if (own && e.matches('button, .button, .badge, summary, label, th, td, a') && s.display !== 'inline' && e.scrollWidth > Math.ceil(box.width) + 1 && !hides) bad.push('runs out of ' + name(e));
        if (e.matches('.wide') && e.scrollHeight > e.clientHeight) bad.push('a scroll bar beside ' + name(e));
        if (e.matches('.wide') && innerWidth >= 1400 && e.scrollWidth > e.clientWidth) bad.push('a scroll bar below ' + name(e));
        if (e.matches('input[placeholder]') && !e.value) {
            const pen = document.createElement('canvas').getContext('2d');
            pen.font = s.font;
            const room = e.clientWidth - parseFloat(s.paddingLeft) - parseFloat(s.paddingRight);
            if (pen.measureText(e.placeholder).width > room + 1 && s.textOverflow !== 'ellipsis') bad.push('cut hint ' + e.placeholder);
        }
        if (e.matches('select')) {
            const pen = document.createElement('canvas').getContext('2d');
            pen.font = s.font;
            const text = e.selectedOptions[0]?.textContent || '';
            if (pen.measureText(text).width > e.clientWidth - parseFloat(s.paddingLeft) - parseFloat(s.paddingRight) - 12 && s.textOverflow !== 'ellipsis') bad.push('cut choice ' + text);
        }
    }
    return Array.from(new Set(bad));";

/// What stands on a page: every text, and what is said to screen readers or in empty fields.
const TEXTS: &str = r"
    const all = [];
    const theirs = 'code, pre, .mono, [lang=\'\'], [lang=en], time, script, style, template, .brand';
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) if (!walk.currentNode.parentElement.closest(theirs)) all.push(walk.currentNode.nodeValue.trim());
    for (const e of document.querySelectorAll('[aria-label], [title], [placeholder], [alt], [data-label], [data-text]'))
        if (!e.closest(theirs)) for (const a of ['aria-label', 'title', 'placeholder', 'alt', 'data-label', 'data-text']) if (e.hasAttribute(a)) all.push(e.getAttribute(a).trim());
    // A page may be called as its device is.
    all.push(document.title.replace(document.querySelector('h1')?.textContent || ' ', ''));
    return Array.from(new Set(all.filter(Boolean)));";

/// What camscan noted in English stands on a Russian page behind words in Russian alone: in the same paragraph, or in the same row.
const ORIGINALS: &str = r"
    const bad = [];
    for (const e of document.querySelectorAll('body [lang=en]')) {
        let told = false;
        for (let a = e.parentElement, n = 0; a && n < 3 && !told; a = a.parentElement, n++) {
            const copy = a.cloneNode(true);
            copy.querySelectorAll('[lang]').forEach(other => other.remove());
            told = /[а-яё]{3}/i.test(copy.textContent);
        }
        if (!told) bad.push('English alone: ' + e.textContent);
    }
    return bad;";

/// What a device said, or a user wrote, which is the same in every language, where it does not stand apart.
const THEIRS: [&str; 8] = ["Hikvision", "Dahua", "Axis", "Reolink", "rtsp://", "IP Camera", "cam-0", "Main building"];

/// A text that is none of ours: a proper name, an address, a number.
fn is_theirs(text: &str) -> bool {
    THEIRS.iter().any(|theirs| text.contains(theirs))
}

/// Words of a language other than Russian in a text: two or more, one after the other, in small letters.
fn is_english(text: &str) -> bool {
    // What somebody wrote stands between quotation marks of Russian.
    let parts = text.split('«').map(|part| part.split_once('»').map_or(part, |(_, ours)| ours));
    let text = parts.collect::<Vec<_>>().join(" ");
    let is_word = |word: &str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let words: Vec<&str> = text.split([' ', ',', '.', ':', ';']).collect();
    words.windows(2).any(|pair| pair.iter().all(|word| is_word(word)))
}

fn fill(store: &Store) {
    let now = Timestamp::now();
    let uids = place::remember(store, 24, now).unwrap();
    let me = Actor { name: "anna".to_owned(), address: "192.168.10.7".to_owned() };
    let user = |name, role| NewUser { name, role, password: "$argon2id$none", is_first: false };
    let anna = store.add_user(&user("anna", Role::Admin), &me, now).unwrap().unwrap();
    store.add_user(&user("boris.petrov", Role::Viewer), &Actor::command_line(), now).unwrap().unwrap();
    let token = NewToken {
        public: "0123456789",
        hash: [7; 32],
        user: anna.id,
        name: "dashboard in the control room",
        scopes: &[Scope::Read, Scope::Metrics],
        networks: &["192.168.0.0/16".parse().unwrap()],
        expires_at: now.checked_add(SignedDuration::from_hours(24 * 365)).ok(),
    };
    store.add_token(&token, &me, now).unwrap().unwrap();
    for (action, subject, detail) in [
        ("device.merge", uids[1].as_str(), Detail::MergedInto { device: uids[0].clone() }),
        ("mute.add", "tag outdoor", Detail::Muted { of: MuteOf::Tag, until: None, why: None }),
        ("scan.start", "j_17", Detail::Targets { targets: Vec::new() }),
        ("login.retry", uids[2].as_str(), Detail::Nothing),
    ] {
        store.note_change(now, &me, action, subject, &detail).unwrap();
    }
    let states = [DeliveryState::Done, DeliveryState::Waiting, DeliveryState::Dead, DeliveryState::Dropped];
    for (nth, state) in states.into_iter().enumerate() {
        let is_bad = matches!(state, DeliveryState::Waiting | DeliveryState::Dead);
        let message = Delivery {
            number: 0,
            id: format!("msg_{nth}"),
            channel: if is_bad { "on call" } else { "desk" }.to_owned(),
            group: "rule 1".to_owned(),
            events: vec![1],
            body: Some(String::new()),
            created_at: now - SignedDuration::from_mins(20),
            due_at: now,
            tries: u32::try_from(nth).unwrap(),
            state,
            error: is_bad.then(|| "192.168.10.2:8080: HTTP 503".to_owned()),
        };
        store.enqueue(&message).unwrap();
    }
}

fn options() -> Options {
    let hook = Webhook { url: Secret::new("https://desk.example/hook"), secrets: Vec::new(), headers: Vec::new() };
    let exec = Exec { program: "/usr/local/bin/page-on-call".to_owned(), arguments: Vec::new() };
    let channels = vec![
        Channel { name: "desk".to_owned(), way: ChannelWay::Webhook(hook) },
        Channel { name: "on call".to_owned(), way: ChannelWay::Exec(exec) },
    ];
    let config = json!({
        "timeout": {"value": "5s", "origin": "default"},
        "targets": {"value": ["192.168.10.0/24", "192.168.11.0/24"], "origin": "/etc/camscan/camscan.yaml"},
        "credentials": {"value": [{"user": "admin", "password": "***"}], "origin": "/etc/camscan/camscan.yaml"},
    });
    Options { notifications: Notifications { channels, ..Notifications::default() }, config, ..Options::default() }
}

impl Browser {
    /// The language that the pages have from now on.
    async fn speak(&self, root: &str, language: &str) {
        self.open(&format!("{root}map")).await;
        self.run(&format!("document.cookie = 'language={language}; path=/'")).await;
    }

    async fn keep_picture(&self, name: &str, width: u32) {
        let Ok(folder) = std::env::var("CAMSCAN_SCREENSHOTS") else { return };
        let height = self.run("return document.documentElement.scrollHeight").await.as_u64().unwrap_or_default();
        self.size(width, u32::try_from(height.clamp(700, 2600)).unwrap()).await;
        self.page.screenshot(&Path::new(&folder).join(format!("{name}.png"))).await.unwrap();
    }
}

/// What is wrong with the pages of a place.
async fn look_at(site: &Site, pages: &[(&str, &str)], wrong: &mut Vec<String>) {
    let browser = Browser::start().await;
    for (path, name) in pages {
        let mut texts: Vec<Vec<String>> = Vec::new();
        for language in ["en", "ru"] {
            browser.speak(&site.url, language).await;
            for width in WIDTHS {
                for scheme in ["light", "dark"] {
                    browser.size(width, 900).await;
                    browser.scheme(scheme).await;
                    browser.open(&format!("{}{path}", site.url)).await;
                    let at = format!("{name} {language} {width} {scheme}");
                    let spoken = browser.run("return document.documentElement.lang").await;
                    if spoken != json!(language) {
                        wrong.push(format!("{at}: it is in {spoken}"));
                    }
                    for script in if language == "ru" { &[CUT, CONTRAST, ORIGINALS][..] } else { &[CUT, CONTRAST] } {
                        let found = browser.run(script).await;
                        let found = found.as_array().map(Vec::as_slice).unwrap_or_default();
                        wrong.extend(found.iter().filter_map(Value::as_str).map(|what| format!("{at}: {what}")));
                    }
                    browser.keep_picture(&format!("{name}-{language}-{width}-{scheme}"), width).await;
                }
            }
            let said = browser.run(TEXTS).await;
            let said = said.as_array().cloned().unwrap_or_default();
            texts.push(said.iter().filter_map(|text| Some(text.as_str()?.to_owned())).collect());
        }
        let [english, russian] = &texts[..] else { unreachable!("two languages") };
        let letters = |text: &str| text.chars().filter(|c| c.is_ascii_alphabetic()).count();
        for text in russian.iter().filter(|text| !is_theirs(text)) {
            if english.contains(text) && letters(text) > 12 {
                wrong.push(format!("{name}: the same in both languages: {text}"));
            } else if is_english(text) {
                wrong.push(format!("{name}: English on a Russian page: {text}"));
            }
        }
    }
    browser.page.quit().await.unwrap();
}

/// Nothing is wider than the window, no text is cut, every text can be read in both colours, and a Russian page is Russian.
pub fn every_page_holds_at_every_width_in_both_colours_and_languages() -> Result<(), Skip> {
    on_a_runtime(async {
        let mut wrong = Vec::new();
        look_at(&Site::with(options(), fill).await, &PAGES, &mut wrong).await;
        look_at(&Site::serve(|_| ()).await, &NEW, &mut wrong).await;
        assert!(wrong.is_empty(), "{} things\n{}", wrong.len(), wrong.join("\n"));
    })
}
