//! What surrounds the program: variables, terminals, places. Read once; everything else is handed it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::model::problem::Problem;

/// What surrounds the program.
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Names of variables whose values are no text.
    unreadable: BTreeSet<String>,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Where a configuration file is looked for when none is named; the first that is there is taken.
    pub config_places: Vec<PathBuf>,
    stdin: Mutex<Box<dyn Read + Send>>,
}

impl Environment {
    /// The real one.
    pub fn read() -> Environment {
        let mut environment = Environment::of_system(std::env::vars_os());
        environment.stdout_is_terminal = io::stdout().is_terminal();
        environment.stderr_is_terminal = io::stderr().is_terminal();
        environment.config_places = environment.usual_places();
        environment
    }

    /// One with variables as the system holds them: any bytes.
    fn of_system(variables: impl Iterator<Item = (OsString, OsString)>) -> Environment {
        let mut environment = Environment::of(BTreeMap::new());
        for (name, value) in variables {
            let name = name.to_string_lossy().into_owned();
            match value.into_string() {
                Ok(value) => drop(environment.variables.insert(name, value)),
                Err(value) => {
                    environment.variables.insert(name.clone(), value.to_string_lossy().into_owned());
                    environment.unreadable.insert(name);
                }
            }
        }
        environment
    }

    /// One with these variables, without terminals and without a configuration file; standard input is the real one.
    pub fn of(variables: BTreeMap<String, String>) -> Environment {
        Environment {
            variables,
            unreadable: BTreeSet::new(),
            stdout_is_terminal: false,
            stderr_is_terminal: false,
            config_places: Vec::new(),
            stdin: Mutex::new(Box::new(io::stdin())),
        }
    }

    /// The same with a standard input of its own.
    #[must_use]
    pub fn with_stdin(mut self, stdin: impl Read + Send + 'static) -> Environment {
        self.stdin = Mutex::new(Box::new(stdin));
        self
    }

    /// `./camscan.yaml`, then the user's (XDG Base Directory Specification), then the system's.
    fn usual_places(&self) -> Vec<PathBuf> {
        let user = match self.get("XDG_CONFIG_HOME").filter(|folder| folder.starts_with('/')) {
            Some(folder) => Some(PathBuf::from(folder)),
            None => self.get("HOME").map(|home| PathBuf::from(home).join(".config")),
        };
        let user = user.map(|folder| folder.join("camscan/config.yaml"));
        [Some("camscan.yaml".into()), user, Some("/etc/camscan/config.yaml".into())].into_iter().flatten().collect()
    }

    /// Where the store is when no file is named: the folder a service is given (systemd.exec(5)), else the user's for data
    /// (XDG Base Directory Specification).
    pub fn store_place(&self) -> Option<PathBuf> {
        if let Some(folders) = self.get("STATE_DIRECTORY") {
            return folders.split(':').next().map(|folder| PathBuf::from(folder).join("store.sqlite"));
        }
        let data = match self.get("XDG_DATA_HOME").filter(|folder| folder.starts_with('/')) {
            Some(folder) => Some(PathBuf::from(folder)),
            None => self.get("HOME").map(|home| PathBuf::from(home).join(".local/share")),
        };
        data.map(|folder| folder.join("camscan/store.sqlite"))
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// As [`Environment::get`], for a variable whose bytes matter: with others in their place, a password is another one, and
    /// trying it may lock the device.
    ///
    /// # Errors
    /// When it is no text (UTF-8). The value is not shown.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.unreadable.contains(name) {
            true => Err(Problem::new(format!("the variable {name} is not valid UTF-8"))
                .hint("write it in UTF-8, as terminals and editors do, or put it into a file")),
            false => Ok(self.get(name)),
        }
    }

    /// Refuses variables of camscan's own whose values are no text.
    ///
    /// # Errors
    /// Names the first one; its value is not shown.
    pub fn check(&self) -> Result<(), Problem> {
        let first = self.unreadable.iter().find(|name| name.starts_with("CAMSCAN_"));
        first.map_or(Ok(()), |name| self.text(name).map(drop))
    }

    /// At most `cap` bytes of standard input.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn stdin(&self, cap: u64) -> io::Result<Vec<u8>> {
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        stdin.by_ref().take(cap).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The names of the variables that begin with `CAMSCAN_`.
    pub fn own_names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str).filter(|name| name.starts_with("CAMSCAN_"))
    }

    /// Whether colours are unwanted on any stream: NO_COLOR (no-color.org) or a terminal that knows none.
    pub fn is_colourless(&self) -> bool {
        self.get("NO_COLOR").is_some() || self.get("TERM") == Some("dumb")
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt as _;

    #[test]
    fn bytes_that_are_no_text_are_refused_without_being_shown() {
        let variable = |name: &str, value: &[u8]| (OsString::from(name), OsString::from_vec(value.to_vec()));
        let said = |name: &str| {
            let variables = [variable(name, b"viewer:p\xe4ss"), variable("CAMSCAN_RATE", b"100")];
            Environment::of_system(variables.into_iter())
        };
        for name in ["CAMSCAN_CREDENTIAL", "CAMSCAN_CREDENTIALS", "CAMSCAN_TARGETS", "CAMSCAN_LOG", "CAMSCAN_CONFIG"] {
            let problem = said(name).check().unwrap_err().to_string();
            assert!(problem.contains(name) && !problem.contains("viewer") && !problem.contains("ss)"), "{problem}");
        }
        // Those of others are none of our business until a configuration names them.
        let other = said("CAMERA_PASSWORD");
        assert_eq!((other.check(), other.text("CAMSCAN_RATE")), (Ok(()), Ok(Some("100"))));
        assert!(other.text("CAMERA_PASSWORD").is_err());
    }
}
