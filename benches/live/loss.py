#!/usr/bin/python3
"""A viewer on a bad network: how often the picture stands still, by aiortc and in Chromium, and beside them.

usage: loss.py CAMSCAN --aiortc PYTHON [--seconds N] [--percent N ...] [--viewers aiortc page] [--forms alone together]

Needs root, nftables, Chromium with its driver, GStreamer's RTSP server with x264, and the interpreter of an environment with
aiortc. The camera sends some 200 packets a second. The program and each viewer are hosts of a network of namespaces that is made
here and removed again. Before one viewer nftables drops packets by chance, in two ways: each by itself, as a network does, and
whatever the program's kernel was given in one call together, which is a whole picture. A freeze is more than half a second
without a new picture. Another viewer watches beside by aiortc, of whom nothing is dropped.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import hour
import latency

CAMERA, SERVER, BAD, GOOD = "10.79.0.10", "10.79.0.1", "10.79.0.2", "10.79.0.3"
LAB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/lab")
PIPELINE = (
    "videotestsrc is-live=true pattern=snow ! video/x-raw,format=I420,width=640,height=480,framerate=25/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=50 bitrate=2000 ! video/x-h264,profile=baseline "
    "! rtph264pay name=pay0 pt=96 config-interval=-1"
)

# The times at which pictures were shown, in seconds since the page began, and the browser's own account.
WATCH = latency.TOOLS + """
const [way, seconds] = given;
const started = await begin(way), video = await firstOf(started), times = [];
const note = () => { times.push(performance.now() / 1000); video.requestVideoFrameCallback(note); };
note();
await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
let account = {};
(await started.peer.getStats()).forEach((one) => { if (one.type === "inbound-rtp" && one.kind === "video") account = one; });
started.stop();
return { times, end: performance.now() / 1000, account };
"""
TOLD = ("packetsReceived", "packetsLost", "retransmittedPacketsReceived", "nackCount", "pliCount", "freezeCount", "totalFreezesDuration")


def be_the_page(root: str, way: str, seconds: float) -> None:
    """Watches in Chromium, on this host."""
    browser = latency.Browser(8795)
    try:
        browser.open(root)
        print(json.dumps(browser.run(WATCH, way, seconds)), flush=True)
    finally:
        browser.end()


def freezes(times: list[float], end: float) -> str:
    gaps = [after - before for before, after in zip(times, times[1:] + [end])]
    long = [gap for gap in gaps if gap > hour.FREEZE]
    return f"{len(times)} pictures, {len(long)} freezes of {sum(long):.1f} s together, longest pause {max(gaps):.2f} s"


class Aiortc:
    """One who watches by aiortc, and all times of pictures."""

    def __init__(self, place: "Place", address: str) -> None:
        script = os.path.join(LAB, "aiortc_viewer.py")
        self.process = place.start(address, place.aiortc, script, address, place.way, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.times: list[float] = []
        threading.Thread(target=self.read, daemon=True).start()
        latency.wait("there is a picture", lambda: self.times)

    def read(self) -> None:
        for line in self.process.stdout:
            words = line.split()
            if words[1] == b"picture":
                self.times.append(time.monotonic())

    def since(self, began: float) -> str:
        return freezes([at for at in list(self.times) if at >= began], time.monotonic())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Place:
    """The camera, the program that serves it, and the hosts of two who watch."""

    def __init__(self, wanted: argparse.Namespace, folder: str, network: hour.Network, running: list) -> None:
        self.network, self.running, self.folder, self.aiortc = network, running, folder, wanted.aiortc
        gst = os.path.join(LAB, "gst_server.py")
        self.start(CAMERA, sys.executable, gst, CAMERA, str(latency.RTSP), "/live", PIPELINE, stdin=subprocess.PIPE)
        listens = lambda: str(latency.RTSP) in subprocess.run(network.on(CAMERA, "ss", "-Hltn"), stdout=subprocess.PIPE, check=True).stdout.decode()
        latency.wait("the camera listens", listens)
        camscan, quiet = os.path.abspath(wanted.camscan), {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        scan = ["scan", CAMERA, "-p", str(latency.RTSP), "--methods", "tcp", "--no-dns", "--store=s.sqlite"]
        subprocess.run(network.on(SERVER, camscan, *scan), check=True, cwd=folder, **quiet)
        account = ["serve", "user", "add", "anna", "--store", "s.sqlite"]
        subprocess.run(network.on(SERVER, camscan, *account), check=True, cwd=folder, input=b"Zwei-Geheimnisse-2\n" * 2, **quiet)
        serve = ["serve", "--no-watch", "--anonymous", "viewer", "--store", "s.sqlite", "--listen", f"{SERVER}:{hour.HTTP}"]
        self.server = self.start(SERVER, camscan, *serve, stdin=subprocess.DEVNULL, **quiet)
        self.root = f"http://{SERVER}:{hour.HTTP}"
        latency.wait("the stream is known", self.streams)
        self.way = f"{self.root}/api/v1/streams/{self.streams()[0]['id']}/whep"

    def start(self, address: str, *command: str, **how) -> subprocess.Popen:
        process = subprocess.Popen(self.network.on(address, *command), cwd=self.folder, **how)
        self.running.append(process)
        return process

    def streams(self) -> list:
        ask = "import sys, urllib.request as web; print(web.urlopen(sys.argv[1], timeout=5).read().decode())"
        command = self.network.on(SERVER, sys.executable, "-c", ask, f"{self.root}/api/v1/live")
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return json.loads(said.stdout or b"[]")

    def lose(self, percent: int, alone: bool) -> None:
        """From now on so many of a hundred are dropped before the one viewer: each alone, or what was sent in one call together."""
        # What is not to be cut up by the receiver is cut up before it leaves.
        self.network.ip("-n", self.network.hosts[SERVER], "link", "set", "eth0", "gso_max_segs", "1" if alone else "65535")
        rules = ["add table inet lab", "delete table inet lab", "add table inet lab"]
        rules.append("add chain inet lab in { type filter hook input priority 0; }")
        if percent:
            rules.append(f"add rule inet lab in udp sport 8001 numgen random mod 100 < {percent} counter drop")
        subprocess.run(self.network.on(BAD, "nft", "-f", "-"), check=True, input="\n".join(rules + [""]).encode())

    def dropped(self) -> int:
        said = subprocess.run(self.network.on(BAD, "nft", "list", "table", "inet", "lab"), check=True, stdout=subprocess.PIPE).stdout
        return int(said.split(b"counter packets ")[1].split()[0]) if b"counter packets" in said else 0


def watch(place: Place, who: str, percent: int, alone: bool, seconds: float) -> None:
    good = Aiortc(place, GOOD)
    lag, began = hour.Lag(), time.monotonic()
    if who == "aiortc":
        bad = Aiortc(place, BAD)
        place.lose(percent, alone)
        lag.tell()
        began = time.monotonic()
        time.sleep(seconds)
        said, account = bad.since(began), next((one for one in place.streams()[0]["viewers"] if one.get("nacks")), {})
        bad.end()
    else:
        place.lose(percent, alone)
        page = place.start(BAD, sys.executable, os.path.abspath(__file__), "--page", place.root, place.way, str(seconds), stdout=subprocess.PIPE)
        seen = json.loads(page.stdout.read())
        said, account = freezes(seen["times"], seen["end"]), {key: seen["account"].get(key) for key in TOLD}
    form = "each alone" if alone else "whole pictures"
    print(f"{who:6} | {percent} % | {form:14} | {place.dropped()} dropped | {said} | beside: {good.since(began)} | lag {lag.tell():.2f} s | {account}", flush=True)
    place.lose(0, alone)
    good.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camscan")
    parser.add_argument("--aiortc", required=True, help="Python with aiortc")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--percent", type=int, nargs="+", default=[0, 2, 5])
    parser.add_argument("--viewers", nargs="+", default=["aiortc", "page"], choices=["aiortc", "page"])
    parser.add_argument("--forms", nargs="+", default=["alone", "together"], choices=["alone", "together"])
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    running: list[subprocess.Popen] = []
    network = hour.Network(CAMERA, SERVER, BAD, GOOD)
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["HOME"] = folder
            place = Place(wanted, folder, network, running)
            for who in wanted.viewers:
                for percent in wanted.percent:
                    for form in wanted.forms if percent else wanted.forms[:1]:
                        watch(place, who, percent, form == "alone", wanted.seconds)
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()
        network.end()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--page", root, way, seconds]:
            be_the_page(root, way, float(seconds))
        case _:
            main()
