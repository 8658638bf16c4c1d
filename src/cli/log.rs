//! Log lines on standard error: for people or as JSON. Other crates are heard only when asked for.
//!
//! Every value of every line passes through here, whoever wrote it: cleaned as names are, and without the user's
//! passwords. What a line says by itself (level, module, names of fields) is ours.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::uptime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use super::ui::Ui;
use crate::cli::config::keys::LogFormat;
use crate::cli::config::settings::LogSettings;
use crate::model::problem::Problem;
use crate::text::{self, Redactor};

/// The longest value of a line, in characters.
const MAX_VALUE: usize = 4096;

/// What no line may hold. Clones are the same one, so that a process that reads its configuration again can add to it.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Those of the configuration.
    given: Arc<RwLock<Redactor>>,
    /// Those that were given while the process runs.
    further: Arc<RwLock<Redactor>>,
}

impl Secrets {
    /// Those that this redactor knows.
    pub fn new(redactor: Redactor) -> Secrets {
        Secrets { given: Arc::new(RwLock::new(redactor)), further: Arc::default() }
    }

    /// From now on those that this one knows.
    pub fn replace(&self, redactor: Redactor) {
        *self.given.write().unwrap_or_else(PoisonError::into_inner) = redactor;
    }

    /// From now on those that this one knows as well, in place of those that were named so before.
    pub fn replace_further(&self, redactor: Redactor) {
        *self.further.write().unwrap_or_else(PoisonError::into_inner) = redactor;
    }

    fn take_out(&self, text: &str) -> String {
        let read = |redactor: &RwLock<Redactor>| redactor.read().unwrap_or_else(PoisonError::into_inner).clone();
        let given = read(&self.given);
        read(&self.further).redact(&given.redact(text)).into_owned()
    }
}

/// Logs from now on, through `ui` so that the progress line stays whole. None of the `secrets` is in any line.
///
/// # Errors
/// When CAMSCAN_LOG is no filter.
pub fn init(settings: &LogSettings, secrets: Secrets, ui: &Ui) -> Result<(), Problem> {
    // Only a second call in the same process fails, and then the first holds.
    let _ = tracing::subscriber::set_global_default(subscriber(settings, secrets, ui.clone())?);
    Ok(())
}

/// What hears the lines and writes them so.
///
/// # Errors
/// When CAMSCAN_LOG is no filter.
pub(crate) fn subscriber<W>(
    settings: &LogSettings,
    secrets: Secrets,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, Problem>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter(settings)?).with_writer(writer);
    let values = Values(secrets);
    Ok(match settings.format {
        LogFormat::Text => Box::new(builder.with_ansi(settings.color).with_timer(uptime()).fmt_fields(values).finish()),
        LogFormat::Json => {
            Box::new(builder.with_ansi(false).fmt_fields(values.clone()).event_format(Json(values)).finish())
        }
    })
}

/// How values are shown.
#[derive(Clone)]
struct Values(Secrets);

impl Values {
    fn shown(&self, value: &str) -> String {
        self.0.take_out(&text::clean_to(value, MAX_VALUE))
    }
}

/// The fields of a line of text: the message, then `name=value`.
impl<'w> FormatFields<'w> for Values {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = TextLine { values: self, writer, is_first: true, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

/// A value in quotes, within which nothing passes for a field: `address=` is written `address\u{3d}`.
fn quoted(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    let mut is_name = true;
    for c in format!("{value:?}").chars() {
        match c {
            '=' if is_name => quoted.push_str("\\u{3d}"),
            c => quoted.push(c),
        }
        is_name = c == '"' || c == ' ' || is_name && (c.is_alphanumeric() || "._-".contains(c));
    }
    quoted
}

struct TextLine<'v, 'w> {
    values: &'v Values,
    writer: Writer<'w>,
    is_first: bool,
    result: fmt::Result,
}

impl TextLine<'_, '_> {
    fn put(&mut self, field: &Field, value: &str) {
        let gap = if std::mem::take(&mut self.is_first) { "" } else { " " };
        let put = match field.name() {
            "message" => write!(self.writer, "{gap}{value}"),
            name if self.writer.has_ansi_escapes() => {
                write!(self.writer, "{gap}\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{value}")
            }
            name => write!(self.writer, "{gap}{name}={value}"),
        };
        self.result = self.result.and(put);
    }
}

impl Visit for TextLine<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let shown = self.values.shown(value);
        if field.name() == "message" { self.put(field, &shown) } else { self.put(field, &quoted(&shown)) }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let shown = self.values.shown(&format!("{value:?}"));
        self.put(field, &shown);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, &value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, &value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, &format!("{value:?}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, &value.to_string());
    }
}

/// A line as a JSON object: `timestamp`, `level`, the fields, `target`.
struct Json(Values);

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let meta = event.metadata();
        let mut line = JsonLine { values: &self.0, fields: Map::new() };
        line.fields.insert("timestamp".to_owned(), Timestamp::now().to_string().into());
        line.fields.insert("level".to_owned(), meta.level().as_str().into());
        event.record(&mut line);
        line.fields.insert("target".to_owned(), meta.target().into());
        writeln!(writer, "{}", Value::Object(line.fields))
    }
}

struct JsonLine<'v> {
    values: &'v Values,
    fields: Map<String, Value>,
}

impl JsonLine<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for JsonLine<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, self.values.shown(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, self.values.shown(&format!("{value:?}")));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

fn filter(settings: &LogSettings) -> Result<EnvFilter, Problem> {
    match &settings.filter {
        Some(filter) => EnvFilter::try_new(filter).map_err(|e| {
            Problem::new(format!("`{}` is not a log filter: {e}", crate::text::clean(filter)))
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
        tracing::subscriber::with_default(
            subscriber(settings, Secrets::new(redactor(PASSWORD)), lines.clone()).unwrap(),
            || {
                tracing::info!(target: "camscan::net", port = 554, "connected");
                tracing::debug!(target: "camscan::net", "asked");
                tracing::warn!(target: "retina", "odd packet");
                if settings.verbosity == 2 {
                    let sent = format!("/a\u{202e}gpj\u{2028}\u{200b}?pw={PASSWORD}\u{1b}[31m\n\"");
                    tracing::debug!(target: "camscan::net", sent, debugged = ?sent, shown = %sent, list = ?[sent.as_str()], "GET {sent}");
                    tracing::debug!(target: "camscan::net", status = 200u16, seconds = 0.5, tls = false, below = -1, "numbers");
                }
            },
        );
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    const PASSWORD: &str = "tief/er\"Brunnen";

    fn redactor(password: &str) -> Redactor {
        use crate::text::redactor::{CommonWords, Login};
        Redactor::new([Login { user: "viewer", password, digests: Vec::new() }], CommonWords::default())
    }

    #[test]
    fn what_becomes_a_secret_later_is_hidden_from_then_on() {
        let (lines, secrets) = (Lines::default(), Secrets::default());
        let settings = settings(1, LogFormat::Json, None);
        tracing::subscriber::with_default(subscriber(&settings, secrets.clone(), lines.clone()).unwrap(), || {
            tracing::info!(target: "camscan::net", "{PASSWORD}");
            secrets.replace(redactor(PASSWORD));
            tracing::info!(target: "camscan::net", sent = PASSWORD, "{PASSWORD}");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let (before, after) = text.split_once('\n').unwrap();
        assert!(before.contains("Brunnen") && !after.contains("Brunnen") && after.contains("***"), "{text}");
    }

    #[test]
    fn no_line_holds_a_password_or_what_a_terminal_would_follow() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(&settings(2, format, None));
            let odd = text.chars().find(|&c| (c.is_control() && c != '\n') || ('\u{2000}'..='\u{206f}').contains(&c));
            assert_eq!(odd, None, "{text}");
            assert!(!text.contains("Brunnen"), "{text}");
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 5, "{text}");
            match format {
                LogFormat::Text => {
                    let start = r#"GET /agpj ?pw=*** " sent="/agpj ?pw=*** \"" debugged="/a\u{202e}gpj"#;
                    assert!(lines[3].contains(start) && lines[3].contains(r#"shown=/agpj ?pw=*** " "#), "{}", lines[3]);
                    assert!(lines[4].ends_with("numbers status=200 seconds=0.5 tls=false below=-1"), "{}", lines[4]);
                }
                LogFormat::Json => {
                    let line: Value = serde_json::from_str(lines[3]).unwrap();
                    assert_eq!((&line["message"], &line["level"]), (&"GET /agpj ?pw=*** \"".into(), &"DEBUG".into()));
                    let line: Value = serde_json::from_str(lines[4]).unwrap();
                    assert_eq!(
                        (&line["status"], &line["seconds"], &line["tls"], &line["below"]),
                        (&200.into(), &0.5.into(), &false.into(), &(-1).into())
                    );
                }
            }
        }
    }

    #[test]
    fn no_value_passes_for_a_field() {
        for (value, shown) in [
            (
                "WARN x: login failed address=10.0.0.7 name=",
                r#""WARN x: login failed address\u{3d}10.0.0.7 name\u{3d}""#,
            ),
            ("address=1", r#""address\u{3d}1""#),
            ("\"address=1", r#""\"address\u{3d}1""#),
            ("rtsp://camera/stream?channel=1&a=b", r#""rtsp://camera/stream?channel=1&a=b""#),
        ] {
            assert_eq!(quoted(value), shown);
        }
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
            CAMSCAN_LOG: `camscan=loud` is not a log filter: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
            hint: write a level (debug) or levels of modules (camscan::net=trace,retina=info)
        "#);
    }
}
