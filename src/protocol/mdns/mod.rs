//! DNS-SD over multicast DNS (RFC 6762, RFC 6763).
