//! Build script: packs the IEEE registry into sorted tables, so that the program carries 1.4 MB of bytes instead of a map
//! of 59,000 pointers.
//!
//! Writes into `OUT_DIR`:
//! - `oui_24.bin`, `oui_28.bin`, `oui_36.bin`: sorted rows of the prefix, left-aligned in 3, 4 or 5 bytes, and the index of
//!   a name (u16, big endian);
//! - `oui_offsets.bin`: where each name begins, u32 big endian, and after the last where it ends;
//! - `oui_names.bin`: the names, UTF-8, one after the other.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);

    let entries = || oui_data::OUI_ENTRIES.values();
    let mut names: BTreeMap<&str, u16> = entries().map(|entry| (name(entry), 0)).collect();
    let (mut offsets, mut text) = (Vec::new(), Vec::new());
    for (index, (name, slot)) in names.iter_mut().enumerate() {
        *slot = u16::try_from(index)?;
        offsets.extend(u32::try_from(text.len())?.to_be_bytes());
        text.extend(name.as_bytes());
    }
    offsets.extend(u32::try_from(text.len())?.to_be_bytes());

    for (digits, file) in [(6, "oui_24.bin"), (7, "oui_28.bin"), (9, "oui_36.bin")] {
        let mut rows = Vec::new();
        for entry in entries().filter(|entry| entry.oui().len() == digits) {
            let index = names.get(name(entry)).ok_or("every name has an index")?;
            rows.push([prefix(entry.oui())?, index.to_be_bytes().to_vec()].concat());
        }
        rows.sort_unstable();
        fs::write(out.join(file), rows.concat())?;
    }
    fs::write(out.join("oui_offsets.bin"), offsets)?;
    fs::write(out.join("oui_names.bin"), text)?;
    Ok(())
}

/// The registered name; a holder who asked not to be named has none, nor has a block that was parted further.
fn name(entry: &oui_data::OuiData) -> &'static str {
    match entry.organization().trim() {
        "Private" | "IEEE Registration Authority" => "",
        name => name,
    }
}

/// Hex digits as bytes, left-aligned.
fn prefix(digits: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits =
        digits.chars().map(|c| c.to_digit(16)).collect::<Option<Vec<u32>>>().ok_or("a prefix is hex digits")?;
    let bytes = digits.chunks(2).map(|pair| match pair {
        [high, low] => high << 4 | low,
        pair => pair.iter().sum::<u32>() << 4,
    });
    Ok(bytes.map(u8::try_from).collect::<Result<_, _>>()?)
}
