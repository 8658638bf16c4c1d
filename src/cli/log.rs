//! Log lines on standard error: for people or as JSON. Other crates are heard only when asked for.

use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::time::uptime;

use super::keys::LogFormat;
use super::problem::Problem;
use super::settings::LogSettings;
use super::ui::Ui;

/// Logs from now on, through `ui` so that the progress line stays whole.
///
/// # Errors
/// When CAMSCAN_LOG is no filter.
pub fn init(settings: &LogSettings, ui: &Ui) -> Result<(), Problem> {
    // Only a second call in the same process fails, and then the first holds.
    let _ = tracing::subscriber::set_global_default(subscriber(settings, ui.clone())?);
    Ok(())
}

fn subscriber<W>(settings: &LogSettings, writer: W) -> Result<Box<dyn Subscriber + Send + Sync>, Problem>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter(settings)?).with_writer(writer);
    Ok(match settings.format {
        LogFormat::Text => Box::new(builder.with_ansi(settings.color).with_timer(uptime()).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

fn filter(settings: &LogSettings) -> Result<EnvFilter, Problem> {
    match &settings.filter {
        Some(filter) => EnvFilter::try_new(filter).map_err(|e| {
            Problem::new(format!("`{}` is no log filter: {e}", crate::text::clean(filter)))
                .at("CAMSCAN_LOG")
                .hint("write a level (debug) or levels of modules (camscan::net=trace,retina=info)")
        }),
        None => Ok(EnvFilter::new(match (settings.quiet, settings.verbosity) {
            (true, _) => "off,camscan=error",
            (_, 0) => "off,camscan=warn",
            (_, 1) => "error,camscan=info",
            _ => "warn,camscan=debug",
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Lines;
        fn make_writer(&self) -> Lines {
            self.clone()
        }
    }

    fn logged(settings: &LogSettings) -> String {
        let lines = Lines::default();
        tracing::subscriber::with_default(subscriber(settings, lines.clone()).unwrap(), || {
            tracing::info!(target: "camscan::net", port = 554, "connected");
            tracing::debug!(target: "camscan::net", "asked");
            tracing::warn!(target: "retina", "odd packet");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    fn settings(verbosity: u32, format: LogFormat, filter: Option<&str>) -> LogSettings {
        LogSettings { verbosity, quiet: false, filter: filter.map(str::to_owned), format, color: false }
    }

    #[test]
    fn verbosity_and_filter_decide_what_is_heard() {
        let heard = |verbosity, filter| {
            let text = logged(&settings(verbosity, LogFormat::Text, filter));
            ["connected", "asked", "odd packet"].map(|word| text.contains(word))
        };
        assert_eq!(heard(0, None), [false, false, false]);
        assert_eq!(heard(1, None), [true, false, false]);
        assert_eq!(heard(2, None), [true, true, true]);
        assert_eq!(heard(0, Some("retina=warn")), [false, false, true]);
    }

    #[test]
    fn json_lines_are_json() {
        let text = logged(&settings(1, LogFormat::Json, None));
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!((&line["message"], &line["port"]), (&"connected".into(), &554.into()));
    }

    #[test]
    fn a_wrong_filter_is_a_problem() {
        let said = filter(&settings(0, LogFormat::Text, Some("camscan=loud"))).unwrap_err().to_string();
        insta::assert_snapshot!(said, @r#"
            CAMSCAN_LOG: `camscan=loud` is no log filter: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
            hint: write a level (debug) or levels of modules (camscan::net=trace,retina=info)
        "#);
    }
}
