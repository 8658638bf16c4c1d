//! Who is told about events: the section `notify:` of the configuration file. What is wrong is named with its channel or
//! rule; no value that may be a secret is shown.
//!
//! ```yaml
//! notify:
//!   public_url: https://cams.example.org
//!   channels:
//!     phone: {type: ntfy, topic: cameras, token_env: NTFY_TOKEN}
//!     mail: {type: email, server: mail.example.org, from: cams@example.org, to: [ops@example.org]}
//!   rules:
//!     - {severity: [problem, recovery], channels: [phone]}
//! ```

mod channel;
mod entry;
mod rule;
mod show;

use std::cell::Cell;
use std::path::Path;

use serde_yaml::Value;

use self::entry::{Context, Entry};
use super::environment::Environment;
use crate::model::notify::Notifications;
use crate::model::problem::Problem;
use crate::text::clean;

pub use show::shown;

/// The key of the configuration file.
pub const NOTIFY: &str = "notify";

/// The longest name of a channel.
const MAX_NAME: usize = 32;
/// The most channels and the most rules.
const MOST: usize = 256;

/// What a configuration file says about notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenNotifications {
    /// Channels and rules.
    pub notifications: Notifications,
    /// Whether a secret stands among them in clear.
    pub in_clear: bool,
}

/// Reads what stands under [`NOTIFY`] in the file at `path`; files that hold secrets are found from its folder.
///
/// # Errors
/// What is wrong, with the name of the channel or the number of the rule.
pub fn read(value: &Value, path: &Path, environment: &Environment) -> Result<Option<GivenNotifications>, Problem> {
    if value.is_null() {
        return Ok(None);
    }
    let in_clear = Cell::new(false);
    let folder = path.parent().unwrap_or(Path::new(""));
    let context = Context { environment, folder, in_clear: &in_clear };
    let notifications = section(value, context).map_err(|problem| problem.at(NOTIFY))?;
    Ok(Some(GivenNotifications { notifications, in_clear: in_clear.get() }))
}

fn section(value: &Value, context: Context<'_>) -> Result<Notifications, Problem> {
    let expected = "`public_url:`, `channels:` and `rules:`";
    let entry = Entry::of(value, context, expected)?;
    entry.only(&["public_url", "channels", "rules"], &[])?;
    let public_url = entry.text("public_url")?.map(|url| web_address(&url, "public_url")).transpose()?;
    let mut notifications = Notifications { public_url, ..Notifications::default() };
    if let Some(channels) = entry.value("channels") {
        let channels = channels
            .as_mapping()
            .ok_or_else(|| Problem::new("expected a name and what is known of it for each channel").at("channels"))?;
        for (name, value) in channels.iter().take(MOST) {
            let name = name.as_str().unwrap_or_default();
            let place = |problem: Problem| problem.at(format!("channels: {}", clean(name)));
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_name) {
                let problem = Problem::new("the name of a channel is a word of letters, digits, `_` and `-`");
                return Err(problem.at("channels"));
            }
            let channel = Entry::of(value, context, "`type:` and what belongs to it")
                .and_then(|entry| channel::read(name, &entry));
            notifications.channels.push(channel.map_err(place)?);
        }
    }
    if let Some(rules) = entry.value("rules") {
        let rules = rules.as_sequence().ok_or_else(|| Problem::new("expected a list of rules").at("rules"))?;
        let names: Vec<&str> = notifications.channels.iter().map(|channel| channel.name.as_str()).collect();
        for (nth, value) in rules.iter().enumerate().take(MOST) {
            let rule = Entry::of(value, context, "`events:`, `severity:`, `channels:` …");
            let rule = rule.and_then(|entry| rule::read(&entry, &names));
            notifications.rules.push(rule.map_err(|problem| problem.at(format!("rules: {}", nth + 1)))?);
        }
    }
    Ok(notifications)
}

/// An address of the web without a login and without a slash at its end. It is not shown: it may hold a token.
fn web_address(text: &str, key: &str) -> Result<String, Problem> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default()).unwrap_or_default();
    let is_clean = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if host.is_empty() || host.contains('@') || !is_clean {
        return Err(Problem::new("expected an address such as https://example.org/path, without a login").at(key));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;
