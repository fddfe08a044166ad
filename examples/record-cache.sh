#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The example keeps its records across restarts, without any NBD.
set -euo pipefail

dir=$(mktemp -d "${TMPDIR:-/tmp}/prmem-example.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cache() { "${top_builddir:?run me by make check}/examples/record-cache" "$dir/pool" "$@"; }

cache put colour green
cache put town Bruges
cache put colour blue
[ "$(cache get colour)" = blue ]
[ "$(cache get town)" = Bruges ]
[ "$(cache list | sort | tr '\n' ' ')" = "colour=blue town=Bruges " ]

cache forget town
if cache get town 2>"$dir/err"; then echo "a forgotten record is still there"; exit 1; fi
grep -q "town: No such file or directory" "$dir/err"

# Many records, and one that is replaced again and again: nothing leaks.
for i in $(seq 100); do cache put "name$i" "text $i"; done
for i in $(seq 100); do cache put colour "shade $i"; done
[ "$(cache list | wc -l)" -eq 101 ]
[ "$(cache get name77)" = "text 77" ]
[ "$(cache get colour)" = "shade 100" ]

if cache get; then exit 1; fi
if cache; then exit 1; fi
