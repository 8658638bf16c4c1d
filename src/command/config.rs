//! `camscan config`: check the configuration, or show what holds and why.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::cli::args::ShowFormat;
use crate::cli::config::settings::{Effective, Settings};
use crate::model::Credential;

/// Reports that nothing is wrong: what is wrong was reported while the settings were read.
///
/// # Errors
/// Those of `out`.
pub fn check(settings: &Settings, out: &mut dyn Write) -> io::Result<()> {
    match &settings.config_file {
        Some(path) => writeln!(out, "{} and the environment are valid", path.display())?,
        None => writeln!(out, "there is no configuration file; the environment is valid")?,
    }
    for login in &settings.plan.probe.credentials {
        if let Some(note) = reach(login) {
            writeln!(out, "note: {note}")?;
        }
    }
    Ok(())
}

/// Which devices get a login that is bound to a vendor or a MAC address, and what may go in plain text.
fn reach(login: &Credential) -> Option<String> {
    let scope = &login.scope;
    let bound = match (&scope.vendor, &scope.mac_prefix) {
        (None, None) => None,
        _ if scope.trust_announced => {
            Some("goes to any device that claims its vendor or MAC address (trust: announced)")
        }
        (Some(_), _) => Some(
            "goes only to devices on the local link whose MAC address is registered to the vendor; \
             `trust: announced` takes a device's own word",
        ),
        (None, Some(_)) => Some(
            "goes only to devices whose MAC address the local link shows; `trust: announced` takes a device's own word",
        ),
    };
    let basic = login.allow_basic.then_some("may go in plain text although a device offers Digest (basic: allow)");
    let in_path = login
        .allow_in_path
        .then_some("may go in plain text in a stream's address where none is demanded (login_in_path: allow)");
    let all: Vec<&str> = [bound, basic, in_path].into_iter().flatten().collect();
    (!all.is_empty()).then(|| format!("the login of `{}` {}", crate::text::clean(&login.user), all.join("; ")))
}

/// Prints every setting with where its value comes from. Passwords show as `***`.
///
/// # Errors
/// Those of `out`.
pub fn show(settings: &Settings, format: ShowFormat, out: &mut dyn Write) -> io::Result<()> {
    match format {
        ShowFormat::Yaml => show_yaml(settings, out),
        ShowFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &effective(settings))?;
            writeln!(out)
        }
    }
}

/// Every setting with its `value` and its `origin`. Passwords show as `***`.
pub fn effective(settings: &Settings) -> Value {
    let one = |e: &Effective| (e.key.to_owned(), json!({ "value": e.value, "origin": e.origin.to_string() }));
    Value::Object(settings.effective.iter().map(one).collect::<Map<_, _>>())
}

fn show_yaml(settings: &Settings, out: &mut dyn Write) -> io::Result<()> {
    for effective in &settings.effective {
        let entry: Map<String, Value> = [(effective.key.to_owned(), effective.value.clone())].into_iter().collect();
        let yaml = serde_saphyr::to_string(&entry).map_err(io::Error::other)?;
        writeln!(out, "# {}\n{}", effective.origin, yaml.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args;
    use crate::cli::config::{environment::Environment, file, layer::Layer};
    use std::path::Path;

    fn settings(line: &str, variables: &[(&str, &str)]) -> Settings {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let cli = args::parse(["camscan"].into_iter().chain(line.split_whitespace())).unwrap_or_else(|e| panic!("{e}"));
        Settings::resolve(&cli, &Environment::of(variables)).unwrap()
    }

    fn shown(settings: &Settings, format: ShowFormat) -> String {
        let mut bytes = Vec::new();
        show(settings, format, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_is_shown_is_a_configuration_file() {
        let variables = [("CAMSCAN_TARGETS", "10.0.0.0/24,[2001:db8::1]:554"), ("CAMSCAN_OUTPUT", "no.json,1: x.json")];
        let settings = settings("config show", &variables);
        let environment = Environment::of(Default::default());
        let read = file::parse(&shown(&settings, ShowFormat::Yaml), Path::new("shown.yaml"), &environment).unwrap();
        let layer = Layer::environment(&Environment::of(
            variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        ))
        .over(Layer::defaults());
        for key in crate::cli::config::keys::ALL {
            let values = |layer: &Layer| layer.given(key.name()).unwrap().values.clone();
            assert_eq!(values(&read), values(&layer), "{}", key.name());
        }
    }

    #[test]
    fn a_check_says_how_far_a_login_goes() {
        let mut login = Credential::new("viewer", "hunter2");
        assert_eq!(reach(&login), None);
        login.scope.vendor = Some("Axis".to_owned());
        assert!(reach(&login).unwrap().contains("local link"));
        (login.scope.trust_announced, login.allow_basic) = (true, true);
        let said = reach(&login).unwrap();
        assert!(said.contains("claims") && said.contains("basic: allow") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn origins_are_shown_and_passwords_are_not() {
        let settings = settings(
            "config show --color never",
            &[("CAMSCAN_TIMEOUT", "3s"), ("CAMSCAN_CREDENTIAL", "admin:hunter2")],
        );
        let yaml = shown(&settings, ShowFormat::Yaml);
        assert!(yaml.contains("# CAMSCAN_TIMEOUT\ntimeout: 3s\n"), "{yaml}");
        assert!(yaml.contains("# --color\ncolor: never\n"), "{yaml}");
        let json: Value = serde_json::from_str(&shown(&settings, ShowFormat::Json)).unwrap();
        assert_eq!(json["retries"], json!({ "value": 1, "origin": "default" }));
        assert_eq!(json["credentials"]["origin"], "CAMSCAN_CREDENTIAL");
        assert!(!yaml.contains("hunter2") && !json.to_string().contains("hunter2"));
    }
}
