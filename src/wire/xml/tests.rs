use super::*;
use proptest::prelude::*;
use serde_json::Value;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn expected(name: &str) -> Value {
    let all: Value = serde_json::from_slice(&file("expected.json")).unwrap();
    all["files"][name].clone()
}

#[test]
fn device_information_is_read_however_it_is_written() {
    for name in [
        "bom",
        "leading_crlf",
        "invalid_utf8",
        "declared_gb2312",
        "undeclared_prefix",
        "default_namespace",
        "control_characters",
        "truncated",
    ] {
        let name = format!("onvif/info_{name}.xml");
        let (document, wanted) = (read(&file(&name)), expected(&name));
        for (field, element) in [
            ("manufacturer", "Manufacturer"),
            ("model", "Model"),
            ("firmware", "FirmwareVersion"),
            ("serial", "SerialNumber"),
        ] {
            if let Some(value) = wanted[field].as_str() {
                assert_eq!(document.find_text(element).unwrap_or_default(), value, "{name} {element}");
            }
        }
        if let Some(start) = wanted["model_prefix"].as_str() {
            assert!(document.find_text("Model").unwrap().starts_with(start), "{name}");
        }
        if wanted["must_not_contain_byte"] == "1b" {
            assert!(!document.find_text("Manufacturer").unwrap().contains('\u{1b}'), "{name}");
        }
        assert_eq!(document.defect, name.contains("truncated").then_some(Defect::CutOff), "{name}");
    }
}

#[test]
fn a_document_type_is_refused_and_nothing_expanded() {
    let bomb = read(&file("onvif/info_entity_bomb.xml"));
    assert_eq!((bomb.roots.len(), bomb.defect), (0, Some(Defect::DocumentType)));
    let external = read(b"<?xml version='1.0'?><!DOCTYPE a SYSTEM 'file:///etc/passwd'><a>&x;</a>");
    assert_eq!((external.roots.len(), external.defect), (0, Some(Defect::DocumentType)));
    assert_eq!(read(b"<a>&x;</a>").find_text("a"), Some("&x;"));
}

#[test]
fn references_are_decoded_once() {
    let uri = |name: &str| read(&file(name)).find_text("Uri").map(str::to_owned);
    for name in ["onvif/stream_uri_ampersand.xml", "onvif/stream_uri_raw_ampersand.xml"] {
        assert_eq!(uri(name).as_deref(), expected(name)["uri"].as_str(), "{name}");
    }
    assert_eq!(read(b"<a b='x&amp;amp;y'>&amp;lt;&#x41;&#65;&#27;&#0;</a>").find_text("a"), Some("&lt;AA"));
    assert_eq!(read(b"<a b='x&amp;amp;y'/>").roots[0].attribute("b"), Some("x&amp;y"));
    assert_eq!(read(b"<a b='x&y'/>").roots[0].attribute("b"), Some("x&y"));
}

#[test]
fn two_documents_in_one_datagram_are_two_roots() {
    let both = read(&file("onvif/probe_two_documents.xml"));
    assert_eq!(both.roots.len(), 2);
    assert!(both.roots[0].at(&["Body", "a"]).is_some() && both.roots[1].at(&["Body", "b"]).is_some());
    let first_cut_off = read(b"<?xml version='1.0'?><a><b>1</b><?xml version='1.0'?><c>2</c>");
    assert_eq!((first_cut_off.find_text("b"), first_cut_off.find_text("c")), (Some("1"), Some("2")));
    assert_eq!(first_cut_off.defect, Some(Defect::CutOff));
}

#[test]
fn broken_tags_cost_themselves_only() {
    for (sent, name, text) in [
        ("<a><b x mlns:w='1' xmlns:tp tz='2'><c>1</c></b><d>2</d></a>", "d", Some("2")),
        ("<a><b><c>1</b><d>2</d></a>", "d", Some("2")),
        ("<a></x><d>2</d></a>", "d", Some("2")),
        ("<a><d>2</D></a>", "d", Some("2")),
        ("<a><d >2</d ></a >", "d", Some("2")),
        ("<a><d>1 < 2</d><e>3</e></a>", "e", Some("3")),
        ("<a><d>12345", "d", None),
        ("<a><d>12345</d", "d", Some("12345")),
        ("<a><d x='1", "a", None),
        ("lollipop", "a", None),
        ("", "a", None),
    ] {
        let document = read(sent.as_bytes());
        assert_eq!(document.find_text(name), text, "{sent}");
        let whole = sent == "<a><d >2</d ></a >";
        assert_eq!(document.defect.is_none(), whole, "{sent}: {:?}", document.defect);
    }
}

#[test]
fn encodings_declared_and_real() {
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("<a>ä</a>".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(read(&utf16).find_text("a"), Some("ä"));
    assert_eq!(read("<?xml version=\"1.0\" encoding=\"utf-16\"?><a>ä</a>".as_bytes()).find_text("a"), Some("ä"));
    assert_eq!(read(b"<?xml encoding='iso-8859-1'?><a>\xe4</a>\0\0").find_text("a"), Some("ä"));
}

#[test]
fn depth_nodes_and_bytes_are_bounded() {
    let deep = read("<a>".repeat(5000).as_bytes());
    let mut depth = 0;
    let mut element = deep.roots.first();
    while let Some(e) = element {
        depth += 1;
        element = e.children.first();
    }
    assert_eq!((depth, deep.defect), (MAX_DEPTH, Some(Defect::TooDeep)));

    let beside = format!("<r>{}<s>{}</s><t>1</t></r>", "<a>".repeat(MAX_DEPTH + 3), "x");
    assert_eq!(
        read(beside.replace("<s>", &format!("{}<s>", "</a>".repeat(MAX_DEPTH + 3))).as_bytes()).find_text("t"),
        Some("1")
    );

    let wide = read(format!("<r>{}</r>", "<a/>".repeat(MAX_NODES * 2)).as_bytes());
    assert!(wide.roots[0].children.len() < MAX_NODES);
    assert_eq!(wide.defect, Some(Defect::TooMany));
    let attributes = read(format!("<r {}/>", "a='' ".repeat(MAX_NODES * 2)).as_bytes());
    assert_eq!(attributes.defect, Some(Defect::TooMany));

    let long = read(format!("<r><a>1</a>{}</r>", " ".repeat(MAX_BYTES)).as_bytes());
    assert_eq!((long.find_text("a"), &long.defect), (Some("1"), &Some(Defect::TooLong)));
}

/// Captures of real devices, one of them with spaces within names, one that declares utf-16 and is UTF-8.
#[test]
#[ignore = "needs the captures CAMSCAN_CAPTURES names"]
fn captures_are_read() {
    let folder = crate::testkit::captures::folder();
    let read_file = |name: &str| read(&std::fs::read(folder.join(name)).unwrap());
    let malformed = read_file("onvif/get_capabilities/unknown_malformed_namespaces.xml");
    let device = malformed.find("Capabilities").and_then(|c| c.at(&["Device", "XAddr"])).and_then(Element::text);
    assert_eq!(device, Some("http://10.201.1.11:80/onvif/Device_service"));
    let encoder = read_file("onvif/get_capabilities/encoder_declares_utf16.xml");
    let device = encoder.find("Capabilities").and_then(|c| c.at(&["Device", "XAddr"])).and_then(Element::text);
    assert_eq!(device, Some("http://192.168.30.65/onvif/device_service"));
}

proptest! {
    #[test]
    fn any_soup_of_markup_is_read_without_panic(parts in prop::collection::vec(
        prop::sample::select(vec!["<a>", "</a>", "<a:b c='", "'", "\"", ">", "/>", "&", ";", "#", "x", "<?xml ", "?>", "<!--", "-->", "<![CDATA[", "]]>", "<!DOCTYPE", "[", "]", "<", "=", " "]),
        0..64)) {
        let _ = read(parts.concat().as_bytes());
    }

    #[test]
    fn escaped_text_comes_back(text in "[ -~äöü摄]{0,64}") {
        let document = read(format!("<a b=\"{0}\">{0}</a>", escape(&text)).as_bytes());
        prop_assert_eq!(&document.roots[0].text, &text);
        prop_assert_eq!(document.roots[0].attribute("b"), Some(text.as_str()));
    }
}
