//! The value of an `Authorization` header on its way to a connection.

use crate::probe::logins::{Encryption, Logins, Withheld};

/// The value of an `Authorization` header.
pub struct Authorization {
    pub(super) value: Vec<u8>,
    /// Its reader can use the password as it is, and the user has not allowed that.
    pub(super) is_readable: bool,
}

impl Authorization {
    /// The value, to be written to a connection that is open now.
    ///
    /// # Errors
    /// Where it must not go by this one.
    pub fn by(&self, encryption: &Encryption, logins: &Logins) -> Result<&[u8], Withheld> {
        match logins.withheld(encryption).filter(|_| self.is_readable) {
            Some(why) => Err(why),
            None => Ok(&self.value),
        }
    }
}
