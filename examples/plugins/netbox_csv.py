#!/usr/bin/env python3
"""Devices for NetBox's CSV import (DCIM > Devices > Import), from a camscan report on standard input.

    plugins:
      exporters:
        netbox: [python3, /path/to/netbox_csv.py, --site, Headquarters]

NetBox wants manufacturer, device type and role to be there already: import those columns first.
"""

import argparse
import csv
import json
import sys


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--site", default="Main")
    arguments.add_argument("--role", default="camera")
    options = arguments.parse_args()
    report = json.load(sys.stdin)
    columns = ["name", "role", "manufacturer", "device_type", "serial", "status", "site", "description", "comments"]
    table = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    table.writeheader()
    for device in report["devices"]:
        table.writerow({
            "name": device.get("name") or device.get("hostname") or device["ip"],
            "role": options.role,
            "manufacturer": device.get("vendor", "Unknown"),
            "device_type": device.get("model", "Unknown"),
            "serial": device.get("serial", ""),
            "status": "active" if device["state"] == "online" else "offline",
            "site": options.site,
            "description": " ".join(filter(None, [device["ip"], device.get("mac")])),
            "comments": "\n".join(stream["url"] for stream in device["streams"]),
        })


main()
