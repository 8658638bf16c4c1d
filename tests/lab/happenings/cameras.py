#!/usr/bin/python3
"""All cameras of a site and the receiver of its messages, in one process: each has sockets in a namespace of its own.

Reads one JSON object a line and answers each with `done`. {"camera": NAME, ...} makes a camera or changes what is named of it
(the fields of `Camera`); {"receiver": NAMESPACE} opens a receiver of webhooks on port 8080 there; {"refuse": [PATH...]} has it
answer 500 on these paths. Each message that is taken is printed as JSON. Ends with its standard input.
"""
import asyncio
import base64
import ctypes
import hashlib
import json
import os
import re
import socket
import ssl
import struct
import sys
import time
from dataclasses import dataclass, field

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)
REALM, NONCE, SESSION = "IP Camera", "7d4b1c0e9a8f4d3e", "31415926"
HEVC = [base64.b64decode(text) for text in (
    "QAEMAf//AWAAAAMAkAAAAwAAAwB4koCQ",
    "QgEBAWAAAAMAkAAAAwAAAwB4oAPAgBDllkqSTK8BaAgAAAMACAAAAwB4QA==",
    "RAHBcrRiQA==",
)]


def inside(netns: str, make):
    """What `make` gives, made in another network namespace."""
    with open(f"/run/netns/{netns}", encoding="ascii") as place:
        if LIBC.setns(place.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), netns)
    try:
        return make()
    finally:
        LIBC.setns(HOME, CLONE_NEWNET)


def listener(port: int):
    def make() -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("", port))
        made.listen(64)
        return made

    return make


@dataclass
class Camera:
    netns: str
    ip: str
    serial: str
    model: str = "Dome 4"
    maker: str = "Lab"
    firmware: str = "1.0"
    # Each with its path, codec (h264 or h265), width, height, the frames a second it sends and those it declares.
    streams: list = field(default_factory=list)
    # Of the login: none where it is empty.
    user: str = "admin"
    password: str = ""
    basic: bool = False
    # well, frozen, missing, busy, locked, or dead: its RTSP port takes no connection
    state: str = "well"
    # Seconds that its clock is ahead.
    clock: int = 0
    certificate: list = field(default_factory=list)
    tls: object = None
    rtsp_server: object = None
    clients: set = field(default_factory=set)

    def endpoint(self) -> str:
        mark = hashlib.md5(self.serial.encode()).hexdigest()
        return f"{mark[:8]}-{mark[8:12]}-4000-8000-{mark[12:24]}"

    async def open(self) -> None:
        await self.mind_rtsp()
        self.servers = [await asyncio.start_server(self.http, sock=inside(self.netns, listener(80)))]
        if self.certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*self.certificate)
            self.servers.append(
                await asyncio.start_server(self.http, sock=inside(self.netns, listener(443)), ssl=self.tls))
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: Discovery(self), sock=inside(self.netns, self.discovery))

    async def mind_rtsp(self) -> None:
        if self.state == "dead" and self.rtsp_server:
            self.rtsp_server.close()
            for writer in self.clients:
                writer.close()
            self.rtsp_server = None
        elif self.state != "dead" and not self.rtsp_server:
            self.rtsp_server = await asyncio.start_server(self.rtsp, sock=inside(self.netns, listener(554)))

    def discovery(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("", 3702))
        group = socket.inet_aton("239.255.255.250") + struct.pack("@ii", 0, self.card())
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        return made

    def card(self) -> int:
        return next(number for number, name in socket.if_nameindex() if name != "lo")

    # RTSP

    async def rtsp(self, reader, writer) -> None:
        talk = Talk(self, writer)
        self.clients.add(writer)
        try:
            while (request := await read_request(reader)) is not None:
                await talk.answer(*request)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            talk.end()
            self.clients.discard(writer)
            writer.close()

    def is_let_in(self, method: str, header: str) -> bool:
        if not self.password:
            return True
        if self.basic:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            return header == f"Basic {token}"
        given = {n: quoted or bare for n, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)}
        first = md5(f"{self.user}:{REALM}:{self.password}")
        second = md5(f"{method}:{given.get('uri', '')}")
        middle = [NONCE, given["nc"], given["cnonce"], given["qop"]] if "qop" in given else [NONCE]
        wanted = md5(":".join([first, *middle, second]))
        return (given.get("username"), given.get("nonce"), given.get("response")) == (self.user, NONCE, wanted)

    def challenge(self) -> str:
        return f'Basic realm="{REALM}"' if self.basic else f'Digest realm="{REALM}", nonce="{NONCE}"'

    # HTTP

    async def http(self, reader, writer) -> None:
        try:
            request = await asyncio.wait_for(read_request(reader), 60)
            if request is not None:
                method, _, headers, body = request
                status, kind, text = self.page(method, body.decode("utf-8", "replace"))
                data = text.encode()
                head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode() + data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError):
            pass
        finally:
            writer.close()

    def page(self, method: str, body: str):
        if method != "POST":
            return "200 OK", "text/html", f"<html><head><title>{self.model}</title></head><body></body></html>"
        xml = "application/soap+xml; charset=utf-8"
        asked = re.search(r"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)", body)
        asked = asked.group(1) if asked else ""
        is_free = asked in ("GetSystemDateAndTime", "GetServices", "GetCapabilities", "GetScopes")
        if self.state == "locked" and not is_free:
            return "423 Locked", "text/plain", ""
        if self.password and not is_free and not self.is_signed(body):
            return "400 Bad Request", xml, fault("s:Sender", "ter:NotAuthorized", "Sender not Authorized")
        answer = self.soap(asked, body)
        if answer is None and asked.startswith("Get"):
            # It has that, and nothing to say.
            answer = f"<tds:{asked}Response></tds:{asked}Response>"
        if answer is None:
            return "400 Bad Request", xml, fault("s:Receiver", "ter:ActionNotSupported", "not implemented")
        return "200 OK", xml, envelope(answer)

    def is_signed(self, body: str) -> bool:
        """WS-Security UsernameToken Profile 1.0 §3.1."""
        names = ("Username", "Password", "Nonce", "Created")
        values = [re.search(rf"<(?:\w+:)?{name}(?:\s[^>]*)?>([^<]*)<", body) for name in names]
        if not all(values):
            return False
        user, digest, nonce, created = (value.group(1) for value in values)
        wanted = hashlib.sha1(base64.b64decode(nonce) + created.encode() + self.password.encode()).digest()
        return user == self.user and base64.b64decode(digest) == wanted

    def soap(self, asked: str, body: str):
        here = f"http://{self.ip}/onvif"
        if asked == "GetSystemDateAndTime":
            now = time.gmtime(time.time() + self.clock)
            return ("<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType><tt:UTCDateTime>"
                    f"<tt:Time><tt:Hour>{now.tm_hour}</tt:Hour><tt:Minute>{now.tm_min}</tt:Minute><tt:Second>{now.tm_sec}</tt:Second>"
                    f"</tt:Time><tt:Date><tt:Year>{now.tm_year}</tt:Year><tt:Month>{now.tm_mon}</tt:Month><tt:Day>{now.tm_mday}</tt:Day>"
                    "</tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>")
        if asked == "GetDeviceInformation":
            fields = {"Manufacturer": self.maker, "Model": self.model, "FirmwareVersion": self.firmware,
                      "SerialNumber": self.serial, "HardwareId": "1"}
            inner = "".join(f"<tds:{name}>{value}</tds:{name}>" for name, value in fields.items())
            return f"<tds:GetDeviceInformationResponse>{inner}</tds:GetDeviceInformationResponse>"
        if asked == "GetServices":
            one = "".join(
                f"<tds:Service><tds:Namespace>http://www.onvif.org/ver10/{name}/wsdl</tds:Namespace>"
                f"<tds:XAddr>{here}/{name}_service</tds:XAddr></tds:Service>" for name in ("device", "media"))
            return f"<tds:GetServicesResponse>{one}</tds:GetServicesResponse>"
        if asked == "GetCapabilities":
            return (f"<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Device><tt:XAddr>{here}/device_service</tt:XAddr></tt:Device>"
                    f"<tt:Media><tt:XAddr>{here}/media_service</tt:XAddr></tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>")
        if asked == "GetProfiles":
            one = "".join(
                f'<trt:Profiles token="Profile_{n}" fixed="true"><tt:Name>Stream{n}</tt:Name>'
                '<tt:VideoSourceConfiguration token="vsc"><tt:Name>source</tt:Name><tt:SourceToken>VideoSource_1</tt:SourceToken>'
                "</tt:VideoSourceConfiguration></trt:Profiles>" for n in range(len(self.streams)))
            return f"<trt:GetProfilesResponse>{one}</trt:GetProfilesResponse>"
        if asked == "GetStreamUri":
            token = re.search(r"ProfileToken[^>]*>\s*Profile_(\d+)", body)
            stream = self.streams[int(token.group(1)) if token else 0]
            return ("<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>"
                    f"rtsp://{self.ip}:554{stream['path']}</tt:Uri></trt:MediaUri></trt:GetStreamUriResponse>")
        return None


class Discovery(asyncio.DatagramProtocol):
    def __init__(self, camera: Camera) -> None:
        self.camera = camera

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, sender) -> None:
        message = re.search(rb"MessageID[^>]*>\s*([^<\s]+)", data)
        if message and b"Probe" in data:
            camera = self.camera
            answer = envelope(
                "<d:ProbeMatches><d:ProbeMatch><a:EndpointReference>"
                f"<a:Address>urn:uuid:{camera.endpoint()}</a:Address></a:EndpointReference>"
                "<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/Profile/Streaming "
                f"onvif://www.onvif.org/name/{camera.maker} onvif://www.onvif.org/hardware/{camera.model.replace(' ', '%20')}"
                f"</d:Scopes><d:XAddrs>http://{camera.ip}/onvif/device_service</d:XAddrs></d:ProbeMatch></d:ProbeMatches>",
                f"<a:RelatesTo>{message.group(1).decode()}</a:RelatesTo>")
            try:
                self.transport.sendto(answer.encode(), sender)
            except OSError:
                pass

    def error_received(self, _) -> None:
        pass


class Talk:
    """One client's talk with a camera's RTSP server."""

    def __init__(self, camera: Camera, writer) -> None:
        self.camera, self.writer = camera, writer
        self.stream, self.send, self.media = None, None, None

    async def answer(self, method: str, uri: str, headers: dict, _) -> None:
        camera = self.camera
        path = re.sub(r"^\w+://[^/]*", "", uri).split("/trackID=")[0].rstrip("/")
        stream = next((s for s in camera.streams if s["path"] == path), None)
        if method == "OPTIONS":
            return await self.reply("200 OK", headers, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n")
        if method == "TEARDOWN":
            self.end()
            return await self.reply("200 OK", headers)
        if camera.state == "locked":
            return await self.reply("423 Locked", headers)
        if stream is None or camera.state == "missing":
            return await self.reply("404 Not Found", headers)
        if not camera.is_let_in(method, headers.get("authorization", "")):
            return await self.reply("401 Unauthorized", headers, f"WWW-Authenticate: {camera.challenge()}\r\n")
        if method == "DESCRIBE":
            more = f"Content-Base: {uri}/\r\nContent-Type: application/sdp\r\n"
            return await self.reply("200 OK", headers, more, sdp(stream))
        if camera.state == "busy":
            return await self.reply("453 Not Enough Bandwidth", headers)
        if method == "SETUP":
            self.stream = stream
            transport = self.set_up(headers.get("transport", ""))
            return await self.reply("200 OK", headers, f"Transport: {transport}\r\nSession: {SESSION};timeout=60\r\n")
        if method == "PLAY" and self.send:
            await self.reply("200 OK", headers, f"Session: {SESSION}\r\nRange: npt=now-\r\n")
            self.media = self.media or asyncio.create_task(self.play())
            return None
        return await self.reply("200 OK" if method == "GET_PARAMETER" else "501 Not Implemented", headers)

    async def reply(self, status: str, headers: dict, more: str = "", body: str = "") -> None:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        text = f"RTSP/1.0 {status}\r\nCSeq: {headers.get('cseq', '')}\r\n{more}{length}\r\n{body}"
        self.writer.write(text.encode())
        await self.writer.drain()

    def set_up(self, asked: str) -> str:
        if "/TCP" in asked:
            channel = int((re.search(r"interleaved=(\d+)", asked) or [0, "0"])[1])

            async def interleaved(packet: bytes) -> None:
                self.writer.write(struct.pack(">cBH", b"$", channel, len(packet)) + packet)
                await self.writer.drain()

            self.send = interleaved
            return f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
        port = int(re.search(r"client_port=(\d+)", asked)[1])
        sender = inside(self.camera.netns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sender.bind((self.writer.get_extra_info("sockname")[0], 0))
        peer = (self.writer.get_extra_info("peername")[0], port)

        async def datagram(packet: bytes) -> None:
            sender.sendto(packet, peer)

        self.send = datagram
        own = sender.getsockname()[1]
        return f"RTP/AVP;unicast;client_port={port}-{port + 1};server_port={own}-{own + 1}"

    async def play(self) -> None:
        number, stamp, begin = 0, 0, time.monotonic()
        count = 0
        try:
            while True:
                stream = self.stream
                if self.camera.state != "frozen":
                    units = frame(stream, count)
                    for n, unit in enumerate(units):
                        marker = 0x80 if n + 1 == len(units) else 0
                        head = struct.pack(">BBHII", 0x80, marker | 96, number & 0xFFFF, stamp & 0xFFFFFFFF, 0x5EED)
                        await self.send(head + unit)
                        number += 1
                count += 1
                stamp += 90000 // stream["fps"]
                await asyncio.sleep(max(0.0, begin + count / stream["fps"] - time.monotonic()))
        except OSError:
            pass

    def end(self) -> None:
        if self.media:
            self.media.cancel()
            self.media = None


def frame(stream: dict, count: int) -> list:
    """The NAL units of a picture: each second begins with a key frame."""
    is_key = count % stream["fps"] == 0
    filling = bytes([0xA5, 0x5A, count % 199 + 40]) * 40
    if stream["codec"] == "h265":
        return [*HEVC, b"\x28\x01\xaf" + filling] if is_key else [b"\x02\x01\xd0" + filling]
    sets = [sps(stream["width"], stream["height"]), PPS]
    return [*sets, b"\x65\x88\x84" + filling] if is_key else [b"\x41\x9a\x02" + filling]


def sps(width: int, height: int) -> bytes:
    """ITU-T H.264 §7.3.2.1: baseline, level 4, no reordering."""
    bits = []

    def unsigned(value: int) -> None:
        text = bin(value + 1)[2:]
        bits.append("0" * (len(text) - 1) + text)

    for value in (0, 0, 2, 1):
        unsigned(value)
    bits.append("0")
    below = -height % 16 // 2
    unsigned((width + 15) // 16 - 1)
    unsigned((height + 15) // 16 - 1)
    bits.append("11")
    bits.append("1" if below else "0")
    if below:
        for value in (0, 0, 0, below):
            unsigned(value)
    bits.append("01")
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return bytes([0x67, 66, 0xC0, 40]) + int(text, 2).to_bytes(len(text) // 8, "big")


PPS = b"\x68\xce\x3c\x80"


def sdp(stream: dict) -> str:
    text = lambda unit: base64.b64encode(unit).decode()  # noqa: E731
    if stream["codec"] == "h265":
        vps, own, pps = map(text, HEVC)
        lines = f"a=rtpmap:96 H265/90000\r\na=fmtp:96 sprop-vps={vps}; sprop-sps={own}; sprop-pps={pps}\r\n"
    else:
        own = sps(stream["width"], stream["height"])
        lines = ("a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;"
                 f"profile-level-id={own[1:4].hex().upper()};sprop-parameter-sets={text(own)},{text(PPS)}\r\n")
    return ("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=Live\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
            f"m=video 0 RTP/AVP 96\r\n{lines}a=framerate:{stream['declared']}\r\na=control:trackID=0\r\n")


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def envelope(body: str, header: str = "") -> str:
    spaces = {"s": "http://www.w3.org/2003/05/soap-envelope", "tds": "http://www.onvif.org/ver10/device/wsdl",
              "trt": "http://www.onvif.org/ver10/media/wsdl", "tt": "http://www.onvif.org/ver10/schema",
              "ter": "http://www.onvif.org/ver10/error", "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
              "d": "http://schemas.xmlsoap.org/ws/2005/04/discovery", "dn": "http://www.onvif.org/ver10/network/wsdl"}
    named = " ".join(f'xmlns:{name}="{space}"' for name, space in spaces.items())
    return f"<?xml version='1.0'?><s:Envelope {named}><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"


def fault(code: str, sub: str, why: str) -> str:
    return envelope(f"<s:Fault><s:Code><s:Value>{code}</s:Value><s:Subcode><s:Value>{sub}</s:Value></s:Subcode></s:Code>"
                    f"<s:Reason><s:Text xml:lang='en'>{why}</s:Text></s:Reason></s:Fault>")


async def read_request(reader):
    """A request of HTTP or RTSP: method, address, headers and body; what a client sends of RTCP is passed over."""
    while (first := await reader.read(1)) in (b"$", b"\r", b"\n"):
        if first == b"$":
            _, length = struct.unpack(">BH", await reader.readexactly(3))
            await reader.readexactly(length)
    if not first:
        return None
    head = first + await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    words = lines[0].split(" ")
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return words[0], words[1], headers, body


class Receiver:
    """Takes messages, or answers that it cannot."""

    refused: list = []

    async def serve(self, reader, writer) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                _, path, headers, body = request
                status = "500 Internal Server Error" if path in self.refused else "200 OK"
                if status == "200 OK":
                    message = {"at": time.time(), "path": path, "id": headers.get("webhook-id"), "body": json.loads(body)}
                    print(json.dumps(message), flush=True)
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()


async def main() -> None:
    cameras, receiver, opened = {}, Receiver(), []
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        said = json.loads(line)
        if "receiver" in said:
            opened.append(await asyncio.start_server(receiver.serve, sock=inside(said["receiver"], listener(8080))))
        elif "refuse" in said:
            receiver.refused = said["refuse"]
        elif (name := said.pop("camera")) not in cameras:
            cameras[name] = Camera(**said)
            await cameras[name].open()
        else:
            camera = cameras[name]
            for key, value in said.items():
                setattr(camera, key, value)
            await camera.mind_rtsp()
            if "certificate" in said:
                camera.tls.load_cert_chain(*camera.certificate)
        print("done", flush=True)


asyncio.run(main())
