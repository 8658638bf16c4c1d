//! A machine that allows few open files: the scan takes longer and finds the same.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::process::Command;

/// Serves one line of a web server to whoever connects, at a port that is the same on all addresses.
fn serve(addresses: &[&str]) -> u16 {
    loop {
        let first = TcpListener::bind((addresses[0], 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let rest: Vec<_> = addresses[1..].iter().map(|ip| TcpListener::bind((*ip, port))).collect();
        if rest.iter().any(Result::is_err) || (9100..=9107).contains(&port) {
            continue;
        }
        for listener in rest.into_iter().flatten().chain([first]) {
            std::thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    std::thread::spawn(move || {
                        let _ = stream.read(&mut [0; 2048]);
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    });
                }
            });
        }
        return port;
    }
}

pub fn sixty_four_open_files_are_enough_for_a_whole_network() {
    let hosts = ["127.0.0.9", "127.0.0.77", "127.0.0.150", "127.0.0.201", "127.0.0.254"];
    let port = serve(&hosts);
    let done = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_camscan"), "scan", "127.0.0.0/24"])
        .args(["--ports", &port.to_string(), "--discovery-time", "1s", "--all", "--no-dns", "-f", "json", "-q"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["scan"]["status"], "complete", "{report}");
    let devices = report["devices"].as_array().unwrap();
    for ip in hosts {
        let ip: IpAddr = ip.parse().unwrap();
        let device = devices.iter().find(|d| d["ip"] == ip.to_string());
        let device = device.unwrap_or_else(|| panic!("{ip} is missing: {report}"));
        assert_eq!(device["services"][0]["protocol"], "http", "{device}");
    }
}
