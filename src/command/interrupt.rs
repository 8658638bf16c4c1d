//! Ctrl-C and its kin: the first stops the work, the second ends the program.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::exit::Exit;

/// Listens for SIGINT, SIGTERM and SIGHUP from now on. The first cancels `stop`, so that sessions are torn down and the
/// report is written; the second ends the process at once.
///
/// # Errors
/// When the system gives no signal handler.
pub fn listen(stop: CancellationToken) -> std::io::Result<()> {
    let mut signals =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    tokio::spawn(async move {
        next(&mut signals).await;
        stop.cancel();
        next(&mut signals).await;
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    Ok(())
}

async fn next([interrupt, terminate, hangup]: &mut [tokio::signal::unix::Signal; 3]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
