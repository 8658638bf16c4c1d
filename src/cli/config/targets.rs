//! Targets and excludes: files and standard input are read.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use ipnetwork::{IpNetwork, Ipv4Network};

use crate::model::TargetSpec;

use super::environment::Environment;
use crate::model::problem::Problem;
use crate::tool::read;

/// The most bytes read from a list of targets.
const LIST_CAP: u64 = 4 << 20;

/// One word of a list of targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetWord {
    /// A target itself.
    Spec(TargetSpec),
    /// `@FILE`: a file with one target a line.
    File(PathBuf),
    /// `-`: standard input, one target a line.
    Stdin,
}

impl TargetWord {
    /// Reads a word.
    ///
    /// # Errors
    /// When it is no target.
    pub fn read(text: &str) -> Result<TargetWord, Problem> {
        match text.strip_prefix('@') {
            Some("") => Err(Problem::new("`@` names no file").hint("write @targets.txt")),
            Some(path) => Ok(TargetWord::File(path.into())),
            None if text == "-" => Ok(TargetWord::Stdin),
            None => text.parse().map(TargetWord::Spec),
        }
    }
}

/// The targets that words stand for, each once, in their order.
///
/// # Errors
/// When a file cannot be read or holds what is no target; says file and line.
pub fn expand(words: Vec<TargetWord>, environment: &Environment) -> Result<Vec<TargetSpec>, Problem> {
    let mut specs = Vec::new();
    for word in words {
        match word {
            TargetWord::Spec(spec) => specs.push(spec),
            TargetWord::File(path) => {
                let text = read::text(&path, LIST_CAP)?;
                specs.extend(list(&text, &path.display().to_string())?);
            }
            TargetWord::Stdin => {
                let bytes = environment
                    .stdin(LIST_CAP + 1)
                    .map_err(|e| Problem::new(format!("standard input cannot be read: {e}")))?;
                let text = read::text_within(bytes, "standard input", LIST_CAP)?;
                specs.extend(list(&text, "standard input")?);
            }
        }
    }
    let mut seen = HashSet::new();
    specs.retain(|spec| seen.insert(spec.clone()));
    Ok(specs)
}

/// One target a line, or several parted by blanks or commas; `#` begins a comment.
fn list(text: &str, place: &str) -> Result<Vec<TargetSpec>, Problem> {
    let mut specs = Vec::new();
    for (i, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for word in line.split(|c: char| c == ',' || c.is_whitespace()).filter(|w| !w.is_empty()) {
            let at = |problem: Problem| problem.at(format!("{place}:{}", i + 1));
            match TargetWord::read(word).map_err(at)? {
                TargetWord::Spec(spec) => specs.push(spec),
                _ => return Err(at(Problem::new(format!("`{word}` names another list, but lists cannot be nested")))),
            }
        }
    }
    Ok(specs)
}

/// The networks that excludes cover: names and ports make no sense here.
///
/// # Errors
/// When one is a name or has a port.
pub fn excluded(specs: &[TargetSpec]) -> Result<Vec<IpNetwork>, Problem> {
    let mut networks = Vec::new();
    for spec in specs {
        match spec {
            TargetSpec::Network(network) => networks.push(*network),
            TargetSpec::Range(first, last) => networks.extend(cover(*first, *last).map(IpNetwork::from)),
            TargetSpec::Address(ip, None) => networks.push((*ip).into()),
            TargetSpec::LinkLocal(ip, _, None) => networks.push(IpAddr::V6(*ip).into()),
            TargetSpec::Address(_, Some(_)) | TargetSpec::LinkLocal(_, _, Some(_)) => {
                return Err(Problem::new(format!("`{spec}` has a port, but only whole hosts can be excluded"))
                    .hint("leave the port out"));
            }
            TargetSpec::Name(..) => {
                return Err(Problem::new(format!("`{spec}` is a host name, but only addresses can be excluded"))
                    .hint("write its address"));
            }
        }
    }
    Ok(networks)
}

/// The fewest networks that together are exactly a range.
fn cover(first: Ipv4Addr, last: Ipv4Addr) -> impl Iterator<Item = Ipv4Network> {
    let (mut next, last) = (u64::from(u32::from(first)), u64::from(u32::from(last)));
    std::iter::from_fn(move || {
        let left = (last + 1).checked_sub(next).filter(|&n| n > 0)?;
        // As large as the alignment of its first address and what is left allow.
        let bits = next.trailing_zeros().min(left.ilog2()).min(32);
        let network = Ipv4Network::new(u32::try_from(next).ok()?.into(), u8::try_from(32 - bits).ok()?).ok()?;
        next += 1 << bits;
        Some(network)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn specs(texts: &[&str]) -> Vec<TargetSpec> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn lists_come_from_files_and_standard_input() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "\u{feff}# cameras\n192.0.2.1, 192.0.2.2:8554 # hall\r\n\n192.0.2.9\n").unwrap();
        let environment = Environment::of(Default::default()).with_stdin(&b"cam1\n192.0.2.9\n"[..]);
        let words = vec![TargetWord::File(file.path().into()), TargetWord::Stdin];
        assert_eq!(
            expand(words, &environment).unwrap(),
            specs(&["192.0.2.1", "192.0.2.2:8554", "192.0.2.9", "cam1"]),
            "each once"
        );
    }

    #[test]
    fn wrong_lists_are_told_by_place() {
        let folder = tempfile::tempdir().unwrap();
        let said = |bytes: &[u8]| {
            let path = folder.path().join("list.txt");
            std::fs::write(&path, bytes).unwrap();
            let error = expand(vec![TargetWord::File(path)], &Environment::of(Default::default())).unwrap_err();
            error.to_string().replace(&format!("{}/", folder.path().display()), "").replace("\nhint: ", " / ")
        };
        let missing = folder.path().join("none.txt");
        let missing =
            expand(vec![TargetWord::File(missing)], &Environment::of(Default::default())).unwrap_err().to_string();
        insta::assert_snapshot!(said(b"192.0.2.1\n192.0.2.999"), @r#"list.txt:2: `192.0.2.999` is not an IPv4 address / write an address (192.168.1.20), a network (192.168.1.0/24), a range (192.168.1.10-20) or a host name"#);
        insta::assert_snapshot!(said(b"192.0.2.1\n\n@more.txt"), @r#"list.txt:3: `@more.txt` names another list, but lists cannot be nested"#);
        insta::assert_snapshot!(said(b"192.0.2.1\n\xff"), @r#"list.txt:2: this is not valid UTF-8"#);
        insta::assert_snapshot!(said(&vec![b'#'; 5 << 20]), @r#"list.txt is larger than 4 MiB"#);
        insta::assert_snapshot!(missing.rsplit_once("/none.txt").unwrap().1, @r#"
             cannot be read: no such file or directory
            hint: check the spelling and the folder you are in
        "#);
    }

    #[test]
    fn whole_hosts_are_excluded_by_address() {
        insta::assert_snapshot!(excluded(&specs(&["cam1"])).unwrap_err().to_string(), @r#"
            `cam1` is a host name, but only addresses can be excluded
            hint: write its address
        "#);
        insta::assert_snapshot!(excluded(&specs(&["10.0.0.1:80"])).unwrap_err().to_string(), @r#"
            `10.0.0.1:80` has a port, but only whole hosts can be excluded
            hint: leave the port out
        "#);
        let excluded = excluded(&specs(&["10.0.0.0-10.0.1.0", "fe80::/10"])).unwrap();
        let excluded: Vec<String> = excluded.iter().map(ToString::to_string).collect();
        assert_eq!(excluded, ["10.0.0.0/24", "10.0.1.0/32", "fe80::/10"]);
    }

    proptest! {
        #[test]
        fn a_cover_is_exactly_its_range(a in any::<u32>(), b in any::<u32>()) {
            let (first, last) = (a.min(b), a.max(b));
            let mut next = u64::from(first);
            for network in cover(first.into(), last.into()) {
                prop_assert_eq!(u64::from(u32::from(network.network())), next);
                next = u64::from(u32::from(network.broadcast())) + 1;
            }
            prop_assert_eq!(next, u64::from(last) + 1);
        }
    }
}
