use super::*;

#[test]
fn lengths_read_as_people_say_them() {
    for (seconds, text) in [
        (45, "45 s"),
        (130, "2 min 10 s"),
        (840, "14 min"),
        (7200, "2 h"),
        (11_100, "3 h 5 min"),
        (1_036_800, "12 days"),
    ] {
        assert_eq!(length(seconds), text);
    }
}

#[test]
fn a_remark_reads_back_as_it_was_written() {
    let network: IpNetwork = "10.0.5.0/24".parse().unwrap();
    for (remark, written) in [
        (
            Remark::NoAnswer { misses: 3, seconds: 130, network: Some(network), others: 41 },
            "3 misses in 2 min 10 s; 41 others of 10.0.5.0/24 answer",
        ),
        (
            Remark::NetworkLost { network, count: 6, of: 6, around: Around { gateway: None, hosts: 2 } },
            "6 of 6 devices of 10.0.5.0/24 stopped answering at once; 2 other hosts answer: look for a switch without \
             power, or its cable",
        ),
        (Remark::NetworkBack { network, found: Some((4, 60)) }, "4 devices of 10.0.5.0/24 answer again after 1 min"),
        (
            Remark::NoStreamPlays { service: "rtsp:8554".into(), streams: 35 },
            "none of the 35 streams of port 8554 (RTSP) plays",
        ),
        (
            Remark::StreamsPlay { service: "rtsp:".into(), seconds: 840 },
            "frames of the port of RTSP arrive again after 14 min",
        ),
        (Remark::Changed { url: None, what: Trait::Mac, before: "a".into(), after: "b".into() }, "MAC address: a → b"),
        (
            Remark::Failed { step: Some(Step::Setup), kind: None, message: "454 Session Not Found".into() },
            "setup: 454 Session Not Found",
        ),
    ] {
        assert_eq!(remark.to_string(), written);
        let text = serde_json::to_string(&remark).unwrap();
        assert_eq!(serde_json::from_str::<Remark>(&text).unwrap(), remark, "{text}");
    }
}
