//! Secrets that somebody types: asked for on the terminal, and not shown.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::model::Secret;

/// Asks for a secret. None where standard input is no terminal.
///
/// # Errors
/// When the terminal cannot be read, or kept from showing it.
pub fn secret(prompt: &str) -> io::Result<Option<Secret>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Ok(None);
    }
    let mut stderr = io::stderr();
    write!(stderr, "{prompt}")?;
    stderr.flush()?;
    let line = unseen(|| {
        let mut line = String::new();
        stdin.lock().read_line(&mut line).map(|_| line)
    });
    writeln!(stderr)?;
    Ok(Some(Secret::new(line?.trim_end_matches(['\r', '\n']))))
}

/// Reads while the terminal shows nothing of what is typed.
#[cfg(unix)]
fn unseen<T>(read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut unseen = before.clone();
    unseen.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &unseen)?;
    let done = read();
    tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    done
}

#[cfg(not(unix))]
fn unseen<T>(read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    read()
}
