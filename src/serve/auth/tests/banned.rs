//! The filter that the handbook gives for fail2ban, on lines that somebody without an account has a hand in.

use std::io;

use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::cli::config::keys::LogFormat;
use crate::cli::config::settings::LogSettings;
use crate::cli::log::{Secrets, subscriber};
use crate::serve::auth::client::Client;

/// Where the guesses come from.
const GUESSER: &str = "10.88.0.112";
/// What a name would have banned.
const OTHER: &str = "10.88.0.77";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;
    fn make_writer(&self) -> Lines {
        self.clone()
    }
}

/// The handbook's filter, with what fail2ban puts in the place of `<HOST>`; it searches each line for it.
fn filter() -> regex::Regex {
    let handbook = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/serve.md")).unwrap();
    let filter = handbook.lines().find_map(|line| line.strip_prefix("failregex = ")).unwrap();
    regex::Regex::new(&filter.replace("<HOST>", r"(?:::f{4,6}:)?(?P<host>[\w\-.^_:]*\w)")).unwrap()
}

/// Tries to log in by these names, and has a proxy say them; gives the lines of the log.
async fn lines_of(names: &[&str]) -> String {
    let place = tempfile::tempdir().unwrap();
    let (lines, trusted) = (Lines::default(), vec![TrustedProxy::parse("127.0.0.1").unwrap()]);
    let access = Access::new(trusted, false, SetupCode::default()).with_login_header(Some("remote-user".to_owned()));
    let session = Session::new(Arc::new(FakeNet::subnet()), Signatures::builtin(), clock, 64);
    let app = App::with(store_in(place.path()), session, None, Options { access, ..Options::default() });
    let settings = LogSettings { verbosity: 0, quiet: false, filter: None, format: LogFormat::Text, color: false };
    let _heard = tracing::subscriber::set_default(subscriber(&settings, Secrets::default(), lines.clone()).unwrap());
    let address = Some(GUESSER.parse().unwrap());
    let client = Client { address, https: false, is_forwarded: true, by_proxy: true };
    for name in names {
        let headers = axum::http::HeaderMap::new();
        assert!(app.log_in(name, crate::model::Secret::new("wrong password"), &client, &headers).await.is_err());
        let mut said = axum::http::HeaderMap::new();
        let Ok(name) = name.parse() else { continue };
        said.insert("remote-user", name);
        let _ = app.identify(&said, &client::Peer::default(), &client).await;
    }
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

#[tokio::test]
async fn the_handbooks_filter_finds_the_address_that_guesses_alone() {
    let line = format!("login failed address={OTHER} name=");
    let hostile = [
        format!("WARN camscan::a: {line}"),
        format!("x\" name=\"{line}"),
        format!("address={OTHER} name="),
        format!("\n 1.2s  WARN camscan::serve::auth::login: {line}"),
        format!("host camscan[1]:    0.1s  WARN camscan::serve::auth::login: {line}"),
    ];
    let names: Vec<&str> = hostile.iter().map(String::as_str).cycle().take(15).collect();
    let (log, filter) = (lines_of(&names).await, filter());
    let found: Vec<&str> =
        log.lines().filter_map(|line| filter.captures(line)).map(|all| all.name("host").unwrap().as_str()).collect();
    assert_eq!(found, [GUESSER; 10], "{log}");
    assert_eq!(log.matches("login refused").count(), 5, "{log}");
    assert_eq!(log.matches("the proxy names nobody").count(), 12, "{log}");
    // As journald's lines stand before fail2ban.
    let of_journal = |line: &str| filter.captures(&format!("cam-host camscan[4711]: {line}")).is_some();
    assert_eq!(log.lines().filter(|line| of_journal(line)).count(), 10);
    assert!(!log.contains(&format!("address={OTHER}")), "no name passes for a field: {log}");
}
