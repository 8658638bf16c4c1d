//! How much readers look at. It is counted in tests alone: they hold that a reader looks at each byte a few times at most,
//! whatever a hostile text holds.

#[cfg(test)]
thread_local! {
    static SEEN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Notes that so many bytes are looked at.
#[cfg_attr(not(test), expect(unused_variables, reason = "counted in tests alone"))]
pub fn look_at(bytes: usize) {
    #[cfg(test)]
    SEEN.set(SEEN.get() + bytes);
}

/// How many bytes are looked at while something is read.
#[cfg(test)]
pub fn seen_by<T>(read: impl FnOnce() -> T) -> usize {
    SEEN.set(0);
    let _ = read();
    SEEN.get()
}
