#!/usr/bin/env python3
"""A viewer by aiortc, which shares no code with the program: decodes what comes.

usage: aiortc_viewer.py COUNT            Writes an offer and an empty line, reads the answer up to its end of input, and
                                         writes how many pictures it decoded, their width and height.
       aiortc_viewer.py ADDRESS URL      Asks by WHEP from that address of its own, and writes a line for each picture that
                                         it decoded: the time, and what there was to say of it. Ends with its input.
"""
import asyncio
import sys
import time
import urllib.request

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription


async def offering(address: str) -> tuple[RTCPeerConnection, asyncio.Queue]:
    """A peer that offers to see and hear, at this address alone: nothing leaves the machine."""
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [address]
    peer, tracks = RTCPeerConnection(RTCConfiguration(iceServers=[])), asyncio.Queue()
    peer.addTransceiver("video", direction="recvonly")
    peer.addTransceiver("audio", direction="recvonly")
    peer.on("track", lambda track: tracks.put_nowait(track) if track.kind == "video" else None)
    await peer.setLocalDescription(await peer.createOffer())
    return peer, tracks


async def count(wanted: int) -> None:
    peer, tracks = await offering("127.0.0.1")
    print(peer.localDescription.sdp, end="\r\n\r\n", flush=True)
    answer = await asyncio.to_thread(sys.stdin.read)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    track, seen = await tracks.get(), 0
    while seen < wanted:
        frame = await asyncio.wait_for(track.recv(), 20)
        seen += 1
    print(seen, frame.width, frame.height, flush=True)
    await peer.close()


def ask(url: str, offer: str) -> str:
    request = urllib.request.Request(url, offer.encode(), {"Content-Type": "application/sdp"}, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return answer.read().decode()


async def watch(address: str, url: str) -> None:
    peer, tracks = await offering(address)
    peer.on("connectionstatechange", lambda: print(f"{time.time():.3f} {peer.connectionState}", flush=True))
    began = time.time()
    answer = await asyncio.to_thread(ask, url, peer.localDescription.sdp)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    track, seen = await tracks.get(), 0
    while True:
        frame = await track.recv()
        seen += 1
        now = time.time()
        first = f" first after {(now - began) * 1000:.0f} ms" if seen == 1 else ""
        print(f"{now:.3f} picture {seen} {frame.width}x{frame.height} at {frame.pts}{first}", flush=True)


async def until_told(address: str, url: str) -> None:
    watching = asyncio.create_task(watch(address, url))
    told = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    done, _ = await asyncio.wait([watching, told], return_when=asyncio.FIRST_COMPLETED)
    if watching in done:
        # Why it ended is the last thing that it says.
        print(f"{time.time():.3f} ended {watching.exception()!r}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        asyncio.run(asyncio.wait_for(count(int(sys.argv[1])), 60))
    else:
        asyncio.run(until_told(*sys.argv[1:]))
