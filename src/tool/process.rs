//! Runs a program of this machine on bytes we hold: they go in by its standard input, its answer comes out by its standard
//! output, and nothing of a device stands on its command line.

use std::collections::BTreeSet;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

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

/// How a program ended.
#[derive(Debug)]
pub struct Finished {
    /// The beginning of what it wrote to standard output.
    pub output: Vec<u8>,
    /// The beginning of what it wrote to standard error.
    pub complaint: String,
    /// Its exit status; none where it did not end after it had closed its output.
    pub status: Option<ExitStatus>,
}

/// The most that is kept of standard error, in bytes.
const MOST_COMPLAINT: u64 = 4096;

/// What `program` writes when `input` is written to it. The first `most` bytes are kept, what it writes beyond them is read and
/// dropped. Within `limit`, or it is killed.
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
    run(program, args, input, most, limit, Until::OutputEnds).await.map(|finished| finished.output)
}

/// The same for callers outside of a runtime, on a thread of its own; tells also how the program ended.
///
/// # Errors
/// See [`PipeError`].
pub fn run_to_end(
    program: &str,
    args: &[&str],
    input: &[u8],
    most: u64,
    limit: Duration,
) -> Result<Finished, PipeError> {
    on_its_own(run(program, args, input, most, limit, Until::OutputEnds))
}

/// The same where what counts is how the program ends, whoever keeps its outputs open.
///
/// # Errors
/// See [`PipeError`].
pub fn run_to_exit(
    program: &str,
    args: &[&str],
    input: &[u8],
    most: u64,
    limit: Duration,
) -> Result<Finished, PipeError> {
    on_its_own(run(program, args, input, most, limit, Until::ProgramEnds))
}

fn on_its_own(work: impl Future<Output = Result<Finished, PipeError>> + Send) -> Result<Finished, PipeError> {
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work)
    };
    let panicked = |_| Err(PipeError::Io(std::io::Error::other("internal error")));
    std::thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(panicked))
}

/// What counts of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Its output, all of it.
    OutputEnds,
    /// How it ends.
    ProgramEnds,
}

async fn run(
    program: &str,
    args: &[&str],
    input: &[u8],
    most: u64,
    limit: Duration,
    until: Until,
) -> Result<Finished, PipeError> {
    let mut command = Command::new(program);
    let kept = HANDED_ON.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.env_clear().envs(kept);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // Whoever interrupts us from the terminal does not hit it; we end it, and whatever it has started.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => PipeError::Missing,
        _ => PipeError::Io(e),
    })?;
    let group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut output, mut complaint) = (Vec::new(), Vec::new());
    let over = CancellationToken::new();
    // A process that the program leaves behind may keep its outputs open.
    let last_words = || async {
        over.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    let answer = async {
        let write = async {
            if let Some(mut stdin) = stdin {
                // It may close its end as soon as it knows enough.
                let _ = stdin.write_all(input).await;
            }
        };
        let answer = async { tokio::join!(write, drain(stdout, most, &mut output)).1 };
        match until {
            Until::OutputEnds => {
                let read = answer.await;
                over.cancel();
                read
            }
            Until::ProgramEnds => tokio::select! {
                read = answer => read,
                () = last_words() => Ok(()),
            },
        }
    };
    let complain = async {
        tokio::select! {
            _ = drain(stderr, MOST_COMPLAINT, &mut complaint) => {}
            () = last_words() => {}
        }
    };
    let end = async {
        if until == Until::ProgramEnds {
            // How it ended is asked once more below.
            let _ = child.wait().await;
            over.cancel();
        }
    };
    let talk = async { tokio::join!(answer, complain, end).0 };
    tokio::time::timeout(limit, talk).await.map_err(|_| PipeError::Timeout)??;
    // Reaps the process; a hanging one is killed when `child` is dropped.
    let status = tokio::time::timeout(Duration::from_secs(1), child.wait()).await.ok().and_then(Result::ok);
    if status.is_some() {
        group.ended();
    }
    Ok(Finished { output, complaint: String::from_utf8_lossy(&complaint).into_owned(), status })
}

/// Reads a pipe to its end and keeps the beginning. Closed sooner, it would kill the program that writes into it.
async fn drain(pipe: Option<impl AsyncRead + Unpin>, most: u64, kept: &mut Vec<u8>) -> std::io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    (&mut pipe).take(most).read_to_end(kept).await?;
    tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await.map(drop)
}

/// How long outputs are read on once what is waited for has come.
const LAST_WORDS: Duration = Duration::from_millis(200);

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

    /// What a program says beyond what is kept of it is read all the same: it ends as it would by itself.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_says_more_than_is_kept_and_ends_by_itself() {
        for script in ["exec head -c 300000 /dev/zero", "exec head -c 300000 /dev/zero >&2"] {
            let finished = run("sh", &["-c", script], b"", 1000, LONG, Until::OutputEnds).await.unwrap();
            assert_eq!(finished.status.and_then(|status| status.code()), Some(0), "{script}");
            assert!(finished.output.len() <= 1000 && finished.complaint.len() <= 4096, "{script}");
        }
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
        let script = format!("sleep 1000 >&- & echo $$ $! > '{}'; echo is there; exec >&-; wait", note.display());
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
