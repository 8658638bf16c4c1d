//! The login of the moment, and how it is written.

use crate::model::Credential;
use crate::wire::auth::login::Login;

/// How a login is written.
#[derive(Debug)]
pub(super) enum Form {
    /// In an `Authorization` header.
    Header(Box<Login>),
    /// In a WS-Security token of the envelope.
    Token(Credential),
}

impl Form {
    pub(super) fn credential(&self) -> &Credential {
        match self {
            Form::Header(login) => login.credential(),
            Form::Token(credential) => credential,
        }
    }
}

/// The login of the moment.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) form: Form,
    /// This very login (its nonce) was taken.
    pub(super) taken: bool,
    pub(super) sent: bool,
}
