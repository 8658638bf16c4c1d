//! Where reports go: every place is checked before the work and written after it, and one that fails does not keep the
//! others from being written.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::plugin;
use crate::cli::beside::{Beside, LAST_WORDS};
use crate::cli::config::settings::{OutputFormat, OutputSettings};
use crate::cli::exit::JobFailed;
use crate::cli::ui::Ui;
use crate::export::configuration::Configuration;
use crate::export::configuration::login::{Syntax, Variables};
use crate::export::table::TableOptions;
use crate::export::{Logins, Options, jsonl, render};
use crate::model::problem::Problem;
use crate::model::{Credential, Device, Report};
use crate::text::counted;
use crate::tool::file::OutputFile;

/// The largest snapshot that goes into a report itself.
const MAX_PICTURE: u64 = 4 << 20;

/// What decided about a device, from the evidence its report holds.
fn explain(device: &Device) -> Vec<String> {
    crate::identify::weigh(&device.evidence).explain()
}

/// How much a report holds: `24 devices, 31 streams`.
fn summary(report: &Report) -> String {
    let streams: usize = report.devices.iter().map(|device| device.own_streams().count()).sum();
    format!("{}, {}", counted(report.devices.len(), "device", "devices"), counted(streams, "stream", "streams"))
}

/// The places a report goes to.
pub struct Outputs {
    settings: OutputSettings,
    files: Vec<(OutputFile, OutputFormat)>,
    /// Gets the logins that configurations leave open.
    env_file: Option<OutputFile>,
    pictures: Pictures,
    /// Standard output, where a signal ends the wait for its reader.
    stdout: Option<Stdout>,
}

/// Standard output of what a signal may end.
struct Stdout {
    beside: Arc<Beside>,
    stop: CancellationToken,
}

impl Stdout {
    /// Writes it all, however long its reader takes; once the work is stopped, as much as is read soon.
    fn commit(&self, file: &OutputFile, bytes: &[u8], ui: &Ui) -> anyhow::Result<()> {
        self.beside.send(bytes.to_vec());
        let mut until = None;
        let gives_up =
            || self.stop.is_cancelled() && *until.get_or_insert_with(|| Instant::now() + LAST_WORDS) <= Instant::now();
        match self.beside.flush(gives_up) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut && self.stop.is_cancelled() => {
                ui.warning("standard output is not read, so what should stand there is cut off");
                Ok(())
            }
            result => file.written(result).map_err(|error| JobFailed(error.into()).into()),
        }
    }
}

/// Standard output, with the progress line out of the way where both are on one terminal.
struct Print {
    ui: Ui,
    with_progress: bool,
}

impl Write for Print {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let write = || io::stdout().lock().write(bytes);
        if self.with_progress { self.ui.aside(write) } else { write() }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().lock().flush()
    }
}

fn commit(file: &OutputFile, bytes: &[u8]) -> anyhow::Result<()> {
    file.commit(bytes).map_err(|error| JobFailed(error.into()).into())
}

/// Writes the logins that configurations leave open, in the form that the file's extension stands for.
fn write_variables(file: &OutputFile, variables: &Variables, ui: &Ui) -> anyhow::Result<()> {
    let text = variables.file(Syntax::of(file.path()));
    commit(file, text.as_bytes())?;
    let unknown = variables.iter().filter(|v| v.value.is_none()).count();
    if unknown > 0 {
        ui.warning(format!(
            "{unknown} of {} variables in {} have no value: no login is known for them",
            variables.iter().count(),
            file.path().display()
        ));
    }
    Ok(())
}

/// Which files may go into a report as its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pictures {
    /// Those of this run: it saved them itself.
    Own,
    /// Those of a report that was read: somebody else may have written it, so only what lies in this folder or below.
    In(PathBuf),
}

impl Outputs {
    /// Makes sure that every file can be written.
    ///
    /// # Errors
    /// The first that cannot, with a hint; nothing has been touched.
    pub fn check(settings: &OutputSettings) -> Result<Outputs, Problem> {
        let check = |(path, format): &(PathBuf, OutputFormat)| Ok((OutputFile::check(path)?, format.clone()));
        let files = settings.files.iter().map(check).collect::<Result<_, Problem>>()?;
        let env_file = settings.env_file.as_deref().map(|path| OutputFile::check(path).map(OutputFile::private));
        let env_file = env_file.transpose()?;
        Ok(Outputs { settings: settings.clone(), files, env_file, pictures: Pictures::Own, stdout: None })
    }

    /// The same for a report read from a file in `folder`: the pictures it names are looked for there and nowhere else.
    #[must_use]
    pub fn of_report_in(self, folder: &Path) -> Outputs {
        Outputs { pictures: Pictures::In(folder.to_owned()), ..self }
    }

    /// The same, with a table that shows everything.
    pub fn in_depth(mut self) -> Outputs {
        self.settings.verbose = true;
        self
    }

    /// The same, with a standard output that nothing but the last line waits for, and not for long once `stop` is cancelled.
    ///
    /// # Errors
    /// When the system gives no thread for it.
    pub fn until(self, stop: &CancellationToken, ui: &Ui) -> io::Result<Outputs> {
        // Data: nothing of it is left out, and there is no more of it than of devices.
        let out = Print { ui: ui.clone(), with_progress: io::stdout().is_terminal() };
        let beside = Arc::new(Beside::start(out, usize::MAX, |_| String::new())?);
        Ok(Outputs { stdout: Some(Stdout { beside, stop: stop.clone() }), ..self })
    }

    /// Where devices go as they are done, where that is standard output.
    pub fn lines(&self) -> Option<Arc<Beside>> {
        self.stdout.as_ref().filter(|_| self.streams()).map(|stdout| stdout.beside.clone())
    }

    /// Writes a file, or to standard output.
    fn commit(&self, file: &OutputFile, bytes: &[u8], ui: &Ui) -> anyhow::Result<()> {
        match &self.stdout {
            Some(stdout) if file.is_stdout() => stdout.commit(file, bytes, ui),
            _ => commit(file, bytes),
        }
    }

    /// Whether devices go to standard output as they are done.
    pub fn streams(&self) -> bool {
        self.settings.stdout == Some(OutputFormat::Builtin(&jsonl::FORMAT))
    }

    /// Writes the report everywhere, and notes what each file holds. `streamed` says that the report's devices stand on
    /// standard output already; `login_of` gives the login that works for a device, where it is known.
    ///
    /// # Errors
    /// The first failure, after every other place has been written.
    pub fn write(
        &self,
        report: &Report,
        streamed: bool,
        login_of: &dyn Fn(&Device) -> Option<Credential>,
        ui: &Ui,
    ) -> anyhow::Result<()> {
        // A program of the user's own has no part in the right to write where root may.
        let plugins = self.run_plugins(report, login_of);
        crate::net::with_file_rights(|| self.write_each(report, streamed, login_of, plugins, ui))
    }

    /// What each plugin that is asked for writes, by its name.
    fn run_plugins(
        &self,
        report: &Report,
        login_of: &dyn Fn(&Device) -> Option<Credential>,
    ) -> HashMap<String, Result<Vec<u8>, Problem>> {
        let wanted = self.files.iter().map(|(_, format)| format).chain(&self.settings.stdout);
        let mut written = HashMap::new();
        for plugin in wanted.filter_map(|format| if let OutputFormat::Plugin(p) = format { Some(p) } else { None }) {
            written.entry(plugin.name.clone()).or_insert_with(|| plugin::run(plugin, report, login_of));
        }
        written
    }

    fn write_each(
        &self,
        report: &Report,
        streamed: bool,
        login_of: &dyn Fn(&Device) -> Option<Credential>,
        plugins: HashMap<String, Result<Vec<u8>, Problem>>,
        ui: &Ui,
    ) -> anyhow::Result<()> {
        let from_plugin = |name: &str| -> anyhow::Result<Vec<u8>> {
            Ok(plugins.get(name).cloned().unwrap_or_else(|| Ok(Vec::new())).map_err(JobFailed)?)
        };
        let picture = |path: &str| self.pictures.read(path);
        let logins = Logins { of: login_of, shown: self.settings.show_secrets };
        let survey = self.settings.survey.options();
        let options = Options { csv: self.settings.csv, table: self.table(), assets: Some(&picture), logins, survey };
        let mut outcome = Ok(());
        let mut note = |result: anyhow::Result<()>| {
            if outcome.is_ok() {
                outcome = result;
            }
        };
        let mut variables = Variables::default();
        for (file, format) in &self.files {
            let format = match format {
                OutputFormat::Builtin(format) => *format,
                OutputFormat::Plugin(plugin) => {
                    let written = from_plugin(&plugin.name).and_then(|bytes| self.commit(file, &bytes, ui));
                    if written.is_ok() && !file.is_stdout() {
                        ui.note(format!("wrote {}: {}", file.path().display(), summary(report)));
                    }
                    note(written);
                    continue;
                }
            };
            let written = match format.configuration() {
                None => render(format, &options, report).map_err(Into::into).and_then(|b| self.commit(file, &b, ui)),
                Some(configure) => {
                    let configuration = configure.of(report, &logins);
                    variables.extend(configuration.variables.clone());
                    self.write_configuration(file, configuration, ui)
                }
            };
            if written.is_ok() && !file.is_stdout() {
                ui.note(format!("wrote {}: {}", file.path().display(), summary(report)));
            }
            note(written);
        }
        if let Some(format) = &self.settings.stdout {
            let bytes: anyhow::Result<Vec<u8>> = match format {
                OutputFormat::Builtin(format) if streamed && *format == &jsonl::FORMAT => {
                    jsonl::scan_line(&report.scan).map(String::into_bytes).map_err(Into::into)
                }
                OutputFormat::Builtin(format) => render(format, &options, report).map_err(Into::into),
                OutputFormat::Plugin(plugin) => from_plugin(&plugin.name),
            };
            let configure = format.builtin().and_then(|format| format.configuration());
            variables.extend(configure.map(|c| c.of(report, &logins).variables).unwrap_or_default());
            let stdout = OutputFile::check(Path::new("-")).map_err(Problem::from).context("standard output")?;
            note(bytes.and_then(|b| self.commit(&stdout, &b, ui)));
        }
        if let Some(file) = &self.env_file {
            note(write_variables(file, &variables, ui));
        }
        outcome
    }

    /// Writes a configuration's files: the main one where it was wanted, the others beside it. With passwords in them they
    /// are readable by their owner alone.
    fn write_configuration(&self, main: &OutputFile, configuration: Configuration, ui: &Ui) -> anyhow::Result<()> {
        if main.is_stdout() {
            return self.commit(main, configuration.in_one_text().as_bytes(), ui);
        }
        let folder = main.path().parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let configuration = configuration.in_folder(&folder.display().to_string());
        // The main file is the last: it refers to the others.
        for (index, (name, text)) in configuration.files.iter().enumerate().rev() {
            let path = if index == 0 { main.path().to_owned() } else { folder.join(name) };
            let file = OutputFile::check(&path).map_err(Problem::from).map_err(JobFailed)?;
            let file = if self.settings.show_secrets { file.private() } else { file };
            commit(&file, text.as_bytes())?;
        }
        Ok(())
    }

    /// How the table is shown on standard output.
    pub fn table(&self) -> TableOptions {
        TableOptions {
            width: terminal_size::terminal_size().map_or(120, |(width, _)| usize::from(width.0)),
            colour: self.settings.color,
            verbosity: u8::from(self.settings.verbose),
            explain: self.settings.explain.then_some(explain),
        }
    }
}

impl Pictures {
    /// The bytes of a picture; none when it is no plain file, too large, or lies where it may not.
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let path = match self {
            Pictures::Own => PathBuf::from(path),
            Pictures::In(folder) => {
                let real = folder.join(path).canonicalize().ok()?;
                real.starts_with(folder.canonicalize().ok()?).then_some(real)?
            }
        };
        // Before it is opened: opening a pipe would wait for its writer.
        if !path.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        File::open(path).ok()?.take(MAX_PICTURE + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= MAX_PICTURE).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_report_names_pictures_of_its_own_folder_only() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("reports");
        fs::create_dir_all(folder.join("snapshots")).unwrap();
        fs::write(folder.join("snapshots/1.jpg"), b"picture").unwrap();
        fs::write(folder.join("large.jpg"), vec![0; MAX_PICTURE as usize + 1]).unwrap();
        fs::write(outside.path().join("secret"), b"secret").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.join("link.jpg")).unwrap();
        let pictures = Pictures::In(folder.clone());
        assert_eq!(pictures.read("snapshots/1.jpg").as_deref(), Some(&b"picture"[..]));
        let inside = folder.join("snapshots/1.jpg");
        assert_eq!(pictures.read(inside.to_str().unwrap()).as_deref(), Some(&b"picture"[..]));
        let secret = outside.path().join("secret");
        for path in
            ["../secret", secret.to_str().unwrap(), "link.jpg", "large.jpg", "snapshots", "none.jpg", "/dev/zero"]
        {
            assert_eq!(pictures.read(path), None, "{path}");
        }
        assert_eq!(Pictures::Own.read("/dev/zero"), None, "no plain file");
        assert_eq!(Pictures::Own.read(secret.to_str().unwrap()).as_deref(), Some(&b"secret"[..]));
    }
}
