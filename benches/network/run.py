#!/usr/bin/env python3
"""Measures camscan beside arp-scan, nmap and masscan on a simulated network of 1,200 cameras, 200 of them in one /24.

Everything happens in two network namespaces that are made here and removed at the end; no packet leaves them.

    cargo build --profile dist --bin camscan --example population
    sudo benches/network/run.py [--rounds N] [CASE…]

Wants Linux, root, iproute2, nftables, setpriv, GNU time, and what it compares with: arp-scan, nmap, masscan.
"""

import argparse
import ipaddress
import json
import os
import platform
import re
import select
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCANNER, CAMERAS = (f"camscan-bench-{os.getpid()}-{role}" for role in ("scanner", "cameras"))
NET16, NET24, LIVE = "10.99.0.0/16", "10.99.7.0/24", "10.99.7.10-209"
# First address, how many, and the step from one to the next: the cameras of the /24, and the others.
SMALL, LARGE = ("10.99.7.10", 200, 1), ("10.99.64.1", 1000, 31)
# A small network of its own: cameras, and hosts that take connections and say nothing, too much or too little.
NET_HOSTILE, AMONG, HOSTILE = "10.98.8.0/24", ("10.98.8.10", 34, 3), ("10.98.8.131", 6, 7)
PORTS = "554,80,443,8000,8554,8080,8443,8899,2020,37777,34567,88"
NOBODY = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--regid=65534", "--clear-groups"]
CAMSCAN = os.environ.get("CAMSCAN", str(ROOT / "target/dist/camscan"))
POPULATION = os.environ.get("POPULATION", str(ROOT / "target/dist/examples/population"))
ADDRESS = re.compile(r"10\.9[89]\.\d+\.\d+")


def addresses(first, count, step):
    start = ipaddress.IPv4Address(first)
    return [str(start + n * step) for n in range(count)]


CAMERAS_24 = set(addresses(*SMALL))
CAMERAS_16 = CAMERAS_24 | set(addresses(*LARGE))
CAMERAS_AMONG = set(addresses(*AMONG))
# Every fourth camera has one stream, the others have two.
FIFTY = sorted(CAMERAS_24 & set(addresses("10.99.7.12", 50, 4)))


def within(namespace, command):
    """The command as it runs inside the namespace: the one way in, by name, and none when it is not there."""
    if namespace not in (SCANNER, CAMERAS) or not Path("/run/netns", namespace).exists():
        raise SystemExit(f"no namespace {namespace}")
    return ["ip", "netns", "exec", namespace, *command]


def do(namespace, line):
    subprocess.run(within(namespace, line.split()), check=True)


class Network:
    """The two namespaces and the simulated cameras, for as long as the `with` lasts."""

    def __enter__(self):
        self.server = None
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def build(self):
        for name in (SCANNER, CAMERAS):
            subprocess.run(["ip", "netns", "add", name], check=True)
            do(name, "ip link set lo up")
        do(SCANNER, f"ip link add wire type veth peer name wire netns {CAMERAS}")
        do(SCANNER, "ip addr add 10.99.0.1/16 dev wire")
        do(SCANNER, "ip addr add 10.98.8.1/24 dev wire")
        do(SCANNER, "ip link set wire up")
        # The kernel answers ARP for no address; the simulator does, with a MAC address for each.
        do(CAMERAS, "sysctl -qw net.ipv4.conf.wire.arp_ignore=8")
        do(CAMERAS, "ip addr add 10.99.255.254/16 dev wire")
        do(CAMERAS, "ip addr add 10.98.8.254/24 dev wire")
        do(CAMERAS, "ip link set wire up")
        # Frames to those MAC addresses are taken as if they were the interface's own.
        # The wire carries when both ends have been up for a moment.
        time.sleep(1)
        rules = """table netdev cameras {
            chain ingress { type filter hook ingress device "wire" priority 0; meta pkttype set host; }
        }"""
        subprocess.run(within(CAMERAS, ["nft", "-f", "-"]), input=rules, text=True, check=True)
        do(CAMERAS, "sysctl -qw net.core.somaxconn=4096 net.ipv4.tcp_max_syn_backlog=8192")
        # Each camera would limit its ICMP answers on its own; here they share one kernel.
        do(CAMERAS, "sysctl -qw net.ipv4.icmp_ratelimit=0 "
                    "net.ipv4.icmp_msgs_per_sec=100000 net.ipv4.icmp_msgs_burst=10000")
        # The cameras answer; they never ask, which would give them all the kernel's own MAC address.
        mac = subprocess.run(within(SCANNER, ["cat", "/sys/class/net/wire/address"]), capture_output=True, text=True)
        for scanner in ("10.99.0.1", "10.98.8.1"):
            do(CAMERAS, f"ip neigh add {scanner} lladdr {mac.stdout.strip()} dev wire nud permanent")
        served = CAMERAS_16 | CAMERAS_AMONG | set(addresses(*HOSTILE))
        routes = "".join(f"route add local {ip}/32 dev lo\n" for ip in sorted(served))
        subprocess.run(within(CAMERAS, ["ip", "-batch", "-"]), input=routes, text=True, check=True)
        hostile = ("!" + HOSTILE[0], *HOSTILE[1:])
        ranges = [str(word) for each in (SMALL, LARGE, AMONG, hostile) for word in each]
        command = within(CAMERAS, [POPULATION, "wire", *ranges])
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if "ready" not in self.server.stdout.readline():
            raise SystemExit("the cameras do not start")

    def __exit__(self, *_):
        if self.server:
            self.server.terminate()
            self.server.wait()
        for name in (SCANNER, CAMERAS):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)


class Run:
    """One run of a command: how long it took, when its first line came, and what it printed."""

    def __init__(self, command):
        began = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        heard = {child.stdout: [], child.stderr: []}
        self.first = None
        while heard and (ready := select.select([f for f in heard if not f.closed], [], [])[0]):
            for file in ready:
                data = os.read(file.fileno(), 1 << 16)
                if file is child.stdout and b"\n" in data and self.first is None:
                    self.first = time.monotonic() - began
                heard[file].append(data)
                if not data:
                    file.close()
            if all(f.closed for f in heard):
                break
        self.code = child.wait()
        self.took = time.monotonic() - began
        self.out, self.err = (b"".join(parts).decode(errors="replace") for parts in heard.values())
        if self.code:
            raise SystemExit(f"{' '.join(command)}: exit code {self.code}\n{self.err}")


class Case:
    """What is measured: a title, how often, the median of what `measure` says of each run, and who was found."""

    def __init__(self, rounds):
        self.rounds = rounds
        self.rows = []

    def time(self, title, command, wanted=None, found=None, measure=lambda run: run.took, unit="s", rounds=None):
        values, least = [], None
        for _ in range(rounds or self.rounds):
            # Each run begins with an empty neighbour table, as the first one did.
            do(SCANNER, "ip neigh flush dev wire")
            run = Run(command)
            values.append(measure(run))
            if wanted:
                recall = len(found(run) & wanted) / len(wanted)
                least = recall if least is None else min(least, recall)
            self.last = run
        value = statistics.median(values)
        spread = f"{min(values):.3g}–{max(values):.3g}"
        recall = "" if least is None else f"{least:.1%}"
        self.rows.append((title, value, unit, spread, recall))
        print(f"{title:66} {value:9.3f} {unit:3} ({spread}) {recall}", flush=True)
        return value

    def ratio(self, title, ours, theirs, goal):
        self.judge(title, ours / theirs, "×", goal)

    def judge(self, title, value, unit, goal):
        aim, verdict = "", ""
        if goal is not None:
            aim, verdict = f"goal ≤ {goal:g}", "reached" if value <= goal else "MISSED"
        self.rows.append((f"→ {title}", value, unit, aim, verdict))
        print(f"→ {title:64} {value:9.3f} {unit:3} ({aim}) {verdict}", flush=True)


def camscan(*arguments):
    return [CAMSCAN, "scan", *arguments, "--no-dns", "-q", "-f", "jsonl"]


def as_root(*command):
    return within(SCANNER, command)


def as_nobody(*command):
    return within(SCANNER, [*NOBODY, *command])


def devices(run):
    return [json.loads(line) for line in run.out.splitlines() if '"scan":{' not in line[:10]]


def hosts(run):
    return {device["ip"] for device in devices(run)}


def printed(run):
    return set(ADDRESS.findall(run.out))


def open_in_grepable(run):
    return {ADDRESS.search(line).group() for line in run.out.splitlines() if "/open/" in line}


def with_discovered(run):
    reports = run.out.split("Nmap scan report for ")
    return {ADDRESS.match(report).group() for report in reports if "discovered:" in report}


def with_rtsp(run):
    return {d["ip"] for d in devices(run) if any(s["port"] == 554 for s in d.get("services", []))}


def with_streams(status):
    def found(run):
        return {d["ip"] for d in devices(run) if any(s["status"] == status for s in d.get("streams", []))}

    return found


def version(case):
    took = case.time("camscan --version", [CAMSCAN, "--version"], rounds=20)
    case.judge("camscan --version", took * 1000, "ms", 10)
    case.judge("size of the program", Path(CAMSCAN).stat().st_size / 1e6, "MB", 40)


def sweep(case):
    arp = ["--methods", "arp", "--ports", "none", "--all"]
    ours = case.time("ARP sweep of the /16 at the usual 10,000 a second: camscan --methods arp --ports none",
                     as_root(*camscan(NET16, *arp)), CAMERAS_16, hosts)
    theirs = case.time("ARP sweep of the /16 at 10,000 a second: arp-scan -i 100u",
                       as_root("arp-scan", "-I", "wire", "-i", "100u", "-q", "-x", NET16), CAMERAS_16, printed)
    case.ratio("ARP sweep against arp-scan at the same rate", ours, theirs, 1.1)
    ours = case.time("ARP sweep of the /16 as fast as can be: camscan --rate max",
                     as_root(*camscan(NET16, *arp, "--rate", "max")), CAMERAS_16, hosts)
    theirs = case.time("ARP sweep of the /16 as fast as can be: arp-scan -B 100M",
                       as_root("arp-scan", "-I", "wire", "-B", "100M", "-q", "-x", NET16), CAMERAS_16, printed)
    case.time("port 554 of the /16: masscan --rate 100000 --wait 1",
              as_root("masscan", "-e", "wire", "--adapter-ip", "10.99.0.2", "--router-mac", "02-00-00-00-00-01",
                      "--rate", "100000", "--wait", "1", "-p", "554", NET16), CAMERAS_16, printed)
    case.ratio("ARP sweep against arp-scan, both as fast as can be", ours, theirs, 0.5)


def ports_of(case, who, what, run_as, methods, nmap, targets, goal):
    """12 ports, by camscan and by nmap."""
    ours = case.time(f"{who}: camscan --methods {methods} --verify none",
                     run_as(*camscan(targets, "--methods", methods, "--ports", PORTS, "--verify", "none")),
                     CAMERAS_24, with_rtsp)
    theirs = case.time(f"{who}: nmap {nmap} -T4",
                       run_as("nmap", "-n", nmap, "-T4", "-p", PORTS, "-oG", "-", targets), CAMERAS_24, open_in_grepable)
    case.ratio(f"{what} against nmap {nmap}", ours, theirs, goal)


def ports(case):
    what = "12 ports x 256 addresses, 200 live"
    ports_of(case, what, what, as_root, "arp", "-sS", NET24, 0.5)
    case.time(f"{what}: masscan --rate 100000 --wait 2",
              as_root("masscan", "-e", "wire", "--adapter-ip", "10.99.0.2", "--router-mac", "02-00-00-00-00-01",
                      "--rate", "100000", "--wait", "2", "-p", PORTS, NET24), CAMERAS_24, printed)


def connect(case):
    what = "12 ports x 256 addresses, 200 live, without root"
    for methods in ("arp,tcp", "tcp"):
        ports_of(case, what, f"{what} ({methods})", as_nobody, methods, "-sT", NET24, 1.0)


def live(case):
    """Where all addresses are live nobody has to wait for the silent; what is spoken on the ports is all there is."""
    what = "12 ports x 200 addresses, all live"
    ports_of(case, what, what, as_root, "arp", "-sS", LIVE, None)
    ports_of(case, f"{what}, without root", f"{what}, without root,", as_nobody, "tcp", "-sT", LIVE, None)


def small(case):
    whole = as_root(*camscan(NET24, "--verify", "describe"))
    first = case.time("the /24, streams described: first camera", whole, measure=lambda run: run.first)
    ours = case.time("the /24, streams described: whole scan", whole, CAMERAS_24, with_streams("described"))
    arp = case.time("the /24, streams described: by ARP alone",
                    as_root(*camscan(NET24, "--verify", "describe", "--methods", "arp")), CAMERAS_24,
                    with_streams("described"))
    case.judge("first camera shown", first, "s", 0.3)
    if case.slow:
        scripts = "rtsp-methods,rtsp-url-brute,http-title"
        theirs = case.time(f"the same /24: nmap -sS -T4 --script {scripts}",
                           as_root("nmap", "-n", "-sS", "-T4", "-p", PORTS, "-oN", "-", "--script", scripts, NET24),
                           CAMERAS_24, with_discovered, rounds=1)
        case.ratio("whole scan of the /24 against nmap's scripts", ours, theirs, 0.01)
        case.ratio("the same by ARP alone", arp, theirs, 0.01)


def large(case):
    whole = as_root("/usr/bin/time", "-f", "KIB %M", *camscan(NET16, "--rate", "max", "--verify", "describe"))
    took = case.time("the /16, 1,200 cameras described: whole scan", whole, CAMERAS_16, with_streams("described"))
    memory = case.time("the /16, 1,200 cameras described: peak memory", whole, unit="MB", rounds=1,
                       measure=lambda run: int(re.search(r"KIB (\d+)", run.err).group(1)) * 1024 / 1e6)
    case.judge("whole scan of the /16", took, "s", 10)
    case.judge("peak memory", memory, "MB", 100)


def frames(case):
    took = case.time("50 streams, a key frame a second: camscan --methods arp --verify frames",
                     as_root(*camscan(*FIFTY, "--methods", "arp", "--verify", "frames")), set(FIFTY),
                     with_streams("streaming"))
    case.judge("50 streams proved", took, "s", 3)


def dropped(case):
    """What comes by UDP is dropped, not refused: nothing says that nobody listens."""
    drop = "table inet dropped { chain input { type filter hook input priority 0; udp sport 1-65535 drop; }; }"
    subprocess.run(within(CAMERAS, ["nft", "-f", "-"]), input=drop, text=True, check=True)
    what = "UDP dropped: 12 ports x 256 addresses, 200 live"
    ports_of(case, what, what, as_root, "arp", "-sS", NET24, 0.6)
    what = "UDP dropped: 12 ports x 200 addresses, all live"
    ports_of(case, what, what, as_root, "arp", "-sS", LIVE, None)
    case.time("UDP dropped: one host, by ARP", as_root(*camscan(min(CAMERAS_24), "--methods", "arp", "--ports", PORTS,
              "--verify", "describe")), {min(CAMERAS_24)}, with_streams("described"))
    case.time("UDP dropped: the /24, streams described, by ARP alone",
              as_root(*camscan(NET24, "--verify", "describe", "--methods", "arp")), CAMERAS_24,
              with_streams("described"))
    do(CAMERAS, "nft delete table inet dropped")


def hostile(case):
    took = case.time("a /24 of 34 cameras and 6 hostile hosts: camscan --verify frames",
                     as_root(*camscan(NET_HOSTILE)), CAMERAS_AMONG, with_streams("streaming"))
    case.judge("a /24 of 40 hosts, 6 of them hostile, frames verified", took, "s", 15)


def silence(case):
    do(SCANNER, "ip addr add 172.16.0.1/12 dev wire")
    command = as_root("/usr/bin/time", "-f", "KIB %M", *camscan("172.16.0.0/12", "--methods", "arp", "--ports", "none",
                                                              "--rate", "max"))
    case.time("a /12 of silence, 1,048,574 addresses, by ARP", command, rounds=1)
    memory = int(re.search(r"KIB (\d+)", case.last.err).group(1)) * 1024 / 1e6
    case.judge("a /12 of silence: peak memory", memory, "MB", 30)
    do(SCANNER, "ip addr del 172.16.0.1/12 dev wire")


CASES = {f.__name__: f for f in (version, sweep, ports, dropped, connect, live, small, large, frames, hostile, silence)}


def machine():
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text()).group(1)) / 1024 / 1024
    return f"{os.cpu_count()} × {model.group(1) if model else platform.machine()}, {memory:.0f} GiB, Linux {platform.release()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="runs of which the median counts")
    parser.add_argument("--quick", action="store_true", help="without nmap's scripts, which take minutes")
    parser.add_argument("--exec", help="run this shell command in the scanner's namespace instead")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    if os.geteuid() != 0:
        parser.error("needs root: it makes network namespaces")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    case = Case(options.rounds)
    case.slow = not options.quick
    with Network():
        if options.exec:
            return subprocess.run(within(SCANNER, ["sh", "-c", options.exec]), check=False).returncode
        load = os.getloadavg()[0]
        for name in options.cases or CASES:
            CASES[name](case)
    print(f"\n{machine()}; load {load:.1f} at the start; median of {options.rounds}\n")
    print("| what | median | runs or goal | recall or verdict |\n|---|---:|---|---|")
    for title, value, unit, note, found in case.rows:
        print(f"| {title} | {value:.3g} {unit} | {note} | {found} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
