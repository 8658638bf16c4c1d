//! Ctrl-C and its kin: the first stops the work, the second ends the program.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::tool::process;

/// Said when there is nothing to report yet.
pub const BEFORE: &str = "interrupted before anything was asked; there is nothing to report";

/// How long a terminal may take for the warning before the work is stopped without it.
const TO_SAY: Duration = Duration::from_millis(300);

/// Listens for SIGINT, SIGTERM and SIGHUP from now on. The first cancels `stop`, so that sessions are torn down and the
/// report is written; the second ends the process at once. A signal that was ignored when the program was started stays
/// ignored: whoever used nohup(1), or `&` in a script, meant it.
///
/// # Errors
/// When the system gives no signal handler.
pub fn listen(stop: CancellationToken, ui: &Ui) -> std::io::Result<()> {
    listen_to(&[SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()], stop, ui)
}

/// The same for these signals.
///
/// # Errors
/// When the system gives no signal handler.
pub fn listen_to(kinds: &[SignalKind], stop: CancellationToken, ui: &Ui) -> std::io::Result<()> {
    let ignored = ignored();
    let mut signals = Vec::new();
    for &kind in kinds {
        if ignored >> kind.as_raw_value().saturating_sub(1) & 1 == 0 {
            signals.push(signal(kind)?);
        }
    }
    let ui = ui.clone();
    tokio::spawn(async move {
        next(&mut signals).await;
        // Beside us: who writes to a terminal that stands still waits, and the second signal must be heard.
        let (said, is_said) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            ui.warning("interrupted: ending what is under way; once more ends it at once");
            let _ = said.send(());
        });
        // First the reason, then the end, which may come at once.
        let _ = tokio::time::timeout(TO_SAY, is_said).await;
        stop.cancel();
        next(&mut signals).await;
        process::kill_all();
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    Ok(())
}

/// Waits for any of them; for ever when there are none.
async fn next(signals: &mut [Signal]) {
    let mut any: Vec<_> = signals.iter_mut().map(|signal| Box::pin(signal.recv())).collect();
    if any.is_empty() {
        std::future::pending::<()>().await;
    }
    futures::future::select_all(any.drain(..)).await;
}

/// The signals this process ignores, the first in the lowest bit (proc_pid_status(5)); none where that cannot be told.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
