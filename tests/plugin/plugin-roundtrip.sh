#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A file of 300 MiB goes in by nbdcopy and comes out the same, on 4 connections;
# what was never written reads as zeroes.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need nbdcopy libnbd-bin

mib=${PRMEM_TEST_MIB:-300}
serve s "pool=$tmp/pool" size=1G
head -c "${mib}M" /dev/urandom >"$tmp/in"
nbdcopy --connections=4 "$tmp/in" "$(uri s)"
nbdcopy --connections=4 "$(uri s)" "$tmp/out"
truncate -s 1G "$tmp/in"
cmp "$tmp/in" "$tmp/out" || fail "what came out is not what went in"
stop s

# Served again: the size is the pool's.
serve s "$tmp/pool"
rm "$tmp/out"
nbdcopy "$(uri s)" "$tmp/out"
cmp "$tmp/in" "$tmp/out" || fail "another server gives something else"
