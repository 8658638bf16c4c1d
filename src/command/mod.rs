//! One file per subcommand; the only place that joins the parts.

pub mod export;
pub mod interrupt;
pub mod output;
pub mod probe;
pub mod scan;
pub mod verdict;

use crate::cli::args::{Cli, Command};
use crate::cli::environment::Environment;
use crate::cli::exit::Exit;
use crate::cli::log;
use crate::cli::settings::{Settings, TerminalSettings};
use crate::cli::ui::Ui;

/// Does what the command line asks and says how the program ends. Errors have been printed when it returns.
pub fn run(cli: &Cli, environment: &Environment) -> Exit {
    let outcome = match &cli.command {
        Command::Config(_) | Command::Schema | Command::Completions { .. } | Command::Man { .. } => {
            Err(anyhow::anyhow!("later"))
        }
        Command::Scan(_) | Command::Probe(_) | Command::Export(_) => with_settings(cli, environment),
    };
    outcome.unwrap_or_else(|error| {
        let exit = Exit::of(&error);
        if exit != Exit::Success {
            let color = environment.stderr_is_terminal && environment.get("NO_COLOR").is_none_or(str::is_empty);
            Ui::new(TerminalSettings { progress: false, quiet: false, color }).error(&error);
        }
        exit
    })
}

fn with_settings(cli: &Cli, environment: &Environment) -> anyhow::Result<Exit> {
    let settings = Settings::resolve(cli, environment)?;
    let ui = Ui::new(settings.terminal);
    log::init(&settings.log, &ui)?;
    for warning in &settings.warnings {
        ui.warning(warning);
    }
    match &cli.command {
        Command::Probe(_) => runtime()?.block_on(probe::run(&settings, &ui)),
        Command::Export(arguments) => export::run(&arguments.file, &settings),
        _ => runtime()?.block_on(scan::run(&settings, &ui)),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
