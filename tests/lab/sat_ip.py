#!/usr/bin/python3
"""A SAT>IP server, as its specification (version 1.2.2) has it: SSDP, a description, and RTSP with a transport stream.

usage: sat_ip.py ADDRESS
Speaks UDP 1900, HTTP on 8875 and RTSP on 554. Ends with its standard input.
"""
import http.server
import re
import socket
import socketserver
import sys
import threading

UUID = "00000000-0000-4000-8000-0000000005a7"
DEVICE = "urn:ses-com:device:SatIPServer:1"
DESCRIPTION = f"""<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0" configId="1"><specVersion><major>1</major><minor>1</minor></specVersion>
<device><deviceType>{DEVICE}</deviceType><friendlyName>SAT Tuner</friendlyName><manufacturer>ACME Antennas</manufacturer>
<modelName>Octopus 4</modelName><UDN>uuid:{UUID}</UDN><presentationURL>/</presentationURL>
<satip:X_SATIPCAP xmlns:satip="urn:ses-com:satip">DVBS2-4</satip:X_SATIPCAP></device></root>"""
SESSION = """v=0\r\no=- 5678901234 7890123456 IN IP4 {address}\r\ns=SatIPServer:1 4\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r
c=IN IP4 0.0.0.0\r\na=control:stream=0\r\na=fmtp:33 ver=1.0;src=1;tuner=1,240,1,7,12402,v,dvbs,,,,27500,34;pids=0,16\r
a=inactive\r\n"""


class Rtsp(socketserver.StreamRequestHandler):
    """§3.5: SETUP, PLAY and TEARDOWN for those who tune; DESCRIBE tells what is tuned."""

    def handle(self) -> None:
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline(4096)
                if not line:
                    return
                head += line
            number = re.search(rb"(?im)^cseq:\s*(\d+)", head)
            method, cseq = head.split(b" ", 1)[0].decode(), number.group(1).decode() if number else "0"
            body, more = "", ""
            status = "200 OK"
            if method == "OPTIONS":
                more = "Public: OPTIONS, SETUP, DESCRIBE, PLAY, TEARDOWN\r\n"
            elif method == "DESCRIBE":
                body = SESSION.format(address=self.server.server_address[0])
                more = f"Content-Type: application/sdp\r\nContent-Base: rtsp://{self.server.server_address[0]}/\r\n"
            else:
                status = "400 Bad Request"
            answer = f"RTSP/1.0 {status}\r\nCSeq: {cseq}\r\nServer: Linux/3.10 SAT>IP/1.2\r\n{more}"
            self.wfile.write(f"{answer}Content-Length: {len(body)}\r\n\r\n{body}".encode())


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        pages = {"/desc.xml": ("text/xml", DESCRIPTION), "/": ("text/html", "<title>SAT&gt;IP Tuner</title>4 tuners")}
        kind, body = pages.get(self.path, (None, ""))
        self.send_response(200 if kind else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


def discovery(address: str) -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", 1900))
    group = socket.inet_aton("239.255.255.250") + socket.inet_aton(address)
    listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    while True:
        question, sender = listener.recvfrom(2048)
        wanted = re.search(rb"(?im)^st:\s*(\S+)", question)
        if not question.startswith(b"M-SEARCH") or not wanted:
            continue
        wanted = wanted.group(1).decode("latin-1")
        for kind in ("upnp:rootdevice", DEVICE):
            if wanted in (kind, "ssdp:all"):
                answer = (
                    f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nLOCATION: http://{address}:8875/desc.xml\r\n"
                    f"SERVER: Linux/3.10 UPnP/1.1 SAT-IP/1.2\r\nST: {kind}\r\nUSN: uuid:{UUID}::{kind}\r\n"
                    "BOOTID.UPNP.ORG: 1\r\nCONFIGID.UPNP.ORG: 1\r\nDEVICEID.SES.COM: 1\r\n\r\n"
                )
                listener.sendto(answer.encode(), sender)


def main() -> None:
    address = sys.argv[1]
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    servers = [socketserver.ThreadingTCPServer((address, 554), Rtsp), http.server.ThreadingHTTPServer((address, 8875), Page)]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=discovery, args=(address,), daemon=True).start()
    sys.stdin.read()


main()
