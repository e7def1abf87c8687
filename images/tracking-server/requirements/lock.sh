#!/bin/sh
# Lock each offered MLflow version with hashes: run after changing a .in file or dropped.txt, then read the diff.
set -eu
cd "$(dirname "$0")"
left_out=$(sed -n "s/;.*//p" dropped.txt | grep -v '^#' | sed 's/^/--no-emit-package /')
for wanted in *.in; do
    # shellcheck disable=SC2086  # the options are meant to split
    uv pip compile "$wanted" --override dropped.txt --universal --python-version 3.11 --upgrade \
        --generate-hashes --no-emit-index-url --no-annotate --no-header $left_out -q -o "${wanted%.in}.txt"
done
