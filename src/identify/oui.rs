//! The maker a MAC address's prefix was assigned to.
//!
//! The IEEE registry (MA-L, MA-M, MA-S, IAB) is packed into sorted tables by the build script. A prefix is evidence, not
//! proof: many cheap cameras carry the prefix of their Wi-Fi module's maker, so that a miss never excludes a host.

use crate::identify::vendor::{self, Makes};
use crate::model::{Evidence, EvidenceSource, Fact, Kind, MacAddr};

const OUI_24: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/oui_24.bin"));
const OUI_28: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/oui_28.bin"));
const OUI_36: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/oui_36.bin"));
const OFFSETS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/oui_offsets.bin"));
const NAMES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/oui_names.bin"));

/// What a prefix of a maker of cameras alone weighs for the vendor.
const MAKER: f64 = 0.5;
/// What a prefix of a maker of many things weighs for the vendor.
const MIXED: f64 = 0.2;
/// What a prefix of a maker of cameras alone weighs for the kind.
const KIND: f64 = 0.4;

/// The registered name for the longest prefix of `mac`; none for addresses assigned locally.
pub fn organisation(mac: MacAddr) -> Option<&'static str> {
    if mac.is_local() || !mac.is_station() {
        return None;
    }
    let [a, b, c, d, e, _] = mac.0;
    let name = look_up::<5, 7>(OUI_36, [a, b, c, d, e & 0xf0])
        .or_else(|| look_up::<4, 6>(OUI_28, [a, b, c, d & 0xf0]))
        .or_else(|| look_up::<3, 5>(OUI_24, [a, b, c]))?;
    Some(name).filter(|name| !name.is_empty())
}

/// The prefix in hex as registered and the name it was assigned to, for the vendor and, where a maker makes hardly anything
/// else, for the kind.
pub fn evidence(mac: MacAddr) -> Vec<Evidence> {
    let Some((organisation, vendor)) = organisation(mac).and_then(|o| Some((o, vendor::registered(o)?))) else {
        return Vec::new();
    };
    let (weight, kind) = match vendor.makes {
        Makes::Cameras => (MAKER, Some(Kind::Camera)),
        Makes::Doors => (MAKER, Some(Kind::Intercom)),
        Makes::Mixed => (MIXED, None),
        Makes::Other => (MAKER, Some(Kind::Other)),
    };
    let evidence =
        |fact, value: &str, weight| Evidence::new(fact, value, EvidenceSource::Oui, weight).with_detail(organisation);
    let mut all = vec![evidence(Fact::Vendor, &vendor.name, weight)];
    all.extend(kind.map(|kind| evidence(Fact::Kind, kind.as_str(), KIND)));
    all
}

/// The name for a prefix of `P` bytes in a table of rows of `ROW` bytes: the prefix, then the name's index.
fn look_up<const P: usize, const ROW: usize>(table: &'static [u8], prefix: [u8; P]) -> Option<&'static str> {
    let (rows, _) = table.as_chunks::<ROW>();
    let at = rows.binary_search_by(|row| row.first_chunk::<P>().cmp(&Some(&prefix))).ok()?;
    let index = u16::from_be_bytes(*rows.get(at)?.last_chunk()?);
    let (offsets, _) = OFFSETS.as_chunks::<4>();
    let offset = |i: usize| offsets.get(i).map(|o| u32::from_be_bytes(*o) as usize);
    let index = usize::from(index);
    std::str::from_utf8(NAMES.get(offset(index)?..offset(index + 1)?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(text: &str) -> MacAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_longest_prefix_names_the_holder() {
        for (address, holder) in [
            ("00:00:00:00:00:01", Some("XEROX CORPORATION")),
            ("44:19:b6:01:02:03", Some("Hangzhou Hikvision Digital Technology Co.,Ltd.")),
            ("ac:cc:8e:01:02:03", Some("Axis Communications AB")),
            // MA-M and MA-S blocks, and the old individual blocks.
            ("b8:4c:87:40:00:00", Some("Blum Novotest GmbH")),
            ("8c:1f:64:af:a0:00", Some("DATA ELECTRONIC DEVICES, INC")),
            ("00:50:c2:3b:6f:ff", Some("Arecont Vision")),
            ("34:46:63:2a:bb:cc", Some("Amcrest Technologies")),
            // A parted block's other parts may be free: its registrar is no maker.
            ("b8:4c:87:f0:00:00", None),
            // Random and group addresses.
            ("46:19:b6:01:02:03", None),
            ("01:00:5e:00:00:01", None),
            ("ff:ff:ff:ff:ff:ff", None),
        ] {
            assert_eq!(organisation(mac(address)), holder, "{address}");
        }
    }

    #[test]
    fn the_tables_are_sorted_and_small() {
        fn sorted<const ROW: usize>(table: &[u8]) -> bool {
            let (rows, rest) = table.as_chunks::<ROW>();
            rest.is_empty() && rows.is_sorted() && rows.len() > 1000
        }
        assert!(sorted::<5>(OUI_24) && sorted::<6>(OUI_28) && sorted::<7>(OUI_36));
        assert!(OUI_24.len() + OUI_28.len() + OUI_36.len() + OFFSETS.len() + NAMES.len() < 1_500_000);
    }

    #[test]
    fn makers_of_cameras_weigh_more_than_makers_of_many_things() {
        let said =
            |address| evidence(mac(address)).into_iter().map(|e| (e.fact, e.value, e.weight)).collect::<Vec<_>>();
        assert_eq!(
            said("44:19:b6:00:00:01"),
            [(Fact::Vendor, "Hikvision".into(), 0.5), (Fact::Kind, "camera".into(), 0.4)]
        );
        assert_eq!(said("7c:1e:b3:00:00:01"), [(Fact::Vendor, "2N".into(), 0.5), (Fact::Kind, "intercom".into(), 0.4)]);
        assert_eq!(said("00:00:85:00:00:01"), [(Fact::Vendor, "Canon".into(), 0.2)]);
        assert_eq!(said("00:00:01:00:00:01"), [(Fact::Vendor, "Xerox".into(), 0.5), (Fact::Kind, "other".into(), 0.4)]);
    }

    /// The extract of camera makers' blocks, made by hand from an older registry.
    #[test]
    #[ignore = "needs the captures CAMSCAN_CAPTURES names"]
    fn known_makers_blocks_are_recognised() {
        let folder = crate::testkit::captures::folder();
        // Names the extract gives otherwise, and blocks that have changed hands or were taken for another's.
        let other = [
            ("Bosch Security", "Electro Voice"),
            ("Pelco", "PELCOMBE"),
            ("Honeywell", ""),
            ("Avigilon (Motorola Solutions)", ""),
            ("Panasonic", ""),
            ("Basler", "Basler Electric"),
            ("Sony", "Sony Video"),
            ("Hikvision", "Hangzhou Hikrobot"),
            ("Hikvision", "Hangzhou Ezviz"),
            ("Dahua", "uacheng"),
            ("JVC Kenwood", "VICTOR"),
            ("Indigo Security", ""),
        ];
        let (mut checked, mut wrong) = (0, Vec::new());
        for file in ["camera_oui.csv", "camera_oui_after_2022.csv"] {
            let text = std::fs::read_to_string(folder.join("oui").join(file)).unwrap();
            for row in csv::Reader::from_reader(text.as_bytes()).records() {
                let row = row.unwrap();
                let address = mac(&format!("{:0<12}", &row[0]));
                let holder = organisation(address).unwrap_or_default();
                if row[2] == *"vendor" || other.iter().any(|&(v, h)| row[2] == *v && holder.contains(h)) {
                    continue;
                }
                checked += 1;
                let stated = row[2].to_lowercase();
                let found = evidence(address).first().map(|e| e.value.to_lowercase());
                if !found.as_deref().is_some_and(|f| f.split([' ', '-']).any(|word| stated.contains(word))) {
                    wrong.push(format!("{} {} {holder}: {found:?}", &row[0], &row[2]));
                }
            }
        }
        assert!(checked > 500, "only {checked} rows");
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
