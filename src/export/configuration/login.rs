//! Logins in configurations: placeholders, the two ways of writing a password, and the file of variables.
//!
//! Whether a consumer takes a password as it is or percent-encoded differs from place to place, and is the most reported
//! mistake of all; each variable says which it is.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use crate::model::{Credential, Secret};

/// How a value is written where it is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Percent-encoded, for the login part of a URL.
    Encoded,
    /// As it is.
    Plain,
    /// A whole URL with the login in it, percent-encoded.
    Url,
}

impl Form {
    /// What a comment says of it.
    pub fn hint(self) -> &'static str {
        match self {
            Form::Encoded => "percent-encoded",
            Form::Plain => "as it is, not percent-encoded",
            Form::Url => "the whole URL, user and password percent-encoded",
        }
    }
}

/// A placeholder's name and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The name, `[A-Za-z0-9_]+`.
    pub name: String,
    /// How the value is written.
    pub form: Form,
    /// What it stands for, in words: `password of 10.0.5.20`.
    pub meaning: String,
    /// The value in that form; none where no login is known.
    pub value: Option<Secret>,
}

/// An address within the name of a variable: `10_0_5_20`; of IPv6 all eight parts. Variables are named by the address that
/// their login goes to and not by what a device is called, since anything may call itself by the name of another.
pub fn address_in_name(ip: IpAddr) -> String {
    let parts: Vec<String> = match ip.to_canonical() {
        IpAddr::V4(v4) => v4.octets().iter().map(u8::to_string).collect(),
        IpAddr::V6(v6) => v6.segments().iter().map(|part| format!("{part:X}")).collect(),
    };
    parts.join("_")
}

/// All placeholders of a configuration, each once, in the order of their use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(Vec<Variable>);

impl Variables {
    /// Adds one, unless it is there.
    pub fn add(&mut self, variable: Variable) {
        if !self.0.iter().any(|known| known.name == variable.name) {
            self.0.push(variable);
        }
    }

    /// Adds those of another configuration.
    pub fn extend(&mut self, others: Variables) {
        others.0.into_iter().for_each(|variable| self.add(variable));
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Variable> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The comment lines that list them.
    pub fn comments(&self, comment: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.0.is_empty() {
            lines.push(format!("{comment} Set these variables (--env-file writes those that are known):"));
        }
        lines.extend(self.0.iter().map(|v| format!("{comment}   {}: {}, {}", v.name, v.meaning, v.form.hint())));
        lines
    }

    /// A file with those added that it does not set; all that is in it stays.
    pub fn added_to(&self, old: &str, syntax: Syntax) -> String {
        let is_set = |name: &str| old.lines().any(|line| syntax.sets(line.trim_start(), name));
        let new = Variables(self.0.iter().filter(|variable| !is_set(&variable.name)).cloned().collect());
        if old.is_empty() {
            return new.file(syntax);
        }
        let mut text = old.to_owned();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text + &new.lines(syntax)
    }

    /// A file of all of them; what is not known stands as a comment.
    pub fn file(&self, syntax: Syntax) -> String {
        let comment = syntax.comment();
        let lines = self.lines(syntax);
        format!("{comment} Logins for the configuration beside this file. Keep it private: mode 0600.\n{lines}")
    }

    fn lines(&self, syntax: Syntax) -> String {
        let comment = syntax.comment();
        let mut text = String::new();
        for Variable { name, form, meaning, value } in &self.0 {
            let hint = form.hint();
            // Writing to a string cannot fail.
            let _ = match value {
                Some(value) => writeln!(text, "{comment} {meaning}, {hint}\n{}", syntax.line(name, value.expose())),
                None => writeln!(text, "{comment} {meaning}, {hint}: not known\n{}", syntax.open_line(name)),
            };
        }
        text
    }
}

/// How a file of variables is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `NAME=VALUE`, as `env_file` of Docker Compose and `EnvironmentFile` of systemd read it. Values in single quotes are
    /// taken as they are by both.
    Env,
    /// `NAME: "VALUE"`, as `secrets.yaml` of Home Assistant and Viseron.
    Yaml,
    /// `SET @NAME = 'VALUE';`, the variables of a session with ZoneMinder's database.
    Sql,
}

impl Syntax {
    /// That of files with an extension.
    pub fn of(path: &Path) -> Syntax {
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        match extension.as_str() {
            "yaml" | "yml" => Syntax::Yaml,
            "sql" => Syntax::Sql,
            _ => Syntax::Env,
        }
    }

    fn comment(self) -> &'static str {
        if self == Syntax::Sql { "--" } else { "#" }
    }

    fn line(self, name: &str, value: &str) -> String {
        match self {
            Syntax::Env => format!("{name}={}", env_value(value)),
            Syntax::Yaml => format!("{name}: {}", super::text::quoted(value)),
            Syntax::Sql => format!("SET @{name} = {};", super::sql::quoted(value)),
        }
    }

    /// A line that sets nothing yet.
    fn open_line(self, name: &str) -> String {
        match self {
            Syntax::Env => format!("#{name}="),
            Syntax::Yaml => format!("#{name}: \"\""),
            Syntax::Sql => format!("-- SET @{name} = '';"),
        }
    }

    /// Whether a line sets the variable of that name.
    fn sets(self, line: &str, name: &str) -> bool {
        let (before, behind) = match self {
            Syntax::Env => ("", "="),
            Syntax::Yaml => ("", ":"),
            Syntax::Sql => ("SET @", " ="),
        };
        let rest = line.strip_prefix(before).and_then(|line| line.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with(behind))
    }
}

/// A value of an environment file. Plain where nothing in it means anything to a shell or to Compose; else in single
/// quotes, in which only the quote itself must be written otherwise.
fn env_value(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~%:/@?=&,+".contains(c);
    if value.chars().all(is_plain) {
        return value.to_owned();
    }
    // A line end cannot be in a login that came over a command line, a file of lines or YAML's plain text; where it is, it
    // must not begin a line of its own.
    let value = value.replace(['\n', '\r'], "");
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3): some consumers refuse what the RFC allows in a
/// login, such as `^`.
pub fn encode(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}

/// The login in an address, decoded; none where there is none.
pub fn in_url(url: &str) -> Option<Credential> {
    let host = crate::text::strip_userinfo(url);
    let start = url.find("://")? + 3;
    // What is missing without it is the login and the `@` behind it.
    let length = url.len().checked_sub(host.len())?.checked_sub(1)?;
    let written = url.get(start..start.checked_add(length)?)?;
    let (user, password) = written.split_once(':').unwrap_or((written, ""));
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some(Credential::new(decoded(user), decoded(password)))
}

/// `url` with user and password before the host, both as they are to stand there.
pub fn url_with(url: &str, user: &str, password: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{user}:{password}@{rest}"),
        None => url.to_owned(),
    }
}

/// The URL with the login in it, percent-encoded.
pub fn url_with_login(url: &str, login: &Credential) -> String {
    url_with(url, &encode(&login.user), &encode(login.password.expose()))
}
