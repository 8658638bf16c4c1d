#!/usr/bin/python3
"""Measures what a viewer of live view waits for: from the camera's picture to the page's canvas, and from Connect to the
first picture. On the loopback alone; needs Chromium with its driver, and GStreamer's RTSP server with x264.

usage: latency.py CAMSCAN [--seconds N] [--starts N] [--whep] [--mediamtx PROGRAM] [--go2rtc PROGRAM]

A camera draws the time into every picture, as 20 black and white squares above the same squares inverted, and sends a key
frame every four seconds. The page reads them from a canvas whenever the browser shows a frame. Both read one clock, so the
difference is all that lies between: encoder, RTSP, live view, network, decoder, the browser's own queue. The page's player
itself is measured, by WebRTC and by MSE; and WHEP by a client of twenty lines, which other programs can be measured by as
well, where their paths are given: they get the same camera, the same client and the same browser, and the ratio is printed.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

CAMERA, RTSP = "127.77.1.10", 8554
WIDTH, HEIGHT, FPS, GROUP, BITS, SIDE = 640, 360, 25, 100, 20, 32


# The camera -------------------------------------------------------------------------------------------------------------


def picture(number: int, bodies: list[bytes]) -> bytes:
    """One picture of the time now, in milliseconds, above what moves."""
    now = int(time.time() * 1000)
    squares = [b"\xeb" * SIDE if now >> (BITS - 1 - bit) & 1 else b"\x10" * SIDE for bit in range(BITS)]
    row = b"".join(squares)
    other = bytes(0xEB if light == 0x10 else 0x10 for light in row)
    return row * SIDE + other * SIDE + bodies[number % len(bodies)] + b"\x80" * (WIDTH * HEIGHT // 2)


def be_the_camera(address: str = CAMERA, wraps_after: float | None = None) -> None:
    """Serves until the end of its input. With a time, it has a sound as well, and that many seconds after it began both of its
    clocks wrap; the numbers of its packets do so soon."""
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    lines = HEIGHT - 2 * SIDE
    # Coarse noise that moves: some bits for the encoder, and none of them random from run to run.
    chance = random.Random(1)
    grain = bytes(b for _ in range(WIDTH // 4) for b in [chance.randrange(60, 180)] * 4)
    bodies = [b"".join(grain[(n * 8 + y // 4 * 28) % WIDTH :] + grain[: (n * 8 + y // 4 * 28) % WIDTH] for y in range(lines)) for n in range(80)]

    def feed(source) -> None:
        number, due, refused = 0, time.monotonic(), 0
        # A few are refused until it has begun; what goes on refusing them is over.
        while number == 0 or refused < 2 * FPS:
            flow = source.emit("push-buffer", Gst.Buffer.new_wrapped(picture(number, bodies)))
            number, refused = (number + 1, 0) if flow == Gst.FlowReturn.OK else (number, refused + 1)
            due = max(due + 1 / FPS, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))

    def configure(_factory, media) -> None:
        source = media.get_element().get_by_name("clock")
        # What has a sound is sought to its beginning when it is played.
        source.connect("seek-data", lambda *_: True)
        threading.Thread(target=feed, args=(source,), daemon=True).start()

    server = GstRtspServer.RTSPServer()
    server.set_address(address)
    server.set_service(str(RTSP))
    factory = GstRtspServer.RTSPMediaFactory()
    start, seekable, sound = lambda rate: "", "", ""
    if wraps_after is not None:
        start = lambda rate: f"timestamp-offset={int(2**32 - wraps_after * rate)} seqnum-offset=65000"
        seekable = "stream-type=seekable"
        tone = "audiotestsrc is-live=true freq=440 ! audio/x-raw,rate=8000,channels=1 ! mulawenc"
        sound = f"{tone} ! rtppcmupay name=pay1 min-ptime=20000000 max-ptime=20000000 {start(8000)}"
    factory.set_launch(
        f"( appsrc name=clock {seekable} is-live=true do-timestamp=true format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1 "
        f"! queue ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={GROUP} bitrate=2000 ! video/x-h264,profile=baseline "
        f"! rtph264pay name=pay0 pt=96 config-interval=-1 {start(90_000)} {sound} )"
    )
    factory.set_shared(True)
    factory.connect("media-configure", configure)
    server.get_mount_points().add_factory("/live", factory)
    if not server.attach(None):
        sys.exit("the camera's port is taken")
    print("ready", flush=True)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()


# The browser ------------------------------------------------------------------------------------------------------------


class Browser:
    def __init__(self, port: int) -> None:
        self.at = f"http://127.0.0.1:{port}"
        quiet = subprocess.DEVNULL
        self.driver = subprocess.Popen(["/usr/bin/chromedriver", f"--port={port}"], stdout=quiet, stderr=quiet)
        self.profile = tempfile.TemporaryDirectory()
        flags = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,900",
            "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={self.profile.name}",
        ]
        options = {"args": flags, "binary": "/usr/bin/chromium"}
        wanted = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}}
        for _ in range(100):
            try:
                self.session = self.ask("/session", wanted)["sessionId"]
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        self.ask(f"/session/{self.session}/timeouts", {"script": 600_000})

    def ask(self, path: str, body: dict, method: str = "POST"):
        request = urllib.request.Request(self.at + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
        with OPENER.open(request, timeout=900) as answer:
            return json.load(answer)["value"]

    def open(self, url: str) -> None:
        self.ask(f"/session/{self.session}/url", {"url": url})

    def run(self, script: str, *arguments):
        """The value of an async function's body, or why there is none."""
        whole = f"const done = arguments[arguments.length - 1]; (async (...given) => {{ {script} }})(...arguments).then(done, (error) => done({{error: String(error)}}))"
        value = self.ask(f"/session/{self.session}/execute/async", {"script": whole, "args": list(arguments)})
        if isinstance(value, dict) and "error" in value:
            sys.exit(f"the page says: {value['error']}")
        return value

    def end(self) -> None:
        try:
            self.ask(f"/session/{self.session}", {}, "DELETE")
        finally:
            self.driver.terminate()
            self.driver.wait()


# Reads the squares of a video, frame by frame, and begins what shows one. `way` is webrtc, mse, or the address of a WHEP
# endpoint; `page` is where the player comes from.
TOOLS = """
const BITS = %d, SIDE = %d;
const canvas = Object.assign(document.createElement("canvas"), { width: BITS * SIDE, height: 2 * SIDE });
const context = canvas.getContext("2d", { willReadFrequently: true });
// The age of what is shown, in milliseconds; none where the squares cannot be read.
function age(video) {
  context.drawImage(video, 0, 0, canvas.width, canvas.height, 0, 0, canvas.width, canvas.height);
  const now = Date.now(), { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const light = (x, y) => data[4 * (y * canvas.width + x)];
  let time = 0;
  for (let bit = 0; bit < BITS; bit += 1) {
    const x = bit * SIDE + SIDE / 2, one = light(x, SIDE / 2), other = light(x, SIDE * 1.5);
    if (Math.abs(one - other) < 60) return null;
    time = time * 2 + (one > other ? 1 : 0);
  }
  const range = 2 ** BITS, apart = ((now %% range) - time + range) %% range;
  return apart > range / 2 ? apart - range : apart;
}
const shown = (video) => new Promise((resolve) => video.requestVideoFrameCallback(resolve));
async function begin(way, stream) {
  const screen = document.createElement("div");
  document.body.prepend(screen);
  if (way.startsWith("http")) {
    const peer = new RTCPeerConnection(), video = document.createElement("video");
    Object.assign(video, { muted: true, autoplay: true, playsInline: true });
    screen.append(video);
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.ontrack = ({ track, receiver }) => { receiver.jitterBufferTarget = 0; video.srcObject = new MediaStream([track]); };
    await peer.setLocalDescription();
    const answer = await fetch(way, { method: "POST", headers: { "Content-Type": "application/sdp" }, body: peer.localDescription.sdp });
    if (!answer.ok) throw new Error(`${way}: ${answer.status}`);
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    return { peer, video: () => video, stop: () => { peer.close(); screen.remove(); } };
  }
  const { Player } = await import(Array.from(document.scripts, (one) => one.src).find((src) => src.includes("app.js")).replace("app.js", "live.js"));
  const root = new URL("../", location.href).href;
  const real = RTCRtpReceiver.getCapabilities.bind(RTCRtpReceiver);
  RTCRtpReceiver.getCapabilities = way === "mse" ? () => ({ codecs: [] }) : real;
  const player = new Player({ root, stream, screen, language: "en", onState: (state, why) => { screen.dataset.state = `${state} ${why}`; } });
  player.start();
  return { video: () => screen.querySelector("video"), stop: () => { player.stop(); screen.remove(); RTCRtpReceiver.getCapabilities = real; } };
}
async function firstOf(started) {
  while (!started.video()) await new Promise((resolve) => setTimeout(resolve, 2));
  await shown(started.video());
  return started.video();
}
""" % (BITS, SIDE)

AGES = TOOLS + """
const [way, stream, seconds] = given;
const started = await begin(way, stream), ages = [];
await firstOf(started);
// What was sent at once at the beginning is no measure of what follows.
const from = performance.now() + 5000, until = from + 1000 * seconds;
let frames = 0, stood = 0, last = performance.now();
while (performance.now() < until) {
  await Promise.race([shown(started.video()), new Promise((resolve) => setTimeout(resolve, 1000))]);
  const now = performance.now();
  if (now > from) { const found = age(started.video()); if (found !== null) ages.push(found); frames += 1; stood = Math.max(stood, now - last); }
  last = now;
}
started.stop();
return { ages, frames, stood };
"""

STARTS = TOOLS + """
const [way, stream, pauses] = given;
// Somebody watches already: what the camera sends is at hand.
const holds = await begin(way, stream), firsts = [];
await firstOf(holds);
await new Promise((resolve) => setTimeout(resolve, 5000));
for (const pause of pauses) {
  await new Promise((resolve) => setTimeout(resolve, pause));
  const began = performance.now(), started = await begin(way, stream);
  await firstOf(started);
  firsts.push(performance.now() - began);
  started.stop();
}
holds.stop();
return firsts;
"""

# Everything --------------------------------------------------------------------------------------------------------------

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    try:
        OPENER.open(url, timeout=2)
        return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def wait(what: str, holds) -> None:
    until = time.monotonic() + 60
    while not holds():
        if time.monotonic() > until:
            sys.exit(f"never so: {what}")
        time.sleep(0.1)


def serve(camscan: str, folder: str, running: list) -> tuple[str, str]:
    """The program with the camera in its store: its address, and the stream."""
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scan = ["scan", CAMERA, "-p", str(RTSP), "--methods", "tcp", "--no-dns", "--store=s.sqlite"]
    subprocess.run([camscan, *scan], check=True, **quiet)
    account = ["serve", "user", "add", "anna", "--store", "s.sqlite"]
    subprocess.run([camscan, *account], check=True, input=b"Zwei-Geheimnisse-2\n" * 2, **quiet)
    serve = ["serve", "--no-watch", "--anonymous", "viewer", "--store", "s.sqlite", "--listen", "127.0.0.1:8790", "--live-port", "8791"]
    running.append(subprocess.Popen([camscan, *serve], stdin=subprocess.DEVNULL, **quiet))
    url = "http://127.0.0.1:8790"
    wait("it serves", lambda: answers(url))
    known = lambda: json.load(OPENER.open(f"{url}/api/v1/live"))
    wait("the stream is known", known)
    return url, known()[0]["id"]


def other(name: str, program: str, folder: str, running: list) -> tuple[str, str]:
    """Another program with the same camera: a page of its own, and the address of its WHEP endpoint."""
    camera = f"rtsp://{CAMERA}:{RTSP}/live"
    if name == "mediamtx":
        text = (
            "rtmp: no\nhls: no\nsrt: no\nrtspAddress: 127.0.0.1:8792\nrtspTransports: [tcp]\nwebrtcAddress: 127.0.0.1:8793\n"
            f"webrtcLocalUDPAddress: 127.0.0.1:8794\npaths:\n  live:\n    source: {camera}\n    rtspTransport: tcp\n"
        )
        address, endpoint = "http://127.0.0.1:8793", "http://127.0.0.1:8793/live/whep"
        arguments = ["mediamtx.yml"]
    else:
        text = (
            'api:\n  listen: "127.0.0.1:8793"\n  origin: "*"\nrtsp:\n  listen: ""\nwebrtc:\n  listen: "127.0.0.1:8794"\n'
            f"  candidates: [127.0.0.1:8794]\n  ice_servers: []\nstreams:\n  live: {camera}\n"
        )
        address, endpoint = "http://127.0.0.1:8793", "http://127.0.0.1:8793/api/webrtc?src=live"
        arguments = ["-config", "go2rtc.yml"]
    with open(os.path.join(folder, f"{name}.yml"), "w", encoding="utf-8") as file:
        file.write(text)
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running.append(subprocess.Popen([program, *arguments], **quiet))
    wait(f"{name} serves", lambda: answers(address))
    # Our pages may speak with nobody but us. One that says that there is no such page may speak with whoever says so.
    return f"{address}/none", endpoint


def part(sorted_values: list[float], share: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def measure(browser: Browser, what: str, way: str, stream: str, wanted: argparse.Namespace) -> tuple[float, float]:
    seen = browser.run(AGES, way, stream, wanted.seconds)
    if not seen["ages"]:
        sys.exit(f"{what}: the time could not be read from any of {seen['frames']} frames")
    ages = sorted(seen["ages"])
    pauses = [random.Random(way + str(n)).uniform(500, 4500) for n in range(wanted.starts)]
    firsts = sorted(browser.run(STARTS, way, stream, pauses))
    print(
        f"{what:20} camera to canvas: median {statistics.median(ages):.0f} ms, p95 {part(ages, 0.95):.0f} ms, most {ages[-1]} ms "
        f"({len(ages)} of {seen['frames']} frames read, the picture stood {seen['stood']:.0f} ms at most); first picture, somebody "
        f"watching already: median {statistics.median(firsts):.0f} ms, most {firsts[-1]:.0f} ms of {len(firsts)}",
        flush=True,
    )
    return statistics.median(ages), statistics.median(firsts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camscan")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--whep", action="store_true", help="measure WHEP alone, and not the page's player")
    parser.add_argument("--mediamtx")
    parser.add_argument("--go2rtc")
    wanted = parser.parse_args()
    running: list = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder
        try:
            camera = subprocess.Popen([sys.executable, __file__, "--camera"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            running.append(camera)
            if camera.stdout.readline().strip() != b"ready":
                sys.exit("there is no camera")
            url, stream = serve(os.path.abspath(wanted.camscan), folder, running)
            browser = Browser(8795)
            try:
                browser.open(f"{url}/devices/{CAMERA}")
                if not wanted.whep:
                    measure(browser, "the page by WebRTC", "webrtc", stream, wanted)
                    measure(browser, "the page by MSE", "mse", stream, wanted)
                whep = f"{url}/api/v1/streams/{stream}/whep"
                own = measure(browser, "WHEP", whep, stream, wanted)
                for name, program in (("mediamtx", wanted.mediamtx), ("go2rtc", wanted.go2rtc)):
                    if not program:
                        continue
                    page, endpoint = other(name, os.path.abspath(program), folder, running)
                    browser.open(page)
                    found = measure(browser, name, endpoint, stream, wanted)
                    # The next one wants its ports.
                    last = running.pop()
                    last.terminate()
                    last.wait()
                    print(f"{name}: {found[0] / own[0]:.2f} of our time to the canvas, {found[1] / own[1]:.2f} of it to the first picture")
            finally:
                browser.end()
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--camera"]:
        be_the_camera()
    else:
        main()
