//! What is known of one host while it is inspected: what discovery and its own inspection found.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::identify::{Verdict, stream_url};
use crate::model::device::is_serial;
use crate::model::finding::StreamHint;
use crate::model::secret::CredentialScope;
use crate::model::{
    Activation, Channel, Credential, DeviceTraits, Evidence, EvidenceSource, Fact, FindingKind, GuardedDevices,
    HostRecord, Kind, KnownHosts, LoginGuard, MacAddr, ProbeOptions, Protocol, Service, StreamStatus, Way,
};
use crate::probe::{Budget, Logins};

/// What was found of one host so far; discovery adds to it while the host is inspected. Keeps the host's [`Logins`] to the
/// credentials that are meant for such a device.
#[derive(Debug)]
pub struct Record {
    ip: IpAddr,
    options: Arc<ProbeOptions>,
    logins: Arc<Logins>,
    /// The login that worked in an earlier scan.
    first: Option<Credential>,
    /// The addresses of the streams that earlier scans found.
    earlier: Vec<String>,
    /// By which way the streams of a port played in earlier scans.
    ways: Vec<(u16, Way)>,
    /// The devices that offered Digest in earlier scans.
    guarded: Arc<GuardedDevices>,
    known: Mutex<Known>,
    /// The endpoint that it stated in this scan, in whichever of its records.
    stated: Arc<Mutex<Option<String>>>,
    /// Notified when a service is found.
    news: Notify,
}

#[derive(Debug, Default, Clone)]
struct Known {
    host: HostRecord,
    /// By which protocols streams were found.
    streams: BTreeSet<Protocol>,
    /// What the host's streams are called, by its own lists or by those that were found.
    names: Vec<String>,
    /// Whether a list of the host's own tells them.
    lists_names: bool,
    /// What its evidence came to when it was last weighed.
    weighed: Option<Weighed>,
    /// What tells it from others, as its logins were last counted by.
    traits: Option<DeviceTraits>,
}

/// Evidence, and what it amounts to.
#[derive(Debug, Clone)]
struct Weighed {
    evidence: Vec<Evidence>,
    verdict: Verdict,
}

impl Known {
    fn add_name(&mut self, name: String) {
        /// As many as are taken of one list.
        const MOST: usize = 64;
        if self.names.len() < MOST && !self.names.contains(&name) {
            self.names.push(name);
        }
    }
}

impl Record {
    /// A host of which nothing is known yet but what earlier scans left, with the logins that are meant for any device at
    /// its address.
    pub fn new(ip: IpAddr, options: Arc<ProbeOptions>, all: &KnownHosts, budget: &Arc<Budget>) -> Arc<Self> {
        let (earlier, guarded) = (all.get(&ip), all.guarded.clone());
        let most = options.max_login_failures;
        let left = earlier.and_then(|host| host.refusals_left);
        let limit = left.unwrap_or(most).min(most);
        let logins = match options.credentials.is_empty() {
            true => Logins::new(limit),
            false => Logins::within(budget, DeviceTraits::at(ip), limit, most),
        };
        if left == Some(0) && most > 0 {
            logins.rest();
        }
        let first = earlier.and_then(|host| host.login.clone());
        logins.worked_before(first.clone());
        let (earlier, ways) = earlier.map(|host| (host.streams.clone(), host.ways.clone())).unwrap_or_default();
        logins.guard(guarded.at(ip));
        let (known, stated, news) = (Mutex::default(), Arc::default(), Notify::new());
        let record = Record { ip, options, logins, first, earlier, ways, guarded, known, stated, news };
        record.offer_logins();
        Arc::new(record)
    }

    /// Another record of the same host, in which nothing stands but its network card as the link shows it. Its logins are
    /// those of this one, so that the device never counts more refusals than it may, and are meant for what it stated to this
    /// one.
    pub fn afresh(&self) -> Arc<Self> {
        let record = Record {
            ip: self.ip,
            options: self.options.clone(),
            logins: self.logins.clone(),
            first: self.first.clone(),
            earlier: self.earlier.clone(),
            ways: self.ways.clone(),
            guarded: self.guarded.clone(),
            known: Mutex::default(),
            stated: self.stated.clone(),
            news: Notify::new(),
        };
        self.link_mac().into_iter().for_each(|mac| record.learn(&FindingKind::Mac(mac)));
        Arc::new(record)
    }

    /// The host's logins.
    pub fn logins(&self) -> &Arc<Logins> {
        &self.logins
    }

    /// Adds what a finding says ([`HostRecord::learn`]).
    pub fn learn(&self, kind: &FindingKind) {
        self.logins.guard(self.guards_of(kind));
        if let FindingKind::EndpointId(endpoint) = kind {
            self.stated.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| endpoint.clone());
        }
        let mut known = self.lock();
        if let FindingKind::Stream(s) = kind
            && !matches!(s.status, StreamStatus::NotFound | StreamStatus::Error)
        {
            known.streams.insert(s.protocol);
            if let Some(name) = stream_url::name_in(&s.url) {
                known.add_name(name);
            }
        }
        known.host.learn(kind.clone());
        let traits = self.traits(&mut known, kind);
        drop(known);
        if let Some(traits) = traits {
            self.logins.identify(&traits);
        }
        match kind {
            FindingKind::Mac(_) | FindingKind::StatedMac(_) | FindingKind::EndpointId(_) | FindingKind::Evidence(_) => {
                self.offer_logins()
            }
            _ => {}
        }
        // What leads to streams, and what tells one device from another.
        if matches!(
            kind,
            FindingKind::Service(_) | FindingKind::Announced(_) | FindingKind::Mac(_) | FindingKind::EndpointId(_)
        ) {
            self.news.notify_one();
        }
    }

    /// What tells the host from others, where a finding has changed it.
    fn traits(&self, known: &mut Known, kind: &FindingKind) -> Option<DeviceTraits> {
        let tells = match kind {
            FindingKind::Mac(_) | FindingKind::StatedMac(_) | FindingKind::EndpointId(_) => true,
            FindingKind::Evidence(evidence) => evidence.fact == Fact::Serial,
            _ => false,
        };
        if !tells || self.options.credentials.is_empty() {
            return None;
        }
        let host = &known.host;
        let traits = DeviceTraits {
            address: self.ip,
            link_mac: host.link_mac(),
            stated_mac: host.stated_mac(),
            endpoint: host.endpoint_id().map(str::to_owned),
            serial: host.serial().filter(|serial| is_serial(serial)).map(str::to_owned),
        };
        let is_news = known.traits.as_ref() != Some(&traits);
        is_news.then(|| known.traits.insert(traits).clone())
    }

    /// What the devices proved that a finding shows the host to be.
    fn guards_of(&self, kind: &FindingKind) -> &[LoginGuard] {
        match kind {
            FindingKind::Mac(mac) | FindingKind::StatedMac(mac) => self.guarded.with_mac(*mac),
            FindingKind::EndpointId(endpoint) => self.guarded.with_endpoint(endpoint),
            _ => &[],
        }
    }

    /// Notes what one of the host's streams is called by a list of its own.
    pub fn learn_stream_name(&self, name: &str) {
        let mut known = self.lock();
        known.lists_names = true;
        known.add_name(name.to_owned());
    }

    /// Whether a name of one of the host's streams is known.
    pub fn knows_stream_names(&self) -> bool {
        !self.lock().names.is_empty()
    }

    /// Waits until a service, the network card or an identity has been found since this was waited for last.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// The evidence so far.
    pub fn evidence(&self) -> Vec<Evidence> {
        self.lock().host.evidence().to_vec()
    }

    /// The MAC address that the link shows; none for hosts behind a router.
    pub fn link_mac(&self) -> Option<MacAddr> {
        self.lock().host.link_mac()
    }

    /// The UUID of its ONVIF endpoint or UPnP device, where it stated one.
    pub fn endpoint_id(&self) -> Option<String> {
        self.lock().host.endpoint_id().map(str::to_owned)
    }

    /// Whether it was ever set up, where it said so.
    pub fn activation(&self) -> Option<Activation> {
        self.lock().host.activation()
    }

    /// The services so far.
    pub fn services(&self) -> Vec<Service> {
        self.lock().host.services()
    }

    /// The stream addresses announced so far; those that the user asked for alone, where there are any.
    pub fn hints(&self) -> Vec<StreamHint> {
        let mut hints = self.lock().host.hints().to_vec();
        if hints.iter().any(|h| h.is_asked_for) {
            hints.retain(|h| h.is_asked_for);
        }
        hints
    }

    /// The addresses of the streams that earlier scans found, at whichever address the host was then.
    pub fn earlier_streams(&self) -> &[String] {
        &self.earlier
    }

    /// By which way the streams of a port played in earlier scans, where that was not the first that is tried.
    pub fn earlier_way(&self, port: u16) -> Option<Way> {
        self.ways.iter().find(|(of, _)| *of == port).map(|(_, way)| *way)
    }

    /// Whether streams are looked for that nobody announced: not where the user asked for certain ones.
    pub fn may_guess(&self) -> bool {
        !self.lock().host.hints().iter().any(|h| h.is_asked_for)
    }

    /// Whether a stream was found that comes by one of these protocols.
    pub fn has_stream(&self, protocols: &[Protocol]) -> bool {
        let known = self.lock();
        protocols.iter().any(|protocol| known.streams.contains(protocol))
    }

    /// Reads something off what the evidence so far amounts to. All of it is asked for several times on the way through the
    /// protocols, and weighed only when there is other evidence.
    fn verdict<T>(&self, read: impl FnOnce(&Verdict) -> T) -> T {
        let mut known = self.lock();
        let evidence = known.host.evidence();
        let weighed = match &known.weighed {
            Some(weighed) if weighed.evidence == evidence => return read(&weighed.verdict),
            _ => Weighed { evidence: evidence.to_vec(), verdict: crate::identify::weigh(evidence) },
        };
        read(&known.weighed.insert(weighed).verdict)
    }

    /// The vendor the evidence so far speaks for.
    pub fn vendor(&self) -> Option<String> {
        self.verdict(|verdict| verdict.vendor().map(str::to_owned))
    }

    /// Whether the evidence so far speaks clearly for a printer, a router or whatever else has no picture.
    pub fn is_clearly_no_camera(&self) -> bool {
        self.verdict(|verdict| {
            verdict.kind == Kind::Other && verdict.winner(Fact::Kind).is_some() && verdict.confidence >= 0.5
        })
    }

    /// Whether the evidence so far speaks for a device that films. A web server that is none is not shown the user's
    /// logins.
    pub fn is_like_a_camera(&self) -> bool {
        let kind = self.verdict(|verdict| verdict.kind);
        matches!(kind, Kind::Camera | Kind::Recorder | Kind::Encoder | Kind::Intercom)
    }

    /// Whether the evidence so far, and the channels that film, speak for a recorder.
    pub fn is_recorder(&self) -> bool {
        let mut evidence = self.evidence();
        let channels: BTreeSet<u32> = {
            let known = self.lock();
            known.host.streams().iter().filter(|s| s.video.is_some()).filter_map(|s| s.channel).collect()
        };
        evidence.extend(crate::identify::channels(channels.len()));
        crate::identify::weigh(&evidence).kind == Kind::Recorder
    }

    /// Whether it has listed a camera behind one of its channels.
    pub fn lists_cameras(&self) -> bool {
        self.lock().host.channels().iter().any(Channel::lists_camera)
    }

    /// The names of streams worth trying by any protocol: those that are known of a server of streams; where none is, those
    /// people give. None for hosts that nothing shows to be such a server, and where only certain streams are asked for.
    pub fn stream_names(&self) -> Vec<String> {
        if !self.may_guess() {
            return Vec::new();
        }
        let (kind, hostname) =
            self.verdict(|verdict| (verdict.kind, verdict.winner(Fact::Hostname).map(str::to_owned)));
        let speaks_rtmp = || self.services().iter().any(|s| matches!(s.protocol, Protocol::Rtmp | Protocol::Rtmps));
        let is_server = kind == Kind::MediaServer || (kind == Kind::Other && speaks_rtmp());
        let (names, lists) = {
            let known = self.lock();
            (known.names.clone(), known.lists_names)
        };
        match is_server || lists {
            true if names.is_empty() => stream_url::common_names(hostname.as_deref()),
            true => names,
            false => Vec::new(),
        }
    }

    /// The vendor, where more than the device's own word speaks for it: the maker of its network card as the link shows it,
    /// and a second fact that says the same.
    fn vendor_of_link(&self) -> Option<String> {
        let vendor = self.vendor()?;
        let names = |e: &Evidence| e.fact == Fact::Vendor && e.value.eq_ignore_ascii_case(&vendor);
        let by_link =
            self.lock().host.link_mac().is_some_and(|mac| crate::identify::oui::evidence(mac).iter().any(names));
        let by_second = || self.evidence().iter().any(|e| names(e) && e.source != EvidenceSource::Oui);
        (by_link && by_second()).then_some(vendor)
    }

    /// Whether logins hang on what the link shows, and that is not known yet: one that is bound to it, or any where the host
    /// `had_card` of its own in an earlier scan.
    pub fn awaits_link_mac(&self, had_card: bool) -> bool {
        let is_bound = |scope: &CredentialScope| had_card || (scope.mac_prefix.is_some() && !scope.trust_announced);
        self.link_mac().is_none() && self.options.credentials.iter().any(|login| is_bound(&login.scope))
    }

    /// Whether a login is bound to what the host states of itself, and it has stated nothing yet.
    pub fn awaits_endpoint(&self) -> bool {
        let is_here = |scope: &CredentialScope| scope.network.is_none_or(|network| network.contains(self.ip));
        let is_bound = |login: &Credential| login.scope.endpoint.is_some() && is_here(&login.scope);
        self.stated_endpoint().is_none() && self.options.credentials.iter().any(is_bound)
    }

    /// The endpoint that the host stated to this record, else to another one of it.
    fn stated_endpoint(&self) -> Option<String> {
        let of_all = || self.stated.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.endpoint_id().or_else(of_all)
    }

    /// Offers the logins meant for this device. One bound to a MAC address or a vendor goes by what the link shows, unless
    /// the user trusts the device's own word for it.
    pub fn offer_logins(&self) {
        let (mac_of_link, mac) = {
            let known = self.lock();
            (known.host.own_link_mac(), known.host.mac())
        };
        let endpoint = LazyCell::new(|| self.stated_endpoint());
        let (vendor, vendor_of_link) = (LazyCell::new(|| self.vendor()), LazyCell::new(|| self.vendor_of_link()));
        let covers = |Credential { scope, .. }: &&Credential| {
            // All evidence is weighed for it, which only a login that is bound to a vendor is worth.
            let vendor = match (&scope.vendor, scope.trust_announced) {
                (None, _) => None,
                (Some(_), true) => vendor.as_deref(),
                (Some(_), false) => vendor_of_link.as_deref(),
            };
            scope.covers(self.ip, vendor, if scope.trust_announced { mac } else { mac_of_link })
                && (scope.endpoint.is_none() || scope.names(endpoint.as_deref()))
        };
        let mut meant: Vec<Credential> = self.options.credentials.iter().filter(covers).cloned().collect();
        meant.sort_by_key(|credential| self.first.as_ref() != Some(credential));
        self.logins.offer(meant);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
