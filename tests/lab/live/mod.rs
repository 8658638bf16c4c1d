//! Live view with viewers that share no code with it.

mod away;
mod bench;
mod loss;
mod page;
mod place;
mod sound;
mod unplugged;

pub use away::a_camera_that_was_away_is_seen_again_by_who_waits;
pub use bench::other_programs_are_measured_and_ratios_are_printed;
pub use loss::a_bad_network_and_a_sudden_end_are_one_viewers_own;
pub use page::{
    a_camera_that_comes_back_with_another_codec_is_shown_by_the_same_page, every_codec_is_shown_in_chromium,
};
pub use sound::a_tone_of_the_camera_is_heard_in_chromium;
pub use unplugged::{play, the_page_says_that_a_camera_is_unplugged_and_shows_it_again};

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::sync::Arc;

use camscan::live::engine::Ports;
use camscan::live::engine::limits::Patience;
use camscan::live::guest::Guest;
use camscan::live::manager::{Config, Live};
use camscan::live::source::StreamSource;
use camscan::model::Transport;
use camscan::net::RealNet;
use camscan::probe::Logins;
use camscan::testkit::fleet::clip::Clip;
use camscan::testkit::fleet::{Camera, Fleet};
use camscan::wire::url::Endpoint;

use crate::aiortc;
use crate::trial::Skip;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub fn aiortc_decodes_what_a_camera_sends() -> Result<(), Skip> {
    let python = aiortc()?;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bytes = include_bytes!("../../data/media/camera_h264_1280x720_25fps.h264");
    let clip = Arc::new(Clip::h264(bytes, 25.0));
    let (live, _fleet) = runtime.block_on(async {
        let camera = Camera::new(LOCAL, 0).stream("/live", &clip, Some(&Arc::new(Clip::pcmu())));
        let fleet = Fleet::start(vec![camera]).await.unwrap();
        let ports = Ports { bind: vec![LOCAL], port: 0, tcp: true, forwarded: Vec::new() };
        let live = Live::new(Config { ports, patience: Patience::default(), stills: false }, RealNet::new()).unwrap();
        live.set_streams(vec![StreamSource {
            id: "a".to_owned(),
            ip: LOCAL,
            url: Endpoint::plain(fleet.cameras[0].rtsp.port()).rtsp("/live"),
            transport: Transport::Tcp,
            logins: Logins::new(0),
            always_on: true,
            siblings: Vec::new(),
            declared: None,
            login: None,
        }]);
        (live, fleet)
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/aiortc_viewer.py");
    let mut viewer =
        Command::new(python).args([script, "50"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(viewer.stdout.take().unwrap());
    let mut offer = String::new();
    while !offer.ends_with("\r\n\r\n") {
        assert!(said.read_line(&mut offer).unwrap() > 0, "no offer: {offer}");
    }
    let answer =
        runtime.block_on(live.offer("a", offer.trim_end(), None, Some(LOCAL), Guest::lasting("viewer"))).unwrap();
    viewer.stdin.take().unwrap().write_all(answer.sdp.as_bytes()).unwrap();
    let mut decoded = String::new();
    said.read_to_string(&mut decoded).unwrap();
    assert!(viewer.wait().unwrap().success());
    assert_eq!(decoded.trim(), "50 1280 720");
    Ok(())
}
