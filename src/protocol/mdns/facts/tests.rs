use proptest::prelude::*;

use super::super::wire::Record;
use super::*;

const CAMERA: &str = "192.0.2.20";

fn announcement(instance: &Name, port: u16, txt: &[&str], address: &str) -> Message {
    let host = Name::of("axis-accc8e000001.local");
    let service = Name(instance.0.iter().skip(1).cloned().collect());
    Message {
        response: true,
        questions: vec![],
        records: vec![
            Record { name: service, data: Data::Ptr(instance.clone()) },
            Record { name: instance.clone(), data: Data::Srv { port, target: host.clone() } },
            Record { name: instance.clone(), data: Data::Txt(txt.iter().map(|t| t.as_bytes().to_vec()).collect()) },
            Record { name: host, data: Data::A(address.parse().unwrap()) },
        ],
    }
}

fn instance(label: &str, service: &str) -> Name {
    Name([label].into_iter().chain(service.split('.')).chain(["local"]).map(str::to_owned).collect())
}

fn of(message: &Message) -> Facts {
    of_message(message, CAMERA.parse().unwrap()).0
}

#[test]
fn an_axis_camera_names_host_and_mac() {
    let name = instance("AXIS M1065-LW - ACCC8E000001", "_axis-video._tcp");
    let facts = of(&announcement(&name, 80, &["macaddress=ACCC8E000001"], CAMERA));
    assert_eq!(facts.value(Fact::Hostname), Some("axis-accc8e000001.local"));
    assert_eq!(facts.value(Fact::Name), Some("AXIS M1065-LW - ACCC8E000001"));
    assert_eq!(facts.value(Fact::Kind), Some("camera"));
    assert!(facts.findings.contains(&FindingKind::StatedMac("ac:cc:8e:00:00:01".parse().unwrap())));
    assert_eq!(facts.findings[0], FindingKind::Seen(Method::Mdns));
    assert!(facts.observed.contains(&(Field::MdnsService, "_axis-video._tcp".into())));
}

#[test]
fn an_rtsp_service_gives_its_port_and_path() {
    let facts = of(&announcement(&instance("cam", "_rtsp._tcp"), 8554, &["path=/live?x=1"], CAMERA));
    let hints: Vec<_> = facts
        .findings
        .iter()
        .filter_map(|f| match f {
            FindingKind::StreamHint(h) => Some(h.url.as_str()),
            FindingKind::Announced(s) if s.protocol == Protocol::Rtsp => s.url.as_deref(),
            _ => None,
        })
        .collect();
    assert_eq!(hints, ["rtsp://192.0.2.20:8554/live?x=1", "rtsp://192.0.2.20:8554/"]);
    let elsewhere = of(&announcement(&instance("cam", "_rtsp._tcp"), 8554, &["path=rtsp://198.51.100.1/x"], CAMERA));
    assert!(!elsewhere.findings.iter().any(|f| matches!(f, FindingKind::StreamHint(_))));
}

#[test]
fn homekit_categories_and_things_taken_for_cameras() {
    for (service, txt, kind) in [
        ("_hap._tcp", "ci=17", Some("camera")),
        ("_hap._tcp", "ci=18", Some("intercom")),
        ("_hap._tcp", "ci=5", Some("other")),
        ("_hap._tcp", "sf=0", None),
        ("_googlecast._tcp", "md=Chromecast", Some("other")),
        ("_ipp._tcp", "ty=Printer", Some("other")),
        ("_http._tcp", "", None),
    ] {
        let facts = of(&announcement(&instance("x", service), 80, &[txt], CAMERA));
        assert_eq!(facts.value(Fact::Kind), kind, "{service} {txt}");
    }
}

#[test]
fn a_reflected_announcement_is_not_the_reflectors() {
    let facts = of(&announcement(&instance("cam", "_axis-video._tcp"), 80, &["macaddress=ACCC8E000001"], "192.0.2.77"));
    assert_eq!(facts, Facts::default());
}

#[test]
fn questions_of_others_say_nothing_and_bare_names_are_asked_about() {
    let name = instance("cam", "_rtsp._tcp");
    let mut message = announcement(&name, 554, &[], CAMERA);
    message.records.truncate(1);
    let (facts, unexplained) = of_message(&message, CAMERA.parse().unwrap());
    assert_eq!(unexplained, [name]);
    assert_eq!(facts.findings[0], FindingKind::Seen(Method::Mdns));
    message.response = false;
    assert_eq!(of(&message), Facts::default());
}

#[test]
fn an_enumeration_is_looked_up() {
    let types = Record { name: Name::of("_services._dns-sd._udp.local"), data: Data::Ptr(Name::of("_CGI._tcp.local")) };
    let facts = of(&Message { response: true, questions: vec![], records: vec![types] });
    assert!(facts.observed.contains(&(Field::MdnsService, "_cgi._tcp".into())));
}

fn any_name() -> impl Strategy<Value = Name> {
    let label = prop_oneof![
        prop::sample::select(vec![
            "_rtsp",
            "_tcp",
            "_udp",
            "_http",
            "_axis-video",
            "_hap",
            "_services",
            "local",
            "cam"
        ])
        .prop_map(str::to_owned),
        "[\\PC\\x00-\\x1f\\u{202e}.]{0,12}",
    ];
    prop::collection::vec(label, 0..5).prop_map(Name)
}

fn any_data() -> impl Strategy<Value = Data> {
    let text = prop_oneof![
        ("(path|mac|model|md|serial|ci|fw)=", ".{0,20}").prop_map(|(key, value)| format!("{key}{value}").into_bytes()),
        ("path=", "[a-z:/@?#.%]{0,20}").prop_map(|(key, value)| format!("{key}{value}").into_bytes()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop_oneof![
        any_name().prop_map(Data::Ptr),
        (any::<u16>(), any_name()).prop_map(|(port, target)| Data::Srv { port, target }),
        prop::collection::vec(text, 0..4).prop_map(Data::Txt),
        any::<u32>().prop_map(|ip| Data::A(ip.into())),
        any::<u128>().prop_map(|ip| Data::Aaaa(ip.into())),
    ]
}

proptest! {
    /// Whoever is named: what is said is about the sender, and leads nowhere else.
    #[test]
    fn whatever_is_announced_is_about_its_sender(
        records in prop::collection::vec((any_name(), any_data()), 0..12),
        v6: bool,
    ) {
        let sender: IpAddr = if v6 { "fe80::20" } else { CAMERA }.parse().unwrap();
        let records = records.into_iter().map(|(name, data)| Record { name, data }).collect();
        let (facts, _) = of_message(&Message { response: true, questions: vec![], records }, sender);
        for finding in &facts.findings {
            let (port, address) = match finding {
                FindingKind::Announced(s) | FindingKind::Service(s) => (Some(s.port), s.url.as_deref()),
                FindingKind::StreamHint(h) => (None, Some(h.url.as_str())),
                FindingKind::StatedMac(mac) => {
                    prop_assert!(mac.is_station());
                    continue;
                }
                _ => continue,
            };
            prop_assert!(port != Some(0));
            if let Some(address) = address {
                let url = crate::wire::url::AnnouncedUrl::read_lenient(address, crate::wire::url::Scheme::Rtsp).unwrap();
                prop_assert_eq!((url.ip(), url.fault), (Some(sender), None), "{}", address);
                prop_assert_eq!(&text::strip_userinfo(address), address);
                prop_assert_eq!(text::clean(address), address);
            }
        }
        for (_, text) in &facts.observed {
            prop_assert_eq!(&text::clean(text), text);
        }
    }
}

#[test]
fn texts_are_cleaned() {
    let facts = of(&announcement(&instance("a\u{1b}[31mb", "_rtsp._tcp"), 554, &["model=X\u{202e}1\n"], CAMERA));
    assert_eq!((facts.value(Fact::Name), facts.value(Fact::Model)), (Some("ab"), Some("X1")));
}
