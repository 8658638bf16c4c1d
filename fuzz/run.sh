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
# An input is 64 KiB at most: whatever takes a second for one reads it again and again. The fuzzer goes by the clock on the
# wall, so that what seemed slow on a busy machine is read once more, by itself: two seconds of the processor, its start included.
is_slow() {
    local slow
    slow=$(find artifacts -name "$2-timeout-*" -newer "$3" | head -n 1)
    [ -n "$slow" ] && [ "$(find artifacts -name "$2-*" -newer "$3" | wc -l)" = 1 ] || return 0
    if (ulimit -t 2 && "$1/$2" -timeout=60 "$slow" >/dev/null 2>&1); then
        rm "$slow"
        return 1
    fi
}
export -f is_slow
fuzz() {
    local log=logs/$3.txt
    : >"$log.begun"
    if "$2/$3" "corpus/$3" -max_total_time="$1" -timeout=1 -rss_limit_mb=2048 -max_len=65536 \
        -artifact_prefix="artifacts/$3-" -print_final_stats=1 >"$log" 2>&1; then
        printf '%-12s %12s inputs\n' "$3" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    elif ! is_slow "$2" "$3" "$log.begun"; then
        printf '%-12s stopped by a busy machine, nothing found\n' "$3"
    else
        tail -n 40 "$log"
        printf '%-12s found something: fuzz/artifacts\n' "$3"
        return 1
    fi
}
export -f fuzz
find fuzz_targets -name '*.rs' -exec basename {} .rs \; | sort |
    xargs -P "$(nproc)" -I '{}' bash -c 'fuzz "$@"' _ "$seconds" "$binaries" '{}'
