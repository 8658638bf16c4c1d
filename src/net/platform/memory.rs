//! Memory that was freed and that the C library keeps.

/// Gives the system back what is free in the heaps of all threads. True where there was any.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "malloc_trim has no safe form in the crates at hand")]
pub(in crate::net) fn give_back() -> bool {
    // SAFETY: malloc_trim takes a number of bytes to be left at the top of the heap, and touches what is free alone, each heap
    // under its own lock (malloc_trim(3)).
    unsafe { libc::malloc_trim(0) == 1 }
}

/// Nothing here: other C libraries do it by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(in crate::net) fn give_back() -> bool {
    false
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_between_what_is_not_is_given_back() {
        // Too small to be mappings of their own; each hundredth stays and keeps the heap from shrinking.
        let mut all: Vec<Option<Vec<u8>>> = (0..4096).map(|_| Some(vec![1; 16 << 10])).collect();
        all.iter_mut().enumerate().filter(|(n, _)| n % 100 != 0).for_each(|(_, one)| *one = None);
        assert!(give_back());
        assert_eq!(all.iter().flatten().count(), 41);
    }
}
