//! Tests that learn only when they run whether this machine lets them: those that cannot run show as ignored, with the
//! reason, never as passed. Names, filters, `--list`, `--ignored` and the closing line are those of `cargo test`.

use std::sync::RwLock;

use libtest_mimic::{Completion, Trial};

/// Why a test cannot run on this machine.
#[derive(Debug)]
pub struct Skip(pub String);

/// What a test that ended without a panic may return.
pub trait Ran {
    fn completion(self) -> Completion;
}

impl Ran for () {
    fn completion(self) -> Completion {
        Completion::Completed
    }
}

impl Ran for Result<(), Skip> {
    fn completion(self) -> Completion {
        match self {
            Ok(()) => Completion::Completed,
            Err(Skip(why)) => Completion::ignored_with(why),
        }
    }
}

/// Held by every test: shared, or by one that takes the whole machine.
static MACHINE: RwLock<()> = RwLock::new(());

/// A test that runs beside others.
pub fn beside<R: Ran + 'static>(name: &str, test: fn() -> R) -> Trial {
    Trial::ignorable_test(name, move || {
        let _shared = MACHINE.read();
        Ok(test().completion())
    })
}

/// A test that runs while no other does.
pub fn alone<R: Ran + 'static>(name: &str, test: fn() -> R) -> Trial {
    Trial::ignorable_test(name, move || {
        let _all = MACHINE.write();
        Ok(test().completion())
    })
}

/// A test that runs with `--ignored` or `--include-ignored` only.
pub fn by_hand<R: Ran + 'static>(name: &str, test: fn() -> R) -> Trial {
    beside(name, test).with_ignored_flag(true)
}

/// The trials of a list like `beside scan::finds_all; by_hand scan::finds_all_for_hours;`.
macro_rules! trials {
    ($($how:ident $module:ident::$test:ident;)*) => {
        vec![$(crate::trial::$how(concat!(stringify!($module), "::", stringify!($test)), $module::$test)),*]
    };
}
pub(crate) use trials;
