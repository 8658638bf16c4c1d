//! One channel: its type and what belongs to it.

use std::path::PathBuf;

use lettre::message::Mailbox;

use super::entry::Entry;
use super::web_address;
use crate::model::Secret;
use crate::model::notify::{
    Channel, ChannelWay, Discovery, DiscoveryForm, Email, Exec, MailSecurity, Mqtt, Service, ServiceChannel, Syslog,
    SyslogAddress, Webhook,
};
use crate::model::problem::Problem;
use crate::text::clean;

/// Every type that is no [`Service`].
const OTHERS: [&str; 5] = ["webhook", "mqtt", "email", "exec", "syslog"];

/// RFC 5424 §6.2.1, with the names of syslog.h.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

pub(super) fn read(name: &str, entry: &Entry<'_>) -> Result<Channel, Problem> {
    let kind = entry.need("type").map_err(|problem| problem.hint(types()))?;
    let way = match kind.as_str() {
        "webhook" => ChannelWay::Webhook(webhook(entry)?),
        "mqtt" => ChannelWay::Mqtt(mqtt(entry)?),
        "email" => ChannelWay::Email(email(entry)?),
        "exec" => ChannelWay::Exec(exec(entry)?),
        "syslog" => ChannelWay::Syslog(syslog(entry)?),
        other => {
            let service = Service::from_name(other).ok_or_else(|| {
                let names = Service::ALL.into_iter().map(Service::as_str).chain(OTHERS);
                Problem::new(format!("there is no type `{}`", clean(other))).did_you_mean(other, names).hint(types())
            })?;
            ChannelWay::Service(service_channel(service, entry)?)
        }
    };
    Ok(Channel { name: name.to_owned(), way })
}

fn types() -> String {
    let all: Vec<&str> = OTHERS.into_iter().chain(Service::ALL.into_iter().map(Service::as_str)).collect();
    format!("types are {}", all.join(", "))
}

fn webhook(entry: &Entry<'_>) -> Result<Webhook, Problem> {
    entry.only(&["type"], &["url", "secret", "old_secret", "authorization"])?;
    let secret = |key: &str| -> Result<Option<Secret>, Problem> {
        let secret = entry.secret(key)?;
        match secret.as_ref().map(Webhook::key) {
            Some(None) => Err(Problem::new("expected `whsec_` and the Base64 of 24 to 64 random bytes")
                .at(key)
                .hint("make one: echo whsec_$(head -c 32 /dev/urandom | base64 -w0)")),
            _ => Ok(secret),
        }
    };
    let secrets = [secret("secret")?, secret("old_secret")?].into_iter().flatten().collect();
    let authorization = entry.secret("authorization")?.map(|value| ("authorization".to_owned(), value));
    Ok(Webhook { url: secret_address(entry)?, secrets, headers: authorization.into_iter().collect() })
}

/// The address of a receiver, which may hold a token and is never shown.
fn secret_address(entry: &Entry<'_>) -> Result<Secret, Problem> {
    let url = entry.need_secret("url")?;
    // A slash at the end counts where the whole address is the receiver's.
    web_address(url.expose(), "url").map(|_| url)
}

fn service_channel(service: Service, entry: &Entry<'_>) -> Result<ServiceChannel, Problem> {
    let (plain, secret): (&[&str], &[&str]) = match service {
        Service::Ntfy => (&["type", "url", "topic"], &["token"]),
        Service::Gotify => (&["type", "url"], &["token"]),
        Service::Slack | Service::Discord | Service::Teams => (&["type"], &["url"]),
        Service::Telegram => (&["type", "url", "chat"], &["token"]),
        Service::Matrix => (&["type", "url", "room"], &["token"]),
        Service::Apprise => (&["type", "tags"], &["url", "urls"]),
    };
    entry.only(plain, secret)?;
    let server = |usual: Option<&str>| -> Result<Secret, Problem> {
        let url = match (entry.text("url")?, usual) {
            (None, Some(usual)) => usual.to_owned(),
            _ => entry.need("url")?,
        };
        web_address(&url, "url").map(Secret::new)
    };
    let (url, to, token) = match service {
        Service::Ntfy => (server(Some("https://ntfy.sh"))?, entry.need("topic")?, entry.secret("token")?),
        Service::Gotify => (server(None)?, String::new(), Some(entry.need_secret("token")?)),
        Service::Slack | Service::Discord | Service::Teams => (secret_address(entry)?, String::new(), None),
        Service::Telegram => {
            let server = server(Some("https://api.telegram.org"))?;
            (server, entry.need("chat")?, Some(entry.need_secret("token")?))
        }
        Service::Matrix => (server(None)?, entry.need("room")?, Some(entry.need_secret("token")?)),
        Service::Apprise => (secret_address(entry)?, entry.list("tags")?.join(", "), None),
    };
    let urls = if service == Service::Apprise { entry.secret("urls")? } else { None };
    Ok(ServiceChannel { service, url, to, token, urls })
}

fn mqtt(entry: &Entry<'_>) -> Result<Mqtt, Problem> {
    entry.only(&["type", "url", "user", "topic", "discovery", "discovery_form", "ca"], &["password"])?;
    let (scheme, host, port) = address(&entry.need("url")?, &[("mqtt", 1883), ("mqtts", 8883)])?;
    let topic = |key: &str, usual: &str| -> Result<String, Problem> {
        let topic = entry.text(key)?.unwrap_or_else(|| usual.to_owned());
        let is_topic = !topic.is_empty() && topic.split('/').all(|part| !part.is_empty());
        if !is_topic || topic.starts_with('$') || topic.contains(['+', '#', '\0']) || topic.len() > 128 {
            return Err(Problem::new("expected a topic such as site/camscan, without wildcards").at(key));
        }
        Ok(topic)
    };
    let tls = scheme == "mqtts";
    let ca = ca(entry)?;
    if ca.is_some() && !tls {
        return Err(Problem::new("`ca:` is for mqtts:// alone"));
    }
    let form = match entry.text("discovery_form")? {
        None => DiscoveryForm::Device,
        Some(name) => DiscoveryForm::from_name(&name).ok_or_else(|| {
            Problem::new("expected device or entity")
                .at("discovery_form")
                .hint("entity is for Home Assistant before 2024.11")
        })?,
    };
    Ok(Mqtt {
        host,
        port,
        tls,
        ca,
        user: entry.text("user")?,
        password: entry.secret("password")?,
        topic: topic("topic", "camscan")?,
        discovery: Some(topic("discovery", "homeassistant")?)
            .filter(|topic| topic != "none")
            .map(|prefix| Discovery { prefix, form }),
    })
}

fn ca(entry: &Entry<'_>) -> Result<Option<PathBuf>, Problem> {
    Ok(entry.text("ca")?.map(PathBuf::from))
}

fn email(entry: &Entry<'_>) -> Result<Email, Problem> {
    entry.only(&["type", "server", "security", "ca", "user", "from", "to"], &["password"])?;
    let security = entry.text("security")?.unwrap_or_else(|| MailSecurity::StartTls.as_str().to_owned());
    let security = MailSecurity::from_name(&security).ok_or_else(|| {
        Problem::new("expected starttls, tls or none").at("security").hint("starttls on port 587 is usual")
    })?;
    let usual = match security {
        MailSecurity::StartTls => 587,
        MailSecurity::Tls => 465,
        MailSecurity::None => 25,
    };
    let (_, host, port) = address(&format!("smtp://{}", entry.need("server")?), &[("smtp", usual)])
        .map_err(|_| Problem::new("expected a host, or host:port").at("server"))?;
    let is_mailbox = |text: &str| text.parse::<Mailbox>().map(drop);
    let wrong = |key: &str| Problem::new("expected a mail address, or Name <address>").at(key);
    let (from, to) = (entry.need("from")?, entry.list("to")?);
    is_mailbox(&from).map_err(|_| wrong("from"))?;
    if to.is_empty() || to.iter().any(|to| is_mailbox(to).is_err()) {
        return Err(wrong("to"));
    }
    let (user, password) = (entry.text("user")?, entry.secret("password")?);
    if user.is_some() != password.is_some() {
        return Err(Problem::new("`user:` and its password belong together"));
    }
    Ok(Email { host, port, security, ca: ca(entry)?, user, password, from, to })
}

fn exec(entry: &Entry<'_>) -> Result<Exec, Problem> {
    entry.only(&["type", "command"], &[])?;
    let is_list = entry.value("command").is_some_and(|value| value.is_sequence());
    let mut words = if is_list { entry.list("command")? } else { Vec::new() }.into_iter();
    match words.next().filter(|program| !program.is_empty()) {
        Some(program) => Ok(Exec { program, arguments: words.collect() }),
        None => Err(Problem::new("`command:` is a list: the program, then its arguments")
            .hint("write [/usr/local/bin/tell, --now]; no shell is involved")),
    }
}

fn syslog(entry: &Entry<'_>) -> Result<Syslog, Problem> {
    entry.only(&["type", "url", "facility"], &[])?;
    let url = entry.need("url")?;
    let to = match url.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
        Some(path) => SyslogAddress::Unix(path.into()),
        None => match address(&url, &[("udp", 514), ("tcp", 601)])? {
            (scheme, host, port) if scheme == "udp" => SyslogAddress::Udp(host, port),
            (_, host, port) => SyslogAddress::Tcp(host, port),
        },
    };
    let facility = entry.text("facility")?.unwrap_or_else(|| "daemon".to_owned());
    let number = FACILITIES.iter().position(|name| *name == facility).and_then(|nth| u8::try_from(nth).ok());
    let facility = number.or_else(|| facility.parse().ok().filter(|n| *n < 24)).ok_or_else(|| {
        Problem::new("expected the name or number of a facility").at("facility").did_you_mean(&facility, FACILITIES)
    })?;
    Ok(Syslog { to, facility })
}

/// Scheme, host and port of an address, with each scheme's usual port.
fn address(text: &str, schemes: &[(&str, u16)]) -> Result<(String, String, u16), Problem> {
    let names: Vec<String> = schemes.iter().map(|(name, port)| format!("{name}://host:{port}")).collect();
    let wrong = || Problem::new(format!("expected {}, without a login", names.join(" or "))).at("url");
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let usual = schemes.iter().find(|(name, _)| *name == scheme).map(|(_, port)| *port).ok_or_else(wrong)?;
    let rest = rest.trim_end_matches('/');
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Ok(usual), |port| port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong))?;
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || !host.chars().all(is_host) {
        return Err(wrong());
    }
    Ok((scheme.to_owned(), host.to_owned(), port))
}
