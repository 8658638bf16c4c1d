//! Text on a terminal: colour, cutting and wrapping by the columns that characters really take.

use owo_colors::{OwoColorize, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::export::words::Tone;

/// Paints, or leaves text as it is.
#[derive(Debug, Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    /// `text` in the colour of `tone`.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        let style = match tone {
            Tone::Good => Style::new().green(),
            Tone::Fair => Style::new().cyan(),
            Tone::Attention => Style::new().yellow(),
            Tone::Bad => Style::new().red(),
            Tone::Quiet => Style::new().bright_black(),
            Tone::Plain => return text.to_owned(),
        };
        self.style(style, text)
    }

    /// `text` standing out.
    pub fn bold(self, text: &str) -> String {
        self.style(Style::new().bold(), text)
    }

    /// `text` stepping back.
    pub fn dim(self, text: &str) -> String {
        self.tone(Tone::Quiet, text)
    }

    fn style(self, style: Style, text: &str) -> String {
        if self.0 && !text.is_empty() { text.style(style).to_string() } else { text.to_owned() }
    }
}

/// The columns `text` takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `columns`; what is cut off is marked by `…`.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = head(text, columns.saturating_sub(1)).to_owned();
    if columns > 0 {
        out.truncate(out.trim_end().len());
        out.push('…');
    }
    out
}

/// As much of the beginning of `text` as fits in `columns`.
pub fn head(text: &str, columns: usize) -> &str {
    let mut used = 0usize;
    let end = text.char_indices().find(|&(_, c)| {
        used += c.width().unwrap_or(0);
        used > columns
    });
    text.get(..end.map_or(text.len(), |(i, _)| i)).unwrap_or(text)
}

/// `text` in lines of at most `columns`, broken at blanks, inside a word only where it is longer than a line.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    for mut word in text.split(' ') {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        while width(word) > columns {
            let part = head(word, columns);
            lines.push(part.to_owned());
            word = word.get(part.len()..).unwrap_or_default();
        }
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(width("摄像机"), 6);
        assert_eq!(cut("摄像机 3", 6), "摄像…");
        assert_eq!(cut("camera", 6), "camera");
        assert_eq!(cut("cameras", 6), "camer…");
        assert_eq!(cut("cameras", 0), "");
        assert_eq!(wrap("a bc def ghijklmnop qr", 8), ["a bc def", "ghijklmn", "op qr"]);
    }

    proptest! {
        #[test]
        fn cut_and_wrapped_text_fits(text in any::<String>(), columns in 8usize..40) {
            let text = crate::text::clean(&text);
            prop_assert!(width(&cut(&text, columns)) <= columns);
            for line in wrap(&text, columns) {
                prop_assert!(width(&line) <= columns, "{:?}", line);
            }
        }
    }
}
