//! The store on real disks: one that gets full, and one that may not be written.

use crate::faults::{Place, Running};
use crate::trial::Skip;

/// What a step of the script below wrote, and its exit code.
fn step<'o>(out: &'o str, name: &str) -> &'o str {
    let (_, rest) = out.split_once(&format!("== {name}\n")).unwrap_or_else(|| panic!("no {name} in\n{out}"));
    rest.split_once("== ").map_or(rest, |(own, _)| own)
}

/// Whatever it is doing when there is no room left: it says so, and what was stored before is whole.
pub fn a_full_disk_and_a_disk_that_is_read_only_leave_the_store_whole() -> Result<(), Skip> {
    let mut place = Place::new()?;
    let _camera = place.role("10.78.0.10", "camera");
    let (camscan, disk) = (place.path("camscan"), place.path("disk"));
    std::fs::create_dir(&disk).unwrap();
    let scan = format!("{camscan} scan 10.78.0.10 -p 554 --no-dns --discovery-time 1s");
    let store = format!("{disk}/s.sqlite");
    let script = format!(
        "exec 2>&1\n\
         run() {{ echo \"== $1\"; shift; \"$@\"; echo \"code $?\"; }}\n\
         mount -t tmpfs -o size=2m tmpfs {disk}\n\
         run first {scan} --store={store} -f table -o {disk}/a.json\n\
         run known {camscan} devices --store {store} -f csv\n\
         cat /dev/zero > {disk}/rest 2>/dev/null\n\
         run full {scan} --store={store} -f table\n\
         run import {camscan} store import {disk}/a.json --store {store}\n\
         run name {camscan} devices name 10.78.0.10 Gate --store {store}\n\
         run backup {camscan} store backup {disk}/b.sqlite --store {store}\n\
         run new {scan} --store={disk}/new.sqlite -f table\n\
         run read-full {camscan} devices --store {store} -f csv\n\
         run files ls -A {disk}\n\
         rm {disk}/rest\n\
         run check {camscan} store check --store {store}\n\
         run again {camscan} devices name 10.78.0.10 Gate --store {store}\n\
         mount -o remount,ro {disk}\n\
         run sum sha256sum {store}\n\
         run read-only {scan} --store={store} -f table\n\
         run name-ro {camscan} devices name 10.78.0.10 Door --store {store}\n\
         run read {camscan} devices --store {store} -f table\n\
         run watch {camscan} watch --store {store}\n\
         run same sha256sum {store}\n"
    );
    let mut command = place.scanner.command("unshare", &["--mount", "sh", "-c", &script]);
    let (_, out, err) = Running::start(command.env("HOME", "/nonexistent")).end();
    assert_eq!(err, "");
    assert!(step(&out, "first").ends_with("code 0\n"), "{out}");
    let known = step(&out, "known");
    assert!(known.contains("10.78.0.10") && known.ends_with("code 0\n"), "{out}");
    for refused in ["full", "import", "name", "backup", "new"] {
        let told = step(&out, refused);
        assert!(told.ends_with("code 1\n"), "{refused}: {told}\n{out}");
        assert!(told.contains("is full") && told.contains("\nhint: free some space"), "{refused}: {told}");
    }
    assert_eq!(step(&out, "read-full"), known);
    // The database keeps its log and the index of that beside a store.
    let is_own = |name: &&str| ["a.json", "rest", "code 0"].contains(name) || name.starts_with("s.sqlite");
    let left: Vec<&str> = step(&out, "files").lines().filter(|name| !is_own(name) || name.ends_with(".new")).collect();
    assert_eq!(left, [""; 0], "nothing half made is left");
    let checked = step(&out, "check");
    assert!(checked.contains("1 device, 1 scan,") && checked.contains("no damage found\n"), "{out}");
    assert!(step(&out, "again").ends_with("code 0\n"), "{out}");
    for refused in ["read-only", "name-ro", "watch"] {
        let told = step(&out, refused);
        assert!(told.ends_with("code 1\n"), "{refused}: {told}\n{out}");
        assert!(
            told.contains("cannot be written: it, its folder or the disk is read-only\nhint: "),
            "{refused}: {told}"
        );
    }
    assert!(step(&out, "read").contains("Gate"), "{out}");
    assert_eq!(step(&out, "same"), step(&out, "sum"), "not a byte of it was changed");
    Ok(())
}
