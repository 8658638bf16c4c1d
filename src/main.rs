//! The `camscan` program: parse, settle, do, exit.

use std::io::Write as _;
use std::process::ExitCode;

use camscan::cli::args;
use camscan::cli::config::environment::Environment;
use camscan::cli::exit::{self, Exit};
use camscan::command;

fn main() -> ExitCode {
    match command::prepare() {
        Ok(()) => run(),
        Err(error) => {
            // Nothing is left to do when even this cannot be printed.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            Exit::Failure.into()
        }
    }
}

/// Not a part of `main`: what is kept on the stack here is more than some stacks hold.
#[inline(never)]
fn run() -> ExitCode {
    let environment = Environment::read();
    match args::parse(std::env::args_os()) {
        Ok(cli) => command::run(&cli, &environment).into(),
        Err(error) => exit::of_clap(&error).into(),
    }
}
