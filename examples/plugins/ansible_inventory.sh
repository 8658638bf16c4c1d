#!/bin/sh
# An Ansible inventory, from a camscan report on standard input. Needs jq.
#
#     plugins:
#       exporters:
#         ansible: [sh, /path/to/ansible_inventory.sh]
#
# JSON is YAML, so the result can be used as it is: ansible-inventory -i cameras.yml --list
set -eu

exec jq '
  def name: (.name // .hostname // .ip) | ascii_downcase | gsub("[^a-z0-9]+"; "_") | ltrimstr("_") | rtrimstr("_")
    | if test("^[a-z]") then . else "camera_" + . end;
  {cameras: {hosts: (.devices | map({
    key: name,
    value: ({ansible_host: .ip, camscan_id: .id, camscan_vendor: .vendor, camscan_model: .model, camscan_mac: .mac}
      | with_entries(select(.value != null)))
  }) | from_entries)}}
'
