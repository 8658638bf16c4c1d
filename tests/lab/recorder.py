#!/usr/bin/python3
"""The web server of a recorder, which lists the cameras behind its channels to whoever has its login.

usage: recorder.py MAKER PORT USER:PASS NUMBER=ADDRESS,MAC,STATE...
MAKER is hikvision (ISAPI, Content Management: InputProxy) or dahua (HTTP API, Configuration Manager: RemoteDevice). MAC may be
empty; STATE is online or offline. The start page is open, all else demands HTTP Digest. Ends with its standard input.
"""
import hashlib
import http.server
import re
import sys
import threading

PAGES = {"hikvision": ("DNVRS-Webs", "index"), "dahua": ("Webs", "WEB SERVICE")}


def main() -> None:
    maker, port, login, *rest = sys.argv[1:]
    channels = []
    for argument in rest:
        number, listed = argument.split("=", 1)
        channels.append((int(number), *listed.split(",")))
    answers = {"hikvision": hikvision, "dahua": dahua}[maker](channels)
    server_name, title = PAGES[maker]

    class Web(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                return self.reply(200, "text/html", f"<title>{title}</title>".encode())
            if not is_digest(self.headers.get("Authorization", ""), login):
                return self.reply(401, "text/plain", b"")
            answer = answers.get(self.path)
            self.reply(200 if answer else 404, "text/plain", (answer or "").encode())

        def reply(self, status: int, kind: str, body: bytes) -> None:
            self.send_response_only(status)
            self.send_header("Server", server_name)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 401:
                self.send_header("WWW-Authenticate", 'Digest realm="recorder", nonce="7c21", qop="auth"')
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("", int(port)), Web)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


def hikvision(channels: list) -> dict:
    listed = "".join(
        f"<InputProxyChannel><id>{number}</id><name>Camera {number}</name><sourceInputPortDescriptor>"
        f"<proxyProtocol>HIKVISION</proxyProtocol><addressingFormatType>ipaddress</addressingFormatType>"
        f"<ipAddress>{address}</ipAddress><managePortNo>8000</managePortNo><userName>admin</userName>"
        f"</sourceInputPortDescriptor></InputProxyChannel>"
        for number, address, _, _ in channels
    )
    states = "".join(
        f"<InputProxyChannelStatus><id>{number}</id><online>{str(state == 'online').lower()}</online></InputProxyChannelStatus>"
        for number, _, _, state in channels
    )
    space = 'version="1.0" xmlns="http://www.hikvision.com/ver20/XMLSchema"'
    return {
        "/ISAPI/ContentMgmt/InputProxy/channels": f"<InputProxyChannelList {space}>{listed}</InputProxyChannelList>",
        "/ISAPI/ContentMgmt/InputProxy/channels/status":
            f"<InputProxyChannelStatusList {space}>{states}</InputProxyChannelStatusList>",
    }


def dahua(channels: list) -> dict:
    lines, titles, states = [], [], []
    for place, (number, address, mac, state) in enumerate(channels):
        slot = f"table.RemoteDevice.uuid:System_CONFIG_NETCAMERA_INFO_{number - 1}"
        lines += [f"{slot}.Enable=true", f"{slot}.Address={address}", f"{slot}.Name=IPC", f"{slot}.UserName=admin"]
        lines += [f"{slot}.Mac={mac}"] if mac else []
        titles.append(f"table.ChannelTitle[{number - 1}].Name=Camera {number}")
        states += [f"states[{place}].channel={number - 1}",
                   f"states[{place}].connectionState={'Connected' if state == 'online' else 'Unconnect'}"]
    manager = "/cgi-bin/configManager.cgi?action=getConfig&name="
    return {
        manager + "RemoteDevice": "\r\n".join(lines) + "\r\n",
        manager + "ChannelTitle": "\r\n".join(titles) + "\r\n",
        "/cgi-bin/LogicDeviceManager.cgi?action=getCameraState&uniqueChannels[0]=-1": "\r\n".join(states) + "\r\n",
    }


def is_digest(header: str, login: str) -> bool:
    """RFC 2617 §3.2.2, with qop=auth and MD5."""
    user, password = login.split(":", 1)
    given = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)}
    md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
    first, second = md5(f"{user}:recorder:{password}"), md5(f"GET:{given.get('uri', '')}")
    middle = ":".join(given.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
    return given.get("username") == user and given.get("response") == md5(f"{first}:{middle}:{second}")


main()
