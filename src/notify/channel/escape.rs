//! Takes the power out of texts: no mention, no markup. Pure.

/// What people read as an `@` and no service does.
const AT: char = '＠';

/// A text without mentions of people, rooms or groups: `@everyone`, `@room`, `@name`, `<!here>`, `<@U1>`, `<#C1>`.
pub fn without_mentions(text: &str) -> String {
    text.chars().map(|c| if c == '@' { AT } else { c }).collect::<String>().replace("<!", "‹!").replace("<#", "‹#")
}

/// The same for Slack: what begins a mention or a link there stands as an entity.
pub fn slack(text: &str) -> String {
    without_mentions(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The same for Discord's Markdown: every sign of it is escaped.
pub fn discord(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in without_mentions(text).chars() {
        if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '[' | ']' | '(' | ')' | '-' | ':') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text as HTML.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mentions_and_markup_are_plain_text() {
        let text = "@everyone <!here> <@U1> <#C1> *bold* [x](http://y) `c` <b>&";
        assert_eq!(without_mentions(text), "＠everyone ‹!here> <＠U1> ‹#C1> *bold* [x](http://y) `c` <b>&");
        assert_eq!(slack("<!here> a<b>&"), "‹!here&gt; a&lt;b&gt;&amp;");
        assert_eq!(discord("*a* http://x"), "\\*a\\* http\\://x");
        assert_eq!(html("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    }

    /// Texts made of what mentions are made of.
    fn odd() -> impl Strategy<Value = String> {
        let parts =
            prop::sample::select(vec!["@", "<", "!", "#", ">", "everyone", "here", "&", "*", "\\", "`", " ", "[", "("]);
        prop_oneof![prop::collection::vec(parts, 0..40).prop_map(|parts| parts.concat()), any::<String>()]
    }

    proptest! {
        #[test]
        fn no_mention_is_left(text in odd()) {
            for escaped in [without_mentions(&text), slack(&text), discord(&text)] {
                prop_assert!(!escaped.contains('@') && !escaped.contains("<!") && !escaped.contains("<#"), "{}", escaped);
            }
            prop_assert!(!slack(&text).contains(['<', '>']));
            prop_assert!(!html(&text).contains(['<', '>', '"', '\'']));
        }

        #[test]
        fn no_sign_of_markdown_stands_without_its_backslash(text in odd()) {
            let escaped = discord(&text);
            let mut chars = escaped.chars();
            while let Some(c) = chars.next() {
                if c == '\\' {
                    prop_assert!(chars.next().is_some());
                } else {
                    prop_assert!(!"*_~`|><#[]()-:".contains(c), "{}", escaped);
                }
            }
        }
    }
}
