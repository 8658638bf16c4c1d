//! HTTP/1.x as cameras speak it: bounded, lenient, one request a connection unless the server keeps it open.

pub mod client;
