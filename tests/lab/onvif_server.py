#!/usr/bin/python3
"""An ONVIF device that answers with recorded answers.

usage: onvif_server.py ADDRESS PORT [probe=FILE] [login=USER:PASS] [page=FILE] [OPERATION=FILE]...
Answers WS-Discovery probes, and SOAP calls with the file of the operation; what has none gets a SOAP fault. An operation of
the second media service is named `Media2/OPERATION`. `probe=none` keeps it silent on WS-Discovery; without `probe` it
announces its device service. With `login` calls demand a UsernameToken and pages HTTP Digest; `page` is what every path
answers. Ends with its standard input.
"""
import base64
import hashlib
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
DENIED = (
    b"<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>"
    b"<s:Subcode><s:Value xmlns:ter='http://www.onvif.org/ver10/error'>ter:NotAuthorized</s:Value></s:Subcode></s:Code>"
    b"<s:Reason><s:Text>Sender not authorized</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
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
    probe, login, page = files.pop("probe", None), files.pop("login", None), files.pop("page", None)
    page = open(page, "rb").read() if page else b""
    answers = {operation: open(file, "rb").read() for operation, file in files.items()}

    class Device(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = re.search(rb"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)", body)
            asked = asked.group(1).decode() if asked else ""
            if login and asked != "GetSystemDateAndTime" and not is_signed(body, login):
                return self.reply(400, "application/soap+xml; charset=utf-8", DENIED)
            second = answers.get("Media2/" + asked) if b"ver20/media" in body else None
            answer = second or answers.get(asked)
            self.reply(200 if answer else 400, "application/soap+xml; charset=utf-8", answer or FAULT)

        def do_GET(self) -> None:
            if login and not is_digest(self.headers.get("Authorization", ""), login):
                return self.reply(401, "text/plain", b"")
            self.reply(200 if page else 404, "application/octet-stream", page)

        def reply(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 401:
                self.send_header("WWW-Authenticate", 'Digest realm="camera", nonce="5f3a", qop="auth"')
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


def is_signed(body: bytes, login: str) -> bool:
    """WS-Security UsernameToken Profile 1.0 §3.1."""
    user, password = login.encode().split(b":", 1)
    names = (b"Username", b"Password", b"Nonce", b"Created")
    values = {n: re.search(rb"<(?:\w+:)?" + n + rb"(?:\s[^>]*)?>([^<]*)<", body) for n in names}
    if not all(values.values()):
        return False
    name, digest, nonce, created = (value.group(1) for value in values.values())
    wanted = hashlib.sha1(base64.b64decode(nonce) + created + password).digest()
    return name == user and base64.b64decode(digest) == wanted


def is_digest(header: str, login: str) -> bool:
    """RFC 2617 §3.2.2, with qop=auth and MD5."""
    user, password = login.split(":", 1)
    given = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)}
    md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
    first, second = md5(f"{user}:camera:{password}"), md5(f"GET:{given.get('uri', '')}")
    middle = ":".join(given.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
    return given.get("username") == user and given.get("response") == md5(f"{first}:{middle}:{second}")


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
