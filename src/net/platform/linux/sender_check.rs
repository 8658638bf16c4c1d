//! Whether the kernel drops what comes from addresses it has no route back to (`rp_filter`,
//! Documentation/networking/ip-sysctl.rst; RFC 3704). A camera in another subnet is such an address.

use std::fs;

use crate::net::SenderCheck;

/// Which senders an interface's packets may not have; none where every one may.
pub(in crate::net) fn sender_check(interface: &str) -> Option<SenderCheck> {
    // A name of an interface has no slash; one that is made up reads no other file.
    if interface.contains('/') || interface.starts_with('.') {
        return None;
    }
    let setting = |of: &str| {
        let text = fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{of}/rp_filter")).ok()?;
        text.trim().parse::<u8>().ok()
    };
    // The stricter of the two holds where numbers grow; so the kernel takes the greater.
    let level = setting("all").unwrap_or(0).max(setting(interface).unwrap_or(0));
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    of(level, interface, &routes)
}

/// With a default route everybody can be reached by it, and the check lets everybody in: the strict one only on the interface
/// of that route.
fn of(level: u8, interface: &str, routes: &str) -> Option<SenderCheck> {
    let mut default_by = routes.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, to, mask) = (words.first()?, words.get(1)?, words.get(7)?);
        (*to == "00000000" && *mask == "00000000").then_some(*name)
    });
    match level {
        1 if !default_by.any(|name| name == interface) => Some(SenderCheck::Strict),
        2 if default_by.next().is_none() => Some(SenderCheck::Loose),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_route_lets_everybody_in() {
        const LOCAL: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            eth0\t0005000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let by = |name: &str| format!("{LOCAL}{name}\t00000000\t0105000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
        for (level, routes, expected) in [
            (0, LOCAL.to_owned(), None),
            (1, LOCAL.to_owned(), Some(SenderCheck::Strict)),
            (1, by("eth0"), None),
            (1, by("eth1"), Some(SenderCheck::Strict)),
            (2, LOCAL.to_owned(), Some(SenderCheck::Loose)),
            (2, by("eth1"), None),
            (1, String::new(), Some(SenderCheck::Strict)),
        ] {
            assert_eq!(of(level, "eth0", &routes), expected, "{level} {routes}");
        }
    }
}
