//! A camera's ONVIF side: answers to WS-Discovery probes and the few SOAP calls a client asks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::{Camera, Login, Seen};

/// What a camera says of itself.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The port of its web service; 0 takes any.
    pub http_port: u16,
    /// The port it answers WS-Discovery probes on; 0 answers none.
    pub probe_port: u16,
    /// Its endpoint's UUID.
    pub endpoint: String,
    /// Its maker.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Its firmware.
    pub firmware: String,
    /// Its serial number.
    pub serial: String,
}

pub(super) async fn start(
    tasks: &mut JoinSet<()>,
    camera: Arc<Camera>,
    identity: Identity,
    rtsp: SocketAddr,
    seen: Arc<Seen>,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((camera.ip, identity.http_port)).await?;
    let http = listener.local_addr()?;
    if identity.probe_port != 0 {
        let socket = UdpSocket::bind((camera.ip, identity.probe_port)).await?;
        tasks.spawn(answer_probes(socket, identity.clone(), http));
    }
    tasks.spawn(async move {
        let mut clients = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (camera, identity, seen) = (camera.clone(), identity.clone(), seen.clone());
            clients.spawn(async move {
                // A client that goes away ends its request and nothing else.
                let _ = serve(stream, &camera, &identity, http, rtsp, &seen).await;
            });
            while clients.try_join_next().is_some() {}
        }
    });
    Ok(http)
}

async fn answer_probes(socket: UdpSocket, identity: Identity, http: SocketAddr) {
    let mut datagram = vec![0; 8192];
    while let Ok((length, from)) = socket.recv_from(&mut datagram).await {
        let probe = String::from_utf8_lossy(&datagram[..length]).into_owned();
        if !probe.contains("Probe>") && !probe.contains("Probe/>") {
            continue;
        }
        let answer = probe_match(&identity, http, inner(&probe, "MessageID").unwrap_or_default());
        // Whoever asked may be gone.
        let _ = socket.send_to(answer.as_bytes(), from).await;
    }
}

fn probe_match(identity: &Identity, http: SocketAddr, relates_to: &str) -> String {
    let Identity { endpoint, .. } = identity;
    let [manufacturer, model] = [&identity.manufacturer, &identity.model].map(|text| text.replace(' ', "%20"));
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header><a:MessageID>urn:uuid:{endpoint}-answer</a:MessageID><a:RelatesTo>{relates_to}</a:RelatesTo><a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To><a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:{endpoint}</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/Profile/Streaming onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/{manufacturer} onvif://www.onvif.org/hardware/{model}</d:Scopes><d:XAddrs>http://{http}/onvif/device_service</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"#
    )
}

async fn serve(
    mut stream: TcpStream,
    camera: &Camera,
    identity: &Identity,
    http: SocketAddr,
    rtsp: SocketAddr,
    seen: &Seen,
) -> io::Result<()> {
    let Some((head, body)) = read_request(&mut stream).await? else { return Ok(()) };
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let (status, kind, answer) = if !head.starts_with("POST /onvif/") {
        ("200 OK", "text/html", format!("<html><head><title>{}</title></head><body></body></html>", identity.model))
    } else {
        soap(camera, identity, http, rtsp, &body, seen)
    };
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

fn soap(
    camera: &Camera,
    identity: &Identity,
    http: SocketAddr,
    rtsp: SocketAddr,
    body: &str,
    seen: &Seen,
) -> (&'static str, &'static str, String) {
    let open = ["GetSystemDateAndTime", "GetServices", "GetCapabilities", "GetScopes"];
    let asks = |call: &str| {
        body.contains(&format!("{call}>")) || body.contains(&format!("{call} ")) || body.contains(&format!("{call}/>"))
    };
    if camera.login != Login::Open && !open.iter().any(|call| asks(call)) && !is_let_in(camera, body, seen) {
        return (
            "400 Bad Request",
            XML,
            envelope(
                "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"en\">Sender not Authorized</s:Text></s:Reason></s:Fault>",
            ),
        );
    }
    let answer = if asks("GetSystemDateAndTime") {
        date_and_time()
    } else if asks("GetDeviceInformation") {
        let Identity { manufacturer, model, firmware, serial, .. } = identity;
        format!(
            "<tds:GetDeviceInformationResponse><tds:Manufacturer>{manufacturer}</tds:Manufacturer><tds:Model>{model}</tds:Model><tds:FirmwareVersion>{firmware}</tds:FirmwareVersion><tds:SerialNumber>{serial}</tds:SerialNumber><tds:HardwareId>1</tds:HardwareId></tds:GetDeviceInformationResponse>"
        )
    } else if asks("GetServices") {
        format!(
            "<tds:GetServicesResponse><tds:Service><tds:Namespace>http://www.onvif.org/ver10/device/wsdl</tds:Namespace><tds:XAddr>http://{http}/onvif/device_service</tds:XAddr></tds:Service><tds:Service><tds:Namespace>http://www.onvif.org/ver10/media/wsdl</tds:Namespace><tds:XAddr>http://{http}/onvif/media_service</tds:XAddr></tds:Service></tds:GetServicesResponse>"
        )
    } else if asks("GetCapabilities") {
        format!(
            "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Device><tt:XAddr>http://{http}/onvif/device_service</tt:XAddr></tt:Device><tt:Media><tt:XAddr>http://{http}/onvif/media_service</tt:XAddr></tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>"
        )
    } else if asks("GetProfiles") {
        profiles(camera)
    } else if asks("GetStreamUri") {
        let token: usize = inner(body, "ProfileToken").and_then(|t| t.rsplit('_').next()?.parse().ok()).unwrap_or(0);
        let path = camera.mounts.get(token).map_or("/", |m| m.path.as_str()).replace('&', "&amp;");
        format!(
            "<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>rtsp://{rtsp}{path}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect></trt:MediaUri></trt:GetStreamUriResponse>"
        )
    } else {
        return (
            "400 Bad Request",
            XML,
            envelope(
                "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>ter:ActionNotSupported</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"en\">Optional Action Not Implemented</s:Text></s:Reason></s:Fault>",
            ),
        );
    };
    ("200 OK", XML, envelope(&answer))
}

const XML: &str = "application/soap+xml; charset=utf-8";

fn envelope(body: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error"><s:Body>{body}</s:Body></s:Envelope>"#
    )
}

fn date_and_time() -> String {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    format!(
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:UTCDateTime><tt:Time><tt:Hour>{}</tt:Hour><tt:Minute>{}</tt:Minute><tt:Second>{}</tt:Second></tt:Time><tt:Date><tt:Year>{}</tt:Year><tt:Month>{}</tt:Month><tt:Day>{}</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>",
        now.hour(),
        now.minute(),
        now.second(),
        now.year(),
        now.month(),
        now.day()
    )
}

fn profiles(camera: &Camera) -> String {
    let one = |n: usize| {
        let name = if n == 0 { "MainStream".to_owned() } else { format!("SubStream{n}") };
        format!(
            "<trt:Profiles token=\"Profile_{n}\" fixed=\"true\"><tt:Name>{name}</tt:Name><tt:VideoSourceConfiguration token=\"vsc\"><tt:Name>source</tt:Name><tt:SourceToken>VideoSource_1</tt:SourceToken></tt:VideoSourceConfiguration></trt:Profiles>"
        )
    };
    let all: String = (0..camera.mounts.len()).map(one).collect();
    format!("<trt:GetProfilesResponse>{all}</trt:GetProfilesResponse>")
}

/// WS-UsernameToken: Base64(SHA-1(nonce + created + password)).
fn is_let_in(camera: &Camera, body: &str, seen: &Seen) -> bool {
    let Some(user) = inner(body, "Username") else { return false };
    let base64 = base64::prelude::BASE64_STANDARD;
    let nonce = inner(body, "Nonce").and_then(|n| base64.decode(n.trim()).ok()).unwrap_or_default();
    let mut hash = Sha1::new();
    hash.update(nonce);
    hash.update(inner(body, "Created").unwrap_or_default());
    hash.update(&camera.user.1);
    let right = user == camera.user.0 && inner(body, "Password") == Some(base64.encode(hash.finalize()).as_str());
    if !right {
        seen.refused.fetch_add(1, Ordering::SeqCst);
    }
    right
}

/// The text of the first element of that local name.
fn inner<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let mut from = 0;
    loop {
        let at = from + xml[from..].find(name)?;
        let opens = xml[..at].rfind('<').is_some_and(|lt| !xml[lt..at].contains('/') && !xml[lt..at].contains(' '));
        let rest = &xml[at + name.len()..];
        if opens && rest.starts_with(['>', ' ']) {
            let text = &rest[rest.find('>')? + 1..];
            return Some(&text[..text.find('<')?]);
        }
        from = at + name.len();
    }
}

async fn read_request(stream: &mut TcpStream) -> io::Result<Option<(String, String)>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .filter_map(|l| l.split_once(':'))
                .find(|(n, _)| n.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, v)| v.trim().parse().ok())
                .unwrap_or(0usize);
            while bytes.len() < end + 4 + length {
                let n = stream.read(&mut chunk).await?;
                if n == 0 {
                    return Ok(None);
                }
                bytes.extend(&chunk[..n]);
            }
            return Ok(Some((head, String::from_utf8_lossy(&bytes[end + 4..]).into_owned())));
        }
        let n = stream.read(&mut chunk).await?;
        if n == 0 || bytes.len() > 65536 {
            return Ok(None);
        }
        bytes.extend(&chunk[..n]);
    }
}
