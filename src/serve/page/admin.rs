//! Accounts, tokens, sessions, what was changed, backup, configuration, health.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::look::Look;
use super::names::{self, action};
use super::parts::{self, act, badge, cell, cell_of, fact, field, form, table_end, table_head};
use super::shell::{Nav, Page};
use super::words::Text;
use super::words_audit;
use crate::export::words::Tone;
use crate::markup::Markup;
use crate::model::access::{Role, Scope};
use crate::model::memory::{Detail, Uid};
use crate::store::accounts::{AuditEntry, SessionRow, TokenRow, User};

/// Everything that the page shows.
#[derive(Default)]
pub struct Admin {
    /// The accounts.
    pub users: Vec<User>,
    /// Their tokens.
    pub tokens: Vec<TokenRow>,
    /// Their sessions.
    pub sessions: Vec<SessionRow>,
    /// The last changes, the latest first.
    pub audit: Vec<AuditEntry>,
    /// What the devices are called that these are about.
    pub names: BTreeMap<Uid, String>,
    /// The effective configuration: each key with its `value` and its `origin`, without secrets.
    pub config: Value,
    /// How the parts of this program are: what, and whether it is well; none where it is switched off.
    pub health: Vec<(Text, Option<bool>)>,
    /// The size of the store.
    pub store_bytes: u64,
    /// When this process began.
    pub started_at: Timestamp,
    /// A token that was made just now, which is shown once.
    pub made: Option<String>,
    /// A new password was refused, a name is taken.
    pub mistake: Option<String>,
}

/// The page.
pub fn page(look: &Look, admin: &Admin) -> Page {
    Page::new(look, look.say(Text::Admin), Nav::Admin, |out| {
        out.raw("<div class=\"head\"><h1 class=\"grow\">").text(look.say(Text::Admin)).raw("</h1></div>");
        if let Some(token) = &admin.made {
            out.raw("<div class=\"banner good\" role=\"status\"><p>")
                .text(look.say(Text::TokenMade))
                .raw("</p><p><code>");
            out.text(token).raw("</code></p></div>");
        }
        if let Some(mistake) = &admin.mistake {
            out.raw("<p class=\"banner bad\" role=\"alert\">").text(mistake).raw("</p>");
        }
        out.raw("<div class=\"stack\">");
        health(out, look, admin);
        users(out, look, admin);
        tokens(out, look, admin);
        sessions(out, look, admin);
        audit(out, look, admin);
        config(out, look, admin);
        out.raw("</div>");
    })
}

fn health(out: &mut Markup, look: &Look, admin: &Admin) {
    out.raw("<section class=\"panel\"><h2>").text(look.say(Text::Health)).raw("</h2><dl class=\"facts\">");
    fact(out, look.say(Text::Version), Some(env!("CARGO_PKG_VERSION")));
    fact(out, look.say(Text::RunningFor), Some(&look.since(admin.started_at)));
    for (name, is_well) in &admin.health {
        out.raw("<div><dt>").text(look.say(*name)).raw("</dt><dd>");
        let (tone, word) = match is_well {
            Some(true) => (Tone::Good, Text::Well),
            Some(false) => (Tone::Bad, Text::NotWell),
            None => (Tone::Quiet, Text::NotOn),
        };
        badge(out, tone, look.say(word));
        if *name == Text::PartStore {
            #[expect(clippy::cast_precision_loss, reason = "one digit of it is shown")]
            let size = look.lang.decimal(admin.store_bytes as f64 / 1e6, 1);
            out.raw(" <small>").text(look.with(Text::Megabytes, &[&size])).raw("</small>");
        }
        out.raw("</dd></div>");
    }
    out.raw("</dl><div class=\"row\">");
    form(out, look, "", "admin/backup", |out| parts::button(out, "", look.say(Text::Backup)));
    form(out, look, "", "admin/prune", |out| parts::button(out, "", look.say(Text::Prune)));
    out.raw("</div><p class=\"hint\">").text(look.say(Text::BackupHint)).raw("</p></section>");
}

fn roles(look: &Look) -> [(&'static str, &'static str); 3] {
    Role::ALL.map(|one| (one.as_str(), look.say(names::role(one))))
}

fn users(out: &mut Markup, look: &Look, admin: &Admin) {
    out.raw("<section class=\"panel flush\" id=\"users\"><h2>").text(look.say(Text::Users)).raw("</h2>");
    table_head(out, look, look.say(Text::Users), &[Text::Name, Text::Role, Text::State, Text::LastLogin, Text::Change]);
    for user in &admin.users {
        out.raw("<tr><th scope=\"row\">").foreign(&user.name).raw("</th>");
        cell(out, look, Text::Role, look.say(names::role(user.role)));
        cell_of(out, look, Text::State, |out| enabled(out, look, user.enabled));
        cell_of(out, look, Text::LastLogin, |out| {
            if let Some(at) = user.login_at {
                parts::time(out, look, at);
            }
        });
        cell_of(out, look, Text::Change, |out| {
            out.raw("<details class=\"fold\"><summary>").text(look.say(Text::Change)).raw("</summary>");
            change(out, look, user);
            out.raw("</details>");
        });
        out.raw("</tr>");
    }
    table_end(out);
    out.raw("</section><section class=\"panel\"><h2>").text(look.say(Text::AddUser)).raw("</h2>");
    form(out, look, "row", "admin/users", |out| {
        let name =
            [("required", "required"), ("maxlength", "200"), ("autocomplete", "off"), ("autocapitalize", "none")];
        field(out, look.say(Text::Name), "name", "", &name);
        let password = [
            ("type", "password"),
            ("required", "required"),
            ("minlength", "10"),
            ("maxlength", "1000"),
            ("autocomplete", "new-password"),
        ];
        field(out, look.say(Text::Password), "password", "", &password);
        parts::choice(out, look.say(Text::Role), "role", Role::Viewer.as_str(), &roles(look));
        parts::button(out, "", look.say(Text::AddUser));
    });
    out.raw("</section>");
}

fn change(out: &mut Markup, look: &Look, user: &User) {
    let path = format!("admin/users/{}", user.id);
    form(out, look, "form", &path, |out| {
        parts::choice(out, look.say(Text::Role), "role", user.role.as_str(), &roles(look));
        let password =
            [("type", "password"), ("minlength", "10"), ("maxlength", "1000"), ("autocomplete", "new-password")];
        field(out, look.say(Text::NewPassword), "password", "", &password);
        let all = [("true", look.say(Text::Enabled)), ("false", look.say(Text::Disabled))];
        parts::choice(out, look.say(Text::State), "enabled", if user.enabled { "true" } else { "false" }, &all);
        parts::button(out, "", look.say(Text::Save));
    });
    act(out, look, &format!("{path}/remove"), "danger", look.say(Text::Remove));
}

fn enabled(out: &mut Markup, look: &Look, is_enabled: bool) {
    let (tone, text) = if is_enabled { (Tone::Good, Text::Enabled) } else { (Tone::Quiet, Text::Disabled) };
    badge(out, tone, look.say(text));
}

fn owner(admin: &Admin, id: i64) -> &str {
    admin.users.iter().find(|user| user.id == id).map_or("", |user| user.name.as_str())
}

fn tokens(out: &mut Markup, look: &Look, admin: &Admin) {
    out.raw("<section class=\"panel flush\" id=\"tokens\"><h2>").text(look.say(Text::Tokens)).raw("</h2>");
    if !admin.tokens.is_empty() {
        let columns = [Text::Name, Text::User, Text::Scopes, Text::State, Text::Expires, Text::LastUsed, Text::Change];
        table_head(out, look, look.say(Text::Tokens), &columns);
        for token in &admin.tokens {
            token_row(out, look, admin, token);
        }
        table_end(out);
    } else {
        out.raw("<p class=\"empty\">").text(look.say(Text::NoTokens)).raw("</p>");
    }
    out.raw("</section><section class=\"panel\"><h2>").text(look.say(Text::AddToken)).raw("</h2>");
    form(out, look, "form", "admin/tokens", |out| {
        out.raw("<div class=\"row\">");
        field(
            out,
            look.say(Text::For),
            "name",
            "",
            &[("required", "required"), ("maxlength", "200"), ("autocomplete", "off")],
        );
        let days = [("1", Text::OneDay), ("30", Text::OneMonth), ("365", Text::OneYear), ("", Text::NoEnd)]
            .map(|(value, text)| (value, look.say(text)));
        parts::choice(out, look.say(Text::Expires), "days", "365", &days);
        field(
            out,
            look.say(Text::OnlyFrom),
            "networks",
            "",
            &[("maxlength", "1000"), ("autocomplete", "off"), ("placeholder", "192.168.1.0/24")],
        );
        out.raw("</div><fieldset><legend>").text(look.say(Text::Scopes)).raw("</legend><div class=\"row\">");
        for scope in Scope::ALL {
            out.raw("<label class=\"tick\">");
            let mark = [("checked", scope == Scope::Read)];
            out.open_with("input", &[("type", "checkbox"), ("name", "scope"), ("value", scope.as_str())], &mark);
            out.text(look.say(names::scope(scope))).raw("</label>");
        }
        out.raw("</div></fieldset>");
        parts::button(out, "", look.say(Text::AddToken));
    });
    out.raw("</section>");
}

fn token_row(out: &mut Markup, look: &Look, admin: &Admin, token: &TokenRow) {
    out.raw("<tr><th scope=\"row\">")
        .foreign(&token.name)
        .raw(" <code class=\"faint\">")
        .text(&token.public)
        .raw("</code></th>");
    parts::cell_of_theirs(out, look, Text::User, owner(admin, token.user));
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| look.say(names::scope(*scope))).collect();
    cell(out, look, Text::Scopes, &scopes.join(", "));
    cell_of(out, look, Text::State, |out| enabled(out, look, token.enabled));
    cell_of(out, look, Text::Expires, |out| match token.expires_at {
        Some(at) => parts::time(out, look, at),
        None => {
            out.text(look.say(Text::NoEnd));
        }
    });
    cell_of(out, look, Text::LastUsed, |out| {
        if let Some(at) = token.used_at {
            parts::time(out, look, at);
            out.raw(" ").name(token.used_from.as_deref().unwrap_or_default());
        }
    });
    cell_of(out, look, Text::Change, |out| {
        let (does, text) = if token.enabled { ("disable", Text::SwitchOff) } else { ("enable", Text::SwitchOn) };
        act(out, look, &format!("admin/tokens/{}/{does}", token.public), "", look.say(text));
        act(out, look, &format!("admin/tokens/{}/remove", token.public), "danger", look.say(Text::Remove));
    });
    out.raw("</tr>");
}

fn sessions(out: &mut Markup, look: &Look, admin: &Admin) {
    out.raw("<section class=\"panel flush\"><h2>").text(look.say(Text::Sessions)).raw("</h2>");
    if admin.sessions.is_empty() {
        out.raw("<p class=\"empty\">").text(look.say(Text::NoSessions)).raw("</p></section>");
        return;
    }
    table_head(
        out,
        look,
        look.say(Text::Sessions),
        &[Text::User, Text::Began, Text::LastUsed, Text::Address, Text::Browser, Text::Change],
    );
    for session in &admin.sessions {
        out.raw("<tr><th scope=\"row\">").foreign(owner(admin, session.user)).raw("</th>");
        cell_of(out, look, Text::Began, |out| parts::time(out, look, session.created_at));
        cell_of(out, look, Text::LastUsed, |out| parts::time(out, look, session.seen_at));
        cell(out, look, Text::Address, &session.address);
        cell(out, look, Text::Browser, &browser(&session.agent));
        cell_of(out, look, Text::Change, |out| {
            act(out, look, &format!("admin/sessions/{}/end", session.id), "", look.say(Text::EndSession))
        });
        out.raw("</tr>");
    }
    table_end(out);
    out.raw("</section>");
}

fn audit(out: &mut Markup, look: &Look, admin: &Admin) {
    out.raw("<section class=\"panel flush\"><h2>").text(look.say(Text::Audit)).raw("</h2>");
    if admin.audit.is_empty() {
        out.raw("<p class=\"empty\">").text(look.say(Text::NothingChangedYet)).raw("</p></section>");
        return;
    }
    table_head(out, look, look.say(Text::Audit), &[Text::Time, Text::Who, Text::What, Text::Subject, Text::Detail]);
    for entry in &admin.audit {
        out.raw("<tr><th scope=\"row\">");
        parts::time(out, look, entry.at);
        out.raw("</th>");
        let who = words_audit::who(look, &entry.actor.name);
        cell(out, look, Text::Who, [who, entry.actor.address.as_str()].join(" ").trim());
        cell(out, look, Text::What, action(&entry.action).map_or(entry.action.as_str(), |did| look.say(did)));
        let subject = words_audit::subject(look, &entry.subject, entry.told.as_ref());
        match entry.told {
            // A word of ours stands before the name.
            Some(Detail::Muted { .. } | Detail::Unmuted { .. }) => cell(out, look, Text::Subject, &subject),
            _ => parts::cell_of_theirs(out, look, Text::Subject, &subject),
        }
        cell_of(out, look, Text::Detail, |out| match &entry.told {
            Some(Detail::Program { name }) => drop(out.foreign(browser(name))),
            Some(told) => drop(out.name(words_audit::detail(look, told, &admin.names))),
            None if entry.action == "session.begin" => drop(out.foreign(browser(&entry.detail))),
            // An earlier version wrote it down in English alone.
            None => drop(out.original(&entry.detail)),
        });
        out.raw("</tr>");
    }
    table_end(out);
    out.raw("</section>");
}

/// What a browser calls itself, in short: `Chrome 156, Linux`. One that is not known is shown by its own words.
fn browser(agent: &str) -> String {
    /// The first that is in the text: most browsers name others as well.
    const BROWSERS: [(&str, &str); 8] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("YaBrowser/", "Yandex"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("CriOS/", "Chrome"),
        ("Version/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [&str; 6] = ["Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux"];
    let known = BROWSERS.iter().find_map(|(mark, name)| Some((*name, agent.split_once(mark)?.1)));
    let Some((name, rest)) = known else { return agent.to_owned() };
    let version: String = rest.chars().take_while(char::is_ascii_digit).take(4).collect();
    match SYSTEMS.iter().find(|system| agent.contains(**system)) {
        Some(system) => format!("{name} {version}, {system}"),
        None => format!("{name} {version}"),
    }
}

fn config(out: &mut Markup, look: &Look, admin: &Admin) {
    let Some(all) = admin.config.as_object().filter(|all| !all.is_empty()) else { return };
    out.raw("<section class=\"panel flush\" id=\"config\"><details class=\"fold\"><summary class=\"panel-title\">")
        .text(look.say(Text::Configuration))
        .raw("</summary><p class=\"hint inset\">")
        .text(look.say(Text::ConfigurationHint))
        .raw("</p>");
    table_head(out, look, look.say(Text::Configuration), &[Text::Key, Text::Value, Text::Source]);
    for (key, one) in all {
        let (value, origin) = (one.get("value").unwrap_or(&Value::Null), one.get("origin").and_then(Value::as_str));
        out.raw("<tr><th scope=\"row\"><code>").text(key).raw("</code></th>");
        parts::cell_of_theirs(out, look, Text::Value, &written(value));
        cell(
            out,
            look,
            Text::Source,
            match origin.unwrap_or_default() {
                "default" => look.say(Text::OriginDefault),
                origin => origin,
            },
        );
        out.raw("</tr>");
    }
    table_end(out);
    out.raw("</details></section>");
}

/// A value of the configuration as people write it.
fn written(value: &Value) -> String {
    match value {
        Value::Null => "—".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => "—".to_owned(),
        Value::Array(all) => all.iter().map(written).collect::<Vec<_>>().join(", "),
        Value::Object(all) => {
            let one = |(key, value): (&String, &Value)| match value {
                Value::Object(_) => format!("{key}: ({})", written(value)),
                value => format!("{key}: {}", written(value)),
            };
            all.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_in_short() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36";
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";
        for (agent, short) in [
            (chrome, "Chrome 156, Linux"),
            (phone, "Safari 18, iPhone"),
            ("curl/8.14.1", "curl 8"),
            ("a program of mine", "a program of mine"),
            ("", ""),
        ] {
            assert_eq!(browser(agent), short);
        }
    }
}
