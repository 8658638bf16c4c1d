//! Tests that learn only when they run whether this machine lets them: those that cannot run show as ignored, with the
//! reason, never as passed. Names, filters, `--list`, `--ignored` and the closing line are those of `cargo test`.

use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Trial};

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

/// What takes as long is worth a line of its own.
const LONG: Duration = Duration::from_secs(5);

/// Held by every test but those that wait: shared, or by one that measures.
static MACHINE: RwLock<()> = RwLock::new(());

/// Held by those that wait: shared. By one that fills a table of the kernel: alone.
static KERNEL: RwLock<()> = RwLock::new(());

static START: OnceLock<Instant> = OnceLock::new();

/// Each trial that ran: its name, when it began, and how long it took.
static TIMES: Mutex<Vec<(String, Duration, Duration)>> = Mutex::new(Vec::new());

fn timed<R>(name: &str, test: fn() -> R) -> R {
    /// Counts what panics as well.
    struct Clock<'n>(&'n str, Instant);
    impl Drop for Clock<'_> {
        fn drop(&mut self) {
            let from = self.1.duration_since(*START.get_or_init(|| self.1));
            let mut times = TIMES.lock().unwrap_or_else(PoisonError::into_inner);
            times.push((self.0.to_owned(), from, self.1.elapsed()));
        }
    }
    let _clock = Clock(name, Instant::now());
    test()
}

/// Runs the trials, and then says which took long.
#[allow(clippy::print_stdout, reason = "tests speak on standard output")]
pub fn run(arguments: &Arguments, trials: Vec<Trial>) -> ExitCode {
    START.get_or_init(Instant::now);
    let conclusion = libtest_mimic::run(arguments, trials);
    let mut times = TIMES.lock().unwrap_or_else(PoisonError::into_inner);
    times.sort_by_key(|(_, _, took)| std::cmp::Reverse(*took));
    let long: Vec<_> = times.iter().filter(|(_, _, took)| *took >= LONG).collect();
    if !long.is_empty() {
        println!("seconds of each trial that took {} or more, and when it began:", LONG.as_secs());
    }
    for (name, from, took) in long {
        println!("{:8.1} {:8.1}  {name}", took.as_secs_f64(), from.as_secs_f64());
    }
    conclusion.exit_code()
}

/// A test that runs beside others.
pub fn beside<R: Ran + 'static>(name: &str, test: fn() -> R) -> Trial {
    let of = name.to_owned();
    Trial::ignorable_test(name, move || {
        let _shared = MACHINE.read();
        Ok(timed(&of, test).completion())
    })
}

/// A test that measures: it runs beside those that wait, and no others.
pub fn measured<R: Ran + 'static>(name: &str, test: fn() -> R) -> Trial {
    let of = name.to_owned();
    Trial::ignorable_test(name, move || {
        let _machine = MACHINE.write();
        Ok(timed(&of, test).completion())
    })
}

/// A test that waits nearly all of its time, and disturbs none that measures.
pub fn patient<R: Ran + 'static>(name: &str, test: fn() -> R) -> Trial {
    let of = name.to_owned();
    Trial::ignorable_test(name, move || {
        let _kernel = KERNEL.read();
        Ok(timed(&of, test).completion())
    })
}

/// A test that runs while no other does.
pub fn alone<R: Ran + 'static>(name: &str, test: fn() -> R) -> Trial {
    let of = name.to_owned();
    Trial::ignorable_test(name, move || {
        let _all = (MACHINE.write(), KERNEL.write());
        Ok(timed(&of, test).completion())
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
