#!/usr/bin/env python3
"""Measures what `camscan watch` takes of its machine and of the network, with cameras that are simulated.

Everything happens in two network namespaces that are made here and removed at the end; no packet leaves them. The cameras stream
1280x720 H.264 at 25 frames a second.

    cargo build --profile profiling --bin camscan --example population
    sudo CAMSCAN=target/profiling/camscan POPULATION=target/profiling/examples/population benches/watch/run.py [COUNT...]

Wants Linux, root, iproute2 and nftables. After the first scan it measures for MINUTES (8) with checks every CHECK_EVERY (5m) the processor time, the memory, what the store
grows by and the bytes on the wire.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

SCANNER, CAMERAS = (f"camscan-bench-{os.getpid()}-{role}" for role in ("scanner", "cameras"))
CAMSCAN, POPULATION = (os.environ[name] for name in ("CAMSCAN", "POPULATION"))
MINUTES, CHECK_EVERY = float(os.environ.get("MINUTES", "8")), os.environ.get("CHECK_EVERY", "5m")


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def lay_wire():
    for name in (SCANNER, CAMERAS):
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
    ip("-n", SCANNER, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", CAMERAS)
    ip("-n", SCANNER, "addr", "add", "10.99.0.1/20", "dev", "eth0")
    # The kernel answers ARP for no address; the simulator does, with a MAC address for each.
    inside(CAMERAS, "sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=8", "net.core.somaxconn=4096")
    ip("-n", CAMERAS, "addr", "add", "10.99.15.254/20", "dev", "eth0")
    for name in (SCANNER, CAMERAS):
        ip("-n", name, "link", "set", "eth0", "up")
    time.sleep(1)
    # Frames to those MAC addresses are taken as if they were the interface's own.
    rules = """table netdev cameras {
        chain ingress { type filter hook ingress device "eth0" priority 0; meta pkttype set host; }
    }"""
    subprocess.run(["ip", "netns", "exec", CAMERAS, "nft", "-f", "-"], input=rules, text=True, check=True)
    # The cameras answer; they never ask, which would give them all the kernel's own MAC address.
    link = subprocess.run(["ip", "-n", SCANNER, "-j", "link", "show", "eth0"], check=True, capture_output=True)
    mac = json.loads(link.stdout)[0]["address"]
    ip("-n", CAMERAS, "neigh", "add", "10.99.0.1", "lladdr", mac, "dev", "eth0", "nud", "permanent")
    routes = "".join(f"route add local 10.99.{n // 256}.{n % 256}/32 dev lo\n" for n in range(257, 257 + 1100))
    subprocess.run(["ip", "-n", CAMERAS, "-batch", "-"], input=routes, text=True, check=True)


def inside(name, *command):
    return subprocess.run(["ip", "netns", "exec", name, *command], check=True)


def received():
    """Bytes on the wire, both ways."""
    shown = subprocess.run(["ip", "-n", SCANNER, "-s", "-j", "link", "show", "eth0"], check=True, capture_output=True)
    stats = json.loads(shown.stdout)[0]["stats64"]
    return stats["rx"]["bytes"] + stats["tx"]["bytes"]


def of_metrics(path, name):
    with open(path) as file:
        return sum(float(line.rsplit(" ", 1)[1]) for line in file if line.startswith(name))


def measure(count):
    with tempfile.TemporaryDirectory() as folder:
        store, metrics = f"{folder}/store.sqlite", f"{folder}/camscan.prom"
        population = subprocess.Popen(
            ["ip", "netns", "exec", CAMERAS, POPULATION, "eth0", "10.99.1.1", str(count), "1"], stdout=subprocess.PIPE
        )
        population.stdout.readline()
        last = f"10.99.{(256 + count) // 256}.{(256 + count) % 256}"
        watch = subprocess.Popen(
            ["ip", "netns", "exec", SCANNER, CAMSCAN, "watch", f"10.99.1.1-{last}", "--ports", "554,80", "--no-dns",
             "--every", "24h", "--check-every", CHECK_EVERY, "--store", store, "--metrics", metrics, "-q"],
            stdout=subprocess.PIPE, text=True,
        )
        try:
            began = time.monotonic()
            while "scan.finished" not in (line := watch.stdout.readline()):
                assert line, "camscan ended"
            took = time.monotonic() - began
            # The last connections of the scan end.
            time.sleep(65)
            def now():
                size = sum(os.path.getsize(store + end) for end in ("", "-wal") if os.path.exists(store + end))
                with open(f"/proc/{watch.pid}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
                return (sum(map(int, fields[11:13])) / 100, received(), of_metrics(metrics, "camscan_checks_total"), size)
            peak_of = lambda: int(next(l for l in open(f"/proc/{watch.pid}/status") if l.startswith("VmHWM")).split()[1])
            first, begins = now(), time.monotonic()
            memory = []
            while time.monotonic() - begins < MINUTES * 60:
                time.sleep(5)
                status = open(f"/proc/{watch.pid}/status").read()
                memory.append(int(status.split("VmRSS:")[1].split()[0]))
            # The file of metrics is written once a minute.
            cpu, wire, checks, size = (after - before for before, after in zip(first, now()))
            hours = (time.monotonic() - begins) / 3600
            assert checks > 0, "nothing was checked"
            print(
                f"{count} cameras: first scan {took:.0f} s; RSS {max(memory) / 1024:.0f} MiB while checking, "
                f"{peak_of() / 1024:.0f} MiB at most; {cpu / hours:.0f} s of CPU an hour; {checks:.0f} checks, "
                f"{wire / checks / 1000:.0f} kB and {cpu / checks * 1000:.1f} ms each; store {first[3] / 1e6:.2f} MB after the scan, "
                f"{size / 1e3:+.0f} kB in {hours * 60:.1f} min; {wire * 8 / 1000 / (hours * 3600) / count:.1f} kbit/s a camera",
                flush=True,
            )
        finally:
            for process in (watch, population):
                process.terminate()
                process.wait()


def main():
    try:
        lay_wire()
        for count in [int(text) for text in sys.argv[1:]] or [50, 200, 1000]:
            measure(count)
    finally:
        for name in (SCANNER, CAMERAS):
            subprocess.run(["ip", "netns", "del", name], check=False)


main()
