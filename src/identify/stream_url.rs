//! Stream-URL templates: where makers put their streams. Data, read from YAML.

/// One stream address to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Path and query, with leading `/`.
    pub path: String,
    /// The port the template names, when it is not simply the RTSP port found.
    pub port: Option<u16>,
    /// The channel the path is for, from 1.
    pub channel: u32,
    /// 0 main, 1 sub, 2 third.
    pub stream: u32,
    /// The template it was made from: same template, next channel.
    pub template: usize,
}

/// The RTSP paths worth trying for a vendor, most likely first; for no or an unknown vendor the common ones.
pub fn rtsp(_vendor: Option<&str>) -> Vec<Candidate> {
    Vec::new()
}

/// The candidate's template made for another channel; none when the template has no channel.
pub fn for_channel(_candidate: &Candidate, _channel: u32) -> Option<Candidate> {
    None
}
