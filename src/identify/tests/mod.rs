mod devices;

use proptest::prelude::*;

use super::signature::{Field, Signatures};
use super::*;
use crate::model::EvidenceSource as From;
use Field::{Certificate, FaviconMd5, HttpServer, HttpTitle, Realm, RtspServer};
use devices::Seen::{Mac, Said, Text};
use devices::{evidence_of, states};

#[test]
fn agreement_raises_confidence_and_one_source_speaks_once() {
    let realm = Text(Realm, "IP Camera(C1234)");
    let alone = weigh(&evidence_of(&[realm]));
    assert_eq!(weigh(&evidence_of(&[realm, realm])).confidence, alone.confidence);
    let both = weigh(&evidence_of(&[realm, Mac("44:19:b6:00:00:01")]));
    assert!(both.confidence > alone.confidence);
    assert!(both.decision(Fact::Vendor).unwrap().confidence > alone.decision(Fact::Vendor).unwrap().confidence);
}

#[test]
fn the_stronger_source_wins_and_the_loser_is_told() {
    let verdict = weigh(&evidence_of(&[
        states("AXIS"),
        Mac("44:19:b6:00:00:01"),
        Said(Fact::Firmware, "11.9.60", From::Onvif, 0.95),
        Said(Fact::Firmware, "11.9", From::Upnp, 0.8),
    ]));
    assert_eq!(verdict.winner(Fact::Vendor), Some("Axis"));
    assert_eq!(verdict.winner(Fact::Firmware), Some("11.9.60"));
    assert_eq!(
        verdict.explain(),
        [
            "vendor: Axis 0.95 (onvif 0.95) against Hikvision 0.50",
            "firmware: 11.9.60 0.95 (onvif 0.95) against 11.9 0.80",
            "kind: camera 0.40 (oui 0.40)",
        ]
    );
    let first = verdict.ranked.first().unwrap();
    assert_eq!((first.fact, first.value.as_str()), (Fact::Vendor, "Axis"));
}

#[test]
fn spellings_of_one_model_are_one() {
    let verdict = weigh(&[
        Evidence::new(Fact::Vendor, "AXIS", From::Onvif, 0.95),
        Evidence::new(Fact::Model, "M1014", From::Onvif, 0.95),
        Evidence::new(Fact::Model, "AXIS M1014", From::Upnp, 0.8),
        Evidence::new(Fact::Model, "Camera", From::Wsdd, 0.6),
    ]);
    let decision = verdict.decision(Fact::Model).unwrap();
    assert_eq!(decision.value, "M1014");
    assert_eq!(decision.sources.len(), 2);
    assert_eq!(decision.losers.len(), 1);
}

#[test]
fn paths_and_logins_go_by_the_maker() {
    let verdict = weigh(&evidence_of(&[Text(Realm, "Login to 4K0123ABPAZ4567")]));
    assert_eq!((verdict.winner(Fact::Vendor), verdict.vendor()), (Some("Dahua or OEM"), Some("Dahua")));
    let walk = stream_url::StreamUrls::builtin().rtsp(verdict.winner(Fact::Vendor));
    assert_eq!(walk.first().map(|c| c.path.as_str()), Some("/cam/realmonitor?channel=1&subtype=0"));
}

#[test]
fn a_word_counts_no_more_than_its_source_is_trusted() {
    let verdict = weigh(&[
        Evidence::new(Fact::Vendor, "ACME", From::Port, 1.0),
        Evidence::new(Fact::Vendor, "Dahua", From::Oui, 0.4),
        Evidence { weight: f64::NAN, ..Evidence::new(Fact::Vendor, "Bosch", From::Onvif, 1.0) },
    ]);
    assert_eq!(verdict.winner(Fact::Vendor), Some("Dahua"));
}

fn captures(file: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(crate::testkit::captures::folder().join(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// recog's examples, read with its own words for what they are.
#[test]
#[ignore = "needs the captures CAMSCAN_CAPTURES names"]
fn what_others_recognise_is_recognised() {
    let list = captures("http/recog_camera_fingerprints.json");
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (list, camera) in [(&list["cameras"], true), (&list["look_alikes_that_are_not_cameras"], false)] {
        for entry in list.as_array().unwrap() {
            let field = match entry["where"].as_str().unwrap() {
                "favicon.md5" => FaviconMd5,
                "html_title" => HttpTitle,
                "http_header.server" => HttpServer,
                "http_header.wwwauth" => Realm,
                "rtsp_header.server" => RtspServer,
                "x509.subject" | "x509.issuer" => Certificate,
                _ => continue,
            };
            for example in entry["examples"].as_array().unwrap() {
                let mut text = example.as_str().unwrap();
                if field == Realm {
                    text = text.split_once("realm=\"").and_then(|(_, r)| r.split_once('"')).unwrap().0;
                }
                checked += 1;
                let verdict = weigh(&evidence_of_text(field, text));
                let films = !matches!(verdict.kind, Kind::Other | Kind::MediaServer);
                let stated = entry["vendor"].as_str().filter(|v| camera && vendor::find(v).is_some());
                let known = stated.is_none_or(|v| {
                    let ours = verdict.vendor().unwrap_or_default();
                    // Its module's firmware is sold by many besides Foscam.
                    if ours == "Hi3510" {
                        return true;
                    }
                    ours == vendor::unify(v) || vendor::maker_behind(ours) == Some(vendor::unify(v))
                });
                let intercom = verdict.kind == Kind::Intercom;
                if (films != camera && !intercom) || !known {
                    wrong.push(format!("{field:?} {text:?}: {:?} {}", entry["vendor"], verdict.explain().join("; ")));
                }
            }
        }
    }
    assert!(checked > 60, "{checked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn evidence_of_text(field: Field, text: &str) -> Vec<Evidence> {
    Signatures::builtin().evidence(field, text)
}

/// The vendor an answer itself betrays, where the capture's description names one.
#[test]
#[ignore = "needs the captures CAMSCAN_CAPTURES names"]
fn captured_answers_name_no_wrong_vendor() {
    let expected = captures("expected.json");
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (file, wanted) in expected["files"].as_object().unwrap() {
        let mut seen = Vec::new();
        if let Some(server) = wanted["server"].as_str() {
            seen.extend(evidence_of_text(RtspServer, server));
        }
        let challenges = wanted["auth_choice"]["realm"].as_str().into_iter();
        seen.extend(challenges.flat_map(|realm| evidence_of_text(Realm, realm)));
        let verdict = weigh(&seen);
        let stated =
            [&wanted["vendor_from_response"], &wanted["vendor"]].iter().find_map(|v| v.as_str()).map(str::to_owned);
        let (Some(ours), Some(stated)) = (verdict.vendor(), stated) else { continue };
        checked += 1;
        let stated = stated.to_lowercase();
        if !ours.to_lowercase().split([' ', '-']).any(|word| stated.contains(word)) {
            wrong.push(format!("{file}: {stated}, not {ours}"));
        }
    }
    assert!(checked > 3, "{checked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let facts = prop::sample::select(vec![Fact::Vendor, Fact::Kind, Fact::Model, Fact::Firmware]);
    let values = prop::sample::select(vec![
        "camera",
        "recorder",
        "other",
        "media_server",
        "intercom",
        "HIKVISION",
        "Hikvision or OEM",
        "Annke",
        "EZVIZ",
        "ACME",
        "acme",
        "AXIS M1014",
        "m1014",
        "NONE",
        "",
        "Dahua",
        "Dahua or OEM",
        "Lorex",
    ]);
    let sources = prop::sample::select(vec![
        From::Onvif,
        From::Wsdd,
        From::Realm,
        From::RtspServer,
        From::Oui,
        From::Port,
        From::Stream,
        From::Model,
    ]);
    // Few weights, so that many are equal.
    let weights = prop::sample::select(vec![0.0, 0.2, 0.5, 0.5, 0.9, 1.0]);
    (facts, values, sources, weights).prop_map(|(f, v, s, w)| Evidence::new(f, v, s, w))
}

proptest! {
    /// Whatever is heard first, the verdict is the same, to the last bit.
    #[test]
    fn the_order_of_evidence_never_matters(
        (evidence, shuffled) in prop::collection::vec(any_evidence(), 0..14)
            .prop_flat_map(|e| (Just(e.clone()), Just(e).prop_shuffle()))
    ) {
        prop_assert_eq!(weigh(&evidence), weigh(&shuffled));
    }

    /// Confidence is a share, and every word stays in the record.
    #[test]
    fn verdicts_are_in_bounds(evidence in prop::collection::vec(any_evidence(), 0..14)) {
        let verdict = weigh(&evidence);
        prop_assert!((0.0..=1.0).contains(&verdict.confidence));
        prop_assert_eq!(verdict.ranked.len(), evidence.len());
        for decision in &verdict.decisions {
            prop_assert!((0.0..=1.0).contains(&decision.confidence));
            prop_assert!(!decision.value.is_empty());
        }
    }
}

/// A web server on port 8000 is no camera of the maker whose SDK is there on cameras.
#[test]
fn a_port_number_alone_names_no_maker() {
    let port = |number| ports::evidence(number, &[]);
    let films = Evidence::new(Fact::Kind, Kind::Camera.as_str(), EvidenceSource::Stream, 0.9);
    let told = |evidence: Vec<Evidence>| weigh(&evidence).reported_vendor().map(str::to_owned);
    assert_eq!(told(port(8000)), None);
    assert_eq!(told(port(37_777)), None);
    assert_eq!(told([port(8000), vec![films.clone()]].concat()), None);
    assert_eq!(told([port(37_777), vec![films.clone()]].concat()).as_deref(), Some("Dahua or OEM"));
    let realm = Evidence::new(Fact::Vendor, "Hikvision", EvidenceSource::Realm, 0.7);
    assert_eq!(told([port(8000), vec![realm]].concat()).as_deref(), Some("Hikvision"));
    assert_eq!(weigh(&port(8000)).vendor(), Some("Hikvision"), "what to try first may follow the number");
}
