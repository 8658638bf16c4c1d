//! Makers and brands: one name for the many a maker goes by, and who sells whose devices. Data, read from YAML.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// A maker or brand.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vendor {
    /// As it stands in the report.
    pub name: String,
    #[serde(default)]
    also: Vec<String>,
    registered: Option<Vec<String>>,
    /// What else it makes.
    pub makes: Makes,
    /// The maker whose paths and protocols it shares, because it sells that maker's devices.
    pub like: Option<String>,
}

/// What a maker's MAC blocks are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Makes {
    /// Cameras and recorders, nearly alone.
    Cameras,
    /// Door stations and intercoms.
    Doors,
    /// Cameras among much else.
    Mixed,
    /// No cameras at all.
    Other,
}

struct Table {
    vendors: Vec<Vendor>,
    /// Compact name → index of the vendor.
    names: HashMap<String, usize>,
    /// How registered names begin, in words → index of the vendor; the longest first.
    registered: Vec<(String, usize)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(read().unwrap_or_default()));

fn read() -> Result<Vec<Vendor>, serde_yaml::Error> {
    serde_yaml::from_str(include_str!("data/vendors.yaml"))
}

impl Table {
    fn new(vendors: Vec<Vendor>) -> Self {
        let mut names = HashMap::new();
        let mut registered = Vec::new();
        for (index, vendor) in vendors.iter().enumerate() {
            for name in std::iter::once(&vendor.name).chain(&vendor.also) {
                names.entry(compact(&words(name))).or_insert(index);
            }
            match &vendor.registered {
                Some(starts) => registered.extend(starts.iter().map(|s| (words(s).join(" "), index))),
                None => registered.push((words(&vendor.name).join(" "), index)),
            }
        }
        registered.sort_by_key(|(start, _)| std::cmp::Reverse(start.len()));
        Table { vendors, names, registered }
    }
}

/// A name without the words that leave it open whether the maker itself or a brand sells the device.
pub fn bare(name: &str) -> &str {
    name.trim().strip_suffix(" or OEM").unwrap_or(name.trim())
}

/// The vendor a stated name means, whatever its case, punctuation, place and legal form: `HIKVISION` and `Hangzhou
/// Hikvision Digital Technology Co., Ltd.` are both Hikvision, and so is `Hikvision or OEM`.
pub fn find(name: &str) -> Option<&'static Vendor> {
    let words = words(bare(name));
    let mut rest = words.as_slice();
    if rest.first().is_some_and(|w| PLACES.contains(&w.as_str())) && find_words(rest).is_none() {
        rest = rest.get(1..).unwrap_or_default();
    }
    loop {
        if let Some(vendor) = find_words(rest) {
            return Some(vendor);
        }
        let (last, before) = rest.split_last()?;
        if !FORMS.contains(&last.as_str()) {
            return None;
        }
        rest = before;
    }
}

fn find_words(words: &[String]) -> Option<&'static Vendor> {
    TABLE.names.get(&compact(words)).and_then(|&i| TABLE.vendors.get(i))
}

/// Every name of every maker and brand.
pub(super) fn all_names() -> impl Iterator<Item = &'static str> {
    TABLE.vendors.iter().flat_map(|vendor| std::iter::once(&vendor.name).chain(&vendor.also)).map(String::as_str)
}

/// The vendor whose MAC blocks are registered under a name.
pub fn registered(organisation: &str) -> Option<&'static Vendor> {
    let name = words(organisation).join(" ");
    let begins = |start: &str| name.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    TABLE.registered.iter().find(|(start, _)| begins(start)).and_then(|&(_, i)| TABLE.vendors.get(i))
}

/// The report's name for a stated one: the vendor's if it is known, else what was stated.
pub fn unify(name: &str) -> &str {
    find(name).map_or(bare(name), |v| v.name.as_str())
}

/// The maker behind a brand, when the brand sells another's devices: Annke's is Hikvision.
pub fn maker_behind(name: &str) -> Option<&'static str> {
    find(name).and_then(|v| v.like.as_deref())
}

/// Whether a stated name is what makers leave in place of one: empty, `NONE`, `--`, `ONVIF`, `H264`, `IPC`, `Camera`, …
pub fn says_nothing(name: &str) -> bool {
    const EMPTY: [&str; 39] = [
        "",
        "none",
        "null",
        "nil",
        "na",
        "unknown",
        "default",
        "undefined",
        "onvif",
        "onvifipnc",
        "onvifnvt",
        "ipnc",
        "h264",
        "h265",
        "hevc",
        "any",
        "ipcmodel",
        "ipcbo",
        "nvt",
        "networkvideotransmitter",
        "ipc",
        "ipcamera",
        "ipcam",
        "camera",
        "networkcamera",
        "cam",
        "nvr",
        "dvr",
        "device",
        "manufacturer",
        "vendor",
        "oem",
        "brand",
        "model",
        "company",
        "test",
        "general",
        "private",
        "generic",
    ];
    EMPTY.contains(&compact(&words(name)).as_str())
}

/// The words of a name, lower-case, without punctuation.
fn words(name: &str) -> Vec<String> {
    name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
}

fn compact(words: &[String]) -> String {
    words.concat()
}

/// Where a name may begin that means the maker without it.
const PLACES: [&str; 12] = [
    "hangzhou",
    "zhejiang",
    "shenzhen",
    "shanghai",
    "beijing",
    "guangzhou",
    "xiamen",
    "jinan",
    "tianjin",
    "zhuhai",
    "suzhou",
    "the",
];

/// What may follow a maker's name without changing which maker is meant.
const FORMS: [&str; 57] = [
    "co",
    "ltd",
    "inc",
    "incorporated",
    "corp",
    "corporation",
    "company",
    "limited",
    "llc",
    "gmbh",
    "kg",
    "ag",
    "ab",
    "sa",
    "as",
    "spa",
    "srl",
    "bv",
    "nv",
    "plc",
    "pty",
    "s",
    "a",
    "technology",
    "technologies",
    "tech",
    "technologyco",
    "digital",
    "electronics",
    "electronic",
    "electric",
    "systems",
    "system",
    "networks",
    "network",
    "communications",
    "communication",
    "security",
    "international",
    "group",
    "industries",
    "usa",
    "us",
    "china",
    "india",
    "europe",
    "solutions",
    "surveillance",
    "cctv",
    "video",
    "labs",
    "innovation",
    "software",
    "vision",
    "camera",
    "cameras",
    "ip",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_data_reads_and_no_name_stands_twice() {
        let vendors = read().unwrap();
        let mut seen = HashSet::new();
        for vendor in &vendors {
            for name in std::iter::once(&vendor.name).chain(&vendor.also) {
                let key = compact(&words(name));
                assert!(seen.insert(key.clone()) || vendor.name != *name, "{name} ({key}) stands twice");
            }
            if let Some(like) = &vendor.like {
                let maker = vendors.iter().find(|v| v.name == *like);
                assert!(maker.is_some(), "{} is like {like}, which is not there", vendor.name);
            }
        }
    }

    #[test]
    fn one_maker_has_many_names() {
        for (stated, meant) in [
            ("HIKVISION", "Hikvision"),
            ("Hikvision Digital Technology", "Hikvision"),
            ("Hangzhou Hikvision Digital Technology Co., Ltd.", "Hikvision"),
            ("海康", "Hikvision"),
            ("AXIS", "Axis"),
            ("Axis Communications AB", "Axis"),
            ("D-Link Corporation", "D-Link"),
            ("dlink", "D-Link"),
            ("TP-LINK TECHNOLOGIES CO.,LTD.", "TP-Link"),
            ("Milesight Technology Co.,Ltd.", "Milesight"),
            ("Hanwha Techwin", "Hanwha"),
            ("Samsung Techwin", "Hanwha"),
            ("REOLINK", "Reolink"),
            ("Bosch Security Systems", "Bosch"),
            ("i-PRO Co., Ltd.", "i-PRO"),
            ("CPPLUS", "CP Plus"),
            ("Zhejiang Dahua Technology Co., Ltd.", "Dahua"),
        ] {
            assert_eq!(find(stated).map(|v| v.name.as_str()), Some(meant), "{stated}");
        }
        for stated in ["", "Interactive", "ACME", "Axis of Evil", "Sony Ericsson Mobile", "---"] {
            assert_eq!(find(stated), None, "{stated}");
        }
        assert_eq!(unify(" ACME "), "ACME");
        assert_eq!(maker_behind("ANNKE"), Some("Hikvision"));
        assert_eq!(maker_behind("Hikvision"), None);
    }

    #[test]
    fn a_registered_name_must_begin_like_the_maker() {
        for (organisation, meant) in [
            ("Hangzhou Hikvision Digital Technology Co.,Ltd.", Some("Hikvision")),
            ("Hangzhou Ezviz Software Co.,Ltd.", Some("EZVIZ")),
            ("ZHEJIANG DAHUA TECHNOLOGYCO.,LTD", Some("Dahua")),
            ("Shanghai Dahua Scale Factory", None),
            ("Axis Communications AB", Some("Axis")),
            ("Axis Corporation", None),
            ("PELCOMBE GROUP LTD.", None),
            ("Basler Electric Company", None),
            ("TP-LINK TECHNOLOGIES CO.,LTD.", Some("TP-Link")),
            ("SHENZHEN TVT", None),
            ("TVT CO., LTD", Some("TVT")),
        ] {
            assert_eq!(registered(organisation).map(|v| v.name.as_str()), meant, "{organisation}");
        }
    }

    #[test]
    fn place_holders_say_nothing() {
        for name in ["", "NONE", "--", "ONVIF", "H264", "ONVIF_IPNC", "IP Camera", "Unknown", "  "] {
            assert!(says_nothing(name), "{name:?}");
        }
        for name in ["AXIS", "SUNBA", "海康", "OnvifTech"] {
            assert!(!says_nothing(name), "{name}");
        }
    }
}
