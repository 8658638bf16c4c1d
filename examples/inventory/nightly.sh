#!/bin/sh
# A nightly inventory for cron or any CI: fails (exit code 3) when a camera is found that is not known, or a stream no longer
# delivers frames. The first run fills the store and succeeds.
#
#   30 2 * * *  /usr/local/bin/nightly.sh 10.0.5.0/24
set -u
store=${CAMSCAN_STORE_FILE:-/var/lib/camscan/store.sqlite}
folder=${CAMSCAN_REPORTS:-/var/lib/camscan/reports}
mkdir -p "$folder"

camscan scan "$@" --store="$store" --fail-on new,broken --quiet -o "$folder/$(date +%F).json"
code=$?
if [ "$code" -eq 3 ]; then
    echo "The cameras are not those of the scan before:"
    camscan diff previous last --store "$store"
fi
camscan store prune --store "$store" >/dev/null
exit "$code"
