//! Which columns the table has and how wide they are: what matters least goes first when the terminal is narrow.

use super::paint::width;
use crate::export::words::{self, Standing, Tone};
use crate::export::{row, row::Row};
use crate::model::AuthScheme;
use crate::text;

/// A column of the table, in the order they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The device's address.
    Address,
    /// Its name, or maker and model.
    Device,
    /// Camera, recorder, …
    Kind,
    /// Channel and profile of the stream.
    Stream,
    /// What became of it.
    Status,
    /// The video codec.
    Codec,
    /// Width and height.
    Size,
    /// Frames per second.
    Fps,
    /// The audio codec.
    Audio,
    /// The login schemes.
    Login,
    /// Its address.
    Url,
}

use Column as C;

impl Column {
    /// All of them, as they stand.
    pub const ALL: [Column; 11] =
        [C::Address, C::Device, C::Kind, C::Stream, C::Status, C::Codec, C::Size, C::Fps, C::Audio, C::Login, C::Url];

    /// Its heading.
    pub fn heading(self) -> &'static str {
        match self {
            C::Address => "ADDRESS",
            C::Device => "DEVICE",
            C::Kind => "KIND",
            C::Stream => "STREAM",
            C::Status => "STATUS",
            C::Codec => "VIDEO",
            C::Size => "SIZE",
            C::Fps => "FPS",
            C::Audio => "AUDIO",
            C::Login => "LOGIN",
            C::Url => "URL",
        }
    }

    /// Whether numbers stand in it, to be aligned at their last digit.
    pub fn is_numeric(self) -> bool {
        matches!(self, C::Size | C::Fps)
    }

    /// Its text for a row, cleaned, and its tone. What belongs to the device stands only in its `first` row.
    pub fn cell(self, row: Row<'_>, first: bool, verbosity: u8) -> (String, Tone) {
        let (device, stream) = (row.device, row.stream);
        let video = stream.and_then(|s| s.video.as_ref());
        let audio = stream.and_then(|s| s.audio.as_ref());
        let plain = |text: Option<String>| (text.map(|t| text::clean(&t)).unwrap_or_default(), Tone::Plain);
        match self {
            C::Address | C::Device | C::Kind if !first => plain(None),
            C::Address => plain(Some(device.ip.to_string())),
            C::Device => match words::device_name(device) {
                Some(name) => plain(Some(name)),
                None => ("not recognised".to_owned(), Tone::Quiet),
            },
            C::Kind if verbosity > 0 => {
                plain(Some(format!("{} {:.0}%", words::kind(device.kind), device.confidence * 100.0)))
            }
            C::Kind => plain(Some(words::kind(device.kind).to_owned())),
            C::Stream => plain(stream.and_then(|s| match (s.channel, s.profile_name.as_deref()) {
                (Some(channel), Some(name)) => Some(format!("{channel} {name}")),
                (Some(channel), None) => Some(channel.to_string()),
                (None, name) => name.map(str::to_owned),
            })),
            C::Status => {
                let (words, tone) = match (stream, Standing::of(device)) {
                    (Some(stream), standing) if standing != Standing::Offline => words::status(stream),
                    (_, Standing::NoFrames) => ("no stream", Tone::Bad),
                    (_, standing) => standing.words(),
                };
                (format!("{} {words}", tone.sign()), tone)
            }
            C::Codec => plain(video.and_then(|v| v.codec).map(|c| c.in_words().to_owned())),
            C::Size => plain(video.and_then(words::size)),
            C::Fps => plain(video.and_then(words::fps)),
            C::Audio => plain(audio.and_then(|a| a.codec).map(|c| c.in_words().to_owned())),
            C::Login => plain(stream.and_then(|s| row::auth(device, s)).map(|schemes| login(schemes).to_owned())),
            C::Url => plain(stream.map(|s| text::strip_userinfo(&s.url))),
        }
    }
}

/// The scheme that will be used of those offered.
fn login(schemes: &[AuthScheme]) -> &'static str {
    let offers = |scheme| schemes.contains(&scheme);
    match schemes {
        [] => "open",
        _ if offers(AuthScheme::Digest) => "digest",
        _ if offers(AuthScheme::Wsse) => "wsse",
        _ if offers(AuthScheme::Basic) => "basic",
        // Demanded in a way not known, or without saying how.
        _ => "yes",
    }
}

/// The columns that fit, with their widths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// In the order they stand.
    pub columns: Vec<(Column, usize)>,
    /// Whether URLs have lines of their own instead of a column.
    pub url_below: bool,
}

/// Blanks between columns.
pub const GAP: usize = 2;

/// The widest a device's name is shown while there is room for other columns.
const NAME: usize = 36;

/// So many sacrifices a column for URLs is worth; then they get lines of their own.
const FOR_URLS: usize = 4;

/// What is given up in turn until the rest fits: a column shortened to so many columns, or dropped at 0.
const SACRIFICES: [(Column, usize); 12] = [
    (C::Audio, 0),
    (C::Stream, 14),
    (C::Device, 28),
    (C::Stream, 0),
    (C::Device, 22),
    (C::Kind, 0),
    (C::Login, 0),
    (C::Fps, 0),
    (C::Device, 16),
    (C::Address, 24),
    (C::Codec, 0),
    (C::Size, 0),
];

impl Layout {
    /// The layout in which `natural` (each column's widest cell; 0: nothing to show) fits `total` columns.
    pub fn fit(natural: &[(Column, usize)], total: usize) -> Layout {
        let mut columns: Vec<(Column, usize)> = natural
            .iter()
            .filter(|(_, w)| *w > 0)
            .map(|&(c, w)| (c, w.max(width(c.heading()))))
            .map(|(c, w)| if c == C::Device { (c, w.min(NAME)) } else { (c, w) })
            .collect();
        let beside = give_up(columns.clone(), SACRIFICES.split_at(FOR_URLS).0, total);
        if needed(&beside) <= total {
            return Layout { columns: beside, url_below: false };
        }
        columns.retain(|(c, _)| *c != C::Url);
        Layout { columns: give_up(columns, &SACRIFICES, total), url_below: true }
    }
}

/// Makes `sacrifices` one after another until what is left fits `total`.
fn give_up(mut columns: Vec<(Column, usize)>, sacrifices: &[(Column, usize)], total: usize) -> Vec<(Column, usize)> {
    for &(column, to) in sacrifices {
        let excess = needed(&columns).saturating_sub(total);
        match to {
            _ if excess == 0 => break,
            0 => columns.retain(|(c, _)| *c != column),
            _ => columns
                .iter_mut()
                .filter(|(c, w)| *c == column && *w > to)
                .for_each(|(_, w)| *w = to.max(w.saturating_sub(excess))),
        }
    }
    columns
}

fn needed(columns: &[(Column, usize)]) -> usize {
    columns.iter().map(|(_, w)| w + GAP).sum::<usize>().saturating_sub(GAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NATURAL: [(Column, usize); 11] = [
        (C::Address, 13),
        (C::Device, 40),
        (C::Kind, 8),
        (C::Stream, 20),
        (C::Status, 14),
        (C::Codec, 5),
        (C::Size, 9),
        (C::Fps, 4),
        (C::Audio, 0),
        (C::Login, 6),
        (C::Url, 50),
    ];

    #[test]
    fn the_login_column_names_the_way_in_or_that_there_is_one() {
        use AuthScheme::{Basic, Digest, Other, Wsse};
        let said = [&[][..], &[Basic, Digest], &[Wsse], &[Basic], &[Other]].map(login);
        assert_eq!(said, ["open", "digest", "wsse", "basic", "yes"]);
    }

    #[test]
    fn the_least_important_goes_first() {
        let names =
            |total| -> Vec<&str> { Layout::fit(&NATURAL, total).columns.iter().map(|(c, _)| c.heading()).collect() };
        assert_eq!(
            names(200).join(" "),
            "ADDRESS DEVICE KIND STREAM STATUS VIDEO SIZE FPS LOGIN URL",
            "everything but the column without a cell"
        );
        assert_eq!(names(120).join(" "), "ADDRESS DEVICE KIND STREAM STATUS VIDEO SIZE FPS LOGIN");
        assert_eq!(names(80).join(" "), "ADDRESS DEVICE STATUS VIDEO SIZE FPS");
        assert_eq!(names(60).join(" "), "ADDRESS DEVICE STATUS SIZE");
    }

    #[test]
    fn whatever_is_shown_fits() {
        for total in 60..=220 {
            let layout = Layout::fit(&NATURAL, total);
            assert!(needed(&layout.columns) <= total, "{total}: {layout:?}");
        }
    }
}
