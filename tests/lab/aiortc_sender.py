#!/usr/bin/env python3
"""A WHEP endpoint by aiortc, which shares no code with the program: a moving picture to whoever offers to receive one.

usage: aiortc_sender.py ADDRESS PORT LOG [active|passive]
The endpoint is /whep. Every session opened and closed is a line of LOG. Ends with its standard input. With a role of DTLS its
certificate is RSA, as that of Janus is, and it begins the handshake or waits for it.
"""
import asyncio
import sys
import threading

import aioice.ice
import aiortc.rtcpeerconnection
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, rtcdtlstransport
from aiortc.mediastreams import VideoStreamTrack
from av import VideoFrame
from cryptography.hazmat.primitives.asymmetric import rsa

sys.dont_write_bytecode = True
import whep_endpoint  # noqa: E402

ADDRESS, PORT, LOG, *ROLE = sys.argv[1:]
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


class Rsa(rtcdtlstransport.RTCCertificate):
    """A certificate as the library makes none by itself."""

    @classmethod
    def generateCertificate(cls) -> "Rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return cls(key=key, cert=rtcdtlstransport.generate_certificate(key))

    def _create_ssl_context(self, srtp_profiles):
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256")
        return context


if ROLE:
    aiortc.rtcpeerconnection.RTCCertificate = Rsa


async def answered(offer: str) -> RTCPeerConnection:
    if ROLE == ["passive"]:
        offer = offer.replace("a=setup:actpass", "a=setup:active")
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
