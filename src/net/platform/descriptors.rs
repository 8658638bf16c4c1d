//! How many files and sockets this process may have open.

/// Raises the soft limit to the hard one, as far as the system lets it, and says what it is now. A scan of a large
/// network wants more than the usual 1,024.
#[cfg(unix)]
#[expect(unsafe_code, reason = "getrlimit and setrlimit have no safe form in the crates at hand")]
pub(super) fn raise() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit writes one rlimit through the pointer, which points to one that lives until it returns.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 256;
    }
    // More than a scan ever uses; some systems call "unlimited" what no table holds.
    let wanted = limit.rlim_max.min(65_536).max(limit.rlim_cur);
    let raised = libc::rlimit { rlim_cur: wanted, rlim_max: limit.rlim_max };
    // SAFETY: setrlimit reads one rlimit through the pointer, which points to one that lives until it returns.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 { wanted } else { limit.rlim_cur }
}

/// A number every system allows.
#[cfg(not(unix))]
pub(super) fn raise() -> u64 {
    256
}
