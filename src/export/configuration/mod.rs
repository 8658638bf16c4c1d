//! Configurations for other systems: one file or several as text, with the variables that the files leave open for logins.
//! No password stands in the text unless it is asked for, but the consumer's own placeholder.

pub mod login;
pub mod merge;
pub mod section;
pub mod sql;
pub mod text;

use std::collections::HashMap;
use std::net::IpAddr;

use super::Logins;
use super::address::{self, AskedNames};
use crate::model::{Credential, Device, Report, Stream};
use crate::text::strip_userinfo;
use login::Variables;
use section::{Existing, Section};

/// How the configuration of one system is written.
#[derive(Clone, Copy)]
pub struct Configure {
    /// What its main file is usually called.
    pub file: &'static str,
    /// Writes its text.
    pub write: fn(&Report, &Logins<'_>) -> Configuration,
    /// How cameras are added to a file that is there already, where they can be.
    pub extend: Option<Extend>,
}

/// How cameras are added to a configuration that is there already.
#[derive(Clone, Copy)]
pub struct Extend {
    /// The key at its top that tells the system's files from those of others.
    pub mark: &'static str,
    /// The keys that lead to each of its sections.
    pub sections: &'static [&'static [&'static str]],
    /// Makes the entries of the cameras that it does not hold.
    pub add: fn(&Report, &Logins<'_>, &Existing) -> Additions,
}

/// What is to be added to a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Additions {
    /// The entries.
    pub sections: Vec<Section>,
    /// The cameras they are of, as people call them.
    pub added: Vec<String>,
    /// How many cameras are there already.
    pub known: usize,
    /// What the placeholders of the entries stand for.
    pub variables: Variables,
}

impl Configure {
    /// Writes the configuration. Logins that stand in the report's addresses, which a report made with `--show-secrets`
    /// has, count where no other is known; they are taken out of the addresses first.
    pub fn of(&self, report: &Report, logins: &Logins<'_>) -> Configuration {
        with_bare_addresses(report, logins, self.write)
    }
}

impl Extend {
    /// Makes the entries of the cameras that a file does not hold, with logins as in [`Configure::of`].
    pub fn of(&self, report: &Report, logins: &Logins<'_>, existing: &Existing) -> Additions {
        with_bare_addresses(report, logins, |report, logins| (self.add)(report, logins, existing))
    }
}

/// Takes the logins out of the report's addresses; they count where no other is known. Where logins are demanded, all
/// addresses lead to the one that they are chosen by.
fn with_bare_addresses<T>(report: &Report, logins: &Logins<'_>, write: impl Fn(&Report, &Logins<'_>) -> T) -> T {
    let mut report = report.clone();
    let names = AskedNames::of(&report);
    let mut written: HashMap<IpAddr, Credential> = HashMap::new();
    for device in &mut report.devices {
        let is_login_demanded = device.streams.iter().any(|stream| stream.open == Some(false));
        let mut streams = std::mem::take(&mut device.streams);
        for Stream { url, .. } in &mut streams {
            if let Some(login) = login::in_url(url) {
                written.entry(device.ip).or_insert(login);
                *url = strip_userinfo(url);
            }
            let led = match is_login_demanded {
                true => address::for_login(device, url),
                false => names.address(device, url),
            };
            // What leads elsewhere is left out where cameras are made of streams, with the reason.
            *url = led.unwrap_or_else(|_| url.clone());
        }
        device.streams = streams;
    }
    let of = |device: &Device| (logins.of)(device).or_else(|| written.get(&device.ip).cloned());
    write(&report, &Logins { of: &of, shown: logins.shown })
}

/// A configuration: one file, or several whose names it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// File name and content; the first is the main file.
    pub files: Vec<(String, String)>,
    /// Whether the main file is nothing without the others.
    pub is_split: bool,
    /// What the placeholders stand for.
    pub variables: Variables,
}

impl Configuration {
    /// One file.
    pub fn of_one(name: &str, text: String, variables: Variables) -> Self {
        Configuration { files: vec![(name.to_owned(), text)], is_split: false, variables }
    }

    /// Has the main file name the others by their paths in `folder`: a service is started in another one.
    #[must_use]
    pub fn in_folder(mut self, folder: &str) -> Configuration {
        if let (true, Some(((_, main), others))) = (self.is_split, self.files.split_first_mut()) {
            for (name, _) in others {
                *main = main.replace(&format!(" {name}\n"), &format!(" {}/{name}\n", folder.trim_end_matches('/')));
            }
        }
        self
    }

    /// What is shown where one text is wanted: the main file; where that is nothing without the others, all of them, each
    /// behind a comment with its name.
    pub fn in_one_text(&self) -> String {
        match self.files.as_slice() {
            [] => String::new(),
            [(_, main), ..] if !self.is_split => main.clone(),
            files => files.iter().map(|(name, text)| format!("# ---- {name}\n{text}")).collect(),
        }
    }
}
