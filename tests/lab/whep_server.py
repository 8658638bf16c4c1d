#!/usr/bin/python3
"""A WHEP endpoint (draft-ietf-wish-whep) of GStreamer's webrtcbin: H.264 and Opus to whoever offers to receive them.

usage: whep_server.py ADDRESS PORT LOG
The endpoint is /whep. Every session opened and closed is a line of LOG. Ends with its standard input.
"""
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402

sys.dont_write_bytecode = True
import whep_endpoint  # noqa: E402

PIPELINE = """webrtcbin name=peer bundle-policy=max-bundle
 videotestsrc is-live=true ! video/x-raw,width=640,height=360,framerate=15/1
 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! video/x-h264,profile=constrained-baseline
 ! rtph264pay config-interval=-1 ! application/x-rtp,media=video,encoding-name=H264,payload=96 ! peer.
 audiotestsrc is-live=true wave=silence ! opusenc ! rtpopuspay
 ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! peer."""


class Session:
    """One viewer."""

    def __init__(self, offer: str) -> None:
        self.pipeline = Gst.parse_launch(PIPELINE)
        self.peer = self.pipeline.get_by_name("peer")
        gathered = threading.Event()
        complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE

        def gathering(peer, _parameter) -> None:
            if peer.get_property("ice-gathering-state") == complete:
                gathered.set()

        self.peer.connect("notify::ice-gathering-state", gathering)
        self.pipeline.set_state(Gst.State.PLAYING)
        for pad in self.peer.sinkpads:
            # What is encoded is known with the first frame.
            while not pad.get_current_caps():
                time.sleep(0.02)
        message = GstSdp.SDPMessage.new_from_text(offer)[1]
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, message)
        self.ask("set-remote-description", description)
        reply = self.ask("create-answer", None)
        self.ask("set-local-description", reply.get_value("answer"))
        gathered.wait(10)
        self.answer = self.peer.get_property("local-description").sdp.as_text()

    def ask(self, what: str, argument: object) -> Gst.Structure:
        promise = Gst.Promise.new()
        self.peer.emit(what, argument, promise)
        promise.wait()
        return promise.get_reply()

    def close(self) -> None:
        self.pipeline.set_state(Gst.State.NULL)


Gst.init(None)
whep_endpoint.serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], Session)
