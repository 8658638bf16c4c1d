//! G.711 (ITU-T G.711): logarithmic samples of 8 bits → linear ones of 16.

/// A sample of the μ-law.
pub fn mu_law(coded: u8) -> i16 {
    let coded = !coded;
    let magnitude = ((i16::from(coded & 0x0f) << 3) + 0x84) << (coded >> 4 & 7);
    if coded & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

/// A sample of the A-law.
pub fn a_law(coded: u8) -> i16 {
    let coded = coded ^ 0x55;
    let step = i16::from(coded & 0x0f) << 4;
    let magnitude = match coded >> 4 & 7 {
        0 => step + 8,
        segment => (step + 0x108) << (segment - 1),
    };
    if coded & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_both_laws() {
        assert_eq!([0x80, 0x00, 0xff, 0x7f].map(mu_law), [32_124, -32_124, 0, 0]);
        assert_eq!([0xaa, 0x2a, 0xd5, 0x55].map(a_law), [32_256, -32_256, 8, -8]);
    }

    #[test]
    fn louder_is_louder() {
        let mu: Vec<i16> = (0x80..=0xff).rev().map(mu_law).collect();
        let a: Vec<i16> = (0x80u8..=0xff).map(|code| a_law(code ^ 0x55)).collect();
        assert!(mu.is_sorted() && a.is_sorted());
    }
}
