//! The survey of a site, from a scan and from a report.

use super::env::{Cameras, TestEnv, camera, report};
use camscan::testkit::fleet::Camera;

#[test]
fn a_scan_writes_the_survey_of_what_it_finds() {
    let env = TestEnv::new();
    let cameras =
        Cameras::start(vec![camera(9, 10), Camera { login: camscan::testkit::fleet::Login::Digest, ..camera(9, 11) }]);
    let run =
        env.run(&cameras.scan("--survey -o survey.html -o report.json --site Depot -c viewer:demo-password")).success();
    assert!(run.err.contains("wrote ~/survey.html") || run.err.contains("wrote survey.html"), "{}", run.err);
    let page = env.read("survey.html");
    assert!(page.contains("<h1><bdi>Depot</bdi></h1>"), "{page}");
    assert!(page.contains("Streams open without a login"), "{page}");
    assert!(page.contains("1280×720") && page.contains("measured") && page.contains("rtsp://127.88.9.10:"), "{page}");
    assert!(!page.contains("demo-password"));
    // The pictures are beside it, where a decoder is installed.
    assert!(env.names().contains(&"survey-pictures".to_owned()), "{:?}", env.names());
    let shots = report(&env.path("report.json"))["devices"][0]["streams"][0]["snapshot"].is_string();
    assert_eq!(page.contains("src=\"data:image/jpeg;base64,"), shots);

    let russian = env.run("export report.json -f survey --lang ru --site Склад").success();
    assert_eq!(russian.err, "");
    let page = russian.out;
    assert!(page.contains("<html lang=\"ru\">") && page.contains("<h1><bdi>Склад</bdi></h1>"), "{page}");
    assert!(page.contains("Потоки доступны без пароля") && page.contains("2 устройства"), "{page}");
    assert_eq!(page.contains("src=\"data:image/jpeg;base64,"), shots);
    // A survey of what holds passwords has none.
    let scanned = env.run(&cameras.scan("-f survey --show-secrets -c viewer:demo-password")).success();
    assert!(scanned.out.contains("<!DOCTYPE html>") && !scanned.out.contains("demo-password"));
}

#[test]
fn a_language_that_is_none_is_refused() {
    let env = TestEnv::new();
    env.write("report.json", "{}");
    let run = env.run("export report.json -f survey --lang de");
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("invalid value 'de' for '--lang <LANG>'") && run.err.contains("en, ru"), "{}", run.err);
    env.write("camscan.yaml", "lang: de\n");
    let run = env.run("config check");
    assert_eq!(run.code, Some(2));
    insta::assert_snapshot!(run.err, @"
    error: camscan.yaml:1:7: lang: `de` is not a language of the survey
    hint: choose one of en, ru
    ");
}
