//! What a scan knows better than another one of a device's maker stays.

use super::*;
use crate::model::{Evidence, EvidenceSource, Fact};

fn says(fact: Fact, value: &str, source: EvidenceSource, weight: f64) -> Evidence {
    Evidence::new(fact, value, source, weight)
}

/// The prefix of its MAC address is Axis', and its ONVIF answer says otherwise.
fn stated(vendor: &str) -> Device {
    let evidence = vec![
        says(Fact::Vendor, vendor, EvidenceSource::Onvif, 0.95),
        says(Fact::Vendor, "Axis", EvidenceSource::Oui, 0.5),
        says(Fact::Model, "Dome-1", EvidenceSource::Onvif, 0.95),
    ];
    let (vendor, model) = (Some(vendor.to_owned()), Some("Dome-1".to_owned()));
    Device { vendor, model, firmware: Some("1.0".to_owned()), evidence, ..camera(1, 1) }
}

/// The same behind a password: only its MAC address tells of its maker.
fn guessed() -> Device {
    let evidence = vec![says(Fact::Vendor, "Axis", EvidenceSource::Oui, 0.5)];
    Device { vendor: Some("Axis".to_owned()), model: None, firmware: None, evidence, ..camera(1, 1) }
}

fn told(site: &Site) -> (Option<&str>, Option<&str>, Option<&str>) {
    let device = &site.memory.devices[&uid(1)].device;
    (device.vendor.as_deref(), device.model.as_deref(), device.firmware.as_deref())
}

#[test]
fn a_maker_that_the_device_stated_outlasts_scans_that_know_its_mac_address_alone() {
    let mut site = Site::default();
    site.scan(0, vec![stated("Lab")]);
    for n in 1..4 {
        assert_eq!(site.scan(n * 600, vec![guessed()]), []);
        assert_eq!(told(&site), (Some("Lab"), Some("Dome-1"), Some("1.0")));
    }
    assert_eq!(site.scan(2_400, vec![stated("Lab")]), [], "it never was another");
}

#[test]
fn a_maker_that_was_guessed_and_is_stated_now_is_no_change() {
    let mut site = Site::default();
    site.scan(0, vec![guessed()]);
    assert_eq!(site.scan(600, vec![stated("Lab")]), []);
    assert_eq!(told(&site).0, Some("Lab"));
}

#[test]
fn a_maker_that_the_device_states_otherwise_is_a_change() {
    let mut site = Site::default();
    site.scan(0, vec![stated("Lab")]);
    let events = site.scan(600, vec![stated("Barn")]);
    assert_eq!(sent(&events), ["device.changed"]);
    assert_eq!(events[0].data.changes, ["vendor: Lab → Barn"]);
    assert_eq!(site.scan(1200, vec![guessed()]), []);
    assert_eq!(told(&site).0, Some("Barn"));
}

#[test]
fn no_model_stays_with_a_maker_that_never_made_it() {
    let page = |fact, value| says(fact, value, EvidenceSource::HttpPage, 0.4);
    let evidence = vec![page(Fact::Vendor, "Axis"), page(Fact::Model, "M1065")];
    let by_page = Device { evidence, firmware: Some("9.8".to_owned()), ..camera(1, 1) };
    let mut site = Site::default();
    site.scan(0, vec![by_page]);
    let only_maker = stated("Lab").evidence.into_iter().filter(|said| said.fact == Fact::Vendor).collect();
    let onvif = Device { vendor: Some("Lab".to_owned()), model: None, evidence: only_maker, ..camera(1, 1) };
    assert_eq!(site.scan(600, vec![onvif]), []);
    assert_eq!(told(&site), (Some("Lab"), None, None));
}

#[test]
fn a_report_that_knows_less_of_a_maker_differs_in_nothing() {
    let (stated, guessed) = (report(vec![stated("Lab")]), report(vec![guessed()]));
    let makers = |before, after| {
        let diff = crate::history::diff::compare(before, after);
        let all = diff.changed.into_iter().flat_map(|device| device.changes);
        all.map(|change| change.to_string()).filter(|said| said.starts_with("vendor")).collect::<Vec<_>>()
    };
    assert_eq!(makers(&stated, &guessed), [""; 0]);
    assert_eq!(makers(&guessed, &stated), [""; 0]);
}
