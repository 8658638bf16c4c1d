//! What a device proved of how it takes logins.

use super::*;
use crate::model::{Anchor, AuthScheme, Service, Transport};

/// A service that demands a login, by TLS with that certificate or in plain text.
fn service(certificate: Option<&str>, scheme: AuthScheme) -> Service {
    let (protocol, port) = if certificate.is_some() { (Protocol::Rtsps, 322) } else { (Protocol::Rtsp, 554) };
    let mut service = Service::new(protocol, Transport::Tcp, port);
    service.auth = Some(vec![scheme]);
    service.certificate = certificate.map(|name| format!("CN={name}"));
    service.fingerprint = certificate.map(str::to_owned);
    service
}

fn showing(services: &[Service]) -> Device {
    Device { services: services.to_vec(), ..camera(10, 1) }
}

/// After these scans: whether Digest was offered, and the certificates; none where passwords go in plain text.
fn guard(scans: &[Device]) -> Option<(bool, Vec<String>)> {
    let mut site = Site::default();
    for (nth, device) in scans.iter().enumerate() {
        site.scan(nth as i64 * 3600, vec![device.clone()]);
    }
    let guard = site.memory.find(uid(1).as_str()).unwrap().guard()?;
    Some((guard.offered_digest, guard.certificates.unwrap().into_iter().collect()))
}

#[test]
fn how_a_device_took_logins_is_not_forgotten() {
    use AuthScheme::{Basic, Digest, Other};
    let known = |digest, all: &[&str]| Some((digest, all.iter().map(|one| (*one).to_owned()).collect()));
    let plain = || showing(&[service(None, Basic)]);
    for (name, scans, wanted) in [
        ("nothing", vec![showing(&[])], None),
        ("plain text", vec![plain()], None),
        ("both ways", vec![showing(&[service(None, Basic), service(Some("a"), Basic)])], None),
        ("a form of a page", vec![showing(&[service(Some("a"), Other)])], None),
        ("TLS alone", vec![showing(&[service(Some("a"), Basic)])], known(false, &["a"])),
        ("Digest", vec![showing(&[service(None, Digest)])], known(true, &[])),
        ("TLS, then plain text", vec![showing(&[service(Some("a"), Basic)]), plain(), plain()], known(false, &["a"])),
        ("Digest, then plain text", vec![showing(&[service(None, Digest)]), plain(), plain()], known(true, &[])),
        (
            "another certificate",
            vec![showing(&[service(Some("a"), Basic)]), showing(&[service(Some("b"), Basic)]), plain()],
            known(false, &["a"]),
        ),
        (
            "a certificate where there was none",
            vec![showing(&[service(None, Digest)]), showing(&[service(Some("b"), Basic)])],
            known(true, &[]),
        ),
        (
            "certificates before it was guarded",
            vec![showing(&[service(None, Basic), service(Some("a"), Basic)]), showing(&[service(Some("b"), Basic)])],
            known(false, &["a", "b"]),
        ),
    ] {
        assert_eq!(guard(&scans), wanted, "{name}");
    }
}

#[test]
fn another_certificate_is_taken_of_the_same_network_card_alone() {
    let card = |last| Some(MacAddr([0x44, 0x19, 0xb6, 0, 0, last]));
    let shown =
        |certificate, link_mac| Device { link_mac, ..showing(&[service(Some(certificate), AuthScheme::Basic)]) };
    for (before, now, count) in [(card(1), card(1), 2), (card(1), card(2), 1), (card(1), None, 1), (None, card(1), 1)] {
        let scans = [shown("a", before), shown("b", now), shown("b", now)];
        assert_eq!(guard(&scans[..2]).unwrap().1.len(), count, "{before:?} {now:?}");
        // What the link showed of the one that took its place is not what it was known by.
        assert_eq!(guard(&scans).unwrap().1.len(), count, "{before:?} {now:?}");
    }
    // A router shows its card for many.
    let mut site = Site::default();
    for (nth, certificate) in ["a", "b"].into_iter().enumerate() {
        let other = Device { link_mac: card(1), ..camera(11, 2) };
        site.scan(nth as i64 * 3600, vec![shown(certificate, card(1)), other]);
    }
    assert_eq!(site.memory.find(uid(1).as_str()).unwrap().certificates.as_ref().unwrap().fingerprints.len(), 1);
}

#[test]
fn certificates_that_an_earlier_version_did_not_note_are_noted_at_the_next_scan() {
    let tls = |certificate| showing(&[service(Some(certificate), AuthScheme::Digest)]);
    let of_earlier = |before: &Device| {
        let mut site = Site::default();
        site.scan(0, vec![before.clone()]);
        site.memory.devices.get_mut(&uid(1)).unwrap().certificates = None;
        site
    };
    let after =
        |site: &Site| site.memory.find(uid(1).as_str()).unwrap().certificates.as_ref().map(|c| c.fingerprints.clone());
    let mut site = of_earlier(&tls("a"));
    site.scan(3600, vec![tls("a")]);
    assert_eq!(after(&site), Some(["a".to_owned()].into()));
    // A scan that saw no TLS says nothing of one that had it, and none is taken of what is the device by its word alone.
    let mut site = of_earlier(&tls("a"));
    site.scan(3600, vec![showing(&[])]);
    assert_eq!(after(&site), None);
    let mut site = of_earlier(&tls("a"));
    site.scan(3600, vec![Device { services: tls("b").services, ..camera(20, 1) }]);
    assert_eq!(after(&site), None);
    let mut site = of_earlier(&showing(&[service(None, AuthScheme::Digest)]));
    site.scan(3600, vec![showing(&[])]);
    site.scan(7200, vec![tls("b")]);
    assert_eq!(after(&site), Some([].into()));
}

#[test]
fn where_the_link_shows_no_card_a_login_stays_with_the_certificate() {
    let tls = |certificate| showing(&[service(Some(certificate), AuthScheme::Basic)]);
    let mut site = Site::default();
    site.scan(0, vec![tls("a")]);
    let anchor = site.memory.anchor(&uid(1)).unwrap();
    assert!(matches!(&anchor, Anchor::Place { certificates, .. } if certificates.contains("a")));
    for (nth, (device, rests)) in [
        (tls("a"), false),
        (tls("b"), true),
        (showing(&[service(Some("b"), AuthScheme::Basic), service(Some("a"), AuthScheme::Basic)]), false),
        // A scan of few ports sees no TLS; the endpoint is what it was.
        (showing(&[]), false),
        (tls("b"), true),
    ]
    .into_iter()
    .enumerate()
    {
        site.scan((nth as i64 + 1) * 3600, vec![device]);
        assert_eq!(site.memory.rests(&uid(1), &anchor), rests, "{nth}");
        assert_eq!(site.memory.meant(&uid(1), &anchor).is_none(), rests, "{nth}");
    }
    // A user takes it as it is.
    site.memory.confirm(&uid(1));
    let again = site.memory.anchor(&uid(1)).unwrap();
    assert!(!site.memory.rests(&uid(1), &again));
}
