#!/bin/sh
# The store under hard conditions for as long as it takes: killed a thousand times while it is written and a hundred times
# while it is upgraded, written by two and read by one for an hour, and filled with five years of 200 cameras. `cargo test`
# does all but the last for seconds.
#
# hard.sh [KILLS [SECONDS [UPGRADE_KILLS]]]
set -eu
CAMSCAN_KILLS=${1:-1000} cargo test --locked --test cli killed -- --nocapture
CAMSCAN_UPGRADE_KILLS=${3:-100} cargo test --locked --lib store::tests::upgrade -- --nocapture
CAMSCAN_HAMMER_SECONDS=${2:-3600} cargo test --locked --lib store::tests::together -- --nocapture
cargo test --locked --profile profiling --lib five_years -- --ignored --nocapture
