//! The statements for ZoneMinder's database, taken by MariaDB with the tables of ZoneMinder's own package.

use std::process::Output;

use serde_json::{Value, json};

use crate::cameras::{self, SMALL};
use crate::ns::{Host, need, skip};
use crate::trial::Skip;
use crate::{Lab, PASSWORD, PYTHON};

/// Names that bite in SQL, in its client or in its comments.
const NAMES: [&str; 10] = [
    "Front door",
    "'); DROP TABLE Zones; -- ",
    "\\'); DROP TABLE Zones; -- ",
    "\\",
    "it's \"one\" `two` 'three",
    "; source /etc/passwd; \\! id",
    "-- /* # @@version */",
    "Тор 密 😀",
    "CONCAT(CHAR(92), '",
    "%s _ {} $HOME ${HOME} `id`",
];

/// A database server with ZoneMinder's tables.
struct Database<'l> {
    host: &'l Host,
    socket: String,
}

impl Database<'_> {
    /// Runs a script of the shell, in which `$SQL` is the client.
    fn sh(&self, script: &str) -> Output {
        let client =
            format!("SQL='mariadb --no-defaults --socket={} --batch --skip-column-names --raw'\n", self.socket);
        self.host.run("sh", &["-c", &(client + script)])
    }

    /// What the client says of a script that succeeds.
    fn said(&self, script: &str) -> String {
        let output = self.sh(script);
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The lines that a query answers.
    fn asked(&self, query: &str) -> Vec<String> {
        let said = self.said(&format!("$SQL --default-character-set=utf8mb4 zm -e \"{query}\""));
        said.lines().map(str::to_owned).collect()
    }
}

pub fn the_database_takes_every_name_and_each_monitor_once() -> Result<(), Skip> {
    need(&[PYTHON, "mariadbd", "mariadb", "ffprobe"])?;
    let Ok(tables) = std::env::var("CAMSCAN_ZONEMINDER") else {
        return skip("CAMSCAN_ZONEMINDER names no folder with the tables of ZoneMinder");
    };
    let mut lab = Lab::new();
    let login = format!("admin:{PASSWORD}");
    cameras::serve(&mut lab, "10.77.0.71", "44:19:b6:00:00:71", 554, &["--digest", &login, "/stream1", SMALL]);
    let database = start(&lab, &tables);
    lab.lan.wait();
    let tables_before = create(&database, &tables);

    let mut report = lab.camscan(true, &["scan", "10.77.0.71", "-f", "json"]).json(0);
    let device = report["devices"][0].clone();
    report["devices"] = NAMES.iter().enumerate().map(|(number, name)| renamed(&device, number, name)).collect();
    let path = lab.write("report.json", report.to_string());
    let (monitors, logins) = (lab.path("zoneminder.sql"), lab.path("logins.sql"));
    let output = format!("zoneminder:{monitors}");
    let export = lab.camscan(true, &["export", &path, "-c", &login, "-o", &output, "--env-file", &logins]);
    assert_eq!(export.status, Some(0), "{}", export.log);
    assert!(!std::fs::read_to_string(&monitors).unwrap().contains(PASSWORD));

    // As the file says it, whatever the server makes of backslashes and quotes.
    let import = format!("cat {logins} {monitors} | $SQL zm");
    for mode in ["", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT"] {
        database.said(&format!("$SQL -e \"SET GLOBAL sql_mode = '{mode}'; DELETE FROM zm.Monitors\""));
        assert_eq!(database.said(&format!("$SQL zm < {monitors}")), "", "nothing is added before the login is known");
        assert_eq!(database.said(&import).lines().count(), NAMES.len());
        assert_eq!(database.asked("SELECT Name FROM Monitors ORDER BY Sequence"), NAMES.map(str::trim), "{mode}");
        assert_eq!(database.said(&import), "", "all are there");
    }
    assert_eq!(database.asked("SHOW TABLES"), tables_before);
    let what =
        "SELECT DISTINCT Type, \\`Function\\`, Method, Width, Height, Colours, SaveJPEGs, VideoWriter FROM Monitors";
    assert_eq!(database.asked(what), ["Ffmpeg\tMonitor\trtpRtsp\t320\t240\t4\t0\t2"]);
    ffmpeg_reads_what_the_database_holds(&database);
    newer_columns_are_seen_to(&database, &import);
    Ok(())
}

fn start<'l>(lab: &'l Lab, tables: &str) -> Database<'l> {
    assert!(std::path::Path::new(tables).join("zm_create.sql").exists(), "{tables} has no tables");
    let (data, socket) = (lab.path("database"), lab.path("database.sock"));
    std::fs::create_dir(&data).unwrap();
    let (data, socket_option) = (format!("--datadir={data}"), format!("--socket={socket}"));
    let options = [
        "--no-defaults",
        "--user=root",
        "--skip-networking",
        "--skip-grant-tables",
        "--character-set-server=utf8mb4",
        // What is written here need not outlive the test.
        "--innodb-flush-method=nosync",
        "--innodb-flush-log-at-trx-commit=0",
        "--skip-innodb-doublewrite",
        &data,
        &socket_option,
    ];
    let database = Database { host: &lab.scanner, socket };
    let socket = socket_option.clone();
    lab.lan.serve(&lab.scanner, "mariadbd", &options, move |host| {
        host.run("mariadb", &["--no-defaults", &socket, "-e", "SELECT 1"]).status.success()
    });
    database
}

/// Creates the tables; the procedures behind them would need tables of the server's own.
fn create(database: &Database<'_>, tables: &str) -> Vec<String> {
    database.said(&format!("sed '/^source /,$d' {tables}/zm_create.sql | $SQL"));
    database.asked("SHOW TABLES")
}

/// The device under another name, with its stream at an address of its own.
fn renamed(device: &Value, number: usize, name: &str) -> Value {
    let mut device = device.clone();
    device["id"] = json!(format!("ip:10.77.0.71-{number}"));
    device["name"] = json!(name);
    let url = device["streams"][0]["url"].as_str().unwrap().to_owned();
    let stream = &mut device["streams"][0];
    stream["url"] = json!(if number == 0 { url } else { format!("{url}?of={number}&it's=\\{number}") });
    device["streams"] = json!([stream.clone()]);
    device
}

/// The address of the first monitor plays as it stands there, with the login in it.
fn ffmpeg_reads_what_the_database_holds(database: &Database<'_>) {
    let [path] = database.asked("SELECT Path FROM Monitors ORDER BY Sequence LIMIT 1").try_into().unwrap();
    assert!(path.contains("://admin:") && path.ends_with("@10.77.0.71:554/stream1"), "{path}");
    let asked = ["-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", &path];
    let played = database.host.run("ffprobe", &asked);
    assert!(String::from_utf8_lossy(&played.stdout).contains("codec_name=h264"), "{played:?}");
}

/// 1.38 says in columns of its own what a monitor does: what is added only shows, and what was there stays.
fn newer_columns_are_seen_to(database: &Database<'_>, import: &str) {
    database.asked(
        "ALTER TABLE Monitors ADD Analysing enum('None','Always') NOT NULL DEFAULT 'Always', \
         ADD Recording enum('None','OnMotion','Always') NOT NULL DEFAULT 'Always'; \
         DELETE FROM Monitors WHERE Sequence > 1",
    );
    assert_eq!(database.said(import).lines().count(), NAMES.len() - 1);
    let count = "SELECT Analysing, Recording, COUNT(*) FROM Monitors GROUP BY Analysing, Recording ORDER BY COUNT(*)";
    assert_eq!(database.asked(count), ["Always\tAlways\t1".to_owned(), format!("None\tNone\t{}", NAMES.len() - 1)]);
}
