//! `camscan completions`: what a shell needs to complete command lines.

use std::io::{self, Write};

use clap_complete::Shell;

use crate::cli::args;

/// Prints the completions for `shell`.
///
/// # Errors
/// Those of `out`.
pub fn run(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    // The generators panic when they cannot write, so they write to memory.
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "camscan", &mut bytes);
    out.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn every_shell_learns_commands_and_flags() {
        for shell in Shell::value_variants() {
            let mut bytes = Vec::new();
            run(*shell, &mut bytes).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            for word in ["probe", "max-login-failures"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
    }
}
