//! Limits that a shell or a service sets to this process (getrlimit(2)).

use crate::net::TooLittle;

/// The stack of the main thread grows to this, in bytes, where a smaller limit may be raised: what most systems give.
#[cfg(unix)]
const STACK: u64 = 8 << 20;

/// What the main thread takes of it, in bytes: scans and `serve` were seen to take half of this in a build without optimisation,
/// which takes the most.
#[cfg(unix)]
const LEAST_STACK: u64 = 1 << 20;

/// What is taken of the address space beside the program itself, in bytes: heap and buffers; and for each processor, the
/// stacks of a worker and of a thread that waits for a file. On two processors a scan of 254 addresses was seen to take 9 MiB,
/// `serve` 39 MiB.
#[cfg(target_os = "linux")]
const LEAST_MEMORY: u64 = 64 << 20;
#[cfg(target_os = "linux")]
const MEMORY_PER_PROCESSOR: u64 = 4 << 20;

/// Makes that a file which may not grow (`ulimit -f`) fails the write, in place of a signal that kills and leaves half a
/// file behind; and lets a stack that was made small (`ulimit -s`) grow again, as far as the system permits. The programs
/// that are started later inherit both.
///
/// # Errors
/// Where stack or address space (`ulimit -v`) are limited to less than the program needs, which would end it half-way.
pub(in crate::net) fn outlast() -> Result<(), TooLittle> {
    #[cfg(unix)]
    {
        ignore_long_files();
        raise_stack()?;
    }
    #[cfg(target_os = "linux")]
    check_memory()?;
    Ok(())
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "signal has no safe form in the crates at hand")]
fn ignore_long_files() {
    // SAFETY: to be ignored is no handler, so nothing of ours runs at the signal.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

#[cfg(unix)]
fn raise_stack() -> Result<(), TooLittle> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Stack);
    let Some(current) = limit.current.filter(|current| *current < STACK) else { return Ok(()) };
    let wanted = limit.maximum.map_or(STACK, |most| STACK.min(most));
    // Where it fails, the limit is as it was.
    let raised = setrlimit(Resource::Stack, Rlimit { current: Some(wanted), ..limit });
    let stack = if raised.is_ok() { wanted } else { current };
    match stack < LEAST_STACK {
        true => Err(TooLittle::Stack { given: stack, needed: LEAST_STACK }),
        false => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn check_memory() -> Result<(), TooLittle> {
    use rustix::process::{Resource, getrlimit};
    let Some(given) = getrlimit(Resource::As).current else { return Ok(()) };
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    super::memory::keep_to_one_heap();
    let needed = mapped() + LEAST_MEMORY + processors * MEMORY_PER_PROCESSOR;
    if given < needed { Err(TooLittle::Memory { given, needed }) } else { Ok(()) }
}

/// How much address space this process has mapped, in bytes (proc(5), status); 0 where that cannot be read.
#[cfg(target_os = "linux")]
fn mapped() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = size.and_then(|size| size.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}
