"""A camera out of the box: answers its maker's discovery question as its own kernel lets it, by unicast where there is a route
and to everybody in any case. Arguments: maker, own address, MAC address, last digits of the serial number."""

import json
import socket
import struct
import sys

maker, ip, mac, number = sys.argv[1:5]


def sadp():
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ProbeMatch><Uuid>11223344-5566-4788-9900-112233445566</Uuid>'
        "<Types>inquiry</Types><DeviceDescription>DS-2CD2043G2-I</DeviceDescription>"
        f"<DeviceSN>DS-2CD2043G2-I20240101AAWR{number}</DeviceSN><HttpPort>80</HttpPort><MAC>{mac.replace(':', '-')}</MAC>"
        f"<IPv4Address>{ip}</IPv4Address><IPv4SubnetMask>255.255.255.0</IPv4SubnetMask>"
        "<IPv4Gateway>192.168.1.1</IPv4Gateway><DHCP>false</DHCP><SoftwareVersion>V5.7.3</SoftwareVersion>"
        "<Activated>false</Activated></ProbeMatch>"
    ).encode()


def dhip():
    info = {
        "DeviceClass": "IPC",
        "DeviceType": "IPC-HDW1230",
        "HttpPort": 80,
        "Init": 0x91,
        "IPv4Address": {
            "DefaultGateway": "192.168.1.1",
            "DhcpEnable": False,
            "IPAddress": ip,
            "SubnetMask": "255.255.255.0",
        },
        "SerialNo": f"7F0{number}PAG",
        "Vendor": "Dahua",
        "Version": "2.840.0000000.5.R",
    }
    body = json.dumps({"mac": mac, "method": "client.notifyDevInfo", "params": {"deviceInfo": info}}).encode()
    length = struct.pack("<I", len(body))
    return b"\x20\0\0\0DHIP" + bytes(8) + length + bytes(4) + length + bytes(4) + body


def dvrip():
    def reversed_hex(address):
        return "0x" + socket.inet_aton(address)[::-1].hex().upper()

    common = {
        "ChannelNum": 1,
        "GateWay": reversed_hex("192.168.1.1"),
        "HostIP": reversed_hex(ip),
        "HostName": "LocalHost",
        "HttpPort": 80,
        "MAC": mac,
        "SN": f"0123456789ab{number}",
        "Submask": reversed_hex("255.255.255.0"),
        "Version": "V4.02.R11",
    }
    body = json.dumps({"NetWork.NetCommon": common, "Ret": 100}).encode() + b"\n\0"
    return b"\xff\x01" + bytes(12) + struct.pack("<HI", 0x05FB, len(body)) + body


def foscam():
    head = b"MO_I" + struct.pack("<H", 1) + bytes(9) + struct.pack("<I", 65) + bytes(4)
    identity = mac.replace(":", "").upper().encode() + b"\0" + b"IPCAM".ljust(21, b"\0")
    network = b"".join(socket.inet_aton(a) for a in (ip, "255.255.255.0", "192.168.1.1", "192.168.1.1")) + bytes(4)
    return head + identity + network + bytes([11, 22, 2, 51, 2, 4, 18, 17, 0, 80, 0])


BROADCAST = "255.255.255.255"
# What asks, on which port, in which group; what is answered, and where everybody hears it.
question, port, group, answer, everybody = {
    "hikvision": (b"<Probe>", 37020, "239.255.255.250", sadp(), "239.255.255.250"),
    "dahua": (b"DHDiscover.search", 37810, "239.255.255.251", dhip(), "239.255.255.251"),
    "xiongmai": (b"\xfa\x05", 34569, None, dvrip(), BROADCAST),
    "foscam": (b"MO_I\0\0", 10000, None, foscam(), BROADCAST),
}[maker]

ears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
ears.bind(("", port))
mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
mouth.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
mouth.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
mouth.bind((ip, port))
if group:
    ears.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(ip))
    mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(ip))

while True:
    datagram, asker = ears.recvfrom(65535)
    # Its own answers come back to its group.
    if asker[0] == ip or question not in datagram:
        continue
    for to in (asker, (everybody, port)):
        try:
            mouth.sendto(answer, to)
        except OSError as error:
            print(f"{to}: {error}", flush=True)
