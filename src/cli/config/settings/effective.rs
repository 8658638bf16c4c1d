//! What holds, for whoever wants to see it: no password is among it.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Effective;
use crate::cli::config::keys;
use crate::cli::config::layer::{Layer, Origin};
use crate::cli::config::notify::{self, NOTIFY};
use crate::model::Credential;

/// Every key with its value and where it comes from; no password.
pub(super) fn effective(layer: &Layer, logins: &[Credential], path: Option<PathBuf>) -> Vec<Effective> {
    let mut all: Vec<Effective> = keys::ALL
        .iter()
        .map(|key| {
            let values = layer.given(key.name()).map_or_else(|| key.defaults(), |given| given.values.clone());
            let value = match key.shape() {
                keys::Shape::One => scalar(values.first().map_or("", String::as_str)),
                _ => values.iter().map(|text| scalar(text)).collect(),
            };
            Effective { key: key.name(), value, origin: layer.origin(key.name()) }
        })
        .collect();
    let origin = layer.logins.as_ref().map_or(Origin::Default, |given| given.origin.clone());
    let origin = origin.max(layer.origin(keys::CREDENTIALS_FILE.name));
    let value = logins.iter().map(shown_login).collect();
    all.push(Effective { key: keys::CREDENTIALS, value, origin });
    all.extend(layer.notifications.as_ref().map(|given| Effective {
        key: NOTIFY,
        value: notify::shown(&given.notifications),
        origin: path.map_or(Origin::Default, Origin::File),
    }));
    all
}

/// A value as it would be written without quotes.
fn scalar(text: &str) -> Value {
    match (text, text.parse::<u32>()) {
        ("true", _) => Value::Bool(true),
        ("false", _) => Value::Bool(false),
        (_, Ok(number)) if number.to_string() == text => number.into(),
        _ => text.into(),
    }
}

fn shown_login(login: &Credential) -> Value {
    let mut shown = json!({ "user": login.user, "password": login.password.to_string() });
    let scope = &login.scope;
    let network = scope.network.map(|network| network.to_string());
    for (name, value) in [("network", &network), ("vendor", &scope.vendor), ("mac", &scope.mac_prefix)] {
        if let (Some(fields), Some(value)) = (shown.as_object_mut(), value) {
            fields.insert(name.to_owned(), value.as_str().into());
        }
    }
    shown
}
