#!/bin/sh
# Seeds the corpus of every target with the captures of the tests. Corpora are not kept in the repository.
set -eu
cd "$(dirname "$0")"
for target in fuzz_targets/*.rs; do
    corpus=corpus/$(basename "$target" .rs)
    mkdir -p "$corpus"
    find ../tests/data -type f -size -64k | while read -r capture; do
        cp "$capture" "$corpus/$(echo "$capture" | sed 's,^../tests/data/,,; s,/,-,g')"
    done
done
