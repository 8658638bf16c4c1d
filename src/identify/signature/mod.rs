//! Signatures: what a text that a device sends reveals of its maker, model and kind. Data, read from YAML.
//! A file of them may also say where a maker puts its streams.
//!
//! `data/signatures/README.md` describes the format. Texts that many makers share have no signature and say nothing.

mod entry;
mod pack;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};

use regex::{Regex, RegexSet, RegexSetBuilder};

use self::entry::{Entry, compile, read_builtin, take};
#[cfg(feature = "schema")]
pub use self::pack::Pack;
use self::pack::read;
use crate::identify::stream_url::StreamUrls;
use crate::identify::vendor;
use crate::model::problem::Hinted;
use crate::model::{Evidence, EvidenceSource, Fact};
use crate::text;

/// Where a text was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

impl Field {
    /// The source of evidence from this field.
    pub fn source(self) -> EvidenceSource {
        match self {
            Field::RtspServer | Field::RtspPublic => EvidenceSource::RtspServer,
            Field::Realm => EvidenceSource::Realm,
            Field::HttpServer => EvidenceSource::HttpServer,
            Field::HttpTitle | Field::HttpBody => EvidenceSource::HttpPage,
            Field::FaviconMd5 => EvidenceSource::Favicon,
            Field::Certificate => EvidenceSource::Certificate,
            Field::SdpSession | Field::SdpAttribute => EvidenceSource::Sdp,
            Field::SsdpServer | Field::UpnpManufacturer | Field::UpnpDeviceType => EvidenceSource::Upnp,
            Field::MdnsService => EvidenceSource::Mdns,
            Field::OnvifManufacturer => EvidenceSource::Onvif,
            Field::OnvifScope => EvidenceSource::Wsdd,
            Field::Model => EvidenceSource::Model,
            Field::Hostname => EvidenceSource::Dns,
            Field::Oui => EvidenceSource::Oui,
            Field::StreamPath => EvidenceSource::StreamPath,
            Field::MediaServer => EvidenceSource::MediaServer,
        }
    }
}

/// A set of signatures, and where the makers they name put their streams.
#[derive(Debug, Default, Clone)]
pub struct Signatures {
    fields: BTreeMap<Field, OneField>,
    /// With those of files; none: those of the program alone.
    stream_urls: Option<Arc<StreamUrls>>,
}

/// The signatures of one field: all are tried at once, then those that match are asked. Compiled when first asked, for
/// most fields of most scans never are.
#[derive(Debug, Default, Clone)]
struct OneField {
    set: OnceLock<RegexSet>,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone)]
struct Signature {
    regex: OnceLock<Option<Regex>>,
    entry: Entry,
}

/// Why a file of signatures cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {message}", file.display(), line.map(|l| format!(" line {l}")).unwrap_or_default())]
pub struct SignatureError {
    /// The file or folder.
    pub file: PathBuf,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What is expected.
    pub hint: String,
}

impl Hinted for SignatureError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(self.hint.clone().into())
    }
}

/// The most of a text that is looked at, in bytes.
const LONGEST: usize = 64 * 1024;
/// The longest value a signature may take out of a text, in characters.
const LONGEST_VALUE: usize = 64;

impl Signatures {
    /// Those that come with the program: one shared set, so that each is compiled once.
    pub fn builtin() -> Arc<Self> {
        static BUILTIN: LazyLock<Arc<Signatures>> =
            LazyLock::new(|| Arc::new(Signatures::of(read_builtin().unwrap_or_default())));
        BUILTIN.clone()
    }

    /// These and those of more files, each given by its path and its text.
    ///
    /// # Errors
    /// A file that is no list of signatures and paths, holds an unknown key or field, a bad regular expression, weight or
    /// path, or an example that does not match: with file, line and what was expected.
    pub fn with_files(&self, files: &[(PathBuf, String)]) -> Result<Self, SignatureError> {
        let mut entries: Vec<Entry> =
            self.fields.values().flat_map(|f| &f.signatures).map(|signature| signature.entry.clone()).collect();
        let mut paths = Vec::new();
        for (file, text) in files {
            let contents = read(file, text)?;
            entries.extend(contents.signatures);
            paths.extend(contents.paths);
        }
        let mut signatures = Signatures::of(entries);
        signatures.stream_urls = self.stream_urls.clone();
        if !paths.is_empty() {
            signatures.stream_urls = Some(Arc::new(self.stream_urls().with(paths)));
        }
        for field in signatures.fields.values() {
            let set = field.compile().map_err(|error| SignatureError {
                file: files.last().map(|(file, _)| file.clone()).unwrap_or_default(),
                line: None,
                message: error.to_string(),
                hint: "fewer or simpler regular expressions are expected".into(),
            })?;
            let _ = field.set.set(set);
        }
        Ok(signatures)
    }

    /// How many signatures the text of a file holds.
    ///
    /// # Errors
    /// As [`Signatures::with_files`].
    pub fn count(file: &Path, text: &str) -> Result<usize, SignatureError> {
        read(file, text).map(|contents| contents.signatures.len())
    }

    /// Where makers put their streams.
    pub fn stream_urls(&self) -> &StreamUrls {
        self.stream_urls.as_deref().unwrap_or(StreamUrls::builtin())
    }

    fn of(entries: Vec<Entry>) -> Self {
        let mut fields: BTreeMap<Field, OneField> = BTreeMap::new();
        for entry in entries {
            fields.entry(entry.field).or_default().signatures.push(Signature { regex: OnceLock::new(), entry });
        }
        Signatures { fields, stream_urls: None }
    }

    /// What `text`, read in `field`, is evidence of. Text from a device may be given as it came.
    pub fn evidence(&self, field: Field, text: &str) -> Vec<Evidence> {
        let Some(known) = self.fields.get(&field) else { return Vec::new() };
        let text = cut(text.trim());
        let mut all: Vec<Evidence> = Vec::new();
        for index in known.set().matches(text) {
            let Some(signature) = known.signatures.get(index) else { continue };
            for evidence in signature.evidence(text) {
                match all.iter_mut().find(|e| e.fact == evidence.fact && e.value == evidence.value) {
                    Some(same) => same.weight = same.weight.max(evidence.weight),
                    None => all.push(evidence),
                }
            }
        }
        all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.fields.values().map(|f| f.signatures.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl OneField {
    /// All regular expressions as one set; an empty one if they are too large together, which is checked when files are read.
    fn set(&self) -> &RegexSet {
        self.set.get_or_init(|| self.compile().unwrap_or_default())
    }

    fn compile(&self) -> Result<RegexSet, regex::Error> {
        RegexSetBuilder::new(self.signatures.iter().map(|s| &s.entry.regex))
            .case_insensitive(true)
            .size_limit(64 << 20)
            .build()
    }
}

impl Signature {
    fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| compile(&self.entry.regex).ok()).as_ref()
    }

    fn evidence(&self, text: &str) -> Vec<Evidence> {
        let entry = &self.entry;
        let source = entry.field.source();
        let captures = self.regex().and_then(|regex| regex.captures(text));
        let taken = |name: &str| captures.as_ref().and_then(|c| take(c, name));
        let facts = [
            (Fact::Vendor, entry.vendor.clone().or_else(|| taken("vendor").map(|v| vendor::unify(&v).to_owned()))),
            (Fact::Model, entry.model.clone().or_else(|| taken("model"))),
            (Fact::Firmware, taken("firmware")),
            (Fact::Serial, taken("serial")),
            (Fact::Hostname, taken("hostname")),
        ];
        let kind = entry.kind.map(|k| Evidence::new(Fact::Kind, k.as_str(), source, entry.kind_weight()));
        let matched = captures.as_ref().and_then(|c| c.get(0)).map_or("", |m| m.as_str());
        // Of a page or other long text only the match is quoted, of a header all of it.
        let read = if text.len() > LONGEST_VALUE * 2 { matched } else { text };
        let detail = format!("{}: {}", entry.field.name(), text::clean_to(read, LONGEST_VALUE * 2));
        facts
            .into_iter()
            .filter_map(|(fact, value)| Some(Evidence::new(fact, value?, source, entry.weight)))
            .chain(kind)
            .map(|evidence| evidence.with_detail(detail.clone()))
            .collect()
    }
}

impl Field {
    /// The name as it stands in a signature.
    pub fn name(self) -> String {
        serde_yaml::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::entry::BUILTIN;
    use super::pack::line_of;
    use super::*;

    fn said(field: Field, text: &str) -> Vec<(Fact, String)> {
        Signatures::builtin().evidence(field, text).into_iter().map(|e| (e.fact, e.value)).collect()
    }

    #[test]
    fn every_example_matches_and_every_counter_example_does_not() {
        let mut examples = 0;
        let mut wrong = Vec::new();
        for (name, text) in BUILTIN {
            match serde_yaml::from_str::<Vec<Entry>>(text) {
                Err(e) => wrong.push(format!("{name}: {e}")),
                Ok(entries) => {
                    for (index, entry) in entries.iter().enumerate() {
                        examples += entry.examples.len();
                        let at = line_of(text, index).unwrap_or_default();
                        if let Err((what, _)) = entry.check() {
                            wrong.push(format!("{name}:{at}: {what}"));
                        }
                        if entry.examples.is_empty() {
                            wrong.push(format!("{name}:{at}: no example"));
                        }
                        if let Some(vendor) = &entry.vendor
                            && vendor::unify(vendor) != vendor::bare(vendor)
                        {
                            wrong.push(format!("{name}:{at}: {vendor} is {}", vendor::unify(vendor)));
                        }
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(examples > 300, "{examples}");
        let total: usize = BUILTIN.iter().map(|(_, t)| serde_yaml::from_str::<Vec<Entry>>(t).unwrap().len()).sum();
        assert_eq!(Signatures::builtin().len(), total);
    }

    #[test]
    fn what_many_makers_share_says_nothing_of_the_maker() {
        for (field, text) in [
            (Field::RtspServer, "GStreamer RTSP server"),
            (Field::RtspServer, "Rtsp Server/2.0"),
            (Field::RtspServer, "LIVE555 Streaming Media v2014.02.10"),
            (Field::RtspServer, ""),
            (Field::HttpServer, "nginx"),
            (Field::HttpServer, "nginx/1.18.0"),
            (Field::HttpServer, "Boa/0.94.13"),
            (Field::HttpServer, "GoAhead-Webs"),
            (Field::HttpServer, "Webs"),
            (Field::HttpServer, "webserver"),
            (Field::HttpServer, "lighttpd"),
            (Field::HttpServer, "Apache"),
            (Field::Realm, "IP Camera"),
            (Field::Realm, "LIVE555 Streaming Media"),
            (Field::Realm, "cam"),
            (Field::Realm, "Please log in with a valid username"),
            (Field::SdpSession, "RTSP Session"),
            (Field::SdpSession, "Media Presentation"),
            (Field::SdpSession, "LIVE555 Streaming Media v2014.02.10"),
            (Field::SdpSession, "libavformat 58.25.100"),
            (Field::OnvifScope, "name/IPC"),
            (Field::OnvifScope, "location/country/china"),
            (Field::OnvifScope, "location/"),
        ] {
            assert!(said(field, text).iter().all(|(fact, _)| *fact != Fact::Vendor), "{field:?} {text:?}");
        }
    }

    #[test]
    fn what_is_taken_is_clean_and_tells_where_it_was_read() {
        let evidence = Signatures::builtin().evidence(Field::Realm, "DCS-932L\u{1b}[31m");
        let model = evidence.iter().find(|e| e.fact == Fact::Model).unwrap();
        assert_eq!((model.value.as_str(), model.source), ("DCS-932L", EvidenceSource::Realm));
        assert_eq!(model.detail.as_deref(), Some("realm: DCS-932L"));
        let page = format!("{}<a href='/doc/page/login.asp'>{}", "x".repeat(500), "y".repeat(100_000));
        let evidence = Signatures::builtin().evidence(Field::HttpBody, &page);
        assert_eq!(evidence.first().and_then(|e| e.detail.as_deref()), Some("http_body: /doc/page/login.asp"));
    }

    #[test]
    fn a_users_files_add_to_them() {
        let file = |text: &str| [(PathBuf::from("acme.yaml"), text.to_owned())];
        let acme = file(
            "- field: rtsp_server\n  regex: '^ACME/(?<firmware>\\d+)'\n  vendor: ACME\n  kind: camera\n  examples: [ACME/12]\n",
        );
        let both = Signatures::builtin().with_files(&acme).unwrap();
        assert_eq!(both.len(), Signatures::builtin().len() + 1);
        let said: Vec<_> = both.evidence(Field::RtspServer, "acme/77").into_iter().map(|e| (e.fact, e.value)).collect();
        assert_eq!(said, [(Fact::Vendor, "ACME".into()), (Fact::Firmware, "77".into()), (Fact::Kind, "camera".into())]);

        for (text, line, message) in [
            ("- field: rtsp_servr\n  regex: x\n  vendor: A\n", Some(1), "unknown variant `rtsp_servr`"),
            ("- field: realm\n  regex: x\n  vendr: A\n", Some(3), "unknown field `vendr`"),
            (
                "# a\n\n- field: realm\n  regex: a\n  vendor: A\n- field: realm\n  regex: '('\n  vendor: A\n",
                Some(6),
                "bad regular",
            ),
            ("- {field: realm, regex: x}\n", Some(1), "states nothing"),
            ("- {field: realm, regex: x, vendor: A, weight: 2}\n", Some(1), "bad weight"),
            ("- {field: realm, regex: x, vendor: A, examples: [b]}\n", Some(1), "does not match"),
            ("- {field: realm, regex: x, vendor: A, not: [x]}\n", Some(1), "matches"),
            ("- {field: realm, regex: '(?<colour>x)', vendor: A}\n", Some(1), "unknown group 'colour'"),
            ("field: realm\n", Some(1), "invalid type"),
            (&"{a: ".repeat(16 << 10), Some(1), "too deep"),
        ] {
            let error = Signatures::default().with_files(&file(text)).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert_eq!(error.line, line, "{error}");
            assert!(error.to_string().contains("acme.yaml line") && error.hint().is_some(), "{error}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        #[test]
        fn no_text_is_too_strange(text in proptest::prelude::any::<String>()) {
            for field in [Field::RtspServer, Field::Realm, Field::HttpBody, Field::Certificate, Field::Model] {
                for evidence in Signatures::builtin().evidence(field, &text) {
                    proptest::prop_assert_eq!(&text::clean(&evidence.value), &evidence.value);
                }
            }
        }
    }
}
