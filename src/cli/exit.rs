//! Exit codes, which scripts rely on.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::model::problem::Problem;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: the command succeeded, also when nothing was found.
    Success,
    /// 1: the command failed.
    Failure,
    /// 2: the command line or the configuration is wrong.
    Usage,
    /// 3: a condition of `--fail-on` was met.
    Condition,
    /// 130: interrupted; what was found until then has been written.
    Interrupted,
}

impl Exit {
    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Condition => 3,
            Exit::Interrupted => 130,
        }
    }

    /// The exit code of an error: a [`Problem`] is wrong usage, a closed pipe (`| head`) is a success, anything else a
    /// failure.
    pub fn of(error: &anyhow::Error) -> Exit {
        let broken_pipe = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
        if error.chain().any(|e| e.downcast_ref().is_some_and(broken_pipe)) {
            Exit::Success
        } else if error.chain().any(|e| e.is::<Problem>()) {
            Exit::Usage
        } else {
            Exit::Failure
        }
    }
}

/// A problem that is not the usage: the command failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct JobFailed(pub Problem);

/// The problem an error is, whichever code it ends the program with.
pub fn problem_of<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Problem> {
    error.downcast_ref::<Problem>().or_else(|| error.downcast_ref::<JobFailed>().map(|failed| &failed.0))
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Prints a clap error. `--help` and `--version` are a success where they can be printed, the rest is wrong usage.
pub fn of_clap(error: &clap::Error) -> Exit {
    let printed = error.print().and_then(|()| io::stdout().flush());
    match printed {
        _ if error.use_stderr() => Exit::Usage,
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            // Nothing is left to do when even this cannot be printed.
            let _ = writeln!(io::stderr(), "error: standard output cannot be written: {error}");
            Exit::Failure
        }
        _ => Exit::Success,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn errors_end_the_program_by_their_kind() {
        let wrapped = |e: anyhow::Error| Err::<(), _>(e).context("while writing").unwrap_err();
        assert_eq!(Exit::of(&wrapped(Problem::new("no").into())), Exit::Usage);
        assert_eq!(Exit::of(&wrapped(JobFailed(Problem::new("no")).into())), Exit::Failure);
        assert_eq!(Exit::of(&wrapped(io::Error::from(io::ErrorKind::BrokenPipe).into())), Exit::Success);
        assert_eq!(Exit::of(&wrapped(io::Error::from(io::ErrorKind::NotFound).into())), Exit::Failure);
    }
}
