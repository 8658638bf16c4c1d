"""A mail server that keeps what it is sent: in clear on port 2525, with STARTTLS and a login demanded on port 2587. Each of them
asks for another try once."""

import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

host, folder, key, certificate, password = sys.argv[1:6]


class Sink:
    def __init__(self, port):
        self.port = port
        self.seen = 0

    async def handle_DATA(self, server, session, envelope):
        self.seen += 1
        if self.seen == 1:
            return "451 come again"
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail = {
            "text": envelope.content.decode(),
            "plain": parsed.get_body(("plain",)).get_content(),
            "tls": session.ssl is not None,
            "login": bool(session.authenticated),
        }
        with open(f"{folder}/mails-{self.port}", "a") as file:
            file.write(json.dumps(mail) + "\n")
        return "250 taken"


def login(server, session, envelope, mechanism, data):
    ok = isinstance(data, LoginPassword) and data.login == b"cams" and data.password == password.encode()
    return AuthResult(success=ok, handled=ok)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
plain = Controller(Sink(2525), hostname=host, port=2525)
protected = Controller(
    Sink(2587),
    hostname=host,
    port=2587,
    tls_context=context,
    require_starttls=True,
    auth_required=True,
    authenticator=login,
)
plain.start()
protected.start()
sys.stdin.read()
