//! How hosts are found.

use super::names::names;

names! {
    /// A way of finding hosts.
    pub enum Method {
        /// ARP requests on the local links.
        Arp = "arp",
        /// WS-Discovery probes, multicast and unicast.
        Onvif = "onvif",
        /// SSDP M-SEARCH.
        Ssdp = "ssdp",
        /// DNS-SD questions by multicast.
        Mdns = "mdns",
        /// The makers' own discovery questions (SADP, DHIP, DVRIP, …).
        Beacon = "beacon",
        /// ICMP echo.
        Icmp = "icmp",
        /// TCP connects.
        Tcp = "tcp",
    }
}
