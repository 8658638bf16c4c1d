//! The terminal's view: one line per stream under its device, fitted to the width, and what to do next.

pub mod columns;
mod details;
pub mod paint;
mod summary;

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, ColumnConstraint, Table as Grid, Width, presets};

use super::Exporter;
use super::format::{Spec, Writer};
use super::row::Row;
use super::words::{Addresses, Tone};
use crate::model::{Device, Report};
use columns::{Column, GAP, Layout};
use paint::Paint;

/// Lines that explain why a device was identified as what it is.
pub type Explain = fn(&Device) -> Vec<String>;

/// How the table is shown.
#[derive(Debug, Clone, Copy)]
pub struct TableOptions {
    /// The terminal's width in columns; below 40 it is taken as 40.
    pub width: usize,
    /// Whether to colour.
    pub colour: bool,
    /// 0: the table; 1 and more: services, evidence, errors and the steps of the proof under each device.
    pub verbosity: u8,
    /// Lines on the decisive evidence below each device, where wanted.
    pub explain: Option<Explain>,
}

impl Default for TableOptions {
    fn default() -> Self {
        TableOptions { width: 120, colour: false, verbosity: 0, explain: None }
    }
}

impl TableOptions {
    fn columns(&self) -> usize {
        self.width.max(40)
    }

    /// Whether lines stand under each device; an empty one parts it from the next.
    fn has_details(&self) -> bool {
        self.verbosity > 0 || self.explain.is_some()
    }

    fn paint(&self) -> Paint {
        Paint(self.colour)
    }
}

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "table",
    extensions: &["txt"],
    help: "the view for the terminal",
    is_binary: false,
    writer: Writer::Report(|options| Box::new(Table(options.table))),
};

/// Writes the table.
pub struct Table(pub TableOptions);

impl Exporter for Table {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let options = &self.0;
        if !report.devices.is_empty() {
            let devices: Vec<&Device> = report.devices.iter().collect();
            let lines = lines(&devices, &natural(&devices, options.verbosity), options);
            writeln!(out, "{}", lines.header)?;
            for line in &lines.lines {
                writeln!(out, "{line}")?;
            }
            if !options.has_details() {
                writeln!(out)?;
            }
        }
        for line in summary::lines(report, options) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

/// One device the moment it is done, without a heading: its lines as the table shows them, each with a newline.
/// Columns are as wide as they usually get, so that devices printed one after another stand in line.
pub fn device_lines(device: &Device, options: &TableOptions) -> String {
    const USUAL: [(Column, usize); 8] = [
        (Column::Address, 15),
        (Column::Device, 30),
        (Column::Kind, 12),
        (Column::Status, 15),
        (Column::Codec, 6),
        (Column::Size, 9),
        (Column::Fps, 4),
        (Column::Url, 60),
    ];
    let widest = natural(&[device], options.verbosity);
    // An address is never cut.
    let usual = USUAL.map(|(column, usual)| match column {
        Column::Address | Column::Url => {
            (column, widest.iter().filter(|(c, _)| *c == column).map(|(_, w)| usual.max(*w)).max().unwrap_or(usual))
        }
        _ => (column, usual),
    });
    lines(&[device], &usual, options).lines.iter().map(|line| line.clone() + "\n").collect()
}

struct Lines {
    header: String,
    lines: Vec<String>,
}

fn lines(devices: &[&Device], natural: &[(Column, usize)], options: &TableOptions) -> Lines {
    let layout = Layout::fit(natural, options.columns());
    let mut grid = grid(&layout);
    // Each row is one line high, so that lines of another kind can be put between them.
    let mut tones = vec![layout.columns.iter().map(|_| CellTone::Tone(Tone::Quiet)).collect()];
    let mut below = Vec::new();
    let addresses = Addresses::of(devices.iter().copied());
    for device in devices {
        let rows = rows(device, options.verbosity);
        for (i, &row) in rows.iter().enumerate() {
            let cells = layout.columns.iter().map(|&(column, width)| cell(column, width, row, i == 0, options));
            let (cells, of_row): (Vec<Cell>, Vec<CellTone>) = cells.unzip();
            grid.add_row(cells);
            tones.push(of_row);
            let mut under = Vec::new();
            if layout.url_below {
                under.extend(details::url(row, &layout, options));
            }
            if options.verbosity > 0 {
                under.extend(details::of_stream(row, options));
            }
            if i + 1 == rows.len() {
                under.extend(details::under_device(device, &addresses, options));
            }
            below.push(under);
        }
    }
    align(&mut grid, &layout);
    let painted = grid.lines().zip(&tones).map(|(line, tones)| painted(&line, &layout, tones, options.paint()));
    let mut rows = painted.collect::<Vec<_>>().into_iter();
    let header = rows.next().unwrap_or_default();
    let lines = rows.zip(below).flat_map(|(line, under)| std::iter::once(line).chain(under)).collect();
    Lines { header, lines }
}

/// How a cell is painted.
#[derive(Debug, Clone, Copy)]
enum CellTone {
    Tone(Tone),
    Bold,
}

/// A line of the grid with the text of its cells painted.
fn painted(line: &str, layout: &Layout, tones: &[CellTone], paint: Paint) -> String {
    let mut rest = line;
    let mut out = String::new();
    for (&(_, width), tone) in layout.columns.iter().zip(tones) {
        let cell = paint::head(rest, width + GAP);
        rest = rest.get(cell.len()..).unwrap_or_default();
        let text = cell.trim();
        let (before, after) = cell.split_once(text).unwrap_or((cell, ""));
        out.push_str(before);
        out.push_str(&match tone {
            CellTone::Tone(tone) => paint.tone(*tone, text),
            CellTone::Bold => paint.bold(text),
        });
        out.push_str(after);
    }
    out.push_str(rest);
    out.trim_end().to_owned()
}

/// A row for each stream, or one without. The streams of a recorder whose cameras have rows of their own are shown with
/// `-v` only.
fn rows(device: &Device, verbosity: u8) -> Vec<Row<'_>> {
    let streams = device.streams.iter().filter(|stream| verbosity > 0 || device.camera_of(stream).is_none());
    let rows: Vec<Row<'_>> = streams.map(|stream| Row { device, stream: Some(stream) }).collect();
    if rows.is_empty() { vec![Row { device, stream: None }] } else { rows }
}

/// The widest cell of each column, 0 where there is nothing to show.
fn natural(devices: &[&Device], verbosity: u8) -> Vec<(Column, usize)> {
    let cells = |column: Column| {
        devices
            .iter()
            .flat_map(|d| rows(d, verbosity).into_iter().enumerate().map(|(i, row)| (i == 0, row)).collect::<Vec<_>>())
            .map(move |(first, row)| paint::width(&column.cell(row, first, verbosity).0))
    };
    Column::ALL.into_iter().map(|column| (column, cells(column).max().unwrap_or(0))).collect()
}

fn grid(layout: &Layout) -> Grid {
    let mut grid = Grid::new();
    grid.load_style(presets::NOTHING);
    grid.set_header(layout.columns.iter().map(|&(column, _)| {
        let heading = Cell::new(column.heading());
        if column.is_numeric() { heading.set_alignment(CellAlignment::Right) } else { heading }
    }));
    grid
}

/// Sets the columns' widths, once they exist.
fn align(grid: &mut Grid, layout: &Layout) {
    for (i, &(_, width)) in layout.columns.iter().enumerate() {
        let gap = if i + 1 == layout.columns.len() { 0 } else { GAP as u16 };
        if let Some(column) = grid.column_mut(i) {
            let width = u16::try_from(width).unwrap_or(u16::MAX - gap);
            column.set_padding((0, gap)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + gap)));
        }
    }
}

fn cell(column: Column, width: usize, row: Row<'_>, first: bool, options: &TableOptions) -> (Cell, CellTone) {
    let (text, tone) = column.cell(row, first, options.verbosity);
    let cell = Cell::new_owned(paint::cut(&text, width));
    let cell = if column.is_numeric() { cell.set_alignment(CellAlignment::Right) } else { cell };
    (cell, if column == Column::Address { CellTone::Bold } else { CellTone::Tone(tone) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use crate::model::ScanStatus;

    fn table(report: &Report, width: usize, verbosity: u8) -> String {
        coloured(report, TableOptions { width, colour: false, verbosity, explain: None })
    }

    fn coloured(report: &Report, options: TableOptions) -> String {
        let mut bytes = Vec::new();
        Table(options).write(report, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn narrow_usual_and_wide() {
        for width in [60, 80, 120, 200] {
            insta::assert_snapshot!(format!("width_{width}"), table(&sample::report(), width, 0));
        }
        insta::assert_snapshot!("verbose", table(&sample::report(), 120, 1));
    }

    #[test]
    fn what_is_out_of_reach_comes_with_the_way_there() {
        let mut report = sample::report_of(sample::factory_cameras());
        report.scan.coverage = Some(sample::coverage());
        insta::assert_snapshot!("factory", table(&report, 100, 0));
        insta::assert_snapshot!("factory_verbose", table(&report, 100, 1));
    }

    #[test]
    fn what_decided_stands_under_each_device() {
        let explain: Explain = |device| vec![format!("vendor: {} 0.98 (onvif 0.95)", device.ip)];
        let report = sample::report();
        let shown = coloured(&report, TableOptions { explain: Some(explain), ..TableOptions::default() });
        assert_eq!(shown.lines().filter(|l| l.starts_with("    reason    vendor: ")).count(), report.devices.len());
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for report in [sample::report(), sample::hostile_report(), sample::site()] {
            for width in 60..=200 {
                for verbosity in [0, 1] {
                    for line in table(&report, width, verbosity).lines() {
                        assert!(paint::width(line) <= width, "{width}: {line:?}");
                        assert_eq!(line.trim_end(), line, "{width}: {line:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_of_a_device_reaches_the_terminal_raw() {
        let shown = table(&sample::hostile_report(), 160, 2);
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown}");
        assert!(!shown.contains(['\u{202e}', '\u{2028}']));
        let lines = device_lines(&sample::hostile("192.0.2.1", "\u{1b}[2Jx\u{9b}1m"), &TableOptions::default());
        assert!(lines.chars().all(|c| c == '\n' || !c.is_control()), "{lines}");
    }

    #[test]
    fn colour_adds_colour_and_nothing_else() {
        let report = sample::report();
        for width in [60, 80, 120, 200] {
            let painted = coloured(&report, TableOptions { width, colour: true, verbosity: 1, explain: None });
            assert!(painted.contains("\u{1b}["));
            let stripped: String =
                painted.split('\n').map(|l| strip(l).trim_end().to_owned()).collect::<Vec<_>>().join("\n");
            assert_eq!(stripped, table(&report, width, 1));
        }
    }

    fn strip(line: &str) -> String {
        let mut plain = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').map_or("", |(_, r)| r);
        }
        plain + rest
    }

    #[test]
    fn a_device_alone_shows_what_the_table_shows() {
        let report = sample::report();
        let all: String = report.devices.iter().map(|d| device_lines(d, &TableOptions::default())).collect();
        insta::assert_snapshot!("devices_alone", all);
    }

    #[test]
    fn a_camera_behind_a_recorder_is_shown_once() {
        insta::assert_snapshot!("recorder", table(&sample::site(), 120, 0));
        insta::assert_snapshot!("recorder_verbose", table(&sample::site(), 120, 1));
    }

    #[test]
    fn an_empty_result_says_what_to_check() {
        let mut report = sample::report_of(vec![]);
        let mut said = table(&report, 80, 0);
        report.scan.hosts_up = 0;
        said += &table(&report, 80, 0);
        report.scan.status = ScanStatus::Interrupted;
        said += &table(&report, 80, 0);
        insta::assert_snapshot!("empty", said);
    }
}
