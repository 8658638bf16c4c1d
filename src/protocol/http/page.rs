//! What a page holds: its text whatever the character set, its title, where it sends its reader, its icon and links.
//! Reads tags one by one and never builds a tree; a page is hostile like everything else. Pure.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::text::steps;

/// A page's bytes as text. What is valid UTF-8 is taken for UTF-8 whatever is declared; else the `charset` of the
/// header, of a `meta` tag, and failing both Windows-1252.
pub fn decode(body: &[u8], content_type: Option<&str>) -> String {
    if let Some((encoding, _)) = Encoding::for_bom(body) {
        return encoding.decode(body).0.into_owned();
    }
    let declared = content_type.and_then(charset_in).or_else(|| {
        let start = body.get(..body.len().min(2048)).unwrap_or_default();
        charset_in(&String::from_utf8_lossy(start))
    });
    if declared.is_none_or(|e| e != UTF_16LE && e != UTF_16BE)
        && let Ok(text) = std::str::from_utf8(trim_cut_character(body))
    {
        return text.to_owned();
    }
    declared.filter(|e| *e != UTF_8).unwrap_or(WINDOWS_1252).decode_without_bom_handling(body).0.into_owned()
}

/// A body cut at a cap may end inside a character.
fn trim_cut_character(body: &[u8]) -> &[u8] {
    match std::str::from_utf8(body) {
        Err(error) if error.error_len().is_none() => body.get(..error.valid_up_to()).unwrap_or(body),
        _ => body,
    }
}

fn charset_in(text: &str) -> Option<&'static Encoding> {
    let (_, after) = split_once_ignore_case(text, "charset")?;
    let label = after.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let end = label.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | ':' | '.'));
    Encoding::for_label(label.get(..end.unwrap_or(label.len()))?.as_bytes())
}

/// The text of the first `title` element, entities resolved; not yet cleaned. None when empty.
pub fn title(html: &str) -> Option<String> {
    let tag = tags(html).find(|t| t.is("title"))?;
    let rest = html.get(tag.end..)?;
    let end = find_ignore_case(rest, "</title").or_else(|| rest.find('<')).unwrap_or(rest.len());
    let title = entities(rest.get(..end)?);
    (!title.trim().is_empty()).then_some(title)
}

/// The address a `<meta http-equiv=refresh>` leads to. One for readers without script does not count.
pub fn refresh(html: &str) -> Option<String> {
    let content = tags(html)
        .scan(false, |in_noscript, tag| {
            *in_noscript = tag.is("noscript") || (*in_noscript && !tag.is("/noscript"));
            Some((*in_noscript, tag))
        })
        .filter(|(in_noscript, tag)| !in_noscript && tag.is("meta"))
        .find(|(_, t)| t.attribute("http-equiv").is_some_and(|v| v.trim().eq_ignore_ascii_case("refresh")))?
        .1
        .attribute("content")?;
    let (_, after) = split_once_ignore_case(&content, "url")?;
    let url = after.trim_start().strip_prefix('=')?.trim().trim_matches(['"', '\'']).trim();
    (!url.is_empty()).then(|| url.to_owned())
}

/// The address the script of a page jumps to, where the page is small and has no form of its own: what a log-in page
/// is hidden behind. Only a plain string is taken, nothing is computed.
pub fn script_jump(html: &str) -> Option<String> {
    const SMALL: usize = 8 * 1024;
    if html.len() > SMALL || tags(html).any(|t| t.is("form") || t.is("input")) {
        return None;
    }
    for (at, _) in html.match_indices("location") {
        let after = html.get(at + "location".len()..)?;
        let after = ["", ".href", ".pathname"].iter().find_map(|member| {
            let rest = after.strip_prefix(member)?.trim_start().strip_prefix('=')?;
            (!rest.starts_with('=')).then_some(rest)
        });
        let call = || {
            let rest = html.get(at + "location".len()..)?;
            [".replace", ".assign"].iter().find_map(|m| rest.strip_prefix(m)?.trim_start().strip_prefix('('))
        };
        if let Some(url) = after.or_else(call).and_then(first_string) {
            return Some(url);
        }
    }
    None
}

/// A script's string literal at the start of `text`, when the statement ends behind it.
fn first_string(text: &str) -> Option<String> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (literal, after) = text.get(1..)?.split_once(quote)?;
    let whole = !after.trim_start().starts_with('+');
    (whole && !literal.is_empty() && !literal.contains(['\\', '\n', ' '])).then(|| literal.to_owned())
}

/// The address of the page's icon.
pub fn icon(html: &str) -> Option<String> {
    tags(html)
        .filter(|t| t.is("link"))
        .find(|t| {
            t.attribute("rel").is_some_and(|rel| rel.split_ascii_whitespace().any(|r| r.eq_ignore_ascii_case("icon")))
        })?
        .attribute("href")
        .filter(|href| !href.is_empty())
}

/// Whether the page asks for a password. A form to choose one, as devices show before they are set up, does not: it has
/// a field for the new one, or to type it once more.
pub fn asks_for_password(html: &str) -> bool {
    /// In the name of such a field.
    const NEW: [&str; 13] = [
        "confirm",
        "repeat",
        "retype",
        "reenter",
        "verify",
        "again",
        "newpass",
        "new_pass",
        "new-pass",
        "newpwd",
        "password2",
        "passwd2",
        "pwd2",
    ];
    let (mut asks, mut sets) = (false, false);
    for tag in tags(html) {
        if tag.is("form") || tag.is("/form") {
            if asks && !sets {
                return true;
            }
            (asks, sets) = (false, false);
        }
        let is_password = || tag.attribute("type").is_some_and(|v| v.trim().eq_ignore_ascii_case("password"));
        if tag.is("input") && is_password() {
            let names = ["name", "id"].map(|a| tag.attribute(a).unwrap_or_default().to_ascii_lowercase());
            asks = true;
            sets |= names.iter().any(|name| NEW.iter().any(|word| name.contains(word)));
        }
    }
    asks && !sets
}

/// The addresses the page shows pictures from or leads to, in order, each once, at most `most`.
pub fn links(html: &str, most: usize) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for tag in tags(html) {
        let name = match tag.name.to_ascii_lowercase().as_str() {
            "img" | "video" | "source" | "iframe" | "frame" | "embed" => "src",
            "a" => "href",
            _ => continue,
        };
        if let Some(link) = tag.attribute(name).filter(|l| !l.is_empty() && l.len() <= 1024)
            && !links.contains(&link)
        {
            links.push(link);
            if links.len() >= most {
                break;
            }
        }
    }
    links
}

/// The playlists (`.m3u8`) and manifests (`.mpd`) a page names, wherever: in links and in the scripts of players. In
/// order, each once, at most `most`. What a script puts together out of pieces is left out.
pub fn manifests(html: &str, most: usize) -> Vec<String> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '(' | ')');
    let is_one = |word: &&str| [".m3u8", ".mpd"].iter().any(|end| find_ignore_case(word, end).is_some());
    let mut found: Vec<String> = Vec::new();
    for name in html.split(ends).filter(is_one) {
        // `src=live.m3u8` without quotes.
        let name = name.strip_prefix("src=").or(name.strip_prefix("href=")).unwrap_or(name);
        // Scripts and JSON write `\/`.
        let link = entities(name).replace("\\/", "/");
        let is_piece = link.starts_with('.') || link.contains(['$', '{', '}', ',', ';', '+', '\\']);
        let is_whole = !is_piece && link.len() <= 1024;
        if is_whole && !found.contains(&link) && found.len() < most {
            found.push(link);
        }
    }
    found
}

/// A tag; the name of a closing one begins with `/`.
struct Tag<'a> {
    name: &'a str,
    attributes: &'a str,
    /// Offset behind its `>`.
    end: usize,
}

impl Tag<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value of an attribute, entities resolved; empty when it has none.
    fn attribute(&self, wanted: &str) -> Option<String> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if rest.is_empty() {
                return None;
            }
            let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let (value, after) = match after.trim_start().strip_prefix('=') {
                Some(after) => value(after.trim_start()),
                None => ("", after),
            };
            if name.eq_ignore_ascii_case(wanted) {
                return Some(entities(value));
            }
            rest = after;
        }
    }
}

fn value(text: &str) -> (&str, &str) {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inner = text.get(1..).unwrap_or_default();
            inner.split_once(quote).unwrap_or((inner, ""))
        }
        _ => text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())),
    }
}

/// The tags of a page, in order. Comments are passed over; what looks like a tag inside a script counts as one.
fn tags(html: &str) -> impl Iterator<Item = Tag<'_>> {
    let mut at = 0usize;
    // Where the next `>` stands: a tag that none is near to is not read for one, or a page of `<a` over and over would
    // have each read.
    let mut close = 0usize;
    std::iter::from_fn(move || {
        loop {
            let rest = html.get(at..)?;
            let open = rest.find('<')?;
            let inner = rest.get(open + 1..)?;
            at += open + 1;
            if let Some(comment) = inner.strip_prefix("!--") {
                // An unclosed comment hides the rest of the page from browsers too.
                at += 3 + comment.find("-->").map_or(comment.len(), |i| i + 3);
                continue;
            }
            let word = inner.strip_prefix('/').unwrap_or(inner);
            if !word.starts_with(|c: char| c.is_ascii_alphabetic()) {
                continue;
            }
            if close < at {
                close = at + inner.find('>')?;
            }
            if close - at >= LONGEST_TAG {
                continue;
            }
            let Some(end) = tag_end(inner) else { continue };
            let text = inner.get(..end)?;
            let name_end = text
                .char_indices()
                .find(|&(i, c)| c.is_whitespace() || (c == '/' && i > 0))
                .map_or(text.len(), |(i, _)| i);
            let (name, attributes) = text.split_at(name_end);
            at += end + 1;
            return Some(Tag { name, attributes, end: at });
        }
    })
}

/// The longest tag read, in bytes.
const LONGEST_TAG: usize = 4096;

/// Where a tag's `>` stands, not counting those in quotes; none where there is none within [`LONGEST_TAG`].
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut first = None;
    for (i, b) in text.bytes().enumerate().take(LONGEST_TAG) {
        steps::look_at(1);
        match (quote, b) {
            (None, b'>') => return Some(i),
            (Some(_), b'>') if first.is_none() => first = Some(i),
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    // An unclosed quote: the tag ends where it would without.
    first
}

/// Text with the character references that titles use resolved.
fn entities(text: &str) -> String {
    steps::look_at(text.len());
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let (character, used) = entity(after).unwrap_or(('&', 1));
        out.push(character);
        rest = after.get(used..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The character a reference at the start of `text` stands for, and how many bytes it takes.
fn entity(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(12).position(|b| b == b';')?;
    let name = text.get(1..end)?;
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        "ndash" => '–',
        "mdash" => '—',
        "middot" => '·',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "eacute" => 'é',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((character, end + 1))
}

fn find_ignore_case(text: &str, needle: &str) -> Option<usize> {
    text.as_bytes().windows(needle.len()).position(|w| w.eq_ignore_ascii_case(needle.as_bytes()))
}

fn split_once_ignore_case<'a>(text: &'a str, needle: &str) -> Option<(&'a str, &'a str)> {
    let at = find_ignore_case(text, needle)?;
    Some((text.get(..at)?, text.get(at + needle.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn titles() {
        for (html, expected) in [
            ("<title>AXIS</title>", Some("AXIS")),
            ("<HTML><TITLE id='a>b'>A &amp; B &#x4e2d;&#252;&bogus; &</TITLE>", Some("A & B 中ü&bogus; &")),
            ("<!-- <title>no</title> --><title>yes</title>", Some("yes")),
            ("<title>cut", Some("cut")),
            ("<title></title>", None),
            ("< title>", None),
            ("<titles>x</titles>", None),
        ] {
            assert_eq!(title(html).as_deref(), expected, "{html}");
        }
    }

    #[test]
    fn where_a_page_leads() {
        for (html, expected) in [
            (r#"<meta http-equiv="refresh" content="0; URL=/doc/page/login.asp">"#, Some("/doc/page/login.asp")),
            (r#"<META HTTP-EQUIV=Refresh CONTENT="5;url='a b.html'">"#, Some("a b.html")),
            (r#"<meta http-equiv=refresh content="30">"#, None),
            (r#"<noscript><p><meta http-equiv=refresh content="0;url=/no.htm"></noscript>"#, None),
            (r#"<noscript>x</noscript><meta http-equiv=refresh content="0;url=/a.htm">"#, Some("/a.htm")),
            (r#"<script>window.location.href = "/web/index.html";</script>"#, Some("/web/index.html")),
            (r#"<script>top.location.replace('/login.htm')</script>"#, Some("/login.htm")),
            (r#"<body onload="location='a.asp'">"#, Some("a.asp")),
            (r#"<script>if (location == 'x') f();</script>"#, None),
            (r#"<script>location.href = "/a" + b;</script>"#, None),
            (r#"<form></form><script>location = "/a";</script>"#, None),
            (r#"<script>var s = location.search; location.host;</script>"#, None),
        ] {
            assert_eq!(refresh(html).or_else(|| script_jump(html)).as_deref(), expected, "{html}");
        }
    }

    #[test]
    fn icons_links_and_password_fields() {
        let html = r#"<link rel="stylesheet" href=a.css><link href='/i.ico?v=1&amp;b' rel="shortcut ICON">
            <img src=/video.cgi><a class=x href="/mjpeg"></a><img src=/video.cgi><input name=p type="Password">"#;
        assert_eq!(icon(html).as_deref(), Some("/i.ico?v=1&b"));
        assert_eq!(links(html, 9), ["/video.cgi", "/mjpeg"]);
        assert_eq!(links(html, 1), ["/video.cgi"]);
        assert!(asks_for_password(html));
        assert!(!asks_for_password("<input type=text>"));
        let set = "<form><input type=password name=password><input type=password id=ConfirmPassword></form>";
        assert!(!asks_for_password(set), "a password to be chosen is no login");
        assert!(!asks_for_password("<input type=password name=new_password>"));
        assert!(asks_for_password(&format!("{set}<form><input type=password name=pw></form>")));
        assert!(asks_for_password(&format!("<input type=password name=pw>{set}")));
    }

    #[test]
    fn playlists_and_manifests_in_links_and_scripts() {
        let html = r#"<video src="/hls/cam.m3u8?t=1&amp;x=2"></video><source src=b.MPD><a href='http://h/c.m3u8'>c</a>
            <script>hls.loadSource('live/d.m3u8'); player.attachSource("e.mpd"); x = '/hls/' + n + '.m3u8';
            y = `/${name}.m3u8`; play("http:\/\/h\/f.m3u8")</script><a href="/hls/cam.m3u8?t=1&x=2">again</a>"#;
        let wanted = ["/hls/cam.m3u8?t=1&x=2", "b.MPD", "http://h/c.m3u8", "live/d.m3u8", "e.mpd", "http://h/f.m3u8"];
        assert_eq!(manifests(html, 9), wanted);
        assert_eq!(manifests(html, 1).len(), 1);
        assert_eq!(manifests("é.m3u8", 9), ["é.m3u8"]);
    }

    #[test]
    fn character_sets() {
        assert_eq!(decode(b"\xc9\xe3\xcf\xf1", Some("text/html; charset=gb2312")), "摄像");
        assert_eq!(decode(b"<meta charset=\"Shift_JIS\">\x83J", None), "<meta charset=\"Shift_JIS\">カ");
        assert_eq!(decode("摄像".as_bytes(), Some("text/html; charset=gb2312")), "摄像");
        assert_eq!(decode(b"K\xf6ln", None), "Köln");
        assert_eq!(decode(b"K\xf6ln", Some("text/html;charset=utf-8")), "Köln");
        assert_eq!(decode(b"\xef\xbb\xbfA", None), "A");
        assert_eq!(decode(b"\xff\xfeA\0", None), "A");
        assert_eq!(decode(&"ü".as_bytes()[..1], None), "");
    }

    /// What never ends, again and again: nothing of it may be read once more from each place where it could begin.
    #[test]
    fn a_hostile_page_is_read_in_a_few_passes() {
        type Reader = (&'static str, fn(&str));
        let readers: [Reader; 6] = [
            ("title", |html| _ = title(html)),
            ("refresh", |html| _ = refresh(html)),
            ("icon", |html| _ = icon(html)),
            ("password", |html| _ = asks_for_password(html)),
            ("links", |html| _ = links(html, 64)),
            ("manifests", |html| _ = manifests(html, 64)),
        ];
        let repeated = [
            ".mpd",
            ".m3u8",
            "&.m3u8",
            "<a",
            "<",
            "</a",
            "<!--",
            "<a'",
            "<a '>",
            "<a\">",
            "<title>",
            "<title",
            "&#",
            "&#60",
            "<meta http-equiv=refresh",
            "<meta http-equiv=refresh content='url=",
            "<img src=\"",
            "<input type=password ",
            "<link rel=icon href=",
            "src=\"",
            "a.mpd ",
        ];
        let mut slow = Vec::new();
        for unit in repeated {
            let long = unit.repeat((16 << 10) / unit.len());
            // With an end that comes at last, and one that comes to some of it.
            for page in [long.clone(), format!("{long}>"), long.replacen(unit, ">", 9), format!("<a{long}")] {
                for (name, read) in readers {
                    let looks = steps::seen_by(|| read(&page)) / page.len();
                    slow.extend((looks > 16).then_some((name, unit, looks)));
                }
            }
        }
        assert_eq!(slow, [], "reader, what is repeated, looks at each byte");
    }

    proptest! {
        #[test]
        fn any_page_is_read(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[<>a-z\"'=/ !&;#x-]{0,200}") {
            for html in [decode(&bytes, None), text] {
                title(&html);
                refresh(&html);
                script_jump(&html);
                icon(&html);
                manifests(&html, 4);
                links(&html, 20);
                asks_for_password(&html);
                for tag in ["meta", "link", "img", "title"] {
                    let html = format!("<{tag} {html}>");
                    refresh(&html);
                    icon(&html);
                    links(&html, 20);
                }
            }
        }
    }
}
