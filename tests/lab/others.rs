//! What speaks the protocols of cameras and is none: it must be told from them, and left alone.

use serde_json::{Value, json};

use crate::servers::{avahi, nginx};
use crate::{Lab, PYTHON, Place, script};

/// What these hosts need.
pub const NEEDED: [&str; 8] =
    ["minidlnad", "wsdd", "smbd", "ippeveprinter", "shairport-sync", "gmediarender", "miniupnpd", "dbus-daemon"];

/// Where printers print whatever is sent to them.
const PRINTING: std::ops::RangeInclusive<u16> = 9100..=9107;

pub fn start(lab: &mut Lab) -> Vec<Place> {
    let places = vec![
        web_page(lab),
        media_library(lab),
        windows(lab),
        silent(lab),
        printer(lab),
        nas(lab),
        television(lab),
        router(lab),
        tuner(lab),
    ];
    places.into_iter().map(|(address, more)| Place::unlisted(address, other(more))).collect()
}

/// A host that is no camera, and what else is known of it.
fn other(more: Value) -> Value {
    let mut expected = json!({"kind": "other", "streams": []});
    expected.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    expected
}

fn web_page(lab: &mut Lab) -> (&'static str, Value) {
    let host = lab.lan.host("10.77.0.50", "00:11:22:00:00:50");
    let page = "location / { default_type text/html; return 200 '<title>Intranet</title>hello'; }";
    nginx(lab, &host, "intranet", "", page);
    ("10.77.0.50", json!({"services": [{"protocol": "http", "port": 80, "title": "Intranet"}]}))
}

/// minidlna on a host.
fn dlna(lab: &Lab, host: &crate::ns::Host, name: &str) {
    let folder = lab.path(&format!("dlna-{name}"));
    std::fs::create_dir_all(format!("{folder}/media")).unwrap();
    let text = format!(
        "network_interface=eth0\nport=8200\nmedia_dir={folder}/media\ndb_dir={folder}/db\nlog_dir={folder}\n\
         friendly_name={name}\nnotify_interval=60\n"
    );
    let configuration = lab.write(&format!("dlna-{name}.conf"), text);
    lab.lan.serve(host, "minidlnad", &["-S", "-f", &configuration, "-P", "/dev/null"], |h| {
        h.listens_udp(1900) && h.listens_tcp(8200)
    });
}

fn media_library(lab: &mut Lab) -> (&'static str, Value) {
    let host = lab.lan.host("10.77.0.51", "00:11:22:00:00:51");
    dlna(lab, &host, "Video");
    ("10.77.0.51", json!({}))
}

fn windows(lab: &mut Lab) -> (&'static str, Value) {
    let host = lab.lan.host("10.77.0.52", "00:11:22:00:00:52");
    lab.lan.serve(&host, "wsdd", &["-i", "eth0", "-4", "-n", "OFFICE-PC"], |h| h.listens_udp(3702));
    ("10.77.0.52", json!({}))
}

fn silent(lab: &mut Lab) -> (&'static str, Value) {
    lab.lan.host("10.77.0.53", "00:11:22:00:00:53");
    ("10.77.0.53", json!({"services": []}))
}

/// A printer by IPP with its page, WS-Discovery and mDNS; and something that listens where it prints.
fn printer(lab: &mut Lab) -> (&'static str, Value) {
    let host = lab.lan.host("10.77.0.54", "00:11:22:00:00:54");
    let spool = lab.path("spool");
    std::fs::create_dir_all(&spool).unwrap();
    let print = format!("ippeveprinter -p 631 -d {spool} -M HP -m 'LaserJet 4' 'Office Printer'");
    // A raw port is announced too: it is no invitation.
    let group = "<service-group><name>Office Printer (raw)</name>\
         <service><type>_pdl-datastream._tcp</type><port>9100</port></service>\
         <service><type>_http._tcp</type><port>9101</port></service>\
         <service><type>_rtsp._tcp</type><port>9102</port></service></service-group>";
    avahi(lab, &host, "printer", group, &[&print]);
    nginx(
        lab,
        &host,
        "printer-page",
        "",
        "location / { default_type text/html; return 200 '<title>HP LaserJet 4</title>'; }",
    );
    let probe = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/onvif/probe_printer.xml");
    let arguments = [script("onvif_server.py"), "10.77.0.54".into(), "5357".into(), format!("probe={probe}")];
    lab.lan.serve(&host, PYTHON, &arguments.each_ref().map(String::as_str), |h| h.listens_tcp(5357));
    let ports = format!("{}-{}", PRINTING.start(), PRINTING.end());
    let count = format!(
        "add table inet witness; add chain inet witness arrived {{ type filter hook prerouting priority -300; }}; \
         add rule inet witness arrived tcp dport {ports} counter; add rule inet witness arrived udp dport {ports} counter"
    );
    assert!(host.run("nft", &[&count]).status.success(), "nft counts nothing");
    lab.lan.serve(
        &host,
        "sh",
        &["-c", "for p in 9100 9101 9102 9103 9104 9105 9106 9107; do nc -lk $p > /dev/null & done; wait"],
        |h| PRINTING.into_iter().all(|port| h.listens_tcp(port)),
    );
    ("10.77.0.54", json!({}))
}

/// How many packets came to where the printer prints.
pub fn printed(lab: &Lab) -> Vec<u64> {
    let printer = lab.lan.host_at("10.77.0.54");
    let rules = printer.run("nft", &["-j", "list", "table", "inet", "witness"]);
    let rules: Value = serde_json::from_slice(&rules.stdout).unwrap();
    let rules = rules["nftables"].as_array().unwrap().iter().filter_map(|entry| entry["rule"]["expr"].as_array());
    rules.flatten().filter_map(|part| part["counter"]["packets"].as_u64()).collect()
}

/// A NAS: shares by SMB, WS-Discovery, a media library, a page with the word for it.
fn nas(lab: &mut Lab) -> (&'static str, Value) {
    let host = lab.lan.host("10.77.0.55", "00:11:22:00:00:55");
    let folder = lab.path("smb");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "[global]\nworkgroup = LAB\ndisable netbios = yes\nbind interfaces only = yes\ninterfaces = eth0\n\
         private dir = {folder}\nlock directory = {folder}\nstate directory = {folder}\ncache directory = {folder}\n\
         pid directory = {folder}\nncalrpc dir = {folder}/rpc\nlog file = {folder}/log\n[files]\npath = {folder}\n"
    );
    let configuration = lab.write("smb.conf", text);
    lab.lan.serve(&host, "smbd", &["-F", "--no-process-group", "-s", &configuration], |h| h.listens_tcp(445));
    lab.lan.serve(&host, "wsdd", &["-i", "eth0", "-4", "-n", "NAS"], |h| h.listens_udp(3702));
    dlna(lab, &host, "NAS");
    let page =
        "location / { default_type text/html; return 200 '<title>NAS - Video Station and Surveillance</title>'; }";
    nginx(lab, &host, "nas-page", "", page);
    ("10.77.0.55", json!({}))
}

/// A television: UPnP renderer, AirPlay's RTSP, and what it announces of itself.
fn television(lab: &mut Lab) -> (&'static str, Value) {
    let host = lab.lan.host("10.77.0.56", "00:11:22:00:00:56");
    let group = "<service-group><name>Living Room TV</name><service><type>_googlecast._tcp</type><port>8009</port>\
         <txt-record>md=Chromecast</txt-record><txt-record>fn=Living Room TV</txt-record></service>\
         <service><type>_airplay._tcp</type><port>5000</port><txt-record>model=AppleTV5,3</txt-record></service></service-group>";
    let renderer = "gmediarender -I eth0 -f 'Living Room TV' --gstout-audiosink=fakesink --gstout-videosink=fakesink";
    avahi(lab, &host, "tv", group, &["shairport-sync -o dummy -a 'Living Room TV' -p 5000 -u", renderer]);
    lab.lan.serve(&host, "sleep", &["infinity"], |h| h.listens_tcp(5000) && h.listens_udp(1900));
    ("10.77.0.56", json!({}))
}

fn router(lab: &mut Lab) -> (&'static str, Value) {
    let host = lab.lan.host("10.77.0.57", "00:11:22:00:00:57");
    for command in [
        "link add wan0 type veth peer name wan1",
        "addr add 203.0.113.5/24 dev wan0",
        "link set wan0 up",
        "link set wan1 up",
    ] {
        assert!(host.run("ip", &command.split(' ').collect::<Vec<_>>()).status.success());
    }
    let text = format!(
        "ext_ifname=wan0\nlistening_ip=eth0\nhttp_port=5001\nenable_upnp=yes\nenable_natpmp=no\nfriendly_name=Home Router\n\
         uuid=00000000-0000-4000-8000-000000000057\nsecure_mode=yes\nlease_file={0}/leases\n\
         allow 1024-65535 10.77.0.0/24 1024-65535\n",
        lab.lan.folder().display()
    );
    let configuration = lab.write("miniupnpd.conf", text);
    let pid = lab.path("miniupnpd.pid");
    lab.lan.serve(&host, "miniupnpd", &["-d", "-f", &configuration, "-P", &pid], |h| h.listens_tcp(5001));
    nginx(
        lab,
        &host,
        "router-page",
        "",
        "location / { default_type text/html; return 200 '<title>Home Router</title>Internet: on'; }",
    );
    ("10.77.0.57", json!({}))
}

fn tuner(lab: &mut Lab) -> (&'static str, Value) {
    let host = lab.lan.host("10.77.0.58", "00:11:22:00:00:58");
    lab.lan.serve(&host, PYTHON, &[&script("sat_ip.py"), "10.77.0.58"], |h| {
        h.listens_tcp(554) && h.listens_tcp(8875) && h.listens_udp(1900)
    });
    ("10.77.0.58", json!({}))
}
