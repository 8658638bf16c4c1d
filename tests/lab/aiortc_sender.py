#!/usr/bin/env python3
"""A WHEP endpoint by aiortc, which shares no code with the program: a moving picture to whoever offers to receive one.

usage: aiortc_sender.py ADDRESS PORT LOG
The endpoint is /whep. Every session opened and closed is a line of LOG. Ends with its standard input.
"""
import asyncio
import itertools
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import VideoStreamTrack
from av import VideoFrame

ADDRESS, PORT, LOG = sys.argv[1:]
# Nothing leaves the network of the test.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [ADDRESS]


class Bars(VideoStreamTrack):
    """A bar that wanders."""

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame(640, 360, "rgb24")
        at = pts // 3000 % 600 * 3
        row = bytes(at) + b"\xff" * 120 + bytes(1920 - 120 - at)
        frame.planes[0].update(row * 360)
        frame.pts, frame.time_base = pts, time_base
        return frame


async def answer(offer: str) -> RTCPeerConnection:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    peer.addTrack(Bars())
    await peer.setLocalDescription(await peer.createAnswer())
    return peer


def main() -> None:
    loop, numbers, sessions, lock = asyncio.new_event_loop(), itertools.count(1), {}, threading.Lock()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def wait(task):
        return asyncio.run_coroutine_threadsafe(task, loop).result(20)

    def note(line: str) -> None:
        with lock, open(LOG, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    class Endpoint(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_OPTIONS(self) -> None:
            self.reply(204 if self.path == "/whep" else 404, {"Accept-Post": "application/sdp"})

        def do_POST(self) -> None:
            offer = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            if self.path != "/whep":
                return self.reply(404)
            peer, number = wait(answer(offer)), next(numbers)
            sessions[f"/whep/{number}"] = peer
            note(f"opened {number}")
            headers = {"Location": f"/whep/{number}", "Content-Type": "application/sdp"}
            self.reply(201, headers, peer.localDescription.sdp.encode())

        def do_DELETE(self) -> None:
            peer = sessions.pop(self.path, None)
            if peer is None:
                return self.reply(404)
            wait(peer.close())
            note(f"closed {self.path.rsplit('/', 1)[1]}")
            self.reply(200)

        def do_GET(self) -> None:
            self.reply(405 if self.path == "/whep" else 404)

        def reply(self, status: int, headers: dict = {}, body: bytes = b"") -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((ADDRESS, int(PORT)), Endpoint)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


main()
