//! One file per subcommand; the only place that joins the parts.

pub mod apply;
pub mod completions;
pub mod config;
pub mod devices;
pub mod diff;
pub mod doctor;
pub mod export;
pub mod history;
pub mod interrupt;
#[cfg(feature = "man")]
pub mod man;
mod messages;
pub mod notify;
pub mod output;
mod plugin;
pub mod probe;
pub mod ready;
pub mod record;
pub mod remembered;
pub mod replay;
pub mod scan;
#[cfg(feature = "schema")]
pub mod schema;
#[cfg(feature = "serve")]
pub mod serve;
pub mod signatures;
mod sinks;
pub mod store;
pub mod verdict;
pub mod watch;

use std::io;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

#[cfg(feature = "serve")]
use crate::cli::args::ServeCommand;
use crate::cli::args::{Cli, Command, ConfigCommand, NotifyCommand, SignaturesCommand};
use crate::cli::config::environment::Environment;
use crate::cli::config::settings::{Settings, TerminalSettings};
use crate::cli::exit::{Exit, JobFailed};
use crate::cli::log;
use crate::cli::ui::Ui;
use crate::model::problem::{Problem, io_reason};
use crate::net::TooLittle;
use ready::{Ready, Scans};

/// What comes before anything else. It takes little stack: there may be little.
///
/// # Errors
/// Where this process may use less stack or memory than the program needs.
pub fn prepare() -> Result<(), JobFailed> {
    crate::net::outlast_limits().map_err(|too_little| {
        let (what, given, needed, hint) = match too_little {
            TooLittle::Stack { given, needed } => ("too small a stack", given, needed, "ulimit -s 8192"),
            TooLittle::Memory { given, needed } => ("too little memory", given, needed, "ulimit -v unlimited"),
        };
        let (given, needed) = (given.div_ceil(1024), needed.div_ceil(1024));
        let problem = Problem::new(format!("this process may use {what}: {given} KiB, and {needed} KiB are needed"));
        JobFailed(problem.hint(format!("raise the limit: {hint}")))
    })
}

/// Runs the command and returns how the program ends. Errors have been printed when it returns.
pub fn run(cli: &Cli, environment: &Environment) -> Exit {
    log_panics();
    let outcome = catch_unwind(AssertUnwindSafe(|| dispatch(cli, environment)));
    outcome.unwrap_or_else(|_| Err(internal_error().into())).unwrap_or_else(|error| {
        let exit = Exit::of(&error);
        if exit != Exit::Success {
            let color = is_coloured(cli, environment);
            Ui::new(TerminalSettings { progress: false, quiet: false, color }).error(&error);
        }
        exit
    })
}

/// What no guard further down has caught.
fn internal_error() -> JobFailed {
    JobFailed(Problem::new("internal error in camscan").hint("please report it with the line before this one"))
}

/// Panics go where the log goes, once there is one, and leave the progress line whole.
fn log_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if tracing::dispatcher::has_been_set() {
            tracing::error!("internal error: {}", described(panic));
        } else {
            default(panic);
        }
    }));
}

/// Where a panic happened and its message, which may hold what a device sent.
fn described(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    format!("{place}: {}", crate::text::clean(panic.payload_as_str().unwrap_or_default()))
}

/// Whether an error is coloured: it may be one that kept the settings from being read.
fn is_coloured(cli: &Cli, environment: &Environment) -> bool {
    match cli.global.color.as_deref() {
        Some(when) if when.eq_ignore_ascii_case("always") => true,
        Some(when) if when.eq_ignore_ascii_case("never") => false,
        _ => environment.stderr_is_terminal && !environment.is_colourless(),
    }
}

fn dispatch(cli: &Cli, environment: &Environment) -> anyhow::Result<Exit> {
    let out = &mut io::stdout();
    match &cli.command {
        #[cfg(feature = "schema")]
        Command::Schema { signatures } => schema::run(*signatures, out)?,
        #[cfg(not(feature = "schema"))]
        Command::Schema { .. } => return Err(left_out("schema")),
        Command::Completions { shell } => completions::run(*shell, out)?,
        #[cfg(feature = "man")]
        Command::Man { folder } => man::run(folder.as_deref(), out)?,
        #[cfg(not(feature = "man"))]
        Command::Man { .. } => return Err(left_out("man")),
        Command::Config(ConfigCommand::Check) => config::check(&settings(cli, environment)?.0, out)?,
        Command::Config(ConfigCommand::Show { format }) => {
            config::show(&settings(cli, environment)?.0, *format, out)?;
        }
        Command::Notify(NotifyCommand::Test { channel }) => {
            let (settings, _) = settings(cli, environment)?;
            return runtime()?.block_on(notify::test(&settings, channel.as_deref(), out));
        }
        Command::Signatures(SignaturesCommand::Check { folder }) => signatures::check(folder, out)?,
        Command::Scan(_) => {
            let (settings, ui) = settings(cli, environment)?;
            let ready = Ready::new(&settings, Scans::One, &ui)?;
            return runtime()?.block_on(scan::run(&settings, ready, &ui));
        }
        Command::Probe(arguments) => {
            let (settings, ui) = settings(cli, environment)?;
            let record = record::Record::check(arguments, &settings)?;
            let ready = Ready::new(&settings, Scans::One, &ui)?;
            return runtime()?.block_on(probe::run(&settings, ready, record.as_ref(), &ui));
        }
        Command::Watch(arguments) => {
            let (mut settings, ui, secrets) = settings_and_secrets(cli, environment)?;
            settings.store = settings.store.or_else(|| settings.usual_store.clone());
            let ready = Ready::new(&settings, Scans::Many, &ui)?;
            let source = watch::Source { cli, environment, secrets };
            let ended = lasting_runtime()?.block_on(watch::run(source, &settings, arguments.events, ready, &ui));
            ui.end();
            return ended;
        }
        #[cfg(feature = "serve")]
        Command::Serve(arguments) if arguments.action.is_some() => {
            let (settings, _) = settings(cli, environment)?;
            if let Some(ServeCommand::User(command)) = &arguments.action {
                serve::users(command, &settings, environment, out)?;
            }
        }
        #[cfg(feature = "serve")]
        Command::Serve(arguments) => {
            let (mut settings, ui, secrets) = settings_and_secrets(cli, environment)?;
            settings.store = settings.store.or_else(|| settings.usual_store.clone());
            let ready = Ready::new(&settings, Scans::Many, &ui)?;
            let source = watch::Source { cli, environment, secrets };
            let ended = lasting_runtime()?.block_on(serve::run(source, &settings, arguments, ready, &ui));
            ui.end();
            return ended;
        }
        #[cfg(not(feature = "serve"))]
        Command::Serve(_) => return Err(left_out("serve")),
        Command::Replay(arguments) => {
            let (_, ui) = settings(cli, environment)?;
            return runtime()?.block_on(replay::run(arguments, &ui, out));
        }
        Command::Doctor { .. } => {
            let (settings, _) = settings(cli, environment)?;
            return runtime()?.block_on(doctor::run(&settings, out));
        }
        Command::Export(arguments) => {
            let (settings, ui) = settings(cli, environment)?;
            return export::run(&arguments.file, &settings, &ui);
        }
        Command::Diff(arguments) => {
            let (settings, ui) = settings(cli, environment)?;
            return diff::run(arguments, &settings, &ui, out);
        }
        Command::Devices(arguments) => {
            let (settings, ui) = settings(cli, environment)?;
            return devices::run(arguments, &settings, &ui, out);
        }
        Command::History(arguments) => {
            let (settings, _) = settings(cli, environment)?;
            return history::run(arguments, &settings, out);
        }
        Command::Store(arguments) => {
            let (settings, ui) = settings(cli, environment)?;
            return store::run(arguments, &settings, &ui, out);
        }
        Command::Apply(arguments) => {
            let (settings, ui) = settings(cli, environment)?;
            return apply::run(arguments, &settings, &ui);
        }
    }
    Ok(Exit::Success)
}

/// The error of a subcommand whose feature (of the same name) this build lacks.
#[cfg(not(all(feature = "man", feature = "schema", feature = "serve")))]
fn left_out(command: &str) -> anyhow::Error {
    let problem = Problem::new(format!("this camscan was built without `camscan {command}`"));
    JobFailed(problem.hint(format!("build it with `--features {command}`"))).into()
}

/// The settings, and the terminal with warnings about them shown and logging begun.
fn settings(cli: &Cli, environment: &Environment) -> anyhow::Result<(Settings, Ui)> {
    settings_and_secrets(cli, environment).map(|(settings, ui, _)| (settings, ui))
}

/// The same, and what the log hides.
fn settings_and_secrets(cli: &Cli, environment: &Environment) -> anyhow::Result<(Settings, Ui, log::Secrets)> {
    let settings = Settings::resolve(cli, environment)?;
    let ui = Ui::new(settings.terminal);
    let secrets = log::Secrets::new(crate::identify::redactor(settings.logins()));
    log::init(&settings.log, secrets.clone(), &ui)?;
    for warning in &settings.warnings {
        ui.warning(warning);
    }
    Ok((settings, ui, secrets))
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    /// Half of the files it opens at least, with some to spare.
    const PIPES: usize = 8;
    // It panics where it cannot open them.
    let spare: io::Result<Vec<_>> = (0..PIPES).map(|_| io::pipe()).collect();
    drop(spare.map_err(|error| {
        let problem = Problem::new(format!("this process may open too few files: {}", io_reason(&error)));
        JobFailed(problem.hint("raise the limit: ulimit -n 256"))
    })?);
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// The runtime of a program that goes on for months.
fn lasting_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = runtime()?;
    runtime.spawn(crate::net::memory::give_back());
    Ok(runtime)
}
