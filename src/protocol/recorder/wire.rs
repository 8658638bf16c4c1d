//! The lists of cameras as recorders send them: bytes in, channels out.
//!
//! Hikvision answers in XML (ISAPI, Content Management: `InputProxyChannelList` and `InputProxyChannelStatusList`), Dahua in
//! lines of `key=value` (HTTP API: `RemoteDevice`, `ChannelTitle`, `getCameraState`). Both were read from integrations that
//! talk to such recorders; the samples in `tests/data/recorder` are made after them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::identify::vendor;
use crate::model::device::is_serial;
use crate::model::{Channel, MacAddr};
use crate::text;
use crate::wire::xml::{self, Element};

/// The most channels taken from one answer; the largest recorders have 256.
pub const MOST_CHANNELS: usize = 512;
/// The highest number of a channel.
const HIGHEST: u32 = 4096;
/// Lines looked at in one answer; a camera has some 60.
const MOST_LINES: usize = 65_536;

/// Reads an `InputProxyChannelList` of Hikvision; none when the answer is something else. Channels without a number are
/// left out.
pub fn hikvision_channels(body: &[u8]) -> Option<Vec<Channel>> {
    let document = xml::read(body);
    let list = document.find("InputProxyChannelList")?;
    let channels = list.find_all("InputProxyChannel").filter_map(|listed| {
        let source = listed.child("sourceInputPortDescriptor");
        let said = |name: &str| source.and_then(|source| source.child_text(name));
        let address =
            ["ipAddress", "hostName", "ipv6Address"].into_iter().find_map(|name| said(name).and_then(address));
        Some(Channel {
            name: listed.child_text("name").and_then(text::clean_some),
            address,
            serial: said("serialNumber").and_then(serial),
            model: said("model").and_then(model),
            ..Channel::new(number(listed)?)
        })
    });
    Some(channels.take(MOST_CHANNELS).collect())
}

/// Reads an `InputProxyChannelStatusList` of Hikvision: which channels are connected to their cameras. A channel whose
/// state is not stated is left out.
pub fn hikvision_states(body: &[u8]) -> Vec<Channel> {
    let document = xml::read(body);
    let states = document.find_all("InputProxyChannelStatus").filter_map(|listed| {
        let online = truth(listed.child_text("online")?)?;
        Some(Channel { online: Some(online), ..Channel::new(number(listed)?) })
    });
    states.take(MOST_CHANNELS).collect()
}

fn number(listed: &Element) -> Option<u32> {
    listed.child_text("id")?.parse().ok().filter(|number| (1..=HIGHEST).contains(number))
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Reads the `RemoteDevice` table of Dahua; none when the answer is something else. Slots that are switched off are left
/// out: they keep the address of whatever was there before, or that of the factory.
pub fn dahua_channels(body: &[u8]) -> Option<Vec<Channel>> {
    let text = text::decode(body);
    let mut slots: BTreeMap<u32, (bool, Channel)> = BTreeMap::new();
    let mut is_table = false;
    for (key, value) in lines(&text) {
        let Some(rest) = key.strip_prefix("table.RemoteDevice") else { continue };
        is_table = true;
        let Some((number, field)) = slot(rest) else { continue };
        if slots.len() >= MOST_CHANNELS && !slots.contains_key(&number) {
            continue;
        }
        let (is_enabled, channel) = slots.entry(number).or_insert_with(|| (false, Channel::new(number)));
        match field {
            "Enable" => *is_enabled = truth(value) == Some(true),
            "Address" => channel.address = address(value),
            "Name" => channel.name = text::clean_some(value),
            "Mac" => channel.mac = value.parse().ok().filter(|mac: &MacAddr| mac.is_station()),
            "SerialNo" => channel.serial = serial(value),
            "DeviceType" => channel.model = model(value),
            _ => {}
        }
    }
    let enabled = slots.into_values().filter_map(|(is_enabled, channel)| is_enabled.then_some(channel));
    is_table.then(|| enabled.collect())
}

/// The channel and the field of a key behind `table.RemoteDevice`: slots count from 0, channels from 1. Firmware differs
/// in how a slot is written: `.uuid:System_CONFIG_NETCAMERA_INFO_3.Address`, `[3].Address`.
fn slot(rest: &str) -> Option<(u32, &str)> {
    let (slot, field) = match rest.strip_prefix('[') {
        Some(index) => index.split_once("].")?,
        None => {
            let (name, field) = rest.strip_prefix('.')?.split_once('.')?;
            (name.rsplit_once("_INFO_")?.1, field)
        }
    };
    Some((channel_of(slot)?, field))
}

/// The channel's number of an index from 0.
fn channel_of(index: &str) -> Option<u32> {
    index.parse::<u32>().ok()?.checked_add(1).filter(|number| *number <= HIGHEST)
}

/// Reads the `ChannelTitle` table of Dahua: the names of channels by number.
pub fn dahua_titles(body: &[u8]) -> BTreeMap<u32, String> {
    let text = text::decode(body);
    let titles = lines(&text).filter_map(|(key, value)| {
        let (index, field) = key.strip_prefix("table.ChannelTitle[")?.split_once("].")?;
        let title = text::clean_some(value).filter(|_| field == "Name")?;
        Some((channel_of(index)?, title))
    });
    titles.take(MOST_CHANNELS).collect()
}

/// Reads the answer to `getCameraState` of Dahua: which channels are connected to their cameras, by number.
pub fn dahua_states(body: &[u8]) -> BTreeMap<u32, bool> {
    let text = text::decode(body);
    let mut entries: BTreeMap<&str, (Option<u32>, Option<bool>)> = BTreeMap::new();
    for (key, value) in lines(&text) {
        let Some((index, field)) = key.strip_prefix("states[").and_then(|rest| rest.split_once("].")) else { continue };
        if entries.len() >= MOST_CHANNELS && !entries.contains_key(index) {
            continue;
        }
        let entry = entries.entry(index).or_default();
        // Firmware differs in the case of the names.
        if field.eq_ignore_ascii_case("channel") {
            entry.0 = channel_of(value);
        } else if field.eq_ignore_ascii_case("connectionState") {
            entry.1 = connection(value);
        }
    }
    entries.into_values().filter_map(|(number, online)| number.zip(online)).collect()
}

fn connection(state: &str) -> Option<bool> {
    match state {
        "Connected" => Some(true),
        "Unconnect" | "Connecting" | "Disconnect" => Some(false),
        _ => None,
    }
}

fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().take(MOST_LINES).filter_map(|line| line.trim().split_once('='))
}

/// An address that a camera can have.
fn address(text: &str) -> Option<IpAddr> {
    let ip: IpAddr = text.trim().parse().ok()?;
    (!ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast()).then_some(ip)
}

fn serial(text: &str) -> Option<String> {
    text::clean_some(text).filter(|serial| is_serial(serial))
}

/// A model; words that stand for any camera are left out.
fn model(text: &str) -> Option<String> {
    text::clean_some(text).filter(|model| !vendor::says_nothing(model))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/recorder/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn hikvision_lists_the_cameras_of_its_channels() {
        let channels = hikvision_channels(&data("hikvision_input_proxy_channels.xml")).unwrap();
        assert_eq!(
            channels[0],
            Channel {
                name: Some("Gate".into()),
                address: Some([192, 0, 2, 11].into()),
                serial: Some("DS-2CD2042WD-I20170301AAWR012345611".into()),
                model: Some("DS-2CD2042WD-I".into()),
                ..Channel::new(1)
            }
        );
        let placed: Vec<(u32, Option<IpAddr>)> = channels.iter().map(|c| (c.number, c.address)).collect();
        let at = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        assert_eq!(placed, [(1, at(11)), (2, at(12)), (3, at(13)), (4, Some([192, 168, 254, 4].into()))]);
        assert_eq!(channels[2].serial, None, "a placeholder");
        assert_eq!(hikvision_channels(b"<html>login</html>"), None);
        assert_eq!(hikvision_channels(b"<InputProxyChannelList/>"), Some(vec![]));
    }

    #[test]
    fn a_state_that_is_not_stated_is_not_offline() {
        let states = hikvision_states(&data("hikvision_input_proxy_status.xml"));
        let online: Vec<(u32, Option<bool>)> = states.iter().map(|c| (c.number, c.online)).collect();
        assert_eq!(online, [(1, Some(true)), (2, Some(true)), (4, Some(false))]);
    }

    #[test]
    fn dahua_lists_the_cameras_of_the_slots_in_use() {
        let channels = dahua_channels(&data("dahua_remote_device.txt")).unwrap();
        assert_eq!(
            channels[0],
            Channel {
                name: Some("IPC".into()),
                address: Some([192, 0, 2, 21].into()),
                mac: Some("3c:ef:8c:00:00:21".parse().unwrap()),
                serial: Some("4M0A1B2PAJ00021".into()),
                model: Some("IPC-HFW1431S1-A".into()),
                ..Channel::new(1)
            }
        );
        assert_eq!(channels.iter().map(|c| c.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(channels[1].model, None, "a word for any camera");
        assert!(!format!("{channels:?}").contains("secret"));
        let numbered =
            dahua_channels(b"table.RemoteDevice[0].Address=192.0.2.5\r\ntable.RemoteDevice[0].Enable=true\r\n");
        assert_eq!(numbered.unwrap()[0].address, Some([192, 0, 2, 5].into()));
        assert_eq!(dahua_channels(b"Error\r\nBad Request!\r\n"), None);
    }

    #[test]
    fn dahua_names_channels_and_states_which_are_connected() {
        let titles = dahua_titles(&data("dahua_channel_title.txt"));
        assert_eq!(titles.get(&1).map(String::as_str), Some("Gate"));
        let states = dahua_states(&data("dahua_camera_state.txt"));
        assert_eq!(states, BTreeMap::from([(1, true), (2, true), (3, false)]));
    }

    #[test]
    fn lists_are_bounded() {
        let line = |n: usize| format!("table.RemoteDevice[{n}].Enable=true\nstates[{n}].channel={n}\n");
        let many: String = (0..9000).map(line).collect();
        assert_eq!(dahua_channels(many.as_bytes()).unwrap().len(), MOST_CHANNELS);
        let many: String = (1..9000).map(|n| format!("<InputProxyChannel><id>{n}</id></InputProxyChannel>")).collect();
        let list = format!("<InputProxyChannelList>{many}</InputProxyChannelList>");
        assert_eq!(hikvision_channels(list.as_bytes()).unwrap().len(), MOST_CHANNELS);
    }
}
