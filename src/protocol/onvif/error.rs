//! What an answer means for a call that brought nothing: a fault, a missing or refused login, no SOAP at all. Pure.

use super::soap::{Answer, Fault};
use crate::model::ErrorKind;
use crate::protocol::http::message::{HttpError, Response};

/// Why a call gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The device answered with a fault that is not about the login.
    #[error("{0}")]
    Fault(Fault),
    /// No answer.
    #[error("{0}")]
    Http(#[from] HttpError),
    /// An answer that is no SOAP.
    #[error("answered status {0} and nothing of ONVIF")]
    NotSoap(u16),
    /// A login is demanded that was not given, was refused, or may not see this.
    #[error("{message}")]
    Login {
        /// `AuthRequired`, `AuthRefused`, `Locked` or `LoginRests`.
        kind: ErrorKind,
        /// In words.
        message: String,
    },
}

impl CallError {
    /// What kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            CallError::Fault(_) => ErrorKind::Device,
            CallError::Http(error) => error.kind,
            CallError::NotSoap(_) => ErrorKind::Protocol,
            CallError::Login { kind, .. } => *kind,
        }
    }

    pub(super) fn login(kind: ErrorKind, message: impl Into<String>) -> Self {
        CallError::Login { kind, message: message.into() }
    }
}

/// Whether an answer means that a login is missing or wrong: by its fault, whatever the status; by the status where there
/// is no fault; an empty 200 is how some devices answer a token they do not take.
pub(super) fn demands_login(response: &Response, answer: &Answer) -> bool {
    match answer {
        Answer::Body(_) => false,
        Answer::Fault(fault) => fault.is_not_authorized() || fault.is_about_the_clock(),
        Answer::Empty => matches!(response.status, 200 | 401 | 403),
        Answer::NotSoap => matches!(response.status, 401 | 403),
    }
}

/// The error of an answer that is not about a login.
pub(super) fn failure(response: &Response, answer: Answer) -> CallError {
    match answer {
        Answer::Fault(fault) => CallError::Fault(fault),
        _ => CallError::NotSoap(response.status),
    }
}
