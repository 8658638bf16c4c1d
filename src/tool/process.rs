//! Runs a program of this machine on bytes we hold: they go in by its standard input, its answer comes out by its standard
//! output, and nothing of a device stands on its command line.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// It is not installed.
    #[error("is not installed")]
    Missing,
    /// It did not end in time and was killed.
    #[error("did not end in time")]
    Timeout,
    /// The system would not run it, or talk to it.
    #[error("could not be run: {0}")]
    Io(#[from] std::io::Error),
}

/// The variables handed on: where programs, and the libraries they are built with, lie. Everything else stays here: the user's
/// logins may be among it, and what runs decodes bytes a stranger sent.
const HANDED_ON: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "SystemRoot"];

/// What `program` writes when `input` is written to it, at most `most` bytes. Within `limit`, or it is killed.
///
/// # Errors
/// See [`PipeError`].
pub async fn through(
    program: &str,
    args: &[&str],
    input: &[u8],
    most: u64,
    limit: Duration,
) -> Result<Vec<u8>, PipeError> {
    let mut command = Command::new(program);
    let kept = HANDED_ON.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.env_clear().envs(kept);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    // Whoever interrupts us from the terminal does not hit it; we end it, and whatever it has started.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => PipeError::Missing,
        _ => PipeError::Io(e),
    })?;
    let group = Group::of(&child);
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // It may close its end as soon as it knows enough.
            let _ = stdin.write_all(input).await;
        }
    };
    let read = async {
        let mut answer = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(most).read_to_end(&mut answer).await?;
        }
        Ok::<_, std::io::Error>(answer)
    };
    let ((), answer) =
        tokio::time::timeout(limit, async { tokio::join!(write, read) }).await.map_err(|_| PipeError::Timeout)?;
    // Reaps the process; a hanging one is killed when `child` is dropped.
    if matches!(tokio::time::timeout(Duration::from_secs(1), child.wait()).await, Ok(Ok(_))) {
        group.ended();
    }
    Ok(answer?)
}

/// What runs now.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Kills what runs now. For a program that ends at once, without dropping anything.
pub fn kill_all() {
    running().iter().for_each(|id| kill_group(*id));
}

/// A program and all it has started, killed when dropped.
struct Group(u32);

impl Group {
    fn of(child: &Child) -> Group {
        let id = child.id().unwrap_or_default();
        running().insert(id);
        Group(id)
    }

    /// It has been waited for: its number may be another's from now on.
    fn ended(mut self) {
        running().remove(&std::mem::take(&mut self.0));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if running().remove(&self.0) {
            kill_group(self.0);
        }
    }
}

fn running() -> MutexGuard<'static, BTreeSet<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
fn kill_group(id: u32) {
    let group = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// The program itself is killed as its handle is dropped.
#[cfg(not(unix))]
fn kill_group(_: u32) {}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn bytes_go_through() {
        let input = vec![7; 300_000];
        assert_eq!(through("cat", &[], &input, 1 << 20, LONG).await.unwrap(), input);
        // One that reads nothing and one that says too much hold nobody up.
        assert_eq!(through("true", &[], &input, 1 << 20, LONG).await.unwrap(), b"");
        assert_eq!(through("cat", &[], &input, 1000, LONG).await.unwrap().len(), 1000);
    }

    #[tokio::test]
    async fn one_that_hangs_or_is_missing_is_an_error() {
        let hung = through("sleep", &["1000"], b"", 10, Duration::from_millis(50)).await;
        assert!(matches!(hung, Err(PipeError::Timeout)), "{hung:?}");
        let missing = through("camscan-no-such-program", &[], b"", 10, LONG).await;
        assert!(matches!(missing, Err(PipeError::Missing)), "{missing:?}");
    }

    /// `cargo test` sets many variables.
    #[cfg(unix)]
    #[tokio::test]
    async fn next_to_nothing_of_our_environment_is_handed_on() {
        assert!(std::env::vars_os().any(|(name, _)| name == "CARGO_MANIFEST_DIR"));
        let seen = String::from_utf8(through("env", &[], b"", 1 << 20, LONG).await.unwrap()).unwrap();
        let names: Vec<&str> = seen.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        assert!(names.contains(&"PATH") && names.iter().all(|name| HANDED_ON.contains(name)), "{seen}");
    }

    /// A wrapper that starts the program proper: both are gone.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn nothing_stays_behind() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("pids");
        let script = format!("sleep 1000 & echo $$ $! > '{}'; echo is there; wait", note.display());
        assert_eq!(through("sh", &["-c", &script], b"", 8, LONG).await.unwrap(), b"is there");
        let pids = std::fs::read_to_string(&note).unwrap();
        let is_alive = |pid: &str| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            !(status.is_empty() || status.contains("State:\tZ"))
        };
        // The signal is on its way.
        let until = std::time::Instant::now() + LONG;
        while pids.split_whitespace().any(is_alive) {
            assert!(std::time::Instant::now() < until, "{pids}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
