//! How settings come about: flag over variable over file over default, checked against each other.

use std::collections::HashSet;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::effective::effective;
use super::{LogSettings, OutputFormat, OutputSettings, Settings, TerminalSettings, memory, serve, survey, watch};
use crate::cli::args::{Cli, Command};
use crate::cli::config::environment::Environment;
use crate::cli::config::fail_on::FailOn;
use crate::cli::config::file;
use crate::cli::config::given;
use crate::cli::config::keys::{self, Color, FormatName};
use crate::cli::config::layer::{Layer, Origin, misspelt};
use crate::cli::config::targets;
use crate::export::csv::CsvOptions;
use crate::export::{FORMATS, table};
use crate::model::problem::Problem;
use crate::model::target::limits;
use crate::model::{Credential, ProbeOptions, ProbeTarget, ScanPlan, TargetSet, TargetSpec};
use crate::text::{clean, nearest};
use ipnetwork::IpNetwork;

impl Settings {
    /// Everything that flags, variables and configuration file amount to. Files named by them are read here; nothing is
    /// written and nothing is sent.
    ///
    /// # Errors
    /// One sentence and hints for whatever is wrong or makes no sense.
    pub fn resolve(cli: &Cli, environment: &Environment) -> Result<Settings, Problem> {
        environment.check()?;
        let config_file = file::find(cli.global.config.as_deref(), environment)?;
        let file = match &config_file {
            Some(path) => file::read(path, environment)?,
            None => Layer::default(),
        };
        let mut warnings = Vec::new();
        let in_clear = file.logins.as_ref().is_some_and(|given| given.in_clear);
        if in_clear || file.notifications.as_ref().is_some_and(|given| given.in_clear) {
            warnings.extend(config_file.as_deref().and_then(file::readable_by_others));
        }
        let variables = given::variables(environment)?;
        let layer = given::layer(cli)?.over(variables.over(file)).over(Layer::defaults());
        warnings.extend(misspelt(environment).into_iter().map(|(name, near)| {
            Problem::new(format!("the variable {name} has no effect")).hint(format!("did you mean `{near}`?"))
        }));
        Resolver { layer, environment, warnings }.settings(cli, config_file)
    }
}

struct Resolver<'a> {
    layer: Layer,
    environment: &'a Environment,
    warnings: Vec<Problem>,
}

impl Resolver<'_> {
    fn settings(mut self, cli: &Cli, config_file: Option<PathBuf>) -> Result<Settings, Problem> {
        let store = memory::store(cli, &self.layer, self.environment)?;
        let mut probe = self.probe_options()?;
        let probe_targets = probe_targets(cli)?;
        // `config check` is to find what a scan would.
        let scans = matches!(cli.command, Command::Scan(_) | Command::Config(_));
        let has_targets = scans || matches!(cli.command, Command::Watch(_) | Command::Serve(_));
        let (targets, exclude) = if has_targets { self.targets()? } else { Default::default() };
        let fail_on = self.fail_on()?;
        let terminal = self.terminal()?;
        let mut output = self.output(scans)?;
        if scans {
            survey::apply(&self.layer, &mut output, &mut probe)?;
        }
        let layer = &self.layer;
        Ok(Settings {
            targets,
            probe_targets,
            exclude,
            large_subnets: layer.one(&keys::LARGE_SUBNETS)?,
            signatures: layer.one(&keys::SIGNATURES)?,
            effective: effective(layer, &probe.credentials, config_file.clone()),
            plan: plan(layer, probe, &output)?,
            output,
            fail_on,
            baseline: self.baseline(cli, scans)?,
            store,
            usual_store: self.environment.store_place(),
            keep: memory::keep(layer)?,
            notifications: layer.notifications.as_ref().map(|given| given.notifications.clone()).unwrap_or_default(),
            watch: watch::settings(layer)?,
            serve: serve::settings(layer)?,
            terminal,
            log: LogSettings {
                verbosity: layer.one(&keys::VERBOSE)?,
                quiet: terminal.quiet,
                filter: self.environment.get("CAMSCAN_LOG").map(str::to_owned),
                format: layer.one(&keys::LOG)?,
                color: terminal.color,
            },
            config_file,
            warnings: self.warnings,
        })
    }

    fn probe_options(&mut self) -> Result<ProbeOptions, Problem> {
        let credentials = self.logins()?;
        let layer = &self.layer;
        let request_timeout = layer.one(&keys::TIMEOUT)?;
        let mut connect_timeout = layer.one(&keys::CONNECT_TIMEOUT)?;
        if layer.origin(keys::CONNECT_TIMEOUT.name) == Origin::Default {
            // Who asks for short answers does not want to wait longer for the connection.
            connect_timeout = connect_timeout.min(request_timeout);
        }
        let written = layer.list(&keys::PORTS)?;
        if written.is_empty() {
            let place = layer.origin(keys::PORTS.name).place(keys::PORTS.name);
            return Err(Problem::new("no port is given")
                .at(place)
                .hint("write a port (554) or a set: core, wide, all, none"));
        }
        let ports = once(written.concat());
        Ok(ProbeOptions {
            ports,
            verify: layer.one(&keys::VERIFY_STREAMS)?,
            ffprobe: layer.one(&keys::USE_FFPROBE)?,
            connect_timeout,
            request_timeout,
            frame_timeout: layer.one(&keys::FRAME_TIMEOUT)?,
            measure_time: layer.one(&keys::MEASURE_TIME)?,
            retries: layer.one(&keys::RETRIES)?,
            host_timeout: layer.one(&keys::HOST_TIMEOUT)?,
            per_host: layer.one(&keys::PER_HOST)?,
            credentials,
            max_login_failures: layer.one(&keys::MAX_LOGIN_FAILURES)?,
            max_candidates: layer.one(&keys::MAX_CANDIDATES)?,
            max_channels: layer.one(&keys::MAX_CHANNELS)?,
            snapshots: layer.one(&keys::SNAPSHOTS)?,
            in_depth: false,
        })
    }

    /// The logins of the strongest source that gives any, its list before its file. Weaker sources are not mixed in:
    /// every further login is one more that a device can refuse.
    fn logins(&mut self) -> Result<Vec<Credential>, Problem> {
        let key = &keys::CREDENTIALS_FILE;
        let listed = self.layer.logins.as_ref();
        let list_rank = listed.map_or(0, |given| given.origin.rank());
        let file_rank = self.layer.origin(key.name).rank();
        let mut logins = Vec::new();
        if list_rank >= file_rank {
            logins.extend(listed.into_iter().flat_map(|given| given.logins.clone()));
        }
        if let Some(mut path) = self.layer.one(key)?.filter(|_| file_rank >= list_rank) {
            let origin = self.layer.origin(key.name);
            if let Origin::File(config) = &origin {
                path = config.parent().unwrap_or(Path::new("")).join(path);
            }
            let read = file::read_logins(&path, self.environment);
            let read = read.map_err(|problem| problem.at(origin.place(key.name)))?;
            if read.in_clear {
                self.warnings.extend(file::readable_by_others(&path));
            }
            logins.extend(read.logins);
        }
        Ok(logins)
    }

    fn targets(&self) -> Result<(Vec<TargetSpec>, Vec<IpNetwork>), Problem> {
        let specs = |key| targets::expand(self.layer.list(key)?, self.environment);
        // A configuration may say that none are given; a variable that is set to blanks does not.
        let named = self
            .layer
            .given(keys::TARGETS.name)
            .is_some_and(|given| !given.values.is_empty() || matches!(given.origin, Origin::Environment(_)));
        let exclude = targets::excluded(&specs(&keys::EXCLUDE)?)
            .map_err(|problem| problem.at(self.layer.origin(keys::EXCLUDE.name).place(keys::EXCLUDE.name)))?;
        let specs = specs(&keys::TARGETS)?;
        if named && specs.is_empty() {
            return Err(Problem::new("the list of targets is empty")
                .hint("leave the targets out to scan the subnets of this machine"));
        }
        limits::check(&specs, &exclude)?;
        Ok((specs, exclude))
    }

    fn output(&self, scans: bool) -> Result<OutputSettings, Problem> {
        let layer = &self.layer;
        let origin = layer.origin(keys::OUTPUT.name);
        let place = || origin.place(keys::OUTPUT.name);
        let mut files: Vec<(PathBuf, OutputFormat)> = Vec::new();
        // Files named by the configuration are for scans: a probe must not replace the inventory.
        let written = if scans || matches!(origin, Origin::Flag(_)) { layer.list(&keys::OUTPUT)? } else { Vec::new() };
        for written in written {
            let (format, path) = self.output_file(&written).map_err(|problem| problem.at(place()))?;
            if files.iter().any(|(other, _)| same_file(other, &path)) {
                return Err(Problem::new(format!("{} is written twice", path.display())).at(place()));
            }
            files.push((path, format));
        }
        let terminal = self.environment.stdout_is_terminal;
        let stdout = match layer.one(&keys::FORMAT)? {
            None if files.is_empty() || terminal => Some(OutputFormat::Builtin(&table::FORMAT)),
            None => None,
            Some(FormatName::Builtin(format)) => Some(OutputFormat::Builtin(format)),
            Some(FormatName::Other(name)) => {
                let place = layer.origin(keys::FORMAT.name).place(keys::FORMAT.name);
                Some(self.named(&name).map_err(|problem| problem.at(place))?)
            }
        };
        let binary = stdout.as_ref().and_then(OutputFormat::builtin).filter(|format| format.is_binary && terminal);
        if let Some(format) = binary {
            return Err(Problem::new(format!("{format} is a binary format and cannot be printed on a terminal"))
                .hint(format!("write it to a file: -o report.{}", format.extensions.first().unwrap_or(&"bin"))));
        }
        let env_file = self.env_file(scans, stdout.iter().chain(files.iter().map(|(_, format)| format)))?;
        Ok(OutputSettings {
            stdout,
            files,
            env_file,
            csv: CsvOptions { bom: layer.one(&keys::CSV_BOM)?, delimiter: layer.one(&keys::CSV_DELIMITER)? },
            survey: survey::head(layer)?,
            show_secrets: layer.one(&keys::SHOW_SECRETS)?,
            color: self.color(terminal)?,
            verbose: layer.one(&keys::VERBOSE)? > 0,
            explain: layer.one(&keys::EXPLAIN)?,
        })
    }

    /// The file of logins; only a video system's configuration leaves some open.
    fn env_file<'f>(
        &self,
        scans: bool,
        formats: impl Iterator<Item = &'f OutputFormat>,
    ) -> Result<Option<PathBuf>, Problem> {
        let origin = self.layer.origin(keys::ENV_FILE.name);
        // Like other files of the configuration it is for scans.
        let Some(path) = self.layer.one(&keys::ENV_FILE)?.filter(|_| scans || matches!(origin, Origin::Flag(_))) else {
            return Ok(None);
        };
        if formats.filter_map(OutputFormat::builtin).any(|format| format.configuration().is_some()) {
            return Ok(Some(path));
        }
        let systems: Vec<_> = FORMATS.iter().filter(|f| f.configuration().is_some()).map(|f| f.name).collect();
        Err(Problem::new("no configuration of a video system is written that leaves logins open")
            .at(origin.place(keys::ENV_FILE.name))
            .hint(format!("write one as well, such as -o frigate:config.yml; there are {}", systems.join(", "))))
    }

    /// The format of a name: the program's own, or one of the plugins.
    fn named(&self, name: &str) -> Result<OutputFormat, Problem> {
        let plugin = self.layer.exporters.iter().find(|plugin| plugin.name == name).cloned();
        match (FORMATS.by_name(name), plugin) {
            (Ok(format), _) => Ok(OutputFormat::Builtin(format)),
            (Err(_), Some(plugin)) => Ok(OutputFormat::Plugin(plugin)),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// The format and the path of `[FORMAT:]FILE`. A folder stands for the usual file name of a configuration in it.
    fn output_file(&self, written: &Path) -> Result<(OutputFormat, PathBuf), Problem> {
        let Some((name, rest)) = written.to_str().and_then(|text| text.split_once(':')) else {
            return Ok((OutputFormat::Builtin(FORMATS.by_extension(written)?), written.to_owned()));
        };
        let is_name = FORMATS.iter().any(|format| format.name == name)
            || self.layer.exporters.iter().any(|plugin| plugin.name == name);
        if !is_name {
            let names = FORMATS.iter().map(|format| format.name);
            let names = names.chain(self.layer.exporters.iter().map(|plugin| plugin.name.as_str()));
            if let Some(near) = nearest(name, names) {
                return Err(Problem::new(format!("there is no format '{}'", clean(name))).hint(format!(
                    "did you mean '{near}:{rest}'? A file with a colon in its name is written ./{}",
                    written.display()
                )));
            }
            return Ok((OutputFormat::Builtin(FORMATS.by_extension(written)?), written.to_owned()));
        }
        if rest.is_empty() {
            let problem = Problem::new(format!("`{}` names no file", written.display()));
            return Err(problem.hint(format!("write {name}:FILE")));
        }
        let format = self.named(name)?;
        let is_folder = Path::new(rest).is_dir() || rest.ends_with(std::path::MAIN_SEPARATOR);
        let configure = format.builtin().and_then(|format| format.configuration()).filter(|_| is_folder);
        let path = configure.map_or_else(|| PathBuf::from(rest), |configure| Path::new(rest).join(configure.file));
        Ok((format, path))
    }

    fn fail_on(&self) -> Result<Vec<FailOn>, Problem> {
        Ok(once(self.layer.list(&keys::FAIL_ON)?))
    }

    fn baseline(&self, cli: &Cli, scans: bool) -> Result<Option<PathBuf>, Problem> {
        let baseline = self.layer.one(&keys::BASELINE)?;
        if !scans {
            return Ok(baseline);
        }
        let comparing = self.fail_on()?.into_iter().find(|condition| condition.needs_baseline());
        match (&baseline, comparing) {
            (None, Some(condition)) if memory::store(cli, &self.layer, self.environment)?.is_none() => {
                let place = self.layer.origin(keys::FAIL_ON.name).place(keys::FAIL_ON.name);
                Err(Problem::new(format!("`{}` needs an earlier report to compare with", condition.as_str()))
                    .at(place)
                    .hint("name one: --baseline inventory.json")
                    .hint("or compare with what is remembered: --store"))
            }
            (Some(path), _) if !path.exists() => {
                let place = self.layer.origin(keys::BASELINE.name).place(keys::BASELINE.name);
                Err(Problem::new(format!("there is no file {}", path.display()))
                    .at(place)
                    .hint(format!("create it first: camscan scan -o '{}'", path.display())))
            }
            _ => Ok(baseline),
        }
    }

    /// Quiet and verbose contradict each other; given side by side they are an error, else the stronger source wins.
    fn terminal(&mut self) -> Result<TerminalSettings, Problem> {
        let (quiet, verbose) = (self.layer.one(&keys::QUIET)?, self.layer.one(&keys::VERBOSE)? > 0);
        let rank = |layer: &Layer, name| layer.origin(name).rank();
        let ranks = (rank(&self.layer, keys::QUIET.name), rank(&self.layer, keys::VERBOSE.name));
        let quiet = match (quiet, verbose) {
            (true, true) if ranks.0 == ranks.1 => {
                return Err(Problem::new("quiet and verbose contradict each other").hint("set one of them"));
            }
            (true, true) if ranks.0 < ranks.1 => false,
            (true, true) => {
                let origin = self.layer.origin(keys::QUIET.name);
                self.layer.set(keys::VERBOSE.name, vec!["0".to_owned()], origin);
                true
            }
            (quiet, _) => quiet,
        };
        let terminal = self.environment.stderr_is_terminal;
        Ok(TerminalSettings {
            progress: terminal && !quiet && self.layer.one(&keys::PROGRESS)?,
            quiet,
            color: self.color(terminal)?,
        })
    }

    fn color(&self, terminal: bool) -> Result<bool, Problem> {
        Ok(match self.layer.one(&keys::USE_COLOR)? {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !self.environment.is_colourless(),
        })
    }
}

/// How a scan is made; its targets are filled in when they are resolved.
fn plan(layer: &Layer, probe: ProbeOptions, output: &OutputSettings) -> Result<ScanPlan, Problem> {
    let max_age = layer.one(&keys::MAX_AGE)?;
    Ok(ScanPlan {
        targets: TargetSet::default(),
        methods: once(layer.list(&keys::METHODS)?),
        interfaces: once(layer.list(&keys::INTERFACE)?),
        concurrency: layer.one(&keys::CONCURRENCY)?,
        rate: layer.one(&keys::RATE)?,
        discovery_time: layer.one(&keys::DISCOVERY_TIME)?,
        max_duration: layer.one(&keys::MAX_DURATION)?,
        all: layer.one(&keys::ALL_HOSTS)?,
        presence_only: false,
        show_secrets: output.show_secrets,
        resolve_names: layer.one(&keys::DNS)?,
        max_age: (!layer.one(&keys::FRESH)?).then_some(max_age),
        known_hosts: Arc::default(),
        login_book: None,
        probe,
    })
}

fn probe_targets(cli: &Cli) -> Result<Vec<ProbeTarget>, Problem> {
    match &cli.command {
        Command::Probe(args) => {
            if args.targets.iter().any(|text| text.expose().trim().is_empty()) {
                return Err(given::empty(
                    "URL|HOST",
                    "name a device (192.168.1.20) or a stream (rtsp://192.168.1.20/stream1)",
                ));
            }
            let read = args.targets.iter().map(|text| text.expose().parse());
            read.collect()
        }
        _ => Ok(Vec::new()),
    }
}

/// Each value once, in their order.
fn once<T: Clone + Eq + Hash>(mut values: Vec<T>) -> Vec<T> {
    let mut seen = HashSet::new();
    values.retain(|value| seen.insert(value.clone()));
    values
}

fn same_file(a: &Path, b: &Path) -> bool {
    let real =
        |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned());
    real(a) == real(b)
}
