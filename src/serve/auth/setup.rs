//! The one-time code by which the first account is made. Whoever can read the terminal, or a file of the store's owner, has a
//! right to it; whoever merely comes first has not.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::random;
use crate::model::problem::Problem;

/// The code, while there is no account.
#[derive(Debug, Default)]
pub struct SetupCode {
    code: Mutex<Option<String>>,
    file: PathBuf,
}

impl SetupCode {
    /// A code, and a file beside the store that holds it, readable by its owner alone.
    ///
    /// # Errors
    /// When the file cannot be written, or the system gives no random numbers.
    pub fn make(store: &Path) -> Result<SetupCode, Problem> {
        let file = file_of(store);
        let digits = random::digits::<12>().map_err(|error| Problem::new(error.to_string()))?;
        let code = group(&digits);
        let _ = std::fs::remove_file(&file);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&file).and_then(|mut file| writeln!(file, "{code}"));
        written.map_err(|error| {
            Problem::new(format!("the set-up code cannot be written to {}: {error}", file.display()))
        })?;
        Ok(SetupCode { code: Mutex::new(Some(code)), file })
    }

    /// Removes the file of an earlier run: there is an account now.
    pub fn remove_old(store: &Path) {
        let _ = std::fs::remove_file(file_of(store));
    }

    /// The code, as it is shown.
    pub fn shown(&self) -> Option<String> {
        self.code.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The file that holds it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether it is the code; case, blanks and dashes do not matter.
    pub fn fits(&self, written: &str) -> bool {
        let plain =
            |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        self.shown().is_some_and(|code| random::hash(&plain(&code)) == random::hash(&plain(written)))
    }

    /// There is an account now: the code is worth nothing.
    pub fn spend(&self) {
        let code = self.code.lock().unwrap_or_else(PoisonError::into_inner).take();
        if code.is_some() {
            let _ = std::fs::remove_file(&self.file);
        }
    }
}

fn file_of(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".setup-code");
    PathBuf::from(name)
}

/// `abcd-efgh-jkmn`.
fn group(digits: &str) -> String {
    let digits: Vec<char> = digits.chars().collect();
    digits.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_worth_something_once() {
        let place = tempfile::tempdir().unwrap();
        let store = place.path().join("store.sqlite");
        let code = SetupCode::make(&store).unwrap();
        let shown = code.shown().unwrap();
        assert_eq!(std::fs::read_to_string(code.file()).unwrap(), format!("{shown}\n"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(code.file()).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(code.fits(&shown) && code.fits(&format!(" {} ", shown.to_uppercase().replace('-', " "))));
        assert!(!code.fits("") && !code.fits("0000-0000-0000") && !SetupCode::default().fits(""));
        code.spend();
        assert!(!code.fits(&shown) && !code.file().exists());
    }
}
