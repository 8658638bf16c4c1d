#!/usr/bin/python3
"""Stands in for mediamtx and for go2rtc where a script is to be tried that measures them: reads their configuration, listens
where it says, and hands every offer on to live view at the address in STAND_IN_FOR. Nothing that is measured by it says
anything of those programs.

usage: whep_stand_in.py CONFIGURATION           as mediamtx is started
       whep_stand_in.py -config CONFIGURATION   as go2rtc is
"""
import json
import os
import re
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LIVE = os.environ["STAND_IN_FOR"]
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with open(sys.argv[-1], encoding="utf-8") as file:
    TEXT = file.read()
IS_GO2RTC = sys.argv[1] == "-config"
# What was asked for is served there, and nowhere else.
LISTEN = re.search(r'api:\n  listen: "(.+):(\d+)"' if IS_GO2RTC else r"webrtcAddress: (.+):(\d+)", TEXT)
NAME = re.search(r"streams:\n  (\w+): rtsp://" if IS_GO2RTC else r"paths:\n  (\w+):\n    source: rtsp://", TEXT)[1]
PATH = f"/api/webrtc?src={NAME}" if IS_GO2RTC else f"/{NAME}/whep"


class Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.reply(404, b"404 page not found", "text/plain")

    def do_POST(self) -> None:
        offer = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != PATH:
            return self.do_GET()
        stream = json.load(OPENER.open(f"{LIVE}/api/v1/live"))[0]["id"]
        asked = urllib.request.Request(f"{LIVE}/api/v1/streams/{stream}/whep", offer, {"Content-Type": "application/sdp"})
        try:
            self.reply(201, OPENER.open(asked).read())
        except urllib.error.HTTPError as error:
            self.reply(error.code, error.read())

    def reply(self, status: int, body: bytes, kind: str = "application/sdp") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


ThreadingHTTPServer((LISTEN[1], int(LISTEN[2])), Endpoint).serve_forever()
