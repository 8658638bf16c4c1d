//! The ways out of this machine, as its kernel has them.

use std::cmp::Reverse;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

/// One route of the kernel's main table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Where it leads.
    pub to: IpNetwork,
    /// The router that is next on the way; none where the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// Index of the interface that packets leave by.
    pub interface: u32,
    /// Of two routes to the same destination the kernel takes the one with the lower metric.
    pub metric: u32,
}

/// The route by which an address is reached: the narrowest, of those the one with the lowest metric (RFC 1812, section 5.2.4.3).
pub fn route_to(routes: &[Route], ip: IpAddr) -> Option<&Route> {
    let fitting = routes.iter().filter(|route| route.to.contains(ip));
    fitting.max_by_key(|route| (route.to.prefix(), Reverse(route.metric)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_route_is_taken_and_of_two_alike_the_one_with_the_lower_metric() {
        let route = |to: &str, gateway: Option<&str>, interface, metric| Route {
            to: to.parse().unwrap(),
            gateway: gateway.map(|ip| ip.parse().unwrap()),
            interface,
            metric,
        };
        let routes = [
            route("0.0.0.0/0", Some("192.0.2.1"), 2, 600),
            route("0.0.0.0/0", Some("198.51.100.1"), 3, 100),
            route("192.0.2.0/24", None, 2, 0),
            route("192.0.2.128/25", Some("192.0.2.7"), 2, 0),
            route("::/0", Some("fe80::1"), 2, 0),
        ];
        let cases =
            [("192.0.2.9", Some(2)), ("192.0.2.200", Some(3)), ("203.0.113.5", Some(1)), ("2001:db8::1", Some(4))];
        for (ip, expected) in cases {
            let found = route_to(&routes, ip.parse().unwrap());
            assert_eq!(found, expected.map(|n: usize| &routes[n]), "{ip}");
        }
        assert_eq!(route_to(&routes[2..4], "203.0.113.5".parse().unwrap()), None);
    }
}
