use super::*;
use crate::model::arbitrary::device;
use crate::model::{Activation, NetworkSettings};
use crate::text::steps;

fn surroundings() -> Surroundings {
    let network = |name: &str, net: &str| (name.to_owned(), net.parse().unwrap());
    Surroundings {
        networks: vec![network("lo", "127.0.0.1/8"), network("eth0", "10.0.5.7/24"), network("wg0", "10.9.0.2/32")],
        system: "linux",
    }
}

fn at(ip: &str, change: impl FnOnce(&mut Device)) -> Device {
    let mut device = device(ip.parse().unwrap());
    change(&mut device);
    device
}

fn network(mask: &str, gateway: &str) -> Option<NetworkSettings> {
    Some(NetworkSettings::stated(mask.parse().ok(), gateway.parse().ok(), None))
}

fn alone(device: &Device, told: &Told) -> Vec<String> {
    of_device(device, told, &surroundings()).iter().map(|w| format!("{}: {}", w.kind, w.message)).collect()
}

#[test]
fn each_device_is_judged_by_what_it_told() {
    let told = |clock, end: &str| Told { clock, certificate_end: end.parse().ok(), ..Told::default() };
    for (name, device, told, expected) in [
        ("nothing told", at("10.0.5.20", |_| {}), Told::default(), None),
        (
            "the link's own mask and gateway",
            at("10.0.5.20", |d| d.network = network("255.255.255.0", "10.0.5.1")),
            Told::default(),
            None,
        ),
        (
            "another mask",
            at("10.0.5.20", |d| d.network = network("255.255.0.0", "10.0.5.1")),
            Told::default(),
            Some("network_mismatch: its mask 255.255.0.0 is not that of this network, 255.255.255.0"),
        ),
        (
            "a gateway elsewhere",
            at("10.0.5.20", |d| d.network = network("255.255.255.0", "192.168.1.1")),
            Told::default(),
            Some("network_mismatch: its gateway 192.168.1.1 is not on its own network 10.0.5.0/24"),
        ),
        (
            "a kit that is played on this machine",
            at("127.77.0.2", |d| d.network = network("255.255.255.0", "192.168.1.1")),
            Told::default(),
            None,
        ),
        (
            "a network nobody here knows",
            at("172.16.0.9", |d| d.network = network("255.255.0.0", "172.16.0.1")),
            Told::default(),
            None,
        ),
        (
            "an address from DHCP",
            at("10.0.5.20", |d| d.network = Some(NetworkSettings { dhcp: Some(true), ..NetworkSettings::default() })),
            Told::default(),
            Some("dynamic_address: has its address from DHCP, and may be found elsewhere tomorrow"),
        ),
        ("a clock that is right", at("10.0.5.20", |_| {}), told(Some(-300), ""), None),
        (
            "a clock behind",
            at("10.0.5.20", |_| {}),
            told(Some(-3900), ""),
            Some("clock_wrong: its clock is 1 h 5 min behind"),
        ),
        (
            "a clock ahead",
            at("10.0.5.20", |_| {}),
            told(Some(i64::MAX), ""),
            Some("clock_wrong: its clock is 106751991167300 days ahead"),
        ),
        ("a certificate to come", at("10.0.5.20", |_| {}), told(None, "2030-01-01T00:00:00Z"), None),
        (
            "a certificate that ended",
            at("10.0.5.20", |d| d.last_seen = "2030-01-02T00:00:00Z".parse().unwrap()),
            told(None, "2030-01-01T00:00:00Z"),
            Some("certificate_expired: its TLS certificate ended on 2030-01-01"),
        ),
        ("set up", at("10.0.5.20", |d| d.activation = Some(Activation::Activated)), Told::default(), None),
        (
            "not activated",
            at("10.0.5.20", |d| d.activation = Some(Activation::NotActivated)),
            Told::default(),
            Some("not_activated: has no password yet: whoever comes first sets it"),
        ),
    ] {
        assert_eq!(alone(&device, &told), expected.into_iter().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn each_maker_has_its_way_to_activate() {
    for (vendor, tool) in [("Hikvision or OEM", "SADP"), ("Dahua", "ConfigTool"), ("Nobody", "")] {
        let device = at("192.168.1.64", |d| {
            d.vendor = Some(vendor.to_owned());
            d.activation = Some(Activation::NotActivated);
        });
        let hint = of_device(&device, &Told::default(), &surroundings())[0].hint.clone().unwrap();
        assert!(hint.contains("http://192.168.1.64/") && hint.contains(tool), "{hint}");
    }
}

fn out_of_reach(ip: &str, change: impl FnOnce(&mut Device)) -> Device {
    at(ip, |d| {
        (d.reach, d.heard_on) = (Some(Reach::OtherSubnet), Some("eth0".to_owned()));
        change(d);
    })
}

fn hint_of(system: &'static str, devices: &mut [Device]) -> String {
    let told = vec![Told::default(); devices.len()];
    among(devices, &told, &Surroundings { system, ..surroundings() });
    devices[0].warnings.iter().find(|w| w.kind == WarningKind::OtherSubnet).and_then(|w| w.hint.clone()).unwrap()
}

#[test]
fn the_way_into_another_subnet_is_shown_for_each_system() {
    let one = || vec![out_of_reach("192.168.1.108", |_| {})];
    assert_eq!(
        hint_of("linux", &mut one()),
        "give this machine an address there: sudo ip addr add 192.168.1.200/24 dev eth0; undo: sudo ip addr del \
         192.168.1.200/24 dev eth0"
    );
    assert!(hint_of("macos", &mut one()).contains("sudo ifconfig eth0 alias 192.168.1.200 255.255.255.0"));
    assert!(
        hint_of("windows", &mut one())
            .contains("netsh interface ipv4 add address \"eth0\" 192.168.1.200 255.255.255.0")
    );
    // By its mask, and with an address that nobody is known to have.
    let mut taken = vec![
        out_of_reach("192.168.1.200", |d| d.network = network("255.255.254.0", "192.168.0.1")),
        out_of_reach("192.168.0.200", |_| {}),
    ];
    assert!(hint_of("linux", &mut taken).contains("192.168.1.254/23 dev eth0"));
    let mut small = vec![out_of_reach("192.168.1.1", |d| d.network = network("255.255.255.252", "192.168.1.2"))];
    // The only two hosts of the network are there.
    let told = [Told::default()];
    among(&mut small, &told, &surroundings());
    assert_eq!(small[0].warnings[0].hint, None);
    assert!(hint_of("linux", &mut [out_of_reach("169.254.10.3", |_| {})]).contains("/16 dev eth0"));
}

#[test]
fn what_two_devices_share_is_said_of_both() {
    let named = |ip: &str, mac: u8| at(ip, |d| d.mac = Some(MacAddr([0x3c, 0xef, 0x8c, 0, 0, mac])));
    let mut devices = vec![
        named("192.168.1.108", 1),
        named("192.168.1.108", 2),
        at("10.0.5.20", |d| d.serial = Some("x".to_owned())),
        at("10.0.5.21", |d| d.serial = Some("x".to_owned())),
        at("10.0.5.22", |_| {}),
        at("10.0.5.23", |_| {}),
    ];
    let endpoint = |id: &str| Told { endpoint_id: Some(id.to_owned()), ..Told::default() };
    let none = Told::default;
    among(&mut devices, &[none(), none(), none(), none(), endpoint("a"), endpoint("a")], &surroundings());
    let said: Vec<Vec<String>> =
        devices.iter().map(|d| d.warnings.iter().map(|w| format!("{}: {}", w.kind, w.message)).collect()).collect();
    assert_eq!(said[0], ["address_conflict: shares its address with 3c:ef:8c:00:00:02 at 192.168.1.108"]);
    assert_eq!(said[1], ["address_conflict: shares its address with 3c:ef:8c:00:00:01 at 192.168.1.108"]);
    assert_eq!(said[2], ["duplicate_serial: states the serial number that 10.0.5.21 states too"]);
    assert_eq!(said[5], ["duplicate_endpoint: states the ONVIF or UPnP identity that 10.0.5.22 states too"]);
    let mut one = vec![named("192.168.1.108", 1)];
    among(&mut one, &[none()], &surroundings());
    assert_eq!(one[0].warnings, []);
}

/// Each is shown the way to it, with an address that none of the others has.
#[test]
fn twice_the_devices_in_other_subnets_cost_twice_the_looks() {
    let looks = |count: u8| {
        let mut devices: Vec<Device> = (0..count).map(|n| out_of_reach(&format!("10.7.{n}.200"), |_| {})).collect();
        let told = vec![Told::default(); devices.len()];
        steps::seen_by(|| among(&mut devices, &told, &surroundings()))
    };
    let (few, many) = (looks(100), looks(200));
    assert!(many <= few * 5 / 2, "{few} looks at 100 devices, {many} at 200");
}
