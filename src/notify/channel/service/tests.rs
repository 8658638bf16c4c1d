use super::*;
use crate::model::Secret;
use crate::notify::compose::test_message;

fn message() -> Message {
    let mut message = test_message("msg_1", "2026-03-01T10:00:00Z".parse().unwrap());
    message.severity = Severity::Problem;
    message.title = "Offline: @everyone *Dome* <!here> (10.0.5.21)".to_owned();
    message.text = "Since 10:00\nTry: [x](http://y) & <@U1>".to_owned();
    message.link = Some("https://cams.example.org/devices/d_0000000000000000".to_owned());
    message
}

fn channel(service: Service) -> ServiceChannel {
    let url = match service {
        Service::Slack => "https://hooks.slack.com/services/T0/B0/tokentoken",
        Service::Discord => "https://discord.com/api/webhooks/1/tokentoken?thread_id=5",
        Service::Teams => "https://x.logic.azure.com/workflows/1?sig=tokentoken",
        Service::Apprise => "http://apprise:8000/notify/key",
        _ => "https://server.example.org/",
    };
    let to = match service {
        Service::Ntfy => "cameras",
        Service::Telegram => "-100123",
        Service::Matrix => "!room:example.org",
        Service::Apprise => "ops",
        _ => "",
    };
    ServiceChannel { service, url: Secret::new(url), to: to.to_owned(), token: Some(Secret::new("TOKEN")), urls: None }
}

#[test]
fn every_service_gets_what_its_manual_asks_for() {
    let said = Service::ALL.map(|service| {
        let request = request(&channel(service), &message()).unwrap();
        let headers: Vec<String> =
            request.headers.iter().skip(1).map(|(name, value)| format!("\n{name}: {value}")).collect();
        let body = String::from_utf8(request.body).unwrap();
        format!("{} {}{}\n{body}", request.method, request.url, headers.concat())
    });
    insta::assert_snapshot!(said.join("\n\n"), @r#"
    POST https://server.example.org
    authorization: Bearer TOKEN
    {"topic":"cameras","title":"Offline: @everyone *Dome* <!here> (10.0.5.21)","message":"Since 10:00\nTry: [x](http://y) & <@U1>","priority":5,"click":"https://cams.example.org/devices/d_0000000000000000"}

    POST https://server.example.org/message
    x-gotify-key: TOKEN
    {"title":"Offline: @everyone *Dome* <!here> (10.0.5.21)","message":"Since 10:00\nTry: [x](http://y) & <@U1>","priority":8,"extras":{"client::display":{"contentType":"text/plain"},"client::notification":{"click":{"url":"https://cams.example.org/devices/d_0000000000000000"}}}}

    POST https://hooks.slack.com/services/T0/B0/tokentoken
    {"text":"Offline: ＠everyone *Dome* ‹!here&gt; (10.0.5.21)","mrkdwn":false,"link_names":false,"unfurl_links":false,"blocks":[{"type":"header","text":{"type":"plain_text","text":"Offline: ＠everyone *Dome* ‹!here&gt; (10.0.5.21)","emoji":false}},{"type":"section","text":{"type":"plain_text","text":"Since 10:00\nTry: [x](http://y) &amp; &lt;＠U1&gt;","emoji":false}},{"type":"context","elements":[{"type":"mrkdwn","text":"<https://cams.example.org/devices/d_0000000000000000|Details>"}]}]}

    POST https://discord.com/api/webhooks/1/tokentoken?thread_id=5&wait=true
    {"embeds":[{"title":"Offline\\: ＠everyone \\*Dome\\* ‹!here\\> \\(10.0.5.21\\)","description":"Since 10\\:00\nTry\\: \\[x\\]\\(http\\://y\\) & \\<＠U1\\>","color":13840175,"timestamp":"2026-03-01T10:00:00Z","url":"https://cams.example.org/devices/d_0000000000000000"}],"allowed_mentions":{"parse":[]}}

    POST https://x.logic.azure.com/workflows/1?sig=tokentoken
    {"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.4","body":[{"type":"RichTextBlock","spacing":"None","inlines":[{"type":"TextRun","text":"Offline: ＠everyone *Dome* ‹!here> (10.0.5.21)","weight":"Bolder","size":"Medium","color":"Attention"}]},{"type":"RichTextBlock","spacing":"None","inlines":[{"type":"TextRun","text":"Since 10:00"}]},{"type":"RichTextBlock","spacing":"None","inlines":[{"type":"TextRun","text":"Try: [x](http://y) & <＠U1>"}]}],"actions":[{"type":"Action.OpenUrl","title":"Details","url":"https://cams.example.org/devices/d_0000000000000000"}]}}]}

    POST https://server.example.org/botTOKEN/sendMessage
    {"chat_id":"-100123","text":"Offline: ＠everyone *Dome* ‹!here> (10.0.5.21)\nSince 10:00\nTry: [x](http://y) & <＠U1>\nhttps://cams.example.org/devices/d_0000000000000000","link_preview_options":{"is_disabled":true}}

    PUT https://server.example.org/_matrix/client/v3/rooms/%21room%3Aexample%2Eorg/send/m.room.message/msg%5F1
    authorization: Bearer TOKEN
    {"msgtype":"m.text","body":"Offline: ＠everyone *Dome* ‹!here> (10.0.5.21)\nSince 10:00\nTry: [x](http://y) & <＠U1>\nhttps://cams.example.org/devices/d_0000000000000000","m.mentions":{}}

    POST http://apprise:8000/notify/key
    {"title":"Offline: ＠everyone *Dome* ‹!here> (10.0.5.21)","body":"Since 10:00\nTry: [x](http://y) & <＠U1>\nhttps://cams.example.org/devices/d_0000000000000000","type":"failure","format":"text","tag":"ops"}
    "#);
}

#[test]
fn no_mention_and_no_markup_reaches_a_service_that_would_follow_it() {
    for service in Service::ALL.into_iter().filter(|service| !matches!(service, Service::Ntfy | Service::Gotify)) {
        let body = String::from_utf8(request(&channel(service), &message()).unwrap().body).unwrap();
        assert!(!body.contains("@everyone") && !body.contains("<!here") && !body.contains("<@U1"), "{service}: {body}");
    }
}

#[test]
fn long_texts_are_cut_where_no_escape_is() {
    let mut message = message();
    message.text = "*ü".repeat(2_000);
    for service in Service::ALL {
        let preset = PRESETS.iter().find(|preset| preset.service == service).unwrap();
        let text = fitting(&message.text, preset.limits.1, preset.escape);
        assert!(text.len() <= preset.limits.1, "{service}");
        assert!(!text.trim_end_matches('…').ends_with('\\') && text.len() > preset.limits.1 - 12 || text.len() < 8_000);
    }
}
