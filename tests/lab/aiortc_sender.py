#!/usr/bin/env python3
"""A WHEP endpoint by aiortc, which shares no code with the program: a moving picture to whoever offers to receive one.

usage: aiortc_sender.py ADDRESS PORT LOG
The endpoint is /whep. Every session opened and closed is a line of LOG. Ends with its standard input.
"""
import asyncio
import sys
import threading

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import VideoStreamTrack
from av import VideoFrame

sys.dont_write_bytecode = True
import whep_endpoint  # noqa: E402

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


async def answered(offer: str) -> RTCPeerConnection:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    peer.addTrack(Bars())
    await peer.setLocalDescription(await peer.createAnswer())
    return peer


class Session:
    """One viewer."""

    loop = asyncio.new_event_loop()

    def __init__(self, offer: str) -> None:
        self.peer = self.wait(answered(offer))
        self.answer = self.peer.localDescription.sdp

    def wait(self, task):
        return asyncio.run_coroutine_threadsafe(task, self.loop).result(20)

    def close(self) -> None:
        self.wait(self.peer.close())


threading.Thread(target=Session.loop.run_forever, daemon=True).start()
whep_endpoint.serve(ADDRESS, int(PORT), LOG, Session)
