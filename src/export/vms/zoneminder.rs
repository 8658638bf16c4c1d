//! SQL that adds monitors to the database of ZoneMinder 1.36 to 1.38 (`db/zm_create.sql.in`, `src/zm_ffmpeg_camera.cpp` and
//! `web/includes/Monitor.php` of 1.36.33 and 1.38.4). Its own import of CSV drops the names, and its API takes one monitor a
//! call behind a login; a file of SQL is read in whole or not at all.
//!
//! Text is quoted so that no mode of the server changes what it means. The login stands in `Path`, percent-encoded: 1.36
//! looks for it there alone, and 1.38 puts the columns `User` and `Pass` there only where none stands. A placeholder is a
//! variable of the session. `SecondPath` is where ZoneMinder looks for sound that the first address does not have, and what
//! 1.38 can show in a browser in its place.

use super::camera::{self, Camera, Cameras};
use super::go2rtc::{left_out, unusable};
use crate::export::Logins;
use crate::export::configuration::login::{Form, Variable, Variables, address_in_name, encode, url_with_login};
use crate::export::configuration::sql::quoted;
use crate::export::configuration::text::{header, line, text_of};
use crate::export::configuration::{Configuration, Configure};
use crate::export::format::{Spec, Writer};
use crate::model::{Credential, Device, Protocol, Report, Secret, Stream, VideoCodec};
use crate::text;

/// The longest address, in characters, with the login in it (`varchar(255)`).
const MAX_PATH: usize = 255;
/// The longest name, in characters (`varchar(64)`).
const MAX_NAME: usize = 64;

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "zoneminder",
    extensions: &[],
    help: "SQL for the database of ZoneMinder 1.36 to 1.38",
    is_binary: false,
    writer: Writer::Configuration(Configure { file: "zoneminder.sql", write, extend: None }),
};

/// What stands before the monitors. All is added or nothing, and text that is too long is refused instead of cut.
const BEGIN: [&str; 6] = [
    "-- `cat logins.sql zoneminder.sql | mariadb zm`, then restart ZoneMinder. A monitor is added where its variables are",
    "-- set and no monitor has its address.",
    "SET NAMES utf8mb4;",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES';",
    "START TRANSACTION;",
    "SELECT COALESCE(MAX(Id), 0) INTO @camscan_before FROM Monitors;",
];

/// What stands behind them.
const END: &str = "\
-- 1.38 analyses and records all that it captures, unless its own columns say otherwise; 1.36 has no such columns.
SET @camscan_columns = (SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
  AND TABLE_NAME = 'Monitors' AND COLUMN_NAME IN ('Analysing', 'Recording'));
SET @camscan_shown_only = IF(@camscan_columns = 2,
  'UPDATE Monitors SET Analysing = ''None'', Recording = ''None'' WHERE Id > ?', 'DO ?');
PREPARE camscan_shown_only FROM @camscan_shown_only;
EXECUTE camscan_shown_only USING @camscan_before;
DEALLOCATE PREPARE camscan_shown_only;
COMMIT;
SELECT Id, Name AS Added FROM Monitors WHERE Id > @camscan_before;";

/// Writes the statements. Their variables are set by statements, too.
fn write(report: &Report, logins: &Logins<'_>) -> Configuration {
    let refusal = |device: &Device, stream: &Stream| refusal(stream, &|| (logins.of)(device));
    let cameras = Cameras::of(report, &refusal);
    let mut variables = Variables::default();
    let mut monitors = Vec::new();
    for camera in &cameras.usable {
        monitors.extend(monitor(camera, (logins.of)(camera.device).as_ref(), logins.shown, &mut variables));
    }
    let mut lines = header("--", report, "ZoneMinder 1.36 to 1.38 monitors");
    if !variables.is_empty() {
        lines.push("-- Set these variables first (`--env-file logins.sql` writes those that are known):".to_owned());
        lines.extend(variables.iter().map(|v| format!("--   @{}: {}, {}", v.name, v.meaning, v.form.hint())));
    }
    lines.extend(BEGIN.map(str::to_owned));
    lines.extend(monitors);
    lines.extend(unusable(&cameras).into_iter().map(comment));
    lines.push(END.to_owned());
    Configuration::of_one("zoneminder.sql", text_of(&lines), variables)
}

/// Why ZoneMinder cannot read a stream. `login`: that of its device.
fn refusal(stream: &Stream, login: &dyn Fn() -> Option<Credential>) -> Option<String> {
    use Protocol as P;
    if !matches!(stream.protocol, P::Rtsp | P::Rtsps | P::Rtmp | P::Rtmps | P::Mjpeg | P::Hls) {
        return Some(format!("ZoneMinder does not read {} from a camera", stream.protocol));
    }
    let fits = |side: u32| (1..=u32::from(u16::MAX)).contains(&side);
    if !camera::size(stream).is_some_and(|(width, height)| fits(width) && fits(height)) {
        return Some("ZoneMinder has to be given the size of the picture, which is not known".to_owned());
    }
    let login = login().filter(|_| camera::needs_login(stream));
    let whole = login.map_or_else(|| url_of(stream), |login| url_with_login(&url_of(stream), &login));
    (whole.chars().count() > MAX_PATH)
        .then(|| format!("its address is longer than the {MAX_PATH} characters that ZoneMinder keeps"))
}

fn monitor(camera: &Camera<'_>, login: Option<&Credential>, shown: bool, variables: &mut Variables) -> Vec<String> {
    let mut unset = Vec::new();
    let mut path = |stream: &Stream| {
        let Address { expression, needs } = address(camera, stream, login, shown, variables);
        unset.extend(needs);
        expression
    };
    let first = path(camera.main);
    // Where neither has sound ZoneMinder would open the second for nothing.
    let is_of_use = |sub: &&Stream| camera::has_sound(camera.main) || camera::has_sound(sub);
    let second = camera.sub.filter(is_of_use).map_or_else(|| "NULL".to_owned(), path);
    unset.sort_unstable();
    unset.dedup();
    let (width, height) = camera::size(camera.main).unwrap_or_default();
    // What ZoneMinder's own page chooses: H.264 and H.265 are recorded as they come, all else as pictures.
    let (pictures, writer) = match camera::codec(camera.main) {
        Some(VideoCodec::H264 | VideoCodec::H265) => (0, 2),
        _ => (3, 0),
    };
    let url = url_of(camera.main);
    let place = url.split_once("://").map_or(url.as_str(), |(_, place)| place);
    let length = place.chars().count() + 1;
    let (bare, with_login) = (quoted(&format!("/{place}")), quoted(&format!("@{place}")));
    let method = method(camera.main);
    let set: String = unset.iter().map(|name| format!(" AND @{name} IS NOT NULL")).collect();
    let mut lines = vec![
        format!("-- {}", line(&camera.label)),
        "INSERT INTO Monitors (Name, Type, Path, SecondPath,".to_owned(),
        "  Method, Width, Height, Colours, SaveJPEGs, VideoWriter, Sequence)".to_owned(),
        format!("SELECT {}, 'Ffmpeg', {first},", quoted(&name(camera))),
        format!("  {second},"),
        format!(
            "  '{method}', {width}, {height}, 4, {pictures}, {writer}, COALESCE(MAX(Sequence), 0) + 1 FROM Monitors"
        ),
        format!("HAVING COALESCE(SUM(RIGHT(Path, {length}) IN ({bare}, {with_login})), 0) = 0{set};"),
    ];
    lines.extend(left_out(&camera.left_out).into_iter().map(comment));
    lines
}

/// The label, no longer than the column.
fn name(camera: &Camera<'_>) -> String {
    line(&camera.label).chars().take(MAX_NAME).collect()
}

/// How RTSP is carried.
fn method(stream: &Stream) -> &'static str {
    match (stream.protocol, stream.multicast, camera::is_udp_only(stream)) {
        (Protocol::Rtsp | Protocol::Rtsps, Some(_), _) => "rtpMulti",
        (Protocol::Rtsp | Protocol::Rtsps, None, true) => "rtpUni",
        (Protocol::Rtsp | Protocol::Rtsps, None, false) => "rtpRtsp",
        _ => "",
    }
}

/// The whole address on one line.
fn url_of(stream: &Stream) -> String {
    text::clean_path(&stream.url).replace(' ', "%20")
}

/// An address in SQL.
struct Address {
    expression: String,
    /// The variables it is made of.
    needs: Vec<String>,
}

fn address(
    camera: &Camera<'_>,
    stream: &Stream,
    login: Option<&Credential>,
    shown: bool,
    variables: &mut Variables,
) -> Address {
    let url = url_of(stream);
    if !camera::needs_login(stream) {
        return Address { expression: quoted(&url), needs: Vec::new() };
    }
    if let (Some(login), true) = (login, shown) {
        return Address { expression: quoted(&url_with_login(&url, login)), needs: Vec::new() };
    }
    let ip = camera.device.ip;
    let mut needs = Vec::new();
    let mut variable = |what: &str, value: Option<Secret>| {
        let name = format!("CAMERA_{}_{}", address_in_name(ip), what.to_ascii_uppercase());
        variables.add(Variable { name: name.clone(), form: Form::Encoded, meaning: format!("{what} of {ip}"), value });
        needs.push(name.clone());
        format!("@{name}")
    };
    let (scheme, place) = url.split_once("://").unwrap_or(("rtsp", &url));
    let user = match login {
        Some(login) => quoted(&format!("{scheme}://{}:", encode(&login.user))),
        None => format!("{}, {}, ':'", quoted(&format!("{scheme}://")), variable("user", None)),
    };
    let password = variable("password", login.map(|login| Secret::new(encode(login.password.expose()))));
    let expression = format!("CONCAT({user}, {password}, {})", quoted(&format!("@{place}")));
    Address { expression, needs }
}

/// A comment of SQL in place of one with `#`.
fn comment(text: String) -> String {
    text.trim_start().replacen('#', "--", 1)
}
