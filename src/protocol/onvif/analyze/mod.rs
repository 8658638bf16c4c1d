//! Asks a host's ONVIF device service who it is, and its media services where the streams are.

mod find;

use super::client::{Client, Expectation};
use super::error::CallError;
use super::wire::{self, Call, Carrier, DeviceInformation, Media, Profile, Services};
use crate::identify::signature::Field;
use crate::identify::vendor;
use crate::model::finding::StreamHint;
use crate::model::{
    ErrorKind, Evidence, EvidenceSource, Fact, FindingKind, Kind, Protocol, Service, Stage, Transport, Verify,
};
use crate::probe::{Inspection, Phase, Probe};
use crate::protocol::http::message::host_name;
use crate::text;
use crate::wire::url::{AnnouncedUrl, HostUrl, Scheme};

/// Profiles in a row without a still picture after which no further one is asked for its own.
const MAX_WITHOUT_PICTURE: u32 = 2;
/// Profiles without an address after which none is asked for by another carrier.
const MAX_FRUITLESS: u32 = 2;
/// A word of the device itself.
const OWN_WORD: f64 = 0.95;

/// The analysis of ONVIF devices.
pub const PROBE: Probe = Probe { stage: Stage::Onvif, phase: Phase::Name, run: |host| Box::pin(run(host)) };

async fn run(host: &Inspection) {
    if let Some(client) = find::first(host).await {
        Inquiry::new(host, client).run().await;
    }
}

/// Asks a device that demanded no login over ONVIF who it is, maker, model, firmware and serial number, and nothing else. A
/// login that it demands by now is not given.
pub async fn ask_identity(host: &Inspection, service: &Service) {
    let Ok(mut client) = Client::open(&host.peer, find::place(service), Expectation::Announced).await else { return };
    let device = client.device.clone();
    match client.ask_openly(&device, Call::GetDeviceInformation).await {
        Ok(body) => Inquiry::new(host, client).emit_identity(&wire::device_information(&body)).await,
        Err(error) => tracing::debug!(ip = %host.peer.ip, %error, "does not say who it is"),
    }
}

/// The questions to one device.
struct Inquiry<'a> {
    host: &'a Inspection,
    client: Client<'a>,
    /// Other hosts that announced addresses name.
    named: Vec<String>,
    /// The first login that could not be given.
    refusal: Option<CallError>,
    /// The carrier each version of the media service gave an address for.
    carriers: Vec<(Media, Carrier)>,
    /// Profiles for which none was given, whatever the carrier.
    fruitless: u32,
}

impl<'a> Inquiry<'a> {
    fn new(host: &'a Inspection, client: Client<'a>) -> Self {
        Inquiry { host, client, named: Vec::new(), refusal: None, carriers: Vec::new(), fruitless: 0 }
    }

    async fn run(mut self) {
        self.emit_service(false).await;
        // First the call that every device knows (ONVIF Core §8.3.1): it decides about a login. One that a device does not
        // know would be answered unclearly, and count.
        let answered = self.device(Call::GetDeviceInformation).await;
        let information = answered.as_ref().map(wire::device_information).unwrap_or_default();
        self.emit_identity(&information).await;
        let mut services = self.services().await;
        let scopes = self.device(Call::GetScopes).await.map(|body| wire::scopes(&body)).unwrap_or_default();
        for scope in &scopes {
            self.host.match_signatures(Field::OnvifScope, scope).await;
        }
        self.emit_network().await;
        let mut profiles = Vec::new();
        let is_software = self.is_media_server(&information);
        if self.host.options.verify != Verify::None {
            profiles = self.profiles(&mut services).await;
        }
        let is_bare = profiles.is_empty();
        if is_software {
            // Its profiles are streams of others, not channels of its own.
            profiles.iter_mut().for_each(|profile| profile.source = None);
        } else {
            self.emit_kind(&scopes, &services, &profiles).await;
        }
        if self.host.options.verify != Verify::None {
            self.emit_streams(&services, profiles).await;
        }
        // One that answers nothing of what a login protects does not say that it needs none: it may be locked, or silent.
        self.emit_service(answered.is_some() || !is_bare).await;
        if let Some(ahead) = self.client.clock_ahead() {
            self.host.emit(FindingKind::Clock(ahead)).await;
        }
        if let Some(refusal) = &self.refusal {
            self.host.error(Stage::Onvif, refusal.kind(), refusal.to_string()).await;
        }
    }

    async fn emit_service(&self, is_open: bool) {
        if !self.client.has_spoken {
            return;
        }
        let device = &self.client.device;
        let mut service = Service::new(Protocol::Onvif, Transport::Tcp, device.endpoint().port);
        service.url = Some(text::redact_url(&device.at(host_name(&self.host.peer))));
        if is_open || !self.client.demanded.is_empty() {
            service.auth = Some(self.client.demanded.clone());
        }
        if !self.named.is_empty() {
            let named = self.named.join(", ");
            service.notes.push(format!("announces addresses at {named}; they were taken at {}", self.host.peer.ip));
        }
        service.answers.clone_from(&self.client.answers);
        self.host.emit(FindingKind::Service(service)).await;
    }

    /// A call to the device service.
    async fn device(&mut self, call: Call<'_>) -> Option<crate::wire::xml::Element> {
        let endpoint = self.client.device.clone();
        self.call(&endpoint, call).await.ok()
    }

    /// A call; what a login was refused for is remembered once.
    async fn call(&mut self, at: &HostUrl, call: Call<'_>) -> Result<crate::wire::xml::Element, CallError> {
        if self.host.peer.is_over() {
            let message = "the time for this host is over";
            return Err(crate::protocol::http::message::HttpError::new(ErrorKind::Timeout, message).into());
        }
        let outcome = self.client.call(at, call).await;
        match &outcome {
            Err(error @ CallError::Login { .. }) if self.refusal.is_none() => self.refusal = Some(error.clone()),
            Err(error) => tracing::debug!(ip = %self.host.peer.ip, call = call.name(), %error, "no answer"),
            Ok(_) => {}
        }
        outcome
    }

    async fn services(&mut self) -> Services {
        let mut services = Services::default();
        if let Some(body) = self.device(Call::GetServices).await {
            services = wire::services(&body);
        }
        // Older devices know only this call; some list the media service in one of the two.
        if services.media.is_none()
            && services.media2.is_none()
            && let Some(body) = self.device(Call::GetCapabilities).await
        {
            services.merge(wire::capabilities(&body));
        }
        if services.media.is_none() && services.media2.is_none() && self.refusal.is_none() {
            // Small servers answer every call at one path.
            services.media = Some(self.client.device.target().to_owned());
        }
        services
    }

    async fn emit_identity(&self, information: &DeviceInformation) {
        if let Some(maker) = &information.manufacturer {
            self.host.match_signatures(Field::OnvifManufacturer, maker).await;
            let evidence = Evidence::new(Fact::Vendor, vendor::unify(maker), EvidenceSource::Onvif, OWN_WORD);
            self.host.emit(FindingKind::Evidence(evidence.with_detail(maker.as_str()))).await;
        }
        if let Some(model) = &information.model {
            self.host.match_signatures(Field::Model, model).await;
        }
        for (fact, value) in [
            (Fact::Model, &information.model),
            (Fact::Firmware, &information.firmware),
            (Fact::Serial, &information.serial),
        ] {
            if let Some(value) = value {
                let evidence = Evidence::new(fact, value.as_str(), EvidenceSource::Onvif, OWN_WORD);
                self.host.emit(FindingKind::Evidence(evidence)).await;
            }
        }
    }

    async fn emit_network(&mut self) {
        if let Some(body) = self.device(Call::GetNetworkInterfaces).await {
            let interfaces = wire::network_interfaces(&body);
            let own = interfaces.iter().find(|i| i.addresses.contains(&self.host.peer.ip));
            // Of several interfaces only the one with this address is meant.
            let only = interfaces.first().filter(|_| interfaces.len() == 1);
            if let Some(interface) = own.or(only) {
                self.host.emit(FindingKind::StatedMac(interface.mac)).await;
                if !interface.network.is_empty() {
                    self.host.emit(FindingKind::Network(interface.network)).await;
                }
            }
        }
        if let Some(name) = self.device(Call::GetHostname).await.as_ref().and_then(wire::hostname) {
            self.host.match_signatures(Field::Hostname, &name).await;
            let evidence = Evidence::new(Fact::Hostname, name, EvidenceSource::Onvif, 0.6);
            self.host.emit(FindingKind::Evidence(evidence)).await;
        }
    }

    /// Whether it names a program that passes on what others film: go2rtc answers ONVIF with one profile for each stream.
    fn is_media_server(&self, information: &DeviceInformation) -> bool {
        let named = information.model.iter().flat_map(|model| self.host.signatures.evidence(Field::Model, model));
        named.into_iter().any(|e| e.fact == Fact::Kind && e.value == Kind::MediaServer.as_str())
    }

    async fn emit_kind(&self, scopes: &[String], services: &Services, profiles: &[Profile]) {
        let says = |what: &str| scopes.iter().any(|s| s.to_ascii_lowercase().contains(what));
        let sources = wire::sources(profiles).len();
        let (kind, weight, why) = if says("networkvideostorage") {
            (Kind::Recorder, 0.9, "scope type/NetworkVideoStorage".to_owned())
        } else if sources >= 4 {
            // Cameras with two or three lenses are common, with four rare.
            (Kind::Recorder, if services.records { 0.85 } else { 0.7 }, format!("{sources} video sources"))
        } else if sources > 0 || says("networkvideotransmitter") || says("network_video_transmitter") {
            (Kind::Camera, 0.85, "a video source over ONVIF".to_owned())
        } else if services.media.is_some() || services.media2.is_some() {
            (Kind::Camera, 0.7, "an ONVIF media service".to_owned())
        } else {
            return;
        };
        let evidence = Evidence::new(Fact::Kind, kind.as_str(), EvidenceSource::Onvif, weight).with_detail(why);
        self.host.emit(FindingKind::Evidence(evidence)).await;
        let channels = if kind == Kind::Recorder { wire::channels(profiles) } else { Vec::new() };
        for channel in channels {
            self.host.emit(FindingKind::Channel(Box::new(channel))).await;
        }
    }

    /// Where a media service is; on the host, whatever host it names.
    fn place(&mut self, announced: &str) -> Option<HostUrl> {
        let announced_url = self.read(announced, Scheme::Http)?;
        // A path alone is one of the device service's port.
        Some(match announced.trim_start().starts_with('/') {
            true => self.client.device.endpoint().http(announced_url.target()),
            false => announced_url.with_port(),
        })
    }

    /// Reads an announced address and takes note of another host it names.
    fn read(&mut self, announced: &str, scheme: Scheme) -> Option<HostUrl> {
        let announced = AnnouncedUrl::read_lenient(announced, scheme)?;
        let named = announced.host_shown();
        if !announced.is_on(self.host.peer.ip, &self.host.peer.name)
            && !self.named.contains(&named)
            && self.named.len() < 4
        {
            self.named.push(named);
        }
        Some(announced.url)
    }

    /// A call to a media service; where the announced port does not answer, at the device service's.
    async fn media(
        &mut self,
        services: &Services,
        media: Media,
        call: Call<'_>,
    ) -> Option<Result<crate::wire::xml::Element, CallError>> {
        let announced = match media {
            Media::One => services.media.clone(),
            Media::Two => services.media2.clone(),
        }?;
        let at = self.place(&announced)?;
        let outcome = self.call(&at, call).await;
        let device = self.client.device.endpoint();
        let unreachable = |e: &CallError| {
            matches!(e.kind(), ErrorKind::Refused | ErrorKind::Unreachable | ErrorKind::Timeout | ErrorKind::Tls)
        };
        if at.endpoint().port != device.port && outcome.as_ref().is_err_and(unreachable) {
            return Some(self.call(&device.http(at.target()), call).await);
        }
        Some(outcome)
    }

    /// The profiles of both versions, those of Media2 first, one for each token: some Media2 services give tokens and names
    /// only, and some profiles are known to one of the two.
    async fn profiles(&mut self, services: &mut Services) -> Vec<Profile> {
        let mut profiles = self.profiles_of(services, Media::Two).await;
        if profiles.is_empty()
            && services.media.is_none()
            && let Some(body) = self.device(Call::GetCapabilities).await
        {
            services.merge(wire::capabilities(&body));
        }
        for profile in self.profiles_of(services, Media::One).await {
            match profiles.iter_mut().find(|p| p.token == profile.token) {
                Some(known) => known.merge(profile),
                None => profiles.push(profile),
            }
        }
        profiles
    }

    async fn profiles_of(&mut self, services: &Services, media: Media) -> Vec<Profile> {
        match self.media(services, media, Call::GetProfiles(media)).await {
            Some(Ok(body)) => {
                let listed = wire::profiles(&body).into_iter();
                listed.map(|profile| Profile { listed_by: vec![media], ..profile }).collect()
            }
            _ => Vec::new(),
        }
    }

    async fn emit_streams(&mut self, services: &Services, profiles: Vec<Profile>) {
        let sources = wire::sources(&profiles);
        let has_encoders = profiles.iter().any(|p| p.video.is_some());
        let mut without_picture = 0;
        let streaming = profiles.into_iter().filter(|p| p.video.is_some() || !has_encoders);
        for profile in streaming.take(self.host.options.max_candidates) {
            let channel = profile.source.as_ref().and_then(|s| sources.iter().position(|known| known == s));
            let channel = channel.and_then(|i| u32::try_from(i + 1).ok());
            if channel.is_some_and(|c| c > self.host.options.max_channels) {
                continue;
            }
            // A profile without a stream does not stop the others.
            let Some(address) = self.stream(services, &profile).await else { continue };
            let host = host_name(&self.host.peer);
            let mut hint = StreamHint::new(address.at(&host));
            if without_picture < MAX_WITHOUT_PICTURE {
                let picture = self.picture(services, &profile).await;
                without_picture = if picture.is_some() { 0 } else { without_picture + 1 };
                hint.snapshot_url = picture.map(|p| p.at(&host));
            }
            hint.channel = channel;
            hint.profile_name = profile.name;
            hint.profile_token = text::clean_some(&profile.token);
            hint.video = profile.video;
            hint.audio = profile.audio;
            self.host.emit(FindingKind::StreamHint(hint)).await;
        }
    }

    /// Where a profile streams. As long as no address has come, a version that refuses one carrier is asked for the others:
    /// not every device knows them all.
    async fn stream(&mut self, services: &Services, profile: &Profile) -> Option<HostUrl> {
        for &media in &profile.listed_by {
            let carriers = match self.carrier(media) {
                Some(known) => vec![known],
                None if self.fruitless < MAX_FRUITLESS => Carrier::ALL.to_vec(),
                None => vec![Carrier::Rtsp],
            };
            for carrier in carriers {
                let call = Call::GetStreamUri(media, &profile.token, carrier);
                match self.uri(services, media, call).await {
                    Ok(Some(address)) => {
                        self.carriers.retain(|(known, _)| *known != media);
                        self.carriers.push((media, carrier));
                        return Some(match carrier {
                            // The tunnel's own address; what is tunnelled is mostly served outside of it, too.
                            Carrier::Http => address.outside_tunnel(),
                            _ => address,
                        });
                    }
                    // A profile that is not complete, or not there, is so for every carrier.
                    Err(CallError::Fault(fault)) if fault.is_about_arguments() => {}
                    _ => break,
                }
            }
        }
        self.fruitless += 1;
        None
    }

    fn carrier(&self, media: Media) -> Option<Carrier> {
        self.carriers.iter().find(|(known, _)| *known == media).map(|(_, carrier)| *carrier)
    }

    async fn picture(&mut self, services: &Services, profile: &Profile) -> Option<HostUrl> {
        for &media in &profile.listed_by {
            if let Ok(Some(address)) = self.uri(services, media, Call::GetSnapshotUri(media, &profile.token)).await {
                return Some(address);
            }
        }
        None
    }

    /// The address a call gives; none where there is none in the answer, or no such service.
    async fn uri(&mut self, services: &Services, media: Media, call: Call<'_>) -> Result<Option<HostUrl>, CallError> {
        let Some(outcome) = self.media(services, media, call).await else { return Ok(None) };
        let body = outcome?;
        Ok(wire::uri(&body).and_then(|uri| self.read(uri, Scheme::Http)))
    }
}

#[cfg(test)]
mod tests;
