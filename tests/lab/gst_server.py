#!/usr/bin/python3
"""GStreamer's RTSP server with the mounts and the login a test asks for.

usage: gst_server.py ADDRESS PORT [--basic USER:PASS | --digest USER:PASS] [--tls CERT KEY] [--udp | --multicast GROUP PORT]
       [--unshared] [--log FILE] PATH PIPELINE [PATH PIPELINE]...
With --unshared every client gets a pipeline of its own. GROUP is where --multicast sends, to PORT and the nine after it. FILE gets a line for every PLAY and every TEARDOWN, with the session's path. Ends with its standard input.
"""
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def main() -> None:
    Gst.init(None)
    address, port, *rest = sys.argv[1:]
    server = GstRtspServer.RTSPServer()
    server.set_address(address)
    server.set_service(port)
    auth, permissions, transports, log, group, shared = None, None, None, None, None, True
    while rest and rest[0].startswith("--"):
        option = rest.pop(0)
        if option == "--udp":
            transports = GstRtsp.RTSPLowerTrans.UDP
            continue
        if option == "--multicast":
            transports = GstRtsp.RTSPLowerTrans.UDP_MCAST
            group, first = rest.pop(0), int(rest.pop(0))
            continue
        if option == "--unshared":
            shared = False
            continue
        if option == "--log":
            log = open(rest.pop(0), "w", encoding="utf-8")
            continue
        auth = auth or GstRtspServer.RTSPAuth()
        if option == "--tls":
            certificate, key = rest.pop(0), rest.pop(0)
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(certificate, key))
            continue
        user, password = rest.pop(0).split(":", 1)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", user)
        permissions = user
        if option == "--basic":
            auth.set_supported_methods(1)
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        else:
            auth.set_supported_methods(2)
            auth.add_digest(user, password, token)
    if auth and not permissions:
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "anonymous")
        auth.set_default_token(token)
        permissions = "anonymous"
    mounts = server.get_mount_points()
    while rest:
        path, pipeline = rest.pop(0), rest.pop(0)
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {pipeline} )")
        factory.set_shared(shared)
        if transports:
            factory.set_protocols(transports)
        if group:
            pool = GstRtspServer.RTSPAddressPool()
            pool.add_range(group, group, first, first + 9, 1)
            factory.set_address_pool(pool)
        if permissions:
            allowed = GstRtspServer.RTSPPermissions()
            allowed.add_permission_for_role(permissions, "media.factory.access", True)
            allowed.add_permission_for_role(permissions, "media.factory.construct", True)
            factory.set_permissions(allowed)
        mounts.add_factory(path, factory)
    if auth:
        server.set_auth(auth)
    if log:
        def note(_client, context, what: str) -> None:
            log.write(f"{what} {context.uri.abspath}\n")
            log.flush()

        def connected(_server, client) -> None:
            client.connect("play-request", note, "play")
            client.connect("teardown-request", note, "teardown")

        server.connect("client-connected", connected)
    if not server.attach(None):
        sys.exit("the port is taken")
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()


main()
