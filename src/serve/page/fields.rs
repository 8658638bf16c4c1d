//! What a form sent.

use axum::Form;
use axum::extract::rejection::FormRejection;

use crate::serve::problem::Problem;

/// What a form sent: names and values, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

/// A form as axum reads it.
pub type Sent = Result<Form<Vec<(String, String)>>, FormRejection>;

impl Fields {
    /// What was sent.
    ///
    /// # Errors
    /// When it is no form.
    pub fn of(sent: Sent) -> Result<Fields, Problem> {
        let Form(fields) = sent.map_err(|_| Problem::bad_request("the form cannot be read"))?;
        Ok(Fields(fields))
    }

    /// The value of a field; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.trim())
    }

    /// The value of a field that says something.
    pub fn some(&self, name: &str) -> Option<String> {
        Some(self.get(name)).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// The values of a field that stands there several times.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A field's value, read.
    ///
    /// # Errors
    /// When it is none.
    pub fn read<T>(&self, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Problem> {
        read(self.get(name)).ok_or_else(|| Problem::invalid(&format!("/{name}"), "this cannot be read"))
    }
}
