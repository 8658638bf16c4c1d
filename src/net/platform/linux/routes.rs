//! The kernel's main routing table by rtnetlink; open to every user.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures::TryStreamExt;
use ipnetwork::IpNetwork;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHopFlags, RouteType,
};

use crate::net::Route;

/// Rows that are read: a router of the Internet has a million of them, and none of those leads to a camera.
const MOST: usize = 16_384;

/// Reads the routes for IPv4 and IPv6 once.
pub(in crate::net) async fn routes() -> io::Result<Vec<Route>> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    let connection = tokio::spawn(connection);
    let mut table = Vec::new();
    let mut outcome = Ok(());
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        let mut rows = std::pin::pin!(handle.route().get(question).execute());
        outcome = loop {
            match rows.try_next().await {
                Ok(Some(row)) if table.len() < MOST => table.extend(read(&row)),
                Ok(_) => break Ok(()),
                Err(error) => break Err(io::Error::other(error.to_string())),
            }
        };
        if outcome.is_err() {
            break;
        }
    }
    connection.abort();
    outcome.map(|()| table)
}

/// One row, where it leads to other machines and its interface has a link.
fn read(row: &RouteMessage) -> Option<Route> {
    let unusable = RouteFlags::Dead | RouteFlags::Linkdown;
    if row.header.kind != RouteType::Unicast || row.header.flags.intersects(unusable) || table_of(row) != MAIN {
        return None;
    }
    let default = match row.header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let (mut to, mut gateway, mut interface, mut metric) = (default, None, None, 0);
    for attribute in &row.attributes {
        match attribute {
            RouteAttribute::Destination(address) => to = ip_of(address)?,
            RouteAttribute::Gateway(address) => gateway = ip_of(address),
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::Priority(priority) => metric = *priority,
            // Of several ways that share the load one is as good as another.
            RouteAttribute::MultiPath(hops) => {
                let unusable = RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown;
                let hop = hops.iter().find(|hop| !hop.flags.intersects(unusable))?;
                interface = Some(hop.interface_index);
                gateway = hop.attributes.iter().find_map(|attribute| match attribute {
                    RouteAttribute::Gateway(address) => ip_of(address),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    let to = IpNetwork::new(to, row.header.destination_prefix_length).ok()?;
    Some(Route { to, gateway, interface: interface?, metric })
}

const MAIN: u32 = RouteHeader::RT_TABLE_MAIN as u32;

fn table_of(row: &RouteMessage) -> u32 {
    let written = row.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    written.unwrap_or_else(|| row.header.table.into())
}

fn ip_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(attributes: Vec<RouteAttribute>) -> RouteMessage {
        let mut row = RouteMessage::default();
        row.header.address_family = AddressFamily::Inet;
        (row.header.kind, row.header.table) = (RouteType::Unicast, RouteHeader::RT_TABLE_MAIN);
        row.attributes = attributes;
        row
    }

    #[test]
    fn only_usable_rows_of_the_main_table_are_routes() {
        let (router, network) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 0));
        let by = || vec![RouteAttribute::Gateway(RouteAddress::Inet(router)), RouteAttribute::Oif(2)];
        let default = Route { to: "0.0.0.0/0".parse().unwrap(), gateway: Some(router.into()), interface: 2, metric: 0 };
        assert_eq!(read(&row(by())), Some(default));
        let mut narrow = row(by());
        narrow
            .attributes
            .extend([RouteAttribute::Destination(RouteAddress::Inet(network)), RouteAttribute::Priority(100)]);
        narrow.header.destination_prefix_length = 24;
        let expected = Route { to: "198.51.100.0/24".parse().unwrap(), metric: 100, ..default };
        assert_eq!(read(&narrow), Some(expected));
        let odd: [fn(&mut RouteMessage); 7] = [
            |row| row.header.table = 255,
            |row| row.attributes.push(RouteAttribute::Table(51_820)),
            |row| row.header.kind = RouteType::Local,
            |row| row.header.flags = RouteFlags::Linkdown,
            |row| row.header.flags = RouteFlags::Dead,
            |row| row.attributes.clear(),
            |row| row.header.destination_prefix_length = 33,
        ];
        for (n, change) in odd.into_iter().enumerate() {
            let mut row = row(by());
            change(&mut row);
            assert_eq!(read(&row), None, "{n}");
        }
        assert_eq!(read(&RouteMessage::default()), None);
    }

    #[tokio::test]
    async fn the_routes_of_this_machine_can_be_read_by_every_user() {
        let routes = routes().await.unwrap();
        assert!(routes.iter().all(|route| route.interface > 0), "{routes:?}");
    }
}
