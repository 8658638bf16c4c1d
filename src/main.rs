//! The `camscan` program: parse, settle, do, exit.

use std::process::ExitCode;

use camscan::cli::args;
use camscan::cli::config::environment::Environment;
use camscan::cli::exit;
use camscan::command;

fn main() -> ExitCode {
    command::prepare();
    let environment = Environment::read();
    match args::parse(std::env::args_os()) {
        Ok(cli) => command::run(&cli, &environment).into(),
        Err(error) => exit::of_clap(&error).into(),
    }
}
