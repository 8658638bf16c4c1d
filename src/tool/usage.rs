//! What this process takes of its machine, where the system tells (Linux, proc(5)).

use std::time::Duration;

/// What a process takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Memory that is resident, bytes.
    pub resident_bytes: u64,
    /// Open files and sockets.
    pub open_files: u64,
    /// How many it may open; none where there is no limit.
    pub most_files: Option<u64>,
    /// Time on processors.
    pub cpu: Duration,
    /// When it began, since 1970.
    pub began: Duration,
}

/// Ticks a second in which times are counted for programs (`USER_HZ`), the same on every machine this runs on.
const TICKS: u32 = 100;

impl Usage {
    /// That of this process now.
    pub fn now() -> Option<Usage> {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{name}")).ok();
        let open_files = std::fs::read_dir("/proc/self/fd").ok()?.count();
        parse(&read("self/stat")?, &read("self/status")?, &read("self/limits")?, &read("stat")?, open_files)
    }
}

fn parse(stat: &str, status: &str, limits: &str, system: &str, open_files: usize) -> Option<Usage> {
    // The name, in brackets, may hold anything; what follows begins with the third field.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |nth: usize| fields.get(nth - 3)?.parse::<u32>().ok();
    let line = |text: &str, name: &str| -> Option<String> {
        text.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned())
    };
    let kib: u64 = line(status, "VmRSS:")?.trim_end_matches(" kB").parse().ok()?;
    let most = line(limits, "Max open files")?;
    let booted: u64 = line(system, "btime ")?.parse().ok()?;
    let time = |ticks: u32| Duration::from_secs(1) * ticks / TICKS;
    Some(Usage {
        resident_bytes: kib.saturating_mul(1024),
        open_files: u64::try_from(open_files).ok()?,
        most_files: most.split_whitespace().next()?.parse().ok(),
        cpu: time(ticks(14)?.saturating_add(ticks(15)?)),
        began: Duration::from_secs(booted).saturating_add(time(ticks(22)?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        let stat = "42 (cam ) scan) S 1 42 42 0 -1 4194560 900 0 0 0 250 75 0 0 20 0 4 0 1050 99 7 1844674407";
        let limits =
            "Limit Soft Hard Units\nMax open files            1024                 524288               files\n";
        let usage = parse(stat, "Name:\tx\nVmRSS:\t   32768 kB\n", limits, "cpu 1\nbtime 1800000000\n", 17).unwrap();
        let expected = Usage {
            resident_bytes: 32 << 20,
            open_files: 17,
            most_files: Some(1024),
            cpu: Duration::from_millis(3250),
            began: Duration::from_millis(1_800_000_010_500),
        };
        assert_eq!(usage, expected);
        assert_eq!(parse("", "", "", "", 0), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_takes_something() {
        let usage = Usage::now().unwrap();
        assert!(usage.resident_bytes > 1 << 20 && usage.open_files >= 3, "{usage:?}");
        let age = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().saturating_sub(usage.began);
        assert!(age < Duration::from_secs(24 * 3600), "{age:?}");
    }
}
