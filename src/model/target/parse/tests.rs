use super::*;
use proptest::prelude::*;
use rstest::rstest;

#[rstest]
#[case("192.168.1.0/24", "192.168.1.0/24")]
#[case("192.168.1.77/24", "192.168.1.0/24")]
#[case("192.168.1.0/255.255.255.0", "192.168.1.0/24")]
#[case("192.168.1.7/32", "192.168.1.7")]
#[case("2001:db8::5/120", "2001:db8::/120")]
#[case("192.168.1.10-20", "192.168.1.10-192.168.1.20")]
#[case("192.168.1.10-192.168.2.20", "192.168.1.10-192.168.2.20")]
#[case("192.168.1.10-10", "192.168.1.10")]
#[case(" 192.168.1.5 ", "192.168.1.5")]
#[case("192.168.1.5:8554", "192.168.1.5:8554")]
#[case("2001:db8::1", "2001:db8::1")]
#[case("[2001:db8::1]", "2001:db8::1")]
#[case("[2001:DB8::1]:554", "[2001:db8::1]:554")]
#[case("::ffff:192.0.2.1", "192.0.2.1")]
#[case("fe80::1%eth0", "fe80::1%eth0")]
#[case("[fe80::1%2]:554", "[fe80::1%2]:554")]
#[case("Cam-1.LAN.", "cam-1.lan")]
#[case("cam1:8554", "cam1:8554")]
#[case("3com", "3com")]
#[case("10-0-0-5.lan", "10-0-0-5.lan")]
fn targets_are_read(#[case] written: &str, #[case] read: &str) {
    assert_eq!(written.parse::<TargetSpec>().unwrap().to_string(), read);
}

#[test]
fn what_is_no_target_is_told_apart() {
    let said: Vec<String> = [
        "",
        "rtsp://admin:s3cret@cam1/live",
        "192.168.1.*",
        "192.168.1.0/33",
        "192.168.1.300",
        "192.168.1",
        "1234",
        "192.168.1.20-10",
        "192.168.1.20-x",
        "192.168.1.5:0",
        "192.168.1.5:99999",
        "cam1:9100",
        "[2001:db8::1",
        "[2001:db8::1]554",
        "2001:db8::zz",
        "2001:db8::1%eth0",
        "fe80::1%",
        "-cam.lan",
        "cam_1",
        "cam..lan",
        "cam.7",
        "224.0.0.1",
        "0.0.0.0",
        "192.0.0.0/1",
        "ff02::1",
    ]
    .into_iter()
    .map(|text| text.parse::<TargetSpec>().unwrap_err().to_string().replace("\nhint: ", " / "))
    .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
            the target is empty
            `rtsp://cam1/live` is a URL, not a target of a scan / use `camscan probe URL` for one device or stream
            `192.168.1.*` contains a wildcard / write a network (192.168.1.0/24) or a range (192.168.1.1-254)
            `192.168.1.0/33` is not a network / write the address and the length of its prefix, such as 192.168.1.0/24
            `192.168.1.300` is not an IPv4 address / write an address (192.168.1.20), a network (192.168.1.0/24), a range (192.168.1.10-20) or a host name
            `192.168.1` is not an IPv4 address / write an address (192.168.1.20), a network (192.168.1.0/24), a range (192.168.1.10-20) or a host name
            `1234` is not an IPv4 address / write an address (192.168.1.20), a network (192.168.1.0/24), a range (192.168.1.10-20) or a host name
            `192.168.1.20-10` ends before it begins / write 192.168.1.10-192.168.1.20
            `192.168.1.20-x` is not a range: its end is not an address / write 192.168.1.10-20 or 192.168.1.10-192.168.2.20
            `0` is not a port / ports are numbers from 1 to 65535
            `99999` is not a port / ports are numbers from 1 to 65535
            port 9100 is never contacted because printers print whatever they receive there
            `[2001:db8::1` lacks the closing bracket
            `[2001:db8::1]554` goes on after the address / a port follows the bracket and a colon: [2001:db8::1]:554
            `2001:db8::zz` is not an IPv6 address / a port after an IPv6 address needs brackets around the address: [2001:db8::1]:554
            `2001:db8::1%eth0` has a zone, but 2001:db8::1 is no link-local address / leave out `%` and what follows it
            `fe80::1%` names no interface after `%` / write the interface's name: fe80::1%eth0
            `-cam.lan` is not a host name: a label begins or ends with a hyphen / names are made of letters, digits, dots and inner hyphens (RFC 1123)
            `cam_1` is not a host name: it holds a character names cannot have / names are made of letters, digits, dots and inner hyphens (RFC 1123)
            `cam..lan` is not a host name: a label is empty / names are made of letters, digits, dots and inner hyphens (RFC 1123)
            `cam.7` is not a host name: its last label is a number / names are made of letters, digits, dots and inner hyphens (RFC 1123)
            `224.0.0.1` includes addresses no host can have / multicast, broadcast and reserved addresses (224.0.0.0 and up, ff00::/8) cannot be targets
            `0.0.0.0` includes addresses no host can have / multicast, broadcast and reserved addresses (224.0.0.0 and up, ff00::/8) cannot be targets
            `192.0.0.0/1` includes addresses no host can have / multicast, broadcast and reserved addresses (224.0.0.0 and up, ff00::/8) cannot be targets
            `ff02::1` includes addresses no host can have / multicast, broadcast and reserved addresses (224.0.0.0 and up, ff00::/8) cannot be targets
        "#);
}

#[rstest]
#[case("rtsp://admin:s3cret@192.0.2.1:554/live", "rtsp://192.0.2.1:554/live", "192.0.2.1:554", "s3cret")]
#[case("rtsp://admin:p%40ss@cam1/live", "rtsp://cam1/live", "cam1", "p@ss")]
#[case("rtsp://admin:p/w@cam1/live", "rtsp://cam1/live", "cam1", "p/w")]
#[case("rtsps://u:p@[2001:db8::1]:322/a?b=@c", "rtsps://[2001:db8::1]:322/a?b=@c", "[2001:db8::1]:322", "p")]
fn a_login_is_taken_out_of_a_url(
    #[case] text: &str,
    #[case] plain: &str,
    #[case] host_read: &str,
    #[case] password: &str,
) {
    let ProbeTarget::Url { url, host, credential } = text.parse().unwrap() else { panic!("a URL") };
    assert_eq!(url, plain);
    assert_eq!(host.to_string(), host_read);
    assert_eq!(credential.unwrap().password.expose(), password);
}

#[test]
fn one_device_is_probed_at_a_time() {
    assert_eq!("cam1:554".parse::<ProbeTarget>().unwrap().to_string(), "cam1:554");
    assert!("192.0.2.0/24".parse::<ProbeTarget>().unwrap_err().hints()[0].contains("camscan scan"));
    assert!("rtsp://192.0.2.1-9/x".parse::<ProbeTarget>().is_err());
    let error = "ftp://u:s3cret@cam1/x".parse::<ProbeTarget>().unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

fn any_spec() -> impl Strategy<Value = TargetSpec> {
    let port = || prop::option::of((1u16..9100).prop_union(9108u16..65535));
    let v4 = || (1u8..224, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d));
    let v6 = (any::<[u16; 7]>()).prop_map(|[b, c, d, e, f, g, h]| Ipv6Addr::new(0x2001, b, c, d, e, f, g | 1, h));
    prop_oneof![
        (v4(), port()).prop_map(|(ip, port)| TargetSpec::Address(ip.into(), port)),
        (v6, port()).prop_map(|(ip, port)| TargetSpec::Address(ip.into(), port)),
        (v4(), 4u8..32)
            .prop_map(|(ip, prefix)| {
                let net = Ipv4Network::new(ip, prefix).unwrap();
                TargetSpec::Network(Ipv4Network::new(net.network(), prefix).unwrap().into())
            })
            .prop_filter("hosts only", |spec| spec.ipv4_range().unwrap().1.octets()[0] < 224),
        (v4(), v4()).prop_filter("two ends", |(a, b)| a != b).prop_map(|(a, b)| TargetSpec::Range(a.min(b), a.max(b))),
        ("[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?(\\.[a-z]{2,5})?", port()).prop_map(|(n, p)| TargetSpec::Name(n, p)),
        ("[a-z]{2,6}[0-9]", any::<u16>(), port()).prop_map(|(z, n, p)| TargetSpec::LinkLocal(
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n),
            z,
            p
        )),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(spec in any_spec()) {
        prop_assert_eq!(spec.to_string().parse::<TargetSpec>().unwrap(), spec);
    }

    #[test]
    fn no_text_panics_and_what_is_read_prints_as_itself(text in "\\PC{0,40}|[0-9a-f:.%/\\[\\]*-]{0,24}") {
        let _ = text.parse::<ProbeTarget>();
        if let Ok(spec) = text.parse::<TargetSpec>() {
            prop_assert_eq!(spec.to_string().parse::<TargetSpec>().unwrap(), spec);
        }
    }
}
