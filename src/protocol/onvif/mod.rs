//! ONVIF: SOAP calls that ask, never set.
