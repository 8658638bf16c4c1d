//! By what the refused logins of a device are counted, and the book they stand in over scans and processes.

use std::fmt;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::device::is_serial;
use super::{Credential, Device, MacAddr, Protocol};

/// What tells the device that a login goes to from others, as far as it is known when the login is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceTraits {
    /// The address the login goes to.
    pub address: IpAddr,
    /// The MAC address that the link shows; none behind a router, and where a router answers for many.
    pub link_mac: Option<MacAddr>,
    /// The MAC address it states.
    pub stated_mac: Option<MacAddr>,
    /// The UUID of its ONVIF endpoint.
    pub endpoint: Option<String>,
    /// Its serial number; no placeholder.
    pub serial: Option<String>,
}

impl DeviceTraits {
    /// A device of which nothing is known but its address.
    pub fn at(address: IpAddr) -> Self {
        DeviceTraits { address, link_mac: None, stated_mac: None, endpoint: None, serial: None }
    }

    /// A device as it was found, at the address it is asked at.
    pub fn of(device: &Device) -> Self {
        DeviceTraits {
            address: device.ip,
            link_mac: device.link_mac,
            stated_mac: device.mac,
            endpoint: device.endpoint.clone(),
            serial: device.serial.clone().filter(|serial| is_serial(serial)),
        }
    }

    /// Whether the two may be one device, so that what one refuses counts for the other too: one address, one MAC address on
    /// the link, or more that agrees than contradicts. A wrong yes costs a login that is not tried; a wrong no may lock a
    /// camera.
    pub fn may_be(&self, other: &DeviceTraits) -> bool {
        let is_one = |a: Option<MacAddr>, b: Option<MacAddr>| a.is_some() && a == b;
        if self.address == other.address || is_one(self.link_mac, other.link_mac) {
            return true;
        }
        let facts = [
            agree(&self.macs(), &other.macs()),
            agree(self.endpoint.as_slice(), other.endpoint.as_slice()),
            agree(self.serial.as_slice(), other.serial.as_slice()),
        ];
        let count = |verdict| facts.iter().filter(|fact| **fact == Some(verdict)).count();
        count(true) > count(false)
    }

    /// The same, with what was known `before` of what is not known now.
    #[must_use]
    pub fn or(self, before: DeviceTraits) -> Self {
        DeviceTraits {
            address: self.address,
            link_mac: self.link_mac.or(before.link_mac),
            stated_mac: self.stated_mac.or(before.stated_mac),
            endpoint: self.endpoint.or(before.endpoint),
            serial: self.serial.or(before.serial),
        }
    }

    /// By what it can be looked up: two that may be one device have at least one of these in common.
    pub fn keys(&self) -> Vec<TraitKey> {
        let macs = self.macs().into_iter().map(TraitKey::Mac);
        let texts = [self.endpoint.clone().map(TraitKey::Endpoint), self.serial.clone().map(TraitKey::Serial)];
        std::iter::once(TraitKey::Address(self.address)).chain(macs).chain(texts.into_iter().flatten()).collect()
    }

    /// The MAC addresses, each once.
    pub fn macs(&self) -> Vec<MacAddr> {
        let stated = self.stated_mac.filter(|stated| self.link_mac != Some(*stated));
        self.link_mac.into_iter().chain(stated).collect()
    }
}

/// One of the things a device can be looked up by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraitKey {
    /// An address.
    Address(IpAddr),
    /// A MAC address.
    Mac(MacAddr),
    /// The UUID of an ONVIF endpoint.
    Endpoint(String),
    /// A serial number.
    Serial(String),
}

/// Whether the two have something in common; none where one of them says nothing.
fn agree<T: PartialEq>(a: &[T], b: &[T]) -> Option<bool> {
    (!a.is_empty() && !b.is_empty()).then(|| a.iter().any(|one| b.contains(one)))
}

/// A login as it was sent. Over another protocol a camera may have other users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentLogin {
    /// Over which it was sent.
    pub protocol: Protocol,
    /// The login.
    pub credential: Credential,
}

impl SentLogin {
    /// Whether it is this one.
    pub fn is(&self, protocol: Protocol, credential: &Credential) -> bool {
        self.protocol == protocol && self.credential == *credential
    }
}

/// A place of the book, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceId(pub i64);

/// What the book says to a login that wants a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It stands in this place; it may be sent.
    Taken(PlaceId),
    /// Another scan is logging in to the device at this moment; a place may become free.
    Busy,
    /// The device refused too many already.
    Spent,
}

impl Place {
    /// The place that was taken, if one was.
    pub fn taken(&self) -> Option<PlaceId> {
        match self {
            Place::Taken(place) => Some(*place),
            Place::Busy | Place::Spent => None,
        }
    }
}

/// A place of a login that works gives way to a login of another program after this, unless it was renewed: it may be kept,
/// with nothing under way in it.
pub const GIVES_WAY: SignedDuration = SignedDuration::from_mins(1);

/// What became of the login in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was refused, or answered unclearly: it counts for 24 hours.
    Refused,
    /// It works, and may be sent again.
    Works,
    /// It was not sent, or nothing was said of it, and nothing more is sent in this place.
    Unused,
}

/// What cannot be written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BookError(pub String);

/// Where each login is written down before it is sent, so that a device sees no more refused ones than it may over all scans
/// and processes, also where one of them is killed. Calls block for as long as a disk takes.
pub trait LoginBook: Send + Sync + fmt::Debug {
    /// Takes one of the `most` places of a device; instead of a place that is given back for it, where there is one. A login
    /// that has worked on the device before `is_trusted`: where this process is killed before it is answered, it does not
    /// count.
    ///
    /// # Errors
    /// When it cannot be written; then the login must not be sent.
    fn take(
        &self,
        device: &DeviceTraits,
        most: u32,
        is_trusted: bool,
        given_back: Option<PlaceId>,
        now: Timestamp,
    ) -> Result<Place, BookError>;

    /// Whether a place is still there: one that is kept gives way to a login of another program. Where it is, it gives way to
    /// none for [`GIVES_WAY`], less a few seconds that need not be written.
    ///
    /// # Errors
    /// When it cannot be written; then it may give way at any moment.
    fn renew(&self, place: PlaceId, now: Timestamp) -> Result<bool, BookError>;

    /// Notes what became of a place. One for which nothing is noted counts like a refusal. Whether the place was still there:
    /// one that is kept gives way to a login of another program.
    ///
    /// # Errors
    /// When it cannot be written.
    fn end(&self, place: PlaceId, outcome: Outcome) -> Result<bool, BookError>;

    /// Notes a refusal: of the login in a place or, where that has given way or there was none, in one of its own. One
    /// that was `unanswered` counts until [`LoginBook::note_taken`].
    ///
    /// # Errors
    /// When it cannot be written. It counts all the same, for as long as the process lasts.
    fn note_refused(
        &self,
        place: Option<PlaceId>,
        device: &DeviceTraits,
        unanswered: Option<&SentLogin>,
        now: Timestamp,
    ) -> Result<(), BookError>;

    /// Notes that a device took a login: where it left the same one unanswered, that counts no more.
    ///
    /// # Errors
    /// When it cannot be read or written; then it goes on counting.
    fn note_taken(&self, device: &DeviceTraits, login: &SentLogin, now: Timestamp) -> Result<(), BookError>;

    /// Gives back a place whose login works: nothing more is sent in it for now.
    ///
    /// # Errors
    /// When it cannot be written.
    fn give_back(&self, place: PlaceId, device: &DeviceTraits) -> Result<(), BookError>;

    /// Notes what became known of the device that these places are of.
    ///
    /// # Errors
    /// When it cannot be written.
    fn identify(&self, places: &[PlaceId], device: &DeviceTraits) -> Result<(), BookError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(address: &str, mac: Option<u8>, endpoint: Option<&str>, serial: Option<&str>) -> DeviceTraits {
        DeviceTraits {
            stated_mac: mac.map(|n| MacAddr([0x44, 0x19, 0xb6, 0, 0, n])),
            endpoint: endpoint.map(str::to_owned),
            serial: serial.map(str::to_owned),
            ..DeviceTraits::at(address.parse().unwrap())
        }
    }

    #[test]
    fn a_device_is_counted_as_one_by_what_agrees() {
        let known = device("10.0.0.1", Some(1), Some("e"), Some("s"));
        for (name, other, expected) in [
            ("the same address, whatever it states", device("10.0.0.1", Some(2), Some("f"), Some("t")), true),
            ("another address, all else the same", device("10.0.0.2", Some(1), Some("e"), Some("s")), true),
            ("the endpoint alone", device("10.0.0.2", None, Some("e"), None), true),
            ("another network card", device("10.0.0.2", Some(2), Some("e"), Some("s")), true),
            ("a series that shares an endpoint", device("10.0.0.2", Some(2), Some("e"), None), false),
            ("nothing known", device("10.0.0.2", None, None, None), false),
            ("another device", device("10.0.0.2", Some(2), Some("f"), Some("t")), false),
        ] {
            assert_eq!((known.may_be(&other), other.may_be(&known)), (expected, expected), "{name}");
        }
        let link = |address: &str| DeviceTraits {
            link_mac: Some(MacAddr([0x44, 0x19, 0xb6, 0, 0, 9])),
            ..device(address, None, Some(address), Some(address))
        };
        assert!(link("10.0.0.1").may_be(&link("fe80::1")), "the link shows one network card");
    }
}
