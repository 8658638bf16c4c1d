//! What surrounds the program: variables, terminals, places. Read once; everything else is handed it.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::keys;
use super::problem::nearest;

/// Variables that are no keys.
const FURTHER: [&str; 4] = ["CAMSCAN_CONFIG", "CAMSCAN_LOG", "CAMSCAN_CREDENTIAL", "CAMSCAN_CREDENTIALS"];

/// What surrounds the program.
pub struct Environment {
    variables: BTreeMap<String, String>,
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
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        let mut environment = Environment::of(variables);
        environment.stdout_is_terminal = io::stdout().is_terminal();
        environment.stderr_is_terminal = io::stderr().is_terminal();
        environment.config_places = environment.usual_places();
        environment
    }

    /// One with these variables, without terminals and without a configuration file; standard input is the real one.
    pub fn of(variables: BTreeMap<String, String>) -> Environment {
        Environment {
            variables,
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

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
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

    /// `CAMSCAN_` variables that set nothing and are nearly spelled like one that does, with that one.
    pub fn misspelt(&self) -> Vec<(&str, String)> {
        let known: Vec<String> = keys::ALL.iter().map(|key| key.variable()).chain(FURTHER.map(str::to_owned)).collect();
        self.variables
            .keys()
            .filter(|name| name.starts_with("CAMSCAN_") && !known.contains(name))
            .filter_map(|name| {
                let near = nearest(name.get(8..)?, known.iter().filter_map(|k| k.get(8..)))?;
                Some((name.as_str(), format!("CAMSCAN_{near}")))
            })
            .collect()
    }

    /// Whether colours are unwanted on any stream: NO_COLOR (no-color.org) or a terminal that knows none.
    pub fn is_colourless(&self) -> bool {
        self.get("NO_COLOR").is_some() || self.get("TERM") == Some("dumb")
    }
}
