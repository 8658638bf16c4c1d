//! WS-Discovery as ONVIF uses it (ONVIF Core §7).
