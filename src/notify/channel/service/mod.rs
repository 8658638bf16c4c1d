//! Services with an interface of their own: a row of a table each. One sender serves them all.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Value, json};

use super::escape;
use super::http::{Client, Request};
use super::{Message, Outcome, put};
use crate::model::memory::Severity;
use crate::model::notify::{Service, ServiceChannel};

/// How a service is spoken to.
struct Preset {
    service: Service,
    /// The longest title and the longest text, in bytes: no service counts in anything larger.
    limits: (usize, usize),
    /// Takes mentions and markup out of texts, as the service understands them.
    escape: fn(&str) -> String,
    /// What it calls the severities: information, recovery, warning, problem.
    severities: [Level; 4],
    /// The request.
    request: fn(&ServiceChannel, &Texts<'_>) -> Request<'static>,
}

/// A severity in a service's words.
#[derive(Clone, Copy)]
enum Level {
    Number(u32),
    Name(&'static str),
}

/// A message as a service takes it.
struct Texts<'m> {
    id: &'m str,
    title: String,
    text: String,
    link: Option<&'m str>,
    at: String,
    level: Value,
}

const PRESETS: [Preset; 8] = [
    Preset {
        service: Service::Ntfy,
        limits: (250, 3_900),
        escape: str::to_owned,
        severities: [Level::Number(2), Level::Number(3), Level::Number(3), Level::Number(5)],
        request: ntfy,
    },
    Preset {
        service: Service::Gotify,
        limits: (400, 8_000),
        escape: str::to_owned,
        severities: [Level::Number(2), Level::Number(4), Level::Number(5), Level::Number(8)],
        request: gotify,
    },
    Preset {
        service: Service::Slack,
        limits: (150, 3_000),
        escape: escape::slack,
        severities: [Level::Name(""); 4],
        request: slack,
    },
    Preset {
        service: Service::Discord,
        limits: (256, 4_096),
        escape: escape::discord,
        severities: [
            Level::Number(0x19_76d2),
            Level::Number(0x2e_7d32),
            Level::Number(0xf9_a825),
            Level::Number(0xd3_2f2f),
        ],
        request: discord,
    },
    Preset {
        service: Service::Teams,
        limits: (400, 8_000),
        escape: escape::without_mentions,
        severities: [Level::Name("Default"), Level::Name("Good"), Level::Name("Warning"), Level::Name("Attention")],
        request: teams,
    },
    Preset {
        service: Service::Telegram,
        limits: (400, 3_500),
        escape: escape::without_mentions,
        severities: [Level::Name(""); 4],
        request: telegram,
    },
    Preset {
        service: Service::Matrix,
        limits: (400, 8_000),
        escape: escape::without_mentions,
        severities: [Level::Name("m.notice"), Level::Name("m.text"), Level::Name("m.text"), Level::Name("m.text")],
        request: matrix,
    },
    Preset {
        service: Service::Apprise,
        limits: (250, 8_000),
        escape: escape::without_mentions,
        severities: [Level::Name("info"), Level::Name("success"), Level::Name("warning"), Level::Name("failure")],
        request: apprise,
    },
];

pub(super) async fn send(client: &Client, channel: &ServiceChannel, message: &Message) -> Outcome {
    match request(channel, message) {
        Some(request) => client.send(request).await,
        None => Outcome::dead("there is no such service"),
    }
}

/// The request that brings a message to a service.
fn request(channel: &ServiceChannel, message: &Message) -> Option<Request<'static>> {
    let preset = PRESETS.iter().find(|preset| preset.service == channel.service)?;
    let [info, recovery, warning, problem] = preset.severities;
    let level = match message.severity {
        Severity::Info => info,
        Severity::Recovery => recovery,
        Severity::Warning => warning,
        Severity::Problem => problem,
    };
    let texts = Texts {
        id: &message.id,
        title: fitting(&message.title, preset.limits.0, preset.escape),
        text: fitting(&message.text, preset.limits.1, preset.escape),
        link: message.link.as_deref(),
        at: message.at.to_string(),
        level: match level {
            Level::Number(number) => number.into(),
            Level::Name(name) => name.into(),
        },
    };
    Some((preset.request)(channel, &texts))
}

/// A text as it is after escaping, at most so many bytes; never cut within an escape.
fn fitting(text: &str, most: usize, escape: fn(&str) -> String) -> String {
    let whole = escape(text);
    if whole.len() <= most {
        return whole;
    }
    let mut end = text.len();
    loop {
        end = text.get(..end).and_then(|rest| rest.char_indices().next_back()).map_or(0, |(at, _)| at);
        let cut = escape(text.get(..end).unwrap_or_default());
        if cut.len() + '…'.len_utf8() <= most || end == 0 {
            return cut + "…";
        }
    }
}

fn post(url: String, token: Option<(&'static str, String)>, body: &Value) -> Request<'static> {
    let mut headers = vec![("content-type", "application/json".to_owned())];
    headers.extend(token);
    Request { method: Method::POST, url, headers, body: body.to_string().into_bytes() }
}

fn server(channel: &ServiceChannel) -> &str {
    channel.url.expose().trim_end_matches('/')
}

fn token(channel: &ServiceChannel) -> &str {
    channel.token.as_ref().map(|token| token.expose()).unwrap_or_default()
}

fn bearer(channel: &ServiceChannel) -> Option<(&'static str, String)> {
    channel.token.as_ref().map(|token| ("authorization", format!("Bearer {}", token.expose())))
}

/// <https://docs.ntfy.sh/publish/#publish-as-json>
fn ntfy(channel: &ServiceChannel, texts: &Texts<'_>) -> Request<'static> {
    let mut body = json!({ "topic": channel.to, "title": texts.title, "message": texts.text, "priority": texts.level });
    if let Some(link) = texts.link {
        put(&mut body, "click", link);
    }
    post(server(channel).to_owned(), bearer(channel), &body)
}

/// <https://gotify.net/docs/pushmsg> and <https://gotify.net/docs/msgextras>
fn gotify(channel: &ServiceChannel, texts: &Texts<'_>) -> Request<'static> {
    let mut extras = json!({ "client::display": { "contentType": "text/plain" } });
    if let Some(link) = texts.link {
        put(&mut extras, "client::notification", json!({ "click": { "url": link } }));
    }
    let body = json!({ "title": texts.title, "message": texts.text, "priority": texts.level, "extras": extras });
    post(format!("{}/message", server(channel)), Some(("x-gotify-key", token(channel).to_owned())), &body)
}

/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>. Plain text takes part in no markup.
fn slack(channel: &ServiceChannel, texts: &Texts<'_>) -> Request<'static> {
    let plain = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
    let mut blocks = vec![json!({ "type": "header", "text": plain(&texts.title) })];
    if !texts.text.is_empty() {
        blocks.push(json!({ "type": "section", "text": plain(&texts.text) }));
    }
    if let Some(link) = texts.link {
        let link = format!("<{}|Details>", escape::slack(link));
        blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": link }] }));
    }
    let body =
        json!({ "text": texts.title, "mrkdwn": false, "link_names": false, "unfurl_links": false, "blocks": blocks });
    post(channel.url.expose().to_owned(), None, &body)
}

/// <https://docs.discord.com/developers/resources/webhook#execute-webhook>. Nobody is mentioned, whatever the text holds.
fn discord(channel: &ServiceChannel, texts: &Texts<'_>) -> Request<'static> {
    let mut embed = json!({
        "title": texts.title,
        "description": texts.text,
        "color": texts.level,
        "timestamp": texts.at,
    });
    if let Some(link) = texts.link {
        put(&mut embed, "url", link);
    }
    let body = json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } });
    // Without it Discord answers before it has looked at the message.
    let url = channel.url.expose();
    let joint = if url.contains('?') { '&' } else { '?' };
    post(format!("{url}{joint}wait=true"), None, &body)
}

/// An adaptive card, as workflows of Teams take them. Text runs take part in no markup.
fn teams(channel: &ServiceChannel, texts: &Texts<'_>) -> Request<'static> {
    let block = |run: Value| json!({ "type": "RichTextBlock", "spacing": "None", "inlines": [run] });
    let title =
        json!({ "type": "TextRun", "text": texts.title, "weight": "Bolder", "size": "Medium", "color": texts.level });
    let lines = texts.text.lines().map(|line| block(json!({ "type": "TextRun", "text": line })));
    let body: Vec<Value> = std::iter::once(block(title)).chain(lines).collect();
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    });
    if let Some(link) = texts.link {
        put(&mut card, "actions", json!([{ "type": "Action.OpenUrl", "title": "Details", "url": link }]));
    }
    let attachment = json!({ "contentType": "application/vnd.microsoft.card.adaptive", "content": card });
    post(channel.url.expose().to_owned(), None, &json!({ "type": "message", "attachments": [attachment] }))
}

/// <https://core.telegram.org/bots/api#sendmessage>. Without `parse_mode` nothing is markup.
fn telegram(channel: &ServiceChannel, texts: &Texts<'_>) -> Request<'static> {
    let parts = [Some(texts.title.as_str()), Some(texts.text.as_str()), texts.link];
    let text = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    let body = json!({ "chat_id": channel.to, "text": text, "link_preview_options": { "is_disabled": true } });
    post(format!("{}/bot{}/sendMessage", server(channel), token(channel)), None, &body)
}

/// <https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid>. The message's id is that
/// of the transaction: sent again, it appears once.
fn matrix(channel: &ServiceChannel, texts: &Texts<'_>) -> Request<'static> {
    let parts = [Some(texts.title.as_str()), Some(texts.text.as_str()), texts.link];
    let text = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    let body = json!({ "msgtype": texts.level, "body": text, "m.mentions": {} });
    let room = utf8_percent_encode(&channel.to, NON_ALPHANUMERIC);
    let id = utf8_percent_encode(texts.id, NON_ALPHANUMERIC);
    let url = format!("{}/_matrix/client/v3/rooms/{room}/send/m.room.message/{id}", server(channel));
    Request { method: Method::PUT, ..post(url, bearer(channel), &body) }
}

/// <https://appriseit.com/api/>: a configuration that Apprise holds (`/notify/KEY`), or addresses that go along (`/notify`).
fn apprise(channel: &ServiceChannel, texts: &Texts<'_>) -> Request<'static> {
    let parts = [Some(texts.text.as_str()), texts.link];
    let text = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    // Apprise refuses a message without a text.
    let text = if text.is_empty() { texts.title.clone() } else { text };
    let mut body = json!({ "title": texts.title, "body": text, "type": texts.level, "format": "text" });
    if !channel.to.is_empty() {
        put(&mut body, "tag", channel.to.as_str());
    }
    if let Some(urls) = &channel.urls {
        put(&mut body, "urls", urls.expose());
    }
    post(channel.url.expose().to_owned(), None, &body)
}

#[cfg(test)]
mod tests;
