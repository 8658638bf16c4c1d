//! What the command line gives, as a layer.

use super::credentials::{lines, user_and_password};
use super::environment::Environment;
use super::layer::{GivenLogins, Layer, Origin, split};
use crate::cli::args::{Cli, Command, DiscoveryArgs, GlobalArgs, HostArgs, OutputArgs, ScanArgs};
use crate::cli::problem::Problem;

/// What a command line gives.
///
/// # Errors
/// When a login is none; it is not shown.
pub fn layer(cli: &Cli) -> Result<Layer, Problem> {
    let mut layer = Flags(Layer::default());
    layer.global(&cli.global);
    match &cli.command {
        Command::Scan(args) => {
            layer.scan(args)?;
            layer.host(&args.host)?;
            layer.output(&args.output);
        }
        Command::Probe(args) => {
            layer.on("explain", args.explain);
            layer.host(&args.host)?;
            layer.output(&args.output);
        }
        Command::Export(args) => layer.output(&args.output),
        Command::Config(_) | Command::Schema | Command::Completions { .. } | Command::Man { .. } => {}
    }
    Ok(layer.0)
}

struct Flags(Layer);

impl Flags {
    fn set(&mut self, name: &'static str, flag: &str, values: Vec<String>) {
        self.0.set(name, values, Origin::Flag(flag.to_owned()));
    }

    fn flag(name: &str) -> String {
        format!("--{}", name.replace('_', "-"))
    }

    fn one(&mut self, name: &'static str, value: Option<&String>) {
        if let Some(value) = value {
            self.set(name, &Flags::flag(name), vec![value.clone()]);
        }
    }

    fn list(&mut self, name: &'static str, flag: &str, values: &[String]) {
        if !values.is_empty() {
            self.set(name, flag, values.iter().flat_map(|value| split(value, |c| c == ',')).collect());
        }
    }

    fn on(&mut self, name: &'static str, given: bool) {
        if given {
            self.set(name, &Flags::flag(name), vec!["true".to_owned()]);
        }
    }

    fn off(&mut self, name: &'static str, flag: &str, given: bool) {
        if given {
            self.set(name, flag, vec!["false".to_owned()]);
        }
    }

    fn global(&mut self, args: &GlobalArgs) {
        if args.verbose > 0 {
            self.set("verbose", "--verbose", vec![args.verbose.min(2).to_string()]);
        }
        self.on("quiet", args.quiet);
        self.one("color", args.color.as_ref());
        self.off("progress", "--no-progress", args.no_progress);
        self.one("log_format", args.log_format.as_ref());
    }

    fn scan(&mut self, args: &ScanArgs) -> Result<(), Problem> {
        filled("TARGET", &args.targets, "leave the targets out to scan the subnets of this machine")?;
        filled("--exclude", &args.discovery.exclude, "leave it out to exclude nothing")?;
        filled("--interface", &args.discovery.interface, "leave it out to use all interfaces")?;
        self.list("targets", "TARGET", &args.targets);
        self.discovery(&args.discovery);
        self.one("concurrency", args.pace.concurrency.as_ref());
        self.one("rate", args.pace.rate.as_ref());
        self.one("max_duration", args.pace.max_duration.as_ref());
        self.list("fail_on", "--fail-on", &args.fail_on);
        self.one("baseline", args.baseline.as_ref());
        Ok(())
    }

    fn discovery(&mut self, args: &DiscoveryArgs) {
        self.list("exclude", "--exclude", &args.exclude);
        self.list("interface", "--interface", &args.interface);
        self.on("large_subnets", args.large_subnets);
        self.list("methods", "--methods", &args.methods);
        self.one("discovery_time", args.discovery_time.as_ref());
        self.off("dns", "--no-dns", args.no_dns);
        self.on("all", args.all);
    }

    fn host(&mut self, args: &HostArgs) -> Result<(), Problem> {
        self.list("ports", "--ports", &args.ports);
        self.one("verify", args.verify.as_ref());
        self.one("ffprobe", args.ffprobe.as_ref());
        self.one("snapshots", args.snapshots.as_ref());
        self.one("signatures", args.signatures.as_ref());
        self.one("max_candidates", args.max_candidates.as_ref());
        self.one("max_channels", args.max_channels.as_ref());
        self.one("credentials_file", args.credentials_file.as_ref());
        self.one("max_login_failures", args.max_login_failures.as_ref());
        self.one("timeout", args.timeout.as_ref());
        self.one("connect_timeout", args.connect_timeout.as_ref());
        self.one("frame_timeout", args.frame_timeout.as_ref());
        self.one("measure_time", args.measure_time.as_ref());
        self.one("host_timeout", args.host_timeout.as_ref());
        self.one("retries", args.retries.as_ref());
        self.one("per_host", args.per_host.as_ref());
        if !args.credentials.is_empty() {
            let logins = args.credentials.iter().map(|text| user_and_password(text.expose()));
            let logins = logins.collect::<Result<_, _>>().map_err(|problem| problem.at("--credential"))?;
            self.0.logins =
                Some(GivenLogins { logins, in_clear: true, origin: Origin::Flag("--credential".to_owned()) });
        }
        Ok(())
    }

    fn output(&mut self, args: &OutputArgs) {
        self.one("format", args.format.as_ref());
        if !args.output.is_empty() {
            self.set("output", "--output", args.output.clone());
        }
        self.on("csv_bom", args.csv_bom);
        self.one("csv_delimiter", args.csv_delimiter.as_ref());
        self.on("show_secrets", args.show_secrets);
    }
}

/// Refuses values with nothing in them: `camscan scan "$NET"` in a script where NET is not set means no network at all, and
/// must not scan all there are.
fn filled(flag: &str, values: &[String], instead: &str) -> Result<(), Problem> {
    match values.iter().any(|value| split(value, |c| c == ',').is_empty()) {
        true => Err(empty(flag, instead)),
        false => Ok(()),
    }
}

/// The problem of a value with nothing in it.
pub fn empty(flag: &str, instead: &str) -> Problem {
    Problem::new("the value is empty")
        .at(flag)
        .hint("in a script, check that the variable it comes from is set")
        .hint(instead)
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
