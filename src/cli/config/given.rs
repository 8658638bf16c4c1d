//! The layers of the command line and of the environment.

use super::credentials::{lines, user_and_password};
use super::environment::Environment;
use super::keys::{self, Shape};
use super::layer::{GivenLogins, Layer, Origin, split};
use crate::cli::args::{Cli, Command};
use crate::model::problem::Problem;

/// What a command line gives.
///
/// # Errors
/// When a list is given without anything in it, or a login is none; a login is not shown.
pub fn layer(cli: &Cli) -> Result<Layer, Problem> {
    let mut layer = Layer::default();
    for typed in &cli.typed {
        filled(typed.key, &typed.flag, &typed.values)?;
        let is_list = keys::find(typed.key).is_some_and(|key| key.shape() == Shape::List);
        let values = match is_list {
            true => typed.values.iter().flat_map(|value| split(value, |c| c == ',')).collect(),
            false => typed.values.clone(),
        };
        layer.set(typed.key, values, Origin::Flag(typed.flag.clone()));
    }
    let given = match &cli.command {
        Command::Scan(args) => Some(&args.host.credentials),
        Command::Watch(args) => Some(&args.host.credentials),
        Command::Serve(args) => Some(&args.watch.host.credentials),
        Command::Probe(args) => Some(&args.host.credentials),
        Command::Export(args) => Some(&args.credentials),
        Command::Apply(args) => Some(&args.credentials),
        _ => None,
    };
    if let Some(given) = given.filter(|given| !given.is_empty()) {
        let logins = given.iter().map(|text| user_and_password(text.expose()));
        let logins = logins.collect::<Result<_, _>>().map_err(|problem| problem.at("--credential"))?;
        layer.logins = Some(GivenLogins { logins, in_clear: true, origin: Origin::Flag("--credential".to_owned()) });
    }
    Ok(layer)
}

/// Refuses lists with nothing in them: `camscan scan "$NET"` in a script where NET is not set means no network at all, and
/// must not scan all there are.
fn filled(key: &str, flag: &str, values: &[String]) -> Result<(), Problem> {
    let instead = match key {
        _ if key == keys::TARGETS.name => "leave the targets out to scan the subnets of this machine",
        _ if key == keys::EXCLUDE.name => "leave it out to exclude nothing",
        _ if key == keys::INTERFACE.name => "leave it out to use all interfaces",
        _ => return Ok(()),
    };
    match values.iter().any(|value| split(value, |c| c == ',').is_empty()) {
        true => Err(empty(flag, instead)),
        false => Ok(()),
    }
}

/// The problem of a value with nothing in it.
pub fn empty(flag: &str, instead: &'static str) -> Problem {
    Problem::new("the value is empty").at(flag).hint("in a script, check that the variable is set").hint(instead)
}

/// What the environment gives.
///
/// # Errors
/// When a login is none; it is not shown.
pub fn variables(environment: &Environment) -> Result<Layer, Problem> {
    let mut layer = Layer::environment(environment);
    for (name, one) in [("CAMSCAN_CREDENTIAL", true), ("CAMSCAN_CREDENTIALS", false)] {
        let Some(text) = environment.get(name) else { continue };
        let logins = if one {
            user_and_password(text).map(|login| vec![login]).map_err(|problem| problem.at(name))?
        } else {
            lines(text, name)?
        };
        let origin = Origin::Environment(name.to_owned());
        layer.logins.get_or_insert(GivenLogins { logins: Vec::new(), in_clear: true, origin }).logins.extend(logins);
    }
    Ok(layer)
}
