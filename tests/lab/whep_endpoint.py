"""What every WHEP endpoint of the lab does over HTTP (draft-ietf-wish-whep); what answers an offer is the caller's."""
import itertools
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(address: str, port: int, log: str, session: type) -> None:
    """Serves /whep until the standard input ends. `session(offer)` has an `answer` and can `close`; every session opened and
    closed is a line of the log."""
    numbers, sessions, lock = itertools.count(1), {}, threading.Lock()

    def note(line: str) -> None:
        with lock, open(log, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    class Endpoint(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_OPTIONS(self) -> None:
            self.reply(204 if self.path == "/whep" else 404, {"Accept-Post": "application/sdp"})

        def do_POST(self) -> None:
            offer = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            if self.path != "/whep":
                return self.reply(404)
            opened, number = session(offer), next(numbers)
            sessions[f"/whep/{number}"] = opened
            note(f"opened {number}")
            headers = {"Location": f"/whep/{number}", "Content-Type": "application/sdp"}
            self.reply(201, headers, opened.answer.encode())

        def do_DELETE(self) -> None:
            opened = sessions.pop(self.path, None)
            if opened is None:
                return self.reply(404)
            opened.close()
            note(f"closed {self.path.rsplit('/', 1)[1]}")
            self.reply(200)

        def do_GET(self) -> None:
            self.reply(405 if self.path == "/whep" else 404)

        def reply(self, status: int, headers: dict = {}, body: bytes = b"") -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((address, port), Endpoint)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()
