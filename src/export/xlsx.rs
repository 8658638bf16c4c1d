//! A spreadsheet with two sheets, Devices and Streams. Cells are typed: numbers are numbers, times are times (UTC), and
//! text is text, never a formula or a link.

use std::io::{self, Write};

use jiff::Timestamp;
use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};

use super::format::{Spec, Writer};
use super::row::{self, HEADER, Value};
use super::words::{self, Standing, Tone};
use super::{Exporter, xml};
use crate::model::memory::Uid;
use crate::model::{Device, Report};

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "xlsx",
    extensions: &["xlsx"],
    help: "a spreadsheet (Office Open XML)",
    is_binary: true,
    writer: Writer::Report(|_| Box::new(Xlsx)),
};

/// Writes a spreadsheet.
pub struct Xlsx;

impl Exporter for Xlsx {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let bytes = workbook(report).and_then(|mut book| book.save_to_buffer()).map_err(io::Error::other)?;
        out.write_all(&bytes)
    }
}

fn workbook(report: &Report) -> Result<Workbook, XlsxError> {
    let mut book = Workbook::new();
    // The time of the scan, not of the writing: the same report gives the same file.
    let created = excel_time(report.scan.finished_at)?;
    book.set_properties(&DocProperties::new().set_title("Cameras and streams").set_creation_datetime(&created));
    let looks = Looks::new();
    let devices: Vec<Vec<Cell>> = report.devices.iter().map(device_row).collect();
    sheet(book.add_worksheet(), "Devices", &DEVICE_HEADER, &devices, &looks)?;
    let streams: Vec<Vec<Cell>> = row::rows(report).filter(|row| row.stream.is_some()).map(stream_row).collect();
    sheet(book.add_worksheet(), "Streams", &HEADER, &streams, &looks)?;
    Ok(book)
}

/// A value and how it looks.
type Cell<'a> = (Value<'a>, Look);

#[derive(Clone, Copy)]
enum Look {
    Plain,
    Percent,
    Tone(Tone),
}

const DEVICE_HEADER: [&str; 25] = [
    "ip",
    "name",
    "vendor",
    "model",
    "kind",
    "confidence",
    "status",
    "streams",
    "streaming",
    "mac",
    "hostname",
    "firmware",
    "serial",
    "state",
    "services",
    "discovered_by",
    "first_seen",
    "last_seen",
    "errors",
    "reach",
    "activation",
    "warnings",
    "uid",
    "site",
    "tags",
];

fn device_row(device: &Device) -> Vec<Cell<'_>> {
    let text = |text: Option<&str>| text.map_or(Value::Absent, |t| Value::Text(t.to_owned().into()));
    let joined = |texts: Vec<String>| match texts.as_slice() {
        [] => Value::Absent,
        texts => Value::Text(texts.join("; ").into()),
    };
    let (status, tone) = Standing::of(device).words();
    let streaming = device.own_streams().filter(|s| words::status(s).1 == Tone::Good).count();
    let services = device.services.iter().map(|s| format!("{}/{} {}", s.port, s.transport.as_str(), s.protocol));
    let values = [
        text(Some(&device.ip.to_string())),
        text(device.name.as_deref()),
        text(device.vendor.as_deref()),
        text(device.model.as_deref()),
        text(Some(device.kind.as_str())),
        Value::Number(device.confidence),
        text(Some(status)),
        Value::Whole(device.own_streams().count() as u64),
        Value::Whole(streaming as u64),
        text(device.mac.map(|m| m.to_string()).as_deref()),
        text(device.hostname.as_deref()),
        text(device.firmware.as_deref()),
        text(device.serial.as_deref()),
        text(Some(device.state.as_str())),
        joined(services.collect()),
        joined(device.discovered_by.iter().map(ToString::to_string).collect()),
        Value::Time(device.first_seen),
        Value::Time(device.last_seen),
        joined(device.errors.iter().map(|e| format!("{}: {}", e.stage, e.message)).collect()),
        text(device.reach.map(|reach| reach.as_str())),
        text(device.activation.map(|activation| activation.as_str())),
        joined(device.warnings.iter().map(|w| format!("{}: {}", w.kind, w.message)).collect()),
        text(device.uid.as_ref().map(Uid::as_str)),
        text(device.site.as_deref()),
        text(row::tags(device).as_deref()),
    ];
    let look = |name: &str| match name {
        "confidence" => Look::Percent,
        "status" => Look::Tone(tone),
        _ => Look::Plain,
    };
    DEVICE_HEADER.iter().zip(values).map(|(name, value)| (value, look(name))).collect()
}

fn stream_row(row: row::Row<'_>) -> Vec<Cell<'_>> {
    let tone = row.stream.map_or(Tone::Plain, |s| words::status(s).1);
    let look = |name: &str| if name == "status" { Look::Tone(tone) } else { Look::Plain };
    HEADER.iter().zip(row.values()).map(|(name, value)| (value, look(name))).collect()
}

/// The formats of cells.
struct Looks {
    header: Format,
    time: Format,
    percent: Format,
    tones: Vec<(Tone, Format)>,
}

impl Looks {
    fn new() -> Self {
        let tone = |tone, rgb| (tone, Format::new().set_font_color(Color::RGB(rgb)));
        Looks {
            header: Format::new()
                .set_bold()
                .set_align(FormatAlign::Left)
                .set_background_color(Color::RGB(0xE8_EE_F4))
                .set_border_bottom(FormatBorder::Thin),
            time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            percent: Format::new().set_num_format("0%"),
            tones: vec![
                tone(Tone::Good, 0x1A_7F_37),
                tone(Tone::Fair, 0x0B_6E_99),
                tone(Tone::Attention, 0x9A_67_00),
                tone(Tone::Bad, 0xB3_26_1E),
                tone(Tone::Quiet, 0x6B_72_80),
            ],
        }
    }
}

/// The widest an automatically fitted column gets, in pixels.
const WIDEST: u32 = 420;

fn sheet(
    sheet: &mut Worksheet,
    name: &str,
    header: &[&str],
    rows: &[Vec<Cell<'_>>],
    looks: &Looks,
) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    for (column, name) in (0u16..).zip(header) {
        let utc = if name.ends_with("_seen") { " (UTC)" } else { "" };
        sheet.write_string_with_format(0, column, format!("{name}{utc}"), &looks.header)?;
    }
    for (line, row) in (1u32..).zip(rows) {
        for (column, (value, look)) in (0u16..).zip(row) {
            write(sheet, line, column, value, *look, looks)?;
        }
    }
    let last_column = u16::try_from(header.len().saturating_sub(1)).unwrap_or(u16::MAX);
    sheet.autofilter(0, 0, u32::try_from(rows.len()).unwrap_or(u32::MAX), last_column)?;
    sheet.set_freeze_panes(1, 1)?;
    sheet.set_landscape();
    sheet.set_repeat_rows(0, 0)?;
    sheet.set_autofit_max_width(WIDEST);
    sheet.autofit();
    Ok(())
}

fn write(
    sheet: &mut Worksheet,
    line: u32,
    column: u16,
    value: &Value<'_>,
    look: Look,
    looks: &Looks,
) -> Result<(), XlsxError> {
    match value {
        Value::Absent => {}
        Value::Text(text) => {
            let text = fitting(text);
            let tone = looks.tones.iter().find(|(tone, _)| matches!(look, Look::Tone(t) if t == *tone));
            match tone {
                Some((_, format)) => sheet.write_string_with_format(line, column, text, format)?,
                None => sheet.write_string(line, column, text)?,
            };
        }
        // Whole numbers of the report are far below 2^53, where a double stops being exact.
        Value::Whole(n) => _ = sheet.write_number(line, column, *n as f64)?,
        Value::Number(n) if !n.is_finite() => {}
        Value::Number(n) if matches!(look, Look::Percent) => {
            sheet.write_number_with_format(line, column, *n, &looks.percent)?;
        }
        Value::Number(n) => _ = sheet.write_number(line, column, *n)?,
        Value::Truth(truth) => _ = sheet.write_boolean(line, column, *truth)?,
        Value::Time(time) => {
            sheet.write_datetime_with_format(line, column, excel_time(*time)?, &looks.time)?;
        }
    }
    Ok(())
}

fn excel_time(time: Timestamp) -> Result<ExcelDateTime, XlsxError> {
    ExcelDateTime::from_timestamp(time.as_second())
}

/// Text a cell can hold: at most 32,767 UTF-16 units, none of them forbidden in XML.
fn fitting(text: &str) -> String {
    let mut units = 0usize;
    xml::legal(text)
        .chars()
        .take_while(|c| {
            units += c.len_utf16();
            units <= 32_767
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::export::sample;

    fn xlsx(report: &Report) -> Vec<u8> {
        let mut bytes = Vec::new();
        Xlsx.write(report, &mut bytes).unwrap();
        bytes
    }

    /// A part of the package (a ZIP archive of XML documents), by name.
    fn part(bytes: &[u8], name: &str) -> String {
        let mut package = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let mut text = String::new();
        package.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn both_sheets_have_their_rows() {
        let report = sample::report();
        let bytes = xlsx(&report);
        let book = part(&bytes, "xl/workbook.xml");
        assert!(book.contains("name=\"Devices\"") && book.contains("name=\"Streams\""), "{book}");
        let rows = |sheet: &str| part(&bytes, sheet).matches("<row ").count();
        assert_eq!(rows("xl/worksheets/sheet1.xml"), report.devices.len() + 1);
        let streams: usize = report.devices.iter().map(|d| d.streams.len()).sum();
        assert_eq!(rows("xl/worksheets/sheet2.xml"), streams + 1);
        for sheet in ["xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"] {
            let sheet = part(&bytes, sheet);
            assert!(sheet.contains("<autoFilter ref=\"A1:") && sheet.contains("state=\"frozen\""), "{sheet}");
        }
        // A width is a number.
        assert!(part(&bytes, "xl/worksheets/sheet2.xml").contains("<v>1920</v>"));
    }

    #[test]
    fn text_is_never_a_formula_or_a_link() {
        let bytes = xlsx(&sample::hostile_report());
        for sheet in ["xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"] {
            let sheet = part(&bytes, sheet);
            assert!(!sheet.contains("<f>") && !sheet.contains("<hyperlink"), "{sheet}");
        }
        let strings = part(&bytes, "xl/sharedStrings.xml");
        assert!(strings.contains("@SUM(1+1)"), "as it came, for nothing runs it");
        let mut reader = quick_xml::Reader::from_str(&strings);
        while !matches!(reader.read_event().unwrap(), quick_xml::events::Event::Eof) {}
        assert!(strings.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{85}')), "{strings:?}");
    }

    #[test]
    fn an_empty_report_is_a_spreadsheet_too() {
        assert!(xlsx(&sample::report_of(vec![])).starts_with(b"PK"));
        let mut long = sample::camera();
        long.serial = Some("📷".repeat(20_000));
        xlsx(&sample::report_of(vec![long]));
    }
}
