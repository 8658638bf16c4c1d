#!/usr/bin/env python3
"""A viewer by aiortc, which shares no code with the program: decodes what comes.

Writes an offer and an empty line, reads the answer up to its end of input, and writes how many pictures it decoded, their
width and height. usage: aiortc_viewer.py COUNT
"""
import asyncio
import sys

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

# Nothing leaves the machine.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


async def main() -> None:
    wanted, peer, tracks = int(sys.argv[1]), RTCPeerConnection(RTCConfiguration(iceServers=[])), asyncio.Queue()
    peer.addTransceiver("video", direction="recvonly")
    peer.addTransceiver("audio", direction="recvonly")
    peer.on("track", lambda track: tracks.put_nowait(track) if track.kind == "video" else None)
    await peer.setLocalDescription(await peer.createOffer())
    print(peer.localDescription.sdp, end="\r\n\r\n", flush=True)
    answer = await asyncio.to_thread(sys.stdin.read)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    track, count = await tracks.get(), 0
    while count < wanted:
        frame = await asyncio.wait_for(track.recv(), 20)
        count += 1
    print(count, frame.width, frame.height, flush=True)
    await peer.close()


asyncio.run(asyncio.wait_for(main(), 60))
