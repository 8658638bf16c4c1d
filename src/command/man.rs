//! `camscan man`: the manual pages.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::args;

/// Prints the main page, or writes it and one page for every subcommand into `folder`.
///
/// # Errors
/// When a page cannot be written.
pub fn run(folder: Option<&Path>, out: &mut dyn Write) -> anyhow::Result<()> {
    let Some(folder) = folder else { return Ok(out.write_all(&main_page()?)?) };
    let mut command = args::command();
    command.build();
    write_page(folder, "camscan.1", &main_page()?)?;
    pages(folder, &command)
}

fn pages(folder: &Path, command: &clap::Command) -> anyhow::Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let page = Man::new(sub.clone().disable_help_subcommand(true));
        let mut bytes = Vec::new();
        page.render(&mut bytes)?;
        write_page(folder, &page.get_filename(), &bytes)?;
        pages(folder, sub)?;
    }
    Ok(())
}

fn write_page(folder: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(name);
    fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

fn main_page() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Man::new(args::command().disable_help_subcommand(true)).render(&mut bytes)?;
    let mut more = Roff::new();
    for (section, entries) in SECTIONS {
        more.control("SH", [*section]);
        for (name, text) in *entries {
            more.control("TP", []).text([bold(*name)]).text([roman(*text)]);
        }
    }
    more.to_writer(&mut bytes)?;
    Ok(bytes)
}

const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "EXIT STATUS",
        &[
            ("0", "Success, also when nothing was found."),
            ("1", "Failure."),
            ("2", "The command line or the configuration is wrong; nothing was sent."),
            ("3", "A condition of --fail-on was met."),
            ("130", "Interrupted; what was found so far has been written."),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            (
                "CAMSCAN_*",
                "Every setting has a variable, named in the help of its flag. Lists are separated by commas.",
            ),
            ("CAMSCAN_CONFIG", "The configuration file."),
            ("CAMSCAN_CREDENTIAL", "One login, USER:PASS."),
            ("CAMSCAN_CREDENTIALS", "Several logins, one USER:PASS per line."),
            ("CAMSCAN_LOG", "A log filter, such as debug or camscan::net=trace; overrides --verbose."),
            ("NO_COLOR", "When set, colours are used only with --color always."),
        ],
    ),
    (
        "FILES",
        &[
            ("./camscan.yaml", "The configuration of this folder."),
            ("$XDG_CONFIG_HOME/camscan/config.yaml", "The user's configuration, usually in ~/.config."),
            ("/etc/camscan/config.yaml", "The system's configuration."),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        run(Some(folder.path()), &mut io::sink()).unwrap();
        for (page, word) in [
            ("camscan.1", "EXIT STATUS"),
            ("camscan-scan.1", "CAMSCAN_MAX_LOGIN_FAILURES"),
            ("camscan-probe.1", "URL"),
            ("camscan-config-show.1", "effective|setting"),
        ] {
            let text = fs::read_to_string(folder.path().join(page)).unwrap();
            assert!(word.split('|').any(|w| text.contains(w)), "{page}: {word}");
            assert!(text.contains(".TH"), "{page}");
        }
    }

    #[test]
    fn the_main_page_goes_to_the_output() {
        let mut page = Vec::new();
        run(None, &mut page).unwrap();
        assert!(String::from_utf8(page).unwrap().contains("NO_COLOR"));
    }
}
