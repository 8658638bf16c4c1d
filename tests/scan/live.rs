//! Live view sends a login to the device it was given for, and to no machine that took its address.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use camscan::history::memory::StreamId;
use camscan::identify::signature::Signatures;
use camscan::live::engine::Ports;
use camscan::live::engine::limits::Patience;
use camscan::live::manager::{Config, Live};
use camscan::live::stream::State;
use camscan::model::secret::CredentialScope;
use camscan::model::{Credential, ProbeOptions, ScanPlan};
use camscan::scan::session::Session;
use camscan::serve::app::{App, Options};
use camscan::serve::auth::Vault;
use camscan::serve::live::Sources;
use camscan::testkit::clock;
use camscan::testkit::net::{Kernel, Lan, RawFrames};

use super::identity::{Place, Served, camera, in_plain_text, login, with_login};
use super::plan;

const IP: &str = "192.0.2.10";

/// A kernel that shows which card it sends to.
fn on_a_link() -> Place {
    let place = Place::new();
    place.net.links.set_lan(Lan { raw: RawFrames::ArpOnly, kernel: Kernel::Rows(1024), ..Lan::default() });
    place
}

/// Live view of a stream that is always fetched, as `camscan serve` has it after a start.
struct Watched {
    app: Arc<App>,
    live: Live,
    id: String,
}

impl Watched {
    /// Of the device at an address, with the logins of the configuration beside those that were given on the page.
    fn begin(place: &Place, credentials: Vec<Credential>) -> Watched {
        let memory = place.store.memory().unwrap();
        let known = memory.find(IP).unwrap();
        let id = StreamId::of(&known.uid, known.streams.keys().next().unwrap());
        let session = Session::new(Arc::new(place.net.clone()), Signatures::builtin(), clock::now, 64);
        let vault = Vault::new(place.store.file(), None, Box::new(|_| {}));
        let app = App::with(place.store.clone(), session, None, Options { vault, ..Options::default() });
        app.vault.follow(&place.store, &memory);
        let ports = Ports { bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)], port: 0, tcp: true, forwarded: Vec::new() };
        let config = Config { ports, patience: Patience::default(), stills: false };
        let live = Live::new(config, Arc::new(place.net.clone())).unwrap();
        let plan = ScanPlan { probe: ProbeOptions { credentials, ..plan().probe }, ..plan() };
        Sources::new(plan, std::slice::from_ref(&id)).begin(&app, live.clone());
        Watched { app, live, id: id.to_string() }
    }

    /// Whether it plays by then; the clip of the camera is short, and then played anew.
    async fn plays(&self, within: Duration) -> bool {
        let end = tokio::time::Instant::now() + within;
        loop {
            let status = self.live.facts(&self.id);
            if status.is_some_and(|status| status.condition.state == State::Live) {
                return true;
            }
            if tokio::time::Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn end(self) {
        self.app.stop.cancel();
        self.live.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_session_sends_a_login_to_the_network_card_it_is_bound_to_alone() {
    // Of the configuration, or given for the device on the page.
    for bound in [Some("4419b6000001"), None] {
        let place = on_a_link();
        camera(&place.net, IP, 1, false);
        place.scan(login(), &[]).await;
        place.scan(login(), &[]).await;
        let credentials = match bound {
            Some(mac) => {
                let scope = CredentialScope { mac_prefix: Some(mac.to_owned()), ..CredentialScope::default() };
                vec![Credential { scope, ..login() }]
            }
            None => {
                Served::of(&place).give(IP);
                Vec::new()
            }
        };
        let watched = Watched::begin(&place, credentials.clone());
        assert!(watched.plays(Duration::from_secs(10)).await, "{bound:?}");
        assert!(with_login(&place.net) > 0);
        // Another machine takes the address while it plays, and again after this program was begun anew.
        place.net.host_down(IP);
        tokio::time::sleep(Duration::from_secs(20)).await;
        camera(&place.net, IP, 2, false);
        place.net.forget_records();
        assert!(!watched.plays(Duration::from_secs(120)).await);
        watched.end().await;
        let again = Watched::begin(&place, credentials);
        assert!(!again.plays(Duration::from_secs(120)).await);
        assert!(place.net.asked().iter().any(|asked| asked.method() == "DESCRIBE"));
        assert_eq!(with_login(&place.net), 0, "{bound:?}");
        // The device is back, and is played without further ado.
        place.net.host_down(IP);
        tokio::time::sleep(Duration::from_secs(5)).await;
        camera(&place.net, IP, 1, false);
        assert!(again.plays(Duration::from_secs(60)).await, "{bound:?}");
        again.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_link_shows_no_card_a_live_session_sends_no_login_that_is_bound_to_one() {
    let place = on_a_link();
    camera(&place.net, IP, 1, false);
    place.scan(login(), &[]).await;
    place.net.links.set_lan(Lan { raw: RawFrames::ArpOnly, kernel: Kernel::Absent, ..Lan::default() });
    place.net.forget_records();
    let scope = CredentialScope { mac_prefix: Some("4419b6".to_owned()), ..CredentialScope::default() };
    let watched = Watched::begin(&place, vec![Credential { scope, ..login() }]);
    assert!(!watched.plays(Duration::from_secs(120)).await);
    assert_eq!(with_login(&place.net), 0);
    watched.end().await;
    // One that is bound to nothing goes.
    let watched = Watched::begin(&place, vec![login()]);
    assert!(watched.plays(Duration::from_secs(10)).await);
    watched.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_live_session_sends_no_password_in_plain_text_to_the_card_of_a_device_that_offered_digest() {
    let place = on_a_link();
    // A device that plays by Basic here, and one that offers Digest elsewhere; its card comes to this address.
    camera(&place.net, IP, 1, false);
    camera(&place.net, "192.0.2.20", 2, true);
    place.scan(login(), &[]).await;
    place.net.host_down("192.0.2.20");
    place.net.host_down(IP);
    camera(&place.net, IP, 2, false);
    place.net.forget_records();
    let watched = Watched::begin(&place, vec![login()]);
    assert!(!watched.plays(Duration::from_secs(120)).await);
    assert!(place.net.asked().iter().any(|asked| asked.method() == "DESCRIBE"));
    assert_eq!(in_plain_text(&place.net.asked()), 0);
    watched.end().await;
}
