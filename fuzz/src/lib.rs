//! Every pure parser of camscan as a function of bytes: for the fuzz targets, and for the smoke test, which includes this
//! file. A parser joins by a function and a line in [`TARGETS`]; `fuzz_targets/` has one file of two lines for each.

use std::path::Path;
use std::time::Duration;

use camscan::cli::config::{environment::Environment, file};
use camscan::export;
use camscan::identify::signature::{Field, Signatures};
use camscan::kit::{self, anonymise::Known};
use camscan::media::assemble::{AacLayout, Assembler};
use camscan::media::format::{AudioFormat, Format, VideoFormat};
use camscan::media::order::{Ordered, PacketOrder};
use camscan::media::packetize::{MAX_PAYLOAD, packetize};
use camscan::media::{aac, fmp4, h264, h265, jpeg, mp4, mpeg4, nal, rtcp, rtp, ts, vpx};
use camscan::model::recording::{Connected, Outcome, Part, Recording, Side};
use camscan::model::{AudioCodec, ProbeTarget, TargetSpec, VideoCodec};
use camscan::net::tls::TlsInfo;
use camscan::protocol::http;
use camscan::protocol::onvif::{soap, wire as onvif};
use camscan::protocol::rtsp::frames::Meter;
use camscan::protocol::rtsp::sdp::Session;
use camscan::protocol::rtsp::url::RtspUrl;
use camscan::protocol::tcp::syn::wire as syn;
use camscan::protocol::{
    arp, beacon, dash, hls, icmp, mdns, media_server, mjpeg, recorder, rtmp, rtsp, srt, ssdp, stun, webrtc, wsdd,
};
use camscan::text::redactor::{CommonWords, Login};
use camscan::text::{self, Redactor};
use camscan::tool::ffprobe;
use camscan::wire::head::{self, HeadEnd, Headers};
use camscan::wire::url::{AnnouncedUrl, Scheme};
use camscan::wire::{auth, xml};

/// A parser.
pub type Target = fn(&[u8]);

/// All of them by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("arp", arp_frame),
    ("assemble", assemble),
    ("auth", auth_challenge),
    ("beacon", beacon_answer),
    ("certificate", certificate),
    ("config", config),
    ("dash", dash_manifest),
    ("ffprobe", ffprobe_answer),
    ("fmp4", fragments),
    ("frames", frames),
    ("head", message_head),
    ("hls", hls_playlist),
    ("http", http_answer),
    ("icmp", icmp_message),
    ("kit", replay_kit),
    #[cfg(feature = "serve")]
    ("live_offer", live_offer),
    #[cfg(feature = "serve")]
    ("live_port", live_port),
    ("mdns", mdns_message),
    ("media", media),
    ("media_server", media_server_list),
    ("mjpeg", mjpeg_parts),
    ("onvif", onvif_answer),
    ("packetize", packets),
    ("page", page),
    ("recorder", recorder_list),
    ("recording", recording),
    ("report", report),
    ("rtcp", rtcp_packets),
    ("rtmp", rtmp_chunks),
    ("rtsp", rtsp_stream),
    ("rtsp_headers", rtsp_headers),
    ("sdp", sdp),
    ("signatures", signatures),
    ("srt", srt_answer),
    ("ssdp", ssdp_answer),
    ("stun", stun_answer),
    ("syn", syn_frame),
    ("targets", targets),
    ("text", cleaned),
    ("webrtc", webrtc_answer),
    ("wsdd", wsdd_answer),
    ("xml", xml_document),
];

const SENDER: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

/// The input cut in parts of 1 to 255 bytes, each as long as the byte before it says: as a network delivers.
fn parts(mut data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (part, left) = rest.split_at(usize::from(*length).clamp(1, rest.len().max(1)).min(rest.len()));
        parts.push(part);
        data = left;
    }
    parts
}

/// What stands in a report is free of what terminals obey.
fn is_clean(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{text:?}");
}

pub fn arp_frame(data: &[u8]) {
    if let Some(claim) = arp::wire::parse(data) {
        assert!(!claim.ip.is_unspecified() && !claim.ip.is_multicast());
    }
}

pub fn auth_challenge(data: &[u8]) {
    let challenges = auth::challenges(data.split(|b| *b == b'\n'));
    let _ = auth::schemes(&challenges);
    challenges.iter().filter_map(auth::Challenge::realm).for_each(|realm| is_clean(&realm));
    if let Some(challenge) = auth::choose(&challenges) {
        let credential = camscan::model::Credential::new("user", "password");
        let mut login = auth::login::Login::new(challenge.clone(), credential, 7);
        let header = login.authorization("DESCRIBE", "rtsp://192.0.2.9/", b"");
        assert!(!header.contains(&b'\r') && !header.contains(&b'\n'), "a header that ends itself");
        let _ = login.renewed(&challenges, 8);
    }
    if let Some(sign) = auth::lock::lock_sign(data) {
        is_clean(&sign.sentence());
    }
}

pub fn beacon_answer(data: &[u8]) {
    if let Some((maker, device)) = beacon::read(data) {
        let _ = device.facts(maker, SENDER);
    }
    for maker in beacon::MAKERS {
        if let Some(device) = (maker.read)(data) {
            let _ = device.facts(maker, SENDER);
        }
    }
}

/// What any host that speaks TLS sends, in DER.
pub fn certificate(data: &[u8]) {
    let info = TlsInfo::of(Some(data));
    assert!(info.names.len() <= 16 && info.version.is_none(), "{info:?}");
}

pub fn config(data: &[u8]) {
    let environment = Environment::of(Default::default());
    let _ = file::parse(&String::from_utf8_lossy(data), Path::new("camscan.yaml"), &environment);
}

pub fn dash_manifest(data: &[u8]) {
    if let Some(base) = AnnouncedUrl::read_http("http://192.0.2.9/a/manifest.mpd") {
        let _ = dash::wire::parse(data, &base, 1_800_000_000.0);
    }
}

pub fn ffprobe_answer(data: &[u8]) {
    let _ = ffprobe::parse(data);
}

/// The first byte chooses the codec; then packets, each after its length.
pub fn frames(data: &[u8]) {
    let Some((codec, rest)) = data.split_first() else { return };
    let codecs = ["H264", "H265", "JPEG", "MP4V-ES", "VP8", "VP9", "AV1", "MPEG4-GENERIC"];
    let codec = codecs[usize::from(*codec) % codecs.len()];
    let sdp = format!("v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 {codec}/90000\r\n");
    let Some(media) = Session::parse(sdp.as_bytes()).and_then(|s| s.video().cloned()) else { return };
    let (mut order, mut meter) = (PacketOrder::new(media.payload_type), Meter::new(&media));
    for (n, part) in (0u16..).zip(parts(rest)) {
        // Half of what is tried begins as a sound packet, so that payloads are reached.
        let mut packet = Vec::new();
        if n % 2 == 0 {
            packet.extend([0x80, 96 | part[..].first().map_or(0, |b| b & 0x80)]);
            packet.extend(n.to_be_bytes());
            packet.extend((u32::from(n) * 1800).to_be_bytes());
            packet.extend([0, 0, 0, 1]);
        }
        packet.extend_from_slice(part);
        let at = Duration::from_millis(u64::from(n) * 20);
        order.push(packet.into(), at);
        while let Some(packet) = order.pop(at) {
            meter.push(&packet.bytes, packet.arrived, packet.lost);
        }
    }
    while let Some(packet) = order.pop_last() {
        meter.push(&packet.bytes, packet.arrived, packet.lost);
    }
    meter.finish();
    let _ = (meter.enough(Duration::from_secs(1)), meter.video(), meter.audio(), meter.picture(), meter.warnings());
}

const VIDEO: [VideoCodec; 7] = [
    VideoCodec::H264,
    VideoCodec::H265,
    VideoCodec::Mjpeg,
    VideoCodec::Vp8,
    VideoCodec::Vp9,
    VideoCodec::Mpeg4,
    VideoCodec::Av1,
];
const AUDIO: [AudioCodec; 6] =
    [AudioCodec::Aac, AudioCodec::Pcmu, AudioCodec::Opus, AudioCodec::G722, AudioCodec::Pcm, AudioCodec::Mp3];

fn audio_format(codec: AudioCodec, config: &[u8]) -> AudioFormat {
    AudioFormat { codec, clock_rate: 8000, channels: 1, config: config.to_vec().into() }
}

/// The payload at a place, as a packet whose first byte tells marker, loss and timestamp.
fn packet(number: u16, flags: u8, payload: &[u8]) -> Ordered {
    let mut bytes = vec![0x80, 96 | flags & 0x80];
    bytes.extend(number.to_be_bytes());
    bytes.extend(u32::from(flags & 0x0f).to_be_bytes());
    bytes.extend([0, 0, 0, 1]);
    bytes.extend_from_slice(payload);
    Ordered { bytes: bytes.into(), arrived: Duration::from_millis(number.into()), lost: u64::from(flags >> 6 & 1) }
}

/// The first byte chooses the codec; then payloads, each behind its length and a byte of flags.
pub fn assemble(data: &[u8]) {
    let Some((codec, rest)) = data.split_first() else { return };
    let codec = usize::from(*codec) % (VIDEO.len() + AUDIO.len());
    let mut assembler = match VIDEO.get(codec) {
        Some(&codec) => Assembler::video(codec, &[]),
        None => Assembler::audio(audio_format(AUDIO[codec - VIDEO.len()], &[0x14, 0x08]), AacLayout::HIGH_BIT_RATE),
    };
    let mut bytes = 0;
    for (number, part) in (0u16..).zip(parts(rest)) {
        let Some((flags, payload)) = part.split_first() else { continue };
        assembler.push(&packet(number, *flags, payload));
        while let Some(unit) = assembler.pop() {
            assert!(unit.parts.iter().any(|part| !part.is_empty()));
            assert!(!unit.key || !unit.damaged);
            bytes += unit.parts.iter().map(|part| part.len()).sum::<usize>();
            let _ = (fmp4::codec_string(&unit.format), packetize(&unit.format, &unit.parts));
        }
    }
    // Parameter sets that came, and heads of JPEGs, are put in front of what comes.
    assert!(bytes <= data.len() * (data.len() + 700), "{bytes} bytes of {}", data.len());
    let _ = (assembler.b_frames(), assembler.reorder_depth(), assembler.dropped(), assembler.is_without_idr());
}

/// The first byte chooses the codec; then parts of an access unit, every byte of which has to leave in payloads that fit.
pub fn packets(data: &[u8]) {
    let Some((codec, rest)) = data.split_first() else { return };
    let codec = VIDEO[usize::from(*codec) % VIDEO.len()];
    let mut units: Vec<bytes::Bytes> = parts(rest).into_iter().map(|part| part.to_vec().into()).collect();
    // One long enough to be cut.
    units.push(rest.repeat(usize::from(codec == VideoCodec::H264) * 20 + 1).into());
    let format = Format::Video(VideoFormat { codec, sets: Vec::new(), size: None });
    let payloads = packetize(&format, &units);
    assert!(payloads.iter().all(|payload| !payload.is_empty() && payload.len() <= MAX_PAYLOAD));
    let mut assembler = Assembler::video(codec, &[]);
    for (number, payload) in (0u16..).zip(&payloads) {
        assembler.push(&packet(number, 0, payload));
    }
    while assembler.pop().is_some() {}
}

/// Parts of the input as parameter sets, then the input as a frame; a reader of MP4 takes what comes out.
pub fn fragments(data: &[u8]) {
    let sets: Vec<bytes::Bytes> = nal::annex_b(data).take(8).map(|unit| unit.to_vec().into()).collect();
    let parts = [bytes::Bytes::copy_from_slice(data)];
    let sample = fmp4::Sample { sequence: 1, decode90: 1, shown90: 3600, duration90: 3600, key: true, parts: &parts };
    for codec in VIDEO {
        let video = VideoFormat { codec, sets: sets.clone(), size: Some((640, 480)) };
        let init = fmp4::init(Some(&video), None);
        let format = Format::Video(video);
        assert!(init.is_none() || fmp4::codec_string(&format).is_some());
        let Some(init) = init else { continue };
        let seen = mp4::look(&[init, fmp4::fragment(&format, &sample)].concat());
        assert_eq!(seen.frames(), 1);
    }
    for codec in AUDIO {
        let format = audio_format(codec, data);
        let _ = (fmp4::init(None, Some(&format)), fmp4::fragment(&Format::Audio(format), &sample));
    }
}

pub fn message_head(data: &[u8]) {
    let begins_body = |line: &[u8]| line == b"v=0";
    let whole = HeadEnd::default().find(data, begins_body);
    let (mut end, mut found) = (HeadEnd::default(), None);
    for length in (0..data.len().min(4096)).chain([data.len()]) {
        found = found.or_else(|| end.find(&data[..length], begins_body));
    }
    assert_eq!(found, whole, "the pieces a head comes in change its length");
    let (first, headers) = head::read(data);
    let mut written = first.to_vec();
    written.extend_from_slice(b"\r\n");
    for (name, value) in headers.iter() {
        is_clean(name);
        head::write_line(&mut written, name, value);
    }
    assert!(head::read(&written).1.len() <= headers.len(), "a value has become a header");
    let _ = (headers.content_length(), headers.content_type(), headers.clean("Server"));
}

pub fn hls_playlist(data: &[u8]) {
    let _ = hls::wire::parse(data);
}

pub fn http_answer(data: &[u8]) {
    use http::wire::Start;
    for ended in [false, true] {
        let Start::Head(head, length) = http::wire::parse_start(data, ended) else { continue };
        assert!(length <= data.len());
        let mut decoder = head.body("GET");
        let mut body = Vec::new();
        for chunk in data[length..].chunks(97) {
            decoder.decode(chunk, &mut body);
        }
        assert!(body.len() <= data.len());
        for encoding in ["gzip", "deflate", "identity"] {
            assert!(http::wire::unpack(body.clone(), Some(encoding), 4096).0.len() <= 4096);
        }
    }
}

pub fn icmp_message(data: &[u8]) {
    for v6 in [false, true] {
        let _ = icmp::wire::is_answer(data, v6, &Default::default());
    }
}

pub fn mdns_message(data: &[u8]) {
    if let Some(message) = mdns::wire::parse(data) {
        let _ = mdns::wire::emit(&message);
    }
}

pub fn media(data: &[u8]) {
    let _ = (h264::Sps::parse(data), h264::avcc(data), h264::is_intra_slice(data));
    let _ = (h265::Sps::parse(data), h265::Vps::parse(data), h265::hvcc(data));
    let _ = (mpeg4::Config::parse(data), mpeg4::is_key(data), mpeg4::begins(data));
    let _ = (aac::AudioConfig::parse(data), aac::AudioConfig::parse_latm(data), aac::Adts::parse(data));
    let _ = (jpeg::size(data), jpeg::end(data), jpeg::find(data), jpeg::RtpHeader::parse(data));
    let _ = (vpx::vp8(data), vpx::vp9(data), vpx::av1(data));
    let _ = (ts::look(data), mp4::look(data), rtp::Packet::parse(data).is_some());
    let units = nal::annex_b(data).count() + nal::length_prefixed(data).count();
    assert!(units <= data.len() + 1 && nal::unescape(data).len() <= data.len());
}

pub fn mjpeg_parts(data: &[u8]) {
    let mut pictures = mjpeg::wire::Pictures::default();
    for part in data.chunks(61) {
        pictures.push(part);
        while let Some(picture) = pictures.next_picture() {
            assert!(picture.starts_with(&[0xff, 0xd8]));
        }
    }
}

pub fn onvif_answer(data: &[u8]) {
    let answer = soap::read(data);
    drop(answer);
    for body in xml::read(data).roots.iter().flat_map(xml::Element::walk) {
        let _ = (onvif::utc(body), onvif::device_information(body), onvif::services(body), onvif::capabilities(body));
        let _ = (onvif::network_interfaces(body), onvif::hostname(body), onvif::profiles(body), onvif::uri(body));
    }
}

pub fn page(data: &[u8]) {
    let html = http::page::decode(data, None);
    let _ = (http::page::title(&html), http::page::refresh(&html), http::page::script_jump(&html));
    let _ = (http::page::icon(&html), http::page::asks_for_password(&html));
    assert!(http::page::links(&html, 8).len() <= 8 && http::page::manifests(&html, 8).len() <= 8);
}

pub fn report(data: &[u8]) {
    let _ = export::read::read(&String::from_utf8_lossy(data));
}

/// The input as one datagram; and what stands in interleaved frames, so that captures of RTSP are seeds.
pub fn rtcp_packets(data: &[u8]) {
    let frames = (4..data.len()).filter(|at| data[at - 4] == b'$' && rtcp::is_rtcp(&data[*at..]));
    for bytes in std::iter::once(0).chain(frames.take(16)).map(|at| &data[at..]) {
        let packets = rtcp::parse(bytes);
        assert!(packets.len() <= bytes.len() && (packets.is_empty() || bytes[0] >> 6 == 2));
        assert_eq!(rtcp::parse(&rtcp::emit(&packets)), packets, "what was read is written in another way");
    }
}

pub fn rtmp_chunks(data: &[u8]) {
    let mut reader = rtmp::wire::Reader::default();
    for part in parts(data) {
        reader.push(part);
        while let Ok(Some(message)) = reader.next_message() {
            let values = message.values();
            let _ = (rtmp::flv::metadata(&values), rtmp::flv::audio(&message.body));
            rtmp::flv::video(&message.body);
        }
    }
    rtmp::flv::video(data);
    rtmp::flv::audio(data);
    assert!(rtmp::amf::parse(data).len() <= data.len());
}

pub fn rtsp_stream(data: &[u8]) {
    use rtsp::wire::{Decoder, Next};
    let mut decoder = Decoder::default();
    for part in parts(data) {
        decoder.buffer.extend_from_slice(part);
        for _ in 0..data.len() + 2 {
            if !matches!(decoder.next(true), Next::Item(_)) {
                break;
            }
        }
    }
    let mut items = 0;
    while let Next::Item(_) = decoder.finish(true) {
        items += 1;
        assert!(items <= data.len() + 1, "items without end");
    }
}

/// The input as a head, and as the value of each header that is read closely.
pub fn rtsp_headers(data: &[u8]) {
    use rtsp::headers::RtspHeaders as _;
    let names = ["CSeq", "Public", "Session", "Transport", "RTP-Info"];
    let values: Headers = names.into_iter().map(|name| (name, data)).collect();
    for headers in [head::read(data).1, values] {
        let _ = headers.cseq();
        assert!(headers.methods().len() <= 32 && headers.rtp_info().len() <= 64);
        if let Some(session) = headers.session() {
            assert!(!session.id.is_empty() && session.id.len() <= 256, "{session:?}");
            assert!(session.timeout.is_none_or(|timeout| (1..=86_400).contains(&timeout.as_secs())), "{session:?}");
        }
        let Some(transport) = headers.transport() else { continue };
        transport.source.iter().for_each(|source| is_clean(source));
        let ports = [transport.server_port, transport.client_port, transport.port];
        assert!(ports.iter().flatten().all(|(rtp, _)| *rtp != 0), "{transport:?}");
        assert!(!(transport.is_udp() && transport.tcp));
    }
}

pub fn sdp(data: &[u8]) {
    let Some(session) = Session::parse(data) else { return };
    session.warnings.iter().for_each(|warning| is_clean(warning));
    let _ = (session.video().map(Meter::new).is_some(), session.audio().is_some(), session.has_back_channel());
}

pub fn signatures(data: &[u8]) {
    let _ = Signatures::count(Path::new("signatures.yaml"), &String::from_utf8_lossy(data));
    for field in [Field::HttpBody, Field::Realm, Field::SdpSession, Field::HttpServer] {
        for evidence in Signatures::builtin().evidence(field, &String::from_utf8_lossy(data)) {
            is_clean(&evidence.value);
        }
    }
}

pub fn ssdp_answer(data: &[u8]) {
    if let Some(answer) = ssdp::wire::parse(data) {
        let _ = (answer.facts(SENDER), answer.udn().map(ssdp::wire::mac_of_udn), answer.serial().is_some());
    }
    if let Some(location) = AnnouncedUrl::read_http("http://192.0.2.9/d.xml")
        && let Some(description) = ssdp::description::parse(data, &location)
    {
        let _ = (description.facts(SENDER), description.mac());
    }
}

/// What a player posts by WHEP.
#[cfg(feature = "serve")]
pub fn live_offer(data: &[u8]) {
    if let Some(answer) = camscan::live::engine::hostile::offer(&String::from_utf8_lossy(data)) {
        assert!(answer.starts_with("v=0") && answer.contains("m=video"), "an answer without a picture: {answer}");
    }
}

/// What strangers send to the port of live view: nobody knows the name of the session that is expected there.
#[cfg(feature = "serve")]
pub fn live_port(data: &[u8]) {
    assert_eq!(camscan::live::engine::hostile::datagrams(std::iter::once(data).chain(parts(data))), 0);
}

pub fn stun_answer(data: &[u8]) {
    let transaction = data.get(8..20).and_then(|t| t.try_into().ok()).unwrap_or_default();
    for method in [stun::wire::Method::Binding, stun::wire::Method::Allocate, stun::wire::Method::Release] {
        let _ = stun::wire::parse(data, method, &transaction);
    }
}

pub fn syn_frame(data: &[u8]) {
    if let Some(answer) = syn::parse(data) {
        assert!(data.len() >= 54, "shorter than its headers: {answer:?}");
    }
}

pub fn targets(data: &[u8]) {
    let written = String::from_utf8_lossy(data);
    if let Ok(target) = written.parse::<TargetSpec>() {
        assert_eq!(target.to_string().parse::<TargetSpec>().ok(), Some(target), "{written:?}");
    }
    let _ = (written.parse::<ProbeTarget>().is_ok(), AnnouncedUrl::read_http(&written));
    for scheme in [Scheme::Rtsp, Scheme::Http] {
        let Some(announced) = AnnouncedUrl::read_lenient(&written, scheme) else { continue };
        is_clean(&announced.shown());
        let at_host = announced.url.at(SENDER);
        let again = AnnouncedUrl::read_lenient(&at_host, scheme).map(|again| again.url);
        assert_eq!(again.as_ref(), Some(&announced.url), "{at_host:?}");
        is_clean(&announced.url.join_control(Some(&written)).shown(SENDER));
        let _ = (announced.join_rfc3986(&written), announced.url.join_control_rfc3986(Some(&written)));
        let asked = RtspUrl::at(SENDER, announced.url);
        let _ = (asked.base(Some(&written), None), asked.redirect(&written, "camera"));
    }
}

pub fn cleaned(data: &[u8]) {
    let cleaned = text::clean_bytes(data);
    is_clean(&cleaned);
    assert!(cleaned.chars().count() <= text::MAX_CHARS + 1);
    assert_eq!(text::clean(&cleaned), cleaned);
    let raw = String::from_utf8_lossy(data);
    let _ = (text::redact_url(&raw), text::redact_urls(&raw), text::strip_userinfo(&raw));
    let password = "tiefer Brunnen/7";
    let logins = [
        Login { user: "viewer", password, digests: Vec::new() },
        Login { user: "u", password: "1", digests: Vec::new() },
    ];
    let redactor = Redactor::new(logins, CommonWords::default());
    let shown = redactor.redact(&raw);
    assert!(!shown.to_lowercase().contains("tiefer brunnen/7"));
    let both = format!("{raw}{password}{raw}");
    assert!(!redactor.redact(&both).contains(password));
}

pub fn recorder_list(data: &[u8]) {
    let channels = [recorder::wire::hikvision_channels(data), recorder::wire::dahua_channels(data)]
        .into_iter()
        .flatten()
        .flatten();
    for channel in channels.chain(recorder::wire::hikvision_states(data)) {
        assert!(channel.number > 0);
        [channel.name, channel.serial, channel.model].iter().flatten().for_each(|text| is_clean(text));
    }
    recorder::wire::dahua_titles(data).values().for_each(|title| is_clean(title));
    let _ = recorder::wire::dahua_states(data);
}

pub fn media_server_list(data: &[u8]) {
    use media_server::names;
    let readers = [
        names::go2rtc,
        names::mediamtx,
        names::srs,
        names::nginx_rtmp,
        names::frigate_profile,
        names::frigate_stats,
        names::janus_streams,
    ];
    readers.iter().filter_map(|read| read(data)).flatten().for_each(|name| is_clean(&name));
    let _ = (names::janus_info(data), names::janus_created(data));
}

pub fn srt_answer(data: &[u8]) {
    let _ = srt::wire::is_answer(data, 7);
}

pub fn webrtc_answer(data: &[u8]) {
    let _ = webrtc::wire::answer(data);
}

pub fn wsdd_answer(data: &[u8]) {
    for found in wsdd::facts::of_sender(wsdd::wire::parse(data), SENDER) {
        let _ = (wsdd::facts::of_match(&found, SENDER), found.uuid(), found.sort(), found.scopes().count());
    }
}

pub fn xml_document(data: &[u8]) {
    fn depth(element: &xml::Element) -> usize {
        1 + element.children.iter().map(depth).max().unwrap_or(0)
    }
    let document = xml::read(data);
    let deepest = document.roots.iter().map(depth).max().unwrap_or(0);
    assert!(deepest <= xml::MAX_DEPTH + 1, "{deepest}");
    let _ = xml::escape(&String::from_utf8_lossy(data));
}

/// A kit of a stranger, and what a client says to a replay.
pub fn replay_kit(bytes: &[u8]) {
    if let Ok(read) = kit::format::read(bytes) {
        let _ = kit::format::write(&read);
    }
    let _ = kit::conversation::next(bytes);
}

/// What a device answers whose login the scanner had, with the login wherever the input has a byte 0xff: the kit holds it in none
/// of its writings.
pub fn recording(data: &[u8]) {
    const PASSWORD: &str = "tiefer Brunnen/7";
    const MOST: usize = 64 << 10;
    let Some((how, rest)) = data.split_first() else { return };
    let writings = [
        PASSWORD.to_owned(),
        PASSWORD.to_uppercase(),
        "tiefer%20Brunnen%2F7".to_owned(),
        "dGllZmVyIEJydW5uZW4vNw".to_owned(),
        "746965666572204272756e6e656e2f37".to_owned(),
    ];
    let writing = &writings[usize::from(*how) % writings.len()];
    let mut answer: Vec<u8> = Vec::new();
    for byte in rest {
        // With the login in many places it is no longer than an input is.
        match byte {
            _ if answer.len() >= MOST => break,
            0xff => answer.extend_from_slice(writing.as_bytes()),
            byte => answer.push(*byte),
        }
    }
    let asked = [(80, "GET / HTTP/1.1\r\n\r\n"), (554, "DESCRIBE rtsp://192.0.2.9/ RTSP/1.0\r\nCSeq: 1\r\n\r\n")];
    let connections = asked.map(|(port, request)| {
        let said = [(Side::Scanner, request.as_bytes()), (Side::Device, answer.as_slice())];
        let part = |(from, bytes): (Side, &[u8])| Part { at: Duration::ZERO, from, bytes: bytes.to_vec() };
        let parts = said.map(part).to_vec();
        let (to, outcome) = ((SENDER, port).into(), Outcome::Open);
        Connected { to, outcome, parts, opened: Duration::ZERO, closed: None, tls: None }
    });
    let recording = Recording { connections: connections.to_vec(), ..Recording::default() };
    let logins = vec![("viewer".to_owned(), PASSWORD.to_owned())];
    let (kit, _) = kit::make(&recording, &Known { logins, ..Known::of(SENDER) }, 0);
    let answers = kit.tcp.iter().flat_map(|port| &port.exchanges).filter_map(|exchange| exchange.answer.as_ref());
    for answer in answers {
        let bodies = answer.body.iter().flat_map(|piece| piece.bytes.0.iter());
        let text: Vec<u8> = answer.head.0.iter().chain(bodies).copied().collect();
        let text = String::from_utf8_lossy(&text).to_lowercase();
        assert!(!text.contains(&writing.to_lowercase()), "{writing} in {text:?}");
    }
    let written = kit::format::write(&kit).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&written).to_lowercase().contains(&writing.to_lowercase()), "{writing}");
}
