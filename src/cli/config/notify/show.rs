//! What `config show` tells of notifications. Secrets show as `***`.

use serde_json::{Map, Value, json};

use super::rule::short;
use crate::cli::config::values::show_duration;
use crate::model::Secret;
use crate::model::notify::{Channel, ChannelWay, Notifications, Rule, Service};

/// Channels and rules as they would stand in a configuration file.
pub fn shown(notifications: &Notifications) -> Value {
    let channels: Map<String, Value> =
        notifications.channels.iter().map(|channel| (channel.name.clone(), of_channel(channel))).collect();
    let rules: Vec<Value> = notifications.rules.iter().map(of_rule).collect();
    let mut shown = json!({ "channels": channels, "rules": rules });
    if let (Some(url), Some(fields)) = (&notifications.public_url, shown.as_object_mut()) {
        fields.insert("public_url".to_owned(), url.as_str().into());
    }
    shown
}

fn of_channel(channel: &Channel) -> Value {
    let hidden = |secret: &Option<Secret>| secret.as_ref().map(ToString::to_string);
    let fields = match &channel.way {
        ChannelWay::Webhook(webhook) => {
            json!({ "url": webhook.url.to_string(), "secret": hidden(&webhook.secrets.first().cloned()) })
        }
        ChannelWay::Service(service) => {
            let token = hidden(&service.token);
            let to = Some(&service.to).filter(|to| !to.is_empty());
            // Where the address is no secret, it is the server's alone.
            match service.service {
                Service::Ntfy => json!({ "url": service.url.expose(), "topic": to, "token": token }),
                Service::Gotify => json!({ "url": service.url.expose(), "token": token }),
                Service::Telegram => json!({ "url": service.url.expose(), "chat": to, "token": token }),
                Service::Matrix => json!({ "url": service.url.expose(), "room": to, "token": token }),
                Service::Apprise => {
                    json!({ "url": service.url.to_string(), "tags": to, "urls": hidden(&service.urls) })
                }
                Service::Slack | Service::Discord | Service::Teams => json!({ "url": service.url.to_string() }),
            }
        }
        ChannelWay::Mqtt(mqtt) => {
            let scheme = if mqtt.tls { "mqtts" } else { "mqtt" };
            json!({
                "url": format!("{scheme}://{}:{}", mqtt.host, mqtt.port),
                "user": mqtt.user,
                "password": hidden(&mqtt.password),
                "topic": mqtt.topic,
                "discovery": mqtt.discovery.as_ref().map_or("none", |discovery| &discovery.prefix),
                "discovery_form": mqtt.discovery.as_ref().map(|discovery| discovery.form),
            })
        }
        ChannelWay::Email(email) => json!({
            "server": format!("{}:{}", email.host, email.port),
            "security": email.security,
            "user": email.user,
            "password": hidden(&email.password),
            "from": email.from,
            "to": email.to,
        }),
        ChannelWay::Exec(exec) => {
            let words: Vec<&String> = std::iter::once(&exec.program).chain(&exec.arguments).collect();
            json!({ "command": words })
        }
        ChannelWay::Syslog(syslog) => json!({ "url": syslog.to.to_string(), "facility": syslog.facility }),
    };
    let kind = json!({ "type": channel.way.kind() });
    let all = [kind, fields].into_iter().filter_map(|fields| fields.as_object().cloned()).flatten();
    all.filter(|(_, value)| !value.is_null()).collect::<Map<String, Value>>().into()
}

fn of_rule(rule: &Rule) -> Value {
    let hours = rule.hours.iter().map(|hours| {
        let days: Vec<&str> = hours.days.iter().map(|day| short(*day)).collect();
        format!("{} {}-{}", days.join(","), hours.from.strftime("%H:%M"), hours.to.strftime("%H:%M"))
    });
    let lists = [
        ("events", rule.events.iter().map(ToString::to_string).collect::<Vec<String>>()),
        ("severity", rule.severity.iter().map(ToString::to_string).collect()),
        ("tags", rule.tags.clone()),
        ("sites", rule.sites.clone()),
        ("subnets", rule.subnets.iter().map(ToString::to_string).collect()),
        ("hours", hours.collect()),
        ("channels", rule.channels.clone()),
        ("digest", rule.digest.iter().map(|time| time.strftime("%H:%M").to_string()).collect()),
    ];
    let mut fields: Map<String, Value> = lists
        .into_iter()
        .filter(|(key, list)| !list.is_empty() || matches!(*key, "events" | "severity"))
        .map(|(key, list)| (key.to_owned(), list.into()))
        .collect();
    let wait = if rule.wait.is_zero() { "0".to_owned() } else { show_duration(rule.wait) };
    fields.insert("wait".to_owned(), wait.into());
    fields.insert("repeat".to_owned(), rule.repeat.map_or_else(|| "0".to_owned(), show_duration).into());
    fields.into()
}
