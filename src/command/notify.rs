//! `camscan notify`: shows that channels work.

use std::io::Write;

use jiff::Timestamp;

use crate::cli::config::settings::Settings;
use crate::cli::exit::Exit;
use crate::model::problem::Problem;
use crate::notify::compose::test_message;
use crate::notify::{Channels, Deliver as _, Outcome};
use crate::text::clean;

/// Sends a test message to a channel, or to all of them side by side, and prints what each receiver answered.
///
/// # Errors
/// When there is no such channel, or none at all; those of `out`.
pub async fn test(settings: &Settings, channel: Option<&str>, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let mut notifications = settings.notifications.clone();
    let names: Vec<String> = notifications.channels.iter().map(|channel| channel.name.clone()).collect();
    if names.is_empty() {
        let problem = Problem::new("the configuration has no channel");
        return Err(problem.hint("add one under `notify: channels:`; see docs/notify.md").into());
    }
    if let Some(name) = channel {
        notifications.channels.retain(|channel| channel.name == name);
        if notifications.channels.is_empty() {
            let problem = Problem::new(format!("there is no channel `{}`", clean(name)));
            let problem = problem.did_you_mean(name, names.iter().map(String::as_str));
            return Err(problem.hint(format!("channels are {}", names.join(", "))).into());
        }
    }
    // A name of its own: the broker would end the connection of a camscan that runs under the same one.
    let id = format!("{:012x}", fastrand::u64(..) & 0xffff_ffff_ffff);
    let channels = Channels::open(&notifications, &format!("t{}", id.get(..11).unwrap_or_default()));
    let message = test_message(&format!("msg_test{id}"), Timestamp::now());
    let tries = notifications.channels.iter().map(|channel| channels.deliver(&channel.name, &message));
    let outcomes = futures::future::join_all(tries).await;
    let mut exit = Exit::Success;
    for (channel, outcome) in notifications.channels.iter().zip(outcomes) {
        let (name, kind) = (&channel.name, channel.way.kind());
        let said = match outcome {
            Outcome::Done { answer } => format!("sent: {answer}"),
            Outcome::Retry { why, .. } | Outcome::Dead { why } | Outcome::ChannelOff { why } => {
                exit = Exit::Failure;
                format!("failed: {why}")
            }
        };
        writeln!(out, "{name} ({kind}): {said}")?;
    }
    channels.close().await;
    Ok(exit)
}
