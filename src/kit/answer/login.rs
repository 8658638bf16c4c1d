//! Who is let in: whoever has the kit's login.

use std::collections::VecDeque;

use super::is_wsse;
use crate::kit::conversation::Request;
use crate::kit::format::LOGIN;
use crate::model::AuthScheme;
use crate::wire::auth::check::{Given, proves_wsse};
use crate::wire::xml;

/// What a request proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Login {
    /// It does not try.
    None,
    /// The kit's login.
    Right,
    /// Another.
    Wrong,
}

/// The nonces that were given out, the last of them.
#[derive(Debug, Default)]
pub(super) struct Nonces(VecDeque<String>);

impl Nonces {
    const MOST: usize = 1024;

    pub(super) fn fresh(&mut self, random: u128) -> String {
        let nonce = format!("{random:032x}");
        if self.0.len() >= Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(nonce.clone());
        nonce
    }

    fn knows(&self, nonce: &[u8]) -> bool {
        self.0.iter().any(|known| known.as_bytes() == nonce)
    }
}

/// What a request proves.
pub(super) fn given(request: &Request, nonces: &Nonces) -> Login {
    let (user, password) = LOGIN;
    let verdict = |is_right| if is_right { Login::Right } else { Login::Wrong };
    let header = request.headers.all("Authorization").next();
    if let Some(value) = header {
        let Some(given) = Given::read(value) else { return Login::Wrong };
        let is_known = given.scheme() == AuthScheme::Basic || given.nonce().is_some_and(|nonce| nonces.knows(nonce));
        return verdict(is_known && given.proves(user, password, &request.ask.method, &request.body));
    }
    if !is_wsse(&request.ask) {
        return Login::None;
    }
    let document = xml::read(&request.body);
    let text = |name| document.find_text(name).unwrap_or_default();
    let stated = text("Password");
    let is_right = stated == password || proves_wsse(stated, text("Nonce"), text("Created"), password);
    verdict(text("Username") == user && is_right)
}
