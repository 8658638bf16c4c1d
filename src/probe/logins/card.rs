//! The network card of a host. By it a device is one at all of its addresses, so that it is looked up before the first login
//! is sent: by then a connection stands, and the kernel knows to which card it leads.

use super::{Logins, State};

/// Whether the network card was looked up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    /// It was, or is not looked up.
    #[default]
    Settled,
    /// It is looked up when the first login is to be sent.
    Awaited,
}

impl Logins {
    /// From now on the first login waits until the network card was looked up: where one is to be sent,
    /// [`Logins::card_wanted`] returns, and [`Logins::settle_card`] lets it go.
    pub fn await_card(&self) {
        self.lock().card = Card::Awaited;
    }

    /// Waits until a login is to be sent.
    pub async fn card_wanted(&self) {
        self.card_is_wanted.notified().await;
    }

    /// The network card is known as well as it can be.
    pub fn settle_card(&self) {
        self.lock().card = Card::Settled;
        self.changed.notify_waiters();
    }

    /// Whether logins wait for the network card no more; where they do, it is asked for.
    pub(super) fn knows_card(&self, state: &State) -> bool {
        if state.card == Card::Awaited {
            self.card_is_wanted.notify_one();
        }
        state.card == Card::Settled
    }
}
