//! What tests and examples share: a network in memory, and simulated devices on real sockets. Behind the feature
//! `testkit`.

#[cfg(test)]
pub mod captures;
pub mod clock;
pub mod fleet;
pub mod net;
pub mod outbox;
pub mod place;
pub mod plan;
pub mod population;
pub mod year;
