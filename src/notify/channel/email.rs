//! Mail by SMTP: text with a small page beside it, one thread for each problem.

use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Mail, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::{Message, Outcome, certificates, escape, provide_cryptography};
use crate::model::notify::{Email, MailSecurity};
use crate::text::clean;

/// How long a step of the conversation may take.
const STEP: Duration = Duration::from_secs(15);
/// How long the whole of it may take.
const LIMIT: Duration = Duration::from_secs(50);

pub(super) async fn send(email: &Email, message: &Message) -> Outcome {
    provide_cryptography();
    let mail = match mail(email, message) {
        Ok(mail) => mail,
        Err(why) => return Outcome::dead(why),
    };
    let transport = match transport(email) {
        Ok(transport) => transport,
        Err(why) => return Outcome::retry(why),
    };
    match tokio::time::timeout(LIMIT, transport.send(mail)).await {
        Err(_) => Outcome::retry(format!("no end within {} s", LIMIT.as_secs())),
        Ok(Ok(response)) => {
            let said: Vec<&str> = response.message().collect();
            Outcome::Done { answer: format!("{}: {}", response.code(), said.join(" ")) }
        }
        Ok(Err(error)) if error.is_permanent() => Outcome::dead(error.to_string()),
        Ok(Err(error)) => Outcome::retry(reason(&error)),
    }
}

/// An error and its innermost cause.
fn reason(error: &lettre::transport::smtp::Error) -> String {
    let mut cause = std::error::Error::source(error);
    let mut last = None;
    while let Some(inner) = cause {
        last = Some(inner.to_string());
        cause = inner.source();
    }
    let said = error.to_string();
    last.filter(|last| !said.contains(last.as_str())).map_or(said.clone(), |last| format!("{said}: {last}"))
}

fn transport(email: &Email) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let tls = || -> Result<TlsParameters, String> {
        let mut parameters = TlsParameters::builder(email.host.clone());
        if let Some(path) = &email.ca {
            let certificate = Certificate::from_pem(&certificates(path)?).map_err(|error| error.to_string())?;
            parameters = parameters.add_root_certificate(certificate);
        }
        parameters.build().map_err(|error| error.to_string())
    };
    let tls = match email.security {
        MailSecurity::StartTls => Tls::Required(tls()?),
        MailSecurity::Tls => Tls::Wrapper(tls()?),
        MailSecurity::None => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(email.host.clone())
        .port(email.port)
        .tls(tls)
        .timeout(Some(STEP));
    if let (Some(user), Some(password)) = (&email.user, &email.password) {
        builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
    }
    Ok(builder.build())
}

/// The mail of a message: the same bytes at each try.
fn mail(email: &Email, message: &Message) -> Result<Mail, String> {
    let from: Mailbox = email.from.parse().map_err(|_| "the sender is no mail address".to_owned())?;
    let domain = from.email.domain().to_owned();
    let mut builder = Mail::builder()
        .message_id(Some(format!("<{}@{domain}>", message.id)))
        .date(SystemTime::from(message.at))
        .subject(clean(&message.title))
        .from(from);
    for to in &email.to {
        builder = builder.to(to.parse().map_err(|_| "a recipient is no mail address".to_owned())?);
    }
    if let Some(thread) = &message.thread {
        let thread = format!("<{thread}@{domain}>");
        builder = builder.references(thread.clone()).in_reply_to(thread);
    }
    // Nobody's absence is answered, and mail programs can sort by it (RFC 3834, RFC 2919).
    let further = [("Auto-Submitted", "auto-generated".to_owned()), ("List-Id", format!("camscan <camscan.{domain}>"))];
    for (name, value) in further {
        builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
    }
    let [plain, html] = [plain(message), html(message)];
    let parts = MultiPart::builder()
        .kind(lettre::message::MultiPartKind::Alternative)
        .boundary(format!("camscan-{}", message.id))
        .singlepart(SinglePart::plain(plain))
        .singlepart(SinglePart::html(html));
    builder.multipart(parts).map_err(|error| error.to_string())
}

fn plain(message: &Message) -> String {
    let link = message.link.as_ref().map(|link| format!("\n\n{link}")).unwrap_or_default();
    format!("{}\n\n{}{link}\n", message.title, message.text)
}

fn html(message: &Message) -> String {
    let lines: Vec<String> = message.text.lines().map(escape::html).collect();
    let link = message.link.as_deref().map(escape::html);
    let link = link.map(|link| format!("<p><a href=\"{link}\">{link}</a></p>")).unwrap_or_default();
    format!(
        "<!doctype html><html><body style=\"font-family:sans-serif\"><h3>{}</h3><p>{}</p>{link}</body></html>\n",
        escape::html(&message.title),
        lines.join("<br>\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::compose::test_message;

    #[test]
    fn a_mail_has_its_thread_and_is_the_same_at_each_try() {
        let email = Email {
            host: "mail".to_owned(),
            port: 25,
            security: MailSecurity::None,
            ca: None,
            user: None,
            password: None,
            from: "camscan <cams@example.org>".to_owned(),
            to: vec!["ops@example.org".to_owned(), "Ö <o@example.org>".to_owned()],
        };
        let mut message = test_message("msg_1", "2026-03-01T10:00:00Z".parse().unwrap());
        message.title = "Offline: <Dome> & \r\nBcc: x@example.org".to_owned();
        message.thread = Some("problem_7".to_owned());
        let text = |mail: Mail| String::from_utf8(mail.formatted()).unwrap();
        let mail_text = text(mail(&email, &message).unwrap());
        assert_eq!(mail_text, text(mail(&email, &message).unwrap()));
        for line in [
            "Message-ID: <msg_1@example.org>",
            "References: <problem_7@example.org>",
            "In-Reply-To: <problem_7@example.org>",
            "Date: Sun, 01 Mar 2026 10:00:00 +0000",
            "Auto-Submitted: auto-generated",
            "List-Id: camscan <camscan.example.org>",
        ] {
            assert!(mail_text.contains(line), "{line}\n{mail_text}");
        }
        let head = mail_text.split("\r\n\r\n").next().unwrap();
        assert!(head.contains("Subject: Offline: <Dome> & Bcc: x@example.org"), "{head}");
        assert!(html(&message).contains("&lt;Dome&gt; &amp;"));
    }
}
