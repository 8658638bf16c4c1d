//! `camscan replay`: a kit served as the device it was made of.

use std::fs::File;
use std::io::{Read as _, Write};
use std::path::Path;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::interrupt;
use crate::cli::args::ReplayArgs;
use crate::cli::exit::{Exit, JobFailed};
use crate::cli::ui::Ui;
use crate::kit::format::{self, Kit, LOGIN};
use crate::model::problem::{Problem, io_reason};
use crate::net::RealNet;
use crate::replay::{ListenError, Replay, Wish};

/// Serves the kit until the program is told to end.
///
/// # Errors
/// When the file is no kit, or its ports cannot be had.
pub async fn run(arguments: &ReplayArgs, ui: &Ui, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let kit = read(&arguments.file)?;
    let login = kit.manifest.login;
    let wish = Wish { address: arguments.address, offset: arguments.port_offset };
    let stop = CancellationToken::new();
    interrupt::listen(stop.clone(), ui)?;
    let started = Replay::start(kit, &wish, RealNet::new(), || Timestamp::now().as_second()).await;
    let replay = started.map_err(|error| JobFailed(problem(&error)))?;
    for port in &replay.missing {
        ui.warning(format!("UDP port {port} cannot be had, so its answers are missing"));
    }
    say(&replay, login, out)?;
    stop.cancelled().await;
    Ok(Exit::Success)
}

/// Reads a kit.
///
/// # Errors
/// When the file cannot be read or is no kit.
pub fn read(path: &Path) -> anyhow::Result<Kit> {
    let refused = |why: String| JobFailed(Problem::new(format!("{} cannot be replayed: {why}", path.display())));
    let file = File::open(path).map_err(|e| refused(io_reason(&e)))?;
    let mut bytes = Vec::new();
    file.take(format::MAX_ARCHIVE as u64 + 1).read_to_end(&mut bytes).map_err(|e| refused(io_reason(&e)))?;
    Ok(format::read(&bytes).map_err(|error| refused(error.to_string()))?)
}

fn problem(error: &ListenError) -> Problem {
    let problem = Problem::new(error.to_string());
    match error {
        ListenError::Taken(..) => problem.hint("--port-offset NUMBER takes other ports, --address another address"),
        ListenError::NotLoopback(_) => problem.hint("name one of 127.0.0.0/8, or ::1"),
        ListenError::NoPorts | ListenError::TooHigh(_) => problem,
    }
}

/// Where it is, and what to type to look at it.
fn say(replay: &Replay, login: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let shown =
        |(port, here): &(u16, u16)| if port == here { port.to_string() } else { format!("{port} (here {here})") };
    let ports: Vec<String> = replay.ports.iter().map(shown).collect();
    writeln!(out, "address: {}", replay.ip)?;
    writeln!(out, "TCP ports: {}", ports.join(", "))?;
    if !replay.datagrams.is_empty() {
        let ports: Vec<String> = replay.datagrams.iter().map(ToString::to_string).collect();
        writeln!(out, "UDP ports: {}", ports.join(", "))?;
    }
    let (user, password) = LOGIN;
    let credential = if login { format!(" -c {user}:{password}") } else { String::new() };
    let here: Vec<String> = replay.ports.iter().map(|(_, here)| here.to_string()).collect();
    writeln!(out, "try: camscan probe {} --ports {}{credential}", replay.ip, here.join(","))?;
    out.flush()
}
