//! Whether two streams have the same parameter sets.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

/// Bytes of the digest that are kept; two streams of one report do not share them by chance.
const KEPT: usize = 8;

/// A digest of a stream's parameter sets, whatever their order: 16 hexadecimal digits. None without any.
pub fn fingerprint(sets: &[Vec<u8>]) -> Option<String> {
    let sets: BTreeSet<&[u8]> = sets.iter().map(Vec::as_slice).filter(|set| !set.is_empty()).collect();
    if sets.is_empty() {
        return None;
    }
    let mut digest = Sha256::new();
    for set in sets {
        digest.update((set.len() as u64).to_be_bytes());
        digest.update(set);
    }
    Some(digest.finalize().iter().take(KEPT).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn the_same_sets_in_any_order_are_the_same() {
        let (sps, pps) = (vec![0x67, 1, 2, 3], vec![0x68, 9]);
        let both = fingerprint(&[sps.clone(), pps.clone()]).unwrap();
        assert_eq!(both.len(), 16);
        assert_eq!(fingerprint(&[pps.clone(), sps.clone(), pps.clone()]), Some(both.clone()));
        assert_ne!(fingerprint(&[sps]), Some(both.clone()));
        assert_ne!(fingerprint(&[vec![0x67, 1, 2], vec![3, 0x68, 9]]), Some(both));
        assert_eq!(fingerprint(&[]), None);
        assert_eq!(fingerprint(&[vec![]]), None);
    }
}
