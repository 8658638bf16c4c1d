//! The script that compares live view with other programs, which no machine of ours has: with a program in their place.

use crate::ns::need;
use crate::trial::Skip;
use crate::{Lab, PYTHON, script};

/// What comes of it says nothing of other programs: both are live view once more. But it is measured and compared.
pub fn other_programs_are_measured_and_ratios_are_printed() -> Result<(), Skip> {
    need(&["/usr/bin/chromium", "/usr/bin/chromedriver", "python3"])?;
    let mut lab = Lab::new();
    // The script speaks with the loopback alone, that of this host.
    let host = lab.lan.host("10.77.0.2", "02:00:00:00:00:02");
    let (bench, other) = (concat!(env!("CARGO_MANIFEST_DIR"), "/benches/live/latency.py"), script("whep_stand_in.py"));
    let camscan = lab.binary.display().to_string();
    let asked = ["STAND_IN_FOR=http://127.0.0.1:8790", "PYTHONDONTWRITEBYTECODE=1", PYTHON, bench, &camscan];
    let how = ["--seconds", "1", "--starts", "1", "--whep", "--mediamtx", &other, "--go2rtc", &other];
    let done = host.run("env", &[&asked[..], &how].concat());
    let said = String::from_utf8_lossy(&done.stdout);
    println!("{said}");
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    for name in ["mediamtx", "go2rtc"] {
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).expect(name);
        let ratios: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        assert!(line.contains("of our time to the canvas") && line.contains("of it to the first picture"), "{line}");
        assert!(ratios.len() == 2 && ratios.iter().all(|ratio| *ratio > 0.0), "{line}");
    }
    Ok(())
}
