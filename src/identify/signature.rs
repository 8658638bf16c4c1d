//! Signatures: what a text a device sends says about its maker, model and kind. Data, read from YAML.

use crate::model::Evidence;

/// Where a text was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The RTSP `Server` header.
    RtspServer,
    /// The RTSP `Public` header.
    RtspPublic,
    /// The realm of a login, over RTSP or HTTP.
    Realm,
    /// The HTTP `Server` header.
    HttpServer,
    /// A page's title.
    HttpTitle,
    /// A page's text, the first 64 KiB.
    HttpBody,
    /// MD5 of a page's icon, lower-case hex.
    FaviconMd5,
    /// The subject of a TLS certificate (`CN=…, O=…`).
    Certificate,
    /// An SDP's session name (`s=`), information (`i=`) or tool (`a=tool:`).
    SdpSession,
    /// An SDP's attribute line without `a=`.
    SdpAttribute,
    /// The `SERVER` header of an SSDP answer.
    SsdpServer,
    /// A UPnP device's manufacturer.
    UpnpManufacturer,
    /// A UPnP device type URN.
    UpnpDeviceType,
    /// A DNS-SD service type (`_axis-video._tcp`).
    MdnsService,
    /// A manufacturer's name as stated by ONVIF.
    OnvifManufacturer,
    /// An ONVIF scope, percent-decoded, without `onvif://www.onvif.org/`.
    OnvifScope,
    /// A model name from whatever source.
    Model,
    /// A host name.
    Hostname,
    /// The name the MAC prefix was assigned to.
    Oui,
    /// The path of a stream that exists.
    StreamPath,
    /// What an RTMP, HLS or WebRTC server says of itself.
    MediaServer,
}

/// A set of signatures.
#[derive(Debug, Default)]
pub struct Signatures {}

impl Signatures {
    /// Those that come with the program.
    pub fn builtin() -> Self {
        Signatures {}
    }

    /// What `text`, read in `field`, says.
    pub fn evidence(&self, _field: Field, _text: &str) -> Vec<Evidence> {
        Vec::new()
    }
}
