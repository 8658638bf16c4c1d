//! Limits that a shell or a service sets to this process (getrlimit(2)).

/// The stack of the main thread grows to this, in bytes, where a smaller limit may be raised: what most systems give.
#[cfg(unix)]
const STACK: libc::rlim_t = 8 << 20;

/// Makes that a file which may not grow (`ulimit -f`) fails the write, in place of a signal that kills and leaves half a
/// file behind; and lets a stack that was made small (`ulimit -s`) grow again, as far as the system permits. The programs
/// that are started later inherit both.
#[cfg(unix)]
#[expect(unsafe_code, reason = "signal, getrlimit and setrlimit have no safe form in the crates at hand")]
pub(in crate::net) fn outlast() {
    // SAFETY: to be ignored is no handler, so nothing of ours runs at the signal.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit writes one rlimit through the pointer, which points to one that lives until it returns.
    if unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) } != 0 || limit.rlim_cur >= STACK {
        return;
    }
    limit.rlim_cur = STACK.min(limit.rlim_max);
    // SAFETY: setrlimit reads one rlimit through the pointer, which points to one that lives until it returns. Where it
    // fails, the limit is as it was.
    unsafe { libc::setrlimit(libc::RLIMIT_STACK, &raw const limit) };
}

/// There are none.
#[cfg(not(unix))]
pub(in crate::net) fn outlast() {}
