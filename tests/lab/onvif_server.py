#!/usr/bin/python3
"""An ONVIF device that answers with recorded answers.

usage: onvif_server.py ADDRESS PORT [probe=FILE] [OPERATION=FILE]...
Answers WS-Discovery probes, and SOAP calls with the file of the operation; what has none gets a SOAP fault. `probe=none`
keeps it silent on WS-Discovery; without `probe` it announces its device service. Ends with its standard input.
"""
import http.server
import re
import socket
import sys
import threading

FAULT = (
    b"<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value>"
    b"<s:Subcode><s:Value>ter:ActionNotSupported</s:Value></s:Subcode></s:Code><s:Reason><s:Text>no</s:Text></s:Reason>"
    b"</s:Fault></s:Body></s:Envelope>"
)
MATCH = """<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"
 xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header><a:RelatesTo>x</a:RelatesTo></s:Header><s:Body>
 <d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:00000000-0000-4000-8000-{mark:012x}</a:Address>
 </a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes/>
 <d:XAddrs>http://{address}:{port}/onvif/device_service</d:XAddrs></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"""


def main() -> None:
    address, port = sys.argv[1], int(sys.argv[2])
    files = dict(argument.split("=", 1) for argument in sys.argv[3:])
    probe = files.pop("probe", None)
    answers = {operation: open(file, "rb").read() for operation, file in files.items()}

    class Device(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = re.search(rb"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)", body)
            answer = answers.get(asked.group(1).decode() if asked else "")
            self.reply(200 if answer else 400, "application/soap+xml; charset=utf-8", answer or FAULT)

        def do_GET(self) -> None:
            self.reply(404, "text/plain", b"")

        def reply(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    if probe != "none":
        mark = int(address.rsplit(".", 1)[1])
        document = open(probe, "rb").read().decode("utf-8", "replace") if probe else MATCH
        if not probe:
            document = document.format(address=address, port=port, mark=mark)
        threading.Thread(target=discovery, args=(address, document), daemon=True).start()
    server = http.server.ThreadingHTTPServer((address, port), Device)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


def discovery(address: str, document: str) -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", 3702))
    group = socket.inet_aton("239.255.255.250") + socket.inet_aton(address)
    listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    while True:
        asked, sender = listener.recvfrom(65536)
        message = re.search(rb"MessageID[^>]*>\s*([^<\s]+)", asked)
        if message and b"Probe" in asked:
            answer = re.sub(r"(RelatesTo[^>]*>)[^<]*", lambda m: m.group(1) + message.group(1).decode(), document)
            listener.sendto(answer.encode(), sender)


main()
