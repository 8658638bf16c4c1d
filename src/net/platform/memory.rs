//! What the C library makes of memory: what was freed and is kept, and address space that is set aside.

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

/// Has all threads share one heap. As a rule each has its own, for which 64 MiB or more of address space are set aside: where
/// that is limited, a few threads leave nothing for what is really used. To be called before there are threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "mallopt has no safe form in the crates at hand")]
pub(super) fn keep_to_one_heap() {
    // SAFETY: mallopt takes two numbers and sets a parameter of the allocator (mallopt(3)); no other thread exists that could
    // use it meanwhile. Where it fails, the parameter is as it was.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Other C libraries have one.
#[cfg(all(target_os = "linux", not(target_env = "gnu")))]
pub(super) fn keep_to_one_heap() {}

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
