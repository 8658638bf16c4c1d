#!/usr/bin/python3
"""Stands before servers that speak RTSP or HTTP and writes down what their clients do.

usage: relay.py LOG ADDRESS [--lock N] PORT=TARGET... [one=closes|one=refuses]
What comes to ADDRESS:PORT goes to 127.0.0.1:TARGET. After N refused logins over all ports every further login is refused by
closing the connection, as a camera that has locked its accounts does it. LOG gets a JSON object a line: a connection that opens or closes, with
how many are open then, and every request with the answer to it. Ends with its standard input.

With `one` there is room for one connection to each port; who comes meanwhile, or within a tenth of a second after its end, is
closed without a word, or refused.

One thread does all: a client that closes one connection before it opens the next is never seen with both.
"""
import collections
import json
import re
import selectors
import socket
import sys
import time

# How long the end of the one connection goes unnoticed, seconds.
UNNOTICED = 0.1


class Framer:
    """Messages of RTSP or HTTP out of bytes, with the interleaved data between them left out (RFC 2326 §10.12)."""

    def __init__(self) -> None:
        self.bytes = b""

    def push(self, more: bytes) -> list:
        self.bytes += more
        messages = []
        while self.bytes:
            if self.bytes[0] == 0x24:
                end = 4 + int.from_bytes(self.bytes[2:4], "big") if len(self.bytes) >= 4 else 4
            else:
                head = self.bytes.find(b"\r\n\r\n")
                length = re.search(rb"(?im)^content-length:\s*(\d+)", self.bytes[: max(head, 0)])
                end = head + 4 + int(length.group(1) if length else 0) if head >= 0 else sys.maxsize
            if len(self.bytes) < end:
                break
            if self.bytes[0] != 0x24:
                messages.append(self.bytes[:end])
            self.bytes = self.bytes[end:]
        return messages


class Pair:
    """A client's connection and that to the server behind it."""

    def __init__(self, number: int, port: int, client: socket.socket, server: socket.socket) -> None:
        self.number, self.port, self.client, self.server = number, port, client, server
        self.asked, self.answers = Framer(), Framer()
        self.waiting = collections.deque()


def asked(message: bytes) -> dict:
    first = message.split(b"\r\n", 1)[0].split(b" ")
    login = re.search(rb"(?im)^authorization:\s*(\w+)", message)
    wsse = b"UsernameToken" in message
    action = re.search(rb"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)", message)
    return {
        "method": first[0].decode("latin-1"),
        "target": first[1].decode("latin-1") if len(first) > 1 else "",
        "login": login.group(1).decode().lower() if login else "wsse" if wsse else None,
        "action": action.group(1).decode() if action else None,
    }


def main() -> None:
    log = open(sys.argv[1], "a", encoding="utf-8")
    address, rest = sys.argv[2], sys.argv[3:]
    lock = int(rest[1]) if rest[0] == "--lock" else sys.maxsize
    ports = [argument.split("=") for argument in rest if "=" in argument]
    one = next((value for name, value in ports if name == "one"), None)
    ports = [pair for pair in ports if pair[0] != "one"]
    selector, pairs, count, refusals = selectors.DefaultSelector(), set(), 0, 0
    # When a port with room for one connection takes the next; none while it has one.
    free_at = {}
    listeners = {}

    def note(what: str, pair: Pair, **more: object) -> None:
        log.write(json.dumps({"what": what, "connection": pair.number, "port": pair.port, **more}) + "\n")
        log.flush()

    def close(pair: Pair) -> None:
        if pair in pairs:
            pairs.remove(pair)
            for end in (pair.client, pair.server):
                selector.unregister(end)
                end.close()
            free_at[pair.port] = time.monotonic() + UNNOTICED
            note("closed", pair, open=len(pairs))

    def carry(pair: Pair, source: socket.socket, drain: socket.socket) -> None:
        try:
            while data := source.recv(65536, socket.MSG_DONTWAIT):
                if source is pair.client:
                    requests = [asked(m) for m in pair.asked.push(data)]
                    if refusals >= lock and any(r["login"] for r in requests):
                        note("locked", pair)
                        return close(pair)
                    pair.waiting.extend(requests)
                else:
                    answered(pair, data)
                drain.sendall(data)
        except BlockingIOError:
            return
        except OSError:
            pass
        close(pair)

    def answered(pair: Pair, data: bytes) -> None:
        nonlocal refusals
        for message in pair.answers.push(data):
            status = re.match(rb"(?:RTSP|HTTP)/\S+ (\d+)", message)
            if status and pair.waiting and status.group(1) != b"100":
                request, code = pair.waiting.popleft(), int(status.group(1))
                refused = bool(request["login"]) and (code == 401 or b"NotAuthorized" in message)
                refusals += refused
                note("request", pair, **request, status=code, refused=refused)

    def accept(listener: socket.socket, port: int, target: int) -> None:
        nonlocal count
        # Whatever was closed before this one was opened has arrived before it.
        for pair in list(pairs):
            carry(pair, pair.client, pair.server)
        client = listener.accept()[0]
        count += 1
        try:
            is_gone = client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            is_gone = False
        except OSError:
            is_gone = True
        if is_gone:
            # Of two ports the later connection may be taken first: this one was closed before that was opened.
            return client.close()
        if one and (free_at.get(port, 0) is None or time.monotonic() < free_at.get(port, 0)):
            return client.close()
        free_at[port] = None
        if one == "refuses":
            selector.unregister(listeners[port])
            listeners.pop(port).close()
        pair = Pair(count, port, client, socket.create_connection(("127.0.0.1", target)))
        pairs.add(pair)
        note("opened", pair, open=len(pairs))
        selector.register(client, selectors.EVENT_READ, lambda: carry(pair, client, pair.server))
        selector.register(pair.server, selectors.EVENT_READ, lambda: carry(pair, pair.server, client))

    def listen() -> None:
        """On the ports that take a connection now and have no listener."""
        for port, target in ((int(port), int(target)) for port, target in ports):
            at = free_at.get(port, 0)
            if port not in listeners and at is not None and at <= time.monotonic():
                listener = listeners[port] = socket.create_server((address, port))
                do = lambda listener=listener, port=port, target=target: accept(listener, port, target)  # noqa: E731
                selector.register(listener, selectors.EVENT_READ, do)

    selector.register(sys.stdin, selectors.EVENT_READ, sys.exit)
    while True:
        listen()
        for key, _ in selector.select(UNNOTICED / 10 if one else None):
            # An earlier one may have closed it.
            if selector.get_map().get(key.fd) is key:
                key.data()


main()
