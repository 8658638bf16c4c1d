#!/usr/bin/python3
"""An hour of live view: whether the picture or the sound ever stands still, and whether anything grows.

usage: hour.py CAMSCAN --aiortc PYTHON [--minutes N]

Needs root, GStreamer's RTSP server with x264, and the interpreter of an environment with aiortc. The camera, the program and each
viewer are hosts of a network of namespaces that is made here and removed again. The camera is the one of latency.py, which draws
the time into every picture; it sends a tone of G.711 as well. The numbers of its packets wrap in the first minute, and both of its
clocks in the middle. Two watch: one by WebRTC, who decodes everything and reads the time from the picture, and one by
MP4 over a WebSocket, who reads the times of the fragments. A line is printed for each minute. What stood still for more than half
a second, or grew, is told at the end, and makes the script fail.

Of the packets of WebRTC it is counted how many the program sent, how many came, and where others were dropped: by the program, by
the network or at the viewer's socket. After one lost packet of sound aiortc plays 200 ms later for good, for it never empties its
buffer of 16 again; so the lateness of its sound is held against the program only where no packet of sound was lost, or where the
program itself dropped one.
"""
import argparse
import asyncio
import base64
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import latency

CAMERA, SERVER, WEBRTC, MSE = "10.78.0.10", "10.78.0.1", "10.78.0.2", "10.78.0.3"
HTTP = 8000
# What the two tracks are called here, and by WebRTC.
KINDS = {"picture": "video", "sound": "audio"}
# Places where the program itself would drop something.
OURS = ("by the program", "by its socket")
# Nothing takes longer between two pictures, in seconds, unless somebody sees it.
FREEZE = 0.5
# What may be more at the end than at the beginning: memory in KiB, and milliseconds from the camera to the viewer.
GROWTH, LATER = 4096, 20


# Viewers ----------------------------------------------------------------------------------------------------------------


class Track:
    """What came of the picture or of the sound since this was last told."""

    def __init__(self) -> None:
        self.last = None
        self.drawn = None
        self.clear()

    def clear(self) -> None:
        self.count, self.gap, self.ages, self.ahead, self.drawn_gap, self.peak = 0, 0.0, [], None, 0, 0

    def note(self, at: float, drawn: int | None = None) -> None:
        """One more came, which is shown at that time of its own clock, in seconds, and was drawn at that time of the camera's."""
        now = time.monotonic()
        self.count += 1
        self.gap = max(self.gap, now - (self.last or now))
        self.last = now
        # How far the clock of what comes is ahead of ours, where the network held it up least.
        self.ahead = max(at - now, at - now if self.ahead is None else self.ahead)
        if drawn is not None:
            self.ages.append(apart(int(time.time() * 1000), drawn))
            self.drawn_gap = max(self.drawn_gap, apart(drawn, drawn if self.drawn is None else self.drawn))
            self.drawn = drawn

    def tell(self) -> dict:
        # Nothing may have come for long, either.
        gap = max(self.gap, time.monotonic() - self.last) if self.last else float("inf")
        ages = sorted(self.ages) or [None]
        told = {
            "count": self.count, "gap": round(gap, 3), "ahead": self.ahead, "age": statistics.median(ages) if self.ages else None,
            "age_p95": latency.part(ages, 0.95), "drawn_gap": self.drawn_gap / 1000, "peak": self.peak,
        }
        self.clear()
        return told


def apart(later: int, earlier: int) -> int:
    """Milliseconds between two times as the camera draws them."""
    return (later - earlier) % 2**latency.BITS


def drawn_in(frame) -> int | None:
    """The time that the camera drew into a picture; none where it cannot be read."""
    plane = frame.planes[0]
    light, line = memoryview(plane), plane.line_size
    half, found = latency.SIDE // 2, 0
    for bit in range(latency.BITS):
        x = bit * latency.SIDE + half
        one, other = light[half * line + x], light[3 * half * line + x]
        if abs(one - other) < 60:
            return None
        found = found * 2 + (one > other)
    return found


def told_when_asked(tracks: dict[str, Track], packets=dict) -> None:
    """Writes what came for every line of the input, and ends with it."""
    for _ in sys.stdin:
        print(json.dumps({name: track.tell() for name, track in tracks.items()} | packets()), flush=True)
    os._exit(0)


async def watch_by_webrtc(address: str, url: str) -> None:
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/lab"))
    import aiortc_viewer
    from aiortc import RTCSessionDescription

    tracks = {"picture": Track(), "sound": Track()}

    async def follow(track) -> None:
        seen = tracks["picture" if track.kind == "video" else "sound"]
        while True:
            frame = await track.recv()
            seen.note(float(frame.pts * frame.time_base), drawn_in(frame) if track.kind == "video" else None)
            if track.kind == "audio":
                seen.peak = max(seen.peak, *memoryview(frame.planes[0]).cast("h"))

    peer, _ = await aiortc_viewer.offering(address)
    def packets() -> dict:
        """Packets of each track since the beginning: those that came and those that were missing. What was sent again counts as
        neither: it is a stream of its own, and the library's own report gives one stream a track."""
        told = {"rtp": {}}
        for transceiver in peer.getTransceivers():
            streams = transceiver.receiver._RTCRtpReceiver__remote_streams.values()
            # The first to come is the track itself.
            for stream in list(streams)[:1]:
                told["rtp"][transceiver.kind] = {"came": stream.packets_received, "lost": stream.packets_lost}
        return told

    running = set()
    peer.on("track", lambda track: running.add(asyncio.ensure_future(follow(track))))
    answer = await asyncio.to_thread(aiortc_viewer.ask, url, peer.localDescription.sdp)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    threading.Thread(target=told_when_asked, args=(tracks, packets), daemon=True).start()
    await asyncio.gather(*running)


class WebSocket:
    """As much of one as is needed here."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self.stream = socket.create_connection((host, port), 10)
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.stream.sendall(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        self.reader = self.stream.makefile("rb")
        status = self.reader.readline()
        if b" 101 " not in status:
            sys.exit(f"no WebSocket: {status}")
        while self.reader.readline() != b"\r\n":
            pass
        self.stream.settimeout(60)

    def send(self, kind: int, content: bytes) -> None:
        mask = os.urandom(4)
        length = bytes([0x80 | len(content)]) if len(content) < 126 else b"\xfe" + struct.pack(">H", len(content))
        self.stream.sendall(bytes([0x80 | kind]) + length + mask + bytes(b ^ mask[n % 4] for n, b in enumerate(content)))

    def next(self) -> bytes | dict:
        """The next message: bytes, or what was JSON."""
        while True:
            kind, length = self.reader.read(2)
            if length >= 126:
                length = int.from_bytes(self.reader.read(2 if length == 126 else 8), "big")
            content = self.reader.read(length)
            if kind == 0x89:
                self.send(0xA, content)
            elif kind == 0x82:
                return content
            elif kind == 0x81:
                return json.loads(content)
            else:
                sys.exit(f"the WebSocket ended: {kind:#x}")


def boxes(content: bytes):
    at = 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        yield kind, content[at + 8 : at + size]
        at += size


def box(content: bytes, *path: bytes) -> bytes:
    for wanted in path:
        content = next(inner for kind, inner in boxes(content) if kind == wanted)
    return content


def watch_by_mse(host: str, stream: str) -> None:
    tracks = {"picture": Track(), "sound": Track()}
    threading.Thread(target=told_when_asked, args=(tracks,), daemon=True).start()
    tile, known, begins = WebSocket(host, HTTP, f"/api/v1/streams/{stream}/live"), {}, False
    while True:
        said = tile.next()
        if isinstance(said, bytes):
            if begins:
                known = {}
                for _, trak in (one for one in boxes(box(said, b"moov")) if one[0] == b"trak"):
                    number = int.from_bytes(box(trak, b"tkhd")[12:16], "big")
                    kind = "picture" if box(trak, b"mdia", b"hdlr")[8:12] == b"vide" else "sound"
                    known[number] = kind, int.from_bytes(box(trak, b"mdia", b"mdhd")[12:16], "big")
                begins = False
                continue
            # Several pieces may come at once.
            for _, moof in (one for one in boxes(said) if one[0] == b"moof"):
                traf = box(moof, b"traf")
                kind, rate = known[int.from_bytes(box(traf, b"tfhd")[4:8], "big")]
                tracks[kind].note(int.from_bytes(box(traf, b"tfdt")[4:12], "big") / rate)
        elif said["type"] == "codecs":
            hello = {"type": "hello", "webrtc": [], "mse": said["mse"], "sound": True}
            tile.send(1, json.dumps(hello).encode())
        elif said["type"] == "mode":
            tile.send(1, b'{"type":"mode","mode":"mse"}')
        elif said["type"] == "init":
            begins = True
        elif said["type"] in ("error", "dropped"):
            sys.exit(f"the viewer by MP4 was told {said}")


# The network ------------------------------------------------------------------------------------------------------------


class Network:
    """A namespace for each address, joined by a bridge in one more."""

    def __init__(self, *addresses: str) -> None:
        self.name = f"hour{os.getpid():x}"
        self.hosts: dict[str, str] = {}
        self.add("")
        self.ip("-n", self.hosts[""], "link", "add", "br0", "type", "bridge")
        self.ip("-n", self.hosts[""], "link", "set", "br0", "up")
        for number, address in enumerate(addresses):
            host, port = self.add(address), f"p{number}"
            self.ip("-n", self.hosts[""], "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host)
            self.ip("-n", self.hosts[""], "link", "set", port, "master", "br0", "up")
            self.ip("-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                self.ip("-n", host, "link", "set", link, "up")

    def add(self, address: str) -> str:
        host = f"{self.name}-{len(self.hosts)}"
        self.ip("netns", "add", host)
        self.hosts[address] = host
        return host

    @staticmethod
    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)

    def on(self, address: str, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.hosts[address], *command]

    def end(self) -> None:
        for host in self.hosts.values():
            subprocess.run(["ip", "netns", "del", host], check=False)


def udp(pid: int, name: str) -> int:
    """A counter of the kernel's for UDP, where that process is."""
    with open(f"/proc/{pid}/net/snmp", encoding="utf-8") as file:
        names, values = (line.split() for line in file if line.startswith("Udp:"))
    return int(values[names.index(name)])


def link_drops(pid: int) -> int:
    """What the link of the host on which that process is has dropped, in either direction."""
    with open(f"/proc/{pid}/net/dev", encoding="utf-8") as file:
        fields = next(line for line in file if line.strip().startswith("eth0:")).split(":", 1)[1].split()
    return int(fields[3]) + int(fields[11])


# Everything -------------------------------------------------------------------------------------------------------------


class Lag:
    """How late the machine lets a program go on that wanted to: what stands still for that long is no fault of what is measured."""

    def __init__(self) -> None:
        self.most = 0.0
        threading.Thread(target=self.look, daemon=True).start()

    def look(self) -> None:
        while True:
            began = time.monotonic()
            time.sleep(0.02)
            self.most = max(self.most, time.monotonic() - began - 0.02)

    def tell(self) -> float:
        most, self.most = self.most, 0.0
        return most


class Place:
    """The camera, the program that serves it, and two who watch."""

    def __init__(self, wanted: argparse.Namespace, folder: str, network: Network, running: list) -> None:
        self.network, self.running, self.folder = network, running, folder
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        own = os.path.abspath(__file__)
        camera = self.start(CAMERA, sys.executable, own, "--camera", CAMERA, str(wanted.minutes * 30), **pipes)
        if camera.stdout.readline().strip() != b"ready":
            sys.exit("there is no camera")
        camscan, quiet = os.path.abspath(wanted.camscan), {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        scan = ["scan", CAMERA, "-p", str(latency.RTSP), "--methods", "tcp", "--no-dns", "--store=s.sqlite"]
        subprocess.run(network.on(SERVER, camscan, *scan), check=True, cwd=folder, **quiet)
        account = ["serve", "user", "add", "anna", "--store", "s.sqlite"]
        subprocess.run(network.on(SERVER, camscan, *account), check=True, cwd=folder, input=b"Zwei-Geheimnisse-2\n" * 2, **quiet)
        serve = ["serve", "--no-watch", "--anonymous", "viewer", "--store", "s.sqlite", "--listen", f"{SERVER}:{HTTP}"]
        self.server = self.start(SERVER, camscan, *serve, stdin=subprocess.DEVNULL, **quiet)
        latency.wait("the stream is known", self.streams)
        stream = self.streams()[0]["id"]
        url = f"http://{SERVER}:{HTTP}/api/v1/streams/{stream}/whep"
        self.viewers = {
            "WebRTC": self.start(WEBRTC, wanted.aiortc, own, "--webrtc", WEBRTC, url, **pipes),
            "MSE": self.start(MSE, sys.executable, own, "--mse", SERVER, stream, **pipes),
        }
        self.worked = self.processor()

    def start(self, address: str, *command: str, **how) -> subprocess.Popen:
        process = subprocess.Popen(self.network.on(address, *command), cwd=self.folder, **how)
        self.running.append(process)
        return process

    def streams(self) -> list:
        ask = "import sys, urllib.request as web; print(web.urlopen(sys.argv[1], timeout=5).read().decode())"
        url = f"http://{SERVER}:{HTTP}/api/v1/live"
        command = self.network.on(SERVER, sys.executable, "-c", ask, url)
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return json.loads(said.stdout or b"[]")

    def processor(self) -> float:
        """Seconds of processor time that the server has had."""
        with open(f"/proc/{self.server.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def unsent(self) -> int:
        """Datagrams that the program itself could not send."""
        ask = "import sys, urllib.request as web; print(web.urlopen(sys.argv[1], timeout=5).read().decode())"
        command = self.network.on(SERVER, sys.executable, "-c", ask, f"http://{SERVER}:{HTTP}/metrics")
        said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
        lines = (line.split() for line in said.splitlines())
        return next(int(float(line[1])) for line in lines if line and line[0] == "camscan_live_datagrams_unsent_total")

    def dropped(self) -> dict:
        """What was dropped since the beginning, and where."""
        server, viewer = self.server.pid, self.viewers["WebRTC"].pid
        links = sum(link_drops(pid) for pid in (server, viewer))
        ours = dict(zip(OURS, (self.unsent(), udp(server, "SndbufErrors"))))
        return ours | {"on the link": links, "at the viewer's socket": udp(viewer, "RcvbufErrors")}

    def look(self) -> dict:
        """How everything is, since it was last looked."""
        found = {"dropped": self.dropped()}
        for name, viewer in self.viewers.items():
            viewer.stdin.write(b"\n")
            viewer.stdin.flush()
            line = viewer.stdout.readline()
            if not line:
                sys.exit(f"the viewer by {name} ended")
            found[name] = json.loads(line)
        with open(f"/proc/{self.server.pid}/status", encoding="utf-8") as file:
            status = dict(line.split(":", 1) for line in file)
        worked, before = self.processor(), self.worked
        self.worked = worked
        stream = self.streams()[0]
        return found | {
            "rss": int(status["VmRSS"].split()[0]), "threads": int(status["Threads"]), "worked": worked - before,
            "files": len(os.listdir(f"/proc/{self.server.pid}/fd")), "source": stream["source"], "state": stream["state"],
        }


HEAD = "minute | pictures, sounds | longest pause: WebRTC picture, sound; MSE picture, sound | camera's own, machine's lag | age: median, p95 | clock of picture, sound | RSS | files | processor | packets of picture, sound; lost"


def row(minute: int, now: dict, first: dict, lag: float) -> str:
    webrtc, mse = now["WebRTC"], now["MSE"]
    ahead = [1000 * (webrtc[kind]["ahead"] - first["WebRTC"][kind]["ahead"]) for kind in ("picture", "sound")]
    return (
        f"{minute:6} | {webrtc['picture']['count']}, {webrtc['sound']['count']} | {webrtc['picture']['gap']:.2f}, "
        f"{webrtc['sound']['gap']:.2f}; {mse['picture']['gap']:.2f}, {mse['sound']['gap']:.2f} s | {webrtc['picture']['drawn_gap']:.2f}, "
        f"{lag:.2f} s | {webrtc['picture']['age']}, {webrtc['picture']['age_p95']} ms | {ahead[0]:+.0f}, {ahead[1]:+.0f} ms | "
        f"{now['rss'] / 1024:.1f} MiB | {now['files']} | {100 * now['worked'] / 60:.1f} % | "
        + ", ".join(str(webrtc["rtp"][kind]["came"]) for kind in KINDS.values())
        + "; "
        + ", ".join(str(webrtc["rtp"][kind]["lost"]) for kind in KINDS.values())
        + where(now["dropped"])
    )


def where(dropped: dict) -> str:
    """Where datagrams were dropped; nothing where none was."""
    return "".join(f" ({count} {place})" for place, count in dropped.items() if count > 0)


LATENESS = "lateness of the {} by {}, ms"
SOUND = LATENESS.format("sound", "WebRTC")


def is_the_viewers(all_: list[dict]) -> bool:
    """Whether packets of sound were lost, and none of them by the program."""
    lost = all_[-1]["WebRTC"]["rtp"]["audio"]["lost"] - all_[0]["WebRTC"]["rtp"]["audio"]["lost"]
    ours = sum(all_[-1]["dropped"][place] - all_[0]["dropped"][place] for place in OURS)
    return lost > 0 and ours == 0


def faults(all_: list[dict]) -> list[str]:
    """What should not have been."""
    found = []
    for minute, (before, now) in enumerate(zip(all_[:1] + all_, all_), 1):
        for way in ("WebRTC", "MSE"):
            for kind in ("picture", "sound"):
                if now[way][kind]["gap"] > FREEZE:
                    found.append(f"minute {minute}: the {kind} by {way} stood for {now[way][kind]['gap']} s")
        if now["WebRTC"]["sound"]["peak"] < 3000:
            found.append(f"minute {minute}: the tone is not heard")
        if now["state"] != "live" or now["source"]["reconnects"] > 0:
            found.append(f"minute {minute}: the camera's session did not go on")
        for place, count in now["dropped"].items():
            if place in OURS and count > before["dropped"][place]:
                found.append(f"minute {minute}: {count - before['dropped'][place]} datagrams were dropped {place}")
    sixth = len(all_) // 6
    if sixth > 0:
        # The first sixth fills what is to be filled.
        early, late = all_[sixth : 2 * sixth], all_[-sixth:]
        change = lambda of: statistics.median(map(of, late)) - statistics.median(map(of, early))
        changes = [
            ("memory, KiB", GROWTH, lambda now: now["rss"]),
            ("open files", 0, lambda now: now["files"]),
            ("threads", 0, lambda now: now["threads"]),
            ("age of the picture, ms", LATER, lambda now: now["WebRTC"]["picture"]["age"]),
        ]
        for way in ("WebRTC", "MSE"):
            for kind in ("picture", "sound"):
                # What is ever less ahead comes ever later.
                changes.append((LATENESS.format(kind, way), LATER, lambda now, way=way, kind=kind: -1000 * now[way][kind]["ahead"]))
        for what, most, of in changes:
            more = change(of)
            print(f"{what}: {more:+.1f} from the second sixth of the time to the last")
            if more > most and what == SOUND and is_the_viewers(all_):
                print("that is the viewer's: packets of sound were lost behind the program")
            elif more > most:
                found.append(f"more than {most} was added to {what}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camscan")
    parser.add_argument("--aiortc", required=True, help="Python with aiortc")
    parser.add_argument("--minutes", type=int, default=60)
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    running: list[subprocess.Popen] = []
    network = Network(CAMERA, SERVER, WEBRTC, MSE)
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["HOME"] = folder
            place, lag, all_ = Place(wanted, folder, network, running), Lag(), []
            # Until everything is there.
            time.sleep(15)
            place.look()
            lag.tell()
            print(HEAD, flush=True)
            began = time.monotonic()
            for minute in range(1, wanted.minutes + 1):
                time.sleep(max(0.0, began + 60 * minute - time.monotonic()))
                all_.append(place.look())
                print(row(minute, all_[-1], all_[0], lag.tell()), flush=True)
            print("the program's own account:", json.dumps(all_[-1]["source"]))
            found = faults(all_)
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()
        network.end()
    if found:
        sys.exit("\n".join(found))
    print(f"{wanted.minutes} minutes without a fault")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--camera", address, wraps]:
            latency.be_the_camera(address, float(wraps))
        case ["--webrtc", address, url]:
            asyncio.run(watch_by_webrtc(address, url))
        case ["--mse", host, stream]:
            watch_by_mse(host, stream)
        case _:
            main()
