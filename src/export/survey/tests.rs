use super::*;
use crate::export::sample;
use crate::model::coverage::MethodOutcome;
use proptest::prelude::*;

const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F'];

fn survey(report: &Report, site: Option<&str>, lang: Lang) -> String {
    let load = |path: &str| (path == "snapshots/10.77.0.10-1.jpg").then(|| JPEG.to_vec());
    let mut bytes = Vec::new();
    Survey { options: SurveyOptions { site, lang }, assets: Some(&load) }.write(report, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Recorders with their cameras, new cameras, and everything that can fail.
fn site() -> Report {
    let mut report = sample::site();
    let listed: Vec<_> = report.devices.iter().map(|device| device.ip).collect();
    report.devices.extend(sample::report().devices.into_iter().filter(|device| !listed.contains(&device.ip)));
    report.devices.extend(sample::factory_cameras());
    report.scan.coverage = Some(sample::coverage());
    report
}

/// What is read on the page: a line for each block.
fn text_of(page: &str) -> String {
    let body = &page[page.find("<body>").unwrap()..];
    let mut text = String::new();
    for part in body.split('<').skip(1) {
        let (tag, words) = part.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split(' ').next().unwrap();
        if !["bdi", "b", "span", "small", "strong", "code", "a", "time"].contains(&name) && !text.ends_with('\n') {
            text.push(if ["td", "th", "dd"].contains(&name) { '\t' } else { '\n' });
        }
        text.push_str(&words.replace(['\u{a0}', '\n'], " "));
    }
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The tags, attribute values left out: what a browser takes for markup.
fn skeleton(page: &str) -> Vec<String> {
    let body = &page[page.find("<body>").unwrap()..];
    let tags = body.split('<').skip(1).map(|part| part.split_once('>').expect("a tag ends").0);
    tags.map(|tag| tag.split('"').step_by(2).collect::<Vec<_>>().join("_")).collect()
}

#[test]
fn a_survey_reads_well() {
    insta::assert_snapshot!(text_of(&survey(&site(), Some("Depot North"), Lang::En)));
}

#[test]
fn a_survey_reads_well_in_russian() {
    insta::assert_snapshot!(text_of(&survey(&site(), Some("Склад «Север»"), Lang::Ru)));
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    for report in [site(), sample::hostile_report(), sample::report_of(vec![])] {
        let page = survey(&report, None, Lang::En);
        assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
        assert!(!page.contains("<script") && !page.contains("unsafe"));
        for outside in ["src=\"http", "src=\"//", "url(", "@import", "<link", "<iframe", "<base", " on", " style="] {
            let tags = page.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| format!("<{tag}"));
            assert!(!tags.into_iter().any(|tag| tag.contains(outside)), "{outside}");
        }
        let style = page.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).unwrap();
        assert!(page.contains(&format!("style-src &#39;sha256-{}&#39;", source_hash(style))));
    }
}

#[test]
fn every_link_leads_to_a_card_or_to_the_device_itself() {
    let page = survey(&site(), None, Lang::En);
    let links: Vec<&str> = page.split("href=\"").skip(1).filter_map(|link| link.split('"').next()).collect();
    for link in &links {
        match link.strip_prefix('#') {
            Some(anchor) => assert_eq!(page.matches(&format!("id=\"{anchor}\"")).count(), 1, "{link}"),
            None => assert_eq!(*link, "http://10.77.0.10/"),
        }
    }
    assert!(links.iter().filter(|link| link.starts_with('#')).count() > 5);
}

#[test]
fn a_picture_is_part_of_the_page_and_has_words() {
    let page = survey(&site(), None, Lang::En);
    assert_eq!(page.matches("src=\"data:image/jpeg;base64,/9j/4AAQSkZJRg==\"").count(), 1);
    assert!(page.contains("alt=\"Picture from Hikvision DS-2CD2042WD-I (10.77.0.10)\""));
    let script = |_: &str| Some(b"<svg onload=alert(1)>".to_vec());
    let mut bytes = Vec::new();
    let options = SurveyOptions::default();
    Survey { options, assets: Some(&script) }.write(&site(), &mut bytes).unwrap();
    assert!(!String::from_utf8(bytes).unwrap().contains("data:image"));
}

#[test]
fn no_password_is_in_it() {
    let mut report = site();
    for stream in report.devices.iter_mut().flat_map(|device| &mut device.streams) {
        stream.url = "rtsp://admin:hunter2@10.77.0.10:554/user=admin&password=hunter2&channel=1".into();
    }
    for lang in Lang::ALL {
        let page = survey(&report, None, lang);
        assert!(page.contains("rtsp://10.77.0.10:554/") && !page.contains("hunter2"));
    }
}

#[test]
fn a_site_has_the_name_given_or_the_one_its_devices_have() {
    let heading = |report: &Report, site: Option<&str>| {
        let page = survey(report, site, Lang::En);
        page.split("<h1>").nth(1).and_then(|rest| rest.split("</h1>").next()).unwrap().to_owned()
    };
    let mut report = site();
    assert_eq!(heading(&report, None), "<bdi>Camera survey</bdi>");
    report.devices.iter_mut().for_each(|device| device.site = Some("Depot".into()));
    assert_eq!(heading(&report, None), "<bdi>Depot</bdi>");
    assert_eq!(heading(&report, Some("<b>A & B</b>")), "<bdi>&lt;b&gt;A &amp; B&lt;/b&gt;</bdi>");
    report.devices[0].site = Some("Office".into());
    assert_eq!(heading(&report, None), "<bdi>Camera survey</bdi>");
}

#[test]
fn what_could_not_run_is_told_with_its_reason() {
    let mut report = site();
    let text = text_of(&survey(&report, None, Lang::En));
    assert!(text.contains("ping (ICMP): could not run – ICMP echo is not permitted"), "{text}");
    assert!(text.contains("254 addresses asked one by one, 31 answered."));
    let coverage = report.scan.coverage.as_mut().unwrap();
    coverage.methods.iter_mut().for_each(|method| method.outcome = MethodOutcome::NotWanted);
    assert!(text_of(&survey(&report, None, Lang::En)).contains("not used in this scan"));
    report.scan.coverage = None;
    assert!(text_of(&survey(&report, None, Lang::En)).contains("does not say which networks"));
}

#[test]
fn a_site_without_faults_has_none() {
    let mut camera = sample::camera();
    camera.streams.truncate(1);
    let text = text_of(&survey(&sample::report_of(vec![camera]), None, Lang::En));
    assert!(text.contains("Nothing was found that has to be put right."), "{text}");
    assert!(text.contains("All cameras are in the sum."), "{text}");
    let empty = text_of(&survey(&sample::report_of(vec![]), None, Lang::Ru));
    assert!(empty.contains("Камеры не найдены."), "{empty}");
}

proptest! {
    #[test]
    fn no_name_becomes_markup(name in any::<String>()) {
        let page = |name: &str| survey(&sample::report_of(vec![sample::hostile("192.0.2.1", name)]), Some(name), Lang::En);
        prop_assert_eq!(skeleton(&page(&format!("x{name}"))), skeleton(&page("cam")));
    }
}

#[test]
fn no_hostile_name_becomes_markup() {
    for name in sample::HOSTILE {
        let page =
            |name: &str| survey(&sample::report_of(vec![sample::hostile("192.0.2.1", name)]), Some("x"), Lang::Ru);
        assert_eq!(skeleton(&page(name)), skeleton(&page("cam")), "{name:?}");
        assert!(!text_of(&page(name)).contains('\u{202e}'));
    }
}
