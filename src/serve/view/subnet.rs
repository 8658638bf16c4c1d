//! The map: each network as squares of 16 × 16 addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::{IpNetwork, Ipv4Network};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Sight;
use super::device::Flag;
use crate::history::memory::{DeviceState, Known};
use crate::model::memory::Uid;
use crate::model::{Kind, TargetSpec};

/// The most squares of one network: a /20 has as many.
const MOST_SQUARES: usize = 16;

/// A network with its devices in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubnetView {
    /// The network: `10.0.5.0/24`.
    pub network: String,
    /// Its devices that are listed.
    pub devices: u64,
    /// Those that answer.
    pub online: u64,
    /// Those that do not.
    pub offline: u64,
    /// Those of which nobody can tell.
    pub unknown: u64,
    /// Since when most of its devices have not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable_since: Option<Timestamp>,
    /// Its devices were only heard: it is none of this machine's networks, and they are not reached.
    pub foreign: bool,
}

/// A network address by address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubnetDetail {
    /// It in numbers.
    #[serde(flatten)]
    pub summary: SubnetView,
    /// Squares of 16 × 16 addresses, for IPv4 networks that are not too large; those without a device are left out where
    /// there are many.
    pub squares: Vec<Square>,
    /// Its devices, by address.
    pub members: Vec<Cell>,
}

/// The addresses of a /24.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Square {
    /// The /24: `10.0.5.0/24`.
    pub network: String,
    /// The first and last of its addresses that belong to the network, by their last number.
    pub range: (u8, u8),
    /// What the last full scan asked of it, from and to, by the last number of the address.
    pub asked: Vec<(u8, u8)>,
    /// The addresses that a device has.
    pub cells: Vec<Cell>,
}

/// A device at its address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// The address.
    pub ip: IpAddr,
    /// The last number of an IPv4 address: its place in the square, 0 to 255.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u8>,
    /// The device.
    pub device: Uid,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Whether it answers.
    pub state: DeviceState,
    /// What is true of it besides.
    pub is: Vec<Flag>,
}

impl Sight {
    fn by_network(&self) -> BTreeMap<IpNetwork, Vec<&Known>> {
        let mut networks: BTreeMap<IpNetwork, Vec<&Known>> =
            self.memory.networks.keys().map(|network| (*network, Vec::new())).collect();
        for known in self.memory.roots().filter(|known| known.archived_at.is_none()) {
            if let Some(network) = self.memory.network_of(known.device.ip) {
                networks.entry(network).or_default().push(known);
            }
        }
        networks
    }

    /// The networks of the devices, by address.
    pub fn subnets(&self) -> Vec<SubnetView> {
        self.by_network().into_iter().map(|(network, devices)| self.subnet_in_numbers(network, &devices)).collect()
    }

    fn subnet_in_numbers(&self, network: IpNetwork, devices: &[&Known]) -> SubnetView {
        let is_waited_for = |known: &&&Known| known.replaced_by.is_none();
        let of = |state| devices.iter().filter(move |known| known.health.state == state);
        let count = |state| of(state).count() as u64;
        SubnetView {
            network: network.to_string(),
            devices: devices.len() as u64,
            online: count(DeviceState::Online),
            offline: of(DeviceState::Offline).filter(is_waited_for).count() as u64,
            unknown: count(DeviceState::Unknown),
            unreachable_since: self.memory.networks.get(&network).and_then(|health| health.unreachable_since),
            foreign: !devices.is_empty() && devices.iter().all(|known| known.device.reach.is_some()),
        }
    }

    /// A network address by address. `asked` is what the last full scan asked for, as its report has it.
    pub fn subnet(&self, network: IpNetwork, asked: &[String]) -> Option<SubnetDetail> {
        let mut networks = self.by_network();
        let mut devices = networks.remove(&network)?;
        devices.sort_by_key(|known| (known.device.ip, known.uid.clone()));
        let members: Vec<Cell> = devices.iter().map(|known| self.cell(known)).collect();
        let squares = match network {
            IpNetwork::V4(v4) => squares(v4, &members, asked),
            IpNetwork::V6(_) => Vec::new(),
        };
        Some(SubnetDetail { summary: self.subnet_in_numbers(network, &devices), squares, members })
    }

    fn cell(&self, known: &Known) -> Cell {
        let ip = known.device.ip;
        let place = match ip {
            IpAddr::V4(v4) => Some(v4.octets()[3]),
            IpAddr::V6(_) => None,
        };
        Cell {
            ip,
            place,
            device: known.uid.clone(),
            name: known.name().map(str::to_owned),
            kind: known.device.kind,
            state: known.health.state,
            is: self.flags(known),
        }
    }
}

/// The /24s of a network. Of a large one, those that hold a device.
fn squares(network: Ipv4Network, members: &[Cell], asked: &[String]) -> Vec<Square> {
    let (first, last) = (u32::from(network.network()), u32::from(network.broadcast()));
    let asked: Vec<(u32, u32)> = asked.iter().filter_map(|text| range(text)).collect();
    let blocks = (first >> 8..=last >> 8).take(1 << 16);
    let is_many = (last >> 8) - (first >> 8) >= MOST_SQUARES as u32;
    let mut squares: Vec<Square> = Vec::new();
    for block in blocks {
        let (from, to) = ((block << 8).max(first), (block << 8 | 255).min(last));
        let is_in = |cell: &&Cell| matches!(cell.ip, IpAddr::V4(ip) if u32::from(ip) >> 8 == block);
        let cells: Vec<Cell> = members.iter().filter(is_in).cloned().collect();
        if is_many && cells.is_empty() {
            continue;
        }
        let place = |address: u32| (address & 255) as u8;
        let cut = |(a, b): &(u32, u32)| {
            let (a, b) = ((*a).max(from), (*b).min(to));
            (a <= b).then(|| (place(a), place(b)))
        };
        squares.push(Square {
            network: format!("{}/24", Ipv4Addr::from(block << 8)),
            range: (place(from), place(to)),
            asked: asked.iter().filter_map(cut).collect(),
            cells,
        });
    }
    squares
}

/// The addresses a scan's report says it asked for.
fn range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = match text.parse::<TargetSpec>().ok()? {
        TargetSpec::Address(IpAddr::V4(ip), _) => (ip, ip),
        spec => spec.ipv4_range()?,
    };
    Some((first.into(), last.into()))
}
