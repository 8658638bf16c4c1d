//! Which viewer a packet is for: by the address it comes from, and, before that is known, by the name of the session that
//! every connectivity check carries (the ufrag of ICE, RFC 8445 §7.1). Pure.

use std::collections::HashMap;
use std::net::SocketAddr;

/// A viewer's number.
pub(super) type ViewerId = u64;

/// Addresses one viewer is known by at most: its interfaces, and what a NAT makes of them over time.
const MOST_ADDRESSES: usize = 8;

/// Where a packet came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub tcp: bool,
    pub from: SocketAddr,
}

/// The routes of all viewers.
#[derive(Debug, Default)]
pub(super) struct Routes {
    by_origin: HashMap<Origin, ViewerId>,
    by_ufrag: HashMap<String, ViewerId>,
    origins: HashMap<ViewerId, Vec<Origin>>,
}

impl Routes {
    /// A viewer is expected, who will name this session.
    pub fn expect(&mut self, viewer: ViewerId, ufrag: &str) {
        self.by_ufrag.insert(ufrag.to_owned(), viewer);
    }

    /// Whose session has that name.
    pub fn named(&self, ufrag: &str) -> Option<ViewerId> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// Who sends from there.
    pub fn at(&self, origin: Origin) -> Option<ViewerId> {
        self.by_origin.get(&origin).copied()
    }

    /// A viewer has proved to send from there. The oldest of too many addresses is forgotten; one that was another's is not
    /// any more.
    pub fn learn(&mut self, viewer: ViewerId, origin: Origin) {
        match self.by_origin.insert(origin, viewer) {
            Some(before) if before == viewer => return,
            Some(before) => {
                if let Some(origins) = self.origins.get_mut(&before) {
                    origins.retain(|known| *known != origin);
                }
            }
            None => {}
        }
        let origins = self.origins.entry(viewer).or_default();
        origins.push(origin);
        if origins.len() > MOST_ADDRESSES {
            let oldest = origins.remove(0);
            self.by_origin.remove(&oldest);
        }
    }

    /// Forgets a viewer; gives the addresses it was known by.
    pub fn forget(&mut self, viewer: ViewerId, ufrag: &str) -> Vec<Origin> {
        if self.by_ufrag.get(ufrag) == Some(&viewer) {
            self.by_ufrag.remove(ufrag);
        }
        let origins = self.origins.remove(&viewer).unwrap_or_default();
        for origin in &origins {
            self.by_origin.remove(origin);
        }
        origins
    }

    /// Entries of all kinds: none once all viewers are gone.
    pub fn len(&self) -> usize {
        self.by_origin.len() + self.by_ufrag.len() + self.origins.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(port: u16) -> Origin {
        Origin { tcp: false, from: SocketAddr::from(([192, 0, 2, 1], port)) }
    }

    #[test]
    fn a_viewer_is_found_by_name_first_and_by_address_then() {
        let mut routes = Routes::default();
        routes.expect(1, "abcd");
        assert_eq!((routes.named("abcd"), routes.named("efgh"), routes.at(origin(5))), (Some(1), None, None));
        routes.learn(1, origin(5));
        assert_eq!(routes.at(origin(5)), Some(1));
        assert_eq!(routes.at(Origin { tcp: true, ..origin(5) }), None, "another transport is another way");
        assert_eq!(routes.forget(1, "abcd"), [origin(5)]);
        assert_eq!(routes.len(), 0);
    }

    #[test]
    fn an_address_belongs_to_who_proved_it_last() {
        let mut routes = Routes::default();
        routes.expect(1, "a");
        routes.expect(2, "b");
        routes.learn(1, origin(5));
        routes.learn(2, origin(5));
        assert_eq!(routes.at(origin(5)), Some(2));
        assert_eq!(routes.forget(1, "a"), []);
        assert_eq!(routes.at(origin(5)), Some(2));
        routes.forget(2, "b");
        assert_eq!(routes.len(), 0);
    }

    #[test]
    fn one_viewer_fills_no_table() {
        let mut routes = Routes::default();
        routes.expect(1, "a");
        for port in 1..1000 {
            routes.learn(1, origin(port));
        }
        assert_eq!(routes.at(origin(1)), None);
        assert_eq!(routes.at(origin(999)), Some(1));
        assert_eq!(routes.forget(1, "a").len(), MOST_ADDRESSES);
        assert_eq!(routes.len(), 0);
    }
}
