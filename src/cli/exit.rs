//! Exit codes: a contract with scripts.

use std::io;
use std::process::ExitCode;

use super::problem::Problem;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: the job was done, also when nothing was found.
    Success,
    /// 1: the job could not be done.
    Failure,
    /// 2: the command line or the configuration is wrong.
    Usage,
    /// 3: a condition of `--fail-on` holds.
    Condition,
    /// 130: interrupted; what was found until then has been written.
    Interrupted,
}

impl Exit {
    /// The code handed to the shell.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Condition => 3,
            Exit::Interrupted => 130,
        }
    }

    /// How an error ends the program: a [`Problem`] is a matter of usage, a reader that went away (`| head`) is none
    /// at all, anything else a failure.
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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Prints clap's answer and says how it ends the program: `--help` and `--version` are a success, the rest is usage.
pub fn of_clap(error: &clap::Error) -> Exit {
    // Nobody is left to be told when even this cannot be printed.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Success }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn errors_end_the_program_by_their_kind() {
        let wrapped = |e: anyhow::Error| Err::<(), _>(e).context("while writing").unwrap_err();
        assert_eq!(Exit::of(&wrapped(Problem::new("no").into())), Exit::Usage);
        assert_eq!(Exit::of(&wrapped(io::Error::from(io::ErrorKind::BrokenPipe).into())), Exit::Success);
        assert_eq!(Exit::of(&wrapped(io::Error::from(io::ErrorKind::NotFound).into())), Exit::Failure);
    }
}
