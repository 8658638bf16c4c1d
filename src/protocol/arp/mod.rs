//! ARP (RFC 826).
