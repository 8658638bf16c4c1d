//! SSDP and UPnP device descriptions (UPnP Device Architecture 1.1).
