//! What standard error shows: progress, devices as they are done, warnings and errors.

use std::collections::HashSet;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::{OwoColorize, Style};

use crate::cli::beside::Beside;
use crate::cli::exit::problem_of;
use crate::model::problem::Problem;
use crate::model::{Kind, ScanEvent};
use crate::text::counted;

use crate::cli::config::settings::TerminalSettings;

/// How often the progress line is drawn anew when nothing happens.
const TICK: Duration = Duration::from_millis(250);
/// The most bytes that wait for the reader of standard error.
const MOST_WAITING: usize = 4 << 20;

/// Standard error as the operator sees it. Clones write to the same place.
#[derive(Clone)]
pub struct Ui {
    inner: Arc<Inner>,
}

struct Inner {
    settings: TerminalSettings,
    bar: ProgressBar,
    counts: Mutex<Counts>,
    warned: Mutex<HashSet<String>>,
    out: Mutex<Box<dyn Write + Send>>,
    /// What `out` writes to, where nothing waits for its reader.
    beside: Mutex<Option<Arc<Beside>>>,
}

/// What the progress line tells.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    addresses: Option<u64>,
    swept: u64,
    up: u64,
    started: u64,
    done: u64,
    with_video: u64,
}

impl Ui {
    /// Writes to standard error.
    pub fn new(settings: TerminalSettings) -> Ui {
        Ui::to(settings, Box::new(io::stderr()), ProgressDrawTarget::stderr())
    }

    fn to(settings: TerminalSettings, out: Box<dyn Write + Send>, target: ProgressDrawTarget) -> Ui {
        // The line is not drawn before a sweep begins: commands without one have no progress.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if settings.progress {
            let spinner = if settings.color { "{spinner:.green}" } else { "{spinner}" };
            if let Ok(style) = ProgressStyle::with_template(&format!("{spinner} {{elapsed:>4}}  {{wide_msg}}")) {
                bar.set_style(style);
            }
            bar.set_draw_target(target);
        }
        let (counts, warned) = (Mutex::default(), Mutex::default());
        Ui { inner: Arc::new(Inner { settings, bar, counts, warned, out: Mutex::new(out), beside: Mutex::default() }) }
    }

    /// From now on nothing waits for whatever reads standard error. What finds no room is left out, and counted.
    ///
    /// # Errors
    /// When the system gives no thread for it.
    pub fn write_beside(&self) -> io::Result<()> {
        let left_out = |count| format!("warning: {} left out here\n", counted(count, "line was", "lines were"));
        let beside = Arc::new(Beside::start(io::stderr(), MOST_WAITING, left_out)?);
        *lock(&self.inner.out) = Box::new(Queue(beside.clone()));
        *lock(&self.inner.beside) = Some(beside);
        Ok(())
    }

    /// Waits for what is still to be read of standard error, and not for long.
    pub fn end(&self) {
        let beside = lock(&self.inner.beside).clone();
        // Where it cannot be written, nothing is left to say so to.
        let _ = beside.map(|beside| beside.end());
    }

    /// Takes note of what a scan tells. Devices themselves are shown by [`Ui::device`].
    pub fn event(&self, event: &ScanEvent) {
        if let ScanEvent::Warning(text) = event {
            return self.warning(text);
        }
        let line = {
            let mut counts = lock(&self.inner.counts);
            counts.note(event);
            counts.line()
        };
        if self.inner.settings.progress {
            if matches!(event, ScanEvent::SweepStarted { .. }) {
                self.inner.bar.reset_elapsed();
                self.inner.bar.enable_steady_tick(TICK);
            }
            self.inner.bar.set_message(line);
        }
    }

    /// Shows a device that is done, above the progress line; nothing where there is none.
    pub fn device(&self, lines: &str) {
        if self.inner.settings.progress {
            self.print(&format!("{}\n", lines.trim_end_matches('\n')));
        }
    }

    /// Shows a warning, each text once: a sentence and, after line breaks, `hint:` lines.
    pub fn warning(&self, text: impl Display) {
        let text = text.to_string();
        let shown = self.styled("warning:", Style::new().yellow().bold(), &text);
        if lock(&self.inner.warned).insert(text) && !self.inner.settings.quiet {
            self.print(&shown);
        }
    }

    /// Shows what was done, in one line; nothing with `-q`.
    pub fn note(&self, text: impl Display) {
        if !self.inner.settings.quiet {
            self.print(&format!("{text}\n"));
        }
    }

    /// Shows an error: the sentences of its causes in one line, then their hints.
    pub fn error(&self, error: &anyhow::Error) {
        let (mut sentences, mut hints) = (Vec::<String>::new(), Vec::<&str>::new());
        for cause in error.chain() {
            let problem = problem_of(cause);
            let sentence = problem.map_or_else(|| cause.to_string(), |problem| problem.message().to_owned());
            let sentence = without_number(&sentence);
            // Many errors repeat their cause's words; once is enough.
            if !sentences.iter().any(|known| known.contains(&sentence)) {
                sentences.push(sentence);
            }
            for hint in problem.map_or(&[][..], Problem::hints) {
                if !hints.contains(&hint.as_ref()) {
                    hints.push(hint);
                }
            }
        }
        let hints: String = hints.iter().map(|hint| format!("\nhint: {hint}")).collect();
        self.print(&self.styled("error:", Style::new().red().bold(), &format!("{}{hints}", sentences.join(": "))));
    }

    /// Does something that writes to the terminal, standard output included, with the progress line out of the way.
    pub fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.inner.bar.suspend(work)
    }

    /// Takes the progress line away for good.
    pub fn finish(&self) {
        self.inner.bar.finish_and_clear();
    }

    fn styled(&self, label: &str, style: Style, text: &str) -> String {
        if !self.inner.settings.color {
            return format!("{label} {text}\n");
        }
        let hint = format!("\n{}", "hint:".style(Style::new().cyan()));
        format!("{} {}\n", label.style(style), text.replace("\nhint:", &hint))
    }

    fn print(&self, text: &str) {
        self.aside(|| {
            let mut out = lock(&self.inner.out);
            // Nobody is left to be told when standard error is gone.
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        });
    }
}

/// Writes to a queue, each call a line.
struct Queue(Arc<Beside>);

impl Write for Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Counts {
    fn note(&mut self, event: &ScanEvent) {
        match event {
            ScanEvent::SweepStarted { addresses } => self.addresses = Some(*addresses),
            ScanEvent::Swept { addresses } => self.swept = *addresses,
            ScanEvent::HostUp { .. } => self.up += 1,
            ScanEvent::HostStarted { .. } => self.started += 1,
            ScanEvent::HostDone { .. } => self.done += 1,
            ScanEvent::DeviceDone(device) => self.with_video += u64::from(device.kind != Kind::Other),
            ScanEvent::Warning(_) => {}
        }
    }

    fn line(&self) -> String {
        let swept = match self.addresses {
            Some(all) if self.swept < all => format!("swept {}/{all}", self.swept),
            Some(all) => format!("swept {all}"),
            None => "starting".to_owned(),
        };
        let devices = if self.with_video == 1 { "camera" } else { "cameras" };
        format!("{swept} · {} up · {}/{} inspected · {} {devices}", self.up, self.done, self.started, self.with_video)
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Ui {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine(self.clone())
    }
}

/// Writes log lines above the progress line.
pub struct LogLine(Ui);

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.aside(|| lock(&self.0.inner.out).write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        lock(&self.0.inner.out).flush()
    }
}

/// A text without the numbers the system gives its errors, ` (os error 13)`; its words say the same.
fn without_number(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |so_far, part| {
        so_far + part.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(')')
    })
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Method;
    use anyhow::Context as _;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        fn text(&self) -> String {
            String::from_utf8(lock(&self.0).clone()).unwrap()
        }
    }

    fn ui(progress: bool, quiet: bool, color: bool) -> (Ui, Screen) {
        let screen = Screen::default();
        let settings = TerminalSettings { progress, quiet, color };
        (Ui::to(settings, Box::new(screen.clone()), ProgressDrawTarget::hidden()), screen)
    }

    #[test]
    fn the_progress_line_counts() {
        let (ui, _) = ui(true, false, false);
        let ip = "192.0.2.1".parse().unwrap();
        for event in [
            ScanEvent::SweepStarted { addresses: 254 },
            ScanEvent::Swept { addresses: 100 },
            ScanEvent::HostUp { ip, method: Method::Arp },
            ScanEvent::HostUp { ip, method: Method::Tcp },
            ScanEvent::HostStarted { ip },
        ] {
            ui.event(&event);
        }
        assert_eq!(ui.inner.bar.message(), "swept 100/254 · 2 up · 0/1 inspected · 0 cameras");
        ui.event(&ScanEvent::Swept { addresses: 254 });
        assert_eq!(ui.inner.bar.message(), "swept 254 · 2 up · 0/1 inspected · 0 cameras");
        ui.finish();
    }

    #[test]
    fn devices_show_only_beside_progress() {
        let (on, screen) = ui(true, false, false);
        on.device("192.0.2.1  camera\n");
        assert_eq!(screen.text(), "192.0.2.1  camera\n");
        let (off, screen) = ui(false, false, false);
        off.device("192.0.2.1  camera\n");
        assert_eq!(screen.text(), "");
    }

    #[test]
    fn a_warning_shows_once_and_not_when_quiet() {
        let (loud, screen) = ui(false, false, false);
        loud.event(&ScanEvent::Warning("no ARP\nhint: sudo".into()));
        loud.warning("no ARP\nhint: sudo");
        loud.warning("no ICMP");
        assert_eq!(screen.text(), "warning: no ARP\nhint: sudo\nwarning: no ICMP\n");
        let (quiet, screen) = ui(false, true, false);
        quiet.warning("no ARP");
        assert_eq!(screen.text(), "");
    }

    #[test]
    fn an_error_shows_its_causes_and_hints() {
        let (ui, screen) = ui(false, true, false);
        let problem = Problem::new("`5` is no time").hint("write 5s");
        ui.error(&Err::<(), _>(problem).context("bad settings").unwrap_err());
        let io = io::Error::from_raw_os_error(2);
        ui.error(&anyhow::Error::new(io).context("a.json cannot be read"));
        assert_eq!(
            screen.text(),
            "error: bad settings: `5` is no time\nhint: write 5s\nerror: a.json cannot be read: No such file or directory\n"
        );
    }

    #[test]
    fn colour_is_used_only_when_asked_for() {
        let (ui, screen) = ui(false, false, true);
        ui.warning("odd\nhint: look");
        insta::assert_debug_snapshot!(screen.text(), @r#""\u{1b}[33;1mwarning:\u{1b}[0m odd\n\u{1b}[36mhint:\u{1b}[0m look\n""#);
    }
}
