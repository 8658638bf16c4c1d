//! The languages of a survey: how each writes numbers, dates and counted things.

use jiff::Timestamp;

use crate::model::names::names;

names! {
    /// A language of the survey.
    pub enum Lang {
        /// English.
        En = "en",
        /// Russian.
        Ru = "ru",
    }
}

/// A table of texts: each with its words in every language. A text that lacks a language does not compile.
macro_rules! texts {
    ($($text:ident: $en:literal, $ru:literal;)*) => {
        /// A label or a sentence; `{}` stands for what is filled in.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the words say it")]
        pub enum Text {
            $($text),*
        }

        impl Text {
            /// Every text, in the order of the table.
            #[cfg(test)]
            pub const ALL: &[Text] = &[$(Text::$text),*];

            /// In a language.
            pub const fn of(self, lang: $crate::export::survey::lang::Lang) -> &'static str {
                use $crate::export::survey::lang::Lang;
                match (self, lang) {
                    $((Text::$text, Lang::En) => $en, (Text::$text, Lang::Ru) => $ru,)*
                }
            }

            /// With what is filled in, one value for each `{}`.
            pub fn with(self, lang: $crate::export::survey::lang::Lang, values: &[&str]) -> String {
                $crate::export::survey::lang::fill(self.of(lang), values)
            }
        }
    };
}

pub(crate) use texts;

/// A text with what is filled in, one value for each `{}`.
pub fn fill(text: &str, values: &[&str]) -> String {
    let mut filled = String::new();
    let mut values = values.iter();
    let mut parts = text.split("{}");
    filled.push_str(parts.next().unwrap_or_default());
    for part in parts {
        filled.push_str(values.next().copied().unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

/// Months as they stand in a date.
const MONTHS: [[&str; 2]; 12] = [
    ["January", "января"],
    ["February", "февраля"],
    ["March", "марта"],
    ["April", "апреля"],
    ["May", "мая"],
    ["June", "июня"],
    ["July", "июля"],
    ["August", "августа"],
    ["September", "сентября"],
    ["October", "октября"],
    ["November", "ноября"],
    ["December", "декабря"],
];

/// What is counted: one form for each plural of the language.
macro_rules! nouns {
    ($($noun:ident: [$one:literal, $many:literal], [$один:literal, $два:literal, $пять:literal];)*) => {
        /// Something that is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum Noun {
            $($noun),*
        }

        impl Noun {
            /// Every noun, in the order of the list.
            #[cfg(test)]
            pub const ALL: &[Noun] = &[$(Noun::$noun),*];

            /// Its form behind a number.
            pub const fn form(self, n: u64, lang: Lang) -> &'static str {
                match (self, lang) {
                    $((Noun::$noun, Lang::En) => if n == 1 { $one } else { $many },)*
                    $((Noun::$noun, Lang::Ru) => match russian(n) { 0 => $один, 1 => $два, _ => $пять },)*
                }
            }
        }
    };
}

nouns! {
    Address: ["address", "addresses"], ["адрес", "адреса", "адресов"];
    Camera: ["camera", "cameras"], ["камера", "камеры", "камер"];
    Channel: ["channel", "channels"], ["канал", "канала", "каналов"];
    Day: ["day", "days"], ["день", "дня", "дней"];
    Device: ["device", "devices"], ["устройство", "устройства", "устройств"];
    Event: ["event", "events"], ["событие", "события", "событий"];
    MediaServer: ["media server", "media servers"], ["медиасервер", "медиасервера", "медиасерверов"];
    Other: ["other host", "other hosts"], ["другой узел", "других узла", "других узлов"];
    Point: ["problem", "problems"], ["замечание", "замечания", "замечаний"];
    Outage: ["outage", "outages"], ["перерыв", "перерыва", "перерывов"];
    Recorder: ["recorder", "recorders"], ["регистратор", "регистратора", "регистраторов"];
    Stream: ["stream", "streams"], ["поток", "потока", "потоков"];
}

/// Which of the three forms of a Russian noun stands behind a number: 1 камера, 2 камеры, 5 камер.
const fn russian(n: u64) -> usize {
    match (n % 10, n % 100) {
        (1, hundred) if hundred != 11 => 0,
        (2..=4, hundred) if hundred < 12 || hundred > 14 => 1,
        _ => 2,
    }
}

impl Lang {
    /// Which column of a table of words is this language's.
    const fn column(self) -> usize {
        match self {
            Lang::En => 0,
            Lang::Ru => 1,
        }
    }

    /// `12,345`; `12 345` with a space that does not break.
    pub fn number(self, n: u64) -> String {
        let digits = n.to_string();
        let separator = match self {
            Lang::En => ",",
            Lang::Ru => "\u{a0}",
        };
        // Russian leaves four digits together.
        if digits.len() < 4 || (self == Lang::Ru && digits.len() == 4) {
            return digits;
        }
        let first = digits.len() % 3;
        let mut groups: Vec<&str> = digits.get(..first).into_iter().filter(|group| !group.is_empty()).collect();
        groups.extend((first..digits.len()).step_by(3).filter_map(|at| digits.get(at..at + 3)));
        groups.join(separator)
    }

    /// With at most so many decimals, none that are zero at the end: `4.1`, `4,1`.
    pub fn decimal(self, value: f64, places: usize) -> String {
        let text = format!("{value:.places$}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let fraction = fraction.trim_end_matches('0');
        let whole = whole.parse().map_or_else(|_| whole.to_owned(), |n| self.number(n));
        let point = match self {
            Lang::En => ".",
            Lang::Ru => ",",
        };
        if fraction.is_empty() { whole } else { format!("{whole}{point}{fraction}") }
    }

    /// `5 cameras`, `5 камер`; the two stay on one line.
    pub fn counted(self, n: impl TryInto<u64>, noun: Noun) -> String {
        let n = n.try_into().unwrap_or(u64::MAX);
        format!("{}\u{a0}{}", self.number(n), noun.form(n, self))
    }

    /// `22 November 2026`, `22 ноября 2026 г.`
    pub fn date(self, at: Timestamp) -> String {
        let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let month = usize::try_from(date.month() - 1).ok().and_then(|month| MONTHS.get(month)?.get(self.column()));
        let (day, month, year) = (date.day(), month.copied().unwrap_or_default(), date.year());
        match self {
            Lang::En => format!("{day}\u{a0}{month} {year}"),
            Lang::Ru => format!("{day}\u{a0}{month} {year}\u{a0}г."),
        }
    }

    /// Date and time, to the minute.
    pub fn time(self, at: Timestamp) -> String {
        format!("{}, {} UTC", self.date(at), at.strftime("%H:%M"))
    }

    /// `6 min`, `3 h 5 min`, `12 days`; the rest of a minute is left out.
    pub fn duration(self, seconds: u64) -> String {
        let (minute, hour, second) = match self {
            Lang::En => ("min", "h", "s"),
            Lang::Ru => ("мин", "ч", "с"),
        };
        match seconds {
            0..60 => format!("{seconds}\u{a0}{second}"),
            60..3600 => format!("{}\u{a0}{minute}", seconds / 60),
            3600..172_800 if seconds % 3600 < 60 => format!("{}\u{a0}{hour}", seconds / 3600),
            3600..172_800 => format!("{}\u{a0}{hour} {}\u{a0}{minute}", seconds / 3600, seconds % 3600 / 60),
            _ => self.counted(seconds / 86_400, Noun::Day),
        }
    }

    /// A bit rate: `820 kbit/s`, `4.1 Mbit/s`.
    pub fn rate(self, kbps: u64) -> String {
        let (kilo, mega) = match self {
            Lang::En => ("kbit/s", "Mbit/s"),
            Lang::Ru => ("кбит/с", "Мбит/с"),
        };
        if kbps < 1000 {
            return format!("{kbps}\u{a0}{kilo}");
        }
        format!("{}\u{a0}{mega}", self.decimal(kbps as f64 / 1000.0, if kbps < 100_000 { 1 } else { 0 }))
    }

    /// What is stored: `43 GB`, `1.3 TB`; a gigabyte is 10⁹ bytes, as discs are sold.
    pub fn storage(self, gigabytes: f64) -> String {
        let (giga, tera) = match self {
            Lang::En => ("GB", "TB"),
            Lang::Ru => ("ГБ", "ТБ"),
        };
        let (value, unit) = if gigabytes < 1000.0 { (gigabytes, giga) } else { (gigabytes / 1000.0, tera) };
        format!("{}\u{a0}{unit}", self.decimal(value, if value < 100.0 { 1 } else { 0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_right() {
        let said = |lang: Lang, n: u64| lang.counted(n, Noun::Camera).replace('\u{a0}', " ");
        let english: Vec<String> = [0, 1, 2, 21].map(|n| said(Lang::En, n)).to_vec();
        assert_eq!(english, ["0 cameras", "1 camera", "2 cameras", "21 cameras"]);
        for (form, numbers) in [
            ("камера", &[1, 21, 101, 1001][..]),
            ("камеры", &[2, 3, 4, 22, 34, 102]),
            ("камер", &[0, 5, 10, 11, 12, 13, 14, 19, 20, 25, 111, 112, 114, 1011]),
        ] {
            for n in numbers {
                assert_eq!(Noun::Camera.form(*n, Lang::Ru), form, "{n}");
            }
        }
        for noun in Noun::ALL {
            assert!(!noun.form(5, Lang::Ru).is_ascii(), "{noun:?}");
        }
    }

    #[test]
    fn numbers_and_dates_have_the_languages_form() {
        let both = |said: fn(Lang) -> String| Lang::ALL.map(|lang| said(lang).replace('\u{a0}', " "));
        assert_eq!(both(|l| l.number(254)), ["254", "254"]);
        assert_eq!(both(|l| l.number(1234)), ["1,234", "1234"]);
        assert_eq!(both(|l| l.number(16_777_216)), ["16,777,216", "16 777 216"]);
        assert_eq!(both(|l| l.decimal(12.5, 1)), ["12.5", "12,5"]);
        assert_eq!(both(|l| l.decimal(24.96, 1)), ["25", "25"]);
        assert_eq!(both(|l| l.rate(820)), ["820 kbit/s", "820 кбит/с"]);
        assert_eq!(both(|l| l.rate(4120)), ["4.1 Mbit/s", "4,1 Мбит/с"]);
        assert_eq!(both(|l| l.storage(43.2)), ["43.2 GB", "43,2 ГБ"]);
        assert_eq!(both(|l| l.storage(1296.0)), ["1.3 TB", "1,3 ТБ"]);
        assert_eq!(both(|l| l.duration(300)), ["5 min", "5 мин"]);
        assert_eq!(both(|l| l.duration(3900)), ["1 h 5 min", "1 ч 5 мин"]);
        assert_eq!(both(|l| l.duration(2 * 86_400)), ["2 days", "2 дня"]);
        let at = |l: Lang| l.time("2026-03-07T09:05:59Z".parse().unwrap());
        assert_eq!(
            Lang::ALL.map(|l| at(l).replace('\u{a0}', " ")),
            ["7 March 2026, 09:05 UTC", "7 марта 2026 г., 09:05 UTC"]
        );
    }
}
