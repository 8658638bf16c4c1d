//! The logins of a configuration file. Where one is wrong, nothing of it is shown.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::model::Credential;

use super::reader::{Name, Reader, Text};
use crate::cli::config::credentials;
use crate::cli::config::keys::CREDENTIALS;
use crate::model::problem::Problem;
use crate::tool::read;

/// The most bytes a file with one password may have.
const PASSWORD_CAP: u64 = 4096;
/// What an entry of the list can hold.
const LOGIN_KEYS: [&str; 10] = [
    "user",
    "password",
    "password_env",
    "password_file",
    "network",
    "vendor",
    "mac",
    "trust",
    "basic",
    "login_in_path",
];
/// What a key of permission can hold, the default last.
const TRUST: [&str; 2] = ["announced", "link"];
const BASIC: [&str; 2] = ["allow", "no-digest"];
const LOGIN_IN_PATH: [&str; 2] = ["allow", "demanded"];

/// A list of logins.
pub(super) struct Logins<'a, 'r>(pub &'r Reader<'a>);

impl<'de> DeserializeSeed<'de> for Logins<'_, '_> {
    type Value = Vec<Credential>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Credential>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Logins<'_, '_> {
    type Value = Vec<Credential>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.expected.get())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Credential>, A::Error> {
        let mut logins = Vec::new();
        self.0.expected.set("a login with `user:` and `password:`");
        while let Some(login) = list.next_element_seed(Login(self.0))? {
            logins.push(login);
        }
        Ok(logins)
    }
}

/// One login and the devices it is meant for.
struct Login<'a, 'r>(&'r Reader<'a>);

impl<'de> DeserializeSeed<'de> for Login<'_, '_> {
    type Value = Credential;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Credential, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Login<'_, '_> {
    type Value = Credential;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.expected.get())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Credential, A::Error> {
        let reader = self.0;
        let mut fields = Fields::default();
        let mut seen = HashSet::new();
        while let Some(name) =
            map.next_key_seed(Name { reader, known: &LOGIN_KEYS, is_login: true, seen: &mut seen })?
        {
            reader.expected.set("one value");
            let text = map.next_value_seed(Text(reader, &|text| reader.check_field(&name, text)))?;
            fields.take(&name, text);
            reader.expected.set("a login with `user:` and `password:`");
        }
        reader.login(fields).map_err(|problem| reader.fail(problem.at(CREDENTIALS)))
    }
}

/// The fields of a login as written.
#[derive(Default)]
struct Fields {
    user: Option<String>,
    password: Option<String>,
    password_env: Option<String>,
    password_file: Option<String>,
    network: Option<String>,
    vendor: Option<String>,
    mac: Option<String>,
    trust: Option<String>,
    basic: Option<String>,
    login_in_path: Option<String>,
}

impl Fields {
    fn take(&mut self, name: &str, text: String) {
        let field = match name {
            "user" => &mut self.user,
            "password" => &mut self.password,
            "password_env" => &mut self.password_env,
            "password_file" => &mut self.password_file,
            "network" => &mut self.network,
            "vendor" => &mut self.vendor,
            "trust" => &mut self.trust,
            "basic" => &mut self.basic,
            "login_in_path" => &mut self.login_in_path,
            _ => &mut self.mac,
        };
        *field = Some(text);
    }
}

impl Reader<'_> {
    /// Checks a field where it stands.
    fn check_field(&self, name: &str, text: &str) -> Result<(), Problem> {
        match name {
            "user" => credentials::checked(text, "").map(drop),
            "password" => credentials::checked("", text).map(drop),
            "password_env" => self.password_of_variable(text).map(drop),
            "password_file" => self.password_of_file(text).map(drop),
            "network" => credentials::network(text).map(drop),
            "mac" => credentials::mac_prefix(text).map(drop),
            "trust" => permission(text, TRUST).map(drop),
            "basic" => permission(text, BASIC).map(drop),
            "login_in_path" => permission(text, LOGIN_IN_PATH).map(drop),
            _ => Ok(()),
        }
        .map_err(|problem| problem.at(name))
    }

    fn login(&self, fields: Fields) -> Result<Credential, Problem> {
        let user = fields.user.filter(|user| !user.is_empty());
        let user = user.ok_or_else(|| Problem::new("a login lacks its `user:`"))?;
        let password = match (fields.password, fields.password_env, fields.password_file) {
            (Some(password), None, None) => {
                self.in_clear.set(true);
                password
            }
            (None, Some(variable), None) => self.password_of_variable(&variable)?,
            (None, None, Some(path)) => self.password_of_file(&path)?,
            (None, None, None) => {
                return Err(Problem::new("a login lacks its password")
                    .hint("give one of password, password_env and password_file"));
            }
            _ => {
                return Err(Problem::new("a login has more than one password")
                    .hint("give one of password, password_env and password_file"));
            }
        };
        let mut login = credentials::checked(&user, &password)?;
        login.scope.network = fields.network.as_deref().map(credentials::network).transpose()?;
        login.scope.vendor = fields.vendor;
        login.scope.mac_prefix = fields.mac.as_deref().map(credentials::mac_prefix).transpose()?;
        let permitted = |text: Option<String>, words| text.map_or(Ok(false), |text| permission(&text, words));
        login.scope.trust_announced = permitted(fields.trust, TRUST)?;
        login.allow_basic = permitted(fields.basic, BASIC)?;
        login.allow_in_path = permitted(fields.login_in_path, LOGIN_IN_PATH)?;
        Ok(login)
    }

    fn password_of_variable(&self, name: &str) -> Result<String, Problem> {
        self.environment.text(name)?.map(str::to_owned).ok_or_else(|| {
            // What stands here may be the password itself, put at the wrong key.
            Problem::new("there is no such environment variable, or it is empty")
                .hint("name the variable that holds the password")
        })
    }

    fn password_of_file(&self, path: &str) -> Result<String, Problem> {
        let path = self.path.parent().unwrap_or(Path::new("")).join(path);
        // The path stays unsaid: what stands here may be the password itself.
        let text = read::text(&path, PASSWORD_CAP).map_err(|_| {
            Problem::new(format!(
                "the password file cannot be read, is larger than {PASSWORD_CAP} bytes or is not text"
            ))
            .hint("name a file that holds the password alone; relative paths count from this file's folder")
        })?;
        Ok(text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t)).to_owned())
    }
}

/// Whether the first of two words is given, rather than the second.
fn permission(text: &str, [permitted, usual]: [&str; 2]) -> Result<bool, Problem> {
    match text {
        _ if text == permitted => Ok(true),
        _ if text == usual => Ok(false),
        _ => Err(Problem::new(format!("`{}` is not possible here", crate::text::clean(text)))
            .hint(format!("write {permitted} or {usual}"))),
    }
}
