//! Passwords: Argon2id (RFC 9106) with 19 MiB, 2 passes and 1 lane, as OWASP's Password Storage Cheat Sheet has it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::guessable;
use super::random::{self, NoRandom};
use crate::model::Secret;
use crate::serve::problem::Problem;

/// Characters of a password, at least.
pub const SHORTEST: usize = 10;
/// Parts of a password, at least: characters, of which a common word or a row of keys is worth one.
const FEWEST_PARTS: usize = 6;
/// Bytes of a password, at most.
pub const LONGEST: usize = 256;
/// Passwords that are worked on at once: each takes 19 MiB and a processor.
const AT_ONCE: usize = 2;
/// A request that has not got its turn after this is refused.
const PATIENCE: Duration = Duration::from_secs(10);
/// Memory of one password, KiB.
const MEMORY_KIB: u32 = 19 * 1024;

/// Checks passwords, two at a time.
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// Stands in for the password of an account that there is not, so that the answer takes as long.
    decoy: Arc<OnceLock<String>>,
}

impl Default for Passwords {
    fn default() -> Self {
        Passwords { turns: Arc::new(Semaphore::new(AT_ONCE)), decoy: Arc::default() }
    }
}

/// Why a password cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// It can be guessed.
    #[error("the password needs {SHORTEST} characters or more")]
    Short,
    /// To check it would take long.
    #[error("the password is longer than {LONGEST} bytes")]
    Long,
    /// It is the account's name with a little added.
    #[error("the password is little more than the name")]
    Name,
    /// It is made of little more than common words, rows of keys, repetitions and years.
    #[error(
        "the password is among those that are guessed first; take several words that have nothing to do with each other"
    )]
    Guessable,
}

/// Whether a password can be set for the account of that name.
///
/// # Errors
/// See [`BadPassword`].
pub fn check_new(password: &Secret, name: &str) -> Result<(), BadPassword> {
    let text = password.expose();
    if text.chars().count() < SHORTEST {
        return Err(BadPassword::Short);
    }
    if text.len() > LONGEST {
        return Err(BadPassword::Long);
    }
    if text.to_lowercase().contains(&name.to_lowercase()) && !name.is_empty() && text.len() < name.len() + SHORTEST {
        return Err(BadPassword::Name);
    }
    if guessable::parts(text, &[name]) < FEWEST_PARTS {
        return Err(BadPassword::Guessable);
    }
    Ok(())
}

fn argon2() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, 2, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// A password as it is kept. Takes a processor for a twentieth of a second.
///
/// # Errors
/// When the system gives no random numbers, or no memory.
pub fn hash_now(password: &Secret) -> Result<String, NoRandom> {
    let salt = random::bytes::<16>()?;
    let argon2 = argon2().ok_or(NoRandom)?;
    let hash = argon2.hash_password_with_salt(password.expose().as_bytes(), &salt).map_err(|_| NoRandom)?;
    Ok(hash.to_string())
}

fn fits(password: &Secret, hash: &str) -> bool {
    // A longer one was never set, and must not take longer either.
    let text: &str = if password.expose().len() > LONGEST { "" } else { password.expose() };
    argon2().is_some_and(|argon2| argon2.verify_password(text.as_bytes(), hash).is_ok())
}

impl Passwords {
    /// A password as it is kept.
    ///
    /// # Errors
    /// When too many wait, or the system gives no random numbers.
    pub async fn hash(&self, password: Secret) -> Result<String, Problem> {
        self.turn(move || hash_now(&password)).await?.map_err(Problem::from)
    }

    /// Whether it is the password of this hash. Without one it takes as long, and it never is.
    ///
    /// # Errors
    /// When too many wait.
    pub async fn verify(&self, password: Secret, hash: Option<String>) -> Result<bool, Problem> {
        let decoy = self.decoy.clone();
        self.turn(move || match hash {
            Some(hash) => fits(&password, &hash),
            None => {
                let hash = decoy.get_or_init(|| hash_now(&Secret::new("nobody")).unwrap_or_default());
                let _ = fits(&password, hash);
                false
            }
        })
        .await
    }

    /// Has the stand-in ready, so that the first wrong name takes no longer than others.
    pub async fn warm(&self) {
        let _ = self.verify(Secret::new(""), None).await;
    }

    async fn turn<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Result<R, Problem> {
        let turn = tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Problem::busy("too many logins are being checked")) };
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|_| Problem::internal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_itself_alone() {
        let passwords = Passwords::default();
        let hash = passwords.hash(Secret::new("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hash_now(&Secret::new("correct horse")).unwrap(), "salted");
        let verify = async |password: &str, hash: Option<&str>| {
            passwords.verify(Secret::new(password), hash.map(str::to_owned)).await.unwrap()
        };
        assert!(verify("correct horse", Some(&hash)).await);
        assert!(!verify("correct Horse", Some(&hash)).await);
        assert!(!verify("nobody", None).await);
        assert!(!verify("x", Some("not a hash")).await);
    }

    #[test]
    fn short_ones_are_refused() {
        let check = |password: &str| check_new(&Secret::new(password), "anna");
        assert!(check("correct horse").is_ok() && check("длинный пароль").is_ok());
        assert!(check("short").is_err() && check(&"x".repeat(300)).is_err());
        assert!(check("annaanna12").is_err() && check("aaaaaaaaaaaa").is_err());
    }

    #[test]
    fn those_that_are_guessed_first_are_refused() {
        for password in ["1234567890", "qwertyuiop", "password123", "camscan1234", "aaaaaaaaab", "P@ssw0rd2024!"] {
            assert_eq!(check_new(&Secret::new(password), "anna"), Err(BadPassword::Guessable), "{password}");
        }
    }
}
