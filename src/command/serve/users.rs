//! `camscan serve user`: accounts, without a server.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::accounts;
use crate::cli::args::UserCommand;
use crate::cli::config::environment::Environment;
use crate::cli::config::settings::Settings;
use crate::command::remembered::failed;
use crate::model::Secret;
use crate::model::access::Role;
use crate::model::problem::Problem;
use crate::serve::auth::login::check_name;
use crate::serve::auth::password::{self, check_new};
use crate::store::Store;
use crate::store::accounts::{Actor, NewUser, Outcome, User, UserChange};
use crate::text::clean;
use crate::tool::terminal;

/// Bytes of a password on standard input, at most.
const LONGEST: u64 = 4096;

/// Does what is asked, and tells what was done.
///
/// # Errors
/// When there is no such account, the password cannot be taken, or the store cannot be written.
pub fn run(
    command: &UserCommand,
    settings: &Settings,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let store = accounts(settings)?;
    let (actor, now) = (Actor::command_line(), Timestamp::now());
    match command {
        UserCommand::List { .. } => list(&store, out)?,
        UserCommand::Add { name, role, .. } => {
            let name = check_name(name).map_err(|why| Problem::new(why.to_string()))?;
            let role = Role::from_name(&role.to_ascii_lowercase()).unwrap_or(Role::Viewer);
            // Before anybody thinks of a password for it.
            if store.user_named(name).map_err(failed)?.is_some() {
                return Err(Problem::new(format!("there is an account {name} already"))
                    .hint("set its password: camscan serve user password NAME")
                    .into());
            }
            let hash = new_password(name, environment)?;
            let new = NewUser { name, role, password: &hash, is_first: false };
            done(store.add_user(&new, &actor, now).map_err(failed)?)?;
            writeln!(out, "{name}: added as {role}")?;
        }
        UserCommand::Remove { name, .. } => {
            let user = find(&store, name)?;
            done(store.remove_user(user.id, &actor, now).map_err(failed)?)?;
            writeln!(out, "{}: removed, with its sessions and tokens", user.name)?;
        }
        UserCommand::Password { name, .. } => {
            let user = find(&store, name)?;
            let hash = new_password(&user.name, environment)?;
            let change = UserChange { password: Some(&hash), ..UserChange::default() };
            done(store.change_user(user.id, change, &actor, now).map_err(failed)?)?;
            writeln!(out, "{}: the password is set, and all sessions are ended", user.name)?;
        }
    }
    Ok(())
}

fn done<T>(outcome: Outcome<T>) -> Result<T, Problem> {
    outcome.map_err(|refused| Problem::new(refused.to_string()))
}

fn find(store: &Store, name: &str) -> anyhow::Result<User> {
    let found = store.user_named(name.trim()).map_err(failed)?.map(|(user, _)| user);
    Ok(found.ok_or_else(|| {
        Problem::new(format!("there is no account {}", clean(name))).hint("camscan serve user list shows them")
    })?)
}

fn list(store: &Store, out: &mut dyn Write) -> anyhow::Result<()> {
    let users = store.users().map_err(failed)?;
    let longest = users.iter().map(|user| user.name.chars().count()).max().unwrap_or(0);
    for user in users {
        let at = |at: Timestamp| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
        let login = user.login_at.map_or_else(|| "never".to_owned(), at);
        let off = if user.enabled { "" } else { "  disabled" };
        writeln!(out, "{:longest$}  {:8}  last login {login}{off}", user.name, user.role)?;
    }
    Ok(())
}

/// A password as it is kept: asked for twice on a terminal, else the first line of standard input.
fn new_password(name: &str, environment: &Environment) -> anyhow::Result<String> {
    let password = match terminal::secret("Password: ")? {
        Some(first) => {
            if terminal::secret("Again: ")?.as_ref() != Some(&first) {
                return Err(Problem::new("the two passwords are not the same").into());
            }
            first
        }
        None => first_line(&environment.stdin(LONGEST)?)?,
    };
    check_new(&password, name).map_err(|why| Problem::new(why.to_string()))?;
    password::hash_now(&password).map_err(|error| Problem::new(error.to_string()).into())
}

fn first_line(bytes: &[u8]) -> Result<Secret, Problem> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| Problem::new("the password is not valid UTF-8"))?;
    match text.is_empty() {
        true => Err(Problem::new("there is no password on standard input")
            .hint("printf '%s' \"$PASSWORD\" | camscan serve user ...")),
        false => Ok(Secret::new(text)),
    }
}
