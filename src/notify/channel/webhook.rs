//! Standard Webhooks, <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::http::{Client, Request};
use super::{Message, Outcome};
use crate::model::notify::Webhook;

/// The longest body, in bytes.
const MOST: usize = 20_000;

pub(super) async fn send(client: &Client, webhook: &Webhook, message: &Message) -> Outcome {
    let body = body(message).to_string();
    let timestamp = Timestamp::now().as_second().to_string();
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("webhook-id", message.id.clone()),
        ("webhook-timestamp", timestamp.clone()),
    ];
    let keys: Option<Vec<Vec<u8>>> = webhook.secrets.iter().map(Webhook::key).collect();
    let Some(keys) = keys else {
        return Outcome::dead("a secret of the channel is not `whsec_` and the Base64 of 24 to 64 bytes");
    };
    if !keys.is_empty() {
        headers.push(("webhook-signature", signature(&keys, &message.id, &timestamp, &body)));
    }
    headers.extend(webhook.headers.iter().map(|(name, value)| (name.as_str(), value.expose().to_owned())));
    let url = webhook.url.expose().to_owned();
    client.send(Request { method: Method::POST, url, headers, body: body.into_bytes() }).await
}

/// One signature for each key.
fn signature(keys: &[Vec<u8>], id: &str, timestamp: &str, body: &str) -> String {
    let signed = keys.iter().filter_map(|key| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    });
    signed.collect::<Vec<_>>().join(" ")
}

/// What is sent: `type`, `timestamp` and `data`; as many events as fit.
pub(in crate::notify) fn body(message: &Message) -> Value {
    let kind = match (message.kind, message.events.len()) {
        (Some(kind), 1) => kind.as_str(),
        (_, 0) => "test",
        _ => "events",
    };
    let (mut events, mut left_out) = (message.events.clone(), message.left_out);
    loop {
        let body = json!({
            "type": kind,
            "timestamp": message.at,
            "data": {
                "title": message.title,
                "text": message.text,
                "severity": message.severity,
                "link": message.link,
                "events": events,
                "left_out": left_out,
            },
        });
        if body.to_string().len() <= MOST || events.pop().is_none() {
            return body;
        }
        left_out += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn key(secret: &str) -> Option<Vec<u8>> {
        Webhook::key(&Secret::new(secret))
    }

    /// The example of the reference implementations' tests.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_give_two_signatures_and_short_ones_are_none() {
        let keys = [vec![1; 24], vec![2; 64]];
        let signed = signature(&keys, "a", "1", "{}");
        assert_eq!(signed.split(' ').filter(|one| one.starts_with("v1,")).count(), 2);
        let secret = |length: usize| format!("whsec_{}", STANDARD.encode(vec![7; length]));
        assert_eq!([23, 24, 64, 65].map(|length| key(&secret(length)).is_some()), [false, true, true, false]);
        assert_eq!(["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%"].map(key), [None, None]);
    }
}
