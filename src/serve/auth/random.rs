//! Secrets that nobody can guess, and how they are kept: as SHA-256 alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

use crate::store::accounts::SecretHash;

/// The system has no random numbers to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandom;

/// Random bytes of the system.
///
/// # Errors
/// When it gives none.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// A secret of 256 bits, as it stands in a cookie or a token.
///
/// # Errors
/// When the system gives no random numbers.
pub fn secret() -> Result<String, NoRandom> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}

/// So many digits of 5 bits each that nobody mistakes for others, read aloud or copied by hand.
///
/// # Errors
/// When the system gives no random numbers.
pub fn digits<const N: usize>() -> Result<String, NoRandom> {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let digit = |byte: u8| char::from(DIGITS.get(usize::from(byte & 31)).copied().unwrap_or(b'0'));
    Ok(bytes::<N>()?.into_iter().map(digit).collect())
}

/// What is kept of a secret.
pub fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}
