#!/usr/bin/env bash
# Runs every target for so many seconds (20), one on each core, and fails when one of them finds something.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-20}
export RUSTC_BOOTSTRAP=1
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
./seed.sh
# The parsers are safe Rust, for which a sanitizer would find nothing that a panic does not say.
cargo fuzz build --sanitizer none --fuzz-dir .
binaries=target/$(rustc -vV | sed -n 's/^host: //p')/release
mkdir -p artifacts logs
# An input is 64 KiB at most: whatever takes a second for one reads it again and again.
fuzz() {
    local log=logs/$3.txt
    if "$2/$3" "corpus/$3" -max_total_time="$1" -timeout=1 -rss_limit_mb=2048 -max_len=65536 \
        -artifact_prefix="artifacts/$3-" -print_final_stats=1 >"$log" 2>&1; then
        printf '%-12s %12s inputs\n' "$3" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    else
        tail -n 40 "$log"
        printf '%-12s found something: fuzz/artifacts\n' "$3"
        return 1
    fi
}
export -f fuzz
find fuzz_targets -name '*.rs' -exec basename {} .rs \; | sort |
    xargs -P "$(nproc)" -I '{}' bash -c 'fuzz "$@"' _ "$seconds" "$binaries" '{}'
