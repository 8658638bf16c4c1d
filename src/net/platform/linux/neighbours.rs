//! The kernel's neighbour table (ARP and NDP) by rtnetlink; open to everybody.

use std::io;
use std::net::IpAddr;

use futures::TryStreamExt;
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};

use crate::model::MacAddr;
use crate::net::Neighbour;

/// Reads the whole table once.
pub(in crate::net) async fn neighbours() -> io::Result<Vec<Neighbour>> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    let connection = tokio::spawn(connection);
    let mut rows = handle.neighbours().get().execute();
    let mut table = Vec::new();
    let outcome = loop {
        match rows.try_next().await {
            Ok(Some(row)) => table.extend(read(&row)),
            Ok(None) => break Ok(table),
            Err(error) => break Err(io::Error::other(error.to_string())),
        }
    };
    connection.abort();
    outcome
}

/// One row, where it names a neighbour with a usable MAC address.
fn read(row: &NeighbourMessage) -> Option<Neighbour> {
    use NeighbourState as S;
    let confirmed = match row.header.state {
        S::Reachable => true,
        S::Stale | S::Delay | S::Probe | S::Permanent => false,
        _ => return None,
    };
    let ip = row.attributes.iter().find_map(|a| match a {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => Some(IpAddr::V4(*v4)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => Some(IpAddr::V6(*v6)),
        _ => None,
    })?;
    let mac = row.attributes.iter().find_map(|a| match a {
        NeighbourAttribute::LinkLayerAddress(bytes) => <[u8; 6]>::try_from(bytes.as_slice()).ok().map(MacAddr),
        _ => None,
    })?;
    mac.is_station().then_some(Neighbour { ip, mac, interface: row.header.ifindex, confirmed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: NeighbourState, ip: [u8; 4], mac: &[u8]) -> NeighbourMessage {
        let mut row = NeighbourMessage::default();
        row.header.state = state;
        row.header.ifindex = 3;
        row.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::Inet(ip.into())));
        row.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
        row
    }

    #[test]
    fn only_rows_that_name_a_station_are_neighbours() {
        use NeighbourState as S;
        let mac = [0x44, 0x19, 0xb6, 0, 0, 1];
        let ip = [192, 0, 2, 9];
        let reachable = Neighbour { ip: ip.into(), mac: MacAddr(mac), interface: 3, confirmed: true };
        let remembered = Neighbour { confirmed: false, ..reachable };
        let cases = [
            (S::Reachable, &mac[..], Some(reachable)),
            (S::Stale, &mac[..], Some(remembered)),
            // On the way from remembered to confirmed or failed: nobody has answered yet.
            (S::Delay, &mac[..], Some(remembered)),
            (S::Probe, &mac[..], Some(remembered)),
            (S::Permanent, &mac[..], Some(remembered)),
            (S::Incomplete, &mac[..], None),
            (S::Failed, &mac[..], None),
            (S::Noarp, &mac[..], None),
            (S::Reachable, &[0; 6], None),
            (S::Reachable, &[0xff; 6], None),
            (S::Reachable, &[2; 8], None),
        ];
        for (state, mac, expected) in cases {
            assert_eq!(read(&row(state, ip, mac)), expected, "{state:?} {mac:?}");
        }
        assert_eq!(read(&NeighbourMessage::default()), None);
    }

    #[tokio::test]
    async fn the_table_of_this_machine_is_readable_by_everybody() {
        let table = neighbours().await.unwrap();
        assert!(table.iter().all(|n| n.mac.is_station() && n.interface > 0));
    }
}
