//! What tests and examples share: simulated devices on real sockets. Behind the feature `testkit`.

pub mod fleet;
pub mod population;
