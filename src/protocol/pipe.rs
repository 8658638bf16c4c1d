//! Runs a program of this machine on bytes we hold: they go in by its standard input, its answer comes out by its standard
//! output, and nothing of a device stands on its command line.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

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
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => PipeError::Missing,
        _ => PipeError::Io(e),
    })?;
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
    let _ = tokio::time::timeout(Duration::from_secs(1), child.wait()).await;
    Ok(answer?)
}

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
}
