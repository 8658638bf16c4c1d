//! Asks a recorder for the cameras behind its channels.

use super::wire;
use crate::identify::vendor;
use crate::model::{Channel, ErrorKind, FindingKind, Kind, Service, Stage, Verify};
use crate::probe::{Inspection, Phase, Probe};
use crate::protocol::http::client;
use crate::protocol::http::message::Request;
use crate::protocol::proof::web_ports;
use crate::wire::url::Endpoint;

/// The largest answer that is read, in bytes: some 64 cameras take 100 KB.
const MAX_LIST: usize = 1024 * 1024;
/// Web ports asked for a list at most.
const MAX_PORTS: usize = 2;

/// Before streams are looked at, where it is known already that the host is a recorder; else after it, when the number of
/// channels has shown it.
pub const PROBES: &[Probe] = &[
    Probe { stage: Stage::Recorder, phase: Phase::Name, run: |host| Box::pin(run(host)) },
    Probe { stage: Stage::Recorder, phase: Phase::Walk, run: |host| Box::pin(run_late(host)) },
];

/// How a maker's recorders are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Hikvision,
    Dahua,
}

/// Once the streams are known. Who was asked before and refused is not asked again, unless a login has worked since.
async fn run_late(host: &Inspection) {
    if !is_stated_recorder(host) || host.peer.logins.worked().is_some() {
        run(host).await;
    }
}

/// Whether the evidence speaks for a recorder without what its streams show: a camera with several lenses has channels too.
fn is_stated_recorder(host: &Inspection) -> bool {
    crate::identify::weigh(&host.record.evidence()).kind == Kind::Recorder
}

async fn run(host: &Inspection) {
    let is_wanted = host.options.verify != Verify::None && host.record.may_guess();
    if !is_wanted || host.record.lists_cameras() || !host.record.is_recorder() {
        return;
    }
    let Some(maker) = maker(host) else { return };
    for service in web_ports(host).iter().take(MAX_PORTS) {
        let channels = match maker {
            Maker::Hikvision => hikvision(host, service).await,
            Maker::Dahua => dahua(host, service).await,
        };
        let Some(channels) = channels else { continue };
        for channel in channels {
            host.emit(FindingKind::Channel(Box::new(channel))).await;
        }
        return;
    }
}

/// By the vendor, or by the maker whose recorders it sells under its own name.
fn maker(host: &Inspection) -> Option<Maker> {
    let vendor = host.record.vendor()?;
    match vendor::maker_behind(&vendor).unwrap_or(&vendor) {
        "Hikvision" => Some(Maker::Hikvision),
        "Dahua" => Some(Maker::Dahua),
        _ => None,
    }
}

/// ISAPI, Content Management.
async fn hikvision(host: &Inspection, at: &Service) -> Option<Vec<Channel>> {
    const CHANNELS: &str = "/ISAPI/ContentMgmt/InputProxy/channels";
    const STATES: &str = "/ISAPI/ContentMgmt/InputProxy/channels/status";
    let mut channels = wire::hikvision_channels(&get(host, at, CHANNELS).await?)?;
    if let Some(answer) = get(host, at, STATES).await {
        channels.extend(wire::hikvision_states(&answer));
    }
    Some(channels)
}

/// The HTTP API, Configuration Manager. What a channel is called on the recorder goes before what the camera calls itself.
async fn dahua(host: &Inspection, at: &Service) -> Option<Vec<Channel>> {
    const CAMERAS: &str = "/cgi-bin/configManager.cgi?action=getConfig&name=RemoteDevice";
    const TITLES: &str = "/cgi-bin/configManager.cgi?action=getConfig&name=ChannelTitle";
    const STATES: &str = "/cgi-bin/LogicDeviceManager.cgi?action=getCameraState&uniqueChannels[0]=-1";
    let mut channels = wire::dahua_channels(&get(host, at, CAMERAS).await?)?;
    let titles = get(host, at, TITLES).await.map(|answer| wire::dahua_titles(&answer)).unwrap_or_default();
    let states = get(host, at, STATES).await.map(|answer| wire::dahua_states(&answer)).unwrap_or_default();
    for channel in &mut channels {
        channel.name = titles.get(&channel.number).cloned().or(channel.name.take());
        channel.online = states.get(&channel.number).copied();
    }
    Some(channels)
}

/// The body of an answer of 200 to a GET, with the user's login where one is demanded.
async fn get(host: &Inspection, at: &Service, target: &str) -> Option<Vec<u8>> {
    if host.peer.is_over() {
        return None;
    }
    let request = Request { max_body: MAX_LIST, ..Request::get(Endpoint::of(at), target) };
    let answer = client::send(&host.peer, request.with_login()).await.ok()?;
    // A camera with several lenses is asked as well; it has no such list.
    if answer.status == 403 && !host.peer.logins.credentials().is_empty() && is_stated_recorder(host) {
        let message = "the user may not read the list of cameras; give the login of one who may configure the recorder";
        host.error(Stage::Recorder, ErrorKind::AuthRefused, message).await;
    }
    (answer.status == 200 && !answer.truncated).then_some(answer.body)
}

#[cfg(test)]
mod tests;
