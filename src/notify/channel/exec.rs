//! A program of this machine: the message as JSON on its standard input, nothing on its command line.

use std::time::Duration;

use super::hide::HEARD;
use super::{Message, Outcome, put, webhook};
use crate::model::notify::Exec;
use crate::text::clean_to;
use crate::tool::process::{PipeError, run_to_exit};

/// How long it may take before it is killed, with everything it has started.
const LIMIT: Duration = Duration::from_secs(30);
/// What is kept of its output, in bytes. It may write more.
const READ: u64 = 4096;
/// The exit status that refuses a message for good (`EX_DATAERR` of sysexits.h). Any other failure is tried again.
const REFUSED: i32 = 65;

pub(super) async fn send(exec: &Exec, message: &Message) -> Outcome {
    let mut input = webhook::body(message);
    put(&mut input, "id", message.id.as_str());
    let (exec, input) = (exec.clone(), input.to_string());
    let run = move || {
        let arguments: Vec<&str> = exec.arguments.iter().map(String::as_str).collect();
        run_to_exit(&exec.program, &arguments, input.as_bytes(), READ, LIMIT)
    };
    let finished = match tokio::task::spawn_blocking(run).await {
        Ok(Ok(finished)) => finished,
        Ok(Err(PipeError::Missing)) => return Outcome::retry("the program is not installed"),
        Ok(Err(PipeError::Timeout)) => return Outcome::retry(format!("no end within {} s", LIMIT.as_secs())),
        Ok(Err(error)) => return Outcome::retry(error.to_string()),
        Err(_) => return Outcome::retry("internal error"),
    };
    let said = match finished.complaint.trim() {
        "" => String::from_utf8_lossy(&finished.output).into_owned(),
        complaint => complaint.to_owned(),
    };
    let said = clean_to(&said, HEARD);
    let with = |text: &str| if said.is_empty() { text.to_owned() } else { format!("{text}: {said}") };
    match finished.status {
        Some(status) if status.success() => Outcome::Done { answer: with("exit status 0") },
        Some(status) => match status.code() {
            Some(REFUSED) => Outcome::dead(with("it refuses the message (exit status 65)")),
            Some(code) => Outcome::retry(with(&format!("exit status {code}"))),
            None => Outcome::retry(with("it was killed")),
        },
        None => Outcome::retry(with("it did not end")),
    }
}
